"""How much returns move: their standard deviation, below a target only, and as it changes over time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import choice, number, positive, share, whole
from algotrendy.risk.columns import by_column, curve_by_column
from algotrendy.risk.inputs import as_returns, kernel_view

__all__ = [
    "Distribution",
    "GarchEstimate",
    "below_target",
    "downside_deviation",
    "ewma_variances",
    "ewma_volatility",
    "garch_estimate",
    "volatility",
]

Distribution: TypeAlias = Literal["normal", "student_t"]

_PERIODS_MIN = 50
_STILL = 1e-12
_PERSISTENCE_MAX = 1.0 - 1e-6
_FREEDOM = (2.05, 500.0)
_STARTS = ((0.99, 0.005), (0.99, 0.05), (0.96, 0.1), (0.7, 0.1), (0.3, 0.9))
"""Persistence and the share of the news in it, to begin a fit with. Where returns have no spells of volatility the
likelihood is flat and has several tops; the highest that these lead to is taken."""


def volatility(
    returns: Any, *, periods_per_year: float = 1.0, ddof: int = 1, nan_policy: NanPolicy = "raise"
) -> float | pd.Series:
    """Return the standard deviation of the returns times the root of `periods_per_year`.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions.
    periods_per_year : float
        252 for days of an exchange; 1, the default, means per period.
    ddof : int
        Degrees of freedom taken off the number of periods.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        A fraction per year; of a frame, one for each column.

    Examples
    --------
    >>> round(volatility([0.01, 0.03], periods_per_year=252), 6)
    0.224499
    """
    yearly = math.sqrt(positive("periods_per_year", periods_per_year))
    off = whole("ddof", ddof)
    return by_column(returns, lambda x: float(np.std(x, ddof=off)) * yearly, nan_policy, min_periods=off + 1)


def downside_deviation(
    returns: Any,
    *,
    target: float = 0.0,
    periods_per_year: float = 1.0,
    count: Literal["all", "below"] = "all",
    ddof: int = 0,
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return the root of the mean square of the returns below a target.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions.
    target : float
        Return per period that is expected at least.
    periods_per_year : float
        The root of it is what the result is multiplied by.
    count : {"all", "below"}
        Divide by the number of all periods [1]_, or of those below the target.
    ddof : int
        Taken off that number. With 1 and the mean of the returns as `target` it is the sample's semi-deviation.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        0.0 if no return is below the target; NaN if not more than `ddof` of those that are counted are.

    References
    ----------
    .. [1] Sortino, F. and van der Meer, R. (1991). Downside risk. Journal of Portfolio Management, 17(4), 27-31.

    Examples
    --------
    >>> downside_deviation([0.02, -0.02, 0.04, 0.0])
    0.01
    """
    yearly = math.sqrt(positive("periods_per_year", periods_per_year))
    least, off = number("target", target), whole("ddof", ddof)
    choice("count", count, ("all", "below"))
    return by_column(
        returns, lambda x: below_target(x - least, count, off) * yearly, nan_policy, min_periods=max(off + 1, 1)
    )


def below_target(gaps: Float1D, count: str, ddof: int) -> float:
    """Return the root of the mean square of the gaps below zero, over all of them or those below.

    Examples
    --------
    >>> below_target(np.array([0.02, -0.02, 0.04, 0.0]), "below", 0)
    0.02
    """
    below = np.minimum(gaps, 0.0)
    total, n = float(below @ below), int((below < 0.0).sum()) if count == "below" else below.size
    if total == 0.0:
        return 0.0
    return math.sqrt(total / (n - ddof)) if n > ddof else math.nan


def ewma_variances(values: Float1D, decay: float) -> Float1D:
    """Return the exponentially weighted mean of the squares up to each period, its own included.

    The weights of a finite past are made to sum to 1, so nothing has to be assumed about the time before.

    Examples
    --------
    >>> ewma_variances(np.array([0.01, 0.02]), 0.5)
    array([0.0001, 0.0003])
    """
    from algotrendy.kernels.risk_volatility import ewma_variance

    out = np.empty(values.size)
    ewma_variance(kernel_view(values), share("decay", decay, 0.94), out)
    return out


def ewma_volatility(
    returns: Any, *, decay: float = 0.94, periods_per_year: float = 1.0, nan_policy: NanPolicy = "raise"
) -> pd.Series | pd.DataFrame:
    """Return the exponentially weighted volatility about zero, up to and including each period [1]_.

    It is the forecast for the period after.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    decay : float
        What a square weighs as a multiple of the next one: 0.94 for days, 0.97 for months in RiskMetrics.
    periods_per_year : float
        What it is annualised with.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or be NaN from the first one on.

    Returns
    -------
    Series or DataFrame
        With the index of `returns`.

    References
    ----------
    .. [1] J.P. Morgan and Reuters (1996). RiskMetrics technical document, fourth edition: section 5.2. There the first
       square is the start; here the weights are normalised.

    Examples
    --------
    >>> ewma_volatility([0.01, -0.01, 0.01]).round(6).tolist()
    [0.01, 0.01, 0.01]
    """
    yearly = math.sqrt(positive("periods_per_year", periods_per_year))
    return curve_by_column(returns, lambda x: np.sqrt(ewma_variances(x, decay)) * yearly, nan_policy)


@dataclass(frozen=True, kw_only=True)
class GarchEstimate:
    """A GARCH(1,1) fitted to returns: variance = constant + news x shock**2 + memory x last variance.

    Attributes
    ----------
    mean, constant, news, memory : float
        Per period; `news` and `memory` are called alpha and beta in the literature, `constant` omega.
    degrees_of_freedom : float or None
        Of shocks that follow Student's t distribution, scaled to variance 1; None: they are normal.
    log_likelihood : float
        Of the returns.
    variance : array of shape (n_periods,)
        Of each period, given those before.
    shocks : array of shape (n_periods,)
        (return - mean) / volatility of each period.
    next_variance : float
        Of the period after the last.
    """

    mean: float
    constant: float
    news: float
    memory: float
    degrees_of_freedom: float | None
    log_likelihood: float
    variance: Float1D = field(repr=False)
    shocks: Float1D = field(repr=False)
    next_variance: float

    @property
    def persistence(self) -> float:
        """News and memory together: what is left of a surprise in the variance after one period."""
        return self.news + self.memory

    @property
    def long_run_variance(self) -> float:
        """Where the variance goes back to."""
        return self.constant / (1.0 - self.persistence)

    def forecast(self, horizon: int) -> Float1D:
        """Return the expected variance of each of the next `horizon` periods.

        Examples
        --------
        >>> fit = garch_estimate(np.random.default_rng(1).normal(0.0, 0.01, 500))
        >>> fit.forecast(3).shape
        (3,)
        """
        steps = np.arange(whole("horizon", horizon, 1))
        rest = self.long_run_variance
        return np.asarray(rest + self.persistence**steps * (self.next_variance - rest))

    def over(self, returns: Any) -> GarchEstimate:
        """Return the same rule followed over other returns, such as later ones: nothing is fitted anew.

        Examples
        --------
        >>> returns = np.random.default_rng(1).normal(0.0, 0.01, 600)
        >>> fit = garch_estimate(returns[:500])
        >>> fit.over(returns[100:]).news == fit.news
        True
        """
        from algotrendy.kernels.risk_volatility import GarchRule

        rule = GarchRule(self.mean, self.constant, self.news, self.memory, self.degrees_of_freedom or 0.0, 0.0)
        return _followed(as_returns(returns, min_periods=1), rule)


def garch_estimate(
    returns: Any, *, distribution: Distribution = "normal", nan_policy: NanPolicy = "raise"
) -> GarchEstimate:
    """Fit a GARCH(1,1) with a constant mean by maximum likelihood [1]_.

    The likelihood, its start included, is that of the library `arch`; its slope is computed with it, so a fit to a year
    of days takes about ten milliseconds.

    Parameters
    ----------
    returns : array-like of shape (n_periods,), n_periods >= 50
        Simple returns per period, as fractions, oldest first.
    distribution : {"normal", "student_t"}
        Of the shocks.
    nan_policy : {"raise", "omit"}
        Refuse NaN and say where, or leave those periods out.

    Returns
    -------
    GarchEstimate

    Raises
    ------
    InputError
        If there are too few returns or they do not move.

    References
    ----------
    .. [1] Bollerslev, T. (1986). Generalized autoregressive conditional heteroskedasticity. Journal of Econometrics,
       31(3).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> fit = garch_estimate(rng.normal(0.0, 0.01, 1000))
    >>> bool(0.0 <= fit.persistence < 1.0), round(float(np.sqrt(fit.long_run_variance)), 3)
    (True, 0.01)
    """
    choice("distribution", distribution, ("normal", "student_t"))
    if nan_policy == "propagate":
        raise InputError('a GARCH cannot be fitted to NaN; use nan_policy="raise" or "omit"')
    values = as_returns(returns, nan_policy, min_periods=1)
    if values.size < _PERIODS_MIN:
        raise InputError(f"there are {values.size} returns; a GARCH needs at least {_PERIODS_MIN} to be fitted")
    unit = float(np.std(values))
    if not unit > _STILL:
        raise InputError("the returns do not move, so there is no volatility to fit; use method='historical'")
    centre = float(values.mean())
    search = _GarchSearch((values - centre) / unit, distribution == "student_t")
    rule = search.best()
    found = _followed(values, rule._replace(mean=centre + unit * rule.mean, constant=rule.constant * unit * unit))
    if not math.isfinite(found.log_likelihood):
        raise InputError("no GARCH can be fitted to these returns; use method='ewma' or 'historical'")
    return found


def _followed(values: Float1D, rule: Any) -> GarchEstimate:
    """Return the estimate that a rule gives over some returns."""
    from algotrendy.kernels.risk_volatility import garch_score

    variance = np.empty(values.size)
    rule = rule._replace(before=_before(values - values.mean()))
    likelihood = garch_score(kernel_view(values), rule, variance, np.empty(6))
    last = float(values[-1]) - rule.mean
    return GarchEstimate(
        mean=rule.mean,
        constant=rule.constant,
        news=rule.news,
        memory=rule.memory,
        degrees_of_freedom=rule.freedom or None,
        log_likelihood=likelihood + values.size * _likelihood_constant(rule.freedom),
        variance=variance,
        shocks=(values - rule.mean) / np.sqrt(variance),
        next_variance=rule.constant + rule.news * last * last + rule.memory * float(variance[-1]),
    )


def _before(centred: Float1D) -> float:
    """Return the variance before the first period, as the library arch has it: of the first 75, fading away."""
    weights = 0.94 ** np.arange(min(75, centred.size))
    return float(weights @ centred[: weights.size] ** 2 / weights.sum())


def _likelihood_constant(freedom: float) -> float:
    """Return what the log-likelihood of one value has beside what depends on it."""
    from scipy.special import gammaln

    if not freedom:
        return -0.5 * math.log(2.0 * math.pi)
    found = gammaln((freedom + 1.0) / 2.0) - gammaln(freedom / 2.0) - 0.5 * math.log(math.pi * (freedom - 2.0))
    return float(found)


class _GarchSearch:
    """The likelihood of values of variance 1 by numbers that may take any value between simple bounds."""

    def __init__(self, values: Float1D, student: bool) -> None:
        self.values, self.student = kernel_view(values), student
        self._variance, self._slope = np.empty(values.size), np.empty(6)
        self._before = _before(values)

    def rule(self, x: Float1D) -> Any:
        """Return the rule of mean, log constant, persistence, share of the news and log of the freedom above 2."""
        from algotrendy.kernels.risk_volatility import GarchRule

        freedom = 2.0 + math.exp(x[4]) if self.student else 0.0
        return GarchRule(
            float(x[0]), math.exp(x[1]), float(x[2] * x[3]), float(x[2] * (1.0 - x[3])), freedom, self._before
        )

    def loss(self, x: Float1D) -> tuple[float, Float1D]:
        """Return the mean negative log-likelihood less its constants, and its slope by x."""
        from scipy.special import psi

        from algotrendy.kernels.risk_volatility import garch_score

        rule, n = self.rule(x), self.values.size
        likelihood = garch_score(self.values, rule, self._variance, self._slope) + n * _likelihood_constant(
            rule.freedom
        )
        by = self._slope
        slope = [
            by[0],
            by[1] * rule.constant,
            by[2] * x[3] + by[3] * (1.0 - x[3]),
            (by[2] - by[3]) * x[2],
        ]
        if self.student:
            v = rule.freedom
            by_freedom = n * 0.5 * (psi((v + 1.0) / 2.0) - psi(v / 2.0) - 1.0 / (v - 2.0)) - 0.5 * by[4]
            by_freedom += 0.5 * (v + 1.0) * by[5] / (v - 2.0)
            slope.append(by_freedom * (v - 2.0))
        return -likelihood / n, -np.array(slope) / n

    def best(self) -> Any:
        """Return the rule of the greatest likelihood."""
        from scipy.optimize import minimize

        starts = [
            np.array([0.0, math.log(1.0 - p), p, s, math.log(6.0)][: 5 if self.student else 4]) for p, s in _STARTS
        ]
        bounds = [(-10.0, 10.0), (math.log(1e-9), math.log(100.0)), (0.0, _PERSISTENCE_MAX), (0.0, 1.0)]
        if self.student:
            bounds.append((math.log(_FREEDOM[0] - 2.0), math.log(_FREEDOM[1] - 2.0)))
        options: dict[str, Any] = {"jac": True, "method": "SLSQP", "bounds": bounds}
        found: list[Any] = [minimize(self.loss, start, options={"ftol": 1e-8}, **options) for start in starts]
        top = min(found, key=lambda each: each.fun if math.isfinite(each.fun) else math.inf)
        return self.rule(minimize(self.loss, top.x, options={"ftol": 1e-13, "maxiter": 500}, **options).x)
