"""The metrics of the reference simulator: the table of `docs/explanation/semantics.md`, each by its definition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from algotrendy.backtest.reference import Options

ROUNDING = 1e-12
"""A spread, a downside or a drawdown up to here is rounding, and counts as none."""


@dataclass(frozen=True)
class Order:
    """One fill. `units` are positive for a buy, negative for a sale."""

    decided_at: int
    filled_at: int
    units: float
    price: float
    commission: float
    slippage: float
    reason: str


@dataclass(frozen=True)
class Trade:
    """A closed round trip. `units` carry the sign of the position."""

    entry_at: int
    exit_at: int
    units: float
    entry_price: float
    exit_price: float
    commission: float
    borrow: float
    profit: float
    reason: str

    @staticmethod
    def between(entry: Order, close: Order, borrow: float) -> Trade:
        commission = entry.commission + close.commission
        profit = entry.units * (close.price - entry.price) - commission - borrow
        prices = (entry.price, close.price)
        return Trade(entry.filled_at, close.filled_at, entry.units, *prices, commission, borrow, profit, close.reason)


def metrics_of(
    equity: Sequence[float],
    units: Sequence[float],
    orders: Sequence[Order],
    trades: Sequence[Trade],
    *,
    borrow_paid: float,
    options: Options,
) -> dict[str, float]:
    """Return every metric by name, in the order of the table."""
    marks = range(len(equity)) if options.marks is None else options.marks
    at_marks = [equity[i] for i in marks]
    n, periods = len(at_marks), options.periods_per_year
    returns = returns_between(options.cash, at_marks)
    final = equity[-1]
    annual_return = compounded(final / options.cash, periods / n)
    drawdown = max_drawdown(options.cash, equity)
    mean_equity = math.fsum(at_marks) / n
    notional = math.fsum(abs(order.units) * order.price for order in orders)
    commission = math.fsum(order.commission for order in orders)
    slippage = math.fsum(order.slippage for order in orders)
    return {
        "final_equity": final,
        "total_return": final / options.cash - 1.0,
        "annual_return": annual_return,
        **ratios(returns, options),
        "max_drawdown": drawdown,
        "calmar_ratio": annual_return / drawdown if drawdown > 0 else math.nan,
        "n_orders": float(len(orders)),
        "n_trades": float(len(trades)),
        **trade_metrics(trades),
        "turnover": notional / mean_equity / (n / periods) if mean_equity > 0 else math.nan,
        "time_in_market": sum(u != 0 for u in units) / len(units),
        "commission_paid": commission,
        "slippage_paid": slippage,
        "borrow_paid": borrow_paid,
        "costs_paid": commission + slippage + borrow_paid,
    }


def compounded(growth: float, periods: float) -> float:
    """Return the return of growing by the factor `growth` so many times; -1 when nothing is left."""
    if growth <= 0:
        return -1.0
    try:
        return float(growth**periods - 1.0)
    except OverflowError:
        return math.inf


def returns_between(cash: float, at_marks: Sequence[float]) -> list[float]:
    """Return the simple return of each mark; nothing moves once nothing is left."""
    before = [cash, *at_marks[:-1]]
    return [now / last - 1.0 if last > 0 else 0.0 for last, now in zip(before, at_marks, strict=True)]


def ratios(returns: Sequence[float], options: Options) -> dict[str, float]:
    n, periods = len(returns), options.periods_per_year
    hurdle = (1.0 + options.risk_free_rate) ** (1.0 / periods) - 1.0
    excess = [r - hurdle for r in returns]
    mean = math.fsum(excess) / n
    variance = math.fsum((x - mean) ** 2 for x in excess) / (n - 1) if n > 1 else math.nan
    spread = math.sqrt(variance)
    downside = math.sqrt(math.fsum(min(x, 0.0) ** 2 for x in excess) / n)
    return {
        "volatility": spread * math.sqrt(periods),
        "sharpe_ratio": mean / spread * math.sqrt(periods) if spread > ROUNDING else math.nan,
        "sortino_ratio": mean / downside * math.sqrt(periods) if downside > ROUNDING else math.nan,
    }


def max_drawdown(cash: float, equity: Sequence[float]) -> float:
    peak, worst = cash, 0.0
    for value in equity:
        peak = max(peak, value)
        worst = max(worst, (peak - value) / peak)
    return worst if worst > ROUNDING else 0.0


def trade_metrics(trades: Sequence[Trade]) -> dict[str, float]:
    if not trades:
        return {"win_rate": math.nan, "profit_factor": math.nan, "expectancy": math.nan}
    profits = math.fsum(trade.profit for trade in trades if trade.profit > 0)
    losses = math.fsum(-trade.profit for trade in trades if trade.profit < 0)
    without_losses = math.inf if profits > 0 else math.nan
    return {
        "win_rate": sum(trade.profit > 0 for trade in trades) / len(trades),
        "profit_factor": profits / losses if losses > 0 else without_losses,
        "expectancy": math.fsum(trade.profit for trade in trades) / len(trades),
    }
