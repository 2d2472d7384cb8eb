"""The same statistics slowly and plainly, as their papers write them: loops over strategies and resamples.

Nothing here knows a kernel. Tests hold the fast ones to these.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np

from algotrendy.domain.types import Float1D, Float2D, Int1D

__all__ = ["cscv", "long_run_deviation", "periods_of", "reality_check", "romano_wolf", "spa"]


def periods_of(starts: Any, lengths: Any, n_periods: int) -> Int1D:
    """Return the periods of one resample, in the order of its blocks.

    Examples
    --------
    >>> periods_of([3, 1], [3, 2], 5).tolist()
    [3, 4, 0, 1, 2]
    """
    found = [
        (int(start) + i) % n_periods for start, length in zip(starts, lengths, strict=True) for i in range(int(length))
    ]
    return np.array(found, dtype=np.int64)


def _sharpe(returns: Float1D) -> float:
    deviation = float(np.std(returns, ddof=1))
    return float(np.mean(returns)) / deviation if deviation > 1e-12 else 0.0


def cscv(returns: Float2D, n_splits: int) -> list[tuple[int, float, float, float]]:
    """Return, for each split: the chosen strategy, its Sharpe ratio in the half that chose it, in the other, its rank.

    Examples
    --------
    >>> cscv(np.array([[0.02, 0.0], [0.01, 0.01], [0.02, 0.03], [0.01, 0.0]]), 2)[0][0]
    0
    """
    pieces = np.array_split(returns, n_splits)
    found = []
    for half in combinations(range(n_splits), n_splits // 2):
        within = np.concatenate([pieces[i] for i in half])
        without = np.concatenate([pieces[i] for i in range(n_splits) if i not in half])
        first = [_sharpe(within[:, j]) for j in range(returns.shape[1])]
        second = [_sharpe(without[:, j]) for j in range(returns.shape[1])]
        best = first.index(max(first))
        lower = sum(other < second[best] for other in second)
        equal = sum(other == second[best] for other in second)
        found.append((best, first[best], second[best], lower + (equal + 1) / 2))
    return found


def long_run_deviation(series: Float1D, block_length: float) -> float:
    """Return the standard deviation of the mean under the stationary bootstrap, times the root of n_periods.

    Examples
    --------
    >>> long_run_deviation(np.array([1.0, -1.0, 1.0, -1.0]), 1.0)
    1.0
    """
    n, q = len(series), 1.0 - 1.0 / block_length
    centred = series - series.mean()
    variance = float(np.mean(centred * centred))
    for lag in range(1, n):
        weight = (1.0 - lag / n) * q**lag + lag / n * q ** (n - lag)
        variance += 2.0 * weight * float(np.sum(centred[lag:] * centred[: n - lag])) / n
    return math.sqrt(max(variance, 1e-4 * float(np.mean(centred * centred))))


def spa(excess: Float2D, resamples: list[Int1D], block_length: float) -> tuple[float, float, float]:
    """Return the lower, consistent and upper p-value of Hansen's test on given resamples.

    Examples
    --------
    >>> spa(np.array([[1.0], [2.0], [1.5], [0.5]]), [np.array([0, 1, 2, 3])], 1.0)
    (0.5, 0.5, 0.5)
    """
    scale = [long_run_deviation(excess[:, k], block_length) for k in range(excess.shape[1])]
    return _against_luck(excess, resamples, scale, scale)


def reality_check(excess: Float2D, resamples: list[Int1D]) -> float:
    """Return the p-value of White's test on given resamples.

    Examples
    --------
    >>> reality_check(np.array([[1.0], [2.0], [1.5], [0.5]]), [np.array([0, 1, 2, 3])])
    0.5
    """
    return _against_luck(excess, resamples, [1.0] * excess.shape[1], [1.0] * excess.shape[1])[2]


def _against_luck(
    excess: Float2D, resamples: list[Int1D], scale: list[float], deviation: list[float]
) -> tuple[float, float, float]:
    n, n_strategies = excess.shape
    means = [float(excess[:, k].mean()) for k in range(n_strategies)]
    statistic = max(0.0, *(math.sqrt(n) * means[k] / scale[k] for k in range(n_strategies)))
    bound = [-deviation[k] / math.sqrt(n) * math.sqrt(2.0 * math.log(math.log(n))) for k in range(n_strategies)]
    recentred = (
        [max(mean, 0.0) for mean in means],
        [mean if mean >= bound[k] else 0.0 for k, mean in enumerate(means)],
        means,
    )
    p_values = []
    for centre in recentred:
        as_large = 0
        for periods in resamples:
            drawn = [
                math.sqrt(n) * (float(excess[periods, k].mean()) - centre[k]) / scale[k] for k in range(n_strategies)
            ]
            as_large += max(0.0, *drawn) >= statistic
        p_values.append((1.0 + as_large) / (len(resamples) + 1.0))
    return p_values[0], p_values[1], p_values[2]


def romano_wolf(excess: Float2D, resamples: list[Int1D], *, studentized: bool) -> list[float]:
    """Return the adjusted p-values of the step-down on given resamples.

    Examples
    --------
    >>> romano_wolf(np.array([[1.0], [2.0], [1.5], [0.5]]), [np.array([0, 1, 2, 3])], studentized=True)
    [0.5]
    """
    n, n_strategies = excess.shape

    def statistic(series: Float1D, centre: float) -> float:
        deviation = float(np.std(series)) if studentized else 1.0
        return math.sqrt(n) * (float(series.mean()) - centre) / deviation

    found = [statistic(excess[:, k], 0.0) for k in range(n_strategies)]
    drawn = [
        [statistic(excess[periods, k], float(excess[:, k].mean())) for k in range(n_strategies)]
        for periods in resamples
    ]
    left = sorted(range(n_strategies), key=lambda k: -found[k])
    p_values, worst = [0.0] * n_strategies, 0.0
    while left:
        best = left[0]
        as_large = sum(max(row[k] for k in left) >= found[best] for row in drawn)
        worst = max(worst, (1.0 + as_large) / (len(resamples) + 1.0))
        p_values[best] = worst
        left = left[1:]
    return p_values
