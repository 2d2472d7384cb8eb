"""A tax lot, what becomes of it when it is closed, and the order in which lots are closed."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from algotrendy.domain.money import as_decimal, exactly, quotient, share
from algotrendy.errors import InputError
from algotrendy.portfolio.tax import TaxRules

__all__ = ["Closing", "Disposal", "Lot", "LotMethod", "choose_lots", "pooled"]


class LotMethod(StrEnum):
    """Which lots are closed first."""

    FIFO = "fifo"
    """The oldest."""
    LIFO = "lifo"
    """The newest."""
    HIFO = "hifo"
    """Those that realise least: the dearest of a long position, the cheapest sales of a short one."""
    SPECIFIC = "specific"
    """Those that are named with their quantities."""
    AVERAGE = "average"
    """The oldest, after the cost of all has been spread evenly over all units."""
    MINIMUM_TAX = "minimum_tax"
    """Those with the least tax per unit, a loss counting as negative tax; needs `TaxRules`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Units that were opened by one fill and have one cost and one date.

    Attributes
    ----------
    lot_id : str
        `opened_by`. A part that became the replacement of a wash sale is a lot of its own, with `#w` and a number.
    opened_by : str
        The execution that opened it.
    instrument : str
        As in the fill.
    quantity : Decimal
        Above 0 long, below 0 short; never 0.
    cost : Decimal
        What was paid with commission, or, for a short lot, what was received less commission, below 0. So value less
        cost is the unrealised gain of both.
    opened_on : date
        The day of the fill, in the book's time zone.
    held_since : date
        From where the holding period is counted; earlier than `opened_on` after a wash sale.
    currency : str
        Of the cost.
    multiplier : Decimal
        The value of one unit at a price of 1.
    adjustment : Decimal
        How much of the cost is disallowed loss of wash sales.
    replaces : tuple of str
        The disposals whose loss it took over.
    """

    lot_id: str
    opened_by: str
    instrument: str
    quantity: Decimal
    cost: Decimal
    opened_on: datetime.date
    held_since: datetime.date
    currency: str
    multiplier: Decimal = Decimal(1)
    adjustment: Decimal = Decimal(0)
    replaces: tuple[str, ...] = ()

    @property
    def is_short(self) -> bool:
        """Whether it was opened by a sale."""
        return self.quantity < 0

    @property
    def unit_cost(self) -> Decimal:
        """Cost per unit, as a price, with 28 digits."""
        return quotient(quotient(self.cost, self.quantity), self.multiplier)

    @exactly
    def unrealised(self, price: Decimal) -> Decimal:
        """Return what closing it at a price would realise, before commission."""
        return self.quantity * price * self.multiplier - self.cost

    def gain_per_unit(self, price: Decimal) -> Decimal:
        """Return the gain of closing one unit at a price, before commission, with 28 digits."""
        return quotient(self.unrealised(price), abs(self.quantity))

    @exactly
    def cut(self, quantity: Decimal) -> tuple[Lot, Lot | None]:
        """Return the part with so many units (above 0), and what is left; the costs of both add up to this one's."""
        size = abs(self.quantity)
        if quantity == size:
            return self, None
        units = quantity if self.quantity > 0 else -quantity
        cost, adjustment = share(self.cost, quantity, size), share(self.adjustment, quantity, size)
        part = replace(self, quantity=units, cost=cost, adjustment=adjustment)
        return part, replace(
            self, quantity=self.quantity - units, cost=self.cost - cost, adjustment=self.adjustment - adjustment
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposal:
    """A lot, or a part of one, that was closed: one row of a tax report.

    Attributes
    ----------
    disposal_id : str
        Execution id and lot id.
    lot : Lot
        What was closed, with its cost.
    closed_on : date
        The day of the closing fill.
    cash : Decimal
        What closing brought after commission; below 0 for a short lot, which is bought back.
    disallowed : Decimal
        The part of a loss that a wash sale forbids to deduct, >= 0. It went into the cost of `replaced_by`.
    replaced_by : tuple of str
        The lots that took the loss over.
    """

    disposal_id: str
    lot: Lot
    closed_on: datetime.date
    cash: Decimal
    disallowed: Decimal = Decimal(0)
    replaced_by: tuple[str, ...] = ()

    @property
    def proceeds(self) -> Decimal:
        """What the sale brought, be it the first or the last of the two trades."""
        return -self.lot.cost if self.lot.is_short else self.cash

    @property
    def cost(self) -> Decimal:
        """What the purchase took, be it the first or the last of the two trades."""
        return -self.cash if self.lot.is_short else self.lot.cost

    @property
    @exactly
    def gain(self) -> Decimal:
        """Proceeds less cost, before any loss is disallowed."""
        return self.cash - self.lot.cost

    @property
    @exactly
    def taxable_gain(self) -> Decimal:
        """The gain with the disallowed part of a loss added back."""
        return self.gain + self.disallowed

    def is_long_term(self, rules: TaxRules) -> bool:
        """Return whether it was held long enough; a short lot never is."""
        return not self.lot.is_short and rules.is_long_term(self.lot.held_since, self.closed_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What has to be known to choose lots.

    Attributes
    ----------
    quantity : Decimal
        Units to close, above 0.
    price : Decimal
        At which.
    on : date
        The day, which decides what is long-term.
    method : LotMethod
        Which lots first.
    rules : TaxRules or None
        Needed by the method "minimum_tax".
    named : mapping of str to Decimal or None
        Lot id to quantity, for the method "specific".
    """

    quantity: Decimal
    price: Decimal
    on: datetime.date
    method: LotMethod
    rules: TaxRules | None = None
    named: Mapping[str, Decimal] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantity", as_decimal(self.quantity, "the quantity to close", "positive"))
        object.__setattr__(self, "price", as_decimal(self.price, "the price of a closing"))


def choose_lots(lots: Sequence[Lot], closing: Closing) -> list[tuple[Lot, Decimal]]:
    """Return which lots are closed, in order, with the units (above 0) of each.

    Ties go to the older lot. Under "minimum_tax" the tax of a unit is its gain times the rate of its term, so the
    choice is the one with the least total tax as long as gains are taxed and losses deducted at these rates.

    Parameters
    ----------
    lots : sequence of Lot
        All of one instrument and one direction, oldest first.
    closing : Closing
        How much, at what price, when and how.

    Returns
    -------
    list of (Lot, Decimal)
        Quantities sum to that of `closing`.

    Raises
    ------
    InputError
        If fewer units are held, the rules are missing, or named lots do not fit.
    """
    held = sum((abs(lot.quantity) for lot in lots), Decimal(0))
    if closing.quantity > held:
        raise InputError(f"{closing.quantity} units are to be closed, only {held} are held")
    if closing.method is LotMethod.SPECIFIC or closing.named is not None:
        return _named(lots, closing)
    chosen, left = [], closing.quantity
    for lot in _in_order(lots, closing):
        if left == 0:
            break
        taken = min(left, abs(lot.quantity))
        chosen.append((lot, taken))
        left -= taken
    return chosen


def _in_order(lots: Sequence[Lot], closing: Closing) -> list[Lot]:
    oldest_first = list(lots)
    match closing.method:
        case LotMethod.LIFO:
            return oldest_first[::-1]
        case LotMethod.HIFO:
            return sorted(oldest_first, key=lambda lot: lot.gain_per_unit(closing.price))
        case LotMethod.MINIMUM_TAX:
            rules = closing.rules
            if rules is None:
                raise InputError('the method "minimum_tax" needs tax rules: pass rules=TaxRules(...)')
            return sorted(oldest_first, key=lambda lot: tax_per_unit(lot, closing.price, closing.on, rules))
        case _:
            return oldest_first


def tax_per_unit(lot: Lot, price: Decimal, on: datetime.date, rules: TaxRules) -> Decimal:
    """Return the tax on closing one unit of a lot; below 0 for a loss."""
    is_long_term = not lot.is_short and rules.is_long_term(lot.held_since, on)
    return lot.gain_per_unit(price) * rules.rate(is_long_term)


def _named(lots: Sequence[Lot], closing: Closing) -> list[tuple[Lot, Decimal]]:
    by_id = {lot.lot_id: lot for lot in lots}
    if not closing.named:
        raise InputError(f'the method "specific" needs lots={{lot id: quantity}}; held: {", ".join(by_id)}')
    chosen = []
    for lot_id, given in closing.named.items():
        quantity = as_decimal(given, f"the quantity of lot {lot_id}", "positive")
        if lot_id not in by_id:
            raise InputError(f"there is no lot {lot_id}; held: {', '.join(by_id)}")
        if quantity > abs(by_id[lot_id].quantity):
            raise InputError(f"{quantity} units of lot {lot_id} are named, it has {abs(by_id[lot_id].quantity)}")
        chosen.append((by_id[lot_id], quantity))
    total = sum((quantity for _, quantity in chosen), Decimal(0))
    if total != closing.quantity:
        raise InputError(f"the named lots have {total} units, the fill closes {closing.quantity}")
    return chosen


@exactly
def pooled(lots: Sequence[Lot]) -> tuple[Lot, ...]:
    """Return the lots with the cost of all spread evenly over all units, exactly: sums stay as they were."""
    size = sum((lot.quantity for lot in lots), Decimal(0))
    cost = sum((lot.cost for lot in lots), Decimal(0))
    adjustment = sum((lot.adjustment for lot in lots), Decimal(0))
    found, units, given, adjusted = [], Decimal(0), Decimal(0), Decimal(0)
    for lot in lots:
        units += lot.quantity  # shares of the running total, so that roundings do not add up
        upto, upto_adjusted = share(cost, units, size), share(adjustment, units, size)
        found.append(replace(lot, cost=upto - given, adjustment=upto_adjusted - adjusted))
        given, adjusted = upto, upto_adjusted
    return tuple(found)
