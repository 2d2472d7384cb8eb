"""The tables' version: made whole in an empty database, brought up to date step by step in one that has rows.

A fresh database gets its tables from `tables.py` and the number of the newest step, without alembic. Only a database of
an older version needs alembic, which the extra `storage` brings.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algotrendy.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from algotrendy.storage.database import Database

__all__ = ["HEAD", "VERSION_TABLE", "ensure_tables", "lock_number", "upgrade", "version_of"]

HEAD = "0005"
"""The newest step; the last file in `migrations/versions`."""

VERSION_TABLE = "algotrendy_version"
_STEPS = ("0001", "0002", "0003", "0004", "0005")


def ensure_tables(database: Database) -> None:
    """Make the tables if there are none; bring a SQLite file up to date; refuse what is newer, or not ours.

    A server is not changed unasked: older processes may be running on it.

    Raises
    ------
    ConfigError
        If the tables are of a newer version, or of an older one on a server, or a table of another program is in the
        way.
    MissingExtraError
        If a SQLite file is of an older version and alembic is not installed.
    """
    with database.connection(writes=False) as connection:
        found = version_of(connection)
    if found == HEAD:
        return
    if found is not None and found in _STEPS and database.dialect == "postgresql":
        raise ConfigError(
            f"the tables in {database.place} are of version {found}, this algotrendy needs {HEAD}; stop what uses them,"
            " then call algotrendy.storage.upgrade(url)"
        )
    _bring_up(database)


def upgrade(url: str, *, schema: str | None = None) -> str:
    """Bring the tables of a database up to date, or make them; in one transaction, whole or not at all.

    Parameters
    ----------
    url : str
        The address of the database.
    schema : str, optional
        PostgreSQL: the schema of the tables.

    Returns
    -------
    str
        The version that the tables have now.

    Raises
    ------
    ConfigError
        If the tables are of a newer version than this algotrendy knows.
    MissingExtraError
        If there are older tables and alembic is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     upgrade(f"sqlite:///{folder}/house.db") == HEAD
    True
    """
    from algotrendy.storage.database import Database

    database = Database(url, schema=schema)
    try:
        if database.dialect == "sqlite":
            database.prepare()
        else:
            _bring_up(database)
    finally:
        database.close()
    return HEAD


def version_of(connection: sa.Connection) -> str | None:
    """Return the version of the tables; None if there are none."""
    import sqlalchemy as sa

    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(sa.select(_version_table().c.version_num)).scalar_one_or_none()
    return found


def lock_number(schema: str | None, name: str) -> int:
    """Return the number of an advisory lock in PostgreSQL."""
    digest = hashlib.blake2b(f"algotrendy/{schema or ''}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _bring_up(database: Database) -> None:
    import sqlalchemy as sa

    with database.connection(writes=True) as connection:
        if database.dialect == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_number(database.schema, "tables"))))
            if database.schema is not None and not sa.inspect(connection).has_schema(database.schema):
                connection.execute(sa.schema.CreateSchema(database.schema))
        found = version_of(connection)
        if found is None:
            _make(connection, database.place)
        elif found not in _STEPS:
            raise ConfigError(
                f"the tables in {database.place} are of version {found}, this algotrendy knows up to {HEAD}; bring"
                " algotrendy up to date (pip install -U algotrendy)"
            )
        elif found != HEAD:
            _step_up(connection)
        database.commit(connection)


def _make(connection: sa.Connection, place: str) -> None:
    import sqlalchemy as sa

    from algotrendy.storage.tables import metadata

    strangers = sorted(set(sa.inspect(connection).get_table_names()) & set(metadata.tables))
    if strangers:
        raise ConfigError(
            f"{place} has tables of another program under our names ({', '.join(strangers)}); name another database,"
            " or a schema of PostgreSQL: schema="
        )
    metadata.create_all(connection, checkfirst=False)
    version = _version_table()
    version.create(connection)
    connection.execute(version.insert().values(version_num=HEAD))


def _step_up(connection: sa.Connection) -> None:
    """Take the steps that are missing, in the transaction of the connection."""
    if importlib.util.find_spec("alembic") is None:
        raise MissingExtraError("alembic", "storage")
    from alembic import command

    config = steps_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def steps_config() -> Any:
    """Return alembic's configuration of our steps."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _version_table() -> sa.Table:
    """Return the table in which alembic, and we, write down the version."""
    import sqlalchemy as sa

    return sa.Table(
        VERSION_TABLE,
        sa.MetaData(),
        sa.Column("version_num", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
    )
