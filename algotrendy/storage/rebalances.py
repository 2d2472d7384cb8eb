"""Plans of rebalancing and how far each has been carried out: an order is written down before it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from algotrendy.errors import Conflict, NotFound
from algotrendy.storage.accounts import AccountStore
from algotrendy.storage.booking import Trade
from algotrendy.storage.ids import PREFIXES, new_id
from algotrendy.storage.portfolios import locked_portfolio
from algotrendy.storage.records import Page, insert_new, page_of, record_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.storage.database import Database

__all__ = ["OPEN_REBALANCES", "RebalanceStore", "StoredOrder", "StoredRebalance"]

OPEN_REBALANCES = ("queued", "running", "stopped")
"""Those that were begun and are not over; a portfolio has one at a time."""


@dataclass(frozen=True, kw_only=True)
class StoredRebalance:
    """A plan, and where it stands.

    Attributes
    ----------
    id : str
        `reb_…`.
    portfolio_id : str
    status : str
        "planned", "queued", "running", "completed", "incomplete" (over, not all was filled), "stopped" (it can
        go on) or "cancelled".
    message : str
        Why it stopped.
    plan : dict
        The plan in plain values.
    last_number : int
        Of the portfolio when it was planned.
    job_id : str or None
        Who carries it out.
    created_at, updated_at : datetime
    """

    id: str
    portfolio_id: str
    status: str
    message: str
    plan: dict[str, Any]
    last_number: int
    job_id: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class StoredOrder:
    """An order of a plan that was begun.

    Attributes
    ----------
    client_order_id : str
        Its identity, made once.
    state : str
        "sending" (it may have been sent), or how it ended: "filled", "partial", "rejected", "unknown", "skipped".
    message : str
        What the venue said.
    execution_ids : list of str
        Its fills, which are trades of the portfolio.
    """

    client_order_id: str
    state: str
    message: str
    execution_ids: list[str]


class RebalanceStore:
    """Plans and their orders in SQLite or PostgreSQL.

    Parameters
    ----------
    database : Database
        Where the rows are; each call is a transaction of its own.
    """

    def __init__(self, database: Database) -> None:
        from algotrendy.storage import tables

        self._database, self._t = database, tables

    def create(self, portfolio_id: str, plan: Mapping[str, Any], *, last_number: int) -> StoredRebalance:
        """Keep a plan and return it.

        Raises
        ------
        Conflict
            If the portfolio is archived.
        NotFound
            If there is none.
        """
        with self._database.transaction() as connection:
            locked_portfolio(connection, self._t.portfolios, portfolio_id)
            now = self._database.now(connection)
            values: dict[str, Any] = {
                "id": new_id(PREFIXES["rebalances"]), "portfolio_id": portfolio_id, "status": "planned", "message": "",
                "plan": plan, "last_number": last_number, "created_at": now, "updated_at": now,
            }  # fmt: skip
            connection.execute(self._t.rebalances.insert().values(values))
            return self._found(connection, values["id"])

    def get(self, rebalance_id: str) -> StoredRebalance:
        """Return a plan.

        Raises
        ------
        NotFound
            If there is none.
        """
        with self._database.transaction(writes=False) as connection:
            return self._found(connection, rebalance_id)

    def list(self, portfolio_id: str, *, cursor: str | None = None, limit: int = 50) -> Page[StoredRebalance]:
        """Return the plans of a portfolio, the newest first, a page at a time."""
        t = self._t.rebalances
        query = t.select().where(t.c.portfolio_id == portfolio_id)
        with self._database.transaction(writes=False) as connection:
            return page_of(connection, query, _rebalance, key=t.c.id, cursor=cursor, limit=limit)

    def begin(self, rebalance_id: str) -> StoredRebalance:
        """Mark a plan as one that is to be carried out; one that was begun before stays as it is.

        Raises
        ------
        Conflict
            If something happened in the portfolio since it was planned, another plan is under way, or it is over.
        NotFound
            If there is none.
        """
        with self._database.transaction() as connection:
            found = self._found(connection, rebalance_id)
            portfolio = locked_portfolio(connection, self._t.portfolios, found.portfolio_id)
            found = self._found(connection, rebalance_id)
            if found.status in OPEN_REBALANCES:
                return found
            if found.status != "planned":
                raise Conflict(f"{rebalance_id} is {found.status}; make a new plan")
            if portfolio.last_number != found.last_number:
                n_since = portfolio.last_number - found.last_number
                raise Conflict(
                    f"since {rebalance_id} was planned, {n_since} trade(s) or movement(s) of cash came into"
                    f" {found.portfolio_id}; make a new plan"
                )
            t = self._t.rebalances
            here = (t.c.portfolio_id == found.portfolio_id) & t.c.status.in_(OPEN_REBALANCES)
            other = connection.execute(t.select().where(here)).first()
            if other is not None:
                raise Conflict(f"{other.id} of {found.portfolio_id} is {other.status}; wait until it is over")
            self._set(connection, rebalance_id, status="queued")
            return self._found(connection, rebalance_id)

    def start(self, rebalance_id: str) -> StoredRebalance:
        """Mark a plan that was begun as running, and return it; one that is over or cancelled stays as it is."""
        return self._moved(rebalance_id, OPEN_REBALANCES, "running")

    def cancel(self, rebalance_id: str) -> StoredRebalance:
        """Mark a plan that nobody carries out as cancelled: it never goes on, and another may begin.

        Raises
        ------
        Conflict
            If it is under way, or over.
        NotFound
            If there is none.
        """
        found = self._moved(rebalance_id, ("planned", "queued", "stopped"), "cancelled")
        if found.status == "running":
            raise Conflict(f"{rebalance_id} is running; cancel its job {found.job_id}, or wait until it stops")
        if found.status != "cancelled":
            raise Conflict(f"{rebalance_id} is {found.status}: there is nothing to cancel")
        return found

    def _moved(self, rebalance_id: str, from_: tuple[str, ...], to: str) -> StoredRebalance:
        """Return a plan, with another status if it had one of some; all who ask take turns."""
        with self._database.transaction() as connection:
            found = self._found(connection, rebalance_id)
            locked_portfolio(connection, self._t.portfolios, found.portfolio_id)
            if self._found(connection, rebalance_id).status in from_:
                self._set(connection, rebalance_id, status=to, message="")
            return self._found(connection, rebalance_id)

    def set_job(self, rebalance_id: str, job_id: str) -> StoredRebalance:
        """Keep which job carries a plan out."""
        with self._database.transaction() as connection:
            self._set(connection, rebalance_id, job_id=job_id)
            return self._found(connection, rebalance_id)

    def move(self, rebalance_id: str, status: str, message: str = "") -> StoredRebalance:
        """Give a plan another status and return it."""
        with self._database.transaction() as connection:
            self._set(connection, rebalance_id, status=status, message=message)
            return self._found(connection, rebalance_id)

    def sending(self, rebalance_id: str, client_order_id: str) -> None:
        """Write down that an order is about to be sent; when this returns, no crash makes us forget it."""
        with self._database.transaction() as connection:
            self._put(connection, rebalance_id, client_order_id, state="sending", message="", execution_ids=[])

    def over(
        self, rebalance_id: str, client_order_id: str, state: str, *, message: str = "", trades: Iterable[Trade] = ()
    ) -> None:
        """Write down how an order ended, and record its fills, in one transaction."""
        from algotrendy.storage.unit_of_work import UnitOfWork

        kept = list(trades)
        with UnitOfWork(self._database) as work:
            with work.transaction() as connection:
                found = self._found(connection, rebalance_id)
                ids = [trade.fill.execution_id for trade in kept]
                self._put(connection, rebalance_id, client_order_id, state=state, message=message, execution_ids=ids)
            if kept:
                AccountStore(work).record(found.portfolio_id, kept)
            work.commit()

    def orders(self, rebalance_id: str) -> dict[str, StoredOrder]:
        """Return the orders that were begun, by client order id."""
        t = self._t.rebalance_orders
        with self._database.transaction(writes=False) as connection:
            rows = connection.execute(t.select().where(t.c.rebalance_id == rebalance_id)).all()
        return {row.client_order_id: record_of(StoredOrder, row) for row in rows}

    # --- statements ---

    def _put(self, connection: sa.Connection, rebalance_id: str, client_order_id: str, **values: Any) -> None:
        values["updated_at"] = self._database.now(connection)
        new = insert_new(connection, self._t.rebalance_orders)
        new = new.values(rebalance_id=rebalance_id, client_order_id=client_order_id, **values)
        connection.execute(new.on_conflict_do_update(index_elements=["rebalance_id", "client_order_id"], set_=values))

    def _set(self, connection: sa.Connection, rebalance_id: str, **values: Any) -> None:
        t = self._t.rebalances
        values["updated_at"] = self._database.now(connection)
        connection.execute(t.update().where(t.c.id == rebalance_id).values(values))

    def _found(self, connection: sa.Connection, rebalance_id: str) -> StoredRebalance:
        t = self._t.rebalances
        row = connection.execute(t.select().where(t.c.id == rebalance_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no rebalancing {rebalance_id}")
        return _rebalance(row)


def _rebalance(row: Any) -> StoredRebalance:
    return record_of(StoredRebalance, row)
