"""Frames in Redis, shared by processes and machines: Arrow streams with a version, one fetch at a time everywhere.

Whoever fetches holds a lock in Redis that runs out by itself, and renews it while the fetch lasts; the others wait for
the frame to appear. Where Redis does not answer, the cache says so once and goes on without it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import secrets
import threading
import time
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from algotrendy.compute.per_loop import PerLoop
from algotrendy.data.cache.flights import Abandoned, Flight, Flights
from algotrendy.data.cache.frames import check_frame, decoded_off_loop, encoded_off_loop, isolated_off_loop
from algotrendy.data.cache.port import Cached, CacheStatistics, Fetch, age_state, check_times
from algotrendy.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisCache"]

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
_WITHOUT_SECONDS = 5.0
_RETRY_MS = 1_000
_ANSWER_SECONDS = 2.0
_LONGEST_NAP = 0.1
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
_RENEW = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"


class _Down(Exception):  # noqa: N818 - says what is the case; never leaves the cache
    """Redis did not do what it was asked for."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a caller asked for."""

    key: str
    fetch: Fetch
    ttl: float
    stale: float


class RedisCache:
    """Keeps frames in Redis; meets `FrameCache`. Several processes share the frames and the fetches.

    Parameters
    ----------
    url : str
        Such as `redis://127.0.0.1:6379/0`; `rediss://` for an encrypted connection.
    prefix : str
        What all keys begin with.
    lock_seconds : float
        How long others wait for a process that died while it fetched; one that lives renews its lock.
    clock : callable
        Returns seconds since 1970; machines that share a Redis should agree on it to about a second.

    Raises
    ------
    InputError
        If `url` is no address of a Redis.
    MissingExtraError
        If the driver is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "algotrendy",
        lock_seconds: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if importlib.util.find_spec("redis") is None:
            raise MissingExtraError("redis", "storage")
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise InputError("url is not the address of a Redis; expected such as redis://127.0.0.1:6379/0")
        self._url, self._prefix, self._clock = url, prefix, clock
        self._place = parts.path if parts.scheme == "unix" else f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
        self._lock_ms = max(int(lock_seconds * 1_000), 1)
        self._lock = threading.RLock()
        self._flights: Flights[Cached] = Flights(self._lock)
        self._refreshes: Flights[None] = Flights(self._lock)
        self._clients: PerLoop[Redis] = PerLoop(self._make_client)
        self._counts: Counter[str] = Counter()
        self._without_until = 0.0
        self._has_told = False

    def peek(self, key: str) -> Cached | None:
        """Return None: nothing is held in this process, and asking Redis would mean waiting."""
        del key
        return None

    async def get_or_fetch(self, key: str, fetch: Fetch, *, ttl: float, stale: float = 0.0) -> Cached:
        """Return the frame under a key, fetched if need be; see `FrameCache.get_or_fetch`."""
        check_times(ttl, stale)
        wish = _Wish(key, fetch, ttl, stale)
        while True:
            flight, begins = self._flights.start(key, partial(self._found_or_fetched, wish), failed=self._failed)
            if not begins:
                self._count(collapsed=1)
            try:
                found = await self._flights.join(flight)
            except Abandoned:
                continue
            if found.is_stale and begins:
                work = partial(self._refreshed, wish)
                self._refreshes.start(key, work, background=True, failed=partial(self._refresh_failed, key))
            return replace(found, bars=await isolated_off_loop(found.bars))

    async def drop(self, key: str) -> None:
        """Forget a key; a fetch that is under way for it in this process is not kept."""
        self._flights.drop(key)
        self._refreshes.drop(key)
        with suppress(_Down):
            await self._ask(lambda client: client.delete(self._frame_key(key)))

    def statistics(self) -> CacheStatistics:
        """Return what this process has done so far; what Redis holds is not counted."""
        with self._lock:
            return CacheStatistics(**self._counts)

    async def close(self) -> None:
        """Close the connections; frames stay in Redis until their time is over."""
        await self._clients.close(lambda client: client.aclose())

    # --- finding and fetching, in a task of its own ---

    async def _found_or_fetched(self, wish: _Wish, flight: Flight[Cached]) -> Cached:
        nap, token = 0.005, secrets.token_hex(8)
        try:
            while True:
                found = await self._stored(wish)
                if found is not None:
                    self._count(hits=not found.is_stale, stale=found.is_stale)
                    return found
                if await self._takes_lock(wish.key, token):
                    break
                await asyncio.sleep(nap)  # another process fetches it
                nap = min(nap * 2, _LONGEST_NAP)
        except _Down:
            self._count(misses=1)
            return await self._fetched(wish)
        async with self._holding(wish.key, token):
            with suppress(_Down):
                found = await self._stored(wish)  # it may have come between the look and the lock
                if found is not None and not found.is_stale:
                    self._count(hits=1)
                    return found
            self._count(misses=1)
            found = await self._fetched(wish)
            if self._flights.is_current(wish.key, flight):
                await self._store(wish, found)
            return found

    async def _refreshed(self, wish: _Wish, flight: Flight[None]) -> None:
        """Replace a stale frame, unless another process does or has just failed to."""
        token = secrets.token_hex(8)
        with suppress(_Down):
            if not await self._takes_lock(wish.key, token):
                return
            async with self._holding(wish.key, token, after_error_ms=_RETRY_MS):
                found = await self._stored(wish)
                if found is None or found.is_stale:
                    found = await self._fetched(wish)
                    if self._refreshes.is_current(wish.key, flight):
                        await self._store(wish, found)
                    self._count(refreshed=1)

    async def _fetched(self, wish: _Wish) -> Cached:
        begun_at = self._clock()
        found = await wish.fetch()
        if isinstance(found, Cached):
            return found
        check_frame(found)
        return Cached(found, begun_at, False, "fetch")

    async def _store(self, wish: _Wish, found: Cached) -> None:
        lasts_ms = int((wish.ttl + wish.stale) * 1_000)
        if lasts_ms > 0:
            content = await encoded_off_loop(found.bars, found.fetched_at)
            with suppress(_Down):
                await self._ask(lambda client: client.set(self._frame_key(wish.key), content, px=lasts_ms))

    def _failed(self, _: BaseException) -> None:
        self._count(failed=1)

    def _refresh_failed(self, key: str, error: BaseException) -> None:
        self._count(failed=1)
        _LOG.warning("a stale frame could not be fetched anew, it is handed out for now: %s: %s", key, error)

    async def _stored(self, wish: _Wish) -> Cached | None:
        content = await self._ask(lambda client: client.get(self._frame_key(wish.key)))
        if content is None:
            return None
        read = await decoded_off_loop(content)
        if read is None:
            return None
        state = age_state(self._clock() - read[1], wish.ttl, wish.stale)
        return None if state == "dead" else Cached(read[0], read[1], state == "stale", "redis")

    # --- the lock between processes ---

    async def _takes_lock(self, key: str, token: str) -> bool:
        name = self._lock_key(key)
        return bool(await self._ask(lambda client: client.set(name, token, nx=True, px=self._lock_ms)))

    @asynccontextmanager
    async def _holding(self, key: str, token: str, after_error_ms: int = 0) -> AsyncIterator[None]:
        """Keep a lock that was taken as long as it is needed, then give it back; after an error somewhat later."""
        name = self._lock_key(key)

        async def renew() -> None:
            while True:
                await asyncio.sleep(self._lock_ms / 3_000)
                with suppress(_Down):
                    await self._ask(lambda client: client.eval(_RENEW, 1, name, token, self._lock_ms))

        renewing = asyncio.create_task(renew())
        keep_ms = after_error_ms
        try:
            yield
            keep_ms = 0
        finally:
            renewing.cancel()
            with suppress(_Down):
                if keep_ms:
                    await self._ask(lambda client: client.eval(_RENEW, 1, name, token, keep_ms))
                else:
                    await self._ask(lambda client: client.eval(_RELEASE, 1, name, token))

    def _frame_key(self, key: str) -> str:
        return f"{self._prefix}:frame:{key}"

    def _lock_key(self, key: str) -> str:
        return f"{self._prefix}:lock:{key}"

    # --- Redis ---

    def _make_client(self) -> Redis:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        return Redis.from_url(
            self._url,
            socket_connect_timeout=_ANSWER_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 1),
            health_check_interval=30,
            client_name="algotrendy",
        )

    async def _ask(self, call: Callable[[Any], Awaitable[_T]]) -> _T:
        """Ask Redis; where it does not answer, leave it alone for a few seconds and say so once.

        Raises
        ------
        _Down
            If it does not do what it was asked for.
        """
        from redis.exceptions import RedisError

        if time.monotonic() < self._without_until:
            raise _Down
        try:
            answer = await call(self._clients.get())
        except (RedisError, OSError, TimeoutError) as e:
            self._without_until = time.monotonic() + _WITHOUT_SECONDS
            if not self._has_told:
                self._has_told = True
                warnings.warn(
                    f"the cache in Redis at {self._place} fails ({type(e).__name__}: {e}); going on without it, it is"
                    f" tried again every {_WITHOUT_SECONDS:g} s",
                    UserWarning,
                    stacklevel=2,
                )
            raise _Down from e
        self._has_told = False
        return answer

    def _count(self, **more: int) -> None:
        with self._lock:
            self._counts.update(more)
