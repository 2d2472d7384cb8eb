"""vectorbt on the same bars, in the way its documentation shows: signals filled at the close of their own bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from worker import CASH, COMMISSION, FAST, SIZE, SLOW, STOP, serve, sweep_windows

vbt.settings.array_wrapper["freq"] = "1D"
vbt.settings.returns["year_freq"] = "252 days"


def _columns(path: str) -> dict[str, pd.Series]:
    with np.load(path) as arrays:
        index = pd.to_datetime(
            arrays["timestamps"], unit="ns"
        )  # without a zone: with one, vectorbt takes 50 times as long
        return {name: pd.Series(arrays[name], index=index, name=name) for name in ("open", "high", "low", "close")}


def _one(columns: Mapping[str, Any]) -> Callable[[], Mapping[str, float]]:
    close = columns["close"]

    def run() -> Mapping[str, float]:
        fast, slow = vbt.MA.run(close, FAST), vbt.MA.run(close, SLOW)
        portfolio = vbt.Portfolio.from_signals(
            close, fast.ma_above(slow), fast.ma_below(slow), init_cash=CASH, fees=COMMISSION
        )
        return {
            "final_equity": float(portfolio.final_value()),
            "sharpe_ratio": float(portfolio.sharpe_ratio()),
            "max_drawdown": -float(portfolio.max_drawdown()),
            "n_trades": float(portfolio.trades.closed.count()),
        }

    return run


def _sweep(
    columns: Mapping[str, Any], windows: list[int] | None = None, **options: Any
) -> Callable[[], Mapping[str, float]]:
    close = columns["close"]
    if "sl_stop" in options:
        options |= {name: columns[name] for name in ("open", "high", "low")}

    def run() -> Mapping[str, float]:
        fast, slow = vbt.MA.run_combs(close, np.asarray(windows or sweep_windows()), r=2, short_names=["fast", "slow"])
        portfolio = vbt.Portfolio.from_signals(
            close, fast.ma_above(slow), fast.ma_below(slow), init_cash=CASH, fees=COMMISSION, **options
        )
        sharpe, trades = portfolio.sharpe_ratio(), portfolio.trades.closed.count()
        portfolio.max_drawdown()
        return {"best_sharpe": float(sharpe.max()), "n_trades": float(trades.sum()), "n": len(sharpe)}

    return run


def main(folder: str) -> None:
    """Serve the tasks on the bars in `folder`."""
    daily = _columns(f"{folder}/daily.npz")
    serve(
        {
            "one": lambda: _one(daily),
            "sweep": lambda: _sweep(daily),
            "sweep_small": lambda: _sweep(daily, sweep_windows()[:4]),
            "sweep_stop": lambda: _sweep(daily, sl_stop=STOP, size=SIZE, size_type="percent"),
            "million": lambda: _one(_columns(f"{folder}/million.npz")),
        }
    )


if __name__ == "__main__":
    main(sys.argv[1])
