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
from algotrendy.data.quality.stamps import DAY, SECOND
from algotrendy.data.quality.steps import slots_of, steps_of
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.exchange import ExchangeCalendar
from algotrendy.domain.faults import stamp_text
from algotrendy.domain.types import AnyArray, Bool1D, Dates1D, Float1D, Int1D

TOLD_MAX = 100
"""So many holes are told one by one, the longest; the others in one issue."""
_UNKNOWN_HOLIDAYS = 4
"""Where holidays are not known, so many weekdays in a row count: fewer may be Christmas or a lunar new year."""
_RARE = 0.001
_UNLIKELY = 0.005
_AROUND = 120
_BREAK_SHARE = 0.2
"""A hole at the same time of day on a fifth of the sessions is a break of the market."""


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
    holes.sort(key=lambda hole: -len(hole.missing))
    told, rest = holes[:TOLD_MAX], holes[TOLD_MAX:]
    for hole in sorted(told, key=lambda hole: hole.before):
        before, after = (stamp_text(subject.at(subject.times[place])) for place in (hole.before, hole.after))
        noun = "bar" if not subject.is_daily and hole.why != "sessions" else "session"
        yield _issue(subject, [hole], f"{plural(len(hole.missing), noun)} missing between {before} and {after}")
    if rest:
        count = sum(len(hole.missing) for hole in rest)
        text = f"{plural(count, 'bar')} missing in {len(rest):,} more holes, none longer than those told one by one"
        yield _issue(subject, rest, text)


def _issue(subject: Subject, holes: list[Hole], text: str) -> Issue:
    missing = holes[0].missing
    for hole in holes[1:]:
        missing = missing.append(hole.missing)
    missing = missing.sort_values()
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


def _reason(subject: Subject, hole: Hole) -> str:
    name = subject.calendar.name
    if hole.why == "habit":
        return "holes like this are rare in this series, and bars lie densely around it"
    if hole.why == "edge":
        return f"the session of {name} was longer"
    if not subject.calendar_known:
        return f"by weekdays alone; calendar= would know the holidays ({name} was read off the stamps)"
    return "the market never closes" if name == "24/7" else f"{name} was open"


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
    dates = np.unique(subject.dates)
    expected = expected_sessions(subject, dates[0], dates[-1])
    yield from _absent(subject, expected, dates)


def _missing_sessions(subject: Subject) -> Iterator[Hole]:
    if subject.calendar.name == "24/7":
        return
    sessions = np.unique(_sessions_of(subject))
    expected = expected_sessions(subject, sessions[0], sessions[-1])
    yield from _absent(subject, expected, sessions)


def _absent(subject: Subject, expected: Dates1D, present: Dates1D) -> Iterator[Hole]:
    """Return the runs of expected sessions that have no bar."""
    absent = np.setdiff1d(expected, present)
    if not absent.size:
        return
    order = np.searchsorted(expected, absent)
    parts = np.split(absent, np.flatnonzero(np.diff(order) > 1) + 1)
    for part in parts:
        if not subject.calendar_known and part.size < _UNKNOWN_HOLIDAYS:
            continue
        stamps = subject.dates if subject.is_daily else subject.times.view("M8[ns]").astype("datetime64[D]")
        after = int(min(np.searchsorted(stamps, part[-1], side="right"), subject.n - 1))
        before = int(max(np.searchsorted(stamps, part[0]) - 1, 0))
        score = 1.0 if subject.calendar_known else 0.6 if part.size < 6 else 0.8
        yield Hole(before, after, pd.DatetimeIndex(part), score, subject.calendar_known, "sessions")


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
    wide = wide[~_is_break(subject, wide)]
    if wide.size:
        missing = slots[wide] - 1
        chance = _chance(subject, wide, missing, length)
        others = _others_like_it(missing)
        counts = (others <= max(2.0, _RARE * subject.n)) & (chance < _UNLIKELY)
        for place, unlikely in zip(wide[counts], chance[counts], strict=True):
            stamps = np.arange(subject.times[place - 1] + length, subject.times[place], length)
            score = 0.99 - 0.4 * float(unlikely / _UNLIKELY)
            yield Hole(int(place) - 1, int(place), pd.DatetimeIndex(stamps.view("M8[ns]")), score, False, "habit")
    yield from _short_sessions(subject, length)


def _is_inside(subject: Subject, wide: Int1D) -> Bool1D:
    """Return which holes lie inside a session; where the market hardly closes, all that are shorter than a day."""
    if subject.calendar.hours_per_session >= 20.0:
        whole = subject.times[wide] - subject.times[wide - 1] < DAY
        return whole | (np.full(wide.size, subject.calendar.name == "24/7"))
    sessions = _sessions_of(subject)
    return sessions[wide] == sessions[wide - 1]


def _is_break(subject: Subject, wide: Int1D) -> Bool1D:
    """Return which holes begin, or end, at a time of day at which many sessions have one."""
    days = max(np.unique(subject.times // DAY).size, 1)
    least = max(3.0, _BREAK_SHARE * days)
    recurs = np.zeros(wide.size, dtype=bool)
    for clock in (subject.times[wide - 1] % DAY, subject.times[wide] % DAY):
        _, where, counts = np.unique(clock, return_inverse=True, return_counts=True)
        recurs |= counts[where] >= least
    return recurs


def _others_like_it(missing: Int1D) -> Int1D:
    """Return for each hole how many others are at least a quarter as long."""
    ordered = np.sort(missing)
    return missing.size - np.searchsorted(ordered, np.maximum(missing / 4.0, 1.0)) - 1


def _chance(subject: Subject, wide: Int1D, missing: Int1D, length: int) -> Float1D:
    """Return how likely it is that so many bars in a row have no trade, given how many around have one."""
    times = subject.times
    reach = _AROUND * length
    first = np.searchsorted(times, times[wide - 1] - reach)
    last = np.searchsorted(times, times[wide] + reach, side="right")
    bars = (wide - first) + (last - wide)
    # Slots that the series reaches at all, so that the ends of the file do not count as holes.
    slots = np.minimum(times[wide - 1] - np.maximum(times[0], times[wide - 1] - reach), reach) // length + 1
    slots += np.minimum(np.minimum(times[-1], times[wide] + reach) - times[wide], reach) // length + 1
    filled = (bars + 1.0) / (slots + 2.0)
    chance: Float1D = np.power(np.clip(1.0 - filled, 1e-12, 1.0), missing)
    return chance


def _short_sessions(subject: Subject, length: int) -> Iterator[Hole]:
    """Sessions that begin late or end early: by the hours of the exchange, or far below the usual number of bars."""
    sessions = _sessions_of(subject)
    dates, firsts = np.unique(sessions, return_index=True)
    if dates.size < 5 or subject.calendar.name == "24/7":
        return
    lasts = np.append(firsts[1:], subject.n) - 1
    if isinstance(subject.calendar, ExchangeCalendar):
        yield from _against_hours(subject, subject.calendar.trading_hours(dates), firsts, lasts)
        return
    counts = (lasts - firsts + 1)[1:-1]
    if counts.size < 10:
        return
    for place in np.flatnonzero(counts < 0.4 * np.quantile(counts, 0.1)) + 1:
        lacking = int(np.median(counts) - counts[place - 1])
        start = subject.times[lasts[place]] + length
        stamps = pd.DatetimeIndex((start + length * np.arange(lacking)).view("M8[ns]"))
        yield Hole(int(lasts[place]), int(lasts[place]) + 1, stamps, 0.6, False, "habit")


def _against_hours(
    subject: Subject, hours: tuple[AnyArray, AnyArray], firsts: Int1D, lasts: Int1D
) -> Iterator[Hole]:
    length = (subject.interval.seconds or 1) * SECOND if subject.interval else SECOND
    opens, closes = (edge.astype("datetime64[ns]").astype(np.int64) for edge in hours)
    late = (subject.times[firsts] - opens) / length
    early = (closes - subject.times[lasts] - length) / length
    size = (closes - opens) / length
    for edge, at_start in ((late, True), (early, False)):
        usual = 3.0 * max(float(np.quantile(np.maximum(edge, 0.0), 0.9)), 0.0)
        for place in np.flatnonzero(edge > usual + np.maximum(0.5, 0.02 * size)):
            if place in (0, firsts.size - 1):
                continue  # where the file begins and ends
            if at_start:
                stamps = np.arange(opens[place], subject.times[firsts[place]], length)
                ends = int(firsts[place]) - 1, int(firsts[place])
            else:
                stamps = np.arange(subject.times[lasts[place]] + length, closes[place], length)
                ends = int(lasts[place]), int(lasts[place]) + 1
            yield Hole(*ends, pd.DatetimeIndex(stamps.view("M8[ns]")), 0.9, False, "edge")


GAPS = Check("gaps", {"gap": "sessions or bars that are missing"}, find_gaps)
