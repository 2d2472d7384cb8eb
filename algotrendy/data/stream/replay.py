"""Recorded trades as a live source: at their own pace, faster, at so many a second, or as fast as they are taken.

The order of equal stamps is fixed: the recording's own, and between symbols that of the mapping. A trade is due at a
moment that is fixed in advance; what is late is sent at once, so a slow consumer does not slow the replay's clock.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from algotrendy.data.series import Span, as_instant
from algotrendy.data.stream.clock import Clock, SystemClock
from algotrendy.data.stream.port import Event, Notice, StreamCapabilities, Tick, Wanted
from algotrendy.domain.types import Float1D, Int1D
from algotrendy.errors import InputError

__all__ = ["ReplaySource"]

LOT_MAX = 1_000
_UTC = ("UTC", "Etc/UTC", "UTC+00:00", "tzutc()")


class _Recording(NamedTuple):
    """All trades of all symbols in the order of time."""

    names: tuple[str, ...]
    symbol: Int1D
    time: Int1D
    price: Float1D
    size: Float1D


class ReplaySource:
    """A `StreamSource` that plays recorded trades. The id of a tick is its row in the recording of all symbols, from 0.

    Parameters
    ----------
    trades : mapping of str to DataFrame
        For each symbol its trades: index `time` in UTC, ascending, ties allowed; columns `price` and, if known, `size`
        (zeros otherwise).
    speed : float
        How much faster than they were made: 1.0 in their own time, 60.0 an hour in a minute, `inf` as fast as they are
        taken.
    rate : float, optional
        Instead: so many trades a second of all symbols together, evenly spaced.
    stamp : {"recorded", "scheduled"}
        The time that events carry: the recorded one, or the moment at which each is due. With "scheduled" the source
        counts as real time, and what the hub measures as freshness holds every delay from that moment on, those of
        this source included.
    clock : Clock, optional
        The system's by default; with a `VirtualClock` any length of time is played at once.

    Examples
    --------
    >>> from algotrendy.data.stream import sample_trades
    >>> source = ReplaySource({"DEMO": sample_trades(100, seed=1)}, speed=60.0)
    >>> len(source), source.capabilities.realtime
    (100, False)
    """

    name = "replay"

    def __init__(
        self,
        trades: Mapping[str, pd.DataFrame],
        *,
        speed: float = 1.0,
        rate: float | None = None,
        stamp: Literal["recorded", "scheduled"] = "recorded",
        clock: Clock | None = None,
    ) -> None:
        if not speed > 0.0:
            raise InputError(f"speed is {speed!r}; expected a number above zero, 1.0 for the recorded pace")
        if rate is not None and not 0.0 < rate < math.inf:
            raise InputError(f"rate is {rate!r}; expected trades a second, above zero")
        if stamp not in ("recorded", "scheduled"):
            raise InputError(f'stamp is {stamp!r}; choose "recorded" or "scheduled"')
        self._recording = _recording(trades)
        self._clock = clock or SystemClock()
        self._due = _due(self._recording.time, speed, rate)
        self._scheduled = stamp == "scheduled"
        self.capabilities = StreamCapabilities(live=False, realtime=self._scheduled, trades=True, backfill=True)
        self._wanted: frozenset[str] = frozenset()
        self._next = 0
        self._origin: int | None = None
        self._paused_at: int | None = None
        self._resumed = asyncio.Event()

    def __len__(self) -> int:
        return self._recording.time.size

    async def open(self, wanted: Wanted) -> None:
        """Play these symbols from now on; the first call starts the replay.

        Raises
        ------
        InputError
            If there is no recording of a symbol.
        """
        missing = sorted(wanted.symbols - set(self._recording.names))
        if missing:
            raise InputError(f"there is no recording of {missing[0]!r}; there are: {', '.join(self._recording.names)}")
        self._wanted = wanted.trades
        if self._origin is None:
            self._origin = self._clock.now() if self._paused_at is None else self._paused_at

    async def events(self) -> AsyncGenerator[Sequence[Event | Notice], None]:
        """Yield trades as they are due, until the end of the recording."""
        while self._next < len(self):
            if self._paused_at is not None:
                self._resumed.clear()
                await self._resumed.wait()
                continue
            first = self._next
            elapsed = self._clock.now() - self._started()
            end = int(np.searchsorted(self._due, elapsed, side="right"))
            if end <= first:
                await self._clock.sleep(int(self._due[first]) - elapsed)
                continue
            self._next = min(end, first + LOT_MAX)
            lot = self._ticks(slice(first, self._next))
            if lot:
                yield lot
            await asyncio.sleep(0)

    async def backfill(self, symbol: str, span: Span) -> Sequence[Tick]:
        """Return the trades of a span that have been due so far, with the stamps that `events` gives them."""
        where = slice(0, int(np.searchsorted(self._due, self._clock.now() - self._started(), side="right")))
        start, end = span.start.value, span.end.value
        return [tick for tick in self._ticks(where, frozenset({symbol})) if start <= tick.time < end]

    async def close(self) -> None:
        """Hold nothing back; `open` goes on where the replay was."""

    # --- controls ---

    def pause(self) -> None:
        """Stand still until `resume`.

        Before the first subscription, it lets several subscribers start with the same trade. Like the other controls
        it is called on the event loop that plays.
        """
        if self._paused_at is None:
            self._paused_at = self._clock.now()

    def resume(self) -> None:
        """Go on where the replay was paused."""
        if self._paused_at is not None:
            self._origin = self._started() + self._clock.now() - self._paused_at
            self._paused_at = None
            self._resumed.set()

    def seek(self, time: object) -> None:
        """Go on from the first trade at or after a recorded time, which is due now; backwards is allowed.

        Raises
        ------
        InputError
            If there is no trade so late.
        """
        at = as_instant(time)
        place = int(np.searchsorted(self._recording.time, at.as_unit("ns").value))
        if place == len(self):
            last = pd.Timestamp(int(self._recording.time[-1]), unit="ns", tz="UTC")
            raise InputError(f"the recording ends at {last}, before {at}")
        self._next = place
        now = self._clock.now() if self._paused_at is None else self._paused_at
        self._origin = now - int(self._due[place])

    # --- inside ---

    def _started(self) -> int:
        return self._clock.now() if self._origin is None else self._origin

    def _ticks(self, where: slice, symbols: frozenset[str] | None = None) -> list[Tick]:
        names, symbol, time, price, size = self._recording
        chosen = self._wanted if symbols is None else symbols
        stamps = (self._due[where] + self._started()) if self._scheduled else time[where]
        columns = (symbol[where], stamps, price[where], size[where])
        rows = zip(*(column.tolist() for column in columns), map(str, range(len(self))[where]), strict=True)
        if len(chosen) == len(names):
            return [Tick(names[at], stamp, paid, amount, row) for at, stamp, paid, amount, row in rows]
        return [
            Tick(names[at], stamp, paid, amount, row) for at, stamp, paid, amount, row in rows if names[at] in chosen
        ]


def _due(time: Int1D, speed: float, rate: float | None) -> Int1D:
    """Return when each trade is due, nanoseconds after the start."""
    if rate is not None:
        return np.round(np.arange(time.size) * (1e9 / rate)).astype(np.int64)
    if math.isinf(speed):
        return np.zeros(time.size, dtype=np.int64)
    passed: Int1D = time - time[0]
    return passed if speed == 1.0 else np.round(passed / speed).astype(np.int64)


def _recording(trades: Mapping[str, pd.DataFrame]) -> _Recording:
    if not isinstance(trades, Mapping) or not trades:
        raise InputError('a replay takes trades by symbol, such as {"AAPL": trades}')
    parts = [_checked(symbol, frame) for symbol, frame in trades.items()]
    times = np.concatenate([time for time, _, _ in parts])
    symbols = np.repeat(np.arange(len(parts)), [time.size for time, _, _ in parts])
    order = np.argsort(times, kind="stable")
    price = np.concatenate([price for _, price, _ in parts])
    size = np.concatenate([size for _, _, size in parts])
    return _Recording(tuple(trades), symbols[order], times[order], price[order], size[order])


def _checked(symbol: str, frame: pd.DataFrame) -> tuple[Int1D, Float1D, Float1D]:
    """Return times in nanoseconds, prices and sizes of the trades of one symbol."""
    if not isinstance(frame, pd.DataFrame) or "price" not in frame.columns:
        raise InputError(f"the trades of {symbol!r} are {type(frame).__name__}; expected a DataFrame with a price")
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or str(index.tz) not in _UTC:
        raise InputError(f"the trades of {symbol!r} are indexed by {index.dtype}; expected times in UTC")
    if not len(frame):
        raise InputError(f"there are no trades of {symbol!r}: 0 rows")
    time = index.as_unit("ns").asi8
    price = frame["price"].to_numpy(dtype=np.float64)
    size = frame["size"].to_numpy(dtype=np.float64) if "size" in frame.columns else np.zeros(len(frame))
    faults = {
        "a time that is missing, or before the one above": np.append(False, time[1:] < time[:-1]) | index.isna(),
        "a price that is not a number above zero": ~(np.isfinite(price) & (price > 0.0)),
        "a size that is not a number of zero or more": ~(np.isfinite(size) & (size >= 0.0)),
    }
    for what, wrong in faults.items():
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InputError(
                f"the trades of {symbol!r} have {what} in {int(wrong.sum())} of {len(frame)} rows, first in row {row};"
                " repair or drop them (sort with kind='stable')"
            )
    return time, price, size
