"""Charts fed event by event, with exactly the rows of the batch functions, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd

from algotrendy.charts.feed import Feed, as_feed, as_interval, read_only
from algotrendy.charts.machine import Machine, frame_of_rows, row_dicts
from algotrendy.charts.registry import ChartStream, lookup
from algotrendy.domain.bars import COLUMNS
from algotrendy.domain.calendar import as_calendar, known_instants
from algotrendy.errors import InputError
from algotrendy.kernels.bars import ROOM
from algotrendy.kernels.charts_types import Events

_UNIT: Literal["ns"] = "ns"
_TRADE = ("time", "price", "size")


class Stream:
    """One chart that is fed event by event; made by `charts.stream`.

    Parameters
    ----------
    machine : Machine
        A fresh one of the style.
    interval : str or Interval, optional
        Length of the bars, if it is fed with bars.
    calendar : Calendar or str, optional
        When daily bars are known.
    """

    def __init__(self, machine: Machine, *, interval: Any = None, calendar: Any = None) -> None:
        self._machine = machine
        self._interval, self._calendar = as_interval(interval), None if calendar is None else as_calendar(calendar)
        self._kind: str | None = None
        self._last = -math.inf
        self._stamps = np.zeros((2, 1), np.int64)
        self._values = np.zeros((5, 1))
        start, end = (read_only(row) for row in self._stamps)
        columns = [read_only(row) for row in self._values]
        self._bar = Events(start, end, *columns)
        self._trade = Events(start, start, *(columns[3],) * 4, columns[4])

    def update(self, event: Any) -> list[dict[str, Any]]:
        """Take the next trade or bar and return the rows that it completes, oldest first.

        Parameters
        ----------
        event : mapping, object or tuple
            A trade: `time`, `price` and, if known, `size`; or a tuple in this order. A bar: `time` (its start), `open
            high low close` and, if known, `volume`. Times are UTC; all events of a stream are of one kind.

        Returns
        -------
        list of dict
            The same names and values as in the frame of the batch function; usually empty.

        Raises
        ------
        InputError
            If the event is neither, not sound, earlier than the one before, or a bar and `interval` was not given.
        """
        feed = self._feed(event)
        rows = self._machine.advance(feed)
        self._kind, self._last = feed.kind, self._stamps[0, 0]
        return row_dicts(self._machine.layout, rows, _UNIT) if rows.whole.shape[1] else []

    def feed(self, data: pd.DataFrame | pd.Series[Any]) -> pd.DataFrame:
        """Take many events at once, such as the history before a live feed, and return the frame of their rows.

        The rows of a later `update` follow on from them.

        Raises
        ------
        InputError
            As the batch function, and if the data is of another kind than what came before, or earlier.
        """
        feed = as_feed(data, interval=self._interval, calendar=self._calendar, unit=_UNIT)
        feed.check()
        self._check_order(feed.kind, int(feed.events.start[0]))
        rows = self._machine.advance(feed)
        self._interval = feed.interval
        self._kind, self._last = feed.kind, int(feed.events.start[-1])
        return frame_of_rows(self._machine.layout, rows, _UNIT)

    def partial(self) -> dict[str, Any] | None:
        """Return the row in the making, marked `is_partial`; None if it holds no event yet."""
        rows = row_dicts(self._machine.layout, self._machine.partial(), _UNIT, is_partial=True)
        return rows[0] if rows else None

    def _feed(self, event: Any) -> Feed:
        if isinstance(event, tuple) and not hasattr(event, "_fields"):
            event = dict(zip(_TRADE, event, strict=False))
        is_bar = _field(event, "close") is not None and _field(event, "price") is None
        kind = "bars" if is_bar else "trades"
        time = _nanoseconds(_field(event, "time", "Index"), event, daily=is_bar)
        size = _field(event, "volume" if is_bar else "size")
        self._check_order(kind, time)
        values = [_number(event, name) for name in (COLUMNS[:4] if is_bar else ("price",))]
        amount = 0.0 if size is None else _number(event, "volume" if is_bar else "size")
        _check_sound(event, values, amount)
        self._stamps[0, 0], self._values[4, 0] = time, amount
        if is_bar:
            self._values[:4, 0] = values
            self._stamps[1, 0] = self._known_at(time)
            return Feed(self._bar, "bars", _UNIT, self._interval, self._calendar, size is not None)
        self._values[3, 0] = values[0]
        return Feed(self._trade, "trades", _UNIT, None, self._calendar, size is not None)

    def _check_order(self, kind: str, time: int) -> None:
        if self._kind is not None and kind != self._kind:
            raise InputError(f"this stream was fed {self._kind} and now {kind}; make another stream for them")
        back = time <= self._last if kind == "bars" else time < self._last
        if back:
            stamps = [str(pd.Timestamp(int(at), unit=_UNIT, tz="UTC")) for at in (time, self._last)]
            raise InputError(f"an event of {stamps[0]} came after one of {stamps[1]}; feed them in the order of time")

    def _known_at(self, start: int) -> int:
        length = self._interval
        if length is None:
            raise InputError("a bar is known at its end; say how long it lasts: charts.stream(..., interval='1m')")
        if length.is_intraday:
            return start + (length.seconds or 0) * 10**9
        stamps = np.array([start]).view(f"M8[{_UNIT}]")
        return int(known_instants(stamps, length, self._calendar).view(np.int64)[0])


def stream(style: str, *, interval: Any = None, calendar: Any = None, **params: Any) -> ChartStream:
    """Return a chart that is fed event by event, with exactly the rows of the batch function.

    Parameters
    ----------
    style : str
        As in `charts.chart`, such as 'renko'.
    interval : str or Interval, optional
        Length of the bars; needed if the stream is fed with bars.
    calendar : Calendar or str, optional
        When daily bars are known.
    **params
        Parameters of the style, by name.

    Returns
    -------
    ChartStream
        For the styles of this package a `Stream`: `update(event)` gives the rows that the event completes, `feed(data)`
        takes a history at once, `partial()` gives the row in the making.

    Raises
    ------
    InputError
        If there is no such style or parameter, or a value is not allowed.

    Examples
    --------
    >>> bricks = stream("renko", size=1.0)
    >>> [len(bricks.update(("2024-03-01T10:00Z", price))) for price in (10.0, 11.5, 13.0)]
    [0, 1, 2]
    """
    return lookup(style).stream(interval=interval, calendar=calendar, **params)


def _field(event: Any, *names: str) -> Any:
    for name in names:
        value = event.get(name) if type(event) is dict or isinstance(event, Mapping) else getattr(event, name, None)
        if value is not None:
            return value
    return None


def _number(event: Any, name: str) -> float:
    value = _field(event, name)
    if type(value) is float:  # the usual case, and quick to tell
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError(f"`{name}` of an event is {value!r}, expected a number; the event: {event!r}")
    return float(value)


def _nanoseconds(time: Any, event: Any, *, daily: bool) -> int:
    if time is None:
        raise InputError(f"an event needs `time`, and `price` or `open high low close`; found {event!r}")
    try:
        stamp = pd.Timestamp(time)
    except (TypeError, ValueError) as error:
        raise InputError(f"`time` of an event is {time!r}, expected an instant such as 2024-03-01T10:00Z") from error
    if pd.isna(stamp):
        raise InputError(f"`time` of an event is missing: {event!r}")
    if stamp.tz is None and not (daily and stamp == stamp.normalize()):
        raise InputError(f"`time` of an event is {time!r} without a zone; times are kept in UTC: add tz='UTC'")
    return int(stamp.value)  # nanoseconds, whatever the unit


def _check_sound(event: Any, values: list[float], amount: float) -> None:
    fits = all(0.0 < value < math.inf for value in values) and 0.0 <= amount < math.inf
    if fits and len(values) > 1:
        low, high = values[2] * (1.0 - ROOM), values[1] * (1.0 + ROOM)
        fits = values[2] <= values[1] and low <= values[0] <= high and low <= values[3] <= high
    if not fits:
        raise InputError(
            f"the event is not sound: prices are above zero with low <= open, close <= high, sizes zero or above;"
            f" found {event!r}"
        )
