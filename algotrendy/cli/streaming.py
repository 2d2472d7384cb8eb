"""Listening to a stream for a while: what `algotrendy data stream` does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algotrendy.errors import DataError, InputError

if TYPE_CHECKING:
    import pandas as pd

SYMBOL = "SAMPLE"


async def replayed(
    trades: Path | None, seconds: float, speed: float, interval: str, show: Callable[[str], None]
) -> str:
    """Replay trades through a hub, show each bar as it completes, and return the counts in a sentence.

    Parameters
    ----------
    trades : path, optional
        A file with `time` (UTC), `price` and `size`; None: seeded sample trades.
    seconds : float
        Ends after so long, or with the recording.
    speed : float
        Recorded seconds per second.
    interval : str
        Length of the bars.
    show : callable
        Takes a line.
    """
    from algotrendy.data.stream import ReplaySource, StreamHub, live_bars, sample_trades

    if not seconds > 0.0:
        raise InputError(f"--seconds is {seconds}; expected a number above zero")
    name = SYMBOL if trades is None else trades.stem
    recorded = sample_trades() if trades is None else _read(trades)
    builder = live_bars(interval)

    def heard(tick: Any) -> None:
        for bar in builder.update([tick]):
            show(_line(bar))

    # At the recorded pace as if the trades were made now, which shows how long a tick takes to arrive; faster than that
    # their own times count, or a minute of them would not make a bar of a minute.
    source = ReplaySource({name: recorded}, speed=speed, stamp="scheduled" if speed == 1.0 else "recorded")
    async with StreamHub(source, heartbeat_seconds=None) as hub:
        subscription = await hub.subscribe([name], heard)
        with contextlib.suppress(TimeoutError):  # the time that was asked for is over
            await asyncio.wait_for(hub.join(), timeout=seconds)
        counts = hub.statistics(subscription)
    told = f"{counts.received:,} ticks, {counts.delivered:,} delivered, {counts.dropped:,} dropped"
    if counts.freshness is not None:
        p50, p99 = 1e3 * counts.freshness.seconds_p50, 1e3 * counts.freshness.seconds_p99
        told += f"; a tick arrived {p50:.2f} ms after it was made (median; 99 %: {p99:.2f} ms)"
    return told


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.is_file():
        raise DataError(f"there is no file {path}")
    table = pd.read_parquet(path) if path.suffix.lower() in (".parquet", ".pq") else pd.read_csv(path)
    stamp = next((column for column in ("time", "timestamp") if column in table.columns), None)
    if stamp is None or not {"price", "size"} <= set(table.columns):
        raise DataError(f"{path.name} has the columns {', '.join(table.columns)}; expected time, price, size")
    index = pd.DatetimeIndex(pd.to_datetime(table[stamp], utc=True), name="time")
    return table[["price", "size"]].set_axis(index, axis=0)


def _line(bar: Any) -> str:
    import pandas as pd

    at = pd.Timestamp(bar.opened_at, unit="ns", tz="UTC")
    prices = "  ".join(f"{price:>10.4f}" for price in (bar.open, bar.high, bar.low, bar.close))
    return f"{bar.symbol:8} {at:%Y-%m-%d %H:%M:%S}  {prices}  {bar.volume:>12,.2f}  {bar.ticks:>6,} ticks"
