"""One account with several instruments, gone through in time: whose turn it is, and what the account is worth then.

Inside a bar opens come first, then what is filled at a level, then closes. At one moment all that closes is done before
anything opens, and what opens is measured by the equity before any of it, whatever the order of the instruments.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np

from algotrendy.backtest.difference.ledger import Ledger
from algotrendy.domain.types import Float1D, Float2D, Int1D

__all__ = ["ACTION", "RANKS", "Marks", "Step", "Till", "moments"]

ACTION = -1
RANKS = {"open": 0, "level": 1, "close": 2}
"""The place inside a bar of what is filled at its open, at a level, at its close; `ACTION` comes before."""


class Step(Protocol):
    """What happens to one instrument: `when` is the stamp of the bar and the place inside it."""

    @property
    def when(self) -> tuple[int, int]:
        """Stamp of the bar in nanoseconds, and the place inside it."""

    @property
    def opens(self) -> bool:
        """Whether it makes a position larger."""


S = TypeVar("S", bound=Step)


def moments(queues: Sequence[Sequence[S]]) -> Iterator[tuple[tuple[int, int], list[tuple[int, Sequence[S]]]]]:
    """Yield each moment with the steps of each instrument that are due; an instrument's own order is kept.

    Examples
    --------
    >>> from collections import namedtuple
    >>> Due = namedtuple("Due", "when opens")
    >>> queues = [[Due((1, 0), True), Due((3, 0), True)], [Due((2, 0), True)]]
    >>> [(when, [j for j, _ in found]) for when, found in moments(queues)]
    [((1, 0), [0]), ((2, 0), [1]), ((3, 0), [0])]
    """
    heads = [(queue[0].when, j) for j, queue in enumerate(queues) if queue]
    heapq.heapify(heads)
    places = [0] * len(queues)
    while heads:
        now, found, later = heads[0][0], [], []
        while heads and heads[0][0] == now:
            _, j = heapq.heappop(heads)
            queue, start = queues[j], places[j]
            end = start
            while end < len(queue) and queue[end].when <= now:  # what a list has out of order is not held back
                end += 1
            found.append((j, queue[start:end]))
            places[j] = end
            if end < len(queue):
                later.append((queue[end].when, j))
        for each in later:
            heapq.heappush(heads, each)
        yield now, found


class Marks:
    """Prices of several instruments on the union of their stamps; where one has no bar, its last close.

    Parameters
    ----------
    members : sequence of Ledger
        One per instrument.

    Attributes
    ----------
    stamps : int64 array of shape (n_stamps,)
        In nanoseconds, ascending.
    open, close : float64 array of shape (n_stamps, n_instruments)
        0.0 before an instrument's first bar.
    """

    def __init__(self, members: Sequence[Ledger]) -> None:
        stamps = [member.stamps for member in members]
        self.stamps: Int1D = np.unique(np.concatenate(stamps))
        shape = (len(self.stamps), len(members))
        self.open, self.close = np.zeros(shape), np.zeros(shape)
        for j, (member, own) in enumerate(zip(members, stamps, strict=True)):
            row = np.searchsorted(own, self.stamps, side="right") - 1
            has_bar = (row >= 0) & (own[np.maximum(row, 0)] == self.stamps)
            close = np.concatenate(([0.0], member.prices("close")))
            self.close[:, j] = close[row + 1]
            self.open[:, j] = np.where(has_bar, member.prices("open")[np.maximum(row, 0)], self.close[:, j])

    def at(self, when: tuple[int, int]) -> Float1D:
        """Return the prices of a moment: opens up to the close, 0.0 before an instrument's first bar."""
        row = int(np.searchsorted(self.stamps, when[0], side="right")) - 1
        prices: Float2D = self.close if when[1] == RANKS["close"] else self.open
        found: Float1D = prices[max(row, 0)]
        return found


class Till:
    """Cash, and the units of each instrument, on the way.

    Parameters
    ----------
    cash : float
    n : int
        How many instruments there are.
    marks : Marks, optional
        What the others are valued by; not needed for one.

    Attributes
    ----------
    held : list of float
        Signed units of each instrument.
    earned : list of float
        Cash that came from each instrument, less what went into it.
    """

    def __init__(self, cash: float, n: int, marks: Marks | None = None) -> None:
        self.cash, self.marks = cash, marks
        self.held, self.earned = [0.0] * n, [0.0] * n
        self._values: list[float] = [0.0] * n
        self._total = self._spent = 0.0

    def pay(self, j: int, amount: float) -> None:
        """Pay for an instrument; below zero it is received."""
        self.cash -= amount
        self.earned[j] -= amount
        self._spent += amount

    def equity(self, j: int, held: float, price: float) -> float:
        """Return the equity before all that opens now, with so much of one instrument at a price of its own."""
        return self.cash + held * price + (self._total - self._values[j] + self._others_spent)

    def run(self, queues: Sequence[Sequence[S]], carry_out: Callable[[int, S], None]) -> None:
        """Go through all steps in time."""
        for when, found in moments(queues):
            opening = []
            for j, steps in found:
                k = 0
                while k < len(steps) and not steps[k].opens:
                    carry_out(j, steps[k])
                    k += 1
                if k < len(steps):
                    opening.append((j, steps[k:]))
            if opening and self.marks is not None:
                values = self.marks.at(when) * self.held
                self._values, self._total = values.tolist(), float(values.sum())
            self._spent = 0.0
            for j, steps in opening:
                self._others_spent = self._spent
                for step in steps:
                    carry_out(j, step)

    _others_spent = 0.0
