"""What each kind of limit measures: one small function of a trial, the book as it would be with the order in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from algotrendy.errors import InputError
from algotrendy.risk.limits.limit import LimitKind

if TYPE_CHECKING:
    from algotrendy.risk.limits.book import ProposedOrder
    from algotrendy.risk.limits.estimates import RiskEstimates
    from algotrendy.risk.limits.limit import Limit
    from algotrendy.risk.limits.totals import BookTotals

__all__ = ["KINDS", "Kind", "Trial"]

_ZERO = Decimal(0)
_INFINITE = Decimal("Infinity")


class Trial:
    """A book with one more open order; with a quantity of zero the book as it is."""

    __slots__ = (
        "_change", "equity", "growth", "high", "is_buy", "low", "order", "position_value", "quantity", "row", "totals",
        "units_value", "value", "worst",
    )  # fmt: skip

    def __init__(self, order: ProposedOrder, totals: BookTotals, quantity: Decimal) -> None:
        row = totals.row(order.symbol)
        unit = row.unit
        self.order, self.totals, self.row, self.quantity = order, totals, row, quantity
        self.equity = totals.equity
        self.is_buy = is_buy = order.side == "BUY"
        low, high = row.low, row.high
        if is_buy:
            high += quantity
        else:
            low -= quantity
        self.low, self.high = low, high
        self.worst = worst = high if high >= -low else -low  # the larger absolute value, since low <= high
        self.position_value = worst * unit
        self.growth = (worst - row.worst) * unit
        self.units_value = self.value = quantity * unit
        price = order.limit_price
        if price is not None and price > row.price:
            self.value = quantity * price * row.scale
        self._change: float | None = None

    @property
    def closes(self) -> bool:
        """Whether the order, filled after all others that wait, only makes the position smaller."""
        return self.quantity <= (-self.row.high if self.is_buy else self.row.low)

    def of_equity(self, value: Decimal) -> Decimal:
        """Return a value as a fraction of the equity; infinite where there is none."""
        if self.equity > 0:
            return value / self.equity
        return _INFINITE if value else _ZERO

    @property
    def change(self) -> float:
        """What the order, filled, adds to the value of the position, for estimates of risk."""
        if self._change is None:
            self._change = float(self.units_value if self.is_buy else -self.units_value)
        return self._change


Measure: TypeAlias = Callable[[Trial, "Limit"], Decimal | float]


def _position(trial: Trial, _: Limit) -> Decimal:
    return trial.worst


def _position_value(trial: Trial, _: Limit) -> Decimal:
    return trial.position_value


def _concentration(trial: Trial, _: Limit) -> Decimal:
    return trial.of_equity(trial.position_value)


def _sector(trial: Trial, _: Limit) -> Decimal:
    sector = trial.row.sector
    if sector is None:
        return trial.of_equity(trial.position_value)
    return trial.of_equity(trial.totals.sectors[sector] + trial.growth)


def _gross_leverage(trial: Trial, _: Limit) -> Decimal:
    return trial.of_equity(trial.totals.gross + trial.growth)


def _net_leverage(trial: Trial, _: Limit) -> Decimal:
    low, high = trial.totals.net_low, trial.totals.net_high
    if trial.is_buy:
        high += trial.units_value
    else:
        low -= trial.units_value
    return trial.of_equity(high if high >= -low else -low)


def _beta(trial: Trial, _: Limit) -> Decimal:
    totals, beta = trial.totals, trial.row.beta
    if totals.unknown_betas or beta is None:
        unknown = totals.unknown_betas or {trial.order.symbol}
        raise InputError(f"the beta of {', '.join(sorted(unknown))} is not known; give it to the rows of the book")
    low, high = totals.beta_low, totals.beta_high
    if trial.is_buy == (beta >= 0):
        high += abs(beta) * trial.units_value
    else:
        low -= abs(beta) * trial.units_value
    return trial.of_equity(high if high >= -low else -low)


def _estimated(trial: Trial, name: str) -> float:
    change = trial.change
    first, second = trial.totals.estimates, trial.totals.pending_estimates
    if first is None or second is None:
        raise InputError(f"the book has no estimates, so nobody knows its {name}; give it estimates=")
    found = _estimate(first, name, trial.order.symbol, change)
    if second is first:
        return found
    return max(found, _estimate(second, name, trial.order.symbol, change))


def _estimate(estimates: RiskEstimates, name: str, symbol: str, change: float) -> float:
    found: float = getattr(estimates, name)(symbol, change)
    if math.isnan(found):
        raise InputError(f"the {name} of the book with {symbol} is NaN; look at the returns it was estimated from")
    return found


def _value_at_risk(trial: Trial, _: Limit) -> float:
    return _estimated(trial, "value_at_risk")


def _expected_shortfall(trial: Trial, _: Limit) -> float:
    return _estimated(trial, "expected_shortfall")


def _borrowing(trial: Trial, _: Limit) -> Decimal:
    cash = trial.totals.cash
    if cash is None:
        raise InputError("the book does not say how much cash there is; give it cash=")
    left = cash - trial.totals.pending_cost
    if trial.is_buy:
        left -= trial.value
    return trial.of_equity(-left) if left < 0 else _ZERO


def _long_only(trial: Trial, _: Limit) -> Decimal:
    return -trial.low if trial.low < 0 else _ZERO


def _order_quantity(trial: Trial, _: Limit) -> Decimal:
    return trial.quantity


def _order_value(trial: Trial, _: Limit) -> Decimal:
    return trial.value


def _order_size(trial: Trial, _: Limit) -> Decimal:
    return trial.of_equity(trial.value)


def _turnover(trial: Trial, _: Limit) -> Decimal:
    return trial.of_equity(trial.totals.traded_value + trial.value)


def _participation(trial: Trial, _: Limit) -> Decimal:
    row = trial.row
    if row.volume is None:
        raise InputError(f"the usual volume of {trial.order.symbol} is not known; give it to its row of the book")
    waiting = row.high - row.quantity if trial.is_buy else row.quantity - row.low
    return (waiting + trial.quantity) / row.volume


def _price_collar(trial: Trial, _: Limit) -> Decimal:
    price = trial.order.limit_price
    if price is None:
        return _ZERO
    away = price - trial.row.price
    if not trial.is_buy:
        away = -away
    return away / trial.row.price if away > 0 else _ZERO


def _order_rate(trial: Trial, limit: Limit) -> Decimal:
    assert limit.seconds is not None
    return Decimal(trial.totals.orders_since(limit.seconds) + 1)


def _restricted(trial: Trial, _: Limit) -> Decimal:
    return Decimal(1)  # the limit covers the symbols of the list alone


def _daily_loss(trial: Trial, _: Limit) -> Decimal:
    return _loss(trial.totals.equity, trial.totals.day_open_equity, "day_open_equity")


def _drawdown(trial: Trial, _: Limit) -> Decimal:
    return _loss(trial.totals.equity, trial.totals.peak_equity, "peak_equity")


def _loss(equity: Decimal, start: Decimal | None, name: str) -> Decimal:
    if start is None or start <= 0:
        raise InputError(f"the book says {name}={start}; give it the equity that the loss is measured from")
    return (start - equity) / start if equity < start else _ZERO


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of limit is measured.

    Attributes
    ----------
    measure : callable
        Of a trial and the limit.
    is_exposure : bool
        Whether an order that does not raise the value is allowed although the value is too high already.
    unit : str
        Of the value.
    is_float : bool
        Whether the value is an estimate, not money.
    """

    measure: Measure
    is_exposure: bool
    unit: str
    is_float: bool = False


_OF_EQUITY = "fraction of equity"

KINDS: dict[LimitKind, Kind] = {
    LimitKind.POSITION: Kind(_position, True, "units"),
    LimitKind.POSITION_VALUE: Kind(_position_value, True, "currency"),
    LimitKind.CONCENTRATION: Kind(_concentration, True, _OF_EQUITY),
    LimitKind.SECTOR: Kind(_sector, True, _OF_EQUITY),
    LimitKind.GROSS_LEVERAGE: Kind(_gross_leverage, True, _OF_EQUITY),
    LimitKind.NET_LEVERAGE: Kind(_net_leverage, True, _OF_EQUITY),
    LimitKind.BETA: Kind(_beta, True, _OF_EQUITY),
    LimitKind.VALUE_AT_RISK: Kind(_value_at_risk, True, _OF_EQUITY, is_float=True),
    LimitKind.EXPECTED_SHORTFALL: Kind(_expected_shortfall, True, _OF_EQUITY, is_float=True),
    LimitKind.BORROWING: Kind(_borrowing, True, _OF_EQUITY),
    LimitKind.LONG_ONLY: Kind(_long_only, True, "units short"),
    LimitKind.ORDER_QUANTITY: Kind(_order_quantity, False, "units"),
    LimitKind.ORDER_VALUE: Kind(_order_value, False, "currency"),
    LimitKind.ORDER_SIZE: Kind(_order_size, False, _OF_EQUITY),
    LimitKind.TURNOVER: Kind(_turnover, False, _OF_EQUITY),
    LimitKind.PARTICIPATION: Kind(_participation, False, "fraction of the usual volume"),
    LimitKind.PRICE_COLLAR: Kind(_price_collar, False, "fraction of the price"),
    LimitKind.ORDER_RATE: Kind(_order_rate, False, "orders"),
    LimitKind.RESTRICTED: Kind(_restricted, False, "1: on the list"),
    LimitKind.DAILY_LOSS: Kind(_daily_loss, False, "fraction of the day's first equity"),
    LimitKind.DRAWDOWN: Kind(_drawdown, False, "fraction of the highest equity"),
}
"""Every kind, and how it is measured."""
