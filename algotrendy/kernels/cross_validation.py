"""Every split of blocks of periods into two halves: who is best in one half, and how that one ranks in the other."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit

STILL = 1e-24
"""A variance up to here is rounding: returns that did not move have the Sharpe ratio zero."""


@jit(error_model="numpy")
def _ratio(total: float, squares: float, n: float) -> float:
    """Return mean / std(ddof=1) of n numbers by their sum and the sum of their squares."""
    mean = total / n
    variance = (squares - total * mean) / (n - 1.0)
    return mean / math.sqrt(variance) if variance > STILL else 0.0


@jit(error_model="numpy")
def symmetric_splits(
    blocks: NDArray[np.float64],
    counts: NDArray[np.float64],
    halves: NDArray[np.int64],
    chosen: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Write, for each split, the best column of the first half, and what became of it.

    Parameters
    ----------
    blocks : shape (2, n_blocks, n_columns)
        Sums of the returns of each block, and sums of their squares.
    counts : shape (n_blocks,)
        Periods of each block.
    halves : shape (n_splits, n_blocks // 2)
        Blocks of the first half of each split.
    chosen : shape (n_splits,)
        Takes the column with the highest ratio in the first half; the first of equals.
    out : shape (n_splits, 3)
        Takes its ratio in the first half, its ratio in the second, and its rank there: 1 the lowest, n_columns the
        highest, equals share the mean of their ranks.
    """
    n_columns = blocks.shape[2]
    sums, squares = np.empty(n_columns), np.empty(n_columns)
    all_sums, all_squares, n_all = np.zeros(n_columns), np.zeros(n_columns), counts.sum()
    for s in range(blocks.shape[1]):
        all_sums += blocks[0, s]
        all_squares += blocks[1, s]
    for c in range(halves.shape[0]):
        sums[:] = 0.0
        squares[:] = 0.0
        n = 0.0
        for h in range(halves.shape[1]):
            s = halves[c, h]
            n += counts[s]
            for j in range(n_columns):
                sums[j] += blocks[0, s, j]
                squares[j] += blocks[1, s, j]
        best, top = 0, -math.inf
        for j in range(n_columns):
            ratio = _ratio(sums[j], squares[j], n)
            if ratio > top:
                best, top = j, ratio
        after = _ratio(all_sums[best] - sums[best], all_squares[best] - squares[best], n_all - n)
        lower, equal = 0, 0
        for j in range(n_columns):
            ratio = _ratio(all_sums[j] - sums[j], all_squares[j] - squares[j], n_all - n)
            lower += ratio < after
            equal += ratio == after
        chosen[c] = best
        out[c, 0], out[c, 1], out[c, 2] = top, after, lower + (equal + 1.0) / 2.0
