"""Indicators that weigh prices with volume, written into `out`.

Each returns whether all it read was finite; if not, `out` means nothing. `session_vwap` alone takes NaN as it comes,
and returns True.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import part
from algotrendy.kernels.indicators_momentum import typical_price

Float1D: TypeAlias = NDArray[np.float64]
Bars: TypeAlias = tuple[Float1D, Float1D, Float1D, Float1D]
"""High, low, close, volume."""


@part
def all_finite(x: Float1D) -> bool:
    """Return whether no value is missing."""
    missing = 0
    for value in x:
        missing += (value - value) != 0.0
    return bool(missing == 0)


@jit(error_model="numpy")
def obv(close: Float1D, volume: Float1D, out: Float1D) -> bool:
    """Write the running sum of volume, added on a rise and taken away on a fall; the first bar counts as a rise."""
    total = witness = 0.0
    before = -np.inf
    for i in range(close.size):
        sign = (1.0 if close[i] > before else 0.0) - (1.0 if close[i] < before else 0.0)  # no branch to mispredict
        total += sign * volume[i]
        before = close[i]
        witness += before
        out[i] = total
    return bool(np.isfinite(total + witness))


@jit(error_model="numpy")
def mfi(bars: Bars, window: int, out: Float1D) -> bool:
    """Write the share of money that flowed on a rise of the typical price, 0 to 100; 0 where none flowed."""
    high, low, close, volume = bars
    typical = np.empty(close.size)
    sound = typical_price(high, low, close, typical) and all_finite(volume)
    tail_up, tail_down = np.zeros(min(window, volume.size)), np.zeros(min(window, volume.size))
    up = down = 0.0
    j = window
    for i in range(1, typical.size):
        if j == window:
            up = down = 0.0
            j = 0
            for k in range(1, min(window, i)):
                change = typical[i - k] - typical[i - k - 1]
                flow = typical[i - k] * volume[i - k]
                up += flow if change > 0.0 else 0.0
                down += flow if change < 0.0 else 0.0
                tail_up[window - 1 - k] = up
                tail_down[window - 1 - k] = down
            up = down = 0.0
        change = typical[i] - typical[i - 1]
        flow = typical[i] * volume[i]
        up += flow if change > 0.0 else 0.0
        down += flow if change < 0.0 else 0.0
        gained = tail_up[j] + up
        moved = gained + (tail_down[j] + down)
        out[i] = 100.0 * (gained / moved) if moved > 0.0 else 0.0
        j += 1
    out[:window] = np.nan
    return bool(sound)


@jit(error_model="numpy")
def vwap(bars: Bars, window: int, out: Float1D) -> bool:
    """Write the mean typical price of the last `window` bars, weighed with volume; NaN where nothing was traded."""
    high, low, close, volume = bars
    typical = np.empty(close.size)
    sound = typical_price(high, low, close, typical) and all_finite(volume)
    tail_paid, tail_units = np.zeros(min(window, volume.size)), np.zeros(min(window, volume.size))
    reference = paid = units = 0.0
    j = window
    for i in range(typical.size):
        if j == window:
            reference = typical[i]
            paid = units = 0.0
            j = 0
            for k in range(1, min(window, i + 1)):
                paid += (typical[i - k] - reference) * volume[i - k]
                units += volume[i - k]
                tail_paid[window - 1 - k] = paid
                tail_units[window - 1 - k] = units
            paid = units = 0.0
        paid += (typical[i] - reference) * volume[i]
        units += volume[i]
        traded = tail_units[j] + units
        out[i] = reference + (tail_paid[j] + paid) / traded if traded > 0.0 else np.nan
        j += 1
    out[: window - 1] = np.nan
    return bool(sound)


@jit(error_model="numpy")
def session_vwap(bars: Bars, session: Float1D, out: Float1D) -> bool:
    """Write the mean typical price since the first bar with the same session label, weighed with volume.

    NaN until something was traded in the session, and from a NaN to the end of its session.
    """
    high, low, close, volume = bars
    typical = np.empty(close.size)
    typical_price(high, low, close, typical)
    reference = paid = units = 0.0
    for i in range(typical.size):
        if i == 0 or session[i] != session[i - 1]:
            reference = typical[i]
            paid = units = 0.0
        paid += (typical[i] - reference) * volume[i]
        units += volume[i]
        out[i] = reference + paid / units if units > 0.0 else np.nan
    return True
