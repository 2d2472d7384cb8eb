"""Numbers estimated from a sample of simulated paths, each with the interval that the number of paths leaves open."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from algotrendy.domain.types import Float1D

__all__ = ["Estimate", "exact_share_interval", "mean_of", "quantile_of", "share_of"]


class Estimate(NamedTuple):
    """A number, and an interval that covers the true one with the stated confidence."""

    value: float
    low: float
    high: float


def share_of(count: int, total: int, confidence: float) -> Estimate:
    """Return a probability by how often something happened, with the interval of Wilson [1]_.

    References
    ----------
    .. [1] Wilson, E. (1927). Probable inference, the law of succession, and statistical inference. Journal of the
       American Statistical Association, 22, 209-212.

    Examples
    --------
    >>> [round(number, 4) for number in share_of(0, 100, 0.95)]
    [0.0, 0.0, 0.037]
    """
    z = _normal_quantile(confidence)
    share, weight = count / total, z * z / total
    centre = (share + weight / 2.0) / (1.0 + weight)
    reach = z * math.sqrt(share * (1.0 - share) / total + weight / (4.0 * total)) / (1.0 + weight)
    low = 0.0 if count == 0 else max(centre - reach, 0.0)
    return Estimate(share, low, 1.0 if count == total else min(centre + reach, 1.0))


def mean_of(values: Float1D, confidence: float) -> Estimate:
    """Return the mean, with the interval of the central limit theorem.

    Examples
    --------
    >>> [round(number, 3) for number in mean_of(np.array([1.0, 2.0, 3.0, 4.0]), 0.95)]
    [2.5, 1.235, 3.765]
    """
    mean = float(values.mean())
    if values.size < 2:
        return Estimate(mean, math.nan, math.nan)
    reach = _normal_quantile(confidence) * float(values.std(ddof=1)) / math.sqrt(values.size)
    return Estimate(mean, mean - reach, mean + reach)


def quantile_of(ordered: Float1D, share: float, confidence: float) -> Estimate:
    """Return a quantile of sorted values, with the interval between two of them that needs no distribution.

    How many values lie below the true quantile is binomial, which says between which two values it lies.

    Examples
    --------
    >>> [round(float(number), 1) for number in quantile_of(np.arange(1000.0), 0.5, 0.95)]
    [499.5, 468.0, 531.0]
    """
    from scipy.stats import binom

    n, tail = ordered.size, (1.0 - confidence) / 2.0
    low, high = int(binom.ppf(tail, n, share)) - 1, int(binom.ppf(1.0 - tail, n, share))
    bounds = ordered[max(low, 0)], ordered[min(high, n - 1)]
    return Estimate(float(np.quantile(ordered, share)), float(bounds[0]), float(bounds[1]))


def exact_share_interval(count: int, total: int, confidence: float) -> tuple[float, float]:
    """Return the interval of Clopper and Pearson for a probability: it never covers less than it says.

    Examples
    --------
    >>> [round(bound, 4) for bound in exact_share_interval(0, 100, 0.95)]
    [0.0, 0.0362]
    """
    from scipy.stats import beta

    tail = (1.0 - confidence) / 2.0
    low = 0.0 if count == 0 else float(beta.ppf(tail, count, total - count + 1))
    high = 1.0 if count == total else float(beta.ppf(1.0 - tail, count + 1, total - count))
    return low, high


def _normal_quantile(confidence: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(0.5 + confidence / 2.0))
