"""Rows of an account and what they mean: fills, cash, positions and lots, in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from algotrendy.domain.cash import CashEntry
from algotrendy.domain.corporate_action import CorporateAction
from algotrendy.domain.fill import Fill
from algotrendy.domain.position import Position
from algotrendy.portfolio.lot import Disposal, Lot
from algotrendy.portfolio.lots import LotBook

__all__ = [
    "action_of",
    "action_values",
    "book_rows",
    "cash_entry",
    "fill_of",
    "lots_of",
    "position_of",
    "position_values",
    "trade_values",
]


def trade_values(fill: Fill, *, strategy: str | None, lots: Mapping[str, Decimal] | None) -> dict[str, Any]:
    """Return the columns of a trade that its fill says."""
    return {
        "execution_id": fill.execution_id, "client_order_id": fill.client_order_id, "strategy": strategy,
        "symbol": fill.instrument, "side": str(fill.side), "quantity": fill.quantity, "price": fill.price,
        "commission": fill.commission, "currency": fill.currency, "multiplier": fill.multiplier,
        "executed_at": fill.filled_at,
        "lots": None if lots is None else {name: str(quantity) for name, quantity in lots.items()},
    }  # fmt: skip


def fill_of(row: Any) -> Fill:
    """Return the fill of a trade."""
    return Fill(
        execution_id=row.execution_id, instrument=row.symbol, side=row.side, quantity=row.quantity, price=row.price,
        filled_at=row.executed_at, commission=row.commission, currency=row.currency, multiplier=row.multiplier,
        client_order_id=row.client_order_id,
    )  # fmt: skip


def action_values(action: CorporateAction) -> dict[str, Any]:
    """Return the columns of a corporate action that has paid nothing yet."""
    return {
        "action_id": action.action_id, "kind": action.kind, "symbol": action.instrument,
        "effective_at": action.effective_at, "new_units": action.new, "old_units": action.old,
        "cash_in_lieu": action.cash_in_lieu, "amount": action.amount, "currency": action.currency,
        "cash": Decimal(0),
    }  # fmt: skip


def action_of(row: Any) -> CorporateAction:
    """Return the corporate action of a row."""
    return CorporateAction(
        action_id=row.action_id, instrument=row.symbol, kind=row.kind, effective_at=row.effective_at,
        new=row.new_units, old=row.old_units, cash_in_lieu=row.cash_in_lieu, amount=row.amount, currency=row.currency,
    )  # fmt: skip


def cash_entry(row: Any) -> CashEntry:
    """Return the movement of cash of a row."""
    return CashEntry(at=row.at, amount=row.amount, currency=row.currency, kind=row.kind, reference=row.reference)


def position_of(row: Any) -> Position:
    """Return the position of a row."""
    return Position(
        instrument=row.symbol, quantity=row.quantity, cost=row.cost, realised=row.realised, commission=row.commission,
        currency=row.currency, multiplier=row.multiplier,
    )  # fmt: skip


def position_values(position: Position) -> dict[str, Any]:
    """Return the columns of a position."""
    return {
        "symbol": position.instrument, "quantity": position.quantity, "avg_price": position.average_cost,
        "cost": position.cost, "realised": position.realised, "commission": position.commission,
        "currency": position.currency, "multiplier": position.multiplier,
    }  # fmt: skip


def lots_of(method: str, time_zone: str, held: Iterable[Any], closed: Iterable[Any]) -> LotBook:
    """Return the book of rows of lots and of disposals; these in the order of the days on which they were closed."""
    lots: dict[str, tuple[Lot, ...]] = {}
    for row in held:
        lots[row.symbol] = (*lots.get(row.symbol, ()), _lot(row))
    disposals = [
        Disposal(disposal_id=row.disposal_id, lot=_lot(row), closed_on=row.closed_on, cash=row.cash) for row in closed
    ]
    disposals.sort(key=lambda one: one.closed_on)
    return LotBook(method=method, time_zone=time_zone, lots=lots, disposals=tuple(disposals))  # type: ignore[arg-type]


def book_rows(book: LotBook, symbol: str, n_before: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of the lots of an instrument, and of its disposals, which are counted from `n_before`."""
    held = [_columns(lot) | {"place": place} for place, lot in enumerate(book.lots.get(symbol, ()))]
    closed = [
        _columns(one.lot)
        | {"place": place, "disposal_id": one.disposal_id, "closed_on": one.closed_on, "cash": one.cash}
        for place, one in enumerate(book.disposals, start=n_before)
    ]
    return held, closed


def _lot(row: Any) -> Lot:
    return Lot(
        lot_id=row.lot_id, opened_by=row.lot_id, instrument=row.symbol, quantity=row.quantity, cost=row.cost,
        opened_on=row.opened_on, held_since=row.opened_on, currency=row.currency, multiplier=row.multiplier,
    )  # fmt: skip


def _columns(lot: Lot) -> dict[str, Any]:
    return {
        "symbol": lot.instrument, "lot_id": lot.lot_id, "quantity": lot.quantity, "cost": lot.cost,
        "opened_on": lot.opened_on, "currency": lot.currency, "multiplier": lot.multiplier,
    }  # fmt: skip
