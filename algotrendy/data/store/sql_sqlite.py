"""SQLite: rows in and out as tuples through the driver's own bulk calls."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from algotrendy.data.series import SeriesKey, Span
from algotrendy.data.store.rows import Layout, Part
from algotrendy.data.store.sql_rows import base_of, batches, extra_arrays, extra_texts, micros_of, stamps_in
from algotrendy.data.store.sql_tables import is_series, key_values, starts_in
from algotrendy.domain.bars import COLUMNS
from algotrendy.errors import DataError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

ERRORS = (sqlite3.Error,)
"""What the driver raises where SQLAlchemy does not stand between."""

_AT_ONCE = 50_000


async def insert_rows(connection: AsyncConnection, table: sa.Table, key: SeriesKey, rows: Part) -> None:
    """Add rows that are not there yet, inside the connection's transaction."""
    names = [*key_values(key), "time", *COLUMNS, "extra"]
    places = ", ".join("?" * len(names))
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places})"
    for portion in batches(len(rows.times), _AT_ONCE):
        part = rows.cut(portion)
        n_rows = len(part.times)
        extras: list[Any] = extra_texts(part) or [None] * n_rows
        columns = [[value] * n_rows for value in key_values(key).values()]
        columns += [micros_of(part).tolist(), *(base_of(part, name).tolist() for name in COLUMNS), extras]
        await connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))


async def select_rows(
    connection: AsyncConnection, table: sa.Table, key: SeriesKey, span: Span | None, layout: Layout
) -> Part:
    """Return the rows of a span, oldest first."""
    condition = is_series(table, key) if span is None else is_series(table, key) & starts_in(table, span, "sqlite")
    columns = [table.c.time, *(table.c[name] for name in COLUMNS), *([table.c.extra] if layout.extras else [])]
    query = sa.select(*columns).where(condition).order_by(table.c.time)
    text = str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
    driver: Any = (await connection.get_raw_connection()).driver_connection
    found = await driver.execute_fetchall(text)  # all rows in one go: the driver changes threads at each call
    if not found:
        return Part(np.empty(0, np.int64), layout.unit, {})
    values = list(zip(*found, strict=True))
    try:
        arrays = {name: np.array(values[place], dtype=np.float64) for place, name in enumerate(COLUMNS, start=1)}
        times = stamps_in(np.array(values[0], dtype=np.int64), layout.unit)
    except (TypeError, ValueError) as e:  # SQLite keeps a text in a column of numbers if someone puts it there
        raise DataError(f"a row of {key.path} in {table.name} holds no number ({e}); delete the series") from e
    if layout.extras:
        arrays |= extra_arrays(values[-1], layout)
    return Part(times, layout.unit, arrays)
