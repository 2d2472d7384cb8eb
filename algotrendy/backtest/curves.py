"""Curves that follow from an equity curve: drawdown and its worst periods, and buying and holding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from algotrendy.domain.types import Float1D, Int1D

if TYPE_CHECKING:
    import pandas as pd


def drawdown_of(equity: Float1D, cash: float) -> Float1D:
    """Return the loss of every value from the running peak.

    Parameters
    ----------
    equity : array of shape (n_bars,)
        Value of the account at the end of each bar, in currency.
    cash : float
        Initial cash, > 0; it counts as a peak.

    Returns
    -------
    array of shape (n_bars,)
        Positive fractions: 0.25 is a loss of a quarter; above 1 if the equity is below zero.

    Examples
    --------
    >>> drawdown_of(np.array([110.0, 99.0, 121.0]), 100.0).round(6)
    array([0. , 0.1, 0. ])
    """
    peak = np.maximum(np.maximum.accumulate(equity), cash)
    return 1.0 - equity / peak


ROUNDING = 1e-12
"""A drawdown or a deviation of returns up to here is the noise of arithmetic, and counts as none."""


class DrawdownPeriod(NamedTuple):
    """One stretch below a peak, as bar positions; `start` is the last bar at the peak, -1: the initial cash."""

    start: int
    valley: int
    end: int | None
    depth: float


def worst_drawdowns(equity: Float1D, cash: float, count: int = 5) -> list[DrawdownPeriod]:
    """Return the deepest stretches below a peak, deepest first; of equal depth the earlier first.

    Parameters
    ----------
    equity : array of shape (n_bars,)
        In currency.
    cash : float
        Initial cash, > 0.
    count : int
        How many at most.

    Returns
    -------
    list of DrawdownPeriod
        `end` is the first bar back at the peak, None if there is none; `depth` is a positive fraction.

    Examples
    --------
    >>> worst_drawdowns(np.array([100.0, 75.0, 150.0, 75.0]), 100.0)
    [DrawdownPeriod(start=2, valley=3, end=None, depth=0.5), DrawdownPeriod(start=0, valley=1, end=2, depth=0.25)]
    """
    drawdown = drawdown_of(equity, cash)
    under = np.concatenate(([False], drawdown > ROUNDING, [False]))
    edges = np.flatnonzero(under[1:] != under[:-1])
    first, after = edges[0::2], edges[1::2]
    if not first.size:
        return []
    depths = np.maximum.reduceat(drawdown, first)
    deepest = np.argsort(-depths, kind="stable")[:count]
    return [
        DrawdownPeriod(
            start=int(first[k]) - 1,
            valley=int(first[k] + np.argmax(drawdown[first[k] : after[k]])),
            end=int(after[k]) if after[k] < len(equity) else None,
            depth=float(depths[k]),
        )
        for k in deepest
    ]


def buy_and_hold(bars: pd.DataFrame, assumptions: Mapping[str, Any]) -> Float1D:
    """Return the equity of buying once and never selling, at the same costs and by the same fill convention.

    All of the cash buys fractional units, without leverage, at the first price that the fill convention allows: the
    open of the second bar (`next_open`), the close of the second bar (`next_close`), the close of the first
    (`same_close`). Slippage and commission are paid once, as the semantics page says.

    Returns
    -------
    array of shape (n_bars,)
        Value at the end of each bar, in currency. The cash alone, where the data ends before a fill is possible.

    Examples
    --------
    >>> import pandas as pd
    >>> bars = pd.DataFrame({"open": [1.0, 2.0, 4.0], "close": [2.0, 4.0, 5.0]})
    >>> buy_and_hold(bars, {"fill": "next_open", "cash": 100.0})
    array([100., 200., 250.])
    """
    cash, fill = float(assumptions["cash"]), str(assumptions["fill"])
    close = bars["close"].to_numpy(dtype=np.float64)
    bought_at = 0 if fill == "same_close" else 1
    equity = np.full(len(close), cash)
    if bought_at >= len(close):
        return equity
    price = float(bars["open"].iloc[bought_at]) if fill == "next_open" else float(close[bought_at])
    price *= 1.0 + float(assumptions.get("slippage") or 0.0)
    units = max(_units_for(cash, price, fees_of(assumptions.get("commission"))), 0.0)
    equity[bought_at:] = close[bought_at:] * units
    return equity if units else np.full(len(close), cash)


def fees_of(commission: Any) -> dict[str, float]:
    """Return a commission as its four numbers: rate (fraction), per_unit, fixed and minimum (currency).

    Examples
    --------
    >>> fees_of(0.001)
    {'rate': 0.001, 'per_unit': 0.0, 'fixed': 0.0, 'minimum': 0.0}
    """
    names = ("rate", "per_unit", "fixed", "minimum")
    if isinstance(commission, Mapping):
        return {name: float(commission.get(name, 0.0)) for name in names}
    if hasattr(commission, "rate"):
        return {name: float(getattr(commission, name, 0.0)) for name in names}
    return dict.fromkeys(names, 0.0) | {"rate": float(commission or 0.0)}


def _units_for(budget: float, price: float, fees: Mapping[str, float]) -> float:
    """Return the units whose notional plus commission is the budget."""
    units = (budget - fees["fixed"]) / (price * (1.0 + fees["rate"]) + fees["per_unit"])
    charged = fees["rate"] * units * price + fees["per_unit"] * units + fees["fixed"]
    return units if charged >= fees["minimum"] else (budget - fees["minimum"]) / price


class HoldMetrics(NamedTuple):
    """The figures of buying and holding that stand beside a strategy's; by the same definitions."""

    final_equity: float
    total_return: float
    annual_return: float
    volatility: float
    sharpe_ratio: float
    max_drawdown: float


def metrics_of_curve(
    equity: Float1D, marks: Int1D, *, cash: float, periods_per_year: float, risk_free_rate: float
) -> HoldMetrics:
    """Return the figures of an equity curve, by the definitions of the semantics page.

    Parameters
    ----------
    equity : array of shape (n_bars,)
        In currency.
    marks : array of int
        Bar positions of the valuation marks between which returns are taken.
    cash, periods_per_year, risk_free_rate : float
        Initial cash, marks per year, annual rate as a fraction.
    """
    values = equity[marks]
    returns = returns_between(values, cash)
    growth = float(equity[-1]) / cash
    excess = returns - ((1.0 + risk_free_rate) ** (1.0 / periods_per_year) - 1.0)
    deviation = float(np.std(excess, ddof=1)) if len(excess) > 1 else math.nan
    moved = deviation > ROUNDING
    root = math.sqrt(periods_per_year)
    return HoldMetrics(
        final_equity=float(equity[-1]),
        total_return=growth - 1.0,
        annual_return=growth ** (periods_per_year / len(marks)) - 1.0 if growth > 0.0 else -1.0,
        volatility=deviation * root,
        sharpe_ratio=float(np.mean(excess)) / deviation * root if moved else math.nan,
        max_drawdown=max(float(np.max(drawdown_of(equity, cash))), 0.0),
    )


def marks_of(index: pd.DatetimeIndex, assumptions: Mapping[str, Any]) -> Int1D:
    """Return the bar positions between which returns are taken: all, or the last of each session for intraday bars.

    Parameters
    ----------
    index : DatetimeIndex of shape (n_bars,)
    assumptions : mapping
        `interval` ("1d") and `calendar` ("24/7", "24/5", "sessions" or the code of an exchange), by name.
    """
    from algotrendy.domain.calendar import ALWAYS_OPEN, SESSIONS, SUNDAY_OPEN, exchange, valuation_marks

    interval, name = assumptions.get("interval"), assumptions.get("calendar")
    if interval is None or name is None:
        return np.arange(len(index), dtype=np.int64)
    plain = {calendar.name: calendar for calendar in (ALWAYS_OPEN, SUNDAY_OPEN, SESSIONS)}
    return valuation_marks(index, str(interval), plain.get(str(name)) or exchange(str(name)))


def floats(values: pd.Series[float]) -> Float1D:
    """Return a series as a float64 array, without a copy where it is one."""
    return np.asarray(values, dtype=np.float64)


def returns_between(values: Float1D, cash: float) -> Float1D:
    """Return the simple returns between values, the first from the initial cash; 0 once nothing is left to move."""
    before = np.concatenate(([cash], values[:-1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(before > 0.0, values / before - 1.0, 0.0)
