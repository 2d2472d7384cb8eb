"""Recursive indicators for many sets of parameters at once, eight in the lanes of one loop; see `_lanes`.

Every kernel takes a `Desk` and which of the indicator's outputs to write. Each set gets the numbers that the kernel for
one set gives, to the last bit.

An average starts as a sum, which is the same recursion with weights of 1, and is divided at its first known bar. So
lanes differ only at a few bars, the events, and there is nothing to decide at the others.
"""

from __future__ import annotations

import numpy as np

from algotrendy.kernels._desk import BLOCK, Desk, begin_each, clear_before_seed, give, judge, next_event, seat, take
from algotrendy.kernels._jit import jit
from algotrendy.kernels._lanes import BYTES, WIDTH, load, spread, store, where


@jit(error_model="numpy")
def ema(desk: Desk, output: int) -> None:
    """Write exponential averages; for one set, `indicators_average.ema`."""
    n_sets, n_bars = desk.out.shape
    taken, given = desk.taken.ctypes.data, desk.given.ctypes.data
    zero, one = spread(0.0), spread(1.0)
    for group in range(0, n_sets, WIDTH):
        seat(desk, group)
        begin_each(desk)
        window = load(desk.numbers[0].ctypes.data)
        before = load(desk.begins.ctypes.data) - one
        seed = before + window
        store(desk.events[0].ctypes.data, seed)
        store(desk.events[1].ctypes.data, before)
        weight = spread(2.0) / (window + one)
        average, keep, share = zero, one, one
        event = next_event(desk, -1)
        for start in range(0, n_bars, BLOCK):
            size = min(BLOCK, n_bars - start)
            take(desk, start, size)
            for j in range(size):
                average = average * keep + load(taken + BYTES * j) * share
                if start + j == event:
                    now = spread(np.float64(event))
                    known = now == seed
                    average = where(now == before, zero, where(known, average / window, average))
                    keep, share = where(known, one - weight, keep), where(known, weight, share)
                    event = next_event(desk, event)
                store(given + BYTES * j, average)
            give(desk, start, size)
        clear_before_seed(desk)
        store(given, average)
        judge(desk, group, True)


@jit(error_model="numpy")
def macd(desk: Desk, output: int) -> None:
    """Write MACD lines, output 0; for one set, `indicators_momentum.macd`. The others are averages of this one."""
    n_sets, n_bars = desk.out.shape
    taken, given = desk.taken.ctypes.data, desk.given.ctypes.data
    zero, one, two = spread(0.0), spread(1.0), spread(2.0)
    for group in range(0, n_sets, WIDTH):
        seat(desk, group)
        begin_each(desk)
        fast, slow = load(desk.numbers[0].ctypes.data), load(desk.numbers[1].ctypes.data)
        seed = load(desk.begins.ctypes.data) - one + where(fast > slow, fast, slow)
        before_fast, before_slow = seed - fast, seed - slow
        store(desk.events[0].ctypes.data, seed)
        store(desk.events[1].ctypes.data, before_fast)
        store(desk.events[2].ctypes.data, before_slow)
        fast_weight, slow_weight = two / (fast + one), two / (slow + one)
        quick = slack = zero
        fast_keep = fast_share = slow_keep = slow_share = one
        event = next_event(desk, -1)
        for start in range(0, n_bars, BLOCK):
            size = min(BLOCK, n_bars - start)
            take(desk, start, size)
            for j in range(size):
                value = load(taken + BYTES * j)
                quick = quick * fast_keep + value * fast_share
                slack = slack * slow_keep + value * slow_share
                if start + j == event:
                    now = spread(np.float64(event))
                    known = now == seed
                    quick = where(now == before_fast, zero, where(known, quick / fast, quick))
                    slack = where(now == before_slow, zero, where(known, slack / slow, slack))
                    fast_share, slow_share = (
                        where(known, fast_weight, fast_share),
                        where(known, slow_weight, slow_share),
                    )
                    fast_keep = where(known, one - fast_weight, fast_keep)
                    slow_keep = where(known, one - slow_weight, slow_keep)
                    event = next_event(desk, event)
                store(given + BYTES * j, quick - slack)
            give(desk, start, size)
        clear_before_seed(desk)
        store(given, quick + slack)
        judge(desk, group, True)


@jit(error_model="numpy")
def rsi(desk: Desk, output: int) -> None:
    """Write relative strength indexes; for one set, `indicators_momentum.rsi`."""
    n_sets, n_bars = desk.out.shape
    taken, given = desk.taken.ctypes.data, desk.given.ctypes.data
    zero, one, hundred = spread(0.0), spread(1.0), spread(100.0)
    for group in range(0, n_sets, WIDTH):
        seat(desk, group)
        begin_each(desk)
        window, begin = load(desk.numbers[0].ctypes.data), load(desk.begins.ctypes.data)
        seed = begin + window
        store(desk.events[0].ctypes.data, seed)
        store(desk.events[1].ctypes.data, begin)
        weight = one / window
        gain = loss = old = moved = zero
        keep = share = one
        event = next_event(desk, -1)
        for start in range(0, n_bars, BLOCK):
            size = min(BLOCK, n_bars - start)
            take(desk, start, size)
            for j in range(size):
                value = load(taken + BYTES * j)
                change = value - old
                fall = old - value
                old = value
                gain = gain * keep + where(zero > change, zero, change) * share
                loss = loss * keep + where(zero > fall, zero, fall) * share
                if start + j == event:
                    now = spread(np.float64(event))
                    first, known = now == begin, now == seed
                    gain = where(first, zero, where(known, gain / window, gain))
                    loss = where(first, zero, where(known, loss / window, loss))
                    keep, share = where(known, one - weight, keep), where(known, weight, share)
                    event = next_event(desk, event)
                moved = gain + loss
                store(given + BYTES * j, where(moved > zero, hundred * (gain / moved), zero))
            give(desk, start, size)
        clear_before_seed(desk)
        store(given, moved)
        judge(desk, group, True)
