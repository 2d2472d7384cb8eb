"""The reference charts: `docs/explanation/charts.md` in plain Python, one event after the other.

They are slow and obviously correct, know no kernel and no array library, and are what the fast styles are tested
against. Read them beside that page: each function is a section of it. The flow of buying and selling has a file of its
own, `reference_activity.py`, as have the bars of ticks, volume and dollars.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

BILLIONTH = 1e-9

Row = dict[str, Any]
"""A row by the names of its columns; stamps are whole numbers as they came in."""


@dataclass(frozen=True)
class Event:
    """A trade or a bar: its stamps, its prices, what was traded."""

    start: int
    end: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass
class Sheet:
    """The rows that are complete, and what has come since the last of them."""

    rows: list[Row] = field(default_factory=list)
    volume: float = 0.0
    since: list[int] = field(default_factory=list)
    """Positions of the events since."""

    def take(self, i: int, event: Event) -> None:
        self.volume += event.volume
        self.since.append(i)

    def complete(self, events: Sequence[Event], prices: tuple[float, float, float, float], **more: Any) -> None:
        """Add a row that the newest event completes; another at the same event finds nothing since but that event."""
        i = self.since[-1]
        self.rows.append(_row(prices, self.volume, events[self.since[0]].start, events[i].end, i) | more)
        self.volume, self.since = 0.0, [i]

    def end_event(self, n_before: int) -> None:
        """Close the account of an event that has completed rows."""
        if len(self.rows) > n_before:
            self.since = []

    def result(
        self, events: Sequence[Event], partial: tuple[float, float, float, float] | None, **more: Any
    ) -> list[Row]:
        """Return the rows, and the partial one if there is one."""
        if partial is None or not self.since:
            return self.rows
        last = self.since[-1]
        row = _row(partial, self.volume, events[self.since[0]].start, events[last].end, last)
        return [*self.rows, row | more | {"is_partial": True}]


def _row(prices: tuple[float, float, float, float], volume: float, opened: int, closed: int, event: int) -> Row:
    opening, high, low, close = prices
    direction = 1 if close > opening else -1 if close < opening else 0
    return {
        "open": opening, "high": high, "low": low, "close": close, "volume": volume, "opened_at": opened,
        "closed_at": closed, "direction": direction, "event": event,
    }  # fmt: skip


def size_of(asked: float | tuple[str, float], events: Sequence[Event]) -> tuple[float, int] | None:
    """The section on size: the size in price, and the event at which the chart begins; None if there are too few."""
    if isinstance(asked, float | int):
        return float(asked), 0
    kind, number = asked
    if kind == "percent":
        return events[0].close * (number / 100.0), 0
    n = int(number)
    if len(events) < n + 1:
        return None
    total = 0.0
    for before, bar in pairwise(events[: n + 1]):
        total += max(bar.high, before.close) - min(bar.low, before.close)
    return total / n, n


def renko(
    events: Sequence[Event],
    size: float | tuple[str, float],
    *,
    reversal_bricks: int = 2,
    anchor: str = "floor",
    wicks: bool = True,
) -> list[Row]:
    """The section on renko.

    Examples
    --------
    >>> prices = (10.0, 13.0, 11.0)
    >>> events = [Event(i, i, p, p, p, p, 1.0) for i, p in enumerate(prices)]
    >>> [(row["open"], row["close"], row["volume"]) for row in renko(events, 1.0)]
    [(10.0, 11.0, 2.0), (11.0, 12.0, 0.0), (12.0, 13.0, 0.0), (12.0, 11.0, 1.0)]
    """
    settled = size_of(size, events)
    if settled is None:
        return []
    step, begin = settled
    first = events[begin].close
    origin = first if anchor == "first" else 0.0
    c = 0 if anchor == "first" else math.floor(first / step + (0.5 if anchor == "nearest" else 0.0) + BILLIONTH)
    trend = 0
    sheet, prices = Sheet(), list[float]()
    tolerance = BILLIONTH * step
    for i, event in enumerate(events):
        sheet.take(i, event)
        if i < begin:
            continue
        price, n_before = event.close, len(sheet.rows)
        prices.append(price)
        while True:
            rising_from = c + reversal_bricks - 1 if trend == -1 else c
            falling_from = c - reversal_bricks + 1 if trend == 1 else c
            if price >= origin + (rising_from + 1) * step - tolerance:
                left, right, trend, c = (
                    origin + rising_from * step,
                    origin + (rising_from + 1) * step,
                    1,
                    rising_from + 1,
                )
                low = min([left, *prices]) if wicks else left
                sheet.complete(events, (left, right, low, right))
            elif price <= origin + (falling_from - 1) * step + tolerance:
                left, right, trend, c = (
                    origin + falling_from * step,
                    origin + (falling_from - 1) * step,
                    -1,
                    falling_from - 1,
                )
                high = max([left, *prices]) if wicks else left
                sheet.complete(events, (left, high, right, right))
            else:
                break
            prices = []
        if len(sheet.rows) > n_before:
            prices = [price]
        sheet.end_event(n_before)
    left, last = origin + c * step, events[-1].close
    seen = prices if wicks else [last]
    return sheet.result(events, (left, max([left, *seen]), min([left, *seen]), last))


@dataclass
class Level:
    """A price, or a level whole steps away from one."""

    base: float
    steps: int = 0

    def at(self, size: float) -> float:
        return self.base + self.steps * size

    def moved(self, steps: int) -> Level:
        return Level(self.base, self.steps + steps)


def range_bars(events: Sequence[Event], size: float | tuple[str, float], *, phantom: bool = False) -> list[Row]:
    """The section on range."""
    settled = size_of(size, events)
    if settled is None:
        return []
    step, begin = settled
    tolerance = BILLIONTH * step
    sheet = Sheet()
    opening: float | None = None
    low = high = Level(0.0)
    for i, event in enumerate(events):
        sheet.take(i, event)
        if i < begin:
            continue
        price, n_before, keep = event.close, len(sheet.rows), False
        if opening is None:
            opening, low, high = price, Level(price), Level(price)
        while True:
            top, bottom = low.moved(1), high.moved(-1)
            is_phantom = len(sheet.rows) > n_before
            if price >= top.at(step) - tolerance:
                prices, end = (opening, top.at(step), low.at(step), top.at(step)), top
            elif price <= bottom.at(step) + tolerance:
                prices, end = (opening, high.at(step), bottom.at(step), bottom.at(step)), bottom
            else:
                break
            sheet.complete(events, prices, phantom=is_phantom)
            beyond = abs(price - end.at(step)) > tolerance
            opening, low, high = end.at(step), end, end
            if not phantom:
                opening, low, high, keep = (
                    (price, Level(price), Level(price), True) if beyond else (None, low, high, False)
                )
                break
        if len(sheet.rows) > n_before and not keep:
            sheet.end_event(n_before)
        beyond_end = opening is not None and (len(sheet.rows) == n_before or abs(price - opening) > tolerance)
        if beyond_end and price > high.at(step):
            high = Level(price)
        if beyond_end and price < low.at(step):
            low = Level(price)
    if opening is None:
        return sheet.rows
    return sheet.result(events, (opening, high.at(step), low.at(step), events[-1].close), phantom=False)


def line_break(events: Sequence[Event], lines: int = 3) -> list[Row]:
    """The section on line break."""
    sheet = Sheet()
    drawn: list[tuple[float, float]] = []
    for i, event in enumerate(events):
        sheet.take(i, event)
        price, n_before = event.close, len(sheet.rows)
        ends = [end for line in drawn[-lines:] for end in line] or [events[0].close]
        if price > max(ends) or price < min(ends):
            began = events[0].close
            if drawn:
                last_open, last_close = drawn[-1]
                turns = (price > max(ends)) != (last_close > last_open)
                began = last_open if turns else last_close
            drawn.append((began, price))
            sheet.complete(events, (began, max(began, price), min(began, price), price))
        sheet.end_event(n_before)
    began, last = drawn[-1][1] if drawn else events[0].close, events[-1].close
    return sheet.result(events, (began, max(began, last), min(began, last), last))


@dataclass
class KagiLine:
    """A line from where it began to its extreme so far; direction 0: it has none yet."""

    began: float
    extreme: float
    extreme_at: int
    direction: int


def kagi(events: Sequence[Event], reversal: float | tuple[str, float]) -> list[Row]:
    """The section on kagi."""
    share = reversal[1] / 100.0 if isinstance(reversal, tuple) and reversal[0] == "percent" else None
    settled = (0.0, 0) if share is not None else size_of(reversal, events)
    if settled is None:
        return []
    amount, begin = settled
    sheet = Sheet()
    line = KagiLine(events[begin].close, events[begin].close, events[begin].end, 0)
    shoulder, waist, thickness = math.inf, -math.inf, 0
    for i, event in enumerate(events):
        sheet.take(i, event)
        if i < begin:
            continue
        price, n_before = event.close, len(sheet.rows)
        reach = amount if share is None else share * line.extreme
        enough = reach - BILLIONTH * reach
        if line.direction == 0:
            if abs(price - line.extreme) >= enough:
                line = KagiLine(line.began, price, event.end, 1 if price > line.extreme else -1)
        elif (price - line.extreme) * line.direction > 0:
            line = KagiLine(line.began, price, event.end, line.direction)
        elif (line.extreme - price) * line.direction >= enough:
            thickness, turn = thickness_of(line, shoulder, waist, thickness)
            prices = (line.began, max(line.began, line.extreme), min(line.began, line.extreme), line.extreme)
            sheet.complete(events, prices, turn=turn, extreme_at=line.extreme_at, thickness=thickness)
            if line.direction > 0:
                shoulder = line.extreme
            else:
                waist = line.extreme
            line = KagiLine(line.extreme, price, event.end, -line.direction)
        sheet.end_event(n_before)
    thickness, turn = thickness_of(line, shoulder, waist, thickness)
    prices = (line.began, max(line.began, line.extreme), min(line.began, line.extreme), line.extreme)
    return sheet.result(events, prices, turn=turn, extreme_at=line.extreme_at, thickness=thickness)


def thickness_of(line: KagiLine, shoulder: float, waist: float, before: int) -> tuple[int, float]:
    """The thickness at the end of a line, and where it changed."""
    if line.extreme > line.began and line.extreme > shoulder and before != 1:
        return 1, shoulder
    if line.extreme < line.began and line.extreme < waist and before != -1:
        return -1, waist
    return before, math.nan


@dataclass
class BoxColumn:
    """A column from its first box to its last so far; direction 0: there is none yet, and both are the beginning."""

    first: int
    last: int
    last_at: int
    direction: int


def point_figure(
    events: Sequence[Event], box: float | tuple[str, float], *, reversal: int = 3, method: str = "close"
) -> list[Row]:
    """The section on point and figure."""
    settled = size_of(box, events)
    if settled is None:
        return []
    size, begin = settled
    sheet = Sheet()
    beginning = math.floor(events[begin].close / size + BILLIONTH)
    column = BoxColumn(beginning, beginning, 0, 0)
    for i, event in enumerate(events):
        sheet.take(i, event)
        if i <= begin:
            continue
        n_before = len(sheet.rows)
        rising, falling = (event.close, event.close) if method == "close" else (event.high, event.low)
        if column.direction == 0:
            top, bottom = highest_box(column.last, rising, size), lowest_box(column.last, falling, size)
            if top > column.last:
                column = BoxColumn(column.last + 1, top, event.end, 1)
            elif bottom < column.last:
                column = BoxColumn(column.last - 1, bottom, event.end, -1)
        elif column.direction == 1:
            top, bottom = highest_box(column.last, rising, size), lowest_box(column.last, falling, size)
            if top > column.last:
                column.last, column.last_at = top, event.end
            elif bottom <= column.last - reversal:
                _complete_column(sheet, events, column, size)
                column = BoxColumn(column.last - 1, bottom, event.end, -1)
        else:
            top, bottom = highest_box(column.last, rising, size), lowest_box(column.last, falling, size)
            if bottom < column.last:
                column.last, column.last_at = bottom, event.end
            elif top >= column.last + reversal:
                _complete_column(sheet, events, column, size)
                column = BoxColumn(column.last + 1, top, event.end, 1)
        sheet.end_event(n_before)
    if column.direction == 0:
        return sheet.rows
    prices, more = _column(column, size)
    return sheet.result(events, prices, **more)


def _column(column: BoxColumn, size: float) -> tuple[tuple[float, float, float, float], Row]:
    left, right = column.first * size, column.last * size
    boxes = abs(column.last - column.first) + 1
    more = {"direction": column.direction, "extreme_at": column.last_at, "boxes": boxes}
    return (left, max(left, right), min(left, right), right), more


def _complete_column(sheet: Sheet, events: Sequence[Event], column: BoxColumn, size: float) -> None:
    prices, more = _column(column, size)
    sheet.complete(events, prices, **more)


def highest_box(box: int, price: float, size: float) -> int:
    """The highest box from `box` up that a price reaches; `box` itself if there is none above."""
    while price >= (box + 1) * size - BILLIONTH * size:
        box += 1
    return box


def lowest_box(box: int, price: float, size: float) -> int:
    """The lowest box from `box` down that a price reaches; `box` itself if there is none below."""
    while price <= (box - 1) * size + BILLIONTH * size:
        box -= 1
    return box


def time_bars(
    events: Sequence[Event], period_of: Callable[[int], tuple[int, int]], completes: Callable[[Event], bool]
) -> list[Row]:
    """The section on time: `period_of` a stamp gives the ends of its period, `completes` is asked of each event."""
    rows: list[Row] = []
    inside: list[Event] = []
    for i, event in enumerate(events):
        period = period_of(event.start)
        if inside and period_of(inside[0].start) != period:
            rows.append(_period_row(inside, period_of(inside[0].start), i))
            inside = []
        inside.append(event)
        if completes(event):
            rows.append(_period_row(inside, period, i))
            inside = []
    if inside:
        period = period_of(inside[0].start)
        rows.append(_period_row(inside, (period[0], inside[-1].end), len(events) - 1) | {"is_partial": True})
    return rows


def _period_row(inside: list[Event], period: tuple[int, int], known: int) -> Row:
    prices = (inside[0].open, max(e.high for e in inside), min(e.low for e in inside), inside[-1].close)
    volume = 0.0
    for event in inside:
        volume += event.volume
    return _row(prices, volume, *period, known) | {"ticks": len(inside)}


def heikin_ashi(events: Sequence[Event]) -> list[Row]:
    """The section on heikin-ashi."""
    rows: list[Row] = []
    for i, bar in enumerate(events):
        close = (bar.open + bar.high + bar.low + bar.close) / 4.0
        opening = (rows[-1]["open"] + rows[-1]["close"]) / 2.0 if rows else (bar.open + bar.close) / 2.0
        prices = (opening, max(bar.high, opening, close), min(bar.low, opening, close), close)
        real = {"real_open": bar.open, "real_high": bar.high, "real_low": bar.low, "real_close": bar.close}
        rows.append(_row(prices, bar.volume, bar.start, bar.end, i) | real)
    return rows
