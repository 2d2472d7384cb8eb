"""Value at risk and expected shortfall of distributions: normal, Student's t, Cornish-Fisher, and what was seen.

Each function takes the probability of the tail (0.05 for the level 0.95) and returns both as losses.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.risk.checks import choice, number

__all__ = [
    "StudentFit",
    "TailRisk",
    "cornish_fisher_domain",
    "cornish_fisher_tail",
    "empirical_tail",
    "normal_tail",
    "student_fit",
    "student_tail",
    "tail_place",
]

STILL = 1e-12
"""A standard deviation up to here is the noise of arithmetic: the returns did not move."""

TAILS = ("rockafellar_uryasev", "at_or_beyond", "beyond")
_FREEDOM = (1.05, 1000.0)
_SCALE_MIN = 1e-4


class TailRisk(NamedTuple):
    """Value at risk and expected shortfall of one call, with the sign that was asked for."""

    value_at_risk: float
    expected_shortfall: float


def tail_place(n: int, probability: float, quantile: str = "linear") -> float:
    """Return where among n ordered values (from 0) a quantile lies, by a rule of numpy.

    Examples
    --------
    >>> tail_place(252, 0.05)
    12.55
    >>> tail_place(252, 0.05, "higher")
    13.0
    """
    if quantile == "linear":
        return (n - 1) * probability
    try:
        return float(np.quantile(np.arange(n, dtype=np.float64), probability, method=quantile))  # type: ignore[call-overload]  # the name comes from outside
    except (TypeError, ValueError) as error:
        raise InputError(f"quantile is {quantile!r}; use a method of numpy.quantile such as 'linear'") from error


def empirical_tail(
    returns: Float1D, probability: float, *, quantile: str = "linear", tail: str = "rockafellar_uryasev"
) -> TailRisk:
    """Return the quantile of the returns as seen and the mean of the tail beyond it, as losses.

    Parameters
    ----------
    returns : array of shape (n,)
    probability : float
        Of the tail.
    quantile : str
        Rule of `numpy.quantile`, applied to the returns at `probability`.
    tail : {"rockafellar_uryasev", "at_or_beyond", "beyond"}
        The worst n x `probability` returns, the last of them in part [1]_: this is the least value of the function that
        Rockafellar and Uryasev minimise. Or all returns at or below the quantile, or those below it (NaN if none is).

    References
    ----------
    .. [1] Rockafellar, R. and Uryasev, S. (2002). Conditional value-at-risk for general loss distributions. Journal of
       Banking and Finance, 26(7), 1443-1471: proposition 8.

    Examples
    --------
    >>> found = empirical_tail(np.array([-0.3, -0.2, -0.1, 0.0, 0.1]), 0.3)
    >>> round(found.value_at_risk, 6), round(found.expected_shortfall, 6)
    (0.18, 0.266667)
    """
    choice("tail", tail, TAILS)
    n = returns.size
    at, mass = tail_place(n, probability, quantile), n * probability
    first, whole = int(at), int(mass)
    part = min(whole, n - 1)
    ordered = np.partition(returns, sorted({first, min(first + 1, n - 1), part}))
    limit = float(ordered[first])
    if at > first:
        limit += (at - first) * float(ordered[first + 1] - ordered[first])
    if tail == "rockafellar_uryasev":
        beyond = float(ordered[:whole].sum())
        mean = (beyond + (mass - whole) * float(ordered[part])) / mass
    else:
        chosen = returns[returns <= limit] if tail == "at_or_beyond" else returns[returns < limit]
        mean = float(chosen.mean()) if chosen.size else math.nan
    return TailRisk(0.0 - limit, 0.0 - mean)


def normal_tail(mean: float, deviation: float, probability: float) -> TailRisk:
    """Return both of a normal distribution.

    Examples
    --------
    >>> found = normal_tail(0.0, 0.01, 0.05)
    >>> round(found.value_at_risk, 6), round(found.expected_shortfall, 6)
    (0.016449, 0.020627)
    """
    from scipy.special import ndtri

    z = float(ndtri(probability))
    return TailRisk(-mean - deviation * z, -mean + deviation * _density(z) / probability)


def student_tail(location: float, scale: float, freedom: float, probability: float) -> TailRisk:
    """Return both of Student's t distribution; its scale is not its standard deviation [1]_.

    The expected shortfall is infinite for one degree of freedom or less.

    References
    ----------
    .. [1] McNeil, A., Frey, R. and Embrechts, P. (2015). Quantitative risk management, revised edition, Princeton:
       example 2.15.

    Examples
    --------
    >>> round(student_tail(0.0, 1.0, 4.0, 0.05).expected_shortfall, 4)
    3.2029
    """
    from scipy.special import gammaln, stdtrit

    t = float(stdtrit(freedom, probability))
    if freedom <= 1.0:
        return TailRisk(-location - scale * t, math.inf)
    log_density = gammaln((freedom + 1.0) / 2.0) - gammaln(freedom / 2.0) - 0.5 * math.log(freedom * math.pi)
    density = math.exp(log_density - (freedom + 1.0) / 2.0 * math.log1p(t * t / freedom))
    mean = density / probability * (freedom + t * t) / (freedom - 1.0)
    return TailRisk(-location - scale * t, -location + scale * mean)


@dataclass(frozen=True, kw_only=True)
class StudentFit:
    """Student's t distribution, fitted to returns.

    Attributes
    ----------
    location, scale : float
        Per period. The standard deviation is scale x sqrt(v / (v - 2)) for v = `degrees_of_freedom` above 2.
    degrees_of_freedom : float
        Few mean heavy tails; a thousand is as good as normal.
    """

    location: float
    scale: float
    degrees_of_freedom: float


def student_fit(returns: Float1D) -> StudentFit:
    """Fit location, scale and degrees of freedom by maximum likelihood.

    Parameters
    ----------
    returns : array of shape (n,), n >= 10

    Raises
    ------
    InputError
        If there are fewer than ten returns, or so many equal ones that the likelihood has no maximum.

    Examples
    --------
    >>> fit = student_fit(np.random.default_rng(1).standard_t(4, 5000) * 0.01)
    >>> bool(3.5 < fit.degrees_of_freedom < 4.5)
    True
    """
    from scipy.optimize import minimize

    if returns.size < 10:
        raise InputError(f"there are {returns.size} returns; a t distribution needs at least 10 to be fitted")
    centre, unit = float(np.median(returns)), float(np.std(returns))
    if not unit > STILL:
        raise InputError("the returns do not move, so no t distribution can be fitted")
    z = (returns - centre) / unit
    limits = [(None, None), (math.log(_SCALE_MIN), math.log(10.0)), (math.log(_FREEDOM[0]), math.log(_FREEDOM[1]))]
    start, options = (0.0, math.log(0.7), math.log(5.0)), {"ftol": 1e-14, "maxiter": 500}
    found: Any = minimize(_student_loss, start, args=(z,), jac=True, method="SLSQP", bounds=limits, options=options)
    location, log_scale, log_freedom = (float(each) for each in found.x)
    if log_scale <= math.log(_SCALE_MIN) + 1e-6:
        raise InputError("so many returns are equal that a t distribution cannot be fitted; use method='historical'")
    return StudentFit(
        location=centre + unit * location, scale=unit * math.exp(log_scale), degrees_of_freedom=math.exp(log_freedom)
    )


def _student_loss(x: Float1D, z: Float1D) -> tuple[float, Float1D]:
    """Return the mean negative log-likelihood of z and its slope by location, log scale and log degrees of freedom."""
    from scipy.special import gammaln, psi

    scale, v = math.exp(x[1]), math.exp(x[2])
    d = (z - x[0]) / scale
    q = d * d / v
    logs = float(np.mean(np.log1p(q)))
    loss = gammaln(v / 2.0) - gammaln((v + 1.0) / 2.0) + 0.5 * math.log(v * math.pi) + x[1] + (v + 1.0) / 2.0 * logs
    pull = (v + 1.0) / v * d / (1.0 + q)
    by_freedom = 0.5 * (psi(v / 2.0) - psi((v + 1.0) / 2.0) + 1.0 / v + logs)
    by_freedom -= (v + 1.0) / 2.0 * float(np.mean(q / (1.0 + q))) / v
    return float(loss), np.array([-float(np.mean(pull)) / scale, 1.0 - float(np.mean(pull * d)), by_freedom * v])


def cornish_fisher_domain(skewness: float) -> tuple[float, float]:
    """Return the least and the largest excess kurtosis for which the Cornish-Fisher quantiles are in order.

    Outside of it a more extreme level can have a smaller loss: the expansion is no distribution there [1]_.

    Parameters
    ----------
    skewness : float
        Third standardised moment.

    Returns
    -------
    tuple of float
        Both NaN beyond a skewness of 6 (sqrt(2) - 1) = 2.485 in either direction: no kurtosis will do there.

    References
    ----------
    .. [1] Maillard, D. (2012). A user's guide to the Cornish Fisher expansion. SSRN 1997178.

    Examples
    --------
    >>> cornish_fisher_domain(0.0)
    (0.0, 8.0)
    """
    s = abs(number("skewness", skewness)) / 6.0
    inside = s**4 - 6.0 * s * s + 1.0
    if not s <= math.sqrt(2.0) - 1.0:
        return math.nan, math.nan
    root = math.sqrt(max(inside, 0.0))
    return 4.0 * (1.0 + 11.0 * s * s - root), 4.0 * (1.0 + 11.0 * s * s + root)


def cornish_fisher_tail(moments: tuple[float, float, float, float], probability: float) -> TailRisk:
    """Return both of the Cornish-Fisher expansion for mean, standard deviation, skewness and excess kurtosis.

    The expected shortfall is the mean of the expanded quantiles over the tail, in closed form [1]_. Outside of the
    domain of the expansion a warning says so, and the expected shortfall is the value at risk if it would lie below it.

    References
    ----------
    .. [1] Maillard, D. (2012). A user's guide to the Cornish Fisher expansion. SSRN 1997178.

    Examples
    --------
    >>> found = cornish_fisher_tail((0.0, 0.01, -0.5, 1.5), 0.05)
    >>> round(found.value_at_risk, 6), round(found.expected_shortfall, 6)
    (0.01752, 0.025021)
    """
    from scipy.special import ndtri

    mean, deviation, s, k = moments
    low, high = cornish_fisher_domain(s)
    if not low <= k <= high:
        wanted = (
            "no kurtosis will do" if math.isnan(low) else f"an excess kurtosis from {low:.3g} to {high:.3g} will do"
        )
        warnings.warn(
            f"skewness {s:.3g} and excess kurtosis {k:.3g} lie outside the domain of the Cornish-Fisher expansion (for "
            f"this skewness {wanted}): its quantiles are not in order; use another method",
            RuntimeWarning,
            stacklevel=2,
        )
    z = float(ndtri(probability))
    expanded = z + (z * z - 1.0) * s / 6.0 + (z**3 - 3.0 * z) * k / 24.0 - (2.0 * z**3 - 5.0 * z) * s * s / 36.0
    factor = 1.0 + z * s / 6.0 + (z * z - 1.0) * k / 24.0 - (2.0 * z * z - 1.0) * s * s / 36.0
    loss = -mean - deviation * expanded
    return TailRisk(loss, max(loss, -mean + deviation * factor * _density(z) / probability))


def _density(z: float) -> float:
    return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
