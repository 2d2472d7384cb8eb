"""The metrics of combinations of one strategy: on threads, on processes or on a cluster, kept as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.arguments import AnyStrategy
from algotrendy.backtest.fingerprint import bars_fingerprint, options_fingerprint, strategy_fingerprint
from algotrendy.backtest.sweep.declarative import Chunk, DeclarativeSweep
from algotrendy.backtest.sweep.grid import Grid, Value
from algotrendy.backtest.sweep.python import PythonSweep, python_chunks
from algotrendy.compute import Cancel, Executor, Progress, map_work, worker_count
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import CompiledStrategy, Strategy

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.setting import Setting

Float2D: TypeAlias = npt.NDArray[np.float64]
Int1D: TypeAlias = npt.NDArray[np.int64]

Rows: TypeAlias = tuple[Int1D, Float2D]
"""Places in the grid of the combinations that are done, ascending, and their metrics."""

OnRows: TypeAlias = Callable[[Int1D, Float2D], object]

_WORK_PER_CHUNK = 40_000_000
"""Bars times combinations of one chunk that travels: some tenths of a second, for its way costs some milliseconds."""


@dataclass(frozen=True)
class Evaluator:
    """Computes the metrics of combinations of one strategy on one setting.

    Attributes
    ----------
    strategy : Strategy or PythonStrategy
        What is swept.
    bars : DataFrame
        As given, and checked.
    setting : Setting
        The bars and their surroundings, conventions and costs.
    options : mapping
        The keywords of `backtest` that the setting was made of.
    executor : Executor, optional
        Where to compute; None: text strategies on threads, Python functions on processes.
    workers : int, optional
        In place of the executor's.
    cancel : Cancel, optional
        Stops the work from another thread.
    """

    strategy: AnyStrategy
    bars: pd.DataFrame
    setting: Setting
    options: Mapping[str, Any]
    executor: Executor | str | None = None
    workers: int | None = None
    cancel: Cancel | None = None

    @property
    def is_declarative(self) -> bool:
        """Whether the strategy runs in compiled code, many combinations per call."""
        return isinstance(self.strategy, Strategy) and self.setting.chart is None

    @property
    def place(self) -> Executor:
        """Where to compute, with the usual place filled in."""
        is_compiled = isinstance(self.strategy, CompiledStrategy)
        usual = "threads" if self.is_declarative or is_compiled else "processes"
        return Executor.of(self.executor, workers=self.workers, usual=usual)  # type: ignore[arg-type]  # one of both

    def belongs_to(self) -> dict[str, Any]:
        """Return what a file with what was computed has to agree with."""
        return {
            "strategy": strategy_fingerprint(self.strategy),
            "bars": bars_fingerprint(self.bars),
            "options": options_fingerprint(self.setting.assumptions),
        }

    def rows(self, grid: Grid, bar: Progress, *, kept: Rows | None = None, on_rows: OnRows | None = None) -> Rows:
        """Return the metrics of the combinations of a grid.

        Parameters
        ----------
        grid : Grid
            Which combinations.
        bar : Progress
            Told of each.
        kept : Rows, optional
            Those that are known already: they are not computed again.
        on_rows : callable, optional
            Called with places and metrics of each chunk when it is done.
        """
        done = np.zeros(len(grid), dtype=bool)
        if kept is not None:
            done[kept[0]] = True
            bar.advance(len(kept[0]))
        function, pieces, places = self._planned(grid, done)

        def keep(number: int, rows: Float2D) -> None:
            if on_rows is not None:
                on_rows(places[number], rows)

        mapped = map_work(
            function, pieces, where=self.place, progress=bar, steps=_size, cancel=self.cancel, on_result=keep
        )  # fmt: skip
        found = list(zip(places, mapped.results, strict=True))
        return gathered(found if kept is None else [*found, kept])

    def _planned(
        self, grid: Grid, done: npt.NDArray[np.bool_]
    ) -> tuple[Callable[[Any], Float2D], Sequence[Any], list[Int1D]]:
        """Return what computes a piece of the grid, the pieces that are not done, and their places."""
        where, left = self.place, np.flatnonzero(~done)
        if self.is_declarative and where.where == "threads":
            sweep = DeclarativeSweep(self.strategy, grid, self.setting)  # type: ignore[arg-type]  # it is declarative
            chunks = sweep.chunks(worker_count(where.workers))
            if done.any():
                chunks = [Chunk(each.places[~done[each.places]], each.borrow) for each in chunks]
                chunks = [each for each in chunks if len(each.places)]
            return sweep.run, chunks, [each.places for each in chunks]
        if self.is_declarative:
            size = max(1, _WORK_PER_CHUNK // len(self.setting.arrays.close))
            places = [left[i : i + size] for i in range(0, len(left), size)]
            remote = _Remote(self.strategy, self.setting, grid.names, grid.values)  # type: ignore[arg-type]  # so is it
            return remote, [grid.index[each] for each in places], places
        # The rows of a chart are made once.
        given = self.options if self.setting.chart is None else {**self.options, "chart": self.setting.chart}
        pieces = python_chunks([grid.combination(row) for row in left.tolist()])
        ends = np.cumsum([len(each) for each in pieces]).tolist()
        places = [left[end - len(each) : end] for each, end in zip(pieces, ends, strict=True)]
        return PythonSweep(self.strategy, self.bars, given), pieces, places


@dataclass(frozen=True)
class _Remote:
    """A text strategy and its setting as they travel: each chunk is a sweep of its own combinations."""

    strategy: Strategy
    setting: Setting
    names: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...]

    def __call__(self, index: npt.NDArray[np.int32]) -> Float2D:
        sweep = DeclarativeSweep(self.strategy, Grid(self.names, self.values, index), self.setting)
        rows = np.empty((len(index), len(METRICS)))
        for chunk in sweep.chunks(1):
            rows[chunk.places] = sweep.run(chunk)
        return rows


def _size(piece: Any) -> int:
    return len(piece.places) if isinstance(piece, Chunk) else len(piece)


def gathered(found: Sequence[tuple[Int1D, Float2D | None]]) -> Rows:
    """Join the chunks that are done, in the order of the grid."""
    done = [(at, rows) for at, rows in found if rows is not None]
    if not done:
        return np.empty(0, np.int64), np.empty((0, len(METRICS)))
    at, rows = np.concatenate([each[0] for each in done]), np.concatenate([each[1] for each in done])
    order = np.argsort(at, kind="stable")
    return at[order], rows[order]
