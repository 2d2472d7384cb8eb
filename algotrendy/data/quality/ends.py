"""The interval that bars keep, and whether the last of them is finished."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.data.quality.issue import Issue, Remedy, number, plural
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.stamps import SECOND, runs
from algotrendy.data.quality.steps import slots_of
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.calendar import known_at
from algotrendy.domain.faults import stamp_text
from algotrendy.domain.types import Bool1D

_COARSE, _LEAST_RUN = 4, 6
"""So many longer steps in a row, each four times the interval at least and of one length, are another frequency."""
_ALIKE = 0.15
"""Months differ by so much; steps inside a day must be equal."""
_OFF_GRID = 0.05
"""Where more stamps than this leave the grid, there is none."""


def find_mixed(subject: Subject) -> Iterable[Issue] | str:
    """Find stretches of another frequency, and stamps off the grid of the interval."""
    if subject.interval is None or subject.n < 10:
        return "the interval cannot be told, or fewer than ten bars"
    off = list(_off_grid(subject))
    return [*_coarser(subject), *(off or _finer(subject))]


def _coarser(subject: Subject) -> Iterator[Issue]:
    slots = slots_of(subject)
    starts, lengths = runs(slots >= _COARSE)
    long = lengths >= _LEAST_RUN
    for start, length in zip(starts[long], lengths[long], strict=True):
        part = slots[start : start + length]
        alike = np.abs(part / np.median(part) - 1.0) <= (_ALIKE if subject.is_daily else 0.0)
        if alike.mean() < 0.8:
            continue
        rows = np.sort(subject.rows[max(start - 1, 0) : start + length])
        yield _issue(subject, rows, f"{plural(int(length), 'step')} in a row of about {int(np.median(part))} intervals")


def _finer(subject: Subject) -> Iterator[Issue]:
    interval = subject.interval
    if interval is None or subject.n < 2:
        return
    shortest = (interval.seconds or 28 * 86_400) * SECOND * (0.99 if interval.is_intraday else 0.6)
    if not interval.is_intraday and interval.unit == "d":
        shortest = 0.9 * 86_400 * SECOND
    close = np.flatnonzero(np.diff(subject.times) < shortest) + 1
    if close.size:
        rows = np.sort(subject.rows[close])
        yield _issue(subject, rows, f"{plural(close.size, 'bar')} sooner than {interval} after the one before")


def _issue(subject: Subject, rows: np.ndarray, what: str) -> Issue:
    return Issue(
        kind="mixed_interval",
        severity="error",
        certainty="suspected",
        score=0.9,
        evidence=f"{what}, in bars of {subject.interval}",
        proposal="by hand: keep one frequency; longer bars by algotrendy.domain.resample.resample_bars",
        **subject.span(rows),
    )


def _off_grid(subject: Subject) -> Iterator[Issue]:
    interval = subject.interval
    if interval is None or not interval.is_intraday:
        return
    phase = subject.times % ((interval.seconds or 1) * SECOND)
    values, counts = np.unique(phase, return_counts=True)
    off = phase != values[counts.argmax()]
    off[-1] = False  # that one may be unfinished
    if 0 < off.sum() <= _OFF_GRID * subject.n:
        rows = np.sort(subject.rows[off])
        yield Issue(
            kind="off_grid",
            severity="warning",
            certainty="definite",
            score=1.0,
            evidence=f"{plural(int(off.sum()), 'bar')} of {subject.n:,} start between the multiples of {interval}"
            " that the others keep",
            proposal="by hand: they overlap their neighbours, or are of another feed",
            **subject.span(rows),
        )


def find_unfinished(subject: Subject) -> Iterable[Issue] | str:
    """Find bars that are not complete: marked so, still running at `now`, or a last one that looks so."""
    if not subject.n:
        return "no bars"
    issues = list(_marked(subject))
    if issues or subject.interval is None:
        return issues
    last = subject.rows[[-1]]
    said = _running(subject) or _looks_unfinished(subject)
    if said is None:
        return []
    definite, evidence = said
    return [
        Issue(
            kind="unfinished",
            severity="warning",
            certainty="definite" if definite else "suspected",
            score=1.0 if definite else 0.7,
            evidence=evidence,
            proposal="leave it out until it is complete"
            if definite
            else "by hand: fetch it again when the session is over",
            remedy=Remedy(action="drop", rows=last, seen=subject.seen) if definite else None,
            **subject.span(last),
        )
    ]


def _marked(subject: Subject) -> Iterator[Issue]:
    labels = {str(label).lower(): label for label in subject.frame.columns}
    if "is_partial" not in labels:
        return
    marks: Any = subject.frame[labels["is_partial"]].astype("boolean")
    partial: Bool1D = marks.fillna(False).to_numpy(dtype=bool)
    rows = np.flatnonzero(partial)
    if rows.size:
        yield Issue(
            kind="unfinished",
            severity="warning",
            certainty="definite",
            score=1.0,
            evidence=f"{plural(rows.size, 'bar')} marked is_partial by the source",
            proposal="leave it out until it is complete",
            remedy=Remedy(action="drop", rows=rows, seen=subject.seen),
            **subject.span(rows),
        )


def _running(subject: Subject) -> tuple[bool, str] | None:
    if subject.now is None or subject.interval is None:
        return None
    stamp = subject.dates[-1].astype("datetime64[ns]") if subject.is_daily else subject.times[-1].view("M8[ns]")
    index = pd.DatetimeIndex([stamp])
    known = known_at(index if subject.is_daily else index.tz_localize("UTC"), subject.interval, subject.calendar)[0]
    if known <= subject.now:
        return None
    return True, f"the last bar is complete at {stamp_text(known)}, after {stamp_text(subject.now)}"


def _looks_unfinished(subject: Subject) -> tuple[bool, str] | None:
    if subject.n < 10 or subject.interval is None:
        return None
    if subject.interval.is_intraday:
        length = (subject.interval.seconds or 1) * SECOND
        phases = subject.times[-50:-1] % length
        if (phases == phases[0]).all() and subject.times[-1] % length != phases[0]:
            return False, f"the last bar starts between the multiples of {subject.interval} that the others keep"
    before, last = subject.volume[-21:-1], float(subject.volume[-1])
    if (before > 0.0).all() and last < 0.1 * float(np.median(before)) and last < 0.5 * float(before.min()):
        return False, (
            f"the last bar has volume {number(last)}; the {before.size} before it have"
            f" {number(float(before.min()))} at least, {number(float(np.median(before)))} in the middle"
        )
    return None


MIXED = Check(
    "interval",
    {"mixed_interval": "a stretch of another frequency", "off_grid": "stamps between those that the interval keeps"},
    find_mixed,
)
UNFINISHED = Check("last bar", {"unfinished": "a bar that is not complete"}, find_unfinished)
