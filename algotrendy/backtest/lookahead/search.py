"""The search for a leak: runs on other bars, what came of each, and which bars of which output were put to the test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from algotrendy.backtest.lookahead.subject import Failure, Subject
from algotrendy.backtest.lookahead.table import Table, differences
from algotrendy.backtest.lookahead.worlds import World, Worlds
from algotrendy.compute.pool import map_work
from algotrendy.compute.progress import Progress
from algotrendy.domain.types import Bool1D, Int1D

__all__ = ["Job", "Outcome", "Runner", "Search", "Sighting"]

FORGOTTEN = 1e-6
"""An output that differs by less than this part of its size, some time after a change, has forgotten it."""


@dataclass(frozen=True)
class Job:
    """A world, and the number of first rows over which the outputs are compared."""

    world: World
    below: int


@dataclass(frozen=True)
class Outcome:
    """What came of a job: the bars at which each output differs from that of the bars as they are."""

    world: World
    found: dict[str, Int1D]
    failure: Failure | None = None


@dataclass(frozen=True)
class Sighting:
    """An output that changed before the first changed bar.

    Attributes
    ----------
    world : World
        The intervention.
    rows : int64 array
        Bars before its cut at which the output differs, ascending.
    """

    world: World
    rows: Int1D


@dataclass(frozen=True, eq=False)
class Runner:
    """Runs one job; other processes are handed a copy of it."""

    subject: Subject
    worlds: Worlds
    base: Table
    sizes: dict[str, float]
    tolerance: float

    def __call__(self, job: Job) -> Outcome:
        """Make the bars, run the subject, compare."""
        calendar = None if job.world.change in ("longer", "dates") else self.worlds.bars.index
        made = self.subject.run(self.worlds.frame(job.world), calendar)
        if isinstance(made, Failure):
            return Outcome(job.world, {}, made)
        # With fewer bars a function may say "too few" in its own way: that is no later bar seen by the output as it is.
        world, short = job.world, job.world.change == "cut"
        found = differences(self.base, made, min(job.below, world.cut), self.sizes, self.tolerance, known_only=short)
        if job.below > world.cut:  # after a change outputs may differ; rounding that stays behind is none
            loose = max(self.tolerance, FORGOTTEN)
            for name, rows in differences(self.base, made, job.below, self.sizes, loose).items():
                found[name] = np.union1d(found.get(name, rows[:0]), rows[rows >= world.cut])
        return Outcome(world, {name: rows for name, rows in found.items() if rows.size})


@dataclass(eq=False)
class Search:
    """Everything that is known so far.

    Attributes
    ----------
    runner : Runner
        What does the jobs.
    workers : int or None
        Processes.
    progress : Progress
        Told of each run.
    tested : dict of str to bool array of shape (n_bars,)
        Bars of an output that stayed as they were though the very next bar was another, or was not there.
    sightings : dict of str to list of Sighting
        By output.
    failures : list of Outcome
        Runs that gave nothing.
    """

    runner: Runner
    workers: int | None
    progress: Progress
    tested: dict[str, Bool1D] = field(default_factory=dict)
    sightings: dict[str, list[Sighting]] = field(default_factory=dict)
    failures: list[Outcome] = field(default_factory=list)
    n_runs: int = 0
    n_compared: int = 0
    interrupted: bool = False

    def __post_init__(self) -> None:
        for name in self.runner.base.columns:
            self.tested[name] = np.zeros(self.n_bars, dtype=np.bool_)

    @property
    def n_bars(self) -> int:
        """Number of bars."""
        return self.runner.worlds.n_bars

    @property
    def lead(self) -> int:
        """1 if outputs are claimed to be known at the open of their bar, else 0."""
        return self.runner.worlds.lead

    @property
    def open(self) -> list[str]:
        """The outputs in which no leak has been seen yet."""
        return [name for name in self.tested if name not in self.sightings]

    def do(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run jobs and return what came of those that were done, in their order."""
        if self.interrupted or not jobs:
            return []
        done = map_work(self.runner, jobs, workers=self.workers, where="processes", progress=self.progress)
        self.interrupted = done.interrupted
        outcomes = [outcome for outcome in done.results if outcome is not None]
        self.n_runs += len(outcomes)
        return outcomes

    def look(self, worlds: Iterable[World]) -> list[Outcome]:
        """Run worlds whose bars before the cut are as they are, and note what changed before the cut."""
        last = self.n_bars - 1
        usable = [world for world in worlds if 0 < world.cut <= (last + 1 if world.change == "longer" else last)]
        outcomes = self.do([Job(world, world.cut) for world in usable])
        for outcome in outcomes:
            self.note(outcome)
        return outcomes

    def note(self, outcome: Outcome) -> None:
        """Take in what one world showed about the rows before its cut."""
        if outcome.failure is not None:
            self.failures.append(outcome)
            return
        self.n_compared += 1
        cut = outcome.world.cut
        for name, rows in outcome.found.items():
            before = rows[rows < cut]
            if before.size:
                self.sightings.setdefault(name, []).append(Sighting(outcome.world, before))
        if outcome.world.change in ("later", "shorter", "gap", "longer", "no attrs"):
            return
        for name, tested in self.tested.items():
            seen = outcome.found.get(name)
            if seen is None or not (seen < cut).any():
                tested[cut - 1] = True
