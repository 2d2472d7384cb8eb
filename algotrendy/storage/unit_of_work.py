"""Several changes that happen together or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING

from algotrendy.errors import InputError, RecordError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import sqlalchemy as sa

    from algotrendy.storage.database import Database

__all__ = ["UnitOfWork"]


class UnitOfWork:
    """One transaction for several stores, with an explicit commit; whatever leaves the block earlier undoes it all.

    Give it to stores in place of the database. One thread at a time may use it. On SQLite every other writer waits
    until it ends: keep it short, and wait for nothing in it.

    Parameters
    ----------
    database : Database
        Where the rows are.

    Examples
    --------
    >>> import tempfile
    >>> from algotrendy.storage import Database, StrategyStore
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database(f"sqlite:///{folder}/house.db")
    ...     with UnitOfWork(database) as work:
    ...         first = StrategyStore(work).create(name="Cross", asset_class="stock")
    ...         second = StrategyStore(work).create(name="Breakout", asset_class="crypto")
    ...         work.commit()
    ...     with UnitOfWork(database) as work:
    ...         third = StrategyStore(work).create(name="Forgotten", asset_class="stock")
    ...     print(sorted(strategy.name for strategy in StrategyStore(database).list().items))
    ...     database.close()
    ['Breakout', 'Cross']
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._opened: AbstractContextManager[sa.Connection] | None = None
        self._connection: sa.Connection | None = None
        self._is_broken = False

    def __enter__(self) -> UnitOfWork:
        """Begin."""
        if self._opened is not None:
            raise InputError("this unit of work has begun already; make another one")
        self._database.prepare()
        self._opened = self._database.connection(writes=True)
        self._connection = self._opened.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; what was not committed is undone."""
        assert self._opened is not None
        self._connection = None
        self._opened.__exit__(kind, error, trace)

    @contextmanager
    def transaction(self, *, writes: bool = True) -> Iterator[sa.Connection]:
        """Give the unit's own transaction; nothing is committed at the end of the block.

        Raises
        ------
        InputError
            If the unit has not begun, or has ended.
        """
        if self._connection is None:
            raise InputError(
                "this unit of work has not begun, or has ended; use it inside: with UnitOfWork(...) as work"
            )
        is_whole = False
        try:
            with self._database.translated():
                yield self._connection
            is_whole = True
        except RecordError as e:
            is_whole = e.__cause__ is None  # a store found that it is not so; no statement failed
            raise
        finally:
            self._is_broken = self._is_broken or not is_whole

    def now(self, connection: sa.Connection) -> datetime:
        """Return what time it is for everybody who uses the database."""
        return self._database.now(connection)

    def commit(self) -> None:
        """Make everything that was done count, and end the unit.

        Raises
        ------
        InputError
            If a statement failed in between: what it was to change is not known to be there, nothing is committed.
        """
        if self._connection is None:
            raise InputError("this unit of work has not begun, or has ended; it cannot be committed")
        if self._is_broken:
            raise InputError("a statement in this unit failed, so nothing of it can be committed; begin a new one")
        self._database.commit(self._connection)
        self._connection = None
