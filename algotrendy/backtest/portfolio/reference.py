"""The reference of several instruments in one account: `docs/explanation/semantics-portfolio.md` in plain Python.

It is slow and obviously correct, knows no kernel and no array library, and is what the fast engine is tested against.
This file has the account and target weights; `reference_signals.py` and `reference_orders.py` have the other routes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Account", "Bars", "Fill", "Options", "ReferenceRun", "Terms", "simulate_weights"]

TOLERANCE = 1e-12
LOT_ROUNDING = 1e-9
NO_ROOM = 1e-9


@dataclass(frozen=True)
class Bars:
    """Prices of one instrument on the union of the stamps; None where it has no bar."""

    open: Sequence[float | None]
    high: Sequence[float | None]
    low: Sequence[float | None]
    close: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What trading one instrument costs; `lot_size` 0 means fractional units, `borrow` is per bar."""

    rate: float = 0.0
    per_unit: float = 0.0
    fixed: float = 0.0
    minimum: float = 0.0
    slippage: float = 0.0
    lot_size: float = 0.0
    borrow: float = 0.0
    delisting_return: float = 0.0

    def commission(self, units: float, price: float) -> float:
        size = abs(units)
        return max(self.minimum, self.rate * (size * price) + self.per_unit * size + self.fixed)

    def whole(self, units: float) -> float:
        """Round towards zero to the lot."""
        if self.lot_size > 0 and math.isfinite(units):
            return math.copysign(math.floor(abs(units) / self.lot_size + LOT_ROUNDING) * self.lot_size, units)
        return units


@dataclass(frozen=True, kw_only=True)
class Options:
    """Conventions of the account."""

    cash: float = 100_000.0
    fill: str = "next_open"
    max_leverage: float = 1.0
    tolerance: float = 0.0
    max_positions: int = 1
    fixed_units: bool = False


@dataclass(frozen=True)
class Fill:
    """One order that was filled. `units` are negative for a sale; `price` is after slippage."""

    decided_at: int
    filled_at: int
    instrument: int
    units: float
    price: float
    commission: float
    slippage: float
    reason: str


@dataclass(frozen=True)
class Trade:
    """What one closing order closed; `units` carry the sign of the position."""

    entry_at: int
    exit_at: int
    instrument: int
    units: float
    entry_price: float
    exit_price: float
    commission: float
    borrow: float
    profit: float
    reason: str


@dataclass
class Position:
    """Units of one instrument and what they cost so far."""

    units: float = 0.0
    price: float = 0.0
    entry_at: int = 0
    commission: float = 0.0
    borrow: float = 0.0


@dataclass(frozen=True)
class ReferenceRun:
    """What a simulation gives: per bar equity, cash and the units of each instrument, and the bar of ruin or None."""

    fills: list[Fill]
    trades: list[Trade]
    equity: list[float]
    cash: list[float]
    units: list[list[float]]
    borrow_paid: float
    ruined_at: int | None


@dataclass
class Account:
    """Cash, positions and the record of what was done."""

    bars: Sequence[Bars]
    terms: Sequence[Terms]
    options: Options
    cash: float = 0.0
    borrow_paid: float = 0.0
    ruined_at: int | None = None
    positions: list[Position] = field(default_factory=list)
    marks: list[float] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cash = self.options.cash
        self.positions = [Position() for _ in self.bars]
        self.marks = [0.0 for _ in self.bars]
        self.last = [max((i for i, c in enumerate(b.close) if c is not None), default=-1) for b in self.bars]

    def has_bar(self, i: int, j: int) -> bool:
        return self.bars[j].close[i] is not None

    def prices(self, i: int, moment: str) -> list[float]:
        """The prices of the moment; `marks` are the last closes that are known."""
        opens = [bars.open[i] for bars in self.bars]
        if moment == "open":
            return [mark if price is None else price for price, mark in zip(opens, self.marks, strict=True)]
        closes = [bars.close[i] for bars in self.bars]
        return [mark if price is None else price for price, mark in zip(closes, self.marks, strict=True)]

    def equity(self, prices: Sequence[float]) -> float:
        return self.cash + sum(p.units * price for p, price in zip(self.positions, prices, strict=True))

    def gross(self, prices: Sequence[float]) -> float:
        return sum(abs(p.units * price) for p, price in zip(self.positions, prices, strict=True))

    def room(self, prices: Sequence[float]) -> float:
        return self.options.max_leverage * self.equity(prices) - self.gross(prices)

    def trade(self, j: int, units: float, price: float, at: tuple[int, int], reason: str) -> None:
        """Fill an order that opens or adds to a position, or closes a part of it: never both."""
        terms, position = self.terms[j], self.positions[j]
        sign = 1.0 if units > 0 else -1.0
        slippage = 0.0 if reason in ("target", "limit", "delisting") else terms.slippage
        fill_price = price * (1.0 + sign * slippage)
        commission = 0.0 if reason == "delisting" else terms.commission(units, fill_price)
        self.cash = self.cash - units * fill_price - commission
        self.fills.append(Fill(*at, j, units, fill_price, commission, abs(units) * price * slippage, reason))
        if position.units * units < 0:
            self._close(j, units, fill_price, commission, (at[1], reason))
            return
        if position.units == 0:
            self.positions[j] = Position(units, fill_price, at[1], commission, 0.0)
            return
        total = position.units + units
        position.price = (position.units * position.price + units * fill_price) / total
        position.units, position.commission = total, position.commission + commission

    def _close(self, j: int, units: float, price: float, commission: float, end: tuple[int, str]) -> None:
        position = self.positions[j]
        share = 1.0 if units == -position.units else -units / position.units
        costs, borrow = share * position.commission + commission, share * position.borrow
        profit = -units * (price - position.price) - costs - borrow
        self.trades.append(
            Trade(position.entry_at, end[0], j, -units, position.price, price, costs, borrow, profit, end[1])
        )
        position.units += units
        position.commission -= share * position.commission
        position.borrow -= borrow

    def close_ended(self, i: int) -> None:
        """Step 0."""
        for j, position in enumerate(self.positions):
            if position.units != 0 and self.last[j] < i:
                price = self.marks[j] * (1.0 + self.terms[j].delisting_return)
                self.trade(j, -position.units, price, (i, i), "delisting")

    def pay_borrow(self, i: int) -> None:
        """Step 1: on the last close of the instrument."""
        for j, position in enumerate(self.positions):
            if position.units < 0 and self.has_bar(i, j):
                fee = abs(position.units) * self.marks[j] * self.terms[j].borrow
                self.cash -= fee
                self.borrow_paid += fee
                position.borrow += fee

    def check_ruin(self, i: int) -> None:
        """Step 5, which also takes the closes as the last known prices."""
        self.marks = self.prices(i, "close")
        if self.ruined_at is not None or self.equity(self.marks) > TOLERANCE * self.gross(self.marks):
            return
        for j, position in enumerate(self.positions):
            if position.units != 0:
                self.trade(j, -position.units, self.marks[j], (i, i), "ruin")
        self.ruined_at = i


class Recorder:
    """The curves of an account, bar by bar."""

    def __init__(self) -> None:
        self.equity: list[float] = []
        self.cash: list[float] = []
        self.units: list[list[float]] = []

    def note(self, account: Account) -> None:
        self.equity.append(account.equity(account.marks))
        self.cash.append(account.cash)
        self.units.append([position.units for position in account.positions])

    def run(self, account: Account) -> ReferenceRun:
        return ReferenceRun(
            account.fills,
            account.trades,
            self.equity,
            self.cash,
            self.units,
            account.borrow_paid,
            account.ruined_at,
        )


def simulate_weights(
    bars: Sequence[Bars],
    targets: Mapping[int, Sequence[float]],
    terms: Sequence[Terms],
    options: Options,
) -> ReferenceRun:
    """Hold target weights: `targets` gives, for each bar with a decision, one weight per instrument (NaN: none).

    Examples
    --------
    >>> up = Bars([10.0, 10.0, 20.0], [10.0, 10.0, 20.0], [10.0, 10.0, 20.0], [10.0, 10.0, 20.0])
    >>> run = simulate_weights([up, up], {0: [0.5, 0.25]}, [Terms(), Terms()], Options(cash=100.0))
    >>> run.equity, run.cash, run.units[-1]
    ([100.0, 100.0, 175.0], [100.0, 25.0, 25.0], [5.0, 2.5])
    """
    account, recorder = Account(bars, terms, options), Recorder()
    waiting: dict[int, tuple[float, int]] = {}
    for i in range(len(bars[0].close)):
        if account.ruined_at is None:
            account.close_ended(i)
            account.pay_borrow(i)
            if options.fill == "next_open":
                fill_targets(account, waiting, i, "open")
            if options.fill == "same_close":
                decide_targets(account, targets.get(i), waiting, i)
            if options.fill in ("same_close", "next_close"):
                fill_targets(account, waiting, i, "close")
        account.check_ruin(i)
        if options.fill != "same_close":
            decide_targets(account, targets.get(i), waiting, i)
        recorder.note(account)
    return recorder.run(account)


def decide_targets(
    account: Account, row: Sequence[float] | None, waiting: dict[int, tuple[float, int]], i: int
) -> None:
    """Let the weights of a row wait for their instruments, but for those within the tolerance."""
    closes = account.prices(i, "close")
    equity = account.equity(closes)
    for j, weight in enumerate(row or ()):
        if math.isnan(weight):
            continue
        held = account.positions[j].units * closes[j]
        is_near = held != 0 and weight != 0 and abs(held / equity - weight) <= account.options.tolerance
        if is_near and account.options.tolerance > 0:
            waiting.pop(j, None)
        else:
            waiting[j] = weight, i


def fill_targets(account: Account, waiting: dict[int, tuple[float, int]], i: int, moment: str) -> None:
    """Move the instruments that have a bar to the weights that wait for them."""
    now = [j for j in sorted(waiting) if account.has_bar(i, j)]
    prices = account.prices(i, moment)
    equity = account.equity(prices)
    opening: list[tuple[int, float, int]] = []
    for j in now:
        weight, decided_at = waiting.pop(j)
        held, target = account.positions[j].units, account.terms[j].whole(weight * equity / prices[j])
        if weight == 0 and held == 0:
            continue
        if weight != 0 and abs(target - held) * prices[j] <= TOLERANCE * abs(equity):
            continue
        same_side = held * target > 0
        if held != 0 and (not same_side or abs(target) < abs(held)):
            account.trade(j, (target if same_side else 0.0) - held, prices[j], (decided_at, i), "rebalance")
        left = target - (held if same_side else 0.0)
        if left * target > 0:
            opening.append((j, left, decided_at))
    room = account.room(prices)
    share = 0.0
    if room > NO_ROOM * abs(equity):
        share = affordable_share(account, [(j, units) for j, units, _ in opening], prices, room)
    for j, units, decided_at in opening:
        wanted = account.terms[j].whole(share * units)
        if wanted != 0 and share > 0:
            account.trade(j, wanted, prices[j], (decided_at, i), "rebalance")


def affordable_share(
    account: Account, opening: Sequence[tuple[int, float]], prices: Sequence[float], room: float
) -> float:
    """The factor, at most 1, by which all opening legs are scaled so that their cost fits into the room."""

    def cost(share: float) -> float:
        total = 0.0
        for j, units in opening:
            terms = account.terms[j]
            price = prices[j] * (1.0 + math.copysign(terms.slippage, units))
            total += abs(units) * share * price + terms.commission(units * share, price)
        return total

    if cost(1.0) <= room:
        return 1.0
    if cost(0.0) >= room:  # what is paid whatever the size
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2.0
        low, high = (middle, high) if cost(middle) <= room else (low, middle)
    return low
