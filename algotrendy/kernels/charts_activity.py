"""Bars of activity and of time, and heikin-ashi; see `charts_types`. Defined in `docs/explanation/charts.md`."""

from __future__ import annotations

from typing import Any

import numpy as np

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL
from algotrendy.kernels.charts_rows import leave, put, stamp
from algotrendy.kernels.charts_types import (
    EXTRA_NUMBERS,
    EXTRA_WHOLE,
    TICKS,
    TOLERANCE,
    UNITS,
    ActivityRule,
    Events,
    Periods,
    Rows,
)


@jit(**KERNEL)
def whole_events(events: Events, rule: ActivityRule, state: Any, rows: Rows) -> tuple[int, int]:
    """Write a bar whenever the count reaches the target; the event that does so is in it, whole."""
    start, end, opens, highs, lows, closes, traded = events
    numbers, whole = rows
    what, target, _ = rule
    s = state[0]
    high, low, volume, total = s.high, s.low, s.volume, s.total
    enough = target - TOLERANCE * target
    n, taken, first = 0, closes.size, -1 if s.events > 0 else 0
    for i in range(closes.size):
        volume += traded[i]
        high = highs[i] if highs[i] > high else high
        low = lows[i] if lows[i] < low else low
        total += 1.0 if what == TICKS else traded[i] if what == UNITS else traded[i] * closes[i]
        if total >= enough:
            opening = opens[first] if first >= 0 else s.open
            put(numbers, whole, n, (opening, high, low, closes[i], volume))
            stamp(whole, n, start[first] if first >= 0 else s.opened, end[i], s.n_events + i)
            whole[EXTRA_WHOLE, n] = i - first + 1 if first >= 0 else s.events + i + 1
            n += 1
            high, low, volume, total, first = -np.inf, np.inf, 0.0, 0.0, i + 1
            if n == whole.shape[1]:
                taken = i + 1
                break
    s.high, s.low, s.volume, s.total = high, low, volume, total
    s.open = opens[first] if 0 <= first < taken else s.open
    leave(s, events, first, taken)
    return n, taken


@jit(**KERNEL)
def split_events(events: Events, rule: ActivityRule, state: Any, rows: Rows) -> tuple[int, int]:
    """Write bars of exactly the target: an event that goes beyond it is shared out, each part with all its prices."""
    start, end, opens, highs, lows, closes, traded = events
    numbers, whole = rows
    what, target, _ = rule
    s = state[0]
    dust = TOLERANCE * target
    opening, opened, high, low, volume, total, held = s.open, s.opened, s.high, s.low, s.volume, s.total, s.events
    n, i = 0, 0
    while i < closes.size:
        worth = closes[i] if what != UNITS else 1.0
        amount, units = traded[i] * worth, traded[i]
        if n + (total + amount) / target + 2.0 > whole.shape[1]:
            break
        if held == 0:
            opening, opened = opens[i], start[i]
        high, low, held = max(high, highs[i]), min(low, lows[i]), held + 1
        while total + amount >= target - dust:
            needed = target - total
            amount -= needed
            taken = needed / worth if amount > dust else units
            volume += taken
            units -= taken
            put(numbers, whole, n, (opening, high, low, closes[i], volume))
            stamp(whole, n, opened, end[i], s.n_events + i)
            whole[EXTRA_WHOLE, n] = held
            n += 1
            volume = total = 0.0
            opening, opened, high, low, held = opens[i], start[i], highs[i], lows[i], 1
            if amount <= dust:
                amount, held, high, low = 0.0, 0, -np.inf, np.inf
        total += amount
        volume += units
        i += 1
    s.open, s.opened, s.high, s.low, s.volume, s.total, s.events = opening, opened, high, low, volume, total, held
    s.last = closes[i - 1] if i > 0 else s.last
    s.n_events += i
    return n, i


@jit(**KERNEL)
def periods(events: Events, rule: Periods, state: Any, rows: Rows) -> tuple[int, int]:
    """Write a bar for each period that has events, once an event completes it or belongs to a later one."""
    _, _, opens, highs, lows, closes, traded = events
    numbers, whole = rows
    period_start, period_end, complete = rule
    s = state[0]
    opening, high, low, last, volume = s.open, s.high, s.low, s.last, s.volume
    period, over, held = s.period, s.period_end, s.events
    n, taken = 0, closes.size
    for i in range(closes.size):
        if n + 2 > whole.shape[1]:
            taken = i
            break
        if held > 0 and period != period_start[i]:
            put(numbers, whole, n, (opening, high, low, last, volume))
            stamp(whole, n, period, over, s.n_events + i)
            whole[EXTRA_WHOLE, n] = held
            n += 1
            high, low, volume, held = -np.inf, np.inf, 0.0, 0
        opening = opening if held > 0 else opens[i]
        high, low, last, volume = max(high, highs[i]), min(low, lows[i]), closes[i], volume + traded[i]
        period, over, held = period_start[i], period_end[i], held + 1
        if complete[i] == 1:
            put(numbers, whole, n, (opening, high, low, last, volume))
            stamp(whole, n, period, over, s.n_events + i)
            whole[EXTRA_WHOLE, n] = held
            n += 1
            high, low, volume, held = -np.inf, np.inf, 0.0, 0
    s.open, s.high, s.low, s.last, s.volume = opening, high, low, last, volume
    s.period, s.period_end, s.opened, s.events = period, over, period, held
    s.n_events += taken
    return n, taken


@jit(**KERNEL)
def heikin_ashi(events: Events, rule: int, state: Any, rows: Rows) -> tuple[int, int]:
    """Write one synthetic bar per event, the real prices beside it."""
    start, end, opens, highs, lows, closes, traded = events
    numbers, whole = rows
    s = state[0]
    opening, close, seen = s.open, s.close, s.n_events
    n = 0
    while n < closes.size and n < whole.shape[1]:
        opening = (opening + close) / 2.0 if seen + n > 0 else (opens[n] + closes[n]) / 2.0
        close = (opens[n] + highs[n] + lows[n] + closes[n]) / 4.0
        high, low = max(highs[n], opening, close), min(lows[n], opening, close)
        put(numbers, whole, n, (opening, high, low, close, traded[n]))
        stamp(whole, n, start[n], end[n], seen + n)
        numbers[EXTRA_NUMBERS, n], numbers[EXTRA_NUMBERS + 1, n] = opens[n], highs[n]
        numbers[EXTRA_NUMBERS + 2, n], numbers[EXTRA_NUMBERS + 3, n] = lows[n], closes[n]
        n += 1
    s.open, s.close = opening, close
    s.n_events += n
    return n, n
