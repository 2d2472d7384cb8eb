"""From fills to positions: each fill as an instruction that can be carried out again on another account.

An entry is a number of units or a share of the equity, an exit a share of the position, a commission a schedule. So a
ledger can be gone through again with one thing changed, and what follows from the change follows by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.difference.ledger import Action, Fill, Ledger, PortfolioLedger, as_portfolio
from algotrendy.backtest.difference.moments import ACTION, RANKS, Marks, Till
from algotrendy.domain.types import Float1D

if TYPE_CHECKING:
    import pandas as pd

LOT_ROUNDING = 1e-9
NO_COSTS = ("delisting", "fraction")
"""Reasons of fills that are settled without commission."""
SAME = 1e-9
"""Two numbers that differ by less, relatively, are one."""


def same(a: float, b: float, tolerance: float = SAME) -> bool:
    """Tell whether two numbers differ by nothing but rounding.

    Examples
    --------
    >>> same(1.0, 1.0 + 1e-12), same(0.0, 0.0), same(1.0, 1.001)
    (True, True, False)
    """
    return abs(a - b) <= tolerance * max(abs(a), abs(b))


class FeeRule(NamedTuple):
    """The commission of a fill: `max(minimum, rate x value + per_unit x units + fixed)`; a rebate is negative."""

    rate: float = 0.0
    per_unit: float = 0.0
    fixed: float = 0.0
    minimum: float = -math.inf

    @classmethod
    def of_fees(cls, fees: Fees) -> FeeRule:
        """Return a schedule as a rule."""
        return cls(fees.rate, fees.per_unit, fees.fixed, fees.minimum)

    def charge(self, units: float, price: float) -> float:
        """Return the commission of a fill of that many units, without sign."""
        return max(self.minimum, self.rate * (units * price) + self.per_unit * units + self.fixed)

    def units_for(self, budget: float, price: float) -> float:
        """Return the units whose value and commission are the budget."""
        units = (budget - self.fixed) / (price * (1.0 + self.rate) + self.per_unit)
        if self.rate * (units * price) + self.per_unit * units + self.fixed < self.minimum:
            units = (budget - self.minimum) / price
        return units


class Size(NamedTuple):
    """How many units: so many, a fraction of the equity (rounded down to lots), or a part of the position."""

    kind: Literal["units", "fraction", "part"]
    value: float
    lot: float = 0.0

    def units(self, account: float, price: float, fee: FeeRule) -> float:
        """Return the units; `account` is the equity of an entry, the units held for a part."""
        if self.kind == "units":
            return self.value
        if self.kind == "part":
            return self.value * account
        units = fee.units_for(self.value * account, price)
        return math.floor(units / self.lot + LOT_ROUNDING) * self.lot if self.lot > 0.0 else units


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One fill of a position as an instruction, with what it was in its own ledger.

    `bar` and `decided` are stamps in nanoseconds; `slip` is price / quoted; `borrow` is per unit closed; `account` is
    what the size was a share of: the equity before an entry, the units held before an exit.
    """

    opens: bool
    side: float
    bar: int
    decided: int | None
    at: pd.Timestamp
    quoted: float
    kind: str
    slip: float
    fee: FeeRule
    size: Size
    borrow: float
    units: float
    account: float
    reason: str

    @property
    def price(self) -> float:
        """Price of the fill."""
        return self.quoted * self.slip

    @property
    def worse(self) -> float:
        """By which fraction the price was worse than quoted; negative if it was better."""
        return self.side * (self.slip - 1.0)

    @property
    def is_last(self) -> bool:
        """Whether it closes all that was left of the position."""
        return not self.opens and self.size.value == 1.0


@dataclass(frozen=True, slots=True)
class Episode:
    """A position from nothing to nothing again, or to the end of the data."""

    side: float
    legs: tuple[Leg, ...]
    is_open: bool
    open_borrow: float

    @property
    def start(self) -> int:
        """Stamp of the bar of the first fill."""
        return self.legs[0].bar

    def end(self, last: int) -> int:
        """Return the stamp of the bar of the last fill, `last` if the position is open."""
        return last if self.is_open else self.legs[-1].bar


@dataclass(frozen=True)
class Positions:
    """A ledger as positions, and what it does everywhere: None where fills differ in it.

    `fee` is the schedule of all fills, `worse` the slippage and `size` the size of all entries, `lag` the nanoseconds
    from decision to fill (None: unknown), `actions` are splits and dividends as (stamp, ratio, paid), and `earned` is
    what the instrument brought in, an open position at the last close.
    """

    ledger: Ledger
    episodes: tuple[Episode, ...]
    fee: FeeRule | None
    worse: float | None
    size: Size | None
    lag: int | None
    actions: tuple[tuple[int, float, float], ...] = ()
    earned: float = 0.0


@dataclass(frozen=True, eq=False)
class Book:
    """An account with several instruments as the positions of each, by symbol, and the prices to value it by."""

    ledger: PortfolioLedger
    positions: Mapping[str, Positions]
    marks: Marks | None


def positions_of(ledger: Ledger) -> Positions:
    """Return the positions of a ledger.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2024-01-01", periods=3)
    >>> bars = pd.DataFrame({name: [10.0, 11.0, 12.0] for name in ("open", "high", "low", "close")}, index=days)
    >>> fills = (Fill(filled_at=days[0], units=5.0, price=10.0), Fill(filled_at=days[2], units=-5.0, price=12.0))
    >>> [one] = positions_of(Ledger(name="mine", cash=100.0, fills=fills, bars=bars)).episodes
    >>> one.legs[0].size, one.legs[1].size
    (Size(kind='fraction', value=0.5, lot=0.0), Size(kind='part', value=1.0, lot=0.0))
    """
    [positions] = book_of(as_portfolio(ledger)).positions.values()
    return positions


def book_of(ledger: PortfolioLedger) -> Book:
    """Return the positions of all instruments of an account: sizes are shares of what the whole account was worth."""
    members = list(ledger.members.values())
    walkers = [_Walker(member) for member in members]
    marks = Marks(members) if len(members) > 1 else None
    till = Till(ledger.cash, len(members), marks)

    def carry_out(j: int, step: _Step) -> None:
        walkers[j].take(step, till, j)

    till.run([walker.steps for walker in walkers], carry_out)
    found = {
        symbol: walker.positions(till.earned[j])
        for j, (symbol, walker) in enumerate(zip(ledger.members, walkers, strict=True))
    }
    return Book(ledger, found, marks)


class _Step(NamedTuple):
    """A fill or an action of one instrument; `row` is that of the bar, `kind` what is quoted at it."""

    when: tuple[int, int]
    opens: bool
    row: int = 0
    kind: str = ""
    fill: Fill | None = None
    rule: FeeRule = FeeRule()
    action: Action | None = None


class _Walker:
    """Goes through the fills of one instrument with its position and the cash of all, and writes the legs."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.held = ledger, 0.0
        self.stamps, self.index = ledger.stamps, ledger.bars.index
        self.prices = {name: ledger.prices(name) for name in ("open", "high", "low", "close")}
        self.legs: list[Leg] = []
        self.episodes: list[Episode] = []
        fills = _quoted(ledger, _merged(ledger))
        self.rules = _fee_rules(ledger, fills)
        self.steps = list(self._steps(fills))

    def _steps(self, fills: Sequence[Fill]) -> Iterator[_Step]:
        """Yield fills and actions in order; a fill that turns the position round is two: its commission is shared."""
        held, waiting = 0.0, list(self.ledger.actions)
        for fill, rule in zip(fills, self.rules, strict=True):
            row = int(np.searchsorted(self.stamps, _ns(fill.filled_at), side="right")) - 1
            while waiting and _ns(waiting[0].at) <= self.stamps[row]:
                held *= waiting[0].ratio
                yield _Step((_ns(waiting[0].at), ACTION), opens=False, action=waiting.pop(0))
            quoted = fill.price if fill.quoted is None else fill.quoted
            kind = self._kind(quoted, row)
            when = int(self.stamps[row]), RANKS[kind]
            last = fill
            if held * fill.units < 0.0 and abs(fill.units) > abs(held) * (1.0 + SAME):
                share = -held / fill.units
                closing = replace(fill, units=-held, commission=share * fill.commission)
                yield _Step(when, False, row, kind, closing, rule)
                commission = (1.0 - share) * fill.commission
                last = replace(fill, units=fill.units + held, borrow=0.0, commission=commission)
                held = 0.0
            opens = held * last.units >= 0.0
            yield _Step(when, opens, row, kind, last, rule)
            held = 0.0 if not opens and same(abs(last.units) / abs(held), 1.0) else held + last.units
        for action in waiting:
            yield _Step((_ns(action.at), ACTION), opens=False, action=action)

    def take(self, step: _Step, till: Till, j: int) -> None:
        """Take one step."""
        if step.action is not None:
            till.pay(j, -self.held * step.action.paid)
            self.held *= step.action.ratio
        elif step.fill is not None:
            self._leg(step, step.fill, till, j)
        till.held[j] = self.held

    def _leg(self, step: _Step, fill: Fill, till: Till, j: int) -> None:
        units, rule = abs(fill.units), step.rule
        if not same(rule.charge(units, fill.price), fill.commission):  # half of one that turned the position round
            rule = FeeRule(rate=fill.commission / (units * fill.price))
        held = abs(self.held)
        account = till.equity(j, self.held, fill.price) if step.opens else held
        size = self._size(units, fill, account, rule) if step.opens else _part(units, held)
        quoted = fill.price if fill.quoted is None else fill.quoted
        self.legs.append(
            Leg(
                opens=step.opens,
                side=math.copysign(1.0, fill.units),
                bar=int(self.stamps[step.row]),
                decided=None if fill.decided_at is None else _ns(fill.decided_at),
                at=self.index[step.row],
                quoted=quoted,
                kind=step.kind,
                slip=fill.price / quoted,
                fee=rule,
                size=size,
                borrow=fill.borrow / units,
                units=units,
                account=account,
                reason=fill.reason,
            )
        )
        till.pay(j, fill.units * fill.price + fill.commission + fill.borrow)
        self.held = 0.0 if not step.opens and size.value == 1.0 else self.held + fill.units
        if self.held == 0.0:
            self._close_episode(is_open=False)

    def _size(self, units: float, fill: Fill, equity: float, rule: FeeRule) -> Size:
        """Return the declared size if it gives these units, else the fraction that does, else the units."""
        fraction = self.ledger.fraction
        if fraction is not None and equity > 0.0:
            declared = Size("fraction", fraction, self.ledger.lot_size)
            if same(declared.units(equity, fill.price, rule), units):
                return declared
        if equity > 0.0:
            return Size("fraction", (units * fill.price + fill.commission) / equity)
        return Size("units", units)

    def _kind(self, quoted: float, row: int) -> str:
        for name in ("open", "close"):
            if same(quoted, float(self.prices[name][row])):
                return name
        return "level"

    def _close_episode(self, *, is_open: bool) -> None:
        side = self.legs[0].side
        borrow = self.ledger.open_borrow / abs(self.held) if is_open else 0.0
        self.episodes.append(Episode(side, tuple(self.legs), is_open, borrow))
        self.legs = []

    def positions(self, earned: float) -> Positions:
        """Return all positions, the open one last; `earned` is the cash that came from them."""
        if self.legs:
            self._close_episode(is_open=True)
        legs = [leg for episode in self.episodes for leg in episode.legs]
        rules = [step.rule for step in self.steps if step.fill is not None and step.fill.reason not in NO_COSTS]
        return Positions(
            self.ledger,
            tuple(self.episodes),
            fee=rules[0] if rules and all(rule == rules[0] for rule in rules) else None,
            worse=_uniform([leg.worse for leg in legs if leg.opens]),
            size=_uniform_size([leg for leg in legs if leg.opens]),
            lag=_lag(legs),
            actions=tuple((_ns(each.at), each.ratio, each.paid) for each in self.ledger.actions),
            earned=earned + self.held * self.ledger.last_price - self.ledger.open_borrow,
        )


def _part(units: float, held: float) -> Size:
    share = units / held
    return Size("part", 1.0 if same(share, 1.0) else share)


def _ns(moment: pd.Timestamp) -> int:
    return int(moment.as_unit("ns").value)


def _merged(ledger: Ledger) -> list[Fill]:
    """Return the fills with those of one bar, one side and one role put together at their mean price."""
    stamps = ledger.stamps
    found: list[Fill] = []
    rows: list[int] = []
    held, waiting = 0.0, list(ledger.actions)
    for fill in ledger.fills:
        row = int(np.searchsorted(stamps, _ns(fill.filled_at), side="right"))
        while waiting and _ns(waiting[0].at) <= stamps[row - 1]:
            held *= waiting.pop(0).ratio
        grows, turns = held * fill.units >= 0.0, held * fill.units < 0.0 and abs(fill.units) > abs(held) * (1.0 + SAME)
        before = found[-1] if found and rows[-1] == row else None
        grew = before is not None and (held - before.units) * before.units >= 0.0
        if before is not None and before.units * fill.units > 0.0 and grows == grew and not turns and held != 0.0:
            found[-1] = _together(before, fill)
        else:
            found.append(fill)
            rows.append(row)
        held += fill.units
        if abs(held) <= SAME * abs(fill.units):
            held = 0.0
    return found


def _together(a: Fill, b: Fill) -> Fill:
    units = a.units + b.units
    price = (a.units * a.price + b.units * b.price) / units
    quoted = None if a.quoted is None or b.quoted is None else (a.units * a.quoted + b.units * b.quoted) / units
    return replace(
        a,
        units=units,
        price=price,
        quoted=quoted,
        commission=a.commission + b.commission,
        borrow=a.borrow + b.borrow,
    )


def _quoted(ledger: Ledger, fills: Sequence[Fill]) -> list[Fill]:
    """Fill in prices without slippage: the open or the close, whichever all fills stand at one distance from."""
    unknown = [fill for fill in fills if fill.quoted is None]
    if not unknown:
        return list(fills)
    stamps = ledger.stamps
    rows = [int(np.searchsorted(stamps, _ns(fill.filled_at), side="right")) - 1 for fill in unknown]
    sides = np.sign([fill.units for fill in unknown])
    paid = np.array([fill.price for fill in unknown])
    best: tuple[float, Float1D, float] | None = None
    for name in ("open", "close"):
        given = ledger.prices(name)[rows]
        worse = sides * (paid / given - 1.0)
        usual = float(np.median(worse))
        spread = float(np.median(np.abs(worse - usual)))
        if best is None or (spread, abs(usual)) < (best[0], abs(best[2])):
            best = spread, given, usual
    assert best is not None
    _, given, usual = best
    fits = np.abs(sides * (paid / given - 1.0) - usual) <= 1e-6
    values = iter(np.where(fits & (usual > -SAME), given, paid).tolist())
    return [replace(fill, quoted=next(values)) if fill.quoted is None else fill for fill in fills]


def _fee_rules(ledger: Ledger, fills: Sequence[Fill]) -> list[FeeRule]:
    """Return a rule per fill: the schedule if it gives the commissions, else one for all, else each its own."""
    charged = [fill for fill in fills if fill.reason not in NO_COSTS]
    rules = iter(_charged_rules(ledger, charged))
    return [FeeRule() if fill.reason in NO_COSTS else next(rules) for fill in fills]


def _charged_rules(ledger: Ledger, fills: Sequence[Fill]) -> list[FeeRule]:
    units = np.abs([fill.units for fill in fills])
    prices = np.array([fill.price for fill in fills])
    paid = np.array([fill.commission for fill in fills])
    if ledger.fees is not None:
        rule = FeeRule.of_fees(ledger.fees)
        if all(same(rule.charge(u, p), c) for u, p, c in zip(units, prices, paid, strict=True)):
            return [rule] * len(fills)
    if not paid.any():
        return [FeeRule()] * len(fills)
    for name, base in (("rate", units * prices), ("per_unit", units), ("fixed", np.ones(len(fills)))):
        ratios = paid / base
        usual = float(np.median(ratios))
        if np.all(np.abs(ratios - usual) <= SAME * abs(usual)):
            return [FeeRule(**{name: usual})] * len(fills)
    return [FeeRule(rate=rate) for rate in (paid / (units * prices)).tolist()]


def _uniform(values: Sequence[float]) -> float | None:
    if not values or max(values) - min(values) > SAME:
        return None
    return values[0]


def _uniform_size(legs: Sequence[Leg]) -> Size | None:
    if len(legs) < 2:  # one entry is no habit
        return None
    first = legs[0].size
    if all(
        leg.size.kind == first.kind and leg.size.lot == first.lot and same(leg.size.value, first.value) for leg in legs
    ):
        return first
    if all(same(leg.units, legs[0].units) for leg in legs):
        return Size("units", legs[0].units)
    return None


def _lag(legs: Sequence[Leg]) -> int | None:
    lags = [leg.bar - leg.decided for leg in legs if leg.decided is not None]
    return int(np.median(lags)) if lags else None
