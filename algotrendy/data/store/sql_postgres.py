"""PostgreSQL: rows in and out through COPY in its binary format, which NumPy writes and reads as one block of memory.

The format is described in PostgreSQL's manual under COPY: a header of 19 bytes, then for each row the number of its
fields, and for each field its length and its bytes, most significant first; at the end -1. Rows without further columns
are all equally long.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import asyncpg
import numpy as np
import sqlalchemy as sa

from algotrendy.data.series import SeriesKey, Span
from algotrendy.data.store.rows import Layout, Part
from algotrendy.data.store.sql_rows import base_of, batches, extra_arrays, extra_texts, micros_of, stamps_in
from algotrendy.data.store.sql_tables import is_series, key_values, starts_in
from algotrendy.domain.bars import COLUMNS

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError)
"""What the driver raises where SQLAlchemy does not stand between."""

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_EPOCH = 946_684_800_000_000  # PostgreSQL counts from 2000-01-01
_AT_ONCE = 50_000
_ROW_OUT = np.dtype([("n", ">i2"), *((f"{part}{i}", kind) for i, kind in enumerate([">i8"] + [">f8"] * 5)
                     for part, kind in (("l", ">i4"), ("v", kind)))])  # fmt: skip


async def insert_rows(connection: AsyncConnection, table: sa.Table, key: SeriesKey, rows: Part) -> None:
    """Add rows that are not there yet, inside the connection's transaction."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    names = [*key_values(key), "time", *COLUMNS]
    if len(rows.arrays) > len(COLUMNS) or not set(rows.arrays) <= set(COLUMNS):
        names.append("extra")
    await driver.copy_to_table(
        table.name, schema_name=table.schema, columns=names, format="binary", source=_encoded(key, rows)
    )


async def select_rows(
    connection: AsyncConnection, table: sa.Table, key: SeriesKey, span: Span | None, layout: Layout
) -> Part:
    """Return the rows of a span, oldest first. The transaction has to see one state of the database throughout."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    condition = is_series(table, key) if span is None else is_series(table, key) & starts_in(table, span, "postgresql")
    values = [table.c.time, *(table.c[name] for name in COLUMNS[:4]), sa.func.coalesce(table.c.volume, "NaN")]
    chunks: list[bytes] = []

    async def keep(chunk: bytes) -> None:
        chunks.append(bytes(chunk))

    await driver.copy_from_query(
        _text(connection, sa.select(*values).where(condition).order_by(table.c.time)), output=keep, format="binary"
    )
    content = b"".join(chunks)
    found = np.frombuffer(content, _ROW_OUT, offset=len(_HEADER), count=(len(content) - 21) // _ROW_OUT.itemsize)
    times = stamps_in(found["v0"].astype(np.int64) + _EPOCH, layout.unit)
    arrays = {name: found[f"v{place}"].astype(np.float64) for place, name in enumerate(COLUMNS, start=1)}
    if layout.extras:
        query = sa.select(sa.cast(table.c.extra, sa.Text)).where(condition).order_by(table.c.time)
        arrays |= extra_arrays((await connection.scalars(query)).all(), layout)
    return Part(times, layout.unit, arrays)


def _text(connection: AsyncConnection, query: sa.Select[Any]) -> str:
    """Return a query with its values in it, quoted as this server reads quotes: COPY takes no parameters."""
    return str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))


async def _encoded(key: SeriesKey, rows: Part) -> AsyncIterator[bytes]:
    """Yield rows in the binary format of COPY."""
    texts = [value.encode() for value in key_values(key).values()]
    yield _HEADER
    for portion in batches(len(rows.times), _AT_ONCE):
        yield await asyncio.to_thread(_rows_out, texts, rows.cut(portion))
    yield _TRAILER


def _rows_out(texts: list[bytes], part: Part) -> bytes:
    extras = extra_texts(part)
    block = _block(texts, part, n_fields=len(texts) + 6 + (extras is not None))
    content: bytes = block.tobytes() if extras is None else _with_extras(block, extras)
    return content


def _block(texts: list[bytes], part: Part, n_fields: int) -> Any:
    fields: list[tuple[str, str]] = [("n", ">i2")]
    for place, text in enumerate(texts):
        fields += [(f"kl{place}", ">i4"), (f"k{place}", f"V{len(text)}")]
    kinds = [">i8", *[">f8"] * len(COLUMNS)]
    for place, kind in enumerate(kinds):
        fields += [(f"l{place}", ">i4"), (f"v{place}", kind)]
    block = np.empty(len(part.times), np.dtype(fields))
    block["n"] = n_fields
    for place, text in enumerate(texts):
        block[f"kl{place}"], block[f"k{place}"] = len(text), np.void(text)
    columns = [micros_of(part) - _EPOCH, *(base_of(part, name) for name in COLUMNS)]
    for place, values in enumerate(columns):
        block[f"l{place}"], block[f"v{place}"] = 8, values
    return block


def _with_extras(block: Any, extras: list[str]) -> bytes:
    size, rows = block.dtype.itemsize, block.tobytes()
    pieces = []
    for place, text in enumerate(extras):
        content = b"\x01" + text.encode()  # jsonb: a version before the text
        pieces += [rows[place * size : (place + 1) * size], struct.pack(">i", len(content)), content]
    return b"".join(pieces)
