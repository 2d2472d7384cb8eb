"""Highest and lowest values of a window, written into `out`. Each returns whether all it read was finite.

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
