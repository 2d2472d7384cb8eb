"""One backtest: signals and levels in; orders, equity and metrics out, by `docs/explanation/semantics.md`.

`reference.py` does the same slowly and plainly. Several instruments will come through the same door: a `Panel` of one
column is the case that this engine runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from algotrendy.backtest.costs import Fees, as_cost
from algotrendy.backtest.engine_metrics import curve_metrics, order_columns, trade_columns, units_held
from algotrendy.errors import InputError
from algotrendy.kernels.orders_types import (
    BLOCK_SHIFT,
    FILLS,
    PENDING,
    Exits,
    Market,
    Orders,
    Rules,
    empty_orders,
    orders_max,
)

if TYPE_CHECKING:
    from algotrendy.domain.bars import BarArrays
    from algotrendy.domain.panel import Panel

__all__ = ["Inputs", "Options", "Run", "run"]

Float1D = NDArray[np.float64]
Int1D = NDArray[np.int64]


class Inputs(Protocol):
    """What decides: `strategy.inputs.RunInputs` has this shape."""

    @property
    def words(self) -> NDArray[np.uint64]: ...
    @property
    def stop(self) -> Float1D: ...
    @property
    def target(self) -> Float1D: ...
    @property
    def trail(self) -> Float1D: ...
    @property
    def size(self) -> Float1D: ...
    @property
    def size_kind(self) -> int: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Options:
    """The conventions and costs of a backtest.

    Parameters
    ----------
    cash : float
        Initial cash, in currency, above zero.
    fill : str
        "next_open", "same_close" or "next_close".
    fees : Fees
        Commission of a fill.
    slippage : float
        Fraction of the price by which market orders are filled worse.
    borrow : float
        Annual fee of a short position, as a fraction of its value.
    lot_size : float
        Units are rounded down to a multiple of it; 0.0: fractional units.
    max_leverage : float
        Largest notional of a new position, as a multiple of the equity. May be infinite.
    risk_free_rate : float
        Annual, as a fraction.
    periods_per_year : float
        Valuation marks per year.
    bars_per_year : float
        Bars per year, by which the borrow fee accrues.
    marks : int64 array of shape (n_marks,), optional
        Bar positions of the valuation marks, ascending, the last bar being one. None: every bar.

    Raises
    ------
    InputError
        If a number lies outside what it may be.

    Examples
    --------
    >>> Options(cash=50_000, slippage=0.001).replaced(slippage=0.002).slippage
    0.002
    """

    cash: float = 100_000.0
    fill: str = "next_open"
    fees: Fees = Fees()
    slippage: float = 0.0
    borrow: float = 0.0
    lot_size: float = 0.0
    max_leverage: float = 1.0
    risk_free_rate: float = 0.0
    periods_per_year: float = 252.0
    bars_per_year: float = 252.0
    marks: Int1D | None = None

    def __post_init__(self) -> None:
        for name in ("slippage", "borrow", "lot_size"):
            object.__setattr__(self, name, as_cost(name, getattr(self, name)))
        for name in ("cash", "max_leverage", "periods_per_year", "bars_per_year"):
            value = _number(name, getattr(self, name))
            if not value > 0.0 or (math.isinf(value) and name != "max_leverage"):
                raise InputError(f"{name} is {value!r}; use a number above zero")
            object.__setattr__(self, name, value)
        rate = _number("risk_free_rate", self.risk_free_rate)
        if not -1.0 < rate < math.inf:
            raise InputError(f"risk_free_rate is {rate!r}; it is an annual fraction, so 3 % is 0.03")
        if self.slippage >= 1.0:
            raise InputError(f"slippage is {self.slippage:g}; it is a fraction of the price, so 0.1 % is 0.001")
        if self.fill not in FILLS:
            raise InputError(f"fill is {self.fill!r}; choose one of {', '.join(map(repr, FILLS))}")

    @property
    def hurdle(self) -> float:
        """The risk-free return of one period, as a fraction."""
        return float((1.0 + self.risk_free_rate) ** (1.0 / self.periods_per_year) - 1.0)

    def replaced(self, **changes: Any) -> Options:
        """Return the same options but for `changes`."""
        return replace(self, **changes)

    def rules(self, size_kind: int) -> Rules:
        """Return the options as kernels take them; `size_kind` is 0 for fractions and 1 for units."""
        fees = self.fees
        return Rules(
            fill=FILLS.index(self.fill),
            size_kind=int(size_kind),
            cash=self.cash,
            rate=fees.rate,
            per_unit=fees.per_unit,
            fixed=fees.fixed,
            minimum=fees.minimum,
            slippage=self.slippage,
            lot_size=self.lot_size,
            max_leverage=self.max_leverage,
            periods_per_year=self.periods_per_year,
            hurdle=self.hurdle,
        )

    def market(self, arrays: BarArrays, *, tables: bool = True) -> Market:
        """Return the bars with the tables that kernels look things up in; build it once and run many backtests on it.

        Parameters
        ----------
        arrays : BarArrays
            Sound bars.
        tables : bool
            False leaves out what only stops, ruin and sweeps need.
        """
        open_, high, low, close = arrays[:4]
        held = close
        if self.borrow > 0.0:
            paid = np.cumsum(close * (self.borrow / self.bars_per_year))
            held = close.copy()
            held[1:] += paid[:-1]
        if not tables:
            return Market(open_, high, low, close, held, _NO_TABLE, close, held, _NO_MARKS)
        low, high = _widened(open_, high, low, close)
        blocks = _block_table(low, high, close, held)
        if self.marks is None:
            return Market(open_, high, low, close, held, blocks, close, held, np.arange(close.size + 1))
        marks, steps = self.marks, np.diff(self.marks, prepend=-1)
        mark_from = np.append(np.repeat(np.arange(marks.size), steps), marks.size)
        return Market(open_, high, low, close, held, blocks, close[marks], held[marks], mark_from)


_NO_TABLE = np.empty((6, 0))
_NO_MARKS = np.empty(0, np.int64)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InputError(f"{name} is {value!r}; use a number")
    return float(value)


def _widened(open_: Float1D, high: Float1D, low: Float1D, close: Float1D) -> tuple[Float1D, Float1D]:
    """Return low and high so that they contain open and close: vendors round each price on its own."""
    least, most = np.minimum(open_, close), np.maximum(open_, close)
    if (least < low).any():
        low = np.minimum(least, low)
    if (most > high).any():
        high = np.maximum(most, high)
    return low, high


def _block_table(low: Float1D, high: Float1D, close: Float1D, held: Float1D) -> Float1D:
    """Return the extremes of each block of bars, shape (6, n_blocks)."""
    starts = np.arange(0, close.size, 1 << BLOCK_SHIFT)
    lowest, highest = np.minimum.reduceat(close, starts), np.maximum.reduceat(close, starts)
    lowest_held, highest_held = lowest, highest
    if held is not close:
        lowest_held, highest_held = np.minimum.reduceat(held, starts), np.maximum.reduceat(held, starts)
    extremes = [np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts), lowest, highest]
    return np.stack([*extremes, lowest_held, highest_held])


@dataclass(frozen=True, eq=False)
class Run:
    """What one backtest did.

    Attributes
    ----------
    orders : Orders
        One row per fill: see `kernels.orders_types.Orders`.
    equity : array of shape (n_bars,)
        Value of the account at the end of each bar, in currency.
    metrics : dict of str to float
        By the definitions of the semantics page, in the order of `METRICS`; the two counts are ints.
    max_drawdown_at : tuple of int
        Bars of the last peak before the largest loss (-1: the initial cash), of its lowest point and of the recovery;
        None where there is none.
    pending : str or None
        "long", "flat" or "short": a decision of the last bar that found no bar to be filled on.
    ruined_at : int or None
        The bar at which nothing was left.
    """

    orders: Orders
    equity: Float1D
    metrics: dict[str, float]
    max_drawdown_at: tuple[int | None, int | None, int | None]
    pending: str | None
    ruined_at: int | None

    @cached_property
    def order_columns(self) -> dict[str, NDArray[Any]]:
        """One entry per fill: `decided_at`, `filled_at` (bars), `units` (signed), `price`, `commission`, `slippage`, `reason`."""
        return order_columns(self.orders)

    @cached_property
    def trade_columns(self) -> dict[str, NDArray[Any]]:
        """One entry per closed round trip: `entry_at`, `exit_at`, `side`, `units`, prices, `pnl`, `return_`, costs, `reason`."""
        return trade_columns(self.orders)

    @cached_property
    def units(self) -> Float1D:
        """Units held at the end of each bar, negative for a short position."""
        return units_held(self.orders, self.equity.size)


def run(bars: BarArrays | Panel, inputs: Inputs, options: Options, *, market: Market | None = None) -> Run:
    """Run one backtest.

    Parameters
    ----------
    bars : BarArrays, or Panel of one instrument
        Sound bars.
    inputs : RunInputs
        Signals and levels.
    options : Options
        Conventions and costs.
    market : Market, optional
        `options.market(bars)`, where several backtests run on the same bars.

    Raises
    ------
    InputError
        If the panel has more than one instrument.
    """
    from algotrendy.kernels.orders import walk, walk_undisturbed

    arrays = _one(bars)
    undisturbed = options.max_leverage <= 1.0 and _only_signals_move(inputs)
    if market is None or (not undisturbed and market.blocks.size == 0):
        market = options.market(arrays, tables=not undisturbed)
    walker = walk_undisturbed if undisturbed else walk
    rules = options.rules(inputs.size_kind)
    exits = Exits(inputs.stop, inputs.target, inputs.trail, inputs.size)
    n = market.close.size
    orders = empty_orders(min(orders_max(n), 1024 + n // 8))
    n_orders, pending, ruined_at = walker(inputs.words, market, rules, exits, orders)
    if n_orders < 0:
        orders = empty_orders(orders_max(n))
        n_orders, pending, ruined_at = walker(inputs.words, market, rules, exits, orders)
    orders = Orders(orders.bars[:n_orders].copy(), orders.money[:n_orders].copy())
    equity, metrics, drawdown_at = curve_metrics(orders, market, rules, options.marks, ruined_at)
    ruin = None if ruined_at < 0 else int(ruined_at)
    return Run(orders, equity, metrics, drawdown_at, PENDING[pending], ruin)


def _one(bars: BarArrays | Panel) -> BarArrays:
    if isinstance(bars, tuple):
        return bars
    if len(bars.instruments) != 1:
        raise InputError(f"the panel has {len(bars.instruments)} instruments; this engine runs one")
    return bars.column(0)


def _only_signals_move(inputs: Inputs) -> bool:
    """Return whether there is no stop, target or trail and no short signal."""
    for level in (inputs.stop, inputs.target, inputs.trail):
        if level.size > 1 or level[0] > 0.0:
            return False
    return not inputs.words[2].any()
