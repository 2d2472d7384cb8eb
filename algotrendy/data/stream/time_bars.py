"""Bars of equal time, built as ticks come, equal to those made of the same ticks afterwards.

A bar is stamped with its start and holds the ticks of its period. It is complete once a later tick of its symbol, or
the clock, has passed its end by the allowed lateness; a complete bar never changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from algotrendy.data.stream.port import Quote, Tick
from algotrendy.domain.bars import COLUMNS
from algotrendy.domain.calendar import Calendar, as_calendar
from algotrendy.domain.interval import Interval
from algotrendy.domain.resample import periods_of
from algotrendy.domain.types import Int1D
from algotrendy.errors import InputError

__all__ = ["LiveBar", "LiveBars", "as_lateness", "live_bars"]

_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
_PARTS = 256


class LiveBar(NamedTuple):
    """One bar.

    Attributes
    ----------
    symbol : str
    opened_at, closed_at : int
        Start and end of its period, nanoseconds since 1970 in UTC; of a day or longer with an exchange's calendar the
        end is the close of its last session.
    open, high, low, close, volume : float
    ticks : int
        How many ticks it holds.
    """

    symbol: str
    opened_at: int
    closed_at: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    ticks: int


class _Period(NamedTuple):
    """A period: its stamp and its end, and the instants [since, until) that are known to lie in it."""

    start: int
    end: int
    since: int
    until: int


class Periods:
    """Which period an instant lies in.

    Parameters
    ----------
    interval : Interval
    calendar : Calendar, optional
        Decides to which day an instant belongs; UTC days without one.
    """

    def __init__(self, interval: Interval, calendar: Calendar | None) -> None:
        self._interval, self._calendar = interval, calendar
        self._length = (interval.seconds or 0) * _SECOND if interval.is_intraday else 0
        self._last = _Period(0, 0, 0, 0)

    def of(self, time: int) -> _Period:
        """Return the period of an instant, nanoseconds."""
        last = self._last
        if last.since <= time < last.until:
            return last
        self._last = found = self._short(time) if self._length else self._long(time)
        return found

    def _short(self, time: int) -> _Period:
        """Return a period within a day: they are counted from midnight UTC, and the last of a day ends with it."""
        midnight = time // _DAY * _DAY
        start = midnight + (time - midnight) // self._length * self._length
        end = min(start + self._length, midnight + _DAY)
        return _Period(start, end, start, end)

    def _long(self, time: int) -> _Period:
        """Return a period of days. Periods follow one another, so where it ends is found by narrowing down."""
        low, high = time, time + _DAY
        starts, ends = self._look_up([low, high])
        start, end = int(starts[0]), int(ends[0])
        while starts[-1] == start:
            low, high = high, high + 2 * (high - low)
            starts, _ = self._look_up([low, high])
        while high - low > 1:
            points = [low + (high - low) * part // _PARTS for part in range(_PARTS + 1)]
            change = int(np.argmax(self._look_up(points)[0] != start))
            low, high = points[change - 1], points[change]
        return _Period(start, end, time, high)

    def _look_up(self, times: Sequence[int]) -> tuple[Int1D, Int1D]:
        """Return start and end of the periods of some instants, ascending."""
        index = pd.DatetimeIndex(np.array(times, dtype="M8[ns]")).tz_localize("UTC")
        found = periods_of(index, self._interval, interval=None, calendar=self._calendar)
        starts, ends = (each.astype("datetime64[ns]").astype(np.int64) for each in (found.starts, found.ends))
        return starts, ends


@dataclass(slots=True)
class _Making:
    """A bar that may still change."""

    period: _Period
    open: float
    high: float
    low: float
    close: float
    volume: float
    ticks: int
    first: int
    last: int

    def add(self, time: int, price: float, size: float) -> None:
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        if time >= self.last:
            self.last, self.close = time, price
        elif time < self.first:
            self.first, self.open = time, price
        self.volume += size
        self.ticks += 1


@dataclass(slots=True)
class _Symbol:
    """The bars of one symbol that may still change, by start; and how far time has come for it."""

    making: dict[int, _Making] = field(default_factory=dict)
    passed: int = -(1 << 62)
    """The newest time less the lateness: what lies before it is final."""


class LiveBars:
    """Builds bars from ticks of any number of symbols; made by `live_bars`.

    Attributes
    ----------
    late : int
        Ticks that came after one of their symbol with a later time, and still found their bar open: they count in it.
    dropped : int
        Ticks whose bar was complete already: they count nowhere.
    """

    def __init__(self, interval: str | Interval, *, lateness: object = 0, calendar: Any = None) -> None:
        self.interval = Interval.parse(interval)
        self.late = self.dropped = 0
        self._lateness = as_lateness(lateness)
        self._periods = Periods(self.interval, None if calendar is None else as_calendar(calendar))
        self._symbols: dict[str, _Symbol] = {}
        self._clock = -(1 << 62)

    def update(self, ticks: Tick | Quote | Iterable[Any]) -> list[LiveBar]:
        """Take one tick or several, in the order in which they came, and return the bars that they complete.

        Parameters
        ----------
        ticks : Tick or iterable of Tick
            Quotes among them are left out.

        Returns
        -------
        list of LiveBar
            Oldest first within a symbol; usually empty.
        """
        done: list[LiveBar] = []
        for tick in lot_of(ticks):
            if tick.__class__ is Quote:
                continue
            symbol = self._symbols.get(tick.symbol)
            if symbol is None:
                symbol = self._symbols[tick.symbol] = _Symbol(passed=self._clock)
            self._add(symbol, tick)
            passed = tick.time - self._lateness
            if passed > symbol.passed:
                symbol.passed = passed
                self._complete(tick.symbol, symbol, done)
        return done

    def advance(self, now: int | pd.Timestamp) -> list[LiveBar]:
        """Let the clock pass, and return the bars that are complete by it: for symbols that fall silent.

        Parameters
        ----------
        now : int or Timestamp
            Nanoseconds since 1970 in UTC, or an instant. A tick that comes later with a time before `now` less the
            lateness may find its bar complete: let the lateness hold what the venue's messages take to arrive.

        Returns
        -------
        list of LiveBar
            By symbol, oldest first.
        """
        instant = now.as_unit("ns").value if isinstance(now, pd.Timestamp) else now
        self._clock = max(self._clock, instant - self._lateness)
        done: list[LiveBar] = []
        for name, symbol in self._symbols.items():
            if self._clock > symbol.passed:
                symbol.passed = self._clock
                self._complete(name, symbol, done)
        return done

    def partial(self) -> list[LiveBar]:
        """Return the bars as they stand that may still change: by symbol, oldest first."""
        return [
            _bar(name, symbol.making[start])
            for name, symbol in self._symbols.items()
            for start in sorted(symbol.making)
        ]

    def frame(self, bars: Iterable[LiveBar]) -> pd.DataFrame:
        """Return bars of one symbol as a frame that `check_bars` passes, with a column `ticks`.

        Raises
        ------
        InputError
            If they are of several symbols.
        """
        rows = list(bars)
        symbols = {bar.symbol for bar in rows}
        if len(symbols) > 1:
            raise InputError(f"these are bars of {', '.join(sorted(symbols))}; make a frame of one symbol at a time")
        index = pd.DatetimeIndex([bar.opened_at for bar in rows], name="time").as_unit("ns")
        index = index.tz_localize("UTC") if self.interval.is_intraday else index
        columns = {name: [getattr(bar, name) for bar in rows] for name in (*COLUMNS, "ticks")}
        kinds = dict.fromkeys(COLUMNS, "float64") | {"ticks": "int64"}
        return pd.DataFrame(columns, index=index).astype(kinds)

    def _add(self, symbol: _Symbol, tick: Tick) -> None:
        time = tick.time
        period = self._periods.of(time)
        if symbol.passed >= period.until:
            self.dropped += 1
            return
        self.late += time < symbol.passed + self._lateness
        making = symbol.making.get(period.start)
        if making is None:
            price = tick.price
            symbol.making[period.start] = _Making(period, price, price, price, price, tick.size, 1, time, time)
        else:
            making.add(time, tick.price, tick.size)

    def _complete(self, name: str, symbol: _Symbol, done: list[LiveBar]) -> None:
        making = symbol.making
        if not making:
            return
        ended = [start for start, bar in making.items() if bar.period.until <= symbol.passed]
        done.extend(_bar(name, making.pop(start)) for start in sorted(ended))


def live_bars(interval: str | Interval, *, lateness: object = 0, calendar: Any = None) -> LiveBars:
    """Return a builder of time bars: feed it ticks, it returns the bars that they complete.

    Parameters
    ----------
    interval : str or Interval
        Length of the bars: `1s 5m 1h 1d 1wk 1mo`. Periods within a day count from midnight UTC.
    lateness : number, str or Timedelta
        How much later than a newer one a tick of a symbol may come and still count; seconds, or such as "2s". Bars are
        complete that much later. A tick that comes later still counts in its bar if that is not complete, and is
        dropped otherwise.
    calendar : Calendar or str, optional
        Such as "XNYS": decides to which day a tick belongs, for bars of a day or longer; UTC days without one.

    Returns
    -------
    LiveBars
        `update(ticks)` and `advance(now)` return completed bars, `partial()` those in the making.

    Raises
    ------
    InputError
        If the interval is none, or the lateness is not a time of zero or more.

    Notes
    -----
    Whatever lots the ticks come in, and however those of several symbols are mixed, the bars are those of
    `charts.time` made of all ticks afterwards, bit for bit. Ticks that come out of order within the lateness, or while
    their bar is open, give the same prices; the volume is then summed in another order, so that its last bit may
    differ where sizes are no whole numbers. Of ticks with equal times the one that came last is the close.

    Examples
    --------
    >>> builder = live_bars("1m")
    >>> second = 10**9
    >>> ticks = [Tick("A", 5 * second, 10.0, 1.0), Tick("A", 59 * second, 11.0, 2.0), Tick("A", 61 * second, 12.0, 1.0)]
    >>> [(bar.open, bar.close, bar.volume) for bar in builder.update(ticks)]
    [(10.0, 11.0, 3.0)]
    >>> [bar.close for bar in builder.advance(120 * second)]
    [12.0]
    """
    return LiveBars(interval, lateness=lateness, calendar=calendar)


def as_lateness(lateness: object) -> int:
    """Return an allowed lateness in nanoseconds.

    Raises
    ------
    InputError
        If it is no time, or below zero.

    Examples
    --------
    >>> as_lateness("2s"), as_lateness(0.5)
    (2000000000, 500000000)
    """
    try:
        seconds = isinstance(lateness, int | float) and not isinstance(lateness, bool)
        delta = pd.Timedelta(lateness, unit="s") if seconds else pd.Timedelta(lateness)  # type: ignore[arg-type]
    except (TypeError, ValueError) as e:
        raise InputError(f"lateness is {lateness!r}; expected seconds, or a time such as '2s'") from e
    if pd.isna(delta) or delta.value < 0:
        raise InputError(f"lateness is {lateness!r}; expected zero or more")
    return int(delta.as_unit("ns").value)


def lot_of(ticks: Tick | Quote | Iterable[Any]) -> Iterable[Any]:
    """Return events as a lot: an event is a tuple itself."""
    return (ticks,) if isinstance(ticks, Tick | Quote) else ticks


def _bar(name: str, making: _Making) -> LiveBar:
    period = making.period
    return LiveBar(
        name,
        period.start,
        period.end,
        making.open,
        making.high,
        making.low,
        making.close,
        making.volume,
        making.ticks,
    )
