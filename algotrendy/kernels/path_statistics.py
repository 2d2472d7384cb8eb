"""Simulated paths of wealth, of which only running figures are kept: no table of paths, whatever their number.

Eight paths go side by side, one in each lane. What a path is made of is drawn by counting (`random.py`), so the same
path comes out in whatever piece, order or process it is computed, and a run of steps may be continued later.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._lane_words import choose, load_words, low_half, pick, root, spread_word, store_words
from algotrendy.kernels._lanes import WIDTH, load, spread, store, where
from algotrendy.kernels._part import KERNEL, part
from algotrendy.kernels.random import (
    HALF,
    LOW,
    PER_COUNTER,
    PLACE,
    RENEWAL,
    below,
    below_lanes,
    paths_from,
    philox,
    philox_lanes,
)


class Paths(NamedTuple):
    """The figures of some paths so far, shape (n_paths,) each; n_paths is a multiple of the lanes."""

    wealth: NDArray[np.float64]
    """As a multiple of the first wealth."""
    depth: NDArray[np.float64]
    """As a multiple of the highest wealth so far, the first one included; 1.0 at a peak."""
    deepest: NDArray[np.float64]
    """The least depth so far."""
    lowest: NDArray[np.float64]
    """The least wealth so far."""
    place: NDArray[np.uint64]
    """Where in the table the last step was drawn from."""
    variance: NDArray[np.float64]
    """Of the next step, for paths that have one."""


class Span(NamedTuple):
    """Which paths and steps are computed: paths from `path` on, steps from `begin` (a multiple of 4) to `end`."""

    seed: np.uint64
    path: int
    begin: int
    end: int


class Blocks(NamedTuple):
    """When a block of a resampled path ends; places follow one another in a circle."""

    chance: int
    """Before each step with this chance, times 2**32, so that lengths vary."""
    length: int
    """If above zero: after so many steps."""


class Variance(NamedTuple):
    """How the variance moves: constant + news x (last shock)**2 + memory x (last variance)."""

    mean: float
    constant: float
    news: float
    memory: float


@part
def begin_lanes(paths: Paths, at: int) -> tuple[Any, Any, Any, Any]:
    """Return wealth, depth, deepest and lowest of the lanes from path `at` on."""
    return (
        load(paths.wealth.ctypes.data + 8 * at),
        load(paths.depth.ctypes.data + 8 * at),
        load(paths.deepest.ctypes.data + 8 * at),
        load(paths.lowest.ctypes.data + 8 * at),
    )


@part
def end_lanes(paths: Paths, at: int, figures: tuple[Any, Any, Any, Any]) -> None:
    """Keep the figures of the lanes."""
    store(paths.wealth.ctypes.data + 8 * at, figures[0])
    store(paths.depth.ctypes.data + 8 * at, figures[1])
    store(paths.deepest.ctypes.data + 8 * at, figures[2])
    store(paths.lowest.ctypes.data + 8 * at, figures[3])


@part
def grown(figures: tuple[Any, Any, Any, Any], growth: Any) -> tuple[Any, Any, Any, Any]:
    """Return the figures one step on. The depth follows from itself, so no peak is kept and nothing is divided."""
    wealth, depth, deepest, lowest = figures
    wealth, depth, one = wealth * growth, depth * growth, spread(1.0)
    depth = where(depth < one, depth, one)
    deepest = where(depth < deepest, depth, deepest)
    lowest = where(wealth < lowest, wealth, lowest)
    return wealth, depth, deepest, lowest


@part
def note(curves: NDArray[np.float64], row: int, at: int, wealth: Any) -> None:
    """Write the wealth of the lanes into a row of `curves`, if there are any."""
    if curves.shape[0] > 0:
        store(curves.ctypes.data + 8 * (row * curves.shape[1] + at), wealth)


@jit(**KERNEL)
def independent_paths(table: NDArray[np.float64], span: Span, paths: Paths, curves: NDArray[np.float64]) -> None:
    """Let each step grow by a factor drawn from `table`, each as likely as any other.

    `curves` has the shape (span.end - span.begin, n_paths) or (0, 0); into it goes the wealth after each step.
    """
    count, address, seed = spread_word(np.uint64(table.size)), table.ctypes.data, span.seed
    for at in range(0, paths.wealth.size, WIDTH):
        figures, numbers = begin_lanes(paths, at), paths_from(np.uint64(span.path + at))
        for begin in range(span.begin, span.end, PER_COUNTER):
            a, b, c, d = philox_lanes(np.uint64(begin // PER_COUNTER), numbers, PLACE, seed)
            # Nearly all steps go through here: four of them in a loop would take half as long again.
            if begin + PER_COUNTER <= span.end and curves.shape[0] == 0:
                figures = grown(figures, pick(address, below_lanes(a, count)))
                figures = grown(figures, pick(address, below_lanes(b, count)))
                figures = grown(figures, pick(address, below_lanes(c, count)))
                figures = grown(figures, pick(address, below_lanes(d, count)))
                continue
            for k in range(min(PER_COUNTER, span.end - begin)):
                figures = grown(figures, pick(address, below_lanes(a, count)))
                note(curves, begin + k - span.begin, at, figures[0])
                a, b, c, d = b, c, d, a
        end_lanes(paths, at, figures)


@jit(**KERNEL)
def block_paths(
    table: NDArray[np.float64], blocks: Blocks, span: Span, paths: Paths, curves: NDArray[np.float64]
) -> None:
    """Let each step grow by a factor of `table`: the one after the last, or where a block ends one drawn anew."""
    count, address, seed = spread_word(np.uint64(table.size)), table.ctypes.data, span.seed
    chance, one, zero = spread_word(np.uint64(blocks.chance)), spread_word(np.uint64(1)), spread_word(np.uint64(0))
    for at in range(0, paths.wealth.size, WIDTH):
        figures, numbers = begin_lanes(paths, at), paths_from(np.uint64(span.path + at))
        place = load_words(paths.place.ctypes.data + 8 * at)
        for begin in range(span.begin, span.end, PER_COUNTER):
            block = np.uint64(begin // PER_COUNTER)
            a, b, c, d = philox_lanes(block, numbers, PLACE, seed)
            e, f, g, h = philox_lanes(block, numbers, RENEWAL, seed)
            for k in range(min(PER_COUNTER, span.end - begin)):
                step, drawn, after = begin + k, below_lanes(a, count), place + one
                place = choose(after < count, after, zero)
                if blocks.length > 0:
                    place = drawn if step % blocks.length == 0 else place
                elif step == 0:
                    place = drawn
                else:
                    place = choose(low_half(e) < chance, drawn, place)
                figures = grown(figures, pick(address, place))
                note(curves, step - span.begin, at, figures[0])
                a, b, c, d, e, f, g, h = b, c, d, a, f, g, h, e
        store_words(paths.place.ctypes.data + 8 * at, place)
        end_lanes(paths, at, figures)


@jit(**KERNEL)
def garch_paths(
    shocks: NDArray[np.float64], rule: Variance, span: Span, paths: Paths, curves: NDArray[np.float64]
) -> None:
    """Let each step return `mean` + root of the variance x a shock drawn from `shocks`; nothing is left below -1."""
    count, address, seed = spread_word(np.uint64(shocks.size)), shocks.ctypes.data, span.seed
    base, constant, zero = spread(1.0 + rule.mean), spread(rule.constant), spread(0.0)
    news, memory = spread(rule.news), spread(rule.memory)
    for at in range(0, paths.wealth.size, WIDTH):
        figures, numbers = begin_lanes(paths, at), paths_from(np.uint64(span.path + at))
        variance = load(paths.variance.ctypes.data + 8 * at)
        for begin in range(span.begin, span.end, PER_COUNTER):
            a, b, c, d = philox_lanes(np.uint64(begin // PER_COUNTER), numbers, PLACE, seed)
            for k in range(min(PER_COUNTER, span.end - begin)):
                shock = root(variance) * pick(address, below_lanes(a, count))
                growth = base + shock
                figures = grown(figures, where(growth > zero, growth, zero))
                variance = constant + news * (shock * shock) + memory * variance
                note(curves, begin + k - span.begin, at, figures[0])
                a, b, c, d = b, c, d, a
        store(paths.variance.ctypes.data + 8 * at, variance)
        end_lanes(paths, at, figures)


@jit(**KERNEL)
def shuffled_paths(
    table: NDArray[np.float64],
    span: Span,
    paths: Paths,
    order: NDArray[np.int64],
    curves: NDArray[np.float64],
) -> None:
    """Let each path take the factors of `table` in an order of its own, each once: all orders are equally likely.

    `order`, shape (table.size,), is memory to work in. Nothing is continued: steps are taken from 0 on each time, and
    `span.begin` only says from where on `curves` is written.
    """
    for j in range(paths.wealth.size):
        path = np.uint64(span.path + j)
        wealth, depth, deepest, lowest = 1.0, 1.0, 1.0, 1.0
        for k in range(order.size):
            order[k] = k
        words = (LOW, LOW, LOW, LOW)
        for step in range(span.end):
            if step % PER_COUNTER == 0:
                words = philox((np.uint64(step // PER_COUNTER), path & LOW, path >> HALF, PLACE), span.seed)
            chosen = step + np.int64(below(words[0], np.uint64(order.size - step)))
            words = (words[1], words[2], words[3], words[0])
            order[step], order[chosen] = order[chosen], order[step]
            growth = table[order[step]]
            wealth *= growth
            depth = min(depth * growth, 1.0)
            deepest, lowest = min(deepest, depth), min(lowest, wealth)
            if curves.shape[0] > 0 and step >= span.begin:
                curves[step - span.begin, j] = wealth
        paths.wealth[j], paths.depth[j], paths.deepest[j], paths.lowest[j] = wealth, depth, deepest, lowest
