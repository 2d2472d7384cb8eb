"""The reference of signals that compete for places in one account: the section on signals with ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from algotrendy.backtest.portfolio.reference import Account, Bars, Options, Recorder, ReferenceRun, Terms

__all__ = ["Signals", "simulate_signals"]

TOLERANCE = 1e-12
NO_ROOM = 1e-9


@dataclass(frozen=True)
class Signals:
    """Conditions and levels of one instrument on the union of the stamps; what stands where it has no bar is not read.

    `size` is a fraction of the equity or units; `rank` is NaN where it is unknown.
    """

    entry: Sequence[bool | None]
    exit: Sequence[bool | None]
    short_entry: Sequence[bool | None]
    short_exit: Sequence[bool | None]
    stop: Sequence[float]
    target: Sequence[float]
    trail: Sequence[float]
    size: Sequence[float]
    rank: Sequence[float]


@dataclass
class Wish:
    """The position that is wanted and the bar of the decision."""

    position: str
    decided_at: int


@dataclass
class Guard:
    """What stops and targets of a position are measured from."""

    price: float
    best: float
    decided_at: int


class Competition:
    """An account whose instruments compete for places."""

    def __init__(
        self, bars: Sequence[Bars], signals: Sequence[Signals], terms: Sequence[Terms], options: Options
    ) -> None:
        self.account, self.signals, self.options = Account(bars, terms, options), signals, options
        self.wishes: dict[int, Wish] = {}
        self.guards: dict[int, Guard] = {}

    def side(self, j: int) -> str:
        units = self.account.positions[j].units
        if units == 0:
            return "flat"
        return "long" if units > 0 else "short"

    def live_through(self, i: int) -> None:
        account, fill = self.account, self.options.fill
        if account.ruined_at is None:
            account.close_ended(i)
            account.pay_borrow(i)
            if fill == "next_open":
                self.fill_wishes(i, "open")
            self.test_exits(i)
            if fill == "same_close":
                self.decide(i)
            if fill in ("same_close", "next_close"):
                self.fill_wishes(i, "close")
        account.check_ruin(i)
        if account.ruined_at is None and fill != "same_close":
            self.decide(i)

    def decide(self, i: int) -> None:
        for j in range(len(self.signals)):
            if self.account.has_bar(i, j):
                self.wishes.pop(j, None)
                wanted = self.wanted(i, j)
                if wanted != self.side(j):
                    self.wishes[j] = Wish(wanted, i)

    def wanted(self, i: int, j: int) -> str:
        """The two tables of one instrument."""
        signals, position = self.signals[j], self.side(j)
        wants_long = signals.entry[i] is True and signals.exit[i] is not True
        wants_short = signals.short_entry[i] is True and signals.short_exit[i] is not True
        if position != "long" and wants_long and not wants_short:
            return "long"
        if position != "short" and wants_short and not wants_long:
            return "short"
        if position == "long" and signals.exit[i] is True:
            return "flat"
        if position == "short" and signals.short_exit[i] is True:
            return "flat"
        return position

    def fill_wishes(self, i: int, moment: str) -> None:
        account = self.account
        prices = account.prices(i, moment)
        entries: list[tuple[float, int, Wish]] = []
        for j in sorted(self.wishes):
            if not account.has_bar(i, j):
                continue
            wish = self.wishes.pop(j)
            if wish.position == self.side(j):
                continue
            if account.positions[j].units != 0:
                account.trade(j, -account.positions[j].units, prices[j], (wish.decided_at, i), "exit")
            if wish.position != "flat":
                rank = self.signals[j].rank[wish.decided_at]
                score = rank if wish.position == "long" else -rank
                if not math.isnan(score):
                    entries.append((-score, j, wish))
        places = self.options.max_positions - sum(position.units != 0 for position in account.positions)
        equity, room = account.equity(prices), account.room(prices)
        for _, j, wish in sorted(entries, key=lambda entry: entry[:2]):
            if places > 0 and room > NO_ROOM * equity:
                spent = self.enter(j, wish, (i, prices[j]), equity, room)
                room -= spent
                places -= spent > 0

    def enter(self, j: int, wish: Wish, at: tuple[int, float], equity: float, room: float) -> float:
        """Open a position and return what it takes of the room; 0 if there is none to open."""
        account, terms = self.account, self.account.terms[j]
        sign = 1.0 if wish.position == "long" else -1.0
        price = at[1] * (1.0 + sign * terms.slippage)
        units = self.entry_units(j, price, self.signals[j].size[wish.decided_at], (equity, room))
        if equity <= 0 or not 0 < units < math.inf:
            return 0.0
        account.trade(j, sign * units, at[1], (wish.decided_at, at[0]), "entry")
        self.guards[j] = Guard(price, price, wish.decided_at)
        return units * price + terms.commission(units, price)

    def entry_units(self, j: int, price: float, size: float, money: tuple[float, float]) -> float:
        equity, room = money
        terms, leverage = self.account.terms[j], self.options.max_leverage
        fraction = leverage if self.options.fixed_units or size > leverage else size
        budget = fraction * equity
        budget = room if budget > room else budget
        units = (budget - terms.fixed) / (price * (1.0 + terms.rate) + terms.per_unit)
        if terms.rate * (units * price) + terms.per_unit * units + terms.fixed < terms.minimum:
            units = (budget - terms.minimum) / price
        if self.options.fixed_units:
            units = units if size > units else size
        return terms.whole(units)

    def test_exits(self, i: int) -> None:
        """Stops, trails and targets, with every price mirrored for a short position."""
        for j, position in enumerate(self.account.positions):
            if position.units != 0 and self.account.has_bar(i, j):
                found = self.exit_of(i, j)
                if found:
                    self.account.trade(j, -position.units, found[0], (i, i), found[1])

    def exit_of(self, i: int, j: int) -> tuple[float, str] | None:
        guard, signals, bars = self.guards[j], self.signals[j], self.account.bars[j]
        sign = 1.0 if self.side(j) == "long" else -1.0
        row = guard.decided_at
        stop, trail, target = signals.stop[row], signals.trail[row], signals.target[row]
        stop_level = sign * guard.price * (1.0 - sign * stop) if stop > 0 else -math.inf
        trail_level = sign * guard.best * (1.0 - sign * trail) if trail > 0 else -math.inf
        target_level = sign * guard.price * (1.0 + sign * target) if target > 0 else math.inf
        protective = max(stop_level, trail_level)
        reason = "stop" if stop_level >= trail_level else "trail"
        opening, high, low = bars.open[i], bars.high[i], bars.low[i]
        assert opening is not None
        assert high is not None
        assert low is not None
        worst, best = (low, high) if sign > 0 else (-high, -low)
        if at_or_below(sign * opening, protective):
            return opening, reason
        if at_or_above(sign * opening, target_level):
            return opening, "target"
        if at_or_below(worst, protective):
            return sign * protective, reason
        if at_or_above(best, target_level):
            return sign * target_level, "target"
        guard.best = sign * max(sign * guard.best, best)
        return None


def at_or_below(price: float, level: float) -> bool:
    """A touch, within 1e-12 of the level; an infinite level (none) is never touched."""
    return math.isfinite(level) and price <= level + TOLERANCE * abs(level)


def at_or_above(price: float, level: float) -> bool:
    return math.isfinite(level) and price >= level - TOLERANCE * abs(level)


def simulate_signals(
    bars: Sequence[Bars], signals: Sequence[Signals], terms: Sequence[Terms], options: Options
) -> ReferenceRun:
    """Run one strategy, evaluated on each instrument, in one account.

    Examples
    --------
    >>> flat = Bars([10.0, 10.0, 20.0], [10.0, 10.0, 20.0], [10.0, 10.0, 20.0], [10.0, 10.0, 20.0])
    >>> none, never = [math.nan] * 3, [False] * 3
    >>> weak, strong = (
    ...     Signals([True] * 3, never, never, never, none, none, none, [1.0] * 3, [rank] * 3) for rank in (1.0, 2.0)
    ... )
    >>> run = simulate_signals([flat, flat], [weak, strong], [Terms(), Terms()], Options(cash=100.0, max_positions=1))
    >>> run.equity, run.units[-1]
    ([100.0, 100.0, 200.0], [0.0, 10.0])
    """
    competition, recorder = Competition(bars, signals, terms, options), Recorder()
    for i in range(len(bars[0].close)):
        competition.live_through(i)
        recorder.note(competition.account)
    return recorder.run(competition.account)
