"""Stamps against the clock: sessions shifted by whole hours, bars while the market is closed, other intervals.

A slip of the time zone shows as sessions that begin and lie a whole number of hours off the others. Daylight saving
moves them too when seen in UTC, so they are looked at in the zone in which they begin most regularly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from algotrendy.data.quality.gaps import _sessions_of
from algotrendy.data.quality.issue import Issue, Remedy, plural
from algotrendy.data.quality.order import find_weekday_slip
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.stamps import DAY, HOUR, SECOND, ZONES, distinct, firsts_of, local, regularity, runs
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.calendar import Calendar
from algotrendy.domain.exchange import ExchangeCalendar
from algotrendy.domain.types import AnyArray, Dates1D, Int1D

_REGULAR = 0.5
"""Sessions must begin at one time at least this often for a slip to be told from thin trading."""
_MANY = 0.2
_LEAST_SESSIONS = 8
_CLEARLY = 0.2
"""A shift of the whole series must bring so many more of its bars into the exchange's hours."""
_READ = 4_000


def find_shifts(subject: Subject) -> Iterable[Issue] | str:
    """Find bars shifted by whole hours, one session, several, or all of them; and daily bars shifted by a day."""
    if subject.interval is None:
        return "the interval cannot be told; say interval="
    if subject.is_daily:
        return list(find_weekday_slip(subject))
    if subject.calendar.hours_per_session >= 20.0:
        return "the market hardly closes: sessions have no edges"
    issues = list(_whole_series(subject))
    return issues or list(_sessions_off(subject))


def _sessions_off(subject: Subject) -> Iterator[Issue]:
    firsts = firsts_of(_sessions_of(subject))
    if firsts.size < _LEAST_SESSIONS:
        return
    length = max((subject.interval.seconds or 1) if subject.interval else 1, 60) * SECOND
    zero, of_what = _clock_of_sessions(subject, firsts)
    starts = subject.times[firsts] - zero
    usual = _usual_start(subject, starts)
    if usual is None:
        return
    counts = np.diff(np.append(firsts, subject.n))
    centre = np.add.reduceat((subject.times - np.repeat(zero, counts)) / HOUR, firsts) / counts
    off = (starts - usual + DAY // 2) % DAY - DAY // 2
    hours = np.rint(off / HOUR)
    whole = (hours != 0) & (np.abs(off - hours * HOUR) <= length)
    right = centre[np.abs(off) <= length]
    whole &= np.abs(centre - (np.median(right) if right.size else np.median(centre)) - hours) <= 0.75
    for hour in np.unique(hours[whole]):
        for start, size in zip(*runs(whole & (hours == hour)), strict=True):
            end = firsts[start + size] if start + size < firsts.size else subject.n
            yield _shift(subject, np.arange(firsts[start], end), float(hour), int(size), of_what)


def _usual_start(subject: Subject, starts: Int1D) -> int | None:
    """Return when sessions begin; None if they do not keep a time.

    Against the hours of an exchange, of the times that many sessions keep that which is nearest to the open: with
    summer time left out, half of the sessions are wrong.
    """
    values, counts = np.unique(starts, return_counts=True)
    if isinstance(subject.calendar, ExchangeCalendar):
        many = values[counts >= _MANY * starts.size]
        if many.size and counts[counts >= _MANY * starts.size].sum() >= _REGULAR * starts.size:
            return int(many[np.abs(many).argmin()])
        return None
    return int(values[counts.argmax()]) if counts.max() >= _REGULAR * starts.size else None


def _clock_of_sessions(subject: Subject, firsts: Int1D) -> tuple[Int1D, str]:
    """Return what each session is measured from, and its name: the open of the exchange, or midnight of a zone."""
    times = subject.times[firsts]
    if isinstance(subject.calendar, ExchangeCalendar):
        opens = subject.calendar.trading_hours(_sessions_of(subject)[firsts])[0]
        return opens.astype("datetime64[ns]").astype(np.int64), f"against the hours of {subject.calendar.name}"
    zone = max(ZONES, key=lambda name: regularity(local(times, name) % DAY))
    return times - local(times, zone) % DAY, f"by the clocks of {zone}"


def _shift(subject: Subject, places: Int1D, hours: float, sessions: int, of_what: str) -> Issue:
    rows = np.sort(subject.rows[places])
    return Issue(
        kind="time_shift",
        severity="error",
        certainty="suspected",
        score=0.9,
        evidence=f"{plural(sessions, 'session')} begin and lie {hours:+g} hours off the others ({of_what})",
        proposal=f"move these bars by {-hours:+g} hours",
        measures={"hours": hours, "sessions": float(sessions)},
        remedy=Remedy(action="shift", rows=rows, seen=subject.seen, values=np.array([[-hours]])),
        **subject.span(rows),
    )


def _whole_series(subject: Subject) -> Iterator[Issue]:
    """All bars shifted: told only by the hours of an exchange that was named."""
    calendar = subject.calendar
    if not isinstance(calendar, ExchangeCalendar):
        return
    times = subject.times[:: max(subject.n // _READ, 1)]
    shares = {hours: _share_inside(calendar, times + hours * HOUR) for hours in range(-14, 15)}
    best = max(shares, key=lambda hours: (shares[hours], -abs(hours)))
    if best == 0 or shares[best] < shares[0] + _CLEARLY or shares[best] < 0.8:
        return
    rows = np.sort(subject.rows)
    yield Issue(
        kind="time_shift",
        severity="error",
        certainty="suspected",
        score=0.95,
        evidence=f"{shares[0]:.0%} of the bars lie in the hours of {calendar.name}; {best:+d} hours later"
        f" {shares[best]:.0%} would",
        proposal=f"move all bars by {best:+d} hours",
        measures={"hours": -float(best), "inside": shares[0], "inside_after": shares[best]},
        remedy=Remedy(action="shift", rows=rows, seen=subject.seen, values=np.array([[float(best)]])),
        **subject.span(rows),
    )


def _share_inside(calendar: ExchangeCalendar, times: Int1D) -> float:
    """Return the share of instants at which the exchange trades, on the UTC date of the instant or the next."""
    stamps = times.view("M8[ns]")
    inside = np.zeros(times.size, dtype=bool)
    for days in (-1, 0, 1):
        dates: Dates1D = (stamps + np.timedelta64(24 * days, "h")).astype("datetime64[D]")
        opens, closes = calendar.trading_hours(dates)
        inside |= (stamps >= opens) & (stamps < closes)
    return float(inside.mean())


# --- bars while the market is closed ---


def find_closed(subject: Subject) -> Iterable[Issue] | str:
    """Find bars on days without a session: weekends and holidays."""
    if subject.interval is None or subject.n < 10:
        return "the interval cannot be told, or fewer than ten bars"
    if subject.calendar.name == "24/7":
        return "the market never closes"
    if subject.is_daily:
        return list(_closed_days(subject)) if str(subject.interval) == "1d" else "bars longer than a day"
    return list(_closed_hours(subject))


def _closed_days(subject: Subject) -> Iterator[Issue]:
    weekday = (subject.dates.astype(np.int64) + 3) % 7
    if (weekday >= 5).any() and not ((weekday == 4).any() and (weekday == 0).any()):
        return  # a slip by a day, which `find_shifts` tells of
    sundays = np.flatnonzero(weekday == 6)
    weeks = max(distinct((subject.dates.astype(np.int64) + 3) // 7).size, 1)
    habit = sundays.size >= 0.3 * weeks
    if habit:
        yield _sunday_sessions(subject, sundays)
    stray = weekday == 5
    stray |= (weekday == 6) & (not habit)
    if stray.any():
        yield _stray(subject, np.flatnonzero(stray), "weekend", "on a Saturday or Sunday")
    if subject.calendar_known:
        sessions = subject.calendar.next_session(subject.dates - np.timedelta64(1, "D"))
        holiday = np.flatnonzero((sessions != subject.dates) & (weekday < 5))
        if holiday.size:
            yield _stray(subject, holiday, "off_session", f"on a holiday of {subject.calendar.name}")


def _sunday_sessions(subject: Subject, places: Int1D) -> Issue:
    range_ = np.log(subject.high / subject.low)
    usual = float(np.median(np.delete(range_, places)))
    followed = places[(places + 1 < subject.n)]
    followed = followed[(subject.dates[followed + 1] - subject.dates[followed]).astype(np.int64) == 1]
    rows = np.sort(subject.rows[places])
    return Issue(
        kind="weekend",
        severity="warning",
        certainty="definite",
        score=1.0,
        evidence=f"{plural(places.size, 'Sunday')} with a bar of its own, of a range"
        f" {float(np.median(range_[places])) / max(usual, 1e-12):.2f} times that of other days:"
        " the first hours of Monday's session, cut off at midnight UTC",
        proposal="merge each into the bar of the Monday after it",
        measures={"bars": float(places.size), "followed_by_monday": float(followed.size)},
        remedy=Remedy(action="merge", rows=np.sort(subject.rows[followed]), seen=subject.seen),
        **subject.span(rows),
    )


def _stray(subject: Subject, places: Int1D, kind: str, where: str) -> Issue:
    before = np.maximum(places - 1, 0)
    copied = (places > 0) & (subject.close[places] == subject.close[before])
    copied &= (subject.high[places] == subject.low[places]) | (subject.open[places] == subject.open[before])
    rows = np.sort(subject.rows[places])
    copies = np.sort(subject.rows[places[copied]])
    return Issue(
        kind=kind,
        severity="warning",
        certainty="definite" if subject.calendar_known else "suspected",
        score=1.0 if subject.calendar_known else 0.8,
        evidence=f"{plural(places.size, 'bar')} {where}; {copies.size:,} of them only repeat the close before",
        proposal="leave out those that repeat the close before" if copies.size else "by hand: ask what traded then",
        measures={"bars": float(places.size), "copies": float(copies.size)},
        remedy=Remedy(action="drop", rows=copies, seen=subject.seen) if copies.size else None,
        **subject.span(rows),
    )


def _closed_hours(subject: Subject) -> Iterator[Issue]:
    if isinstance(subject.calendar, ExchangeCalendar):
        sessions = _sessions_of(subject)
        firsts = firsts_of(sessions)
        opens = subject.calendar.trading_hours(sessions[firsts])[0].astype("datetime64[ns]").astype(np.int64)
        closed = subject.times < np.repeat(opens, np.diff(np.append(firsts, subject.n))) - 12 * HOUR
        where = f"more than twelve hours before {subject.calendar.name} opens"
    else:
        weekday, clock = (subject.times // DAY + 3) % 7, subject.times % DAY
        closed = ((weekday == 5) & (clock >= 6 * HOUR)) | ((weekday == 6) & (clock < 17 * HOUR))
        where = "between Saturday 06:00 and Sunday 17:00 UTC"
    places = np.flatnonzero(closed)
    if 0 < places.size <= 0.05 * subject.n:
        rows = np.sort(subject.rows[places])
        yield Issue(
            kind="off_session",
            severity="warning",
            certainty="suspected",
            score=0.8,
            evidence=f"{plural(places.size, 'bar')} {where}",
            proposal="by hand: ask what traded then",
            **subject.span(rows),
        )


# --- the first stamp of a session ---


def find_early_stamps(subject: Subject) -> Iterable[Issue] | str:
    """Find sessions whose first bar is stamped before the exchange opens and ends after it."""
    calendar: Calendar = subject.calendar
    if subject.interval is None or subject.is_daily or not isinstance(calendar, ExchangeCalendar):
        return "no hours of an exchange to compare with"
    firsts = firsts_of(_sessions_of(subject))
    dates = _sessions_of(subject)[firsts]
    opens: AnyArray = calendar.trading_hours(dates)[0]
    opens_at = opens.astype("datetime64[ns]").astype(np.int64)
    starts, length = subject.times[firsts], (subject.interval.seconds or 1) * SECOND
    over = (starts < opens_at) & (opens_at < starts + length)
    if over.sum() < max(3, 0.5 * dates.size):
        return []
    early = float(np.median((opens_at - starts)[over])) / (60 * SECOND)
    rows = np.sort(subject.rows[firsts[over]])
    return [
        Issue(
            kind="early_stamp",
            severity="info",
            certainty="definite",
            score=1.0,
            evidence=f"the first bar of {plural(int(over.sum()), 'session')} of {dates.size:,} is stamped"
            f" {early:g} minutes before {calendar.name} opens: it holds only"
            f" {length / (60 * SECOND) - early:g} minutes of trading",
            proposal="by hand: nothing is wrong with the prices; do not compare its volume with other bars",
            measures={"minutes": early},
            **subject.span(rows),
        )
    ]


SHIFTS = Check("time shifts", {"time_shift": "bars shifted by whole hours or a day"}, find_shifts)
CLOSED = Check(
    "closed market",
    {"weekend": "daily bars on a Saturday or Sunday", "off_session": "bars while the exchange is closed"},
    find_closed,
)
EARLY = Check("early stamps", {"early_stamp": "a first bar stamped before the exchange opens"}, find_early_stamps)
