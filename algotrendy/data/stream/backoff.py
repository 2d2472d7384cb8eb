"""How long to wait before the next attempt to connect: longer each time, and never in step with others."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from algotrendy.errors import InputError

__all__ = ["Backoff"]


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Doubling waits with jitter: uniform between half of the wait and the whole.

    Attributes
    ----------
    first_seconds, most_seconds : float
        The first wait, and the longest.
    rng : random.Random
        Where the jitter comes from; a seeded one makes waits repeatable.

    Examples
    --------
    >>> backoff = Backoff(first_seconds=1.0, most_seconds=8.0, rng=random.Random(1))
    >>> [round(backoff.seconds(attempt), 2) for attempt in range(5)]
    [0.57, 1.85, 3.53, 5.02, 5.98]
    """

    first_seconds: float = 0.5
    most_seconds: float = 30.0
    rng: random.Random = field(default_factory=random.Random, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.first_seconds <= self.most_seconds:
            raise InputError(
                f"backoff from {self.first_seconds} to {self.most_seconds} seconds: expected 0 <= first <= most"
            )

    def seconds(self, attempt: int) -> float:
        """Return the wait before an attempt; `attempt` counts failures since the last success, from 0."""
        wait = min(self.most_seconds, self.first_seconds * 2.0 ** min(attempt, 60))
        return wait * self.rng.uniform(0.5, 1.0)
