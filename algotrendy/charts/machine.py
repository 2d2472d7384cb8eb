"""The machine of a style: it takes events, one or a million, and gives the rows that they complete.

Batch and stream are the same machine, fed at once or bit by bit, so their rows are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from algotrendy.charts.feed import Feed, as_feed
from algotrendy.charts.registry import ChartSpec, ChartStream, lookup
from algotrendy.errors import InputError
from algotrendy.kernels.charts_checked import UNSOUND
from algotrendy.kernels.charts_types import (
    CLOSED,
    DIRECTION,
    EVENT,
    EXTRA_NUMBERS,
    EXTRA_WHOLE,
    OPENED,
    Events,
    Rows,
    empty_rows,
    new_state,
)

ROWS_MAX = 20_000_000
"""A chart with more rows than this is a mistake in its size."""

_CHECKED_FIRST = 1 << 12
"""Trades that are checked before a machine begins: by the first of them, where it checks the others itself."""

_FIRST_CAPACITY = 1 << 12
_NO_STAMP = -(2**63) + 1  # a missing stamp is one less, and so goes back
_PRICES = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Layout:
    """The columns of a style's rows beyond those that all styles have.

    Attributes
    ----------
    index : str
        Name of the index.
    numbers : tuple of str
        Columns of float64.
    whole : mapping of str to {"count", "time", "flag"}
        Columns of whole numbers, and what they are.
    synthetic : bool
        Whether the prices of the rows may be such that nothing was traded at.
    """

    index: str
    numbers: tuple[str, ...] = ()
    whole: Mapping[str, str] = field(default_factory=dict)
    synthetic: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of those columns."""
        return (*self.numbers, *self.whole)


@dataclass(frozen=True)
class OpenRow:
    """The row that is being made: its prices, how much was traded, and what the style adds, by name."""

    open: float
    high: float
    low: float
    close: float
    extra: Mapping[str, float]
    direction: int | None = None


class Machine:
    """The state of one style between two events.

    A subclass names its kernel and says how it begins (`begin`), how it runs (`run`) and what it has in the making
    (`open_row`).

    Parameters
    ----------
    parameters : mapping
        Checked values of the style's parameters.
    """

    layout: ClassVar[Layout]
    kernel: ClassVar[str]

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self.state: Any = new_state(self.kernel)
        self.last_end = 0
        self.before: int | None = None
        self._met_unsound = False
        self._waiting: Feed | None = None
        self._begun = False
        self._rows: Rows | None = None
        self._no_rows = self._empty(0)

    # --- what a style says ---

    def begin(self, feed: Feed) -> int | None:
        """Prepare the state by the first events; return how many count in volume alone, or None if it takes more."""
        return 0

    def run(self, events: Events, rows: Rows) -> tuple[int, int]:
        """Call the kernel: return how many rows were written and how many events were taken.

        Where `before` is set, these are trades after one at that stamp, which the kernel has to check itself; it takes
        `UNSOUND` events if one is not sound.
        """
        raise AssertionError("a machine says how it runs")

    @property
    def can_check(self) -> bool:
        """Whether `run` can check trades itself."""
        return False

    def follow(self, feed: Feed) -> None:
        """Look at the events that `run` is about to be given, stamps and all."""

    def open_row(self) -> OpenRow | None:
        """Return the row in the making; None if it holds no event yet."""
        raise AssertionError("a machine says what it has in the making")

    # --- what all styles do ---

    def _absorb(self, feed: Feed, count: int) -> Feed:
        """Count the volume of the first `count` events into the first row, and return the feed without them."""
        s, events = self.state[0], feed.events
        for k in range(count):
            s["volume"] += events.volume[k]
        if count:
            s["opened"], s["events"], s["n_events"], s["last"] = events.start[0], count, count, events.close[count - 1]
            self.last_end = int(events.end[count - 1])
        return feed.after(count)

    def advance(self, feed: Feed) -> Rows:
        """Take events and return the rows that they complete.

        Raises
        ------
        InputError
            If there would be more than `ROWS_MAX` rows.
        """
        if not self._begun:
            feed = feed if self._waiting is None else self._waiting.joined(feed)
            count = self.begin(feed)
            if count is None:
                self._waiting = feed.kept()
                return self._no_rows
            self._waiting, self._begun = None, True
            feed = self._absorb(feed, count)
        return self._made(feed)

    def advance_unchecked(self, feed: Feed) -> Rows:
        """Take trades that nobody has checked yet, where the machine `can_check`; errors as of `Feed.check`."""
        feed.check(0, _CHECKED_FIRST)  # the style may begin by these
        self.before = _NO_STAMP
        rows = self.advance(feed)
        self.before = None
        if self._met_unsound:
            feed.check()  # says which
        return rows

    def _made(self, feed: Feed) -> Rows:
        events, size = feed.events, feed.events.close.size
        if size:
            self.follow(feed)
            self.last_end = int(events.end[-1])
        if self._rows is None:
            self._rows = self._empty(_FIRST_CAPACITY if size > 1 else 8)
        blocks: list[Rows] = []
        done = total = 0
        while done < size:
            if done and self.before is not None:
                self.before = int(events.start[done - 1])
            n, taken = self.run(events if done == 0 else feed.after(done).events, self._rows)
            if taken == UNSOUND:
                self._met_unsound = True
                break
            if n:
                blocks.append(Rows(self._rows.numbers[:, :n].copy(), self._rows.whole[:, :n].copy()))
            done, total = done + taken, total + n
            if done < size:
                capacity = 4 * self._rows.whole.shape[1]
                if max(capacity if n == 0 else 0, total) > ROWS_MAX:
                    feed.check()
                    raise InputError(f"the chart has more than {ROWS_MAX:,} rows; choose a larger size")
                self._rows = self._empty(min(capacity, 4 * ROWS_MAX))
        return joined(blocks) if blocks else self._no_rows

    def partial(self) -> Rows:
        """Return the row in the making as one row, or as none."""
        found = self.open_row() if self._begun else None
        rows = self._empty(0 if found is None else 1)
        if found is None:
            return rows
        s = self.state[0]
        rows.numbers[:EXTRA_NUMBERS, 0] = found.open, found.high, found.low, found.close, s["volume"]
        direction = int(found.close > found.open) - int(found.close < found.open)
        rows.whole[OPENED, 0], rows.whole[CLOSED, 0] = s["opened"], self.last_end
        rows.whole[EVENT, 0] = s["n_events"] - 1
        rows.whole[DIRECTION, 0] = direction if found.direction is None else found.direction
        for k, name in enumerate(self.layout.numbers):
            rows.numbers[EXTRA_NUMBERS + k, 0] = found.extra[name]
        for k, name in enumerate(self.layout.whole):
            rows.whole[EXTRA_WHOLE + k, 0] = int(found.extra[name])
        return rows

    def _empty(self, capacity: int) -> Rows:
        layout = self.layout
        return empty_rows(EXTRA_NUMBERS + len(layout.numbers), EXTRA_WHOLE + len(layout.whole), capacity)


def build(
    machine: Machine, data: Any, *, partial: bool = False, interval: Any = None, calendar: Any = None
) -> pd.DataFrame:
    """Feed a fresh machine with a frame, and return the frame of its rows."""
    if partial not in (True, False):
        raise InputError(f"partial is {partial!r}; expected True or False")
    feed = as_feed(data, interval=interval, calendar=calendar)
    if feed.kind == "trades" and machine.can_check:
        rows = machine.advance_unchecked(feed)
    else:
        rows = joined([machine.advance(piece) for piece in feed.pieces()])
    last = machine.partial() if partial else None
    return frame_of_rows(machine.layout, rows, feed.unit, last)


def as_pair(done: Any) -> tuple[int, int]:
    """Return what a kernel returned: rows written and events taken."""
    n, taken = done
    return int(n), int(taken)


def joined(blocks: list[Rows]) -> Rows:
    """Return rows one after the other."""
    if len(blocks) == 1:
        return blocks[0]
    numbers, whole = (np.concatenate(pieces, axis=1) for pieces in zip(*blocks, strict=True))
    return Rows(numbers, whole)


def frame_of_rows(layout: Layout, rows: Rows, unit: str, partial: Rows | None = None) -> pd.DataFrame:
    """Return rows as a frame; with `partial` a column says which is unfinished."""
    n = rows.whole.shape[1]
    numbers, whole = rows
    if partial is not None:
        numbers = np.concatenate((numbers, partial.numbers), axis=1)
        whole = np.concatenate((whole, partial.whole), axis=1)
    columns: dict[str, Any] = dict(zip(_PRICES, numbers, strict=False))
    columns["opened_at"], columns["closed_at"] = _stamps(whole[OPENED], unit), _stamps(whole[CLOSED], unit)
    columns["direction"], columns["event"] = whole[DIRECTION].astype(np.int8), whole[EVENT]
    for k, name in enumerate(layout.numbers):
        columns[name] = numbers[EXTRA_NUMBERS + k]
    for k, (name, kind) in enumerate(layout.whole.items()):
        values = whole[EXTRA_WHOLE + k]
        columns[name] = _stamps(values, unit) if kind == "time" else values != 0 if kind == "flag" else values
    columns["synthetic"] = np.full(whole.shape[1], layout.synthetic)
    if partial is not None:
        columns["is_partial"] = np.arange(whole.shape[1]) >= n
    # pandas takes twice as long to make an index of the names as to make the frame.
    frame = pd.DataFrame(
        dict(enumerate(columns.values())), index=pd.RangeIndex(whole.shape[1], name=layout.index), copy=False
    )
    frame.columns = _names(tuple(columns)).copy()
    return frame


@cache
def _names(columns: tuple[str, ...]) -> pd.Index[str]:
    return pd.Index(columns)


def row_dicts(layout: Layout, rows: Rows, unit: str, *, is_partial: bool = False) -> list[dict[str, Any]]:
    """Return rows as plain mappings, with the names of the columns of the frame."""
    found = []
    for k in range(rows.whole.shape[1]):
        numbers, whole = rows.numbers[:, k].tolist(), rows.whole[:, k].tolist()
        row: dict[str, Any] = dict(zip(_PRICES, numbers, strict=False))
        row["opened_at"], row["closed_at"] = (pd.Timestamp(whole[at], unit=unit, tz="UTC") for at in (OPENED, CLOSED))
        row["direction"], row["event"] = whole[DIRECTION], whole[EVENT]
        row |= dict(zip(layout.numbers, numbers[EXTRA_NUMBERS:], strict=True))
        for (name, kind), value in zip(layout.whole.items(), whole[EXTRA_WHOLE:], strict=True):
            row[name] = pd.Timestamp(value, unit=unit, tz="UTC") if kind == "time" else value
            row[name] = bool(value) if kind == "flag" else row[name]
        row["synthetic"] = layout.synthetic
        found.append(row | {"is_partial": True} if is_partial else row)
    return found


def _stamps(values: Any, unit: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.ascontiguousarray(values).view(f"M8[{unit}]"), tz="UTC")


def columns_of(layout: Layout) -> Sequence[str]:
    """Return the names of all columns of completed rows."""
    return (*_PRICES, "opened_at", "closed_at", "direction", "event", *layout.columns, "synthetic")


def require_sizes(feed: Feed, style: str) -> None:
    """Refuse data that does not say how much was traded.

    Raises
    ------
    InputError
        If it does not.
    """
    if not feed.has_size:
        missing = "`size`" if feed.kind == "trades" else "`volume`"
        raise InputError(f"{style} bars count what was traded, and the {feed.kind} have no column {missing}")


def spec_of(name: str, machine: type[Machine], batch: Any, **facts: Any) -> ChartSpec:
    """Return the specification of a built-in style."""

    def stream(*, interval: Any = None, calendar: Any = None, **parameters: Any) -> ChartStream:
        from algotrendy.charts.streaming import Stream

        return Stream(machine(lookup(name).bind(parameters)), interval=interval, calendar=calendar)

    layout = machine.layout
    return ChartSpec(
        name=name,
        index=layout.index,
        columns=layout.columns,
        synthetic=layout.synthetic,
        batch=batch,
        stream=stream,
        **facts,
    )
