"""Events: their shapes, patterns, and a bus on which a slow or failing handler hurts nobody."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import types
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.compute import wait_for
from algotrendy.errors import Conflict, InputError
from algotrendy.events import (
    CATALOGUE,
    DeadLetter,
    EventEnvelope,
    EventType,
    InProcessBus,
    consumers_of,
    envelope_of,
    event_consumer,
    matches,
)
from algotrendy.events.envelope import TOPIC
from algotrendy.events.subscription import Delivery

# A thread that a handler ends is told of when it is gone, which may be during the next test.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


REBALANCED = {"portfolio_id": "port_1", "method": "full"}
QUICK = Delivery(retry_seconds=0.0)


@pytest.fixture
def bus() -> Iterator[InProcessBus]:
    made = InProcessBus(delivery=QUICK)
    yield made
    wait_for(made.close(5.0))


def drained(bus: InProcessBus) -> None:
    assert wait_for(bus.drain(20.0))


# --- catalogue and envelope ---


def test_the_names_of_the_specification_are_in_the_catalogue() -> None:
    wanted = {
        "MARKET_DATA_RECEIVED": "market.data.received", "ORDER_CREATED": "trading.order.created",
        "ORDER_FILLED": "trading.order.filled", "POSITION_OPENED": "trading.position.opened",
        "SIGNAL_GENERATED": "strategy.signal.generated", "RISK_THRESHOLD_BREACHED": "risk.threshold.breached",
        "PORTFOLIO_REBALANCED": "portfolio.rebalanced", "RISK_CHECK_COMPLETED": "risk.check.completed",
    }  # fmt: skip
    assert {name: EventType[name].value for name in wanted} == wanted
    assert set(CATALOGUE) == set(EventType)
    assert all(set(entry.key) <= set(entry.payload.model_fields) for entry in CATALOGUE.values())


def test_an_event_travels_as_json_and_keeps_every_digit() -> None:
    price = Decimal("0.1000000000000000000001")
    data = {
        "order_id": "ord_1", "portfolio_id": "port_1", "symbol": "A", "side": "BUY", "execution_id": "x1",
        "quantity": 3, "price": price, "filled_quantity": 3, "remaining_quantity": 0,
        "filled_at": datetime(2026, 1, 5, tzinfo=UTC),
    }  # fmt: skip
    event = envelope_of(EventType.ORDER_FILLED, data, source="test")
    assert (event.key, event.topic, event.version, event.sequence) == ("ord_1", TOPIC, 1, 0)
    assert event.timestamp.utcoffset() is not None
    back = EventEnvelope.from_json(event.to_json())
    assert back == event
    assert back.payload.price == price  # type: ignore[attr-defined]
    assert json.loads(event.to_json())["data"]["price"] == str(price)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: envelope_of("portfolio.rebalanced", {"portfolio_id": "p"}), "method: Field required"),
        (lambda: envelope_of("portfolio.rebalanced", {**REBALANCED, "x": 1}), "x: Extra inputs"),
        (lambda: envelope_of("Not A Name", {}), "no type of event"),
        (lambda: envelope_of("desk.lunch", {"what": object()}), "JSON cannot say"),
        (lambda: EventEnvelope.from_json("{}"), "this is no event"),
        (lambda: envelope_of("desk.lunch", {}).payload, "no desk.lunch of version 1"),
        (lambda: matches("a..b", "a"), "is no pattern"),
        (lambda: event_consumer(event_type="a.B"), "is no pattern"),
        (lambda: consumers_of(print), "has no handler"),
        (lambda: Delivery(queue_limit=0), "at least 1"),
    ],
)
def test_what_is_no_event_is_refused(call: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()


@given(
    pattern=st.lists(st.sampled_from(["a", "b", "*", "#"]), min_size=1, max_size=5),
    words=st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=6),
)
def test_patterns_mean_what_they_say(pattern: list[str], words: list[str]) -> None:
    ends = {0}  # how many words may have been used up so far
    for one in pattern:
        if one == "#":
            ends = {end for start in ends for end in range(start, len(words) + 1)}
        else:
            ends = {start + 1 for start in ends if start < len(words) and one in ("*", words[start])}
    assert matches(".".join(pattern), ".".join(words)) == (len(words) in ends)


# --- the bus ---


def test_handlers_hear_what_they_want_in_order(bus: InProcessBus) -> None:
    heard: dict[str, list[int]] = {"all": [], "some": [], "tasks": []}

    async def on_task(event: EventEnvelope) -> None:
        await asyncio.sleep(0)
        heard["tasks"].append(event.sequence)

    bus.subscribe("#", lambda event: heard["all"].append(event.sequence))
    bus.subscribe("desk.*", lambda event: heard["some"].append(event.sequence))
    bus.subscribe("#", on_task)
    for number in range(200):
        bus.send("desk.lunch" if number % 2 else "portfolio.rebalanced", REBALANCED)
    drained(bus)
    assert heard["all"] == heard["tasks"] == list(range(1, 201))
    assert heard["some"] == list(range(2, 201, 2))


def test_a_handler_that_fails_is_told_again_and_then_its_event_is_a_dead_letter() -> None:
    letters: list[DeadLetter] = []
    bus = InProcessBus(delivery=QUICK, on_dead_letter=letters.append)
    calls: list[str] = []

    def fails(event: EventEnvelope) -> None:
        calls.append(event.key)
        if event.key == "bad" or calls.count(event.key) < 3:
            raise ValueError(event.key)

    subscription = bus.subscribe("#", fails, name="failing")
    for key in ("bad", "good"):
        bus.send("desk.lunch", {}, key)
    drained(bus)
    assert calls == ["bad"] * 3 + ["good"] * 3
    assert (subscription.delivered, subscription.retried, subscription.dead) == (1, 4, 1)
    assert [(letter.event.key, letter.subscription, letter.reason) for letter in letters] == [
        ("bad", "failing", "ValueError: bad")
    ]
    assert bus.dead_letters == tuple(letters)
    wait_for(bus.close())


@pytest.mark.parametrize("is_async", [False, True])
def test_a_handler_that_hangs_hurts_neither_publisher_nor_neighbour(is_async: bool) -> None:
    bus = InProcessBus(delivery=Delivery(queue_limit=5))
    release, heard = threading.Event(), []

    def hangs(event: EventEnvelope) -> None:
        release.wait(30)

    async def hangs_too(event: EventEnvelope) -> None:
        await asyncio.to_thread(release.wait, 30)

    stuck = bus.subscribe("#", hangs_too if is_async else hangs, name="stuck")
    bus.subscribe("#", lambda event: heard.append(event.sequence), delivery=Delivery())
    began = time.monotonic()
    for _ in range(100):
        bus.send("desk.lunch", {})
    assert time.monotonic() - began < 10
    while len(heard) < 100:
        time.sleep(0.005)
    assert heard == list(range(1, 101))
    assert stuck.dead == 95
    assert "5 events wait already" in bus.dead_letters[0].reason
    release.set()
    drained(bus)
    assert stuck.delivered == 5
    wait_for(bus.close())


def test_the_end_waits_for_handlers_and_tells_what_was_not_taken() -> None:
    bus, heard = InProcessBus(delivery=QUICK), []

    def slow(event: EventEnvelope) -> None:
        time.sleep(0.002)
        heard.append(event.sequence)

    bus.subscribe("#", slow)
    for _ in range(20):
        bus.send("desk.lunch", {})
    wait_for(bus.close())
    assert heard == list(range(1, 21))
    for call in (lambda: bus.send("desk.lunch", {}), lambda: bus.subscribe("#", print)):
        with pytest.raises(Conflict, match="the bus is closed"):
            call()

    release, other = threading.Event(), InProcessBus()
    other.subscribe("#", lambda event: release.wait(30), name="stuck")
    for _ in range(3):
        other.send("desk.lunch", {})
    while other.subscriptions[0].waiting != 3:
        time.sleep(0.001)
    wait_for(other.close(0.05))
    assert [(letter.event.sequence, letter.reason) for letter in other.dead_letters][-2:] == [
        (2, "the bus was closed"), (3, "the bus was closed")
    ]  # fmt: skip
    release.set()


def test_a_cancelled_subscription_is_told_of_nothing_more(bus: InProcessBus) -> None:
    heard: list[int] = []
    subscription = bus.subscribe("#", lambda event: heard.append(event.sequence))
    bus.send("desk.lunch", {})
    drained(bus)
    subscription.cancel()
    bus.send("desk.lunch", {})
    assert heard == [1]
    assert subscription not in bus.subscriptions


def test_a_handler_that_ends_its_thread_leaves_dead_letters_and_no_silence(bus: InProcessBus) -> None:
    def exits(event: EventEnvelope) -> None:
        raise SystemExit

    subscription = bus.subscribe("#", exits)
    bus.send("desk.lunch", {})
    while subscription.is_open:
        time.sleep(0.001)
    bus.send("desk.lunch", {})
    assert sorted(letter.event.sequence for letter in bus.dead_letters) == [1, 2]


def test_a_handler_whose_event_loop_is_gone_leaves_dead_letters() -> None:
    bus = InProcessBus()

    async def hear(event: EventEnvelope) -> None: ...

    async def subscribe() -> None:
        bus.subscribe("#", hear)
        await asyncio.sleep(0)

    asyncio.run(subscribe())  # cancels the task at its end, then closes the loop
    bus.send("desk.lunch", {})
    assert bus.dead_letters[-1].event.sequence == 1
    wait_for(bus.close())


def test_what_a_handler_awaits_may_be_cancelled_without_ending_it(bus: InProcessBus) -> None:
    async def cancelled(event: EventEnvelope) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    subscription = bus.subscribe("#", cancelled)
    for _ in range(2):
        bus.send("desk.lunch", {})
    drained(bus)
    assert (subscription.is_open, subscription.dead) == (True, 2)


def test_a_handler_may_publish_and_so_may_whoever_is_told_of_dead_letters() -> None:
    bus = InProcessBus(
        delivery=Delivery(queue_limit=1, attempts_max=1), on_dead_letter=lambda _: bus.send("dead.letter", {})
    )
    heard, release = [], threading.Event()

    def forward(event: EventEnvelope) -> None:
        bus.send("desk.coffee", {})

    def hear(event: EventEnvelope) -> None:
        heard.append(event.event_type)

    bus.subscribe("desk.lunch", forward)
    bus.subscribe("desk.coffee", hear)
    bus.subscribe("dead.letter", hear, delivery=Delivery())
    bus.subscribe("stuck.#", lambda _: release.wait(30))
    bus.send("desk.lunch", {})
    bus.send("stuck.one", {})
    bus.send("stuck.two", {})
    release.set()
    drained(bus)
    drained(bus)
    assert sorted(heard) == ["dead.letter", "desk.coffee"]
    wait_for(bus.close())


def test_many_threads_publish_and_everybody_hears_the_same_order(bus: InProcessBus) -> None:
    heard: dict[int, list[int]] = {0: [], 1: []}
    for numbers in heard.values():
        bus.subscribe("#", lambda event, numbers=numbers: numbers.append(event.sequence))
    threads = [threading.Thread(target=lambda: [bus.send("desk.lunch", {}) for _ in range(100)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drained(bus)
    assert heard[0] == heard[1] == list(range(1, 801))


def test_marked_handlers_are_subscribed_from_objects_functions_and_modules(bus: InProcessBus) -> None:
    heard: list[str] = []

    class Desk:
        @event_consumer(TOPIC, EventType.PORTFOLIO_REBALANCED)
        @event_consumer(TOPIC, "desk.*")
        def hear(self, event: EventEnvelope) -> None:
            heard.append(f"desk {event.event_type}")

        @event_consumer("other.topic", "#")
        def deaf(self, event: EventEnvelope) -> None:
            heard.append("never")

    module = types.ModuleType("handlers")

    @event_consumer(event_type="desk.lunch")
    async def plain(event: EventEnvelope) -> None:
        heard.append("plain")

    module.plain = plain  # type: ignore[attr-defined]
    assert len(bus.add_consumers(Desk(), module)) == 3
    bus.send("desk.lunch", {})
    bus.send(EventType.PORTFOLIO_REBALANCED, REBALANCED)
    drained(bus)
    assert sorted(heard) == ["desk desk.lunch", "desk portfolio.rebalanced", "plain"]
    with pytest.raises(InputError, match="has no handler"):
        bus.add_consumers(Desk(), object())


def test_the_async_side_is_the_same(bus: InProcessBus) -> None:
    async def publish() -> list[int]:
        first = await bus.publish_event("portfolio.rebalanced", REBALANCED, routing_key="k")
        assert first.key == "k"
        return [first.sequence, (await bus.publish(envelope_of("desk.lunch", {}))).sequence]

    assert wait_for(publish()) == [1, 2]
    with pytest.raises(InputError, match="is of the topic 'x'"):
        wait_for(bus.publish(envelope_of("desk.lunch", {}).model_copy(update={"topic": "x"})))
