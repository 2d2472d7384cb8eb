"""The main measures over a sliding window: each point is the measure of the last `window` periods, that one included.

The first `window` - 1 points are NaN. Nothing drifts: no figure is made by adding and taking away over a long series.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, Float2D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import hurdle, level, positive, whole
from algotrendy.risk.columns import Align, Sign, columns_of, is_table, signed, together
from algotrendy.risk.distributions import STILL, tail_place
from algotrendy.risk.drawdown import ROUNDING
from algotrendy.risk.inputs import as_returns, kernel_view

__all__ = [
    "rolling_beta",
    "rolling_correlation",
    "rolling_expected_shortfall",
    "rolling_max_drawdown",
    "rolling_sharpe_ratio",
    "rolling_sortino_ratio",
    "rolling_tail_risk",
    "rolling_value_at_risk",
    "rolling_volatility",
]

Curve = Callable[[Float1D], Float1D]


def rolling_tail_risk(
    returns: Any,
    window: int,
    confidence_level: float = 0.95,
    *,
    quantile: str = "linear",
    sign: Sign = "loss",
    nan_policy: NanPolicy = "raise",
) -> pd.DataFrame:
    """Return historical value at risk and expected shortfall of one series over a window, both in one pass.

    Parameters
    ----------
    returns : array-like of shape (n_periods,)
        Simple returns per period, as fractions, oldest first.
    window : int
        Periods, at least 1.
    confidence_level : float
        In (0, 1).
    quantile : str
        Rule of `numpy.quantile` for the value at risk; the expected shortfall is that of Rockafellar and Uryasev.
    sign : {"loss", "return"}
        A loss of 2 % is 0.02, or -0.02.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or be NaN where the window holds one.

    Returns
    -------
    DataFrame
        `value_at_risk` and `expected_shortfall`, with the index of `returns`.

    Raises
    ------
    InputError
        If returns are not finite fractions of at least -1, or an option is out of its range.

    Examples
    --------
    >>> rolling_tail_risk([-0.04, 0.0, 0.01, -0.02], 3, 0.75)["value_at_risk"].round(6).tolist()
    [nan, nan, 0.02, 0.01]
    """
    if is_table(returns):
        raise InputError("this is of one series; use rolling_value_at_risk or rolling_expected_shortfall for a table")
    values, index = _series(returns, nan_policy)
    both = _tails(values, whole("window", window, 1), level(confidence_level), quantile)
    return signed(  # type: ignore[no-any-return]  # a frame, as it came
        pd.DataFrame(both.T, index=index, columns=["value_at_risk", "expected_shortfall"], copy=False), sign
    )


def rolling_value_at_risk(
    returns: Any,
    window: int,
    confidence_level: float = 0.95,
    *,
    quantile: str = "linear",
    sign: Sign = "loss",
    nan_policy: NanPolicy = "raise",
) -> pd.Series | pd.DataFrame:
    """Return the historical value at risk over a window.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    window, confidence_level, quantile, sign, nan_policy
        As in `rolling_tail_risk`.

    Returns
    -------
    Series or DataFrame
        With the index of `returns`.

    Examples
    --------
    >>> rolling_value_at_risk([-0.04, 0.0, 0.01, -0.02], 3, 0.75).round(6).tolist()
    [nan, nan, 0.02, 0.01]
    """
    n, p = whole("window", window, 1), level(confidence_level)
    return signed(_curves(returns, lambda x: _tails(x, n, p, quantile)[0], nan_policy), sign)  # type: ignore[no-any-return]


def rolling_expected_shortfall(
    returns: Any,
    window: int,
    confidence_level: float = 0.95,
    *,
    sign: Sign = "loss",
    nan_policy: NanPolicy = "raise",
) -> pd.Series | pd.DataFrame:
    """Return the historical expected shortfall (Rockafellar and Uryasev) over a window.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    window, confidence_level, sign, nan_policy
        As in `rolling_tail_risk`.

    Returns
    -------
    Series or DataFrame
        With the index of `returns`.

    Examples
    --------
    >>> rolling_expected_shortfall([-0.04, 0.0, 0.01, -0.02], 2, 0.5).tolist()
    [nan, 0.04, 0.0, 0.02]
    """
    n, p = whole("window", window, 1), level(confidence_level)
    return signed(_curves(returns, lambda x: _tails(x, n, p, "linear")[1], nan_policy), sign)  # type: ignore[no-any-return]


def rolling_max_drawdown(
    returns: Any, window: int, *, sign: Sign = "loss", nan_policy: NanPolicy = "raise"
) -> pd.Series | pd.DataFrame:
    """Return the largest drawdown within a window; wealth before its first period counts as a peak.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    window, sign, nan_policy
        As in `rolling_tail_risk`.

    Returns
    -------
    Series or DataFrame
        In [0, 1], with the index of `returns`.

    Examples
    --------
    >>> rolling_max_drawdown([0.25, -0.5, 0.25, 0.5], 2).tolist()
    [nan, 0.5, 0.5, 0.0]
    """
    n = whole("window", window, 1)

    def curve(x: Float1D) -> Float1D:
        from algotrendy.kernels.risk_drawdown import rolling_deepest

        out = np.empty(x.size)
        rolling_deepest(kernel_view(x), min(n, x.size + 1), np.empty((2, min(n, x.size + 1) + 1)), out)
        lost = 1.0 - out
        return np.where(lost <= ROUNDING, 0.0, lost)

    return signed(_curves(returns, curve, nan_policy, window=n), sign)  # type: ignore[no-any-return]


def rolling_volatility(
    returns: Any, window: int, *, periods_per_year: float = 1.0, ddof: int = 1, nan_policy: NanPolicy = "raise"
) -> pd.Series | pd.DataFrame:
    """Return the standard deviation over a window times the root of `periods_per_year`.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    window : int
        Periods, more than `ddof`.
    periods_per_year : float
        252 for days of an exchange.
    ddof : int
        Degrees of freedom taken off the window.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or be NaN where the window holds one.

    Returns
    -------
    Series or DataFrame
        With the index of `returns`.

    Examples
    --------
    >>> rolling_volatility([0.01, 0.03, 0.03], 2).round(6).tolist()
    [nan, 0.014142, 0.0]
    """
    off = whole("ddof", ddof)
    n, yearly = whole("window", window, off + 1), math.sqrt(positive("periods_per_year", periods_per_year))
    return _curves(returns, lambda x: np.sqrt(_moments(x, x, n)[2] / (n - off)) * yearly, nan_policy, window=n)


def rolling_sharpe_ratio(
    returns: Any,
    window: int,
    *,
    risk_free_rate: float = 0.0,
    periods_per_year: float = 1.0,
    nan_policy: NanPolicy = "raise",
) -> pd.Series | pd.DataFrame:
    """Return the Sharpe ratio over a window, as `sharpe_ratio`.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    window : int
        Periods, at least 2.
    risk_free_rate, periods_per_year
        As in `sharpe_ratio`.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or be NaN where the window holds one.

    Returns
    -------
    Series or DataFrame
        NaN where the returns of a window do not move.

    Examples
    --------
    >>> rolling_sharpe_ratio([0.01, 0.03, 0.03], 2).round(6).tolist()
    [nan, 1.414214, nan]
    """
    n, per_year = whole("window", window, 2), positive("periods_per_year", periods_per_year)
    free = hurdle(risk_free_rate, per_year)

    def curve(x: Float1D) -> Float1D:
        found = _moments(x, x, n)
        return _divided(found[0] - free, np.sqrt(found[2] / (n - 1.0))) * math.sqrt(per_year)

    return _curves(returns, curve, nan_policy, window=n)


def rolling_sortino_ratio(
    returns: Any,
    window: int,
    *,
    risk_free_rate: float = 0.0,
    periods_per_year: float = 1.0,
    nan_policy: NanPolicy = "raise",
) -> pd.Series | pd.DataFrame:
    """Return the Sortino ratio over a window, as `sortino_ratio` with the risk-free return as its target.

    Parameters
    ----------
    returns, window, risk_free_rate, periods_per_year, nan_policy
        As in `rolling_sharpe_ratio`; a window may be of 1 period.

    Returns
    -------
    Series or DataFrame
        NaN where no return of a window is below the target.

    Examples
    --------
    >>> rolling_sortino_ratio([0.02, -0.02, 0.04, 0.0], 4).tolist()
    [nan, nan, nan, 1.0]
    """
    n, per_year = whole("window", window, 1), positive("periods_per_year", periods_per_year)
    free = hurdle(risk_free_rate, per_year)

    def curve(x: Float1D) -> Float1D:
        below = np.minimum(x - free, 0.0)
        found = _moments(x, below, n)
        return _divided(found[0] - free, np.sqrt(found[4] / n + found[1] ** 2)) * math.sqrt(per_year)

    return _curves(returns, curve, nan_policy, window=n)


def rolling_beta(
    returns: Any, market_returns: Any, window: int, *, align: Align = "exact", nan_policy: NanPolicy = "raise"
) -> pd.Series | pd.DataFrame:
    """Return the beta by least squares over a window.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    market_returns : array-like of shape (n_periods,)
        Of the market, for the same periods.
    window : int
        Periods, at least 2.
    align : {"exact", "inner"}
        Two Series have the same dates, or only those they share count.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave out the periods in which either is NaN, or be NaN where the window holds one.

    Returns
    -------
    Series or DataFrame
        NaN where the market does not move.

    Examples
    --------
    >>> rolling_beta([0.02, -0.04, 0.06], [0.01, -0.02, 0.03], 2).round(6).tolist()
    [nan, 2.0, 2.0]
    """

    def measure(m: Float2D) -> Float1D:
        return _divided(m[3], m[4], STILL * STILL * window)

    return _of_two(returns, market_returns, window, measure, nan_policy=nan_policy, align=align)


def rolling_correlation(
    returns: Any, benchmark: Any, window: int, *, align: Align = "exact", nan_policy: NanPolicy = "raise"
) -> pd.Series | pd.DataFrame:
    """Return the correlation with a benchmark over a window.

    Parameters
    ----------
    returns, benchmark, window, align, nan_policy
        As in `rolling_beta`.

    Returns
    -------
    Series or DataFrame
        In [-1, 1]; NaN where either does not move.

    Examples
    --------
    >>> rolling_correlation([0.02, -0.04, 0.06], [0.01, -0.02, 0.03], 2).round(6).tolist()
    [nan, 1.0, 1.0]
    """

    def measure(m: Float2D) -> Float1D:
        return np.clip(_divided(m[3], np.sqrt(m[2]) * np.sqrt(m[4]), STILL * STILL * window), -1.0, 1.0)

    return _of_two(returns, benchmark, window, measure, nan_policy=nan_policy, align=align)


def _series(returns: Any, nan_policy: NanPolicy) -> tuple[Float1D, pd.Index]:
    """Return the values and their index."""
    values = as_returns(returns, nan_policy, min_periods=1)
    index = returns.index if isinstance(returns, pd.Series) else pd.RangeIndex(np.size(returns))
    if values.size != len(index):
        index = index[~np.isnan(np.asarray(returns, dtype=np.float64))]
    return values, index


def _curves(returns: Any, curve: Curve, nan_policy: NanPolicy, *, window: int = 0) -> pd.Series | pd.DataFrame:
    """Return the curve of one series, or of each column; windows that hold a NaN are NaN."""
    if is_table(returns):
        found = [_curves(column, curve, nan_policy, window=window) for _, column in columns_of(returns)]
        frame: pd.DataFrame = pd.concat(found, axis=1)
        return frame.set_axis(returns.columns if isinstance(returns, pd.DataFrame) else range(len(found)), axis=1)
    values, index = _series(returns, nan_policy)
    missing = np.isnan(values)
    if missing.any() and window:
        out = np.where(_touched(missing, window), np.nan, curve(np.where(missing, 0.0, values)))
    else:
        out = curve(values)
    return pd.Series(out, index=index, name=getattr(returns, "name", None))


def _touched(missing: Any, window: int) -> Any:
    """Return whether the window that ends here holds a missing value."""
    seen = np.cumsum(missing)
    before = np.concatenate((np.zeros(min(window, seen.size), dtype=seen.dtype), seen[:-window]))
    return seen > before


def _tails(values: Float1D, window: int, probability: float, quantile: str) -> Float2D:
    """Return the two rows of losses."""
    from algotrendy.kernels.risk_rolling import TailPlace, rolling_tail

    at, mass = tail_place(window, probability, quantile), window * probability
    place = min(int(at), window - 1)
    needed = max(place + (2 if at > place else 1), math.ceil(mass), 1)
    out = np.empty((2, values.size))
    if values.size < window:
        out[:] = np.nan
        return out
    missing = np.isnan(values)
    has_gaps = bool(missing.any())
    clean = kernel_view(np.where(missing, 0.0, values) if has_gaps else values)
    rolling_tail(clean, window, TailPlace(place, at - place, mass, min(needed, window)), np.empty(window + 1), out)
    if has_gaps:
        out[:, _touched(missing, window)] = np.nan
    return out


def _moments(x: Float1D, y: Float1D, window: int) -> Float2D:
    """Return the rows of `rolling_moments`."""
    from algotrendy.kernels.risk_rolling import rolling_moments

    out = np.full((5, x.size), np.nan)
    if x.size >= window:
        rolling_moments(kernel_view(x), kernel_view(y), window, np.zeros((5, window + 1)), out)
    return out


def _of_two(
    returns: Any, other: Any, window: int, measure: Callable[[Float2D], Float1D], *, nan_policy: NanPolicy, align: Align
) -> pd.Series | pd.DataFrame:
    """Return a measure of the moments of two series, or of each column and a series."""
    n = whole("window", window, 2)
    if is_table(returns):
        found = [
            _of_two(column, other, n, measure, nan_policy=nan_policy, align=align) for _, column in columns_of(returns)
        ]
        frame: pd.DataFrame = pd.concat(found, axis=1)
        return frame.set_axis(returns.columns if isinstance(returns, pd.DataFrame) else range(len(found)), axis=1)
    x, m = together(returns, other, nan_policy, align=align)
    missing = np.isnan(x) | np.isnan(m)
    out = measure(_moments(np.where(missing, 0.0, x), np.where(missing, 0.0, m), n))
    if missing.any():
        out = np.where(_touched(missing, n), np.nan, out)
    index: Any = pd.RangeIndex(x.size)
    if isinstance(returns, pd.Series):
        index = returns.index
        if isinstance(other, pd.Series) and not index.equals(other.index):
            index = index.intersection(other.index) if align == "inner" else index
            returns, other = returns.loc[index], other.loc[index]
        if nan_policy == "omit":
            index = index[~(np.isnan(np.asarray(returns, float)) | np.isnan(np.asarray(other, float)))]
    return pd.Series(out, index=index, name=getattr(returns, "name", None))


def _divided(above: Float1D, below: Float1D, noise: float = STILL) -> Float1D:
    """Return quotients, NaN where the divisor is no more than noise."""
    found: Float1D = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > noise)
    return found
