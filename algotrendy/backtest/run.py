"""`backtest`: one strategy on the bars of one instrument."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np

from algotrendy.backtest.arguments import EXTRAS, AnyStrategy, Runnable, route_of, strategies_of, strategy_and_bars
from algotrendy.backtest.charted import read_on_chart
from algotrendy.backtest.engine import Run, run
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.setting import Setting, prepare
from algotrendy.domain.stale import find_stale_opens
from algotrendy.domain.types import Int1D
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy, PythonStrategy, Signals, Strategy, StrategyTemplate
from algotrendy.strategy.inputs import resolve
from algotrendy.strategy.levels import level_to_json
from algotrendy.strategy.parameter import LEVELS, is_number

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.costs import Fees
    from algotrendy.backtest.portfolio.extras import ContractMargin, Margin
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.charts import Chart
    from algotrendy.domain.actions import Actions, Factors
    from algotrendy.domain.calendar import Calendar
    from algotrendy.domain.interval import Interval
    from algotrendy.domain.panel import Panel

__all__ = ["account_options", "backtest", "decided_in", "described", "run_strategy", "stale_fills"]

Bars: TypeAlias = "pd.DataFrame | Mapping[Any, pd.DataFrame] | Panel"
"""Bars of one instrument, or of several."""

_CONVENTIONS = (
    "cash",
    "commission",
    "slippage",
    "borrow",
    "fill",
    "units",
    "lot_size",
    "max_leverage",
    "calendar",
    "interval",
    "periods_per_year",
    "risk_free_rate",
)
_LARGE_TARGET = 1.0
_SAME_PRICE = 1e-9


@overload
def backtest(
    strategy: Strategy | StrategyTemplate | PythonStrategy | BarStrategy | Callable[..., Any] | pd.DataFrame,
    bars: pd.DataFrame | None = None,
    *,
    weights: None = None,
    orders: None = None,
    actions: None = None,
    margin: None = None,
    participation: None = None,
    tick_size: None = None,
    fine_bars: None = None,
    **options: Any,
) -> BacktestResult: ...
@overload
def backtest(
    strategy: Strategy
    | StrategyTemplate
    | PythonStrategy
    | BarStrategy
    | Callable[..., Any]
    | Bars
    | Mapping[str, Any],
    bars: Bars | None = None,
    **options: Any,
) -> PortfolioResult: ...
def backtest(  # type: ignore[misc]  # the options of the two forms above stand here
    strategy: Strategy
    | StrategyTemplate
    | PythonStrategy
    | BarStrategy
    | Callable[..., Any]
    | Bars
    | Mapping[str, Any],
    bars: Bars | None = None,
    *,
    entries: Any = None,
    exits: Any = None,
    short_entries: Any = None,
    short_exits: Any = None,
    weights: Any = None,
    orders: Any = None,
    params: Mapping[str, Any] | None = None,
    cash: float = 100_000.0,
    commission: float | Fees | Mapping[str, float | Fees] = 0.0,
    slippage: float | Mapping[str, float] = 0.0,
    borrow: float | Mapping[str, float] = 0.0,
    fill: str = "next_open",
    units: str = "fractional",
    lot_size: float | Mapping[str, float] = 1.0,
    max_leverage: float = 1.0,
    max_positions: int | Mapping[str, int] | None = None,
    rank: Any = None,
    members: Any = None,
    rebalance: str | int | None = None,
    tolerance: float = 0.0,
    delisting_return: float | Mapping[str, float] = 0.0,
    actions: Actions | Factors | Mapping[str, Actions | Factors] | None = None,
    margin: Margin | ContractMargin | tuple[float, float] | Mapping[str, Any] | None = None,
    financing: float = 0.0,
    participation: float | Mapping[str, float] | None = None,
    tick_size: float | str | Mapping[str, float] | None = None,
    fine_bars: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
    stop: Any = None,
    target: Any = None,
    trail: Any = None,
    size: Any = None,
    columns: Sequence[str] | None = None,
    calendar: Calendar | str | Mapping[str, Calendar | str] | None = None,
    interval: Interval | str | None = None,
    periods_per_year: float | None = None,
    risk_free_rate: float = 0.0,
    chart: Chart | str | Mapping[str, Any] | pd.DataFrame | None = None,
) -> BacktestResult | PortfolioResult:
    """Run a strategy over bars, and return what it did and what came of it.

    Three forms: `backtest(strategy, bars)`, `backtest(function, bars, params={...})` with a Python function
    `(bars, params) -> signals`, and `backtest(bars, entries=..., exits=...)` with ready-made signals. What each
    convention and metric means stands on the semantics page. A `BarStrategy` is asked at the end of every bar.

    With bars of several instruments the same forms run them in one account; `backtest(bars, weights=...)` holds target
    weights, and `backtest(bars, orders=...)` works explicit orders, of one instrument or of several. What several
    instruments mean stands on the page about several instruments. Several strategies share one account:
    `backtest({"trend": (strategy, 0.6), "mean": (other, 0.4)}, bars)`, each with its part of the capital; a
    `BarStrategy` may be one of them.

    Parameters
    ----------
    strategy : Strategy, StrategyTemplate, PythonStrategy, BarStrategy, callable or bars
        What decides; or the bars, where signals, weights or orders are given. Several strategies are a mapping from
        name to (strategy, share of the capital), or to strategies, which then have equal shares.
    bars : DataFrame of shape (n_bars, >= 4), n_bars >= 2; mapping or Panel
        Columns `open high low close` and, if there is one, `volume`; indexed by time, oldest first. Of several
        instruments: a mapping from symbol (or Instrument) to such, a frame with a column `symbol` or (field, symbol)
        columns, or a `Panel`.
    entries, exits, short_entries, short_exits : array-like of bool of shape (n_bars,), optional
        Signals at the end of each bar. A Series must have the index of the bars. For several instruments a frame with
        one column per symbol.
    weights : DataFrame, Series or mapping, optional
        Target weights as fractions of the equity: one row per date, one column per symbol; NaN leaves alone, 0 closes,
        below 0 is short.
    orders : DataFrame or list of mappings, optional
        One row per order: `time`, `symbol`, signed `quantity` (or `side` and `quantity`); `type` (market, limit, stop),
        `limit_price`, `stop_price`, `time_in_force` (DAY, GTC), `id`, `parent`, `group`, `size` (a signed share of the
        equity at the moment of filling, in place of `quantity`), `reduce_only`.
    params : mapping, optional
        Values of the strategy's parameters, in place of its own.
    cash : float
        Initial cash in currency, above zero.
    commission : float or Fees
        Share of the value of each fill, as a fraction: 0.0005 is 0.05 %. `Fees` for anything else. Of several
        instruments this, slippage, borrow, lot_size and calendar may be a mapping from symbol to value.
    slippage : float
        How much worse than the price market orders are filled, as a fraction.
    borrow : float
        Annual fee of short positions, as a fraction of their value.
    fill : {'next_open', 'next_close', 'same_close'}
        When a decision is filled. `same_close` is optimistic.
    units : {'fractional', 'whole'}
        Whole units are rounded down to multiples of `lot_size`.
    lot_size : float
        Units of one lot, for whole units.
    max_leverage : float
        Largest value of a new position, as a multiple of the equity; of several instruments, of all positions together.
    max_positions : int, optional
        Places for positions in several instruments; each entry takes 1 / max_positions of the equity, unless `size`
        says otherwise. None: one for each instrument. Of several strategies each has so many; or a mapping by name.
    rank : str or DataFrame, optional
        Who comes first where places are few: an expression such as "momentum(close, 60)", highest first, or a frame. Of
        several strategies one for all, or a mapping by name.
    members : DataFrame or mapping, optional
        When each instrument belonged to the universe: symbol to (start, end) or a list of such, a frame with `symbol`,
        `start` and `end`, or a frame of booleans by time and symbol.
    rebalance : str or int, optional
        Decide the weights in force again: "1wk", "1mo", or every so many bars. None: at the dates given alone. Of
        several strategies: restore their shares of the capital. None: never.
    tolerance : float
        Leave alone what is so near to its target weight, as a fraction of the equity.
    delisting_return : float or mapping of str to float
        What the last close changes by when an instrument ends before the others, as a fraction: -0.3 loses 30 %.
    actions : Actions, Factors, or mapping of str to such, optional
        Splits and dividends by symbol, of raw bars: signals see adjusted prices, fills are raw, units are split,
        dividends are paid to long positions and charged to short ones.
    margin : Margin, ContractMargin or pair of float, optional
        Initial and maintenance margin as fractions of a position's value, such as (0.5, 0.25), or currency for each
        contract; or such by symbol. Below the maintenance margin all positions are cut at the next fill.
    financing : float
        Annual interest on cash below zero, as a fraction, by calendar days.
    participation : float or mapping of str to float, optional
        Largest share of a bar's volume that fills may take, as a fraction; the rest is carried to the next bars.
    tick_size : float, 'instrument' or mapping of str to float, optional
        Step of price: fills at stops, trails and targets are rounded to it, against the trader; limit orders rest on
        it.
    fine_bars : DataFrame or mapping of str to DataFrame, optional
        Finer bars by symbol, which say in what order stops, targets and orders were reached inside a bar.
    stop, target, trail, size : float, str, array, FixedUnits or VolatilityTarget, optional
        In place of those of the strategy; arrays only beside signals. Fractions: 0.05 is 5 %.
    columns : sequence of str, optional
        Further columns of the bars that such texts use by name, beside signals or a function: columns=['atr_weekly'].
    calendar : Calendar or str, optional
        Such as 'XNYS' or '24/7'; read off the stamps by default. An inferred calendar never lets `tf` know a week
        before the next one has begun.
    interval : Interval or str, optional
        Length of a bar, such as '1d'; read off the stamps by default.
    periods_per_year : float, optional
        What ratios are annualised with; by the calendar by default (252 sessions, 365 days of a market always open).
    risk_free_rate : float
        Annual, as a fraction, taken off the returns in the Sharpe and Sortino ratios.
    chart : Chart, str, mapping or DataFrame, optional
        Read the conditions on the rows of a chart, and fill on the bars: a style to be made of the bars, such as
        'heikin_ashi' or `charts.Chart('renko', size=1.0)`, or rows that were made of anything, such as
        `charts.tick(trades, 500)`. A row decides at the end of the bar at which it is known; signals and levels given
        as arrays are one per row.

    Returns
    -------
    BacktestResult or PortfolioResult
        Equity, orders, trades and metrics; `print(result.summary())` shows them. Several instruments, weights, orders,
        and one instrument with an option from `actions` to `fine_bars`, give a `PortfolioResult`. Of one instrument
        these options need no symbol.

    Raises
    ------
    InputError
        If an argument is missing, swapped or not allowed, the bars are not sound, or signals do not fit the bars. The
        message says what was found and what to write.
    ExpressionError
        If a text is not an expression.

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = at.synthetic(n=500, seed=1)
    >>> result = at.backtest(at.strategies.sma_cross(5, 20), bars, commission=0.0005)
    >>> result.metrics["n_trades"] > 0
    True
    >>> up = bars["close"] > bars["close"].shift(1)
    >>> at.backtest(bars, entries=up, exits=~up, stop=0.05).metrics["n_bars"]
    500
    >>> two = {"A": bars, "B": at.synthetic(n=500, seed=2)}
    >>> at.backtest(two, weights={"A": 0.6, "B": 0.4}, rebalance="1mo").metrics["n_bars"]
    500
    """
    given = dict(locals())
    result = _routed(given)
    return result if isinstance(result, BacktestResult) else replace(result, arguments=given)


def _routed(given: Mapping[str, Any]) -> BacktestResult | PortfolioResult:
    """Hand the arguments of `backtest` to the engine that they are for."""
    first, second = given["strategy"], given["bars"]
    route = route_of(first, second, given)
    if route == "one":
        chosen, found = decided_in(given)
        return run_strategy(
            chosen, prepare(found, chart=given["chart"], **{name: given[name] for name in _CONVENTIONS})
        )
    from algotrendy.backtest.portfolio import run as several

    shared = account_options(given)
    if route == "orders":
        return several.backtest_orders(first, given["orders"], **shared)
    if route == "stateful":
        from algotrendy.backtest.stateful.run import backtest_account

        chosen, found = decided_in(given)
        return backtest_account(chosen, found, **shared)  # type: ignore[arg-type]  # the route says so
    shared["members"] = given["members"]
    if route == "weights":
        schedule = {name: given[name] for name in ("rebalance", "tolerance")}
        return several.backtest_weights(first, given["weights"], **schedule, **shared)
    shared |= {name: given[name] for name in ("max_positions", "rank")}
    if route == "several":
        from algotrendy.backtest.portfolio.several import backtest_several

        return backtest_several(strategies_of(first), second, rebalance=given["rebalance"], **shared)
    chosen, found = decided_in(given)
    return several.backtest_signals(chosen, found, **shared)  # type: ignore[arg-type]  # so does it here


def account_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a call of `backtest` says of an account with several instruments: conventions, costs, extras."""
    told = {name: given[name] for name in (*_CONVENTIONS, "delisting_return")}
    return told | {name: given[name] for name in EXTRAS if given[name] is not None}


def decided_in(given: Mapping[str, Any]) -> tuple[AnyStrategy | Signals, Any]:
    """Return what decides in a call of `backtest`, and the bars."""
    named = {field.name: given[field.name] for field in fields(Signals)}
    signals = Signals(**named | {"columns": named["columns"] or ()})
    return strategy_and_bars(given["strategy"], given["bars"], signals, given["params"])


def run_strategy(strategy: AnyStrategy | Signals, setting: Setting) -> BacktestResult:
    """Run one strategy with all its values on a setting that is already prepared.

    Parameters
    ----------
    strategy : Strategy, PythonStrategy, BarStrategy or Signals
        What decides.
    setting : Setting
        Bars, conventions and costs; see `prepare`.

    Raises
    ------
    InputError
        If the size is a fraction above the leverage, or signals do not fit the bars.
    """
    if isinstance(strategy, BarStrategy):
        from algotrendy.backtest.stateful.run import backtest_stateful

        return backtest_stateful(strategy, setting)
    check_size(strategy, setting.options.max_leverage)
    if setting.chart is None:
        inputs = resolve(strategy, setting.bars, setting.arrays, None, setting.context)
    else:
        inputs = read_on_chart(strategy, setting.chart, len(setting.arrays.close))
    done = run(setting.arrays, inputs, setting.options)
    index = setting.bars.index
    return BacktestResult(
        bars=setting.bars,
        equity_values=done.equity,
        order_columns=done.order_columns,
        trade_columns=done.trade_columns,
        metrics=_metrics(done, setting),
        strategy=described(strategy),
        params={} if isinstance(strategy, Signals) else _numbers(strategy.parameters),
        assumptions=setting.assumptions,
        pending=done.pending,
        ruined_at=None if done.ruined_at is None else index[done.ruined_at],
        warnings=(*setting.warnings, *_warnings(strategy, setting, done)),
        marks=setting.options.marks,
    )


def check_size(strategy: Runnable, max_leverage: float) -> None:
    """Refuse a size that is a plain number above the leverage: units or a percentage, written as a fraction.

    Raises
    ------
    InputError
        If it is.
    """
    size = strategy.size
    if is_number(size) and size > max_leverage:
        raise InputError(
            f"size={size:g} is {size:g} times the equity, above max_leverage={max_leverage:g}; for {size:g} units "
            f"write size=at.FixedUnits({size:g}), for {size:g} % write {size / 100:g}, for leverage raise max_leverage"
        )


def _metrics(done: Run, setting: Setting) -> dict[str, Any]:
    import pandas as pd

    index = setting.bars.index
    start, valley, end = (pd.NaT if at is None else index[max(at, 0)] for at in done.max_drawdown_at)
    return {
        **done.metrics,
        "max_drawdown_start": start,
        "max_drawdown_valley": valley,
        "max_drawdown_end": end,
        "start": index[0],
        "end": index[-1],
        "n_bars": len(index),
        "periods_per_year": setting.options.periods_per_year,
    }


def described(strategy: AnyStrategy | Signals) -> dict[str, Any]:
    """Return what decides in plain values: the JSON form of a strategy, or which arrays were given."""
    if not isinstance(strategy, Signals):
        return strategy.to_dict()
    levels = {name: getattr(strategy, name) for name in LEVELS}
    shown = {name: "one per bar" if np.ndim(value) else level_to_json(value) for name, value in levels.items()}
    sides = ("entries", "exits", "short_entries", "short_exits")
    return {"kind": "arrays", "given": [side for side in sides if getattr(strategy, side) is not None], **shown}


def _numbers(parameters: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in parameters.items() if is_number(value)}


def _warnings(strategy: Runnable, setting: Setting, done: Run) -> list[str]:
    found = []
    if setting.options.fill == "next_open" and setting.options.marks is None:  # opens within a day are never judged
        found += stale_fills(setting, done.order_columns["filled_at"])
    if is_number(strategy.target) and strategy.target >= _LARGE_TARGET:
        by = f"{strategy.target * 100:g} %"
        found.append(
            f"target={strategy.target:g} is a gain of {by}; {strategy.target:g} % would be {strategy.target / 100:g}"
        )
    if done.metrics["n_orders"] == 0:
        found.append(_why_nothing(strategy, len(setting.arrays.close if setting.chart is None else setting.chart.rows)))
    return found


def stale_fills(setting: Setting, filled_at: Int1D) -> list[str]:
    """Return a warning if market orders were filled at opens that are copies of the previous close."""
    close = setting.arrays.close[filled_at - 1]
    at = filled_at[np.abs(setting.arrays.open[filled_at] - close) <= _SAME_PRICE * close]
    if not at.size:  # the usual case, and cheap to tell
        return []
    index: Any = setting.bars.index
    stale = find_stale_opens(index, setting.arrays)
    count = int(np.isin(index[at].year, stale.years).sum()) if stale else 0
    if not count:
        return []
    return [
        f"{stale}: {count:,} of {len(filled_at):,} fills were at such a stale open, that is at the "
        "close that the decision was made on, which nobody could trade; compare fill='next_close'"
    ]


def _why_nothing(strategy: Runnable, n_bars: int) -> str:
    if n_bars == 0:
        return "nothing was traded: the chart has no row; choose a smaller size"
    if isinstance(strategy, Strategy) and strategy.lookback >= n_bars - 1:
        return f"nothing was traded: the strategy looks back {strategy.lookback} bars and there are only {n_bars}"
    return "nothing was traded: no entry was ever true, or there was no size for it"
