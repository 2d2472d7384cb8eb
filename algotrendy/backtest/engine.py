"""One backtest: signals and levels in; orders, equity and metrics out, by `docs/explanation/semantics.md`.

`reference.py` does the same slowly and plainly. Several instruments will come through the same door: a `Panel` of one
column is the case that this engine runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from algotrendy.backtest.costs import Fees, as_cost
from algotrendy.backtest.engine_metrics import Measured, metrics_of, order_columns, trade_columns, units_held
from algotrendy.errors import InputError
from algotrendy.kernels.orders_types import (
    BLOCK_SHIFT,
    FILLS,
    HIGHEST_CLOSE,
    HIGHEST_HELD,
    HIGHEST_HIGH,
    LOWEST_CLOSE,
    LOWEST_HELD,
    LOWEST_LOW,
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
    fees: Fees = field(default_factory=Fees)
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

    def market(self, bars: BarArrays) -> Market:
        """Return the bars with the tables that kernels look things up in: built once, used by many backtests."""
        market = _with_blocks(self.plain_market(bars))
        if self.marks is None:
            return market._replace(mark_from=np.arange(market.close.size + 1))
        marks = self.marks
        steps = np.repeat(np.arange(marks.size), np.diff(marks, prepend=-1))
        at_marks = {"mark_close": market.close[marks], "mark_held": market.held[marks]}
        return market._replace(**at_marks, mark_from=np.append(steps, marks.size))

    def plain_market(self, bars: BarArrays) -> Market:
        """Return the bars without tables: enough where nothing but signals moves the account."""
        open_, high, low, close = bars[:4]
        held = close
        if self.borrow > 0.0:
            held = close.copy()
            held[1:] += np.cumsum(close[:-1] * (self.borrow / self.bars_per_year))
        return Market(open_, high, low, close, held, _NO_TABLE, close, held, _NO_MARKS)


_PLAIN_BARS_MAX = 100_000
"""Above, skipping what need not be looked at is worth the longer compilation."""
_NO_TABLE = np.empty((6, 0))
_NO_MARKS = np.empty(0, np.int64)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InputError(f"{name} is {value!r}; use a number")
    return float(value)


def _with_blocks(market: Market) -> Market:
    """Return the market with the table of the extremes of each block of bars."""
    from algotrendy.kernels.orders_blocks import block_extremes

    blocks = np.empty((6, -(-market.close.size >> BLOCK_SHIFT)))
    unused = np.empty(blocks.shape[1])
    block_extremes(market.low, blocks[LOWEST_LOW], unused)
    block_extremes(market.high, unused, blocks[HIGHEST_HIGH])
    block_extremes(market.close, blocks[LOWEST_CLOSE], blocks[HIGHEST_CLOSE])
    if market.held is market.close:
        blocks[LOWEST_HELD], blocks[HIGHEST_HELD] = blocks[LOWEST_CLOSE], blocks[HIGHEST_CLOSE]
    else:
        block_extremes(market.held, blocks[LOWEST_HELD], blocks[HIGHEST_HELD])
    return market._replace(blocks=blocks)


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
        """One entry per fill: bars of decision and fill, `units` (signed), `price`, what was paid, `reason`."""
        return order_columns(self.orders)

    @cached_property
    def trade_columns(self) -> dict[str, NDArray[Any]]:
        """One entry per closed round trip: bars, side, units, prices, `pnl`, `return_`, costs, `reason`.

        `side` is 1 for long and -1 for short; `units` are positive.
        """
        return trade_columns(self.orders)

    @cached_property
    def units(self) -> Float1D:
        """Units held at the end of each bar, negative for a short position."""
        return units_held(self.order_columns, self.equity.size)


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
        If the panel has more than one instrument, or signals or levels are not those of these bars.
    """
    arrays = _one(bars)
    _check_sizes(inputs, arrays.close.size)
    by_signals = options.max_leverage <= 1.0 and _only_signals_move(inputs)  # then no bar is searched for a level
    plain = by_signals and arrays.close.size <= _PLAIN_BARS_MAX
    if market is None:
        market = options.plain_market(arrays)
    if market.blocks.size == 0 and not by_signals:
        market = _with_blocks(market)
    orders, equity, ends, measured = (_simulate_plain if plain else _simulate)(inputs, market, options)
    n_orders, pending, ruined_at = ends
    done = Orders(orders.bars[:n_orders].copy(), orders.money[:n_orders].copy())
    metrics, drawdown_at = metrics_of(done, market, options, equity, measured)
    return Run(done, equity, metrics, drawdown_at, PENDING[pending], None if ruined_at < 0 else int(ruined_at))


_Simulated = tuple[Orders, Float1D, tuple[int, int, int], Measured]


def _simulate(inputs: Inputs, market: Market, options: Options) -> _Simulated:
    """Walk from event to event, then follow the equity curve: everything that a strategy can ask for."""
    from algotrendy.kernels.orders import walk
    from algotrendy.kernels.statistics_curve import Curve, follow

    rules, exits = options.rules(inputs.size_kind), Exits(inputs.stop, inputs.target, inputs.trail, inputs.size)
    room = orders_max(market.close.size)
    orders = empty_orders(min(room, 1024 + room // 16))
    ends = walk(inputs.words, market, rules, exits, orders)
    if ends[0] < 0:
        orders = empty_orders(room)
        ends = walk(inputs.words, market, rules, exits, orders)
    equity, marks = np.empty(market.close.size), options.marks
    values = equity if marks is None else np.empty(marks.size)
    alive = values.size
    if ends[2] >= 0:
        alive = ends[2] + 1 if marks is None else int(np.searchsorted(marks, ends[2])) + 1
    curve = Curve(equity, values, _NO_MARKS if marks is None else marks, alive)
    return orders, equity, ends, follow(market, rules, orders, ends[0], curve)


def _simulate_plain(inputs: Inputs, market: Market, options: Options) -> _Simulated:
    """One pass over the bars, where only signals can move the account."""
    from algotrendy.kernels.orders_plain import Plain, run_plain

    n_bars = market.close.size
    rules, orders, equity = options.rules(inputs.size_kind), empty_orders(n_bars), np.empty(n_bars)
    price = market.open if options.fill == "next_open" else market.close
    marks = _NO_MARKS if options.marks is None else options.marks
    given = Plain(inputs.words, price, market.close, inputs.size, marks)
    *ends, measured = run_plain(given, rules, orders, equity)
    return orders, equity, (ends[0], ends[1], ends[2]), measured


def _one(bars: BarArrays | Panel) -> BarArrays:
    if isinstance(bars, tuple):
        return bars
    if len(bars.instruments) != 1:
        raise InputError(f"the panel has {len(bars.instruments)} instruments; this engine runs one")
    return bars.column(0)


def _check_sizes(inputs: Inputs, n_bars: int) -> None:
    """Refuse inputs of other bars: kernels do not look."""
    if inputs.words.shape != (4, -(-n_bars // 64)):
        raise InputError(f"the signals have {inputs.words.shape} words; {n_bars} bars need {(4, -(-n_bars // 64))}")
    for name in ("stop", "target", "trail", "size"):
        size = getattr(inputs, name).size
        if size not in (1, n_bars):
            raise InputError(f"{name} has {size} values; use one, or one for each of the {n_bars} bars")


def _only_signals_move(inputs: Inputs) -> bool:
    """Return whether there is no stop, target or trail and no short signal."""
    for level in (inputs.stop, inputs.target, inputs.trail):
        if level.size > 1 or level[0] > 0.0:
            return False
    return not inputs.words[2].any()
