"""Many bars tested in one run: single bars far apart are changed, like the teeth of a comb.

An output may change for a while after a tooth, as long as it remembers. Where it has come to rest again and still
changes before the next tooth, it may have seen that tooth; a run with everything before the tooth as it is decides. So
a comb only proposes: nothing counts as a leak that such a run has not confirmed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from algotrendy.backtest.lookahead.search import Job, Outcome, Search
from algotrendy.backtest.lookahead.worlds import World
from algotrendy.domain.types import Bool1D, Int1D

__all__ = ["comb_through"]

_LEAST_SPACING = 16
_BATCH = 8
_DOUBTS_MAX = 14
"""So many proposals of one output are tried in vain before the comb is given up for it."""

_FOREVER = 1 << 60


class _Places(NamedTuple):
    """For each bar: how long ago the last tooth was, and how far the next one is."""

    since: Int1D
    until: Int1D


@dataclass(eq=False)
class _Comb:
    search: Search
    columns: tuple[str, ...] | None
    memory: dict[str, int] = field(default_factory=dict)
    doubts: dict[str, int] = field(default_factory=dict)

    def world(self, teeth: Int1D, seed: int) -> World:
        return World("teeth", int(teeth[0]) + self.search.lead, seed, self.columns, tuple(teeth.tolist()))

    def probe(self) -> None:
        """Change single bars and see for how long each output remembers."""
        n = self.search.n_bars
        places = sorted({max(1, n // 3), max(1, n * 3 // 5)})
        worlds = [self.world(np.array([place]), k) for k, place in enumerate(places)]
        for outcome in self.search.do([Job(world, n) for world in worlds]):
            self.search.note(outcome)
            tooth = outcome.world.cut
            for name in self.search.tested:
                after = outcome.found.get(name, np.zeros(0, dtype=np.int64))
                last = int(after[-1]) - tooth + 1 if after.size and after[-1] >= tooth else 0
                if last + tooth >= n - max(3, n // 50):
                    last = _FOREVER
                self.memory[name] = max(self.memory.get(name, 0), last)

    def spacing(self) -> int | None:
        """Return how far apart teeth must stand for the outputs that forget, None if there are none."""
        known = [self.memory.get(name, _FOREVER) for name in self.search.open]
        finite = [bars for bars in known if bars <= self.search.n_bars // 6]
        if not finite:
            return max(_LEAST_SPACING, self.search.n_bars // 40) if known else None
        return max(_LEAST_SPACING, max(finite) + max(8, max(finite) // 4))

    def read(self, outcome: Outcome) -> list[tuple[int, str, int]]:
        """Note which bars came out as they were, and return what may be a leak: (distance, output, bar)."""
        self.search.note(outcome)
        if outcome.failure is not None:
            return []
        n, lead = self.search.n_bars, self.search.lead
        places = _places(np.array(outcome.world.teeth, dtype=np.int64) + lead, n)
        proposals = []
        for name in self.search.open:
            differs = np.zeros(n, dtype=np.bool_)
            differs[outcome.found.get(name, np.zeros(0, dtype=np.int64))] = True
            memory = self.memory.get(name, _FOREVER)
            at_rest = places.since > memory
            self.search.tested[name] |= at_rest & ~differs & (places.until == 1)
            suspects = np.flatnonzero(self._suspects(differs, at_rest, places, memory))
            near = suspects[np.argsort(places.until[suspects], kind="stable")][:3]
            proposals += [(int(places.until[row]), name, int(row)) for row in near]
        return proposals

    def _suspects(self, differs: Bool1D, at_rest: Bool1D, places: _Places, memory: int) -> Bool1D:
        if memory < _FOREVER:
            return differs & at_rest & (places.until < _FOREVER)
        begins = differs & ~np.concatenate(([False], differs[:-1]))
        return begins & (places.until <= 2) & (places.since < _FOREVER)

    def confirm(self, outcome: Outcome, proposals: list[tuple[int, str, int]]) -> int:
        """Decide over proposals with runs of their own; return how many runs that took."""
        rows: dict[int, set[str]] = {}
        for _, name, row in sorted(proposals):
            if name in self.search.open and self.doubts.get(name, 0) < _DOUBTS_MAX:
                rows.setdefault(row, set()).add(name)
        teeth = np.array(outcome.world.teeth, dtype=np.int64)
        runs = 0
        for row, names in list(rows.items())[:4]:
            if not names & set(self.search.open):
                continue
            later = teeth[teeth + self.search.lead > row]
            world = World("teeth", row + 1, outcome.world.seed, self.columns, tuple(later.tolist()))
            self.search.look([world])
            runs += 1
            for name in names & set(self.search.open):
                self._doubt(name, teeth, row)
        return runs

    def _doubt(self, name: str, teeth: Int1D, row: int) -> None:
        """It was no leak: so the output remembers for longer than was thought."""
        self.doubts[name] = self.doubts.get(name, 0) + 1
        before = teeth[teeth + self.search.lead <= row]
        if before.size and self.memory.get(name, 0) < _FOREVER:
            since = row - int(before[-1]) - self.search.lead + 1
            self.memory[name] = max(self.memory.get(name, 0), since)


def comb_through(search: Search, budget: int, columns: tuple[str, ...] | None) -> int:
    """Change bars far apart, in ever other places, until every bar was one of them or the budget is spent.

    Parameters
    ----------
    search : Search
        Takes in what is found.
    budget : int
        Number of runs at most.
    columns : tuple of str, optional
        Columns to change.

    Returns
    -------
    int
        Number of runs.
    """
    comb = _Comb(search, columns)
    comb.probe()
    used = 2
    offsets: list[tuple[int, int]] = []
    spacing = 0
    rng = np.random.default_rng([search.runner.worlds.seed, 5])
    while used < budget and search.open and not search.interrupted:
        wanted = comb.spacing()
        if wanted is None or wanted > search.n_bars // 3:
            break
        if wanted != spacing:
            spacing = wanted
            offsets = [(int(place), turn) for turn in (0, 1, 2, 3) for place in rng.permutation(spacing)]
        if not offsets:
            break
        batch, offsets = offsets[: min(_BATCH, budget - used)], offsets[min(_BATCH, budget - used) :]
        worlds = [comb.world(np.arange(place, search.n_bars, spacing), turn) for place, turn in batch if place]
        outcomes = search.do([Job(world, search.n_bars) for world in worlds])
        used += len(outcomes) + (len(worlds) < len(batch))
        for outcome in outcomes:
            if used < budget:
                used += comb.confirm(outcome, comb.read(outcome))
        if all(comb.doubts.get(name, 0) >= _DOUBTS_MAX for name in search.open):
            break
    return used


def _places(starts: Int1D, n: int) -> _Places:
    """Return for each bar how long ago the last start was, and how far the next one is."""
    bars = np.arange(n, dtype=np.int64)
    k = np.searchsorted(starts, bars, side="right")
    before = np.where(k > 0, starts[np.maximum(k - 1, 0)], -_FOREVER)
    after = np.where(k < starts.size, starts[np.minimum(k, starts.size - 1)], bars + _FOREVER)
    return _Places(np.where(k > 0, bars - before, _FOREVER + 1), after - bars)
