"""Line break, kagi, point and figure, written as `charts_types` says; defined in `docs/explanation/charts.md`."""

from __future__ import annotations

from typing import Any

import numpy as np

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL, part
from algotrendy.kernels.charts_rows import leave, put, stamp
from algotrendy.kernels.charts_types import (
    DIRECTION,
    EXTRA_NUMBERS,
    EXTRA_WHOLE,
    TOLERANCE,
    Events,
    KagiRule,
    LineBreakRule,
    PointFigureRule,
    Rows,
)


@jit(**KERNEL)
def line_break(events: Events, rule: LineBreakRule, state: Any, rows: Rows) -> tuple[int, int]:
    """Write the lines; `top` and `bottom` are the extremes of the last lines, at first both the first close."""
    start, end, _, _, _, price, traded = events
    numbers, whole = rows
    lines = rule.lines
    s = state[0]
    top, bottom, volume, n_lines = s.top, s.bottom, s.volume, s.n_lines
    n, taken, first = 0, price.size, -1 if s.events > 0 else 0
    for i in range(price.size):
        p = price[i]
        volume += traded[i]
        if p > top or p < bottom:
            began = top
            if n_lines > 0:
                last = (n_lines - 1) % lines.shape[1]
                turns = (p > top) != (lines[1, last] > lines[0, last])
                began = lines[0, last] if turns else lines[1, last]
            put(numbers, whole, n, (began, max(began, p), min(began, p), p, volume))
            stamp(whole, n, start[first] if first >= 0 else s.opened, end[i], s.n_events + i)
            n += 1
            lines[0, n_lines % lines.shape[1]], lines[1, n_lines % lines.shape[1]] = began, p
            n_lines += 1
            top, bottom = -np.inf, np.inf
            for k in range(min(n_lines, lines.shape[1])):
                top = max(top, lines[0, k], lines[1, k])
                bottom = min(bottom, lines[0, k], lines[1, k])
            volume, first = 0.0, i + 1
            if n == whole.shape[1]:
                taken = i + 1
                break
    s.top, s.bottom, s.volume, s.n_lines = top, bottom, volume, n_lines
    leave(s, events, first, taken)
    return n, taken


@part
def turned(line: tuple[float, float], shoulder: float, waist: float, thickness: int) -> tuple[int, float]:
    """Return the thickness at the end of a line, and the price at which it changed on the way (NaN: it did not)."""
    began, ended = line
    if ended > began and ended > shoulder and thickness != 1:
        return 1, shoulder
    if ended < began and ended < waist and thickness != -1:
        return -1, waist
    return thickness, np.nan


@jit(**KERNEL)
def kagi(events: Events, rule: KagiRule, state: Any, rows: Rows) -> tuple[int, int]:
    """Write each line once a reversal of the amount has confirmed its extreme."""
    start, end, _, _, _, price, traded = events
    numbers, whole = rows
    amount, share = rule
    s = state[0]
    began, extreme, extreme_at, direction, volume = s.open, s.extreme, s.extreme_at, s.direction, s.volume
    n, taken, first = 0, price.size, -1 if s.events > 0 else 0
    for i in range(price.size):
        p = price[i]
        volume += traded[i]
        reach = amount if amount > 0.0 else share * extreme
        against = (extreme - p) * direction if direction != 0 else abs(p - extreme)
        if against >= reach - TOLERANCE * reach:
            if direction == 0:
                direction = 1 if p > extreme else -1
            else:
                s.thickness, turn = turned((began, extreme), s.shoulder, s.waist, s.thickness)
                put(numbers, whole, n, (began, max(began, extreme), min(began, extreme), extreme, volume))
                stamp(whole, n, start[first] if first >= 0 else s.opened, end[i], s.n_events + i)
                numbers[EXTRA_NUMBERS, n] = turn
                whole[EXTRA_WHOLE, n], whole[EXTRA_WHOLE + 1, n] = extreme_at, s.thickness
                n += 1
                if direction > 0:
                    s.shoulder = extreme
                else:
                    s.waist = extreme
                began, direction, volume, first = extreme, -direction, 0.0, i + 1
            extreme, extreme_at = p, end[i]
            if n == whole.shape[1]:
                taken = i + 1
                break
        elif against < 0.0:
            extreme, extreme_at = p, end[i]
    s.open, s.extreme, s.extreme_at, s.direction, s.volume = began, extreme, extreme_at, direction, volume
    leave(s, events, first, taken)
    return n, taken


MOST_BOXES = 1e9
"""A price that is more boxes away from zero is not looked at: there would be no end to counting them."""


@part
def last_box(box: int, price: float, size: float, sign: int) -> int:
    """Return the last box, from `box` on in the direction of `sign`, that the price reaches."""
    while sign * price >= sign * ((box + sign) * size) - TOLERANCE * size:
        box += sign
    return box


@jit(**KERNEL)
def point_figure(events: Events, rule: PointFigureRule, state: Any, rows: Rows) -> tuple[int, int]:
    """Write each column once the reversal has begun the next: box k stands at `k * size`.

    The high is what an event offers to a rising column and the low to a falling one; a new box of the column's own
    direction comes first, and then the other side of the event is not looked at.
    """
    start, end, _, highs, lows, price, traded = events
    numbers, whole = rows
    size, reversal = rule
    s = state[0]
    began, extreme, extreme_at, direction, volume = s.first, s.extreme, s.extreme_at, s.direction, s.volume
    n, taken, first = 0, price.size, -1 if s.events > 0 else 0
    for i in range(price.size):
        if highs[i] / size > MOST_BOXES:
            taken = i
            break
        volume += traded[i]
        if direction == 0:
            direction = 1
            extreme = last_box(began, highs[i], size, 1)
            if extreme == began:
                direction = -1
                extreme = last_box(began, lows[i], size, -1)
            direction = direction if extreme != began else 0
            began, extreme_at = began + direction, end[i]
        else:
            ahead, behind = (highs[i], lows[i]) if direction > 0 else (lows[i], highs[i])
            box = last_box(extreme, ahead, size, direction)
            if box != extreme:
                extreme, extreme_at = box, end[i]
            else:
                box = last_box(extreme, behind, size, -direction)
                if direction * (extreme - box) >= reversal:
                    left, right = began * size, extreme * size
                    put(numbers, whole, n, (left, max(left, right), min(left, right), right, volume))
                    stamp(whole, n, start[first] if first >= 0 else s.opened, end[i], s.n_events + i)
                    whole[DIRECTION, n] = direction
                    whole[EXTRA_WHOLE, n], whole[EXTRA_WHOLE + 1, n] = extreme_at, abs(extreme - began) + 1
                    n += 1
                    began, extreme, extreme_at = extreme - direction, box, end[i]
                    direction, volume, first = -direction, 0.0, i + 1
                    if n == whole.shape[1]:
                        taken = i + 1
                        break
    s.first, s.extreme, s.extreme_at, s.direction, s.volume = began, extreme, extreme_at, direction, volume
    leave(s, events, first, taken)
    return n, taken
