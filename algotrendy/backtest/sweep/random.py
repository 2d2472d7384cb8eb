"""Random search: combinations drawn by chance from values and spans, each at most once."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.sweep.evaluate import Evaluator, Int1D
from algotrendy.backtest.sweep.grid import Grid, Value, make_grid
from algotrendy.backtest.sweep.search import Checkpoint, Found, Keep, Search, search_grid
from algotrendy.backtest.sweep.space import Axis, Space, Span, grid_of, listed, size_of
from algotrendy.compute import Progress
from algotrendy.errors import InputError

_LISTED_MAX = 2_000_000
_ROUNDS_MAX = 200
_BATCH = 256
"""Trials between two looks at the patience. Fixed, so that the outcome does not depend on the workers."""


def drawn(space: Space, n_trials: int, keep: Keep, seed: int) -> Grid:
    """Return combinations drawn by chance, in the order of drawing.

    Where the values can be listed they are drawn without putting back; if there are no more than `n_trials`, all come.

    Raises
    ------
    InputError
        If `keep` lets (nearly) none through.

    Examples
    --------
    >>> grid = drawn({"a": (1, 2, 3), "b": (5, 6)}, 4, None, seed=1)
    >>> len(grid), len({tuple(row) for row in grid.index.tolist()})
    (4, 4)
    """
    rng = np.random.default_rng(seed)
    if size_of(space) <= _LISTED_MAX:
        every = make_grid({name: listed(axis) for name, axis in space.items()}, keep)
        chosen = rng.permutation(len(every))[:n_trials]
        return Grid(every.names, every.values, np.ascontiguousarray(every.index[chosen]))
    names, seen = list(space), dict[tuple[Value, ...], None]()
    for _ in range(_ROUNDS_MAX):
        columns = [_drawn_values(axis, rng, n_trials) for axis in space.values()]
        kept = np.ones(n_trials, dtype=bool) if keep is None else keep(grid_of(names, columns))
        for combination, is_kept in zip(zip(*columns, strict=True), kept.tolist(), strict=True):
            if is_kept and len(seen) < n_trials:
                seen.setdefault(combination)
        if len(seen) == n_trials:
            return grid_of(names, list(zip(*seen, strict=True)))
    raise InputError(
        f"`where` let only {len(seen):,} of {_ROUNDS_MAX * n_trials:,} drawn combinations through; relax it, or narrow "
        "the spans to where it holds"
    )


def _drawn_values(axis: Axis, rng: np.random.Generator, n: int) -> list[Value]:
    if isinstance(axis, Span):
        return axis.draw(rng, n)
    return [axis[i] for i in rng.integers(0, len(axis), n).tolist()]


def search_random(grid: Grid, search: Search, evaluator: Evaluator, checkpoint: Checkpoint, bar: Progress) -> Found:
    """Try the combinations that were drawn, until all are done or the patience is at its end."""
    if search.patience is None:
        return search_grid(grid, evaluator, checkpoint, bar)
    kept, tracker = checkpoint.rows(), search.tracker()
    places, rows = [], []
    for begin in range(0, len(grid), _BATCH):
        batch = Grid(grid.names, grid.values, grid.index[begin : begin + _BATCH])
        known = None
        if kept is not None:
            inside = (kept[0] >= begin) & (kept[0] < begin + _BATCH)
            known = (kept[0][inside] - begin, kept[1][inside])
        keep = partial(_keep_from, checkpoint, begin)
        done, found = evaluator.rows(batch, bar, kept=known, on_rows=keep)
        end = tracker.count(found) if len(done) == len(batch) else None
        places.append(done[:end] + begin)
        rows.append(found[:end])
        if end is not None and begin + end < len(grid):
            note = f"stopped after {begin + end:,} of {len(grid):,} trials: {search.patience:,} without improvement"
            return Found(grid, np.concatenate(places), np.concatenate(rows), complete=True, note=note)
        if len(done) < len(batch):
            return Found(grid, np.concatenate(places), np.concatenate(rows), complete=False)
    return Found(grid, np.concatenate(places), np.concatenate(rows), complete=True)


def _keep_from(checkpoint: Checkpoint, begin: int, places: Int1D, rows: npt.NDArray[np.float64]) -> None:
    """Keep the rows of a batch under their places in the whole."""
    checkpoint.keep_rows(places + begin, rows)
