"""Types of columns: what Python sees is the same on SQLite and PostgreSQL, what the database keeps suits each."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from algotrendy.backtest.plain import from_plain, to_plain
from algotrendy.errors import InputError
from algotrendy.storage.ids import id_of, uuid_of

__all__ = ["Exact", "Json", "PrefixedId", "Unrounded", "UtcTime", "strict_json"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON escapes it; a backslash before "u0000" is doubled


class PrefixedId(sa.TypeDecorator[str]):
    """A UUID that Python sees as a text with a prefix; on SQLite 32 characters.

    Parameters
    ----------
    prefix : str
        Says what the identity names.
    """

    impl = sa.Uuid
    cache_ok = True

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix

    def process_bind_param(self, value: str | None, dialect: Any) -> Any:
        """Turn the text into a UUID."""
        return None if value is None else uuid_of(self.prefix, value)

    def process_result_value(self, value: Any, dialect: Any) -> str | None:
        """Turn the UUID into a text."""
        return None if value is None else id_of(self.prefix, value)


class UtcTime(sa.TypeDecorator[datetime]):
    """An instant in UTC to the microsecond: TIMESTAMPTZ on PostgreSQL, microseconds since 1970 on SQLite."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        """Choose the type of the database."""
        return sa.TIMESTAMP(timezone=True) if dialect.name == "postgresql" else sa.BigInteger()

    def process_bind_param(self, value: datetime | None, dialect: Any) -> Any:
        """Refuse a time without a zone: nobody can say which instant it is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise InputError(f"{value.isoformat()} has no time zone; give it one: .replace(tzinfo=UTC)")
        return value if dialect.name == "postgresql" else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        """Return the instant in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if isinstance(value, datetime) else _EPOCH + value * _MICROSECOND


class Exact(sa.TypeDecorator[Decimal]):
    """Money and quantities as decimals: NUMERIC(28, 10) on PostgreSQL, text on SQLite, which has no decimals.

    Text does not sort or add up as numbers do: on SQLite compute in Python.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        """Choose the type of the database."""
        return sa.Numeric(28, 10) if dialect.name == "postgresql" else sa.Text()

    def process_bind_param(self, value: Decimal | None, dialect: Any) -> Any:
        """Refuse what the column of either database would round or cut."""
        if value is None:
            return None
        if not value.is_finite() or abs(value) >= Decimal(10) ** 18 or value != round(value, 10):
            raise InputError(f"{value} cannot be kept exactly; expected below 1e18 with at most 10 decimals")
        return value if dialect.name == "postgresql" else f"{value:f}"

    def process_result_value(self, value: Any, dialect: Any) -> Decimal | None:
        """Return a decimal without zeros that mean nothing."""
        if value is None:
            return None
        shortest = Decimal(value).normalize()
        return shortest.quantize(Decimal(1)) if shortest == shortest.to_integral_value() else shortest


class Unrounded(sa.TypeDecorator[Decimal]):
    """Costs and what follows from them, with every digit: NUMERIC on PostgreSQL, text on SQLite.

    A product of a quantity, a price and a multiplier has up to 54 decimals; `Exact` would refuse it.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        """Choose the type of the database."""
        return sa.Numeric() if dialect.name == "postgresql" else sa.Text()

    def process_bind_param(self, value: Decimal | None, dialect: Any) -> Any:
        """Refuse what is no number."""
        if value is None:
            return None
        if not value.is_finite():
            raise InputError(f"{value} cannot be kept; expected a finite number")
        return value if dialect.name == "postgresql" else f"{value:f}"

    def process_result_value(self, value: Any, dialect: Any) -> Decimal | None:
        """Return the same number."""
        return None if value is None else Decimal(value)


class Json(sa.TypeDecorator[Any]):
    """Anything that `backtest.plain.to_plain` takes, NaN and tuples included; comes back equal, tuples as lists.

    On PostgreSQL the type is JSON, which keeps the text as it was written: JSONB would turn 1e16 into an integer and
    reorder the keys of a definition whose hash matters. `is_binary=True` chooses JSONB for what is to be queried.

    Parameters
    ----------
    is_binary : bool
        Whether PostgreSQL may take the text apart.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, *, is_binary: bool = False) -> None:
        super().__init__()
        self.is_binary = is_binary

    def load_dialect_impl(self, dialect: Any) -> Any:
        """Choose the type of the database."""
        if dialect.name != "postgresql":
            return sa.Text()
        return postgresql.JSONB(none_as_null=True) if self.is_binary else postgresql.JSON(none_as_null=True)

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        """Turn the value into what strict JSON can say."""
        if value is None:
            return None
        plain = to_plain(value)
        if self.is_binary and _NUL.search(strict_json(plain)):
            raise InputError("a text in it has a NUL character, which JSONB cannot keep; take it out")
        return plain if dialect.name == "postgresql" else strict_json(plain)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        """Return what was put in."""
        if value is None:
            return None
        return from_plain(value if dialect.name == "postgresql" else json.loads(value))


def strict_json(plain: Any) -> str:
    """Return JSON without spaces, and without what JSON does not know.

    Examples
    --------
    >>> strict_json({"fast": 10})
    '{"fast":10}'
    """
    return json.dumps(plain, allow_nan=False, separators=(",", ":"))
