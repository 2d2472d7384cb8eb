"""The sums over a book that limits look at, kept up to date when an order begins or ceases to wait.

Open orders may be filled in any order and any part, so a row has a lowest position (all sells filled, no buys) and a
highest one (all buys, no sells). Limits on size look at the worse of the two.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from algotrendy.errors import InputError

if TYPE_CHECKING:
    from algotrendy.risk.limits.book import BookView, Exposure, ProposedOrder

__all__ = ["BookTotals", "Row"]

_ZERO = Decimal(0)


class Row:
    """One instrument: units held, bounds of what open orders may make of it, and what a unit is worth."""

    __slots__ = ("beta", "high", "lot_size", "low", "price", "quantity", "scale", "sector", "unit", "volume", "worst")

    def __init__(self, exposure: Exposure) -> None:
        self.quantity = exposure.quantity
        self.price = exposure.price
        self.scale = exposure.multiplier * exposure.rate
        self.unit = exposure.price * self.scale
        self.low = exposure.quantity - exposure.pending_sells
        self.high = exposure.quantity + exposure.pending_buys
        self.worst = max(abs(self.low), abs(self.high))
        self.sector, self.beta, self.volume, self.lot_size = (
            exposure.sector, exposure.beta, exposure.volume, exposure.lot_size,
        )  # fmt: skip

    def order_value(self, order: ProposedOrder) -> Decimal:
        """Return what an order is worth in the book's currency: at its limit price or the row's, the higher one."""
        price = order.limit_price
        if price is None or price <= self.price:
            return order.quantity * self.unit
        return order.quantity * price * self.scale


class BookTotals:
    """Sums over the rows of a book, open orders at their worst.

    Attributes
    ----------
    rows : dict of str to Row
        By symbol.
    gross : Decimal
        Sum of the worst absolute values.
    net_low, net_high : Decimal
        Sum of values if all open sells are filled and no buy, and the other way round.
    beta_low, beta_high : Decimal
        The same, times beta, over the rows whose beta is known.
    unknown_betas : set of str
        Symbols of the other rows that are not empty.
    sectors : dict of str to Decimal
        Gross value by sector.
    pending_cost : Decimal
        What open buys cost.
    traded_value : Decimal
        Fills of the day, and open orders.
    estimates, pending_estimates : RiskEstimates or None
        Of the positions, and of the positions with all open orders filled.
    """

    def __init__(self, book: BookView) -> None:
        self.state, self.equity, self.cash = book.state, book.equity, book.cash
        self.day_open_equity, self.peak_equity = book.day_open_equity, book.peak_equity
        self.traded_value, self.as_of = book.traded_value, book.as_of
        self.orders_at = list(book.orders_at)
        self.estimates = self.pending_estimates = book.estimates
        self.rows: dict[str, Row] = {}
        self.sectors: dict[str, Decimal] = {}
        self.gross = self.net_low = self.net_high = self.pending_cost = _ZERO
        self.beta_low = self.beta_high = _ZERO
        self.unknown_betas: set[str] = set()
        for exposure in book.exposures:
            self._add(exposure)

    def _add(self, exposure: Exposure) -> None:
        row = self.rows[exposure.symbol] = Row(exposure)
        gross, low, high = row.worst * row.unit, row.low * row.unit, row.high * row.unit
        self.gross += gross
        self.net_low += low
        self.net_high += high
        if row.sector is not None:
            self.sectors[row.sector] = self.sectors.get(row.sector, _ZERO) + gross
        if row.beta is None:
            if row.worst:
                self.unknown_betas.add(exposure.symbol)
        else:
            first, second = row.beta * low, row.beta * high
            self.beta_low += min(first, second)
            self.beta_high += max(first, second)
        buys, sells = exposure.pending_buys, exposure.pending_sells
        self.pending_cost += buys * row.unit
        self.traded_value += (buys + sells) * row.unit
        if self.pending_estimates is not None and buys != sells:
            self.pending_estimates = self.pending_estimates.moved(exposure.symbol, float((buys - sells) * row.unit))

    def row(self, symbol: str) -> Row:
        """Return the row of an instrument."""
        try:
            return self.rows[symbol]
        except KeyError:
            raise InputError(
                f"the book has no row of {symbol}; add one with its price (quantity 0 if none is held)"
            ) from None

    def begin(self, order: ProposedOrder, at: datetime | None = None) -> None:
        """Let an order wait; with a moment it counts for the rate of orders, too."""
        self._shift(order, Decimal(1))
        if at is not None:
            insort(self.orders_at, at)

    def cease(self, order: ProposedOrder) -> None:
        """Let an order wait no longer; that it was sent still counts for the rate."""
        self._shift(order, Decimal(-1))

    def _shift(self, order: ProposedOrder, way: Decimal) -> None:
        row = self.row(order.symbol)
        units, is_buy = way * order.quantity, order.side == "BUY"
        value, cost = units * row.unit, way * row.order_value(order)
        before = row.worst
        if is_buy:
            row.high += units
            self.net_high += value
            self.pending_cost += cost
        else:
            row.low -= units
            self.net_low -= value
        row.worst = max(abs(row.low), abs(row.high))
        growth = (row.worst - before) * row.unit
        self.gross += growth
        self.traded_value += cost
        if row.sector is not None:
            self.sectors[row.sector] += growth
        if row.beta is None:
            (self.unknown_betas.add if row.worst else self.unknown_betas.discard)(order.symbol)
        elif is_buy == (row.beta >= 0):  # of a negative beta a buy lowers the sum
            self.beta_high += abs(row.beta) * value
        else:
            self.beta_low -= abs(row.beta) * value
        if self.pending_estimates is not None:
            signed = float(value if is_buy else -value)
            self.pending_estimates = self.pending_estimates.moved(order.symbol, signed)

    def orders_since(self, seconds: float) -> int:
        """Return how many orders were sent in the last seconds."""
        if self.as_of is None:
            raise InputError("the book does not say which moment it is of; give it as_of=")
        return len(self.orders_at) - bisect_right(self.orders_at, self.as_of - timedelta(seconds=seconds))
