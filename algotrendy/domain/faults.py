"""Why bars are not sound, in words: what was found, how often, where first, and the remedy.

Slow and plain on purpose: it runs only after the fast check has failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from algotrendy.domain.types import Bool1D, Float1D
from algotrendy.errors import InputError

ROOM = 1e-9
"""How far an open or close may lie outside [low, high], as a fraction of the price: vendors round each price alone."""


class Fault(NamedTuple):
    """One kind of fault: the rows that have it, what it is called, the columns to show, and what to do."""

    rows: Bool1D
    claim: str
    columns: tuple[str, ...]
    remedy: str


def explain(index: pd.DatetimeIndex, arrays: Sequence[Float1D], *, nan_is_fault: bool) -> None:
    """Raise an InputError for the first kind of fault in the bars; return quietly if only pardoned NaN are left."""
    check_none_missing(index)
    _check_order(index)
    columns = dict(zip(("open", "high", "low", "close", "volume"), arrays, strict=True))
    pardoned = np.zeros(len(index), dtype=bool)
    if not nan_is_fault:
        pardoned = np.logical_or.reduce([np.isnan(column) for column in arrays])
    for fault in _faults(columns):
        rows = np.flatnonzero(fault.rows & ~pardoned)
        if rows.size:
            _refuse(fault, rows, index, columns)


def _faults(columns: dict[str, Float1D]) -> Iterator[Fault]:
    open, high, low, close, volume = columns.values()
    for name in ("open", "high", "low", "close"):
        yield Fault(np.isnan(columns[name]), f"{name} is NaN", (name,), "leave those rows out: bars = bars.dropna()")
    yield Fault(
        np.isnan(volume), "volume is NaN", ("volume",), 'if it means none: bars["volume"] = bars["volume"].fillna(0.0)'
    )
    for name, column in columns.items():
        yield Fault(
            np.isinf(column),
            f"{name} is infinite",
            (name,),
            "leave those rows out: bars = bars.replace([np.inf, -np.inf], np.nan).dropna()",
        )
    for name in ("open", "high", "low", "close"):
        yield Fault(
            columns[name] <= 0.0,
            f"{name} is zero or negative",
            (name,),
            f'prices must be positive; leave those rows out: bars = bars[bars["{name}"] > 0]',
        )
    yield Fault(
        high < low,
        "high is below low",
        ("high", "low"),
        "if the two columns are swapped, rename them; else leave those rows out: bars = bars[bars.high >= bars.low]",
    )
    for name, column in (("open", open), ("close", close)):
        yield Fault(
            (column < low * (1.0 - ROOM)) | (column > high * (1.0 + ROOM)),
            f"{name} lies outside [low, high]",
            (name, "low", "high"),
            f"leave those rows out: bars = bars[bars.{name}.between(bars.low, bars.high)], or widen the range:"
            ' bars["high"] = bars[["open", "high", "close"]].max(axis=1),'
            ' bars["low"] = bars[["open", "low", "close"]].min(axis=1)',
        )
    yield Fault(
        volume < 0.0, "volume is negative", ("volume",), 'leave those rows out: bars = bars[bars["volume"] >= 0]'
    )


def _refuse(fault: Fault, rows: np.ndarray, index: pd.DatetimeIndex, columns: dict[str, Float1D]) -> None:
    row = int(rows[0])
    values = ", ".join(f"{name} {columns[name][row]}" for name in fault.columns)
    raise InputError(
        f"{fault.claim} in {rows.size} of {len(index)} bars, first at {stamp_text(index[row])} (row {row}): {values};"
        f" {fault.remedy}"
    )


def check_none_missing(index: pd.DatetimeIndex) -> None:
    """Raise an InputError if a stamp is missing (NaT)."""
    missing = np.flatnonzero(index.isna())
    if missing.size:
        raise InputError(
            f"{missing.size} of {len(index)} times are missing (NaT), first in row {missing[0]};"
            " leave those rows out: bars = bars[bars.index.notna()]"
        )


def _check_order(index: pd.DatetimeIndex) -> None:
    times = index.asi8
    backwards = np.flatnonzero(times[1:] < times[:-1])
    if backwards.size:
        row = int(backwards[0]) + 1
        order = "newest first" if backwards.size == len(index) - 1 else "not sorted"
        raise InputError(
            f"bars are {order}: row {row} ({stamp_text(index[row])}) comes before row {row - 1}"
            f" ({stamp_text(index[row - 1])}), {backwards.size} such places; sort them: bars = bars.sort_index()"
        )
    doubled = np.flatnonzero(times[1:] == times[:-1]) + 1
    if doubled.size:
        row = int(doubled[0])
        raise InputError(
            f"{doubled.size} of {len(index)} times are duplicated, first {stamp_text(index[row])} (row {row});"
            " keep the first of each: bars = bars[~bars.index.duplicated()], or select one symbol first"
        )


def stamp_text(stamp: pd.Timestamp) -> str:
    """Return a stamp as a reader wants it: the date alone where there is no time of day.

    Examples
    --------
    >>> stamp_text(pd.Timestamp("2024-03-01")), stamp_text(pd.Timestamp("2024-03-01 14:30", tz="UTC"))
    ('2024-03-01', '2024-03-01 14:30:00+00:00')
    """
    if stamp.tzinfo is None and stamp == stamp.normalize():
        return str(stamp.date())
    return str(stamp)
