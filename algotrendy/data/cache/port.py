"""What a cache of frames is: the port that memory, Redis and both together meet alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CacheStatistics", "Cached", "Fetch", "FrameCache"]

Origin: TypeAlias = Literal["fetch", "memory", "redis"]
SKEW_SECONDS = 60.0
"""How far in the future a frame may have been fetched, by the clock of another machine, and still be believed."""


@dataclass(frozen=True, slots=True)
class Cached:
    """A frame out of a cache, the caller's own.

    Attributes
    ----------
    bars : DataFrame
        A copy that nothing else holds: whoever changes it changes nothing in the cache.
    fetched_at : float
        When fetching it began, in seconds since 1970.
    is_stale : bool
        Whether it is older than the caller's time to live; a fresh one is then being fetched.
    origin : {"fetch", "memory", "redis"}
        Where it lay.
    """

    bars: pd.DataFrame
    fetched_at: float
    is_stale: bool
    origin: Origin


Fetch: TypeAlias = "Callable[[], Awaitable[pd.DataFrame | Cached]]"
"""Gets the frame where no cache has it; an error it raises reaches the callers and is not kept."""


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What a cache has done since it was made.

    Attributes
    ----------
    hits, stale : int
        Frames handed out from the cache: fresh, and past their time to live.
    misses : int
        Fetches that a caller had to wait for.
    collapsed : int
        Callers that waited for the fetch of another.
    refreshed, failed : int
        Fetches behind a stale frame that succeeded; fetches of any kind that raised.
    evicted : int
        Frames given up for lack of room.
    entries, bytes : int
        What is held in this process now.
    """

    hits: int = 0
    stale: int = 0
    misses: int = 0
    collapsed: int = 0
    refreshed: int = 0
    failed: int = 0
    evicted: int = 0
    entries: int = 0
    bytes: int = 0


class FrameCache(Protocol):
    """Keeps frames under texts for a while, and lets many callers share one fetch."""

    def peek(self, key: str) -> Cached | None:
        """Return what this process holds under a key, without waiting for anything; None if there is nothing usable."""

    async def get_or_fetch(self, key: str, fetch: Fetch, *, ttl: float, stale: float = 0.0) -> Cached:
        """Return the frame under a key, fetched if need be.

        Parameters
        ----------
        key : str
            Two callers that use one key must want the same frame.
        fetch : callable
            Called with nothing, awaited; at most once at a time for a key, whoever asks.
        ttl : float
            For how many seconds a frame counts as fresh.
        stale : float
            For how many seconds more it is handed out at once, while one fetch in the background replaces it.
        """

    async def drop(self, key: str) -> None:
        """Forget a key; a fetch that is under way for it is not kept."""

    def statistics(self) -> CacheStatistics:
        """Return what has happened so far."""

    async def close(self) -> None:
        """Let go of connections; the cache opens them anew if it is used again."""


def check_times(ttl: float, stale: float) -> None:
    """Refuse times that are no length.

    Raises
    ------
    InputError
        If one is negative or not a number.
    """
    for name, value in (("ttl", ttl), ("stale", stale)):
        if not value >= 0:
            raise InputError(f"{name} is {value}, expected a number of seconds, zero or more")


def age_state(age: float, ttl: float, stale: float) -> Literal["fresh", "stale", "dead"]:
    """Return what a frame of this age is worth; one from the future is worth nothing, a clock was set."""
    if age < -SKEW_SECONDS:
        return "dead"
    if age < ttl:
        return "fresh"
    return "stale" if age < ttl + stale else "dead"
