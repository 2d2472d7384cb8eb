"""Figures over a sliding window that need the order of its values, or their moments.

The lowest values of a window are kept in order, somewhat more of them than are needed. Two new values of three change
nothing in that list, so most periods cost one comparison of what comes and one of what goes. Only when so many have
left that too few remain is the list made anew from the window.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL, called_part, part, summing_part

Float1D: TypeAlias = NDArray[np.float64]
Float2D: TypeAlias = NDArray[np.float64]

_STEP = 64
"""Up to so many values are counted instead of searched: counting has no branches to guess."""

_SPARE = 8
"""Values kept beyond those needed: with more the list changes more often, with fewer it is made anew more often."""


class TailPlace(NamedTuple):
    """Which of the ordered values of a window make its quantile and its tail."""

    place: int
    """The quantile lies between the value of this rank (from 0) and the next one."""
    share: float
    """How far on the way to the next one."""
    mass: float
    """Number of values in the tail; it need not be whole."""
    needed: int
    """So many of the lowest values decide all of this."""


@part
def rank(low: Float1D, count: int, value: float) -> int:
    """Return how many of the first `count` ordered values are below `value`."""
    base, left = 0, count
    while left > _STEP:
        half = left // 2
        base = base + half if low[base + half - 1] < value else base
        left -= half
    piece = low[base : base + left]
    below = 0
    for j in range(piece.size):
        below += 1 if piece[j] < value else 0
    return base + below


@called_part
def refill(values: Float1D, wanted: int, low: Float1D) -> int:
    """Put the `wanted` lowest values in order into `low`, and all that equal the last of them; return their number."""
    count = 0
    for i in range(values.size):
        value = values[i]
        if count == wanted and not value < low[count - 1]:
            continue
        j = count if count < wanted else count - 1
        while j > 0 and low[j - 1] > value:
            low[j] = low[j - 1]
            j -= 1
        low[j] = value
        count = min(count + 1, wanted)
    limit, equal = low[count - 1], 0
    for i in range(values.size):
        equal += 1 if values[i] == limit else 0
    for j in range(count):
        equal -= 1 if low[j] == limit else 0
    for _ in range(equal):
        low[count] = limit
        count += 1
    return count


@summing_part
def total(values: Float1D) -> float:
    """Return the sum."""
    found = 0.0
    for i in range(values.size):
        found += values[i]
    return found


@part
def tail_of(low: Float1D, tail: TailPlace) -> tuple[float, float]:
    """Return the quantile of the ordered values and the mean of their tail, both as losses."""
    first, whole = low[tail.place], int(tail.mass)
    following = low[tail.place + 1] if tail.share > 0.0 else first
    beyond = total(low[:whole])
    if tail.mass > whole:
        beyond += (tail.mass - whole) * low[whole]
    return 0.0 - (first + tail.share * (following - first)), 0.0 - beyond / tail.mass


@jit(**KERNEL)
def rolling_tail(returns: Float1D, window: int, tail: TailPlace, low: Float1D, out: Float2D) -> None:
    """Write the quantile into `out[0]` and the mean of the tail into `out[1]`, as losses, for each full window.

    `low`, shape (window + 1,), is room to work in. `returns` hold no NaN.
    """
    out[:, : window - 1] = np.nan
    if returns.size < window:
        return
    wanted = min(tail.needed + _SPARE, window)
    count = refill(returns[:window], wanted, low)
    limit = low[count - 1] if count < window else np.inf
    loss, beyond = tail_of(low, tail)
    out[0, window - 1], out[1, window - 1] = loss, beyond
    leaving, coming = returns[: returns.size - window], returns[window:]
    for i in range(coming.size):
        gone, new, changed = leaving[i], coming[i], False
        if gone == new:
            out[0, window + i], out[1, window + i] = loss, beyond
            continue
        if gone <= limit:
            at = rank(low, count, gone)
            count -= 1
            for j in range(at, count):
                low[j] = low[j + 1]
            changed = at < tail.needed
        if new <= limit:
            at = rank(low, count, new)
            for j in range(count, at, -1):
                low[j] = low[j - 1]
            low[at] = new
            count += 1
            changed = changed or at < tail.needed
        if count < tail.needed:
            count = refill(returns[i + 1 : i + 1 + window], wanted, low)
            limit = low[count - 1] if count < window else np.inf
            changed = True
        elif count > 2 * wanted and low[wanted - 1] < limit:  # many that equal the limit cannot be told apart by one
            limit, held, count = low[wanted - 1], count, wanted
            while count < held and low[count] == limit:
                count += 1
        if changed:
            loss, beyond = tail_of(low, tail)
        out[0, window + i], out[1, window + i] = loss, beyond


@jit(**KERNEL)
def rolling_moments(x: Float1D, y: Float1D, window: int, room: Float2D, out: Float2D) -> None:
    """Write the means of both, and the sums of squares and products about them, over each full window.

    The rows of `out` are the mean of x, the mean of y, and the centred sums of x x, x y and y y. Each window is the
    tail of one block and the head of the next, in distances from the first values of the next: nothing is taken away
    again, so nothing drifts. `room` has the shape (5, window + 1).
    """
    out[:, : window - 1] = np.nan
    for start in range(0, x.size, window):
        a, b = x[start], y[start]
        room[:, window] = 0.0
        sx, sy, sxx, sxy, syy = 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(window - 1, 0, -1):
            if start == 0:
                break
            dx, dy = x[start - window + j] - a, y[start - window + j] - b
            sx, sy = sx + dx, sy + dy
            sxx, sxy, syy = sxx + dx * dx, sxy + dx * dy, syy + dy * dy
            room[0, j], room[1, j], room[2, j], room[3, j], room[4, j] = sx, sy, sxx, sxy, syy
        sx, sy, sxx, sxy, syy = 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(min(window, x.size - start)):
            dx, dy = x[start + j] - a, y[start + j] - b
            sx, sy = sx + dx, sy + dy
            sxx, sxy, syy = sxx + dx * dx, sxy + dx * dy, syy + dy * dy
            if start + j < window - 1:
                continue
            i, k = start + j, j + 1
            tx, ty = (sx + room[0, k]) / window, (sy + room[1, k]) / window
            out[0, i], out[1, i] = a + tx, b + ty
            out[2, i] = max(sxx + room[2, k] - window * tx * tx, 0.0)
            out[3, i] = sxy + room[3, k] - window * tx * ty
            out[4, i] = max(syy + room[4, k] - window * ty * ty, 0.0)
