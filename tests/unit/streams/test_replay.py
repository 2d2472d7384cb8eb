"""Replays: order, pace, stamps, controls, and what is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.data.series import Span
from algotrendy.data.stream import ReplaySource, StreamHub, StreamState, Tick, VirtualClock, Wanted, sample_trades
from algotrendy.errors import InputError

SECOND = 1_000_000_000


def _trades(*seconds: float, price: float = 10.0) -> pd.DataFrame:
    index = pd.DatetimeIndex([pd.Timestamp("2024-03-01", tz="UTC") + pd.Timedelta(each, "s") for each in seconds])
    return pd.DataFrame({"price": price + np.arange(len(seconds)), "size": 1.0}, index=index)


async def _played(source: ReplaySource, clock: VirtualClock | None = None, *symbols: str) -> list[tuple[int, Tick]]:
    """Return every tick with the clock's time at which it came."""
    await source.open(Wanted(frozenset(symbols or source._recording.names)))
    return [(clock.now() if clock else 0, tick) async for lot in source.events() for tick in lot]  # type: ignore[misc]


def test_ticks_come_at_their_own_pace_with_their_recorded_stamps(run: Any) -> None:
    async def main() -> None:
        clock = VirtualClock(1_000 * SECOND)
        trades = _trades(0.0, 1.5, 1.5, 4.0)
        found = await _played(ReplaySource({"A": trades}, clock=clock), clock)
        assert [at / SECOND - 1_000 for at, _ in found] == [0.0, 1.5, 1.5, 4.0]
        assert [tick.time for _, tick in found] == trades.index.as_unit("ns").asi8.tolist()
        assert [tick.price for _, tick in found] == [10.0, 11.0, 12.0, 13.0]

    run(main())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"speed": 2.0}, [0.0, 0.5, 2.0]),
        ({"speed": 0.5}, [0.0, 2.0, 8.0]),
        ({"speed": float("inf")}, [0.0, 0.0, 0.0]),
        ({"rate": 4.0}, [0.0, 0.25, 0.5]),
    ],
)
def test_pace_follows_speed_or_rate(run: Any, options: dict[str, float], expected: list[float]) -> None:
    async def main() -> None:
        clock = VirtualClock(7 * SECOND)
        found = await _played(ReplaySource({"A": _trades(0, 1, 4)}, clock=clock, **options), clock)
        assert [at / SECOND - 7 for at, _ in found] == expected

    run(main())


def test_scheduled_stamps_are_the_moments_at_which_ticks_are_due_not_those_at_which_they_come(run: Any) -> None:
    async def main() -> None:
        clock = VirtualClock(7 * SECOND)
        source = ReplaySource({"A": _trades(0, 1, 4)}, rate=4.0, stamp="scheduled", clock=clock)
        await source.open(Wanted(frozenset("A")))
        await clock.sleep(10 * SECOND)  # nobody takes them: they are late, and say so
        ticks = [tick async for lot in source.events() for tick in lot]
        assert [tick.time / SECOND for tick in ticks] == [7.0, 7.25, 7.5]

    run(main())


def test_equal_stamps_come_in_the_order_of_the_mapping_and_of_the_rows(run: Any) -> None:
    async def main() -> None:
        trades = {"B": _trades(0, 1, 1, price=1.0), "A": _trades(0, 0, 1, price=100.0)}
        found = [tick for _, tick in await _played(ReplaySource(trades, speed=float("inf")))]
        assert [(tick.symbol, tick.price) for tick in found] == [
            ("B", 1.0),
            ("A", 100.0),
            ("A", 101.0),
            ("B", 2.0),
            ("B", 3.0),
            ("A", 102.0),
        ]

    run(main())


def test_a_replay_of_real_trades_through_the_hub_is_the_file_row_by_row(shared: Any, run: Any) -> None:
    frame = pd.read_parquet(shared / "data" / "bac_trades.parquet").set_index("timestamp").iloc[:20_000]

    async def main() -> None:
        got: list[Tick] = []
        hub = StreamHub(ReplaySource({"BAC": frame}, speed=float("inf")), overflow="wait")
        name = await hub.subscribe("BAC", got.extend, deliver="batch")
        await hub.join()
        assert [tick.price for tick in got] == frame["price"].tolist()
        assert [tick.size for tick in got] == frame["size"].tolist()
        assert [tick.time for tick in got] == frame.index.as_unit("ns").asi8.tolist()
        assert hub.statistics(name).freshness is None, "a recording is not fresh"
        await hub.close()

    run(main())


def test_pause_and_resume_keep_the_distances(run: Any) -> None:
    async def main() -> None:
        clock = VirtualClock(0)
        source = ReplaySource({"A": _trades(0, 1, 2)}, clock=clock)
        await source.open(Wanted(frozenset("A")))
        events = source.events()
        assert len(await anext(events)) == 1
        source.pause()
        source.pause()
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await clock.sleep(100 * SECOND)
        source.resume()
        source.resume()
        await waiting
        assert clock.now() == 101 * SECOND
        await events.aclose()

    run(main())


def test_seek_goes_to_a_time_forwards_and_backwards(run: Any) -> None:
    async def main() -> None:
        clock = VirtualClock(0)
        source = ReplaySource({"A": _trades(0, 60, 120)}, clock=clock)
        await source.open(Wanted(frozenset("A")))
        source.seek("2024-03-01 00:01:30")
        events = source.events()
        assert [tick.price for tick in await anext(events)] == [12.0]
        assert clock.now() == 0
        source.seek("2024-03-01")
        assert [tick.price async for lot in events for tick in lot] == [10.0, 11.0, 12.0]
        assert clock.now() == 120 * SECOND
        with pytest.raises(InputError, match="the recording ends at 2024-03-01 00:02:00"):
            source.seek("2024-03-02")

    run(main())


def test_past_trades_are_those_that_were_due_so_far(run: Any) -> None:
    async def main() -> None:
        clock = VirtualClock(0)
        source = ReplaySource({"A": _trades(0, 1, 2, 3), "B": _trades(0)}, clock=clock)
        await source.open(Wanted(frozenset("A")))
        await clock.sleep(2 * SECOND)
        found = await source.backfill("A", Span.of("2024-03-01 00:00:01", "2024-03-02"))
        assert [tick.price for tick in found] == [11.0, 12.0]

    run(main())


class Flaky(ReplaySource):
    """A replay whose connection is lost every so many lots."""

    def __init__(self, *args: Any, every: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self._every = every

    async def events(self) -> Any:
        from algotrendy.errors import VenueUnavailable

        count = 0
        async for lot in super().events():
            count += 1
            if count == self._every:
                raise VenueUnavailable(self.name, "gone, and the lot with it")
            yield lot


@pytest.mark.parametrize("every", [2, 3, 7])
def test_a_feed_that_is_lost_again_and_again_comes_through_whole_and_in_order(run: Any, every: int) -> None:
    async def main() -> None:
        from algotrendy.data.stream import Backoff

        trades = sample_trades(3_000, seed=every, per_second=10_000.0)
        got: list[Tick] = []
        source = Flaky({"A": trades}, every=every, rate=20_000.0)
        backoff = Backoff(first_seconds=0.001, most_seconds=0.002)
        hub = StreamHub(source, backoff=backoff, overlap_seconds=0.001)
        name = await hub.subscribe("A", got.append, queue_size=5_000)
        await hub.join()
        assert [tick.id for tick in got] == [str(row) for row in range(3_000)]
        assert [tick.price for tick in got] == trades["price"].tolist()
        found = hub.statistics(name)
        assert found.reconnects > 3
        assert found.backfilled > 0
        assert hub.state is StreamState.ENDED
        await hub.close()

    run(main())


def test_ten_thousand_ticks_a_second_are_less_than_a_second_old(run: Any) -> None:
    """The law of the feed: three subscribers, one of them slow; nothing is lost but what the slow one leaves."""

    async def main() -> None:
        trades = {name: sample_trades(10_000, seed=seed) for seed, name in enumerate("AB")}
        source = ReplaySource(trades, rate=10_000.0, stamp="scheduled")
        source.pause()
        ticks: list[Tick] = []
        lots: list[int] = []

        async def on_tick(tick: Tick) -> None:
            ticks.append(tick)

        async def slow(tick: Tick) -> None:
            await asyncio.sleep(0.01)

        async with StreamHub(source) as hub:
            quick = [
                await hub.subscribe(["A", "B"], on_tick),
                await hub.subscribe(["A", "B"], lambda lot: lots.append(len(lot)), deliver="batch"),
            ]
            laggard = await hub.subscribe(["A", "B"], slow, queue_size=100)
            source.resume()
            while len(ticks) < 20_000:
                await asyncio.sleep(0.05)
            for name in quick:
                found = hub.statistics(name)
                assert (found.received, found.dropped, found.late) == (20_000, 0, 0)
                assert found.freshness is not None
                assert found.freshness.seconds_p99 < 1.0
            assert sum(lots) == hub.statistics(quick[1]).delivered
            behind = hub.statistics(laggard)
            assert behind.received == behind.delivered + behind.dropped + behind.queued == 20_000

    run(main())


@pytest.mark.parametrize(
    ("trades", "options", "message"),
    [
        ({}, {}, "a replay takes trades by symbol"),
        ({"A": [1, 2]}, {}, "the trades of 'A' are list; expected a DataFrame"),
        ({"A": _trades(0).tz_localize(None)}, {}, "indexed by datetime64.*; expected times in UTC"),
        ({"A": _trades()}, {}, "indexed by|0 rows"),
        ({"A": _trades(1, 0)}, {}, "a time that is missing, or before the one above in 1 of 2 rows, first in row 1"),
        ({"A": _trades(0, 1, price=-1.0)}, {}, "a price that is not a number above zero in 2 of 2 rows"),
        ({"A": _trades(0).assign(size=-1.0)}, {}, "a size that is not a number of zero or more"),
        ({"A": _trades(0)}, {"speed": 0.0}, "speed is 0.0"),
        ({"A": _trades(0)}, {"rate": float("inf")}, "rate is inf"),
        ({"A": _trades(0)}, {"stamp": "now"}, 'choose "recorded" or "scheduled"'),
    ],
)
def test_recordings_and_options_that_make_no_sense_are_refused(
    trades: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ReplaySource(trades, **options)


def test_a_symbol_that_was_not_recorded_is_refused(run: Any) -> None:
    async def main() -> None:
        async with StreamHub(ReplaySource({"A": _trades(0)})) as hub:
            with pytest.raises(InputError, match="there is no recording of 'B'; there are: A"):
                await hub.subscribe("B", print)

    run(main())


def test_sample_trades_are_seeded_sound_and_of_the_rate_asked_for() -> None:
    trades = sample_trades(20_000, seed=3, per_second=50.0)
    pd.testing.assert_frame_equal(trades, sample_trades(20_000, seed=3, per_second=50.0))
    assert not trades.equals(sample_trades(20_000, seed=4, per_second=50.0))
    assert trades.index.is_monotonic_increasing
    assert trades.index.has_duplicates, "real trades share stamps, and these do"
    assert (trades > 0).all().all()
    seconds = (trades.index[-1] - trades.index[0]).total_seconds()
    assert 20_000 / seconds == pytest.approx(50.0, rel=0.05)
    with pytest.raises(InputError, match="per_second is 0"):
        sample_trades(10, per_second=0)
