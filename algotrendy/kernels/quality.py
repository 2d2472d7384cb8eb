"""One pass over log prices for bad ticks: how far each price goes away and comes back, in scales."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit

_F = NDArray[np.float64]


@jit
def there_and_back(out: float, back: float, between: float, share: float) -> float:
    """Return the shorter of two moves if the second undoes the first to within `share` of it; else 0."""
    shorter = min(abs(out), abs(back))
    if out * back < 0.0 and abs(out + back + between) <= share * shorter:
        return shorter
    return 0.0


@jit
def spikes(prices: tuple[_F, _F, _F, _F], scale: _F, waits: _F, least: _F, share: float) -> _F:
    """Return the sizes of spikes in scales, shape (5, n): of opens, of closes, of whole bars, of highs and of lows.

    `prices` are log prices: open, high, low, close. `waits` multiplies the scale of the gap before each bar. A spike
    smaller than `least` of its bar counts as none.
    """
    open, high, low, close = prices
    n = open.size
    sizes = np.zeros((5, n))
    for i in range(n):
        if scale[i] <= 0.0:
            continue
        move = close[i] - open[i]
        top, bottom = max(open[i], close[i]), min(open[i], close[i])
        if high[i] - top > least[i]:
            sizes[3, i] = (high[i] - top) / scale[i]
        if bottom - low[i] > least[i]:
            sizes[4, i] = (bottom - low[i]) / scale[i]
        before = open[i] - close[i - 1] if i > 0 else 0.0
        after = open[i + 1] - close[i] if i + 1 < n else 0.0
        scale_before = scale[i] * waits[i]
        scale_after = scale[i + 1] * waits[i + 1] if i + 1 < n else scale[i]
        if there_and_back(before, move, 0.0, share) > least[i]:
            sizes[0, i] = min(abs(before) / scale_before, abs(move) / scale[i])
        if scale_after > 0.0:
            if there_and_back(move, after, 0.0, share) > least[i]:
                sizes[1, i] = min(abs(move) / scale[i], abs(after) / scale_after)
            spike = there_and_back(before, after, move, share)
            if spike > least[i] and abs(move) <= share * spike:
                sizes[2, i] = min(abs(before) / scale_before, abs(after) / scale_after)
    return sizes
