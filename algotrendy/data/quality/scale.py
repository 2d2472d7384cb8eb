"""How large a move is usual here: a robust scale that follows calm and wild stretches, and how rare a run is.

The scale of a block of 32 moves is their upper quartile in size over that of a normal law, so that up to a quarter of
them may be faults; a bar takes the largest of its own block and the two beside it, so that a cluster of volatility is
met by its own scale and not by the calm before it. A floor keeps a stretch without trades from making every move huge.
"""

from __future__ import annotations

import numpy as np

from algotrendy.domain.types import Float1D, Int1D

BLOCK = 32
_QUARTILE = 1.1503  # of the size of a standard normal number
_FLOOR = 0.2  # of the scale of all moves that are not zero


def local_scale(moves: Float1D) -> Float1D:
    """Return for each move the scale of the moves around it; moves that are not finite count as zero.

    Parameters
    ----------
    moves : array of shape (n,)
        Log returns.

    Returns
    -------
    array of shape (n,)
        Like a standard deviation of the usual moves; > 0 unless all moves are zero.

    Examples
    --------
    >>> moves = np.random.default_rng(1).normal(0.0, 0.01, 3200)
    >>> bool(abs(np.median(local_scale(moves)) / 0.01 - 1.2) < 0.15)  # the largest of three: a little above
    True
    """
    size = np.abs(np.where(np.isfinite(moves), moves, 0.0))
    if not size.size:
        return size
    blocks = max(size.size // BLOCK, 1)
    width = size.size // blocks
    table = size[: blocks * width].reshape(blocks, width)
    place = min(int(0.75 * width), width - 1)
    scales = np.partition(table, place, axis=1)[:, place] / _QUARTILE
    wide = np.maximum(scales, np.maximum(np.append(scales[1:], 0.0), np.append(0.0, scales[:-1])))
    spread = np.repeat(wide, width)
    spread = np.append(spread, np.full(size.size - spread.size, wide[-1]))
    moved = size[size > 0.0]
    if moved.size:
        spread = np.maximum(spread, _FLOOR * np.median(moved) / 0.6745)
    return spread


def smallest_step(close: Float1D) -> float:
    """Return the smallest step between two closes: the tick size, or less where prices are adjusted.

    Examples
    --------
    >>> smallest_step(np.array([10.0, 10.5, 10.5, 10.25]))
    0.25
    """
    steps = np.abs(np.diff(close))
    steps = steps[steps > 1e-9 * close[1:]]
    return float(steps.min()) if steps.size else 0.0


def usual_before(values: Float1D, places: Int1D, length: int, gap: int = 0) -> Float1D:
    """Return the median of the `length` values before each place, `gap` values left out; NaN where there are none."""
    positions = places[:, None] - np.arange(gap + 1, gap + length + 1)
    table = np.where(positions >= 0, values[np.maximum(positions, 0)], np.nan)
    return _median_rows(table)


def usual_around(values: Float1D, places: Int1D, length: int) -> Float1D:
    """Return the median of the `length` values on each side of each place, itself left out; NaN without any."""
    steps = np.concatenate((np.arange(-length, 0), np.arange(1, length + 1)))
    positions = places[:, None] + steps
    inside = (positions >= 0) & (positions < values.size)
    table = np.where(inside, values[np.clip(positions, 0, values.size - 1)], np.nan)
    return _median_rows(table)


def _median_rows(table: Float1D) -> Float1D:
    medians = np.full(table.shape[0], np.nan)
    filled = np.isfinite(table).any(axis=1)
    if filled.any():
        medians[filled] = np.nanmedian(np.where(np.isfinite(table[filled]), table[filled], np.nan), axis=1)
    return medians


def student(z: Float1D | float, degrees: int = 5) -> Float1D:
    """Return the density of Student's t: the law of a deviation whose outliers are not taken for impossible.

    Examples
    --------
    >>> round(float(student(0.0)), 4)
    0.3796
    """
    from math import gamma, pi, sqrt

    scale = gamma((degrees + 1) / 2) / (sqrt(degrees * pi) * gamma(degrees / 2))
    density: Float1D = scale * (1.0 + np.square(z) / degrees) ** (-(degrees + 1) / 2)
    return density
