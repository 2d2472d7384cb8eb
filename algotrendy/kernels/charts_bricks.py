"""Renko bricks and range bars, written as `charts_types` says; defined in `docs/explanation/charts.md`.

In all chart kernels `first` is the event with which the open row begins, or -1 if it began before the first event of
this call, and `taken` is the number of events that were taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL
from algotrendy.kernels.charts_rows import leave, put, stamp
from algotrendy.kernels.charts_types import EXTRA_WHOLE, TOLERANCE, Events, RangeRule, RenkoRule, Rows


@jit(**KERNEL)
def renko(events: Events, rule: RenkoRule, state: Any, rows: Rows) -> tuple[int, int]:
    """Write the bricks that the closes complete: level k stands at `origin + k * size`."""
    start, end, _, _, _, price, traded = events
    numbers, whole = rows
    size, reversal, wicks = rule
    s = state[0]
    origin, level, trend = s.origin, s.level, s.direction
    high, low, volume = s.high, s.low, s.volume
    tolerance = TOLERANCE * size
    up = origin + (level + (reversal if trend < 0 else 1)) * size - tolerance
    down = origin + (level - (reversal if trend > 0 else 1)) * size + tolerance
    n, taken, first = 0, price.size, -1 if s.events > 0 else 0
    for i in range(price.size):
        p = price[i]
        if p >= up or p <= down:
            sign = 1 if p >= up else -1
            if n + abs(p - (up if sign > 0 else down)) / size + 2.0 > whole.shape[1]:
                taken = i
                break
            volume += traded[i]
            high, low = max(high, p), min(low, p)
            opened = start[first] if first >= 0 else s.opened
            while (p >= up) if sign > 0 else (p <= down):
                began = level + sign * (reversal - 1) if trend == -sign else level
                level, trend = began + sign, sign
                left, right = origin + began * size, origin + level * size
                top, bottom = max(left, right), min(left, right)
                if wicks and sign > 0:
                    bottom = min(bottom, low)
                elif wicks:
                    top = max(top, high)
                put(numbers, whole, n, (left, top, bottom, right, volume))
                stamp(whole, n, opened, end[i], s.n_events + i)
                n += 1
                high, low, volume, opened = -np.inf, np.inf, 0.0, start[i]
                up = origin + (level + (reversal if trend < 0 else 1)) * size - tolerance
                down = origin + (level - (reversal if trend > 0 else 1)) * size + tolerance
            high = low = p  # the rest of the way belongs to the next brick
            first = i + 1
        else:
            volume += traded[i]
            high = p if p > high else high
            low = p if p < low else low
    s.level, s.direction, s.high, s.low, s.volume = level, trend, high, low, volume
    leave(s, events, first, taken)
    return n, taken


@jit(**KERNEL)
def range_bars(events: Events, rule: RangeRule, state: Any, rows: Rows) -> tuple[int, int]:
    """Write the bars whose closes span the range.

    An extreme that no price of the bar has set stands whole steps away from a real price, at `base + step * size`, so
    that a chain of bars without a new price between them adds up nothing. `low_base` and `low_step` tell where the low
    stood when the bar began, `low_level`.
    """
    start, end, _, _, _, price, traded = events
    numbers, whole = rows
    size, phantom = rule
    s = state[0]
    tolerance = TOLERANCE * size
    opening, high, low, volume, is_open = s.open, s.high, s.low, s.volume, s.is_open == 1
    base, step, up, down = s.base, s.step, s.up, s.down
    up = up if is_open else -np.inf  # so that the next price, whatever it is, takes the rare branch
    n, taken, first = 0, price.size, -1 if s.events > 0 else 0
    for i in range(price.size):
        p = price[i]
        if p >= up or p <= down:
            if not is_open:
                is_open, opening, high, low, base, step = True, p, p, p, p, 0
                up, down = p + size - tolerance, p - size + tolerance
                volume += traded[i]
                continue
            sign = 1 if p >= up else -1
            if n + (abs(p - (low if sign > 0 else high)) / size + 2.0 if phantom else 1.0) > whole.shape[1]:
                taken = i
                break
            volume += traded[i]
            opened = start[first] if first >= 0 else s.opened
            extreme = low if sign > 0 else high
            if extreme != base + step * size:  # a price of this bar has set it
                base, step = extreme, 0
            n_before = n
            while n == n_before or (phantom and (p >= up if sign > 0 else p <= down)):
                step += sign
                level = base + step * size
                high, low = (level, low) if sign > 0 else (high, level)
                put(numbers, whole, n, (opening, high, low, level, volume))
                stamp(whole, n, opened, end[i], s.n_events + i)
                whole[EXTRA_WHOLE, n] = n > n_before
                n += 1
                opening = high = low = level
                volume, opened = 0.0, start[i]
                up = base + (step + 1) * size - tolerance
                down = base + (step - 1) * size + tolerance
            first = i + 1
            if abs(p - opening) <= tolerance:
                is_open = phantom
                up = up if is_open else -np.inf
            elif phantom:  # the rest of the way belongs to the next bar
                high, low = max(high, p), min(low, p)
                up, down = min(up, p + size - tolerance), max(down, p - size + tolerance)
            else:  # the next bar begins where the market is
                opening, high, low, base, step, first = p, p, p, p, 0, i
                up, down = p + size - tolerance, p - size + tolerance
        else:
            volume += traded[i]
            high = p if p > high else high
            low = p if p < low else low
            up = min(up, p + size - tolerance)
            down = max(down, p - size + tolerance)
    s.open, s.high, s.low, s.volume, s.is_open = opening, high, low, volume, np.int64(is_open)
    s.base, s.step, s.up, s.down = base, step, up, down
    leave(s, events, first, taken)
    return n, taken
