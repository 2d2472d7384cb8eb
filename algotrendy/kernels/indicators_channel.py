"""Highest and lowest values of a window, and the place between them, written into `out`.

Each returns whether all it read was finite.

Each window is the tail of one block of `window` bars and the head of the next, so two running extremes per bar
suffice, whatever the window (van Herk 1992). One loop goes over a block both ways, as in `indicators_average`.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit

Float1D: TypeAlias = NDArray[np.float64]

at = np.uint64  # an index without a sign is not looked at for counting from the end


@jit(error_model="numpy")
def highest(x: Float1D, window: int, out: Float1D) -> bool:
    """Write the largest of the last `window` values."""
    if window > x.size:
        out[:] = np.nan
        return True
    tail, next_tail = np.full(window + 1, -np.inf), np.full(window + 1, -np.inf)  # at j + 1: what the j-th bar needs
    missing = 0
    for start in range(0, x.size, window):
        count = min(window, x.size - start)
        best = next_best = -np.inf
        for j in range(count):
            value = x[at(start + j)]
            missing += (value - value) != 0.0  # comparisons drop a NaN, so it is counted
            best = max(best, value)
            out[at(start + j)] = max(tail[at(j + 1)], best)
            next_best = max(next_best, x[at(start + count - 1 - j)])
            next_tail[at(count - 1 - j)] = next_best
        tail, next_tail = next_tail, tail
    out[: window - 1] = np.nan
    return bool(missing == 0)


@jit(error_model="numpy")
def lowest(x: Float1D, window: int, out: Float1D) -> bool:
    """Write the smallest of the last `window` values."""
    if window > x.size:
        out[:] = np.nan
        return True
    tail, next_tail = np.full(window + 1, np.inf), np.full(window + 1, np.inf)  # at j + 1: what the j-th bar needs
    missing = 0
    for start in range(0, x.size, window):
        count = min(window, x.size - start)
        best = next_best = np.inf
        for j in range(count):
            value = x[at(start + j)]
            missing += (value - value) != 0.0  # comparisons drop a NaN, so it is counted
            best = min(best, value)
            out[at(start + j)] = min(tail[at(j + 1)], best)
            next_best = min(next_best, x[at(start + count - 1 - j)])
            next_tail[at(count - 1 - j)] = next_best
        tail, next_tail = next_tail, tail
    out[: window - 1] = np.nan
    return bool(missing == 0)


@jit(error_model="numpy")
def distance_from_top(high: Float1D, low: Float1D, close: Float1D, window: int, out: Float1D) -> bool:
    """Write how far the close lies below the highest high, 0 to -100 of the range to the lowest low; 0 without a range.

    Both extremes in one loop: what `highest` and `lowest` would write and this read again takes as long as to find it.
    """
    if window > close.size:
        out[:] = np.nan
        return True
    tops, next_tops = np.full(window + 1, -np.inf), np.full(window + 1, -np.inf)
    bottoms, next_bottoms = np.full(window + 1, np.inf), np.full(window + 1, np.inf)
    missing = 0
    for start in range(0, close.size, window):
        count = min(window, close.size - start)
        highest_here = next_highest = -np.inf
        lowest_here = next_lowest = np.inf
        for j in range(count):
            bar, back = at(start + j), at(start + count - 1 - j)
            newest = close[bar]
            witness = high[bar] + low[bar] + newest
            missing += (witness - witness) != 0.0
            highest_here, lowest_here = max(highest_here, high[bar]), min(lowest_here, low[bar])
            top, bottom = max(tops[at(j + 1)], highest_here), min(bottoms[at(j + 1)], lowest_here)
            reach = top - bottom
            place = -100.0 * ((top - newest) / reach)
            out[bar] = 0.0 if reach == 0.0 else place
            next_highest, next_lowest = max(next_highest, high[back]), min(next_lowest, low[back])
            next_tops[at(count - 1 - j)], next_bottoms[at(count - 1 - j)] = next_highest, next_lowest
        tops, next_tops = next_tops, tops
        bottoms, next_bottoms = next_bottoms, bottoms
    out[: window - 1] = np.nan
    return bool(missing == 0)
