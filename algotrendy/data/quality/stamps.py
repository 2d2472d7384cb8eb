"""Stamps as nanoseconds in UTC: what interval they keep, in which zone they are midnights, which dates they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from algotrendy.domain.interval import Interval, infer_interval
from algotrendy.domain.types import Bool1D, Dates1D, Int1D
from algotrendy.errors import InputError

NAT = np.iinfo(np.int64).min
SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR

ZONES = (
    "UTC", "America/New_York", "America/Chicago", "Europe/London", "Europe/Berlin", "Asia/Tokyo", "Asia/Hong_Kong",
    "Asia/Kolkata", "Australia/Sydney", "America/Sao_Paulo", "Africa/Johannesburg", "Asia/Jerusalem",
)  # fmt: skip
"""Zones that are tried where stamps are midnights of a place that is not named: those of the large markets."""

_BLOCK = 64


def instants_of(index: pd.DatetimeIndex) -> Int1D:
    """Return stamps as nanoseconds in UTC; those without a zone are taken as UTC.

    Examples
    --------
    >>> instants_of(pd.DatetimeIndex(["1970-01-01 01:00"], tz="Europe/London"))  # in 1970 it was UTC+1 all year
    array([0])
    """
    instants: Int1D = np.ascontiguousarray(index.as_unit("ns").asi8)
    return instants


def dates_of(times: Int1D, zone: str | None = None) -> Dates1D:
    """Return the dates of instants, in UTC or in a zone.

    Examples
    --------
    >>> dates_of(np.array([0, DAY]))
    array(['1970-01-01', '1970-01-02'], dtype='datetime64[D]')
    """
    return local(times, zone).view("M8[ns]").astype("datetime64[D]")


def local(times: Int1D, zone: str | None) -> Int1D:
    """Return what the clocks of a zone show at these instants, in nanoseconds."""
    if zone is None or zone == "UTC":
        return times
    clock = pd.DatetimeIndex(times.view("M8[ns]")).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    shown: Int1D = np.ascontiguousarray(clock.as_unit("ns").asi8)
    return shown


def find_zone(index: pd.DatetimeIndex, known: Int1D) -> str | None:
    """Return the zone in which all stamps are midnights, the index's own first; None if there is none."""
    if not known.size:
        return None
    own = str(index.tz) if index.tz is not None else "UTC"
    if len(set((known[:200] % DAY).tolist())) > 4 or not (known % (15 * 60 * SECOND) == 0).all():
        return None  # midnights of one place have two clock times in UTC at most, four if its law changed
    for zone in dict.fromkeys((own, *ZONES)):
        if (local(known, zone) % DAY == 0).all():
            return zone
    return None


def usual_interval(times: Int1D, zone: str | None) -> Interval | None:
    """Return the interval that most of the stamps keep; None if there is none.

    The stamps are read in blocks, so that a stretch of another frequency at the beginning does not decide.
    """
    if times.size < 2:
        return None
    shown = local(times, zone)
    stretch = _usual_stretch(shown)
    try:
        return infer_interval(pd.DatetimeIndex(shown[stretch].view("M8[ns]")))
    except InputError:
        return None


def distinct(ascending: Any) -> Any:
    """Return each value of an ascending array once.

    Examples
    --------
    >>> distinct(np.array([1, 1, 2, 5, 5]))
    array([1, 2, 5])
    """
    return ascending if ascending.size < 2 else ascending[firsts_of(ascending)]


def firsts_of(ascending: Any) -> Int1D:
    """Return where each value of an ascending array comes first.

    Examples
    --------
    >>> firsts_of(np.array([1, 1, 2, 5, 5]))
    array([0, 2, 3])
    """
    starts: Int1D = np.flatnonzero(np.append(ascending.size > 0, ascending[1:] != ascending[:-1]))
    return starts


def block_gaps(times: Int1D) -> Int1D:
    """Return the median gap of each block of stamps: the lower of two, so always one that is there."""
    gaps = np.diff(times)
    blocks = max(gaps.size // _BLOCK, 1)
    size = gaps.size // blocks
    table = gaps[: blocks * size].reshape(blocks, size)
    medians: Int1D = np.partition(table, (size - 1) // 2, axis=1)[:, (size - 1) // 2]
    return medians


def _usual_stretch(times: Int1D) -> slice:
    """Return the longest stretch of blocks that keep the most common gap."""
    medians = block_gaps(times)
    values, counts = np.unique(medians, return_counts=True)
    usual = medians == values[counts.argmax()]
    start, length = longest_run(usual)
    size = (times.size - 1) // medians.size
    end = times.size if start + length == medians.size else (start + length) * size + 1
    return slice(start * size, end)


def longest_run(flags: Bool1D) -> tuple[int, int]:
    """Return where the longest run of True starts, and its length.

    Examples
    --------
    >>> longest_run(np.array([True, False, True, True]))
    (2, 2)
    """
    starts, lengths = runs(flags)
    if not starts.size:
        return 0, 0
    place = int(lengths.argmax())
    return int(starts[place]), int(lengths[place])


def runs(flags: Bool1D) -> tuple[Int1D, Int1D]:
    """Return where the runs of True start, and how long they are.

    Examples
    --------
    >>> runs(np.array([True, False, True, True]))
    (array([0, 2]), array([1, 2]))
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return edges[::2], edges[1::2] - edges[::2]


def regularity(clock: Int1D) -> float:
    """Return the share of the most common value.

    Examples
    --------
    >>> regularity(np.array([9, 9, 9, 10]))
    0.75
    """
    return float(np.unique(clock, return_counts=True)[1].max() / clock.size)
