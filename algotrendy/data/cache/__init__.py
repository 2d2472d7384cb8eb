"""Frames kept for a while, in this process and in Redis, behind the one port `FrameCache`.

Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from algotrendy.data.cache.memory import MemoryCache
    from algotrendy.data.cache.port import Cached, CacheStatistics, FrameCache
    from algotrendy.data.cache.redis import RedisCache
    from algotrendy.data.cache.tiered import TieredCache

__all__ = ["CacheStatistics", "Cached", "FrameCache", "MemoryCache", "RedisCache", "TieredCache"]

_HOMES = {
    "CacheStatistics": "algotrendy.data.cache.port",
    "Cached": "algotrendy.data.cache.port",
    "FrameCache": "algotrendy.data.cache.port",
    "MemoryCache": "algotrendy.data.cache.memory",
    "RedisCache": "algotrendy.data.cache.redis",
    "TieredCache": "algotrendy.data.cache.tiered",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
