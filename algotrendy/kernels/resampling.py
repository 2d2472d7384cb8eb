"""Sums of resampled periods: blocks of periods drawn with replacement, added up from running sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit


@jit(error_model="numpy")
def resample_sums(
    running: NDArray[np.float64],
    starts: NDArray[np.int32],
    lengths: NDArray[np.int32],
    out: NDArray[np.float64],
) -> None:
    """Write the sums of each resample into its row of `out`, shape (n_resamples, n_columns).

    `running` has the shape (n_periods + 1, n_columns): sums of all periods before. Each row of `starts` and `lengths`
    is one resample: its blocks of periods, which go on at the first period after the last; a length of zero ends it.
    """
    n = running.shape[0] - 1
    last = running[n]
    for b in range(out.shape[0]):
        row = out[b]
        row[:] = 0.0
        for m in range(starts.shape[1]):
            length = lengths[b, m]
            if length == 0:
                break
            start = starts[b, m]
            end = start + length
            before = running[start]
            if end <= n:
                after = running[end]
                for j in range(row.size):
                    row[j] += after[j] - before[j]
            else:
                after = running[end - n]
                for j in range(row.size):
                    row[j] += (last[j] - before[j]) + after[j]
