"""A process that asks a cache in Redis for a frame: run by the tests of several processes.

`python -m tests.integration.redis_worker ADDRESS PREFIX SECONDS LOCK_SECONDS`: the fetch takes so long and is counted.
"""

from __future__ import annotations

import asyncio
import sys

import pandas as pd
import redis

from algotrendy.compute import wait_for
from algotrendy.data.cache import RedisCache
from tests.contract.stores import bars_at, days


def main() -> None:
    """Ask once and say what came and from where."""
    address, prefix, seconds, lock_seconds = sys.argv[1:]
    counter = redis.Redis.from_url(address)
    cache = RedisCache(address, prefix=prefix, lock_seconds=float(lock_seconds))

    async def fetch() -> pd.DataFrame:
        number = counter.incr(f"{prefix}:count")
        sys.stdout.write("fetching\n")
        sys.stdout.flush()
        await asyncio.sleep(float(seconds))
        return bars_at(days(3), float(number))

    found = wait_for(cache.get_or_fetch("one", fetch, ttl=60.0))
    sys.stdout.write(f"{found.origin} {found.bars['close'].iloc[0]}\n")
    wait_for(cache.close())
    counter.close()


if __name__ == "__main__":
    main()
