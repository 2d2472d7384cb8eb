"""What a stateful strategy has ordered: the orders as it sees them, and what it did with them at one bar."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AccountState", "Action", "Order"]

ENDED = ("filled", "cancelled", "expired", "refused", "replaced")


@dataclass(slots=True, eq=False, kw_only=True)
class Order:
    """One order; `algotrendy.strategy.PlacedOrder` says what a strategy may ask of it.

    Attributes
    ----------
    place : int
        Column of the instrument.
    sign : float
        1.0 buys, -1.0 sells.
    parent : Order or None
        It works once that one is filled.
    group : int or None
        Orders of one group exclude each other.
    reduce_only : bool
        It only closes.
    placed_at : int
        Number of the bar at whose end it was placed.
    predecessor, successor : Order or None
        What it replaced, and what replaced it.
    ended_at : int or None
        Number of the bar at whose end the strategy cancelled or replaced it.
    scale : float
        What raw prices were multiplied with for its prices, when it was placed.
    rest : float or None
        Signed units that are left of it, once it was filled in part.
    """

    id: int
    symbol: str
    place: int
    type: str
    sign: float
    units: float | None
    size: float | None
    limit_price: float | None
    stop_price: float | None
    time_in_force: str
    parent: Order | None
    group: int | None
    reduce_only: bool
    placed_at: int
    status: str = "placed"
    filled_units: float = 0.0
    fill_price: float = float("nan")
    stop: Order | None = None
    target: Order | None = None
    predecessor: Order | None = None
    successor: Order | None = None
    ended_at: int | None = None
    scale: float = 1.0
    rest: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether it may still be filled."""
        return self.status not in ENDED

    @property
    def takes_of_parent(self) -> bool:
        """Whether it takes as many units as its parent fills."""
        return self.units is None and self.size is None

    @property
    def newest(self) -> Order:
        """The order itself, or what replaced it."""
        at = self
        while at.successor is not None:
            at = at.successor
        return at

    def __repr__(self) -> str:
        side = "buy" if self.sign > 0.0 else "sell"
        amount = f"{self.size:g} of the equity" if self.size is not None else f"{self.units} units"
        price = self.limit_price if self.limit_price is not None else self.stop_price
        at = "" if price is None else f" at {price:g}"
        return (
            f"<order {self.id}: {side} {amount} of {self.symbol or 'the instrument'}, {self.type}{at}, {self.status}>"
        )


Action: TypeAlias = tuple[Literal["place", "cancel", "replace"], Order]
"""What was done: an order placed, cancelled, or ended by being replaced (the new one is placed right after)."""


@dataclass(slots=True, eq=False)
class AccountState:
    """The account at the end of a bar, shared by the views of all instruments.

    Attributes
    ----------
    number : int
        Of the bar; -1 before the first.
    time : Timestamp or None
        Its start.
    cash, equity : float
        In currency.
    may_trade : bool
        Whether orders can be placed now.
    open : dict of int to Order
        Orders that may still be filled, by id.
    actions : list of Action
        What was done at this bar, in order.
    """

    cash: float
    equity: float
    max_leverage: float
    number: int = -1
    time: pd.Timestamp | None = None
    may_trade: bool = False
    n_orders: int = 0
    n_groups: int = 0
    open: dict[int, Order] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)
    _groups: dict[Hashable, list[Order]] = field(default_factory=dict)
    _numbers: dict[Hashable, int] = field(default_factory=dict)

    def new_group(self) -> int:
        """Return the number of a group that has no orders yet."""
        self.n_groups += 1
        return self.n_groups - 1

    def group_of(self, key: Hashable) -> int | None:
        """Return the number of a user's group: a new one once an order of it was filled."""
        if key is None:
            return None
        members = self._groups.setdefault(key, [])
        if key not in self._numbers or any(order.status == "filled" for order in members):
            self._numbers[key] = self.new_group()
            members.clear()
        return self._numbers[key]

    def join(self, key: Hashable, order: Order) -> None:
        """Note that an order belongs to a user's group."""
        if key is not None:
            self._groups[key].append(order)

    def place(self, order: Order) -> Order:
        """Add an order."""
        self.n_orders += 1
        self.open[order.id] = order
        self.actions.append(("place", order))
        return order

    def cancel(self, order: Order) -> int:
        """Cancel an order and what waits for it; return how many were open."""
        if not order.is_open:
            return 0
        order.status, order.ended_at = "cancelled", self.number
        self.open.pop(order.id, None)
        self.actions.append(("cancel", order))
        waiting = [each for each in self.open.values() if each.parent is order and each.status == "placed"]
        return 1 + sum(self.cancel(each) for each in waiting)

    def replace(self, old: Order, new: Order) -> Order:
        """Put a new order in the place of one that is open."""
        old.status, old.successor, old.ended_at = "replaced", new, self.number
        new.predecessor = old
        self.open.pop(old.id, None)
        self.actions.append(("replace", old))
        for each in self.open.values():
            if each.parent is old and (each.status == "placed" or each.takes_of_parent):
                each.parent = new
        new.stop, new.target = old.stop, old.target
        above = old.parent
        if above is not None:
            above.stop = new if above.stop is old else above.stop
            above.target = new if above.target is old else above.target
        for members in self._groups.values():
            if old in members:
                members.append(new)
        return self.place(new)
