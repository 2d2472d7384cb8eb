"""One stored series in a folder: read without a lock, written under one, mended where a file is damaged.

Rows lie in segments that do not overlap, oldest first. A write reads and rewrites only the segments that its span
touches and small neighbours, so appending a day to years of minutes costs milliseconds.
"""

from __future__ import annotations

import os
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pandas as pd

from algotrendy.data.series import SeriesKey, Span, merged
from algotrendy.data.store.parquet_files import (
    MANIFEST,
    Damaged,
    Manifest,
    Segment,
    make_folder,
    micros,
    read_manifest,
    read_segment,
    sync_folder,
    write_manifest,
    write_segment,
)
from algotrendy.data.store.rows import Layout, Part, assemble, part_of
from algotrendy.errors import DataError

__all__ = ["Sizes", "StoredSeries"]

_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class Sizes:
    """When segments are joined and split.

    Attributes
    ----------
    small : int
        Neighbours that make at most so many rows together become one: rewriting them takes milliseconds.
    largest : int
        The most rows of a segment: so many are read and rewritten for the sake of one.
    """

    small: int = 50_000
    largest: int = 250_000


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """The files of one series.

    Attributes
    ----------
    folder : Path
        Its own; made by the first write.
    set_aside_in : Path
        Where damaged files are moved.
    lock : callable
        Gives the lock that keeps writers of this series apart.
    """

    key: SeriesKey
    folder: Path
    set_aside_in: Path
    lock: Callable[[], AbstractContextManager[None]]
    sizes: Sizes = field(default_factory=Sizes)

    # --- reading, without a lock ---

    def read(self, span: Span | None) -> pd.DataFrame | None:
        """Return the rows in a span; None if nothing is known."""
        for _ in range(_ATTEMPTS):
            manifest = self.manifest()
            if manifest is None:
                return None
            chosen = [segment for segment in manifest.segments if span is None or segment.meets(span)]
            parts = self._parts(manifest, chosen)
            if parts is not None:
                inside = [part.inside(span) for part in parts]
                return assemble(inside, manifest.layout or Layout.usual(), self.key.interval.is_intraday)
        raise DataError(f"{self.key.path} was rewritten {_ATTEMPTS} times while it was read; end the writer that loops")

    def manifest(self) -> Manifest | None:
        """Return what is known; a damaged manifest is set aside, and with it the series."""
        try:
            return self._own(read_manifest(self.folder))
        except Damaged as e:
            with self._mending(e):
                return self._manifest_or_set_aside()

    def _parts(self, manifest: Manifest, chosen: Sequence[Segment]) -> list[Part] | None:
        """Read segments; None if one is not there any more or damaged: the manifest has changed, or changes now."""
        parts = []
        for segment in chosen:
            try:
                parts.append(read_segment(self.folder, segment, _unit(manifest)))
            except Damaged as e:
                if self._is_latest(manifest):
                    with self._mending(e):
                        self._lose(segment)
                return None
        return parts

    def _is_latest(self, manifest: Manifest) -> bool:
        try:
            return read_manifest(self.folder) == manifest
        except Damaged:
            return False

    def _own(self, manifest: Manifest | None) -> Manifest | None:
        if manifest is not None and manifest.key != self.key:
            raise DataError(
                f"folder {self.folder.name} holds {manifest.key.path}, expected {self.key.path}; it was copied or"
                " renamed: move it out of the store"
            )
        return manifest

    # --- writing, under the lock ---

    def write(self, bars: pd.DataFrame, covered: Span) -> None:
        """Make checked bars all that is known in a span."""
        with self.lock():
            while True:
                manifest = self._manifest_or_set_aside() or Manifest(self.key)
                make_folder(self.folder)
                self._remove_leftovers(manifest)
                written = self._written(manifest, bars, covered)
                if written is not None:
                    break
            write_manifest(self.folder, written)
            self._remove_leftovers(written)

    def delete(self) -> None:
        """Forget everything."""
        with self.lock():
            with suppress(FileNotFoundError):
                (self.folder / MANIFEST).unlink()  # from here on there is no series
                sync_folder(self.folder)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _written(self, manifest: Manifest, bars: pd.DataFrame, covered: Span) -> Manifest | None:
        """Write the segments that a write needs and return the manifest to be; None if a damaged one was set aside."""
        layout = manifest.layout
        if len(bars):
            layout = Layout.of(bars) if layout is None else layout.joined(Layout.of(bars))
        pieces = self._pieces(manifest, bars, covered)
        groups = None if pieces is None else _grouped(pieces, self.sizes)
        segments: list[Segment] = []
        for group in groups or []:
            if len(group) == 1 and group[0].segment is not None:
                segments.append(group[0].segment)
                continue
            parts = self._loaded(manifest, group)
            if parts is None:
                return None
            segments += self._saved(parts, layout or Layout.usual(), manifest.generation + 1)
        if groups is None:
            return None
        return replace(
            manifest,
            generation=manifest.generation + 1,
            layout=layout,
            covered=merged([*manifest.covered, covered]),
            segments=tuple(segments),
        )

    def _pieces(self, manifest: Manifest, bars: pd.DataFrame, covered: Span) -> list[_Piece] | None:
        """Return all rows to be, oldest first: whole segments, and what is left of those that the span touches."""
        first, last = micros(covered.start), micros(covered.end, up=True)
        before = [_Piece(part.rows, part, None) for part in manifest.segments if part.last < first]
        after = [_Piece(part.rows, part, None) for part in manifest.segments if part.first > last]
        touched = manifest.segments[len(before) : len(manifest.segments) - len(after)]
        parts = self._loaded(manifest, [_Piece(part.rows, part, None) for part in touched])
        if parts is None:
            return None
        lefts, rights = zip(*(part.outside(covered) for part in parts), strict=True) if parts else ((), ())
        rows = [part for part in (*lefts, part_of(bars), *rights) if len(part.times)]
        return [*before, *(_Piece(len(part.times), None, part) for part in rows), *after]

    def _loaded(self, manifest: Manifest, pieces: Sequence[_Piece]) -> list[Part] | None:
        parts = []
        for piece in pieces:
            if piece.part is not None:
                parts.append(piece.part)
            elif piece.segment is not None:
                try:
                    parts.append(read_segment(self.folder, piece.segment, _unit(manifest)))
                except Damaged:
                    self._lose(piece.segment)
                    return None
        return parts

    def _saved(self, parts: Sequence[Part], layout: Layout, generation: int) -> list[Segment]:
        rows = parts[0] if len(parts) == 1 else part_of(assemble(parts, layout, self.key.interval.is_intraday))
        n_rows = len(rows.times)
        n_files = -(-n_rows // self.sizes.largest)
        edges = [n_rows * number // n_files for number in range(n_files + 1)]
        return [
            write_segment(self.folder, generation, rows.cut(slice(start, stop)), layout)
            for start, stop in pairwise(edges)
        ]

    def _remove_leftovers(self, manifest: Manifest) -> None:
        """Remove what no manifest names: replaced by a write, or left behind by a process that died."""
        named = {MANIFEST, *(segment.file for segment in manifest.segments)}
        for path in self.folder.iterdir():
            if path.name not in named and path.suffix in (".parquet", ".tmp"):
                with suppress(OSError):  # Windows keeps files that someone reads: the next write removes them
                    path.unlink()

    # --- damage ---

    @contextmanager
    def _mending(self, cause: Damaged) -> Iterator[None]:
        """Hold the lock to set something aside; where nothing can be written, say so."""
        try:
            with self.lock():
                yield
        except OSError as e:
            raise DataError(
                f"a file of {self.key.path} is damaged ({cause}) and cannot be set aside ({e.strerror}); make the"
                " store's folder writable, or use a copy of it"
            ) from e

    def _manifest_or_set_aside(self) -> Manifest | None:
        try:
            return self._own(read_manifest(self.folder))
        except Damaged as e:
            self._set_aside(self.folder, e)
            return None

    def _lose(self, segment: Segment) -> None:
        """Set a segment aside if it is still named and still damaged."""
        manifest = self._manifest_or_set_aside()
        if manifest is None or segment not in manifest.segments:
            return
        try:
            read_segment(self.folder, segment, _unit(manifest))
        except Damaged as e:
            write_manifest(self.folder, manifest.without(segment))
            self._set_aside(self.folder / segment.file, e)

    def _set_aside(self, path: Path, cause: Damaged) -> None:
        told = f"{MANIFEST if path == self.folder else path.name} of {self.key.path} is damaged: {cause}."
        place = self.set_aside_in / f"{self.key.path.replace('/', '__')}--{secrets.token_hex(4)}" / path.name
        if path.exists():
            place.parent.mkdir(parents=True)
            os.replace(path, place)
            told += f" It was set aside in {place.parent.parent.name}/{place.parent.name}."
        warnings.warn(f"{told} Its bars count as absent and are fetched again.", UserWarning, stacklevel=2)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some rows: of a whole segment, or in memory."""

    rows: int
    segment: Segment | None
    part: Part | None


def _grouped(pieces: Sequence[_Piece], sizes: Sizes) -> list[list[_Piece]]:
    """Join neighbours that are small, or alike in size, so that a series has few segments and each row few rewrites."""
    groups: list[list[_Piece]] = []
    for piece in pieces:
        groups.append([piece])
        while len(groups) > 1 and _belong_together(_rows(groups[-2]), _rows(groups[-1]), sizes):
            last = groups.pop()
            groups[-1] += last
    return groups


def _rows(group: Sequence[_Piece]) -> int:
    return sum(piece.rows for piece in group)


def _belong_together(left: int, right: int, sizes: Sizes) -> bool:
    total = left + right
    return total <= sizes.small or (total <= sizes.largest and left <= 2 * right and right <= 2 * left)


def _unit(manifest: Manifest) -> str:
    return manifest.layout.unit if manifest.layout else "us"
