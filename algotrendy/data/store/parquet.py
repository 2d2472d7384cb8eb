"""Bars in Parquet files on this machine: the store that needs no service and no key.

One folder per series, below it segments of rows and a manifest; `parquet_files` says how they are kept,
`docs/explanation/store-and-cache.md` what is guaranteed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from algotrendy.data.series import SeriesKey, Span
from algotrendy.data.store.locks import locked
from algotrendy.data.store.parquet_files import MANIFEST, Damaged, read_manifest
from algotrendy.data.store.parquet_series import Sizes, StoredSeries
from algotrendy.data.store.rows import storable
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ParquetStore"]

_LONGEST_NAME = 150


class ParquetStore:
    """Bars of many series in a folder of Parquet files; meets `BarStore`.

    Reading takes no lock. Writers of one series wait for each other, in this process and in others; a write happens
    when its manifest is replaced, and lasts when the call returns. A damaged file is set aside with a warning, and its
    bars count as absent.

    Parameters
    ----------
    folder : path
        Made by the first write. On a local disk: locks of network file systems are not to be relied on.
    lock_seconds : float
        How long a write waits for another before it raises `VenueUnavailable`.
    sizes : Sizes
        When files are joined and split.

    Examples
    --------
    >>> import tempfile
    >>> import algotrendy as at
    >>> from algotrendy.compute import wait_for
    >>> bars = at.sample("NASDAQ")["2018":"2018"]
    >>> key = SeriesKey(source="sample", instrument="index:XNAS:IXIC", interval="1d")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = ParquetStore(folder)
    ...     wait_for(store.write(key, bars, Span.of("2018-01-01", "2019-01-01")))
    ...     print(len(wait_for(store.read(key, Span.of("2018-12-01", "2019-01-01")))), wait_for(store.coverage(key)))
    19 (Span(2018-01-01, 2019-01-01),)
    """

    def __init__(self, folder: str | PathLike[str], *, lock_seconds: float = 60.0, sizes: Sizes | None = None) -> None:
        self._folder = Path(folder)
        self._lock_seconds = lock_seconds
        self._sizes = sizes or Sizes()
        if self._folder.exists() and not self._folder.is_dir():
            raise InputError(f"{self._folder.name} is a file, expected a folder to keep bars in")

    async def read(self, key: SeriesKey, span: Span | None = None) -> pd.DataFrame | None:
        """Return the stored bars that start in `span`, or all of them; None if nothing is known of the series."""
        return await asyncio.to_thread(self._series(key).read, span)

    async def read_many(self, keys: Iterable[SeriesKey], span: Span | None = None) -> dict[SeriesKey, pd.DataFrame]:
        """Return what `read` returns for each key, unknown series left out; on several cores at once."""
        return await asyncio.to_thread(self._read_many, list(dict.fromkeys(keys)), span)

    async def write(self, key: SeriesKey, bars: pd.DataFrame, covered: Span) -> None:
        """Make `bars` all that is known inside `covered`; see `BarStore.write`. A cancelled call is carried out."""
        await asyncio.to_thread(self._write, key, bars, covered)

    async def coverage(self, key: SeriesKey) -> tuple[Span, ...]:
        """Return the spans that are known, oldest first; empty if there is nothing."""
        manifest = await asyncio.to_thread(self._series(key).manifest)
        return () if manifest is None else manifest.covered

    async def keys(self) -> list[SeriesKey]:
        """Return the keys of all series of which something is known, sorted by path."""
        return await asyncio.to_thread(self._keys)

    async def delete(self, key: SeriesKey) -> None:
        """Forget a series, rows and coverage; one that is not there is no error."""
        await asyncio.to_thread(self._series(key).delete)

    async def close(self) -> None:
        """Do nothing: no file stays open between calls."""

    def _series(self, key: SeriesKey) -> StoredSeries:
        path = _safe_path(key)
        lock = self._folder / ".locks" / hashlib.blake2b(path.encode(), digest_size=12).hexdigest()
        return StoredSeries(
            key=key,
            folder=self._folder / path,
            set_aside_in=self._folder / ".damaged",
            lock=partial(locked, lock, self._lock_seconds),
            sizes=self._sizes,
        )

    def _write(self, key: SeriesKey, bars: pd.DataFrame, covered: Span) -> None:
        self._series(key).write(storable(key, bars, covered), covered)

    def _read_many(self, keys: list[SeriesKey], span: Span | None) -> dict[SeriesKey, pd.DataFrame]:
        workers = min(len(keys), _cores())
        if workers <= 1:
            frames = [self._series(key).read(span) for key in keys]
        else:
            with ThreadPoolExecutor(workers, thread_name_prefix="algotrendy-store") as pool:
                frames = list(pool.map(lambda key: self._series(key).read(span), keys))
        return {key: frame for key, frame in zip(keys, frames, strict=True) if frame is not None}

    def _keys(self) -> list[SeriesKey]:
        found = []
        for folder, below, files in os.walk(self._folder):
            below[:] = [name for name in below if not name.startswith(".")]
            if MANIFEST in files:
                try:
                    manifest = read_manifest(Path(folder))
                except Damaged as e:
                    warnings.warn(
                        f"the manifest of {Path(folder).name} is damaged: {e}. The series counts as absent.",
                        UserWarning,
                        stacklevel=2,
                    )
                else:
                    found += [] if manifest is None else [manifest.key]
        return sorted(found, key=lambda key: key.path)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _safe_path(key: SeriesKey) -> str:
    """Return a folder that no other key has, also where names that differ in case alone are one, or must be short."""
    path = key.path
    folders, _, name = path.rpartition("/")
    place, _, style = name.partition("@")
    usual = "/".join((folders.lower(), place.upper() + (f"@{style.lower()}" if style else "")))
    if path == usual and len(name) <= _LONGEST_NAME:
        return path
    mark = hashlib.blake2b(path.encode(), digest_size=6).hexdigest()
    return f"{folders}/{name[:_LONGEST_NAME]}~{mark}"
