"""Addresses of databases, and what the errors of their drivers mean. No message repeats an address: it may hold a
password.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from algotrendy.errors import AccessRefused, ConfigError, InputError, MissingExtraError, VenueUnavailable

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["database_url", "place_of", "translation"]

_REFUSED = {"InvalidPassword", "InvalidAuthorizationSpecification", "InsufficientPrivilege"}
_REFUSED_TEXTS = ("password authentication failed", "no password supplied", "no pg_hba.conf entry")


def database_url(address: str, drivers: Mapping[str, str], needs: Mapping[str, tuple[str, ...]]) -> sa.URL:
    """Return an address with its driver.

    Parameters
    ----------
    address : str
        `sqlite:///file.db` or `postgresql://user:password@host/database`.
    drivers : mapping of str to str
        The driver for each kind of database.
    needs : mapping of str to tuple of str
        The packages that each kind needs and a plain installation may lack.

    Raises
    ------
    InputError
        If it is no address, or names another kind of database, or one in memory.
    MissingExtraError
        If a package is not installed.

    Examples
    --------
    >>> str(database_url("sqlite:///bars.db", {"sqlite": "pysqlite"}, {}))
    'sqlite+pysqlite:///bars.db'
    """
    import sqlalchemy as sa

    try:
        url = sa.make_url(address)
    except sa.exc.ArgumentError:
        raise InputError(
            "url is not the address of a database; expected such as sqlite:///bars.db or"
            " postgresql://user:password@host/database"
        ) from None
    kind = url.get_backend_name()
    if kind not in drivers:
        raise InputError(f"url names a database of kind {kind!r}; expected sqlite or postgresql")
    if kind == "sqlite" and url.database in (None, "", ":memory:"):
        raise InputError("url names a database in memory, which would vanish; expected a file: sqlite:///bars.db")
    for package in needs.get(kind, ()):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "storage")
    return url.set(drivername=f"{kind}+{drivers[kind]}")


def place_of(url: sa.URL) -> str:
    """Return what a message calls a database: the name of its file, or host, port and name, never the password.

    Examples
    --------
    >>> import sqlalchemy as sa
    >>> place_of(sa.make_url("postgresql://me:hush@db/bars"))
    'db:5432/bars'
    """
    if url.get_backend_name() == "sqlite":
        return Path(str(url.database)).name
    return f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or ''}"


def translation(url: sa.URL, error: BaseException, waited: str) -> Exception:
    """Return our error for one that a driver raised.

    Parameters
    ----------
    url : sqlalchemy.URL
        The database that was asked.
    error : BaseException
        What the driver raised, of asyncpg, psycopg or sqlite3.
    waited : str
        What to say if somebody else held a lock for too long.

    Examples
    --------
    >>> import sqlalchemy as sa
    >>> translation(sa.make_url("sqlite:///bars.db"), OSError("disk is full"), "")
    VenueUnavailable('sqlite: bars.db: disk is full')
    """
    dialect, place, text = url.get_backend_name(), place_of(url), str(error)
    causes = [cause for cause in (error, error.__cause__) if cause is not None]
    names = {cls.__name__.removesuffix("Error") for cause in causes for cls in type(cause).__mro__}
    is_missing = "FATAL" in text and "does not exist" in text  # psycopg has no code for what fails while connecting
    if names & _REFUSED or any(part in text for part in _REFUSED_TEXTS) or (is_missing and 'role "' in text):
        return AccessRefused(dialect, f"{place} refuses: {error}")
    if "InvalidCatalogName" in names or (is_missing and 'database "' in text):
        return ConfigError(f"there is no database {place}; make it, or name another")
    if "Database" in names and ("not a database" in text or "malformed" in text):
        return ConfigError(f"{place} is no database of SQLite, or damaged: {error}; move it away")
    if "LockNotAvailable" in names:
        return VenueUnavailable(dialect, f"{place}: {waited}; try again, or end it if it hangs")
    return VenueUnavailable(dialect, f"{place}: {error}")
