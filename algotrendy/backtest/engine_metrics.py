"""What follows from the orders and the equity curve of one backtest: metrics, and orders and trades as columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels.orders_types import (
    BORROW,
    CASH_AFTER,
    COMMISSION,
    DECIDED_AT,
    ENTRY,
    FILLED_AT,
    PRICE,
    PROFIT,
    REASON,
    RUIN,
    SLIPPAGE,
    UNITS,
    Market,
    Orders,
)

if TYPE_CHECKING:
    from algotrendy.backtest.engine import Options

Float1D = NDArray[np.float64]
ROUNDING = 1e-12
"""A spread, a downside or a drawdown up to here is rounding, and counts as none."""

Moments = tuple[int | None, int | None, int | None]

Measured = tuple[float, float, float, float, float, int, int]
"""What `kernels.statistics_curve.follow` returns."""


def metrics_of(
    orders: Orders, market: Market, options: Options, equity: Float1D, measured: Measured, *, is_held: bool = False
) -> tuple[dict[str, float], Moments]:
    """Return the metrics in the order of `METRICS`, and the bars of the largest drawdown.

    `is_held` says that there was a position before the first bar. The bars are those of its peak (-1: the initial
    cash), its lowest point and the recovery; None if there is none.
    """
    notional = float(np.abs(orders.money[:, UNITS]) @ orders.money[:, PRICE])
    of_curve, drawdown_at = curve_metrics(options, equity, measured)
    total = measured[3]
    metrics = {
        **of_curve,
        "n_orders": len(orders.bars),
        **trade_metrics(orders.money[orders.bars[:, REASON] != ENTRY, PROFIT]),
        "turnover": notional * options.periods_per_year / total if total > 0.0 else math.nan,
        "time_in_market": bars_held(orders, equity.size, is_held=is_held) / equity.size,
        **cost_metrics(orders, market),
    }
    return metrics, drawdown_at


def curve_metrics(options: Options, equity: Float1D, measured: Measured) -> tuple[dict[str, float], Moments]:
    """Return the metrics of an equity curve, and the bars of its largest drawdown as in `metrics_of`."""
    mean, deviations, downside, _, drawdown, start, valley = measured
    n = equity.size if options.marks is None else options.marks.size
    cash, periods = options.cash, options.periods_per_year
    spread = math.sqrt(max(deviations, 0.0) / (n - 1)) if n > 1 else math.nan
    below = math.sqrt(downside / n)
    root, growth = math.sqrt(periods), float(equity[-1]) / cash
    annual = compounded(growth, periods / n)
    drawdown = drawdown if drawdown > ROUNDING else 0.0
    metrics = {
        "final_equity": float(equity[-1]),
        "total_return": growth - 1.0,
        "annual_return": annual,
        "volatility": spread * root,
        "sharpe_ratio": mean / spread * root if spread > ROUNDING else math.nan,
        "sortino_ratio": mean / below * root if below > ROUNDING else math.nan,
        "max_drawdown": drawdown,
        "calmar_ratio": annual / drawdown if drawdown > 0.0 else math.nan,
    }
    if drawdown == 0.0:
        return metrics, (None, None, None)
    return metrics, (int(start), int(valley), recovery(equity, cash, int(start), int(valley)))


def compounded(growth: float, periods: float) -> float:
    """Return the return of growing by the factor `growth` so many times; -1 when nothing is left."""
    if growth <= 0.0:
        return -1.0
    try:
        return float(growth**periods - 1.0)
    except OverflowError:  # a few bars, annualised
        return math.inf


def recovery(equity: Float1D, cash: float, start: int, valley: int) -> int | None:
    """Return the first bar after `valley` on which equity is back at its peak, or None."""
    peak = float(equity[: start + 1].max(initial=cash))
    back = equity[valley:] >= peak * (1.0 - ROUNDING)
    first = int(back.argmax())
    return valley + first if back[first] else None


def trade_metrics(profit: Float1D) -> dict[str, float]:
    """Return the count of trades and what they earned, from their profits."""
    n_trades = profit.size
    profits = float(np.maximum(profit, 0.0).sum())
    losses = -float(np.minimum(profit, 0.0).sum())
    without_losses = math.inf if profits > 0.0 else math.nan
    return {
        "n_trades": n_trades,
        "win_rate": int(np.count_nonzero(profit > 0.0)) / n_trades if n_trades else math.nan,
        "profit_factor": profits / losses if losses > 0.0 else without_losses,
        "expectancy": (profits - losses) / n_trades if n_trades else math.nan,
    }


def cost_metrics(orders: Orders, market: Market) -> dict[str, float]:
    """Return what was paid, in currency; the borrow of a position that is still open is counted."""
    totals = orders.money.sum(axis=0).tolist()
    commission, slippage, borrow = totals[COMMISSION], totals[SLIPPAGE], totals[BORROW]
    if len(orders.bars) and orders.bars[-1, REASON] == ENTRY and orders.money[-1, UNITS] < 0.0:
        carry = market.held - market.close if market.held is not market.close else np.zeros(market.close.size)
        borrow -= float(orders.money[-1, UNITS] * (carry[-1] - carry[orders.bars[-1, FILLED_AT]]))
    return {
        "commission_paid": commission,
        "slippage_paid": slippage,
        "borrow_paid": borrow,
        "costs_paid": commission + slippage + borrow,
    }


def bars_held(orders: Orders, n_bars: int, *, is_held: bool = False) -> int:
    """Return how many bars end with a position; `is_held` says that there was one before the first of them."""
    filled = orders.bars[:, FILLED_AT]
    if is_held:
        filled = np.concatenate(([0], filled))
    until_end = n_bars if filled.size % 2 else 0  # the last order opened a position that is held still
    return int(filled[1::2].sum()) + until_end - int(filled[::2].sum())


def units_held(orders: Mapping[str, NDArray[Any]], n_bars: int) -> Float1D:
    """Return the units held at the end of each bar, negative for a short position, from `order_columns`."""
    if len(orders["reason"]) and int(orders["reason"].max()) > RUIN:  # orders that add to a position and reduce it
        held, sums = 0.0, []
        for units in orders["units"].tolist():
            held = 0.0 if units == -held else held + units
            sums.append(held)
        after = np.array(sums)
    else:
        after = np.where(orders["reason"] == ENTRY, orders["units"], 0.0)
    edges = np.concatenate(([0], orders["filled_at"], [n_bars]))
    return np.repeat(np.concatenate(([0.0], after)), np.diff(edges))


def order_columns(orders: Orders) -> dict[str, NDArray[Any]]:
    """Return orders as columns; units are positive for a buy and negative for a sale."""
    bars, money = orders
    return {
        "decided_at": bars[:, DECIDED_AT].copy(),
        "filled_at": bars[:, FILLED_AT].copy(),
        "units": money[:, UNITS].copy(),
        "price": money[:, PRICE].copy(),
        "commission": money[:, COMMISSION].copy(),
        "slippage": money[:, SLIPPAGE].copy(),
        "cash_after": money[:, CASH_AFTER].copy(),
        "reason": bars[:, REASON].copy(),
    }


def trade_columns(orders: Orders) -> dict[str, NDArray[Any]]:
    """Return closed round trips as columns: every second order closes the position that the one before it opened."""
    bars, money = orders
    entry, close = slice(0, len(bars) // 2 * 2, 2), slice(1, None, 2)
    units, price, pnl = money[entry, UNITS].copy(), money[entry, PRICE].copy(), money[close, PROFIT].copy()
    entered, left = bars[entry, FILLED_AT].copy(), bars[close, FILLED_AT].copy()
    return {
        "entry_at": entered,
        "exit_at": left,
        "side": np.sign(units).astype(np.int64),
        "units": np.abs(units),
        "entry_price": price,
        "exit_price": money[close, PRICE].copy(),
        "pnl": pnl,
        "return_": pnl / np.abs(units * price),
        "bars_held": left - entered,
        "commission": money[entry, COMMISSION] + money[close, COMMISSION],
        "borrow": money[close, BORROW].copy(),
        "reason": bars[close, REASON].copy(),
    }
