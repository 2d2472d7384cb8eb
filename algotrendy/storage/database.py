"""A database and its transactions: SQLite for one machine, PostgreSQL for many.

Synchronous on purpose: a transaction is a few statements long. Asynchronous code calls `asyncio.to_thread`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from algotrendy.errors import ConfigError, Conflict, InputError, OutcomeUnknown, VenueUnavailable
from algotrendy.home import default_home
from algotrendy.storage.address import database_url, place_of, translation

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["Database", "Transactions", "default_url"]

Durability = Literal["disk", "process"]

_DRIVERS = {"sqlite": "pysqlite", "postgresql": "psycopg"}
_PACKAGES = {"postgresql": ("psycopg",)}
_READS = "algotrendy_reads"
_ATTEMPTS = 100


class Transactions(Protocol):
    """What gives transactions: a `Database` a new one each time, a `UnitOfWork` always its own."""

    def transaction(self, *, writes: bool = True) -> AbstractContextManager[sa.Connection]:
        """Return a transaction to work in."""
        ...

    def now(self, connection: sa.Connection) -> datetime:
        """Return what time it is for everybody who uses this database."""
        ...


def default_url(home: Path | None = None) -> str:
    """Return the address of the SQLite file in the folder for caches; it is named, not made.

    Examples
    --------
    >>> default_url(Path("home"))
    'sqlite:///home/algotrendy.db'
    """
    return f"sqlite:///{(default_home() if home is None else home) / 'algotrendy.db'}"


class Database:
    """The database in which strategies, deployments, results, jobs and trials are kept.

    Nothing is opened before it is used; then the tables are made if there are none. It may be shared by threads, and
    used in a forked child, which opens connections of its own.

    Parameters
    ----------
    url : str, optional
        `sqlite:///file.db` or `postgresql://user:password@host/database`; the driver need not be named. By default
        a file in the folder for caches, see `default_url`.
    schema : str, optional
        PostgreSQL: the schema of the tables, made if it is not there. None: the connection's own.
    durability : {"disk", "process"}
        What a commit survives. "disk": a power failure. "process": the end of this process, by kill -9 too, but the
        last commits may be lost with the power; many times faster, and the file stays sound.
    connections : int
        The most connections that are open at once.
    lock_seconds : float
        How long a call waits for another writer, or for a connection, before it raises `VenueUnavailable`.
    clock : callable, optional
        Gives the time, aware of its zone. Default: PostgreSQL's own clock, so that machines need not agree; on SQLite
        the machine's.

    Raises
    ------
    InputError
        If the address is none, or names another kind of database, or an argument is out of its range.
    MissingExtraError
        If the driver is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from algotrendy.storage import StrategyStore
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database(f"sqlite:///{folder}/house.db")
    ...     made = StrategyStore(database).create(name="Cross", asset_class="stock", parameters={"fast": 10})
    ...     print(made.version, StrategyStore(database).get(made.id).parameters)
    ...     database.close()
    1 {'fast': 10}
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        schema: str | None = None,
        durability: Durability = "disk",
        connections: int = 10,
        lock_seconds: float = 60.0,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._url = database_url(default_url() if url is None else url, _DRIVERS, _PACKAGES)
        self.dialect = self._url.get_backend_name()
        if schema is not None and self.dialect != "postgresql":
            raise InputError(f"schema={schema!r} is for PostgreSQL; SQLite has none: leave it out")
        if schema is not None and not (schema.isidentifier() and schema.isascii() and schema.islower()):
            raise InputError(f"schema={schema!r} is no plain name; expected lower-case letters, digits and underscores")
        if durability not in ("disk", "process"):
            raise InputError(f"durability={durability!r} is unknown; expected 'disk' or 'process'")
        if connections < 1 or lock_seconds <= 0:
            raise InputError(f"connections={connections} and lock_seconds={lock_seconds} have to be at least 1 and > 0")
        self.schema = schema
        self._durability, self._connections, self._lock_seconds = durability, connections, lock_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._engines: tuple[sa.Engine, sa.Engine] | None = None
        self._pid = 0
        self._is_ready = False
        self._inherited: list[tuple[sa.Engine, sa.Engine]] = []

    # --- transactions ---

    @contextmanager
    def transaction(self, *, writes: bool = True) -> Iterator[sa.Connection]:
        """Give a transaction of its own, committed at the end, rolled back if an error leaves the block.

        Parameters
        ----------
        writes : bool
            Whether rows are to be changed; on SQLite writers take turns, readers wait for nobody.

        Raises
        ------
        VenueUnavailable
            If nothing happened: the database cannot be reached, or another writer held it for too long.
        OutcomeUnknown
            If the connection broke during the commit.
        """
        self.prepare()
        with self.connection(writes=writes) as connection:
            yield connection
            self.commit(connection)

    @contextmanager
    def connection(self, *, writes: bool) -> Iterator[sa.Connection]:
        """Give a connection with a transaction that is rolled back unless `commit` was called."""
        writer, reader = self._engine_now()
        with self.translated(), (writer if writes else reader).connect() as connection:
            connection.begin()
            yield connection

    def commit(self, connection: sa.Connection) -> None:
        """Commit what was done on a connection of `connection`."""
        from sqlalchemy.exc import DBAPIError

        try:
            connection.commit()
        except DBAPIError as e:
            if self.dialect == "sqlite":
                raise  # there is no wire that could break in between
            place = place_of(self._url)
            message = f"{place}: the connection broke while committing ({e.orig}); read what is there, then repeat"
            raise OutcomeUnknown(self.dialect, message) from e

    def now(self, connection: sa.Connection) -> datetime:
        """Return what time it is for everybody who uses this database, in UTC."""
        import sqlalchemy as sa

        if self._clock is not None:
            return self._clock().astimezone(UTC)
        if self.dialect == "postgresql":
            moment: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
            return moment.astimezone(UTC)
        return datetime.now(UTC)

    def close(self) -> None:
        """Close the connections; the database opens new ones if it is used again."""
        with self._lock:
            if self._engines is not None and self._pid == os.getpid():
                self._engines[0].dispose()
            self._engines, self._is_ready = None, False

    @property
    def place(self) -> str:
        """What a message calls it: the name of the file, or host, port and database."""
        return place_of(self._url)

    # --- connections ---

    def _engine_now(self) -> tuple[sa.Engine, sa.Engine]:
        """Return the engine, and a view of it whose transactions only read."""
        with self._lock:
            if self._engines is not None and self._pid != os.getpid():
                self._inherited.append(self._engines)  # the parent's connections: closed here, they would end there
                self._engines = None
            if self._engines is None:
                engine = self._make_engine()
                self._engines = (engine, engine.execution_options(**{_READS: True}))
                self._pid = os.getpid()
            return self._engines

    def _make_engine(self) -> sa.Engine:
        import sqlalchemy as sa

        from algotrendy.storage.types import strict_json

        pool: dict[str, Any] = {
            "pool_size": self._connections, "max_overflow": 0, "pool_timeout": self._lock_seconds,
            "json_serializer": strict_json,
        }  # fmt: skip
        if self.dialect == "postgresql":
            options = self._postgres_options()
            return sa.create_engine(self._url, pool_pre_ping=True, connect_args=options, **pool)
        engine = sa.create_engine(
            self._url, connect_args={"timeout": self._lock_seconds, "check_same_thread": False}, **pool
        )
        synchronous = "FULL" if self._durability == "disk" else "NORMAL"

        @sa.event.listens_for(engine, "connect")
        def set_up(connection: Any, _: Any) -> None:
            connection.isolation_level = None  # the driver begins late and not for reading; we say when
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA synchronous={synchronous}")

        @sa.event.listens_for(engine, "begin")
        def begin(connection: Any) -> None:
            is_reading = connection.get_execution_options().get(_READS, False)
            connection.connection.driver_connection.execute("BEGIN" if is_reading else "BEGIN IMMEDIATE")

        return engine

    def _postgres_options(self) -> dict[str, Any]:
        settings = {"lock_timeout": f"{max(int(self._lock_seconds * 1_000), 1)}"}
        if self.schema is not None:
            settings["search_path"] = self.schema
        if self._durability == "process":
            settings["synchronous_commit"] = "off"
        options = " ".join(f"-c{name}={value}" for name, value in settings.items())
        return {"connect_timeout": 10, "application_name": "algotrendy", "options": options}

    # --- tables ---

    def prepare(self) -> None:
        """Make the tables if there are none; called by every transaction, does nothing after the first.

        Raises
        ------
        ConfigError
            If the tables are of another version and cannot be brought up to date here; the message says what to do.
        """
        if self._is_ready:
            return
        from algotrendy.storage.schema import ensure_tables

        if self.dialect == "sqlite":
            folder = Path(str(self._url.database)).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as e:
                raise ConfigError(f"the folder of {self.place} cannot be made ({e}); name another file") from e
            with self.translated():
                self._log_ahead()
        ensure_tables(self)
        self._is_ready = True

    def _log_ahead(self) -> None:
        """Let readers read while one writes; a property of the database's file."""
        from sqlalchemy.exc import OperationalError

        for attempt in range(_ATTEMPTS):
            try:
                raw = self._engine_now()[0].raw_connection()
                try:
                    raw.cursor().execute("PRAGMA journal_mode=WAL")
                finally:
                    raw.close()
            except (OperationalError, self._driver_error()) as e:
                if attempt == _ATTEMPTS - 1 or "locked" not in str(e):
                    raise
                time.sleep(0.05)
            else:
                return

    def _driver_error(self) -> type[Exception]:
        if self.dialect == "sqlite":
            import sqlite3

            return sqlite3.Error
        import psycopg

        error: type[Exception] = psycopg.Error
        return error

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn errors of drivers into ours; none of the messages holds the password."""
        from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
        from sqlalchemy.exc import TimeoutError as NoConnection

        try:
            yield
        except NoConnection as e:
            message = f"all {self._connections} connections to {self.place} were busy for {self._lock_seconds:g} s"
            raise VenueUnavailable(self.dialect, f"{message}; try again, or allow more: connections=") from e
        except IntegrityError as e:
            raise Conflict(f"{self.place} refuses the change: {e.orig}; read the record again") from e
        except DataError as e:
            raise InputError(f"{self.place} refuses a value: {e.orig}; give one that fits the column") from e
        except (DBAPIError, self._driver_error()) as e:
            waited = f"another has been writing for {self._lock_seconds:g} s"
            raise translation(self._url, getattr(e, "orig", None) or e, waited) from e
        except StatementError as e:  # a type of ours refused a value
            if isinstance(e.orig, InputError):
                raise e.orig from e
            raise
