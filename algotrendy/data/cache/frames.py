"""Frames that share no memory, and frames as bytes."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_MAGIC = b"ATF1"  # the version of what `encoded` writes
_HEADER = struct.Struct(">4sd")
_LARGE_CELLS, _LARGE_BYTES = 500_000, 4_000_000
"""From here on work is done in another thread, so that an event loop goes on meanwhile."""


def isolated(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame that shares no memory with another, index and names of columns included.

    `DataFrame.copy` alone shares the memory of the index, which can be written to; a lazy copy shares all of it with
    whoever writes through NumPy, and on pandas 2 with everyone. Objects in columns of objects are not copied.

    Examples
    --------
    >>> import pandas as pd
    >>> bars = pd.DataFrame({"close": [1.0]}, index=pd.DatetimeIndex(["2024-03-01"]))
    >>> mine = isolated(bars)
    >>> mine.iloc[0, 0] = 2.0
    >>> bars.iloc[0, 0]
    np.float64(1.0)
    """
    mine = frame.copy()
    mine.index = frame.index.copy(deep=True)
    mine.columns = frame.columns.copy(deep=True)
    return mine


async def isolated_off_loop(frame: pd.DataFrame) -> pd.DataFrame:
    """Do what `isolated` does, a large frame in another thread."""
    return isolated(frame) if frame.size < _LARGE_CELLS else await asyncio.to_thread(isolated, frame)


async def encoded_off_loop(frame: pd.DataFrame, fetched_at: float) -> bytes:
    """Do what `encoded` does, a large frame in another thread."""
    if frame.size < _LARGE_CELLS:
        return encoded(frame, fetched_at)
    return await asyncio.to_thread(encoded, frame, fetched_at)


async def decoded_off_loop(content: bytes) -> tuple[pd.DataFrame, float] | None:
    """Do what `decoded` does, many bytes in another thread."""
    return decoded(content) if len(content) < _LARGE_BYTES else await asyncio.to_thread(decoded, content)


def size_of(frame: pd.DataFrame) -> int:
    """Return the bytes of memory that a frame takes."""
    return int(frame.memory_usage(index=True, deep=True).sum())


def check_frame(frame: object) -> None:
    """Refuse what is no DataFrame.

    Raises
    ------
    InputError
        If it is something else: a fetch has to return a frame or raise.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"fetch returned {type(frame).__name__}, expected a DataFrame; raise where there is none")


def encoded(frame: pd.DataFrame, fetched_at: float) -> bytes:
    """Return a frame as bytes: a version, when it was fetched, and an Arrow stream."""
    import pyarrow as pa

    table = pa.Table.from_pandas(frame)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
        stream.write_table(table)
    return b"".join((_HEADER.pack(_MAGIC, fetched_at), memoryview(sink.getvalue())))


def decoded(content: bytes) -> tuple[pd.DataFrame, float] | None:
    """Return what `encoded` was given; None if the bytes are of another version or damaged.

    Examples
    --------
    >>> import pandas as pd
    >>> frame, fetched_at = decoded(encoded(pd.DataFrame({"close": [1.0]}), 7.0))
    >>> float(frame["close"].iloc[0]), fetched_at, decoded(b"of another version")
    (1.0, 7.0, None)
    """
    import pyarrow as pa

    if len(content) < _HEADER.size:
        return None
    magic, fetched_at = _HEADER.unpack_from(content)
    if magic != _MAGIC:
        return None
    try:
        with pa.ipc.open_stream(pa.BufferReader(memoryview(content)[_HEADER.size :])) as stream:
            frame: pd.DataFrame = stream.read_all().to_pandas(use_threads=False)
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return None
    return frame, fetched_at
