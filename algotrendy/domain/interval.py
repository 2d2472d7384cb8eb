"""Intervals: how long a bar lasts, as text (`1s 5m 1h 1d 1wk 1mo`), as a value, and read off an index.

When a bar is known, and how many bars make a year, also depends on the calendar: see `domain.calendar`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.types import AnyArray, Dates1D, Int1D
from algotrendy.errors import InputError

IntervalUnit: TypeAlias = Literal["s", "m", "h", "d", "wk", "mo"]

SECONDS_OF: dict[str, int] = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "wk": 604_800}
_LONGER: dict[str, tuple[str, int]] = {"s": ("m", 60), "m": ("h", 60), "h": ("d", 24)}
_GRAMMAR = re.compile(r"(\d+)\s*(s|m|h|d|wk|mo)")
_GAPS_READ = 1_000
_WEEKDAYS = "1111100"


@dataclass(frozen=True, slots=True)
class Interval:
    """The length of a bar: a count and a unit, brought to the longest unit that says the same (`60m` is `1h`).

    Days are not brought to weeks: `7d` counts from 1970-01-01, `1wk` starts on Monday.

    Examples
    --------
    >>> Interval.parse("90m"), str(Interval.parse("60m")), Interval.parse("1d").is_intraday
    (Interval(count=90, unit='m'), '1h', False)
    """

    count: int
    unit: IntervalUnit

    def __post_init__(self) -> None:
        count, unit = self.count, str(self.unit)
        if count < 1 or (unit not in SECONDS_OF and unit != "mo"):
            raise InputError(f"interval {count}{unit} is not a length; expected such as 1s 5m 1h 1d 1wk 1mo")
        while unit in _LONGER and count % _LONGER[unit][1] == 0:
            count, unit = count // _LONGER[unit][1], _LONGER[unit][0]
        object.__setattr__(self, "count", count)
        object.__setattr__(self, "unit", unit)

    @classmethod
    def parse(cls, text: str | Interval) -> Interval:
        """Read an interval such as `5m`; an Interval is returned as it is.

        Raises
        ------
        InputError
            If the text is not a positive number followed by one of `s m h d wk mo`.
        """
        if isinstance(text, Interval):
            return text
        match = _GRAMMAR.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            raise InputError(
                f"{text!r} is not an interval; expected a number and one of s m h d wk mo, such as 1s 5m 1h 1d 1wk 1mo"
                " (m is minutes, mo is months)"
            )
        unit: Any = match[2]
        return cls(int(match[1]), unit)

    @property
    def is_intraday(self) -> bool:
        """Whether a bar lasts less than a day."""
        return self.unit in ("s", "m", "h")

    @property
    def seconds(self) -> int | None:
        """The length in seconds; None for months, which differ."""
        return None if self.unit == "mo" else self.count * SECONDS_OF[self.unit]

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def infer_interval(index: pd.DatetimeIndex) -> Interval:
    """Return the interval of bars with these stamps, read off the gaps between the first 1,001 of them.

    Only the beginning is read, so that bars added later do not change the answer. Weekends count for nothing where
    no bar lies on one, so Friday to Monday is one day.

    Parameters
    ----------
    index : DatetimeIndex of shape (n_bars,)
        Start stamps, ascending.

    Returns
    -------
    Interval
        The median gap if it is whole seconds and at least half of the gaps are multiples of it (so bars without
        trades may be absent), else the most common gap under the same condition.

    Raises
    ------
    InputError
        If there are fewer than two bars, or no gap fits: then say `interval=` in the call.

    Examples
    --------
    >>> str(infer_interval(pd.bdate_range("2024-03-01", periods=20)))
    '1d'
    >>> str(infer_interval(pd.date_range("2024-03-01", periods=20, freq="W-MON")))
    '1wk'
    """
    if len(index) < 2:
        raise InputError(
            f"an interval cannot be read off {len(index)} bar(s), it takes two; say it in the call, such as"
            ' interval="1d", or load a longer history'
        )
    head = index[: _GAPS_READ + 1]
    seconds = head.asi8 / _units_per_second(head)
    gaps = np.diff(seconds)
    typical = float(_middle(gaps))
    found = _whole_days(head) if typical >= SECONDS_OF["h"] * 23 else _intraday(gaps, typical)
    if found is None:
        raise InputError(
            f"the interval cannot be read off the times: the gaps run from {gaps.min():g} to {gaps.max():g} seconds,"
            f' the median is {typical:g}; say it in the call, such as interval="1m"'
        )
    return found


def _middle(gaps: AnyArray) -> Any:
    """Return the median, the lower one of two: always a gap that is there."""
    return np.sort(gaps)[(gaps.size - 1) // 2]


def _units_per_second(index: pd.DatetimeIndex) -> int:
    return {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[index.unit]


def _intraday(gaps: Any, typical: float) -> Interval | None:
    values, counts = np.unique(gaps, return_counts=True)
    for candidate in (typical, float(values[counts.argmax()])):
        if candidate >= 1.0 and candidate == int(candidate) and np.mean(gaps % candidate == 0.0) >= 0.5:
            return Interval(int(candidate), "s")
    return None


def _whole_days(index: pd.DatetimeIndex) -> Interval | None:
    dates = index.asi8.view(f"M8[{index.unit}]").astype("datetime64[D]")
    days = np.diff(dates).astype(np.int64)
    typical = int(_middle(days))
    if typical >= 28:
        return _months(dates)
    if typical >= 7:
        weeks = round(typical / 7)
        fits = np.mean(np.abs(days - 7 * weeks) <= 3) >= 0.5
        return Interval(weeks, "wk") if fits and typical % 7 == 0 else None
    if np.is_busday(dates, weekmask=_WEEKDAYS).all():
        days = np.busday_count(dates[:-1], dates[1:], weekmask=_WEEKDAYS)
        typical = int(_middle(days))
    return Interval(typical, "d") if typical >= 1 and np.mean(days % typical == 0) >= 0.5 else None


def _months(dates: Dates1D) -> Interval | None:
    gaps: Int1D = np.diff(dates.astype("datetime64[M]")).astype(np.int64)
    typical = int(_middle(gaps))
    return Interval(typical, "mo") if typical >= 1 and np.mean(gaps == typical) >= 0.5 else None
