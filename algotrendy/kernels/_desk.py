"""What kernels on lanes share: series of eight sets of parameters, turned so that a bar's eight numbers lie together.

Series lie in rows, one after the other; lanes want the same bar of eight of them. So a block of bars is turned into a
tile on the way in, and the results out of one on the way out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._lanes import BYTES, WIDTH, spread, store, turn
from algotrendy.kernels._memory import doubles_at
from algotrendy.kernels._part import KERNEL

BLOCK = 128
"""Bars per tile: a tile in and one out lie in the nearest cache."""

_SOURCES, _ROWS, _TAKEN, _GIVEN = range(4)


class Desk(NamedTuple):
    """What a kernel for many sets of parameters is handed, and room for eight of them at a time."""

    addresses: NDArray[np.int64]
    """Shape (n_inputs, n_sets): where the series of each set lie, float64 of n_bars numbers."""

    parameters: NDArray[np.float64]
    """Shape (n_parameters, n_sets)."""

    out: NDArray[np.float64]
    """Shape (n_sets, n_bars): the results, to be filled."""

    sound: NDArray[np.bool_]
    """Shape (n_sets,), to be filled: whether nothing is missing after the first number. If not, a row means nothing."""

    table: NDArray[np.int64]
    """Addresses, one per lane: of its series and of its result; of the first bars of both tiles."""

    taken: NDArray[np.float64]
    """Shape (BLOCK, WIDTH): the series of a block of bars."""

    given: NDArray[np.float64]
    """Shape (BLOCK, WIDTH): the results."""

    numbers: NDArray[np.float64]
    """Shape (n_parameters, WIDTH): the parameters of the eight."""

    begins: NDArray[np.float64]
    """Shape (WIDTH,): the first bar of each lane's series that is not missing."""

    events: NDArray[np.float64]
    """Shape (3, WIDTH): the bars at which something starts or is known for the first time; a kernel fills it."""


def new_desk(addresses: NDArray[np.int64], parameters: NDArray[np.float64], n_bars: int) -> Desk:
    """Return a desk for some sets of parameters; see `Desk` for the shapes."""
    n_parameters, n_sets = parameters.shape
    table = np.zeros((4, WIDTH), dtype=np.int64)
    taken, given = np.empty((BLOCK, WIDTH)), np.empty((BLOCK, WIDTH))
    table[_TAKEN] = taken.ctypes.data + BYTES * np.arange(WIDTH)
    table[_GIVEN] = given.ctypes.data + BYTES * np.arange(WIDTH)
    out, sound = np.empty((n_sets, n_bars)), np.zeros(n_sets, dtype=np.bool_)
    numbers, events = np.empty((n_parameters, WIDTH)), np.full((3, WIDTH), -1.0)
    return Desk(addresses, parameters, out, sound, table, taken, given, numbers, np.zeros(WIDTH), events)


@jit(**KERNEL)
def seat(desk: Desk, group: int) -> None:
    """Put eight sets of parameters on the desk, the last one several times if there are fewer left."""
    n_sets, n_bars = desk.out.shape
    for k in range(WIDTH):
        member = min(group + k, n_sets - 1)
        desk.table[_SOURCES, k] = desk.addresses[0, member]
        desk.table[_ROWS, k] = desk.out.ctypes.data + 8 * n_bars * member
        for p in range(desk.parameters.shape[0]):
            desk.numbers[p, k] = desk.parameters[p, member]


@jit(**KERNEL)
def begin_each(desk: Desk) -> None:
    """Find the first bar of each lane's series that is not missing; the number of bars if there is none."""
    n_bars = desk.out.shape[1]
    for k in range(WIDTH):
        series = doubles_at(desk.table[_SOURCES, k])
        i = 0
        while i < n_bars and series[i] - series[i] != 0.0:
            i += 1
        desk.begins[k] = i


@jit(**KERNEL)
def take(desk: Desk, start: int, size: int) -> None:
    """Fill the tile with `size` bars of each lane's series."""
    sources = desk.table[_SOURCES]
    apart = 0
    for k in range(1, WIDTH):
        apart |= sources[k] ^ sources[0]
    if apart == 0:
        series = doubles_at(sources[0])
        for j in range(size):
            store(desk.taken.ctypes.data + BYTES * j, spread(series[start + j]))
        return
    whole = size // WIDTH * WIDTH
    for j in range(0, whole, WIDTH):
        turn(sources.ctypes.data, 8 * (start + j), desk.table[_TAKEN].ctypes.data, BYTES * j)
    for k in range(WIDTH):
        series = doubles_at(sources[k])
        for j in range(whole, size):
            desk.taken[j, k] = series[start + j]


@jit(**KERNEL)
def give(desk: Desk, start: int, size: int) -> None:
    """Write the results of `size` bars to where they belong."""
    rows = desk.table[_ROWS]
    whole = size // WIDTH * WIDTH
    for j in range(0, whole, WIDTH):
        turn(desk.table[_GIVEN].ctypes.data, BYTES * j, rows.ctypes.data, 8 * (start + j))
    for k in range(WIDTH):
        row = doubles_at(rows[k])
        for j in range(whole, size):
            row[start + j] = desk.given[j, k]


@jit(**KERNEL)
def clear_before_seed(desk: Desk) -> None:
    """Write NaN before the bar of each lane's first event, at which its result is known for the first time."""
    n_bars = desk.out.shape[1]
    for k in range(WIDTH):
        row = doubles_at(desk.table[_ROWS, k])
        known = np.int64(desk.events[0, k])
        for i in range(n_bars):
            if i >= known:
                break
            row[i] = np.nan


@jit(**KERNEL)
def next_event(desk: Desk, bar: int) -> int:
    """Return the next bar after `bar` at which something happens, -1 if none."""
    nearest = np.inf
    for kind in range(desk.events.shape[0]):
        for k in range(WIDTH):
            event = desk.events[kind, k]
            if bar < event < nearest:
                nearest = event
    return int(nearest) if nearest < np.inf else -1


@jit(**KERNEL)
def judge(desk: Desk, group: int, is_whole: bool) -> None:
    """Note which of the eight are sound: all if the inputs are whole, and if the lane's first result is finite.

    What is missing stays in an average, so a kernel puts its last one there.
    """
    n_sets = desk.sound.size
    for k in range(min(WIDTH, n_sets - group)):
        desk.sound[group + k] = is_whole and desk.given[0, k] - desk.given[0, k] == 0.0
