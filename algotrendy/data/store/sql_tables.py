"""The tables of the SQL store: `market_data`, one row per bar, and `market_coverage`, one row per series.

Prices and volume are double precision: a bar is a measurement that models compute with, it comes back bit for bit, and
crypto volumes have fractions. DECIMAL(15,8) would refuse a price of 10,000,000; money is kept elsewhere, as decimals.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from algotrendy.data.series import SeriesKey, Span
from algotrendy.data.store.parquet_files import instant, micros, plain_spans, spans_of
from algotrendy.data.store.rows import Layout
from algotrendy.errors import DataError

VERSION = 1
KEY_COLUMNS = ("symbol", "venue", "asset_type", "source", "interval", "chart_style", "adjusted")
"""What names a series; with `time` the key of `market_data`. `asset_type:venue:symbol` is the instrument's id."""


def tables(schema: str | None) -> tuple[sa.Table, sa.Table]:
    """Return `market_data` and `market_coverage` in a schema.

    Examples
    --------
    >>> data, coverage = tables(None)
    >>> [column.name for column in data.primary_key]
    ['symbol', 'venue', 'asset_type', 'source', 'interval', 'chart_style', 'adjusted', 'time']
    """
    metadata = sa.MetaData(schema=schema)
    time = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
    data = sa.Table(
        "market_data",
        metadata,
        *_key_columns(),
        sa.Column("time", time, primary_key=True, comment="start of the bar; on SQLite microseconds since 1970"),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("open", "high", "low", "close")),
        sa.Column("volume", sa.Double, nullable=True),
        sa.Column("extra", sa.Text().with_variant(JSONB, "postgresql"), nullable=True, comment="further columns"),
        sqlite_with_rowid=False,
    )
    coverage = sa.Table(
        "market_coverage",
        metadata,
        *_key_columns(),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("spans", sa.Text, nullable=False, comment="[[start, end], ...] in microseconds since 1970"),
        sa.Column("layout", sa.Text, nullable=True, comment="unit of the stamps and kinds of the columns"),
        sqlite_with_rowid=False,
    )
    return data, coverage


def _key_columns() -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in KEY_COLUMNS]


def key_values(key: SeriesKey) -> dict[str, str]:
    """Return what names a series, by column."""
    asset_type, venue, symbol = key.instrument.split(":")
    return {
        "symbol": symbol,
        "venue": venue,
        "asset_type": asset_type,
        "source": key.source,
        "interval": str(key.interval),
        "chart_style": key.chart_style,
        "adjusted": key.adjusted,
    }


def key_of(row: Any) -> SeriesKey:
    """Rebuild a key from the columns of a row."""
    return SeriesKey(
        source=row.source,
        instrument=f"{row.asset_type}:{row.venue}:{row.symbol}",
        interval=row.interval,
        adjusted=row.adjusted,
        chart_style=row.chart_style,
    )


def is_series(table: sa.Table, key: SeriesKey) -> sa.ColumnElement[bool]:
    """Return the condition that a row belongs to a series."""
    return sa.and_(*(table.c[name] == value for name, value in key_values(key).items()))


def starts_in(table: sa.Table, span: Span, dialect: str) -> sa.ColumnElement[bool]:
    """Return the condition that a bar starts in a span; stamps in the database are whole microseconds."""
    start, end = (db_time(micros(stamp, up=True), dialect) for stamp in (span.start, span.end))
    return sa.and_(table.c.time >= start, table.c.time < end)


def db_time(count: int, dialect: str) -> int | datetime:
    """Return microseconds since 1970 as the column `time` takes them."""
    return count if dialect == "sqlite" else instant(count).to_pydatetime()


def coverage_values(key: SeriesKey, spans: tuple[Span, ...], layout: Layout | None) -> dict[str, Any]:
    """Return the row of `market_coverage`."""
    return {
        **key_values(key),
        "version": VERSION,
        "spans": json.dumps(plain_spans(spans)),
        "layout": None if layout is None else json.dumps(layout.plain()),
    }


def read_coverage(key: SeriesKey, row: Any) -> tuple[tuple[Span, ...], Layout | None]:
    """Return the coverage and the layout that a row of `market_coverage` holds.

    Raises
    ------
    DataError
        If a newer version of algotrendy wrote it.
    """
    if row.version > VERSION:
        raise DataError(
            f"{key.path} was written in version {row.version} of the table's format, this algotrendy reads up to"
            f" {VERSION}; bring it up to date"
        )
    return spans_of(json.loads(row.spans)), None if row.layout is None else Layout.from_plain(json.loads(row.layout))
