"""What a stream counts, and how fresh its events were when they were handed on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np

__all__ = ["Freshness", "StateChange", "StreamState", "StreamStatistics", "Tally"]

_KEPT = 65_536


class StreamState(StrEnum):
    """What a hub's connection is doing.

    Examples
    --------
    >>> StreamState.LIVE == "live", StreamState.ENDED.is_final
    (True, True)
    """

    IDLE = "idle"
    CONNECTING = "connecting"
    LIVE = "live"
    RECONNECTING = "reconnecting"
    ENDED = "ended"
    REFUSED = "refused"
    FAILED = "failed"
    CLOSED = "closed"

    @property
    def is_final(self) -> bool:
        """Whether no more events will come."""
        return self in (StreamState.ENDED, StreamState.REFUSED, StreamState.FAILED, StreamState.CLOSED)


class StateChange(NamedTuple):
    """A hub's connection went from one state to another, or has something to report while it stays.

    Attributes
    ----------
    state : StreamState
    time : int
        When, nanoseconds since 1970 in UTC.
    reason : str
        Why, in a sentence; empty if there is nothing to explain.
    """

    state: StreamState
    time: int
    reason: str = ""


class Freshness(NamedTuple):
    """How old events were when they were handed to the callback: that moment minus the event's own time.

    Attributes
    ----------
    seconds_p50, seconds_p99 : float
        Median and 99th percentile of the last 65,536 events, linear quantiles. Below zero if the venue's clock is
        ahead of this machine's.
    seconds_max : float
        The oldest since the subscription began.
    n : int
        How many events these are.

    Examples
    --------
    >>> tally = Tally()
    >>> for age in (1_000_000, 2_000_000, 3_000_000):
    ...     tally.note_age(age)
    >>> tally.freshness()
    Freshness(seconds_p50=0.002, seconds_p99=0.00298, seconds_max=0.003, n=3)
    """

    seconds_p50: float
    seconds_p99: float
    seconds_max: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatistics:
    """What happened so far, to one subscription or, where it is of the hub as a whole, to all of them.

    Attributes
    ----------
    state : StreamState
        Of the connection that all subscriptions share.
    received : int
        Events that were meant for the subscription; of a hub: that came from the source, back-filled ones included.
    delivered : int
        Events whose callback was called; of a hub: by all subscriptions together.
    dropped : int
        Oldest events that had to go because the queue was full.
    conflated : int
        Quotes that a newer one of their symbol replaced, because the queue was full.
    queued : int
        Events that wait for the callback now.
    errors : int
        Calls in which the callback raised.
    last_error : str or None
        What it raised last, in words.
    late : int
        Events that came after one of their symbol and kind with a later time.
    backfilled : int
        Trades that were missed live and fetched afterwards.
    duplicates : int
        Trades that were fetched or came again, and were left out.
    backfill_failures : int
        Gaps that could not be filled.
    malformed : int
        Messages that could not be read; of the connection.
    refused : int
        Things that the venue would not do; of the connection.
    reconnects : int
        How often the connection was lost and sought again.
    freshness : Freshness or None
        None before the first event, and for a source that is not real time. Back-filled trades do not count.
    """

    state: StreamState
    received: int = 0
    delivered: int = 0
    dropped: int = 0
    conflated: int = 0
    queued: int = 0
    errors: int = 0
    last_error: str | None = None
    late: int = 0
    backfilled: int = 0
    duplicates: int = 0
    backfill_failures: int = 0
    malformed: int = 0
    refused: int = 0
    reconnects: int = 0
    freshness: Freshness | None = None


@dataclass(slots=True)
class Tally:
    """The counts of one subscription that only its own worker writes; anyone may read them."""

    delivered: int = 0
    errors: int = 0
    last_error: str | None = None
    age_max: int | None = None
    ages: deque[int] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def note_age(self, age: int) -> None:
        """Note how old an event was, in nanoseconds."""
        self.ages.append(age)
        if self.age_max is None or age > self.age_max:
            self.age_max = age

    def freshness(self) -> Freshness | None:
        """Return the distribution of the ages; None if there are none."""
        ages = list(self.ages.copy())  # a copy is made in one step, so another thread may go on noting
        if not ages or self.age_max is None:
            return None
        p50, p99 = np.quantile(np.array(ages, dtype=np.int64), [0.5, 0.99]).tolist()
        return Freshness(p50 / 1e9, p99 / 1e9, self.age_max / 1e9, len(ages))
