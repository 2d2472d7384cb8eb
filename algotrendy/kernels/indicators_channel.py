"""Highest and lowest values of a window, written into `out`. Each returns whether all it read was finite.

Short windows: the extreme of 2, 4, 8, ... neighbours from that of half as many, chunk by chunk in the fastest memory,
several bars per instruction. Long windows: two running extremes per bar, of the tail of one block of `window` bars
and of the head of the next (van Herk 1992), so the cost does not depend on the window. Both are exact.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit

Float1D: TypeAlias = NDArray[np.float64]

CHUNK = 256
at = np.uint64  # an index without a sign is not looked at for counting from the end
LONGEST_SHORT = 40
"""Up to this window the first way is the faster one."""


def highest(x: Float1D, window: int, out: Float1D) -> bool:
    """Write the largest of the last `window` values."""
    kernel = _highest_short if window <= LONGEST_SHORT else _highest_long
    return bool(kernel(x, window, out))


def lowest(x: Float1D, window: int, out: Float1D) -> bool:
    """Write the smallest of the last `window` values."""
    kernel = _lowest_short if window <= LONGEST_SHORT else _lowest_long
    return bool(kernel(x, window, out))


@jit
def count_missing(x: Float1D) -> int:
    """Return how many values are not finite."""
    missing = 0
    for k in range(x.size):
        missing += (x[k] - x[k]) != 0.0
    return missing


@jit
def _larger(a: Float1D, b: Float1D, out: Float1D) -> None:
    for k in range(out.size):
        out[k] = max(a[k], b[k])


@jit
def _smaller(a: Float1D, b: Float1D, out: Float1D) -> None:
    for k in range(out.size):
        out[k] = min(a[k], b[k])


@jit
def _highest_short(x: Float1D, window: int, out: Float1D) -> bool:
    out[: window - 1] = np.nan
    missing = count_missing(x[: window - 1])
    target, spare = np.empty(CHUNK + window), np.empty(CHUNK + window)
    for begin in range(window - 1, x.size, CHUNK):
        end = min(begin + CHUNK, x.size)
        missing += count_missing(x[begin:end])
        best = x[begin - window + 1 : end]
        width = 1
        while 2 * width <= window:
            wider = target[: best.size - width]
            _larger(best, best[width:], wider)
            best = wider
            target, spare = spare, target
            width *= 2
        _larger(best, best[window - width :], out[begin:end])
    return bool(missing == 0)


@jit
def _lowest_short(x: Float1D, window: int, out: Float1D) -> bool:
    out[: window - 1] = np.nan
    missing = count_missing(x[: window - 1])
    target, spare = np.empty(CHUNK + window), np.empty(CHUNK + window)
    for begin in range(window - 1, x.size, CHUNK):
        end = min(begin + CHUNK, x.size)
        missing += count_missing(x[begin:end])
        best = x[begin - window + 1 : end]
        width = 1
        while 2 * width <= window:
            wider = target[: best.size - width]
            _smaller(best, best[width:], wider)
            best = wider
            target, spare = spare, target
            width *= 2
        _smaller(best, best[window - width :], out[begin:end])
    return bool(missing == 0)


@jit
def _highest_long(x: Float1D, window: int, out: Float1D) -> bool:
    width = min(window, x.size)
    tail, head = np.full(width, -np.inf), np.full(width, -np.inf)
    missing = 0
    for start in range(0, x.size, width):
        block = x[start : start + width]
        before = x[max(start - width, 0) : start]
        missing += count_missing(block)
        late = early = -np.inf
        both = min(before.size, block.size)
        for k in range(both):  # both ways at once: the two chains do not wait for each other
            late = max(late, block[k])
            head[k] = late
            tail[at(width - 1 - k)] = early
            early = max(early, before[at(width - 1 - k)])
        for k in range(both, before.size):
            tail[at(width - 1 - k)] = early
            early = max(early, before[at(width - 1 - k)])
        for k in range(both, block.size):
            late = max(late, block[k])
            head[k] = late
        _larger(tail, head, out[start : start + width])
    out[: window - 1] = np.nan
    return bool(missing == 0)


@jit
def _lowest_long(x: Float1D, window: int, out: Float1D) -> bool:
    width = min(window, x.size)
    tail, head = np.full(width, np.inf), np.full(width, np.inf)
    missing = 0
    for start in range(0, x.size, width):
        block = x[start : start + width]
        before = x[max(start - width, 0) : start]
        missing += count_missing(block)
        late = early = np.inf
        both = min(before.size, block.size)
        for k in range(both):
            late = min(late, block[k])
            head[k] = late
            tail[at(width - 1 - k)] = early
            early = min(early, before[at(width - 1 - k)])
        for k in range(both, before.size):
            tail[at(width - 1 - k)] = early
            early = min(early, before[at(width - 1 - k)])
        for k in range(both, block.size):
            late = min(late, block[k])
            head[k] = late
        _smaller(tail, head, out[start : start + width])
    out[: window - 1] = np.nan
    return bool(missing == 0)
