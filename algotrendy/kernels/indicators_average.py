"""Moving averages, written into `out`. Each returns whether all it read was finite; if not, `out` means nothing.

A sum over a sliding window is made of two parts, the tail of one block of `window` bars and the head of the next
(van Herk 1992, Gil and Werman 1993), so nothing is ever taken away again and nothing drifts. Distances are summed,
from the first value of the block: it is in every window that ends in the block, and equal prices give exactly that
price. One loop goes over a block both ways, so that the two chains of additions do not wait for each other: forwards
it finishes the windows that end here, backwards it prepares the tails for the next block. The streaming forms in
`indicators/_streams.py` do the same operations in the same order.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL

Float1D: TypeAlias = NDArray[np.float64]
Float2D: TypeAlias = NDArray[np.float64]

at = np.uint64  # an index without a sign is not looked at for counting from the end


@jit(**KERNEL)
def sma(x: Float1D, window: int, out: Float1D, zeros: Float2D) -> bool:
    """Write the mean of the last `window` values.

    `zeros`, of shape (2, window + 1), is room to work in. It comes from outside because this is the kernel that the
    first backtest of most users waits for, and one that allocates nothing is compiled in two thirds of the time.
    """
    if window > x.size:
        out[:] = np.nan
        return True
    tail, next_tail = zeros[0], zeros[1]  # at j + 1: the sum that the j-th bar needs
    witness = 0.0
    for start in range(0, x.size, window):
        count = min(window, x.size - start)
        reference, next_reference = x[start], x[min(start + window, x.size - 1)]
        total = next_total = 0.0
        for j in range(count):
            total += x[at(start + j)] - reference
            out[at(start + j)] = reference + (tail[at(j + 1)] + total) / window
            next_total += x[at(start + count - 1 - j)] - next_reference
            next_tail[at(count - 1 - j)] = next_total
        witness += total
        tail, next_tail = next_tail, tail
    out[: window - 1] = np.nan
    return bool(np.isfinite(witness))


@jit(error_model="numpy")
def mean(x: Float1D, window: int, out: Float1D) -> bool:
    """Write the mean of the last `window` values: `sma` for kernels that call it."""
    return bool(sma(x, window, out, np.zeros((2, min(window, x.size) + 1))))


@jit(error_model="numpy")
def ema(x: Float1D, window: int, out: Float1D) -> bool:
    """Write the exponential average with weight 2 / (window + 1), seeded with the mean of the first `window`."""
    out[: window - 1] = np.nan
    if window > x.size:
        return True
    weight = 2.0 / (window + 1.0)
    keep = 1.0 - weight
    total = 0.0
    for value in x[:window]:
        total += value
    average = total / window
    out[window - 1] = average
    for i in range(window, x.size):
        average = average * keep + x[i] * weight
        out[i] = average
    return bool(np.isfinite(average))


@jit(error_model="numpy")
def wma(x: Float1D, window: int, out: Float1D) -> bool:
    """Write the mean with weights 1, 2, ... `window`, the newest value weighing most."""
    if window > x.size:
        out[:] = np.nan
        return True
    share = 1.0 / (0.5 * window * (window + 1.0))
    full = float(window)
    tail, next_tail = np.zeros(window + 1), np.zeros(window + 1)
    witness = 0.0
    for start in range(0, x.size, window):
        count = min(window, x.size - start)
        reference, next_reference = x[start], x[min(start + window, x.size - 1)]
        level = faded = next_level = next_sum = 0.0  # each distance has faded by one weight per bar since it came
        for j in range(count):
            faded += level
            level += x[at(start + j)] - reference
            out[at(start + j)] = reference + (tail[at(j + 1)] + (full * level - faded)) * share
            next_level += x[at(start + count - 1 - j)] - next_reference
            next_sum += next_level
            next_tail[at(count - 1 - j)] = next_sum
        witness += level
        tail, next_tail = next_tail, tail
    out[: window - 1] = np.nan
    return bool(np.isfinite(witness))
