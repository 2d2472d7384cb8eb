"""The limits again, plainly: sums over all rows each time, in fractions, one kind after the other.

Slow on purpose and written from the page on limits; it shares no arithmetic with `evaluate`, which has to agree.
Estimates of VaR and ES are asked for the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from algotrendy.errors import InputError
from algotrendy.risk.limits.book import BookView, Exposure, ProposedOrder
from algotrendy.risk.limits.limit import Limit

__all__ = ["approves", "closes", "measured", "most_approved"]

_EXPOSURES = {
    "position", "position_value", "concentration", "sector", "gross_leverage", "net_leverage", "beta",
    "value_at_risk", "expected_shortfall", "borrowing", "long_only",
}  # fmt: skip


def approves(order: ProposedOrder, book: BookView, limits: Iterable[Limit]) -> bool:
    """Return whether the order may be sent."""
    if book.state == "halted" or (book.state == "reducing" and not closes(order, book)):
        return False
    sector = book.row(order.symbol).sector
    for limit in limits:
        if limit.kind != "restricted" and limit.symbols and order.symbol not in limit.symbols:
            continue
        if limit.sectors and sector not in limit.sectors:
            continue
        after = measured(order, book, limit)
        is_kept = after <= Fraction(limit.limit) or (closes(order, book) and not limit.binds_closing)
        if not is_kept and limit.kind in _EXPOSURES and after != math.inf:
            is_kept = after <= measured(None, book, limit, order)
        if not is_kept:
            return False
    return True


def most_approved(order: ProposedOrder, book: BookView, limits: Iterable[Limit]) -> Decimal:
    """Return the order's quantity if it is approved, else the largest number of whole lots below it that is."""
    given = list(limits)
    if approves(order, book, given):
        return order.quantity
    lot = book.row(order.symbol).lot_size
    quantity = lot * (order.quantity // lot)
    while quantity > 0:
        if quantity < order.quantity and approves(order.resized(quantity), book, given):
            return quantity
        quantity -= lot
    return Decimal(0)


def closes(order: ProposedOrder, book: BookView) -> bool:
    """Return whether the order, filled last of all that wait on its side, leaves the position on its side of zero."""
    row = book.row(order.symbol)
    if order.side == "SELL":
        return row.quantity > 0 and order.quantity + row.pending_sells <= row.quantity
    return row.quantity < 0 and order.quantity + row.pending_buys <= -row.quantity


def measured(
    order: ProposedOrder | None, book: BookView, limit: Limit, about: ProposedOrder | None = None
) -> Fraction | float:
    """Return what a limit measures with the order among those that wait; without one, as the book is."""
    subject = order or about
    assert subject is not None
    with_order = book if order is None else book.with_pending([order])
    kind, row = str(limit.kind), with_order.row(subject.symbol)
    if kind in ("value_at_risk", "expected_shortfall"):
        return _estimate(kind, order, book, subject.symbol)
    if kind in ("order_quantity", "order_value", "order_size", "price_collar", "order_rate", "restricted"):
        return _of_the_order(kind, subject, book, limit)
    if kind in ("position", "position_value", "long_only", "participation"):
        return _of_the_row(kind, subject, row)
    if kind in ("daily_loss", "drawdown"):
        start = book.day_open_equity if kind == "daily_loss" else book.peak_equity
        if start is None:
            raise InputError(f"{kind} is measured from an equity that the book does not say")
        return max(1 - Fraction(book.equity) / Fraction(start), Fraction(0))
    return _share(_of_the_book(kind, order, with_order, row), book)


def _of_the_order(kind: str, order: ProposedOrder, book: BookView, limit: Limit) -> Fraction | float:
    row = book.row(order.symbol)
    if kind == "order_quantity":
        return Fraction(order.quantity)
    if kind == "restricted":
        return Fraction(order.symbol in limit.symbols)
    if kind == "order_rate":
        assert book.as_of is not None
        assert limit.seconds is not None
        since = book.as_of - timedelta(seconds=limit.seconds)
        return Fraction(sum(at > since for at in book.orders_at) + 1)
    if kind == "price_collar":
        if order.limit_price is None:
            return Fraction(0)
        away = Fraction(order.limit_price) / Fraction(row.price) - 1
        return max(away if order.side == "BUY" else -away, Fraction(0))
    value = _order_value(order, row)
    return value if kind == "order_value" else _share(value, book)


def _of_the_row(kind: str, order: ProposedOrder, row: Exposure) -> Fraction:
    low, high = _ends(row)
    if kind == "long_only":
        return max(-low, Fraction(0))
    if kind == "participation":
        assert row.volume is not None
        return Fraction(row.pending_buys if order.side == "BUY" else row.pending_sells) / Fraction(row.volume)
    return max(abs(low), abs(high)) * (1 if kind == "position" else _unit(row))


def _of_the_book(kind: str, order: ProposedOrder | None, book: BookView, row: Exposure) -> Fraction:
    if kind == "concentration":
        return _gross([row])
    if kind == "sector":
        return _gross([row] if row.sector is None else [one for one in book.exposures if one.sector == row.sector])
    if kind == "gross_leverage":
        return _gross(book.exposures)
    if kind == "net_leverage":
        ends = [[end * _unit(one) for end in _ends(one)] for one in book.exposures]
        return max(abs(sum((low for low, _ in ends), Fraction(0))), abs(sum((high for _, high in ends), Fraction(0))))
    if kind == "beta":
        ends = [sorted(end * _unit(one) * Fraction(one.beta or 0) for end in _ends(one)) for one in book.exposures]
        return max(abs(sum((low for low, _ in ends), Fraction(0))), abs(sum((high for _, high in ends), Fraction(0))))
    others = sum((Fraction(one.pending_buys) * _unit(one) for one in book.exposures), Fraction(0))
    trades = sum((Fraction(one.pending_buys + one.pending_sells) * _unit(one) for one in book.exposures), Fraction(0))
    dearer = Fraction(0) if order is None else _order_value(order, row) - Fraction(order.quantity) * _unit(row)
    if kind == "turnover":
        return Fraction(book.traded_value) + trades + dearer
    assert kind == "borrowing"
    assert book.cash is not None
    is_buy = order is not None and order.side == "BUY"
    return max(others + (dearer if is_buy else 0) - Fraction(book.cash), Fraction(0))


def _estimate(kind: str, order: ProposedOrder | None, book: BookView, symbol: str) -> float:
    assert book.estimates is not None
    change = 0.0
    if order is not None:
        change = float(order.quantity * book.row(symbol).unit_value) * (1 if order.side == "BUY" else -1)
    waiting = book.estimates
    for row in book.exposures:
        if row.pending_buys != row.pending_sells:
            waiting = waiting.moved(row.symbol, float((row.pending_buys - row.pending_sells) * row.unit_value))
    return max(float(getattr(one, kind)(symbol, change)) for one in (book.estimates, waiting))


def _unit(row: Exposure) -> Fraction:
    return Fraction(row.price) * Fraction(row.multiplier) * Fraction(row.rate)


def _ends(row: Exposure) -> tuple[Fraction, Fraction]:
    """Return the lowest and the highest position that the open orders can make."""
    return Fraction(row.quantity) - Fraction(row.pending_sells), Fraction(row.quantity) + Fraction(row.pending_buys)


def _gross(rows: Iterable[Exposure]) -> Fraction:
    return sum((max(abs(low), abs(high)) * _unit(row) for row in rows for low, high in [_ends(row)]), Fraction(0))


def _order_value(order: ProposedOrder, row: Exposure) -> Fraction:
    price = max(Fraction(row.price), Fraction(order.limit_price or 0))
    return Fraction(order.quantity) * price * Fraction(row.multiplier) * Fraction(row.rate)


def _share(value: Fraction, book: BookView) -> Fraction | float:
    if book.equity > 0:
        return value / Fraction(book.equity)
    return math.inf if value else Fraction(0)
