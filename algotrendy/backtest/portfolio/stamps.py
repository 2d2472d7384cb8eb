"""Times that users give, and the bars that they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.types import Int1D
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["first_at_or_after", "stamps_of"]


def stamps_of(times: Any, index: pd.DatetimeIndex, what: str) -> pd.DatetimeIndex:
    """Return times as stamps of the same kind as those of the bars: dates, or UTC instants.

    Raises
    ------
    InputError
        If they are no times, one is missing, or dates are given for instants (a date does not say at which bar).

    Examples
    --------
    >>> import pandas as pd
    >>> stamps_of(["2024-03-04"], pd.bdate_range("2024-03-01", periods=3), "weights")
    DatetimeIndex(['2024-03-04'], dtype='datetime64[...]', freq=None)
    """
    import pandas as pd

    try:
        stamps = pd.DatetimeIndex(times)
    except (TypeError, ValueError) as error:
        raise InputError(f"the times of {what} are not times: {error}") from error
    if stamps.hasnans:
        raise InputError(f"a time of {what} is missing (NaT); give one for each row")
    if index.tz is None:
        return stamps if stamps.tz is None else stamps.tz_convert("UTC").tz_localize(None)
    if stamps.tz is not None:
        return stamps.tz_convert("UTC")
    raise InputError(
        f"the times of {what} have no zone, those of the bars are UTC instants; say which they are:"
        f" {what}.tz_localize('UTC')"
    )


def first_at_or_after(index: pd.DatetimeIndex, stamps: pd.DatetimeIndex) -> Int1D:
    """Return the first bar at or after each time; the number of bars where there is none."""
    return np.asarray(index.searchsorted(stamps, side="left"), dtype=np.int64)
