"""What a stateful strategy sees and may do at the end of a bar: a small protocol, for a backtest and for live trading.

Nothing here knows where bars come from. Whoever runs a strategy hands it an object with these members; a strategy that
keeps to them runs anywhere.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from algotrendy.domain.types import Float1D

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Bar",
    "BarContext",
    "Fill",
    "InstrumentContext",
    "OpenPosition",
    "PlacedOrder",
    "Reading",
]


class Bar(NamedTuple):
    """Prices and volume of one bar; NaN before an instrument's first one.

    Examples
    --------
    >>> Bar(10.0, 12.0, 9.0, 11.0, 1000.0).close
    11.0
    """

    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """What is held of one instrument at the end of a bar. It is true where something is held.

    Attributes
    ----------
    symbol : str
        The instrument.
    units : float
        Negative for a short position, 0.0 for none.
    price : float
        Average price at which it was entered, after slippage; NaN for none. Like all prices here it is adjusted where
        the account knows splits and dividends.
    bars_held : int
        Bars since the one in which it was opened from flat: 0 at the end of that bar.
    profit : float
        At the last close and before costs, in currency; dividends of the position are in it.

    Examples
    --------
    >>> position = OpenPosition("KO", -10.0, 60.0, 3, 25.0)
    >>> bool(position), position.side, bool(OpenPosition("KO"))
    (True, 'short', False)
    """

    symbol: str
    units: float = 0.0
    price: float = float("nan")
    bars_held: int = 0
    profit: float = 0.0

    @property
    def side(self) -> str:
        """`long`, `short` or `flat`."""
        return "long" if self.units > 0.0 else "short" if self.units < 0.0 else "flat"

    def __bool__(self) -> bool:
        return self.units != 0.0


class PlacedOrder(Protocol):
    """One order, as it stands now.

    Attributes
    ----------
    id : int
        Its number in this run: the place of its row in `result.requests`.
    symbol : str
        The instrument.
    type : str
        `market`, `limit` or `stop`.
    units : float or None
        Signed units that were asked for, infinite for all that is held; None where a share of the equity was asked for,
        or as many as its parent fills. While it is open they follow splits.
    size : float or None
        The signed share of the equity, as a fraction, where that was asked for.
    limit_price, stop_price : float or None
        Its price.
    status : str
        `placed` (not working yet: it waits for the bar to end, or for its parent), `working`, or how it ended:
        `filled`, `cancelled`, `expired`, `refused`, `replaced`.
    is_open : bool
        Whether it may still be filled.
    filled_units, fill_price : float
        Signed units that were filled so far, and their average price after slippage; 0.0 and NaN before. Where volume
        is capped an order may be filled in parts, and is open until all of it was.
    stop, target : PlacedOrder or None
        The two ends of a bracket; see `InstrumentContext.buy`.
    """

    @property
    def id(self) -> int:
        """Its number in this run."""
        ...

    @property
    def symbol(self) -> str:
        """The instrument."""
        ...

    @property
    def type(self) -> str:
        """`market`, `limit` or `stop`."""
        ...

    @property
    def units(self) -> float | None:
        """Signed units that were asked for."""
        ...

    @property
    def size(self) -> float | None:
        """The signed share of the equity that was asked for."""
        ...

    @property
    def limit_price(self) -> float | None:
        """The price of a limit order."""
        ...

    @property
    def stop_price(self) -> float | None:
        """The price of a stop order."""
        ...

    @property
    def status(self) -> str:
        """Where it stands."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether it may still be filled."""
        ...

    @property
    def filled_units(self) -> float:
        """Signed units that were filled."""
        ...

    @property
    def fill_price(self) -> float:
        """Their average price after slippage."""
        ...

    @property
    def stop(self) -> PlacedOrder | None:
        """The order of its bracket that limits the loss."""
        ...

    @property
    def target(self) -> PlacedOrder | None:
        """The order of its bracket that takes the gain."""
        ...


@dataclass(frozen=True, slots=True)
class Fill:
    """One fill: units are signed, the price is after slippage, the commission in currency.

    Attributes
    ----------
    time : Timestamp
        Start of the bar in which it happened.
    symbol : str
        The instrument.
    units, price, commission : float
    reason : str
        `market`, `limit`, `stop`; `delisting`, `split` (price 0.0), `fraction` or `margin`.
    order : PlacedOrder or None
        The order; None for what nobody ordered.
    """

    time: pd.Timestamp
    symbol: str
    units: float
    price: float
    commission: float
    reason: str
    order: PlacedOrder | None


class Reading(Protocol):
    """One indicator of one instrument, fed with each of its bars; `float(reading)` is its value.

    The numbers are those of the batch functions, bit for bit, whenever it was asked for.
    """

    @property
    def value(self) -> float:
        """At the last bar; NaN in the warm-up."""
        ...

    @property
    def previous(self) -> float:
        """At the bar before; NaN where there was none."""
        ...

    def past(self, n: int | None = None) -> Float1D:
        """Return the last `n` values, all by default, oldest first."""
        ...

    def __float__(self) -> float: ...


class InstrumentContext(Protocol):
    """One instrument, as it is known at the end of a bar, and the orders that may be placed in it.

    Orders are placed at the end of the bar and begin to work on the instrument's next one, as the page about several
    instruments says.
    """

    @property
    def symbol(self) -> str:
        """Its symbol; "" where bars of one instrument were handed over without one."""
        ...

    @property
    def has_bar(self) -> bool:
        """Whether it has a bar at this time; if not, `bar` is its last one."""
        ...

    @property
    def bar(self) -> Bar:
        """Its last bar."""
        ...

    @property
    def n_bars(self) -> int:
        """How many bars of it are known."""
        ...

    @property
    def adjustment(self) -> float:
        """What raw prices of its last bar are multiplied with for the prices here; 1.0 without splits and dividends."""
        ...

    @property
    def fills(self) -> Sequence[Fill]:
        """What was filled since the strategy was asked last."""
        ...

    @property
    def orders(self) -> Sequence[PlacedOrder]:
        """The orders that are open, in the order of placing; those of this bar are among them."""
        ...

    def past(self, column: str = "close", n: int | None = None) -> Float1D:
        """Return the last `n` values of a column, all by default, oldest first: an array of the caller's own."""
        ...

    def indicator(self, name: str, *parameters: float, of: str | Reading = "close", **named: float) -> Reading:
        """Return an indicator that is fed with each bar from the first one on.

        Parameters
        ----------
        name : str
            As in an expression: "sma", "atr", "macd_signal".
        *parameters, **named : float
            Its parameters, in order or by name.
        of : str or Reading
            For an indicator of any series: a column, or another reading.
        """
        ...

    def position(self) -> OpenPosition:
        """Return what is held; it is false where nothing is."""
        ...

    def order(
        self,
        quantity: float | None = None,
        *,
        size: float | None = None,
        type: str = "market",
        limit_price: float | None = None,
        stop_price: float | None = None,
        time_in_force: str = "GTC",
        parent: PlacedOrder | None = None,
        group: Hashable = None,
        reduce_only: bool = False,
    ) -> PlacedOrder:
        """Place one order, as a row of `orders=` says it.

        Parameters
        ----------
        quantity : float, optional
            Signed units. With a `parent` it may be left out: as many as that one fills, on the other side.
        size : float, optional
            In its place a signed share of the equity at the moment of filling, as a fraction.
        type : {"market", "limit", "stop"}
            With the price of its own: `limit_price` or `stop_price`.
        time_in_force : {"GTC", "DAY"}
            How long it works.
        parent : PlacedOrder, optional
            It works once that order is filled.
        group : hashable, optional
            Of orders with an equal group the first that is filled cancels the others.
        reduce_only : bool
            It only closes, and at most what is held then.
        """
        ...

    def buy(
        self,
        units: float | None = None,
        *,
        size: float | None = None,
        limit_price: float | None = None,
        trigger_price: float | None = None,
        stop_price: float | None = None,
        target_price: float | None = None,
        time_in_force: str = "GTC",
    ) -> PlacedOrder:
        """Buy, and if wanted say at once where to leave.

        Parameters
        ----------
        units : float, optional
            How many, above zero. An order of units that does not fit into the account is refused.
        size : float, optional
            In its place a share of the equity at the moment of filling, above zero, as a fraction. It closes a short
            position first, and is scaled down to the room that there is. Neither: all-in.
        limit_price : float, optional
            Buy at this price or lower. Without a price the order is filled by the `fill` convention.
        trigger_price : float, optional
            Buy once the price has risen to this one.
        stop_price, target_price : float, optional
            Sell what this order bought once the price has fallen to the first, or risen to the second: a bracket, whose
            orders are `order.stop` and `order.target`.
        time_in_force : {"GTC", "DAY"}
            How long the entry works.
        """
        ...

    def sell(
        self,
        units: float | None = None,
        *,
        size: float | None = None,
        limit_price: float | None = None,
        trigger_price: float | None = None,
        stop_price: float | None = None,
        target_price: float | None = None,
        time_in_force: str = "GTC",
    ) -> PlacedOrder:
        """Sell, or sell short: `buy` with every price mirrored. To leave a long position, `close` is the safe way."""
        ...

    def close(
        self,
        units: float | None = None,
        *,
        limit_price: float | None = None,
        stop_price: float | None = None,
        time_in_force: str = "GTC",
        group: Hashable = None,
    ) -> PlacedOrder | None:
        """Leave the position, or `units` of it; never more than is held then. None where nothing is held.

        With a `limit_price` or a `stop_price` it is an order that rests there.
        """
        ...

    def cancel(self, order: PlacedOrder | None = None) -> int:
        """Cancel an order, or all open ones, with what waits for them; return how many were still open."""
        ...

    def replace(
        self,
        order: PlacedOrder,
        *,
        units: float | None = None,
        limit_price: float | None = None,
        stop_price: float | None = None,
    ) -> PlacedOrder:
        """Put an order with another price or other units in the place of one that is open; return the new one.

        Group, parent and children stay. If the order has ended, nothing is done and it is returned as it is.
        """
        ...


class BarContext(InstrumentContext, Protocol):
    """What a strategy is handed at the end of each bar: the account, and its instruments.

    With one instrument it is that instrument as well; with several, `ctx["KO"]` is one of them.
    """

    @property
    def time(self) -> pd.Timestamp:
        """Start of the bar that has just ended."""
        ...

    @property
    def number(self) -> int:
        """Its number, the first bar being 0."""
        ...

    @property
    def symbols(self) -> tuple[str, ...]:
        """All instruments."""
        ...

    @property
    def cash(self) -> float:
        """In currency; below zero is borrowed."""
        ...

    @property
    def equity(self) -> float:
        """Cash and all positions at their last closes, in currency."""
        ...

    def __getitem__(self, symbol: str) -> InstrumentContext: ...
