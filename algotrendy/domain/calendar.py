"""Calendars: which session a bar belongs to, when it is known, and how many periods make a year.

A session is a date. `ALWAYS_OPEN` (every UTC day) and `SESSIONS` (every weekday) need nothing installed and know no
holidays; `exchange("XNYS")` knows the holidays and the hours of a real exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from algotrendy.domain.bars import index_times
from algotrendy.domain.interval import Interval
from algotrendy.domain.types import AnyArray, Bool1D, Dates1D, Int1D
from algotrendy.errors import InputError

_DAY = np.timedelta64(1, "D")
_SATURDAY = np.datetime64("1970-01-03", "D")
_READ = np.timedelta64(2 * 365, "D")
# An American Friday evening ends at 01:00 UTC on Saturday: only what starts later shows a market open at weekends.
_EVENING = np.timedelta64(6, "h")


class Calendar(Protocol):
    """What the rest of the house asks a calendar. Dates are session dates, instants are UTC."""

    @property
    def name(self) -> str:
        """The name shown in reports."""

    @property
    def periods_per_year(self) -> float:
        """Sessions in a year by convention: 252, or 365 for a market that never closes."""

    @property
    def hours_per_session(self) -> float:
        """Trading hours in a usual session."""

    def split(self, index: pd.DatetimeIndex) -> tuple[Dates1D, Int1D]:
        """Return the sessions that have bars, and the position of the first bar of each; `index` ascends.

        Stamps outside trading belong to the next session. Stamps without a zone are session dates themselves.
        """

    def session_of(self, index: pd.DatetimeIndex) -> Dates1D:
        """Return the session of each stamp, shape (n_bars,)."""

    def next_session(self, dates: Dates1D) -> Dates1D:
        """Return for each date the first session after it."""

    def closed_at(self, first: Dates1D, end: Dates1D) -> AnyArray:
        """Return the instant at which the last session in [first, end) is over, `datetime64[s]` in UTC."""


@dataclass(frozen=True, slots=True)
class UtcCalendar:
    """Sessions are UTC days, on the days of the week that `weekmask` marks with 1, Monday first."""

    name: str
    periods_per_year: float
    hours_per_session: float
    weekmask: str

    def split(self, index: pd.DatetimeIndex) -> tuple[Dates1D, Int1D]:
        """Return the sessions that have bars, and the position of the first bar of each.

        Examples
        --------
        >>> SESSIONS.split(pd.DatetimeIndex(["2024-03-01", "2024-03-03", "2024-03-04"]))[1]  # Friday, Sunday, Monday
        array([0, 1])
        """
        stamps = utc_stamps(index)
        if not stamps.size:
            return stamps.astype("datetime64[D]"), np.zeros(0, dtype=np.int64)
        days = np.arange(stamps[0].astype("datetime64[D]"), stamps[-1].astype("datetime64[D]") + _DAY)
        label = self._forward(days)
        starts = np.append(True, label[1:] != label[:-1])
        return bars_by_start(stamps, label[starts], days[starts])

    def session_of(self, index: pd.DatetimeIndex) -> Dates1D:
        """Return the session of each stamp."""
        return repeat_sessions(*self.split(index), len(index))

    def next_session(self, dates: Dates1D) -> Dates1D:
        """Return for each date the first session after it."""
        return self._forward(dates + _DAY)

    def closed_at(self, first: Dates1D, end: Dates1D) -> AnyArray:
        """Return midnight UTC at `end`: without hours of trading nothing earlier is sure."""
        return end.astype("datetime64[s]")

    def _forward(self, dates: Dates1D) -> Dates1D:
        """Return each date that is a session, else the next that is."""
        wait = np.array([(self.weekmask * 2).index("1", day) - day for day in range(7)])
        weekday = (dates.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
        sessions: Dates1D = dates + wait[weekday]
        return sessions


ALWAYS_OPEN = UtcCalendar("24/7", 365.0, 24.0, "1111111")
"""Every UTC day is a session: crypto."""

SESSIONS = UtcCalendar("sessions", 252.0, 6.5, "1111100")
"""Every weekday is a session of 6.5 hours; holidays are not known."""

SUNDAY_OPEN = UtcCalendar("24/5", 252.0, 24.0, "1111100")
"""Open round the clock from Sunday evening, which belongs to Monday, to Friday: currencies, most futures."""


def exchange(name: str) -> Calendar:
    """Return the calendar of a real exchange by its market code: `XNYS`, `XNAS`, `XLON`, `CMES`, ...

    Its sessions are loaded when first needed, for the years that are needed.

    Raises
    ------
    InputError, DataError
        When first used: if there is no such exchange, or its calendar does not reach so far back.

    Examples
    --------
    >>> exchange("XNYS").next_session(np.array(["2024-03-28"], dtype="datetime64[D]"))  # Good Friday follows
    array(['2024-04-01'], dtype='datetime64[D]')
    """
    from algotrendy.domain.exchange import ExchangeCalendar

    return ExchangeCalendar(name)


def as_calendar(calendar: Calendar | str) -> Calendar:
    """Return a calendar by its name, or as it is.

    Parameters
    ----------
    calendar : Calendar or str
        `24/7`, `24/5`, `sessions`, or what `exchange` takes, such as `XNYS`.

    Raises
    ------
    InputError
        If it is neither a calendar nor the name of one.

    Examples
    --------
    >>> as_calendar("24/7").name, as_calendar("XNYS").name
    ('24/7', 'XNYS')
    """
    if isinstance(calendar, str):
        plain: dict[str, Calendar] = {each.name: each for each in (ALWAYS_OPEN, SESSIONS, SUNDAY_OPEN)}
        return plain.get(calendar) or exchange(calendar)
    if not hasattr(calendar, "session_of"):
        raise InputError(f"calendar is {calendar!r}; use a name such as 'XNYS', '24/7' or 'sessions', or a calendar")
    return calendar


def infer_calendar(index: pd.DatetimeIndex) -> UtcCalendar:
    """Return the plain calendar that the stamps show: `ALWAYS_OPEN`, `SUNDAY_OPEN` or `SESSIONS`.

    Parameters
    ----------
    index : DatetimeIndex of shape (n_bars,)
        Start stamps, ascending. Only the first two years are read, so that bars added later do not change the answer.
        Less than a week of bars shows no weekend: the answer is then `SESSIONS`, and who knows better says so.

    Returns
    -------
    UtcCalendar
        `ALWAYS_OPEN` if half or more of the Saturdays have bars, `SUNDAY_OPEN` if half or more of the Sundays, else
        `SESSIONS`. Holidays are not known to any of them: for these use `exchange("XNYS")`.

    Examples
    --------
    >>> infer_calendar(pd.date_range("2024-03-01", periods=30)).name
    '24/7'
    >>> infer_calendar(pd.bdate_range("2024-03-01", periods=30)).name
    'sessions'
    """
    stamps = utc_stamps(index)
    if stamps.size < 2:
        return SESSIONS
    evening = np.timedelta64(0, "h") if index.is_normalized else _EVENING
    first, last = stamps[0].astype("datetime64[D]"), stamps[-1].astype("datetime64[D]")
    last = min(last, first + _READ)
    saturdays = np.arange(first + (_SATURDAY - first).astype(np.int64) % 7, last + _DAY, np.timedelta64(7, "D"))
    if _share_with_bars(stamps, saturdays + evening, saturdays + _DAY) >= 0.5:
        return ALWAYS_OPEN
    sundays = saturdays + _DAY
    if _share_with_bars(stamps, sundays + evening, sundays + _DAY) >= 0.5:
        return SUNDAY_OPEN
    return SESSIONS


def known_at(index: pd.DatetimeIndex, interval: str | Interval, calendar: Calendar | None = None) -> pd.DatetimeIndex:
    """Return the UTC instant at which each bar is complete: never before its last price was made.

    Parameters
    ----------
    index : DatetimeIndex of shape (n_bars,)
        Start stamps: UTC, or session dates without a zone.
    interval : str or Interval
        How long a bar lasts.
    calendar : Calendar, optional
        Used for daily and longer bars: an exchange calendar gives the close of the last session inside the bar.
        Without one, a bar is known at midnight UTC after its last day.

    Returns
    -------
    DatetimeIndex of shape (n_bars,)
        In UTC. An intraday bar is known at its start plus the interval.

    Examples
    --------
    >>> known_at(pd.DatetimeIndex(["2024-03-01 14:30"], tz="UTC"), "5m")[0]
    Timestamp('2024-03-01 14:35:00+0000', tz='UTC')
    >>> known_at(pd.DatetimeIndex(["2024-03-01"]), "1d")[0]
    Timestamp('2024-03-02 00:00:00+0000', tz='UTC')
    """
    instants = known_instants(utc_stamps(index), Interval.parse(interval), calendar)
    return pd.DatetimeIndex(instants, name=index.name).tz_localize("UTC")


def known_instants(stamps: AnyArray, interval: Interval, calendar: Calendar | None) -> AnyArray:
    """Return what `known_at` does for `datetime64` stamps in UTC, in their own unit."""
    if interval.is_intraday:
        length = np.timedelta64(interval.seconds or 0, "s")
        intraday: AnyArray = stamps + length.astype(f"m8[{np.datetime_data(stamps.dtype)[0]}]")
        return intraday
    first = stamps.astype("datetime64[D]")
    end = bars_end(first, interval)
    closed = (calendar or ALWAYS_OPEN).closed_at(first, end).astype(stamps.dtype)
    known: AnyArray = np.where(stamps == first, closed, end.astype(stamps.dtype) + (stamps - first))
    return known


def bars_end(first: Dates1D, interval: Interval) -> Dates1D:
    """Return for bars of a day or longer the date after the last that belongs to each, given the first."""
    if interval.unit == "mo":
        return _months_later(first, interval.count)
    return first + (interval.seconds or 0) // 86_400


def _months_later(first: Dates1D, count: int) -> Dates1D:
    """Return where monthly bars end: the calendar month of a stamp in its first week, else a whole month later.

    A month is stamped by its first day or by its first session; any other day of the month starts a month of its own.
    """
    month = first.astype("datetime64[M]")
    offset = (first - month.astype("datetime64[D]")).astype(np.int64)
    end: Dates1D = (month + count).astype("datetime64[D]")
    return end + np.where(offset < 7, 0, offset)


def periods_per_year(interval: str | Interval, calendar: Calendar) -> float:
    """Return the number of valuation marks in a year: the one number that annualises.

    Intraday bars are valued once a session, so they count like daily ones. Weeks are 52, months 12.

    Examples
    --------
    >>> periods_per_year("5m", SESSIONS), periods_per_year("1d", ALWAYS_OPEN), periods_per_year("1wk", SESSIONS)
    (252.0, 365.0, 52.0)
    """
    interval = Interval.parse(interval)
    if interval.unit == "mo":
        return 12.0 / interval.count
    if interval.unit == "wk":
        return 52.0 / interval.count
    return calendar.periods_per_year / (interval.count if interval.unit == "d" else 1)


def bars_per_year(interval: str | Interval, calendar: Calendar) -> float:
    """Return the number of bars in a year, by which a yearly rate such as `borrow` is shared out.

    Intraday: the bars that a session of `calendar.hours_per_session` takes, a last shorter one included.

    Examples
    --------
    >>> bars_per_year("1h", SESSIONS), bars_per_year("1h", ALWAYS_OPEN), bars_per_year("1d", SESSIONS)
    (1764.0, 8760.0, 252.0)
    """
    interval = Interval.parse(interval)
    if not interval.is_intraday:
        return periods_per_year(interval, calendar)
    seconds = round(calendar.hours_per_session * 3_600)
    return calendar.periods_per_year * -(-seconds // (interval.seconds or 1))


def valuation_marks(index: pd.DatetimeIndex, interval: str | Interval, calendar: Calendar) -> Int1D:
    """Return the positions of the bars between which returns are taken.

    Returns
    -------
    int64 array
        Every bar for daily and longer bars, the last bar of each session for intraday ones, ascending.

    Examples
    --------
    >>> index = pd.date_range("2024-03-01", periods=50, freq="h", tz="UTC")
    >>> valuation_marks(index, "1h", ALWAYS_OPEN)
    array([23, 47, 49])
    """
    if not Interval.parse(interval).is_intraday:
        return np.arange(len(index), dtype=np.int64)
    _, firsts = calendar.split(index)
    return np.append(firsts[1:], len(index)).astype(np.int64)[: firsts.size] - 1


def utc_stamps(index: pd.DatetimeIndex) -> AnyArray:
    """Return the stamps as `datetime64` in the index's own unit, in UTC, without a copy.

    Examples
    --------
    >>> str(utc_stamps(pd.DatetimeIndex(["2024-03-01 09:30"], tz="America/New_York"))[0])[:16]
    '2024-03-01T14:30'
    """
    if not isinstance(index, pd.DatetimeIndex):
        raise InputError(f"the index is a {type(index).__name__}, expected a DatetimeIndex; see check_bars")
    return index_times(index).view(f"M8[{index.unit}]")


def first_of_period(index: pd.DatetimeIndex, interval: str) -> Bool1D:
    """Return which bars are the first of their day, week (from Monday) or month, by their stamps in UTC.

    The first of a period is known when it is there; that a bar was the last, only with the next one.

    Raises
    ------
    InputError
        If it is no interval, or one shorter than a day.

    Examples
    --------
    >>> first_of_period(pd.DatetimeIndex(["2024-01-30", "2024-01-31", "2024-02-01"], tz="UTC"), "1mo")
    array([ True, False,  True])
    """
    parsed = Interval.parse(interval)
    if parsed.is_intraday:
        raise InputError(f"the interval {interval!r} is shorter than a day; give a number of bars")
    stamps = utc_stamps(index)
    if parsed.unit == "mo":
        period = stamps.astype("datetime64[M]").astype(np.int64) // parsed.count
    else:
        days = stamps.astype("datetime64[D]").astype(np.int64) + 3  # 1970-01-01 was a Thursday
        period = days // (7 * parsed.count if parsed.unit == "wk" else parsed.count)
    return np.append(True, period[1:] != period[:-1])[: len(index)]


def bars_by_start(stamps: AnyArray, sessions: Dates1D, starts: AnyArray) -> tuple[Dates1D, Int1D]:
    """Return the sessions that have stamps, and the first position of each, given when each session starts."""
    firsts = np.searchsorted(stamps, starts.astype(stamps.dtype)).astype(np.int64)
    filled = np.diff(firsts, append=stamps.size) > 0
    return sessions[filled], firsts[filled]


def repeat_sessions(sessions: Dates1D, firsts: Int1D, n_bars: int) -> Dates1D:
    """Return one session per bar from the first position of each session."""
    return np.repeat(sessions, np.diff(firsts, append=n_bars))


def _share_with_bars(stamps: AnyArray, starts: AnyArray, ends: AnyArray) -> float:
    if not starts.size:
        return 0.0
    before = np.searchsorted(stamps, starts.astype(stamps.dtype))
    after = np.searchsorted(stamps, ends.astype(stamps.dtype))
    return float(np.mean(after > before))
