"""One pass over the columns of bars: are they sound? Why not, is told by `domain.bars`, slowly and in words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit

LARGEST = np.finfo(np.float64).max
# Vendors round each price on its own, so an open or close may stick out of [low, high] by a rounding error.
ROOM = 1e-9


class BarArrays(NamedTuple):
    """The columns of bars as kernels take them: float64, contiguous, all of shape (n_bars,).

    Prices are in quote currency, volume in units traded (zeros where the bars have none). They may be views of the
    frame's own memory: read them, never write to them.
    """

    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]


@jit
def bars_are_sound(times: NDArray[np.int64], bars: BarArrays) -> bool:
    """Return whether stamps ascend strictly and each row holds finite, positive prices with low <= open, close <= high.

    A NaN fails every comparison, so it makes the bars unsound; so does a missing stamp, the smallest integer.
    """
    open, high, low, close, volume = bars
    sound = True
    before = np.int64(-9223372036854775808)
    for i in range(times.size):  # no early exit and no branch: the loop vectorises
        floor = low[i] * (1.0 - ROOM)
        ceiling = high[i] * (1.0 + ROOM)
        sound &= (
            (times[i] > before)
            & (low[i] > 0.0)
            & (low[i] <= high[i])
            & (high[i] <= LARGEST)
            & (open[i] >= floor)
            & (open[i] <= ceiling)
            & (close[i] >= floor)
            & (close[i] <= ceiling)
            & (volume[i] >= 0.0)
            & (volume[i] <= LARGEST)
        )
        before = times[i]
    return sound
