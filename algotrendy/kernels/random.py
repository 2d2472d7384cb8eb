"""Random numbers by counting: each is a function of the seed, the number of the path and the step alone.

Philox4x32 with ten rounds [1]_ turns a counter of four words of 32 bits and a key of two into four words. The key is
the seed; the counter is (step // 4, path, path >> 32, purpose), and word `step % 4` belongs to the step. Nothing is
carried from one number to the next, so paths may be drawn in any order, in pieces of any size, by any number of
workers, and a path of 100 steps begins as one of 50 does. A purpose is a stream of its own.

.. [1] Salmon, J., Moraes, M., Dror, R. and Shaw, D. (2011). Parallel random numbers: as easy as 1, 2, 3. SC11.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._lane_words import high_half, lane_numbers, low_half, spread_word
from algotrendy.kernels._part import KERNEL, part

FACTOR_0, FACTOR_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_STEP_0, KEY_STEP_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
ROUNDS = 10
PER_COUNTER = 4
"""Words that one counter gives."""

PLACE, RENEWAL = np.uint64(0), np.uint64(1)
"""Purposes: which place of a table is drawn, and whether a block ends."""


@part
def philox(counter: tuple[Any, Any, Any, Any], seed: Any) -> tuple[Any, Any, Any, Any]:
    """Return the four words of a counter. All are uint64 that hold 32 bits; the seed holds 64."""
    a, b, c, d = counter
    key_0, key_1 = seed & LOW, seed >> HALF
    for _ in range(ROUNDS):
        first, second = FACTOR_0 * a, FACTOR_1 * c
        a, b, c, d = (second >> HALF) ^ b ^ key_0, second & LOW, (first >> HALF) ^ d ^ key_1, first & LOW
        key_0, key_1 = (key_0 + KEY_STEP_0) & LOW, (key_1 + KEY_STEP_1) & LOW
    return a, b, c, d


@part
def turned(words: tuple[Any, Any, Any, Any], keys: tuple[Any, Any]) -> tuple[Any, Any, Any, Any]:
    """Return the words of each lane one round on; the keys are one number each, of 32 bits."""
    a, b, c, d = words
    first, second = spread_word(FACTOR_0) * low_half(a), spread_word(FACTOR_1) * low_half(c)
    # The keys go to what does not wait for a product.
    b, d = b ^ spread_word(keys[0]), d ^ spread_word(keys[1])
    return high_half(second) ^ b, second, high_half(first) ^ d, first


@part
def stepped(keys: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return the keys of the next round."""
    return (keys[0] + KEY_STEP_0) & LOW, (keys[1] + KEY_STEP_1) & LOW


@part
def four_rounds(
    words: tuple[Any, Any, Any, Any], keys: tuple[Any, Any]
) -> tuple[tuple[Any, Any, Any, Any], tuple[Any, Any]]:
    """Return words and keys four rounds on: written out, since LLVM leaves a loop of ten as it is, keys and all."""
    words, keys = turned(words, keys), stepped(keys)
    words, keys = turned(words, keys), stepped(keys)
    words, keys = turned(words, keys), stepped(keys)
    return turned(words, keys), stepped(keys)


@part
def philox_lanes(block: Any, paths: Any, purpose: Any, seed: Any) -> tuple[Any, Any, Any, Any]:
    """Return the four words of a counter of each lane; `paths` differ, the others are single words.

    Only the lower half of each word counts: the upper one is not cleared.
    """
    # Two rounds by hand: each of their products is equal in all lanes, or in all blocks, which LLVM then takes out of
    # the loop over the blocks. Of ten rounds eight are left.
    keys = (seed & LOW, seed >> HALF)
    first, second = FACTOR_0 * block, spread_word(FACTOR_1) * high_half(paths)
    a, b = high_half(second) ^ low_half(paths) ^ spread_word(keys[0]), second
    c, d = (first >> HALF) ^ purpose ^ keys[1], first & LOW
    keys = stepped(keys)
    across, along = FACTOR_1 * c, spread_word(FACTOR_0) * low_half(a)
    words = (
        b ^ spread_word((across >> HALF) ^ keys[0]),
        spread_word(across),
        high_half(along) ^ spread_word(d ^ keys[1]),
        along,
    )
    four, keys = four_rounds(words, stepped(keys))
    eight: tuple[Any, Any, Any, Any] = four_rounds(four, keys)[0]
    return eight


@part
def paths_from(first: Any) -> Any:
    """Return the numbers of the paths in the lanes, `first` in the first."""
    return spread_word(first) + lane_numbers()


@part
def below_lanes(words: Any, count: Any) -> Any:
    """Return in each lane a place below `count` (one number in all lanes): the word's share of it, without division.

    With 32 bits no place is likelier than another by more than count / 2**32.
    """
    return high_half(low_half(words) * low_half(count))  # both halves said to be low: one product, not three


@part
def below(word: Any, count: Any) -> Any:
    """Return a place below `count`, as `below_lanes` does for one word."""
    return (word * count) >> HALF


@jit(**KERNEL)
def random_words(seed: np.uint64, first: int, purpose: int, out: NDArray[np.uint32]) -> None:
    """Write the words of the paths from `first` on into `out`, shape (n_paths, n_steps)."""
    for k in range(out.shape[0]):
        path = np.uint64(first) + np.uint64(k)
        for block in range(-(-out.shape[1] // PER_COUNTER)):
            words = philox((np.uint64(block), path & LOW, path >> HALF, np.uint64(purpose)), seed)
            for lane in range(PER_COUNTER):
                step = block * PER_COUNTER + lane
                if step < out.shape[1]:
                    out[k, step] = words[lane]


@jit(**KERNEL)
def philox_words(counters: NDArray[np.uint32], keys: NDArray[np.uint32], out: NDArray[np.uint32]) -> None:
    """Write the four words of each counter and key, shapes (n, 4) and (n, 2), into a row of `out`: for proofs."""
    for k in range(out.shape[0]):
        counter = (
            np.uint64(counters[k, 0]),
            np.uint64(counters[k, 1]),
            np.uint64(counters[k, 2]),
            np.uint64(counters[k, 3]),
        )
        seed = np.uint64(keys[k, 0]) | (np.uint64(keys[k, 1]) << HALF)
        words = philox(counter, seed)
        for lane in range(PER_COUNTER):
            out[k, lane] = words[lane]
