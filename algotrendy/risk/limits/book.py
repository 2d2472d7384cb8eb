"""What a limit looks at: an order that somebody wants to send, and the book that it would change.

Both are views: plain facts at one moment, made by whoever keeps positions and prices. Money is in decimals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from algotrendy.errors import InputError

if TYPE_CHECKING:
    from algotrendy.risk.limits.estimates import RiskEstimates
    from algotrendy.risk.limits.totals import BookTotals

__all__ = ["BookView", "Exposure", "ProposedOrder", "Side", "TradingState", "decimal_of"]

Side: TypeAlias = Literal["BUY", "SELL"]
Number: TypeAlias = Decimal | int | str | float

_ZERO = Decimal(0)


class TradingState(StrEnum):
    """What a portfolio may send. ACTIVE: what its limits allow. REDUCING: only what closes. HALTED: nothing."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedOrder:
    """An order before it is sent.

    Attributes
    ----------
    symbol : str
        What is traded; the book has a row of it.
    side : {"BUY", "SELL"}
        Which way.
    quantity : Decimal
        In units of the instrument, > 0. Numbers are turned into Decimal.
    limit_price : Decimal or None
        In the currency of the instrument; None: at the market.
    client_order_id : str or None
        Ours, made once: it makes a repeated reservation the same reservation.

    Examples
    --------
    >>> ProposedOrder(symbol="AAPL", side="BUY", quantity=100).quantity
    Decimal('100')
    """

    symbol: str
    side: Side
    quantity: Decimal
    limit_price: Decimal | None = None
    client_order_id: str | None = None

    def __post_init__(self) -> None:
        if self.side not in ("BUY", "SELL"):
            raise InputError(f'side of an order in {self.symbol} is {self.side!r}; expected "BUY" or "SELL"')
        object.__setattr__(self, "quantity", decimal_of("quantity", self.quantity, above=_ZERO))
        if self.limit_price is not None:
            object.__setattr__(self, "limit_price", decimal_of("limit_price", self.limit_price, above=_ZERO))

    def resized(self, quantity: Decimal) -> ProposedOrder:
        """Return the same order for another quantity."""
        return replace(self, quantity=quantity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One instrument in a book: what is held of it, what waits to be filled, and what it is worth. It may be zero.

    Attributes
    ----------
    symbol : str
        The instrument.
    quantity : Decimal
        Units held; negative is short.
    price : Decimal
        The price that a position is valued at, in the instrument's currency, > 0.
    multiplier : Decimal
        The value of one unit at a price of 1, > 0.
    rate : Decimal
        Units of the book's currency for one of the instrument's, > 0.
    lot_size : Decimal
        The step of quantities, > 0.
    sector : str or None
        For limits on sectors; None: no sector of its own.
    beta : Decimal or None
        Against the market of the beta limit; None: not known, and a beta limit cannot be checked.
    volume : Decimal or None
        Units traded in a usual day, > 0, for limits on participation.
    pending_buys, pending_sells : Decimal
        Units of open orders that are not filled yet, >= 0.

    Examples
    --------
    >>> Exposure(symbol="ES", quantity=-2, price=5000, multiplier=50).value
    Decimal('-500000')
    """

    symbol: str
    quantity: Decimal = _ZERO
    price: Decimal
    multiplier: Decimal = Decimal(1)
    rate: Decimal = Decimal(1)
    lot_size: Decimal = Decimal(1)
    sector: str | None = None
    beta: Decimal | None = None
    volume: Decimal | None = None
    pending_buys: Decimal = _ZERO
    pending_sells: Decimal = _ZERO

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "quantity", decimal_of("quantity", self.quantity))
        for name in ("price", "multiplier", "rate", "lot_size"):
            put(self, name, decimal_of(f"{name} of {self.symbol}", getattr(self, name), above=_ZERO))
        for name in ("pending_buys", "pending_sells"):
            put(self, name, decimal_of(f"{name} of {self.symbol}", getattr(self, name), least=_ZERO))
        if self.beta is not None:
            put(self, "beta", decimal_of(f"beta of {self.symbol}", self.beta))
        if self.volume is not None:
            put(self, "volume", decimal_of(f"volume of {self.symbol}", self.volume, above=_ZERO))

    @property
    def unit_value(self) -> Decimal:
        """What one unit is worth, in the book's currency."""
        return self.price * self.multiplier * self.rate

    @property
    def value(self) -> Decimal:
        """What the position is worth, in the book's currency; negative is short."""
        return self.quantity * self.unit_value


@dataclass(frozen=True, kw_only=True)
class BookView:
    """A portfolio at one moment, as its limits see it.

    Attributes
    ----------
    equity : Decimal
        Cash and positions together, in the book's currency.
    exposures : tuple of Exposure
        One row for each instrument that is held, has open orders, or is about to be traded. Any iterable is taken.
    cash : Decimal or None
        For a limit on borrowing.
    day_open_equity : Decimal or None
        The equity with which the day began, for a limit on the loss of the day.
    peak_equity : Decimal or None
        The highest equity so far, for a limit on the drawdown.
    traded_value : Decimal
        The value of all fills of the day, >= 0, for a limit on turnover.
    orders_at : tuple of datetime
        When the last orders were sent, oldest first, for a limit on the rate of orders.
    as_of : datetime or None
        The moment, in UTC; needed by a limit on the rate of orders.
    state : TradingState
        What the portfolio may send.
    estimates : RiskEstimates or None
        Tells the VaR and ES of the book with a change; made for the positions, open orders left out.

    Examples
    --------
    >>> book = BookView(equity=100_000, exposures=[Exposure(symbol="AAPL", quantity=100, price=200)])
    >>> book.row("AAPL").value / book.equity
    Decimal('0.2')
    """

    equity: Decimal
    exposures: tuple[Exposure, ...] = ()
    cash: Decimal | None = None
    day_open_equity: Decimal | None = None
    peak_equity: Decimal | None = None
    traded_value: Decimal = _ZERO
    orders_at: tuple[datetime, ...] = ()
    as_of: datetime | None = None
    state: TradingState = TradingState.ACTIVE
    estimates: RiskEstimates | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "exposures", tuple(self.exposures))
        put(self, "orders_at", tuple(self.orders_at))
        put(self, "state", _state(self.state))
        for name in ("equity", "cash", "day_open_equity", "peak_equity", "traded_value"):
            value = getattr(self, name)
            if value is not None:
                put(self, name, decimal_of(name, value))
        seen: set[str] = set()
        for row in self.exposures:
            if row.symbol in seen:
                raise InputError(f"the book has two rows of {row.symbol}; add them up into one")
            seen.add(row.symbol)
        for moment in (*self.orders_at, *(() if self.as_of is None else (self.as_of,))):
            if moment.tzinfo is None:
                raise InputError(f"{moment.isoformat()} has no time zone; give it one: .replace(tzinfo=UTC)")

    def row(self, symbol: str) -> Exposure:
        """Return the row of an instrument.

        Raises
        ------
        InputError
            If the book has none.
        """
        for row in self.exposures:
            if row.symbol == symbol:
                return row
        raise InputError(f"the book has no row of {symbol}; add one with its price (quantity 0 if none is held)")

    def with_row(self, row: Exposure) -> BookView:
        """Return the book with a row in place of the one of the same symbol, or besides the others."""
        others = tuple(one for one in self.exposures if one.symbol != row.symbol)
        return replace(self, exposures=(*others, row))

    def with_pending(self, orders: Iterable[ProposedOrder]) -> BookView:
        """Return the book in which these orders wait to be filled, too."""
        book = self
        for order in orders:
            row = book.row(order.symbol)
            name = "pending_buys" if order.side == "BUY" else "pending_sells"
            book = book.with_row(replace(row, **{name: getattr(row, name) + order.quantity}))
        return book

    def filled(self, order: ProposedOrder) -> BookView:
        """Return the book after an order was filled at the price of its row: equity stays, cash and position move."""
        row = self.row(order.symbol)
        signed = order.quantity if order.side == "BUY" else -order.quantity
        change = signed * row.unit_value
        estimates = None if self.estimates is None else self.estimates.moved(order.symbol, float(change))
        return replace(
            self.with_row(replace(row, quantity=row.quantity + signed)),
            cash=None if self.cash is None else self.cash - change,
            traded_value=self.traded_value + abs(change),
            estimates=estimates,
        )

    @cached_property
    def totals(self) -> BookTotals:
        """The sums over the rows that limits look at, computed once; nobody changes them."""
        from algotrendy.risk.limits.totals import BookTotals

        return BookTotals(self)


def decimal_of(name: str, value: Any, *, above: Decimal | None = None, least: Decimal | None = None) -> Decimal:
    """Return a number as an exact decimal: a float as it is printed, so 0.1 is 0.1.

    Raises
    ------
    InputError
        If it is no finite number, or not in its range.

    Examples
    --------
    >>> decimal_of("price", 0.1)
    Decimal('0.1')
    """
    try:
        found = value if value.__class__ is Decimal else Decimal(str(value))
    except InvalidOperation:
        raise InputError(f"{name} is {value!r}, expected a number") from None
    if not found.is_finite():
        raise InputError(f"{name} is {found}, expected a finite number")
    if above is not None and found <= above:
        raise InputError(f"{name} is {found}, expected more than {above}")
    if least is not None and found < least:
        raise InputError(f"{name} is {found}, expected at least {least}")
    return found


def _state(state: str) -> TradingState:
    try:
        return TradingState(state)
    except ValueError:
        raise InputError(f"state is {state!r}; expected one of {', '.join(TradingState)}") from None
