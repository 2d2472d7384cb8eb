"""Parameters near the chosen ones: each path is a backtest with others, drawn at random, through the sweep."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.monte_carlo.result import MonteCarloResult
from algotrendy.backtest.run import run_strategy
from algotrendy.backtest.setting import Setting, prepare
from algotrendy.backtest.sweep.evaluate import Evaluator
from algotrendy.backtest.sweep.grid import Grid, Where
from algotrendy.backtest.sweep.where import keeper
from algotrendy.compute import Executor, progress_for
from algotrendy.compute.progress import Show
from algotrendy.domain.types import Float1D, Float2D, Int1D
from algotrendy.errors import InputError
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import PythonStrategy, Strategy
from algotrendy.strategy.parameter import is_number, nearest

if TYPE_CHECKING:
    from algotrendy.backtest.result import BacktestResult

_PURPOSE = 2
"""Stream of the random numbers: other methods use 0 and 1."""

_DRAWS_MAX = 100
"""So many draws per wanted one; then `where` keeps too few."""

_CURVES_AT_ONCE = 64


class Jitter(NamedTuple):
    """What is drawn, and how it is counted; as in `monte_carlo`."""

    paths: int
    ruin: float
    confidence: float
    seed: int
    spread: float
    vary: Sequence[str] | None
    where: Where


@dataclass(frozen=True, eq=False)
class _Reruns:
    """Runs one strategy with other parameters, under the assumptions of a result."""

    strategy: Strategy | PythonStrategy
    setting: Setting
    options: Mapping[str, Any]

    def metrics(self, grid: Grid, where: Executor | int | None, progress: Show) -> tuple[Int1D, Float2D]:
        """Return the rows of the grid that are done, and their metrics; `where` as of `run_jitter`."""
        executor, workers = (where, None) if isinstance(where, Executor) else (None, where)
        evaluator = Evaluator(self.strategy, self.setting.bars, self.setting, self.options, executor, workers)
        with progress_for("parameter jitter", len(grid), show=progress) as bar:
            done, rows = evaluator.rows(grid, bar)
        if not len(done):
            raise KeyboardInterrupt("stopped before the first parameters were done")
        return done, rows

    def wealth(self, combination: Mapping[str, Any]) -> Float1D:
        """Return the equity of a full backtest as a multiple of the initial cash, bar by bar."""
        result = run_strategy(self.strategy.with_params(**combination), self.setting)
        return result.equity_values / result.cash


def run_jitter(
    source: Any,
    strategy: Strategy | PythonStrategy | None,
    plan: Jitter,
    where: Executor | int | None,
    progress: Show,
) -> MonteCarloResult:
    """Run the strategy of a result again with parameters near its own; see `monte_carlo`.

    `where` is an executor, or a number of workers in the place that is usual for the strategy.

    Raises
    ------
    InputError
        If the source is no result, its strategy cannot be built again, or there is nothing to vary.
    """
    from algotrendy.backtest.result import BacktestResult

    if not isinstance(source, BacktestResult):
        raise InputError(
            "parameter_jitter runs a strategy again, so it needs the result of a backtest, not its returns"
        )
    reruns = _reruns(source, _strategy_of(source, strategy))
    chosen = reruns.strategy
    grid, which = _drawn(chosen, plan)
    done, rows = reruns.metrics(grid, where, progress)
    counted = np.isin(which, done)
    at = np.searchsorted(done, which[counted])
    final, drawdown = (rows[:, METRICS.index(name)] for name in ("final_equity", "max_drawdown"))
    return MonteCarloResult(
        terminal_wealth=final[at] / source.cash,
        max_drawdown=drawdown[at],
        ruined=_ruined(reruns, grid, (done, drawdown), plan.ruin)[at],
        method="parameter_jitter",
        horizon=len(source.equity_values),
        unit="bar",
        ruin=float(plan.ruin),
        confidence=float(plan.confidence),
        seed=plan.seed,
        observed={
            "terminal_wealth": float(source.equity_values[-1]) / source.cash,
            "max_drawdown": float(source.metrics["max_drawdown"]),
            "n_steps": len(source.equity_values),
        },
        settings={
            "spread": plan.spread,
            "vary": grid.names,
            "distinct_parameters": len(grid),
        },
        complete=len(done) == len(grid),
        curves=lambda: _curves(reruns, [grid.combination(int(row)) for row in done], at),
    )


def _reruns(source: BacktestResult, strategy: Strategy | PythonStrategy) -> _Reruns:
    """Return what runs the strategy as the result was run, proved by running it once as it is.

    A result names its calendar, but not whether it was given or inferred; for higher timeframes that may matter.
    """
    options = options_of(source)
    expected = float(source.equity_values[-1])
    for given in (options, {name: value for name, value in options.items() if name != "calendar"}):
        setting = prepare(source.bars, **given)
        if abs(float(run_strategy(strategy, setting).equity_values[-1]) - expected) <= 1e-9 * abs(expected):
            return _Reruns(strategy, setting, given)
    raise InputError(
        f"running the strategy again on the bars of the result does not give its final equity of {expected:,.2f}; is "
        "it the strategy of this result?"
    )


def _strategy_of(source: BacktestResult, given: Strategy | PythonStrategy | None) -> Strategy | PythonStrategy:
    if given is not None:
        if not isinstance(given, Strategy | PythonStrategy):
            raise InputError(f"strategy is a {type(given).__name__}; give the Strategy or PythonStrategy of the result")
        return given.with_params(**source.params) if source.params else given
    kind = source.strategy.get("kind")
    if kind is not None:
        remedy = "give strategy=" if kind != "arrays" else "arrays of signals have no parameters"
        raise InputError(f"the strategy of this result cannot be built again from it ({kind}); {remedy}")
    return Strategy.from_json(json.dumps(dict(source.strategy)))


def options_of(result: BacktestResult) -> dict[str, Any]:
    """Return the keywords of `backtest` that give the assumptions of a result again.

    Raises
    ------
    InputError
        If it was read on a chart: a result does not hold the rows.
    """
    given = dict(result.assumptions)
    if "chart" in given:
        raise InputError("this result was read on a chart, which it does not hold; sweep the parameters instead")
    units = str(given.pop("units"))
    lot = units.removeprefix("whole lots of ")
    if lot != units:
        given |= {"units": "whole", "lot_size": float(lot)}
    commission = given.pop("commission")
    given["commission"] = Fees(**commission) if isinstance(commission, Mapping) else commission
    return given


def _drawn(strategy: Strategy | PythonStrategy, plan: Jitter) -> tuple[Grid, Int1D]:
    """Return the distinct parameters that were drawn, and which of them each path takes."""
    names = _varied(strategy, plan)
    fixed = {name: value for name, value in strategy.parameters.items() if is_number(value)}
    keep = keeper(plan.where, fixed)
    wanted: list[npt.NDArray[np.float64]] = []
    first, found = 0, 0
    while found < plan.paths:
        if first >= _DRAWS_MAX * plan.paths:
            raise InputError(f"`where` keeps {found} of {first:,} draws; relax it, or make the spread smaller")
        table = np.column_stack(
            [_values(strategy, name, uniform, plan.spread) for name, uniform in _uniforms(names, first, plan)]
        )
        if keep is not None:
            table = table[keep(_grid(strategy, names, table))]
        wanted.append(table)
        first, found = first + plan.paths, found + len(table)
    rows, which = np.unique(np.concatenate(wanted)[: plan.paths], axis=0, return_inverse=True)
    return _grid(strategy, names, rows), which.reshape(-1)


def _uniforms(names: Sequence[str], first: int, plan: Jitter) -> Iterator[tuple[str, Float1D]]:
    """Yield a number between 0 and 1 for each parameter of the paths from `first` on."""
    from algotrendy.kernels.random import random_words

    words = np.empty((plan.paths, len(names)), dtype=np.uint32)
    random_words(np.uint64(plan.seed), first, _PURPOSE, words)
    for k, name in enumerate(names):
        yield name, (words[:, k].astype(np.float64) + 0.5) / 2.0**32


def _varied(strategy: Strategy | PythonStrategy, plan: Jitter) -> tuple[str, ...]:
    if not is_number(plan.spread) or not 0.0 < plan.spread < 1.0:
        raise InputError(f"spread is {plan.spread!r}; expected a fraction between 0 and 1: 0.2 is 20 % either way")
    numbers = [
        name for name, value in strategy.parameters.items() if is_number(value) and not _is_choice(strategy, name)
    ]
    names = tuple(numbers if plan.vary is None else plan.vary)
    for name in names:
        if name not in numbers:
            raise InputError(f"vary names {name!r}, which is no parameter that is a number{nearest(name, numbers)}")
    if not any(strategy.parameters[name] for name in names):
        raise InputError("the strategy has no parameter to vary, or all are zero, which a share of itself cannot move")
    return names


def _is_choice(strategy: Strategy | PythonStrategy, name: str) -> bool:
    return name in strategy.specs and strategy.specs[name].type == "choice"


def _values(strategy: Strategy | PythonStrategy, name: str, uniform: Float1D, spread: float) -> Float1D:
    """Return values spread evenly about the chosen one, whole where it is whole, within the bounds of its spec."""
    value, spec = strategy.parameters[name], strategy.specs.get(name)
    low, high = sorted((value * (1.0 - spread), value * (1.0 + spread)))
    if spec is not None:
        low = low if spec.min_value is None else max(low, spec.min_value)
        high = high if spec.max_value is None else min(high, spec.max_value)
    if isinstance(value, int):
        least, most = math.ceil(low - 1e-9), math.floor(high + 1e-9)
        return least + np.floor(uniform * (most - least + 1))
    return low + uniform * (high - low)


def _grid(strategy: Strategy | PythonStrategy, names: tuple[str, ...], table: Float2D) -> Grid:
    values, places = [], np.empty(table.shape, dtype=np.int32)
    for k, name in enumerate(names):
        distinct, places[:, k] = np.unique(table[:, k], return_inverse=True)
        whole = isinstance(strategy.parameters[name], int)
        values.append(tuple(int(value) if whole else float(value) for value in distinct))
    return Grid(names, tuple(values), places)


def _ruined(reruns: _Reruns, grid: Grid, found: tuple[Int1D, Float1D], ruin: float) -> npt.NDArray[np.bool_]:
    """Return for each run whether it was ruined. The start is a peak too, so only deep drawdowns need a look."""
    done, drawdown = found
    ruined = np.zeros(len(done), dtype=np.bool_)
    for k in np.flatnonzero(drawdown >= ruin - 1e-9).tolist():
        ruined[k] = reruns.wealth(grid.combination(int(done[k]))).min() <= 1.0 - ruin
    return ruined


def _curves(reruns: _Reruns, combinations: Sequence[Mapping[str, Any]], at: Int1D) -> Iterator[Float2D]:
    """Yield the wealth of all paths, some bars at a time; each distinct run is done once."""
    lines = np.array([reruns.wealth(combination) for combination in combinations])
    for begin in range(0, lines.shape[1], _CURVES_AT_ONCE):
        yield lines[at, begin : begin + _CURVES_AT_ONCE].T
