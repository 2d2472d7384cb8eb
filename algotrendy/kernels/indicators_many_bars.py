"""As `indicators_many`, for indicators of high, low and close, which are the same bars for all sets of parameters."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._desk import BLOCK, Desk, clear_before_seed, give, judge, next_event, seat
from algotrendy.kernels._jit import jit
from algotrendy.kernels._lanes import BYTES, WIDTH, load, spread, store, where
from algotrendy.kernels._memory import doubles_at

Float1D: TypeAlias = NDArray[np.float64]


@jit(error_model="numpy")
def _begin(desk: Desk) -> tuple[int, bool]:
    """Return the first bar at which nothing is missing, and whether that is so ever after."""
    high, low, close = (
        doubles_at(desk.addresses[0, 0]),
        doubles_at(desk.addresses[1, 0]),
        doubles_at(desk.addresses[2, 0]),
    )
    n_bars, begin, missing = desk.out.shape[1], 0, 0
    for i in range(n_bars):
        gap = (high[i] - high[i]) + (low[i] - low[i]) + (close[i] - close[i])
        if gap != 0.0:
            missing += 1
            begin = i + 1 if missing == i + 1 else begin
    return begin, missing == begin


@jit(error_model="numpy")
def _ranges(desk: Desk) -> Float1D:
    """Return the true range of each bar; the first has no close before it."""
    high, low, close = (
        doubles_at(desk.addresses[0, 0]),
        doubles_at(desk.addresses[1, 0]),
        doubles_at(desk.addresses[2, 0]),
    )
    n_bars = desk.out.shape[1]
    ranges = np.zeros(n_bars)
    for i in range(1, n_bars):
        ranges[i] = max(high[i], close[i - 1]) - min(close[i - 1], low[i])
    return ranges


@jit(error_model="numpy")
def atr(desk: Desk, output: int) -> None:
    """Write averages of the true range; for one set, `indicators_volatility.atr`."""
    n_sets, n_bars = desk.out.shape
    given = desk.given.ctypes.data
    zero, one = spread(0.0), spread(1.0)
    ranges = _ranges(desk)
    first, is_whole = _begin(desk)
    begin = spread(np.float64(first))
    store(desk.events[1].ctypes.data, begin)
    for group in range(0, n_sets, WIDTH):
        seat(desk, group)
        window = load(desk.numbers[0].ctypes.data)
        seed = begin + window
        store(desk.events[0].ctypes.data, seed)
        weight = one / window
        average, keep, share = zero, one, one
        event = next_event(desk, -1)
        for start in range(0, n_bars, BLOCK):
            size = min(BLOCK, n_bars - start)
            for j in range(size):
                average = average * keep + spread(ranges[start + j]) * share
                if start + j == event:
                    now = spread(np.float64(event))
                    known = now == seed
                    average = where(now == begin, zero, where(known, average / window, average))
                    keep, share = where(known, one - weight, keep), where(known, weight, share)
                    event = next_event(desk, event)
                store(given + BYTES * j, average)
            give(desk, start, size)
        clear_before_seed(desk)
        store(given, average)
        judge(desk, group, is_whole)


@jit(error_model="numpy")
def supertrend(desk: Desk, output: int) -> None:
    """Write supertrends, output 0 the line and 1 the direction; for one set, `indicators_trend.supertrend`."""
    n_sets, n_bars = desk.out.shape
    high, low, close = (
        doubles_at(desk.addresses[0, 0]),
        doubles_at(desk.addresses[1, 0]),
        doubles_at(desk.addresses[2, 0]),
    )
    given = desk.given.ctypes.data
    zero, one, down = spread(0.0), spread(1.0), spread(-1.0)
    ranges = _ranges(desk)
    first, is_whole = _begin(desk)
    begin = spread(np.float64(first))
    store(desk.events[1].ctypes.data, begin)
    for group in range(0, n_sets, WIDTH):
        seat(desk, group)
        window, multiplier = load(desk.numbers[0].ctypes.data), load(desk.numbers[1].ctypes.data)
        seed = begin + window
        store(desk.events[0].ctypes.data, seed)
        weight = one / window
        average, keep, share = zero, one, one
        ceiling, floor, trend, before = zero, zero, down, zero
        event = next_event(desk, -1)
        for start in range(0, n_bars, BLOCK):
            size = min(BLOCK, n_bars - start)
            for j in range(size):
                i = start + j
                average = average * keep + spread(ranges[i]) * share
                if i == event:
                    now = spread(np.float64(event))
                    known = now == seed
                    average = where(now == begin, zero, where(known, average / window, average))
                    keep, share = where(known, one - weight, keep), where(known, weight, share)
                middle, reach, price = spread((high[i] + low[i]) / 2.0), average * multiplier, spread(close[i])
                upper, lower = middle + reach, middle - reach
                ceiling = where((upper < ceiling) | (before > ceiling), upper, ceiling)
                floor = where((lower > floor) | (before < floor), lower, floor)
                falls, rises = price < floor, price > ceiling
                trend = where(trend > zero, where(falls, down, trend), where(rises, one, trend))
                if i == event:  # the first known bar: down until proved otherwise
                    known = spread(np.float64(event)) == seed
                    ceiling, floor = where(known, upper, ceiling), where(known, lower, floor)
                    trend = where(known, down, trend)
                    event = next_event(desk, event)
                before = price
                store(given + BYTES * j, where(trend > zero, floor, ceiling) if output == 0 else trend)
            give(desk, start, size)
        clear_before_seed(desk)
        store(given, average)
        judge(desk, group, is_whole)


@jit(error_model="numpy")
def directional(desk: Desk, output: int) -> None:
    """Write directional movement, output 0 ADX, 1 +DI, 2 -DI; for one set, `indicators_trend.directional`."""
    n_sets, n_bars = desk.out.shape
    high, low = doubles_at(desk.addresses[0, 0]), doubles_at(desk.addresses[1, 0])
    given = desk.given.ctypes.data
    zero, one, hundred = spread(0.0), spread(1.0), spread(100.0)
    ranges = _ranges(desk)
    first, is_whole = _begin(desk)
    begin = spread(np.float64(first))
    store(desk.events[2].ctypes.data, begin)
    for group in range(0, n_sets, WIDTH):
        seat(desk, group)
        window = load(desk.numbers[0].ctypes.data)
        full = begin + window - one
        seed = full + window
        store(desk.events[0].ctypes.data, seed if output == 0 else full + one)
        store(desk.events[1].ctypes.data, full)
        weight = one / window
        up = down = reach = average = zero
        decay = keep = share = one
        event = next_event(desk, -1)
        for start in range(0, n_bars, BLOCK):
            size = min(BLOCK, n_bars - start)
            for j in range(size):
                i = start + j
                rise, fall = high[i] - high[max(i - 1, 0)], low[max(i - 1, 0)] - low[i]
                up = up * decay + spread(rise if (rise > fall) & (rise > 0.0) else 0.0)
                down = down * decay + spread(fall if (fall > rise) & (fall > 0.0) else 0.0)
                reach = reach * decay + spread(ranges[i])
                if output == 0:
                    moved, apart = up + down, up - down
                    index = hundred * (where(apart < zero, zero - apart, apart) / moved)
                    average = where(moved > zero, average * keep + index * share, average)
                if i == event:
                    now = spread(np.float64(event))
                    is_first, is_full, is_seed = now == begin, now == full, now == seed
                    up, down = where(is_first, zero, up), where(is_first, zero, down)
                    reach, decay = where(is_first, zero, reach), where(is_full, one - weight, decay)
                    average = where(is_full, zero, where(is_seed, average / window, average))
                    keep, share = where(is_seed, one - weight, keep), where(is_seed, weight, share)
                    event = next_event(desk, event)
                if output == 0:
                    store(given + BYTES * j, average)
                else:
                    share_of_range = hundred * ((up if output == 1 else down) / reach)
                    store(given + BYTES * j, where(reach > zero, share_of_range, zero))
            give(desk, start, size)
        clear_before_seed(desk)
        store(given, reach)
        judge(desk, group, is_whole)
