"""The tail alone: peaks over a threshold follow a generalised Pareto distribution, whatever the rest looks like.

Losses above a high threshold are fitted by maximum likelihood; value at risk and expected shortfall follow in closed
form and reach beyond the largest loss that was seen [1]_.

References
----------
.. [1] McNeil, A., Frey, R. and Embrechts, P. (2015). Quantitative risk management, revised edition, Princeton: section
   5.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import level, share, whole
from algotrendy.risk.columns import by_column
from algotrendy.risk.distributions import TailRisk
from algotrendy.risk.inputs import as_returns

__all__ = ["TailFit", "hill_tail_index", "mean_excess", "pareto_fit", "tail_fit"]

_EXCEEDANCES_MIN = 10
_FLAT = 1e-9
"""A shape up to here is that of the exponential distribution."""
_SHAPE_MIN = -0.5
"""Below it the likelihood of a generalised Pareto distribution has no regular maximum (Smith 1985)."""


@dataclass(frozen=True, kw_only=True)
class TailFit:
    """A generalised Pareto distribution of the losses above a threshold.

    Attributes
    ----------
    threshold : float
        Loss, as a positive fraction.
    shape, scale : float
        Of the excesses; shape above zero means a tail like a power of the loss, 1/shape is its exponent.
    n_periods, n_exceedances : int
        Returns in all, and losses above the threshold.
    log_likelihood : float
        Of the excesses.

    Examples
    --------
    >>> fit = TailFit(threshold=0.02, shape=0.25, scale=0.01, n_periods=1000, n_exceedances=50, log_likelihood=0.0)
    >>> round(fit.value_at_risk(0.99), 6), round(fit.expected_shortfall(0.99), 6)
    (0.039814, 0.059752)
    """

    threshold: float
    shape: float
    scale: float
    n_periods: int
    n_exceedances: int
    log_likelihood: float

    @property
    def standard_errors(self) -> tuple[float, float]:
        """Of shape and scale, from the expected information; NaN for a shape up to -0.5."""
        if self.shape <= _SHAPE_MIN:
            return math.nan, math.nan
        n, grown = self.n_exceedances, 1.0 + self.shape
        return grown / math.sqrt(n), self.scale * math.sqrt(2.0 * grown / n)

    def value_at_risk(self, confidence_level: float) -> float:
        """Return the loss that is exceeded with probability 1 - `confidence_level`, as a positive fraction."""
        return self.tail(level(confidence_level)).value_at_risk

    def expected_shortfall(self, confidence_level: float) -> float:
        """Return the mean loss beyond the value at risk; infinite for a shape of 1 or more."""
        return self.tail(level(confidence_level)).expected_shortfall

    def tail(self, probability: float) -> TailRisk:
        """Return both for the probability of the tail, which is at most that of a loss above the threshold."""
        above = self.n_exceedances / self.n_periods
        if probability > above:
            raise InputError(
                f"a tail of {probability:g} reaches below the threshold, above which {above:.4g} of the losses lie; "
                "use a higher confidence_level or a lower threshold"
            )
        log_ratio = math.log(probability / above)
        if abs(self.shape) < _FLAT:
            loss = self.threshold - self.scale * log_ratio
        else:
            loss = self.threshold + self.scale / self.shape * math.expm1(-self.shape * log_ratio)
        if self.shape >= 1.0:
            return TailRisk(loss, math.inf)
        return TailRisk(loss, (loss + self.scale - self.shape * self.threshold) / (1.0 - self.shape))


def tail_fit(returns: Any, *, threshold: float = 0.9, nan_policy: NanPolicy = "raise") -> TailFit:
    """Fit the tail of losses beyond a threshold.

    Parameters
    ----------
    returns : array-like of shape (n_periods,)
        Simple returns per period, as fractions.
    threshold : float
        Share of the losses that lie below the threshold, in (0, 1): the quantile from which on the tail is a tail.
        `mean_excess` helps to choose it.
    nan_policy : {"raise", "omit"}
        Refuse NaN and say where, or leave those periods out.

    Returns
    -------
    TailFit

    Raises
    ------
    InputError
        If fewer than ten losses lie above the threshold.

    Examples
    --------
    >>> fit = tail_fit(np.random.default_rng(3).standard_t(4, 20_000) * 0.01, threshold=0.95)
    >>> bool(0.1 < fit.shape < 0.35)
    True
    """
    if nan_policy == "propagate":
        raise InputError('a tail cannot be fitted to NaN; use nan_policy="raise" or "omit"')
    return fit_losses(0.0 - as_returns(returns, nan_policy, min_periods=1), threshold)


def fit_losses(losses: Float1D, threshold: float) -> TailFit:
    """Fit the tail of losses (an array without NaN)."""
    limit = float(np.quantile(losses, share("threshold", threshold, 0.9)))
    excesses = losses[losses > limit] - limit
    if excesses.size < _EXCEEDANCES_MIN:
        raise InputError(
            f"{excesses.size} of {losses.size} losses lie above the threshold, the fit needs {_EXCEEDANCES_MIN}; "
            "give more periods or a lower threshold"
        )
    shape, scale, likelihood = pareto_fit(excesses)
    return TailFit(
        threshold=limit,
        shape=shape,
        scale=scale,
        n_periods=losses.size,
        n_exceedances=excesses.size,
        log_likelihood=likelihood,
    )


def pareto_fit(excesses: Float1D) -> tuple[float, float, float]:
    """Return shape, scale and log-likelihood of the generalised Pareto distribution of some excesses.

    One number is searched for, shape / scale: for each the best shape is known [1]_. Shapes below -0.5 are not looked
    at.

    Parameters
    ----------
    excesses : array of shape (n,)
        Above zero.

    References
    ----------
    .. [1] Grimshaw, S. (1993). Computing maximum likelihood estimates for the generalized Pareto distribution.
       Technometrics, 35(2), 185-191.

    Examples
    --------
    >>> shape, scale, _ = pareto_fit(np.random.default_rng(1).pareto(4.0, 20_000) / 4.0)
    >>> round(shape, 2), round(scale, 2)
    (0.25, 0.06)
    """
    from scipy.optimize import minimize_scalar

    mean = float(excesses.mean())
    y = excesses / mean
    bound = 1.0 / float(y.max())

    def loss(ratio: float) -> float:
        """Return the mean negative log-likelihood for a shape / scale of `ratio`, less 1."""
        if abs(ratio) < _FLAT:
            return 0.0
        shape = float(np.mean(np.log1p(ratio * y)))
        return math.inf if shape / ratio <= 0.0 or shape < _SHAPE_MIN else math.log(shape / ratio) + shape

    # Where the shape falls to its bound is the least ratio that counts; from there on the likelihood is looked at in
    # steps.
    low = -bound * (1.0 - 1e-9)
    grid = np.unique(np.concatenate((-bound * (1.0 - np.geomspace(1e-9, 1.0, 40)), [0.0], np.geomspace(1e-4, 1e3, 60))))
    values = [loss(each) for each in grid]
    best = int(np.argmin(values))
    left, right = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    found: Any = minimize_scalar(
        loss, bounds=(max(left, low), right), method="bounded", options={"xatol": 1e-12 * max(abs(right), 1.0)}
    )
    ratio = float(found.x) if found.fun <= values[best] else float(grid[best])
    if abs(ratio) < _FLAT:
        shape, scale = 0.0, 1.0
    else:
        shape = float(np.mean(np.log1p(ratio * y)))
        scale = shape / ratio
    n = y.size
    return shape, scale * mean, -n * (math.log(scale * mean) + shape + 1.0)


def hill_tail_index(returns: Any, n_tail: int, *, nan_policy: NanPolicy = "raise") -> float | pd.Series:
    """Return Hill's estimate of the exponent of the tail of losses: few means heavy.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions.
    n_tail : int
        How many of the largest losses count; the next one below them is the threshold and has to be a loss.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        1 / mean(log(loss / threshold)); infinite if all equal the threshold.

    References
    ----------
    .. [1] Hill, B. (1975). A simple general approach to inference about the tail of a distribution. Annals of
       Statistics, 3(5), 1163-1174.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> round(hill_tail_index(-0.01 * (1.0 + rng.pareto(3.0, 50_000)), 2000), 1)
    3.1
    """
    count = whole("n_tail", n_tail, 1)

    def measure(values: Float1D) -> float:
        if count >= values.size:
            raise InputError(f"n_tail is {n_tail}; there are {values.size} returns, and one has to lie below the tail")
        worst = np.sort(0.0 - values)[-count - 1 :]
        if not worst[0] > 0.0:
            raise InputError(f"only {int((values < 0.0).sum())} returns are losses; use an n_tail below that")
        mean = float(np.mean(np.log(worst[1:] / worst[0])))
        return 1.0 / mean if mean > 0.0 else math.inf

    return by_column(returns, measure, nan_policy)


def mean_excess(returns: Any, *, n_thresholds: int = 40, nan_policy: NanPolicy = "raise") -> pd.DataFrame:
    """Return the mean excess over rising thresholds: from where on it is a straight line, the tail is Pareto's.

    Parameters
    ----------
    returns : array-like of shape (n_periods,)
        Simple returns per period, as fractions.
    n_thresholds : int
        Quantiles of the losses from 0.5 on, as far as ten losses lie above.
    nan_policy : {"raise", "omit"}
        Refuse NaN and say where, or leave those periods out.

    Returns
    -------
    DataFrame
        `threshold` (loss), `mean_excess`, `n_exceedances`, by quantile.

    Examples
    --------
    >>> list(mean_excess(np.random.default_rng(1).normal(0.0, 0.01, 500)).columns)
    ['threshold', 'mean_excess', 'n_exceedances']
    """
    if nan_policy == "propagate":
        raise InputError('there is no threshold among NaN; use nan_policy="raise" or "omit"')
    losses = np.sort(0.0 - as_returns(returns, nan_policy, min_periods=2 * _EXCEEDANCES_MIN))
    quantiles = np.linspace(0.5, 1.0 - _EXCEEDANCES_MIN / losses.size, whole("n_thresholds", n_thresholds, 2))
    limits = np.quantile(losses, quantiles)
    above = losses.size - np.searchsorted(losses, limits, side="right")
    sums = np.concatenate((np.cumsum(losses[::-1])[::-1], [0.0]))[losses.size - above]
    excess = np.divide(sums, above, out=np.full(above.size, np.nan), where=above > 0) - limits
    return pd.DataFrame(
        {"threshold": limits, "mean_excess": excess, "n_exceedances": above}, index=pd.Index(quantiles, name="quantile")
    )
