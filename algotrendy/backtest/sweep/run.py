"""Backtest every combination of parameters in one call.

Text strategies run through the same kernels as a single backtest, many combinations per call, on threads; Python
strategies run one by one, on processes. The numbers do not depend on where they are computed, nor on how many workers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from algotrendy.backtest.arguments import (
    ALLOCATION_SLACK,
    AnyStrategy,
    are_several,
    are_strategies,
    as_strategy,
    route_of,
)
from algotrendy.backtest.curves import buy_and_hold, returns_between
from algotrendy.backtest.run import backtest, check_size
from algotrendy.backtest.setting import Setting, check_cost, prepare
from algotrendy.backtest.sweep.curves import returns_of
from algotrendy.backtest.sweep.evaluate import Evaluator
from algotrendy.backtest.sweep.grid import Grid, Where, make_grid
from algotrendy.backtest.sweep.methods import as_method, as_objectives
from algotrendy.backtest.sweep.mix import ALLOCATION, StrategyMix, WithinCapital
from algotrendy.backtest.sweep.python import COSTS, split_costs
from algotrendy.backtest.sweep.result import SweepResult
from algotrendy.backtest.sweep.search import Checkpoint, Found, Keep, Search, make_search, search_grid
from algotrendy.backtest.sweep.several import PanelEvaluator, PanelRunner
from algotrendy.backtest.sweep.space import Given, Space, Span, make_space
from algotrendy.backtest.sweep.where import keeper
from algotrendy.backtest.trials import data_hash
from algotrendy.compute import Cancel, Executor, progress_for, worker_count
from algotrendy.compute.progress import Show
from algotrendy.errors import InputError
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import BarStrategy, PythonStrategy, Signals, Strategy
from algotrendy.strategy.levels import check_level, check_percent
from algotrendy.strategy.parameter import LEVELS, nearest

if TYPE_CHECKING:
    from algotrendy.strategy import StrategyTemplate

__all__ = ["SweepResult", "optimize"]

COUNTS = ("n_orders", "n_trades")


def optimize(
    strategy: Strategy | StrategyTemplate | PythonStrategy | BarStrategy | Callable[..., Any] | Mapping[str, Any],
    bars: Any,
    grid: Given = None,
    *,
    metric: str | Sequence[str] = "sharpe_ratio",
    method: str = "grid",
    where: Where = None,
    constraints: str | None = None,
    n_trials: int | None = None,
    seed: int | None = None,
    patience: int | None = None,
    params: Mapping[str, Any] | None = None,
    checkpoint: str | Path | None = None,
    executor: Executor | str | None = None,
    workers: int | None = None,
    progress: Show = None,
    cancel: Cancel | None = None,
    **options: Any,
) -> SweepResult:
    """Backtest every combination of parameters, or those that a search picks.

    Parameters
    ----------
    strategy : Strategy, StrategyTemplate, PythonStrategy, BarStrategy, callable or mapping
        What is swept. A text strategy sweeps in compiled code on threads; a Python function, and what is asked bar by
        bar, on processes. Several strategies in one account are a mapping as in `backtest`:
        `{"trend": (strategy, 0.6), "mean": (other, 0.4)}`.
    bars : DataFrame, mapping or Panel
        Bars of one instrument, or of several: then each combination is one account, as in `backtest`.
    grid : mapping of str to iterable of numbers, sequence of str, optional
        Values to try for each name: parameters of the strategy, `stop`, `target`, `trail`, `size`, and the costs
        `commission`, `slippage`, `borrow`. `{"fast": range(5, 51), "stop": [0.02, 0.05]}`. A `ParameterSpec` stands for
        all that it allows. In random and Bayesian search a tuple is a span, both ends included: `(2, 50)` whole
        numbers, `(0.01, 0.1)` any, `(0.001, 0.1, "log")` evenly in the logarithm. Names alone, or nothing: by the specs
        of the strategy's parameters. Of several strategies the names are `trend.fast`, `mean.stop`, and
        `trend.allocation` for the share of the capital; combinations whose shares sum to more than 1 are left out.
    metric : str or list of str
        What to rank by: any metric of `BacktestResult.metrics` that is a number. Of `max_drawdown`, `volatility`,
        `turnover` and costs less is better. Of several the first ranks, and `pareto()` gives the front of all.
    method : {"grid", "random", "bayesian"}
        All combinations; some drawn by chance; some proposed by Optuna (extra `tune`) from what was found so far.
    where : str or callable, optional
        Which combinations to try: a condition such as `"fast < slow"`, or a function of the columns.
    constraints : str, optional
        Which combinations may be the best: a condition on metrics, such as `"max_drawdown < 0.3 and n_trades >= 30"`.
        The others stay in the table.
    n_trials : int, optional
        Random and Bayesian search: how many combinations at most; 100 by default.
    seed : int, optional
        Random and Bayesian search: what chance comes from. The same seed gives the same table.
    patience : int, optional
        Random and Bayesian search: stop after so many trials in a row without an improvement.
    params : mapping, optional
        Values of parameters that are not varied; of several strategies by names such as `trend.slow`.
    checkpoint : str or Path, optional
        A file that keeps what is done: the same call goes on where a killed one was. It refuses another strategy, other
        bars, another grid.
    executor : Executor, or {"threads", "processes", "ray"}, optional
        Where to compute; by default text strategies on threads and Python functions on processes.
    workers : int, optional
        Cores to use; None: all. The numbers do not depend on it.
    progress : bool or callable, optional
        Show a progress bar; None: if the standard error stream is a terminal. A function is told an `Estimate`.
    cancel : Cancel, optional
        Stops the sweep from another thread, as Ctrl-C does.
    **options
        As in `backtest`: `cash`, `commission`, `slippage`, `borrow`, `fill`, `units`, `chart`, ... On a chart the
        combinations run one by one, on processes.

    Returns
    -------
    SweepResult
        One row per combination. Ctrl-C stops the sweep and returns the combinations that are done.

    Raises
    ------
    InputError
        If a name in the grid is not a parameter, a value is not allowed, or anything that `backtest` refuses.
    MissingExtraError
        If Optuna or Ray is asked for and not installed.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = at.synthetic(n=500, seed=1)
    >>> grid = {"fast": [5, 10, 20], "slow": [20, 50]}
    >>> sweep = at.optimize(at.strategies.sma_cross(), bars, grid, where="fast < slow")
    >>> len(sweep.table), sweep.complete
    (5, True)
    >>> spans = {"fast": (2, 50), "slow": (20, 200)}
    >>> sweep = at.optimize(at.strategies.sma_cross(), bars, spans, method="random", n_trials=30, seed=1)
    >>> len(sweep.table)
    30
    >>> both = {"trend": (at.strategies.sma_cross(), 0.6), "mean": (at.strategies.rsi_reversion(), 0.4)}
    >>> sweep = at.optimize(both, bars, {"trend.fast": [5, 10], "trend.allocation": [0.2, 0.4, 0.6]})
    >>> len(sweep.table)
    6
    """
    objectives, method = as_objectives(metric), as_method(method)
    limits = {"n_trials": n_trials, "seed": seed, "patience": patience}
    search, is_drawn = make_search(method, objectives, constraints, **limits)
    chosen = _chosen(strategy, params)
    fixed = {name: value for name, value in chosen.parameters.items() if isinstance(value, int | float)}
    keep, capital = keeper(where, fixed), None
    space = make_space(grid, chosen, spans=method != "grid")
    if isinstance(chosen, StrategyMix):
        keep = capital = WithinCapital(chosen, space, keep)
    tried = make_grid(space, keep) if method == "grid" else space  # type: ignore[arg-type]  # a grid has no spans
    named = _ends(space) if method != "grid" else tried
    if workers is not None:
        worker_count(workers)
    runner, evaluator = _means(chosen, bars, named, options, (executor, workers, cancel))  # type: ignore[arg-type]
    with closing(Checkpoint(checkpoint, evaluator, search, tried, is_drawn=is_drawn)) as kept:
        found = _searched(replace(search, seed=kept.seed), tried, keep, evaluator, checkpoint=kept, show=progress)
    return SweepResult(
        table=table_of(found),
        parameters=found.grid.names,
        metric=objectives[0],
        complete=found.complete,
        runner=runner,
        objectives=objectives,
        constraints=search.constraints,
        note="; ".join(note for note in (found.note, "" if capital is None else capital.note) if note),
    )


def _chosen(strategy: Any, params: Mapping[str, Any] | None) -> AnyStrategy | StrategyMix:
    """Return what is swept, with all its values: one strategy, or several in one account."""
    return StrategyMix.of(strategy, params) if are_strategies(strategy) else as_strategy(strategy, params)


def _means(
    strategy: AnyStrategy | StrategyMix, bars: Any, named: Grid, options: Mapping[str, Any], where: tuple[Any, Any, Any]
) -> tuple[Any, Any]:
    """Return what runs one combination in full, and what computes the metrics of many; `where` of the latter."""
    if are_several(bars) or isinstance(strategy, StrategyMix):
        leverage = float(options.get("max_leverage", 1.0))
        if isinstance(strategy, StrategyMix):
            route_of(strategy.parts, bars, options)  # refuses what is for one strategy
            check_mix(strategy, named, leverage)
        else:
            check_grid(strategy, named, leverage)
        runner = PanelRunner(strategy, bars, options)
        return runner, PanelEvaluator(runner, *where)
    setting = prepare(bars, **options)
    check_grid(strategy, named, setting.options.max_leverage)
    return Runner(strategy, bars, options, setting), Evaluator(strategy, bars, setting, options, *where)


def _searched(
    search: Search, tried: Grid | Space, keep: Keep, evaluator: Evaluator, *, checkpoint: Checkpoint, show: Show
) -> Found:
    if isinstance(tried, Grid):
        with progress_for("sweep", len(tried), show=show) as bar:
            return search_grid(tried, evaluator, checkpoint, bar)
    if search.method == "random":
        from algotrendy.backtest.sweep.random import drawn, search_random

        chance = drawn(tried, search.n_trials, keep, search.seed)
        checkpoint.check_drawn(chance)
        with progress_for("random search", len(chance), show=show) as bar:
            return search_random(chance, search, evaluator, checkpoint, bar)
    from algotrendy.backtest.sweep.bayesian import BayesianSearch

    bayesian = BayesianSearch(tried, search, keep)
    with progress_for("Bayesian search", search.n_trials, show=show) as bar:
        return bayesian.run(evaluator, checkpoint, bar)


def _ends(space: Space) -> Grid:
    """Return a grid of all values, and of the ends of spans: if these are allowed, what lies between is too."""
    values = [(axis.low, axis.high) if isinstance(axis, Span) else axis for axis in space.values()]
    return Grid(tuple(space), tuple(values), np.empty((0, len(values)), dtype=np.int32))


class Runner:
    """Runs combinations of one instrument again: one with its full backtest, or many for their returns."""

    def __init__(
        self, strategy: AnyStrategy, bars: pd.DataFrame, options: Mapping[str, Any], setting: Setting | None = None
    ) -> None:
        self._strategy, self._bars, self._options, self._prepared = strategy, bars, options, setting

    def __reduce__(self) -> tuple[Any, ...]:
        return Runner, (self._strategy, self._bars, self._options)

    def __call__(self, combination: Mapping[str, Any]) -> Any:
        costs, values = split_costs(combination)
        return backtest(self._strategy.with_params(**values), self._bars, **{**self._options, **costs})

    @property
    def is_fast(self) -> bool:
        return isinstance(self._strategy, Strategy) and self._options.get("chart") is None

    @cached_property
    def _setting(self) -> Setting:
        return prepare(self._bars, **self._options) if self._prepared is None else self._prepared

    @cached_property
    def data_hash(self) -> str:
        return data_hash(self._bars)

    @property
    def assumptions(self) -> Mapping[str, Any]:
        return self._setting.assumptions

    @property
    def definition(self) -> Mapping[str, Any]:
        return self._strategy.to_dict()

    def returns(self, combinations: Mapping[str, Any]) -> tuple[pd.Index, Any]:
        marks = self._setting.options.marks
        index = self._bars.index if marks is None else self._bars.index.take(marks)
        return index, returns_of(self._strategy, self._setting, self._options, combinations)

    def held(self) -> Any:
        marks = self._setting.options.marks
        equity = buy_and_hold(self._bars, self.assumptions)
        return returns_between(equity if marks is None else equity[marks], float(self.assumptions["cash"]))


def check_grid(strategy: AnyStrategy, grid: Grid, max_leverage: float) -> None:
    """Refuse names that nothing knows and values that their place does not allow.

    Raises
    ------
    InputError
        If there is one.
    """
    if isinstance(strategy, BarStrategy):
        for name in grid.names:
            if name not in strategy.parameters and name not in COSTS:
                hint = nearest(name, (*strategy.parameters, *COSTS))
                raise InputError(f"the grid varies {name!r}, which is no parameter of the strategy{hint}")
    elif "size" not in grid.names:
        check_size(strategy, max_leverage)
    for name, values in zip(grid.names, grid.values, strict=True):
        if name not in strategy.parameters and name not in LEVELS and name not in COSTS:
            known = (*strategy.parameters, *LEVELS, *COSTS)
            raise InputError(f"the grid varies {name!r}, which is no parameter of the strategy{nearest(name, known)}")
        check = _check_of(name, strategy)
        for value in values:
            check(value)
        if name == "size" and not isinstance(strategy, BarStrategy) and max(values) > max_leverage:
            check_size(strategy.with_params(size=max(values)), max_leverage)


def check_mix(mix: StrategyMix, grid: Grid, max_leverage: float) -> None:
    """As `check_grid`, of several strategies in one account.

    Raises
    ------
    InputError
        If there is a name that nothing knows, or a value that its place does not allow.
    """
    given = dict(zip(grid.names, grid.values, strict=True))
    for name in [name for name in given if name in COSTS]:
        for value in given.pop(name):
            check_cost(name, value)
    for name, own in mix.of_each(given).items():
        for share in own.pop(ALLOCATION, ()):
            if not 0.0 < share <= 1.0 + ALLOCATION_SLACK:
                key = f"{name}.{ALLOCATION}"
                raise InputError(f"grid[{key!r}] has {share!r}; a fraction of the capital above zero, such as 0.4")
        strategy = mix.parts[name][0]
        if isinstance(strategy, Signals):
            if own:
                raise InputError(f"{name!r} is given as signals, which have no parameters; its {ALLOCATION} may vary")
            continue
        try:
            check_grid(strategy, Grid(tuple(own), tuple(own.values()), grid.index[:0, : len(own)]), max_leverage)
        except InputError as error:
            raise InputError(f"of the strategy {name!r}: {error}") from error


def _check_of(name: str, strategy: AnyStrategy) -> Callable[[Any], object]:
    """Return what refuses a value of this name that its place does not allow."""
    if name in LEVELS and not isinstance(strategy, BarStrategy):
        goes_long = getattr(strategy, "entry", None) is not None

        def check(value: Any) -> None:
            check_level(name, value)
            if name != "size":
                check_percent({name: value}, goes_long=goes_long)

        return check
    if name in COSTS:
        return lambda value: check_cost(name, value)
    return strategy.specs[name].check if name in strategy.specs else lambda value: value


def table_of(found: Found) -> pd.DataFrame:
    """Return parameters and metrics of the combinations that are done, in the order in which they were to be tried."""
    columns: dict[str, Any] = {name: found.grid.column(name)[found.done] for name in found.grid.names}
    for k, name in enumerate(METRICS):
        rows = found.rows[:, k]
        columns[name] = rows.astype(np.int64) if name in COUNTS else rows.copy()
    return pd.DataFrame(columns)
