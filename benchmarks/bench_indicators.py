"""Nanoseconds per bar of every indicator against TA-Lib, in one process, on one core.

Run as `python benchmarks/bench_indicators.py [bars]` in an environment with TA-Lib; without it, our column alone.
The two take turns and the fastest of several runs counts, so a busy machine slows both alike.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from algotrendy import indicators as ours

try:
    import talib
except ImportError:
    talib = None

N_BARS = 1_000_000
ROUNDS = 40
BUDGETS_NS = {"sma": 3.0, "ema": 3.0, "rsi": 3.0, "atr": 3.0, "obv": 3.0, "macd": 8.0, "bollinger": 8.0}
OVERHEAD_BUDGET_US = 30.0
TIE = 1.1  # where both wait for the memory, timings differ by as much from run to run


class Case(NamedTuple):
    """One indicator: how we call it and how TA-Lib does."""

    name: str
    columns: str
    ours: Callable[..., Any]
    peer: str | None
    peer_options: tuple[float, ...] = ()


CASES = (
    Case("sma", "c", lambda c: ours.sma(c, 20), "SMA", (20,)),
    Case("ema", "c", lambda c: ours.ema(c, 20), "EMA", (20,)),
    Case("wma", "c", lambda c: ours.wma(c, 20), "WMA", (20,)),
    Case("rsi", "c", lambda c: ours.rsi(c, 14), "RSI", (14,)),
    Case("macd", "c", lambda c: ours.macd(c, 12, 26, 9), "MACD", (12, 26, 9)),
    Case("momentum", "c", lambda c: ours.momentum(c, 10), "MOM", (10,)),
    Case("roc", "c", lambda c: ours.roc(c, 10), "ROC", (10,)),
    Case("stochastic", "hlc", lambda h, l, c: ours.stochastic(h, l, c, 14), "STOCH", (14, 3, 0, 3, 0)),
    Case("williams_r", "hlc", lambda h, l, c: ours.williams_r(h, l, c, 14), "WILLR", (14,)),
    Case("cci", "hlc", lambda h, l, c: ours.cci(h, l, c, 20), "CCI", (20,)),
    Case("highest", "h", lambda h: ours.highest(h, 20), "MAX", (20,)),
    Case("lowest", "l", lambda l: ours.lowest(l, 20), "MIN", (20,)),
    Case("highest 252", "h", lambda h: ours.highest(h, 252), "MAX", (252,)),
    Case("true_range", "hlc", lambda h, l, c: ours.true_range(h, l, c), "TRANGE"),
    Case("atr", "hlc", lambda h, l, c: ours.atr(h, l, c, 14), "ATR", (14,)),
    Case("stdev", "c", lambda c: ours.stdev(c, 20), "STDDEV", (20,)),
    Case("bollinger", "c", lambda c: ours.bollinger(c, 20, 2.0), "BBANDS", (20, 2.0, 2.0)),
    Case("adx", "hlc", lambda h, l, c: ours.adx(h, l, c, 14), "ADX", (14,)),
    Case("plus_di", "hlc", lambda h, l, c: ours.plus_di(h, l, c, 14), "PLUS_DI", (14,)),
    Case("minus_di", "hlc", lambda h, l, c: ours.minus_di(h, l, c, 14), "MINUS_DI", (14,)),
    Case("sar", "hl", lambda h, l: ours.sar(h, l), "SAR", (0.02, 0.2)),
    Case("obv", "cv", lambda c, v: ours.obv(c, v), "OBV"),
    Case("mfi", "hlcv", lambda h, l, c, v: ours.mfi(h, l, c, v, 14), "MFI", (14,)),
    Case("vwap", "hlcv", lambda h, l, c, v: ours.vwap(h, l, c, v, 20), None),
    Case("session_vwap", "hlcvs", lambda h, l, c, v, s: ours.session_vwap(h, l, c, v, sessions=s), None),
    Case("keltner", "hlc", lambda h, l, c: ours.keltner(h, l, c), None),
    Case("donchian", "hl", lambda h, l: ours.donchian(h, l), None),
    Case("supertrend", "hlc", lambda h, l, c: ours.supertrend(h, l, c), None),
    Case("ichimoku", "hl", lambda h, l: ours.ichimoku(h, l), None),
)


class Row(NamedTuple):
    """One line of the table, times per bar in nanoseconds, the fixed overhead of a call in microseconds."""

    name: str
    ours_ns: float
    peer_ns: float
    overhead_us: float

    @property
    def ratio(self) -> float:
        return self.ours_ns / self.peer_ns

    @property
    def verdict(self) -> str:
        budget = BUDGETS_NS.get(self.name)
        if self.overhead_us > OVERHEAD_BUDGET_US:
            return "over: call"
        if budget:
            return "ok" if self.ours_ns <= budget else "over"
        if self.ratio > TIE:
            return "over"
        return "tie" if self.ratio > 1.0 else "ok"


def make_bars(n_bars: int) -> dict[str, Any]:
    """Return a random walk of minute bars: open to volume, and session labels."""
    rng = np.random.default_rng(7)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.001, n_bars)))
    other = close * (1.0 + rng.normal(0.0, 0.001, n_bars))
    high = np.maximum(close, other) * (1.0 + np.abs(rng.normal(0.0, 0.001, n_bars)))
    low = np.minimum(close, other) * (1.0 - np.abs(rng.normal(0.0, 0.001, n_bars)))
    volume = rng.integers(1, 10_000, n_bars).astype(np.float64)
    return {"h": high, "l": low, "c": close, "v": volume, "s": np.arange(n_bars) // 390}


def seconds(call: Callable[[], Any]) -> float:
    """Return how long one call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def race(calls: Sequence[Callable[[], Any]], rounds: int = ROUNDS) -> list[float]:
    """Return the fastest time of each call, the calls taking turns."""
    for call in calls:
        call()
    times = [[seconds(call) for call in calls] for _ in range(rounds)]
    return [min(column) for column in zip(*times, strict=True)]


def measure(case: Case, bars: dict[str, Any], n_bars: int) -> Row:
    """Return the line of one indicator."""
    inputs = [bars[column] for column in case.columns]
    calls: list[Callable[[], Any]] = [lambda: case.ours(*inputs)]
    if talib is not None and case.peer:
        peer = getattr(talib, case.peer)
        calls.append(lambda: peer(*inputs, *case.peer_options))
    best = race(calls)
    few = [values[:200] for values in inputs]
    overhead = race([lambda: case.ours(*few)], rounds=300)[0]
    to_ns = 1e9 / n_bars
    peer_ns = best[1] * to_ns if len(best) > 1 else float("nan")
    # The budget is so much a bar and so much a call; the second is a call on few bars, and has a row of its own.
    return Row(case.name, (best[0] - overhead) * to_ns, peer_ns, overhead * 1e6)


def main(arguments: Sequence[str]) -> None:
    """Print the table, or with `--json` the rows."""
    numbers = [int(argument) for argument in arguments if argument.isdigit()]
    n_bars = numbers[0] if numbers else N_BARS
    bars = make_bars(n_bars)
    rows = [measure(case, bars, n_bars) for case in CASES]
    if "--json" in arguments:
        print(json.dumps([row._asdict() for row in rows]))
        return
    print(f"{n_bars:,} bars, arrays in and out; ours without the overhead of a call, which is a whole call on 200 bars")
    print(f"{'indicator':14} {'ns/bar':>7} {'TA-Lib':>7} {'ratio':>6} {'call us':>8}  budget")
    for row in rows:
        times = f"{row.ours_ns:7.2f} {row.peer_ns:7.2f} {row.ratio:6.2f} {row.overhead_us:8.1f}"
        print(f"{row.name:14} {times}  {row.verdict}")


if __name__ == "__main__":
    main(sys.argv[1:])
