"""algotrendy's side: everything through the public API, on one core (`workers=1`)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from worker import CASH, COMMISSION, ENTRY, EXIT, FAST, SIZE, SLOW, STOP, serve, sweep_windows

import algotrendy as at

HUNDRED = range(5, 105)
WIDTHS = [round(0.50 + 0.03 * step, 2) for step in range(100)]
MACD = {"fast": range(5, 25), "slow": range(26, 76, 2), "signal": range(5, 25)}

GRIDS: dict[str, dict[str, Any]] = {
    "sma_cross": {"fast": HUNDRED, "slow": range(110, 310, 2)},
    "ema_cross": {"fast": HUNDRED, "slow": range(110, 310, 2)},
    "rsi_reversion": {"window": range(5, 30), "oversold": range(20, 40), "overbought": range(60, 80)},
    "bollinger_breakout": {"window": HUNDRED, "width": WIDTHS},
    "bollinger_reversion": {"window": HUNDRED, "width": WIDTHS},
    "macd_cross": MACD,
    "donchian_turtle": {
        "entry_window": range(10, 60, 2),
        "exit_window": range(5, 25),
        "trail_atr": [round(1.0 + 0.5 * step, 1) for step in range(20)],
    },
    "supertrend_follow": {"window": HUNDRED, "multiplier": WIDTHS},
    "momentum_volatility": {
        "window": range(60, 360, 3),
        "risk": [round(0.05 + 0.01 * step, 2) for step in range(25)],
        "risk_window": [10, 20, 40, 60],
    },
    "macd_long_short": MACD,
    "weekly_trend": {"window": HUNDRED, "weeks": range(2, 102)},
    "buy_and_hold": {"size": [round(0.0001 * step, 4) for step in range(1, 10_001)]},
}
"""What is swept for each strategy of the library: ten thousand combinations, as many as in the sweep."""


def _strategy() -> Any:
    return at.Strategy(entry=ENTRY, exit=EXIT, fast=FAST, slow=SLOW)


def _one(bars: Any, *, both: bool) -> Callable[[], Mapping[str, float]]:
    strategy = _strategy()
    same = at.backtest(strategy, bars, cash=CASH, commission=COMMISSION, fill="same_close") if both else None
    extra = {"final_equity_same_close": float(same.metrics["final_equity"])} if same is not None else {}

    def run() -> Mapping[str, float]:
        metrics = dict(at.backtest(strategy, bars, cash=CASH, commission=COMMISSION).metrics)
        names = ("final_equity", "sharpe_ratio", "max_drawdown", "n_trades")
        return {**{name: float(metrics[name]) for name in names}, **extra}

    return run


def _kernels(bars: Any) -> Callable[[], Mapping[str, float]]:
    """From ready signals to orders, equity and every metric: no text, no frame, no check."""
    from algotrendy.backtest.engine import run as engine
    from algotrendy.backtest.setting import prepare
    from algotrendy.strategy.inputs import resolve

    setting, strategy = prepare(bars, cash=CASH, commission=COMMISSION), _strategy()
    inputs = resolve(strategy, bars, setting.arrays, strategy.parameters, setting.context)

    def run() -> Mapping[str, float]:
        return {"final_equity": engine(setting.arrays, inputs, setting.options).metrics["final_equity"]}

    return run


def _sweep(bars: Any, windows: list[int] | None = None, **levels: Any) -> Callable[[], Mapping[str, float]]:
    strategy = at.Strategy(entry=ENTRY, exit=EXIT, fast=FAST, slow=SLOW, **levels)
    grid = {"fast": windows or sweep_windows(), "slow": windows or sweep_windows()}

    def run() -> Mapping[str, float]:
        sweep = at.optimize(
            strategy, bars, grid, where="fast < slow", cash=CASH, commission=COMMISSION, workers=1, progress=False
        )
        table = sweep.table
        return {
            "best_sharpe": float(table["sharpe_ratio"].max()),
            "n_trades": float(table["n_trades"].sum()),
            "n": float(len(table)),
        }

    return run


def _library(bars: Any) -> Callable[[], Mapping[str, float]]:
    def seconds(name: str, grid: Mapping[str, Any]) -> float:
        start = time.perf_counter()
        sweep = at.optimize(
            at.strategies.LIBRARY[name](), bars, grid, cash=CASH, commission=COMMISSION, workers=1, progress=False
        )
        return (time.perf_counter() - start) / (len(sweep.table) * len(bars)) * 1e9

    def run() -> Mapping[str, float]:
        return {name: min(seconds(name, grid) for _ in range(2)) for name, grid in GRIDS.items()}

    return run


def write_bars(folder: Path) -> None:
    """Write the bars that every side reads."""
    daily = at.sample("NASDAQ").iloc[:5031]
    million = at.synthetic(n=1_000_000, interval="1m", seed=1)
    for name, bars in (("daily", daily), ("million", million)):
        columns = {column: bars[column].to_numpy() for column in ("open", "high", "low", "close", "volume")}
        np.savez(folder / f"{name}.npz", timestamps=bars.index.as_unit("ns").asi8, **columns)


def _bars(folder: str, name: str) -> Any:
    import pandas as pd

    with np.load(f"{folder}/{name}.npz") as arrays:
        index = pd.to_datetime(arrays["timestamps"], unit="ns")
        columns = {column: arrays[column] for column in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame(columns, index=index if name == "daily" else index.tz_localize("UTC"))


def main(folder: str) -> None:
    """Serve the tasks on the bars in `folder`."""
    daily = _bars(folder, "daily")
    serve(
        {
            "one": lambda: _one(daily, both=True),
            "one_kernel": lambda: _kernels(daily),
            "sweep": lambda: _sweep(daily),
            "sweep_stop": lambda: _sweep(daily, stop=STOP, size=SIZE),
            "sweep_small": lambda: _sweep(daily, sweep_windows()[:4]),
            "sweep_volatility": lambda: _sweep(daily, stop=STOP, trail=0.15, size=at.VolatilityTarget(0.15)),
            "library": lambda: _library(daily),
            "million": lambda: _one(_bars(folder, "million"), both=False),
        }
    )


if __name__ == "__main__":
    if sys.argv[1] == "--write-bars":
        write_bars(Path(sys.argv[2]))
    else:
        main(sys.argv[1])
