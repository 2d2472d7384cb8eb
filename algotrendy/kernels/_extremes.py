"""Extremes of a moving window, in two ways.

*In lanes*: a window of 20 is four windows of 16 that overlap, one of 16 is four of 4. Each pass is one loop over
neighbours without a memory of its own, so it fills whole vectors; the passes go over a thousand bars at a time, which
stay in the nearest cache. The work grows with the logarithm of the window.

*By blocks*: each window is the tail of one block of `window` bars and the head of the next, so two running extremes
per bar suffice, whatever the window (van Herk 1992). The way back over a block comes after the way forth: started
from the far end of bars that nobody has read yet, it waits for the memory at each block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._part import part

Float1D: TypeAlias = NDArray[np.float64]

LONGEST = 512
"""The longest window that goes in lanes; beyond it the way by blocks is shorter."""
_CHUNK = 1024
_QUARTER = 4

at = np.uint64


@part
def larger(a: float, b: float) -> float:
    """Return the larger of two."""
    return max(a, b)


@part
def smaller(a: float, b: float) -> float:
    """Return the smaller of two."""
    return min(a, b)


@part
def _first_pass(x: Float1D, steps: tuple[int, int, int], count: int, better: Callable[..., float], out: Float1D) -> int:
    """As `_pass`; return how many of the values that begin a window are missing. Comparisons would drop a NaN."""
    a, b, c = steps
    missing = 0
    for j in range(count):
        value = x[at(j)]
        missing += (value - value) != 0.0
        out[at(j)] = better(better(value, x[at(j + a)]), better(x[at(j + b)], x[at(j + c)]))
    return missing


@part
def _pass(x: Float1D, steps: tuple[int, int, int], count: int, better: Callable[..., float], out: Float1D) -> None:
    """Write at j the best of the values at j and at three steps after it."""
    a, b, c = steps
    for j in range(count):
        out[at(j)] = better(better(x[at(j)], x[at(j + a)]), better(x[at(j + b)], x[at(j + c)]))


@part
def _steps(length: int, window: int) -> tuple[int, int, int]:
    """Return where three more windows of `length` begin, so that the four cover as much of `window` as they can."""
    longest = window - length
    return min(length, longest), min(2 * length, longest), min(3 * length, longest)


@part
def in_lanes(
    x: Float1D, window: int, better: Callable[..., float], rooms: tuple[Float1D, Float1D], out: Float1D
) -> int:
    """Write the best value of each whole window, from bar `window - 1` on; return how many values are missing.

    `rooms` are two arrays of `room_for(window)` values to work in.
    """
    one, two = rooms
    chunk = one.size - window
    missing = 0
    for begin in range(0, x.size - window + 1, chunk):
        end = min(begin + chunk, x.size - window + 1)  # windows that begin here; the last reaches `window` - 1 further
        source, target = x[begin : end + window - 1], out[begin + window - 1 : end + window - 1]
        if window <= _QUARTER:
            missing += _first_pass(source, _steps(1, window), end - begin, better, target)
            continue
        length, count = _QUARTER, source.size - _QUARTER + 1
        missing += _first_pass(source, _steps(1, _QUARTER), count, better, one)
        while _QUARTER * length < window:
            count -= 3 * length
            _pass(one, _steps(length, _QUARTER * length), count, better, two)
            one, two = two, one
            length *= _QUARTER
        _pass(one, _steps(length, window), end - begin, better, target)
    for j in range(max(0, x.size - window), x.size):  # they begin no window of their own, or no quarter of one
        missing += (x[at(j)] - x[at(j)]) != 0.0
    return missing


@part
def room_for(window: int) -> int:
    """Return how many values `in_lanes` needs to work in: much longer than the window, whose head is computed twice."""
    return max(_CHUNK, 4 * window) + window


@part
def back_over(x: Float1D, start: int, count: int, better: Callable[..., float], edges: Float1D) -> int:
    """Write at j the best of the values from bar `start + j` to the end of a block; return how many are missing.

    `edges` ends with the worst of all values, which stays there: no bar of a block needs it from its own first bar on.
    Comparisons drop a NaN, so it is counted: here, since the way forth has more to do on each bar.
    """
    best, missing = edges[edges.size - 1], 0
    for j in range(count):
        value = x[at(start + count - 1 - j)]
        missing += (value - value) != 0.0
        best = better(best, value)
        edges[at(count - 1 - j)] = best
    return missing


@part
def by_blocks(x: Float1D, window: int, better: Callable[..., float], edges: Float1D, out: Float1D) -> int:
    """Write the best value of each window, those before bar `window - 1` cut off; return how many values are missing.

    `edges` are `window` + 1 times the worst of all values: at j + 1 what the j-th bar of the next block needs.
    """
    worst = edges[edges.size - 1]
    missing = 0
    for start in range(0, x.size, window):
        count = min(window, x.size - start)
        best = worst
        for j in range(count):
            best = better(best, x[at(start + j)])
            out[at(start + j)] = better(edges[at(j + 1)], best)
        missing += back_over(x, start, count, better, edges)
    return missing
