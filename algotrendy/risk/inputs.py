"""Returns as arrays: checked once, at the door, with the same words everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from algotrendy.domain.types import Float1D, Float2D, NanPolicy
from algotrendy.errors import InputError

__all__ = ["as_return_matrix", "as_returns", "check_dates", "check_zone", "kernel_view", "names_of"]

_NAN_POLICIES = ("raise", "omit", "propagate")


def as_returns(returns: Any, nan_policy: NanPolicy = "raise", *, min_periods: int = 2) -> Float1D:
    """Return one series of returns as a float64 array.

    Parameters
    ----------
    returns : array-like of shape (n_periods,)
        Simple returns per period, as fractions: 0.01 is +1 %. Oldest first.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave those periods out, or keep them.
    min_periods : int
        The least number of periods that the caller can use.

    Raises
    ------
    InputError
        If it is not one series of numbers, is too short, holds an infinity, a return below -1, or a NaN that is not
        allowed; if all are 1 or more, as prices are; if its dates repeat, are not in order or are of several time
        zones.

    Examples
    --------
    >>> as_returns([0.01, float("nan"), 0.02], "omit")
    array([0.01, 0.02])
    """
    check_dates(returns)
    values = _floats(returns, "returns")
    if values.ndim != 1:
        raise InputError(
            f"returns have the shape {values.shape}, expected one series of shape (n_periods,); choose one column"
        )
    values = _without_nan(values, returns, nan_policy)
    _check_values(values, min_periods)
    return values


def as_return_matrix(
    returns: Any, nan_policy: NanPolicy = "raise", *, min_periods: int = 2, min_strategies: int = 1
) -> Float2D:
    """Return the returns of several strategies as a float64 array of shape (n_periods, n_strategies).

    Parameters
    ----------
    returns : array-like of shape (n_periods, n_strategies)
        Simple returns per period, as fractions, one column per strategy.
    nan_policy : {"raise", "omit", "propagate"}
        Refuse NaN and say where, leave out the periods in which any strategy has one, or keep them.
    min_periods, min_strategies : int
        The least that the caller can use.

    Raises
    ------
    InputError
        As `as_returns`.

    Examples
    --------
    >>> as_return_matrix([[0.01, 0.0], [0.02, -0.01]]).shape
    (2, 2)
    """
    check_dates(returns)
    values = _floats(returns, "returns")
    if values.ndim != 2:
        raise InputError(
            f"returns have the shape {values.shape}, expected (n_periods, n_strategies): one column per strategy"
        )
    if values.shape[1] < min_strategies:
        raise InputError(f"there are {values.shape[1]} strategies, expected at least {min_strategies}: one per column")
    values = _without_nan(values, returns, nan_policy)
    _check_values(values, min_periods)
    return values


def check_dates(given: Any) -> None:
    """Refuse an index of dates that repeat, are not in order or are of several time zones; other labels are not read.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.DatetimeIndex(["2024-01-02", "2024-01-03"])
    >>> check_dates(pd.Series([0.01, 0.02], days))
    """
    index = getattr(given, "index", None)
    if index is None or callable(index) or not len(index):
        return
    check_zone(index)
    kind = getattr(getattr(index, "dtype", None), "kind", "i")
    if kind not in "MO":
        return
    # Asked first, order answers whether dates repeat as well; asked alone, that takes a table of all of them.
    is_in_order = kind == "O" or index.is_monotonic_increasing
    if not index.is_unique:
        first = index[index.duplicated()][0]
        raise InputError(f"the date {first} stands there more than once; keep one row of each date")
    if not is_in_order:
        raise InputError("the dates are not in order, oldest first; use sort_index()")


def check_zone(index: Any) -> None:
    """Refuse labels that are dates of several time zones.

    Examples
    --------
    >>> import pandas as pd
    >>> check_zone(pd.DatetimeIndex(["2024-01-02", "2024-01-03"], tz="UTC"))
    """
    if getattr(getattr(index, "dtype", None), "kind", "i") != "O" or not len(index) or not hasattr(index[0], "tzinfo"):
        return
    zones = {str(getattr(date, "tzinfo", None)) for date in index}
    if len(zones) > 1:
        raise InputError(
            f"the dates are of several time zones ({', '.join(sorted(zones)[:3])}); "
            "make them one with pd.to_datetime(index, utc=True)"
        )


def kernel_view(values: Float1D) -> Float1D:
    """Return the values as an array of the one kind that kernels are compiled for: in one piece, and not read-only.

    pandas hands out arrays that are read-only, which to Numba is another type; kernels of this room never write to what
    they are given to read, so the same memory is shown to them without a copy.

    Examples
    --------
    >>> given = np.array([0.01])[:]
    >>> given.flags.writeable = False
    >>> kernel_view(given).flags.writeable, np.shares_memory(kernel_view(given), given)
    (True, True)
    """
    whole = np.ascontiguousarray(values)
    if whole.flags.writeable:
        return whole
    view = whole.view()
    try:
        view.flags.writeable = True
    except ValueError:  # the memory itself is read-only, such as a mapped file
        view = whole.copy()
    return view


def names_of(returns: Any, n_strategies: int) -> tuple[Any, ...]:
    """Return the names of the columns of a frame, or their places.

    Examples
    --------
    >>> names_of([[0.1, 0.2]], 2)
    (0, 1)
    """
    columns = getattr(returns, "columns", None)
    return tuple(range(n_strategies)) if columns is None else tuple(columns)


def _floats(values: Any, what: str) -> Float2D:
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} are not numbers ({error}); give simple returns as fractions") from error
    return found


def _without_nan(values: Float2D, given: Any, nan_policy: NanPolicy) -> Float2D:
    if nan_policy not in _NAN_POLICIES:
        raise InputError(f'nan_policy is {nan_policy!r}; choose "raise", "omit" or "propagate"')
    missing = np.isnan(values)
    if nan_policy == "propagate" or not missing.any():
        return values
    rows = missing if values.ndim == 1 else missing.any(axis=1)
    if nan_policy == "omit":
        return values[~rows]
    first = int(np.flatnonzero(rows)[0])
    index = getattr(given, "index", None)
    where = f"row {first}" if index is None or callable(index) else f"{index[first]} (row {first})"
    raise InputError(
        f"{int(missing.sum())} of {values.size} returns are NaN, first at {where}; "
        'fill or drop them, or pass nan_policy="omit"'
    )


def _check_values(values: Float2D, min_periods: int) -> None:
    if len(values) < min_periods:
        raise InputError(f"there are {len(values)} periods of returns, this needs at least {min_periods}")
    if np.isinf(values).any():
        raise InputError(f"{int(np.isinf(values).sum())} returns are infinite; returns are finite fractions")
    if (values < -1.0).any():
        raise InputError(
            f"the lowest return is {np.nanmin(values):g}, below -1: more than everything was lost; "
            "returns are fractions (-1 % is -0.01), not percentages or prices"
        )
    if len(values) > 1 and (values >= 1.0).all(axis=0).any():
        lowest = values.min(axis=0).max()
        raise InputError(
            f"the lowest return is {lowest:g}: every period at least doubled the money. These look like prices; "
            "returns of prices are prices.pct_change().dropna()"
        )
