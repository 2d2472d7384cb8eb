"""Stores and caches of bars against pandas, in one process, on one core.

Run as `python benchmarks/bench_store.py`. Ours and pandas take turns and the fastest of several runs counts; every
frame that is read is compared with what was written. PostgreSQL and Redis are measured where ALGOTRENDY_TEST_POSTGRES
and ALGOTRENDY_TEST_REDIS, or the usual ports of this machine, lead to one.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from algotrendy.compute import wait_for
from algotrendy.data.cache import FrameCache, MemoryCache, RedisCache
from algotrendy.data.series import SeriesKey, Span
from algotrendy.data.store import BarStore, ParquetStore, SqlStore

SYMBOLS, DAILY, MINUTES, CACHED = 500, 5_031, 5_000_000, 252
POSTGRES = os.environ.get("ALGOTRENDY_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
REDIS = os.environ.get("ALGOTRENDY_TEST_REDIS", "redis://127.0.0.1:6379/0")
DAY = pd.Timedelta("1D")


class Row(NamedTuple):
    """One line of the table; `peer` is pandas, NaN where it has no such thing."""

    title: str
    unit: str
    ours: float
    peer: float = float("nan")
    budget: float | None = None
    note: str = ""


def walk(n_bars: int, index: pd.DatetimeIndex) -> pd.DataFrame:
    """Return a random walk in cents, as prices come."""
    rng = np.random.default_rng(7)
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.0005, n_bars))), 2)
    open_ = np.round(close * (1.0 + rng.normal(0.0, 0.0005, n_bars)), 2)
    high, low = np.maximum(open_, close) + 0.05, np.minimum(open_, close) - 0.05
    volume = rng.integers(100, 10**7, n_bars).astype(np.float64)
    columns = {"open": open_, "high": high, "low": low, "close": close, "volume": volume}
    return pd.DataFrame(columns, index=index.rename("time"))


def minutes(count: int, start: str = "2015-01-01") -> pd.DatetimeIndex:
    """Return minutes of a market that never closes."""
    return pd.date_range(start, periods=count, freq="min", tz="UTC", unit="us")


def key_of(number: int, interval: str = "1d") -> SeriesKey:
    """Return the key of the series with a number."""
    return SeriesKey(source="bench", instrument=f"stock:XNYS:S{number:03}", interval=interval)


def race(calls: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Return the fastest time of each call in seconds, the calls taking turns."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for taken, call in zip(times, calls, strict=True):
            begin = time.perf_counter()
            call()
            taken.append(time.perf_counter() - begin)
    return [min(taken) for taken in times]


def same(found: pd.DataFrame | None, expected: pd.DataFrame) -> None:
    """Refuse to time what is not equal."""
    assert found is not None
    pd.testing.assert_frame_equal(found, expected, check_freq=False, check_exact=True)


# --- Parquet ---


def daily_rows(folder: Path) -> Iterator[Row]:
    """Twenty years of daily bars of 500 symbols: written one by one, read together."""
    bars = walk(DAILY, pd.bdate_range("2000-01-03", periods=DAILY, unit="us"))
    store, covered = ParquetStore(folder / "store"), Span.of(bars.index[0], bars.index[-1] + DAY)
    keys = [key_of(number) for number in range(SYMBOLS)]
    files = [folder / f"{number}.parquet" for number in range(SYMBOLS)]

    def write_ours() -> None:
        for key in keys:
            wait_for(store.write(key, bars, covered))

    def write_pandas() -> None:
        for path in files:
            bars.to_parquet(path)

    ours, peer = race([write_ours, write_pandas], 1)
    note = "ours waits for the disk, four times a series, pandas does not"
    yield Row(f"{SYMBOLS} series of {DAILY:,} daily bars written", "s", ours, peer, note=note)
    read: dict[str, Any] = {}
    calls = [
        lambda: read.update(ours=wait_for(store.read_many(keys))),
        lambda: read.update(pandas=[pd.read_parquet(path) for path in files]),
    ]
    ours, peer = race(calls, 5)
    for key in keys:
        same(read["ours"][key], bars)
    yield Row(f"{SYMBOLS} series of {DAILY:,} daily bars read", "s", ours, peer, 2.0)


def minute_rows(folder: Path) -> Iterator[Row]:
    """Five million minutes: written, read back equal, and a day added."""
    bars = walk(MINUTES, minutes(MINUTES))
    end = bars.index[-1] + pd.Timedelta("1min")
    key, covered, path = key_of(0, "1m"), Span(bars.index[0], end), folder / "minutes.parquet"
    stores = iter([ParquetStore(folder / f"minutes{number}") for number in range(2)])
    store = ParquetStore(folder / "minutes1")
    ours, peer = race([lambda: wait_for(next(stores).write(key, bars, covered)), lambda: bars.to_parquet(path)], 2)
    yield Row("5,000,000 minute bars written", "s", ours, peer)
    read: dict[str, pd.DataFrame | None] = {}
    ours, peer = race(
        [lambda: read.update(ours=wait_for(store.read(key))), lambda: read.update(pandas=pd.read_parquet(path))], 3
    )
    same(read["ours"], bars)
    yield Row("5,000,000 minute bars read", "s", ours, peer, None, "equal to what was written, bit for bit")
    days = iter([walk(1_440, minutes(1_440, str(end + number * DAY))) for number in range(20)])

    def add() -> None:
        day = next(days)
        wait_for(store.write(key, day, Span(day.index[0], day.index[-1] + pd.Timedelta("1min"))))

    yield Row("a day of minutes added to them", "ms", race([add], 20)[0] * 1e3)
    last = Span(end - pd.Timedelta(f"{CACHED}min"), end)
    yield Row(f"the last {CACHED} of them read", "ms", race([lambda: wait_for(store.read(key, last))], 20)[0] * 1e3)


# --- databases ---


def sql_rows(store: BarStore, title: str, peer: Callable[[], object] | None, rows: int) -> Iterator[Row]:
    """One series of daily bars, and many minutes at once."""
    bars = walk(DAILY, pd.bdate_range("2000-01-03", periods=DAILY, unit="us"))
    covered = Span.of(bars.index[0], bars.index[-1] + DAY)
    wait_for(store.write(key_of(0), bars, covered))
    same(wait_for(store.read(key_of(0))), bars)
    best = race([lambda: wait_for(store.read(key_of(0))), *([peer] if peer else [])], 15)
    yield Row(f"{title}: {DAILY:,} daily bars read", "ms", best[0] * 1e3, best[1] * 1e3 if peer else float("nan"))
    many = walk(rows, minutes(rows))
    key, covered = key_of(0, "1m"), Span(many.index[0], many.index[-1] + pd.Timedelta("1min"))
    taken = race([lambda: wait_for(store.write(key, many, covered))], 1)[0]
    same(wait_for(store.read(key)), many)
    yield Row(f"{title}: rows written per second, {rows:,} at once", "rows/s", rows / taken)
    wait_for(store.close())


def _answers(address: str) -> bool:
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), timeout=1.0).close()
    except OSError:
        return False
    return True


def sqlite_rows(folder: Path) -> Iterator[Row]:
    """SQLite against `pandas.read_sql` on the same table."""
    import sqlite3

    def by_pandas() -> pd.DataFrame:
        query = "SELECT time, open, high, low, close, volume FROM market_data WHERE symbol = 'S000' AND interval = '1d'"
        with sqlite3.connect(folder / "bars.db") as connection:
            return pd.read_sql(f"{query} ORDER BY time", connection, index_col="time")

    yield from sql_rows(SqlStore(f"sqlite:///{folder}/bars.db"), "SQLite", by_pandas, 200_000)


def postgres_rows() -> Iterator[Row]:
    """PostgreSQL, in a schema that is dropped afterwards."""
    import asyncpg

    schema = f"bench_{secrets.token_hex(4)}"
    try:
        yield from sql_rows(SqlStore(POSTGRES, schema=schema), "PostgreSQL", None, 200_000)
    finally:

        async def drop() -> None:
            connection = await asyncpg.connect(POSTGRES)
            await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            await connection.close()

        wait_for(drop())


# --- caches ---


def cache_rows() -> Iterator[Row]:
    """252 bars out of a cache: without waiting, awaited, and through the thread that synchronous callers use."""
    bars = walk(CACHED, pd.bdate_range("2023-01-02", periods=CACHED, unit="us"))

    async def fetch() -> pd.DataFrame:
        return bars

    memory = MemoryCache()
    wait_for(memory.get_or_fetch("one", fetch, ttl=3_600.0))
    peek, awaited = race([lambda: [memory.peek("one") for _ in range(100)], lambda: _awaited(memory, fetch, 100)], 20)
    note = f"peek, without an event loop: {peek * 10.0:.3f} ms; each a copy, the caller's own"
    yield Row(f"cached read of {CACHED} bars, in process", "ms", awaited * 10.0, budget=1.0, note=note)
    sync = race([lambda: wait_for(memory.get_or_fetch("one", fetch, ttl=3_600.0))], 500)[0]
    yield Row("the same from synchronous code, through the thread in the background", "ms", sync * 1e3, budget=1.0)
    if _answers(REDIS):
        far = RedisCache(REDIS, prefix=f"bench-{secrets.token_hex(4)}")
        wait_for(far.get_or_fetch("one", fetch, ttl=3_600.0))
        yield Row(
            f"cached read of {CACHED} bars, from Redis", "ms", race([lambda: _awaited(far, fetch, 20)], 20)[0] * 50.0
        )
        wait_for(far.drop("one"))
        wait_for(far.close())


def _awaited(cache: FrameCache, fetch: Any, times: int) -> None:
    async def again() -> None:
        for _ in range(times):
            await cache.get_or_fetch("one", fetch, ttl=3_600.0)

    wait_for(again())


def measure() -> list[Row]:
    """Return every row that this machine can measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [*cache_rows(), *daily_rows(folder), *minute_rows(folder), *sqlite_rows(folder)]
    return [*rows, *(postgres_rows() if _answers(POSTGRES) else ())]


def main(arguments: Sequence[str]) -> None:
    """Print the table, or with `--json` the rows."""
    rows = measure()
    if "--json" in arguments:
        print(json.dumps([row._asdict() for row in rows]))
        return
    for row in rows:
        peer = "" if np.isnan(row.peer) else f"pandas {row.peer:,.3g} ({row.peer / row.ours:.2g}x)"
        over = "" if row.budget is None else f"budget {row.budget:g}: {'ok' if row.ours <= row.budget else 'over'}"
        print(f"{row.title:75} {row.ours:10,.3g} {row.unit:7} {over:14} {peer}")
        if row.note:
            print(f"    {row.note}")


if __name__ == "__main__":
    main(sys.argv[1:])
