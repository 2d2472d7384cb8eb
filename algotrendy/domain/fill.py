"""A fill: one execution of a part of an order, as the venue told it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from algotrendy.domain.money import Rates, Sign, as_decimal, exactly
from algotrendy.errors import InputError

__all__ = ["Fill", "Side"]


class Side(StrEnum):
    """Which way an order or a fill goes."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """1 for a purchase, -1 for a sale."""
        return 1 if self is Side.BUY else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution.

    Attributes
    ----------
    execution_id : str
        The venue's name of the execution; the same id again is a repetition or a correction.
    instrument : str
        `Instrument.id`, or whatever name the portfolio uses throughout.
    side : Side
        "BUY" or "SELL".
    quantity : Decimal
        In units of the instrument, always > 0.
    price : Decimal
        In `currency` per unit. It may be negative, as that of oil futures was in April 2020.
    filled_at : datetime
        With a time zone.
    commission : Decimal
        Paid, in `currency`; below 0 is a rebate.
    currency : str
        What price and commission are in.
    multiplier : Decimal
        The value of one unit at a price of 1.
    client_order_id : str or None
        Of the order that it belongs to.

    Raises
    ------
    InputError
        If a number or the time is not as said above.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> fill = Fill(execution_id="f1", instrument="ACME", side="BUY", quantity=40, price="10.50", commission=1,
    ...             filled_at=datetime(2024, 1, 2, 15, tzinfo=UTC))
    >>> fill.signed_quantity, fill.cash
    (Decimal('40'), Decimal('-421.00'))
    """

    execution_id: str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal
    filled_at: datetime.datetime
    commission: Decimal = Decimal(0)
    currency: str = "USD"
    multiplier: Decimal = Decimal(1)
    client_order_id: str | None = None

    def __post_init__(self) -> None:
        what = f"of fill {self.execution_id}"
        try:
            object.__setattr__(self, "side", Side(self.side))
        except ValueError as error:
            raise InputError(f"the side {what} is {self.side!r}, expected BUY or SELL") from error
        for name, sign in _NUMBERS.items():
            object.__setattr__(self, name, as_decimal(getattr(self, name), f"{name} {what}", sign))
        if self.filled_at.utcoffset() is None:
            raise InputError(f"filled_at {what} is {self.filled_at}: it has no time zone; expected one, such as UTC")

    @property
    def signed_quantity(self) -> Decimal:
        """Above 0 for a purchase, below for a sale."""
        return self.quantity if self.side is Side.BUY else -self.quantity

    @property
    @exactly
    def gross(self) -> Decimal:
        """Cash that the trade itself brings: below 0 for a purchase."""
        return -self.signed_quantity * self.price * self.multiplier

    @property
    @exactly
    def cash(self) -> Decimal:
        """Cash that it brings after the commission: below 0 for a purchase."""
        return self.gross - self.commission

    @exactly
    def converted(self, rates: Rates) -> Fill:
        """Return the fill in the base currency of `rates`, those of its day.

        Tax is reckoned in one currency: what was paid at the rate of the purchase, what was received at that of the
        sale.

        Raises
        ------
        InputError
            If there is no rate, or the converted price has more than 18 decimals.
        """
        rate = rates.of(self.currency)
        return replace(self, price=self.price * rate, commission=self.commission * rate, currency=rates.base)


_NUMBERS: dict[str, Sign] = {"quantity": "positive", "price": "any", "commission": "any", "multiplier": "positive"}
