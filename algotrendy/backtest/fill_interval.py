"""How much of a result hangs on what happened inside bars: the best and the worst run beside the stated one.

The page on semantics states a rule for bars that touch a stop and a target; the truth is not in the bar. The final
equity of any path that is consistent with the bars lies between `worst` and `best`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.curves import HoldMetrics, metrics_of_curve
from algotrendy.backtest.definitions import written
from algotrendy.backtest.fill_paths import Walk, extreme_walk, stated_walk
from algotrendy.backtest.reference import Bars, Options, Signals
from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.result import BacktestResult
    from algotrendy.strategy import BarStrategy
    from algotrendy.strategy.inputs import RunInputs

__all__ = ["FillInterval", "PathRun", "fill_interval"]

SAME = 1e-9


@dataclass(frozen=True, eq=False)
class PathRun:
    """One run on paths that are consistent with the bars.

    Attributes
    ----------
    equity_values : array of shape (n_bars,)
        Value of the account at the end of each bar, in currency.
    orders : tuple of Order
        What was filled: bars of decision and fill, signed units, price, commission, slippage, reason.
    figures : HoldMetrics
        Final equity, returns, volatility, Sharpe ratio and drawdown by the definitions of the semantics page.
    """

    equity_values: Float1D
    orders: tuple[Any, ...]
    figures: HoldMetrics

    @property
    def final_equity(self) -> float:
        """Equity at the last bar, in currency."""
        return self.figures.final_equity


@dataclass(frozen=True, eq=False)
class FillInterval:
    """The runs between which the truth lies, and how many trades depend on it.

    Attributes
    ----------
    best, stated, worst : PathRun
        With the largest and the smallest final equity, and by the stated rule; worst <= stated <= best.
    ambiguous_trades : int
        Positions of the stated run that met at least one bar in which something else may have happened to them.
    n_positions : int
        Positions of the stated run, an open one included.
    is_exact : bool
        Whether no run lies outside; with whole lots, shared cash or a stateful strategy a better or a worse one may
        exist. `best` and `worst` are runs that may have happened, or the stated one.
    outer : pair of float, optional
        Final equities, in currency, that no run leaves: those of `worst` and `best` where the interval is exact. None
        where nobody has computed any.
    """

    best: PathRun
    stated: PathRun
    worst: PathRun
    ambiguous_trades: int
    n_positions: int
    is_exact: bool
    outer: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.is_exact:
            object.__setattr__(self, "outer", (self.worst.final_equity, self.best.final_equity))

    @property
    def kind(self) -> str:
        """What the interval is.

        "exact": no run lies outside. "bounded": worse and better runs may exist, none outside of `outer`. "search":
        such runs may exist, and nobody knows how far outside.
        """
        return "exact" if self.is_exact else "search" if self.outer is None else "bounded"

    @property
    def ambiguous_share(self) -> float:
        """Share of the positions that depend on the path, as a fraction; 0.0 without any position."""
        return self.ambiguous_trades / self.n_positions if self.n_positions else 0.0

    @property
    def table(self) -> pd.DataFrame:
        """One row per figure, with the columns `worst`, `stated` and `best`."""
        import pandas as pd

        runs = {"worst": self.worst, "stated": self.stated, "best": self.best}
        rows = {name: [getattr(run.figures, name) for run in runs.values()] for name in HoldMetrics._fields}
        rows["n_orders"] = [float(len(run.orders)) for run in runs.values()]
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(runs))

    def summary(self) -> str:
        """Return one sentence."""
        low, stated, high = (
            written(run.figures.total_return, "change") for run in (self.worst, self.stated, self.best)
        )
        if not self.ambiguous_trades:
            return f"Total return {stated}: no trade depends on what happened inside a bar."
        share = written(self.ambiguous_share, "share")
        exact = "" if self.is_exact else " (at least: there were more than could be followed)"
        if self.kind == "bounded":
            cash = self.stated.final_equity / (1.0 + self.stated.figures.total_return)
            outer = [written(equity / cash - 1.0, "change") for equity in self.outer or ()]
            exact = f" (at least; nothing lies outside {outer[0]} to {outer[1]})"
        return (
            f"Total return {stated} as stated, {low} to {high}{exact} on the paths that the bars allow; "
            f"{self.ambiguous_trades:,} of {self.n_positions:,} positions ({share}) depend on them."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it in plain values, for a passport."""
        runs = {"worst": self.worst, "stated": self.stated, "best": self.best}
        shares = {"ambiguous_trades": self.ambiguous_trades, "n_positions": self.n_positions}
        return {name: run.figures._asdict() for name, run in runs.items()} | shares | self._limits()

    def _limits(self) -> dict[str, Any]:
        return {"is_exact": self.is_exact, "outer": None if self.outer is None else list(self.outer)}

    def __str__(self) -> str:
        return self.summary()


def fill_interval(result: BacktestResult, *, strategy: Any = None, chart: Any = None, keep: int = 32) -> FillInterval:
    """Run a backtest on the best and on the worst paths; `BacktestResult.fill_interval` calls it.

    Raises
    ------
    InputError
        If the backtest cannot be run again from its result, or does not come out as it was.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = at.synthetic(n=400, seed=2, volatility=0.5)
    >>> result = at.backtest(at.strategies.sma_cross(5, 20), bars, stop=0.02, target=0.03)
    >>> found = fill_interval(result)
    >>> found.worst.final_equity <= found.stated.final_equity <= found.best.final_equity
    True
    """
    from algotrendy.strategy import BarStrategy

    if result.strategy.get("kind") == "stateful":
        if not isinstance(strategy, BarStrategy):
            raise InputError(
                f"this was decided by {result.strategy['function']}, which is not stored; hand it in again as strategy="
            )
        return _stateful_interval(result, strategy, keep)
    bars, signals, options = _as_reference(result, strategy, chart)
    stated = stated_walk(bars, signals, options)
    if abs(stated.equity[-1] - float(result.equity_values[-1])) > SAME * abs(options.cash):
        raise InputError(
            f"the backtest gives {stated.equity[-1]:,.2f} when it is run again, not {result.equity_values[-1]:,.2f}; "
            "hand in the function, signals or chart that it was made with"
        )
    ends = [stated]
    if stated.doubtful:
        ends = [extreme_walk(bars, signals, options, sign=sign) for sign in (-1.0, 1.0)]
    worst, best = (_path_run(walk, result) for walk in (ends[0], ends[-1]))
    entries = sum(order.reason == "entry" for order in stated.orders)
    exact = options.lot_size == 0.0
    return FillInterval(best, _path_run(stated, result), worst, len(stated.doubtful), entries, exact)


def _stateful_interval(result: BacktestResult, strategy: BarStrategy, keep: int) -> FillInterval:
    """Return the interval of a stateful strategy, which divides with its run."""
    from algotrendy.backtest.portfolio.fill_interval import interval_of_ways
    from algotrendy.backtest.portfolio.market import account_of_one
    from algotrendy.backtest.repeat import options_of
    from algotrendy.backtest.setting import prepare
    from algotrendy.backtest.stateful.paths import stateful_way
    from algotrendy.backtest.stateful.run import further_columns

    setting = prepare(result.bars, **options_of(result.assumptions, result.bars))
    account, columns = account_of_one(setting), further_columns(setting.bars)
    return interval_of_ways(result, lambda: stateful_way(strategy, account, columns), len(result.bars), keep)


def _path_run(walk: Walk, result: BacktestResult) -> PathRun:
    equity = np.array(walk.equity)
    figures = metrics_of_curve(
        equity,
        result.valuation_marks,
        cash=result.cash,
        periods_per_year=float(result.metrics["periods_per_year"]),
        risk_free_rate=float(result.assumptions.get("risk_free_rate") or 0.0),
    )
    return PathRun(equity, tuple(walk.orders), figures)


# --- a result as the reference simulator takes it ---


def _as_reference(result: BacktestResult, strategy: Any, chart: Any) -> tuple[Bars, Signals, Options]:
    from algotrendy.backtest.charted import read_on_chart
    from algotrendy.backtest.repeat import options_of, strategy_of
    from algotrendy.backtest.setting import prepare
    from algotrendy.strategy import BarStrategy
    from algotrendy.strategy import Signals as GivenSignals
    from algotrendy.strategy.inputs import resolve

    if result.assumptions.get("chart") is not None and chart is None:
        raise InputError(f"the conditions were read on the chart {result.assumptions['chart']}; hand it in as chart=")
    decides = strategy if isinstance(strategy, GivenSignals) else strategy_of(result.strategy, strategy)
    if isinstance(decides, BarStrategy):
        raise InputError(
            f"{type(decides).__name__} is a stateful strategy, and this was not decided by one; hand in what it was"
            " made with"
        )
    setting = prepare(result.bars, chart=chart, **options_of(result.assumptions, result.bars))
    n_bars = len(setting.arrays.close)
    if setting.chart is None:
        inputs = resolve(decides, setting.bars, setting.arrays, None, setting.context)
    else:
        inputs = read_on_chart(decides, setting.chart, n_bars)
    prices = {name: getattr(setting.arrays, name).tolist() for name in ("open", "high", "low", "close")}
    return Bars(**prices), _signals(inputs, n_bars), _options(setting.options, inputs.size_kind)


def _signals(inputs: RunInputs, n_bars: int) -> Signals:
    bits = np.unpackbits(inputs.words.astype("<u8").view(np.uint8), axis=1, bitorder="little")[:, :n_bars]
    sides = [row.astype(bool).tolist() for row in bits]
    levels: Mapping[str, Any] = {
        name: np.broadcast_to(getattr(inputs, name), n_bars).tolist() for name in ("stop", "target", "trail", "size")
    }
    return Signals(sides[0], sides[1], sides[2], sides[3], **levels)


def _options(options: Any, size_kind: int) -> Options:
    fees: Fees = options.fees
    return Options(
        cash=options.cash,
        fill=options.fill,
        rate=fees.rate,
        per_unit=fees.per_unit,
        fixed=fees.fixed,
        minimum=fees.minimum,
        slippage=options.slippage,
        borrow=options.borrow,
        lot_size=options.lot_size,
        max_leverage=options.max_leverage,
        fixed_units=bool(size_kind),
        bars_per_year=options.bars_per_year,
    )
