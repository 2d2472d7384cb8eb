"""The equity curve of one backtest, and the sums over it that its metrics are made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL, extremes_part, summing_part
from algotrendy.kernels.orders_types import ENTRY, Market, Orders, Rules

ROUNDING = 1e-12
"""A spread, a downside or a drawdown up to here is rounding, and counts as none."""


class Curve(NamedTuple):
    """Where `follow` writes, and the valuation marks."""

    equity: NDArray[np.float64]
    """Shape (n_bars,)."""
    values: NDArray[np.float64]
    """Shape (n_marks,): equity at the marks. May be `equity` itself where every bar is a mark."""
    marks: NDArray[np.int64]
    """Bar positions of the marks; empty where every bar is one."""
    alive: int
    """Marks up to and including the one after which nothing moves any more (ruin), else n_marks."""


@summing_part
def stretch(
    series: NDArray[np.float64], first: int, last: int, about: tuple[float, float, float]
) -> tuple[float, float, float, float]:
    """Return sums over the marks `first + 1 ... last` of a held position; `about` is ratio, centre and hurdle.

    They are those of d = r - centre, of d squared, of min(r - hurdle, 0) squared, and of the denominators of the
    returns r = (series[i] - series[i - 1]) / (ratio + series[i - 1]). With one of the returns as the centre no digits
    are lost when the squared deviations are taken from these sums.
    """
    ratio, centre, hurdle = about
    total, squares, downside, values = 0.0, 0.0, 0.0, 0.0
    # Numba reads a negative index from the end; views that start at 0 tell the compiler that there is none.
    before, after = series[first:last], series[first + 1 : last + 1]
    for i in range(after.size):
        value = ratio + before[i]
        change = (after[i] - before[i]) / value
        low = min(change - hurdle, 0.0)
        d = change - centre
        total += d
        squares += d * d
        downside += low * low
        values += value
    return total, squares, downside, values


@extremes_part
def held_piece(
    series: NDArray[np.float64], units: float, base: float, equity: NDArray[np.float64]
) -> tuple[float, float]:
    """Write the equity of a piece in which nothing is traded; return the largest and the smallest value."""
    top, bottom = -np.inf, np.inf
    for i in range(equity.size):
        value = base + units * series[i]
        equity[i] = value
        top, bottom = max(top, value), min(bottom, value)
    return top, bottom


@jit(**KERNEL)
def follow(
    market: Market, rules: Rules, orders: Orders, n_orders: int, curve: Curve
) -> tuple[float, float, float, float, float, int, int]:
    """Write the equity at the end of each bar, and return what metrics need of it.

    Returns
    -------
    mean, deviations, downside, total, drawdown, start, valley : float
        Mean of the excess returns between marks, sum of their squared deviations, sum of the squares of those below
        zero, sum of the values at the marks; largest loss from the running peak, and the bars of its peak (the last one
        at it; -1: the initial cash) and of its lowest point (-1: no loss).
    """
    equity, values, units, base, series, begin = curve.equity, curve.values, 0.0, rules.cash, market.close, 0
    peak, near, worst, peak_at, start, valley = rules.cash, rules.cash * (1.0 - ROUNDING), 0.0, -1, -1, -1
    for k in range(n_orders + 1):
        end = orders.bars[k, 1] if k < n_orders else equity.size
        piece = equity[begin:end]
        top, bottom = held_piece(series[begin:end], units, base, piece)
        if top >= near or peak - bottom > worst * peak:  # else no bar of the piece is a new peak or a new low
            for i in range(piece.size):
                value = piece[i]
                if value >= near:
                    peak_at = begin + i
                    if value > peak:
                        peak, near = value, value * (1.0 - ROUNDING)
                elif peak - value > worst * peak:
                    worst = (peak - value) / peak
                    start, valley = peak_at, begin + i
        if k < n_orders:
            begin, units, base, series = end, 0.0, orders.money[k, 4], market.close
            if orders.bars[k, 2] == ENTRY:
                units = orders.money[k, 0]
            if units < 0.0:
                series = market.held
                base -= units * (series[begin] - market.close[begin])
    for i in range(curve.marks.size):
        values[i] = equity[curve.marks[i]]
    n, hurdle, alive = values.size, rules.hurdle, curve.alive
    centre = values[0] / rules.cash - 1.0
    total, squares, downside, value = stretch(values, 0, alive - 1, (0.0, centre, hurdle))
    low, idle, still = min(centre - hurdle, 0.0), min(-hurdle, 0.0), float(n - alive)
    total, squares = total - centre * still, squares + centre * centre * still
    downside += low * low + idle * idle * still
    value += values[n - 1] * (1.0 + still)
    return centre + total / n - hurdle, squares - total * total / n, downside, value, worst, start, valley
