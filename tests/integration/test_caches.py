"""What is particular to each cache: room in memory, processes that share Redis, a Redis that is down."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.compute import wait_for
from algotrendy.data.cache import Cached, MemoryCache, RedisCache, TieredCache
from algotrendy.data.cache.frames import size_of
from algotrendy.errors import InputError, MissingExtraError
from tests.contract.stores import assert_same, bars_at, days

ROOT = Path(__file__).resolve().parents[2]


def frame_of(rows: int, price: float = 1.0) -> pd.DataFrame:
    return bars_at(days(rows), price)


def source(frame: pd.DataFrame) -> Any:
    async def fetch() -> pd.DataFrame:
        return frame

    return fetch


# --- memory ---


@given(steps=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 30)), max_size=40), room=st.integers(0, 5_000))
def test_the_least_recently_used_go_first_and_the_room_is_never_passed(steps: list[tuple[int, int]], room: int) -> None:
    cache = MemoryCache(room)
    model: OrderedDict[str, int] = OrderedDict()
    evicted = 0
    for name, rows in steps:
        key = f"{name}"
        size = size_of(frame_of(rows))
        found = wait_for(cache.get_or_fetch(key, source(frame_of(rows)), ttl=60.0))
        assert found.origin == ("memory" if key in model else "fetch")
        if key in model:
            model.move_to_end(key)
        elif size <= room:
            model[key] = size
            while sum(model.values()) > room:
                model.popitem(last=False)
                evicted += 1
        counts = cache.statistics()
        assert (counts.entries, counts.bytes, counts.evicted) == (len(model), sum(model.values()), evicted)
        assert counts.bytes <= room


def test_every_call_is_counted_once() -> None:
    now = [0.0]
    cache = MemoryCache(clock=lambda: now[0])
    assert cache.peek("one") is None
    wait_for(cache.get_or_fetch("one", source(frame_of(3)), ttl=10.0, stale=10.0))
    wait_for(cache.get_or_fetch("one", source(frame_of(3)), ttl=10.0, stale=10.0))
    assert cache.peek("one") is not None
    now[0] = 15.0
    seen = cache.peek("one")
    assert seen is not None
    assert seen.is_stale
    now[0] = 20.0
    assert cache.peek("one") is None
    counts = cache.statistics()
    assert (counts.misses, counts.hits, counts.stale, counts.collapsed, counts.failed) == (1, 2, 1, 0, 0)


def test_room_below_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="max_bytes is -1"):
        MemoryCache(-1)


# --- two tiers ---


def test_a_frame_lives_no_longer_for_lying_in_two_tiers() -> None:
    now = [1_000.0]
    far = MemoryCache(clock=lambda: now[0])
    first, second = (TieredCache(MemoryCache(clock=lambda: now[0]), far) for _ in range(2))
    wait_for(first.get_or_fetch("one", source(frame_of(3, 1.0)), ttl=60.0))
    now[0] += 50.0
    found = wait_for(second.get_or_fetch("one", source(frame_of(3, 2.0)), ttl=60.0))
    assert (found.fetched_at, found.origin, found.bars["close"].iloc[0]) == (1_000.0, "memory", 1.0)
    now[0] += 10.0
    found = wait_for(second.get_or_fetch("one", source(frame_of(3, 2.0)), ttl=60.0))
    assert (found.fetched_at, found.origin, found.bars["close"].iloc[0]) == (1_060.0, "fetch", 2.0)


def test_a_stale_frame_in_both_tiers_is_replaced_in_both() -> None:
    now = [1_000.0]
    near, far = MemoryCache(clock=lambda: now[0]), MemoryCache(clock=lambda: now[0])
    cache = TieredCache(near, far)
    wait_for(cache.get_or_fetch("one", source(frame_of(3, 1.0)), ttl=60.0, stale=600.0))
    now[0] += 100.0
    prices = []
    end = time.monotonic() + 10.0
    while time.monotonic() < end and (not prices or prices[-1] != 2.0):
        found = wait_for(cache.get_or_fetch("one", source(frame_of(3, 2.0)), ttl=60.0, stale=600.0))
        prices.append(found.bars["close"].iloc[0])
        time.sleep(0.01)
    assert prices[0] == 1.0
    assert prices[-1] == 2.0
    assert not found.is_stale


# --- Redis: several processes ---


def start(address: str, prefix: str, seconds: float, lock_seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.redis_worker", address, prefix]
    arguments = [str(seconds), str(lock_seconds)]
    return subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.redis
def test_processes_that_want_the_same_share_one_fetch_however_long_it_takes(redis_prefix: tuple[str, str]) -> None:
    """The lock runs out after half a second; it is renewed while the fetch lasts, for four."""
    processes = [start(*redis_prefix, seconds=4.0, lock_seconds=0.5) for _ in range(3)]
    printed = [process.communicate(timeout=60)[0].split("\n") for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(lines[-2] for lines in printed) == ["fetch 1.0", "redis 1.0", "redis 1.0"]


@pytest.mark.redis
def test_a_process_killed_while_it_fetches_holds_the_others_up_for_no_longer_than_its_lock(
    redis_prefix: tuple[str, str],
) -> None:
    first = start(*redis_prefix, seconds=60.0, lock_seconds=2.0)
    assert first.stdout is not None
    assert first.stdout.readline() == "fetching\n"
    first.send_signal(signal.SIGKILL)
    first.wait(timeout=10)
    first.stdout.close()
    cache = RedisCache(redis_prefix[0], prefix=redis_prefix[1], lock_seconds=2.0)
    begin = time.monotonic()
    found = wait_for(cache.get_or_fetch("one", source(frame_of(3, 7.0)), ttl=60.0))
    assert found.origin == "fetch"
    assert time.monotonic() - begin < 2.5
    wait_for(cache.close())


@pytest.mark.redis
def test_what_one_process_fetched_another_reads(redis_prefix: tuple[str, str]) -> None:
    address, prefix = redis_prefix
    one, other = (TieredCache(MemoryCache(), RedisCache(address, prefix=prefix)) for _ in range(2))
    wait_for(one.get_or_fetch("one", source(frame_of(3, 5.0)), ttl=60.0))
    found = wait_for(other.get_or_fetch("one", source(frame_of(3, 6.0)), ttl=60.0))
    assert found.origin == "redis"
    assert_same(found.bars, frame_of(3, 5.0))
    assert wait_for(other.get_or_fetch("one", source(frame_of(3, 6.0)), ttl=60.0)).origin == "memory"
    for cache in (one, other):
        wait_for(cache.close())


@pytest.mark.redis
@pytest.mark.parametrize("content", [b"", b"ATF1", b"ATF9" + bytes(100), b"ATF1" + bytes(8) + b"no stream of Arrow"])
def test_bytes_of_another_version_or_damaged_are_fetched_anew(redis_prefix: tuple[str, str], content: bytes) -> None:
    import redis

    address, prefix = redis_prefix
    with redis.Redis.from_url(address) as client:
        client.set(f"{prefix}:frame:one", content)
    cache = RedisCache(address, prefix=prefix)
    assert wait_for(cache.get_or_fetch("one", source(frame_of(3)), ttl=60.0)).origin == "fetch"
    assert wait_for(cache.get_or_fetch("one", source(frame_of(3)), ttl=60.0)).origin == "redis"
    wait_for(cache.close())


@pytest.mark.redis
def test_frames_leave_redis_when_their_time_is_over(redis_prefix: tuple[str, str]) -> None:
    import redis

    address, prefix = redis_prefix
    cache = RedisCache(address, prefix=prefix)
    wait_for(cache.get_or_fetch("one", source(frame_of(3)), ttl=60.0, stale=40.0))
    with redis.Redis.from_url(address) as client:
        assert 99_000 < client.pttl(f"{prefix}:frame:one") <= 100_000
        assert client.get(f"{prefix}:lock:one") is None
    wait_for(cache.close())


# --- Redis: down ---


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_without_redis_the_cache_goes_on_says_so_once_and_keeps_the_password(free_port: int) -> None:
    cache = RedisCache(f"redis://me:hush@127.0.0.1:{free_port}/0")

    async def used() -> list[tuple[str, float]]:
        answers = []
        for number in (1.0, 2.0, 3.0):
            found = await cache.get_or_fetch("one", source(frame_of(3, number)), ttl=60.0)
            answers.append((found.origin, float(found.bars["close"].iloc[0])))
        await cache.drop("one")
        return answers

    with pytest.warns(UserWarning, match=rf"Redis at 127\.0\.0\.1:{free_port} fails .*going on without it") as told:
        found = wait_for(used())
    assert found == [("fetch", 1.0), ("fetch", 2.0), ("fetch", 3.0)]
    assert len(told) == 1
    assert "hush" not in str(told[0].message)
    wait_for(cache.close())


@pytest.fixture
def own_redis(tmp_path: Path, free_port: int) -> Iterator[Any]:
    """Yield what starts a Redis of this test's own, and ends it."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis: there is no redis-server that this test could start and end")
    running: list[subprocess.Popen[bytes]] = []

    def begin() -> subprocess.Popen[bytes]:
        options = ["--port", str(free_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
        process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        running.append(process)
        end = time.monotonic() + 10.0
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", free_port), timeout=1.0).close()
            except OSError:
                time.sleep(0.02)
            else:
                return process
        raise AssertionError("redis-server did not start")

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait(timeout=10)


def test_a_redis_that_goes_down_and_comes_back_is_done_without_and_used_again(
    own_redis: Any, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from algotrendy.data.cache import redis as ours

    monkeypatch.setattr(ours, "_WITHOUT_SECONDS", 0.3)
    cache = RedisCache(f"redis://127.0.0.1:{free_port}/0")

    def origin(price: float) -> str:
        return wait_for(cache.get_or_fetch("one", source(frame_of(3, price)), ttl=60.0)).origin

    server = own_redis()
    assert [origin(1.0), origin(1.0)] == ["fetch", "redis"]
    server.kill()
    server.wait(timeout=10)
    with pytest.warns(UserWarning, match="going on without it"):
        assert origin(2.0) == "fetch"
    assert origin(2.0) == "fetch"
    time.sleep(0.4)
    assert origin(2.0) == "fetch"  # asked again, still down, not told again: a warning would fail the test
    own_redis()
    time.sleep(0.4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [origin(3.0), origin(3.0)] == ["fetch", "redis"]
    wait_for(cache.close())


def test_a_redis_that_goes_down_during_a_fetch_costs_nothing_but_the_keeping(own_redis: Any, free_port: int) -> None:
    cache = RedisCache(f"redis://127.0.0.1:{free_port}/0")
    server = own_redis()

    async def fetch() -> pd.DataFrame:
        server.kill()
        await asyncio.to_thread(server.wait, 10)
        return frame_of(3, 4.0)

    with pytest.warns(UserWarning, match="going on without it"):
        found: Cached = wait_for(cache.get_or_fetch("one", fetch, ttl=60.0))
    assert_same(found.bars, frame_of(3, 4.0))
    wait_for(cache.close())


def test_an_address_that_is_none_is_refused_without_repeating_it() -> None:
    with pytest.raises(InputError, match="is not the address of a Redis") as caught:
        RedisCache("http://me:hush@host")
    assert "hush" not in str(caught.value)


def test_a_missing_driver_gives_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "redis" else find(name))
    with pytest.raises(MissingExtraError, match=r"needs redis.*pip install 'algotrendy\[storage\]'"):
        RedisCache("redis://127.0.0.1")
