"""Where to cut: early, where an output changes, at turns of the calendar, before the largest moves, at random, late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, zip_longest

import numpy as np
import pandas as pd

from algotrendy.backtest.lookahead.table import Table
from algotrendy.backtest.lookahead.worlds import World, Worlds
from algotrendy.domain.types import Int1D

__all__ = ["planned"]

_OFTEN = 0.5
"""An output that changes on more than this share of bars has no bars at which it changes that are worth a look."""

_ROTA = {
    "changes": ("cut", "down", "up"),
    "spikes": ("cut", "up", "down"),
    "random": ("up", "down", "cut", "shuffled", "wild", "flat", "reversed"),
    "calendar": ("cut", "down", "up", "shuffled"),
    "early": ("cut", "up", "down"),
    "extremes": ("cut", "flat", "reversed", "down"),
    "late": ("cut", "wild"),
}


def planned(base: Table, worlds: Worlds, count: int, columns: tuple[str, ...] | None) -> list[World]:
    """Return worlds to look at, the most telling ones first.

    Parameters
    ----------
    base : Table
        Outputs for the bars as they are.
    worlds : Worlds
        The bars.
    count : int
        How many at most.
    columns : tuple of str, optional
        Columns to change; then bars are never left out, for that changes all of them.
    """
    rng = np.random.default_rng([worlds.seed, 77])
    kinds = {
        "changes": _changes(base, rng),
        "spikes": _spikes(base),
        "random": rng.permutation(np.arange(2, worlds.n_bars)),
        "calendar": _turns(worlds, rng),
        "early": _early(worlds.n_bars),
        "extremes": _extremes(worlds),
        "late": worlds.n_bars - np.array([1, 2, 6, 22, 64], dtype=np.int64),
    }
    made: dict[tuple[str, int], World] = {}
    for change, cut in _in_turn(kinds):
        if len(made) >= count:
            break
        if not 1 <= cut < worlds.n_bars:
            continue
        if columns is not None and change == "cut":
            change = "wild"  # noqa: PLW2901 - what it becomes is meant
        made.setdefault((change, cut), World(change, cut, len(made), columns))
    return list(made.values())


def _in_turn(kinds: dict[str, Int1D]) -> Iterator[tuple[str, int]]:
    streams = [zip(cycle(_ROTA[name]), cuts.tolist(), strict=False) for name, cuts in kinds.items()]
    for group in zip_longest(*streams):
        yield from (each for each in group if each is not None)


def _changes(base: Table, rng: np.random.Generator) -> Int1D:
    """Return cuts right after a bar at which an output changed, the outputs in turn."""
    found: list[Int1D] = []
    for values in base.columns.values():
        if base.keys is not None:
            rows: Int1D = base.bar[base.bar >= 0]
        else:
            same = values[1:] == values[:-1]
            if values.dtype != object:
                same = same | (np.isnan(values[1:]) & np.isnan(values[:-1]))
            rows = np.flatnonzero(~np.asarray(same, dtype=np.bool_)).astype(np.int64) + 1
            if rows.size > _OFTEN * len(values):
                continue
        found.append(rng.permutation(rows)[:200] + 1)
    return _merged(found)


def _spikes(base: Table) -> Int1D:
    """Return cuts right after bars at which an output stands out from the bars before and after it."""
    found = []
    for values in base.columns.values():
        if base.keys is None and values.dtype != object and len(values) > 2:
            rise = np.nan_to_num(np.diff(values), nan=0.0, posinf=0.0, neginf=0.0)
            size = np.where(rise[:-1] * rise[1:] < 0, np.minimum(np.abs(rise[:-1]), np.abs(rise[1:])), 0.0)
            found.append(np.argsort(-size, kind="stable")[:8].astype(np.int64) + 2)
    return _merged(found)


def _merged(parts: Sequence[Int1D]) -> Int1D:
    turns = [int(cut) for group in zip_longest(*(part.tolist() for part in parts)) for cut in group if cut is not None]
    return np.array(list(dict.fromkeys(turns)), dtype=np.int64)


def _turns(worlds: Worlds, rng: np.random.Generator) -> Int1D:
    """Return cuts between the last bar of a period and the first of the next: months, weeks, years, days."""
    index = pd.DatetimeIndex(worlds.bars.index)
    month = index.year.to_numpy() * 12 + index.month.to_numpy()
    week = (index.tz_localize(None) if index.tz is not None else index).to_numpy().astype("datetime64[D]")
    days = week.astype(np.int64)
    marks = [month, (days + 3) // 7, index.year.to_numpy(), days, month // 3]
    found = []
    for mark in marks:
        turns = np.flatnonzero(mark[1:] != mark[:-1]) + 1
        if 0 < turns.size < 0.7 * len(index):
            found.append(rng.permutation(turns).astype(np.int64)[:100])
    return _merged(found)


def _early(n_bars: int) -> Int1D:
    steps = np.unique(np.geomspace(1, max(n_bars // 3, 2), 14).astype(np.int64))
    return steps[::-1][1::2] if steps.size > 8 else steps


def _extremes(worlds: Worlds) -> Int1D:
    """Return cuts right before the largest moves, gaps, ranges and volumes."""
    sizes = worlds.moves()
    return _merged([np.argsort(-size, kind="stable")[:6].astype(np.int64) for size in sizes])
