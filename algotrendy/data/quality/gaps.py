"""Bars that are missing: whole sessions against the calendar, and holes inside a session against the series' habit.

An exchange says on which days and between which hours it trades. Inside a session a minute without a trade leaves no
bar, honestly, in most feeds; so a hole there counts only if it is rare for the series and unlikely for how densely
bars lie around it, and breaks that recur at the same time of day are the market's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from algotrendy.data.quality.issue import Issue, plural
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.stamps import (
    DAY,
    HOUR,
    NAT,
    SECOND,
    ZONES,
    dates_of,
    distinct,
    firsts_of,
    local,
    regularity,
)
from algotrendy.data.quality.steps import slots_of, steps_of
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.exchange import ExchangeCalendar
from algotrendy.domain.faults import stamp_text
from algotrendy.domain.types import AnyArray, Bool1D, Dates1D, Float1D, Int1D

TOLD_MAX = 100
"""So many holes are told one by one, the longest; the others in one issue."""
_UNKNOWN_HOLIDAYS = 4
"""Where holidays are not known, so many weekdays in a row count: fewer may be Christmas or a lunar new year."""
_NO_HOLIDAYS = 0.012
"""... unless fewer than three weekdays a year are missing in all: no exchange has so few holidays."""
_RARE = 0.001
_UNLIKELY = 0.005
_CUSTOM = 0.9
_AROUND, _WORTH = 120, 200
_THIN = 0.3
"""Where so many of the slots around are empty, trading may well have paused: the score is low then."""
_HARDLY_CLOSES = 20.0
"""Hours of trading a day from which holes are looked for across midnight as well."""
_BREAK_SHARE = 0.2
"""A hole at the same time of day on a fifth of the sessions is a break of the market."""
_LEAST_BREAK = 3.0
"""Shorter ones come back at one time of day by chance where bars are thin."""


class Hole(NamedTuple):
    """Missing bars between two that are there, as positions of the clean series."""

    before: int
    after: int
    missing: pd.DatetimeIndex
    score: float
    definite: bool
    why: str


def find_gaps(subject: Subject) -> Iterable[Issue] | str:
    """Find sessions and bars that are missing."""
    if subject.n < 3:
        return "fewer than three bars"
    if subject.interval is None:
        return "the interval cannot be told; say interval="
    holes = list(_missing_days(subject) if subject.is_daily else _missing_sessions(subject))
    if not subject.is_daily:
        holes += list(_holes_inside(subject))
    return list(_issues(subject, holes))


def _issues(subject: Subject, holes: list[Hole]) -> Iterator[Issue]:
    # A stamp whose row holds no price is there, and told of as such.
    holes = [kept for hole in holes if len((kept := _without_rows(subject, hole)).missing)]
    holes.sort(key=lambda hole: -len(hole.missing))
    told, rest = holes[:TOLD_MAX], holes[TOLD_MAX:]
    for hole in sorted(told, key=lambda hole: hole.before):
        before, after = (stamp_text(subject.at(subject.times[place])) for place in (hole.before, hole.after))
        noun = "bar" if not subject.is_daily and hole.why != "sessions" else "session"
        yield _issue(subject, [hole], f"{plural(len(hole.missing), noun)} missing between {before} and {after}")
    if rest:
        count = sum(len(hole.missing) for hole in rest)
        noun = "session" if subject.is_daily else "bar"
        text = f"{plural(count, noun)} missing in {len(rest):,} more holes, none longer than those told one by one"
        yield _issue(subject, rest, text)


def _issue(subject: Subject, holes: list[Hole], text: str) -> Issue:
    stamps = np.concatenate([hole.missing.as_unit("ns").asi8 for hole in holes])
    missing = pd.DatetimeIndex(np.sort(stamps).view("M8[ns]"))
    if subject.index.tz is not None and missing.tz is None:
        missing = missing.tz_localize("UTC")
    definite = all(hole.definite for hole in holes)
    return Issue(
        kind="gap",
        severity="warning",
        certainty="definite" if definite else "suspected",
        score=1.0 if definite else float(np.mean([hole.score for hole in holes])),
        first=missing[0],
        last=missing[-1],
        count=len(missing),
        evidence=f"{text}; {_reason(subject, holes[0])}",
        proposal="by hand: fetch them again; prices are never made up",
        missing=missing,
        measures={"missing": float(len(missing)), "holes": float(len(holes))},
    )


def _without_rows(subject: Subject, hole: Hole) -> Hole:
    if subject.sound.all():
        return hole
    unsound = subject.stamps[~subject.sound & (subject.stamps != NAT)]
    if subject.is_daily:
        there: AnyArray = np.isin(hole.missing.to_numpy().astype("M8[D]"), dates_of(unsound, subject.zone))
    else:
        there = np.isin(hole.missing.as_unit("ns").asi8, unsound)
    return hole._replace(missing=hole.missing[~there])


def _reason(subject: Subject, hole: Hole) -> str:
    name = subject.calendar.name
    if hole.why == "habit":
        return "holes like this are rare in this series, and bars lie densely around it"
    if hole.why == "edge":
        return f"the session of {name} was longer"
    if hole.why == "custom":
        return "nearly all sessions begin or end at one time of the day, and this one does not"
    if not subject.calendar_known:
        return f"by weekdays alone; calendar= would know the holidays ({name} was read off the stamps)"
    if name == "24/7":
        return "the market never closes"
    return f"{name} was open" + ("" if subject.calendar_given else ", whose holidays these bars keep")


# --- whole sessions ---


def expected_sessions(subject: Subject, first: np.datetime64, last: np.datetime64) -> Dates1D:
    """Return the sessions of the calendar from one date to another, both included."""
    days = np.arange(first, last + np.timedelta64(1, "D"))
    sessions: Dates1D = np.unique(subject.calendar.next_session(days - np.timedelta64(1, "D")))
    return sessions[(sessions >= first) & (sessions <= last)]


def _missing_days(subject: Subject) -> Iterator[Hole]:
    interval = subject.interval
    if interval is not None and str(interval) != "1d":
        for place in np.flatnonzero(steps_of(subject) > 1):
            count = int(steps_of(subject)[place]) - 1
            ends = subject.dates[[place - 1, place]].astype("datetime64[ns]")
            stamps = pd.date_range(ends[0], ends[1], periods=count + 2)[1:-1].normalize()
            yield Hole(int(place) - 1, int(place), stamps, 0.9, False, "sessions")
        return
    dates = distinct(subject.dates)
    expected = expected_sessions(subject, dates[0], dates[-1])
    yield from _absent(subject, expected, dates)


def _missing_sessions(subject: Subject) -> Iterator[Hole]:
    if subject.calendar.name == "24/7":
        return
    sessions = distinct(_sessions_of(subject))
    expected = expected_sessions(subject, sessions[0], sessions[-1])
    yield from _absent(subject, expected, sessions)


def _absent(subject: Subject, expected: Dates1D, present: Dates1D) -> Iterator[Hole]:
    """Return the runs of expected sessions that have no bar."""
    if not subject.calendar_known:
        expected = expected[~_closed_everywhere(expected) | np.isin(expected, present)]
    absent = np.setdiff1d(expected, present)
    if not absent.size:
        return
    least = 1 if subject.calendar_known or absent.size < _NO_HOLIDAYS * expected.size else _UNKNOWN_HOLIDAYS
    order = np.searchsorted(expected, absent)
    parts = np.split(absent, np.flatnonzero(np.diff(order) > 1) + 1)
    for part in parts:
        if part.size < least:
            continue
        stamps = subject.dates if subject.is_daily else subject.times.view("M8[ns]").astype("datetime64[D]")
        after = int(min(np.searchsorted(stamps, part[-1], side="right"), subject.n - 1))
        before = int(max(np.searchsorted(stamps, part[0]) - 1, 0))
        sure = 0.95 if subject.calendar_known else 0.6 if part.size < 6 else 0.8
        definite = subject.calendar_given or subject.calendar.name == "24/7"
        yield Hole(before, after, pd.DatetimeIndex(part), 1.0 if definite else sure, definite, "sessions")


def _closed_everywhere(dates: Dates1D) -> Bool1D:
    """Return which dates are Christmas or New Year's Day: hardly a market trades then."""
    days = (dates - dates.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
    months = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1
    closed: Bool1D = ((months == 12) & (days == 25)) | ((months == 1) & (days == 1))
    return closed


def _sessions_of(subject: Subject) -> Dates1D:
    if "sessions" not in subject.memo:
        index = pd.DatetimeIndex(subject.times.view("M8[ns]")).tz_localize("UTC")
        subject.memo["sessions"] = subject.calendar.session_of(index)
    found: Dates1D = subject.memo["sessions"]
    return found


# --- inside sessions ---


def _holes_inside(subject: Subject) -> Iterator[Hole]:
    slots = slots_of(subject)
    wide = np.flatnonzero(slots > 1)
    length = (subject.interval.seconds or 1) * SECOND if subject.interval else SECOND
    inside = _is_inside(subject, wide)
    wide = wide[inside]
    wide = wide[~_is_break(subject, wide, slots[wide] - 1)]
    if wide.size:
        missing = slots[wide] - 1
        empty = _empty_around(subject, wide, missing, length)
        chance = np.power(empty, missing)
        others = _others_like_it(missing)
        counts = (others <= max(2.0, _RARE * subject.n)) & (chance < _UNLIKELY)
        counts &= _while_open(subject, wide)
        for place, unlikely, thin in zip(wide[counts], chance[counts], empty[counts] > _THIN, strict=True):
            stamps = np.arange(subject.times[place - 1] + length, subject.times[place], length)
            score = 0.6 if thin else 0.99 - 0.4 * float(unlikely / _UNLIKELY)
            yield Hole(int(place) - 1, int(place), pd.DatetimeIndex(stamps.view("M8[ns]")), score, False, "habit")
    yield from _short_sessions(subject, length)


def _is_inside(subject: Subject, wide: Int1D) -> Bool1D:
    """Return which holes lie inside a session; where the market hardly closes, all of less than a day."""
    if subject.calendar.hours_per_session >= _HARDLY_CLOSES:
        if subject.calendar.name == "24/7":
            return np.ones(wide.size, dtype=bool)
        short: Bool1D = subject.times[wide] - subject.times[wide - 1] < DAY
        return short
    sessions = _sessions_of(subject)
    same: Bool1D = sessions[wide] == sessions[wide - 1]
    return same


def _is_break(subject: Subject, wide: Int1D, missing: Int1D) -> Bool1D:
    """Return which holes begin, or end, at a time of day at which many sessions have one of about that length."""
    days = max(distinct(subject.times // DAY).size, 1)
    least = max(3.0, _BREAK_SHARE * days)
    recurs = np.zeros(wide.size, dtype=bool)
    for clock in (subject.times[wide - 1] % DAY, subject.times[wide] % DAY):
        values, counts = np.unique(clock, return_counts=True)
        for value in values[counts >= least]:
            here = np.flatnonzero(clock == value)
            usual = float(np.median(missing[here]))
            alike = (missing[here] <= 2.0 * usual) & (missing[here] >= 0.5 * usual)
            if usual >= _LEAST_BREAK and alike.sum() >= least:
                recurs[here[alike]] = True
    return recurs


def _others_like_it(missing: Int1D) -> Int1D:
    """Return for each hole how many others are at least a quarter as long."""
    ordered = np.sort(missing)
    return missing.size - np.searchsorted(ordered, np.maximum(missing / 4.0, 1.0)) - 1


def _while_open(subject: Subject, wide: Int1D) -> Bool1D:
    """Return which holes begin and end while the exchange trades, where its hours are known."""
    if not isinstance(subject.calendar, ExchangeCalendar):
        return np.ones(wide.size, dtype=bool)
    opens, closes = subject.calendar.trading_hours(_sessions_of(subject)[wide])
    opens_at, closes_at = (edge.astype("datetime64[ns]").astype(np.int64) for edge in (opens, closes))
    during: Bool1D = (subject.times[wide - 1] >= opens_at - HOUR) & (subject.times[wide] <= closes_at)
    return during


def _empty_around(subject: Subject, wide: Int1D, missing: Int1D, length: int) -> Float1D:
    """Return the share of slots around each hole that have no bar.

    It is drawn towards that of the whole series, which counts as much as
    `_WORTH` slots: a session alone is too short to show that every minute trades.
    """
    times = subject.times
    reach = _AROUND * length
    start, end = _edges_of_session(subject, wide)
    left = np.maximum(times[wide - 1] - reach, start)
    right = np.minimum(times[wide] + reach, end)
    bars = (wide - np.searchsorted(times, left)) + (np.searchsorted(times, right, side="right") - wide)
    slots = (times[wide - 1] - left) // length + 1 + (right - times[wide]) // length + 1
    usual = (missing.sum() - missing + 1.0) / (subject.n + missing.sum() + 2.0)
    empty = (np.maximum(slots - bars, 0) + _WORTH * usual) / (slots + _WORTH)
    share: Float1D = np.clip(empty, 1e-12, 1.0)
    return share


def _edges_of_session(subject: Subject, wide: Int1D) -> tuple[Int1D, Int1D]:
    """Return the stamps of the first and the last bar of the session that each hole lies in."""
    if subject.calendar.hours_per_session >= _HARDLY_CLOSES:
        return np.full(wide.size, subject.times[0]), np.full(wide.size, subject.times[-1])
    firsts = firsts_of(_sessions_of(subject))
    place = np.searchsorted(firsts, wide, side="right") - 1
    lasts = np.append(firsts[1:], subject.n) - 1
    return subject.times[firsts[place]], subject.times[lasts[place]]


def _short_sessions(subject: Subject, length: int) -> Iterator[Hole]:
    """Sessions that begin late or end early: by the hours of the exchange, or far below the usual number of bars."""
    sessions = _sessions_of(subject)
    firsts = firsts_of(sessions)
    dates = sessions[firsts]
    if dates.size < 5 or subject.calendar.name == "24/7":
        return
    lasts = np.append(firsts[1:], subject.n) - 1
    if isinstance(subject.calendar, ExchangeCalendar):
        yield from _against_hours(subject, subject.calendar.trading_hours(dates), firsts, lasts)
        return
    yield from _against_habit(subject, firsts, lasts, length)


def _against_hours(subject: Subject, hours: tuple[AnyArray, AnyArray], firsts: Int1D, lasts: Int1D) -> Iterator[Hole]:
    length = (subject.interval.seconds or 1) * SECOND if subject.interval else SECOND
    opens, closes = (edge.astype("datetime64[ns]").astype(np.int64) for edge in hours)
    late = (subject.times[firsts] - opens) / length
    early = (closes - subject.times[lasts] - length) / length
    size = (closes - opens) / length
    for edge, at_start in ((late, True), (early, False)):
        apart = edge - np.median(edge)  # a first bar may be stamped before the open by habit
        usual = 4.0 * float(np.quantile(np.maximum(apart, 0.0), 0.75))
        for place in np.flatnonzero((edge > 0.0) & (apart > usual + np.maximum(0.5, 0.02 * size))):
            if place in (0, firsts.size - 1):
                continue  # where the file begins and ends
            if at_start:
                yield _edge(subject, int(firsts[place]), opens[place], length, "edge", at_start=True)
            else:
                yield _edge(subject, int(lasts[place]), closes[place], length, "edge", at_start=False)


def _edge(subject: Subject, bar: int, edge: int, length: int, why: str, *, at_start: bool) -> Hole:
    """Return the bars that are missing between the edge of a session and its first or last bar."""
    if at_start:
        stamps = np.arange(subject.times[bar] - length, edge - length, -length)[::-1]
        return Hole(bar - 1, bar, pd.DatetimeIndex(stamps.view("M8[ns]")), 0.9, False, why)
    stamps = np.arange(subject.times[bar] + length, edge, length)
    return Hole(bar, bar + 1, pd.DatetimeIndex(stamps.view("M8[ns]")), 0.9, False, why)


def _against_habit(subject: Subject, firsts: Int1D, lasts: Int1D, length: int) -> Iterator[Hole]:
    """Where nearly all sessions begin, or end, at one time of the day: those that do so later, or earlier.

    A time that comes back is a custom of the market, such as closing early on the eve of a holiday.
    """
    for bars, at_start in ((firsts, True), (lasts, False)):
        zone = max(ZONES, key=lambda name: regularity(local(subject.times[bars], name) % DAY))
        clock = local(subject.times[bars], zone) % DAY
        values, counts = np.unique(clock, return_counts=True)
        usual = values[counts.argmax()]
        if counts.max() < _CUSTOM * clock.size:
            continue
        lacking = (clock - usual if at_start else usual - clock) // length
        odd = (lacking > 0) & (lacking * length < DAY // 2) & (counts[np.searchsorted(values, clock)] == 1)
        for place in np.flatnonzero(odd):
            if place in (0, bars.size - 1):
                continue
            bar, lack = int(bars[place]), int(lacking[place] * length)
            edge = subject.times[bar] - lack if at_start else subject.times[bar] + lack + length
            yield _edge(subject, bar, int(edge), length, "custom", at_start=at_start)


GAPS = Check("gaps", {"gap": "sessions or bars that are missing"}, find_gaps)
