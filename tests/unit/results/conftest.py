"""Results made by hand from a small seeded random walk, so that these tests need no engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.backtest.result import REASONS, BacktestResult

CASH = 10_000.0
RATE = 0.001


def walk(n_bars: int, seed: int, **index_options: Any) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0003, 0.012, n_bars)))
    opened = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0.0, 0.002, n_bars))
    options = {"start": "2015-01-01", "periods": n_bars, "freq": "B"} | index_options
    index = pd.date_range(**options)
    bars = pd.DataFrame({"open": opened, "close": close, "volume": rng.integers(1, 1000, n_bars) * 1.0}, index=index)
    bars.insert(1, "high", bars[["open", "close"]].max(axis=1) * 1.002)
    bars.insert(2, "low", bars[["open", "close"]].min(axis=1) * 0.998)
    bars.attrs["algotrendy"] = {"name": "WALK", "source": "seeded random walk", "adjusted": False, "rows": n_bars}
    return bars


def traded(bars: pd.DataFrame, held: int, side: int) -> tuple[dict[str, list[Any]], dict[str, list[Any]], list[float]]:
    """Be in the market for `held` bars, out for `held`, and so on: all-in at the open, plain arithmetic."""
    cash, units, entry, paid = CASH, 0.0, (0, 0.0), 0.0
    orders: dict[str, list[Any]] = {
        key: [] for key in ("decided_at", "filled_at", "units", "price", "commission", "slippage", "reason")
    }
    names = (
        "entry_at",
        "exit_at",
        "side",
        "units",
        "entry_price",
        "exit_price",
        "pnl",
        "return_",
        "commission",
        "borrow",
        "reason",
    )
    trades: dict[str, list[Any]] = {key: [] for key in names}
    equity = []
    for i, (opened, close) in enumerate(zip(bars["open"], bars["close"], strict=True)):
        if i and i % held == 0:
            change = side * cash / (opened * (1 + RATE)) if units == 0.0 else -units
            fee = RATE * abs(change) * opened
            row = (i - 1, i, change, opened, fee, 0.0, REASONS.index("entry" if units == 0.0 else "exit"))
            for key, value in zip(orders, row, strict=True):
                orders[key].append(value)
            if units != 0.0:
                pnl = units * (opened - entry[1]) - fee - paid
                row = (
                    entry[0],
                    i,
                    side,
                    abs(units),
                    entry[1],
                    opened,
                    pnl,
                    pnl / (abs(units) * entry[1]),
                    fee + paid,
                    0.0,
                    1,
                )
                for key, value in zip(trades, row, strict=True):
                    trades[key].append(value)
            cash -= change * opened + fee
            units += change
            entry, paid = (i, opened), fee
        equity.append(cash + units * close)
    return orders, trades, equity


def columns_of(rows: dict[str, list[Any]]) -> dict[str, np.ndarray]:
    kinds = {"reason": np.int8, "side": np.int64}
    return {
        key: np.array(values, dtype=kinds.get(key, np.int64 if key.endswith("_at") else np.float64))
        for key, values in rows.items()
    }


def metrics_of(
    bars: pd.DataFrame, equity: np.ndarray, trades: dict[str, np.ndarray], orders: dict[str, np.ndarray]
) -> dict[str, Any]:
    returns = np.diff(equity, prepend=CASH) / np.concatenate(([CASH], equity[:-1]))
    peak = np.maximum.accumulate(np.concatenate(([CASH], equity)))[1:]
    drawdown = 1 - equity / peak
    valley = int(drawdown.argmax())
    pnl, n = trades["pnl"], len(equity)
    growth, deviation = equity[-1] / CASH, returns.std(ddof=1) if n > 1 else np.nan
    commission = float(orders["commission"].sum())
    return {
        "final_equity": float(equity[-1]),
        "total_return": float(growth - 1),
        "annual_return": float(growth ** (252 / n) - 1),
        "volatility": float(deviation * 252**0.5),
        "sharpe_ratio": float(returns.mean() / deviation * 252**0.5) if deviation else float("nan"),
        "sortino_ratio": float("nan"),
        "max_drawdown": float(drawdown.max()),
        "max_drawdown_start": bars.index[0],
        "max_drawdown_valley": bars.index[valley],
        "max_drawdown_end": pd.NaT,
        "calmar_ratio": 0.5,
        "n_orders": len(orders["units"]),
        "n_trades": len(pnl),
        "win_rate": float((pnl > 0).mean()) if len(pnl) else float("nan"),
        "profit_factor": float("inf"),
        "expectancy": float(pnl.mean()) if len(pnl) else float("nan"),
        "turnover": 3.25,
        "time_in_market": 0.5,
        "commission_paid": commission,
        "slippage_paid": 0.0,
        "borrow_paid": 0.0,
        "costs_paid": commission,
        "start": bars.index[0],
        "end": bars.index[-1],
        "n_bars": n,
        "periods_per_year": 252.0,
    }


def make_result(
    n_bars: int = 500, *, seed: int = 7, held: int = 20, side: int = 1, bars: pd.DataFrame | None = None, **fields: Any
) -> BacktestResult:
    bars = walk(n_bars, seed) if bars is None else bars
    orders, trades, equity = traded(bars, held, side)
    order_columns, trade_columns = columns_of(orders), columns_of(trades)
    values = np.array(equity)
    made: dict[str, Any] = {
        "bars": bars,
        "equity_values": values,
        "order_columns": order_columns,
        "trade_columns": trade_columns,
        "metrics": metrics_of(bars, values, trade_columns, order_columns),
        "strategy": {
            "schema": "algotrendy.strategy/1", "entry": "sma(close, fast) > sma(close, slow)", "exit": None,
            "stop": 0.05, "name": "In and out", "params": {"fast": 5, "slow": 20}, "specs": {},
        },
        "params": {"fast": 5, "slow": 20},
        "assumptions": {
            "fill": "next_open", "cash": CASH, "commission": RATE, "slippage": 0.0, "borrow": 0.0,
            "units": "fractional", "lot_size": 1.0, "max_leverage": 1.0, "calendar": "sessions",
            "interval": "1d", "periods_per_year": 252.0, "risk_free_rate": 0.0,
        },
        "pending": "long",
        "ruined_at": None,
        "warnings": ("the open equals the close before it on 85 % of the bars before 2005",),
    }  # fmt: skip
    return BacktestResult(**(made | fields))


@pytest.fixture
def make() -> Callable[..., BacktestResult]:
    return make_result


@pytest.fixture
def made() -> BacktestResult:
    return make_result()


@pytest.fixture
def make_walk() -> Callable[..., pd.DataFrame]:
    return walk
