"""Limits and trading states in a database: every change is a row of its own, so nothing that was decided is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from algotrendy.risk.limits.book import TradingState
from algotrendy.risk.limits.limit import Limit
from algotrendy.risk.limits.records import LimitsRecord, StateRecord, check_version
from algotrendy.storage.records import checked_text

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.storage.database import Transactions

__all__ = ["SqlLimits", "lock_portfolio"]


class SqlLimits:
    """Limits and states in SQLite or PostgreSQL; meets `LimitStore`.

    Of two that change the same portfolio at once and expect the same version, one is told `Conflict`.

    Parameters
    ----------
    transactions : Database or UnitOfWork
        A database: each call is a transaction of its own. A unit of work: they happen together.

    Examples
    --------
    >>> import tempfile
    >>> from algotrendy.storage import Database, new_id
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database(f"sqlite:///{folder}/house.db")
    ...     store, portfolio = SqlLimits(database), new_id("port")
    ...     made = store.put_limits(portfolio, (Limit(kind="drawdown", limit="0.15"),), by="ann")
    ...     print(made.version, store.limits(portfolio).limits[0].limit, store.state(portfolio))
    ...     database.close()
    1 0.15 None
    """

    def __init__(self, transactions: Transactions) -> None:
        from algotrendy.storage import tables

        self._transactions = transactions
        self._limits, self._states = tables.risk_limits, tables.trading_states

    def limits(self, portfolio_id: str) -> LimitsRecord | None:
        """Return the newest limits of a portfolio; None if it was given none."""
        with self._transactions.transaction(writes=False) as connection:
            row = _newest(connection, self._limits, portfolio_id)
        return None if row is None else _limits_record(row)

    def put_limits(
        self,
        portfolio_id: str,
        limits: tuple[Limit, ...],
        *,
        profile: str | None = None,
        by: str | None = None,
        expected_version: int | None = None,
    ) -> LimitsRecord:
        """Keep limits as the next version.

        Raises
        ------
        Conflict
            If the newest version is not the expected one.
        """
        _check_person(by)
        with self._transactions.transaction() as connection:
            version = _next(connection, self._limits, portfolio_id, f"the limits of {portfolio_id}", expected_version)
            made = LimitsRecord(
                portfolio_id=portfolio_id, version=version, limits=limits, profile=profile, updated_by=by,
                updated_at=self._transactions.now(connection),
            )  # fmt: skip
            values = {name: getattr(made, name) for name in LimitsRecord.__dataclass_fields__}
            values["limits"] = [limit.as_dict() for limit in limits]
            connection.execute(self._limits.insert().values(values))
        return made

    def limits_history(self, portfolio_id: str) -> tuple[LimitsRecord, ...]:
        """Return all versions of the limits, the oldest first."""
        with self._transactions.transaction(writes=False) as connection:
            rows = _all(connection, self._limits, portfolio_id)
        return tuple(map(_limits_record, rows))

    def state(self, portfolio_id: str) -> StateRecord | None:
        """Return what a portfolio may send; None if that was never set."""
        with self._transactions.transaction(writes=False) as connection:
            row = _newest(connection, self._states, portfolio_id)
        return None if row is None else _state_record(row)

    def put_state(
        self,
        portfolio_id: str,
        state: TradingState,
        *,
        reason: str = "",
        by: str | None = None,
        expected_version: int | None = None,
    ) -> StateRecord:
        """Keep a state as the next version.

        Raises
        ------
        Conflict
            If the newest version is not the expected one.
        """
        _check_person(by)
        checked_text("reason", reason, may_be_empty=True)
        with self._transactions.transaction() as connection:
            version = _next(connection, self._states, portfolio_id, f"the states of {portfolio_id}", expected_version)
            made = StateRecord(
                portfolio_id=portfolio_id, version=version, state=TradingState(state), reason=reason, set_by=by,
                set_at=self._transactions.now(connection),
            )  # fmt: skip
            values = {name: getattr(made, name) for name in StateRecord.__dataclass_fields__}
            connection.execute(self._states.insert().values(values))
        return made

    def state_history(self, portfolio_id: str) -> tuple[StateRecord, ...]:
        """Return all versions of the state, the oldest first."""
        with self._transactions.transaction(writes=False) as connection:
            rows = _all(connection, self._states, portfolio_id)
        return tuple(map(_state_record, rows))


def lock_portfolio(connection: sa.Connection, what: str, portfolio_id: str) -> None:
    """Keep others from something of a portfolio until the transaction ends."""
    import sqlalchemy as sa

    if connection.dialect.name == "postgresql":  # on SQLite writers take turns anyway
        name = {"name": f"{what}/{portfolio_id}"}
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), name)


def _next(connection: sa.Connection, table: sa.Table, portfolio_id: str, what: str, expected: int | None) -> int:
    """Return the number of the next version, which nobody else takes before the transaction ends."""
    lock_portfolio(connection, table.name, portfolio_id)
    row = _newest(connection, table, portfolio_id)
    found: int = 0 if row is None else row.version
    check_version(what, found, expected)
    return found + 1


def _newest(connection: sa.Connection, table: sa.Table, portfolio_id: str) -> Any:
    query = table.select().where(table.c.portfolio_id == portfolio_id)
    return connection.execute(query.order_by(table.c.version.desc()).limit(1)).one_or_none()


def _all(connection: sa.Connection, table: sa.Table, portfolio_id: str) -> Any:
    query = table.select().where(table.c.portfolio_id == portfolio_id)
    return connection.execute(query.order_by(table.c.version)).all()


def _limits_record(row: Any) -> LimitsRecord:
    values = dict(row._mapping)
    return LimitsRecord(**{**values, "limits": tuple(map(Limit.from_dict, row.limits))})


def _state_record(row: Any) -> StateRecord:
    return StateRecord(**{**row._mapping, "state": TradingState(row.state)})


def _check_person(by: str | None) -> None:
    if by is not None:
        checked_text("by", by, 255)
