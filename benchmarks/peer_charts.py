"""Nanoseconds per trade of mplfinance, stocktrends and mlfinpy, on the trades that `bench_charts.py` makes.

It runs in an environment of its own (`requirements-charts.txt`), needs nothing of ours, and prints JSON. Each peer is
given what suits it; those that take long are given fewer trades. Rows are counted: that shows that all did the job.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

BRICK, TICKS, UNITS, DOLLARS, EXPECTED = 0.1, 500, 125_000.0, 12_500_000.0, 1000
FEW = 20_000
SOME = 200_000


def trades(n: int) -> tuple[Any, Any, Any]:
    """Return stamps (microseconds), prices on a grid of cents, and sizes: the same on every machine."""
    rng = np.random.default_rng(0)
    steps = rng.choice([-1, 0, 0, 1], n)
    price = (10_000 + np.cumsum(steps)) / 100.0
    size = rng.integers(1, 500, n).astype(np.float64)
    stamps = 1_700_000_000_000_000 + np.cumsum(rng.integers(0, 1_000_000, n))
    return stamps, price, size


def timed(function: Callable[[], int], n: int, rounds: int) -> dict[str, float]:
    """Return the best time per trade, in nanoseconds, and the number of rows."""
    shortest, rows = np.inf, 0
    for _ in range(rounds):
        start = time.perf_counter()
        rows = function()
        shortest = min(shortest, time.perf_counter() - start)
    return {"ns": shortest / n * 1e9, "rows": rows, "trades": n}


def renko_of_mplfinance(n: int) -> dict[str, float]:
    """Time the construction of its bricks, without a picture."""
    from mplfinance._utils import _construct_renko_collections

    stamps, price, size = trades(n)
    arguments = (stamps / 1e6, price, price, size, {"brick_size": BRICK, "atr_length": 14}, price)
    return timed(lambda: len(_construct_renko_collections(*arguments)[1]["values"]), n, 3)


def renko_of_stocktrends(n: int) -> dict[str, float]:
    """Time its bricks by closes."""
    import pandas as pd
    from stocktrends import Renko

    stamps, price, _ = trades(n)
    columns = {"date": stamps, "open": price, "high": price, "low": price, "close": price}
    frame = pd.DataFrame(columns)

    def run() -> int:
        renko = Renko(frame)
        renko.brick_size = BRICK
        return len(renko.get_ohlc_data())

    return timed(run, n, 1)


def bars_of_mlfinpy(n: int) -> dict[str, dict[str, float]]:
    """Time its bars of activity and of flow."""
    import pandas as pd
    from mlfinpy import data_structure as bars

    stamps, price, size = trades(n)
    frame = pd.DataFrame({"date_time": pd.to_datetime(stamps, unit="us"), "price": price, "volume": size})
    few = frame.iloc[:FEW]
    flow = {"exp_num_ticks_init": EXPECTED, "expected_imbalance_window": 10 * EXPECTED, "verbose": False}
    flow["exp_num_ticks_constraints"] = [EXPECTED / 10, EXPECTED * 10]
    calls: dict[str, Callable[[], Any]] = {
        "tick": lambda: bars.get_tick_bars(frame, threshold=TICKS, verbose=False),
        "volume": lambda: bars.get_volume_bars(frame, threshold=UNITS, verbose=False),
        "dollar": lambda: bars.get_dollar_bars(frame, threshold=DOLLARS, verbose=False),
        "imbalance": lambda: bars.get_ema_tick_imbalance_bars(few, **flow)[0],
        "runs": lambda: bars.get_ema_tick_run_bars(few, **flow)[0],
    }
    counts = dict.fromkeys(calls, n) | {"imbalance": len(few), "runs": len(few)}
    return {name: timed(lambda call=call: _count(call()), counts[name], 1) for name, call in calls.items()}


def _count(frame: Any) -> int:
    return 0 if frame is None else len(frame)


def main() -> None:
    """Print the figures of each style and peer."""
    found: dict[str, dict[str, Any]] = {
        "renko": {"mplfinance": renko_of_mplfinance(SOME), "stocktrends": renko_of_stocktrends(FEW)}
    }
    for name, figures in bars_of_mlfinpy(SOME).items():
        found[name] = {"mlfinpy": figures}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
