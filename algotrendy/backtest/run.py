"""`backtest`: one strategy on the bars of one instrument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.arguments import Runnable, strategy_and_bars
from algotrendy.backtest.charted import read_on_chart
from algotrendy.backtest.engine import Run, run
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.setting import Setting, prepare
from algotrendy.domain.stale import find_stale_opens
from algotrendy.errors import InputError
from algotrendy.strategy import PythonStrategy, Signals, Strategy, StrategyTemplate
from algotrendy.strategy.inputs import resolve
from algotrendy.strategy.levels import level_to_json
from algotrendy.strategy.parameter import LEVELS, is_number

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.costs import Fees
    from algotrendy.charts import Chart
    from algotrendy.domain.calendar import Calendar
    from algotrendy.domain.interval import Interval

__all__ = ["backtest", "run_strategy"]

_LARGE_TARGET = 1.0
_SAME_PRICE = 1e-9


def backtest(
    strategy: Strategy | StrategyTemplate | PythonStrategy | Callable[..., Any] | pd.DataFrame,
    bars: pd.DataFrame | None = None,
    *,
    entries: Any = None,
    exits: Any = None,
    short_entries: Any = None,
    short_exits: Any = None,
    params: Mapping[str, Any] | None = None,
    cash: float = 100_000.0,
    commission: float | Fees = 0.0,
    slippage: float = 0.0,
    borrow: float = 0.0,
    fill: str = "next_open",
    units: str = "fractional",
    lot_size: float = 1.0,
    max_leverage: float = 1.0,
    stop: Any = None,
    target: Any = None,
    trail: Any = None,
    size: Any = None,
    calendar: Calendar | str | None = None,
    interval: Interval | str | None = None,
    periods_per_year: float | None = None,
    risk_free_rate: float = 0.0,
    chart: Chart | str | Mapping[str, Any] | pd.DataFrame | None = None,
) -> BacktestResult:
    """Run a strategy over bars, and return what it did and what came of it.

    Three forms: `backtest(strategy, bars)`, `backtest(function, bars, params={...})` with a Python function
    `(bars, params) -> signals`, and `backtest(bars, entries=..., exits=...)` with ready-made signals. What each
    convention and metric means stands on the semantics page.

    Parameters
    ----------
    strategy : Strategy, StrategyTemplate, PythonStrategy, callable or DataFrame
        What decides; or the bars, where signals are given.
    bars : DataFrame of shape (n_bars, >= 4), n_bars >= 2
        Columns `open high low close` and, if there is one, `volume`; indexed by time, oldest first.
    entries, exits, short_entries, short_exits : array-like of bool of shape (n_bars,), optional
        Signals at the end of each bar. A Series must have the index of the bars.
    params : mapping, optional
        Values of the strategy's parameters, in place of its own.
    cash : float
        Initial cash in currency, above zero.
    commission : float or Fees
        Share of the value of each fill, as a fraction: 0.0005 is 0.05 %. `Fees` for anything else.
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
        Largest value of a new position, as a multiple of the equity.
    stop, target, trail, size : float, str, array, FixedUnits or VolatilityTarget, optional
        In place of those of the strategy; arrays only beside signals. Fractions: 0.05 is 5 %.
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
    BacktestResult
        Equity, orders, trades and metrics; `print(result.summary())` shows them.

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
    """
    signals = Signals(entries, exits, short_entries, short_exits, stop, target, trail, size)
    chosen, found = strategy_and_bars(strategy, bars, signals, params)
    setting = prepare(
        found,
        cash=cash,
        commission=commission,
        slippage=slippage,
        borrow=borrow,
        fill=fill,
        units=units,
        lot_size=lot_size,
        max_leverage=max_leverage,
        calendar=calendar,
        interval=interval,
        periods_per_year=periods_per_year,
        risk_free_rate=risk_free_rate,
        chart=chart,
    )
    return run_strategy(chosen, setting)


def run_strategy(strategy: Runnable, setting: Setting) -> BacktestResult:
    """Run one strategy with all its values on a setting that is already prepared.

    Parameters
    ----------
    strategy : Strategy, PythonStrategy or Signals
        What decides.
    setting : Setting
        Bars, conventions and costs; see `prepare`.

    Raises
    ------
    InputError
        If the size is a fraction above the leverage, or signals do not fit the bars.
    """
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
        strategy=_described(strategy),
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


def _described(strategy: Runnable) -> dict[str, Any]:
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
        found += _stale_fills(setting, done)
    if is_number(strategy.target) and strategy.target >= _LARGE_TARGET:
        by = f"{strategy.target * 100:g} %"
        found.append(
            f"target={strategy.target:g} is a gain of {by}; {strategy.target:g} % would be {strategy.target / 100:g}"
        )
    if done.metrics["n_orders"] == 0:
        found.append(_why_nothing(strategy, len(setting.arrays.close if setting.chart is None else setting.chart.rows)))
    return found


def _stale_fills(setting: Setting, done: Run) -> list[str]:
    """Return a warning if fills happened at opens that are copies of the previous close."""
    at = done.order_columns["filled_at"]
    close = setting.arrays.close[at - 1]
    at = at[np.abs(setting.arrays.open[at] - close) <= _SAME_PRICE * close]
    if not at.size:  # the usual case, and cheap to tell
        return []
    index: Any = setting.bars.index
    stale = find_stale_opens(index, setting.arrays)
    count = int(np.isin(index[at].year, stale.years).sum()) if stale else 0
    if not count:
        return []
    return [
        f"{stale}: {count:,} of {len(done.orders.bars):,} fills were at such a stale open, that is at the "
        "close that the decision was made on, which nobody could trade; compare fill='next_close'"
    ]


def _why_nothing(strategy: Runnable, n_bars: int) -> str:
    if n_bars == 0:
        return "nothing was traded: the chart has no row; choose a smaller size"
    if isinstance(strategy, Strategy) and strategy.lookback >= n_bars - 1:
        return f"nothing was traded: the strategy looks back {strategy.lookback} bars and there are only {n_bars}"
    return "nothing was traded: no entry was ever true, or there was no size for it"
