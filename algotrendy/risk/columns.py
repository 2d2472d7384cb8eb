"""One series gives a number, a frame gives a Series: the same measure, column by column.

And two series that belong together: their dates are compared, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import choice
from algotrendy.risk.inputs import as_returns, check_dates

__all__ = ["Align", "Sign", "by_column", "columns_of", "curve_by_column", "signed", "together"]

Align: TypeAlias = Literal["exact", "inner"]
"""Two series must have the same dates, or only the dates they share count."""

Sign: TypeAlias = Literal["loss", "return"]
"""A loss of 15 % is 0.15, or it is -0.15 as a return would be."""


def signed(loss: Any, sign: Sign) -> Any:
    """Return a loss with the sign that was asked for; never a negative zero.

    Examples
    --------
    >>> signed(0.15, "return")
    -0.15
    """
    return loss if choice("sign", sign, ("loss", "return")) == "loss" else 0.0 - loss


def is_table(returns: Any) -> bool:
    """Return whether there is a column for each of several series."""
    return np.ndim(returns) == 2


def columns_of(returns: Any) -> list[tuple[Any, pd.Series | Float1D]]:
    """Return the columns of a table with their names; a table without any says nothing."""
    if not np.shape(returns)[1]:
        raise InputError("the table has no columns; give one for each series")
    if isinstance(returns, pd.DataFrame):
        return [(name, returns.iloc[:, j]) for j, name in enumerate(returns.columns)]
    table = np.asarray(returns)
    return [(j, table[:, j]) for j in range(table.shape[1])]


def by_column(
    returns: Any, measure: Callable[[Float1D], float], nan_policy: NanPolicy, *, min_periods: int = 1
) -> float | pd.Series:
    """Return the measure of one series as a float, or of each column of a table as a Series.

    With `nan_policy="omit"` each column leaves out its own missing periods; with "propagate" a column that misses any
    is NaN.

    Examples
    --------
    >>> float(by_column([0.01, 0.03], np.mean, "raise"))
    0.02
    >>> by_column(pd.DataFrame({"A": [0.01, 0.03], "B": [0.0, 0.0]}), np.mean, "raise")["A"]
    np.float64(0.02)
    """
    if is_table(returns):
        return _each(returns, lambda column: _one(column, measure, nan_policy, min_periods))
    return _one(returns, measure, nan_policy, min_periods)


def curve_by_column(
    returns: Any, curve: Callable[[Float1D], Float1D], nan_policy: NanPolicy, *, min_periods: int = 1
) -> pd.Series | pd.DataFrame:
    """Return a curve over the periods of one series as a Series, or of each column of a table as a frame.

    With `nan_policy="omit"` periods that miss a return are left out of the result; with "propagate" a curve is NaN from
    the first missing return on.
    """
    if is_table(returns):
        found = {name: curve_by_column(column, curve, nan_policy) for name, column in columns_of(returns)}
        if len(found) != np.shape(returns)[1]:
            raise InputError("two columns have the same name; give each its own")
        frame = pd.DataFrame(found)
        return frame.set_axis(returns.columns, axis=1) if isinstance(returns, pd.DataFrame) else frame
    values = as_returns(returns, nan_policy, min_periods=min_periods)
    index = returns.index if isinstance(returns, pd.Series) else pd.RangeIndex(np.size(returns))
    if nan_policy == "omit":
        index = index[~np.isnan(np.asarray(returns, dtype=np.float64))]
    missing = np.isnan(values)
    out = np.full(values.size, np.nan)
    end = int(missing.argmax()) if missing.any() else values.size
    if end:
        out[:end] = curve(values[:end])
    return pd.Series(out, index=index, name=getattr(returns, "name", None))


def together(
    returns: Any, other: Any, nan_policy: NanPolicy, *, align: Align = "exact", what: str = "benchmark"
) -> tuple[Float1D, Float1D]:
    """Return two series as arrays of the same periods.

    Missing values count in pairs: "omit" leaves out the periods in which either is missing.

    Raises
    ------
    InputError
        If one is longer, if the dates differ and `align` is "exact", or if one has a time zone and the other has none.
    """
    choice("align", align, ("exact", "inner"))
    if np.ndim(other) != 1:
        raise InputError(f"the {what} has the shape {np.shape(other)}, expected one series; choose one column")
    if isinstance(returns, pd.Series) and isinstance(other, pd.Series):
        returns, other = _of_the_same_dates(returns, other, align, what)
    if np.size(returns) != np.size(other):
        raise InputError(
            f"there are {np.size(returns)} returns and {np.size(other)} of the {what}; give both for the same periods"
        )
    if nan_policy == "omit":
        kept = ~(np.isnan(np.asarray(returns, dtype=np.float64)) | np.isnan(np.asarray(other, dtype=np.float64)))
        returns, other = returns[kept], other[kept]
    return as_returns(returns, nan_policy, min_periods=1), as_returns(other, nan_policy, min_periods=1)


def _one(returns: Any, measure: Callable[[Float1D], float], nan_policy: NanPolicy, min_periods: int) -> float:
    values = as_returns(returns, nan_policy, min_periods=min_periods)
    return float("nan") if nan_policy == "propagate" and np.isnan(values).any() else float(measure(values))


def _each(returns: Any, measure: Callable[[Any], float]) -> pd.Series:
    names, found = [], []
    check_dates(returns)
    for name, column in columns_of(returns):
        try:
            found.append(measure(column))
        except InputError as error:
            raise InputError(f"column {name!r}: {error}") from error
        names.append(name)
    labels = returns.columns if isinstance(returns, pd.DataFrame) else pd.RangeIndex(len(names))
    return pd.Series(found, index=labels, dtype=np.float64)


def _of_the_same_dates(returns: pd.Series, other: pd.Series, align: Align, what: str) -> tuple[pd.Series, pd.Series]:
    check_dates(returns)
    check_dates(other)
    zones = [getattr(series.index, "tz", None) is None for series in (returns, other)]
    if zones[0] != zones[1] and all(isinstance(series.index, pd.DatetimeIndex) for series in (returns, other)):
        raise InputError(
            f"the returns have {'no' if zones[0] else 'a'} time zone and the {what} {'none' if zones[1] else 'one'}; "
            "give both one with tz_localize or tz_convert"
        )
    if returns.index.equals(other.index):
        return returns, other
    common = returns.index.intersection(other.index)
    if len(common) == len(returns) == len(other):
        return returns, other.loc[returns.index]
    if align == "exact":
        raise InputError(
            f"{len(returns) - len(common)} of {len(returns)} periods of the returns are not in the {what}, and "
            f"{len(other) - len(common)} of its {len(other)} not in the returns; give both for the same dates, or pass "
            'align="inner" to use those they share'
        )
    if not len(common):
        raise InputError(f"the returns and the {what} share no date; are both stamped alike?")
    return returns.loc[common], other.loc[common]
