"""Laws of the queue and of filled gaps, against definitions that are plain and slow."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.data.series import Span
from algotrendy.data.stream.gaps import Track, filled
from algotrendy.data.stream.port import Quote, Tick
from algotrendy.data.stream.queue import EventQueue

EPOCH = Span.of("1970-01-01", "1970-01-02")


# --- the queue ---


class PlainQueue:
    """The queue's definition: a list, searched from the front."""

    def __init__(self, limit: int) -> None:
        self.limit, self.items = limit, []
        self.dropped = self.conflated = 0

    def put(self, event: Any) -> None:
        if len(self.items) >= self.limit:
            same = [e for e in self.items if isinstance(event, Quote) and isinstance(e, Quote) and e[0] == event[0]]
            if same:
                self.items = [e for e in self.items if e not in same]
                self.conflated += len(same)
            else:
                self.items.pop(0)
                self.dropped += 1
        self.items.append(event)


events = st.one_of(
    st.builds(lambda symbol: ("quote", symbol), st.sampled_from("AB")),
    st.builds(lambda symbol: ("trade", symbol), st.sampled_from("AB")),
    st.builds(lambda count: ("take", count), st.integers(1, 3)),
)


@given(limit=st.integers(1, 5), script=st.lists(events, max_size=60))
def test_queue_equals_its_definition(limit: int, script: list[tuple[str, Any]]) -> None:
    queue, plain = EventQueue(limit), PlainQueue(limit)
    taken = received = 0
    for number, (what, detail) in enumerate(script):
        if what == "take":
            found = queue.take(detail)
            assert found == plain.items[:detail]
            del plain.items[:detail]
            taken += len(found)
        else:
            made = Quote(detail, number, 1.0, 2.0, 1.0, 1.0) if what == "quote" else Tick(detail, number, 1.0, 1.0)
            queue.put([made])
            plain.put(made)
            received += 1
        assert (len(queue), queue.dropped, queue.conflated) == (len(plain.items), plain.dropped, plain.conflated)
        assert received == taken + len(queue) + queue.dropped + queue.conflated, "no event goes without being counted"
    assert queue.take(100) == plain.items


def test_replaced_quotes_do_not_pile_up_behind_a_callback_that_hangs() -> None:
    queue = EventQueue(4)
    queue.put([Tick("T", 0, 1.0, 1.0)] * 3)
    for number in range(10_000):
        queue.put([Quote("A", number, 1.0, 2.0)])
    assert len(queue) == 4
    assert len(queue._waiting) <= 2 * 4 + 17
    assert [event.time for event in queue.take(9)] == [0, 0, 0, 9_999]


# --- gaps ---

tape_of = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1.0, 2.0]), st.sampled_from([1.0, 2.0])), max_size=40)


@given(steps=tape_of, cuts=st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40)), named=st.booleans())
def test_a_filled_gap_gives_every_trade_once_in_the_order_of_the_tape(
    steps: list[tuple[int, float, float]], cuts: tuple[int, int, int], named: bool
) -> None:
    """A tape of trades; those before the first cut came, those up to the second were missed, those after it came live.

    What is fetched begins before the gap and ends somewhere after the second cut.
    """
    time, tape = 0, []
    for number, (step, price, size) in enumerate(steps):
        time += step
        tape.append(Tick("A", time, price, size, str(number + 1) if named else ""))
    lost, back, end = sorted(cuts)
    lost, back, end = min(lost, len(tape)), min(back, len(tape)), min(end, len(tape))
    track = Track(begun=0)
    for tick in tape[:lost]:
        track.note(tick)
    until = tape[end - 1].time + 1 if end else 1
    span = track.gap(until=max(until, track.last_trade + 1), overlap=2)
    start = span.start.value
    fetched = [tick for tick in tape if start <= tick.time < span.end.value]
    held = tape[back:]

    made = filled(fetched, track, held, span)

    got = [*tape[:lost], *made.events]
    assert Counter(tick._replace(backfilled=False) for tick in got) == Counter(tape)
    plain = [tick._replace(backfilled=False) for tick in made.events]
    assert plain == (tape[lost:] if named else sorted(plain, key=lambda tick: tick.time))
    assert len(made.missed) == back - lost == sum(tick.backfilled for tick in made.events)
    assert made.duplicates == len(fetched) - len(made.missed)


def test_without_ids_two_trades_alike_are_two() -> None:
    track = Track(begun=0)
    track.note(Tick("A", 5, 1.0, 1.0))
    found = [Tick("A", 5, 1.0, 1.0)] * 3
    made = filled(found, track, [], EPOCH)
    assert (len(made.missed), made.duplicates) == (2, 1)


def test_a_trade_that_is_fetched_twice_or_sent_again_on_connecting_counts_once() -> None:
    one, two, three = (Tick("A", n, 1.0, 1.0, str(n)) for n in (1, 2, 3))
    track = Track(begun=0)
    track.note(one)
    made = filled([one, one, two, two, three], track, [one, three], EPOCH)
    assert [(tick.id, tick.backfilled) for tick in made.events] == [("2", True), ("3", False)]
    assert made.duplicates == 5


@pytest.mark.parametrize("named", [True, False])
def test_a_fetched_trade_that_comes_live_later_counts_once(named: bool) -> None:
    track = Track(begun=0)
    missed = [Tick("A", n, 1.0, 1.0, str(n) if named else "", backfilled=True) for n in (1, 2)]
    for tick in missed:
        track.note(tick)
    track.expect(missed, patience=10)
    live = [Tick("A", n, 1.0, 1.0, str(n) if named else "") for n in (2, 2, 3, 13, 1)]
    assert [track.is_repeat(tick) for tick in live] == [True, False, False, False, False]
    assert track.duplicates == 1


def test_quotes_keep_their_place_in_time_among_filled_trades() -> None:
    quote = Quote("A", 3, 1.0, 2.0)
    made = filled([Tick("A", n, 1.0, 1.0, str(n)) for n in (2, 4)], Track(begun=0), [quote], EPOCH)
    assert [event.time for event in made.events] == [2, 3, 4]


def test_a_gap_reaches_no_further_back_than_is_remembered() -> None:
    from algotrendy.data.stream.gaps import REMEMBERED

    track = Track(begun=100)
    assert track.gap(until=1_000, overlap=10).start.value == 100, "nobody asked for what was before"
    for number in range(REMEMBERED + 1):
        track.note(Tick("A", 10_000 + number, 1.0, 1.0, str(number)))
    span = track.gap(until=20_000, overlap=10_000)
    assert span.start.value == 10_002, "of the second trade and later ones all are remembered"
    assert track.gap(until=5, overlap=0).start.value == 4, "a clock that stands back gives a span all the same"
