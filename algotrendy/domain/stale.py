"""Stale opens: bars whose open is only a copy of the previous close.

Some index histories have no real opens in their early years. A fill at the next open then happens at the close that
the decision was made on, which nobody could trade. It is read off the columns, so it cannot get lost on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from algotrendy.domain.bars import BarArrays, bar_arrays
from algotrendy.domain.calendar import SESSIONS, infer_calendar, utc_stamps
from algotrendy.domain.types import Bool1D

_LEAST_BARS_IN_YEAR = 20


@dataclass(frozen=True, slots=True)
class StaleOpens:
    """How often the open equals the previous close in the years in which it does so on most days.

    Attributes
    ----------
    count, of : int
        Stale bars, out of so many, in those years alone.
    share : float
        `count / of`; 0.0 if there are no such years.
    years : tuple of int
        The years in which most opens are stale, ascending.
    first, last : Timestamp or None
        The first and the last stale bar in those years.
    """

    count: int
    of: int
    share: float
    years: tuple[int, ...]
    first: pd.Timestamp | None
    last: pd.Timestamp | None

    def __bool__(self) -> bool:
        return bool(self.years)

    def __str__(self) -> str:
        if not self.years:
            return "no stale opens"
        span = _spans(self.years)
        return f"the open equals the previous close in {self.count:,} of {self.of:,} bars of {span}"


def stale_opens(bars: pd.DataFrame) -> StaleOpens:
    """Return how many opens are copies of the previous close, in years where most of them are.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, >= 4)
        Sound bars. Only bars of a day or longer on a market that closes overnight are judged: elsewhere the next open
        is the previous close, honestly.

    Returns
    -------
    StaleOpens
        False in a condition if there is no such year. A year counts if it has at least 20 bars.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=40)
    >>> close = pd.Series(range(100, 140), index=days, dtype=float)
    >>> bars = pd.DataFrame({"open": close - 1, "high": close + 1, "low": close - 2, "close": close})
    >>> str(stale_opens(bars))
    'the open equals the previous close in 39 of 40 bars of 2024'
    """
    index = bars.index
    if not isinstance(index, pd.DatetimeIndex):
        return _NONE
    return find_stale_opens(index, bar_arrays(bars))


def find_stale_opens(index: pd.DatetimeIndex, arrays: BarArrays) -> StaleOpens:
    """Do what `stale_opens` does for arrays that have been taken out already."""
    if len(index) < 2 or not index.is_normalized or infer_calendar(index) is not SESSIONS:
        return _NONE
    equal = np.zeros(len(index), dtype=bool)
    equal[1:] = np.abs(arrays.open[1:] - arrays.close[:-1]) <= 1e-9 * arrays.close[:-1]
    return _summary(index, equal)


def _summary(index: pd.DatetimeIndex, equal: Bool1D) -> StaleOpens:
    stamps = utc_stamps(index)
    years = np.arange(stamps[0].astype("datetime64[Y]"), stamps[-1].astype("datetime64[Y]") + 1)
    firsts = np.searchsorted(stamps, years.astype(stamps.dtype))
    firsts[0] = 0
    bars_in = np.diff(firsts, append=stamps.size)
    stale_until = np.append(0, np.cumsum(equal))
    stale_in = np.diff(stale_until[np.append(firsts, stamps.size)])
    judged = (bars_in >= _LEAST_BARS_IN_YEAR) & (2 * stale_in > bars_in)
    if not judged.any():
        return _NONE
    rows = np.flatnonzero(equal & np.repeat(judged, bars_in))
    of = int(bars_in[judged].sum())
    chosen = tuple(int(year) + 1970 for year in years[judged].astype(np.int64))
    return StaleOpens(rows.size, of, rows.size / of, chosen, index[rows[0]], index[rows[-1]])


def _spans(years: tuple[int, ...]) -> str:
    """Write years as spans: (1999, 2000, 2001, 2005) as '1999-2001, 2005'."""
    groups: list[list[int]] = []
    for year in years:
        if groups and year == groups[-1][-1] + 1:
            groups[-1].append(year)
        else:
            groups.append([year])
    return ", ".join(str(group[0]) if len(group) == 1 else f"{group[0]}-{group[-1]}" for group in groups)


_NONE = StaleOpens(0, 0, 0.0, (), None, None)
