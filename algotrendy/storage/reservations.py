"""Reservations in a database: many processes may reserve on one portfolio, and together they never break a limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from algotrendy.errors import Conflict, NotFound
from algotrendy.risk.limits.book import ProposedOrder
from algotrendy.risk.limits.evaluate import LimitSet, check_totals
from algotrendy.risk.limits.totals import BookTotals
from algotrendy.risk.reservations import (
    RATE_WINDOW,
    BookSource,
    Reservation,
    ReservationResult,
    ReservationStatus,
    committed_part,
    is_same_order,
    limit_set,
    reservation_end,
)
from algotrendy.storage.ids import PREFIXES, new_id
from algotrendy.storage.records import checked_text
from algotrendy.storage.risk_limits import lock_portfolio

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.risk.limits.limit import Limit
    from algotrendy.storage.database import Transactions

__all__ = ["SqlReservations"]

S = ReservationStatus


class SqlReservations:
    """Reservations in SQLite or PostgreSQL; meets `ReservationStore`.

    One portfolio is reserved by one caller at a time: on PostgreSQL under an advisory lock that ends with the
    transaction, on SQLite writers take turns anyway. Quantities and prices have at most ten decimals.

    Parameters
    ----------
    transactions : Database or UnitOfWork
        A database: each call is a transaction of its own. A unit of work: a commit happens together with the change of
        positions, and the portfolio stays locked until the unit ends.

    Examples
    --------
    >>> import tempfile
    >>> from algotrendy.risk.limits import BookView, Exposure
    >>> from algotrendy.storage import Database
    >>> book = BookView(equity=1000, exposures=[Exposure(symbol="A", price=10)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database(f"sqlite:///{folder}/house.db")
    ...     store, portfolio = SqlReservations(database), new_id("port")
    ...     order = ProposedOrder(symbol="A", side="BUY", quantity=30, client_order_id="o1")
    ...     made = store.reserve(portfolio, order, book=book, limits=[{"kind": "concentration", "limit": "0.5"}])
    ...     print(store.commit(made.reservation.id, Decimal(10)).remaining, store.reserved(portfolio)[0].status)
    ...     database.close()
    20 reserved
    """

    def __init__(self, transactions: Transactions) -> None:
        from algotrendy.storage.tables import reservations

        self._transactions, self._table = transactions, reservations

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
            `port_…`.
        order : ProposedOrder
            With a `client_order_id` the same order again is the same reservation.
        book : BookView or callable
            The portfolio without what is reserved. A function is called inside the transaction, under the lock: it may
            read the database, and must not write to it.
        limits : LimitSet or iterable of Limit
            What is checked.
        seconds : float, optional
            After how long the room is free again by itself. None: never.

        Raises
        ------
        Conflict
            If another order was reserved under its `client_order_id`, or this one was and is over.
        InputError
            If a quantity or price has more than ten decimals.
        """
        given, client_id = limit_set(limits), order.client_order_id
        if client_id is not None:
            checked_text("client_order_id", client_id, 255)
        checked_text("symbol", order.symbol, 50)
        with self._transactions.transaction() as connection:
            self._lock(connection, portfolio_id)
            now = self._transactions.now(connection)
            here = self._table.c.portfolio_id == portfolio_id
            if client_id is not None:
                same = self._table.select().where(here & (self._table.c.client_order_id == client_id))
                row = connection.execute(same).one_or_none()
                if row is not None:
                    return ReservationResult(is_same_order(_reservation(row, now), order), None)
            totals = BookTotals(book() if callable(book) else book)
            self._add_reserved(connection, totals, here, now)
            check = check_totals(order, totals, given)
            if not check.approved:
                return ReservationResult(None, check)
            made = Reservation(
                id=new_id(PREFIXES["reservations"]), portfolio_id=portfolio_id, order=order, status=S.RESERVED,
                remaining=order.quantity, created_at=now, expires_at=reservation_end(now, seconds), finished_at=None,
            )  # fmt: skip
            connection.execute(self._table.insert().values(_row(made)))
        return ReservationResult(made, check)

    def commit(
        self, reservation_id: str, quantity: Decimal | None = None, *, apply: Callable[[], object] | None = None
    ) -> Reservation:
        """End a reservation because the book has the order now; a part of the quantity leaves the rest reserved.

        Parameters
        ----------
        reservation_id : str
            `res_…`.
        quantity : Decimal, optional
            The part that the book has now. None: what is left.
        apply : callable, optional
            Puts it into the book, called inside the transaction; if it raises, nothing is committed. To write to the
            same database, give the store a unit of work in place of this.

        Raises
        ------
        NotFound
            If there is none.
        Conflict
            If it is over, or less is left of it.
        """
        with self._transactions.transaction() as connection:
            found, now = self._locked(connection, reservation_id)
            _, after = committed_part(found, quantity, now)
            self._write(connection, after)
            if apply is not None:
                apply()
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
        with self._transactions.transaction() as connection:
            found, now = self._locked(connection, reservation_id)
            if found.status is S.COMMITTED:
                raise Conflict(f"{reservation_id} is committed; what the book has cannot be released")
            if found.status is S.RESERVED:
                found = replace(found, status=S.RELEASED, remaining=Decimal(0), finished_at=now)
                self._write(connection, found)
        return found

    def expire(self) -> int:
        """End the reservations whose time is over, and return how many; they count no more even before."""
        t = self._table
        with self._transactions.transaction() as connection:
            now = self._transactions.now(connection)
            is_over = (t.c.status == S.RESERVED) & (t.c.expires_at <= now)
            values = {"status": S.EXPIRED, "remaining": Decimal(0), "finished_at": now}
            return connection.execute(t.update().where(is_over).values(values)).rowcount

    def get(self, reservation_id: str) -> Reservation:
        """Return a reservation.

        Raises
        ------
        NotFound
            If there is none.
        """
        with self._transactions.transaction(writes=False) as connection:
            return self._found(connection, reservation_id, self._transactions.now(connection))

    def reserved(self, portfolio_id: str) -> tuple[Reservation, ...]:
        """Return what a portfolio has reserved, the oldest first."""
        with self._transactions.transaction(writes=False) as connection:
            now = self._transactions.now(connection)
            rows = connection.execute(self._open(self._table.c.portfolio_id == portfolio_id, now)).all()
        return tuple(_reservation(row, now) for row in rows)

    def forget(self, finished_before: datetime) -> int:
        """Forget what was over before an instant, and return how many."""
        with self._transactions.transaction() as connection:
            over = self._table.c.finished_at < finished_before
            return connection.execute(self._table.delete().where(over)).rowcount

    # --- statements ---

    def _lock(self, connection: sa.Connection, portfolio_id: str) -> None:
        """Keep others from this portfolio until the transaction ends."""
        lock_portfolio(connection, "reservations", portfolio_id)

    def _open(self, here: sa.ColumnElement[bool], now: datetime) -> sa.Select[Any]:
        t = self._table
        lasts = t.c.expires_at.is_(None) | (t.c.expires_at > now)
        return t.select().where(here & (t.c.status == S.RESERVED) & lasts).order_by(t.c.id)

    def _add_reserved(
        self, connection: sa.Connection, totals: BookTotals, here: sa.ColumnElement[bool], now: datetime
    ) -> None:
        """Add what is reserved, and when orders were reserved, to the sums over a book."""
        import sqlalchemy as sa

        t = self._table
        for row in connection.execute(self._open(here, now)).all():
            held = _reservation(row, now)
            totals.begin(held.order.resized(held.remaining))
        sent = sa.select(t.c.created_at).where(here & (t.c.created_at > now - RATE_WINDOW))
        totals.orders_at = sorted([*totals.orders_at, *connection.execute(sent).scalars()])
        totals.as_of = now

    def _locked(self, connection: sa.Connection, reservation_id: str) -> tuple[Reservation, datetime]:
        """Return a reservation as it is once nobody else changes its portfolio, and the time."""
        now = self._transactions.now(connection)
        self._lock(connection, self._found(connection, reservation_id, now).portfolio_id)
        now = self._transactions.now(connection)
        return self._found(connection, reservation_id, now), now

    def _found(self, connection: sa.Connection, reservation_id: str, now: datetime) -> Reservation:
        row = connection.execute(self._table.select().where(self._table.c.id == reservation_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no reservation {reservation_id}")
        return _reservation(row, now)

    def _write(self, connection: sa.Connection, after: Reservation) -> None:
        values = {"status": after.status, "remaining": after.remaining, "finished_at": after.finished_at}
        connection.execute(self._table.update().where(self._table.c.id == after.id).values(values))


def _row(made: Reservation) -> dict[str, Any]:
    order = made.order
    return {
        "id": made.id, "portfolio_id": made.portfolio_id, "client_order_id": order.client_order_id,
        "symbol": order.symbol, "side": order.side, "quantity": order.quantity, "limit_price": order.limit_price,
        "remaining": made.remaining, "status": made.status, "created_at": made.created_at,
        "expires_at": made.expires_at, "finished_at": made.finished_at,
    }  # fmt: skip


def _reservation(row: Any, now: datetime) -> Reservation:
    """Return the reservation of a row; one whose time is over is expired even before somebody wrote that down."""
    order = ProposedOrder(
        symbol=row.symbol, side=row.side, quantity=row.quantity, limit_price=row.limit_price,
        client_order_id=row.client_order_id,
    )  # fmt: skip
    status, remaining, finished_at = S(row.status), row.remaining, row.finished_at
    if status is S.RESERVED and row.expires_at is not None and row.expires_at <= now:
        status, remaining, finished_at = S.EXPIRED, Decimal(0), row.expires_at
    return Reservation(
        id=row.id, portfolio_id=row.portfolio_id, order=order, status=status, remaining=remaining,
        created_at=row.created_at, expires_at=row.expires_at, finished_at=finished_at,
    )  # fmt: skip
