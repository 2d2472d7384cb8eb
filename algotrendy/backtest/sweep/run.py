"""Backtest every combination of parameters in one call.

Text strategies run through the same kernels as a single backtest, many combinations per call, on threads; Python
strategies run one by one, on processes. The numbers do not depend on the number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from algotrendy.backtest.arguments import are_several, as_strategy
from algotrendy.backtest.run import backtest, check_size
from algotrendy.backtest.setting import check_cost, prepare
from algotrendy.backtest.sweep.declarative import DeclarativeSweep
from algotrendy.backtest.sweep.grid import Grid, Value, Where, make_grid
from algotrendy.backtest.sweep.python import COSTS, PythonSweep, python_chunks, split_costs
from algotrendy.backtest.sweep.result import SweepResult, check_metric
from algotrendy.backtest.sweep.where import keeper
from algotrendy.compute import Progress, map_chunks, progress_for, worker_count
from algotrendy.errors import InputError
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import PythonStrategy, Strategy
from algotrendy.strategy.levels import check_level, check_percent
from algotrendy.strategy.parameter import LEVELS, nearest

if TYPE_CHECKING:
    from algotrendy.strategy import StrategyTemplate

__all__ = ["SweepResult", "optimize"]

COUNTS = ("n_orders", "n_trades")


def optimize(
    strategy: Strategy | StrategyTemplate | PythonStrategy | Callable[..., Any],
    bars: pd.DataFrame,
    grid: Mapping[str, Iterable[Value]],
    *,
    metric: str = "sharpe_ratio",
    where: Where = None,
    params: Mapping[str, Any] | None = None,
    workers: int | None = None,
    progress: bool | None = None,
    **options: Any,
) -> SweepResult:
    """Backtest every combination of parameters.

    Parameters
    ----------
    strategy : Strategy, StrategyTemplate, PythonStrategy or callable
        What is swept. A text strategy sweeps in compiled code on threads; a Python function on processes.
    bars : DataFrame, mapping or Panel
        Bars of one instrument, or of several: then each combination is one account, as in `backtest`.
    grid : mapping of str to iterable of numbers
        Values to try for each name: parameters of the strategy, `stop`, `target`, `trail`, `size`, and the costs
        `commission`, `slippage`, `borrow`. `{"fast": range(5, 51), "stop": [0.02, 0.05]}`.
    metric : str
        What to rank by: any metric of `BacktestResult.metrics` that is a number. Of `max_drawdown`, `volatility`,
        `turnover` and costs less is better.
    where : str or callable, optional
        Which combinations to try: a condition such as `"fast < slow"`, or a function of the columns.
    params : mapping, optional
        Values of parameters that are not varied.
    workers : int, optional
        Cores to use; None: all. The numbers do not depend on it.
    progress : bool, optional
        Show a progress bar; None: if the standard error stream is a terminal.
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

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = at.synthetic(n=500, seed=1)
    >>> grid = {"fast": [5, 10, 20], "slow": [20, 50]}
    >>> sweep = at.optimize(at.strategies.sma_cross(), bars, grid, where="fast < slow")
    >>> len(sweep.table), sweep.complete
    (5, True)
    """
    check_metric(metric)
    chosen = as_strategy(strategy, params)
    fixed = {name: value for name, value in chosen.parameters.items() if isinstance(value, int | float)}
    combinations = make_grid(grid, keeper(where, fixed))
    workers = worker_count(workers)
    if are_several(bars):
        done, rows = _several(chosen, bars, combinations, options, (workers, progress))
        return _result(combinations, done, rows, metric, _Runner(chosen, bars, options))
    setting = prepare(bars, **options)
    _check_grid(chosen, combinations, setting.options.max_leverage)
    with progress_for("sweep", len(combinations), show=progress) as bar:
        if isinstance(chosen, Strategy) and setting.chart is None:
            done, rows = _declarative(DeclarativeSweep(chosen, combinations, setting), workers, bar)
        else:
            given = options if setting.chart is None else {**options, "chart": setting.chart}  # its rows are made once
            done, rows = _python(PythonSweep(chosen, bars, given), combinations, workers, bar)
    return _result(combinations, done, rows, metric, _Runner(chosen, bars, options))


Rows = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]
"""Places in the grid of the combinations that are done, and their metrics."""


def _several(
    strategy: Strategy | PythonStrategy, bars: Any, grid: Grid, options: Mapping[str, Any], how: tuple[int, bool | None]
) -> Rows:
    """Run the combinations on several instruments; those of a Python function one by one."""
    from algotrendy.backtest.portfolio.sweep import PanelSweep

    workers, show = how
    _check_grid(strategy, grid, float(options.get("max_leverage", 1.0)))
    if isinstance(strategy, Strategy):
        sweep = PanelSweep(strategy, grid, bars, options)
        pieces, function = sweep.chunks(), sweep.run
    else:
        runner = _Runner(strategy, bars, options)
        pieces = [np.array([row]) for row in range(len(grid))]

        def function(places: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
            metrics = runner(grid.combination(int(places[0]))).metrics
            return np.array([[metrics[name] for name in METRICS]], dtype=np.float64)

    with progress_for("sweep", len(grid), show=show) as bar:
        mapped = map_chunks(function, pieces, workers=workers, progress=bar, steps=len)
    return _gathered(pieces, mapped.results)


def _result(
    grid: Grid,
    done: npt.NDArray[np.int64],
    rows: npt.NDArray[np.float64],
    metric: str,
    runner: Callable[[Mapping[str, Any]], Any],
) -> SweepResult:
    return SweepResult(
        table=_table(grid, done, rows),
        parameters=grid.names,
        metric=metric,
        complete=len(done) == len(grid),
        runner=runner,
    )


def _declarative(sweep: DeclarativeSweep, workers: int, progress: Progress) -> Rows:
    chunks = sweep.chunks(workers)
    mapped = map_chunks(sweep.run, chunks, workers=workers, progress=progress, steps=lambda chunk: len(chunk.places))
    return _gathered([chunk.places for chunk in chunks], mapped.results)


def _python(sweep: PythonSweep, grid: Grid, workers: int, progress: Progress) -> Rows:
    chunks = python_chunks([grid.combination(row) for row in range(len(grid))])
    mapped = map_chunks(sweep, chunks, workers=workers, where="processes", progress=progress, steps=len)
    ends = np.cumsum([len(chunk) for chunk in chunks])
    return _gathered(np.split(np.arange(len(grid)), ends[:-1]), mapped.results)


def _gathered(places: Sequence[npt.NDArray[np.int64]], results: Sequence[npt.NDArray[np.float64] | None]) -> Rows:
    """Join the chunks that are done, in the order of the grid."""
    done = [(at, rows) for at, rows in zip(places, results, strict=True) if rows is not None]
    if not done:
        return np.empty(0, np.int64), np.empty((0, len(METRICS)))
    at, rows = np.concatenate([each[0] for each in done]), np.concatenate([each[1] for each in done])
    order = np.argsort(at, kind="stable")
    return at[order], rows[order]


class _Runner:
    """Runs the full backtest of one combination."""

    def __init__(self, strategy: Strategy | PythonStrategy, bars: pd.DataFrame, options: Mapping[str, Any]) -> None:
        self._strategy, self._bars, self._options = strategy, bars, options

    def __call__(self, combination: Mapping[str, Any]) -> Any:
        costs, values = split_costs(combination)
        return backtest(self._strategy.with_params(**values), self._bars, **{**self._options, **costs})


def _check_grid(strategy: Strategy | PythonStrategy, grid: Grid, max_leverage: float) -> None:
    """Refuse names that nothing knows and values that their place does not allow."""
    if "size" not in grid.names:
        check_size(strategy, max_leverage)
    for name, values in zip(grid.names, grid.values, strict=True):
        if name not in strategy.parameters and name not in LEVELS and name not in COSTS:
            known = (*strategy.parameters, *LEVELS, *COSTS)
            raise InputError(f"the grid varies {name!r}, which is no parameter of the strategy{nearest(name, known)}")
        check = _check_of(name, strategy)
        for value in values:
            check(value)
        if name == "size" and max(values) > max_leverage:
            check_size(strategy.with_params(size=max(values)), max_leverage)


def _check_of(name: str, strategy: Strategy | PythonStrategy) -> Callable[[Any], object]:
    """Return what refuses a value of this name that its place does not allow."""
    if name in LEVELS:
        goes_long = getattr(strategy, "entry", None) is not None

        def check(value: Any) -> None:
            check_level(name, value)
            if name != "size":
                check_percent({name: value}, goes_long=goes_long)

        return check
    if name in COSTS:
        return lambda value: check_cost(name, value)
    return strategy.specs[name].check if name in strategy.specs else lambda value: value


def _table(grid: Grid, done: npt.NDArray[np.int64], rows: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Return parameters and metrics of the combinations that are done, in the order of the grid."""
    columns: dict[str, Any] = {name: grid.column(name)[done] for name in grid.names}
    for k, name in enumerate(METRICS):
        columns[name] = rows[:, k].astype(np.int64) if name in COUNTS else rows[:, k].copy()
    return pd.DataFrame(columns)
