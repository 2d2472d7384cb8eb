"""Drawdown: how far wealth lies below its highest point so far, the one before the first period included.

Losses are positive fractions: a drawdown of 0.25 means that a quarter of the peak is gone. Functions take returns;
those that end in `_of_equity` take values of an account or prices. A drawdown of up to 1e-12 is rounding and counts as
none.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import choice, level, whole
from algotrendy.risk.columns import Sign, by_column, columns_of, curve_by_column, is_table, signed
from algotrendy.risk.distributions import empirical_tail
from algotrendy.risk.inputs import check_dates, kernel_view

__all__ = [
    "average_drawdown",
    "conditional_drawdown_at_risk",
    "drawdown_at_risk",
    "drawdown_curve",
    "drawdown_of_equity",
    "drawdown_series",
    "drawdown_table",
    "max_drawdown",
    "max_drawdown_of_equity",
    "pain_index",
    "ulcer_index",
]

ROUNDING = 1e-12
_LANES_MIN = 1_000
"""Shorter series are followed period by period: cutting them up would not pay."""


def drawdown_curve(values: Float1D, compound: bool = True) -> Float1D:
    """Return the drawdown after each of some returns (an array without NaN), rounding taken for none.

    Without `compound` returns are summed, and a drawdown is a part of the capital at the start, not of the peak.

    Examples
    --------
    >>> drawdown_curve(np.array([0.25, -0.5, 0.25]))
    array([0.   , 0.5  , 0.375])
    """
    if not compound:
        wealth = np.cumsum(values)
        fallen = np.maximum(np.maximum.accumulate(wealth), 0.0) - wealth
        return np.where(fallen > ROUNDING, fallen, 0.0)
    from algotrendy.kernels.risk_drawdown import depths

    out = np.empty(values.size)
    depths(kernel_view(values), out)
    lost = 1.0 - out
    return np.where(lost > ROUNDING, lost, 0.0)


def drawdown_series(
    returns: Any, *, compound: bool = True, sign: Sign = "loss", nan_policy: NanPolicy = "raise"
) -> pd.Series | pd.DataFrame:
    """Return the drawdown at the end of each period.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    compound : bool
        Whether returns compound; else they are summed, and what is lost is told as a part of the capital at the start,
        which can pass 1.
    sign : {"loss", "return"}
        A quarter below the peak is 0.25, or -0.25.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or be NaN from the first one on.

    Returns
    -------
    Series or DataFrame
        In [0, 1], with the index of `returns`; 0.0 at a peak.

    Examples
    --------
    >>> drawdown_series([0.25, -0.5, 0.25]).tolist()
    [0.0, 0.5, 0.375]
    """
    return signed(curve_by_column(returns, lambda x: drawdown_curve(x, compound), nan_policy), sign)  # type: ignore[no-any-return]


def max_drawdown(
    returns: Any, *, compound: bool = True, sign: Sign = "loss", nan_policy: NanPolicy = "raise"
) -> float | pd.Series:
    """Return the largest peak-to-trough loss of compounded wealth.

    Wealth starts at 1 before the first period, so a loss in that period counts [1]_.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    compound : bool
        Whether returns compound; else they are summed, and what is lost is told as a part of the capital at the start,
        which can pass 1.
    sign : {"loss", "return"}
        A loss of a quarter is 0.25, or -0.25.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        In [0, 1]; 0.0 if wealth never falls. Of a frame, one for each column.

    Raises
    ------
    InputError
        If there are no returns, or they are not finite fractions of at least -1.

    References
    ----------
    .. [1] Magdon-Ismail, M. and Atiya, A. (2004). Maximum drawdown. Risk, 17(10), 99-102.

    Examples
    --------
    >>> max_drawdown([0.25, -0.5, 0.25])
    0.5
    """
    fast = _max_drawdown_fast(returns) if compound else None
    found = by_column(returns, lambda x: drawdown_curve(x, compound).max(), nan_policy) if fast is None else fast
    return signed(found, sign)  # type: ignore[no-any-return]


def _max_drawdown_fast(returns: Any) -> float | None:
    """Return the drawdown of one long sound series, which the kernel checks on its way; None: look closer."""
    values = returns.to_numpy() if isinstance(returns, pd.Series) else returns
    if not isinstance(values, np.ndarray) or values.ndim != 1 or values.size < _LANES_MIN:
        return None
    if values.dtype != np.float64 or not values.flags.c_contiguous:
        return None
    from algotrendy.kernels.risk_drawdown import ROOM, deepest

    check_dates(returns)
    depth, is_sound = deepest(kernel_view(values), np.empty(ROOM), np.empty((2, ROOM[0]), dtype=np.int64))
    if not is_sound:
        return None
    return 1.0 - depth if 1.0 - depth > ROUNDING else 0.0


def max_drawdown_of_equity(equity: Any, *, sign: Sign = "loss", nan_policy: NanPolicy = "raise") -> float | pd.Series:
    """Return the largest peak-to-trough loss of values of an account, or of prices.

    Parameters
    ----------
    equity : array-like of shape (n_periods,) or (n_periods, n_series)
        Values above zero, oldest first; zero once everything is lost.
    sign, nan_policy
        As in `max_drawdown`.

    Returns
    -------
    float or Series
        In [0, 1].

    Raises
    ------
    InputError
        If there are no values, one is negative or infinite, or the first is zero.

    Examples
    --------
    >>> max_drawdown_of_equity([100.0, 125.0, 100.0, 130.0])
    0.2
    """
    if is_table(equity):
        if isinstance(equity, pd.DataFrame):
            found = {
                j: _equity_drawdown(equity.iloc[:, j], nan_policy).max(skipna=False) for j in range(equity.shape[1])
            }
            return signed(pd.Series(found, dtype=np.float64).set_axis(equity.columns), sign)  # type: ignore[no-any-return]
        return max_drawdown_of_equity(pd.DataFrame(np.asarray(equity)), sign=sign, nan_policy=nan_policy)
    return signed(float(_equity_drawdown(equity, nan_policy).max(skipna=False)), sign)  # type: ignore[no-any-return]


def drawdown_of_equity(
    equity: Any, *, sign: Sign = "loss", nan_policy: NanPolicy = "raise"
) -> pd.Series | pd.DataFrame:
    """Return how far each value of an account, or price, lies below the highest so far.

    Parameters
    ----------
    equity : array-like of shape (n_periods,) or (n_periods, n_series)
        Values above zero, oldest first; zero once everything is lost.
    sign, nan_policy
        As in `drawdown_series`.

    Returns
    -------
    Series or DataFrame
        In [0, 1].

    Examples
    --------
    >>> drawdown_of_equity([100.0, 125.0, 100.0]).tolist()
    [0.0, 0.0, 0.2]
    """
    if is_table(equity):
        check_dates(equity)
        found = [_equity_drawdown(column, nan_policy) for _, column in columns_of(equity)]
        frame: pd.DataFrame = pd.concat(found, axis=1)
        names = equity.columns if isinstance(equity, pd.DataFrame) else range(len(found))
        return signed(frame.set_axis(names, axis=1), sign)  # type: ignore[no-any-return]
    return signed(_equity_drawdown(equity, nan_policy), sign)  # type: ignore[no-any-return]


def _equity_drawdown(equity: Any, nan_policy: NanPolicy) -> pd.Series:
    from algotrendy.kernels.risk_drawdown import drawdowns_of_values

    check_dates(equity)
    series = equity if isinstance(equity, pd.Series) else pd.Series(np.asarray(equity))
    try:
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"the equity is not made of numbers ({error})") from error
    choice("nan_policy", nan_policy, ("raise", "omit", "propagate"))
    missing = np.isnan(values)
    if missing.any() and nan_policy == "raise":
        raise InputError(
            f"{int(missing.sum())} of {values.size} values are NaN, first at {series.index[int(missing.argmax())]}; "
            'fill or drop them, or pass nan_policy="omit"'
        )
    if nan_policy == "omit":
        series, values, missing = series[~missing], values[~missing], missing[~missing]
    if not values.size:
        raise InputError("there are 0 values of equity, this needs at least 1")
    end = int(missing.argmax()) if missing.any() else values.size
    known = values[~missing]
    if known.size and (not np.isfinite(known).all() or (known < 0.0).any()):
        raise InputError("values of equity are finite and not negative; give prices or account values, not returns")
    out = np.full(values.size, np.nan)
    if end:
        if not values[0] > 0.0:
            raise InputError("the first value of the equity is 0; nothing can be lost from there")
        drawdowns_of_values(kernel_view(values[:end]), out[:end])
        out[:end][out[:end] <= ROUNDING] = 0.0
    return pd.Series(out, index=series.index, name=series.name)


def drawdown_table(returns: Any, n: int | None = None, *, nan_policy: NanPolicy = "raise") -> pd.DataFrame:
    """Return every drawdown with its peak, valley and recovery, the deepest first.

    Parameters
    ----------
    returns : array-like of shape (n_periods,)
        Simple returns per period, as fractions, oldest first.
    n : int, optional
        The deepest so many; by default all.
    nan_policy : {"raise", "omit"}
        Refuse NaN and say where, or leave those periods out.

    Returns
    -------
    DataFrame
        `drawdown` (positive fraction); `peak`, the last period at the high, missing if that was before the first
        period; `valley`, the first at the low; `recovery`, the first back at the peak, missing (NaT, <NA>) while the
        drawdown is open; `n_periods` from the peak to the recovery or the end, `n_to_valley`, `n_to_recovery` (missing
        while open); with dates also `days` from peak to recovery, missing while open or where the peak has no date.

    Examples
    --------
    >>> table = drawdown_table([0.25, -0.5, 0.25, 1.0, -0.1])
    >>> table["drawdown"].round(6).tolist(), table["valley"].tolist(), table["recovery"].tolist()
    ([0.5, 0.1], [1, 4], [3, <NA>])
    """
    if is_table(returns):
        raise InputError("a table of drawdowns is of one series; choose one column")
    if nan_policy == "propagate":
        raise InputError('a table of drawdowns has no place for NaN; use nan_policy="raise" or "omit"')
    curve = curve_by_column(returns, drawdown_curve, nan_policy)
    lost, index = curve.to_numpy(), curve.index
    if not lost.size:
        raise InputError("there are 0 periods of returns, this needs at least 1")
    first, after = _episodes(lost)
    valley = np.array([a + int(lost[a:b].argmax()) for a, b in zip(first, after, strict=True)], dtype=np.int64)
    is_open = after == lost.size
    order = np.argsort(-lost[valley], kind="stable")[: None if n is None else whole("n", n, 1)]
    first, after, valley, is_open = first[order], after[order], valley[order], is_open[order]
    start = first == 0
    table = pd.DataFrame(
        {
            "drawdown": lost[valley],
            "peak": _labels(index, np.where(start, 0, first - 1), start),
            "valley": _labels(index, valley, np.zeros(valley.size, dtype=bool)),
            "recovery": _labels(index, np.where(is_open, 0, after), is_open),
            "n_periods": np.where(is_open, lost.size - 1, after) - first + 1,
            "n_to_valley": valley - first + 1,
            "n_to_recovery": pd.array(after - valley, dtype="Int64"),
        }
    )
    table.loc[is_open, "n_to_recovery"] = pd.NA
    if isinstance(index, pd.DatetimeIndex):
        table["days"] = (table["recovery"] - table["peak"]).dt.days.astype("Int64")
    return table


def _episodes(lost: Float1D) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return where each stretch below a peak begins, and where it has ended."""
    under = np.concatenate(([False], lost > 0.0, [False]))
    edges = np.flatnonzero(under[1:] != under[:-1])
    return edges[::2], edges[1::2]


def _labels(index: pd.Index, at: Any, missing: Any) -> Any:
    """Return labels of the index, missing ones marked as its kind marks them."""
    chosen = index[at]
    if isinstance(index, pd.DatetimeIndex):
        return pd.Series(chosen).mask(missing)
    if index.dtype.kind in "iu":
        return pd.arrays.IntegerArray(np.asarray(chosen, dtype=np.int64), np.asarray(missing, dtype=bool).copy())
    return pd.Series(np.asarray(chosen, dtype=object)).mask(missing, None)


def average_drawdown(
    returns: Any,
    *,
    of: Literal["episodes", "periods"] = "episodes",
    compound: bool = True,
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return the mean of the drawdowns.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    of : {"episodes", "periods"}
        The mean of the deepest point of each drawdown, an open one included; or of the drawdown at the end of all
        periods, peaks included as zero, which is the pain index.
    compound : bool
        Whether returns compound; else they are summed, and what is lost is told as a part of the capital at the start,
        which can pass 1.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        0.0 if wealth never falls.

    Examples
    --------
    >>> round(average_drawdown([0.25, -0.5, 0.25, 1.0, -0.1]), 12)
    0.3
    """
    if choice("of", of, ("episodes", "periods")) == "periods":
        return pain_index(returns, compound=compound, nan_policy=nan_policy)

    def measure(values: Float1D) -> float:
        lost = drawdown_curve(values, compound)
        deepest = [float(lost[a:b].max()) for a, b in zip(*_episodes(lost), strict=True)]
        return math.fsum(deepest) / len(deepest) if deepest else 0.0

    return by_column(returns, measure, nan_policy)


def pain_index(returns: Any, *, compound: bool = True, nan_policy: NanPolicy = "raise") -> float | pd.Series:
    """Return the mean drawdown over all periods, peaks included as zero [1]_.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    compound : bool
        Whether returns compound; else they are summed, and what is lost is told as a part of the capital at the start,
        which can pass 1.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        In [0, 1].

    References
    ----------
    .. [1] Bacon, C. (2008). Practical portfolio performance measurement and attribution, second edition, Wiley.

    Examples
    --------
    >>> pain_index([0.25, -0.5, 1.0])
    0.16666666666666666
    """
    return by_column(returns, lambda x: drawdown_curve(x, compound).mean(), nan_policy)


def ulcer_index(
    returns: Any, *, ddof: int = 0, compound: bool = True, nan_policy: NanPolicy = "raise"
) -> float | pd.Series:
    """Return the root of the mean square drawdown over all periods [1]_.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    ddof : int
        Taken off the number of periods that the sum of squares is divided by.
    compound : bool
        Whether returns compound; else they are summed, and what is lost is told as a part of the capital at the start,
        which can pass 1.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        In [0, 1].

    References
    ----------
    .. [1] Martin, P. and McCann, B. (1989). The investor's guide to Fidelity funds, Wiley.

    Examples
    --------
    >>> ulcer_index([-0.5, 0.0, 0.0, 0.0])
    0.5
    """
    off = whole("ddof", ddof)

    def measure(values: Float1D) -> float:
        lost = drawdown_curve(values, compound)
        return math.sqrt(float(lost @ lost) / (lost.size - off))

    return by_column(returns, measure, nan_policy, min_periods=off + 1)


def drawdown_at_risk(
    returns: Any,
    confidence_level: float = 0.95,
    *,
    quantile: str = "linear",
    compound: bool = True,
    nan_policy: NanPolicy = "raise",
) -> float | pd.Series:
    """Return the drawdown that is not exceeded in a share `confidence_level` of the periods.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    confidence_level : float
        In (0, 1).
    quantile : str
        Rule of `numpy.quantile`, applied to the drawdowns as negative numbers at 1 - `confidence_level`.
    compound : bool
        Whether returns compound; else they are summed, and what is lost is told as a part of the capital at the start,
        which can pass 1.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        In [0, 1].

    Examples
    --------
    >>> drawdown_at_risk([-0.5, 0.0, 1.0, 0.0, 0.0], 0.75)
    0.5
    """
    p = level(confidence_level)
    return by_column(
        returns, lambda x: empirical_tail(-drawdown_curve(x, compound), p, quantile=quantile)[0], nan_policy
    )


def conditional_drawdown_at_risk(
    returns: Any, confidence_level: float = 0.95, *, compound: bool = True, nan_policy: NanPolicy = "raise"
) -> float | pd.Series:
    """Return the mean of the worst drawdowns over the periods, CDaR [1]_.

    Parameters
    ----------
    returns : array-like of shape (n_periods,) or (n_periods, n_series)
        Simple returns per period, as fractions, oldest first.
    confidence_level : float
        In (0, 1): towards 0 it becomes the pain index, towards 1 the largest drawdown.
    compound : bool
        Whether returns compound; else they are summed, and what is lost is told as a part of the capital at the start,
        which can pass 1.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or return NaN.

    Returns
    -------
    float or Series
        In [0, 1].

    References
    ----------
    .. [1] Chekhlov, A., Uryasev, S. and Zabarankin, M. (2005). Drawdown measure in portfolio optimization.
       International Journal of Theoretical and Applied Finance, 8(1), 13-58. Here drawdowns are of compounded wealth.

    Examples
    --------
    >>> conditional_drawdown_at_risk([-0.5, 0.0, 1.0, -0.1], 0.5)
    0.5
    """
    p = level(confidence_level)
    return by_column(returns, lambda x: empirical_tail(-drawdown_curve(x, compound), p)[1], nan_policy)
