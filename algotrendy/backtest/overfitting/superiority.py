"""Is the best of many strategies better than a benchmark, or the luckiest? White's reality check and Hansen's test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from algotrendy.backtest.overfitting.excess import Excess, excess_of
from algotrendy.backtest.overfitting.resampling import Seed, check_resampling, resampled_sums, stationary_blocks
from algotrendy.domain.types import Float1D, Float2D, NanPolicy

__all__ = ["RealityCheckResult", "SpaResult", "long_run_deviation", "reality_check", "spa_test"]

_COLUMNS = 64
"""So many columns are transformed at a time, so that memory does not grow with their number."""

_LEAST_SHARE = 1e-4
"""The long-run variance is at least this share of the plain one: returns that cancel out still are uncertain."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RealityCheckResult:
    """What White's reality check found.

    Attributes
    ----------
    p_value : float
        Probability that the best of such strategies looks at least this good by luck, none being better than the
        benchmark; NaN if the returns hold one.
    best : hashable
        Name of the strategy with the highest mean return above the benchmark.
    statistic : float
        Its mean times the root of the number of periods.
    n_strategies, n_periods, n_resamples : int
        What was tested, and by how many resamples.
    block_length : float
        Mean length of their blocks, in periods.
    """

    p_value: float
    best: Any
    statistic: float
    n_strategies: int
    n_periods: int
    n_resamples: int
    block_length: float

    def __str__(self) -> str:
        return f"Reality check: p = {self.p_value:.4f}, the best is {self.best}\n  {_sizes(self)}"


@dataclass(frozen=True, kw_only=True, eq=False)
class SpaResult:
    """What Hansen's test for superior predictive ability found.

    Attributes
    ----------
    p_consistent : float
        Probability that the best of such strategies looks at least this good by luck, none being better than the
        benchmark; strategies that are clearly worse do not count. NaN if the returns hold one.
    p_lower, p_upper : float
        The same where all strategies worse than the benchmark do not count, and where all count fully.
    best : hashable
        Name of the strategy with the largest statistic.
    statistic : float
        Its mean return above the benchmark / the standard error of that, at least 0.
    n_strategies, n_periods, n_resamples : int
        What was tested, and by how many resamples.
    block_length : float
        Mean length of their blocks, in periods.
    """

    p_consistent: float
    p_lower: float
    p_upper: float
    best: Any
    statistic: float
    n_strategies: int
    n_periods: int
    n_resamples: int
    block_length: float

    @property
    def p_value(self) -> float:
        """The consistent one."""
        return self.p_consistent

    def __str__(self) -> str:
        return (
            f"SPA test: p = {self.p_consistent:.4f} (lower {self.p_lower:.4f}, upper {self.p_upper:.4f}), "
            f"the best is {self.best}, t = {self.statistic:.2f}\n  {_sizes(self)}"
        )


def _sizes(result: RealityCheckResult | SpaResult) -> str:
    return (
        f"{result.n_strategies:,} strategies, {result.n_periods:,} periods, {result.n_resamples:,} resamples in blocks "
        f"of {result.block_length:.3g}"
    )


def reality_check(
    returns: Any,
    benchmark: Any = 0.0,
    *,
    block_length: float | None = None,
    n_resamples: int = 1999,
    seed: Seed = 0,
    nan_policy: NanPolicy = "raise",
) -> RealityCheckResult:
    """Test whether the best of several strategies has a higher mean return than a benchmark (White [1]_).

    Means are compared as they are, so a wild strategy hides a calm one, and poor strategies make the test weaker;
    `spa_test` mends both.

    Parameters
    ----------
    returns : array-like of shape (n_periods, n_strategies), n_periods >= 20
        Simple returns per period, as fractions, one column for every strategy that was tried.
    benchmark : float, or array-like of shape (n_periods,)
        A return per period (0.0: cash), or one for each period.
    block_length : float, optional
        Mean length of the stationary bootstrap's blocks, in periods. Default: the cube root of the number of periods.
    n_resamples : int
        Resamples, at least 99.
    seed : int or Generator
        Equal seeds give equal results.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave out the periods in which there is one, or return NaN.

    Returns
    -------
    RealityCheckResult

    Raises
    ------
    InputError
        If returns are not a matrix of finite fractions, the benchmark does not fit, or an option is out of its range.

    References
    ----------
    .. [1] White, H. (2000). A reality check for data snooping. Econometrica, 68(5), 1097-1126.

    Examples
    --------
    >>> returns = np.random.default_rng(1).normal(0.0, 0.01, (500, 20))
    >>> print(reality_check(returns))
    Reality check: p = 0.2830, the best is 18
      20 strategies, 500 periods, 1,999 resamples in blocks of 7.94
    """
    excess = excess_of(returns, benchmark, nan_policy)
    n_periods = len(excess.values)
    n_resamples, length = check_resampling(n_resamples, block_length, n_periods)
    best, statistic, p_values = _against_luck(excess, np.ones(excess.values.shape[1]), n_resamples, length, seed)
    return RealityCheckResult(
        p_value=p_values[2],
        best=best,
        statistic=statistic,
        n_strategies=len(excess.names),
        n_periods=n_periods,
        n_resamples=n_resamples,
        block_length=length,
    )


def spa_test(
    returns: Any,
    benchmark: Any = 0.0,
    *,
    block_length: float | None = None,
    n_resamples: int = 1999,
    seed: Seed = 0,
    nan_policy: NanPolicy = "raise",
) -> SpaResult:
    """Test whether the best of several strategies is better than a benchmark (Hansen's test [1]_).

    Means are measured in their standard errors, which count autocorrelation as the blocks do; strategies that are
    clearly worse than the benchmark do not weaken the test.

    Parameters
    ----------
    returns, benchmark, block_length, n_resamples, seed, nan_policy
        As in `reality_check`.

    Returns
    -------
    SpaResult

    Raises
    ------
    InputError
        If returns are not a matrix of finite fractions, the benchmark does not fit, or an option is out of its range.

    References
    ----------
    .. [1] Hansen, P. R. (2005). A test for superior predictive ability. JBES, 23(4), 365-380.

    Examples
    --------
    >>> returns = np.random.default_rng(1).normal(0.0, 0.01, (500, 20))
    >>> returns[:, 7] += 0.002
    >>> result = spa_test(returns)
    >>> result.best, result.p_value < 0.01
    (7, True)
    """
    excess = excess_of(returns, benchmark, nan_policy)
    n_periods = len(excess.values)
    n_resamples, length = check_resampling(n_resamples, block_length, n_periods)
    scale = long_run_deviation(excess.values, length)
    best, statistic, p_values = _against_luck(excess, scale, n_resamples, length, seed)
    return SpaResult(
        p_consistent=p_values[1],
        p_lower=p_values[0],
        p_upper=p_values[2],
        best=best,
        statistic=max(statistic, 0.0),
        n_strategies=len(excess.names),
        n_periods=n_periods,
        n_resamples=n_resamples,
        block_length=length,
    )


def long_run_deviation(values: Float2D, block_length: float) -> Float1D:
    """Return the standard deviation of each column's mean under the stationary bootstrap, times the root of n_periods.

    In closed form [1]_: autocovariances weighted by (1 - i/n) q^i + (i/n) q^(n-i), with q = 1 - 1/block_length.

    References
    ----------
    .. [1] Politis, D. and Romano, J. (1994). The stationary bootstrap. JASA, 89(428), lemma 1.

    Examples
    --------
    >>> values = np.random.default_rng(1).normal(0.0, 0.01, (4000, 1))
    >>> bool(abs(long_run_deviation(values, 1.0)[0] - values.std()) < 1e-15)
    True
    """
    n = len(values)
    size = 1 << (2 * n - 1).bit_length()
    lag, q = np.arange(1, n), 1.0 - 1.0 / block_length
    weights = np.concatenate(([1.0], 2.0 * ((1.0 - lag / n) * q**lag + lag / n * q ** (n - lag))))
    found = np.empty(values.shape[1])
    for first in range(0, len(found), _COLUMNS):
        piece = values[:, first : first + _COLUMNS]
        spectrum = np.fft.rfft(piece - piece.mean(axis=0), size, axis=0)
        covariances = np.fft.irfft((spectrum * spectrum.conj()).real, size, axis=0)[:n] / n
        variance = weights @ covariances
        found[first : first + _COLUMNS] = np.sqrt(np.maximum(variance, _LEAST_SHARE * covariances[0]))
    return found


def _against_luck(
    excess: Excess, scale: Float1D, n_resamples: int, length: float, seed: Seed
) -> tuple[Any, float, tuple[float, float, float]]:
    """Return the best strategy, its statistic, and the lower, consistent and upper p-value of that."""
    if not excess.is_known:
        return None, math.nan, (math.nan, math.nan, math.nan)
    n = len(excess.values)
    means = excess.values.mean(axis=0)
    found = math.sqrt(n) * means / scale
    blocks = stationary_blocks(n, n_resamples, length, seed)
    drawn = resampled_sums((excess.values - means) / (math.sqrt(n) * scale), blocks)
    place = int(np.argmax(found))
    best, statistic = excess.names[excess.moving[place]], float(found[place])
    # What is not recentred keeps its distance below the benchmark, so it hardly ever is the largest.
    threshold = -math.sqrt(2.0 * math.log(math.log(n))) * long_run_deviation(excess.values, length) / scale
    below = np.minimum(found, 0.0), np.where(found < threshold, found, 0.0), np.zeros_like(found)
    largest = (np.maximum((drawn + shift).max(axis=1), 0.0) for shift in below)
    lower, consistent, upper = (
        (1.0 + int(np.count_nonzero(each >= max(statistic, 0.0)))) / (n_resamples + 1.0) for each in largest
    )
    return best, statistic, (lower, consistent, upper)
