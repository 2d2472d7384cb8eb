"""The money-weighted return: the rate at which all flows are worth nothing, every rate there is, and none.

With ``s = log(1 + rate)`` the value of the flows is ``f(s) = sum(a_i exp(-s t_i))``. Multiplied by ``exp(s c)`` and
differentiated, each a_i gets the factor (c - t_i), which has the opposite sign on the two sides of c: put between two
neighbours of different sign, it takes one change of sign away, and between two roots of f lies one of the result. So
all roots are found by as many steps as the flows change sign, and one change of sign means one root.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.risk.inputs import check_dates, check_zone

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["internal_rates", "irr", "money_weighted_return", "xirr"]

Several = Literal["raise", "nearest_zero"]

_DAYS_PER_YEAR = 365.0
_LOG_RATE_MAX = 700.0
"""A rate above e^700 is near the end of what float64 holds."""


def xirr(amounts: Sequence[float], dates: Any, *, several: Several = "raise") -> float:
    """Return the annual rate at which dated flows are worth nothing.

    Parameters
    ----------
    amounts : sequence of float of shape (n,), n >= 2
        What was paid (below 0) and received (above 0), as Excel counts it; the sign of all may be turned.
    dates : sequence of date-like of shape (n,)
        In any order. Years are days / 365, as in Excel.
    several : {"raise", "nearest_zero"}
        What to do where several rates solve it: refuse and name them, or take the one nearest 0.

    Returns
    -------
    float
        A rate per year as a fraction, above -1.

    Raises
    ------
    InputError
        If there is no rate (all flows have one sign, or none solves it), or several.

    References
    ----------
    Microsoft, XIRR function, https://support.microsoft.com.

    Examples
    --------
    The example of Excel's documentation, 37.34 %:

    >>> flows = [-10_000, 2_750, 4_250, 3_250, 2_750]
    >>> round(xirr(flows, ["2008-01-01", "2008-03-01", "2008-10-30", "2009-02-15", "2009-04-01"]), 7)
    0.3733625
    """
    return _one(internal_rates(amounts, dates), several)


def irr(amounts: Sequence[float], *, several: Several = "raise") -> float:
    """Return the rate per period at which flows of equal distance are worth nothing.

    Parameters
    ----------
    amounts : sequence of float of shape (n,), n >= 2
        Flows at the ends of successive periods, the first at once.
    several : {"raise", "nearest_zero"}
        As in `xirr`.

    Returns
    -------
    float
        A rate per period as a fraction, above -1.

    Raises
    ------
    InputError
        As `xirr`.

    Examples
    --------
    >>> round(irr([-100, 39, 59, 55, 20]), 5)
    0.28095
    """
    return _one(_rates(_checked(amounts), np.arange(len(amounts), dtype=np.float64)), several)


def internal_rates(amounts: Sequence[float], dates: Any) -> tuple[float, ...]:
    """Return every annual rate at which dated flows are worth nothing, lowest first; () if there is none.

    Parameters
    ----------
    amounts : sequence of float of shape (n,), n >= 2
        As in `xirr`.
    dates : sequence of date-like of shape (n,)
        As in `xirr`.

    Returns
    -------
    tuple of float
        Rates above -1. A rate at which the value only touches zero counts once.

    Raises
    ------
    InputError
        If amounts and dates differ in number, or one is not finite, or all flows are 0.

    Examples
    --------
    >>> rates = internal_rates([-100, 230, -132], ["2021-01-01", "2022-01-01", "2023-01-01"])
    >>> [round(rate, 6) for rate in rates]
    [0.1, 0.2]
    """
    import pandas as pd

    flows = _checked(amounts)
    try:
        days = pd.DatetimeIndex(pd.to_datetime([pd.Timestamp(date) for date in dates], utc=True))
    except (TypeError, ValueError) as error:
        raise InputError(f"these are no dates ({error})") from error
    if len(days) != len(flows):
        raise InputError(f"there are {len(flows)} amounts and {len(days)} dates")
    if days.hasnans:
        raise InputError("a date is missing")
    years = ((days - days.min()) / pd.Timedelta(days=1)).to_numpy(dtype=np.float64) / _DAYS_PER_YEAR
    return _rates(flows, years)


def money_weighted_return(
    values: pd.Series[float], flows: pd.Series[float] | None = None, *, several: Several = "raise"
) -> float:
    """Return the annual money-weighted return of a portfolio: `xirr` of its start, its flows and its end.

    Parameters
    ----------
    values : Series of shape (n,), n >= 2
        Values by time; only the first and the last count. The last is after its flow.
    flows : Series, optional
        What the owner brought (above 0) or took (below 0), by time, after the first value and up to the last.
    several : {"raise", "nearest_zero"}
        As in `xirr`.

    Returns
    -------
    float
        Per year, as a fraction. For a span shorter than a year it is an extrapolation.

    Raises
    ------
    InputError
        As `xirr`, or if a flow lies outside the span.

    Examples
    --------
    >>> import pandas as pd
    >>> values = pd.Series([100.0, 220.0], index=pd.to_datetime(["2022-01-01", "2024-01-01"]))
    >>> round(money_weighted_return(values, pd.Series([100.0], index=pd.to_datetime(["2023-01-01"]))), 6)
    0.065248
    """
    if len(values) < 2:
        raise InputError(f"there are {len(values)} values, a return needs a start and an end")
    check_dates(values)
    if flows is not None:
        check_zone(flows.index)
    first, last = values.index[0], values.index[-1]
    if not first < last:
        raise InputError(f"the values go from {first} to {last}; they must ascend")
    dates, amounts = [first], [-float(values.iloc[0])]
    if flows is not None:
        outside = [when for when in flows.index if not first < when <= last]
        if outside:
            raise InputError(f"the flow at {outside[0]} lies outside the span, which is after {first} up to {last}")
        dates += list(flows.index)
        amounts += [-float(amount) for amount in flows]
    return xirr([*amounts, float(values.iloc[-1])], [*dates, last], several=several)


def _checked(amounts: Sequence[float]) -> Float1D:
    try:
        flows = np.asarray(amounts, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"amounts are not numbers ({error})") from error
    if flows.ndim != 1 or len(flows) < 2:
        raise InputError(f"amounts have the shape {flows.shape}, expected a sequence of at least 2")
    if not np.isfinite(flows).all():
        raise InputError(f"{int((~np.isfinite(flows)).sum())} of {len(flows)} amounts are not finite")
    if not flows.any():
        raise InputError("all amounts are 0: every rate solves that")
    return flows


def _one(rates: tuple[float, ...], several: Several) -> float:
    if several not in ("raise", "nearest_zero"):
        raise InputError(f'several is {several!r}; expected "raise" or "nearest_zero"')
    if not rates:
        raise InputError("no rate makes these flows worth nothing; they need amounts of both signs that can balance")
    if len(rates) > 1 and several == "raise":
        listed = ", ".join(f"{rate:.6g}" for rate in rates)
        raise InputError(f'{len(rates)} rates solve this: {listed}; choose by several="nearest_zero", or use TWR')
    return min(rates, key=abs)


def _rates(flows: Float1D, years: Float1D) -> tuple[float, ...]:
    times, places = np.unique(years, return_inverse=True)
    sums = np.bincount(places, weights=flows, minlength=len(times))
    kept = np.abs(sums) > 1e-13 * np.abs(flows).max()  # flows of one day that cancel are no flow
    times, sums = times[kept] - (times[kept][0] if kept.any() else 0.0), sums[kept]
    if len(times) < 2:
        return ()
    found = _roots(sums / np.abs(sums).max(), times)
    if found and found[-1] > _LOG_RATE_MAX:
        raise InputError(
            f"the rate is above e^{_LOG_RATE_MAX:g} a year: {times[-1] * _DAYS_PER_YEAR:g} days are too few for one; "
            "use a return that is not annualised"
        )
    return tuple(math.expm1(root) for root in found)


def _roots(amounts: Float1D, times: Float1D) -> list[float]:
    """Return where the value of flows is 0, ascending in s; flows at ascending times, none of them 0."""
    from scipy.optimize import brentq

    changes = np.flatnonzero(np.sign(amounts[1:]) != np.sign(amounts[:-1]))
    if not len(changes):
        return []
    sizes = np.abs(amounts)
    # Beyond these the first or the last flow is larger than all others together.
    highest = max(math.log(sizes[1:].sum() / sizes[0]), 0.0) / (times[1] - times[0]) + 1e-6
    lowest = -max(math.log(sizes[:-1].sum() / sizes[-1]), 0.0) / (times[-1] - times[-2]) - 1e-6

    def value(s: float) -> float:
        exponents = -s * times
        # Scaled by the largest term, so that signs are right where the terms over- or underflow.
        return float((amounts * np.exp(exponents - exponents.max())).sum())

    turns: list[float] = []
    if len(changes) > 1:
        middle = changes[len(changes) // 2]
        turn = 0.5 * (times[middle] + times[middle + 1])
        steeper = amounts * (turn - times)
        turns = [one for one in _roots(steeper / np.abs(steeper).max(), times) if lowest < one < highest]
    edges = [lowest, *turns, highest]
    found = [turn for turn in turns if abs(value(turn)) < 1e-14]
    for low, high in itertools.pairwise(edges):
        first, last = value(low), value(high)
        if first * last < 0 and not {low, high} & set(found):
            found.append(float(brentq(value, low, high, xtol=1e-15, rtol=1e-14, maxiter=500)))
    return sorted(found)
