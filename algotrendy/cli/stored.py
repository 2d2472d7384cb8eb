"""Bars in the store by name: what `algotrendy data import` and `export` do."""

from __future__ import annotations

from typing import Any

import pandas as pd

from algotrendy.compute import wait_for
from algotrendy.config import Settings
from algotrendy.data.local import local_store
from algotrendy.data.series import SeriesKey, Span, as_instant
from algotrendy.domain.interval import Interval, infer_interval
from algotrendy.errors import DataError


def put(bars: pd.DataFrame, instrument: str, source: str, interval: str | None, adjusted: Any) -> str:
    """Store bars and return a sentence about it."""
    index: Any = bars.index
    length = infer_interval(index) if interval is None else Interval.parse(interval)
    key = SeriesKey(source=source, instrument=instrument, interval=length, adjusted=adjusted or "raw")
    last = as_instant(index[-1])
    end = last + (
        pd.DateOffset(months=length.count) if length.seconds is None else pd.Timedelta(seconds=length.seconds)
    )
    span = Span(as_instant(index[0]), end)
    wait_for(local_store(Settings()).write(key, bars, span))
    return f"{len(bars):,} bars of {instrument} at {length} are kept as {source}, {span.start.date()} to {last.date()}"


def found(name: str, interval: str) -> tuple[SeriesKey, pd.DataFrame]:
    """Return the stored bars of an instrument, or of the one that has this symbol.

    Raises
    ------
    DataError
        If there are none, or several series answer to the name.
    """
    shelf = local_store(Settings())
    keys = [
        key
        for key in wait_for(shelf.keys())
        if name in (key.instrument, key.symbol) and key.interval == Interval.parse(interval)
    ]
    if not keys:
        raise DataError(f"no {interval} bars of {name} are stored; load them with: algotrendy data get {name}")
    if len(keys) > 1:
        listed = ", ".join(f"{key.instrument} ({key.source}, {key.adjusted})" for key in keys)
        raise DataError(f"{len(keys)} series answer to {name}: {listed}; export in Python with the key of one")
    bars = wait_for(shelf.read(keys[0]))
    if bars is None or bars.empty:
        raise DataError(f"the series {keys[0].instrument} holds no bars")
    return keys[0], bars
