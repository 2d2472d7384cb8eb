"""How far apart neighbouring bars are, counted in bars that could lie between them."""

from __future__ import annotations

import numpy as np

from algotrendy.data.quality.stamps import SECOND
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.calendar import ALWAYS_OPEN
from algotrendy.domain.types import Int1D

HOLE = 60
"""Sessions without a bar, a quarter of a year, after which the series may go on as another instrument."""


def steps_of(subject: Subject) -> Int1D:
    """Return for each bar of the clean series how many sessions lie between it and the bar before; 1 is the next.

    Bars of one session, and the first of all, have 1. Weekdays are counted, or days where the market never closes:
    holidays make no difference to what this is for.
    """
    if "steps" not in subject.memo:
        subject.memo["steps"] = _steps(subject)
    steps: Int1D = subject.memo["steps"]
    return steps


def _steps(subject: Subject) -> Int1D:
    dates = subject.dates
    if dates.size < 2:
        return np.ones(dates.size, dtype=np.int64)
    apart = np.diff(dates).astype(np.int64)
    if subject.calendar is not ALWAYS_OPEN and subject.calendar.name != "24/7":
        wide = np.flatnonzero(apart > 1)
        apart[wide] = np.busday_count(dates[:-1][wide], dates[1:][wide])
    if subject.is_daily and subject.interval is not None:
        length = {"d": 1.0, "wk": 5.0, "mo": 21.0}[subject.interval.unit] * subject.interval.count
        if subject.calendar.name == "24/7" and subject.interval.unit != "d":
            length *= 7.0 / 5.0
        apart = np.rint(apart / length).astype(np.int64)
    return np.append(1, np.maximum(apart, 1))


def slots_of(subject: Subject) -> Int1D:
    """Return for each bar how many intervals lie between its start and that of the bar before; 1 is the next.

    For bars of a day or longer these are `steps_of`.
    """
    if subject.interval is None or subject.is_daily:
        return steps_of(subject)
    if subject.n < 2:
        return np.ones(subject.n, dtype=np.int64)
    length = (subject.interval.seconds or 1) * SECOND
    return np.append(1, np.maximum(np.diff(subject.times) // length, 1))
