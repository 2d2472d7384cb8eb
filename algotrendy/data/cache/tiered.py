"""Memory over Redis: what this process has used lately lies near, what any process has fetched lies behind it."""

from __future__ import annotations

from algotrendy.data.cache.memory import MemoryCache
from algotrendy.data.cache.port import Cached, CacheStatistics, Fetch, FrameCache

__all__ = ["TieredCache"]


class TieredCache:
    """Asks a near cache first, then a far one, then fetches; meets `FrameCache`.

    Frames keep the time at which they were fetched, so two tiers do not make them live twice as long.

    Parameters
    ----------
    near : MemoryCache
    far : FrameCache
        Such as a `RedisCache`.

    Examples
    --------
    >>> import pandas as pd
    >>> from algotrendy.compute import wait_for
    >>> near, far = MemoryCache(), MemoryCache()
    >>> async def fetch():
    ...     return pd.DataFrame({"close": [1.0]})
    >>> wait_for(TieredCache(near, far).get_or_fetch("AAPL", fetch, ttl=60.0)).origin
    'fetch'
    >>> near.peek("AAPL").origin, far.peek("AAPL").origin
    ('memory', 'memory')
    """

    def __init__(self, near: MemoryCache, far: FrameCache) -> None:
        self._near, self._far = near, far

    def peek(self, key: str) -> Cached | None:
        """Return what the near cache holds."""
        return self._near.peek(key)

    async def get_or_fetch(self, key: str, fetch: Fetch, *, ttl: float, stale: float = 0.0) -> Cached:
        """Return the frame under a key, fetched if need be; see `FrameCache.get_or_fetch`."""

        async def behind() -> Cached:
            return await self._far.get_or_fetch(key, fetch, ttl=ttl, stale=stale)

        return await self._near.get_or_fetch(key, behind, ttl=ttl, stale=stale)

    async def drop(self, key: str) -> None:
        """Forget a key here and in the far cache; other processes may still hold it near for its time to live."""
        await self._near.drop(key)
        await self._far.drop(key)

    def statistics(self) -> CacheStatistics:
        """Return the counts of the near cache: its misses are what the far one was asked for."""
        return self._near.statistics()

    async def close(self) -> None:
        """Close both."""
        await self._near.close()
        await self._far.close()
