"""How far wealth lies below its highest point so far.

The depth is wealth as a multiple of its peak, 1.0 at one. It follows from itself, `min(depth * growth, 1)`, so nothing
is divided and nothing can overflow: that is the plain form. The fast form cuts the series into eight pieces, one for
each lane, and joins what is known of them: the depth at the end, the lowest value and the deepest fall inside each. Its
wealth carries its own rounding errors along (a product in twice the precision), so a million periods drift no further
than one.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._lanes import BYTES, WIDTH, fused, load, spread, store, turn, where
from algotrendy.kernels._part import KERNEL

Float1D: TypeAlias = NDArray[np.float64]
Float2D: TypeAlias = NDArray[np.float64]

SMALL, LARGE = 1e-200, 1e200
"""Wealth outside of these bounds would lose digits of a product, or is lost; the plain form has no such bounds."""

ROOM = (WIDTH, WIDTH)
"""Shape of the room that `deepest` works in."""


@jit(**KERNEL)
def deepest(returns: Float1D, room: Float2D, tables: NDArray[np.int64]) -> tuple[float, bool]:
    """Return the least depth, and whether it can be relied on: all returns are sound and wealth stayed within bounds.

    `room` has the shape `ROOM`, `tables` the shape (2, WIDTH).
    """
    piece = returns.size // (WIDTH * WIDTH) * WIDTH
    for k in range(WIDTH):
        tables[0, k] = returns.ctypes.data + 8 * piece * k
        tables[1, k] = room.ctypes.data + BYTES * k
    one = spread(1.0)
    wealth, rest, value, peak, low, worst = one, spread(0.0), one, one, one, one
    for i in range(0, piece, WIDTH):
        turn(tables.ctypes.data, 8 * i, tables.ctypes.data + 8 * WIDTH, 0)
        for j in range(WIDTH):
            change = load(room.ctypes.data + BYTES * j)
            growth = one + change
            lost = change - (growth - one)
            product = wealth * growth
            # What the addition and the product lost, and what was lost before, grown with the rest.
            rest = fused(rest, growth, fused(wealth, lost, fused(wealth, growth, spread(0.0) - product)))
            wealth = product
            value = wealth + rest
            peak = where(value > peak, value, peak)
            low = where(value < low, value, low)
            depth = value / peak
            worst = where(depth < worst, depth, worst)
    for row, numbers in enumerate((value, peak, low, worst)):
        store(room.ctypes.data + BYTES * row, numbers)
    depth_now, least, sound = 1.0, 1.0, True
    for k in range(WIDTH):
        end, top, bottom, inside = room[0, k], room[1, k], room[2, k], room[3, k]
        sound = sound and end < LARGE and top < LARGE and bottom > SMALL
        least = min(least, depth_now * bottom, inside)
        depth_now = min(depth_now * end, end / top)
    witness = 0.0
    for i in range(piece * WIDTH, returns.size):
        witness = min(witness, returns[i])
        depth_now = min(depth_now * (1.0 + returns[i]), 1.0)
        least = min(least, depth_now)
        sound = sound and returns[i] < LARGE
    return least, sound and witness >= -1.0


@jit(**KERNEL)
def depths(returns: Float1D, out: Float1D) -> None:
    """Write wealth as a multiple of its highest value so far, the one before the first period included."""
    depth = 1.0
    for i in range(returns.size):
        depth = min(depth * (1.0 + returns[i]), 1.0)
        out[i] = depth


@jit(**KERNEL)
def drawdowns_of_values(values: Float1D, out: Float1D) -> None:
    """Write how far each value lies below the highest one so far, as a part of that."""
    peak = values[0]
    for i in range(values.size):
        peak = max(peak, values[i])
        out[i] = (peak - values[i]) / peak


@jit(**KERNEL)
def rolling_deepest(returns: Float1D, window: int, room: Float2D, out: Float1D) -> None:
    """Write the least depth within the last `window` periods; wealth before the first of them is a peak.

    Each window is the tail of one block of `window` periods and the head of the next. `room`, shape (2, window + 1),
    keeps the depth at the end and the deepest fall of each tail.
    """
    out[: window - 1] = np.nan
    ends, falls = room[0], room[1]
    ends[window], falls[window] = 1.0, 1.0
    for start in range(0, returns.size, window):
        growth, low, depth, worst = 1.0, 1.0, 1.0, 1.0
        count = min(window, returns.size - start)
        for j in range(count):
            factor = 1.0 + returns[start + j]
            growth *= factor
            low = min(low, growth)
            depth = min(depth * factor, 1.0)
            worst = min(worst, depth)
            if start + j >= window - 1:
                # at j = window - 1 the head is the whole window, and the tail is empty
                out[start + j] = min(falls[j + 1], ends[j + 1] * low, worst)
        if count == window:
            growth, low, depth, worst = 1.0, 1.0, 1.0, 1.0
            for j in range(window - 1, 0, -1):
                factor = 1.0 + returns[start + j]
                growth *= factor
                low = min(1.0, factor * low)
                depth = min(depth, growth)
                worst = min(worst, low)
                ends[j], falls[j] = depth, worst
