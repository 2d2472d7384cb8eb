"""Runs of several strategies whose shares are restored, with what else may have happened to each of them inside bars.

All of them are one run: it divides where one of its strategies may go another way, and cash moves at the ends of the
bars at which shares are restored. The rules of that are those of the plain reference.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any

from algotrendy.backtest.fill_search import Way, proportional
from algotrendy.backtest.portfolio.paths_orders import OrdersWay
from algotrendy.backtest.portfolio.paths_signals import Inside, SignalsWay
from algotrendy.backtest.portfolio.reference_sleeves import FullSleeveOfOne, restore
from algotrendy.backtest.portfolio.reference_sleeves_orders import SleeveOfOrders

__all__ = ["SleevesWay", "resizable"]

_DIGITS = 12


class ResizedInside(Inside, FullSleeveOfOne):
    """A competition whose exits inside a bar are decided elsewhere, and whose positions may be given new sizes."""


def resizable(way: SignalsWay) -> SignalsWay:
    """Return the run of one strategy before its first bar, as one whose positions may be given new sizes."""
    competition = ResizedInside.__new__(ResizedInside)
    vars(competition).update(vars(way.competition))  # nothing was done yet: all of it is what it was made of
    competition.with_factors()
    return SignalsWay(competition, is_scale_free=way.is_scale_free)


class _OrdersSleeve(SleeveOfOrders):
    """The account of a strategy that places its own orders, for who moves cash."""

    def __init__(self, way: OrdersWay) -> None:
        self.account, self._way = way.desk.account, way

    def resize(self, i: int, factor: float) -> None:
        """Multiply what is held and ordered."""
        resizable_way: Any = self._way
        resizable_way.resize(i, factor)


class SleevesWay(Way):
    """One run of all strategies. What `Way` calls an instrument is here one of a strategy: strategy times n plus place.

    Parameters
    ----------
    ways : sequence of SignalsWay or OrdersWay
        One for each strategy: of `resizable`, or what can `resize`.
    shares : sequence of float
    spare : tuple of float
        The share that no strategy has, and its cash.
    restored_at : collection of int
        Bars.
    noted : set of (int, int)
        Takes the bars and instruments at which this run, or one that divides from it, may go several ways.
    shape : tuple of int
        How many bars and instruments there are.
    """

    def __init__(
        self,
        ways: Sequence[SignalsWay | OrdersWay],
        shares: Sequence[float],
        spare: tuple[float, float],
        restored_at: Collection[int],
        noted: set[tuple[int, int]],
        *,
        shape: tuple[int, int],
    ) -> None:
        self.ways, self._shares, (self._left, self._spare) = list(ways), shares, spare
        self._restored_at, self.noted = restored_at, noted
        self._n_bars, self._n = shape
        self.equity: list[float] = []
        self.doubtful: set[tuple[int, int]] = set()

    def begin(self, i: int) -> None:
        """See `Way`."""
        for way in self.ways:
            way.begin(i)

    def exposed(self, i: int) -> Sequence[int]:
        """See `Way`."""
        return [k * self._n + j for k, way in enumerate(self.ways) for j in way.exposed(i)]

    def outcomes(self, i: int, j: int) -> list[Any]:
        """See `Way`."""
        found: list[Any] = self.ways[j // self._n].outcomes(i, j % self._n)
        if len(found) > 1:
            self.noted.add((i, j))
        return found

    def apply(self, i: int, j: int, outcome: Any) -> None:
        """See `Way`."""
        self.ways[j // self._n].apply(i, j % self._n, outcome)

    def stated(self, i: int) -> None:
        """See `Way`."""
        for k, way in enumerate(self.ways):
            way.stated(i)
            self.doubtful |= {(k * self._n + j, entry) for j, entry in way.doubtful}

    def end(self, i: int) -> None:
        """Live through the rest of the bar; then shares are restored if it is time for it."""
        for way in self.ways:
            way.end(i)
        if i in self._restored_at and i < self._n_bars - 1:
            sleeves: Any = [_OrdersSleeve(way) if isinstance(way, OrdersWay) else way.competition for way in self.ways]
            moved: Any = [{} for _ in sleeves]
            self._spare = restore(sleeves, i, (self._shares, self._left, self._spare), moved)
        self.equity.append(self.value(i))

    def value(self, i: int) -> float:
        """See `Way`."""
        return sum(way.value(i) for way in self.ways) + self._spare

    def divided(self) -> SleevesWay:
        """See `Way`."""
        ways = [way.divided() for way in self.ways]
        for way in ways:
            if isinstance(way, SignalsWay):
                competition: Any = way.competition
                competition.factors = dict(competition.factors)
        spare, shape = (self._left, self._spare), (self._n_bars, self._n)
        other = SleevesWay(ways, self._shares, spare, self._restored_at, self.noted, shape=shape)
        other.equity = list(self.equity)
        return other

    def place(self) -> Hashable:
        """See `Way`."""
        competitions: Any = [way.competition for way in self.ways if isinstance(way, SignalsWay)]
        waiting = tuple(
            (tuple(sorted((j, round(factor, _DIGITS)) for j, factor in one.factors.items())), one.resized_at)
            for one in competitions
        )
        return tuple(way.place() for way in self.ways), waiting

    def amounts(self) -> list[float]:
        """Return cash and units of each strategy, and the cash of none."""
        return [*(amount for way in self.ways for amount in way.amounts()), self._spare]

    def is_certain(self, other: SleevesWay) -> bool:
        """See `Way`: where money only scales what is done, restoring shares does too.

        Nobody knows what a strategy that is asked bar by bar makes of what it remembers.
        """
        ways = [way for way in self.ways if isinstance(way, SignalsWay)]
        if len(ways) < len(self.ways):
            return False
        if all(way.is_scale_free and not _is_charged(way) for way in ways):
            return proportional(self.amounts(), other.amounts())
        return self.amounts() == other.amounts()


def _is_charged(way: SignalsWay) -> bool:
    """Tell whether something is paid, or bought, by number and not by rate."""
    account = way.competition.account
    return account.options.fixed_units or any(each.fixed > 0.0 or each.minimum > 0.0 for each in account.terms)
