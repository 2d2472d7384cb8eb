"""raptorbt on the same bars: averages by its own kernels, once per window; decisions filled at the next open."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import raptorbt
from worker import CASH, COMMISSION, FAST, SIZE, SLOW, STOP, serve, sweep_windows

CHUNK = 500
"""Combinations handed to one call: all at once would hold every signal array in memory."""


def _columns(path: str) -> dict[str, Any]:
    with np.load(path) as arrays:
        return {
            name: np.ascontiguousarray(arrays[name])
            for name in ("timestamps", "open", "high", "low", "close", "volume")
        }


def _config(stop: float | None = None) -> Any:
    config = raptorbt.BacktestConfig(
        initial_capital=CASH, fees=COMMISSION, slippage=0.0, fill_timing="next_bar_open", periods_per_year=252.0
    )
    if stop is not None:
        config.set_fixed_stop(stop)
    return config


def _one(columns: Mapping[str, Any]) -> Callable[[], Mapping[str, float]]:
    close, config = columns["close"], _config()

    def run() -> Mapping[str, float]:
        fast, slow = raptorbt.sma(close, FAST), raptorbt.sma(close, SLOW)
        result = raptorbt.run_single_backtest(**columns, entries=fast > slow, exits=fast <= slow, config=config)
        metrics = result.metrics
        return {
            "final_equity": metrics.end_value,
            "sharpe_ratio": metrics.sharpe_ratio,
            "max_drawdown": metrics.max_drawdown_pct / 100,
            "n_trades": metrics.total_closed_trades,
        }

    return run


def _sweep(
    columns: Mapping[str, Any], stop: float | None = None, size: float | None = None, windows: list[int] | None = None
) -> Callable[[], Mapping[str, float]]:
    close, config = columns["close"], _config(stop)
    sizes = None if size is None else np.full(len(close), size)

    def run() -> Mapping[str, float]:
        average = {window: raptorbt.sma(close, window) for window in windows or sweep_windows()}
        pairs = list(combinations(average, 2))
        sharpe, trades = [], 0
        for first in range(0, len(pairs), CHUNK):
            items = [
                raptorbt.BatchSingleItem(
                    f"{fast}/{slow}",
                    average[fast] > average[slow],
                    average[fast] <= average[slow],
                    position_sizes=sizes,
                )
                for fast, slow in pairs[first : first + CHUNK]
            ]
            for _, result in raptorbt.batch_single_backtest(**columns, items=items, config=config):
                metrics = result.metrics
                sharpe.append(metrics.sharpe_ratio)
                trades += metrics.total_closed_trades + 0 * metrics.max_drawdown_pct
        return {"best_sharpe": max(sharpe), "n_trades": trades, "n": len(sharpe)}

    return run


def main(folder: str) -> None:
    """Serve the tasks on the bars in `folder`."""
    daily = _columns(f"{folder}/daily.npz")
    serve(
        {
            "one": lambda: _one(daily),
            "sweep": lambda: _sweep(daily),
            "sweep_small": lambda: _sweep(daily, windows=sweep_windows()[:4]),
            "sweep_stop": lambda: _sweep(daily, STOP, SIZE),
            "million": lambda: _one(_columns(f"{folder}/million.npz")),
        }
    )


if __name__ == "__main__":
    main(sys.argv[1])
