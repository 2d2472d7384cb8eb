"""The reference simulator: `docs/explanation/semantics.md` in plain Python, one bar after the other.

It is slow and obviously correct, knows no kernel and no array library, and is what the fast engine is tested against.
Read it beside that page: the steps of a bar carry the page's numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from algotrendy.backtest.reference_metrics import Order, Trade, metrics_of

__all__ = ["Account", "Bars", "Options", "Order", "ReferenceRun", "Signals", "Trade", "simulate"]

TOLERANCE = 1e-12
LOT_ROUNDING = 1e-9


@dataclass(frozen=True)
class Bars:
    """Prices of one instrument, oldest bar first."""

    open: Sequence[float]
    high: Sequence[float]
    low: Sequence[float]
    close: Sequence[float]


@dataclass(frozen=True)
class Signals:
    """The four conditions per bar (True, False, or None for unknown), and the levels per bar (NaN for none).

    On a chart they are those of its rows, and `known_at` gives the bar at whose end each row is known, in order.
    """

    entry: Sequence[bool | None]
    exit: Sequence[bool | None]
    short_entry: Sequence[bool | None]
    short_exit: Sequence[bool | None]
    stop: Sequence[float]
    target: Sequence[float]
    trail: Sequence[float]
    size: Sequence[float]
    known_at: Sequence[int] | None = None


@dataclass(frozen=True, kw_only=True)
class Options:
    """Conventions and costs. `lot_size` 0 means fractional units; `marks` None means that every bar is a mark."""

    cash: float = 100_000.0
    fill: str = "next_open"
    rate: float = 0.0
    per_unit: float = 0.0
    fixed: float = 0.0
    minimum: float = 0.0
    slippage: float = 0.0
    borrow: float = 0.0
    lot_size: float = 0.0
    max_leverage: float = 1.0
    fixed_units: bool = False
    periods_per_year: float = 252.0
    bars_per_year: float = 252.0
    risk_free_rate: float = 0.0
    marks: Sequence[int] | None = None


@dataclass(frozen=True)
class ReferenceRun:
    """What the simulation gives. `pending` is "long", "flat", "short" or None; `ruined_at` a bar or None."""

    orders: list[Order]
    equity: list[float]
    units: list[float]
    trades: list[Trade]
    metrics: dict[str, float]
    pending: str | None
    ruined_at: int | None


@dataclass(frozen=True)
class Wish:
    """A decision: the position that is wanted, the bar at whose end it was decided, and the row of the signals."""

    position: str
    decided_at: int
    row: int


def simulate(bars: Bars, signals: Signals, options: Options) -> ReferenceRun:
    """Run one strategy over one instrument.

    Examples
    --------
    >>> prices = [10.0, 10.0, 20.0]
    >>> never, none = [False] * 3, [math.nan] * 3
    >>> signals = Signals([True] * 3, never, never, never, none, none, none, [1.0] * 3)
    >>> run = simulate(Bars(prices, prices, prices, prices), signals, Options(cash=100.0))
    >>> run.equity, run.orders[0].units
    ([100.0, 100.0, 200.0], 10.0)
    """
    account = Account(bars, signals, options)
    equity: list[float] = []
    units: list[float] = []
    for i in range(len(bars.close)):
        account.live_through(i)
        equity.append(account.value(i))
        units.append(account.units)
    trades = account.trades
    metrics = metrics_of(equity, units, account.orders, trades, borrow_paid=account.borrow_paid, options=options)
    pending = account.wish.position if account.wish else None
    return ReferenceRun(account.orders, equity, units, trades, metrics, pending, account.ruined_at)


class Account:
    """Cash, the position, the wish that waits to be filled, and the record of what was done."""

    def __init__(self, bars: Bars, signals: Signals, options: Options) -> None:
        self.bars, self.signals, self.options = bars, signals, options
        self.cash = options.cash
        self.units = 0.0
        self.entry: Order | None = None
        self.entry_row = 0
        self.best = 0.0
        self.borrow_paid = 0.0
        self.borrow_before_entry = 0.0
        self.wish: Wish | None = None
        self.ruined_at: int | None = None
        self.orders: list[Order] = []
        self.trades: list[Trade] = []

    @property
    def position(self) -> str:
        if self.units == 0:
            return "flat"
        return "long" if self.units > 0 else "short"

    def value(self, i: int) -> float:
        return self.cash + self.units * self.bars.close[i]

    def live_through(self, i: int) -> None:
        """The order of events inside bar i."""
        if self.ruined_at is not None:
            return
        fill = self.options.fill
        self.pay_borrow(i)  # 1
        if fill == "next_open":  # 2
            self.fill_wish(i, self.bars.open[i])
        if self.units != 0:  # 3
            self.test_exits(i)
        if fill == "same_close":  # 4
            self.wish = self.decide(i)
        if fill in ("same_close", "next_close"):
            self.fill_wish(i, self.bars.close[i])
        self.check_ruin(i)  # 5
        if fill in ("next_open", "next_close") and self.ruined_at is None:  # 6
            self.wish = self.decide(i)

    def pay_borrow(self, i: int) -> None:
        if self.units < 0:
            fee = abs(self.units) * self.bars.close[i - 1] * self.options.borrow / self.options.bars_per_year
            self.cash -= fee
            self.borrow_paid += fee

    def decide(self, i: int) -> Wish | None:
        """The section on charts: the rows known at this bar in order. Without a chart that is the bar itself."""
        known_at = self.signals.known_at
        position, decided_by = self.position, -1
        for row in [i] if known_at is None else [row for row, bar in enumerate(known_at) if bar == i]:
            wanted = self.wanted(row, position)
            if wanted != position:
                position, decided_by = wanted, row
        return Wish(position, i, decided_by) if position != self.position else None

    def wanted(self, row: int, position: str) -> str:
        """The two tables of the section on signals: the position that a row asks for."""
        wants_long = self.signals.entry[row] is True and self.signals.exit[row] is not True
        wants_short = self.signals.short_entry[row] is True and self.signals.short_exit[row] is not True
        go_long = wants_long and not wants_short
        go_short = wants_short and not wants_long
        if position != "long" and go_long:
            return "long"
        if position != "short" and go_short:
            return "short"
        if position == "long" and self.signals.exit[row] is True:
            return "flat"
        if position == "short" and self.signals.short_exit[row] is True:
            return "flat"
        return position

    def fill_wish(self, i: int, price: float) -> None:
        """Move whatever position there is to the wished one."""
        wish, self.wish = self.wish, None
        if wish is None or wish.position == self.position:
            return
        if self.units != 0:
            self.close_position(wish.decided_at, i, price, "exit")
        if wish.position != "flat":
            self.open_position(wish, i, price)

    def open_position(self, wish: Wish, i: int, price: float) -> None:
        options = self.options
        sign = 1.0 if wish.position == "long" else -1.0
        fill_price = price * (1.0 + sign * options.slippage)
        units = self.entry_units(fill_price, self.signals.size[wish.row])
        if self.cash <= 0 or not 0 < units < math.inf:
            return
        commission = self.commission(units, fill_price)
        self.units = sign * units
        self.cash = self.cash - self.units * fill_price - commission
        self.borrow_before_entry = self.borrow_paid
        self.best = fill_price
        slippage_paid = units * price * options.slippage
        self.entry = Order(wish.decided_at, i, self.units, fill_price, commission, slippage_paid, "entry")
        self.entry_row = wish.row
        self.orders.append(self.entry)

    def entry_units(self, fill_price: float, size: float) -> float:
        """The section on size; NaN gives NaN."""
        options = self.options
        if options.fixed_units:
            affordable = self.units_bought_by(options.max_leverage * self.cash, fill_price)
            units = affordable if size > affordable else size
        else:
            fraction = options.max_leverage if size > options.max_leverage else size
            units = self.units_bought_by(fraction * self.cash, fill_price)
        if options.lot_size > 0 and math.isfinite(units):
            units = math.floor(units / options.lot_size + LOT_ROUNDING) * options.lot_size
        return units

    def units_bought_by(self, budget: float, fill_price: float) -> float:
        options = self.options
        units = (budget - options.fixed) / (fill_price * (1.0 + options.rate) + options.per_unit)
        if self.charge(units, fill_price) < options.minimum:
            units = (budget - options.minimum) / fill_price
        return units

    def charge(self, units: float, fill_price: float) -> float:
        """The commission but for its minimum."""
        return self.options.rate * (units * fill_price) + self.options.per_unit * units + self.options.fixed

    def commission(self, units: float, fill_price: float) -> float:
        return max(self.options.minimum, self.charge(units, fill_price))

    def close_position(self, decided_at: int, i: int, price: float, reason: str) -> None:
        assert self.entry is not None
        options = self.options
        sign = 1.0 if self.units > 0 else -1.0
        slippage = 0.0 if reason == "target" else options.slippage
        fill_price = price * (1.0 - sign * slippage)
        commission = self.commission(abs(self.units), fill_price)
        self.cash = self.cash + self.units * fill_price - commission
        slippage_paid = abs(self.units) * price * slippage
        order = Order(decided_at, i, -self.units, fill_price, commission, slippage_paid, reason)
        self.orders.append(order)
        self.trades.append(Trade.between(self.entry, order, self.borrow_paid - self.borrow_before_entry))
        self.units, self.entry = 0.0, None

    def test_exits(self, i: int) -> None:
        """Stop, trailing stop, target: the section's four tests, for a short position with every price mirrored."""
        assert self.entry is not None
        sign = 1.0 if self.units > 0 else -1.0
        levels = (self.signals.stop, self.signals.trail, self.signals.target)
        stop, trail, target = (values[self.entry_row] for values in levels)
        stop_level = sign * self.entry.price * (1.0 - sign * stop) if stop > 0 else -math.inf
        trail_level = sign * self.best * (1.0 - sign * trail) if trail > 0 else -math.inf
        target_level = sign * self.entry.price * (1.0 + sign * target) if target > 0 else math.inf
        protective = max(stop_level, trail_level)
        reason = "stop" if stop_level >= trail_level else "trail"
        if sign > 0:
            open_price, worst, best = self.bars.open[i], self.bars.low[i], self.bars.high[i]
        else:
            open_price, worst, best = -self.bars.open[i], -self.bars.high[i], -self.bars.low[i]
        if at_or_below(open_price, protective):
            self.close_position(i, i, self.bars.open[i], reason)
        elif at_or_above(open_price, target_level):
            self.close_position(i, i, self.bars.open[i], "target")
        elif at_or_below(worst, protective):
            self.close_position(i, i, sign * protective, reason)
        elif at_or_above(best, target_level):
            self.close_position(i, i, sign * target_level, "target")
        else:
            self.best = sign * max(sign * self.best, best)

    def check_ruin(self, i: int) -> None:
        if self.value(i) > TOLERANCE * abs(self.units) * self.bars.close[i]:
            return
        if self.units != 0:
            self.close_position(i, i, self.bars.close[i], "ruin")
        self.ruined_at, self.wish = i, None


def at_or_below(price: float, level: float) -> bool:
    """A touch, within 1e-12 of the level; a level of minus infinity (none) is never touched."""
    return math.isfinite(level) and price <= level + TOLERANCE * abs(level)


def at_or_above(price: float, level: float) -> bool:
    return math.isfinite(level) and price >= level - TOLERANCE * abs(level)
