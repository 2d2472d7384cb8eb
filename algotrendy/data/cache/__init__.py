"""Frames kept for a while, in this process and in Redis, behind the one port `FrameCache`.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.data.cache.memory import MemoryCache
    from algotrendy.data.cache.port import Cached, CacheStatistics, FrameCache
    from algotrendy.data.cache.redis import RedisCache
    from algotrendy.data.cache.tiered import TieredCache

__all__ = ["CacheStatistics", "Cached", "FrameCache", "MemoryCache", "RedisCache", "TieredCache"]

_HOMES = {
    "CacheStatistics": ".port",
    "Cached": ".port",
    "FrameCache": ".port",
    "MemoryCache": ".memory",
    "RedisCache": ".redis",
    "TieredCache": ".tiered",
}

__getattr__ = lazy_names(__name__, _HOMES)
