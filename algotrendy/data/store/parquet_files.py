"""The files of one stored series: segments of rows in Parquet, and the manifest that says which of them count.

A segment is written once under a name of its own and never changed. The manifest names the segments with their lengths
and checksums, and holds the coverage: replacing it is the one step that makes a write happen. So rows and coverage
cannot disagree, whenever a process dies, and what a dead process left behind is not named anywhere.
"""

from __future__ import annotations

import json
import os
import secrets
import time
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from algotrendy.data.series import SeriesKey, Span, as_instant
from algotrendy.data.store.rows import PER_SECOND, Layout, Part
from algotrendy.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "manifest.json"
VERSION = 1
_FORMAT = "algotrendy.bars"


class Damaged(Exception):  # noqa: N818 - says what is the case; caught in the store, never seen outside
    """A file is missing, cut off or changed."""


# --- the manifest ---


@dataclass(frozen=True, slots=True)
class Segment:
    """One Parquet file of a series.

    Attributes
    ----------
    first, last : int
        Its first and last stamp in whole microseconds since 1970, rounded down.
    crc32 : int
        Of the whole file.
    """

    file: str
    rows: int
    first: int
    last: int
    bytes: int
    crc32: int

    def meets(self, span: Span) -> bool:
        """Return whether rows of it may lie in a span: never wrongly False."""
        return self.first <= micros(span.end, up=True) and self.last >= micros(span.start)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of a series: immutable, one for each write."""

    key: SeriesKey
    generation: int = 0
    layout: Layout | None = None
    covered: tuple[Span, ...] = ()
    segments: tuple[Segment, ...] = ()

    def without(self, lost: Segment) -> Manifest:
        """Return what remains known if a segment is lost: nothing from the rows before it to the rows after it."""
        place = self.segments.index(lost)
        before, after = self.segments[:place], self.segments[place + 1 :]
        start = instant(before[-1].last + 1) if before else as_instant("0001-01-01")
        end = instant(after[0].first) if after else as_instant("9999-12-31")
        covered = tuple(part for span in self.covered for part in span.missing_in([Span(start, end)]))
        return replace(self, generation=self.generation + 1, covered=covered, segments=before + after)


def micros(stamp: pd.Timestamp, *, up: bool = False) -> int:
    """Return an instant as microseconds since 1970, rounded down, or up."""
    own, per = int(stamp.asm8.astype(np.int64)), PER_SECOND[stamp.unit]
    return -(-own * 10**6 // per) if up else own * 10**6 // per


def instant(count: int) -> pd.Timestamp:
    """Return microseconds since 1970 as an instant."""
    return pd.Timestamp(np.datetime64(count, "us")).tz_localize("UTC")


def plain_spans(spans: tuple[Span, ...]) -> list[list[int]]:
    """Return spans as microseconds; what is finer is cut off, so that nothing unknown counts as covered."""
    return [[micros(span.start, up=True), micros(span.end)] for span in spans]


def spans_of(counts: list[list[int]]) -> tuple[Span, ...]:
    """Rebuild what `plain_spans` gave."""
    return tuple(Span(instant(start), instant(end)) for start, end in counts if start < end)


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a folder; None if there is none.

    Raises
    ------
    Damaged
        If it cannot be read.
    DataError
        If a newer version of algotrendy wrote it.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        content = json.loads(text)
        found = content.pop("crc32")
        if content["format"] == _FORMAT and content["version"] > VERSION:
            raise DataError(
                f"{folder.name} was written in version {content['version']} of the store's format, this algotrendy"
                f" reads up to {VERSION}; bring it up to date"
            )
        if found != zlib.crc32(_canonical(content)):
            raise Damaged("its checksum is wrong")
        return _manifest_of(content)
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise Damaged(f"it cannot be read ({e})") from e


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the one before: whole or not at all, and lasting when this returns."""
    content = {
        "format": _FORMAT,
        "version": VERSION,
        "key": plain_key(manifest.key),
        "generation": manifest.generation,
        "written_at": time.time(),
        "layout": None if manifest.layout is None else manifest.layout.plain(),
        "covered": plain_spans(manifest.covered),
        "segments": [
            [part.file, part.rows, part.first, part.last, part.bytes, part.crc32] for part in manifest.segments
        ],
    }
    content["crc32"] = zlib.crc32(_canonical(content))
    sync_folder(folder)  # the segments' names, before anything counts on them
    unfinished = folder / f"{MANIFEST}.{secrets.token_hex(4)}.tmp"
    write_lasting(unfinished, _canonical(content))
    os.replace(unfinished, folder / MANIFEST)
    sync_folder(folder)


def plain_key(key: SeriesKey) -> dict[str, str]:
    """Return a key as texts."""
    return {
        "source": key.source,
        "instrument": key.instrument,
        "interval": str(key.interval),
        "adjusted": key.adjusted,
        "chart_style": key.chart_style,
    }


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _manifest_of(content: dict[str, Any]) -> Manifest:
    layout = content["layout"]
    return Manifest(
        key=SeriesKey(**content["key"]),
        generation=content["generation"],
        layout=None if layout is None else Layout.from_plain(layout),
        covered=spans_of(content["covered"]),
        segments=tuple(Segment(*values) for values in content["segments"]),
    )


# --- segments ---


def write_segment(folder: Path, generation: int, rows: Part, layout: Layout) -> Segment:
    """Write rows that ascend and are not none into a file of their own, lasting when this returns."""
    file = f"{generation:08d}-{secrets.token_hex(4)}.parquet"
    content = _encoded(rows, layout)
    write_lasting(folder / file, content)
    per = PER_SECOND[rows.unit]
    first, last = (int(count) * 10**6 // per for count in (rows.times[0], rows.times[-1]))
    return Segment(file, len(rows.times), first, last, len(content), zlib.crc32(content))


def read_segment(folder: Path, segment: Segment, unit: str) -> Part:
    """Return the rows of a segment, the stamps in `unit` or a coarser one that they were written in.

    Raises
    ------
    Damaged
        If the file is missing, its length or checksum is another, or it is no Parquet file of these rows.
    """
    import pyarrow as pa

    try:
        content = (folder / segment.file).read_bytes()
    except FileNotFoundError as e:
        raise Damaged("it is missing") from e
    if len(content) != segment.bytes:
        raise Damaged(f"it has {len(content)} bytes instead of {segment.bytes}")
    if zlib.crc32(content) != segment.crc32:
        raise Damaged("its checksum is wrong")
    try:
        rows = _decoded(content, unit)
    except (pa.ArrowException, KeyError, OSError) as e:
        raise Damaged(f"it is no Parquet file of bars ({e})") from e
    if len(rows.times) != segment.rows:
        raise Damaged(f"it has {len(rows.times)} rows instead of {segment.rows}")
    return rows


def _encoded(rows: Part, layout: Layout) -> memoryview:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = dict(layout.columns)
    stamps = rows.times.view(f"M8[{rows.unit}]")
    columns = {"time": pa.array(stamps, type=pa.timestamp(rows.unit))}
    columns |= {name: _arrow(values, kinds[name]) for name, values in rows.arrays.items()}
    encodings = {"time": "DELTA_BINARY_PACKED"}
    encodings |= {name: "BYTE_STREAM_SPLIT" for name, values in rows.arrays.items() if values.dtype.kind == "f"}
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table(columns), sink, compression="lz4", use_dictionary=False, column_encoding=encodings,
        write_statistics=["time"], row_group_size=len(stamps),
    )  # fmt: skip
    return memoryview(sink.getvalue())


def _arrow(values: Any, kind: str) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, type=pa.string()) if kind == "text" else pa.array(values, from_pandas=False)


def _decoded(content: bytes, unit: str) -> Part:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    stamps = _numpy(table["time"])
    own = np.datetime_data(stamps.dtype)[0]
    if unit == "s":  # Parquet has no whole seconds: they were written as milliseconds
        stamps, own = stamps.astype("M8[s]"), "s"
    arrays = {name: _numpy(table[name]) for name in table.column_names if name != "time"}
    return Part(stamps.view(np.int64), own, arrays)


def _numpy(column: pa.ChunkedArray) -> Any:
    return column.chunk(0).to_numpy(zero_copy_only=False) if column.num_chunks == 1 else column.to_numpy()


# --- files that last ---


def write_lasting(path: Path, content: bytes | memoryview) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, lasting when this returns."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names of a folder's files; Windows does so by itself."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
