"""What empyrical and quantstats take for risk measures and reports, on the returns that `bench_risk.py` makes.

Run as `python peer_risk.py rolling drawdown table page`, or some of these.

It runs in an environment of its own (`requirements-risk.txt`: empyrical needs an older peewee than ours has), needs
nothing of ours, and prints JSON: for each row the time and what was found. Where a library has no rolling value at risk
its function is given each window, as its own users do, over fewer points. Processor time; reports in wall time.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import empyrical
import numpy as np
import pandas as pd
import quantstats
from empyrical.utils import roll

POINTS, WINDOW, DAYS = 1_000_000, 252, 5_040
FEW, FEWER = 2_000, 600


def random_returns(n: int) -> pd.Series:
    """Fat-tailed returns of days: the same on every machine."""
    return pd.Series(np.random.default_rng(0).standard_t(5, n) * 0.008 + 0.0003)


def timed(call: Callable[[], Any], rounds: int, clock: Callable[[], float] = time.process_time) -> tuple[float, Any]:
    """Return the least time of a call in seconds, and its result."""
    best, found = np.inf, None
    for _ in range(rounds):
        begin = clock()
        found = call()
        best = min(best, clock() - begin)
    return best, found


def rolling() -> dict[str, dict[str, Any]]:
    """Value at risk and expected shortfall of each window: nanoseconds per window, and those of the last one."""
    found = {}
    returns = random_returns(FEW)

    def by_empyrical() -> tuple[Any, Any]:
        return tuple(
            roll(returns, function=one, window=WINDOW)
            for one in (empyrical.value_at_risk, empyrical.conditional_value_at_risk)
        )

    def by_quantstats() -> tuple[Any, Any]:
        windows = returns.iloc[:FEWER].rolling(WINDOW)
        return (
            windows.apply(quantstats.stats.value_at_risk).dropna(),
            windows.apply(lambda window: quantstats.stats.cvar(window, method="historical")).dropna(),
        )

    for name, call in (("empyrical", by_empyrical), ("quantstats", by_quantstats)):
        seconds, (tail, shortfall) = timed(call, 2)
        last = [float(tail.iloc[-1]), float(shortfall.iloc[-1])]
        found[name] = {"time": 1e9 * seconds / len(tail), "found": last, "windows": len(tail)}
    return found


def drawdown() -> dict[str, dict[str, Any]]:
    """The largest drawdown of a million returns with dates: nanoseconds per point."""
    returns = random_returns(POINTS)
    returns.index = pd.date_range("2000-01-01", periods=POINTS, freq="min")
    found = {}
    for name, call in (("empyrical", empyrical.max_drawdown), ("quantstats", quantstats.stats.max_drawdown)):
        seconds, lost = timed(lambda call=call: call(returns), 5)
        found[name] = {"time": 1e9 * seconds / POINTS, "found": float(lost)}
    return found


def dated() -> pd.Series:
    """Twenty years of days with dates."""
    returns = random_returns(DAYS)
    returns.index = pd.bdate_range("2005-01-03", periods=DAYS)
    return returns


def table() -> dict[str, dict[str, Any]]:
    """Every measure of twenty years of days: milliseconds."""
    returns = dated()
    seconds, frame = timed(lambda: quantstats.reports.metrics(returns, mode="full", display=False), 3)
    return {"quantstats": {"time": 1e3 * seconds, "found": len(frame)}}


def page() -> dict[str, dict[str, Any]]:
    """The page on twenty years of days: seconds."""
    returns = dated()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        seconds, _ = timed(lambda: quantstats.reports.html(returns, output=str(path)), 3, time.perf_counter)
        return {"quantstats": {"time": seconds, "found": path.stat().st_size}}


def main(rows: list[str]) -> None:
    """Print the figures of each peer for the rows that were asked for."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # matplotlib misses a font
    known = {"rolling": rolling, "drawdown": drawdown, "table": table, "page": page}
    print(json.dumps({name: known[name]() for name in rows}))


if __name__ == "__main__":
    main(sys.argv[1:])
