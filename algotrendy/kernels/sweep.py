"""Many combinations of parameters over one instrument: conditions, orders, metrics, one combination after the other.

Nothing is kept of a combination but its metrics, so the memory does not depend on their number. Combinations that
differ only in levels or costs follow one another and share the conditions of the first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import carray  # type: ignore[attr-defined]  # public, but not among the names it exports
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._memory import doubles_at
from algotrendy.kernels.conditions import Program, Scratch, evaluate_conditions
from algotrendy.kernels.orders import walk
from algotrendy.kernels.orders_types import Exits, Market, Orders, Rules
from algotrendy.kernels.statistics import statistics


class Combinations(NamedTuple):
    """What tells the combinations apart; row c belongs to combination c."""

    rows: NDArray[np.int64]
    """Shape (n, n_leaves): which series each leaf of the program is."""

    scalars: NDArray[np.float64]
    """Shape (n, n_scalars): the numbers that the program uses."""

    levels: NDArray[np.int64]
    """Shape (n, 4): addresses of stop, target, trail and size: one float64, or one per bar."""

    lengths: NDArray[np.int64]
    """Shape (4,): how many numbers lie at those addresses: 1 or n_bars."""

    costs: NDArray[np.float64]
    """Shape (n, 2): commission rate and slippage, as fractions."""


class Stage(NamedTuple):
    """What all combinations share: the first three as in `evaluate_conditions`, the others as in `walk`."""

    program: Program
    addresses: NDArray[np.int64]
    scratch: Scratch
    market: Market
    rules: Rules
    """Commission rate and slippage are replaced by those of each combination."""
    orders: Orders


@jit(error_model="numpy")
def run_combinations(stage: Stage, combinations: Combinations, out: NDArray[np.float64]) -> None:
    """Write the metrics of each combination into its row of `out`, shape (n, n_metrics), in the order of `METRICS`."""
    scratch, market, rules, orders = stage.scratch, stage.market, stage.rules, stage.orders
    words = scratch.words[:4]
    for c in range(out.shape[0]):
        if c == 0 or _differs(combinations, c):
            rows, scalars = combinations.rows[c], combinations.scalars[c]
            evaluate_conditions(stage.program, stage.addresses, rows, scalars, scratch)
        n_orders = walk(words, market, _with_costs(rules, combinations.costs[c]), _exits(combinations, c), orders)[0]
        statistics(market, rules, orders, n_orders, out[c])


@jit(error_model="numpy")
def _differs(combinations: Combinations, c: int) -> bool:
    """Return whether the conditions of a combination are others than those of the one before."""
    for k in range(combinations.rows.shape[1]):
        if combinations.rows[c, k] != combinations.rows[c - 1, k]:
            return True
    for k in range(combinations.scalars.shape[1]):
        if combinations.scalars[c, k] != combinations.scalars[c - 1, k]:
            return True
    return False


@jit(error_model="numpy")
def _with_costs(rules: Rules, costs: NDArray[np.float64]) -> Rules:
    return Rules(
        rules.fill,
        rules.size_kind,
        rules.cash,
        costs[0],
        rules.per_unit,
        rules.fixed,
        rules.minimum,
        costs[1],
        rules.lot_size,
        rules.max_leverage,
        rules.periods_per_year,
        rules.hurdle,
    )


@jit(error_model="numpy")
def _exits(combinations: Combinations, c: int) -> Exits:
    """Return the levels of a combination as arrays, without copying them."""
    at, lengths = combinations.levels[c], combinations.lengths
    return Exits(
        carray(doubles_at(at[0]), lengths[0]),
        carray(doubles_at(at[1]), lengths[1]),
        carray(doubles_at(at[2]), lengths[2]),
        carray(doubles_at(at[3]), lengths[3]),
    )
