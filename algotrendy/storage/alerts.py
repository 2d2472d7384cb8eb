"""Alerts in a database: they outlive the process that raised them, and several processes raise none of them twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from algotrendy.errors import NotFound
from algotrendy.risk.alerts import Alert, AlertStatus, KeptAlerts, Severity
from algotrendy.storage.records import checked_text
from algotrendy.storage.risk_limits import lock_portfolio

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.storage.database import Transactions

__all__ = ["SqlAlerts"]

S = AlertStatus


class SqlAlerts:
    """Alerts in SQLite or PostgreSQL; meets `AlertStore`.

    Parameters
    ----------
    transactions : Database or UnitOfWork
        A database: each call is a transaction of its own. A unit of work: they happen together.

    Examples
    --------
    >>> import tempfile
    >>> from algotrendy.risk.alerts import AlertManager, AlertRule
    >>> from algotrendy.storage import Database, new_id
    >>> rule, portfolio = AlertRule(id="deep", measure="drawdown", level=0.1), new_id("port")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database(f"sqlite:///{folder}/house.db")
    ...     raised = AlertManager([rule], store=SqlAlerts(database)).observe(portfolio, {"drawdown": 0.2})
    ...     print(AlertManager([rule], store=SqlAlerts(database)).active(portfolio) == raised)
    ...     database.close()
    True
    """

    def __init__(self, transactions: Transactions) -> None:
        from algotrendy.storage.tables import risk_alerts

        self._transactions, self._table = transactions, risk_alerts

    def change(self, portfolio_id: str, decide: Callable[[KeptAlerts], Iterable[Alert]]) -> tuple[Alert, ...]:
        """Keep the alerts that `decide` makes of what is kept, new or changed, and return them.

        `decide` is called inside the transaction, while nobody else changes the alerts of the portfolio.
        """
        with self._transactions.transaction() as connection:
            lock_portfolio(connection, self._table.name, portfolio_id)
            kept = self._kept(connection, portfolio_id)
            known = {one.id for one in kept.open.values()}
            made = tuple(decide(kept))
            for one in made:
                values = {name: getattr(one, name) for name in Alert.__dataclass_fields__}
                if one.id in known:
                    connection.execute(self._table.update().where(self._table.c.id == one.id).values(values))
                else:
                    checked_text("id of the rule", one.rule_id, 255)
                    checked_text("measure", one.measure, 100)
                    connection.execute(self._table.insert().values(values))
        return made

    def get(self, alert_id: str) -> Alert:
        """Return an alert.

        Raises
        ------
        NotFound
            If there is none.
        """
        with self._transactions.transaction(writes=False) as connection:
            row = connection.execute(self._table.select().where(self._table.c.id == alert_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no alert {alert_id}")
        return _alert(row)

    def open(self, portfolio_id: str | None = None) -> tuple[Alert, ...]:
        """Return the alerts that are not resolved, of one portfolio or of all, the oldest first."""
        t = self._table
        query = t.select().where(t.c.status != S.RESOLVED).order_by(t.c.raised_at, t.c.id)
        return self._found(query, portfolio_id)

    def resolved(self, portfolio_id: str | None = None) -> tuple[Alert, ...]:
        """Return the alerts that are over, of one portfolio or of all, in the order in which they were resolved."""
        t = self._table
        return self._found(t.select().where(t.c.status == S.RESOLVED).order_by(t.c.resolved_at, t.c.id), portfolio_id)

    def _found(self, query: sa.Select[Any], portfolio_id: str | None) -> tuple[Alert, ...]:
        if portfolio_id is not None:
            query = query.where(self._table.c.portfolio_id == portfolio_id)
        with self._transactions.transaction(writes=False) as connection:
            rows = connection.execute(query).all()
        return tuple(map(_alert, rows))

    def _kept(self, connection: sa.Connection, portfolio_id: str) -> KeptAlerts:
        import sqlalchemy as sa

        t = self._table
        here = t.c.portfolio_id == portfolio_id
        rows = connection.execute(t.select().where(here & (t.c.status != S.RESOLVED))).all()
        last = sa.select(t.c.rule_id, sa.func.max(t.c.raised_at, type_=t.c.raised_at.type)).where(here)
        raised = {row[0]: row[1] for row in connection.execute(last.group_by(t.c.rule_id)).all()}
        return KeptAlerts({row.rule_id: _alert(row) for row in rows}, raised)


def _alert(row: Any) -> Alert:
    return Alert(**{**row._mapping, "severity": Severity(row.severity), "status": AlertStatus(row.status)})
