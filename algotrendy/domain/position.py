"""A position: a signed quantity at its average cost, and what it has realised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from algotrendy.domain.fill import Fill
from algotrendy.domain.money import as_decimal, exactly, quotient, share
from algotrendy.errors import InputError

if TYPE_CHECKING:
    from algotrendy.domain.corporate_action import CorporateAction

__all__ = ["Position"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How much of one instrument is held, and what it cost on average.

    A fill in the same direction adds to the cost. A fill against it keeps the average and realises the difference. One
    that crosses zero closes the position and opens the other at its price. Commissions are counted apart.

    Attributes
    ----------
    instrument : str
        `Instrument.id`, or whatever name is used throughout.
    quantity : Decimal
        Above 0 long, below 0 short, 0 flat.
    cost : Decimal
        Quantity times average cost times multiplier, with the sign of the quantity. It is kept rather than the
        average because it is exact: parts of it add up.
    realised : Decimal
        Gain of what was closed, before commissions.
    commission : Decimal
        All that was paid.
    currency : str
        What the amounts are in.
    multiplier : Decimal
        The value of one unit at a price of 1.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> noon = datetime(2024, 1, 2, 12, tzinfo=UTC)
    >>> bought = Position(instrument="ACME").with_fill(
    ...     Fill(execution_id="f1", instrument="ACME", side="BUY", quantity=100, price="10.30", filled_at=noon))
    >>> sold = bought.with_fill(
    ...     Fill(execution_id="f2", instrument="ACME", side="SELL", quantity=150, price=11, filled_at=noon))
    >>> sold.quantity, sold.average_cost, sold.realised
    (Decimal('-50'), Decimal('11'), Decimal('70.00'))
    """

    instrument: str
    quantity: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    realised: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    currency: str = "USD"
    multiplier: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantity", as_decimal(self.quantity, f"the quantity of {self.instrument}"))
        object.__setattr__(
            self, "multiplier", as_decimal(self.multiplier, f"the multiplier of {self.instrument}", "positive")
        )
        for name in ("cost", "realised", "commission"):
            value = getattr(self, name)
            if not (isinstance(value, Decimal) and value.is_finite()):
                object.__setattr__(self, name, as_decimal(value, f"{name} of {self.instrument}"))
        if self.quantity == 0 and self.cost != 0:
            raise InputError(f"{self.instrument} has a cost of {self.cost} but a quantity of 0")

    @classmethod
    @exactly
    def of(
        cls, instrument: str, quantity: Any, average_cost: Any, *, currency: str = "USD", multiplier: Any = 1
    ) -> Position:
        """Return a position from its quantity and its average cost per unit."""
        units = as_decimal(quantity, f"the quantity of {instrument}")
        factor = as_decimal(multiplier, f"the multiplier of {instrument}", "positive")
        cost = units * as_decimal(average_cost, f"the average cost of {instrument}") * factor
        return cls(instrument=instrument, quantity=units, cost=cost, currency=currency, multiplier=factor)

    @property
    @exactly
    def average_cost(self) -> Decimal | None:
        """Cost per unit, as a price, with 28 digits; None if nothing is held."""
        return quotient(self.cost, self.quantity * self.multiplier) if self.quantity else None

    @exactly
    def value(self, price: Decimal) -> Decimal:
        """Return what it is worth at a price: below 0 for a short position."""
        return self.quantity * price * self.multiplier

    @exactly
    def unrealised(self, price: Decimal) -> Decimal:
        """Return what closing at a price would realise."""
        return self.value(price) - self.cost

    @exactly
    def with_fill(self, fill: Fill) -> Position:
        """Return the position after a fill.

        Raises
        ------
        InputError
            If the fill is of another instrument, in another currency or of another multiplier.
        """
        if (fill.instrument, fill.currency, fill.multiplier) != (self.instrument, self.currency, self.multiplier):
            raise InputError(
                f"the fill {fill.execution_id} is of {fill.instrument} in {fill.currency} x {fill.multiplier}, "
                f"the position of {self.instrument} in {self.currency} x {self.multiplier}"
            )
        units, paid = fill.signed_quantity, -fill.gross
        after = replace(self, commission=self.commission + fill.commission)
        if self.quantity * units >= 0:
            return replace(after, quantity=self.quantity + units, cost=self.cost + paid)
        if abs(units) <= abs(self.quantity):
            left = share(self.cost, self.quantity + units, self.quantity)
            return replace(
                after, quantity=self.quantity + units, cost=left, realised=self.realised - paid - (self.cost - left)
            )
        closing = -self.quantity * fill.price * fill.multiplier
        return replace(
            after,
            quantity=self.quantity + units,
            cost=paid - closing,
            realised=self.realised - self.cost - closing,
        )

    @exactly
    def with_split(self, new: int, old: int) -> Position:
        """Return the position after a split of `new` units for each `old` ones; the cost stays."""
        return replace(self, quantity=split_quantity(self.quantity, new, old))

    def with_action(self, action: CorporateAction) -> Position:
        """Return the position after a corporate action of its instrument; a dividend changes nothing in it."""
        if not action.is_split:
            return self
        after = self.with_split(action.new, action.old)
        fill = action.fraction_sold(after)
        return after if fill is None else after.with_fill(fill)


def split_quantity(quantity: Decimal, new: int, old: int) -> Decimal:
    """Return a quantity after a split, rounded to 18 decimals.

    Raises
    ------
    InputError
        If `new` or `old` is not a whole number above 0.

    Examples
    --------
    >>> split_quantity(Decimal(100), 3, 2)
    Decimal('150')
    """
    for name, value in (("new", new), ("old", old)):
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            raise InputError(f"{name} units of a split are {value!r}, expected a whole number above 0: 4 new for 1 old")
    return share(quantity, Decimal(new), Decimal(old))
