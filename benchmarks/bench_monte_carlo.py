"""Monte Carlo against NumPy, and the procedure test, in one process, on one core.

Run as `python benchmarks/bench_monte_carlo.py`. Ours goes through the public API; NumPy draws a matrix of places,
gathers, and follows wealth and its peak. They take turns and the fastest of several runs counts; that both see the same
distribution is checked first.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import ks_2samp
from worker import COMMISSION, ENTRY, EXIT, FAST, SLOW, sweep_windows

import algotrendy as at
from algotrendy.backtest.monte_carlo import monte_carlo
from algotrendy.backtest.procedure import procedure_test

PATHS, HORIZON, RETURNS, DAILY = 100_000, 252, 1_000, 5_031
TIMES_NUMPY, PROCEDURE_BUDGET_S, NULL_PATHS = 10.0, 150.0, 1_000


class Row(NamedTuple):
    """One line of the table; `peer` is NumPy, NaN where it has no such thing."""

    title: str
    unit: str
    ours: float
    peer: float = float("nan")
    budget: float | None = None
    note: str = ""


def by_numpy(returns: np.ndarray, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return the terminal wealth and the largest drawdown of each path."""
    places = np.random.default_rng(seed).integers(0, returns.size, size=(PATHS, HORIZON))
    wealth = np.cumprod(1.0 + returns[places], axis=1)
    peak = np.maximum.accumulate(np.maximum(wealth, 1.0), axis=1)
    return wealth[:, -1], (1.0 - wealth / peak).max(axis=1)


def race(calls: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Return the fastest time of each call in seconds, the calls taking turns."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for taken, call in zip(times, calls, strict=True):
            begin = time.perf_counter()
            call()
            taken.append(time.perf_counter() - begin)
    return [min(taken) for taken in times]


def bootstrap_rows() -> list[Row]:
    """A hundred thousand paths of a year, by each method that has a kernel; the first beside NumPy."""
    returns = np.random.default_rng(0).normal(0.0004, 0.01, RETURNS)

    def ours(method: str = "bootstrap", **options: Any) -> Any:
        return monte_carlo(returns, method=method, paths=PATHS, horizon=HORIZON, workers=1, progress=False, **options)

    found, theirs = ours(), by_numpy(returns)
    assert ks_2samp(found.terminal_wealth[:20_000], theirs[0][:20_000]).pvalue > 1e-3
    assert ks_2samp(found.max_drawdown[:20_000], theirs[1][:20_000]).pvalue > 1e-3
    mine, numpy = race([ours, lambda: by_numpy(returns)], 5)
    title = f"bootstrap Monte Carlo, {PATHS:,} x {HORIZON} (budget: a tenth of numpy)"
    note = f"{numpy / mine:.1f} times as fast; {mine / (PATHS * HORIZON) * 1e9:.2f} ns per step"
    rows = [Row(title, "ms", mine * 1e3, numpy * 1e3, numpy * 1e3 / TIMES_NUMPY, note)]
    for method, options in (("stationary", {"block": 20}), ("circular", {"block": 20}), ("garch", {})):
        ours(method, **options)
        rows.append(Row(f"the same, {method}", "ms", race([lambda: ours(method, **options)], 3)[0] * 1e3))  # noqa: B023
    return rows


def procedure_rows(n: int = 20) -> list[Row]:
    """10,011 pairs on 5,031 bars again and again: a few null paths, and what a thousand of them come to."""
    bars = at.sample("NASDAQ").iloc[:DAILY]
    strategy = at.Strategy(entry=ENTRY, exit=EXIT, fast=FAST, slow=SLOW)
    grid = {"fast": sweep_windows(), "slow": sweep_windows()}
    options: dict[str, Any] = {"commission": COMMISSION, "where": "fast < slow", "workers": 1, "progress": False}

    def test(paths: int) -> float:
        begin = time.perf_counter()
        procedure_test(strategy, bars, grid, paths=paths, **options)
        return time.perf_counter() - begin

    def sweep() -> object:
        return at.optimize(strategy, bars, grid, **options)

    sweep()
    test(1)
    fixed = min(test(1) for _ in range(3))
    each = (min(test(n + 1) for _ in range(2)) - fixed) / n
    alone = race([sweep], 5)[0]
    note = f"{n} paths measured, {each * 1e3:.0f} ms each; one sweep alone {alone * 1e3:.0f} ms"
    whole = fixed + each * (NULL_PATHS - 1)
    return [
        Row("procedure test, 10,011 pairs x 1,000 paths x 5,031 bars", "s", whole, budget=PROCEDURE_BUDGET_S, note=note)
    ]


def measure() -> list[Row]:
    """Return every row."""
    return [*bootstrap_rows(), *procedure_rows()]


def main(arguments: Sequence[str]) -> None:
    """Print the table, or with `--json` the rows."""
    rows = measure()
    if "--json" in arguments:
        print(json.dumps([row._asdict() for row in rows]))
        return
    for row in rows:
        peer = "" if np.isnan(row.peer) else f"numpy {row.peer:,.3g} ({row.peer / row.ours:.3g}x)"
        over = "" if row.budget is None else f"budget {row.budget:.3g}: {'ok' if row.ours <= row.budget else 'over'}"
        print(f"{row.title:70} {row.ours:10,.3g} {row.unit:4} {over:18} {peer}")
        if row.note:
            print(f"    {row.note}")


if __name__ == "__main__":
    main(sys.argv[1:])
