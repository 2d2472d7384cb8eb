"""What may happen to a position inside a bar of which only open, high, low and close are known: by trying paths.

It is slow and plain, knows no kernel, and is what `fill_paths` is tested against. A path is *consistent* with a bar if
it begins at the open, ends at the close, reaches the high and the low and never leaves them. Along a path a stop and a
target are hit where the price first gets to them, and the level of a trailing stop follows every new best price.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

__all__ = ["Held", "Touch", "consistent_paths", "outcome_on", "outcomes_by_paths"]

TOLERANCE = 1e-12


class Held(NamedTuple):
    """A position inside a bar, with prices mirrored (times -1) if it is short, so that lower is worse.

    `stop` and `target` are levels, infinite if there is none; the trailing level is `best x keep`, `keep` is NaN if
    there is none.
    """

    stop: float
    target: float
    best: float
    keep: float

    def level(self, best: float) -> float:
        """Return the protective level when the best price so far is `best`."""
        return self.stop if math.isnan(self.keep) else max(self.stop, best * self.keep)


class Touch(NamedTuple):
    """How a position is left inside a bar: the (mirrored) price, and why."""

    price: float
    reason: str


def consistent_paths(
    bar: tuple[float, float, float, float], grid: int = 0, turning: Sequence[float] = ()
) -> Iterator[list[float]]:
    """Yield paths as their turning points: up to three between open and close.

    They turn at the prices of the bar, at `grid` prices between low and high, and at those of `turning` in between.

    Examples
    --------
    >>> sorted(consistent_paths((2.0, 3.0, 1.0, 2.0)))[0]
    [2.0, 1.0, 1.0, 3.0, 2.0]
    """
    open_, high, low, close = bar
    points = {*bar, *(low + (high - low) * k / (grid + 1) for k in range(1, grid + 1))}
    points |= {price for price in turning if low < price < high}
    for turns in product(sorted(points), repeat=3):
        if high in (*turns, open_, close) and low in (*turns, open_, close):
            yield [open_, *turns, close]


def outcome_on(path: Sequence[float], held: Held) -> Touch | None:
    """Return how the position is left along a path, None if it is not.

    Examples
    --------
    >>> outcome_on([10.0, 12.0, 8.0, 10.0], Held(stop=9.0, target=11.0, best=10.0, keep=math.nan))
    Touch(price=11.0, reason='target')
    """
    best = max(held.best, path[0])
    if _at_or_below(path[0], held.level(held.best)):
        return Touch(path[0], _reason(held, held.best))
    if _at_or_above(path[0], held.target):
        return Touch(path[0], "target")
    price = path[0]
    for following in path[1:]:
        if following > price:
            if _at_or_above(following, held.target):
                return Touch(held.target, "target")
            best = max(best, following)
        level = held.level(best)
        if _at_or_below(following, level):
            return Touch(min(level, price), _reason(held, best))
        price = following
    return None


def outcomes_by_paths(bar: tuple[float, float, float, float], held: Held, grid: int = 0) -> set[Touch | None]:
    """Return every way in which the position may be left, or None for not at all, on the paths of a grid.

    Examples
    --------
    >>> both = outcomes_by_paths((10.0, 12.0, 8.0, 10.0), Held(stop=9.0, target=11.0, best=10.0, keep=math.nan))
    >>> sorted(touch.price for touch in both)
    [9.0, 11.0]
    """
    # The trailing level stands at the low after a best price of low / keep: without that point no grid meets it.
    turning = [] if math.isnan(held.keep) else [bar[2] / held.keep]
    return {outcome_on(path, held) for path in consistent_paths(bar, grid, turning)}


def _reason(held: Held, best: float) -> str:
    return "stop" if math.isnan(held.keep) or held.stop >= best * held.keep else "trail"


def _at_or_below(price: float, level: float) -> bool:
    return math.isfinite(level) and price <= level + TOLERANCE * abs(level)


def _at_or_above(price: float, level: float) -> bool:
    return math.isfinite(level) and price >= level - TOLERANCE * abs(level)
