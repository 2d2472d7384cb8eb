"""What follows from a curve and from fills: the sums that metrics are made of, and round trips at average cost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL
from algotrendy.kernels.portfolio_types import SPLIT
from algotrendy.kernels.statistics_curve import ROUNDING, stretch


class Marks(NamedTuple):
    """The valuation marks of a curve."""

    values: NDArray[np.float64]
    """Shape (n_marks,): equity at the marks."""
    alive: int
    """Marks up to and including the one after which nothing moves any more (ruin), else n_marks."""
    in_order: bool
    """Whether sums are taken in the order of the marks, as for an account of one instrument that only signals move."""


class Closed(NamedTuple):
    """One row per fill: what it closed. Shape (n_fills,) each; `units` 0.0 where it opened or added."""

    entry_at: NDArray[np.int64]
    units: NDArray[np.float64]
    """Units of the position that were closed, with its sign."""
    entry_price: NDArray[np.float64]
    commission: NDArray[np.float64]
    """Of the entry's share and of the closing fill."""
    borrow: NDArray[np.float64]
    profit: NDArray[np.float64]
    owed: NDArray[np.float64]
    """Shape (n_instruments,): the borrow of what is still open."""
    income: NDArray[np.float64]
    """Dividends, below 0.0 for a short position."""


@jit(**KERNEL)
def measure(
    equity: NDArray[np.float64], cash: float, hurdle: float, marks: Marks
) -> tuple[float, float, float, float, float, int, int]:
    """Return what `statistics_curve.follow` returns, of a curve that is there already."""
    peak, near, worst, peak_at, start, valley = cash, cash * (1.0 - ROUNDING), 0.0, -1, -1, -1
    for i in range(equity.size):
        value = equity[i]
        if value >= near:
            peak_at = i
            if value > peak:
                peak, near = value, value * (1.0 - ROUNDING)
        elif peak - value > worst * peak:
            worst = (peak - value) / peak
            start, valley = peak_at, i
    values, n = marks.values, marks.values.size
    if marks.in_order:
        before, centre, total, squares, downside, amount = cash, 0.0, 0.0, 0.0, 0.0, 0.0
        for m in range(n):
            change = 0.0
            if before > 0.0:
                change = (values[m] - before) / before
            if m == 0:
                centre = change
            low = min(change - hurdle, 0.0)
            total += change - centre
            squares += (change - centre) * (change - centre)
            downside += low * low
            amount += values[m]
            before = values[m]
        mean = total / n
        return centre + mean - hurdle, squares - total * mean, downside, amount, worst, start, valley
    centre = values[0] / cash - 1.0
    total, squares, downside, amount = stretch(values, 0, marks.alive - 1, (0.0, centre, hurdle))
    low, idle, still = min(centre - hurdle, 0.0), min(-hurdle, 0.0), float(n - marks.alive)
    total, squares = total - centre * still, squares + centre * centre * still
    downside += low * low + idle * idle * still
    amount += values[n - 1] * (1.0 + still)
    return centre + total / n - hurdle, squares - total * total / n, downside, amount, worst, start, valley


@jit(error_model="numpy")
def close_trades(
    places: NDArray[np.int32],
    paid: NDArray[np.float64],
    carry: NDArray[np.float64],
    income: NDArray[np.float64],
    closed: Closed,
) -> None:
    """Write what each fill closed, at the average cost of the position, and the borrow of what is still open.

    Parameters
    ----------
    places : int32 array of shape (n_fills, 4)
        As in `Fills`.
    paid : float64 array of shape (n_fills, 3)
        Units, price after slippage, commission.
    carry : float64 array of shape (n_instruments, n_bars), or (n_instruments, 1) where nothing is paid
        Borrow per unit up to and including each bar.
    income : float64 array of the same shapes
        Dividends per unit up to and including each bar.
    """
    n = carry.shape[0]
    units, price, cost, owed, gained = np.zeros(n), np.zeros(n), np.zeros(n), closed.owed, np.zeros(n)
    owed[:] = 0.0
    opened, since = np.zeros(n, np.int64), np.zeros(n, np.int64)
    pays, gains = carry.shape[1] > 1, income.shape[1] > 1
    for k in range(places.shape[0]):
        bar, j = places[k, 1], places[k, 2]
        traded, at, commission = paid[k, 0], paid[k, 1], paid[k, 2]
        if pays and units[j] < 0.0:
            owed[j] += units[j] * (carry[j, since[j]] - carry[j, bar])
        if gains:
            gained[j] += units[j] * (income[j, bar] - income[j, since[j]])
        since[j] = bar
        closed.units[k], closed.borrow[k], closed.profit[k], closed.income[k] = 0.0, 0.0, 0.0, 0.0
        if places[k, 3] == SPLIT:
            price[j] *= units[j] / (units[j] + traded)
        elif units[j] * traded < 0.0:
            share = 1.0 if traded == -units[j] else -traded / units[j]
            costs, borrow = share * cost[j] + commission, share * owed[j]
            closed.entry_at[k], closed.units[k], closed.entry_price[k] = opened[j], -traded, price[j]
            closed.commission[k], closed.borrow[k] = costs, borrow
            closed.profit[k] = -traded * (at - price[j]) - costs - borrow
            cost[j] -= share * cost[j]
            owed[j] -= borrow
            if gains:
                closed.income[k] = share * gained[j]
                closed.profit[k] += closed.income[k]
                gained[j] -= closed.income[k]
        elif units[j] == 0.0:
            opened[j], price[j], cost[j], owed[j], gained[j] = bar, at, commission, 0.0, 0.0
        else:
            price[j] = (units[j] * price[j] + traded * at) / (units[j] + traded)
            cost[j] += commission
        units[j] += traded
    for j in range(n):
        if pays and units[j] < 0.0:
            owed[j] += units[j] * (carry[j, since[j]] - carry[j, carry.shape[1] - 1])
