"""The one contract of all caches of frames: memory, Redis, memory over Redis."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.compute import wait_for
from algotrendy.data.cache import Cached, FrameCache, MemoryCache, RedisCache, TieredCache
from algotrendy.errors import InputError, VenueUnavailable
from tests.contract.stores import assert_same, bars_at, days, minutes

KINDS = ["memory", *(pytest.param(kind, marks=pytest.mark.redis) for kind in ("redis", "tiered"))]
TTL, STALE = 60.0, 600.0


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Source:
    """Something to fetch from: counts how often, takes its time, fails if told to."""

    seconds: float = 0.0
    error: Exception | None = None
    count: int = 0
    given: list[pd.DataFrame] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    async def __call__(self) -> pd.DataFrame:
        with self.lock:
            self.count += 1
            number = self.count
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        frame = bars_at(days(3), float(number))
        self.given.append(frame)
        return frame


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=KINDS)
def cache(request: pytest.FixtureRequest, clock: Clock) -> Iterator[FrameCache]:
    made: FrameCache = MemoryCache(clock=clock)
    if request.param != "memory":
        address, prefix = request.getfixturevalue("redis_prefix")
        far = RedisCache(address, prefix=prefix, lock_seconds=1.0, clock=clock)
        made = far if request.param == "redis" else TieredCache(MemoryCache(clock=clock), far)
    yield made
    wait_for(made.close())


def get(cache: FrameCache, source: Any, key: str = "one", ttl: float = TTL, stale: float = STALE) -> Cached:
    return wait_for(cache.get_or_fetch(key, source, ttl=ttl, stale=stale))


def price(found: Cached) -> float:
    return float(found.bars["close"].iloc[0])


def until(is_true: Callable[[], bool]) -> None:
    """Wait until something in the background has happened."""
    end = time.monotonic() + 10.0
    while not is_true():
        assert time.monotonic() < end, "it did not happen within ten seconds"
        time.sleep(0.005)


# --- what is kept ---


def test_a_frame_is_fetched_once_and_then_kept(cache: FrameCache, clock: Clock) -> None:
    source = Source()
    first, second = get(cache, source), get(cache, source)
    assert (first.origin, first.is_stale, first.fetched_at) == ("fetch", False, clock.now)
    assert second.origin in ("memory", "redis")
    assert (second.is_stale, second.fetched_at) == (False, clock.now)
    assert source.count == 1
    assert_same(second.bars, bars_at(days(3), 1.0))


@pytest.mark.parametrize("key", ["a/b c", "Ω", "x" * 500, "yahoo/stock/1d/raw/XNAS~AAPL|2024-01-01|2024-02-01", ""])
def test_keys_are_any_texts(cache: FrameCache, key: str) -> None:
    get(cache, Source(), key)
    assert price(get(cache, Source(count=5), key)) == 1.0
    assert price(get(cache, Source(count=5), key + "'")) == 6.0


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_frames_come_back_as_they_were(cache: FrameCache, unit: str) -> None:
    frame = bars_at(minutes(5).as_unit(unit), np.array([1.0, np.nan, np.inf, -0.0, 1e-300]))
    frame["is_partial"] = [False, False, False, False, True]
    frame["note"] = pd.Series(["a", None, "", "Ω", "b"], index=frame.index, dtype=pd.Series(["a"]).dtype)
    frame["trades"] = np.array([1, 2, 3, 4, 2**62])
    frame["closed_at"] = frame.index + pd.Timedelta("1min")

    async def fetch() -> pd.DataFrame:
        return frame

    for _ in range(2):
        assert_same(get(cache, fetch).bars, frame)


def test_a_frame_without_rows_is_kept_like_any_other(cache: FrameCache) -> None:
    async def fetch() -> pd.DataFrame:
        return bars_at(days(3), 1.0).iloc[:0]

    get(cache, fetch)
    assert_same(get(cache, fetch).bars, bars_at(days(3), 1.0).iloc[:0])


def _set_flag(array: np.ndarray) -> np.ndarray:
    if not array.flags.writeable:
        array.flags.writeable = True
    return array


CHANGES: dict[str, Callable[[pd.DataFrame], object]] = {
    "a cell": lambda frame: frame.iloc.__setitem__((0, 3), 99.0),
    "a label": lambda frame: frame.loc.__setitem__((frame.index[0], "close"), 99.0),
    "a column": lambda frame: frame.__setitem__("close", 99.0),
    "a new column": lambda frame: frame.__setitem__("more", 99.0),
    "a column gone": lambda frame: frame.__delitem__("volume"),
    "its memory": lambda frame: _set_flag(frame.to_numpy()).fill(99.0),
    "a column's memory": lambda frame: _set_flag(frame["close"].to_numpy()).fill(99.0),
    "the times' memory": lambda frame: _set_flag(frame.index.asi8).fill(0),
    "the times' values": lambda frame: _set_flag(frame.index.values).fill(0),
    "the names' memory": lambda frame: _set_flag(np.asarray(frame.columns.values)).__setitem__(0, "shut"),
    "the times' name": lambda frame: setattr(frame.index, "name", "when"),
    "a new index": lambda frame: setattr(frame, "index", range(len(frame))),
    "the names": lambda frame: setattr(frame, "columns", list("abcde")),
    "what travels with it": lambda frame: frame.attrs.update(changed=True),
    "arithmetic in place": lambda frame: frame.__imul__(2.0),
    "sorting in place": lambda frame: frame.update(frame * 0.0),
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_caller_who_changes_a_frame_changes_nothing_in_the_cache(cache: FrameCache, how: str) -> None:
    source = Source()
    expected = bars_at(days(3), 1.0)

    def changed(frame: pd.DataFrame) -> None:
        with suppress(ValueError):  # its memory cannot be written to at all: as good
            CHANGES[how](frame)

    changed(get(cache, source).bars)
    changed(source.given[0])  # whoever fetched it may change it, too
    for _ in range(2):
        found = get(cache, source)
        assert_same(found.bars, expected)
        assert found.bars.attrs == {}
        changed(found.bars)
        seen = cache.peek("one")
        if seen is not None:
            assert_same(seen.bars, expected)
            changed(seen.bars)
    assert source.count == 1


# --- time ---


def test_after_its_time_to_live_a_frame_is_fetched_again(cache: FrameCache, clock: Clock) -> None:
    source = Source()
    get(cache, source, stale=0.0)
    clock.now += TTL - 0.001
    assert price(get(cache, source, stale=0.0)) == 1.0
    clock.now += 0.001
    found = get(cache, source, stale=0.0)
    assert (price(found), found.is_stale, source.count) == (2.0, False, 2)


def test_a_stale_frame_is_handed_out_at_once_while_one_fetch_replaces_it(cache: FrameCache, clock: Clock) -> None:
    source = Source()
    get(cache, source)
    clock.now += TTL
    source.seconds = 0.2

    async def many() -> list[Cached]:
        return await asyncio.gather(*(cache.get_or_fetch("one", source, ttl=TTL, stale=STALE) for _ in range(20)))

    begin = time.monotonic()
    found = wait_for(many())
    assert time.monotonic() - begin < 0.19
    assert {(price(one), one.is_stale) for one in found} == {(1.0, True)}
    until(lambda: price(get(cache, source)) == 2.0)
    assert not get(cache, source).is_stale
    assert source.count == 2


def test_a_frame_that_is_too_stale_is_waited_for(cache: FrameCache, clock: Clock) -> None:
    source = Source()
    get(cache, source)
    clock.now += TTL + STALE
    assert price(get(cache, source)) == 2.0


def test_a_refresh_that_fails_leaves_the_stale_frame_and_is_tried_again_later(
    cache: FrameCache, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source()
    get(cache, source)
    clock.now += TTL
    source.error = VenueUnavailable("yahoo", "down")
    assert price(get(cache, source)) == 1.0
    until(lambda: source.count == 2 and bool(caplog.records))
    for _ in range(5):
        found = get(cache, source)
        assert (price(found), found.is_stale) == (1.0, True)
    assert source.count == 2, "not again at once"
    assert "could not be fetched anew, it is handed out for now: one: yahoo: down" in caplog.text
    source.error = None
    clock.now += 2.0
    until(lambda: price(get(cache, source)) == 3.0)


def test_a_frame_from_the_future_is_not_believed(cache: FrameCache, clock: Clock) -> None:
    source = Source()
    get(cache, source)
    clock.now -= 30.0  # clocks of two machines may differ by that
    assert price(get(cache, source)) == 1.0
    clock.now -= 3_600.0
    assert price(get(cache, source)) == 2.0


@pytest.mark.parametrize("times", [{"ttl": -1.0}, {"ttl": 1.0, "stale": -1.0}, {"ttl": float("nan")}])
def test_times_that_are_no_length_are_refused(cache: FrameCache, times: dict[str, float]) -> None:
    with pytest.raises(InputError, match="expected a number of seconds"):
        wait_for(cache.get_or_fetch("one", Source(), **times))


def test_without_a_time_to_live_nothing_is_kept(cache: FrameCache) -> None:
    source = Source()
    assert not get(cache, source, ttl=0.0, stale=0.0).is_stale
    assert price(get(cache, source, ttl=0.0, stale=0.0)) == 2.0


# --- errors ---


def test_an_error_reaches_the_caller_and_is_not_kept(cache: FrameCache) -> None:
    source = Source(error=VenueUnavailable("yahoo", "down"))
    for _ in range(2):
        with pytest.raises(VenueUnavailable, match="yahoo: down"):
            get(cache, source)
    source.error = None
    assert price(get(cache, source)) == 3.0
    assert cache.statistics().failed == 2


def test_what_is_no_frame_is_refused_and_not_kept(cache: FrameCache) -> None:
    async def fetch() -> Any:
        return {"close": [1.0]}

    with pytest.raises(InputError, match="fetch returned dict, expected a DataFrame"):
        get(cache, fetch)
    assert price(get(cache, Source())) == 1.0


# --- stampedes ---


def test_tasks_that_want_the_same_share_one_fetch(cache: FrameCache) -> None:
    source = Source(seconds=0.1)

    async def many() -> list[Cached]:
        return await asyncio.gather(*(cache.get_or_fetch("one", source, ttl=TTL) for _ in range(200)))

    found = wait_for(many())
    assert source.count == 1
    assert {price(one) for one in found} == {1.0}
    assert len({id(one.bars) for one in found}) == 200
    found[0].bars.iloc[0, 0] = 99.0
    assert found[1].bars.iloc[0, 0] == 1.0


def test_threads_with_loops_of_their_own_share_one_fetch(cache: FrameCache) -> None:
    source = Source(seconds=0.3)
    gate = threading.Barrier(8)
    found: list[float] = []

    async def few() -> list[Cached]:
        return await asyncio.gather(*(cache.get_or_fetch("one", source, ttl=TTL) for _ in range(10)))

    def run() -> None:
        with asyncio.Runner() as runner:
            runner.get_loop()
            gate.wait()
            found.extend(price(one) for one in runner.run(few()))
            if not isinstance(cache, MemoryCache):
                runner.run(asyncio.sleep(0.2))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert found == [1.0] * 80
    assert source.count == 1
    counts = cache.statistics()
    assert counts.misses == 1
    assert counts.collapsed + counts.hits == 79


def test_an_error_reaches_all_who_waited(cache: FrameCache) -> None:
    source = Source(seconds=0.1, error=VenueUnavailable("yahoo", "down"))

    async def many() -> list[Any]:
        calls = (cache.get_or_fetch("one", source, ttl=TTL) for _ in range(20))
        return await asyncio.gather(*calls, return_exceptions=True)

    assert {str(one) for one in wait_for(many())} == {"yahoo: down"}
    assert source.count == 1


def test_a_fetch_goes_on_for_the_others_if_who_began_it_gives_up(cache: FrameCache) -> None:
    source = Source(seconds=0.2)

    async def first_gives_up() -> Cached:
        first = asyncio.create_task(cache.get_or_fetch("one", source, ttl=TTL))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(cache.get_or_fetch("one", source, ttl=TTL))
        await asyncio.sleep(0.05)
        first.cancel()
        return await second

    assert price(wait_for(first_gives_up())) == 1.0
    assert source.count == 1


def test_a_fetch_that_nobody_waits_for_any_more_ends(cache: FrameCache) -> None:
    ended = []

    async def fetch() -> pd.DataFrame:
        try:
            await asyncio.sleep(30.0)
        finally:
            ended.append(True)
        raise AssertionError

    async def all_give_up() -> None:
        tasks = [asyncio.create_task(cache.get_or_fetch("one", fetch, ttl=TTL)) for _ in range(3)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    wait_for(all_give_up())
    until(lambda: bool(ended))
    assert price(get(cache, Source())) == 1.0


def test_a_fetch_whose_loop_has_stopped_is_begun_anew(cache: FrameCache) -> None:
    never = Source(seconds=3_600.0)
    tasks: list[asyncio.Task[Cached]] = []
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        tasks.append(asyncio.create_task(cache.get_or_fetch("one", never, ttl=TTL)))
        await asyncio.sleep(0.1)

    loop.run_until_complete(begin())  # and never runs again
    assert never.count == 1
    assert price(get(cache, Source(count=6))) == 7.0

    async def end() -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.05)

    loop.run_until_complete(end())
    if not isinstance(cache, MemoryCache):
        loop.run_until_complete(cache.close())
    loop.close()


# --- dropping ---


def test_what_was_dropped_is_fetched_again(cache: FrameCache) -> None:
    source = Source()
    get(cache, source)
    wait_for(cache.drop("one"))
    wait_for(cache.drop("never seen"))
    assert cache.peek("one") is None
    assert price(get(cache, source)) == 2.0


def test_a_fetch_that_began_before_a_drop_is_not_kept(cache: FrameCache) -> None:
    source = Source(seconds=0.2)

    async def dropped_meanwhile() -> Cached:
        task = asyncio.create_task(cache.get_or_fetch("one", source, ttl=TTL))
        await asyncio.sleep(0.1)
        await cache.drop("one")
        return await task

    assert price(wait_for(dropped_meanwhile())) == 1.0
    assert price(get(cache, source)) == 2.0


def test_a_closed_cache_can_be_used_again(cache: FrameCache) -> None:
    get(cache, Source())
    wait_for(cache.close())
    assert price(get(cache, Source(), "two")) == 1.0
