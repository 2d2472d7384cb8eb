"""One number of each instrument among those of all at the same bar: ranks, counts, quantiles, means and z-scores.

Arrays have instruments in rows, shape (n_instruments, n_bars). NaN takes no part and gets NaN; so does a group below
zero. Values that differ by 1e-12 of the largest magnitude among them, or less, are tied: neighbours in order are
compared, so a chain of ties is one tie, and the order of instruments does not matter. Sums are carried in twice the
precision for the same reason.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL, called_part, part

__all__ = ["KINDS", "Memory", "Sections", "memory_for", "moment_sections", "order_sections"]

KINDS = ("rank", "share", "above", "below", "quantile", "demean", "zscore")
RANK, SHARE, ABOVE, BELOW, QUANTILE, DEMEAN, ZSCORE = range(len(KINDS))
TIE = 1e-12
_SMALL = 8
_BARS = 64


class Sections(NamedTuple):
    """What is compared."""

    values: NDArray[np.float64]
    """Shape (n_instruments, n_bars)."""
    scales: NDArray[np.float64]
    """Same shape: the magnitude against which ties are decided; the sign is not looked at."""
    groups: NDArray[np.int32]
    """From 0 on; shape (n_instruments, n_bars), or 1 along an axis on which it does not change."""
    n_groups: int


class Memory(NamedTuple):
    """Room for one bar: keys and instruments twice; and for sums of each group at several bars."""

    keys: NDArray[np.float64]
    places: NDArray[np.int64]
    starts: NDArray[np.int64]
    sums: NDArray[np.float64]
    order: NDArray[np.int64]
    """All instruments, those of the bar before in their order: the next bar is nearly sorted then."""


def memory_for(n_instruments: int, n_groups: int) -> Memory:
    """Return the room that both kernels need."""
    return Memory(
        np.empty((2, n_instruments)),
        np.empty((2, n_instruments), np.int64),
        np.empty((2, n_groups + 1), np.int64),
        np.empty((n_groups, 5, _BARS)),
        np.arange(n_instruments),
    )


@called_part
def _group_at(groups: NDArray[np.int32], j: int, bar: int) -> int:
    group: int = groups[j if groups.shape[0] > 1 else 0, bar if groups.shape[1] > 1 else 0]
    return group


@called_part
def _gather(given: Sections, bar: int, memory: Memory) -> None:
    """Put who takes part at a bar side by side: group g from `starts[0, g]` up to `starts[0, g + 1]`."""
    starts, places, keys = memory.starts, memory.places, memory.keys
    for g in range(given.n_groups + 1):
        starts[0, g] = 0
    count = absent = 0
    for k in range(memory.order.size):
        j = memory.order[k]
        group = _group_at(given.groups, j, bar)
        if group >= 0 and not np.isnan(given.values[j, bar]):
            starts[0, group + 1] += 1
            places[1, count] = j
            count += 1
        else:
            memory.order[absent] = j
            absent += 1
    for g in range(given.n_groups):
        starts[0, g + 1] += starts[0, g]
        starts[1, g] = starts[0, g]
    for k in range(count):
        j = places[1, k]
        group = _group_at(given.groups, j, bar)
        at = starts[1, group]
        places[0, at], keys[0, at] = j, given.values[j, bar]
        starts[1, group] += 1


@called_part
def _sort(memory: Memory, start: int, stop: int) -> None:
    """Sort keys with their places: short runs by insertion, then merged."""
    keys, places = memory.keys, memory.places
    for low in range(start, stop, _SMALL):
        for k in range(low + 1, min(low + _SMALL, stop)):
            key, place, at = keys[0, k], places[0, k], k
            while at > low and keys[0, at - 1] > key:
                keys[0, at], places[0, at] = keys[0, at - 1], places[0, at - 1]
                at -= 1
            keys[0, at], places[0, at] = key, place
    width, source, target = _SMALL, 0, 1
    while width < stop - start:
        for low in range(start, stop, 2 * width):
            middle, high = min(low + width, stop), min(low + 2 * width, stop)
            left, right = low, middle
            if middle >= high or keys[source, middle - 1] <= keys[source, middle]:
                for k in range(low, high):
                    keys[target, k], places[target, k] = keys[source, k], places[source, k]
                continue
            for k in range(low, high):
                if left < middle and (right >= high or keys[source, left] <= keys[source, right]):
                    keys[target, k], places[target, k] = keys[source, left], places[source, left]
                    left += 1
                else:
                    keys[target, k], places[target, k] = keys[source, right], places[source, right]
                    right += 1
        width, source, target = 2 * width, target, source
    if source == 1:
        for k in range(start, stop):
            keys[0, k], places[0, k] = keys[1, k], places[1, k]


@called_part
def _tied_until(given: Sections, bar: int, memory: Memory, first: int, stop: int) -> int:
    """Return where the tie that begins at `first` ends; equal keys come in together, by the largest of their scales."""
    keys, places, scales = memory.keys, memory.places, given.scales
    size, k = 0.0, first
    while k < stop:
        run, own = k, 0.0
        while run < stop and keys[0, run] == keys[0, k]:
            own = max(own, abs(scales[places[0, run], bar]))
            run += 1
        if k > first and keys[0, k] - keys[0, k - 1] > TIE * max(size, own):
            break
        size, k = max(size, own), run
    return k


@called_part
def _quantile(keys: NDArray[np.float64], start: int, stop: int, share: float) -> float:
    """Return a quantile of sorted keys, linear between neighbours."""
    at = share * (stop - start - 1)
    below = math.floor(at)
    low = keys[0, start + below]
    high = keys[0, min(start + below + 1, stop - 1)]
    part = at - below
    value: float = low + (high - low) * part
    if part >= 0.5:
        value = high - (high - low) * (1.0 - part)
    return value


@called_part
def _write_quantile(
    given: Sections,
    bar: int,
    memory: Memory,
    group: tuple[int, int, float],
    out: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    start, stop, share = group
    value, size = _quantile(memory.keys, start, stop, share), 0.0
    for k in range(start, stop):
        size = max(size, abs(given.scales[memory.places[0, k], bar]))
    for k in range(start, stop):
        j = memory.places[0, k]
        out[0][j, bar], out[1][j, bar] = value, size


@called_part
def _write_places(
    given: Sections, bar: int, memory: Memory, group: tuple[int, int, int], out: NDArray[np.float64]
) -> None:
    start, stop, kind = group
    first = start
    while first < stop:
        last = _tied_until(given, bar, memory, first, stop)
        value = 0.5 * ((first - start) + (last - start - 1)) + 1.0
        if kind == SHARE:
            value /= stop - start
        elif kind == ABOVE:
            value = float(stop - last)
        elif kind == BELOW:
            value = float(first - start)
        for k in range(first, last):
            out[memory.places[0, k], bar] = value
        first = last


@jit(**KERNEL)
def order_sections(
    given: Sections, asked: tuple[int, float], memory: Memory, out: NDArray[np.float64], scale: NDArray[np.float64]
) -> None:
    """Write ranks, counts or a quantile of each bar.

    Parameters
    ----------
    given : Sections
        What is compared.
    asked : tuple of int and float
        RANK, SHARE, ABOVE, BELOW or QUANTILE, and of a quantile its share.
    memory : Memory
    out : float64 array of shape (n_instruments, n_bars)
        NaN for who takes no part.
    scale : float64 array, the same shape
        Written for quantiles alone: the largest scale in the group.
    """
    kind, share = asked
    for j in range(out.shape[0]):
        for bar in range(out.shape[1]):
            out[j, bar] = np.nan
    for bar in range(out.shape[1]):
        _gather(given, bar, memory)
        for g in range(given.n_groups):
            start, stop = memory.starts[0, g], memory.starts[0, g + 1]
            _sort(memory, start, stop)
            if kind == QUANTILE:
                _write_quantile(given, bar, memory, (start, stop, share), (out, scale))
            else:
                _write_places(given, bar, memory, (start, stop, kind), out)
        first = out.shape[0] - memory.starts[0, given.n_groups]
        for k in range(first, out.shape[0]):
            memory.order[k] = memory.places[0, k - first]


@part
def _added(sums: NDArray[np.float64], b: int, value: float) -> None:
    """Add to a sum, and what the addition rounds off to the row below: Ogita, Rump and Oishi's Sum2."""
    before = sums[0, b]
    total = before + value
    part_of_it = total - before
    sums[0, b] = total
    sums[1, b] += (before - (total - part_of_it)) + (value - part_of_it)


@called_part
def _means(sums: NDArray[np.float64]) -> None:
    """Write the means of each group into the row for them, and begin new sums."""
    for g in range(sums.shape[0]):
        for b in range(sums.shape[2]):
            sums[g, 4, b] = (sums[g, 0, b] + sums[g, 1, b]) / sums[g, 2, b]
            sums[g, 0, b], sums[g, 1, b] = 0.0, 0.0


@called_part
def _summed(x: NDArray[np.float64], scales: NDArray[np.float64], sums: NDArray[np.float64]) -> None:
    """Add the values of one instrument at some bars to the sums of its group."""
    for b in range(x.size):
        known = x[b] == x[b]
        _added(sums, b, x[b] if known else 0.0)
        sums[2, b] += 1.0 if known else 0.0
        sums[3, b] = max(sums[3, b], abs(scales[b]) if known else 0.0)


@called_part
def _demeaned(x: NDArray[np.float64], sums: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Write what values have more than the mean, and add it to new sums."""
    for b in range(x.size):
        out[b] = x[b] - sums[4, b]
        _added(sums, b, out[b] if out[b] == out[b] else 0.0)


@called_part
def _corrected(sums: NDArray[np.float64], out: NDArray[np.float64], scale: NDArray[np.float64]) -> None:
    """Take off what the mean was rounded by, which beside a small spread counts; add up the squares."""
    for b in range(out.size):
        out[b] -= sums[4, b]
        known = out[b] == out[b]
        _added(sums, b, out[b] * out[b] if known else 0.0)
        scale[b] = sums[3, b] if known else 0.0


@called_part
def _spreads(sums: NDArray[np.float64]) -> None:
    """Write the deviation of each group in place of its sum; 0 where it is nothing but rounding."""
    for g in range(sums.shape[0]):
        for b in range(sums.shape[2]):
            spread = math.sqrt((sums[g, 0, b] + sums[g, 1, b]) / sums[g, 2, b])
            sums[g, 0, b] = spread if spread > TIE * sums[g, 3, b] else 0.0


@called_part
def _scored(sums: NDArray[np.float64], out: NDArray[np.float64], scale: NDArray[np.float64]) -> None:
    """Divide by the deviation of the group."""
    for b in range(out.size):
        spread = sums[0, b]
        out[b] = out[b] / spread if spread > 0.0 else np.nan
        scale[b] = sums[3, b] / spread * max(1.0, abs(out[b])) if out[b] == out[b] else 0.0


@called_part
def _same_group_until(groups: NDArray[np.int32], j: int, bar: int, last: int) -> int:
    """Return the first bar after `bar` at which an instrument is in another group, at most `last`."""
    if groups.shape[1] == 1:
        return last
    row = groups[j if groups.shape[0] > 1 else 0]
    end = bar + 1
    while end < last and row[end] == row[bar]:
        end += 1
    return end


@called_part
def _pass(
    given: Sections,
    asked: tuple[int, int, int],
    sums: NDArray[np.float64],
    out: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> None:
    """Take one of the steps over some bars, instrument by instrument."""
    step, first, last = asked
    for j in range(out.shape[0]):
        start = first
        while start < last:
            end = _same_group_until(given.groups, j, start, last)
            group = _group_at(given.groups, j, start)
            if group >= 0:
                own = sums[group, :, start - first : end - first]
                if step == 0:
                    _summed(given.values[j, start:end], given.scales[j, start:end], own)
                elif step == 1:
                    _demeaned(given.values[j, start:end], own, out[j, start:end])
                elif step == 2:
                    _corrected(own, out[j, start:end], scale[j, start:end])
                else:
                    _scored(own, out[j, start:end], scale[j, start:end])
            elif step == 1:
                out[j, start:end], scale[j, start:end] = np.nan, 0.0
            start = end


@jit(**KERNEL)
def moment_sections(
    given: Sections, kind: int, memory: Memory, out: NDArray[np.float64], scale: NDArray[np.float64]
) -> None:
    """Write differences from the mean of the group, over its deviation (divisor n) for ZSCORE; and their scales.

    Parameters are those of `order_sections`; `kind` is DEMEAN or ZSCORE. A group whose members are tied has no
    deviation, so its z-scores are NaN. Bars side by side fill vectors, as long as an instrument keeps its group.
    """
    for first in range(0, out.shape[1], _BARS):
        last = min(first + _BARS, out.shape[1])
        sums = memory.sums[:, :, : last - first]
        sums[:, :4] = 0.0
        _pass(given, (0, first, last), sums, out, scale)
        _means(sums)
        _pass(given, (1, first, last), sums, out, scale)
        _means(sums)
        _pass(given, (2, first, last), sums, out, scale)
        if kind == ZSCORE:
            _spreads(sums)
            _pass(given, (3, first, last), sums, out, scale)
