"""The metrics of a backtest in the order in which the kernel writes them. Needs no Numba."""

from __future__ import annotations

METRICS = (
    "final_equity",
    "total_return",
    "annual_return",
    "volatility",
    "sharpe_ratio",
    "sortino_ratio",
    "max_drawdown",
    "calmar_ratio",
    "n_orders",
    "n_trades",
    "win_rate",
    "profit_factor",
    "expectancy",
    "turnover",
    "time_in_market",
    "commission_paid",
    "slippage_paid",
    "borrow_paid",
    "costs_paid",
)
