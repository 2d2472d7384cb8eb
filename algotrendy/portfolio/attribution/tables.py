"""Tables at the door: weights and returns by period and segment, checked once, with the same words everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.types import Bool2D, Float2D
from algotrendy.errors import InputError
from algotrendy.risk.inputs import check_zone

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_table", "check_weights", "values_of"]

WEIGHT_TOLERANCE = 1e-9


def as_table(table: Any, what: str) -> pd.DataFrame:
    """Return a table by period and segment; a Series is one period.

    Raises
    ------
    InputError
        If it is empty or neither, a label stands twice, or dates are of several time zones.
    """
    import pandas as pd

    found = table.to_frame().T if isinstance(table, pd.Series) else table
    if not isinstance(found, pd.DataFrame):
        raise InputError(
            f"{what} are a {type(table).__name__}, expected a DataFrame by period and segment, or a Series"
        )
    if isinstance(table, pd.Series):
        found.index = pd.RangeIndex(1)
    if found.empty:
        raise InputError(f"{what} are empty: there are {found.shape[0]} periods and {found.shape[1]} segments")
    check_zone(found.index)
    for labels, kind in ((found.index, "period"), (found.columns, "segment")):
        if not labels.is_unique:
            raise InputError(f"{what} have the {kind} {labels[labels.duplicated()][0]} more than once")
    return found


def values_of(table: Any, like: pd.DataFrame, what: str, *, blank: Bool2D | None = None) -> Float2D:
    """Return the numbers of a table in the order of another one.

    Parameters
    ----------
    table : DataFrame or Series
        Same periods and segments as `like`, in any order.
    like : DataFrame
        Whose order counts.
    what : str
        Its name in messages.
    blank : array of bool, optional
        Where a NaN is allowed.

    Raises
    ------
    InputError
        If periods or segments differ, or a number is not finite where it has to be.
    """
    found = as_table(table, what)
    for labels, wanted, kind in ((found.index, like.index, "period"), (found.columns, like.columns, "segment")):
        odd = labels[:0] if labels.equals(wanted) else labels.symmetric_difference(wanted)
        if len(odd):
            side = "is missing" if odd[0] not in labels else "stands there alone"
            raise InputError(f"the {kind} {odd[0]} {side} in {what}; all tables need the same {kind}s")
    if not (found.index.equals(like.index) and found.columns.equals(like.columns)):
        found = found.reindex(index=like.index, columns=like.columns)
    values = found.to_numpy(dtype=np.float64)
    wrong = ~np.isfinite(values)
    if blank is not None:
        wrong &= ~(np.isnan(values) & blank)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"{int(wrong.sum())} numbers of {what} are not finite, first that of {like.columns[column]} in "
            f"{like.index[row]}"
        )
    return values


def check_weights(weights: Float2D, like: pd.DataFrame, what: str) -> None:
    """Refuse weights of a period that do not sum to 1.

    Raises
    ------
    InputError
        It names the period and says what is missing.
    """
    sums = weights.sum(axis=1)
    wrong = np.flatnonzero(np.abs(sums - 1.0) > WEIGHT_TOLERANCE)
    if wrong.size:
        raise InputError(
            f"{what} of {like.index[wrong[0]]} sum to {sums[wrong[0]]:.6g}, expected 1; give cash a segment of its own"
        )
