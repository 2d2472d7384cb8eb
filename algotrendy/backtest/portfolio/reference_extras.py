"""The reference of accounts with extras, in plain Python: actions, margins, interest, volume caps, ticks, finer bars.

It extends the account of `reference.py` and the competition of `reference_signals.py` by the sections of the semantics
page on them; with no extra it gives what they give.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from algotrendy.backtest.portfolio.reference import (
    LOT_ROUNDING,
    NO_ROOM,
    TOLERANCE,
    Account,
    Bars,
    Fill,
    Options,
    Recorder,
    ReferenceRun,
    Terms,
    decide_targets,
)
from algotrendy.backtest.portfolio.reference_signals import (
    Competition,
    Guard,
    Signals,
    Wish,
    at_or_above,
    at_or_below,
)

__all__ = ["Extra", "FullRun", "Step", "simulate_signals_full", "simulate_weights_full"]


class Step(NamedTuple):
    """A finer bar, and which of the moments inside its bar it has, counted over all instruments."""

    open: float
    high: float
    low: float
    close: float = math.nan
    turn: int = 0


@dataclass(frozen=True, kw_only=True)
class Extra:
    """What one instrument has besides prices and costs.

    `actions` gives, by bar, new units for an old one, cash per old unit, and what levels are multiplied with; margins
    are shares of the value of a position, and currency per unit of it; `caps` the units that may be filled at each bar;
    `fine` the steps inside a bar.
    """

    actions: Mapping[int, tuple[float, float, float]] = field(default_factory=dict)
    initial: float = 0.0
    maintenance: float = 0.0
    initial_each: float = 0.0
    maintenance_each: float = 0.0
    caps: Sequence[float] | None = None
    tick: float = 0.0
    fine: Mapping[int, Sequence[Step]] = field(default_factory=dict)


@dataclass(frozen=True)
class FullRun:
    """A run, the interest it paid, and what the volume did not allow, by bar and instrument."""

    run: ReferenceRun
    interest_paid: float
    unfilled: dict[tuple[int, int], float]


class FullAccount(Account):
    """An account that knows what happens to its units, and what it may fill."""

    def with_extras(self, extras: Sequence[Extra], interest: Sequence[float]) -> FullAccount:
        self.extras, self.interest = extras, interest
        self.left = [math.inf for _ in extras]
        self.unfilled: dict[tuple[int, int], float] = {}
        self.interest_paid = 0.0
        self.equity_before = 0.0
        self.call: tuple[float, int] | None = None
        return self

    def begin(self, i: int) -> None:
        """Steps 0 and 1: ends, interest on what was owed before, borrow, actions; the bar's volume may be used."""
        owed = max(-self.cash, 0.0) if i else 0.0
        self.close_ended(i)
        self.cash -= owed * self.interest[i]
        self.interest_paid += owed * self.interest[i]
        self.pay_borrow(i)
        for j, extra in enumerate(self.extras):
            if i in extra.actions:
                self.act(i, j, extra.actions[i])
            self.left[j] = math.inf if extra.caps is None else extra.caps[i]

    def act(self, i: int, j: int, action: tuple[float, float, float]) -> None:
        ratio, paid, _ = action
        position = self.positions[j]
        if position.units == 0:
            return
        self.cash += position.units * paid
        position.borrow -= position.units * paid  # what it cost to hold it, less what it brought
        if ratio == 1:
            return
        lot = self.terms[j].lot_size
        after = kept = position.units * ratio
        if lot > 0:
            step = min(lot, 1.0)
            kept = math.copysign(math.floor(abs(after) / step + LOT_ROUNDING) * step, after)
            if abs(after - kept) <= LOT_ROUNDING * step:
                after = kept
        self.fills.append(Fill(i, i, j, after - position.units, 0.0, 0.0, 0.0, "split"))
        position.price *= position.units / after
        position.units = after
        if after != kept:
            price = self.bars[j].open[i]
            assert price is not None
            sold = kept - after if kept != 0 else -after
            self.cash -= sold * price
            self.fills.append(Fill(i, i, j, sold, price, 0.0, 0.0, "fraction"))
            self._close(j, sold, price, 0.0, (i, "fraction"))

    def capped(self, j: int, units: float) -> float:
        """What the volume allows of an order, in whole lots where that is not all; rounding above it is allowed."""
        if abs(units) <= self.left[j] * (1.0 + TOLERANCE):
            return units
        size = max(self.left[j], 0.0)
        lot = self.terms[j].lot_size
        if lot > 0:
            size = math.floor(size / lot + LOT_ROUNDING) * lot
        return math.copysign(size, units)

    def fill(self, j: int, units: float, price: float, at: tuple[int, int], reason: str) -> float:
        """Fill what the volume allows, note the rest, and return what was filled."""
        got = self.capped(j, units)
        self.miss(at[1], j, units - got)
        if got != 0:
            self.trade(j, got, price, at, reason)
            self.left[j] -= abs(got)
        return got

    def miss(self, i: int, j: int, units: float) -> None:
        if units != 0:
            self.unfilled[i, j] = self.unfilled.get((i, j), 0.0) + units

    def bound(self, prices: Sequence[float], which: str) -> float:
        """The margin that all positions bind."""
        total = 0.0
        for extra, position, price in zip(self.extras, self.positions, prices, strict=True):
            rate, each = extra.initial, extra.initial_each
            if which == "maintenance":
                rate, each = extra.maintenance, extra.maintenance_each
            total += rate * abs(position.units * price) + each * abs(position.units)
        return total

    def needs_margin(self, j: int) -> bool:
        return self.extras[j].initial > 0 or self.extras[j].initial_each > 0

    def margin_left(self, prices: Sequence[float]) -> float:
        if not any(self.needs_margin(j) for j in range(len(self.extras))):
            return math.inf
        return self.equity(prices) - self.bound(prices, "initial")

    def margin_of(self, j: int, units: float, price: float) -> float:
        """What a position of so many units binds."""
        return self.extras[j].initial * (abs(units) * price) + self.extras[j].initial_each * abs(units)

    def affordable(self, j: int, price: float, budget: float, need: tuple[float, float]) -> float:
        """The units whose need, by value and by unit, and commission are the budget."""
        terms, (rate, each) = self.terms[j], need
        units = (budget - terms.fixed) / (price * (rate + terms.rate) + terms.per_unit + each)
        if terms.rate * (units * price) + terms.per_unit * units + terms.fixed < terms.minimum:
            units = (budget - terms.minimum) / (price * rate + each)
        return units

    def allowed(self, j: int, price: float, budget: float, margin: float) -> float:
        """The units that a budget and what is left for margins allow."""
        units = self.affordable(j, price, budget, (1.0, 0.0))
        if self.needs_margin(j):
            extra = self.extras[j]
            others = self.affordable(j, price, margin, (extra.initial, extra.initial_each))
            units = others if others < units else units
        return units

    def to_tick(self, j: int, price: float, *, down: bool) -> float:
        """A price on the tick, down or up by less than one tick; the price itself where that would be none."""
        tick = self.extras[j].tick
        if tick <= 0:
            return price
        rounded = math.floor(price / tick + LOT_ROUNDING) if down else math.ceil(price / tick - LOT_ROUNDING)
        return rounded * tick if rounded > 0 else price

    def liquidate(self, i: int, moment: str) -> bool:
        """Fill a margin call of the bar before; return whether there was one."""
        if self.call is None:
            return False
        (keep, called_at), prices = self.call, self.prices(i, moment)
        for j, position in enumerate(self.positions):
            if position.units != 0 and self.has_bar(i, j):
                wanted = self.terms[j].whole(keep * position.units) - position.units
                if wanted != 0:
                    self.fill(j, wanted, prices[j], (called_at, i), "margin")
        return True

    def value(self, i: int) -> None:
        """Step 5, and the margin call."""
        closes = self.prices(i, "close")
        equity, needed = self.equity(closes), self.bound(closes, "maintenance")
        self.call = None
        if needed > 0 and equity < needed - TOLERANCE * self.gross(closes):
            self.call = max(equity, 0.0) / self.bound(closes, "initial"), i
        self.check_ruin(i)


def scaled_share(account: FullAccount, opening: Sequence[tuple[int, float]], prices: Sequence[float]) -> float:
    """The factor, at most 1, by which all opening legs fit into the room and into what is left for margins."""
    least = NO_ROOM * abs(account.equity_before)
    share = within(account, opening, prices, (account.room(prices), least, [(1.0, 0.0) for _ in account.bars]))
    margin = account.margin_left(prices)
    if math.isfinite(margin):
        needs = [(extra.initial, extra.initial_each) for extra in account.extras]
        share = min(share, within(account, opening, prices, (margin, least, needs)))
    return share


def within(
    account: FullAccount,
    opening: Sequence[tuple[int, float]],
    prices: Sequence[float],
    limit: tuple[float, float, Sequence[tuple[float, float]]],
) -> float:
    room, least, needs = limit

    def cost(share: float) -> float:
        total = 0.0
        for j, units in opening:
            terms = account.terms[j]
            price = prices[j] * (1.0 + math.copysign(terms.slippage, units))
            size, (rate, each) = abs(units) * share, needs[j]
            total += rate * (size * price) + each * size + terms.commission(units * share, price)
        return total

    if not room > least:
        return 0.0
    if cost(1.0) <= room:
        return 1.0
    if cost(0.0) >= room:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2.0
        low, high = (middle, high) if cost(middle) <= room else (low, middle)
    return low


def fill_targets_full(account: FullAccount, waiting: dict[int, tuple[float, int]], i: int, moment: str) -> None:
    """Move the instruments that have a bar to the weights that wait for them, as far as the volume allows."""
    prices = account.prices(i, moment)
    account.equity_before = equity = account.equity(prices)
    opening: list[tuple[int, float, int]] = []
    for j in [j for j in sorted(waiting) if account.has_bar(i, j)]:
        weight, decided_at = waiting.pop(j)
        held, target = account.positions[j].units, account.terms[j].whole(weight * equity / prices[j])
        if weight == 0 and held == 0:
            continue
        if weight != 0 and abs(target - held) * prices[j] <= TOLERANCE * abs(equity):
            continue
        same_side = held * target > 0
        if held != 0 and (not same_side or abs(target) < abs(held)):
            wanted = (target if same_side else 0.0) - held
            if account.fill(j, wanted, prices[j], (decided_at, i), "rebalance") != wanted:
                waiting[j] = weight, decided_at
                continue
        rest = target - (held if same_side else 0.0)
        if rest * target > 0:
            got = account.capped(j, rest)
            if got != rest:
                account.miss(i, j, rest - got)
                waiting[j] = weight, decided_at
            if got != 0:
                opening.append((j, got, decided_at))
    share = scaled_share(account, [(j, units) for j, units, _ in opening], prices) if opening else 0.0
    for j, units, decided_at in opening:
        wanted = account.terms[j].whole(share * units)
        if wanted != 0 and share > 0:
            account.trade(j, wanted, prices[j], (decided_at, i), "rebalance")
            account.left[j] -= abs(wanted)


def simulate_weights_full(
    bars: Sequence[Bars],
    targets: Mapping[int, Sequence[float]],
    given: tuple[Sequence[Terms], Sequence[Extra], Sequence[float]],
    options: Options,
) -> FullRun:
    """Hold target weights; `given` is terms and extras of each instrument, and the interest of each bar.

    Examples
    --------
    >>> halved = Bars([10.0, 10.0, 5.0], [10.0, 10.0, 5.0], [10.0, 10.0, 5.0], [10.0, 10.0, 5.0])
    >>> split = Extra(actions={2: (2.0, 0.0, 0.5)})
    >>> done = simulate_weights_full([halved], {0: [0.5]}, ([Terms()], [split], [0.0] * 3), Options(cash=100.0))
    >>> done.run.equity, done.run.units
    ([100.0, 100.0, 100.0], [[0.0], [5.0], [10.0]])
    """
    terms, extras, interest = given
    account, recorder = FullAccount(bars, terms, options).with_extras(extras, interest), Recorder()
    waiting: dict[int, tuple[float, int]] = {}
    moment = "open" if options.fill == "next_open" else "close"
    for i in range(len(bars[0].close)):
        if account.ruined_at is None:
            account.begin(i)
            account.liquidate(i, moment)
            if options.fill == "same_close":
                decide_targets(account, targets.get(i), waiting, i)
            fill_targets_full(account, waiting, i, moment)
        account.value(i)
        if options.fill != "same_close":
            decide_targets(account, targets.get(i), waiting, i)
        recorder.note(account)
    return FullRun(recorder.run(account), account.interest_paid, account.unfilled)


class FullCompetition(Competition):
    """Instruments that compete for places, with positions that are entered and left over several bars."""

    account: FullAccount

    def __init__(
        self,
        bars: Sequence[Bars],
        signals: Sequence[Signals],
        given: tuple[Sequence[Terms], Sequence[Extra], Sequence[float]],
        options: Options,
    ) -> None:
        super().__init__(bars, signals, given[0], options)
        self.account = FullAccount(bars, given[0], options).with_extras(given[1], given[2])
        self.leaving: dict[int, tuple[int, str]] = {}
        self.entering: dict[int, tuple[float, int]] = {}

    def live_through(self, i: int) -> None:
        account, fill = self.account, self.options.fill
        if account.ruined_at is None:
            account.begin(i)
            self.follow_actions(i)
            if fill == "next_open":
                self.trade_at(i, "open")
            self.test_exits(i)
            if fill != "next_open":
                self.trade_at(i, "close")
        account.value(i)
        if account.ruined_at is None and fill != "same_close":
            self.decide(i)

    def follow_actions(self, i: int) -> None:
        """Levels and what is still being bought follow the units; what ended or came to nothing is forgotten."""
        for j, extra in enumerate(self.account.extras):
            if i in extra.actions:
                ratio, _, factor = extra.actions[i]
                if j in self.guards:
                    self.guards[j].price *= factor
                    self.guards[j].best *= factor
                if j in self.entering:
                    units, decided_at = self.entering[j]
                    self.entering[j] = self.account.terms[j].whole(units * ratio), decided_at
            if self.account.last[j] < i:
                self.wishes.pop(j, None)
            self.forget_if_flat(j)

    def forget_if_flat(self, j: int) -> None:
        if self.account.positions[j].units == 0:
            self.leaving.pop(j, None)
            self.entering.pop(j, None)

    def trade_at(self, i: int, moment: str) -> None:
        if self.account.liquidate(i, moment):
            self.entering.clear()
            for j in range(len(self.signals)):
                self.forget_if_flat(j)
        if self.options.fill == "same_close":
            self.decide(i)
        self.fill_wishes(i, moment)

    def leave(self, j: int, price: float, at: tuple[int, int], reason: str) -> None:
        """Close a position as far as the volume allows; the rest goes on leaving."""
        wanted = -self.account.positions[j].units
        self.entering.pop(j, None)
        self.leaving.pop(j, None)
        if self.account.fill(j, wanted, price, at, reason) != wanted:
            self.leaving[j] = at[0], reason

    def fill_wishes(self, i: int, moment: str) -> None:
        account = self.account
        prices = account.prices(i, moment)
        now = [j for j in range(len(self.signals)) if account.has_bar(i, j)]
        wishes = {j: self.wishes.pop(j) for j in now if j in self.wishes}
        for j in now:
            if account.positions[j].units == 0:
                continue
            wish = wishes.get(j)
            if j not in self.leaving and wish is not None and wish.position != self.side(j):
                self.leaving[j] = wish.decided_at, "exit"
            if j in self.leaving:
                decided_at, reason = self.leaving[j]
                self.leave(j, prices[j], (decided_at, i), reason)
        equity = account.equity(prices)
        self.room, self.margin = account.room(prices), account.margin_left(prices)
        least = NO_ROOM * equity
        for j in now:
            if j in self.entering and self.room > least and self.margin > least:
                self.add(j, i, prices[j])
        entries: list[tuple[float, int, Wish]] = []
        for j, wish in wishes.items():
            if account.positions[j].units == 0 and wish.position != "flat":
                rank = self.signals[j].rank[wish.decided_at]
                score = rank if wish.position == "long" else -rank
                if not math.isnan(score):
                    entries.append((-score, j, wish))
        places = self.options.max_positions - sum(position.units != 0 for position in account.positions)
        for _, j, wish in sorted(entries, key=lambda entry: entry[:2]):
            if places > 0 and equity > 0 and self.room > least and self.margin > least:
                places -= self.open(j, wish, (i, prices[j]), equity)

    def spend(self, j: int, units: float, price: float) -> None:
        paid = self.account.terms[j].commission(units, price)
        self.room -= abs(units) * price + paid
        self.margin -= self.account.margin_of(j, units, price) + paid

    def add(self, j: int, i: int, base: float) -> None:
        """Go on with an entry."""
        rest, decided_at = self.entering[j]
        terms = self.account.terms[j]
        price = base * (1.0 + math.copysign(terms.slippage, rest))
        can = self.account.allowed(j, price, self.room, self.margin)
        wanted = rest if abs(rest) <= can else math.copysign(terms.whole(max(can, 0.0)), rest)
        if wanted == 0:
            return
        got = self.account.fill(j, wanted, base, (decided_at, i), "entry")
        self.entering[j] = rest - got, decided_at
        if rest == got:
            del self.entering[j]
        if got != 0:
            self.spend(j, got, price)

    def open(self, j: int, wish: Wish, at: tuple[int, float], equity: float) -> int:
        """Open a position; return how many places it takes."""
        account, terms = self.account, self.account.terms[j]
        sign = 1.0 if wish.position == "long" else -1.0
        price = at[1] * (1.0 + sign * terms.slippage)
        units = self.wanted_units(j, price, self.signals[j].size[wish.decided_at], equity)
        if not 0 < units < math.inf:
            return 0
        got = account.fill(j, sign * units, at[1], (wish.decided_at, at[0]), "entry")
        if got == 0:
            return 0
        self.spend(j, got, price)
        self.guards[j] = Guard(price, price, wish.decided_at)
        if got != sign * units:
            self.entering[j] = sign * units - got, wish.decided_at
        return 1

    def wanted_units(self, j: int, price: float, size: float, equity: float) -> float:
        leverage = self.options.max_leverage
        fraction = leverage if self.options.fixed_units or size > leverage else size
        budget = fraction * equity
        units = self.account.allowed(j, price, self.room if budget > self.room else budget, self.margin)
        if self.options.fixed_units:
            units = units if size > units else size
        return self.account.terms[j].whole(units)

    def test_exits(self, i: int) -> None:
        for j, position in enumerate(self.account.positions):
            if position.units != 0 and j not in self.leaving and self.account.has_bar(i, j):
                found = self.exit_inside(i, j)
                if found:
                    self.leave(j, found[0], (i, i), found[1])

    def exit_inside(self, i: int, j: int) -> tuple[float, str] | None:
        """Go through the finer bars of a bar, or through the bar itself."""
        bars, fine = self.account.bars[j], self.account.extras[j].fine.get(i)
        if not fine:
            opening, high, low = bars.open[i], bars.high[i], bars.low[i]
            assert opening is not None
            assert high is not None
            assert low is not None
            fine = [Step(opening, high, low)]
        for step in fine:
            found = self.exit_of_step(j, step)
            if found:
                return found
        return None

    def exit_of_step(self, j: int, step: Step) -> tuple[float, str] | None:
        guard, signals, opening, high, low = self.guards[j], self.signals[j], step.open, step.high, step.low
        sign = 1.0 if self.side(j) == "long" else -1.0
        row = guard.decided_at
        stop, trail, target = signals.stop[row], signals.trail[row], signals.target[row]
        stop_level = sign * guard.price * (1.0 - sign * stop) if stop > 0 else -math.inf
        trail_level = sign * guard.best * (1.0 - sign * trail) if trail > 0 else -math.inf
        target_level = sign * guard.price * (1.0 + sign * target) if target > 0 else math.inf
        protective = max(stop_level, trail_level)
        reason = "stop" if stop_level >= trail_level else "trail"
        worst, best = (low, high) if sign > 0 else (-high, -low)
        if at_or_below(sign * opening, protective):
            return opening, reason
        if at_or_above(sign * opening, target_level):
            return opening, "target"
        if at_or_below(worst, protective):
            return self.account.to_tick(j, sign * protective, down=sign > 0), reason
        if at_or_above(best, target_level):
            return self.account.to_tick(j, sign * target_level, down=sign > 0), "target"
        guard.best = sign * max(sign * guard.best, best)
        return None


def simulate_signals_full(
    bars: Sequence[Bars],
    signals: Sequence[Signals],
    given: tuple[Sequence[Terms], Sequence[Extra], Sequence[float]],
    options: Options,
) -> FullRun:
    """Run one strategy, evaluated on each instrument; `given` is as in `simulate_weights_full`.

    Examples
    --------
    >>> flat = Bars([10.0] * 4, [10.0] * 4, [10.0] * 4, [10.0] * 4)
    >>> none, never = [math.nan] * 4, [False] * 4
    >>> held = Signals([True] * 4, never, never, never, none, none, none, [1.0] * 4, [0.0] * 4)
    >>> thin = Extra(caps=[4.0] * 4)
    >>> done = simulate_signals_full([flat], [held], ([Terms()], [thin], [0.0] * 4), Options(cash=100.0))
    >>> done.run.units, done.unfilled
    ([[0.0], [4.0], [8.0], [10.0]], {(1, 0): 6.0, (2, 0): 2.0})
    """
    competition, recorder = FullCompetition(bars, signals, given, options), Recorder()
    for i in range(len(bars[0].close)):
        competition.live_through(i)
        recorder.note(competition.account)
    account = competition.account
    return FullRun(recorder.run(account), account.interest_paid, account.unfilled)
