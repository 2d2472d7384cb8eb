"""Return against risk: Sortino, Calmar, Omega and their kin; the Sharpe ratio has a module of its own.

Ratios are NaN where what they divide by is zero: returns without a loss have no Sortino ratio, not an infinite one.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import choice, hurdle, level, number, positive, whole
from algotrendy.risk.columns import by_column
from algotrendy.risk.distributions import STILL, tail_place
from algotrendy.risk.drawdown import drawdown_curve
from algotrendy.risk.volatilities import below_target

__all__ = [
    "annual_return",
    "autocorrelation_factor",
    "calmar_ratio",
    "gain_to_pain_ratio",
    "kelly_fraction",
    "martin_ratio",
    "omega_ratio",
    "pain_ratio",
    "sortino_ratio",
    "tail_ratio",
    "total_return",
]

_LARGEST = 709.0
"""The logarithm of what is about the largest float."""


def quotient(above: float, below: float) -> float:
    """Return a quotient, NaN where the divisor is no more than the noise of arithmetic.

    Examples
    --------
    >>> quotient(1.0, 0.0)
    nan
    """
    return above / below if below > STILL else math.nan


def total_return(returns: Any, *, nan_policy: NanPolicy = "raise") -> float | pd.Series:
    """Return what was gained over all periods, compounded.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        -1.0 if everything was lost.

    Examples
    --------
    >>> round(total_return([0.1, 0.1]), 12)
    0.21
    """
    return by_column(returns, compounded, nan_policy)


def compounded(values: Float1D) -> float:
    """Return the compounded return of an array; in logarithms, so that small returns keep their digits."""
    if (values <= -1.0).any():
        return -1.0
    return grown(float(np.log1p(values).sum()))


def annual_return(returns: Any, *, periods_per_year: float, nan_policy: NanPolicy = "raise") -> float | pd.Series:
    """Return the compounded return per year.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions.
    periods_per_year : float
        252 for days of an exchange.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        -1.0 if everything was lost.

    Examples
    --------
    >>> round(annual_return([0.1, 0.1], periods_per_year=1), 12)
    0.1
    """
    per_year = positive("periods_per_year", periods_per_year)
    return by_column(returns, lambda x: annualised(x, per_year), nan_policy)


def annualised(values: Float1D, periods_per_year: float) -> float:
    """Return the compounded return per year of an array."""
    if (values <= -1.0).any():
        return -1.0
    return grown(float(np.log1p(values).mean()) * periods_per_year)


def grown(logarithm: float) -> float:
    """Return the gain of a logarithm of growth; infinite where no number is as large.

    Examples
    --------
    >>> grown(0.0), grown(1e4)
    (0.0, inf)
    """
    return math.expm1(logarithm) if logarithm < _LARGEST else math.inf


def sortino_ratio(
    returns: Any,
    *,
    target: float | None = None,
    risk_free_rate: float = 0.0,
    periods_per_year: float = 1.0,
    count: Literal["all", "below"] = "all",
    ddof: int = 0,
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return the mean return above a target over the downside deviation from it, annualised [1]_.

    The deviation is the root of the mean over *all* periods of the squares below the target, unless `count` says other.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions.
    target : float, optional
        Per period; by default the risk-free return of one period.
    risk_free_rate : float
        Per year as a fraction; used where there is no `target`.
    periods_per_year : float
        The ratio is multiplied by its root.
    count, ddof
        How the deviation is divided, as in `downside_deviation`.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        NaN if no return is below the target.

    References
    ----------
    .. [1] Sortino, F. and Price, L. (1994). Performance measurement in a downside risk framework. Journal of Investing,
       3(3), 59-64.

    Examples
    --------
    >>> sortino_ratio([0.02, -0.02, 0.04, 0.0])
    1.0
    """
    per_year, off = positive("periods_per_year", periods_per_year), whole("ddof", ddof)
    least = hurdle(risk_free_rate, per_year) if target is None else number("target", target)
    choice("count", count, ("all", "below"))

    def measure(x: Float1D) -> float:
        gap = x - least
        return quotient(float(gap.mean()), below_target(gap, count, off)) * math.sqrt(per_year)

    return by_column(returns, measure, nan_policy, min_periods=max(off + 1, 1))


def calmar_ratio(returns: Any, *, periods_per_year: float, nan_policy: NanPolicy = "raise") -> float | pd.Series:
    """Return the compounded annual return over the largest drawdown.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions; Young took the last 36 months [1]_: cut them before.
    periods_per_year : float
        252 for days of an exchange.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        NaN if wealth never falls.

    References
    ----------
    .. [1] Young, T. (1991). Calmar ratio: a smoother tool. Futures, 20(1).

    Examples
    --------
    >>> round(calmar_ratio([0.5, -0.2], periods_per_year=2), 12)
    1.0
    """
    per_year = positive("periods_per_year", periods_per_year)
    return by_column(returns, lambda x: quotient(annualised(x, per_year), float(drawdown_curve(x).max())), nan_policy)


def martin_ratio(
    returns: Any, *, periods_per_year: float, risk_free_rate: float = 0.0, nan_policy: NanPolicy = "raise"
) -> float | pd.Series:
    """Return the compounded annual return above the risk-free rate over the ulcer index.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions.
    periods_per_year : float
        252 for days of an exchange.
    risk_free_rate : float
        Per year as a fraction.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        NaN if wealth never falls.

    Examples
    --------
    >>> round(martin_ratio([0.5, -0.2], periods_per_year=2), 6)
    1.414214
    """
    per_year, free = positive("periods_per_year", periods_per_year), number("risk_free_rate", risk_free_rate)
    return by_column(
        returns,
        lambda x: quotient(annualised(x, per_year) - free, math.sqrt(float(np.mean(drawdown_curve(x) ** 2)))),
        nan_policy,
    )


def pain_ratio(
    returns: Any, *, periods_per_year: float, risk_free_rate: float = 0.0, nan_policy: NanPolicy = "raise"
) -> float | pd.Series:
    """Return the compounded annual return above the risk-free rate over the pain index.

    Parameters
    ----------
    returns, periods_per_year, risk_free_rate, nan_policy
        As in `martin_ratio`.

    Returns
    -------
    float or Series
        NaN if wealth never falls.

    Examples
    --------
    >>> round(pain_ratio([0.5, -0.2], periods_per_year=2), 12)
    2.0
    """
    per_year, free = positive("periods_per_year", periods_per_year), number("risk_free_rate", risk_free_rate)
    return by_column(
        returns,
        lambda x: quotient(annualised(x, per_year) - free, float(np.mean(drawdown_curve(x)))),
        nan_policy,
    )


def omega_ratio(returns: Any, *, target: float = 0.0, nan_policy: NanPolicy = "raise") -> float | pd.Series:
    """Return the sum of returns above a target over the sum of those below it [1]_.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions.
    target : float
        Per period.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        Not negative; 1 if the mean is the target; NaN if no return is below it.

    References
    ----------
    .. [1] Keating, C. and Shadwick, W. (2002). A universal performance measure. Journal of Performance Measurement,
       6(3).

    Examples
    --------
    >>> omega_ratio([0.02, -0.01, 0.01])
    3.0
    """
    least = number("target", target)

    def measure(x: Float1D) -> float:
        gap = x - least
        return quotient(float(np.maximum(gap, 0.0).sum()), float(-np.minimum(gap, 0.0).sum()))

    return by_column(returns, measure, nan_policy)


def gain_to_pain_ratio(returns: Any, *, nan_policy: NanPolicy = "raise") -> float | pd.Series:
    """Return the sum of all returns over the sum of the losses; it is the Omega ratio less 1 [1]_.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions; Schwager takes months.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        NaN if there is no loss.

    References
    ----------
    .. [1] Schwager, J. (2012). Hedge fund market wizards, Wiley: appendix A.

    Examples
    --------
    >>> gain_to_pain_ratio([0.02, -0.01, 0.01])
    2.0
    """
    return by_column(returns, lambda x: quotient(float(x.sum()), float(-np.minimum(x, 0.0).sum())), nan_policy)


def tail_ratio(
    returns: Any, confidence_level: float = 0.95, *, quantile: str = "linear", nan_policy: NanPolicy = "raise"
) -> float | pd.Series:
    """Return the size of the upper quantile over that of the lower one.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions.
    confidence_level : float
        Above 0.5: at 0.95 the quantiles are those of 0.95 and 0.05.
    quantile : str
        Rule of `numpy.quantile`.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        NaN if the lower quantile is zero.

    Examples
    --------
    >>> tail_ratio([-0.02, -0.01, 0.0, 0.02, 0.04], 0.75)
    2.0
    """
    p = level(confidence_level)
    if not p < 0.5:
        raise InputError(f"confidence_level is {confidence_level!r}; a tail begins above 0.5, use such as 0.95")
    tail_place(2, p, quantile)

    def measure(x: Float1D) -> float:
        low, high = np.quantile(x, (p, 1.0 - p), method=quantile)  # type: ignore[call-overload]  # a name from outside
        return quotient(abs(float(high)), abs(float(low)))

    return by_column(returns, measure, nan_policy)


def kelly_fraction(
    returns: Any,
    *,
    method: Literal["mean_variance", "growth", "win_loss"] = "mean_variance",
    risk_free_rate: float = 0.0,
    periods_per_year: float = 1.0,
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return the share of wealth in a strategy for which wealth grows fastest.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period of the strategy held at full size, as fractions.
    method : {"mean_variance", "growth", "win_loss"}
        Mean excess return over variance, the usual approximation [1]_. Or the share that maximises the mean logarithm
        of wealth over these returns. Or W - (1 - W) / (mean win / mean loss) with the share W of winning periods, for
        bets of two outcomes [2]_.
    risk_free_rate : float
        Per year as a fraction.
    periods_per_year : float
        What the rate is converted by.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        1.0 is all of it, 2.0 twice on borrowed money, negative: hold it short. NaN if the returns do not move, or for
        "growth" and "win_loss" if there is nothing to lose or nothing to win.

    References
    ----------
    .. [1] Thorp, E. (2006). The Kelly criterion in blackjack, sports betting and the stock market. Handbook of asset
       and liability management, volume 1.
    .. [2] Kelly, J. (1956). A new interpretation of information rate. Bell System Technical Journal, 35(4), 917-926.

    Examples
    --------
    Even money, won three times of five: Kelly's own case, 2 p - 1.

    >>> bets = [1.0, 1.0, 1.0, -1.0, -1.0]
    >>> round(kelly_fraction(bets, method="growth"), 6), round(kelly_fraction(bets, method="win_loss"), 6)
    (0.2, 0.2)
    """
    choice("method", method, ("mean_variance", "growth", "win_loss"))
    free = hurdle(risk_free_rate, positive("periods_per_year", periods_per_year))

    def measure(x: Float1D) -> float:
        excess = x - free
        if method == "mean_variance":
            variance = float(np.var(x, ddof=1)) if x.size > 1 else 0.0
            return float(excess.mean()) / variance if variance > STILL * STILL else math.nan
        wins, losses = excess[excess > 0.0], excess[excess < 0.0]
        if not wins.size or not losses.size:
            return math.nan
        if method == "win_loss":
            rate = wins.size / (wins.size + losses.size)
            return rate - (1.0 - rate) / (float(wins.mean()) / -float(losses.mean()))
        return _fastest_growth(excess, free)

    return by_column(returns, measure, nan_policy, min_periods=2)


def _fastest_growth(excess: Float1D, free: float) -> float:
    """Return the share f at which the mean of log(1 + free + f excess) is largest: its slope has one zero."""
    from scipy.optimize import brentq

    base = 1.0 + free
    low, high = -base / float(excess.max()), -base / float(excess.min())
    margin = 1e-12 * (high - low)

    def slope(f: float) -> float:
        return float(np.mean(excess / (base + f * excess)))

    return float(brentq(slope, low + margin, high - margin, xtol=1e-12))


def autocorrelation_factor(
    returns: Any, periods: int, *, lags: int | None = None, nan_policy: NanPolicy = "raise"
) -> float | pd.Series:
    """Return what a Sharpe ratio per period is multiplied by to span several, counting autocorrelation [1]_.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    periods : int
        Whole number of periods to span: 12 from months to a year.
    lags : int, optional
        Autocorrelations beyond so many count as zero; by default all below `periods` do count. Many lags of short
        series are mostly noise.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        q / sqrt(q + 2 sum over k < q of (q - k) rho(k)) for q = `periods`: the root of q for independent returns. NaN
        if the returns do not move or the sum says that the variance is negative.

    References
    ----------
    .. [1] Lo, A. (2002). The statistics of Sharpe ratios. Financial Analysts Journal, 58(4), 36-52: equation 20.

    Examples
    --------
    >>> autocorrelation_factor([0.01, 0.03, 0.02], 4, lags=0)
    2.0
    """
    q = whole("periods", periods, 1)
    most = q - 1 if lags is None else min(whole("lags", lags), q - 1)

    def measure(x: Float1D) -> float:
        if lags is None and x.size < q:
            raise InputError(
                f"there are {x.size} returns, which have no autocorrelation over {q - 1} lags; use fewer lags"
            )
        d = x - x.mean()
        squares = float(d @ d)
        if not squares > STILL * STILL * x.size:
            return math.nan
        total = float(q)
        for k in range(1, min(most, x.size - 1) + 1):
            total += 2.0 * (q - k) * float(d[k:] @ d[:-k]) / squares
        return q / math.sqrt(total) if total > 0.0 else math.nan

    return by_column(returns, measure, nan_policy, min_periods=2)
