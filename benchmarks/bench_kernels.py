"""The kernels of the engine alone, one core: microseconds per combination of 5,031 daily bars, and a million bars.

Run with `python benchmarks/bench_kernels.py`. Signals are those of a moving-average cross; evaluating conditions is not
part of it. The first lines tell how long the kernels take to compile or to load from the cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.engine import Options, run
from algotrendy.kernels.bars import BarArrays
from algotrendy.kernels.orders import walk
from algotrendy.kernels.orders_plain import Plain, run_plain
from algotrendy.kernels.orders_types import Exits, empty_orders, orders_max
from algotrendy.kernels.statistics import statistics
from algotrendy.kernels.statistics_curve import Curve, follow
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.strategy.inputs import RunInputs

NONE, ALL_IN = np.array([np.nan]), np.array([1.0])


def random_bars(n: int) -> BarArrays:
    rng = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0004, 0.011, n) * np.sqrt(5_031 / n)))
    open_ = np.concatenate((close[:1], close[:-1])) * (1.0 + rng.normal(0.0, 0.002, n))
    high = np.maximum(open_, close) * (1.0 + np.abs(rng.normal(0.0, 0.004, n)))
    low = np.minimum(open_, close) * (1.0 - np.abs(rng.normal(0.0, 0.004, n)))
    return BarArrays(open_, high, low, close, np.ones(n))


def cross(close: np.ndarray[Any, Any], fast: int, slow: int, *, short: bool = False) -> Any:
    """Long while the fast average is above the slow one; short otherwise, if wanted."""
    total = np.concatenate(([0.0], np.cumsum(close)))
    averages = [np.full(close.size, np.nan) for _ in range(2)]
    for average, window in zip(averages, (fast, slow), strict=True):
        average[window - 1 :] = (total[window:] - total[:-window]) / window
    mask = np.zeros((4, -(-close.size // 64) * 64), dtype=bool)
    mask[0, : close.size], mask[1, : close.size] = averages[0] > averages[1], averages[0] <= averages[1]
    if short:
        mask[2], mask[3] = mask[1], mask[0]
    return np.packbits(mask, axis=1, bitorder="little").view(np.uint64)


@numba.njit
def repeated(times: int, words: Any, market: Any, rules: Any, exits: Any, orders: Any, out: Any) -> int:
    """Orders and metrics of one combination, again and again, as a sweep calls them."""
    n_orders = 0
    for _ in range(times):
        n_orders = walk(words, market, rules, exits, orders)[0]
        if out.size > 0:
            statistics(market, rules, orders, n_orders, out)
    return n_orders


def best_of(function: Callable[[], Any], rounds: int) -> float:
    """Return the shortest of several runs, in seconds."""
    shortest = np.inf
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        shortest = min(shortest, time.perf_counter() - start)
    return float(shortest)


def first_calls(bars: BarArrays, options: Options) -> None:
    words, market, rules = cross(bars.close, 20, 120), options.market(bars), options.rules(0)
    exits, orders = Exits(NONE, NONE, NONE, ALL_IN), empty_orders(orders_max(bars.close.size))
    equity = np.empty(bars.close.size)
    plain = Plain(words, market.open, market.close, ALL_IN, np.empty(0, np.int64))
    curve = Curve(equity, equity, np.empty(0, np.int64), equity.size)
    calls: list[tuple[str, Callable[[], Any]]] = [
        ("run_plain", lambda: run_plain(plain, rules, orders, equity)),
        ("walk", lambda: walk(words, market, rules, exits, orders)),
        ("follow", lambda: follow(market, rules, orders, 1, curve)),
        ("statistics", lambda: statistics(market, rules, orders, 1, np.empty(len(METRICS)))),
    ]
    for name, call in calls:
        print(f"first call of {name:10} {best_of(call, 1):6.2f} s")


def combinations(bars: BarArrays, options: Options) -> None:
    market, rules, out = options.market(bars), options.rules(0), np.empty(len(METRICS))
    orders, none = empty_orders(orders_max(bars.close.size)), np.empty(0)
    level = {
        name: np.array([value]) for name, value in (("stop", 0.05), ("target", 0.1), ("trail", 0.1), ("tight", 0.03))
    }
    cases = {
        "plain": (False, Exits(NONE, NONE, NONE, ALL_IN)),
        "long and short": (True, Exits(NONE, NONE, NONE, ALL_IN)),
        "stop, target, half in": (False, Exits(level["stop"], level["target"], NONE, np.array([0.5]))),
        "trail of 10 %": (False, Exits(NONE, NONE, level["trail"], ALL_IN)),
        "trail of 3 %": (False, Exits(NONE, NONE, level["tight"], ALL_IN)),
    }
    for name, (short, exits) in cases.items():
        words = cross(bars.close, 20, 120, short=short)
        n_orders = repeated(1, words, market, rules, exits, orders, out)
        walked = best_of(lambda w=words, e=exits: repeated(50, w, market, rules, e, orders, none), 200) / 50
        whole = best_of(lambda w=words, e=exits: repeated(50, w, market, rules, e, orders, out), 200) / 50
        print(f"{name:22} walk {walked * 1e6:6.2f} us, walk and statistics {whole * 1e6:6.2f} us, {n_orders} orders")


def single_runs(n: int, options: Options) -> None:
    bars = random_bars(n)
    words = cross(bars.close, 20, 120)
    for name, trail in (("plain", NONE), ("trail of 10 %", np.array([0.1]))):
        inputs = RunInputs(words, NONE, NONE, trail, ALL_IN, 0)
        run(bars, inputs, options)
        taken = best_of(lambda i=inputs: run(bars, i, options), 200 if n < 100_000 else 10)
        print(f"one run, {n:,} bars, {name:14} {taken * 1e3:7.3f} ms")


if __name__ == "__main__":
    chosen = Options(fees=Fees(rate=0.0005))
    first_calls(random_bars(5_031), chosen)
    combinations(random_bars(5_031), chosen)
    single_runs(5_031, chosen)
    single_runs(1_000_000, chosen)
