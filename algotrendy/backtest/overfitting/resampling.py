"""The stationary bootstrap over a matrix of returns: all strategies take the same periods, in random blocks."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.domain.types import Float2D
from algotrendy.errors import InputError

__all__ = ["Blocks", "default_block_length", "resampled_sums", "stationary_blocks"]

_COLUMNS = 128
"""So many columns are added up at a time: running sums of them stay in the cache."""

Seed = int | np.random.Generator


class Blocks(NamedTuple):
    """The blocks of each resample.

    `starts` and `lengths` have the shape (n_resamples, n_blocks_max); a row's lengths add up to the number of periods,
    and are zero behind that. A block goes on at the first period after the last.
    """

    starts: NDArray[np.int32]
    lengths: NDArray[np.int32]


def default_block_length(n_periods: int) -> float:
    """Return the mean length of a block where none is given: the cube root of the number of periods.

    Examples
    --------
    >>> round(default_block_length(2520), 1)
    13.6
    """
    return max(math.cbrt(n_periods), 1.0)


def stationary_blocks(n_periods: int, n_resamples: int, block_length: float, seed: Seed) -> Blocks:
    """Draw the blocks of the stationary bootstrap.

    Starts are uniform, lengths geometric with the mean `block_length` [1]_.

    Parameters
    ----------
    n_periods, n_resamples : int
        Periods of one resample, and how many of them.
    block_length : float
        Mean length in periods, at least 1; 1 draws single periods.
    seed : int or Generator
        Equal seeds draw equal blocks.

    References
    ----------
    .. [1] Politis, D. and Romano, J. (1994). The stationary bootstrap. JASA, 89(428), 1303-1313.

    Examples
    --------
    >>> stationary_blocks(100, 3, 10.0, 1).lengths.sum(axis=1).tolist()
    [100, 100, 100]
    """
    rng = np.random.default_rng(seed)
    mean_count = n_periods / block_length
    more = int(mean_count + 4.0 * mean_count**0.5) + 4
    lengths = rng.geometric(1.0 / block_length, (n_resamples, more))
    starts = rng.integers(0, n_periods, (n_resamples, more), dtype=np.int32)
    while lengths.sum(axis=1).min() < n_periods:
        lengths = np.hstack([lengths, rng.geometric(1.0 / block_length, (n_resamples, more))])
        starts = np.hstack([starts, rng.integers(0, n_periods, (n_resamples, more), dtype=np.int32)])
    ends = np.minimum(np.cumsum(lengths, axis=1), n_periods)
    return Blocks(starts, np.diff(ends, axis=1, prepend=0).astype(np.int32))


def resampled_sums(values: Float2D, blocks: Blocks) -> Float2D:
    """Return the sum of each column over each resample.

    Parameters
    ----------
    values : array of shape (n_periods, n_columns)
        Centred, so that running sums stay small.
    blocks : Blocks
        Of as many periods.

    Returns
    -------
    array of shape (n_resamples, n_columns)
    """
    from algotrendy.kernels.resampling import resample_sums

    n_periods, n_columns = values.shape
    sums = np.empty((len(blocks.starts), n_columns))
    for first in range(0, n_columns, _COLUMNS):
        piece = values[:, first : first + _COLUMNS]
        running = np.zeros((n_periods + 1, piece.shape[1]))
        np.cumsum(piece, axis=0, out=running[1:])
        out = np.empty((len(blocks.starts), piece.shape[1]))
        resample_sums(running, blocks.starts, blocks.lengths, out)
        sums[:, first : first + _COLUMNS] = out
    return sums


def check_resampling(n_resamples: Any, block_length: Any, n_periods: int) -> tuple[int, float]:
    """Return how many resamples and the mean length of a block, checked.

    Raises
    ------
    InputError
        If there are fewer than 99 resamples, or the length is not between 1 and the number of periods.
    """
    if isinstance(n_resamples, bool) or not isinstance(n_resamples, (int, np.integer)) or n_resamples < 99:
        raise InputError(f"n_resamples is {n_resamples!r}; use a whole number of at least 99, such as 999")
    if block_length is None:
        return int(n_resamples), default_block_length(n_periods)
    if (
        isinstance(block_length, bool)
        or not isinstance(block_length, (int, float))
        or not 1 <= block_length <= n_periods
    ):
        raise InputError(f"block_length is {block_length!r}; use a number of periods from 1 to {n_periods}")
    return int(n_resamples), float(block_length)
