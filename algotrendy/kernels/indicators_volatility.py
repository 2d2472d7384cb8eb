"""True range, its average, and standard deviations, written into `out`.

Each returns whether all it read was finite; if not, `out` means nothing. `true_range` alone takes NaN as it comes.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit

Float1D: TypeAlias = NDArray[np.float64]

CHUNK = 512
at = np.uint64  # an index without a sign is not looked at for counting from the end


@jit(error_model="numpy")
def true_range(high: Float1D, low: Float1D, close: Float1D, out: Float1D) -> bool:
    """Write the bar's range, or its reach from the previous close where that is larger."""
    out[:1] = np.nan
    tops, bottoms, target = high[1:], low[1:], out[1:]
    for i in range(target.size):
        gap = 0.0 * (tops[i] + bottoms[i] + close[i])  # NaN where something is missing: max and min would drop it
        target[i] = max(tops[i], close[i]) - min(bottoms[i], close[i]) + gap
    return True


@jit(error_model="numpy")
def atr(high: Float1D, low: Float1D, close: Float1D, window: int, out: Float1D) -> bool:
    """Write Wilder's average of the true range, seeded with the mean of the first `window` true ranges."""
    out[:window] = np.nan
    if window >= close.size:
        return True
    average = 0.0
    witness = high[0] + low[0] + close[close.size - 1]  # the average sees these not; max and min may drop a NaN low
    for i in range(1, window + 1):
        average += max(high[i], close[i - 1]) - min(close[i - 1], low[i])
        witness += low[i]
    average /= window
    out[window] = average
    weight = 1.0 / window
    keep = 1.0 - weight
    for i in range(window + 1, close.size):
        before = close[i - 1]
        average = average * keep + (max(high[i], before) - min(before, low[i])) * weight
        witness += low[i]
        out[i] = average
    return bool(np.isfinite(average + witness))


@jit(error_model="numpy")
def _take_roots(variance: Float1D) -> None:
    for k in range(variance.size):
        variance[k] = np.sqrt(max(variance[k], 0.0))


@jit(error_model="numpy")
def stdev(x: Float1D, window: int, out: Float1D) -> bool:
    """Write the population standard deviation of the last `window` values, from block sums as in `sma`.

    Distances are taken from the first value of the block in which the window ends. That value is in the window, so
    its squared distance from the mean is at most `window` variances: cancellation costs a factor `window`, no more,
    wherever the prices lie, and a flat window gives exactly 0.
    """
    if window > x.size:
        out[:] = np.nan
        return True
    share = 1.0 / window
    tail, next_tail = np.zeros(window + 1), np.zeros(window + 1)
    tail_squares, next_squares = np.zeros(window + 1), np.zeros(window + 1)
    witness = 0.0
    rooted = 0  # roots are taken later, many at a time
    for start in range(0, x.size, window):
        count = min(window, x.size - start)
        reference, next_reference = x[start], x[min(start + window, x.size - 1)]
        total = squares = next_total = next_square = 0.0
        for j in range(count):
            distance = x[at(start + j)] - reference
            total += distance
            squares += distance * distance
            mean = (tail[at(j + 1)] + total) * share
            out[at(start + j)] = (tail_squares[at(j + 1)] + squares) * share - mean * mean
            distance = x[at(start + count - 1 - j)] - next_reference
            next_total += distance
            next_square += distance * distance
            next_tail[at(count - 1 - j)] = next_total
            next_squares[at(count - 1 - j)] = next_square
        witness += total
        tail, next_tail = next_tail, tail
        tail_squares, next_squares = next_squares, tail_squares
        if start + count - rooted >= CHUNK:
            _take_roots(out[rooted : start + count])
            rooted = start + count
    _take_roots(out[rooted:])
    out[: window - 1] = np.nan
    return bool(np.isfinite(witness))
