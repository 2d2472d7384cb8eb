"""Which bar of the data each bar of a null path is made of: places, signs and volatilities, by counting."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL, part
from algotrendy.kernels.random import HALF, LOW, PER_COUNTER, PLACE, RENEWAL, below, philox

SIGN = np.uint64(3)
"""Purpose of the random numbers that flip signs."""

_BITS = 128
"""Signs that one counter gives."""


class Path(NamedTuple):
    """Which path it is: seed and number."""

    seed: np.uint64
    number: np.uint64


class Recursion(NamedTuple):
    """The variance of a step: constant + news x shock**2 + memory x variance; `first` is that of the first step."""

    constant: float
    news: float
    memory: float
    first: float


@part
def words_of(path: Path, step: Any, purpose: Any) -> Any:
    """Return the four words of the counter that a step belongs to."""
    return philox((np.uint64(step // PER_COUNTER), path.number & LOW, path.number >> HALF, purpose), path.seed)


@jit(**KERNEL)
def block_places(path: Path, chance: int, count: int, places: NDArray[np.int64]) -> None:
    """Write places below `count` in blocks of neighbours, in a circle; before each step a block ends by `chance`.

    The chance is given times 2**32. The places are those that `path_statistics.block_paths` takes.
    """
    place, drawn, ends = np.int64(0), (LOW, LOW, LOW, LOW), (LOW, LOW, LOW, LOW)
    for step in range(places.size):
        if step % PER_COUNTER == 0:
            drawn, ends = words_of(path, step, PLACE), words_of(path, step, RENEWAL)
        place = np.int64(place + 1 if place + 1 < count else 0)
        if step == 0 or ends[0] < np.uint64(chance):
            place = np.int64(below(drawn[0], np.uint64(count)))
        places[step] = place
        drawn, ends = (drawn[1], drawn[2], drawn[3], drawn[0]), (ends[1], ends[2], ends[3], ends[0])


@jit(**KERNEL)
def flips(path: Path, out: NDArray[np.bool_]) -> None:
    """Write whether each step is flipped: true for half of them."""
    words = (LOW, LOW, LOW, LOW)
    for step in range(out.size):
        if step % _BITS == 0:
            words = words_of(path, step // _BITS * PER_COUNTER, SIGN)
        elif step % 32 == 0:
            words = (words[1], words[2], words[3], words[0])
        out[step] = ((words[0] >> np.uint64(step % 32)) & np.uint64(1)) == np.uint64(1)


@jit(**KERNEL)
def garch_places(
    path: Path,
    rule: Recursion,
    shocks: NDArray[np.float64],
    places: NDArray[np.int64],
    volatility: NDArray[np.float64],
) -> None:
    """Write which shock each step takes, all alike, and the volatility by which it is multiplied."""
    variance, words = rule.first, (LOW, LOW, LOW, LOW)
    for step in range(places.size):
        if step % PER_COUNTER == 0:
            words = words_of(path, step, PLACE)
        place = np.int64(below(words[0], np.uint64(shocks.size)))
        words = (words[1], words[2], words[3], words[0])
        spread = np.sqrt(variance)
        shock = spread * shocks[place]
        places[step], volatility[step] = place, spread
        variance = rule.constant + rule.news * shock * shock + rule.memory * variance
