"""Prices that stand still: bars repeated word for word, prices frozen, and opens that are copies of the close before.

In thin trading a price stands still honestly. What counts is the series' own habit: a run is reported if it is far
longer than runs of still bars would come about by chance, given how often a bar stands still in this series.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from algotrendy.data.quality.issue import Issue, Remedy, number, plural
from algotrendy.data.quality.registry import Check
from algotrendy.data.quality.scale import smallest_step
from algotrendy.data.quality.stamps import runs
from algotrendy.data.quality.subject import Subject
from algotrendy.domain.bars import BarArrays
from algotrendy.domain.faults import stamp_text
from algotrendy.domain.stale import find_stale_opens
from algotrendy.domain.types import Bool1D, Float1D, Int1D

_RUNS = 3.0
"""A run counts from three times the length of the longest that chance would bring; still bars come in clusters."""
_LEAST = 2.0
_FARTHER = (2, 3, 4, 5, 6)
"""No feed repeats the bar before the last: how often a bar equals one of these tells how often it does so by chance."""
_TIMES_CHANCE = 5.0
_TICKS = 12.0
"""Without volume to compare, bars of a few ticks repeat by chance: there are not many ways to draw them."""


def find_still(subject: Subject) -> Iterator[Issue]:
    """Find repeated bars, frozen prices and stale opens."""
    if subject.n < 10:
        return
    yield from _repeated(subject)
    yield from _frozen(subject)
    yield from _stale_opens(subject)


def _repeats(subject: Subject, lag: int) -> Bool1D:
    """Return which bars equal the one `lag` bars before in all prices, and in volume where there is any."""
    same: Bool1D = subject.high > subject.low
    same[:lag] = False
    columns = [subject.open, subject.high, subject.low, subject.close]
    if subject.has_volume:
        columns.append(subject.volume)
        same &= subject.volume > 0.0
    else:
        same &= subject.high - subject.low > _TICKS * smallest_step(subject.close)
    for column in columns:
        same[lag:] &= column[lag:] == column[:-lag]
    return same


def _repeated(subject: Subject) -> Iterator[Issue]:
    """Bars with a range that repeat the one before, more often than bars repeat the ones before that."""
    same = _repeats(subject, 1)
    if not same.any():
        return
    traded = subject.has_volume
    by_chance = float(np.mean([(_repeats(subject, lag) & ~same).sum() for lag in _FARTHER if lag < subject.n]))
    if runs(same)[0].size <= _TIMES_CHANCE * by_chance:
        return
    for start, length in zip(*runs(same), strict=True):
        rows = np.sort(subject.rows[start : start + length])
        first = int(rows[0])
        prices = ", ".join(number(float(getattr(subject, name)[start])) for name in ("open", "high", "low", "close"))
        yield Issue(
            kind="repeated",
            severity="warning",
            certainty="suspected",
            score=0.97 if traded else 0.8,
            evidence=f"{plural(int(length), 'bar')} from {stamp_text(subject.stamp(first))} equal to the one before in"
            f" all prices ({prices})" + (f" and in volume ({number(float(subject.volume[start]))})" if traded else ""),
            proposal="leave the copies out",
            remedy=Remedy(action="drop", rows=rows, seen=subject.seen),
            **subject.span(rows),
        )


def _frozen(subject: Subject) -> Iterator[Issue]:
    """Runs of bars that have no range and repeat the close before, longer than the habit of the series."""
    flat = np.zeros(subject.n, dtype=bool)
    close = subject.close
    flat[1:] = (subject.high[1:] == subject.low[1:]) & (close[1:] == close[:-1]) & (subject.open[1:] == close[:-1])
    if not flat.any():
        return
    starts, lengths = runs(flat)
    least = least_run(lengths, subject.n)
    share = float(flat.mean())
    for start, length, far in zip(starts, lengths, least, strict=True):
        empty = subject.has_volume and not (subject.volume[start : start + length] > 0.0).any()
        if length <= (far - 2.0 if empty else far):
            continue
        rows = subject.rows[start : start + length]
        yield Issue(
            kind="frozen",
            severity="warning",
            certainty="suspected",
            score=float(min(0.99, 1.0 - 0.5 * far / (length + 1.0))),
            evidence=f"{plural(int(length), 'bar')} in a row at {number(float(close[start]))}, the close before;"
            f" {share:.2%} of the bars stand still, by chance at most {int(far)} in a row"
            + ("; nothing traded" if empty else ""),
            proposal="by hand: a halt, or a feed that repeats its last price; leave these bars out of returns",
            measures={"longest_by_habit": float(far), "share": share},
            **subject.span(rows),
        )


def least_run(lengths: Int1D, n: int) -> Float1D:
    """Return for each run how long it must be to count, the others taken as the habit.

    The longest run among `n` trials of chance `p` is about ln n / -ln p; three times that and two more count.

    Examples
    --------
    >>> least_run(np.array([8]), 5000).round(1)
    array([5.])
    """
    others = lengths.sum() - lengths
    chance = np.clip((others + 1.0) / (n + 2.0), 1e-9, 0.999)
    least: Float1D = _LEAST + _RUNS * np.log(n + 2.0) / -np.log(chance)
    return least


def _stale_opens(subject: Subject) -> Iterator[Issue]:
    if not subject.is_daily:
        return
    index = subject.dates.astype("datetime64[ns]")
    arrays = BarArrays(subject.open, subject.high, subject.low, subject.close, subject.volume)
    found = find_stale_opens(pd.DatetimeIndex(index), arrays)
    if not found:
        return
    copies = np.zeros(subject.n, dtype=bool)
    copies[1:] = np.abs(subject.open[1:] - subject.close[:-1]) <= 1e-9 * subject.close[:-1]
    copies &= np.isin(subject.dates.astype("datetime64[Y]").astype(np.int64) + 1970, found.years)
    yield Issue(
        kind="stale_open",
        severity="warning",
        certainty="suspected",
        score=0.5 + 0.49 * found.share,
        evidence=f"{found}: there are no real opens then",
        proposal="by hand: decide and fill on closes in those years",
        columns=("open",),
        measures={"share": found.share},
        **subject.span(subject.rows[copies]),
    )


STILL = Check(
    "still",
    {
        "repeated": "a bar equal to the one before, word for word",
        "frozen": "prices that do not move for longer than is usual here",
        "stale_open": "opens that are copies of the close before, year after year",
    },
    find_still,
)
