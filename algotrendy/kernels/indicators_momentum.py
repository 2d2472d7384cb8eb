"""Momentum and oscillators, written into `out`.

Each returns whether all it read was finite; if not, `out` means nothing. `momentum` and `roc` alone take NaN as it
comes, and return True.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels.indicators_average import mean
from algotrendy.kernels.indicators_channel import HighLowClose, place_in_channel

Float1D: TypeAlias = NDArray[np.float64]
Float2D: TypeAlias = NDArray[np.float64]

CHUNK = 256


@jit(error_model="numpy")
def momentum(x: Float1D, window: int, out: Float1D) -> bool:
    """Write the change over `window` bars."""
    out[:window] = np.nan
    later, target = x[window:], out[window:]
    for i in range(later.size):
        target[i] = later[i] - x[i]
    return True


@jit(error_model="numpy")
def roc(x: Float1D, window: int, out: Float1D) -> bool:
    """Write the change over `window` bars in percent; 0 where the earlier value is 0."""
    out[:window] = np.nan
    later, target = x[window:], out[window:]
    for i in range(later.size):
        change = (later[i] / x[i] - 1.0) * 100.0
        target[i] = 0.0 * later[i] if x[i] == 0.0 else change
    return True


@jit(error_model="numpy")
def rsi(x: Float1D, window: int, out: Float1D) -> bool:
    """Write 100 x gains / (gains + losses), both in Wilder's average; 0 where nothing has moved yet."""
    out[:window] = np.nan
    if window >= x.size:
        return True
    gain = loss = 0.0
    for i in range(window):
        change = x[i + 1] - x[i]
        gain += max(change, 0.0)
        loss += max(-change, 0.0)
    gain /= window
    loss /= window
    moved = gain + loss
    out[window] = 100.0 * (gain / moved) if moved > 0.0 else 0.0
    weight = 1.0 / window
    keep = 1.0 - weight
    for i in range(window + 1, x.size):
        change = x[i] - x[i - 1]
        gain = gain * keep + max(change, 0.0) * weight
        loss = loss * keep + max(-change, 0.0) * weight
        moved = gain + loss
        out[i] = 100.0 * (gain / moved) if moved > 0.0 else 0.0
    return bool(np.isfinite(moved))


@jit(error_model="numpy")
def macd(x: Float1D, fast: int, slow: int, signal: int, out: Float2D) -> bool:
    """Write the difference of two exponential averages, its own exponential average, and the rest of the two.

    Both averages are seeded at the same bar, the first at which the longer one is known.
    """
    line, smooth, rest = out[0], out[1], out[2]
    start = max(fast, slow) - 1
    first = start + signal - 1
    line[:start] = np.nan
    smooth[:first] = np.nan
    rest[:first] = np.nan
    if start >= x.size:
        return True
    fast_weight, slow_weight, signal_weight = 2.0 / (fast + 1.0), 2.0 / (slow + 1.0), 2.0 / (signal + 1.0)
    fast_keep, slow_keep, signal_keep = 1.0 - fast_weight, 1.0 - slow_weight, 1.0 - signal_weight
    quick = slack = trigger = 0.0
    for value in x[start - fast + 1 : start + 1]:
        quick += value
    for value in x[start - slow + 1 : start + 1]:
        slack += value
    quick /= fast
    slack /= slow
    for i in range(start, min(first + 1, x.size)):
        if i > start:
            quick = quick * fast_keep + x[i] * fast_weight
            slack = slack * slow_keep + x[i] * slow_weight
        line[i] = quick - slack
        trigger += line[i]
    trigger /= signal
    if first < x.size:
        smooth[first] = trigger
        rest[first] = line[first] - trigger
    for i in range(first + 1, x.size):
        quick = quick * fast_keep + x[i] * fast_weight
        slack = slack * slow_keep + x[i] * slow_weight
        difference = quick - slack
        trigger = trigger * signal_keep + difference * signal_weight
        line[i] = difference
        smooth[i] = trigger
        rest[i] = difference - trigger
    return bool(np.isfinite(quick + slack + trigger))


@jit(error_model="numpy")
def stochastic(bars: HighLowClose, window: int, smoothing: int, signal: int, out: Float2D) -> bool:
    """Write the average place of the close between the lowest low and the highest high, and its own average."""
    k, d = out[0], out[1]
    first, second = window - 1, window + smoothing - 2
    place = np.empty(k.size)
    sound = place_in_channel(bars, window, False, place)
    k[:first] = np.nan
    d[:second] = np.nan
    mean(place[first:], smoothing, k[first:])
    mean(k[second:], signal, d[second:])
    return bool(sound)


@jit(error_model="numpy")
def typical_price(high: Float1D, low: Float1D, close: Float1D, out: Float1D) -> bool:
    """Write the mean of high, low and close."""
    missing = 0
    for i in range(close.size):
        typical = (high[i] + low[i] + close[i]) / 3.0
        out[i] = typical
        missing += (typical - typical) != 0.0
    return bool(missing == 0)


@jit(error_model="numpy")
def cci(high: Float1D, low: Float1D, close: Float1D, window: int, out: Float1D) -> bool:
    """Write the typical price's distance from its mean in units of 0.015 mean absolute deviations.

    0 in a flat window.
    """
    typical = np.empty(close.size)
    sound = typical_price(high, low, close, typical)
    mean(typical, window, out)
    deviation = np.empty(CHUNK)
    for start in range(window - 1, typical.size, CHUNK):  # a chunk of bars at a time: the inner loop vectorises
        means = out[start : start + CHUNK]
        sums = deviation[: means.size]
        sums[:] = 0.0
        for lag in range(window):
            values = typical[start - window + 1 + lag : start - window + 1 + lag + means.size]
            for j in range(means.size):
                sums[j] += abs(values[j] - means[j])
        newest = typical[start : start + means.size]
        for j in range(means.size):
            spread = 0.015 * (sums[j] / window)
            index = (newest[j] - means[j]) / spread
            means[j] = 0.0 if spread == 0.0 else index
    return bool(sound)
