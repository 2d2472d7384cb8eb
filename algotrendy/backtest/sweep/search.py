"""One search, whatever its method: what is asked of it, what it keeps in a file, and when it stops.

Each method hands batches of combinations to an `Evaluator` and keeps what comes back, in memory and, if there is a
checkpoint, in a file. What a file knows is not computed again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.fingerprint import (
    fingerprint,
)
from algotrendy.backtest.sweep.constraints import Constraints
from algotrendy.backtest.sweep.evaluate import Evaluator, Int1D, Rows
from algotrendy.backtest.sweep.grid import Grid
from algotrendy.backtest.sweep.pareto import front, gains
from algotrendy.compute import Journal, Progress, Record
from algotrendy.errors import InputError
from algotrendy.kernels.statistics_names import METRICS

TRIALS = 100
"""How many combinations a random or a Bayesian search tries unless told otherwise."""


@dataclass(frozen=True)
class Search:
    """What is asked of a search.

    Attributes
    ----------
    method : {"grid", "random", "bayesian"}
        How combinations are chosen.
    objectives : tuple of str
        Metrics to rank by.
    constraints : Constraints or None
        Limits that a combination has to meet to be chosen.
    n_trials : int
        How many combinations at most; not used by a grid.
    seed : int
        What chance comes from; not used by a grid.
    patience : int or None
        Stop after so many trials in a row without an improvement.
    """

    method: str
    objectives: tuple[str, ...]
    constraints: Constraints | None
    n_trials: int
    seed: int
    patience: int | None

    def tracker(self) -> Tracker:
        """Return what tells when to stop."""
        return Tracker(self.objectives, self.constraints, self.patience)


@dataclass(frozen=True)
class Found:
    """What a search has tried: combinations, places and metrics of those that are done, and how it ended."""

    grid: Grid
    done: Int1D
    rows: npt.NDArray[np.float64]
    complete: bool
    note: str = ""


Keep = Callable[[Grid], npt.NDArray[np.bool_]] | None


def make_search(
    method: str, objectives: tuple[str, ...], constraints: str | None, **limits: int | None
) -> tuple[Search, bool]:
    """Return a search with its limits checked, and whether its seed was drawn here.

    Raises
    ------
    InputError
        If a limit is not a whole number above zero, or does not belong to a grid.
    """
    for name, value in limits.items():
        if value is None:
            continue
        if method == "grid":
            raise InputError(
                f"{name}={value!r} belongs to method='random' or 'bayesian'; a grid is tried whole, so leave it out"
            )
        least = 0 if name == "seed" else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name} is {value!r}; expected a whole number of at least {least}")
    seed, n_trials = limits.get("seed"), limits.get("n_trials")
    drawn = seed is None
    if seed is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0]) if method != "grid" else 0
    limit = None if constraints is None else Constraints(constraints)
    return Search(method, objectives, limit, n_trials or TRIALS, seed, limits.get("patience")), drawn


class Tracker:
    """Counts trials without an improvement: a better value, or, with several metrics, a new place on the front."""

    def __init__(self, objectives: tuple[str, ...], constraints: Constraints | None, patience: int | None) -> None:
        self._at = [METRICS.index(name) for name in objectives]
        self._objectives, self._constraints, self._patience = objectives, constraints, patience
        self._best = np.empty((0, len(objectives)))
        self._since = 0

    def feasible(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Tell which rows meet the constraints."""
        if self._constraints is None:
            return np.ones(len(rows), dtype=bool)
        return self._constraints.met({name: rows[:, k] for k, name in enumerate(METRICS)})

    def values(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the objectives of rows."""
        return rows[:, self._at]

    def count(self, rows: npt.NDArray[np.float64]) -> int | None:
        """Look at trials in order; return how many of them there are up to the end of patience, or None."""
        if self._patience is None:
            return None
        points = gains(self.values(rows), self._objectives)
        points[~self.feasible(rows)] = np.nan
        for n, point in enumerate(points, start=1):
            self._since = 0 if self._improves(point) else self._since + 1
            if self._since >= self._patience:
                return n
        return None

    def _improves(self, point: npt.NDArray[np.float64]) -> bool:
        if np.isnan(point).any() or (self._best >= point).all(axis=1).any():
            return False
        together = np.vstack([self._best, point])
        self._best = together[front(together)]
        return True


class Checkpoint:
    """What is done of a search, in a file; does nothing where none is wanted.

    Parameters
    ----------
    path : str or Path, or None
        The file.
    evaluator : Evaluator
        What is swept, on which bars, under which conventions.
    search : Search
        How.
    tried : Grid or Space
        From what.
    is_drawn : bool
        Whether the seed of the search was drawn by chance: then that of the file counts.
    """

    def __init__(
        self, path: str | Path | None, evaluator: Evaluator, search: Search, tried: Any, *, is_drawn: bool
    ) -> None:
        self.seed = search.seed
        self._journal: Journal | None = None
        if path is None:
            return
        belongs_to = {**evaluator.belongs_to(), **_search_parts(search, tried, is_drawn=is_drawn)}
        self._journal = Journal(path, belongs_to, "optimisation")
        kept = [record.meta["seed"] for record in self._journal.records if "seed" in record.meta]
        if kept:
            self.seed = kept[0]
        else:
            self._journal.append(Record({"seed": self.seed}))

    @property
    def is_on(self) -> bool:
        """Whether there is a file."""
        return self._journal is not None

    def check_drawn(self, grid: Grid) -> None:
        """Refuse a file whose combinations were drawn otherwise: under another `where`, say.

        Raises
        ------
        InputError
            If they were.
        """
        if self._journal is None:
            return
        drawn = _checksum(grid)
        kept = [record.meta["drawn"] for record in self._records() if "drawn" in record.meta]
        if kept and kept[0] != drawn:
            raise InputError(
                f"the checkpoint {self._journal.path.name} is of another optimisation: other combinations were drawn, "
                "by another `where`; give another path, or delete the file to begin anew"
            )
        if not kept:
            self._journal.append(Record({"drawn": drawn}))

    def rows(self) -> Rows | None:
        """Return places and metrics that the file knows."""
        found = [self._rows(record) for record in self._records() if "n" in record.meta]
        if not found:
            return None
        return np.concatenate([each[0] for each in found]), np.concatenate([each[1] for each in found])

    def trials(self) -> dict[tuple[Any, ...], npt.NDArray[np.float64]]:
        """Return combinations and metrics that the file knows."""
        found: dict[tuple[Any, ...], npt.NDArray[np.float64]] = {}
        for record in self._records():
            if "trials" in record.meta:
                rows = np.frombuffer(record.data).reshape(-1, len(METRICS))
                found |= dict(zip(map(tuple, record.meta["trials"]), rows, strict=True))
        return found

    def keep_rows(self, places: Int1D, rows: npt.NDArray[np.float64]) -> None:
        """Add places in the grid and their metrics."""
        if self._journal is not None:
            data = places.astype(np.int64).tobytes() + rows.tobytes()
            self._journal.append(Record({"n": len(places)}, data))

    def keep_trials(self, combinations: list[tuple[Any, ...]], rows: npt.NDArray[np.float64]) -> None:
        """Add combinations and their metrics."""
        if self._journal is not None:
            self._journal.append(Record({"trials": combinations}, rows.tobytes()))

    def close(self) -> None:
        """Let go of the file."""
        if self._journal is not None:
            self._journal.close()

    def _records(self) -> list[Record]:
        return [] if self._journal is None else self._journal.records

    @staticmethod
    def _rows(record: Record) -> Rows:
        n = record.meta["n"]
        places = np.frombuffer(record.data, dtype=np.int64, count=n)
        return places, np.frombuffer(record.data, offset=8 * n).reshape(n, len(METRICS))


def _search_parts(search: Search, tried: Any, *, is_drawn: bool) -> dict[str, Any]:
    """Return what a file of this search has to agree with."""
    if isinstance(tried, Grid):
        grid: Any = _checksum(tried)
    else:
        grid = {name: str(axis) for name, axis in tried.items()}
    parts = {"grid": fingerprint(grid), "method": search.method}
    if search.method == "grid":
        return parts
    limits = None if search.constraints is None else search.constraints.text
    return {
        **parts,
        "n_trials": search.n_trials,
        "seed": None if is_drawn else search.seed,
        **({"metric": list(search.objectives), "constraints": limits} if search.method == "bayesian" else {}),
    }


def _checksum(grid: Grid) -> str:
    return fingerprint([grid.names, grid.values, zlib.crc32(grid.index.tobytes())])


def search_grid(grid: Grid, evaluator: Evaluator, checkpoint: Checkpoint, bar: Progress) -> Found:
    """Try all combinations of a grid, or of what chance has drawn."""
    on_rows = checkpoint.keep_rows if checkpoint.is_on else None
    done, rows = evaluator.rows(grid, bar, kept=checkpoint.rows(), on_rows=on_rows)
    return Found(grid, done, rows, complete=len(done) == len(grid))
