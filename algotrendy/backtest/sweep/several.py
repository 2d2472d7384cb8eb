"""Combinations over several instruments with one account: computed for a table, and run again in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from algotrendy.backtest.arguments import AnyStrategy
from algotrendy.backtest.fingerprint import (
    content_fingerprint,
    mix_fingerprint,
    options_fingerprint,
    panel_fingerprint,
)
from algotrendy.backtest.run import backtest
from algotrendy.backtest.sweep.evaluate import Int1D, OnRows, Rows, gathered
from algotrendy.backtest.sweep.grid import Grid
from algotrendy.backtest.sweep.kept import Kept
from algotrendy.backtest.sweep.mix import StrategyMix
from algotrendy.backtest.sweep.python import split_costs
from algotrendy.compute import Cancel, Executor, Progress, map_work
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import BarStrategy, Strategy

if TYPE_CHECKING:
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.domain.types import Float2D

__all__ = ["PanelEvaluator", "PanelRunner"]


@dataclass(frozen=True)
class PanelRunner:
    """Runs combinations again: one with its full backtest, or some for their returns.

    Attributes
    ----------
    strategy : Strategy, PythonStrategy, BarStrategy or StrategyMix
        What is swept.
    bars : Panel, mapping or DataFrame
        The instruments.
    options : mapping
        Those of `backtest`.
    """

    strategy: AnyStrategy | StrategyMix
    bars: Any
    options: Mapping[str, Any]

    is_fast = False

    def __call__(self, combination: Mapping[str, Any]) -> PortfolioResult:
        """Return the full backtest of one combination."""
        costs, values = split_costs(combination)
        return self._run(_given(self.strategy.with_params(**values)), **costs)

    def _run(self, *what: Any, **changes: Any) -> PortfolioResult:
        run: Any = backtest
        found: PortfolioResult = run(*what, self.bars, **{**self.options, **changes})
        return found

    @cached_property
    def _plain(self) -> PortfolioResult:
        return self._run(_given(self.strategy))

    @cached_property
    def data_hash(self) -> str:
        """Hash of the bars of all instruments."""
        from algotrendy.backtest.trials import data_hash

        return data_hash(self.bars)

    @property
    def assumptions(self) -> Mapping[str, Any]:
        """Conventions and costs."""
        return self._plain.assumptions

    @property
    def definition(self) -> Mapping[str, Any]:
        """The JSON form of the strategy."""
        return self.strategy.to_dict()

    def returns(self, combinations: Mapping[str, Any]) -> tuple[pd.Index, Any]:
        """Return the stamps of the valuation marks, and the returns of combinations, shape (n_marks, n)."""
        names = tuple(combinations)
        rows = zip(*(np.asarray(combinations[name]).tolist() for name in names), strict=True)
        found = [self(dict(zip(names, row, strict=True))).returns for row in rows]
        return found[0].index, np.column_stack([each.to_numpy() for each in found])

    def held(self) -> Any:
        """Return the returns of buying equal parts of all instruments and holding them, shape (n_marks,)."""
        symbols, start = self._plain.symbols, self._plain.index[0]
        equal = pd.DataFrame([[1.0 / len(symbols)] * len(symbols)], index=[start], columns=list(symbols))
        signals = ("max_positions", "rank", "rebalance", "tick_size", "fine_bars")
        options = {name: value for name, value in self.options.items() if name not in signals}
        result: Any = backtest(self.bars, weights=equal, **options)
        return result.returns.to_numpy()


def _given(strategy: AnyStrategy | StrategyMix) -> Any:
    """Return what `backtest` takes."""
    return strategy.parts if isinstance(strategy, StrategyMix) else strategy


@dataclass(frozen=True)
class PanelEvaluator:
    """Computes the metrics of combinations over several instruments; the twin of `evaluate.Evaluator`.

    Text strategies run many combinations per call on threads; a Python function runs one by one. Of several strategies
    in one account each is run for its own values alone, and the runs are put together.
    """

    runner: PanelRunner
    executor: Executor | str | None = None
    workers: int | None = None
    cancel: Cancel | None = None
    kept: Kept = field(default_factory=Kept, repr=False, compare=False)

    def rows(self, grid: Grid, bar: Progress, *, kept: Rows | None = None, on_rows: OnRows | None = None) -> Rows:
        """Return the metrics of the combinations of a grid; as `Evaluator.rows`."""
        done = np.zeros(len(grid), dtype=bool)
        if kept is not None:
            done[kept[0]] = True
            bar.advance(len(kept[0]))
        function, places = self._planned(grid, done)

        def keep(number: int, rows: Float2D) -> None:
            if on_rows is not None:
                on_rows(places[number], rows)

        strategy = self.runner.strategy
        is_stateful = strategy.are_stateful if isinstance(strategy, StrategyMix) else isinstance(strategy, BarStrategy)
        usual = "processes" if is_stateful else "threads"
        where = Executor.of(self.executor, workers=self.workers, usual=usual)  # type: ignore[arg-type]  # one of both
        mapped = map_work(function, places, where=where, progress=bar, steps=len, cancel=self.cancel, on_result=keep)
        found = list(zip(places, mapped.results, strict=True))
        return gathered(found if kept is None else [*found, kept])

    def belongs_to(self) -> dict[str, Any]:
        """Return what a file with what was computed has to agree with."""
        runner = self.runner
        options = {name: runner.options[name] for name in sorted(runner.options)}
        return {
            "strategy": mix_fingerprint(_given(runner.strategy)),
            "bars": panel_fingerprint(runner.bars),
            "options": options_fingerprint({"given": content_fingerprint(options)}),
        }

    def _planned(self, grid: Grid, done: Any) -> tuple[Any, Sequence[Int1D]]:
        """Return what computes some places of the grid, and those that are not done, in pieces."""
        from algotrendy.backtest.portfolio.sweep import PanelSweep
        from algotrendy.backtest.portfolio.sweep_several import SleeveSweep

        runner, strategy = self.runner, self.runner.strategy
        if isinstance(strategy, Strategy | StrategyMix):
            sweep: PanelSweep | SleeveSweep
            if isinstance(strategy, StrategyMix):
                sweep = SleeveSweep(strategy, grid, runner.bars, runner.options, kept=self.kept)
            else:
                sweep = PanelSweep(strategy, grid, runner.bars, runner.options)
            pieces = [piece[~done[piece]] for piece in sweep.chunks()]
            return sweep.run, [piece for piece in pieces if len(piece)]
        return _OneByOne(runner, grid), [np.array([row]) for row in np.flatnonzero(~done)]


@dataclass(frozen=True)
class _OneByOne:
    runner: PanelRunner
    grid: Grid

    def __call__(self, places: Int1D) -> Float2D:
        found = [self.runner(self.grid.combination(int(place))).metrics for place in places]
        return np.array([[metrics[name] for name in METRICS] for metrics in found], dtype=np.float64)
