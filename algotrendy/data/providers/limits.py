"""A budget of requests: as many as the vendor allows, no more, whoever asks and from whatever thread or loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from algotrendy.errors import InputError

__all__ = ["Budget"]


class Budget:
    """A token bucket: `requests` at once, refilled evenly over `seconds`.

    Whoever reserves is told how long to wait, in the order of asking; nobody sleeps in here.

    Parameters
    ----------
    requests : int
        How many may be made within `seconds`, > 0.
    seconds : float
        The length of the window, > 0.
    clock : callable
        Monotonic seconds.

    Examples
    --------
    >>> budget = Budget(2, 60.0, clock=lambda: 0.0)
    >>> [budget.reserve() for _ in range(4)]
    [0.0, 0.0, 30.0, 60.0]
    """

    def __init__(self, requests: int, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        if not (requests > 0 and seconds > 0):
            raise InputError(f"a budget of {requests} requests in {seconds} seconds is none; expected positive numbers")
        self.requests, self.seconds = requests, seconds
        self._each = seconds / requests
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(requests)
        self._at = clock()
        self._paused_until = self._at

    def reserve(self) -> float:
        """Take one request and return how many seconds to wait before it may be made."""
        with self._lock:
            now = self._refill()
            self._tokens -= 1.0
            return max(0.0, -self._tokens * self._each, self._paused_until - now)

    def give_back(self) -> None:
        """Return a request that was reserved and not made."""
        with self._lock:
            self._tokens = min(float(self.requests), self._tokens + 1.0)

    def pause(self, seconds: float) -> None:
        """Let nobody make a request for so long: the vendor said so to one of us."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _refill(self) -> float:
        now = self._clock()
        self._tokens = min(float(self.requests), self._tokens + (now - self._at) / self._each)
        self._at = now
        return now
