"""Reservations keep their promises in memory, on SQLite and on PostgreSQL, for threads, tasks and processes alike."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from algotrendy.compute import wait_for
from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.risk.limits import BookView, Exposure, LimitSet, ParametricRisk, ProposedOrder
from algotrendy.risk.reservations import (
    NEXT_RESERVATION_STATUS,
    MemoryReservations,
    ReservationStatus,
    ReservationStore,
)
from algotrendy.storage import SqlReservations, UnitOfWork, new_id
from tests.contract.databases import KINDS, Place, opened, place_for
from tests.contract.job_tools import Clock

ROOT = Path(__file__).resolve().parents[2]
BOOK = BookView(equity=1000, cash=1000, exposures=[Exposure(symbol="A", price=10), Exposure(symbol="B", price=5)])
HALF = LimitSet([{"kind": "concentration", "limit": "0.5"}])
PORT = new_id("port")


def order(quantity: Any = 30, symbol: str = "A", side: Any = "BUY", **more: Any) -> ProposedOrder:
    return ProposedOrder(symbol=symbol, side=side, quantity=quantity, **more)


@pytest.fixture(params=["memory", *KINDS])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[ReservationStore, Clock]]:
    clock = Clock()
    with ExitStack() as stack:
        if request.param == "memory":
            yield MemoryReservations(clock=clock), clock
        else:
            yield SqlReservations(stack.enter_context(opened(place_for(request, request.param), clock=clock))), clock


@pytest.fixture
def store(made: tuple[ReservationStore, Clock]) -> ReservationStore:
    return made[0]


def reserve(store: ReservationStore, one: ProposedOrder, **more: Any) -> Any:
    return store.reserve(PORT, one, **{"book": BOOK, "limits": HALF, **more})


def test_room_is_taken_once_and_given_back(store: ReservationStore) -> None:
    first = reserve(store, order(30))
    assert first.approved
    assert first.check.approved
    second = reserve(store, order(30))
    assert (second.approved, second.check.suggested_quantity) == (False, 20)
    assert store.reserve(new_id("port"), order(30), book=BOOK, limits=HALF).approved, "another portfolio"
    assert [held.id for held in store.reserved(PORT)] == [first.reservation.id]
    assert store.get(first.reservation.id) == first.reservation
    released = store.release(first.reservation.id)
    assert (released.status, released.remaining) == ("released", 0)
    assert store.release(first.reservation.id) == released
    assert store.reserved(PORT) == ()
    assert reserve(store, order(50)).approved
    with pytest.raises(NotFound, match="there is no reservation"):
        store.get(new_id("res"))


def test_what_is_committed_is_in_the_book_from_then_on(store: ReservationStore) -> None:
    held = reserve(store, order(30)).reservation
    part = store.commit(held.id, Decimal(10))
    assert (part.status, part.remaining) == ("reserved", 20)
    bought = BOOK.filled(order(10))
    assert reserve(store, order(25), book=bought).check.suggested_quantity == 20
    with pytest.raises(Conflict, match="20 is left of it"):
        store.commit(held.id, Decimal(21))
    with pytest.raises(InputError, match="expected more than 0"):
        store.commit(held.id, Decimal(0))
    assert store.commit(held.id).status == "committed"
    for call in (store.commit, store.release):
        with pytest.raises(Conflict, match="committed"):
            call(held.id)
    bought = BOOK.filled(order(30))
    assert reserve(store, order(25), book=bought).check.suggested_quantity == 20


def test_the_book_changes_with_the_commit_or_not_at_all(store: ReservationStore) -> None:
    held = reserve(store, order(30)).reservation

    def fails() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        store.commit(held.id, apply=fails)
    assert store.get(held.id).status == "reserved"
    done: list[int] = []
    assert store.commit(held.id, apply=lambda: done.append(1)).status == "committed"
    assert done == [1]


def test_the_same_order_again_is_the_same_reservation(store: ReservationStore) -> None:
    first = reserve(store, order(30, client_order_id="o1"))
    again = reserve(store, order(30, client_order_id="o1"))
    assert again.reservation == first.reservation
    assert again.approved
    assert again.check is None
    with pytest.raises(Conflict, match="is for another order"):
        reserve(store, order(31, client_order_id="o1"))
    assert store.reserve(new_id("port"), order(31, client_order_id="o1"), book=BOOK, limits=HALF).approved
    store.release(first.reservation.id)
    with pytest.raises(Conflict, match="is released; make a new order"):
        reserve(store, order(30, client_order_id="o1"))


def test_a_reservation_expires_by_itself(made: tuple[ReservationStore, Clock]) -> None:
    store, clock = made
    short = reserve(store, order(30), seconds=10).reservation
    assert short.expires_at == clock.now + timedelta(seconds=10)
    long = reserve(store, order(10), seconds=60).reservation
    clock.move(9)
    assert not reserve(store, order(30)).approved
    clock.move(1)
    assert [held.id for held in store.reserved(PORT)] == [long.id]
    assert reserve(store, order(30)).approved
    assert store.get(short.id).status == "expired"
    with pytest.raises(Conflict, match="is expired"):
        store.commit(short.id)
    assert store.release(short.id).status == "expired"
    clock.move(51)
    store.expire()
    assert store.get(long.id).status == "expired"
    assert store.expire() == 0
    with pytest.raises(InputError, match="lasts more than none"):
        reserve(store, order(1), seconds=0)


def test_the_rate_counts_every_reservation_of_the_window(made: tuple[ReservationStore, Clock]) -> None:
    store, clock = made
    limits = LimitSet([{"kind": "order_rate", "limit": 3, "seconds": 60}])
    book = replace(BOOK, orders_at=(clock.now - timedelta(seconds=30),))
    for wanted in (True, True, False):
        found = reserve(store, order(1), book=book, limits=limits)
        assert found.approved == wanted
        if found.reservation:
            store.release(found.reservation.id)
    clock.move(31)
    assert reserve(store, order(1), book=replace(book), limits=limits).approved
    assert not reserve(store, order(1), book=replace(book), limits=limits).approved


def test_estimates_see_what_is_reserved(store: ReservationStore) -> None:
    limits = LimitSet([{"kind": "value_at_risk", "limit": "0.02"}])
    risk = ParametricRisk({}, [[4e-4, 0.0], [0.0, 4e-4]], ["A", "B"], equity=1000.0)
    book = replace(BOOK, estimates=risk)  # 0.02 is 1.645 x 0.02 x 0.608 of the equity
    held = reserve(store, order(60), book=book, limits=limits).reservation
    assert reserve(store, order(1), book=book, limits=limits).check.suggested_quantity == 0
    store.release(held.id)
    assert reserve(store, order(60), book=book, limits=limits).approved


def test_what_cannot_be_evaluated_reserves_nothing(store: ReservationStore) -> None:
    assert not reserve(store, order(1, "Z")).approved
    assert not reserve(store, order(1), limits=[{"kind": "beta", "limit": 9}]).approved

    def broken() -> BookView:
        raise OSError("no positions")

    with pytest.raises(OSError, match="no positions"):
        reserve(store, order(1), book=broken)
    assert store.reserved(PORT) == ()


def test_what_is_over_can_be_forgotten(made: tuple[ReservationStore, Clock]) -> None:
    store, clock = made
    first, second = (reserve(store, order(5, client_order_id=name)).reservation for name in ("o1", "o2"))
    store.release(first.id)
    clock.move(10)
    assert store.forget(clock.now) == 1  # type: ignore[attr-defined]
    assert [held.id for held in store.reserved(PORT)] == [second.id]
    assert reserve(store, order(5, client_order_id="o1")).approved


@pytest.mark.parametrize("status", list(ReservationStatus))
def test_the_table_of_statuses_is_what_happens(store: ReservationStore, status: ReservationStatus) -> None:
    held = reserve(store, order(10)).reservation
    if status is ReservationStatus.COMMITTED:
        store.commit(held.id)
    elif status is ReservationStatus.RELEASED:
        store.release(held.id)
    elif status is ReservationStatus.EXPIRED:
        return  # see the test on expiry
    may_commit = ReservationStatus.COMMITTED in NEXT_RESERVATION_STATUS[status]
    if may_commit:
        assert store.commit(held.id).status == "committed"
    else:
        with pytest.raises(Conflict):
            store.commit(held.id)


def test_positions_and_reservation_change_in_one_unit_of_work(request: pytest.FixtureRequest) -> None:
    with opened(place_for(request, "sqlite")) as database:
        held = SqlReservations(database).reserve(PORT, order(30), book=BOOK, limits=HALF).reservation
        assert held is not None
        with UnitOfWork(database) as work:
            SqlReservations(work).commit(held.id)
        assert SqlReservations(database).get(held.id).status == "reserved"
        with UnitOfWork(database) as work:
            SqlReservations(work).commit(held.id)
            work.commit()
        assert SqlReservations(database).get(held.id).status == "committed"


# --- many at once ---


LIMITS = LimitSet(
    [
        {"kind": "concentration", "limit": "0.5"}, {"kind": "gross_leverage", "limit": "0.8"},
        {"kind": "borrowing", "limit": 0}, {"kind": "turnover", "limit": 100},
    ]
)  # fmt: skip
UNITS = {"A": 50, "B": 60}
"""What fits: 0.5 of 1000 in A at 10, then 0.3 in B at 5."""


def lot(number: int) -> ProposedOrder:
    return order(1, "AB"[number % 2], client_order_id=f"o{number}")


def check_outcome(store: ReservationStore, n_approved: int, n: int) -> None:
    held = store.reserved(PORT)
    assert len(held) == n_approved, "none lost, none invented"
    units = {symbol: sum(int(one.remaining) for one in held if one.order.symbol == symbol) for symbol in UNITS}
    value = 10 * units["A"] + 5 * units["B"]
    assert units["A"] <= UNITS["A"]
    assert value <= 800
    assert value > 800 - 10 or n < 200, "no room is left that an order would have fitted in"


def by_threads(work: Callable[[int], object], n: int, n_threads: int = 8) -> None:
    start = threading.Barrier(n_threads)
    failed: list[BaseException] = []

    def run(first: int) -> None:
        start.wait()
        try:
            for number in range(first, n, n_threads):
                work(number)
        except BaseException as e:
            failed.append(e)
            raise

    threads = [threading.Thread(target=run, args=(first,)) for first in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_threads_at_once_break_no_limit_and_lose_nothing(store: ReservationStore) -> None:
    n = 10_000 if isinstance(store, MemoryReservations) else 250
    approved: list[int] = []
    by_threads(lambda number: reserve(store, lot(number), limits=LIMITS).approved and approved.append(number), n)
    check_outcome(store, len(approved), n)


def test_ten_thousand_that_all_fit_are_all_there() -> None:
    store, book = MemoryReservations(), replace(BOOK, equity=Decimal(10**6), cash=Decimal(10**6))
    by_threads(lambda number: store.reserve(PORT, lot(number), book=book, limits=LIMITS), 10_000)
    assert sorted(int(str(one.order.client_order_id)[1:]) for one in store.reserved(PORT)) == list(range(10_000))


def test_tasks_at_once_break_no_limit_and_lose_nothing() -> None:
    store = MemoryReservations()

    async def one(number: int) -> bool:
        await asyncio.sleep(0)
        found = reserve(store, lot(number), limits=LIMITS)
        await asyncio.sleep(0)
        return bool(found.approved)

    async def many() -> list[bool]:
        return await asyncio.gather(*map(one, range(10_000)))

    check_outcome(store, sum(wait_for(many())), 10_000)


def test_reserving_committing_and_releasing_at_once_never_breaks_a_limit() -> None:
    store, position, guard = MemoryReservations(), {"A": 0, "B": 0}, threading.Lock()

    def book() -> BookView:
        rows = [replace(one, quantity=Decimal(position[one.symbol])) for one in BOOK.exposures]
        return BookView(equity=1000, cash=1000, exposures=rows)

    worst: list[int] = []

    def work(number: int) -> None:
        found = reserve(store, lot(number), book=book, limits=HALF).reservation
        if found is None:
            return
        name = found.order.symbol
        if number % 3 == 0:
            store.release(found.id)
        else:

            def fill() -> None:
                position[name] += 1
                worst.append(position[name])

            store.commit(found.id, apply=fill)
        with guard:
            assert position["A"] <= 50
            assert position["B"] <= 100

    by_threads(work, 1_500)
    assert position == {"A": 50, "B": 100}
    assert store.reserved(PORT) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_processes_at_once_break_no_limit_and_lose_nothing(request: pytest.FixtureRequest, kind: str) -> None:
    place: Place = place_for(request, kind)
    with opened(place) as database:
        database.prepare()
        command = [sys.executable, "-m", "tests.contract.reservation_worker", place.url, place.schema, PORT]
        running = [
            subprocess.Popen([*command, str(first), "3", "240"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
            for first in range(3)
        ]
        counts = [int(one.communicate(timeout=120)[0]) for one in running]
        assert [one.returncode for one in running] == [0, 0, 0]
        check_outcome(SqlReservations(database), sum(counts), 240)
