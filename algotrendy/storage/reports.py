"""Reports on portfolios: what was asked for, what came of it, and who was sent it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from algotrendy.errors import NotFound
from algotrendy.storage.ids import PREFIXES, new_id
from algotrendy.storage.records import Page, page_of, record_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.storage.database import Transactions

__all__ = ["ReportStore", "StoredReport"]


@dataclass(frozen=True, kw_only=True)
class StoredReport:
    """A report without its content.

    Attributes
    ----------
    id : str
        `rep_…`.
    portfolio_id, report_type, format : str
        Of what, which kind, and "pdf", "xlsx" or "html".
    options : dict
        The rest of what was asked for.
    recipients : list of str
        Who is to have it.
    delivery : str
        What became of sending it.
    job_id : str or None
        Who makes it.
    created_at, finished_at : datetime
        `finished_at` is None while there is no content.
    """

    id: str
    portfolio_id: str
    report_type: str
    format: str
    options: dict[str, Any]
    recipients: list[str]
    delivery: str
    job_id: str | None
    created_at: datetime
    finished_at: datetime | None


class ReportStore:
    """Reports in SQLite or PostgreSQL.

    Parameters
    ----------
    transactions : Database or UnitOfWork
        Where the rows are.
    """

    def __init__(self, transactions: Transactions) -> None:
        from algotrendy.storage.tables import portfolio_reports

        self._transactions, self._table = transactions, portfolio_reports

    def create(
        self,
        portfolio_id: str,
        report_type: str,
        format: str,
        *,
        options: Mapping[str, Any],
        recipients: list[str],
        delivery: str,
    ) -> StoredReport:
        """Keep what was asked for and return it."""
        with self._transactions.transaction() as connection:
            values: dict[str, Any] = {
                "id": new_id(PREFIXES["portfolio_reports"]), "portfolio_id": portfolio_id, "report_type": report_type,
                "format": format, "options": dict(options), "recipients": recipients, "delivery": delivery,
                "created_at": self._transactions.now(connection),
            }  # fmt: skip
            connection.execute(self._table.insert().values(values))
            return self._found(connection, values["id"])

    def get(self, report_id: str) -> StoredReport:
        """Return a report.

        Raises
        ------
        NotFound
            If there is none.
        """
        with self._transactions.transaction(writes=False) as connection:
            return self._found(connection, report_id)

    def content(self, report_id: str) -> bytes | None:
        """Return the content of a report; None if it has none yet."""
        import sqlalchemy as sa

        with self._transactions.transaction(writes=False) as connection:
            self._found(connection, report_id)
            query = sa.select(self._table.c.content).where(self._table.c.id == report_id)
            found: bytes | None = connection.execute(query).scalar_one()
            return found

    def list(self, portfolio_id: str, *, cursor: str | None = None, limit: int = 50) -> Page[StoredReport]:
        """Return the reports on a portfolio, the newest first, a page at a time."""
        query = self._columns().where(self._table.c.portfolio_id == portfolio_id)
        with self._transactions.transaction(writes=False) as connection:
            return page_of(connection, query, _report, key=self._table.c.id, cursor=cursor, limit=limit)

    def set_job(self, report_id: str, job_id: str) -> StoredReport:
        """Keep which job makes a report."""
        return self._updated(report_id, {"job_id": job_id})

    def finish(self, report_id: str, content: bytes) -> StoredReport:
        """Keep the content of a report."""
        with self._transactions.transaction() as connection:
            values = {"content": content, "finished_at": self._transactions.now(connection)}
            connection.execute(self._table.update().where(self._table.c.id == report_id).values(values))
            return self._found(connection, report_id)

    def deliver(self, report_id: str, delivery: str) -> StoredReport:
        """Keep what became of sending a report."""
        return self._updated(report_id, {"delivery": delivery})

    def _updated(self, report_id: str, values: dict[str, Any]) -> StoredReport:
        with self._transactions.transaction() as connection:
            connection.execute(self._table.update().where(self._table.c.id == report_id).values(values))
            return self._found(connection, report_id)

    def _columns(self) -> sa.Select[Any]:
        import sqlalchemy as sa

        return sa.select(*(column for column in self._table.columns if column.name != "content"))

    def _found(self, connection: sa.Connection, report_id: str) -> StoredReport:
        row = connection.execute(self._columns().where(self._table.c.id == report_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no report {report_id}")
        return _report(row)


def _report(row: Any) -> StoredReport:
    return record_of(StoredReport, row)
