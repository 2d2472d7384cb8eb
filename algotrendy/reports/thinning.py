"""Fewer points for long curves, so that a chart of a million bars stays small and shows every extreme."""

from __future__ import annotations

import numpy as np

from algotrendy.domain.types import Float1D, Int1D

POINTS_MAX = 6000
"""More points than a screen has columns three times over; 24 years of daily bars are drawn whole."""


def thinned(values: Float1D, points_max: int = POINTS_MAX) -> Int1D:
    """Return the positions to draw: the lowest and the highest value of each of equal buckets, and both ends.

    Parameters
    ----------
    values : array of shape (n,)
        NaN is drawn as a gap; a bucket of nothing else keeps one.
    points_max : int
        At least 4. Up to so many values, every position is returned.

    Returns
    -------
    array of int64
        Ascending positions, at most `points_max`. The global lowest and highest value are among them.

    Examples
    --------
    >>> thinned(np.array([0.0, 5.0, 1.0, -3.0, 2.0, 2.0, 2.0, 9.0]), 6)
    array([0, 1, 3, 4, 7])
    """
    n = len(values)
    if n <= points_max:
        return np.arange(n, dtype=np.int64)
    length = -(-n // ((points_max - 2) // 2))
    whole = n // length * length
    gaps = np.isnan(values)
    low = np.where(gaps, np.inf, values) if gaps.any() else values
    high = np.where(gaps, -np.inf, values) if gaps.any() else values
    starts = np.arange(0, whole, length, dtype=np.int64)
    found = [
        np.array([0, n - 1], dtype=np.int64),
        starts + low[:whole].reshape(-1, length).argmin(axis=1),
        starts + high[:whole].reshape(-1, length).argmax(axis=1),
    ]
    if whole < n:
        found.append(np.array([whole + low[whole:].argmin(), whole + high[whole:].argmax()], dtype=np.int64))
    return np.unique(np.concatenate(found))
