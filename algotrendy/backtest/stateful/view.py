"""One instrument as a stateful strategy sees it. It holds what was known at the end of the bar, and nothing later."""

from __future__ import annotations

import math
from array import array
from collections.abc import Hashable, Sequence
from typing import Any

from algotrendy.backtest.definitions import moment_text
from algotrendy.backtest.stateful.holding import Holding
from algotrendy.backtest.stateful.orders import AccountState, Order
from algotrendy.backtest.stateful.readings import Reading, bound, taken
from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.strategy.bar_context import Bar, Fill, OpenPosition
from algotrendy.strategy.parameter import is_number, nearest

__all__ = ["InstrumentView"]

_NAN = math.nan
_TYPES = ("market", "limit", "stop")
_TIMES = ("GTC", "DAY")
_LOT_ROUNDING = 1e-9


class InstrumentView:
    """One instrument of an account; `algotrendy.strategy.InstrumentContext` says what may be asked of it.

    Parameters
    ----------
    account : AccountState
        Shared by all instruments.
    symbol : str
    place : int
        Its column.
    columns : sequence of str
        Names of what its bars hold: open, high, low, close, volume, then any others.
    lot_size, multiplier : float
        0.0: fractional units.
    """

    def __init__(self, account: AccountState, symbol: str, place: int, columns: Sequence[str], **terms: float) -> None:
        self._account, self._symbol, self._place = account, symbol, place
        self._columns = tuple(columns)
        self._history = tuple(array("d") for _ in self._columns)
        self._sessions = array("d")
        self._now: tuple[float, ...] = (_NAN,) * len(self._columns)
        self._seen_at = -1
        self._readings: list[Reading] = []
        self._bars_are_read = False
        self._lot_size, self._multiplier = terms.get("lot_size", 0.0), terms.get("multiplier", 1.0)
        self._units, self._price, self._opened_at = 0.0, _NAN, 0
        self._fills: tuple[Fill, ...] = ()
        self._scale = 1.0
        self._holding: Holding | None = None

    # --- what it is told by whoever runs the strategy ---

    def _take_bar(self, values: tuple[float, ...], session: float) -> None:
        """Take the next bar of the instrument; the number of the account is that bar's."""
        self._now, self._seen_at = values, self._account.number
        for column, value in zip(self._history, values, strict=True):
            column.append(value)
        self._sessions.append(session)
        if self._readings:
            bar: dict[str, float] = {}
            if self._bars_are_read:
                bar = dict(zip(self._columns, values, strict=True))
                bar["session"] = session
            for reading in self._readings:
                reading.feed(values, bar)

    def _take_fills(self, fills: Sequence[Fill], filled_at: Sequence[int]) -> None:
        """Take what was filled, with the numbers of the bars, and bring the position up to date."""
        self._fills = tuple(fills)
        for fill, number in zip(fills, filled_at, strict=True):
            units, held = fill.units, self._units
            if fill.reason == "split":
                pass  # what is seen of prices does not move
            elif held == 0.0:
                self._price, self._opened_at = fill.price, number
            elif held * units > 0.0:
                self._price = (held * self._price + units * fill.price) / (held + units)
            self._units = 0.0 if units == -held else held + units
            if self._units == 0.0:
                self._price = _NAN

    # --- what is known ---

    @property
    def symbol(self) -> str:
        """Its symbol."""
        return self._symbol

    @property
    def has_bar(self) -> bool:
        """Whether it has a bar at this time."""
        return self._seen_at == self._account.number >= 0

    @property
    def bar(self) -> Bar:
        """Its last bar."""
        return Bar(*self._now[:5])

    @property
    def n_bars(self) -> int:
        """How many bars of it are known."""
        return len(self._sessions)

    @property
    def adjustment(self) -> float:
        """What raw prices of its last bar are multiplied with for what is seen."""
        return self._scale

    @property
    def fills(self) -> tuple[Fill, ...]:
        """What was filled since the strategy was asked last."""
        return self._fills

    @property
    def orders(self) -> tuple[Order, ...]:
        """The orders that are open, in the order of placing."""
        return tuple(order for order in self._account.open.values() if order.place == self._place)

    def past(self, column: str = "close", n: int | None = None) -> Float1D:
        """Return the last `n` values of a column, all by default, oldest first."""
        if column not in self._columns:
            raise InputError(f"the bars have no column {column!r}{nearest(column, self._columns)}")
        return taken(self._history[self._columns.index(column)], n)

    def indicator(self, name: str, *parameters: float, of: str | Reading = "close", **named: float) -> Reading:
        """Return an indicator that is fed with each bar from the first one on."""
        if isinstance(of, Reading):
            if of not in self._readings:
                raise InputError(f"{name} is of a reading of another instrument; ask for both on the same one")
        elif of not in self._columns:
            raise InputError(f"{name} is of {of!r}, which is no column of the bars{nearest(of, self._columns)}")
        reading = Reading(name, bound(name, parameters, named), of, self._columns)
        self._bars_are_read = self._bars_are_read or reading.takes_bars
        past: dict[str, Any] = dict(zip(self._columns, self._history, strict=True))
        reading.feed_past({**past, "session": self._sessions})
        self._readings.append(reading)
        return reading

    def position(self) -> OpenPosition:
        """Return what is held; it is false where nothing is."""
        if self._units == 0.0:
            return OpenPosition(self._symbol)
        if self._holding is None:
            profit = self._units * (self._now[3] - self._price) * self._multiplier
        else:
            profit = self._holding.profit(self._units, self._now[3] / self._scale, self._account.number)
        held = self._account.number - self._opened_at
        return OpenPosition(self._symbol, self._units, self._price, held, profit)

    # --- what may be done ---

    def order(
        self,
        quantity: float | None = None,
        *,
        size: float | None = None,
        type: str = "market",
        limit_price: float | None = None,
        stop_price: float | None = None,
        time_in_force: str = "GTC",
        parent: Order | None = None,
        group: Hashable = None,
        reduce_only: bool = False,
    ) -> Order:
        """Place one order, as a row of `orders=` says it."""
        if type not in _TYPES:
            raise self._wrong(f"the type is {type!r}; use one of {', '.join(_TYPES)}")
        above = self._parent(parent)
        sign = self._checked_amount(quantity, size, above, reduce_only=reduce_only)
        limit_price, stop_price = self._prices(type, limit_price, stop_price)
        made = self._made(
            type=type,
            sign=sign,
            units=None if quantity is None else float(quantity),
            size=None if size is None else float(size),
            limit_price=limit_price,
            stop_price=stop_price,
            time_in_force=self._time_in_force(time_in_force),
            parent=above,
            group=self._account.group_of(group),
            reduce_only=bool(reduce_only),
        )
        self._account.join(group, made)
        return self._account.place(made)

    def buy(self, units: float | None = None, **options: Any) -> Order:
        """Buy, and if wanted say at once where to leave; options as in `InstrumentContext.buy`."""
        return self._enter(1.0, units, **options)

    def sell(self, units: float | None = None, **options: Any) -> Order:
        """Sell, or sell short: `buy` with every price mirrored."""
        return self._enter(-1.0, units, **options)

    def close(
        self,
        units: float | None = None,
        *,
        limit_price: float | None = None,
        stop_price: float | None = None,
        time_in_force: str = "GTC",
        group: Hashable = None,
    ) -> Order | None:
        """Leave the position, or `units` of it; None where nothing is held."""
        self._check_may_trade()
        if self._units == 0.0:
            return None
        if limit_price is not None and stop_price is not None:
            raise self._wrong(
                "close has a limit_price and a stop_price; place two, with the same group=, and the one that is filled"
                " cancels the other"
            )
        side = -1.0 if self._units > 0.0 else 1.0
        kind = "limit" if limit_price is not None else "stop" if stop_price is not None else "market"
        wanted = math.inf if units is None else self._above_zero("units", units)
        return self.order(
            side * wanted,
            type=kind,
            limit_price=limit_price,
            stop_price=stop_price,
            time_in_force=time_in_force,
            group=group,
            reduce_only=True,
        )

    def cancel(self, order: Order | None = None) -> int:
        """Cancel an order, or all open ones, with what waits for them; return how many were still open."""
        self._check_may_trade()
        chosen = self.orders if order is None else (self._known(order),)
        return sum(self._account.cancel(each) for each in chosen)

    def replace(
        self,
        order: Order,
        *,
        units: float | None = None,
        limit_price: float | None = None,
        stop_price: float | None = None,
    ) -> Order:
        """Put an order with another price or other units in the place of one that is open; return the new one."""
        self._check_may_trade()
        old = self._known(order).newest
        prices = {"limit_price": limit_price, "stop_price": stop_price}
        for name, value in prices.items():
            if value is not None and old.type != name.removesuffix("_price"):
                raise self._wrong(f"order {old.id} is a {old.type} order and has no {name}; leave it out")
        if units is None and limit_price is None and stop_price is None:
            raise self._wrong("replace changes nothing; give units, a limit_price or a stop_price")
        if not old.is_open:
            return old
        number, size = (old.units, old.size) if old.rest is None else (old.rest, None)
        if units is not None:
            number, size = old.sign * self._above_zero("units", units), None
            self._check_lot(number)
        made = self._made(
            type=old.type,
            sign=old.sign,
            units=number,
            size=size,
            limit_price=old.limit_price if limit_price is None else self._above_zero("limit_price", limit_price),
            stop_price=old.stop_price if stop_price is None else self._above_zero("stop_price", stop_price),
            time_in_force=old.time_in_force,
            parent=old.parent,
            group=old.group,
            reduce_only=old.reduce_only,
        )
        return self._account.replace(old, made)

    # --- how an order comes about ---

    def _enter(
        self,
        sign: float,
        units: float | None,
        *,
        size: float | None = None,
        limit_price: float | None = None,
        trigger_price: float | None = None,
        stop_price: float | None = None,
        target_price: float | None = None,
        time_in_force: str = "GTC",
    ) -> Order:
        self._check_may_trade()
        if limit_price is not None and trigger_price is not None:
            raise self._wrong("there is a limit_price and a trigger_price; an order has one of them")
        if units is None and size is None:
            size = min(1.0, self._account.max_leverage)
        self._check_bracket(sign, (limit_price, trigger_price), stop_price, target_price)
        entry = self.order(
            None if units is None else sign * self._above_zero("units", units),
            size=None if size is None else sign * self._above_zero("size", size),
            type="limit" if limit_price is not None else "stop" if trigger_price is not None else "market",
            limit_price=limit_price,
            stop_price=trigger_price,
            time_in_force=time_in_force,
        )
        group = self._account.new_group() if stop_price is not None and target_price is not None else None
        if stop_price is not None:
            entry.stop = self._exit(entry, group, "stop", stop_price)
        if target_price is not None:
            entry.target = self._exit(entry, group, "limit", target_price)
        return entry

    def _exit(self, entry: Order, group: int | None, kind: str, price: float) -> Order:
        """Place one end of a bracket."""
        return self._account.place(
            self._made(
                type=kind,
                sign=-entry.sign,
                units=None,
                size=None,
                limit_price=float(price) if kind == "limit" else None,
                stop_price=float(price) if kind == "stop" else None,
                time_in_force="GTC",
                parent=entry,
                group=group,
                reduce_only=True,
            )
        )

    def _made(self, **fields: Any) -> Order:
        account = self._account
        return Order(
            id=account.n_orders,
            symbol=self._symbol,
            place=self._place,
            placed_at=account.number,
            scale=self._scale,
            **fields,
        )

    # --- what is refused ---

    def _wrong(self, text: str) -> InputError:
        account = self._account
        when = "" if account.time is None else f"at bar {account.number} ({moment_text(account.time)})"
        of = f" of {self._symbol}" if self._symbol else ""
        return InputError(f"{when}{of}: {text}" if when else text)

    def _check_may_trade(self) -> None:
        if not self._account.may_trade:
            raise self._wrong("orders are placed, changed and cancelled in on_bar, not in start or observe")
        if self.n_bars == 0:
            raise self._wrong("it has had no bar yet; look at ctx[symbol].has_bar before")

    def _above_zero(self, name: str, value: Any) -> float:
        if not is_number(value) or not 0.0 < value < math.inf:
            raise self._wrong(f"{name} is {value!r}; use a number above 0 (sell instead of buy is the other side)")
        return float(value)

    def _checked_amount(self, quantity: Any, size: Any, parent: Order | None, *, reduce_only: bool) -> float:
        """Return the side of an order whose amount is allowed."""
        self._check_may_trade()
        if quantity is not None and size is not None:
            raise self._wrong("there are units and a size; give one of them")
        if quantity is None and size is None:
            if parent is None:
                raise self._wrong("there are neither units nor a size; give one of them, or a parent")
            return -parent.sign
        name, value = ("the quantity", quantity) if size is None else ("size", size)
        unbounded = reduce_only and quantity is not None
        if not is_number(value) or math.isnan(value) or value == 0.0 or (math.isinf(value) and not unbounded):
            raise self._wrong(f"{name} is {value!r}; use a finite number, not 0: above it buys, below it sells")
        if size is not None and reduce_only:
            raise self._wrong("an order that only closes has units, not a size; leave the units out to close all")
        if size is not None and abs(size) > self._account.max_leverage:
            raise self._wrong(
                f"size={abs(size):g} is {abs(size):g} times the equity, above max_leverage="
                f"{self._account.max_leverage:g}; for units write units={abs(size):g}, for leverage raise max_leverage"
            )
        if quantity is not None:
            self._check_lot(float(quantity))
        return 1.0 if value > 0.0 else -1.0

    def _check_lot(self, units: float | None) -> None:
        lot = self._lot_size
        if units is None or lot <= 0.0 or math.isinf(units):
            return
        if abs(units / lot - round(units / lot)) > _LOT_ROUNDING:
            raise self._wrong(
                f"{abs(units):g} units are no multiple of the lot {lot:g}; round them, or use size=, which does"
            )

    def _prices(self, kind: str, limit_price: Any, stop_price: Any) -> tuple[float | None, float | None]:
        given = {"limit_price": limit_price, "stop_price": stop_price}
        for name, value in given.items():
            if name.removesuffix("_price") == kind:
                if value is None:
                    raise self._wrong(f"a {kind} order needs its price; give {name}=...")
                given[name] = self._above_zero(name, value)
            elif value is not None:
                raise self._wrong(f"a {kind} order has no {name}; leave it out, or give type={name[:-6]!r}")
        return given["limit_price"], given["stop_price"]

    def _check_bracket(
        self, sign: float, entries: tuple[float | None, float | None], stop_price: Any, target_price: Any
    ) -> None:
        """Refuse ends of a bracket that lie on the wrong side of where it is entered."""
        own = next((price for price in entries if price is not None), self._now[3])
        for name, price, side in (("stop_price", stop_price, -1.0), ("target_price", target_price, 1.0)):
            if price is None:
                continue
            self._above_zero(name, price)
            if is_number(own) and sign * side * (price - own) <= 0.0:
                where, act = ("below", "sell") if sign * side < 0.0 else ("above", "buy")
                act = "buy" if sign > 0.0 else "sell"
                rest = "limit_price" if name == "target_price" else "trigger_price"
                raise self._wrong(
                    f"{name}={price:g} is where the position is left, so of a {act} it lies {where} {own:g}; to {act}"
                    f" at {price:g} write {rest}={price:g}"
                )

    def _time_in_force(self, value: Any) -> str:
        if str(value).upper() not in _TIMES:
            raise self._wrong(f"time_in_force is {value!r}; use one of {', '.join(_TIMES)}")
        return str(value).upper()

    def _known(self, order: Any) -> Order:
        if not isinstance(order, Order):
            raise self._wrong(
                f"this is a {type(order).__name__}; give an order that buy, sell, close or order returned"
            )
        return order

    def _parent(self, parent: Any) -> Order | None:
        return None if parent is None else self._known(parent).newest

    def __repr__(self) -> str:
        return f"<{self._symbol or 'the instrument'} at bar {self._account.number}: {self.bar}>"
