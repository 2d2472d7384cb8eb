"""Reservations: room under the limits that is taken before an order is sent, so that two orders never use the same.

A check alone is a race: two orders that fit one by one need not fit together. `reserve` checks and takes the room in
one step, under a lock of the portfolio. Stores meet one Protocol: in memory here, in SQL in `algotrendy.storage`.
"""

from __future__ import annotations

import heapq
import itertools
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.risk.fair_lock import FairLock
from algotrendy.risk.limits.book import BookView, ProposedOrder, decimal_of
from algotrendy.risk.limits.evaluate import LimitCheckResult, LimitSet, check_totals
from algotrendy.risk.limits.limit import Limit
from algotrendy.risk.limits.totals import BookTotals

__all__ = [
    "NEXT_RESERVATION_STATUS",
    "BookSource",
    "MemoryReservations",
    "Reservation",
    "ReservationResult",
    "ReservationStatus",
    "ReservationStore",
    "committed_part",
    "is_same_order",
    "limit_set",
    "reservation_end",
]

BookSource: TypeAlias = BookView | Callable[[], BookView]
"""The portfolio without what is reserved, or a function that reads it, called while nobody else reserves or commits."""

RATE_WINDOW = timedelta(days=1)
"""Reservations older than this are not counted for a rate of orders."""


class ReservationStatus(StrEnum):
    """Where a reservation stands."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    RELEASED = "released"
    EXPIRED = "expired"


S = ReservationStatus
NEXT_RESERVATION_STATUS: Mapping[ReservationStatus, frozenset[ReservationStatus]] = {
    S.RESERVED: frozenset({S.RESERVED, S.COMMITTED, S.RELEASED, S.EXPIRED}),
    S.COMMITTED: frozenset(),
    S.RELEASED: frozenset(),
    S.EXPIRED: frozenset(),
}
"""What each status may become. Reserved to reserved: a part was committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Room that an order has taken.

    Attributes
    ----------
    id : str
        `res_…`.
    portfolio_id : str
        `port_…`.
    order : ProposedOrder
        What it is for.
    status : ReservationStatus
        reserved, committed, released or expired.
    remaining : Decimal
        The part of the order's quantity that is still held, in units.
    created_at, expires_at, finished_at : datetime or None
        UTC. It expires by itself; None: never.
    """

    id: str
    portfolio_id: str
    order: ProposedOrder
    status: ReservationStatus
    remaining: Decimal
    created_at: datetime
    expires_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReservationResult:
    """What came of the wish to reserve.

    Attributes
    ----------
    reservation : Reservation or None
        The room taken; None: the limits deny the order.
    check : LimitCheckResult or None
        What the limits said; None: the same order had been reserved before, and was not checked again.
    """

    reservation: Reservation | None
    check: LimitCheckResult | None

    @property
    def approved(self) -> bool:
        """Whether the order may be sent."""
        return self.reservation is not None


class ReservationStore(Protocol):
    """Keeps reservations; every method is atomic for a portfolio, whoever else calls at the same time.

    The book that `reserve` is given is the portfolio without what is reserved: what was committed is in it (as an open
    order or a position), what is reserved is not. Its `orders_at` hold orders that no reservation was made for; those
    that have one are counted by the store.
    """

    def reserve(
        self,
        portfolio_id: str,
        order: ProposedOrder,
        *,
        book: BookSource,
        limits: LimitSet | Iterable[Limit | Mapping[str, Any]],
        seconds: float | None = None,
    ) -> ReservationResult:
        """Check an order against the book and all that is reserved, and take its room if it is approved.

        Raises
        ------
        Conflict
            If another order was reserved under its `client_order_id`, or this one was and is over.
        """
        ...

    def commit(
        self, reservation_id: str, quantity: Decimal | None = None, *, apply: Callable[[], object] | None = None
    ) -> Reservation:
        """End a reservation because the book has the order now; a part of the quantity leaves the rest reserved.

        `apply` puts it into the book while nobody reserves; if it raises, nothing is committed.

        Raises
        ------
        NotFound
            If there is none.
        Conflict
            If it is over, or less is left of it.
        """
        ...

    def release(self, reservation_id: str) -> Reservation:
        """Give the room back: the order was not sent, was cancelled or rejected. Again: nothing happens.

        Raises
        ------
        NotFound
            If there is none.
        Conflict
            If it was committed.
        """
        ...

    def expire(self) -> int:
        """End the reservations whose time is over, and return how many; they count no more even before."""
        ...

    def get(self, reservation_id: str) -> Reservation:
        """Return a reservation.

        Raises
        ------
        NotFound
            If there is none.
        """
        ...

    def reserved(self, portfolio_id: str) -> tuple[Reservation, ...]:
        """Return what a portfolio has reserved, the oldest first."""
        ...


class _Account:
    """One portfolio: its lock, the book seen last, and the sums over that book and all that is reserved."""

    __slots__ = ("book", "by_client_id", "expiries", "lock", "open", "sent", "totals")

    def __init__(self) -> None:
        self.lock = FairLock()
        self.book: BookView | None = None
        self.totals: BookTotals | None = None
        self.open: dict[str, Reservation] = {}
        self.by_client_id: dict[str, str] = {}
        self.expiries: list[tuple[datetime, str]] = []
        self.sent: list[datetime] = []

    def totals_of(self, book: BookView, now: datetime) -> BookTotals:
        """Return the sums over a book and what is reserved; made anew only if the book is another one."""
        totals = self.totals
        if totals is None or book is not self.book:
            self.sent = [at for at in self.sent if at > now - RATE_WINDOW]
            totals = BookTotals(book)
            for held in self.open.values():
                totals.begin(held.order.resized(held.remaining))
            totals.orders_at = sorted([*totals.orders_at, *self.sent])
            self.book, self.totals = book, totals
        totals.as_of = now
        return totals


class MemoryReservations:
    """Reservations in this process; meets `ReservationStore`. May be shared by threads and by tasks.

    A call holds the lock of one portfolio for some microseconds and waits for nothing, so asynchronous code may call it
    directly. What is over is remembered until `forget`.

    Parameters
    ----------
    clock : callable, optional
        Gives the time, aware of its zone. Default: the machine's.

    Examples
    --------
    >>> from algotrendy.risk.limits import Exposure
    >>> book = BookView(equity=1000, exposures=[Exposure(symbol="A", price=10)])
    >>> limits = LimitSet([{"kind": "concentration", "limit": "0.5"}])
    >>> store = MemoryReservations()
    >>> order = ProposedOrder(symbol="A", side="BUY", quantity=30)
    >>> first = store.reserve("port_1", order, book=book, limits=limits)
    >>> second = store.reserve("port_1", order, book=book, limits=limits)
    >>> first.approved, second.approved, second.check.suggested_quantity
    (True, False, Decimal('20'))
    >>> store.release(first.reservation.id).status
    <ReservationStatus.RELEASED: 'released'>
    >>> store.reserve("port_1", order, book=book, limits=limits).approved
    True
    """

    def __init__(self, *, clock: Callable[[], datetime] | None = None) -> None:
        self._clock = clock or _now
        self._lock = threading.Lock()
        self._accounts: dict[str, _Account] = {}
        self._all: dict[str, Reservation] = {}
        self._base, self._numbers = secrets.token_hex(8), itertools.count()

    def reserve(
        self,
        portfolio_id: str,
        order: ProposedOrder,
        *,
        book: BookSource,
        limits: LimitSet | Iterable[Limit | Mapping[str, Any]],
        seconds: float | None = None,
    ) -> ReservationResult:
        """Check an order against the book and all that is reserved, and take its room if it is approved.

        Parameters
        ----------
        portfolio_id : str
            Whose room.
        order : ProposedOrder
            With a `client_order_id` the same order again is the same reservation.
        book : BookView or callable
            The portfolio without what is reserved. The same object again costs nothing to look at.
        limits : LimitSet or iterable of Limit
            What is checked.
        seconds : float, optional
            After how long the room is free again by itself. None: never.

        Returns
        -------
        ReservationResult
            The reservation, or why there is none.

        Raises
        ------
        Conflict
            If another order was reserved under its `client_order_id`, or this one was and is over.
        """
        given = limit_set(limits)
        account = self._account(portfolio_id)
        with account.lock:
            now = self._clock()
            self._end_expired(account, now)
            if order.client_order_id is not None and (known := account.by_client_id.get(order.client_order_id)):
                return ReservationResult(is_same_order(self._all[known], order), None)
            totals = account.totals_of(book() if callable(book) else book, now)
            check = check_totals(order, totals, given)
            if not check.approved:
                return ReservationResult(None, check)
            identity = f"res_{self._base}{next(self._numbers):016x}"
            made = Reservation(
                id=identity, portfolio_id=portfolio_id, order=order, status=S.RESERVED,
                remaining=order.quantity, created_at=now, expires_at=reservation_end(now, seconds), finished_at=None,
            )  # fmt: skip
            account.totals = None  # made anew if an estimate raises half-way
            totals.begin(order, now)
            account.totals = totals
            self._keep(account, made)
            return ReservationResult(made, check)

    def commit(
        self, reservation_id: str, quantity: Decimal | None = None, *, apply: Callable[[], object] | None = None
    ) -> Reservation:
        """End a reservation because the book has the order now; a part of the quantity leaves the rest reserved.

        Parameters
        ----------
        reservation_id : str
            Which one.
        quantity : Decimal, optional
            The part that the book has now. None: what is left.
        apply : callable, optional
            Puts it into the book, called under the portfolio's lock; if it raises, nothing is committed.

        Raises
        ------
        NotFound
            If there is none.
        Conflict
            If it is over, or less is left of it.
        """
        account = self._account(self.get(reservation_id).portfolio_id)
        with account.lock:
            now = self._clock()
            self._end_expired(account, now)
            part, after = committed_part(self._all[reservation_id], quantity, now)
            if apply is not None:
                apply()
            self._replace(account, after, part)
            return after

    def release(self, reservation_id: str) -> Reservation:
        """Give the room back: the order was not sent, was cancelled or rejected. Again: nothing happens.

        Raises
        ------
        NotFound
            If there is none.
        Conflict
            If it was committed.
        """
        account = self._account(self.get(reservation_id).portfolio_id)
        with account.lock:
            now = self._clock()
            self._end_expired(account, now)
            found = self._all[reservation_id]
            if found.status is S.COMMITTED:
                raise Conflict(f"{reservation_id} is committed; what the book has cannot be released")
            if found.status is S.RESERVED:
                part, found = found.remaining, _ended(found, S.RELEASED, now)
                self._replace(account, found, part)
            return found

    def expire(self) -> int:
        """End the reservations whose time is over, and return how many; they count no more even before."""
        with self._lock:
            accounts = list(self._accounts.values())
        count = 0
        for account in accounts:
            with account.lock:
                count += self._end_expired(account, self._clock())
        return count

    def get(self, reservation_id: str) -> Reservation:
        """Return a reservation.

        Raises
        ------
        NotFound
            If there is none.
        """
        try:
            return self._all[reservation_id]
        except KeyError:
            raise NotFound(f"there is no reservation {reservation_id}") from None

    def reserved(self, portfolio_id: str) -> tuple[Reservation, ...]:
        """Return what a portfolio has reserved, the oldest first."""
        account = self._account(portfolio_id)
        with account.lock:
            self._end_expired(account, self._clock())
            return tuple(account.open.values())

    def forget(self, finished_before: datetime) -> int:
        """Forget what was over before an instant, and return how many."""
        count = 0
        for account in list(self._accounts.values()):
            with account.lock:
                for client_id, known in list(account.by_client_id.items()):
                    if _is_over_before(self._all[known], finished_before):
                        del account.by_client_id[client_id]
        for found in list(self._all.values()):
            if _is_over_before(found, finished_before):
                del self._all[found.id]
                count += 1
        return count

    # --- under the lock of an account ---

    def _account(self, portfolio_id: str) -> _Account:
        account = self._accounts.get(portfolio_id)
        if account is None:
            with self._lock:
                account = self._accounts.setdefault(portfolio_id, _Account())
        return account

    def _keep(self, account: _Account, made: Reservation) -> None:
        self._all[made.id] = account.open[made.id] = made
        account.sent.append(made.created_at)
        if made.order.client_order_id is not None:
            account.by_client_id[made.order.client_order_id] = made.id
        if made.expires_at is not None:
            heapq.heappush(account.expiries, (made.expires_at, made.id))

    def _replace(self, account: _Account, after: Reservation, part: Decimal) -> None:
        self._all[after.id] = after
        if after.status is S.RESERVED:
            account.open[after.id] = after
        else:
            account.open.pop(after.id, None)
        totals, account.totals = account.totals, None  # made anew if an estimate raises half-way
        if totals is not None:
            totals.cease(after.order.resized(part))
            account.totals = totals

    def _end_expired(self, account: _Account, now: datetime) -> int:
        count = 0
        while account.expiries and account.expiries[0][0] <= now:
            _, known = heapq.heappop(account.expiries)
            found = account.open.get(known)
            if found is not None:
                self._replace(account, _ended(found, S.EXPIRED, now), found.remaining)
                count += 1
        return count


def limit_set(limits: LimitSet | Iterable[Limit | Mapping[str, Any]]) -> LimitSet:
    """Return limits made ready.

    Examples
    --------
    >>> len(limit_set([{"kind": "drawdown", "limit": "0.2"}]))
    1
    """
    return limits if isinstance(limits, LimitSet) else LimitSet(limits)


def reservation_end(now: datetime, seconds: float | None) -> datetime | None:
    """Return when a reservation of so many seconds is over; None: never.

    Examples
    --------
    >>> reservation_end(datetime(2026, 1, 5, tzinfo=UTC), 60.0).minute
    1
    """
    if seconds is None:
        return None
    if not seconds > 0:
        raise InputError(f"seconds is {seconds}; a reservation lasts more than none")
    return now + timedelta(seconds=seconds)


def is_same_order(found: Reservation, order: ProposedOrder) -> Reservation:
    """Return the reservation that was made under an order's identity, if it is of this order and not over."""
    if found.order != order:
        raise Conflict(
            f"{found.id} has the same client_order_id {order.client_order_id!r} and is for another order; "
            "choose another identity"
        )
    if found.status in (S.RELEASED, S.EXPIRED):
        raise Conflict(
            f"{found.id} of {order.client_order_id!r} is {found.status}; make a new order with a new identity"
        )
    return found


def committed_part(found: Reservation, quantity: Decimal | None, now: datetime) -> tuple[Decimal, Reservation]:
    """Return the quantity that is committed, and the reservation afterwards."""
    if found.status is not S.RESERVED:
        raise Conflict(f"{found.id} is {found.status}; it cannot be committed")
    part = found.remaining if quantity is None else decimal_of("quantity", quantity, above=Decimal(0))
    if part > found.remaining:
        raise Conflict(f"{part} of {found.id} is to be committed, but {found.remaining} is left of it")
    if part == found.remaining:
        return part, _ended(found, S.COMMITTED, now)
    return part, replace(found, remaining=found.remaining - part)


def _ended(found: Reservation, status: ReservationStatus, now: datetime) -> Reservation:
    return replace(found, status=status, remaining=Decimal(0), finished_at=now)


def _is_over_before(found: Reservation, moment: datetime) -> bool:
    return found.finished_at is not None and found.finished_at < moment


def _now() -> datetime:
    return datetime.now(UTC)
