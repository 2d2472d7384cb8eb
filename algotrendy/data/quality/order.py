"""Faults of the rows' stamps: missing, out of order, twice, or in a zone that the house does not keep."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from algotrendy.data.quality.issue import Issue, Remedy, number, plural
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.stamps import NAT
from algotrendy.data.quality.subject import Subject, kept_of_doubles
from algotrendy.domain.faults import stamp_text
from algotrendy.domain.types import Int1D

_UTC = frozenset({"UTC", "Etc/UTC", "tzutc()", "UTC+00:00"})


def find_order(subject: Subject) -> Iterator[Issue]:
    """Find rows without a stamp, rows out of order and stamps that come twice."""
    yield from _missing(subject)
    yield from _unsorted(subject)
    yield from _doubles(subject)


def find_zone_faults(subject: Subject) -> Iterator[Issue]:
    """Find an index that is not kept as the house keeps it: dates for daily bars, UTC for intraday ones."""
    index = subject.index
    if not len(index):
        return
    rows = np.arange(len(index))
    daily = subject.zone is not None and (subject.is_daily or subject.interval is None)
    if daily and (index.tz is not None or not index.is_normalized):
        yield _zone_issue(subject, rows, f"the stamps are midnights in {subject.zone}", "to_dates")
    elif index.tz is not None and str(index.tz) not in _UTC:
        yield _zone_issue(subject, rows, f"the times are in zone {index.tz}", "to_utc")
    elif index.tz is None and not daily and not index.is_normalized:
        evidence = "the bars are intraday but their times have no zone; they were read as UTC"
        say = 'by hand: say which it is, such as bars.tz_localize("America/New_York").tz_convert("UTC")'
        yield Issue(
            kind="time_zone", severity="warning", certainty="definite", score=1.0, evidence=evidence, proposal=say,
            **subject.span(rows),
        )  # fmt: skip


def _zone_issue(subject: Subject, rows: Int1D, evidence: str, action: str) -> Issue:
    to_dates = action == "to_dates"
    return Issue(
        kind="time_zone",
        severity="info",
        certainty="definite",
        score=1.0,
        evidence=evidence + ("; daily bars carry their date without a zone" if to_dates else ""),
        proposal="turn the stamps into dates" if to_dates else "convert the stamps to UTC",
        remedy=Remedy(
            action="to_dates" if to_dates else "to_utc", rows=rows, seen=subject.seen, zone=subject.zone or "UTC"
        ),
        **subject.span(rows),
    )


def _missing(subject: Subject) -> Iterator[Issue]:
    rows = np.flatnonzero(subject.stamps == NAT)
    if rows.size:
        yield Issue(
            kind="missing_time",
            severity="error",
            certainty="definite",
            score=1.0,
            evidence=f"{plural(rows.size, 'row')} of {len(subject.stamps):,} without a stamp, first row {rows[0]}",
            proposal="leave the rows out",
            remedy=Remedy(action="drop", rows=rows, seen=subject.seen),
            **subject.span(rows),
        )


def _unsorted(subject: Subject) -> Iterator[Issue]:
    known = np.flatnonzero(subject.stamps != NAT)
    stamps = subject.stamps[known]
    if stamps.size < 2 or not (stamps[1:] < stamps[:-1]).any():
        return
    backwards = np.flatnonzero(stamps[1:] < stamps[:-1]) + 1
    place = int(known[backwards[0]])
    whole = backwards.size >= 0.9 * (stamps.size - 1)
    what = "newest first" if whole else f"out of order in {plural(backwards.size, 'place')}"
    yield Issue(
        kind="unsorted",
        severity="warning",
        certainty="definite",
        score=1.0,
        evidence=f"the rows are {what}: row {place} ({stamp_text(subject.stamp(place))}) comes after"
        f" {stamp_text(subject.stamp(int(known[backwards[0] - 1])))}",
        proposal="sort the rows by time, those with one stamp as they come",
        remedy=Remedy(action="sort", rows=known, seen=subject.seen),
        **(subject.span(known[backwards]) | {"count": 1 if whole else int(backwards.size)}),
    )


def _doubles(subject: Subject) -> Iterator[Issue]:
    rows = np.flatnonzero(subject.stamps != NAT)
    stamps = subject.stamps[rows]
    if stamps.size > 1 and (stamps[1:] < stamps[:-1]).any():
        rows = rows[np.argsort(stamps, kind="stable")]
        stamps = subject.stamps[rows]
    if stamps.size < 2 or not (stamps[1:] == stamps[:-1]).any():
        return
    # A row that holds no price never stands for its stamp where another one does.
    worth = np.where(subject.sound[rows], np.nan_to_num(subject.columns["volume"][rows], nan=0.0, posinf=0.0), -2.0)
    kept = kept_of_doubles(stamps, worth)
    stands = np.repeat(rows[kept], np.diff(np.append(np.unique(stamps, return_index=True)[1], stamps.size)))
    extra = rows != stands
    alike = np.ones(rows.size, dtype=bool)
    for column in subject.columns.values():
        ours, theirs = column[rows], column[stands]
        alike &= (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    for same in (True, False):
        found = extra & (alike == same)
        if found.any():
            yield _double_issue(subject, rows[found], stands[found], same=same)


def _double_issue(subject: Subject, rows: Int1D, stands: Int1D, *, same: bool) -> Issue:
    if same:
        evidence = f"{plural(rows.size, 'row')} repeated word for word under the same stamp"
        measures: dict[str, float] = {}
    else:
        close = subject.columns["close"]
        apart = np.abs(close[rows] / np.where(close[stands] == 0.0, np.nan, close[stands]) - 1.0)
        largest = float(np.nanmax(apart)) if np.isfinite(apart).any() else 0.0
        first = int(rows[0])
        evidence = (
            f"{plural(rows.size, 'row')} under a stamp that has another row with other values;"
            f" first {stamp_text(subject.stamp(first))}: close {number(close[first])} and {number(close[stands[0]])},"
            f" closes differ by up to {largest:.2%}"
        )
        measures = {"largest_difference": largest}
    return Issue(
        kind="duplicate",
        severity="warning" if same else "error",
        certainty="definite",
        score=1.0,
        evidence=evidence,
        proposal="keep one row of each stamp" + ("" if same else ": that with the most volume, of equals the last"),
        measures=measures,
        remedy=Remedy(action="drop_double", rows=rows, seen=subject.seen),
        **subject.span(rows),
    )


def find_weekday_slip(subject: Subject) -> Iterator[Issue]:
    """Find daily bars whose dates are a day off: Sundays in place of Fridays, or Saturdays in place of Mondays."""
    if not subject.is_daily or subject.n < 20 or subject.interval is None or str(subject.interval) != "1d":
        return
    if subject.zone != "UTC" and subject.zone is not None:
        return  # midnights of a place: the dates are those of its calendar
    weekday = (subject.dates.astype(np.int64) + 3) % 7
    counts = np.bincount(weekday, minlength=7)
    usual = float(np.median(counts[counts > 0]))
    if (counts > 0).sum() != 5:
        return
    for missing, extra, days in ((4, 6, 1), (0, 5, -1)):
        held = subject.calendar_given and _holds_session(subject, extra)
        if counts[missing] == 0 and counts[extra] > 0.5 * usual and not held:
            yield _weekday_issue(subject, extra, missing, days, int(counts[extra]))


def _weekday_issue(subject: Subject, extra: int, missing: int, days: int, count: int) -> Issue:
    names = [f"{pd.Timestamp('1970-01-05') + pd.Timedelta(days=day):%A}" for day in (extra, missing)]
    rows = np.flatnonzero(subject.stamps != NAT)
    # Some markets trade from Sunday to Thursday; none does from Tuesday to Saturday.
    sure = extra == 5
    return Issue(
        kind="time_shift",
        severity="error" if sure else "warning",
        certainty="suspected",
        score=0.95 if sure else 0.6,
        evidence=f"{plural(count, 'bar')} on a {names[0]}, none on a {names[1]}: the dates are a day"
        f" {'early' if days > 0 else 'late'}, as midnights of another zone are"
        + ("" if sure else "; or the market trades from Sunday to Thursday"),
        proposal=f"move every stamp by {days:+d} day"
        if sure
        else 'by hand: if it is no market of that week, bars.index = bars.index + pd.Timedelta("1D")',
        measures={"hours": -24.0 * days},
        remedy=Remedy(action="shift", rows=rows, seen=subject.seen, values=np.array([[24.0 * days]])) if sure else None,
        **subject.span(subject.rows),
    )


def _holds_session(subject: Subject, weekday: int) -> bool:
    """Whether the calendar has sessions on this day of the week."""
    days = subject.dates[0] + np.arange(14)
    sessions = subject.calendar.next_session(days)
    return bool(((sessions.astype(np.int64) + 3) % 7 == weekday).any())


ORDER = Check(
    "order",
    {
        "missing_time": "a row without a stamp",
        "unsorted": "rows that are not oldest first",
        "duplicate": "a stamp that comes twice",
    },
    find_order,
)
ZONE = Check("time zone", {"time_zone": "stamps in a zone, or intraday stamps without one"}, find_zone_faults)
