"""What a stream takes the time from: the system's clock, or one that a test or a replay moves by itself."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock", "VirtualClock"]


class Clock(Protocol):
    """A clock that can be read and slept on."""

    def now(self) -> int:
        """Return the time, nanoseconds since 1970 in UTC."""

    async def sleep(self, nanoseconds: int) -> None:
        """Return when that much time has gone by on this clock."""


class SystemClock:
    """The clock of the machine.

    Examples
    --------
    >>> SystemClock().now() > 1_700_000_000_000_000_000
    True
    """

    def now(self) -> int:
        """Return the time, nanoseconds since 1970 in UTC."""
        return time.time_ns()

    async def sleep(self, nanoseconds: int) -> None:
        """Sleep on the running event loop."""
        await asyncio.sleep(nanoseconds / 1e9)


class VirtualClock:
    """A clock that stands still but while somebody sleeps on it, and then jumps: hours of a replay take no time.

    Parameters
    ----------
    start : int
        Where it stands at first, nanoseconds since 1970 in UTC.

    Examples
    --------
    >>> from algotrendy.compute import wait_for
    >>> clock = VirtualClock(0)
    >>> wait_for(clock.sleep(3_600 * 10**9))
    >>> clock.now() == 3_600 * 10**9
    True
    """

    def __init__(self, start: int = 0) -> None:
        self._now = start

    def now(self) -> int:
        """Return where it stands."""
        return self._now

    async def sleep(self, nanoseconds: int) -> None:
        """Jump forward, after others have had their turn."""
        until = self._now + max(nanoseconds, 0)
        await asyncio.sleep(0)
        self._now = max(self._now, until)
