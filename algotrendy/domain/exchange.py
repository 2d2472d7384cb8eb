"""The sessions of a real exchange, from the exchange-calendars package, loaded when first asked.

A calendar here is a name: it is small, frozen and can be sent to another process. The sessions are built for the years
that are asked for, with explicit ends, and kept.
"""

from __future__ import annotations

import difflib
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from algotrendy.domain.calendar import bars_by_start, repeat_sessions, utc_stamps
from algotrendy.domain.types import AnyArray, Dates1D, Int1D
from algotrendy.errors import DataError, InputError

_DAY = np.timedelta64(1, "D")
_USUAL_YEARS = (np.datetime64("2022-01-01"), np.datetime64("2023-12-31"))


class Sessions(NamedTuple):
    """The sessions of some years: dates, when each opens and closes, and when the next one's stamps begin, in UTC."""

    dates: Dates1D
    opens: AnyArray
    closes: AnyArray
    rolls: AnyArray
    hours: float


@dataclass(frozen=True, slots=True)
class ExchangeCalendar:
    """Sessions of an exchange named by its market code, such as `XNYS`, holidays and short days included.

    A stamp outside trading belongs to the session of its local date, so evenings and early mornings stay with their
    day; on a market that opens the evening before (`CMES`), stamps after that hour belong to the next session.
    """

    name: str

    @property
    def periods_per_year(self) -> float:
        """Sessions in a year by convention: 252, or 365 for a market that never closes."""
        return 365.0 if self.name == "24/7" else 252.0

    @property
    def hours_per_session(self) -> float:
        """Trading hours in a usual session."""
        return self._around(*_USUAL_YEARS).hours

    def split(self, index: pd.DatetimeIndex) -> tuple[Dates1D, Int1D]:
        """Return the sessions that have bars, and the position of the first bar of each."""
        stamps = utc_stamps(index)
        if not stamps.size:
            return stamps.astype("datetime64[D]"), np.zeros(0, dtype=np.int64)
        table = self._around(stamps[0], stamps[-1])
        rolls = table.dates + _DAY if index.tz is None else table.rolls
        starts = np.concatenate((stamps[:1].astype("datetime64[s]") - _DAY, rolls[:-1].astype("datetime64[s]")))
        begin = np.searchsorted(rolls.astype(stamps.dtype), stamps[0], side="right")
        return bars_by_start(stamps, table.dates[begin:], np.concatenate((starts[:1], starts[begin + 1 :])))

    def session_of(self, index: pd.DatetimeIndex) -> Dates1D:
        """Return the session of each stamp; stamps that are all midnight UTC are dates."""
        if index.tz is not None and index.is_normalized:
            index = index.tz_localize(None)
        return repeat_sessions(*self.split(index), len(index))

    def next_session(self, dates: Dates1D) -> Dates1D:
        """Return for each date the first session after it."""
        if not dates.size:
            return dates
        table = self._around(dates.min(), dates.max())
        return table.dates[np.searchsorted(table.dates, dates, side="right")]

    def closed_at(self, first: Dates1D, end: Dates1D) -> AnyArray:
        """Return the close of the last session in [first, end); midnight UTC at `end` where there is none."""
        if not first.size:
            return end.astype("datetime64[s]")
        table = self._around(first.min(), end.max())
        last = np.maximum(np.searchsorted(table.dates, end) - 1, 0)
        closes: AnyArray = np.where(table.dates[last] >= first, table.closes[last], end.astype("datetime64[s]"))
        return closes

    def trading_hours(self, dates: Dates1D) -> tuple[AnyArray, AnyArray]:
        """Return when trading opens and closes on each date, `datetime64[s]` in UTC; NaT where there is no session.

        Short days close early; a break at noon is not told.

        Examples
        --------
        >>> opens, closes = ExchangeCalendar("XNYS").trading_hours(np.array(["2024-07-03"], dtype="datetime64[D]"))
        >>> str(opens[0]), str(closes[0])
        ('2024-07-03T13:30:00', '2024-07-03T17:00:00')
        """
        if not dates.size:
            return dates.astype("datetime64[s]"), dates.astype("datetime64[s]")
        table = self._around(dates.min(), dates.max())
        place = np.minimum(np.searchsorted(table.dates, dates), table.dates.size - 1)
        held = table.dates[place] == dates
        none = np.datetime64("NaT", "s")
        return np.where(held, table.opens[place], none), np.where(held, table.closes[place], none)

    def _around(self, first: np.datetime64, last: np.datetime64) -> Sessions:
        """Return the sessions from the year before `first` to the year after `last`, where the package knows them."""
        years = [date.astype("datetime64[Y]") for date in (first, last)]
        wide = (years[0] - 1).astype("datetime64[D]"), (years[1] + 2).astype("datetime64[D]")
        try:
            return _sessions(self.name, *wide)
        except DataError:
            tight = first.astype("datetime64[D]") - _DAY, last.astype("datetime64[D]") + np.timedelta64(30, "D")
            return _sessions(self.name, *tight)


@cache
def _sessions(name: str, first: np.datetime64, last: np.datetime64) -> Sessions:
    import exchange_calendars

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it may lag behind the newest pandas
        try:
            calendar = exchange_calendars.get_calendar(name, start=str(first), end=str(last))
        except exchange_calendars.errors.InvalidCalendarName as e:
            near = difflib.get_close_matches(name.upper(), exchange_calendars.get_calendar_names(), n=3, cutoff=0.5)
            raise InputError(
                f"there is no exchange calendar {name!r}; expected a market code such as XNYS, XNAS, XLON, CMES"
                + (f"; near: {', '.join(near)}" if near else "")
            ) from e
        except ValueError as e:
            raise DataError(
                f"the calendar of {name} does not reach from {first} to {last}: {e}; use a shorter history,"
                " or a calendar without holidays: algotrendy.domain.calendar.SESSIONS"
            ) from e
        opens = pd.DatetimeIndex(calendar.opens).tz_convert(None).to_numpy().astype("datetime64[s]")
        closes = pd.DatetimeIndex(calendar.closes).tz_convert(None).to_numpy().astype("datetime64[s]")
    dates = calendar.sessions.to_numpy().astype("datetime64[D]")
    hours = float(np.median((closes - opens).astype(np.int64))) / 3_600.0
    return Sessions(dates, opens, closes, _rolls(calendar, dates), hours)


def _rolls(calendar: Any, dates: Dates1D) -> AnyArray:
    """Return when the stamps of each session end, in UTC: local midnight, or when the next one opens that evening."""
    evening = calendar.open_offset < 0
    local = pd.DatetimeIndex(dates if evening else dates + _DAY).as_unit("s")
    if evening:
        opens_at = calendar.open_times[-1][1]
        local += pd.Timedelta(hours=opens_at.hour, minutes=opens_at.minute)
    aware = local.tz_localize(calendar.tz, nonexistent="shift_forward", ambiguous=np.ones(len(local), dtype=bool))
    return aware.tz_convert(None).to_numpy().astype("datetime64[s]")
