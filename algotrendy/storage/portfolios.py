"""Portfolios as they are kept: their settings, with a version that grows; what they hold is `accounts`' affair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from algotrendy.errors import Conflict, InputError, NotFound
from algotrendy.storage.deployments import OPEN_DEPLOYMENTS
from algotrendy.storage.ids import PREFIXES, new_id
from algotrendy.storage.records import Page, checked_text, page_of, record_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.storage.database import Transactions

__all__ = ["PortfolioStatus", "PortfolioStore", "StoredPortfolio"]


class PortfolioStatus(StrEnum):
    """Whether anything may happen in a portfolio."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    """Closed, with its history; it only answers."""


@dataclass(frozen=True, kw_only=True)
class StoredPortfolio:
    """The settings of a portfolio.

    Attributes
    ----------
    id : str
        `port_…`.
    name : str
    user_id : str or None
        Whose it is.
    initial_capital : Decimal
        In `currency`; its first deposit.
    current_value : Decimal or None
        Of the last valuation, at `valued_at`.
    currency : str
        The base currency.
    risk_profile : str
        Name of the limits that it has.
    strategies : list
        What is to trade in it: texts or objects, kept as they came.
    lot_method : str
        Which lots a sale closes.
    time_zone : str
        In which the day of a fill is counted.
    status : str
        "active" or "archived".
    version : int
        1, 2, ...; grows with every change of the settings.
    last_number : int
        Of the last trade or movement of cash: who remembers it knows whether anything happened since.
    opened_at, valued_at, created_at, updated_at : datetime
        In UTC.
    """

    id: str
    name: str
    user_id: str | None
    initial_capital: Decimal
    current_value: Decimal | None
    currency: str
    risk_profile: str
    strategies: list[Any]
    lot_method: str
    time_zone: str
    status: str
    version: int
    last_number: int
    opened_at: datetime
    valued_at: datetime | None
    created_at: datetime
    updated_at: datetime


class PortfolioStore:
    """The settings of portfolios in SQLite or PostgreSQL.

    Parameters
    ----------
    transactions : Database or UnitOfWork
        Where the rows are.

    Examples
    --------
    >>> import tempfile
    >>> from algotrendy.storage import Database
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database(f"sqlite:///{folder}/house.db")
    ...     made = PortfolioStore(database).create(name="Growth", initial_capital=Decimal(100_000))
    ...     print(made.status, PortfolioStore(database).update(made.id, {"name": "Income"}).version)
    ...     database.close()
    active 2
    """

    def __init__(self, transactions: Transactions) -> None:
        from algotrendy.storage.tables import deployments, portfolios

        self._transactions, self._table, self._deployments = transactions, portfolios, deployments

    def create(
        self,
        *,
        name: str,
        initial_capital: Decimal,
        currency: str = "USD",
        risk_profile: str = "moderate",
        strategies: list[Any] | None = None,
        lot_method: str = "fifo",
        time_zone: str = "UTC",
        user_id: str | None = None,
        opened_at: datetime | None = None,
    ) -> StoredPortfolio:
        """Keep a new portfolio and return it; the deposit of its capital is `AccountStore.record_cash`'s affair.

        Raises
        ------
        InputError
            If a text is empty or too long, or the capital has more than ten decimals.
        """
        with self._transactions.transaction() as connection:
            now = self._transactions.now(connection)
            values: dict[str, Any] = {
                "id": new_id(PREFIXES["portfolios"]), "name": checked_text("name", name, 255), "user_id": user_id,
                "initial_capital": initial_capital, "currency": checked_text("currency", currency, 10),
                "risk_profile": checked_text("risk_profile", risk_profile, 20), "strategies": strategies or [],
                "lot_method": lot_method, "time_zone": checked_text("time_zone", time_zone, 50),
                "status": PortfolioStatus.ACTIVE, "version": 1, "last_number": 0,
                "opened_at": now if opened_at is None else opened_at, "created_at": now, "updated_at": now,
            }  # fmt: skip
            connection.execute(self._table.insert().values(values))
            return self._found(connection, values["id"])

    def get(self, portfolio_id: str) -> StoredPortfolio:
        """Return a portfolio.

        Raises
        ------
        NotFound
            If there is none.
        """
        with self._transactions.transaction(writes=False) as connection:
            return self._found(connection, portfolio_id)

    def risk_profile(self, portfolio_id: str) -> str | None:
        """Return the name of the risk profile of a portfolio, None if it is not kept here."""
        try:
            return self.get(portfolio_id).risk_profile
        except NotFound:
            return None

    def list(
        self,
        *,
        status: str | None = None,
        user_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[StoredPortfolio]:
        """Return portfolios, the newest first, a page at a time."""
        query = self._table.select()
        if status is not None:
            query = query.where(self._table.c.status == _status(status))
        if user_id is not None:
            query = query.where(self._table.c.user_id == user_id)
        with self._transactions.transaction(writes=False) as connection:
            return page_of(connection, query, _portfolio, key=self._table.c.id, cursor=cursor, limit=limit)

    def update(
        self, portfolio_id: str, changes: Mapping[str, Any], *, expected_version: int | None = None
    ) -> StoredPortfolio:
        """Change settings and return the portfolio; what is not named stays as it is.

        Parameters
        ----------
        portfolio_id : str
            Which one.
        changes : mapping
            name, risk_profile, strategies.
        expected_version : int, optional
            The version that the change was made from: if somebody was faster, nothing is changed.

        Raises
        ------
        Conflict
            If the version is another one, or the portfolio is archived.
        InputError
            If something else is to be changed.
        NotFound
            If there is none.
        """
        unknown = sorted(set(changes) - {"name", "risk_profile", "strategies"})
        if unknown:
            raise InputError(f"{', '.join(unknown)} cannot be changed; expected name, risk_profile or strategies")
        values = dict(changes)
        for name, longest in (("name", 255), ("risk_profile", 20)):
            if name in values:
                checked_text(name, values[name], longest)
        with self._transactions.transaction() as connection:
            found = self._locked(connection, portfolio_id)
            if expected_version is not None and found.version != expected_version:
                raise Conflict(
                    f"{portfolio_id} has version {found.version}, the change was made from {expected_version}; read it"
                    " again, then repeat"
                )
            if values:
                values |= {"version": found.version + 1, "updated_at": self._transactions.now(connection)}
                connection.execute(self._table.update().where(self._table.c.id == portfolio_id).values(values))
            return self._found(connection, portfolio_id)

    def delete(self, portfolio_id: str) -> StoredPortfolio | None:
        """Delete a portfolio in which nothing happened after its first deposit; archive any other.

        Returns
        -------
        StoredPortfolio or None
            The archived portfolio; None if it is gone.

        Raises
        ------
        Conflict
            If a strategy is deployed in it, or it is archived.
        NotFound
            If there is none.
        """
        import sqlalchemy as sa

        with self._transactions.transaction() as connection:
            found = self._locked(connection, portfolio_id)
            t = self._deployments
            here = (t.c.portfolio_id == portfolio_id) & t.c.status.in_(OPEN_DEPLOYMENTS)
            n_open = connection.execute(sa.select(sa.func.count()).select_from(t).where(here)).scalar_one()
            if n_open:
                raise Conflict(f"{n_open} deployment(s) trade in {portfolio_id}; stop them first")
            same = self._table.c.id == portfolio_id
            if found.last_number <= 1:
                connection.execute(self._table.delete().where(same))
                return None
            now = self._transactions.now(connection)
            values = {"status": PortfolioStatus.ARCHIVED, "version": found.version + 1, "updated_at": now}
            connection.execute(self._table.update().where(same).values(values))
            return self._found(connection, portfolio_id)

    def _locked(self, connection: sa.Connection, portfolio_id: str) -> StoredPortfolio:
        return locked_portfolio(connection, self._table, portfolio_id)

    def _found(self, connection: sa.Connection, portfolio_id: str) -> StoredPortfolio:
        row = connection.execute(self._table.select().where(self._table.c.id == portfolio_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no portfolio {portfolio_id}")
        return _portfolio(row)


def locked_portfolio(connection: sa.Connection, table: sa.Table, portfolio_id: str) -> StoredPortfolio:
    """Return a portfolio that nobody else changes until the transaction ends: all who write to it take turns.

    Raises
    ------
    Conflict
        If it is archived.
    NotFound
        If there is none.
    """
    query = table.select().where(table.c.id == portfolio_id).with_for_update()  # on SQLite writers take turns anyway
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"there is no portfolio {portfolio_id}")
    found = _portfolio(row)
    if found.status == PortfolioStatus.ARCHIVED:
        raise Conflict(f"{portfolio_id} is archived: it answers, and nothing happens in it any more")
    return found


def _status(status: str) -> PortfolioStatus:
    try:
        return PortfolioStatus(status)
    except ValueError:
        raise InputError(f"status={status!r} is unknown; expected one of {', '.join(PortfolioStatus)}") from None


def _portfolio(row: Any) -> StoredPortfolio:
    return record_of(StoredPortfolio, row)
