"""Results of backtests, sweeps, walk-forwards and simulations, found again by what went into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from algotrendy.errors import InputError, NotFound
from algotrendy.storage.ids import PREFIXES, new_id
from algotrendy.storage.records import Page, checked_text, page_of, record_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.storage.database import Transactions

__all__ = ["ResultStore", "StoredResult"]


@dataclass(frozen=True, kw_only=True)
class StoredResult:
    """What is known of a result; the saved result itself is read with `ResultStore.document`.

    Attributes
    ----------
    id : str
        `bt_…`.
    kind : str
        backtest, sweep, walk_forward, monte_carlo, ...
    content_hash : str
        Of bars, definition and assumptions: equal inputs have equal hashes.
    strategy_id, strategy_version : str, int or None
        The stored strategy that was tested, if it was one.
    job_id : str or None
        The job that made it, if it was one.
    definition, assumptions, metrics : mapping
        What was tested, under which assumptions, and what came out; NaN and infinities are kept.
    path : str or None
        The file of the saved result, if it lies in one; it belongs to whoever wrote it.
    document_size : int or None
        Bytes of the saved result, if it lies in the database.
    created_at : datetime
        UTC.
    """

    id: str
    kind: str
    content_hash: str
    strategy_id: str | None
    strategy_version: int | None
    job_id: str | None
    definition: Mapping[str, Any]
    assumptions: Mapping[str, Any]
    metrics: Mapping[str, Any]
    path: str | None
    document_size: int | None
    created_at: datetime


class ResultStore:
    """Results that are kept, and a cache of them by content hash.

    Parameters
    ----------
    transactions : Database or UnitOfWork
        A database: each call is a transaction of its own. A unit of work: they happen together.

    Examples
    --------
    >>> import tempfile
    >>> from algotrendy.storage import Database
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database(f"sqlite:///{folder}/house.db")
    ...     store = ResultStore(database)
    ...     made = store.put(kind="backtest", content_hash="5f0c91", metrics={"sharpe_ratio": 0.8}, document=b"{}")
    ...     print(store.find("5f0c91") == made, store.find("other"), store.document(made.id))
    ...     database.close()
    True None b'{}'
    """

    def __init__(self, transactions: Transactions) -> None:
        from algotrendy.storage.tables import backtest_results

        self._transactions, self._table = transactions, backtest_results

    def put(
        self,
        *,
        kind: str,
        content_hash: str,
        definition: Mapping[str, Any] | None = None,
        assumptions: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        strategy_id: str | None = None,
        strategy_version: int | None = None,
        job_id: str | None = None,
        path: str | None = None,
        document: bytes | None = None,
        result_id: str | None = None,
    ) -> StoredResult:
        """Keep a result; see `StoredResult` for the arguments. `document` is the saved result itself.

        `result_id` is the identity that it is to have, so that a job may name its result before there is one; by
        default a new one.

        Raises
        ------
        InputError
            If the kind or the hash is empty or too long, or both a path and a document are given.
        Conflict
            If there is no such strategy or job, or there is a result of this identity.
        """
        if path is not None and document is not None:
            raise InputError("a result lies in a file or in the database; give path= or document=, not both")
        values: dict[str, Any] = {
            "id": new_id(PREFIXES["backtest_results"]) if result_id is None else result_id,
            "kind": checked_text("kind", kind, 50),
            "content_hash": checked_text("content_hash", content_hash, 128),
            "strategy_id": strategy_id,
            "strategy_version": strategy_version,
            "job_id": job_id,
            "definition": dict(definition or {}),
            "assumptions": dict(assumptions or {}),
            "metrics": dict(metrics or {}),
            "path": None if path is None else checked_text("path", str(path)),
        }
        with self._transactions.transaction() as connection:
            values["created_at"] = self._transactions.now(connection)
            connection.execute(self._table.insert().values({**values, "document": document}))
        return StoredResult(**values, document_size=None if document is None else len(document))

    def get(self, result_id: str) -> StoredResult:
        """Return what is known of a result.

        Raises
        ------
        NotFound
            If there is none.
        """
        with self._transactions.transaction(writes=False) as connection:
            row = connection.execute(self._known().where(self._table.c.id == result_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no result {result_id}")
        return record_of(StoredResult, row)

    def document(self, result_id: str) -> bytes | None:
        """Return the saved result; None if it does not lie in the database.

        Raises
        ------
        NotFound
            If there is no such result.
        """
        import sqlalchemy as sa

        with self._transactions.transaction(writes=False) as connection:
            query = sa.select(self._table.c.document).where(self._table.c.id == result_id)
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"there is no result {result_id}")
        return None if row.document is None else bytes(row.document)

    def find(self, content_hash: str, kind: str | None = None) -> StoredResult | None:
        """Return the newest result of these inputs, of any kind or of one; None if there is none."""
        query = self._known().where(self._table.c.content_hash == content_hash)
        if kind is not None:
            query = query.where(self._table.c.kind == kind)
        with self._transactions.transaction(writes=False) as connection:
            row = connection.execute(query.order_by(self._table.c.id.desc()).limit(1)).one_or_none()
        return None if row is None else record_of(StoredResult, row)

    def list(
        self,
        *,
        kind: str | None = None,
        strategy_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[StoredResult]:
        """Return what is known of results, the newest first, a page at a time."""
        query = self._known()
        for name, value in {"kind": kind, "strategy_id": strategy_id}.items():
            if value is not None:
                query = query.where(self._table.c[name] == value)
        with self._transactions.transaction(writes=False) as connection:
            return page_of(connection, query, _result, key=self._table.c.id, cursor=cursor, limit=limit)

    def delete(self, result_id: str) -> None:
        """Forget a result; a file that it names is left where it is.

        Raises
        ------
        NotFound
            If there is none.
        """
        with self._transactions.transaction() as connection:
            if connection.execute(self._table.delete().where(self._table.c.id == result_id)).rowcount != 1:
                raise NotFound(f"there is no result {result_id}")

    def _known(self) -> sa.Select[Any]:
        """Return the query of everything but the document, which may be large."""
        import sqlalchemy as sa

        columns = [column for column in self._table.c if column.name != "document"]
        return sa.select(*columns, sa.func.length(self._table.c.document).label("document_size"))


def _result(row: Any) -> StoredResult:
    return record_of(StoredResult, row)
