"""Combinations that no other one beats: the Pareto front of several metrics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

LOWER_IS_BETTER = frozenset(
    {"volatility", "max_drawdown", "turnover", "commission_paid", "slippage_paid", "borrow_paid", "costs_paid"}
)
"""Metrics of which less is better."""


def gains(values: npt.NDArray[np.float64], metrics: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return metrics turned so that more is better in each column.

    Examples
    --------
    >>> gains(np.array([[1.0, 0.2]]), ["sharpe_ratio", "max_drawdown"]).tolist()
    [[1.0, -0.2]]
    """
    signs = np.array([-1.0 if name in LOWER_IS_BETTER else 1.0 for name in metrics])
    turned: npt.NDArray[np.float64] = values * signs
    return turned


def front(points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Tell which points no other point beats: one at least as good in every column and better in one.

    Parameters
    ----------
    points : array of shape (n_points, n_metrics)
        More is better. A point with a NaN is never on the front, and beats none.

    Returns
    -------
    bool array of shape (n_points,)
        Equal points are on it together.

    Examples
    --------
    >>> front(np.array([[1.0, 3.0], [2.0, 2.0], [1.0, 2.0], [np.nan, 9.0]])).tolist()
    [True, True, False, False]
    """
    found = np.zeros(len(points), dtype=bool)
    left = np.flatnonzero(~np.isnan(points).any(axis=1))
    left = left[np.lexsort(points[left].T[::-1])[::-1]]  # by the first column downwards, ties by the next
    while left.size:
        # What comes first in this order nothing that is left can beat.
        best, rest = points[left[0]], points[left]
        found[left[(rest == best).all(axis=1)]] = True
        left = left[(rest > best).any(axis=1)]
    return found
