"""Frames in the memory of this process: the least recently used go first, by bytes."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from algotrendy.data.cache.flights import Abandoned, Flight, Flights
from algotrendy.data.cache.frames import check_frame, isolated, isolated_off_loop, size_of
from algotrendy.data.cache.port import Cached, CacheStatistics, Fetch, Origin, age_state, check_times
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MemoryCache"]

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0


@dataclass(eq=False, slots=True)
class _Entry:
    """A frame that only the cache holds."""

    bars: pd.DataFrame
    size: int
    fetched_at: float
    origin: Origin
    was_stale: bool
    ttl: float
    stale: float
    retry_at: float = 0.0


class MemoryCache:
    """Keeps frames in this process; meets `FrameCache`. Threads and event loops may share one.

    A frame is copied on its way in and on its way out. Errors are not kept; if a fetch behind a stale frame fails, the
    stale one is handed out for as long as it may, and the next try begins a second later at the earliest.

    Parameters
    ----------
    max_bytes : int
        How much memory the frames may take together; one that is larger alone is handed out and not kept.
    clock : callable
        Returns seconds since 1970.

    Examples
    --------
    >>> import pandas as pd
    >>> from algotrendy.compute import wait_for
    >>> cache = MemoryCache()
    >>> async def fetch():
    ...     return pd.DataFrame({"close": [1.0]})
    >>> [wait_for(cache.get_or_fetch("AAPL", fetch, ttl=60.0)).origin for _ in range(2)]
    ['fetch', 'memory']
    """

    def __init__(self, max_bytes: int = 256 * 2**20, *, clock: Callable[[], float] = time.time) -> None:
        if max_bytes < 0:
            raise InputError(f"max_bytes is {max_bytes}, expected a number of bytes, zero or more")
        self._max_bytes, self._clock = max_bytes, clock
        self._lock = threading.RLock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._flights: Flights[_Entry] = Flights(self._lock)
        self._counts: Counter[str] = Counter()

    def peek(self, key: str) -> Cached | None:
        """Return what is held under a key, fresh or stale by the times it was last asked for with; None if nothing."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            state = age_state(self._clock() - entry.fetched_at, entry.ttl, entry.stale)
            if state == "dead":
                return None
            self._entries.move_to_end(key)
            self._count(hits=state == "fresh", stale=state == "stale")
        return Cached(isolated(entry.bars), entry.fetched_at, state == "stale", "memory")

    async def get_or_fetch(self, key: str, fetch: Fetch, *, ttl: float, stale: float = 0.0) -> Cached:
        """Return the frame under a key, fetched if need be; see `FrameCache.get_or_fetch`."""
        check_times(ttl, stale)
        while True:
            with self._lock:
                entry, state = self._found(key, ttl, stale)
                if entry is None or state == "dead":
                    work = partial(self._fetched, key, fetch, ttl, stale)
                    flight, begins = self._flights.start(key, work, failed=self._failed)
                    self._count(misses=begins, collapsed=not begins)
                    entry = None
                else:
                    entry.ttl, entry.stale = ttl, stale
                    self._count(hits=state == "fresh", stale=state == "stale")
                    if state == "stale":
                        self._refresh(key, entry, fetch)
            if entry is not None:
                bars = await isolated_off_loop(entry.bars)
                return Cached(bars, entry.fetched_at, state == "stale", "memory")
            try:
                fetched = await self._flights.join(flight)
            except Abandoned:
                continue
            bars = await isolated_off_loop(fetched.bars)
            return Cached(bars, fetched.fetched_at, fetched.was_stale, fetched.origin)

    async def drop(self, key: str) -> None:
        """Forget a key; a fetch that is under way for it is not kept."""
        with self._lock:
            self._flights.drop(key)
            self._remove(key)

    def statistics(self) -> CacheStatistics:
        """Return what has happened so far, and what is held now."""
        with self._lock:
            return CacheStatistics(**self._counts)

    async def close(self) -> None:
        """Forget everything."""
        with self._lock:
            for key in list(self._entries):
                self._remove(key)

    # --- under the lock ---

    def _found(self, key: str, ttl: float, stale: float) -> tuple[_Entry | None, str]:
        entry = self._entries.get(key)
        if entry is None:
            return None, "dead"
        self._entries.move_to_end(key)
        return entry, age_state(self._clock() - entry.fetched_at, ttl, stale)

    def _refresh(self, key: str, entry: _Entry, fetch: Fetch) -> None:
        """Begin to replace a stale frame, unless that is being done or has just failed."""
        if self._clock() < entry.retry_at:
            return

        def failed(error: BaseException) -> None:
            entry.retry_at = self._clock() + _RETRY_SECONDS
            self._failed(error)
            _LOG.warning("a stale frame could not be fetched anew, it is handed out for now: %s: %s", key, error)

        work = partial(self._fetched, key, fetch, entry.ttl, entry.stale)
        self._flights.start(key, work, background=True, failed=failed)

    def _keep(self, key: str, entry: _Entry) -> None:
        self._remove(key)
        if entry.size > self._max_bytes:
            return
        self._entries[key] = entry
        self._count(entries=1, bytes=entry.size)
        while self._counts["bytes"] > self._max_bytes:
            self._remove(next(iter(self._entries)))
            self._count(evicted=1)

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._count(entries=-1, bytes=-entry.size)

    def _count(self, **more: int) -> None:
        with self._lock:
            self._counts.update(more)

    # --- the fetch, in a task of its own ---

    async def _fetched(self, key: str, fetch: Fetch, ttl: float, stale: float, flight: Flight[_Entry]) -> _Entry:
        begun_at = self._clock()
        found = await fetch()
        bars = found.bars if isinstance(found, Cached) else found
        check_frame(bars)
        size = size_of(bars)
        entry = _Entry(
            bars=await isolated_off_loop(bars),  # whoever fetched it may keep it and change it
            size=size,
            fetched_at=found.fetched_at if isinstance(found, Cached) else begun_at,
            origin=found.origin if isinstance(found, Cached) else "fetch",
            was_stale=isinstance(found, Cached) and found.is_stale,
            ttl=ttl,
            stale=stale,
        )
        with self._lock:
            if self._flights.is_current(key, flight):
                self._keep(key, entry)
            self._count(refreshed=flight.is_background)
        return entry

    def _failed(self, _: BaseException) -> None:
        self._count(failed=1)
