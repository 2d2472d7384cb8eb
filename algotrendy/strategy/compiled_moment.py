"""What a compiled decision is handed, in Python: the same names over any `BarContext`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError

if TYPE_CHECKING:
    from types import SimpleNamespace

    from algotrendy.strategy.bar_context import BarContext, PlacedOrder, Reading

__all__ = ["HeldNow", "PythonMoment"]


class HeldNow(NamedTuple):
    """What is held at the end of a bar.

    Examples
    --------
    >>> HeldNow().units
    0.0
    """

    units: float = 0.0
    price: float = math.nan
    bars_held: int = 0
    profit: float = 0.0


class _Values:
    """Columns and indicators: of this bar, or of all up to it."""

    def __init__(self, ctx: BarContext, readings: Mapping[str, Reading], *, is_past: bool) -> None:
        self._ctx, self._readings, self._is_past = ctx, readings, is_past

    def __getattr__(self, name: str) -> Float1D | float:
        if name in self._readings:
            reading = self._readings[name]
            return reading.past() if self._is_past else reading.value
        if self._is_past:
            return self._ctx.past(name)
        return float(self._ctx.past(name, 1)[0])


class PythonMoment:
    """A `BarContext` under the names that a compiled decision uses; orders are numbers.

    Parameters
    ----------
    readings : mapping of str to Reading
        The indicators.
    params, memory : namespace
        Numbers by name.
    """

    def __init__(self, readings: Mapping[str, Reading], params: SimpleNamespace, memory: SimpleNamespace) -> None:
        self._readings, self.params, self.memory = readings, params, memory
        self._orders: dict[int, PlacedOrder] = {}

    def at(self, ctx: BarContext) -> PythonMoment:
        """Return it at the bar that has just ended."""
        self._ctx, self.number, self.cash, self.equity = ctx, ctx.number, ctx.cash, ctx.equity
        self.bar = _Values(ctx, self._readings, is_past=False)
        self.past = _Values(ctx, self._readings, is_past=True)
        held = ctx.position()
        self.position = HeldNow(held.units, held.price, held.bars_held, held.profit)
        return self

    def buy(self, units: float | None = None, *, day: bool = False, **options: float) -> int:
        """Buy."""
        return self._kept(self._ctx.buy(units, time_in_force=_time(day), **options))

    def sell(self, units: float | None = None, *, day: bool = False, **options: float) -> int:
        """Sell."""
        return self._kept(self._ctx.sell(units, time_in_force=_time(day), **options))

    def close(self, units: float | None = None, *, day: bool = False, **options: float) -> int:
        """Leave the position."""
        return self._kept(self._ctx.close(units, time_in_force=_time(day), **options))

    def cancel(self, order: int | None = None) -> int:
        """Cancel an order, or all."""
        return self._ctx.cancel() if order is None else self._ctx.cancel(self._known(order))

    def replace(self, order: int, **changes: float) -> int:
        """Put another order in the place of one."""
        return self._kept(self._ctx.replace(self._known(order), **changes))

    def n_open(self) -> int:
        """Return how many orders are open."""
        return len(self._ctx.orders)

    def is_open(self, order: int) -> bool:
        """Return whether an order may still be filled."""
        found = self._orders.get(int(order))
        return found is not None and found.is_open

    def is_filled(self, order: int) -> bool:
        """Return whether an order was filled."""
        found = self._orders.get(int(order))
        return found is not None and found.status == "filled"

    def fill_price(self, order: int) -> float:
        """Return the average price of an order."""
        found = self._orders.get(int(order))
        return math.nan if found is None else found.fill_price

    def price_of(self, order: int) -> float:
        """Return the limit or stop price of an order."""
        found = self._orders.get(int(order))
        price = None if found is None else found.limit_price if found.type == "limit" else found.stop_price
        return math.nan if price is None else price

    def stop_of(self, order: int) -> int:
        """Return the stop of an entry's bracket."""
        found = self._orders.get(int(order))
        return self._kept(None if found is None else found.stop)

    def target_of(self, order: int) -> int:
        """Return the target of an entry's bracket."""
        found = self._orders.get(int(order))
        return self._kept(None if found is None else found.target)

    def _kept(self, order: PlacedOrder | None) -> int:
        if order is None:
            return -1
        for each in (order, order.stop, order.target):
            if each is not None:
                self._orders[each.id] = each
        return order.id

    def _known(self, order: int) -> PlacedOrder:
        if int(order) not in self._orders:
            raise InputError(f"there is no order {int(order)}; use a number that buy, sell, close or replace gave")
        return self._orders[int(order)]


def _time(day: bool) -> str:
    return "DAY" if day else "GTC"
