"""Are the p-values of `procedure_test` uniform where there is nothing to find?

Run as `python benchmarks/procedure_uniform.py [--sets 300] [--paths 99] [row ...]`. Many data sets without any edge are
made, the test is run on each, and its p-values are held against the uniform distribution: Kolmogorov-Smirnov, and the
share at or below 5 %. Then rows in which the null does not fit the data show what that looks like.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import kstest

import algotrendy as at
from algotrendy.backtest.procedure import procedure_test

BARS = 500
GRID = {"fast": [3, 5, 10], "slow": [20, 40]}
GARCH = (2e-6, 0.10, 0.88)
"""Constant, news and memory: a volatility of 1 % a day that comes in spells."""


def normal(rng: np.random.Generator) -> np.ndarray:
    """Return independent normal log returns."""
    return rng.normal(0.0, 0.01, BARS)


def fat(rng: np.random.Generator) -> np.ndarray:
    """Return independent log returns with fat tails (Student, 4 degrees of freedom)."""
    return rng.standard_t(4, BARS) * 0.007


def garch(rng: np.random.Generator) -> np.ndarray:
    """Return log returns whose volatility comes in spells."""
    constant, news, memory = GARCH
    variance, found = constant / (1.0 - news - memory), np.empty(BARS + 200)
    for k, shock in enumerate(rng.standard_normal(found.size)):
        found[k] = np.sqrt(variance) * shock
        variance = constant + news * found[k] ** 2 + memory * variance
    return found[200:]


def drifting(rng: np.random.Generator) -> np.ndarray:
    """Return independent normal log returns of a market that rises by 20 % a year."""
    return rng.normal(0.0008, 0.01, BARS)


def skewed(rng: np.random.Generator) -> np.ndarray:
    """Return independent log returns of mean zero: many small gains, few large losses."""
    return 0.01 * (1.0 - rng.exponential(1.0, BARS))


def persistent(rng: np.random.Generator) -> np.ndarray:
    """Return log returns that repeat a fifth of the last one: there is an edge."""
    found = rng.normal(0.0, 0.01, BARS)
    for k in range(1, BARS):
        found[k] += 0.2 * found[k - 1]
    return found


class Row(NamedTuple):
    """One line: what the data is, and which null it is tested against."""

    data: Callable[[np.random.Generator], np.ndarray]
    null: str
    options: dict[str, Any]
    fits: bool
    short: bool = True


ROWS = {
    "normal-block": Row(normal, "block", {}, True),
    "normal-sign": Row(normal, "sign", {}, True),
    "normal-garch": Row(normal, "garch", {}, True),
    "fat-block": Row(fat, "block", {}, True),
    "fat-sign": Row(fat, "sign", {}, True),
    "garch-garch": Row(garch, "garch", {}, True),
    "garch-sign": Row(garch, "sign", {}, True),
    "garch-block": Row(garch, "block", {}, True),
    "drift-kept": Row(drifting, "block", {"keep_drift": True}, True, False),
    "drift-block": Row(drifting, "block", {}, False, False),
    "skewed-sign": Row(skewed, "sign", {}, False),
    "persistent-block-1": Row(persistent, "block", {"block": 1.0}, False),
}


def bars_of(log_returns: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return bars that close by these returns and open where the last one closed."""
    close = 100.0 * np.exp(np.cumsum(log_returns))
    open_ = np.concatenate(([100.0], close[:-1]))
    reach = np.exp(0.003 * np.abs(rng.standard_normal((2, BARS))))
    columns = {"open": open_, "high": np.maximum(open_, close) * reach[0], "low": np.minimum(open_, close) / reach[1]}
    return pd.DataFrame({**columns, "close": close}, index=pd.bdate_range("2020-01-01", periods=BARS))


def strategy(*, short: bool) -> at.Strategy:
    """Return a crossing of averages, long and short or long alone."""
    up, down = "sma(close, fast) > sma(close, slow)", "sma(close, fast) < sma(close, slow)"
    sides = {"short_entry": down, "short_exit": up} if short else {}
    return at.Strategy(entry=up, exit=down, fast=5, slow=20, **sides)


def p_value(task: tuple[str, int, int]) -> float:
    """Return the p-value of one data set."""
    name, number, paths = task
    row = ROWS[name]
    rng = np.random.default_rng([sum(name.encode()), number])
    bars = bars_of(row.data(rng), rng)
    test = procedure_test(
        strategy(short=row.short), bars, GRID, paths=paths, null=row.null, seed=number, workers=1, progress=False,
        **row.options,
    )  # fmt: skip
    return test.p_value


def p_values(name: str, sets: int, paths: int, workers: int = 1) -> np.ndarray:
    """Return the p-value of each data set; they come in steps of 1 / (paths + 1), as they should."""
    tasks = [(name, number, paths) for number in range(sets)]
    if workers == 1:
        return np.array([p_value(task) for task in tasks])
    with ProcessPoolExecutor(workers) as pool:
        return np.array(list(pool.map(p_value, tasks, chunksize=4)))


def smoothed(values: np.ndarray, paths: int) -> np.ndarray:
    """Return p-values spread evenly over their steps, so that a continuous distribution can be held against them."""
    return values - np.random.default_rng(0).random(values.size) / (paths + 1)


def main() -> None:
    """Print one line per row."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("rows", nargs="*", default=list(ROWS))
    options.add_argument("--sets", type=int, default=300)
    options.add_argument("--paths", type=int, default=99)
    options.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    chosen = options.parse_args()
    print(f"{chosen.sets} data sets of {BARS} bars, 6 combinations, {chosen.paths} null paths each")
    print(f"{'row':22}{'null fits':>10}{'KS p':>10}{'mean p':>9}{'p <= 5 %':>10}{'seconds':>9}")
    for name in chosen.rows:
        begin = time.perf_counter()
        found = p_values(name, chosen.sets, chosen.paths, chosen.workers)
        ks = kstest(smoothed(found, chosen.paths), "uniform").pvalue
        share, taken = float(np.mean(found <= 0.05)), time.perf_counter() - begin
        fits = "yes" if ROWS[name].fits else "no"
        print(f"{name:22}{fits:>10}{ks:>10.3g}{found.mean():>9.3f}{share:>10.1%}{taken:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
