"""What a position has cost and paid, in raw prices: who sees adjusted ones is told the profit in currency."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Holding"]


class Holding:
    """The average cost of one instrument's position, and the dividends on it.

    Parameters
    ----------
    bars : sequence of int
        When there are dividends.
    paid : sequence of float
        What they pay per old unit, in currency.
    multiplier : float
        What a unit is worth at a price of 1.
    """

    def __init__(self, bars: Sequence[int], paid: Sequence[float], multiplier: float) -> None:
        self._due, self._multiplier = list(zip(bars, paid, strict=True)), multiplier
        self._next, self._units, self._price, self._income = 0, 0.0, 0.0, 0.0

    def take(self, bar: int, units: float, price: float, reason: str) -> None:
        """Take one fill: signed units, and the raw price after slippage."""
        self._settle(bar)
        held, after = self._units, self._units + units
        if units == -held:
            after = self._income = 0.0
        elif reason == "split":
            self._price *= held / after
        elif held == 0.0:
            self._price, self._income = price, 0.0
        elif held * units > 0.0:
            self._price = (held * self._price + units * price) / after
        else:
            self._income *= after / held
        self._units = after

    def profit(self, units: float, close: float, bar: int) -> float:
        """Return what `units` held have gained at a raw close, with their dividends."""
        self._settle(bar)
        return units * (close - self._price) * self._multiplier + self._income

    def _settle(self, bar: int) -> None:
        """Take the dividends up to a bar."""
        while self._next < len(self._due) and self._due[self._next][0] <= bar:
            self._income += self._units * self._due[self._next][1]
            self._next += 1
