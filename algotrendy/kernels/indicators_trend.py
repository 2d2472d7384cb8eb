"""Directional movement, parabolic SAR and supertrend, written into `out`.

Each but `supertrend` returns whether all it read was finite; if not, `out` means nothing. Comparisons drop a NaN, so
each input is also added to a `witness`, which does not.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit

Float1D: TypeAlias = NDArray[np.float64]
Float2D: TypeAlias = NDArray[np.float64]


@jit(error_model="numpy")
def directional(high: Float1D, low: Float1D, close: Float1D, window: int, out: Float2D) -> bool:
    """Write Wilder's ADX, +DI and -DI, each 0 to 100.

    The sums start over `window` - 1 bars and take the next one as a first smoothing step: TA-Lib's convention.
    """
    adx, plus, minus = out[0], out[1], out[2]
    last_seed = 2 * window - 1
    adx[:last_seed] = np.nan
    plus[:window] = np.nan
    minus[:window] = np.nan
    up = down = reach = average = witness = 0.0
    weight = 1.0 / window
    keep = 1.0 - weight
    old_high, old_low = high[0], low[0]
    for i in range(1, close.size):
        top, bottom, before = high[i], low[i], close[i - 1]
        rise, fall = top - old_high, old_low - bottom
        decay = keep if i >= window else 1.0
        up = up * decay + (rise if (rise > fall) & (rise > 0.0) else 0.0)
        down = down * decay + (fall if (fall > rise) & (fall > 0.0) else 0.0)
        reach = reach * decay + (max(top, before) - min(before, bottom))
        witness += rise + fall
        old_high, old_low = top, bottom
        if i < window:
            continue
        moved = up + down
        plus[i] = 100.0 * (up / reach) if reach > 0.0 else 0.0
        minus[i] = 100.0 * (down / reach) if reach > 0.0 else 0.0
        index = 100.0 * (abs(up - down) / moved) if moved > 0.0 else 0.0
        if i > last_seed:
            average = average * keep + index * weight if moved > 0.0 else average
            adx[i] = average
        else:
            average += index
            if i == last_seed:
                average /= window
                adx[i] = average
    return bool(np.isfinite(reach + witness + close[close.size - 1]))


@jit(error_model="numpy")
def sar(high: Float1D, low: Float1D, acceleration: float, maximum: float, out: Float1D) -> bool:
    """Write Wilder's parabolic stop and reverse."""
    out[:1] = np.nan
    if high.size < 2:
        return True
    step = min(acceleration, maximum)
    rise, fall = high[1] - high[0], low[0] - low[1]
    witness = rise + fall
    is_long = not (fall > 0.0 and fall > rise)
    level = low[0] if is_long else high[0]
    extreme = high[1] if is_long else low[1]
    factor = step
    old_high, old_low = high[1], low[1]  # the first bar is held against itself
    for i in range(1, high.size):
        top, bottom = high[i], low[i]
        witness += top - bottom
        if is_long:
            if bottom > level:
                out[i] = level
                factor = min(factor + step, maximum) if top > extreme else factor
                extreme = max(extreme, top)
                level = min(level + factor * (extreme - level), old_low, bottom)
            else:
                is_long = False
                level = max(extreme, old_high, top)
                out[i] = level
                extreme, factor = bottom, step
                level = max(level + factor * (extreme - level), old_high, top)
        elif top < level:
            out[i] = level
            factor = min(factor + step, maximum) if bottom < extreme else factor
            extreme = min(extreme, bottom)
            level = max(level + factor * (extreme - level), old_high, top)
        else:
            is_long = True
            level = min(extreme, old_low, bottom)
            out[i] = level
            extreme, factor = top, step
            level = min(level + factor * (extreme - level), old_low, bottom)
        old_high, old_low = top, bottom
    return bool(np.isfinite(witness))


@jit(error_model="numpy")
def supertrend(high: Float1D, low: Float1D, close: Float1D, multiplier: float, out: Float2D) -> None:
    """Write the trailing band and its direction, 1 up and -1 down; the line holds the average true range before."""
    line, direction = out[0], out[1]
    ceiling = floor = trend = 0.0
    for i in range(close.size):
        middle, width = (high[i] + low[i]) / 2.0, line[i] * multiplier
        upper, lower = middle + width, middle - width
        if np.isnan(upper):
            line[i] = direction[i] = np.nan
            continue
        if trend == 0.0:  # the first known bar: down until proved otherwise
            ceiling, floor, trend = upper, lower, -1.0
        else:
            before = close[i - 1]
            ceiling = upper if (upper < ceiling) | (before > ceiling) else ceiling  # no branch to mispredict
            floor = lower if (lower > floor) | (before < floor) else floor
            if trend < 0.0 and close[i] > ceiling:
                trend = 1.0
            elif trend > 0.0 and close[i] < floor:
                trend = -1.0
        line[i] = floor if trend > 0.0 else ceiling
        direction[i] = trend
