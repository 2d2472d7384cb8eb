"""Nanoseconds per trade of every chart style, in one process, on one core.

Two figures: the whole public call, which checks the trades and takes and gives frames, and is what the budget is for;
and from arrays to rows alone, which is what a style costs.

Run as `python benchmarks/bench_charts.py [trades]`; `peer_charts.py` times the peers on the same trades in an
environment of their own, because one of them needs an older numpy. The fastest of several runs counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from peer_charts import BRICK, DOLLARS, EXPECTED, TICKS, UNITS, trades

from algotrendy import charts
from algotrendy.charts.feed import as_feed
from algotrendy.charts.machine import Machine

N_TRADES = 1_000_000
ROUNDS = 60
BUDGET_NS = 3.0
FAST = ("renko", "range", "tick", "volume", "dollar")
"""The styles that have a budget; the others are stated."""

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "renko": ("renko", {"size": BRICK}),
    "range": ("range", {"size": 2 * BRICK}),
    "tick": ("tick", {"size": TICKS}),
    "volume": ("volume", {"size": UNITS}),
    "dollar": ("dollar", {"size": DOLLARS}),
    "volume, split": ("volume", {"size": UNITS, "split": True}),
    "kagi": ("kagi", {"reversal": 2 * BRICK}),
    "point_figure": ("point_figure", {"box": BRICK}),
    "line_break": ("line_break", {}),
    "time, 1 minute": ("time", {"rule": "1m"}),
    "imbalance": ("imbalance", {"expected_ticks": EXPECTED}),
    "runs": ("runs", {"expected_ticks": EXPECTED}),
}


class Row(NamedTuple):
    """What was measured, in nanoseconds per trade: from arrays to rows, and the whole call from frame to frame."""

    name: str
    arrays_ns: float
    whole_ns: float
    n_rows: int


def best_of(function: Callable[[], Any], rounds: int) -> float:
    """Return the shortest of several runs, in seconds."""
    shortest = np.inf
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        shortest = min(shortest, time.perf_counter() - start)
    return float(shortest)


def machine_of(style: str, params: dict[str, Any]) -> Machine:
    """Return a fresh machine of a style, as a stream holds it."""
    stream: Any = charts.stream(style, **params)
    machine: Machine = stream._machine
    return machine


def measured(name: str, frame: pd.DataFrame, rounds: int) -> Row:
    """Time one style: what the public function does with arrays, and with the checks and frames around it."""
    style, params = CASES[name]
    n_rows = len(charts.chart(frame, style, **params))
    feed = as_feed(frame)
    whole = best_of(lambda: charts.chart(frame, style, **params), rounds) / len(frame) * 1e9
    machines = iter([machine_of(style, params) for _ in range(rounds)])
    arrays = best_of(lambda: next(machines).advance(feed), rounds) / len(frame) * 1e9
    return Row(name, arrays, whole, n_rows)


def stream_microseconds(frame: pd.DataFrame) -> float:
    """Return the time of one event of a renko stream."""
    events = list(zip(frame.index[:5_000], frame["price"], frame["size"], strict=False))

    def feed() -> None:
        stream = charts.stream("renko", size=BRICK)
        for event in events:
            stream.update(event)

    feed()
    return best_of(feed, 5) / len(events) * 1e6


def main(arguments: Sequence[str]) -> None:
    """Print the table, or its rows as JSON with `--json`."""
    numbers = [int(text.replace("_", "")) for text in arguments if text.replace("_", "").isdigit()]
    n = numbers[0] if numbers else N_TRADES
    stamps, price, size = trades(n)
    index = pd.DatetimeIndex(stamps.view("M8[us]")).tz_localize("UTC")
    frame = pd.DataFrame({"price": price, "size": size}, index=index)
    rows = [measured(name, frame, ROUNDS) for name in CASES]
    stream = stream_microseconds(frame)
    if "--json" in arguments:
        print(json.dumps({"rows": [row._asdict() for row in rows], "stream_us": stream}))
        return
    print(f"{n:,} trades, one core")
    print(f"{'style':16} {'arrays ns':>9} {'whole ns':>9} {'rows':>9}")
    for row in rows:
        verdict = "" if row.name not in FAST else "PASS" if row.whole_ns <= BUDGET_NS else "OVER"
        print(f"{row.name:16} {row.arrays_ns:9.2f} {row.whole_ns:9.2f} {row.n_rows:9,}  {verdict}")
    print(f"one event of a renko stream: {stream:.1f} us")


if __name__ == "__main__":
    main(sys.argv[1:])
