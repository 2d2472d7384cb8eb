"""The reference of several strategies in one account: `docs/explanation/semantics-portfolio.md` in plain Python.

It is slow and obviously correct, knows no kernel and no array library, and is what the fast engine is tested against.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from algotrendy.backtest.portfolio.reference import Bars, Options, Recorder, ReferenceRun, Terms
from algotrendy.backtest.portfolio.reference_extras import Extra, FullCompetition
from algotrendy.backtest.portfolio.reference_signals import NO_ROOM, TOLERANCE, Competition, Signals
from algotrendy.backtest.portfolio.reference_sleeves_orders import Decisions, FullSleeveOfOrders, SleeveOfOrders

__all__ = ["simulate_sleeves"]


class SleeveOfOne(Competition):
    """The account of one strategy, whose positions may be given new sizes."""

    factors: dict[int, float]
    resized_at: int

    def __init__(
        self, bars: Sequence[Bars], signals: Sequence[Signals], terms: Sequence[Terms], options: Options
    ) -> None:
        super().__init__(bars, signals, terms, options)
        self.factors, self.resized_at = {}, -1

    def fill_wishes(self, i: int, moment: str) -> None:
        """New sizes come before what was decided by the strategy."""
        self.resize(i, self.account.prices(i, moment))
        super().fill_wishes(i, moment)

    def resize(self, i: int, prices: Sequence[float]) -> None:
        account = self.account
        now = [j for j in sorted(self.factors) if account.has_bar(i, j) and not self.is_leaving(j)]
        for j in now:
            units = account.terms[j].whole(account.positions[j].units * (self.factors[j] - 1.0))
            if self.factors[j] < 1.0 and units != 0.0:
                account.trade(j, units, prices[j], (self.resized_at, i), "rebalance")
        growing = [j for j in now if self.factors[j] > 1.0 and account.positions[j].units != 0.0]
        cost = fixed = 0.0
        for j in growing:
            terms, units = account.terms[j], account.positions[j].units * (self.factors[j] - 1.0)
            price = prices[j] * (1.0 + (terms.slippage if units > 0.0 else -terms.slippage))
            cost += abs(units) * (price * (1.0 + terms.rate) + terms.per_unit)
            fixed += terms.fixed + terms.minimum
        room = account.room(prices)
        room = room if room > NO_ROOM * abs(account.equity(prices)) else 0.0
        share = min(1.0, (room - fixed) / cost) if growing else 0.0
        for j in growing:
            units = account.terms[j].whole(account.positions[j].units * (self.factors[j] - 1.0) * share)
            if share > 0.0 and units != 0.0:
                account.trade(j, units, prices[j], (self.resized_at, i), "rebalance")
        self.factors = {
            j: factor
            for j, factor in self.factors.items()
            if not account.has_bar(i, j) and account.positions[j].units != 0.0
        }

    def is_leaving(self, j: int) -> bool:
        return j in self.wishes and self.wishes[j].position != self.side(j)


class FullSleeveOfOne(FullCompetition):
    """The account of one strategy with extras, whose positions may be given new sizes."""

    factors: dict[int, float]
    resized_at: int

    def with_factors(self) -> FullSleeveOfOne:
        self.factors, self.resized_at = {}, -1
        return self

    def fill_wishes(self, i: int, moment: str) -> None:
        """New sizes come before what was decided by the strategy, and after a margin call."""
        self.resize(i, self.account.prices(i, moment))
        super().fill_wishes(i, moment)

    def resize(self, i: int, prices: Sequence[float]) -> None:
        account = self.account
        now = [j for j in sorted(self.factors) if account.has_bar(i, j)]
        factors = {j: self.factors.pop(j) for j in now}
        factors = {j: f for j, f in factors.items() if account.positions[j].units != 0.0 and not self.is_leaving(j)}
        for j, factor in factors.items():
            if factor < 1.0:
                self.change(j, i, prices[j], (factor - 1.0, factor))
        share = self.growth({j: factor for j, factor in factors.items() if factor > 1.0}, prices)
        for j, factor in factors.items():
            if factor > 1.0 and share > 0.0:
                self.change(j, i, prices[j], ((factor - 1.0) * share, factor))

    def change(self, j: int, i: int, price: float, by: tuple[float, float]) -> None:
        """Add to a position, or take from it; what the volume does not allow goes on waiting."""
        account = self.account
        held = account.positions[j].units
        wanted = account.terms[j].whole(held * by[0])
        if wanted != 0.0 and account.fill(j, wanted, price, (self.resized_at, i), "rebalance") != wanted:
            self.factors[j] = (held + wanted) / account.positions[j].units

    def growth(self, factors: dict[int, float], prices: Sequence[float]) -> float:
        """The share, at most 1, of what grows that the room and what is left for margins allow."""
        account, spent, bound, fixed = self.account, 0.0, 0.0, 0.0
        for j, factor in factors.items():
            terms, units = account.terms[j], account.positions[j].units * (factor - 1.0)
            price = prices[j] * (1.0 + (terms.slippage if units > 0.0 else -terms.slippage))
            spent += abs(units) * (price * (1.0 + terms.rate) + terms.per_unit)
            bound += account.margin_of(j, units, price) + abs(units) * (price * terms.rate + terms.per_unit)
            fixed += terms.fixed + terms.minimum
        room, margin, least = account.room(prices), account.margin_left(prices), NO_ROOM * abs(account.equity(prices))
        share = min(1.0, (room - fixed) / spent) if spent > 0.0 and room > least else 0.0
        if math.isfinite(margin) and bound > 0.0:
            share = min(share, (margin - fixed) / bound) if margin > least else 0.0
        return share

    def is_leaving(self, j: int) -> bool:
        return j in self.leaving or (j in self.wishes and self.wishes[j].position != self.side(j))


AnySleeve: TypeAlias = SleeveOfOne | FullSleeveOfOne | SleeveOfOrders


@dataclass(frozen=True)
class SleevesRun:
    """What each strategy did, the cash that came to each at the end of each bar, and the cash of none."""

    parts: list[ReferenceRun]
    transfers: list[list[float]]
    reserve: list[float]
    interest_paid: float = 0.0


def simulate_sleeves(
    bars: Sequence[Bars],
    strategies: Sequence[tuple[Sequence[Signals] | Decisions, float, int]],
    terms: Sequence[Terms],
    options: Options,
    restored_at: Collection[int],
    *,
    extras: tuple[Sequence[Extra], Sequence[float]] | None = None,
) -> SleevesRun:
    """Run strategies side by side: each is its signals, or what decides its orders, its share and its places.

    `extras` are those of each instrument, and the interest of each bar; of the volume each strategy has its share.
    At the ends of the bars `restored_at` each strategy that is not ruined gets its share of what they and the reserve
    are worth.

    Examples
    --------
    >>> up = Bars([10.0, 10.0, 20.0, 20.0], *[[10.0, 10.0, 20.0, 20.0]] * 3)
    >>> none, never = [float("nan")] * 4, [False] * 4
    >>> def of(entry):
    ...     return [Signals([entry] * 4, never, never, never, none, none, none, [1.0] * 4, [0.0] * 4)]
    >>> run = simulate_sleeves([up], [(of(True), 0.5, 1), (of(False), 0.5, 1)], [Terms()], Options(cash=100.0), {2})
    >>> [part.equity for part in run.parts], run.transfers[0], [part.units[-1] for part in run.parts]
    ([[50.0, 50.0, 75.0, 75.0], [50.0, 50.0, 75.0, 75.0]], [0.0, 0.0, -25.0, 0.0], [[3.75], [0.0]])
    """
    n_bars, left = len(bars[0].close), 1.0 - sum(share for _, share, _ in strategies)
    left = left if left > TOLERANCE else 0.0
    sleeves: list[AnySleeve] = []
    for wanted, share, places in strategies:
        own = replace(options, cash=share * options.cash, max_positions=places)
        if extras is None:
            kinds = SleeveOfOrders if isinstance(wanted, Decisions) else SleeveOfOne
            sleeves.append(kinds(bars, wanted, terms, own))  # type: ignore[arg-type]  # each takes its own
            continue
        each = [replace(e, caps=None if e.caps is None else [share * cap for cap in e.caps]) for e in extras[0]]
        given = terms, each, extras[1]
        if isinstance(wanted, Decisions):
            sleeves.append(FullSleeveOfOrders(bars, wanted, given, own))
        else:
            sleeves.append(FullSleeveOfOne(bars, wanted, given, own).with_factors())
    recorders = [Recorder() for _ in sleeves]
    moved = [[0.0] * n_bars for _ in sleeves]
    spare = options.cash - sum(share * options.cash for _, share, _ in strategies) if left > 0.0 else 0.0
    reserve = []
    for i in range(n_bars):
        for sleeve in sleeves:
            sleeve.live_through(i)
        if i in restored_at and i < n_bars - 1:
            spare = restore(sleeves, i, ([share for _, share, _ in strategies], left, spare), moved)
        for sleeve, recorder in zip(sleeves, recorders, strict=True):
            recorder.note(sleeve.account)
        reserve.append(spare)
    runs = [recorder.run(sleeve.account) for sleeve, recorder in zip(sleeves, recorders, strict=True)]
    paid = sum(getattr(sleeve.account, "interest_paid", 0.0) for sleeve in sleeves)
    return SleevesRun(runs, moved, reserve, paid)


def restore(
    sleeves: Sequence[AnySleeve],
    i: int,
    capital: tuple[Sequence[float], float, float],
    moved: list[list[float]],
) -> float:
    """Move cash so that the shares hold, and let what is held wait for its new size; return the reserve."""
    shares, left, spare = capital
    equity = {
        k: sleeve.account.equity(sleeve.account.marks)
        for k, sleeve in enumerate(sleeves)
        if sleeve.account.ruined_at is None
    }
    if not equity or min(equity.values()) <= 0.0:
        return spare
    total, whole = sum(equity.values()) + spare, sum(shares[k] for k in equity) + left
    wanted = {k: shares[k] / whole * total for k in equity}
    if all(abs(wanted[k] - equity[k]) <= TOLERANCE * equity[k] for k in equity):
        return spare
    for k, own in equity.items():
        account = sleeves[k].account
        account.cash += wanted[k] - own
        moved[k][i] = wanted[k] - own
        sleeve = sleeves[k]
        if isinstance(sleeve, SleeveOfOrders):
            sleeve.resize(i, wanted[k] / own)
            continue
        sleeve.resized_at = i
        if isinstance(sleeve, FullSleeveOfOne):  # what is still being bought grows and shrinks as well
            for j, (units, at) in list(sleeve.entering.items()):
                sleeve.entering[j] = account.terms[j].whole(units * (wanted[k] / own)), at
        for j, position in enumerate(account.positions):
            if position.units != 0.0:
                sleeve.factors[j] = sleeve.factors.get(j, 1.0) * (wanted[k] / own)
    return total - sum(wanted.values()) if left > 0.0 else spare
