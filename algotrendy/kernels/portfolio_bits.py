"""Signals of many instruments, turned from bars in a word to instruments in a word.

A strategy is evaluated on one instrument at a time, 64 bars to a word. An account looks at all instruments of one bar,
so it wants 64 instruments to a word: squares of 64 x 64 bits are turned.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._instructions import trailing_zeros
from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL

_ONE = np.uint64(1)
_NONE = np.uint64(0)


@jit(**KERNEL)
def place_bits(own: NDArray[np.uint64], rows: NDArray[np.int64], words: NDArray[np.uint64]) -> None:
    """Move the bits of own bars to the bars of the union: bit i goes to bit `rows[i]`. All shape (n_words,)."""
    words[:] = _NONE
    for w in range(own.size):
        word: Any = own[w]
        while word != _NONE:
            bar = rows[(w << 6) + trailing_zeros(word)]
            words[bar >> 6] |= _ONE << np.uint64(bar & 63)
            word &= word - _ONE


@jit(**KERNEL)
def turn_bits(words: NDArray[np.uint64], turned: NDArray[np.uint64], square: NDArray[np.uint64]) -> None:
    """Turn signals of shape (n_instruments, n_words of bars) into (n_bars, n_words of instruments).

    `square` is memory for 64 words.
    """
    n, n_bars = words.shape[0], turned.shape[0]
    for block in range(turned.shape[1]):
        for w in range(words.shape[1]):
            some = _NONE
            for k in range(64):
                j = (block << 6) + k
                word = words[j, w] if j < n else _NONE
                square[k] = word
                some |= word
            if some != _NONE:
                _turn(square)
            last = min(64, n_bars - (w << 6))
            for k in range(last):
                turned[(w << 6) + k, block] = square[k]


@jit(**KERNEL)
def _turn(square: NDArray[np.uint64]) -> None:
    """Turn a square of 64 x 64 bits: halves change places, then quarters, down to single bits."""
    half, mask = 32, np.uint64(0x00000000FFFFFFFF)
    while half:
        shift = np.uint64(half)
        k = 0
        while k < 64:
            swapped = ((square[k] >> shift) ^ square[k + half]) & mask
            square[k] ^= swapped << shift
            square[k + half] ^= swapped
            k = (k + half + 1) & ~half
        half >>= 1
        mask ^= mask << np.uint64(half)
