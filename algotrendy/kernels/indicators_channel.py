"""Highest and lowest values of a window, the middle and the place between them, written into `out`.

Each returns whether all it read was finite.

How a window of any length is had from its neighbours is written in `_extremes`.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._extremes import LONGEST, back_over, by_blocks, in_lanes, larger, room_for, smaller
from algotrendy.kernels._jit import jit
from algotrendy.kernels.indicators_average import ema
from algotrendy.kernels.indicators_volatility import atr

Float1D: TypeAlias = NDArray[np.float64]
Float2D: TypeAlias = NDArray[np.float64]
HighLow: TypeAlias = tuple[Float1D, Float1D]
HighLowClose: TypeAlias = tuple[Float1D, Float1D, Float1D]

at = np.uint64  # an index without a sign is not looked at for counting from the end


@jit(error_model="numpy")
def highest(x: Float1D, window: int, out: Float1D) -> bool:
    """Write the largest of the last `window` values."""
    if window > x.size:
        out[:] = np.nan
        return True
    if window <= LONGEST:
        rooms = np.empty(room_for(window)), np.empty(room_for(window))
        missing = in_lanes(x, window, larger, rooms, out)
    else:
        missing = by_blocks(x, window, larger, np.full(window + 1, -np.inf), out)
    out[: window - 1] = np.nan
    return bool(missing == 0)


@jit(error_model="numpy")
def lowest(x: Float1D, window: int, out: Float1D) -> bool:
    """Write the smallest of the last `window` values."""
    if window > x.size:
        out[:] = np.nan
        return True
    if window <= LONGEST:
        rooms = np.empty(room_for(window)), np.empty(room_for(window))
        missing = in_lanes(x, window, smaller, rooms, out)
    else:
        missing = by_blocks(x, window, smaller, np.full(window + 1, np.inf), out)
    out[: window - 1] = np.nan
    return bool(missing == 0)


@jit(error_model="numpy")
def midpoint(high: Float1D, low: Float1D, window: int, out: Float1D) -> bool:
    """Write the middle between the highest high and the lowest low. Both in one loop: `out` is written once."""
    if window > high.size:
        out[:] = np.nan
        return True
    tops, bottoms = np.full(window + 1, -np.inf), np.full(window + 1, np.inf)
    missing = 0
    for start in range(0, high.size, window):
        count = min(window, high.size - start)
        top, bottom = -np.inf, np.inf
        for j in range(count):
            bar = at(start + j)
            top, bottom = max(top, high[bar]), min(bottom, low[bar])
            out[bar] = (max(tops[at(j + 1)], top) + min(bottoms[at(j + 1)], bottom)) / 2.0
        missing += back_over(high, start, count, larger, tops)
        missing += back_over(low, start, count, smaller, bottoms)
    out[: window - 1] = np.nan
    return bool(missing == 0)


@jit(error_model="numpy")
def donchian(high: Float1D, low: Float1D, window: int, out: Float2D) -> bool:
    """Write the highest high, the middle, and the lowest low."""
    upper, middle, lower = out[0], out[1], out[2]
    sound = highest(high, window, upper) and lowest(low, window, lower)
    for i in range(upper.size):
        middle[i] = (upper[i] + lower[i]) / 2.0
    return bool(sound)


@jit(error_model="numpy")
def ichimoku(bars: HighLow, conversion: int, base: int, span: int, out: Float2D) -> bool:
    """Write the middles of three windows, the mean of the first two of them coming third."""
    high, low = bars
    sound = midpoint(high, low, conversion, out[0]) and midpoint(high, low, base, out[1])
    first, second, mean = out[0], out[1], out[2]
    for i in range(mean.size):
        mean[i] = (first[i] + second[i]) / 2.0
    return bool(sound and midpoint(high, low, span, out[3]))


@jit(error_model="numpy")
def keltner(bars: HighLowClose, window: int, multiplier: float, atr_window: int, out: Float2D) -> bool:
    """Write an exponential average of closes plus, alone, and less average true ranges."""
    high, low, close = bars
    upper, middle, lower = out[0], out[1], out[2]
    sound = ema(close, window, middle) and atr(high, low, close, atr_window, upper)
    if atr_window >= close.size:  # then `atr` did not look at the bars
        for i in range(close.size):
            sound &= np.isfinite(high[i] + low[i] + close[i])
    for i in range(upper.size):
        reach = upper[i] * multiplier
        lower[i] = middle[i] - reach
        upper[i] = middle[i] + reach
    return bool(sound)


@jit(error_model="numpy")
def place_in_channel(bars: HighLowClose, window: int, from_top: bool, out: Float1D) -> bool:
    """Write the distance of the close from the highest high (0 to -100) or from the lowest low (0 to 100).

    In percent of the range between the two; 0 without a range.
    """
    high, low, close = bars
    if window > close.size:
        out[:] = np.nan
        return True
    tops, bottoms = np.full(window + 1, -np.inf), np.full(window + 1, np.inf)
    missing = 0
    for start in range(0, close.size, window):
        count = min(window, close.size - start)
        highest_here, lowest_here = -np.inf, np.inf
        for j in range(count):
            bar = at(start + j)
            newest = close[bar]
            missing += (newest - newest) != 0.0
            highest_here, lowest_here = max(highest_here, high[bar]), min(lowest_here, low[bar])
            top, bottom = max(tops[at(j + 1)], highest_here), min(bottoms[at(j + 1)], lowest_here)
            reach = top - bottom
            place = 100.0 * ((newest - (top if from_top else bottom)) / reach)
            out[bar] = 0.0 if reach == 0.0 else place
        missing += back_over(high, start, count, larger, tops)
        missing += back_over(low, start, count, smaller, bottoms)
    out[: window - 1] = np.nan
    return bool(missing == 0)
