"""What the order kernels take and give: tuples of arrays, and the numbers that stand for names. Needs no Numba."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# When a decision is filled (`Rules.fill`).
NEXT_OPEN, SAME_CLOSE, NEXT_CLOSE = 0, 1, 2
FILLS = ("next_open", "same_close", "next_close")

# How the size is meant (`Rules.size_kind`).
FRACTION, FIXED_UNITS = 0, 1

# Why an order was filled (`Orders.bars[:, REASON]`).
ENTRY, EXIT, STOP, TRAIL, TARGET, RUIN = 0, 1, 2, 3, 4, 5
REASONS = ("entry", "exit", "stop", "trail", "target", "ruin")

# A decision; also the one of the last bar that found no bar to be filled on.
NOTHING, GO_LONG, GO_FLAT, GO_SHORT = 0, 1, 2, 3
PENDING = (None, "long", "flat", "short")

# Columns of `Orders.bars` and of `Orders.money`.
DECIDED_AT, FILLED_AT, REASON = 0, 1, 2
UNITS, PRICE, COMMISSION, SLIPPAGE, CASH_AFTER, BORROW, PROFIT = 0, 1, 2, 3, 4, 5, 6

# Rows of `Market.blocks`, whose blocks have 2**BLOCK_SHIFT bars.
BLOCK_SHIFT = 4
LOWEST_LOW, HIGHEST_HIGH, LOWEST_CLOSE, HIGHEST_CLOSE, LOWEST_HELD, HIGHEST_HELD = 0, 1, 2, 3, 4, 5


class Market(NamedTuple):
    """The bars of one instrument, and tables built from them once and shared by all combinations.

    A short position pays `borrow_per_bar x close` per unit and bar. `held` is the close plus the sum of these payments
    up to and including the bar, so that the equity of a position is affine in one series: `close` for a long one,
    `held` for a short one. Without borrow they are the same array.
    """

    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    held: NDArray[np.float64]
    blocks: NDArray[np.float64]
    """Shape (6, n_blocks): the extremes of each block of bars."""
    mark_close: NDArray[np.float64]
    mark_held: NDArray[np.float64]
    """Shape (n_marks,): `close` and `held` at the valuation marks."""
    mark_from: NDArray[np.int64]
    """Shape (n_bars + 1,): the number of the first valuation mark at or after each bar."""


class Rules(NamedTuple):
    """How orders are filled and paid, as scalars. `lot_size` 0 means fractional units."""

    fill: int
    size_kind: int
    cash: float
    rate: float
    per_unit: float
    fixed: float
    minimum: float
    slippage: float
    lot_size: float
    max_leverage: float
    periods_per_year: float
    hurdle: float
    """The risk-free return of one period, as a fraction."""


class Exits(NamedTuple):
    """Distances and size by decision bar: arrays of length 1 (the same on all bars) or n. NaN: none."""

    stop: NDArray[np.float64]
    target: NDArray[np.float64]
    trail: NDArray[np.float64]
    size: NDArray[np.float64]


class Orders(NamedTuple):
    """One row per fill, in the order of filling. A position is opened by one row and closed by the next.

    `bars` (int64, three columns): decided_at, filled_at, reason. `money` (float64, seven columns): units (positive for
    a buy, negative for a sale), price after slippage, commission, slippage paid, cash after the fill; and on a closing
    row the borrow and the profit of the round trip, else 0.0.
    """

    bars: NDArray[np.int64]
    money: NDArray[np.float64]


ROOM = 4


def orders_max(n_bars: int) -> int:
    """Return room for all orders of `n_bars` bars: three per bar at most, and the slack that `walk` wants."""
    return 3 * n_bars + ROOM


def empty_orders(capacity: int) -> Orders:
    """Return room for `capacity` orders; memory is touched only where orders are written."""
    return Orders(np.empty((capacity, 3), np.int64), np.empty((capacity, 7), np.float64))
