"""The reference bars of activity and of flow: the sections of `docs/explanation/charts.md` in plain Python.

As `reference.py`: slow, obviously correct, without kernels and array libraries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from algotrendy.charts.reference import BILLIONTH, Event, Row, Sheet


def weight_of(event: Event, what: str) -> float:
    """What an event counts."""
    if what == "tick":
        return 1.0
    return event.volume if what == "volume" else event.volume * event.close


def _prices(inside: list[Event]) -> tuple[float, float, float, float]:
    return inside[0].open, max(e.high for e in inside), min(e.low for e in inside), inside[-1].close


def activity_bars(events: Sequence[Event], what: str, size: float) -> list[Row]:
    """The section on tick, volume and dollar bars, whole events.

    Examples
    --------
    >>> events = [Event(i, i, 10.0, 10.0, 10.0, 10.0, 4.0) for i in range(4)]
    >>> [row["volume"] for row in activity_bars(events, "volume", 5.0)]
    [8.0, 8.0]
    """
    sheet = Sheet()
    inside: list[Event] = []
    count = 0.0
    for i, event in enumerate(events):
        sheet.take(i, event)
        inside.append(event)
        count += weight_of(event, what)
        n_before = len(sheet.rows)
        if count >= size - BILLIONTH * size:
            sheet.complete(events, _prices(inside), ticks=len(inside))
            inside, count = [], 0.0
        sheet.end_event(n_before)
    return sheet.result(events, _prices(inside), ticks=len(inside)) if inside else sheet.rows


@dataclass
class Part:
    """A part of an event in a bar: which event, and how many of its units."""

    i: int
    units: float


def split_bars(events: Sequence[Event], what: str, size: float) -> list[Row]:
    """The same with `split=True`: each bar is a list of parts of events."""
    rows: list[Row] = []
    parts: list[Part] = []
    count = 0.0
    for i, event in enumerate(events):
        worth = 1.0 if what == "volume" else event.close
        left, units = weight_of(event, what), event.volume
        takes_part = True
        while count + left >= size - BILLIONTH * size:
            lacking = size - count
            left -= lacking
            takes_part = left > BILLIONTH * size
            units_taken = lacking / worth if takes_part else units
            units -= units_taken
            rows.append(_bar_of_parts(events, [*parts, Part(i, units_taken)]))
            parts, count = [], 0.0
        if takes_part:
            parts.append(Part(i, units))
            count += left
    return [*rows, _bar_of_parts(events, parts) | {"is_partial": True}] if parts else rows


def _bar_of_parts(events: Sequence[Event], parts: list[Part]) -> Row:
    sheet = Sheet()
    for part in parts:
        sheet.volume += part.units
        sheet.since.append(part.i)
    sheet.complete(events, _prices([events[part.i] for part in parts]), ticks=len(parts))
    return sheet.rows[0]


@dataclass(frozen=True)
class FlowOptions:
    """The parameters of imbalance and runs bars, all given."""

    what: str
    expected_ticks: int
    span: float
    tick_span: float
    min_ticks: int
    max_ticks: int
    floor: float


def flow_bars(events: Sequence[Event], options: FlowOptions, *, runs: bool) -> list[Row]:
    """The section on imbalance and runs."""
    sheet = Sheet()
    inside: list[Event] = []
    buys = sells = mean_buys = mean_sells = expected = 0.0
    threshold = math.nan
    sign = 0
    w, a = 2.0 / (options.tick_span + 1.0), 2.0 / (options.span + 1.0)
    for i, event in enumerate(events):
        sheet.take(i, event)
        inside.append(event)
        n_before = len(sheet.rows)
        if i > 0 and event.close != events[i - 1].close:
            sign = 1 if event.close > events[i - 1].close else -1
        weight = weight_of(event, options.what)
        buy, sell = weight if sign == 1 else 0.0, weight if sign == -1 else 0.0
        buys += buy
        sells += sell
        is_first = math.isnan(threshold)
        if not is_first:
            mean_buys += w * (buy - mean_buys)
            mean_sells += w * (sell - mean_sells)
        ticks, theta = len(inside), theta_of(buys, sells, runs=runs)
        reached = threshold > 0.0 and abs(theta) >= threshold - BILLIONTH * threshold and ticks >= options.min_ticks
        if ticks >= options.expected_ticks if is_first else (reached or ticks == options.max_ticks):
            capped = not is_first and not reached
            sheet.complete(events, _prices(inside), theta=theta, threshold=threshold, ticks=ticks, capped=capped)
            if is_first:
                expected, mean_buys, mean_sells = float(ticks), buys / ticks, sells / ticks
            else:
                expected += a * (ticks - expected)
            threshold = threshold_of(expected, mean_buys, mean_sells, runs=runs, floor=options.floor)
            inside, buys, sells = [], 0.0, 0.0
        sheet.end_event(n_before)
    if not inside:
        return sheet.rows
    more = {"theta": theta_of(buys, sells, runs=runs), "threshold": threshold, "ticks": len(inside), "capped": False}
    return sheet.result(events, _prices(inside), **more)


def theta_of(buys: float, sells: float, *, runs: bool) -> float:
    """The signed flow of a bar."""
    if not runs:
        return buys - sells
    return buys if buys >= sells else -sells


def threshold_of(expected: float, mean_buys: float, mean_sells: float, *, runs: bool, floor: float) -> float:
    """What the flow of the next bar has to reach."""
    if runs:
        return expected * max(mean_buys, mean_sells)
    return max(expected * abs(mean_buys - mean_sells), floor * math.sqrt(expected) * (mean_buys + mean_sells))
