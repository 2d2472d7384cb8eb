"""Longer bars from shorter ones, and which of them is complete when, without looking ahead.

Days begin at midnight UTC, or at the turn of the session where a calendar is given; weeks on Monday; months on the
1st; two or more days, weeks or months are counted from 1970; shorter periods from midnight UTC of their day.

A long bar counts as complete at a base bar when a bar that starts as this one ends must belong to a later period.
Without a calendar every day may bring a bar, so a week of five daily bars is complete at the first bar of the next
week. With a calendar that has no session left in the week, it is complete at its last bar.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from algotrendy.domain.bars import BarArrays, checked_arrays, frame_of
from algotrendy.domain.calendar import ALWAYS_OPEN, Calendar, bars_end, known_instants, utc_stamps
from algotrendy.domain.faults import stamp_text
from algotrendy.domain.interval import Interval, infer_interval
from algotrendy.domain.types import AnyArray, Bool1D, Dates1D, Int1D
from algotrendy.errors import InputError

__all__ = ["Periods", "Resampled", "ResampledArrays", "periods_of", "resample_arrays", "resample_bars"]

_SECONDS_PER_DAY = 86_400
_FIRST_MONDAY = 4  # days since 1970-01-01, a Thursday


class Resampled(NamedTuple):
    """Long bars as a DataFrame, and how they lie over the base bars; see `resample_bars`."""

    bars: pd.DataFrame
    last: Int1D
    known: Int1D


class ResampledArrays(NamedTuple):
    """Long bars as arrays, and how they lie over the base bars; see `resample_arrays`."""

    starts: pd.DatetimeIndex
    bars: BarArrays
    last: Int1D
    known: Int1D


class Periods(NamedTuple):
    """For each bar or trade: the period it lies in, `datetime64` in UTC, and whether it completes it; `periods_of`."""

    starts: AnyArray
    ends: AnyArray
    complete: Bool1D


def resample_bars(
    bars: pd.DataFrame,
    rule: str | Interval,
    *,
    interval: str | Interval | None = None,
    calendar: Calendar | None = None,
) -> Resampled:
    """Return longer bars, and for each base bar the newest long bar that is complete when it ends.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, >= 4)
        Sound base bars; volume counts as zeros if there is none.
    rule : str or Interval
        The length of the long bars, such as `1h`, `1d`, `1wk`, `1mo`. Whole base bars must fit into it.
    interval : str or Interval, optional
        The length of the base bars; read off their stamps if not given.
    calendar : Calendar, optional
        Decides to which day a bar belongs and which day is the last of a week or a month. Without one, days are UTC
        days and every day may have bars.

    Returns
    -------
    bars : DataFrame of shape (n_long, 5)
        Stamped with the start of their period: a date without a zone from `1d` on, else UTC. The last row may be
        unfinished.
    last : int64 array of shape (n_long,)
        The position of the last base bar inside each long bar.
    known : int64 array of shape (n_bars,)
        The row of the newest long bar that is complete at the end of each base bar; -1: none yet. Bars added later
        never change it, nor any row that it points at.

    Raises
    ------
    InputError
        If the bars are not sound, the rule is shorter than the base bars or does not hold whole ones, or base bars
        overlap.

    Examples
    --------
    >>> days = pd.bdate_range("2024-03-04", periods=7)  # Monday to Friday, Monday, Tuesday
    >>> close = np.arange(1.0, 8.0)
    >>> bars = pd.DataFrame({"open": close, "high": close, "low": close, "close": close}, index=days)
    >>> weekly = resample_bars(bars, "1wk")
    >>> weekly.bars["close"].tolist(), weekly.last.tolist(), weekly.known.tolist()
    ([5.0, 7.0], [4, 6], [-1, -1, -1, -1, -1, 0, 0])
    """
    arrays = checked_arrays(bars)
    index = pd.DatetimeIndex(bars.index)
    found = resample_arrays(index, arrays, rule, interval=interval, calendar=calendar)
    return Resampled(frame_of(found.starts, found.bars), found.last, found.known)


def resample_arrays(
    index: pd.DatetimeIndex,
    bars: BarArrays,
    rule: str | Interval,
    *,
    interval: str | Interval | None = None,
    calendar: Calendar | None = None,
) -> ResampledArrays:
    """Do what `resample_bars` does for arrays that have been checked and taken out already.

    NaN in a price makes that price of its long bar NaN.
    """
    rule = Interval.parse(rule)
    base = infer_interval(index) if interval is None else Interval.parse(interval)
    _check_fit(base, rule)
    stamps = utc_stamps(index)
    _check_overlap(index, stamps, base)
    if rule.is_intraday:
        firsts, starts, complete = _short_periods(stamps, rule, base)
    else:
        firsts, starts, complete = _long_periods(index, rule, base, calendar or ALWAYS_OPEN)
    last = np.append(firsts[1:], len(index)).astype(np.int64)[: firsts.size] - 1
    row = np.repeat(np.arange(firsts.size, dtype=np.int64), np.diff(firsts, append=len(index)))
    known = row - 1 + complete
    stamped = pd.DatetimeIndex(starts.astype(stamps.dtype), name="time")
    if rule.is_intraday:
        stamped = stamped.tz_localize("UTC")
    return ResampledArrays(stamped, _reduced(bars, firsts, last), last, known)


def periods_of(
    index: pd.DatetimeIndex, rule: str | Interval, *, interval: str | Interval | None, calendar: Calendar | None = None
) -> Periods:
    """Return the period of each bar, or of each instant, on its own: it depends on no other row.

    Parameters
    ----------
    index : DatetimeIndex of shape (n,)
        Start stamps of bars, or instants, ascending; stamps may repeat.
    rule : str or Interval
        The length of the periods.
    interval : str, Interval or None
        The length of the bars; None: the rows are instants, such as trades, which complete no period.
    calendar : Calendar, optional
        As for `resample_bars`.

    Returns
    -------
    Periods
        Arrays of shape (n,). A period ends where the next begins, at the close of its last session if a calendar with
        hours is given. A row completes its period if a bar that starts as this one ends must belong to a later one.

    Raises
    ------
    InputError
        If whole bars do not fit into the rule.

    Examples
    --------
    >>> periods = periods_of(pd.date_range("2024-03-01", periods=3, freq="2min", tz="UTC"), "4m", interval="2m")
    >>> periods.complete.tolist(), str(periods.ends[2])[11:16]
    ([False, True, False], '00:08')
    """
    rule = Interval.parse(rule)
    base = None if interval is None else Interval.parse(interval)
    if base is not None:
        _check_fit(base, rule)
    stamps = utc_stamps(index)
    if not stamps.size:
        return Periods(stamps, stamps, np.zeros(0, dtype=bool))
    if rule.is_intraday:
        starts = _floor(stamps, rule)
        midnight = (starts.astype("datetime64[D]") + 1).astype(stamps.dtype)
        ends = np.minimum(known_instants(starts, rule, None), midnight)
        after = starts if base is None else _floor(known_instants(stamps, base, None), rule)
        return Periods(starts, ends, after != starts)
    chosen = calendar or ALWAYS_OPEN
    dates_alone = base is not None and not base.is_intraday and index.is_normalized
    sessions, first_bars = chosen.split(index.tz_localize(None) if dates_alone else index)
    number = np.repeat(_period_number(sessions, rule), np.diff(first_bars, append=len(index)))
    starts = _period_start(number, rule).astype(stamps.dtype)
    ends = known_instants(starts, rule, chosen)
    if base is None:
        return Periods(starts, ends, np.zeros(len(index), dtype=bool))
    return Periods(starts, ends, _long_periods(index, rule, base, chosen)[2])


def _reduced(bars: BarArrays, firsts: Int1D, last: Int1D) -> BarArrays:
    if not firsts.size:
        return bars
    return BarArrays(
        bars.open[firsts],
        np.maximum.reduceat(bars.high, firsts),
        np.minimum.reduceat(bars.low, firsts),
        bars.close[last],
        np.add.reduceat(bars.volume, firsts),
    )


def _short_periods(stamps: AnyArray, rule: Interval, base: Interval) -> tuple[Int1D, AnyArray, Bool1D]:
    """Return for periods within a day: where each begins in the bars, its start, and which bars complete theirs."""
    starts = _floor(stamps, rule)
    firsts = np.flatnonzero(np.append(True, starts[1:] != starts[:-1])[: starts.size]).astype(np.int64)
    complete = _floor(known_instants(stamps, base, None), rule) != starts
    return firsts, starts[firsts], complete


def _floor(stamps: AnyArray, rule: Interval) -> AnyArray:
    """Return the start of the period, counted from midnight UTC of the day, that each stamp lies in."""
    per_second = np.timedelta64(1, "s").astype(stamps.dtype.str.replace("M", "m")).astype(np.int64)
    ticks = stamps.view(np.int64)
    length = np.int64((rule.seconds or 1) * per_second)
    day = np.int64(_SECONDS_PER_DAY * per_second)
    if day % length == 0:
        return (ticks // length * length).view(stamps.dtype)
    midnight = ticks // day * day
    return (midnight + (ticks - midnight) // length * length).view(stamps.dtype)


def _long_periods(
    index: pd.DatetimeIndex, rule: Interval, base: Interval, calendar: Calendar
) -> tuple[Int1D, Dates1D, Bool1D]:
    """Return for periods of whole days: where each begins in the bars, its start, and which bars complete theirs."""
    dates_alone = index.is_normalized and not base.is_intraday
    sessions, first_bars = calendar.split(index.tz_localize(None) if dates_alone else index)
    number = _period_number(sessions, rule)
    changes = np.append(True, number[1:] != number[:-1])[: number.size]
    per_bar = np.repeat(number, np.diff(first_bars, append=len(index)))
    if dates_alone:
        dates = utc_stamps(index).astype("datetime64[D]")
        after = _period_number(calendar.next_session(bars_end(dates, base) - 1), rule)
    else:
        ends = pd.DatetimeIndex(known_instants(utc_stamps(index), base, calendar)).tz_localize("UTC")
        sessions_after, firsts_after = calendar.split(ends)
        after = np.repeat(_period_number(sessions_after, rule), np.diff(firsts_after, append=len(index)))
    return first_bars[changes], _period_start(number[changes], rule), after != per_bar


def _period_number(dates: Dates1D, rule: Interval) -> Int1D:
    if rule.unit == "mo":
        return dates.astype("datetime64[M]").astype(np.int64) // rule.count
    days: Int1D = dates.astype(np.int64)
    if rule.unit == "wk":
        return (days - _FIRST_MONDAY) // (7 * rule.count)
    return days // rule.count


def _period_start(number: Int1D, rule: Interval) -> Dates1D:
    if rule.unit == "mo":
        return (number * rule.count).astype("datetime64[M]").astype("datetime64[D]")
    if rule.unit == "wk":
        return (number * 7 * rule.count + _FIRST_MONDAY).astype("datetime64[D]")
    return (number * rule.count).astype("datetime64[D]")


def _check_fit(base: Interval, rule: Interval) -> None:
    """Refuse a rule into which whole base bars do not fit."""
    day = _SECONDS_PER_DAY
    if rule.unit == "mo":
        fits = rule.count % base.count == 0 if base.unit == "mo" else (base.seconds or 0) <= day
    elif base.unit == "mo":
        fits = False
    else:
        fits = (rule.seconds or 0) % (base.seconds or 1) == 0
        fits = fits and (base.unit != "d" or base.count == 1 or rule.unit == "d")
    if not fits:
        raise InputError(
            f"bars of {base} do not make bars of {rule}: whole ones must fit into it; choose a longer interval"
            f" such as {_doubled(base)}, or load shorter bars"
        )


def _doubled(base: Interval) -> Interval:
    return Interval(base.count * 2, base.unit)


def _check_overlap(index: pd.DatetimeIndex, stamps: AnyArray, base: Interval) -> None:
    if base.unit in ("wk", "mo") or stamps.size < 2:
        return
    length = np.timedelta64(base.seconds or 0, "s")
    gaps = np.diff(stamps if base.is_intraday else stamps.astype("datetime64[D]"))
    rows = np.flatnonzero(gaps < length.astype(gaps.dtype))
    if rows.size:
        row = int(rows[0]) + 1
        raise InputError(
            f"bars of {base} overlap in {rows.size} places, first at {stamp_text(index[row])} (row {row}), where the"
            f" one before began {stamp_text(index[row - 1])}; say the true interval in the call, or drop the odd bars"
        )
