"""Subscriptions: order, isolation of callbacks, overflow, cancellation, states, and what is counted."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
import time
from typing import Any

import pytest

from algotrendy.compute import wait_for
from algotrendy.data.stream import Backoff, Notice, ReplaySource, StreamHub, StreamState, Tick, Wanted, sample_trades
from algotrendy.errors import AccessRefused, BadAnswer, InputError, RateLimited, VenueUnavailable

QUICK = Backoff(first_seconds=0.001, most_seconds=0.002)
LOST = VenueUnavailable("scripted", "gone")


def _own_tasks() -> list[str]:
    names = [each.get_name() for each in asyncio.all_tasks()]
    return [name for name in names if name.startswith("algotrendy")]


# --- order and isolation ---


def test_every_callback_gets_every_event_once_and_in_order(scripted: Any, run: Any, until: Any, tick: Any) -> None:
    async def main() -> None:
        source = scripted()
        in_task: list[Tick] = []
        in_thread: list[Tick] = []
        in_lots: list[list[Tick]] = []

        async def on_tick(event: Tick) -> None:
            in_task.append(event)
            if event.time % 7 == 0:
                await asyncio.sleep(0)

        async with StreamHub(source) as hub:
            await hub.subscribe("A", on_tick)
            await hub.subscribe("A", in_thread.append)
            await hub.subscribe("A", in_lots.append, deliver="batch")
            sent = [tick(number) for number in range(1, 5_001)]
            for first in range(0, 5_000, 37):
                source.send(*sent[first : first + 37])
                await asyncio.sleep(0)
            await until(lambda: len(in_task) == len(in_thread) == sum(map(len, in_lots)) == 5_000)
            assert in_task == in_thread == [each for lot in in_lots for each in lot] == sent

    run(main())


def test_async_callbacks_run_on_the_hubs_loop_and_plain_ones_each_in_a_thread_of_its_own(
    scripted: Any, run: Any, until: Any, tick: Any
) -> None:
    async def main() -> None:
        source = scripted()
        seen: dict[str, set[int]] = {"task": set(), "one": set(), "two": set()}

        async def in_task(_: Tick) -> None:
            seen["task"].add(threading.get_ident())

        def in_thread(name: str, _: Tick) -> None:
            seen[name].add(threading.get_ident())

        async with StreamHub(source) as hub:
            await hub.subscribe("A", in_task)
            await hub.subscribe("A", functools.partial(in_thread, "one"))
            await hub.subscribe("A", lambda event: in_thread("two", event))
            for number in range(1, 20):
                source.send(tick(number))
            await until(lambda: all(hub.statistics(name).delivered == 19 for name in hub.subscriptions))
            assert [len(each) for each in seen.values()] == [1, 1, 1]
            assert seen["task"] == {threading.get_ident()}
            assert len(set().union(*seen.values())) == 3

    run(main())


def test_callbacks_of_many_shapes_are_understood(scripted: Any, run: Any, until: Any, tick: Any) -> None:
    async def main() -> None:
        source = scripted()
        heard: list[str] = []

        async def on_tick(event: Tick, who: str = "function") -> None:
            await asyncio.sleep(0)
            heard.append(who)

        class Listener:
            async def __call__(self, event: Tick) -> None:
                await on_tick(event, "object")

            async def method(self, event: Tick) -> None:
                await on_tick(event, "method")

        async with StreamHub(source) as hub:
            for each in (on_tick, functools.partial(on_tick, who="partial"), Listener(), Listener().method):
                await hub.subscribe("A", each)
            await hub.subscribe("A", lambda event: on_tick(event, "lambda"))
            source.send(tick(1))
            await until(lambda: len(heard) == 5)
            assert sorted(heard) == ["function", "lambda", "method", "object", "partial"]

    run(main())


def test_a_callback_that_hangs_or_raises_does_nothing_to_the_others(
    scripted: Any, run: Any, until: Any, tick: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def main() -> None:
        source = scripted()
        good: list[Tick] = []
        release = threading.Event()

        async def hangs(_: Tick) -> None:
            await asyncio.sleep(3_600)

        def hangs_in_its_thread(_: Tick) -> None:
            release.wait(20)

        def raises(event: Tick) -> None:
            raise ValueError(f"no {event.time}")

        async def raises_in_its_task(event: Tick) -> None:
            raise KeyError(event.time)

        async with StreamHub(source, queue_size=10) as hub:
            slow = [await hub.subscribe("A", each) for each in (hangs, hangs_in_its_thread)]
            bad = [await hub.subscribe("A", each) for each in (raises, raises_in_its_task)]
            await hub.subscribe("A", good.append, queue_size=1_000)
            for number in range(1, 201):
                source.send(tick(number))
                await asyncio.sleep(0.001)
            await until(lambda: len(good) == 200)
            for name in slow:
                found = hub.statistics(name)
                assert (found.delivered, found.queued, found.dropped) == (1, 10, 189)
            for name in bad:
                await until(lambda name=name: hub.statistics(name).errors == 200)  # type: ignore[misc]
                assert hub.statistics(name).delivered == 200
            assert hub.statistics(bad[0]).last_error == "ValueError: no 200"
            release.set()
            for name in slow:
                await hub.cancel(name, grace_seconds=0.2)

    run(main())
    assert sum("raised" in record.getMessage() for record in caplog.records) == 6, "the 1st, 10th and 100th of each"


def test_a_cancellation_inside_a_callback_is_an_error_like_any_other(
    scripted: Any, run: Any, until: Any, tick: Any
) -> None:
    async def main() -> None:
        source = scripted()

        async def on_tick(event: Tick) -> None:
            work = asyncio.create_task(asyncio.sleep(10))
            work.cancel()
            await work

        async with StreamHub(source) as hub:
            name = await hub.subscribe("A", on_tick)
            source.send(tick(1), tick(2))
            await until(lambda: hub.statistics(name).errors == 2)
            assert hub.statistics(name).last_error == "RuntimeError: what the callback awaited was cancelled"

    run(main())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_callback_that_ends_its_thread_ends_its_subscription_alone(
    scripted: Any, run: Any, until: Any, tick: Any
) -> None:
    async def main() -> None:
        source = scripted()
        got: list[Tick] = []

        def on_tick(event: Tick) -> None:
            raise SystemExit

        async with StreamHub(source) as hub:
            name = await hub.subscribe("A", on_tick)
            await hub.subscribe("A", got.append)
            source.send(tick(1), tick(2))
            await until(lambda: len(got) == 2)
            began = time.monotonic()
            await hub.cancel(name)
            assert time.monotonic() - began < 4.0

    run(main())


def test_dropped_events_are_the_oldest(scripted: Any, run: Any, until: Any, tick: Any) -> None:
    async def main() -> None:
        source = scripted()
        got: list[int] = []
        release = asyncio.Event()

        async def on_tick(event: Tick) -> None:
            await release.wait()
            got.append(event.time)

        async with StreamHub(source, queue_size=3) as hub:
            name = await hub.subscribe("A", on_tick)
            source.send(tick(1))
            await until(lambda: hub.statistics(name).delivered == 1)
            source.send(*(tick(number) for number in range(2, 11)))
            await until(lambda: hub.statistics(name).received == 10)
            release.set()
            await until(lambda: len(got) == 4)
            assert got == [1, 8, 9, 10]
            found = hub.statistics(name)
            assert (found.received, found.delivered, found.dropped) == (10, 4, 6)

    run(main())


def test_a_source_that_is_not_live_can_be_held_up_so_that_nothing_is_lost(run: Any) -> None:
    async def main() -> None:
        trades = sample_trades(3_000, seed=4)
        slow: list[Tick] = []
        quick: list[list[Tick]] = []

        def on_tick(event: Tick) -> None:
            slow.append(event)
            if len(slow) % 100 == 0:
                time.sleep(0.001)

        source = ReplaySource({"A": trades}, speed=float("inf"))
        source.pause()
        hub = StreamHub(source, queue_size=50, overflow="wait")
        names = [await hub.subscribe("A", on_tick), await hub.subscribe("A", quick.append, deliver="batch")]
        source.resume()
        await hub.join()
        assert [tick.price for tick in slow] == trades["price"].tolist()
        assert [tick for lot in quick for tick in lot] == slow
        assert [hub.statistics(name).dropped for name in names] == [0, 0]
        assert hub.state is StreamState.ENDED
        await hub.close()

    run(main())


def test_a_held_up_source_goes_on_when_the_subscription_that_hangs_is_cancelled(run: Any, until: Any) -> None:
    async def main() -> None:
        async def hangs(_: Tick) -> None:
            await asyncio.sleep(3_600)

        got: list[Tick] = []
        source = ReplaySource({"A": sample_trades(500, seed=4)}, speed=float("inf"))
        source.pause()
        hub = StreamHub(source, queue_size=20, overflow="wait")
        name = await hub.subscribe("A", hangs)
        await hub.subscribe("A", got.append)
        source.resume()
        await until(lambda: hub.statistics(name).queued == 20)
        await hub.cancel(name, grace_seconds=0.01)
        await hub.join()
        assert len(got) == 500
        await hub.close()

    run(main())


# --- sharing and cancelling ---


def test_symbols_are_opened_once_and_left_when_nobody_wants_them(scripted: Any, run: Any, tick: Any) -> None:
    async def main() -> None:
        source = scripted()
        async with StreamHub(source) as hub:
            one = await hub.subscribe(["A", "B"], print)
            two = await hub.subscribe("B", print, fields=["bid", "price"])
            three = await hub.subscribe("B", print)
            await hub.cancel(three)
            await hub.cancel(one)
            await hub.cancel(two)
            a_b, b = frozenset("AB"), frozenset("B")
            assert source.opened == [Wanted(a_b), Wanted(a_b, b), Wanted(b, b)]
            assert source.closed == 1
            assert hub.state is StreamState.IDLE
            await hub.subscribe("C", print)
            assert source.opened[-1] == Wanted(frozenset("C"))

    run(main())


def test_nothing_is_called_once_cancel_has_returned(scripted: Any, run: Any, until: Any, tick: Any) -> None:
    async def main() -> None:
        source = scripted()
        got: list[Tick] = []
        entered, release = threading.Event(), threading.Event()

        def on_tick(event: Tick) -> None:
            entered.set()
            release.wait(10)
            got.append(event)

        async with StreamHub(source) as hub:
            name = await hub.subscribe("A", on_tick)
            await hub.subscribe("A", lambda event: None)
            source.send(*(tick(number) for number in range(1, 50)))
            await until(entered.is_set)
            ending = asyncio.create_task(hub.cancel(name))
            await asyncio.sleep(0.05)
            assert not ending.done(), "the call that runs is waited for"
            release.set()
            await ending
            assert len(got) == 1
            source.send(tick(60))
            await asyncio.sleep(0.05)
            assert len(got) == 1
            with pytest.raises(InputError, match="there is no subscription 'sub_"):
                await hub.cancel(name)
            with pytest.raises(InputError, match="there is no subscription 'sub_"):
                hub.statistics(name)

    run(main())


def test_an_async_callback_that_hangs_is_cancelled_with_its_subscription(
    scripted: Any, run: Any, until: Any, tick: Any
) -> None:
    async def main() -> None:
        source = scripted()
        ended: list[str] = []

        async def on_tick(event: Tick) -> None:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        async with StreamHub(source) as hub:
            name = await hub.subscribe("A", on_tick)
            source.send(tick(1))
            await until(lambda: hub.statistics(name).delivered == 1)
            await hub.cancel(name, grace_seconds=0.02)
            assert ended == ["cancelled"]

    run(main())


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_a_callback_may_cancel_its_own_subscription(scripted: Any, run: Any, until: Any, tick: Any, kind: str) -> None:
    async def main() -> None:
        source = scripted()
        got: list[Tick] = []
        names: list[str] = []
        returned: list[float] = []
        loop = asyncio.get_running_loop()

        async def on_tick(event: Tick) -> None:
            got.append(event)
            await hub.cancel(names[0])
            returned.append(time.monotonic())

        def on_tick_in_thread(event: Tick) -> None:
            got.append(event)
            asyncio.run_coroutine_threadsafe(hub.cancel(names[0]), loop).result(10)
            returned.append(time.monotonic())

        async with StreamHub(source) as hub:
            names.append(await hub.subscribe("A", on_tick if kind == "async" else on_tick_in_thread))
            began = time.monotonic()
            source.send(tick(1), tick(2), tick(3))
            await until(lambda: len(returned) == 1)
            assert returned[0] - began < 4.0, "it does not wait for itself"
            await asyncio.sleep(0.05)
            assert len(got) == 1
            assert hub.subscriptions == ()

    run(main())


def test_subscribing_and_cancelling_in_a_crowd_leaves_nothing_behind(
    scripted: Any, run: Any, until: Any, tick: Any
) -> None:
    async def main() -> None:
        source = scripted()
        threads = threading.active_count()
        async with StreamHub(source) as hub:

            async def visitor(number: int) -> int:
                got: list[Tick] = []

                async def on_tick(event: Tick) -> None:
                    got.append(event)

                name = await hub.subscribe(f"S{number % 5}", on_tick if number % 2 else got.append)
                for _ in range(number % 4):
                    source.send(tick(number, f"S{number % 5}"))
                    await asyncio.sleep(0.001)
                await hub.cancel(name)
                return len(got)

            await asyncio.gather(*(visitor(number) for number in range(60)))
            assert hub.subscriptions == ()
            assert hub.state is StreamState.IDLE
            assert source.opened[-1].symbols != frozenset()
        await until(lambda: threading.active_count() <= threads)  # one that has ended may still be on its way out
        assert _own_tasks() == []

    run(main())


def test_synchronous_users_subscribe_through_the_background_loop(tick: Any) -> None:
    trades = sample_trades(200, seed=2)
    got: list[Tick] = []
    hub = StreamHub(ReplaySource({"A": trades}, speed=float("inf")), overflow="wait")
    name = wait_for(hub.subscribe("A", got.append))
    wait_for(hub.join())
    assert [each.price for each in got] == trades["price"].tolist()
    assert hub.statistics(name).delivered == 200
    wait_for(hub.close())
    wait_for(hub.close())


def test_statistics_can_be_read_from_any_thread_while_events_flow(run: Any, until: Any) -> None:
    async def main() -> None:
        source = ReplaySource({"A": sample_trades(4_000, seed=2)}, rate=20_000, stamp="scheduled")
        faults: list[BaseException] = []
        seen: list[int] = []
        stop = threading.Event()
        async with StreamHub(source) as hub:
            name = await hub.subscribe("A", lambda event: None)

            def look() -> None:
                try:
                    while not stop.is_set():
                        seen.append(hub.statistics(name).delivered)
                        hub.statistics()
                except BaseException as e:  # noqa: BLE001 - handed to the test
                    faults.append(e)

            watchers = [threading.Thread(target=look) for _ in range(2)]
            for each in watchers:
                each.start()
            await hub.join()
            stop.set()
            for each in watchers:
                await asyncio.to_thread(each.join)
            assert faults == []
            assert hub.statistics(name).delivered == 4_000
            assert seen

    run(main())


def test_a_hub_belongs_to_one_event_loop(scripted: Any, run: Any) -> None:
    async def main() -> None:
        hub = StreamHub(scripted())
        await hub.subscribe("A", print)
        with pytest.raises(InputError, match="another event loop; make one hub per loop"):
            await asyncio.to_thread(wait_for, hub.subscribe("A", print))
        await hub.close()

    run(main())


# --- the connection ---


def test_a_refusal_goes_to_who_subscribes_and_nothing_stays(scripted: Any, run: Any) -> None:
    async def main() -> None:
        source = scripted()
        source.refusals = [AccessRefused("scripted", "no"), None, InputError("no such symbol")]
        async with StreamHub(source) as hub:
            with pytest.raises(AccessRefused, match="scripted: no"):
                await hub.subscribe("A", print)
            assert (hub.subscriptions, hub.state) == ((), StreamState.IDLE)
            one = await hub.subscribe("A", print)
            with pytest.raises(InputError, match="no such symbol"):
                await hub.subscribe("X", print)
            assert (hub.subscriptions, hub.state) == ((one,), StreamState.LIVE)

    run(main())


def test_a_key_that_is_refused_later_ends_the_hub_and_says_so(scripted: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        source = scripted()
        states: list[Any] = []
        source.refusals = [None, AccessRefused("scripted", "expired")]
        hub = StreamHub(source, backoff=QUICK, on_state=states.append)
        await hub.subscribe("A", print)
        source.lose(LOST)
        await until(lambda: hub.state is StreamState.REFUSED)
        assert states[-1].reason == "AccessRefused: scripted: expired"
        with pytest.raises(AccessRefused, match="expired"):
            await hub.join()
        with pytest.raises(InputError, match="is refused: scripted: expired; make another hub"):
            await hub.subscribe("A", print)
        await hub.close()

    run(main())


def test_a_fault_of_the_source_itself_ends_the_hub_and_is_not_hidden(scripted: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        source = scripted()
        hub = StreamHub(source, backoff=QUICK)
        await hub.subscribe("A", print)
        source.lose(ZeroDivisionError("a fault"))
        await until(lambda: hub.state is StreamState.FAILED)
        with pytest.raises(ZeroDivisionError, match="a fault"):
            await hub.join()
        await hub.close()

    run(main())


def test_waits_between_attempts_double_until_an_event_comes_and_hold_what_the_venue_asks_for(
    scripted: Any, run: Any, until: Any, tick: Any
) -> None:
    async def main() -> None:
        source = scripted()
        states: list[Any] = []
        source.refusals = [None, LOST, LOST, RateLimited("scripted", "slow down", 0.05), BadAnswer("scripted", "html")]
        backoff = Backoff(first_seconds=0.01, most_seconds=0.1)
        async with StreamHub(source, backoff=backoff, on_state=states.append) as hub:
            await hub.subscribe("A", print)
            source.lose(LOST)
            await until(lambda: len(source.opened) == 6 and hub.state is StreamState.LIVE)
            waits = [float(each.reason.split()[-2]) for each in states if each.state == "reconnecting"]
            assert len(waits) == 5
            assert waits[0] <= 0.01 < waits[2]
            assert waits[3] >= 0.05
            assert hub.statistics().reconnects == 5
            source.send(tick(1))
            await until(lambda: hub.statistics().received == 1)
            source.lose(LOST)
            await until(lambda: len(source.opened) == 7)
            waits = [float(each.reason.split()[-2]) for each in states if each.state == "reconnecting"]
            assert waits[5] <= 0.01, "an event came, so it begins again"

    run(main())


def test_silence_is_a_loss_for_a_live_source_alone(scripted: Any, run: Any, until: Any, tick: Any) -> None:
    async def main() -> None:
        live, recorded = scripted(), scripted(live=False)
        states: list[Any] = []
        async with (
            StreamHub(live, heartbeat_seconds=0.05, backoff=QUICK, on_state=states.append) as hub,
            StreamHub(recorded, heartbeat_seconds=0.05, backoff=QUICK) as other,
        ):
            await hub.subscribe("A", print)
            await other.subscribe("A", print)
            for number in range(1, 6):  # as long as something comes, nothing happens
                await asyncio.sleep(0.02)
                live.send(tick(number))
            assert hub.statistics().reconnects == 0
            await until(lambda: hub.statistics().reconnects == 2)
            assert "silent for 0.05 seconds" in states[2].reason
            assert other.statistics().reconnects == 0

    run(main())


def test_messages_that_cannot_be_read_are_no_sign_of_life(scripted: Any, run: Any, until: Any) -> None:
    async def main() -> None:
        source = scripted()
        async with StreamHub(source, heartbeat_seconds=0.1, backoff=QUICK) as hub:
            await hub.subscribe("A", print)
            for _ in range(20):
                source.send(Notice("malformed", "?"))
                await asyncio.sleep(0.02)
            assert hub.statistics().malformed == 20
            assert hub.statistics().reconnects >= 2

    run(main())


def test_a_report_that_raises_does_not_end_the_stream(scripted: Any, run: Any, until: Any, tick: Any) -> None:
    async def main() -> None:
        source = scripted()
        got: list[Tick] = []

        def on_state(_: Any) -> None:
            raise ValueError("no")

        async with StreamHub(source, on_state=on_state) as hub:
            await hub.subscribe("A", got.append)
            source.send(tick(1))
            await until(lambda: len(got) == 1)

    run(main())


def test_symbols_that_change_while_the_connection_is_down_are_opened_when_it_is_back(
    scripted: Any, run: Any, until: Any, tick: Any
) -> None:
    async def main() -> None:
        source = scripted()
        got: list[Tick] = []
        backoff = Backoff(first_seconds=0.05, most_seconds=0.05)
        async with StreamHub(source, backoff=backoff) as hub:
            one = await hub.subscribe("A", print)
            source.lose(LOST)
            await until(lambda: hub.state is StreamState.RECONNECTING)
            await hub.subscribe("B", got.append)
            await hub.cancel(one)
            await until(lambda: hub.state is StreamState.LIVE)
            assert source.opened == [Wanted(frozenset("A")), Wanted(frozenset("B"))]
            source.send(tick(1, "B"), tick(2, "A"))
            await until(lambda: len(got) == 1)

    run(main())


# --- gaps ---


def test_a_gap_is_filled_before_what_comes_after_it(scripted: Any, run: Any, until: Any, tick: Any) -> None:
    async def main() -> None:
        source = scripted(backfill=True)
        got: list[Tick] = []
        async with StreamHub(source, backoff=QUICK, overlap_seconds=0.0) as hub:
            name = await hub.subscribe(["A", "B"], got.append)
            source.send(tick(1), tick(2), tick(1, "B"))
            await until(lambda: len(got) == 3)
            source.past = [tick(number) for number in (2, 3, 4, 5)]
            source.fill_gate = asyncio.Event()
            source.lose(LOST)
            await until(lambda: len(source.asked) == 2)
            source.send(tick(5), tick(6))
            await asyncio.sleep(0.05)
            assert len(got) == 3, "what comes live waits for the fill"
            source.fill_gate.set()
            await until(lambda: len(got) == 7)
            assert [(each.time, each.backfilled) for each in got if each.symbol == "A"] == [
                (1, False),
                (2, False),
                (3, True),
                (4, True),
                (5, False),
                (6, False),
            ]
            found = hub.statistics(name)
            assert (found.backfilled, found.duplicates, found.late, found.reconnects) == (2, 2, 0, 1)

    run(main())


def test_a_connection_that_is_lost_again_during_a_fill_loses_nothing(
    scripted: Any, run: Any, until: Any, tick: Any
) -> None:
    async def main() -> None:
        source = scripted(backfill=True)
        got: list[Tick] = []
        async with StreamHub(source, backoff=QUICK, overlap_seconds=0.0) as hub:
            await hub.subscribe("A", got.append)
            source.send(tick(1))
            await until(lambda: len(got) == 1)
            source.fill_gate = asyncio.Event()
            source.lose(LOST)
            await until(lambda: len(source.asked) == 1)
            source.send(tick(3))
            await asyncio.sleep(0.02)
            source.lose(LOST)
            await until(lambda: len(source.asked) == 2)
            source.past = [tick(number) for number in (2, 3, 4)]
            source.send(tick(5))
            source.fill_gate.set()
            await until(lambda: len(got) == 5)
            assert [each.time for each in got] == [1, 2, 3, 4, 5]
            assert all(span.start.value <= 1 for _, span in source.asked)

    run(main())


def test_a_fill_that_takes_too_long_leaves_the_gap_and_is_counted(
    scripted: Any, run: Any, until: Any, tick: Any
) -> None:
    async def main() -> None:
        source = scripted(backfill=True)
        got: list[Tick] = []
        states: list[Any] = []
        async with StreamHub(source, backoff=QUICK, backfill_seconds=0.05, on_state=states.append) as hub:
            name = await hub.subscribe("A", got.append)
            source.fill_gate = asyncio.Event()
            source.lose(LOST)
            await until(lambda: len(source.asked) == 1)
            source.send(tick(5))
            await until(lambda: len(got) == 1)
            assert hub.statistics(name).backfill_failures == 1
            assert "could not be filled: TimeoutError" in states[-1].reason

    run(main())


def test_a_fill_of_ones_own_may_be_given_and_may_fail(scripted: Any, run: Any, until: Any, tick: Any) -> None:
    async def main() -> None:
        source = scripted()
        got: list[Tick] = []
        calls: list[str] = []

        async def fill(symbol: str, span: Any) -> list[Tick]:
            calls.append(symbol)
            if len(calls) == 1:
                raise RuntimeError("not today")
            return [tick(3)]

        async with StreamHub(source, backoff=QUICK, backfill=fill, overlap_seconds=0.0) as hub:
            name = await hub.subscribe("A", got.append)
            source.send(tick(2))
            source.lose(LOST)
            await until(lambda: hub.statistics(name).backfill_failures == 1)
            source.lose(LOST)
            await until(lambda: len(got) == 2)
            assert [each.time for each in got] == [2, 3]

    run(main())


def test_events_that_come_out_of_order_are_handed_on_and_counted(
    scripted: Any, run: Any, until: Any, tick: Any, quote: Any
) -> None:
    async def main() -> None:
        source = scripted()
        got: list[Any] = []
        async with StreamHub(source) as hub:
            name = await hub.subscribe(["A", "B"], got.append, fields=["price", "bid"])
            source.send(tick(5), quote(4), tick(3), tick(4, "B"), quote(2), tick(6))
            await until(lambda: len(got) == 6)
            assert hub.statistics(name).late == 2
            other = await hub.subscribe("A", print)
            assert hub.statistics(other).late == 0, "what was before does not count"

    run(main())


# --- what is refused ---


@pytest.mark.parametrize(
    ("symbols", "fields", "message"),
    [
        ([], None, "symbols: found none; expected one or several"),
        ("", None, "symbols: found ''"),
        ([" A"], None, "symbols: found ' A'"),
        ([None], None, "symbols: found None"),
        ("A", ["prise"], "fields hold 'prise'; choose from price, size"),
        ("A", [], "fields hold no field at all"),
    ],
)
def test_a_subscription_that_makes_no_sense_is_refused(
    scripted: Any, run: Any, symbols: Any, fields: Any, message: str
) -> None:
    async def main() -> None:
        source = scripted()
        async with StreamHub(source) as hub:
            with pytest.raises(InputError, match=message):
                await hub.subscribe(symbols, print, fields)
        assert source.opened == []

    run(main())


def test_options_that_make_no_sense_are_refused(scripted: Any, run: Any) -> None:
    for options, message in (
        ({"overflow": "block"}, 'choose "drop" or "wait"'),
        ({"overflow": "wait"}, "is live and cannot be held up"),
        ({"queue_size": 0}, "queue_size is 0; expected a whole number of at least 1"),
        ({"heartbeat_seconds": 0.0}, "heartbeat_seconds is 0.0"),
    ):
        with pytest.raises(InputError, match=message):
            StreamHub(scripted(), **options)

    async def main() -> None:
        async with StreamHub(scripted(quotes=False)) as hub:
            with pytest.raises(InputError, match="scripted streams trades, no quotes"):
                await hub.subscribe("A", print, fields=["ask"])
            with pytest.raises(InputError, match="expected a function that takes one event"):
                await hub.subscribe("A", "print")  # type: ignore[arg-type]
            with pytest.raises(InputError, match='choose "each" or "batch"'):
                await hub.subscribe("A", print, deliver="all")  # type: ignore[arg-type]

    run(main())


def test_waits_before_attempts_have_bounds() -> None:
    backoff = Backoff(first_seconds=1.0, most_seconds=60.0)
    for attempt in range(2_000):
        least = min(60.0, 2.0 ** min(attempt, 10)) / 2
        assert least <= backoff.seconds(attempt) <= 2 * least
    assert len({backoff.seconds(3) for _ in range(20)}) == 20, "never in step"
    with pytest.raises(InputError, match="expected 0 <= first <= most"):
        Backoff(first_seconds=2.0, most_seconds=1.0)


def test_closing_a_hub_that_is_held_up_by_a_callback_that_hangs_does_not_hang(run: Any, until: Any) -> None:
    async def main() -> None:
        async def hangs(_: Tick) -> None:
            await asyncio.sleep(3_600)

        hub = StreamHub(
            ReplaySource({"A": sample_trades(500, seed=4)}, speed=float("inf")), queue_size=20, overflow="wait"
        )
        name = await hub.subscribe("A", hangs)
        await until(lambda: hub.statistics(name).queued == 20)
        await hub.close(grace_seconds=0.05)
        assert hub.state is StreamState.CLOSED
        assert _own_tasks() == [], "no task is left behind"

    run(main())
