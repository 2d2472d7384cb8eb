"""`procedure_test`: the whole optimisation again, on bars in which there is nothing to find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from algotrendy.backtest.arguments import AnyStrategy, as_strategy
from algotrendy.backtest.monte_carlo.run import check_seed
from algotrendy.backtest.procedure.null import NullBars, as_keyword, null_bars
from algotrendy.backtest.procedure.result import ProcedureTest
from algotrendy.backtest.setting import Setting, keep_freed_memory, prepare
from algotrendy.backtest.sweep.declarative import Chunk, DeclarativeSweep
from algotrendy.backtest.sweep.grid import Grid, Value, Where, make_grid
from algotrendy.backtest.sweep.pareto import LOWER_IS_BETTER
from algotrendy.backtest.sweep.python import PythonSweep
from algotrendy.backtest.sweep.result import SweepResult, check_metric
from algotrendy.backtest.sweep.run import Runner, check_grid, table_of
from algotrendy.backtest.sweep.search import Found
from algotrendy.backtest.sweep.where import keeper
from algotrendy.compute import Executor, map_work, progress_for
from algotrendy.compute.progress import Show
from algotrendy.domain.bars import BarArrays
from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy import Strategy

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.strategy import BarStrategy, PythonStrategy, StrategyTemplate

__all__ = ["procedure_test"]

_PATHS_MAX = 10_000_000
_PIECES, _PATHS_PER_PIECE = 64, 16
"""At least so many pieces of work, and at most so many paths in one."""


def procedure_test(
    strategy: Strategy | StrategyTemplate | PythonStrategy | BarStrategy | Callable[..., Any],
    bars: pd.DataFrame,
    grid: Mapping[str, Iterable[Value]],
    *,
    paths: int = 1000,
    null: str = "block",
    metric: str = "sharpe_ratio",
    where: Where = None,
    params: Mapping[str, Any] | None = None,
    block: float | None = None,
    keep_drift: bool = False,
    seed: int = 0,
    executor: Executor | str | None = None,
    workers: int | None = None,
    progress: Show = None,
    **options: Any,
) -> ProcedureTest:
    """Run a whole optimisation again on null paths, and say how often luck alone matches its best result.

    The best of many combinations looks good even where there is nothing to find. So the same search is run on bars made
    of the real ones without an edge, and its best there is what the best on the data has to be measured by [1]_.

    Parameters
    ----------
    strategy, bars, grid, metric, where, params
        As in `optimize`: the procedure that is tested.
    paths : int
        Number of null paths. The least p-value that can come out is 1 / (paths + 1).
    null : {'block', 'sign', 'garch'}
        What there is to be found by luck:

        - "block": the bars in another order, in blocks of random length drawn with replacement (stationary bootstrap):
          what lasts longer than a block is gone.
        - "sign": the bars in their own order, each turned upside down with a chance of one half: spells of volatility
          and the times of day stay exactly where they are, every direction is lost. For moves as often up as down.
        - "garch": bars drawn one by one and scaled to a volatility that moves by a GARCH(1,1) fitted to the data.

    block : float, optional
        Mean length of a block; by the rule of Politis and White on the log returns by default.
    keep_drift : bool
        False: the mean of the log returns is taken off every bar, so that holding is worth nothing. True: every null
        path ends where the data ended, which asks whether the timing is better than luck, not whether the market rose.
    seed : int
        From 0 up, below 2**64; path number k depends on it and on k alone.
    executor : Executor, or {"threads", "processes", "ray"}, optional
        Where to compute; by default text strategies on threads and Python functions on processes.
    workers : int, optional
        Cores to use; None: all. The numbers do not depend on it.
    progress : bool or callable, optional
        Show a progress bar; None: if the standard error stream is a terminal. A function is told an `Estimate`.
    **options
        As in `backtest`: `cash`, `commission`, `slippage`, `borrow`, `fill`, `chart`, ...

    Returns
    -------
    ProcedureTest
        The p-value (1 + #{null best >= best}) / (1 + paths), the best of every path, a picture. Ctrl-C stops it and
        returns the paths that are done.

    Raises
    ------
    InputError
        If no combination has the metric on the data, or anything that `optimize` refuses.

    References
    ----------
    .. [1] White, H. (2000). A reality check for data snooping. Econometrica, 68(5), 1097-1126, tests the returns of
       fixed rules; Masters, T. (2018). Testing and Tuning Market Trading Systems, chapter 7, runs the search again.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = at.synthetic(n=400, seed=1)
    >>> grid = {"fast": [5, 10], "slow": [20, 40]}
    >>> test = procedure_test(at.strategies.sma_cross(), bars, grid, paths=49, seed=1)
    >>> len(test), 1 / 50 <= test.p_value <= 1.0
    (49, True)
    """
    check_metric(metric)
    check_seed(seed)
    if isinstance(paths, bool) or not isinstance(paths, int | np.integer) or not 1 <= paths <= _PATHS_MAX:
        raise InputError(f"paths is {paths!r}; expected a whole number from 1 to {_PATHS_MAX:,}")
    chosen = as_strategy(strategy, params)
    fixed = {name: value for name, value in chosen.parameters.items() if isinstance(value, int | float)}
    combinations = make_grid(grid, keeper(where, fixed))
    chart = as_keyword(options)
    setting = prepare(bars, **options)
    check_grid(chosen, combinations, setting.options.max_leverage)
    made = null_bars(setting.arrays, null, seed=seed, block=block, keep_drift=keep_drift)
    search: _TextSearch | _PythonSearch
    if isinstance(chosen, Strategy) and chart is None:
        search = _TextSearch.of(chosen, combinations, setting, metric, made)
    else:
        search = _PythonSearch(chosen, bars.iloc[:, :0], combinations, options, metric, made)
    place = Executor.of(executor, workers=workers, usual=search.where)
    rows = search.on_data()
    row, best = checked_best(rows[:, METRICS.index(metric)], metric)
    table = table_of(Found(combinations, np.arange(len(combinations)), rows, complete=True))
    with progress_for("procedure test", paths, show=progress) as bar:
        mapped = map_work(search.on(place.where), _pieces(paths, place.where), where=place, progress=bar, steps=len)
    found = [best for each in mapped.results if each is not None for best in each]
    return ProcedureTest(
        metric=metric,
        best=best,
        best_params=combinations.combination(row),
        null_best=np.array(found),
        n_combinations=len(combinations),
        null=null,
        settings=made.settings,
        keep_drift=bool(keep_drift),
        seed=int(seed),
        complete=len(found) == paths,
        data=SweepResult(table, combinations.names, metric, True, Runner(chosen, bars, options, setting)),
    )


def _pieces(paths: int, place: str) -> list[range]:
    """Cut the numbers of the paths into pieces: single ones here, some together where each piece is a journey."""
    size = 1 if place == "threads" else min(max(paths // _PIECES, 1), _PATHS_PER_PIECE)
    return [range(first, min(first + size, paths)) for first in range(0, paths, size)]


@dataclass(frozen=True, eq=False)
class _TextSearch:
    """The best of a text strategy on paths: the conditions stay compiled, and no table is made."""

    sweep: DeclarativeSweep
    chunks: Sequence[Chunk]
    metric: str
    made: NullBars
    remote: _RemoteSearch
    where: ClassVar[Literal["threads"]] = "threads"

    @classmethod
    def of(cls, strategy: Strategy, grid: Grid, setting: Setting, metric: str, made: NullBars) -> _TextSearch:
        """Return the search over a grid."""
        keep_freed_memory()
        sweep = DeclarativeSweep(strategy, grid, setting)
        return cls(sweep, sweep.chunks(1), metric, made, _RemoteSearch(strategy, grid, setting, metric, made))

    def on(self, place: str) -> Callable[[range], list[float]]:
        """Return what computes a piece: a compiled sweep holds addresses, and does not travel."""
        return self if place == "threads" else self.remote

    def __call__(self, numbers: range) -> list[float]:
        return [self._best(number) for number in numbers]

    def _best(self, number: int) -> float:
        sweep = self.sweep.over(self.made.path(number))
        return best_of(np.concatenate([self._column(sweep, chunk) for chunk in self.chunks]), self.metric)[1]

    def on_data(self) -> Float2D:
        """Return the metrics of every combination on the real bars, one row each."""
        rows = np.empty((sum(len(chunk.places) for chunk in self.chunks), len(METRICS)))
        for chunk in self.chunks:
            rows[chunk.places] = self.sweep.run(chunk)
        return rows

    def _column(self, sweep: DeclarativeSweep, chunk: Chunk) -> Float1D:
        return sweep.run(chunk)[:, METRICS.index(self.metric)]


@dataclass(frozen=True, eq=False)
class _RemoteSearch:
    """The same as it travels to other processes and machines, where it is compiled once for each piece."""

    strategy: Strategy
    grid: Grid
    setting: Setting
    metric: str
    made: NullBars

    def __call__(self, numbers: range) -> list[float]:
        return _TextSearch.of(self.strategy, self.grid, self.setting, self.metric, self.made)(numbers)


@dataclass(frozen=True, eq=False)
class _PythonSearch:
    """The best of a strategy that is run one combination at a time; it travels to other processes as it is."""

    strategy: AnyStrategy
    frame: pd.DataFrame
    grid: Grid
    options: Mapping[str, Any]
    metric: str
    made: NullBars
    where: ClassVar[Literal["processes"]] = "processes"

    def on(self, place: str) -> Callable[[range], list[float]]:
        """Return what computes a piece."""
        return self

    def __call__(self, numbers: range) -> list[float]:
        at = METRICS.index(self.metric)
        return [best_of(self._rows(self.made.path(number))[:, at], self.metric)[1] for number in numbers]

    def on_data(self) -> Float2D:
        """Return the metrics of every combination on the real bars, one row each."""
        return self._rows(self.made.bars)

    def _rows(self, arrays: BarArrays) -> Float2D:
        import pandas as pd

        bars = pd.DataFrame(arrays._asdict(), index=self.frame.index)
        combinations = [self.grid.combination(row) for row in range(len(self.grid))]
        return PythonSweep(self.strategy, bars, self.options)(combinations)


def best_of(values: Float1D, metric: str) -> tuple[int, float]:
    """Return where the best value stands, and the value; (-1, NaN) if the metric is defined nowhere.

    Examples
    --------
    >>> best_of(np.array([0.1, np.nan, 0.3]), "sharpe_ratio"), best_of(np.array([0.1, 0.3]), "max_drawdown")
    ((2, 0.3), (0, 0.1))
    """
    gains = -values if metric in LOWER_IS_BETTER else values
    missing = np.isnan(gains)
    if missing.all():
        return -1, float("nan")
    row = int(np.argmax(np.where(missing, -np.inf, gains)))
    if missing[row]:  # all that are defined are infinitely bad
        row = int(np.argmin(missing))
    return row, float(values[row])


def checked_best(values: Float1D, metric: str) -> tuple[int, float]:
    """Return the best as `best_of` does.

    Raises
    ------
    InputError
        If no combination has the metric.
    """
    row, best = best_of(values, metric)
    if row < 0:
        raise InputError(f"no combination has a {metric} on the data: nothing was traded; widen the grid")
    return row, best
