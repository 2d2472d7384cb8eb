"""The equity curves of many combinations: what `run_combinations` keeps of each, but the curve and not the metrics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels.conditions import evaluate_conditions
from algotrendy.kernels.orders import walk
from algotrendy.kernels.statistics_curve import Curve, follow
from algotrendy.kernels.sweep import Combinations, Stage, _differs, _exits, _with_costs


@jit(error_model="numpy")
def run_curves(
    stage: Stage,
    combinations: Combinations,
    marks: NDArray[np.int64],
    equity: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write the equity at the valuation marks of each combination into its row of `out`, shape (n, n_marks).

    `marks` are bar positions, empty where every bar is one; `equity` has one place per bar, for use in between.
    """
    scratch, market, orders = stage.scratch, stage.market, stage.orders
    words = scratch.words[:4]
    for c in range(out.shape[0]):
        if c == 0 or _differs(combinations, c):
            rows, scalars = combinations.rows[c], combinations.scalars[c]
            evaluate_conditions(stage.program, stage.addresses, rows, scalars, scratch)
        rules = _with_costs(stage.rules, combinations.costs[c])
        n_orders, _, ruined_at = walk(words, market, rules, _exits(combinations, c), orders)
        alive = out.shape[1] if ruined_at < 0 else market.mark_from[ruined_at] + 1
        values = equity if marks.size == 0 else out[c]
        follow(market, rules, orders, n_orders, Curve(equity, values, marks, alive))
        if marks.size == 0:
            out[c] = equity
