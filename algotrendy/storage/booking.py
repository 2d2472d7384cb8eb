"""What trades and corporate actions make of an account: their order, positions, lots and what actions pay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy.domain.corporate_action import CorporateAction
from algotrendy.domain.fill import Fill
from algotrendy.domain.money import as_decimal, exactly
from algotrendy.domain.position import Position
from algotrendy.portfolio.lots import LotBook
from algotrendy.portfolio.tax import WashRule

__all__ = ["Booked", "Trade", "booked", "in_order", "lot_book", "named_lots", "with_trade"]


@dataclass(frozen=True, kw_only=True)
class Trade:
    """A fill with what the portfolio knows of it.

    Attributes
    ----------
    fill : Fill
        What was executed.
    strategy : str or None
        Who wanted it.
    asset_type : str
        Of the instrument: "stock", "etf", "crypto", ...
    lots : mapping of str to Decimal or None
        The lots that a sale closes, by id, where it names them.
    """

    fill: Fill
    strategy: str | None = None
    asset_type: str = "stock"
    lots: Mapping[str, Decimal] | None = None


@dataclass(frozen=True, kw_only=True)
class Booked:
    """One instrument after all that happened to it.

    Attributes
    ----------
    position : Position
    book : LotBook
        Its lots and all that was closed.
    last_fill_at : datetime
        When it was last traded.
    before : mapping of str to Position
        The position that each action found, by its id; an action that came before the first trade has none.
    """

    position: Position
    book: LotBook
    last_fill_at: datetime
    before: Mapping[str, Position]


def in_order(trades: Iterable[Trade], actions: Iterable[CorporateAction]) -> list[Trade | CorporateAction]:
    """Return what happened in the order of time: an action comes before the trades of its moment.

    Of one moment, trades keep the order in which they are given, and so do actions.
    """
    both: list[Trade | CorporateAction] = [*actions, *trades]
    return sorted(both, key=lambda one: one.fill.filled_at if isinstance(one, Trade) else one.effective_at)


def booked(trades: Sequence[Trade], actions: Iterable[CorporateAction], *, method: str, time_zone: str) -> Booked:
    """Return position, lots and what actions found, of the trades of one instrument: at least one."""
    first = trades[0].fill
    position = Position(instrument=first.instrument, currency=first.currency, multiplier=first.multiplier)
    kept, before = list(actions), {}
    is_traded = False
    for one in in_order(trades, kept):
        if isinstance(one, Trade):
            position, is_traded = position.with_fill(one.fill), True
        else:
            if is_traded:
                before[one.action_id] = position
            position = position.with_action(one)
    return Booked(
        position=position, book=lot_book(trades, actions=kept, method=method, time_zone=time_zone),
        last_fill_at=max(trade.fill.filled_at for trade in trades), before=before,
    )  # fmt: skip


def lot_book(
    trades: Iterable[Trade],
    *,
    actions: Iterable[CorporateAction] = (),
    method: str = "fifo",
    time_zone: str = "UTC",
    wash: WashRule | None = None,
) -> LotBook:
    """Return the lots that trades and corporate actions make.

    Named lots are taken by the execution that opened them, whichever parts a wash sale has made of it. Where they are
    no longer held (an earlier sale came late), the method chooses: what was executed cannot be refused.

    Parameters
    ----------
    trades : iterable of Trade
        In the order of their execution.
    actions : iterable of CorporateAction
        In the order in which they became effective.
    method, time_zone, wash
        As in `LotBook`.

    Examples
    --------
    >>> from datetime import UTC
    >>> fill = Fill(execution_id="f1", instrument="ACME", side="BUY", quantity=40, price=10,
    ...             filled_at=datetime(2024, 1, 2, 15, tzinfo=UTC))
    >>> lot_book([Trade(fill=fill)]).quantity("ACME")
    Decimal('40')
    """
    book = LotBook(method=method, time_zone=time_zone, wash=wash)  # type: ignore[arg-type]  # a text is turned into one
    for one in in_order(trades, actions):
        book = with_trade(book, one) if isinstance(one, Trade) else book.with_action(one)
    return book


def with_trade(book: LotBook, trade: Trade) -> LotBook:
    """Return the book after a trade, which closes the lots that it names where they are held."""
    named = None if not trade.lots else _named(book, trade)
    return book.with_fill(trade.fill) if named is None else book.with_fill(trade.fill, lots=named)


@exactly
def _named(book: LotBook, trade: Trade) -> dict[str, Decimal] | None:
    """Return the lots that a trade names as they are in this book; None if they are not what it closes."""
    fill, wanted = trade.fill, dict(trade.lots or {})
    held = book.lots.get(fill.instrument, ())
    if not held or held[0].is_short != (fill.side.sign > 0):
        return None
    size = sum((abs(lot.quantity) for lot in held), Decimal(0))
    found: dict[str, Decimal] = {}
    for lot in held:
        opened_by = lot.opened_by
        taken = min(wanted.get(opened_by, Decimal(0)), abs(lot.quantity))
        if taken:
            found[lot.lot_id] = taken
            wanted[opened_by] -= taken
    is_whole = sum(found.values(), Decimal(0)) == min(size, fill.quantity) and not any(wanted.values())
    return found if is_whole else None


def named_lots(lots: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return lots by the execution that opened them: the parts that a wash sale made of one count as it.

    Examples
    --------
    >>> named_lots({"f1#w1": 10, "f1": 5})
    {'f1': Decimal('15')}
    """
    found: dict[str, Decimal] = {}
    for lot_id, quantity in lots.items():
        opened_by = lot_id.rsplit("#w", 1)[0]
        found[opened_by] = found.get(opened_by, Decimal(0)) + as_decimal(quantity, f"the quantity of {lot_id}")
    return found
