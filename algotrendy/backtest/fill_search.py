"""The best and the worst of all runs of an account with several instruments, as far as they can be followed.

Where something else may have happened inside a bar, a run divides. Two runs that stand in the same place (the same
positions, the same that waits to be done) and hold the same in another size are one question: only the richer is
followed, or the poorer. Where cash is shared there may be more runs than can be followed; then those with the most
money are kept, the search says so, and what it finds is an interval that the truth may leave.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, Self

__all__ = ["Found", "Way", "extreme_way", "proportional", "stated_way"]

KEPT_HERE = 4
"""So many runs are followed in one place, as long as there are too many in all."""
SAME = 1e-9


class Way(ABC):
    """One run on the way.

    Attributes
    ----------
    equity : list of float
        At the end of each bar so far.
    doubtful : set
        Positions, as (instrument, bar of the entry), to which something else may have happened.
    """

    equity: list[float]
    doubtful: set[tuple[int, int]]

    @abstractmethod
    def begin(self, i: int) -> None:
        """Live through a bar up to what happens inside it."""

    @abstractmethod
    def exposed(self, i: int) -> Sequence[int]:
        """Return the instruments that something may happen to inside the bar."""

    @abstractmethod
    def outcomes(self, i: int, j: int) -> list[Any]:
        """Return what may happen to one instrument, the stated rule first; each once."""

    @abstractmethod
    def apply(self, i: int, j: int, outcome: Any) -> None:
        """Let it happen."""

    @abstractmethod
    def stated(self, i: int) -> None:
        """Let the stated rule decide inside a bar, and note the positions to which something else may have happened."""

    @abstractmethod
    def end(self, i: int) -> None:
        """Live through the rest of the bar, and note the equity."""

    @abstractmethod
    def divided(self) -> Self:
        """Return a copy that goes another way from here."""

    @abstractmethod
    def value(self, i: int) -> float:
        """Return the equity at the close of the bar."""

    @abstractmethod
    def place(self) -> Hashable:
        """Return where it stands, whatever the amounts."""

    @abstractmethod
    def amounts(self) -> list[float]:
        """Return the cash, then the units of each instrument."""

    @abstractmethod
    def is_certain(self, other: Self) -> bool:
        """Tell whether of two runs in one place the richer one never ends with less."""


class Found:
    """What a search came to: the last run, and whether none was given up that might have been further out."""

    def __init__(self, way: Way, *, is_exact: bool) -> None:
        self.way, self.is_exact = way, is_exact


def stated_way(start: Way, n_bars: int) -> Way:
    """Run by the stated rule."""
    for i in range(n_bars):
        start.begin(i)
        start.stated(i)
        start.end(i)
    return start


def extreme_way(start: Way, n_bars: int, *, sign: float, keep: int) -> Found:
    """Return the run with the largest final equity (`sign` 1), or the smallest (-1), that the search comes to.

    Parameters
    ----------
    start : Way
        Before the first bar.
    n_bars : int
    sign : float
    keep : int
        So many runs are followed at most.
    """
    ways, exact = [start], True
    for i in range(n_bars):
        for way in ways:
            way.begin(i)
        for j in sorted({j for way in ways for j in way.exposed(i)}):
            following: list[Way] = []
            for way in ways:
                following += _divided(way, i, j)
            ways = following
            if len(ways) > KEPT_HERE * keep:
                ways, exact = _thinned(ways, i, sign, KEPT_HERE * keep), False
        for way in ways:
            way.end(i)
        if len(ways) > 1:
            ways = _different(ways, i, sign)
        if len(ways) > keep:
            ways, exact = _thinned(ways, i, sign, keep), False
    return Found(max(ways, key=lambda way: sign * way.equity[-1]), is_exact=exact)


def _divided(way: Way, i: int, j: int) -> list[Way]:
    outcomes = way.outcomes(i, j) if j in way.exposed(i) else []
    if not outcomes:
        return [way]
    ways = [way, *(way.divided() for _ in outcomes[1:])]
    for each, outcome in zip(ways, outcomes, strict=True):
        each.apply(i, j, outcome)
    return ways


def _different(ways: list[Way], i: int, sign: float) -> list[Way]:
    """Return the runs without those that another one in the same place makes needless."""
    places: dict[Hashable, list[Way]] = {}
    for way in sorted(ways, key=lambda each: -sign * each.value(i)):
        here = places.setdefault(way.place(), [])
        if not any(each.is_certain(way) for each in here):
            here.append(way)
    return [way for here in places.values() for way in here]


def _thinned(ways: list[Way], i: int, sign: float, keep: int) -> list[Way]:
    """Return some of the runs: in each place those with the most (or least) money, then of all of them."""
    places: dict[Hashable, int] = {}
    chosen = []
    for way in sorted(ways, key=lambda each: -sign * each.value(i)):
        place = way.place()
        places[place] = places.get(place, 0) + 1
        if places[place] <= KEPT_HERE:
            chosen.append(way)
    return chosen[:keep]


def proportional(one: Sequence[float], two: Sequence[float]) -> bool:
    """Tell whether two holdings are one in different sizes.

    Examples
    --------
    >>> proportional([100.0, 2.0], [50.0, 1.0]), proportional([100.0, 2.0], [50.0, 2.0])
    (True, False)
    """
    whole = sum(map(abs, one)), sum(map(abs, two))
    if min(whole) <= 0.0:
        return max(whole) <= 0.0
    return all(abs(a / whole[0] - b / whole[1]) <= SAME for a, b in zip(one, two, strict=True))
