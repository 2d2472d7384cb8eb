"""The conditions of many parameter sets on one instrument, written where an account of many instruments reads them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels.conditions import Program, Scratch, evaluate_conditions
from algotrendy.kernels.portfolio_bits import place_bits


class Conditions(NamedTuple):
    """What is evaluated: the first three as in `evaluate_conditions`."""

    program: Program
    addresses: NDArray[np.int64]
    scratch: Scratch
    rows: NDArray[np.int64]
    """Shape (n_sets, n_leaves): which series each leaf of the program is."""
    scalars: NDArray[np.float64]
    """Shape (n_sets, n_scalars)."""


@jit(error_model="numpy")
def evaluate_sets(given: Conditions, places: NDArray[np.int64], j: int, words: NDArray[np.uint64]) -> None:
    """Write the conditions of each set on instrument `j` into `words`, shape (n_sets, n_sides, n_instruments, n_words).

    `places` are its own bars in the union of the stamps; empty where it has all of them.
    """
    for s in range(words.shape[0]):
        evaluate_conditions(given.program, given.addresses, given.rows[s], given.scalars[s], given.scratch)
        for side in range(words.shape[1]):
            if places.size == 0:
                words[s, side, j] = given.scratch.words[side]
            else:
                place_bits(given.scratch.words[side], places, words[s, side, j])
