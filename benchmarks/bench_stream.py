"""The freshness of streams: a replay at 10,000 ticks a second to several subscribers, and how much one core carries.

Run with `taskset -c 0 python benchmarks/bench_stream.py [seconds]` (`--json`: the figures of `make bench`); everything
then shares one core: the source, the hub, every callback and every thread. Ticks carry the moment at which they are
due, so a source that falls behind shows as age and not as a slower feed. `fresh` is what the law asks for: p99 below
one second, nothing dropped.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from algotrendy.data.stream import (
    ReplaySource,
    StreamHub,
    StreamStatistics,
    Tick,
    live_bars,
    live_chart,
    sample_trades,
)

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
RATE = 10_000.0


def source(n: int, rate: float | None, stamp: Any) -> ReplaySource:
    trades = {name: sample_trades(n // len(SYMBOLS), seed=seed) for seed, name in enumerate(SYMBOLS)}
    made = ReplaySource(trades, speed=float("inf"), rate=rate, stamp=stamp)
    made.pause()
    return made


async def in_task(tick: Tick) -> None:
    """An async callback that does next to nothing."""


def in_thread(tick: Tick) -> None:
    """A plain callback that does next to nothing."""


def bars_of() -> Callable[[Any], None]:
    builder = live_bars("1s")

    def on_ticks(ticks: list[Tick]) -> None:
        builder.update(ticks)

    return on_ticks


def bricks_of() -> Callable[[Any], None]:
    builder = live_chart("renko", size=0.05)
    builder.update([Tick("warm", 0, 1.0, 1.0)])  # the kernel is compiled, or read from the cache

    def on_ticks(ticks: list[Tick]) -> None:
        builder.update(ticks)

    return on_ticks


SUBSCRIBERS: dict[str, tuple[Callable[[], Any], str]] = {
    "async callback, each tick": (lambda: in_task, "each"),
    "plain callback in its thread, each tick": (lambda: in_thread, "each"),
    "live bars of 1 s, in lots": (bars_of, "batch"),
    "live renko, in lots": (bricks_of, "batch"),
}


def row(name: str, found: StreamStatistics) -> str:
    fresh = found.freshness
    ages = (
        "        -         -         -"
        if fresh is None
        else "".join(f"{1e3 * value:9.2f} " for value in (fresh.seconds_p50, fresh.seconds_p99, fresh.seconds_max))
    )
    return f"  {name:42s}{found.delivered:>9,} {found.dropped:>8,} {ages}"


async def paced(seconds: float, names: tuple[str, ...]) -> tuple[float, list[tuple[str, StreamStatistics]]]:
    """Run the feed at its rate; return the processor's share and what each subscriber got."""
    feed = source(int(seconds * RATE), RATE, "scheduled")
    async with StreamHub(feed) as hub:
        ids = [
            (name, await hub.subscribe(SYMBOLS, SUBSCRIBERS[name][0](), deliver=SUBSCRIBERS[name][1]))  # type: ignore[arg-type]
            for name in names
        ]
        wall, cpu = time.perf_counter(), time.process_time()
        feed.resume()
        await hub.join()
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
        return share, [(name, hub.statistics(each)) for name, each in ids]


async def unpaced(n: int, names: tuple[str, ...]) -> tuple[float, int]:
    """Run as fast as everything is taken, nothing lost; return ticks a second and how many were lost."""
    feed = source(n, None, "recorded")
    hub = StreamHub(feed, overflow="wait")
    ids = [
        await hub.subscribe(SYMBOLS, SUBSCRIBERS[name][0](), deliver=SUBSCRIBERS[name][1])  # type: ignore[arg-type]
        for name in names
    ]
    wall = time.perf_counter()
    feed.resume()
    await hub.join()
    rate = n / (time.perf_counter() - wall)
    lost = sum(n - hub.statistics(each).delivered for each in ids)
    await hub.close()
    return rate, lost


def as_json(seconds: float) -> str:
    """Return how fresh ticks are for all subscribers at once: what `compare.py` reads."""
    _, found = asyncio.run(paced(seconds, tuple(SUBSCRIBERS)))
    ages = [each.freshness.seconds_p99 for _, each in found if each.freshness is not None]
    delivered, dropped = sum(each.delivered for _, each in found), sum(each.dropped for _, each in found)
    return json.dumps({"p99": max(ages), "subscribers": len(found), "delivered": delivered, "dropped": dropped})


def main() -> None:
    numbers = [float(text) for text in sys.argv[1:] if not text.startswith("--")]
    seconds = numbers[0] if numbers else 10.0
    if "--json" in sys.argv:
        print(as_json(seconds))
        return
    cores = len(os.sched_getaffinity(0))
    print(f"{RATE:,.0f} ticks a second for {seconds:g} s, {len(SYMBOLS)} symbols, on {cores} core(s)\n")
    print(f"  {'subscribers':42s}{'delivered':>9s} {'dropped':>8s} {'p50 ms':>9s} {'p99 ms':>9s} {'max ms':>9s}")
    fresh = True
    for names in (tuple(SUBSCRIBERS)[:1], tuple(SUBSCRIBERS)):
        share, found = asyncio.run(paced(seconds, names))
        for name, each in found:
            print(row(name, each))
            fresh &= each.dropped == 0 and each.freshness is not None and each.freshness.seconds_p99 < 1.0
        print(f"  {'':42s}{100.0 * share:8.0f} % of one core\n")
    print(f"  fresh: {'yes' if fresh else 'NO'} (p99 below 1 s, nothing dropped)\n")
    print("as fast as everything is taken, nothing lost:")
    for names in (tuple(SUBSCRIBERS)[:1], tuple(SUBSCRIBERS)[1:2], tuple(SUBSCRIBERS)[:2], tuple(SUBSCRIBERS)):
        runs = [asyncio.run(unpaced(100_000, names)) for _ in range(3)]
        best, typical = max(rate for rate, _ in runs), statistics.median(rate for rate, _ in runs)
        lost = sum(lost for _, lost in runs)
        print(
            f"  {len(names)} subscriber(s): {best:>9,.0f} ticks a second at best, {typical:>9,.0f} typical, {lost} lost"
            f"   ({', '.join(names)})"
        )
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
