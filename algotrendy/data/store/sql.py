"""Bars in a database: SQLite for one machine, PostgreSQL for many, TimescaleDB where it is installed.

Rows and coverage of a series change in one transaction. Writers of one series wait for each other: on PostgreSQL by an
advisory lock of the series, on SQLite because the database has one writer at a time.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algotrendy.compute.per_loop import PerLoop
from algotrendy.data.series import SeriesKey, Span, merged
from algotrendy.data.store.rows import Layout, assemble, part_of, storable
from algotrendy.errors import InputError, VenueUnavailable
from algotrendy.storage.address import database_url, place_of, translation

if TYPE_CHECKING:
    import pandas as pd
    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["SqlStore"]

_DRIVERS = {"postgresql": "asyncpg", "sqlite": "aiosqlite"}
_MODULES = {"postgresql": "sql_postgres", "sqlite": "sql_sqlite"}
_PACKAGES = {kind: (driver, "greenlet") for kind, driver in _DRIVERS.items()}
_WRITES = "algotrendy_writes"


class SqlStore:
    """Bars of many series in SQLite or PostgreSQL; meets `BarStore`.

    The tables `market_data` and `market_coverage` are made on first use. Stamps are kept in microseconds, prices and
    volume as double precision, further columns as JSON.

    Parameters
    ----------
    url : str
        `sqlite:///bars.db` or `postgresql://user:password@host/database`; the driver need not be named.
    schema : str, optional
        PostgreSQL: the schema of the tables, made if it is not there. None: the connection's own.
    connections : int
        PostgreSQL: the most connections that are open at once, per event loop.
    lock_seconds : float
        How long a call waits for another writer, or for a connection, before it raises `VenueUnavailable`.

    Raises
    ------
    InputError
        If the address is none, or names another kind of database.
    MissingExtraError
        If the driver is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import algotrendy as at
    >>> from algotrendy.compute import wait_for
    >>> bars = at.sample("NASDAQ")["2018":"2018"]
    >>> key = SeriesKey(source="sample", instrument="index:XNAS:IXIC", interval="1d")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = SqlStore(f"sqlite:///{folder}/bars.db")
    ...     wait_for(store.write(key, bars, Span.of("2018-01-01", "2019-01-01")))
    ...     print(len(wait_for(store.read(key, Span.of("2018-12-01", "2019-01-01")))), wait_for(store.coverage(key)))
    ...     wait_for(store.close())
    19 (Span(2018-01-01, 2019-01-01),)
    """

    def __init__(
        self, url: str, *, schema: str | None = None, connections: int = 5, lock_seconds: float = 60.0
    ) -> None:
        from algotrendy.data.store.sql_tables import tables

        self._url = database_url(url, _DRIVERS, _PACKAGES)
        self._dialect = self._url.get_backend_name()
        if schema is not None and self._dialect != "postgresql":
            raise InputError(f"schema={schema!r} is for PostgreSQL; SQLite has none: leave it out")
        self._schema = schema
        self._connections, self._lock_seconds = connections, lock_seconds
        self._data, self._coverage = tables(schema)
        self._engines: PerLoop[AsyncEngine] = PerLoop(self._make_engine)
        self._is_ready = False
        self._timescale: str | None = None

    @property
    def timescale(self) -> str | None:
        """The version of TimescaleDB that the database was found to have; None before first use, or if it has none."""
        return self._timescale

    async def read(self, key: SeriesKey, span: Span | None = None) -> pd.DataFrame | None:
        """Return the stored bars that start in `span`, or all of them; None if nothing is known of the series."""
        return (await self.read_many([key], span)).get(key)

    async def read_many(self, keys: Iterable[SeriesKey], span: Span | None = None) -> dict[SeriesKey, pd.DataFrame]:
        """Return what `read` returns for each key, unknown series left out; all of one state of the database."""
        frames = {}
        async with self._transaction(writes=False) as connection:
            for key in dict.fromkeys(keys):
                known = await self._known(connection, key)
                if known is not None:
                    layout = known[1] or Layout.usual()
                    part = await self._rows.select_rows(connection, self._data, key, span, layout)
                    frames[key] = await asyncio.to_thread(assemble, [part], layout, key.interval.is_intraday)
        return frames

    async def write(self, key: SeriesKey, bars: pd.DataFrame, covered: Span) -> None:
        """Make `bars` all that is known inside `covered`; see `BarStore.write`. A cancelled call does not happen."""
        from algotrendy.data.store.sql_rows import micros_of
        from algotrendy.data.store.sql_tables import coverage_values, is_series, starts_in

        rows = await asyncio.to_thread(storable, key, bars, covered)
        part = part_of(rows)
        micros_of(part)  # refuses what a database cannot keep
        async with self._transaction(writes=True) as connection:
            await self._lock(connection, key.path)
            spans, layout = await self._known(connection, key) or ((), None)
            if len(rows):
                layout = Layout.of(rows) if layout is None else layout.joined(Layout.of(rows))
            gone = is_series(self._data, key) & starts_in(self._data, covered, self._dialect)
            await connection.execute(self._data.delete().where(gone))
            if len(rows):
                await self._rows.insert_rows(connection, self._data, key, part)
            await connection.execute(self._coverage.delete().where(is_series(self._coverage, key)))
            values = coverage_values(key, merged([*spans, covered]), layout)
            await connection.execute(self._coverage.insert().values(values))

    async def coverage(self, key: SeriesKey) -> tuple[Span, ...]:
        """Return the spans that are known, oldest first; empty if there is nothing."""
        async with self._transaction(writes=False) as connection:
            known = await self._known(connection, key)
        return () if known is None else known[0]

    async def keys(self) -> list[SeriesKey]:
        """Return the keys of all series of which something is known, sorted by path."""
        from algotrendy.data.store.sql_tables import key_of

        async with self._transaction(writes=False) as connection:
            rows = (await connection.execute(self._coverage.select())).all()
        return sorted((key_of(row) for row in rows), key=lambda key: key.path)

    async def delete(self, key: SeriesKey) -> None:
        """Forget a series, rows and coverage; one that is not there is no error."""
        from algotrendy.data.store.sql_tables import is_series

        async with self._transaction(writes=True) as connection:
            await self._lock(connection, key.path)
            for table in (self._data, self._coverage):
                await connection.execute(table.delete().where(is_series(table, key)))

    async def close(self) -> None:
        """Close the connections; the store opens them anew if it is used again."""
        await self._engines.close(lambda engine: engine.dispose())

    # --- connections ---

    @property
    def _rows(self) -> Any:
        """The module that moves rows in and out of this kind of database."""
        return importlib.import_module(f"algotrendy.data.store.{_MODULES[self._dialect]}")

    def _make_engine(self) -> AsyncEngine:
        from sqlalchemy import event
        from sqlalchemy.ext.asyncio import create_async_engine
        from sqlalchemy.pool import NullPool

        if self._dialect == "postgresql":
            options = {"timeout": 10, "server_settings": {"application_name": "algotrendy"}}
            return create_async_engine(
                self._url,
                pool_size=self._connections,
                max_overflow=0,
                pool_timeout=self._lock_seconds,
                pool_pre_ping=True,
                connect_args=options,
            )
        engine = create_async_engine(self._url, poolclass=NullPool, connect_args={"timeout": self._lock_seconds})

        @event.listens_for(engine.sync_engine, "connect")
        def by_hand(connection: Any, _: Any) -> None:
            connection.isolation_level = None  # the driver begins late and not for reading; the store says when

        @event.listens_for(engine.sync_engine, "begin")
        def begin(connection: Any) -> None:
            is_writing = connection.get_execution_options().get(_WRITES, False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

        return engine

    @asynccontextmanager
    async def _transaction(self, *, writes: bool) -> AsyncIterator[AsyncConnection]:
        with self._translated():
            if not self._is_ready:
                await self._prepare()
            options: dict[str, Any] = {_WRITES: writes}
            if self._dialect == "postgresql" and not writes:
                options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            async with self._engines.get().connect() as connection:
                await connection.execution_options(**options)
                async with connection.begin():
                    yield connection

    async def _known(
        self, connection: AsyncConnection, key: SeriesKey
    ) -> tuple[tuple[Span, ...], Layout | None] | None:
        from algotrendy.data.store.sql_tables import is_series, read_coverage

        found = await connection.execute(self._coverage.select().where(is_series(self._coverage, key)))
        row = found.one_or_none()
        return None if row is None else read_coverage(key, row)

    async def _lock(self, connection: AsyncConnection, name: str) -> None:
        """Keep other writers of the series, or other makers of the tables, waiting until the transaction ends."""
        import sqlalchemy as sa

        from algotrendy.storage.schema import lock_number

        if self._dialect == "postgresql":
            number, longest_ms = lock_number(self._schema, name), max(int(self._lock_seconds * 1_000), 1)
            await connection.execute(sa.select(sa.func.set_config("lock_timeout", str(longest_ms), True)))
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))

    # --- tables ---

    async def _prepare(self) -> None:
        import sqlalchemy as sa

        if self._dialect == "sqlite":
            Path(str(self._url.database)).parent.mkdir(parents=True, exist_ok=True)
            await self._log_ahead()
        async with self._engines.get().connect() as connection:
            await connection.execution_options(**{_WRITES: True})
            async with connection.begin():
                await self._lock(connection, "")
                if self._schema is not None:
                    await connection.run_sync(_make_schema, self._schema)
                await connection.run_sync(self._data.metadata.create_all)
                if self._dialect == "postgresql":
                    from algotrendy.data.store.timescale import IS_INSTALLED

                    self._timescale = await connection.scalar(sa.text(IS_INSTALLED))
        if self._timescale is not None:
            await self._use_timescale()
        self._is_ready = True

    async def _log_ahead(self) -> None:
        """Let readers read while one writes; a property of the database's file."""
        from sqlalchemy.exc import OperationalError

        for attempt in range(_ATTEMPTS):
            try:
                async with self._engines.get().connect() as connection:
                    raw: Any = (await connection.get_raw_connection()).driver_connection
                    await (await raw.execute("PRAGMA journal_mode=WAL")).close()
                    return
            except OperationalError:
                if attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(0.05)

    async def _use_timescale(self) -> None:
        import sqlalchemy as sa

        from algotrendy.data.store.timescale import timescale_statements
        from algotrendy.storage.schema import lock_number

        number = lock_number(self._schema, "timescale")
        async with self._engines.get().connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(sa.select(sa.func.pg_advisory_lock(number)))
            try:
                for statement in timescale_statements(self._schema):
                    await connection.execute(sa.text(statement))
            finally:
                await connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))

    # --- errors ---

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn errors of drivers into ours; none of the messages holds the password."""
        from sqlalchemy.exc import DBAPIError
        from sqlalchemy.exc import TimeoutError as NoConnection

        try:
            yield
        except NoConnection as e:
            message = f"all {self._connections} connections to {self._place} were busy for {self._lock_seconds:g} s"
            raise VenueUnavailable(self._dialect, f"{message}; try again, or allow more: connections=") from e
        except (OSError, TimeoutError) as e:
            raise VenueUnavailable(self._dialect, f"{self._place} cannot be reached: {e}") from e
        except (DBAPIError, *self._rows.ERRORS) as e:
            raise self._translation(getattr(e, "orig", None) or e) from e

    def _translation(self, error: BaseException) -> Exception:
        return translation(self._url, error, f"another has been writing the series for {self._lock_seconds:g} s")

    @property
    def _place(self) -> str:
        return place_of(self._url)


_ATTEMPTS = 100


def _make_schema(connection: sa.Connection, schema: str) -> None:
    import sqlalchemy as sa

    if not sa.inspect(connection).has_schema(schema):
        connection.execute(sa.schema.CreateSchema(schema))
