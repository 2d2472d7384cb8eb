"""Returns against a benchmark or a market: beta, alpha, tracking error, capture.

Both series are of the same periods. Two Series are compared by their dates: by default these have to be the same, with
`align="inner"` the dates they share count. Nothing is filled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import choice, hurdle, number, positive, whole
from algotrendy.risk.columns import Align, columns_of, is_table, together
from algotrendy.risk.distributions import STILL
from algotrendy.risk.ratios import annualised, grown, quotient

__all__ = [
    "BetaMethod",
    "alpha",
    "beta",
    "capture_ratio",
    "correlation",
    "down_capture",
    "information_ratio",
    "tracking_error",
    "treynor_ratio",
    "up_capture",
]

BetaMethod: TypeAlias = Literal["ols", "downside", "upside", "robust", "blume", "bloomberg"]

_SHRUNK = {"blume": (0.343, 0.677), "bloomberg": (1.0 / 3.0, 2.0 / 3.0)}
"""Intercept and slope by which an estimate is moved towards 1."""

_HUBER = 1.345
"""With normal errors the robust beta then has 95 % of the precision of least squares."""
_MAD = 0.6744897501960817
"""The median distance from the mean of a normal distribution, in standard deviations."""
_ROUNDS_MAX = 200

Pair: TypeAlias = Callable[[Float1D, Float1D], float]


def _by_pair(
    returns: Any, other: Any, measure: Pair, nan_policy: NanPolicy, align: Align, *, min_periods: int = 2
) -> float | pd.Series:
    """Return the measure of two series, or of each column of a table and the other series."""
    how: dict[str, Any] = {"nan_policy": nan_policy, "align": align, "least": min_periods}
    if is_table(returns):
        found = {
            j: _one(column, other, measure, where=f"column {name!r}: ", **how)
            for j, (name, column) in enumerate(columns_of(returns))
        }
        labels = returns.columns if isinstance(returns, pd.DataFrame) else pd.RangeIndex(len(found))
        return pd.Series(list(found.values()), index=labels, dtype=np.float64)
    return _one(returns, other, measure, **how)


def _one(
    returns: Any, other: Any, measure: Pair, *, nan_policy: NanPolicy, align: Align, least: int, where: str = ""
) -> float:
    try:
        x, m = together(returns, other, nan_policy, align=align)
    except InputError as error:
        if not where:
            raise
        raise InputError(f"{where}{error}") from error
    if x.size < least:
        raise InputError(f"{where}there are {x.size} common periods, this needs at least {least}")
    if np.isnan(x).any() or np.isnan(m).any():
        return math.nan
    return float(measure(x, m))


def beta(
    returns: Any,
    market_returns: Any,
    *,
    method: BetaMethod = "ols",
    threshold: float | None = None,
    align: Align = "exact",
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return how much the returns move with those of a market.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    market_returns : array-like of shape (n_periods,)
        Those of the market for the same periods. A constant risk-free rate need not be taken off either.
    method : str
        - "ols": covariance over the variance of the market.
        - "downside", "upside": the same over the periods in which the market is below, above `threshold` [1]_.
        - "robust": Huber's M-estimate, in which far-off periods weigh less [2]_.
        - "blume": 0.343 + 0.677 x the OLS beta [3]_; "bloomberg": a third and two thirds of it.
    threshold : float, optional
        Market return per period (downside, upside); by default its mean.
    align : {"exact", "inner"}
        Two Series have the same dates, or only those they share count.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave out the periods in which either is NaN, or return NaN.

    Returns
    -------
    float or Series
        NaN if the market does not move (in the periods that count), or there are fewer than two of them.

    Raises
    ------
    InputError
        If the series do not match, returns are not finite fractions, or an option is out of its range.

    References
    ----------
    .. [1] Ang, A., Chen, J. and Xing, Y. (2006). Downside risk. Review of Financial Studies, 19(4), 1191-1239.
    .. [2] Huber, P. (1981). Robust statistics, Wiley: by iterated weights, the scale from the median absolute residual.
    .. [3] Blume, M. (1975). Betas and their regression tendencies. Journal of Finance, 30(3), 785-795.

    Examples
    --------
    >>> market = [0.01, -0.02, 0.03, 0.0]
    >>> round(beta([0.02, -0.04, 0.06, 0.0], market), 12)
    2.0
    >>> round(beta([0.02, -0.04, 0.06, 0.0], market, method="blume"), 12)
    1.697
    """
    choice("method", method, ("ols", "downside", "upside", "robust", *_SHRUNK))
    if threshold is not None and method not in ("downside", "upside"):
        raise InputError(f"the method {method!r} does not use threshold; downside and upside do")
    limit = None if threshold is None else number("threshold", threshold)

    def measure(x: Float1D, m: Float1D) -> float:
        if method in ("downside", "upside"):
            edge = float(m.mean()) if limit is None else limit
            chosen = m < edge if method == "downside" else m > edge
            return slope(x[chosen], m[chosen]) if int(chosen.sum()) > 1 else math.nan
        if method == "robust":
            return _huber_slope(x, m)
        plain = slope(x, m)
        moved = _SHRUNK.get(method)
        return plain if moved is None else moved[0] + moved[1] * plain

    return _by_pair(returns, market_returns, measure, nan_policy, align)


def slope(x: Float1D, m: Float1D) -> float:
    """Return the slope of x on m by least squares; NaN if m does not move.

    Examples
    --------
    >>> slope(np.array([0.0, 2.0]), np.array([0.0, 1.0]))
    2.0
    """
    d = m - m.mean()
    squares = float(d @ d)
    return float(d @ (x - x.mean())) / squares if squares > STILL * STILL * m.size else math.nan


def _huber_slope(x: Float1D, m: Float1D) -> float:
    """Return the slope of Huber's M-estimate: least squares, weighted by the residuals until the weights stand."""
    found = slope(x, m)
    if math.isnan(found):
        return found
    constant = float(x.mean()) - found * float(m.mean())
    for _ in range(_ROUNDS_MAX):
        residual = x - constant - found * m
        scale = float(np.median(np.abs(residual))) / _MAD
        if not scale > STILL * float(np.abs(x).max()):
            return found
        weights = np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(residual), 1e-300))
        share = weights / weights.sum()
        x_mean, m_mean = float(share @ x), float(share @ m)
        d = m - m_mean
        before, found = found, float((share * d) @ (x - x_mean)) / float((share * d) @ d)
        constant = x_mean - found * m_mean
        if abs(found - before) <= 1e-12 * max(abs(found), 1.0):
            break
    return found


def alpha(
    returns: Any,
    market_returns: Any,
    *,
    risk_free_rate: float = 0.0,
    periods_per_year: float = 1.0,
    compound: bool = False,
    align: Align = "exact",
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return Jensen's alpha: the mean excess return that beta does not explain, per year [1]_.

    Parameters
    ----------
    returns, market_returns, align, nan_policy
        As in `beta`, which is estimated by least squares.
    risk_free_rate : float
        Per year as a fraction, taken off both.
    periods_per_year : float
        252 for days of an exchange.
    compound : bool
        False: the alpha of one period times `periods_per_year`. True: (1 + alpha) ** periods_per_year - 1.

    Returns
    -------
    float or Series
        A fraction per year; NaN if the market does not move.

    References
    ----------
    .. [1] Jensen, M. (1968). The performance of mutual funds in the period 1945-1964. Journal of Finance, 23(2),
       389-416.

    Examples
    --------
    >>> round(alpha([0.021, -0.039, 0.061, 0.001], [0.01, -0.02, 0.03, 0.0], periods_per_year=252), 9)
    0.252
    """
    per_year = positive("periods_per_year", periods_per_year)
    free = hurdle(risk_free_rate, per_year)

    def measure(x: Float1D, m: Float1D) -> float:
        each = float(x.mean()) - free - slope(x, m) * (float(m.mean()) - free)
        if not compound:
            return each * per_year
        return grown(math.log1p(each) * per_year) if each > -1.0 else -1.0

    return _by_pair(returns, market_returns, measure, nan_policy, align)


def correlation(
    returns: Any, benchmark: Any, *, align: Align = "exact", nan_policy: NanPolicy = "raise"
) -> float | pd.Series:
    """Return Pearson's correlation of the returns with those of a benchmark.

    Parameters
    ----------
    returns, benchmark, align, nan_policy
        As in `beta`.

    Returns
    -------
    float or Series
        In [-1, 1]; NaN if either does not move. Its square is the R-squared of the regression.

    Examples
    --------
    >>> round(correlation([0.02, -0.04, 0.06], [0.01, -0.02, 0.03]), 12)
    1.0
    """

    def measure(x: Float1D, m: Float1D) -> float:
        a, b = x - x.mean(), m - m.mean()
        found = quotient(float(a @ b), math.sqrt(float(a @ a)) * math.sqrt(float(b @ b)))
        return min(max(found, -1.0), 1.0) if not math.isnan(found) else found

    return _by_pair(returns, benchmark, measure, nan_policy, align)


def tracking_error(
    returns: Any,
    benchmark: Any,
    *,
    periods_per_year: float = 1.0,
    ddof: int = 1,
    align: Align = "exact",
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return the standard deviation of the returns less those of a benchmark, annualised.

    Parameters
    ----------
    returns, benchmark, align, nan_policy
        As in `beta`.
    periods_per_year : float
        The root of it is what the result is multiplied by.
    ddof : int
        Degrees of freedom taken off the number of periods.

    Returns
    -------
    float or Series
        A fraction per year.

    Examples
    --------
    >>> round(tracking_error([0.02, 0.0], [0.01, 0.01]), 6)
    0.014142
    """
    yearly = math.sqrt(positive("periods_per_year", periods_per_year))
    off = whole("ddof", ddof)
    return _by_pair(
        returns, benchmark, lambda x, m: float(np.std(x - m, ddof=off)) * yearly, nan_policy, align, min_periods=off + 1
    )


def information_ratio(
    returns: Any,
    benchmark: Any,
    *,
    periods_per_year: float = 1.0,
    align: Align = "exact",
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return the mean of the returns less those of a benchmark over its standard deviation (ddof 1), annualised.

    Parameters
    ----------
    returns, benchmark, align, nan_policy
        As in `beta`.
    periods_per_year : float
        The ratio is multiplied by its root.

    Returns
    -------
    float or Series
        NaN if the difference does not move.

    Examples
    --------
    >>> round(information_ratio([0.02, 0.03], [0.01, 0.01]), 6)
    2.12132
    """
    yearly = math.sqrt(positive("periods_per_year", periods_per_year))

    def measure(x: Float1D, m: Float1D) -> float:
        active = x - m
        return quotient(float(active.mean()), float(np.std(active, ddof=1))) * yearly

    return _by_pair(returns, benchmark, measure, nan_policy, align)


def treynor_ratio(
    returns: Any,
    market_returns: Any,
    *,
    risk_free_rate: float = 0.0,
    periods_per_year: float = 1.0,
    align: Align = "exact",
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return the mean excess return per year over beta [1]_.

    Parameters
    ----------
    returns, market_returns, align, nan_policy
        As in `beta`.
    risk_free_rate : float
        Per year as a fraction.
    periods_per_year : float
        The mean of a period is multiplied by it.

    Returns
    -------
    float or Series
        NaN if beta is zero or the market does not move.

    References
    ----------
    .. [1] Treynor, J. (1965). How to rate management of investment funds. Harvard Business Review, 43(1), 63-75.

    Examples
    --------
    >>> round(treynor_ratio([0.02, -0.02, 0.06], [0.01, -0.01, 0.03]), 12)
    0.01
    """
    per_year = positive("periods_per_year", periods_per_year)
    free = hurdle(risk_free_rate, per_year)

    def measure(x: Float1D, m: Float1D) -> float:
        steep = slope(x, m)
        return (float(x.mean()) - free) * per_year / steep if abs(steep) > STILL else math.nan

    return _by_pair(returns, market_returns, measure, nan_policy, align)


def up_capture(
    returns: Any,
    benchmark: Any,
    *,
    compound: bool = True,
    periods_per_year: float = 1.0,
    align: Align = "exact",
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return how much of a rising benchmark was caught: the return over its periods above zero, over its own.

    Parameters
    ----------
    returns, benchmark, align, nan_policy
        As in `beta`.
    compound : bool
        True: compounded returns over those periods, per year [1]_. False: their means.
    periods_per_year : float
        With `compound`: returns over those periods are compounded to so many of them; 1 takes the geometric mean.

    Returns
    -------
    float or Series
        1.0 is as much as the benchmark; NaN if it never rose.

    References
    ----------
    .. [1] Bacon, C. (2008). Practical portfolio performance measurement and attribution, second edition, Wiley.

    Examples
    --------
    >>> up_capture([0.02, -0.01, 0.02], [0.01, -0.02, 0.01], compound=False)
    2.0
    """
    per_year = positive("periods_per_year", periods_per_year)
    return _by_pair(
        returns, benchmark, lambda x, m: _captured(x, m, m > 0.0, per_year if compound else None), nan_policy, align,
        min_periods=1,
    )  # fmt: skip


def down_capture(
    returns: Any,
    benchmark: Any,
    *,
    compound: bool = True,
    periods_per_year: float = 1.0,
    align: Align = "exact",
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return how much of a falling benchmark was suffered: the return over its periods below zero, over its own.

    Parameters
    ----------
    returns, benchmark, compound, periods_per_year, align, nan_policy
        As in `up_capture`.

    Returns
    -------
    float or Series
        Below 1.0: less was lost than by the benchmark; negative: there was a gain. NaN if it never fell.

    Examples
    --------
    >>> down_capture([0.02, -0.01, 0.02], [0.01, -0.02, 0.01], compound=False)
    0.5
    """
    per_year = positive("periods_per_year", periods_per_year)
    return _by_pair(
        returns, benchmark, lambda x, m: _captured(x, m, m < 0.0, per_year if compound else None), nan_policy, align,
        min_periods=1,
    )  # fmt: skip


def capture_ratio(
    returns: Any,
    benchmark: Any,
    *,
    compound: bool = True,
    periods_per_year: float = 1.0,
    align: Align = "exact",
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return the up capture over the down capture.

    Parameters
    ----------
    returns, benchmark, compound, periods_per_year, align, nan_policy
        As in `up_capture`.

    Returns
    -------
    float or Series
        Above 1.0: more was caught than suffered. NaN if either is, or nothing was lost.

    Examples
    --------
    >>> capture_ratio([0.02, -0.01, 0.02], [0.01, -0.02, 0.01], compound=False)
    4.0
    """
    per_year = positive("periods_per_year", periods_per_year)
    span = per_year if compound else None

    def measure(x: Float1D, m: Float1D) -> float:
        up, down = _captured(x, m, m > 0.0, span), _captured(x, m, m < 0.0, span)
        return up / down if abs(down) > STILL else math.nan

    return _by_pair(returns, benchmark, measure, nan_policy, align, min_periods=1)


def _captured(x: Float1D, m: Float1D, chosen: Any, per_year: float | None) -> float:
    """Return the return of x over that of m in the chosen periods: means, or compounded to a year."""
    if not chosen.any():
        return math.nan
    if per_year is None:
        return float(x[chosen].mean()) / float(m[chosen].mean())
    own = annualised(m[chosen], per_year)
    return annualised(x[chosen], per_year) / own if abs(own) > STILL else math.nan
