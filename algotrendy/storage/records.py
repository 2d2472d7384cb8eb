"""What all stores share: rows in and out, and lists that are read a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from algotrendy.errors import InputError

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["Page", "checked_text", "insert_new", "page_of", "record_of"]

_T = TypeVar("_T")
_LARGEST = 1_000


@dataclass(frozen=True)
class Page(Generic[_T]):
    """A part of a list, newest first.

    Attributes
    ----------
    items : tuple
        The records.
    next_cursor : str or None
        What to give as `cursor` for the part that follows; None: there is none. Records that are made meanwhile do
        not shift the parts that follow.

    Examples
    --------
    >>> Page(items=("a", "b"), next_cursor=None).items
    ('a', 'b')
    """

    items: tuple[_T, ...]
    next_cursor: str | None


def page_of(
    connection: sa.Connection,
    query: sa.Select[Any],
    make: Callable[[Any], _T],
    *,
    key: sa.Column[Any],
    cursor: str | None,
    limit: int,
) -> Page[_T]:
    """Return a part of a query: records whose identity sorts before the cursor, the newest first."""
    if not 1 <= limit <= _LARGEST:
        raise InputError(f"limit={limit} is out of range; expected 1 to {_LARGEST}")
    if cursor is not None:
        query = query.where(key < cursor)
    rows = connection.execute(query.order_by(key.desc()).limit(limit + 1)).all()
    shown = rows[:limit]
    return Page(tuple(map(make, shown)), getattr(shown[-1], key.name) if len(rows) > limit else None)


def record_of(cls: type[_T], row: Any) -> _T:
    """Return the dataclass whose fields are columns of a row."""
    values = row._mapping
    return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})  # type: ignore[arg-type]


def insert_new(connection: sa.Connection, table: sa.Table) -> Any:
    """Return the INSERT of the connection's database that can say what happens where a row of the same key is there."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgres_insert

        return postgres_insert(table)
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert(table)


def checked_text(name: str, value: str, longest: int | None = None, *, may_be_empty: bool = False) -> str:
    """Return a text that both databases keep as it is.

    Raises
    ------
    InputError
        If it is empty, too long, or has a NUL in it.

    Examples
    --------
    >>> checked_text("name", "Cross", 255)
    'Cross'
    """
    if not isinstance(value, str) or (not value.strip() and not may_be_empty):
        raise InputError(f"{name}={value!r} is no text; give one")
    if "\0" in value:
        raise InputError(f"{name} has a NUL character at {value.index(chr(0))}; take it out")
    if longest is not None and len(value) > longest:
        raise InputError(f"{name} has {len(value)} characters, at most {longest} are kept; shorten it")
    return value
