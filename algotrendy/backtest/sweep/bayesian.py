"""Bayesian search by Optuna's tree-structured Parzen estimator, in batches that the fast sweep computes.

The proposals follow from the seed and from what was found, so a search that was killed is led through the same
proposals again, and what its file knows is not computed a second time.

References
----------
Bergstra, J., Bardenet, R., Bengio, Y. and Kegl, B. (2011). Algorithms for hyper-parameter optimization. NeurIPS 24.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.sweep.evaluate import Evaluator
from algotrendy.backtest.sweep.grid import Value
from algotrendy.backtest.sweep.pareto import LOWER_IS_BETTER
from algotrendy.backtest.sweep.search import Checkpoint, Found, Keep, Search
from algotrendy.backtest.sweep.space import Space, Span, grid_of
from algotrendy.compute import Progress
from algotrendy.errors import InputError, MissingExtraError
from algotrendy.kernels.statistics_names import METRICS

_BATCH_MAX = 16
"""Proposals that are made at once: few, since each batch learns from the ones before only."""

_FRUITLESS_MAX = 20
"""Batches in a row without anything new: the space is used up, or `where` forbids what is proposed."""

Combination = tuple[Value, ...]


class BayesianSearch:
    """Proposes combinations, has them computed, and learns from what comes back.

    Parameters
    ----------
    space : mapping of str to values or Span
        What may be chosen.
    search : Search
        Metrics, constraints, number of trials, seed, patience.
    keep : callable or None
        Which combinations are wanted.

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    """

    def __init__(self, space: Space, search: Search, keep: Keep) -> None:
        self._names = list(space)
        self._values = {name: None if isinstance(axis, Span) else sorted(axis) for name, axis in space.items()}
        self._search, self._keep = search, keep
        self._optuna = _optuna()
        self._axes = {name: self._distribution(name, axis) for name, axis in space.items()}
        self._study = self._new_study()
        self._tracker = search.tracker()
        self._known: dict[Combination, npt.NDArray[np.float64]] = {}
        self._order: dict[Combination, None] = {}

    def run(self, evaluator: Evaluator, checkpoint: Checkpoint, bar: Progress) -> Found:
        """Return what was found after all trials, the end of patience, or Ctrl-C."""
        self._known = checkpoint.trials()
        try:
            return self._run(evaluator, checkpoint, bar)
        except KeyboardInterrupt:
            return self._found(complete=False)

    def _run(self, evaluator: Evaluator, checkpoint: Checkpoint, bar: Progress) -> Found:
        n_trials, size = 0, max(1, min(_BATCH_MAX, self._search.n_trials // 8))
        fruitless = 0
        while n_trials < self._search.n_trials and fruitless < _FRUITLESS_MAX:
            before = len(self._order)
            asked = self._asked(min(size, self._search.n_trials - n_trials))
            if not self._computed([combination for _, combination in asked], evaluator, checkpoint):
                return self._found(complete=False)
            end = self._told(asked)
            n_trials += len(asked)
            bar.advance(len(asked))
            fruitless = 0 if len(self._order) > before else fruitless + 1
            if end is not None:
                by = f"{self._search.patience:,} without improvement"
                return self._found(complete=True, note=f"stopped after {n_trials - len(asked) + end:,} trials: {by}")
        if not self._order:
            raise InputError("`where` let no proposed combination through; relax it, or narrow the spans")
        note = "" if fruitless < _FRUITLESS_MAX else f"stopped after {n_trials:,} trials: nothing new was proposed"
        return self._found(complete=True, note=note)

    def _asked(self, n: int) -> list[tuple[Any, Combination]]:
        """Return up to `n` proposals that are wanted; what is not wanted is told to have failed."""
        trials = [self._study.ask(self._axes) for _ in range(n)]
        combinations = [tuple(self._value(name, trial.params[name]) for name in self._names) for trial in trials]
        columns = list(zip(*combinations, strict=True))
        kept = np.ones(n, dtype=bool) if self._keep is None else self._keep(grid_of(self._names, columns))
        asked = []
        for trial, combination, is_kept in zip(trials, combinations, kept.tolist(), strict=True):
            if is_kept:
                asked.append((trial, combination))
            else:
                self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        return asked

    def _computed(self, asked: Sequence[Combination], evaluator: Evaluator, checkpoint: Checkpoint) -> bool:
        """Compute what is not known yet, and keep it; False if Ctrl-C came between."""
        from algotrendy.compute import progress_for

        new = [each for each in dict.fromkeys(asked) if each not in self._known]
        if new:
            grid = grid_of(self._names, list(zip(*new, strict=True)))
            with progress_for("batch", len(new), show=False) as quiet:
                done, rows = evaluator.rows(grid, quiet)
            finished = [new[place] for place in done.tolist()]
            if finished:
                checkpoint.keep_trials(finished, rows)
            self._known |= dict(zip(finished, rows, strict=True))
            if len(finished) < len(new):
                self._order |= dict.fromkeys(each for each in asked if each in self._known)
                return False
        self._order |= dict.fromkeys(asked)
        return True

    def _told(self, asked: Sequence[tuple[Any, Combination]]) -> int | None:
        """Tell the study what came of the proposals; return the trial at which patience ended, if it did."""
        if not asked:
            return None
        rows = np.array([self._known[combination] for _, combination in asked])
        values, feasible = self._tracker.values(rows), self._tracker.feasible(rows)
        for (trial, _), objectives, is_feasible in zip(asked, values.tolist(), feasible.tolist(), strict=True):
            if np.isnan(objectives).any():
                self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
                continue
            if self._search.constraints is not None:
                trial.set_constraint("violation", 0.0 if is_feasible else 1.0)  # above zero: not met
            self._study.tell(trial, objectives)
        return self._tracker.count(rows)

    def _found(self, *, complete: bool, note: str = "") -> Found:
        tried = list(self._order)
        if not tried:
            empty = np.empty((0, len(METRICS)))
            return Found(grid_of(self._names, [[] for _ in self._names]), np.empty(0, np.int64), empty, complete, note)
        grid = grid_of(self._names, list(zip(*tried, strict=True)))
        rows = np.array([self._known[each] for each in tried])
        return Found(grid, np.arange(len(tried)), rows, complete, note)

    def _distribution(self, name: str, axis: Any) -> Any:
        kinds = self._optuna.distributions
        values = self._values[name]
        if values is not None:  # the places of the sorted values: their order is kept, their distances are not
            return kinds.IntDistribution(0, len(values) - 1)
        if axis.whole:
            return kinds.IntDistribution(axis.low, axis.high, log=axis.log)
        return kinds.FloatDistribution(axis.low, axis.high, log=axis.log)

    def _value(self, name: str, given: Any) -> Value:
        values = self._values[name]
        return given if values is None else values[given]  # type: ignore[no-any-return]  # a number of Optuna

    def _new_study(self) -> Any:
        optuna = self._optuna
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            seed = int(np.random.SeedSequence(self._search.seed).generate_state(1)[0])
            sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
            directions = ["minimize" if name in LOWER_IS_BETTER else "maximize" for name in self._search.objectives]
            return optuna.create_study(directions=directions, sampler=sampler)
        finally:
            optuna.logging.set_verbosity(verbosity)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("optuna", "tune") from error
    return optuna
