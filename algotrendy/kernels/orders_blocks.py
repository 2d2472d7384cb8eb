"""The extremes of each block of bars: what tells a search which bars need no look."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL
from algotrendy.kernels.orders_types import BLOCK_SHIFT


@jit(**KERNEL)
def block_extremes(values: NDArray[np.float64], lowest: NDArray[np.float64], highest: NDArray[np.float64]) -> None:
    """Write the least and the greatest of each block of 2**BLOCK_SHIFT values; the last block may be shorter."""
    for block in range(lowest.size):
        first = block << BLOCK_SHIFT
        least, most = values[first], values[first]
        for value in values[first + 1 : first + (1 << BLOCK_SHIFT)]:
            least, most = min(least, value), max(most, value)
        lowest[block], highest[block] = least, most
