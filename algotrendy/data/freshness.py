"""How new bars are: measured from the bars and a clock, never promised."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from algotrendy.data.series import as_instant
from algotrendy.domain.calendar import Calendar, known_at
from algotrendy.domain.interval import Interval

__all__ = ["Freshness", "measure_freshness"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How new some bars were at the moment they were asked about.

    Attributes
    ----------
    newest : Timestamp or None
        The start of the last bar, in UTC; None if there are no bars.
    age : Timedelta or None
        The time since the last price in the bars was known, never negative; None if there are no bars.
    fetched_at : Timestamp
        When the bars were asked for at their source, in UTC.
    source : str
        The provider, or the store or cache they came from.
    stale : bool
        Whether they are older than allowed.
    """

    newest: pd.Timestamp | None
    age: pd.Timedelta | None
    fetched_at: pd.Timestamp
    source: str
    stale: bool


def measure_freshness(
    bars: pd.DataFrame,
    *,
    interval: str | Interval,
    source: str,
    fetched_at: object,
    now: object,
    limit: pd.Timedelta | None = None,
    calendar: Calendar | None = None,
) -> Freshness:
    """Return how new bars are.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, n_columns)
        Sound bars; there may be none.
    interval : str or Interval
        How long a bar lasts: it is known at its end, or when it was fetched if it had not ended by then.
    source : str
        Where they came from.
    fetched_at, now : time
        Seconds since 1970 as a float, or what a Timestamp can be made from; without a zone taken as UTC.
    limit : Timedelta, optional
        The age above which they are stale; bars that are not there are, too. None: never.
    calendar : Calendar, optional
        When the last session of a daily or longer bar closed; None: at midnight UTC.

    Returns
    -------
    Freshness

    Raises
    ------
    InputError
        If a time is none, or the interval cannot be read.

    Examples
    --------
    >>> bars = pd.DataFrame({"close": [1.0]}, index=pd.DatetimeIndex(["2024-03-01 14:30"], tz="UTC"))
    >>> found = measure_freshness(bars, interval="5m", source="yahoo", fetched_at="2024-03-01 14:36",
    ...                           now="2024-03-01 14:45", limit=pd.Timedelta("5min"))
    >>> found.age, found.stale
    (Timedelta('0 days 00:10:00'), True)
    """
    at, fetched = _time(now, "now"), _time(fetched_at, "fetched_at")
    if not len(bars):
        return Freshness(newest=None, age=None, fetched_at=fetched, source=source, stale=limit is not None)
    last = pd.DatetimeIndex(bars.index[-1:])
    known = min(known_at(last, interval, calendar)[0], fetched)
    age = max(at - known, pd.Timedelta(0))
    stale = limit is not None and age > limit
    return Freshness(newest=as_instant(last[0]), age=age, fetched_at=fetched, source=source, stale=stale)


def _time(value: object, name: str) -> pd.Timestamp:
    return as_instant(pd.Timestamp(value, unit="s") if isinstance(value, float) else value, name)
