"""One backtest of an account that only signals move, in one pass over the bars.

Long or flat, no stop, trail or target, no leverage: the usual first backtest. `orders.walk` and
`statistics_curve.follow` do that too, and everything else; this kernel is compiled in half the time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL
from algotrendy.kernels.orders import at_bar, entry_units, settle
from algotrendy.kernels.orders_types import ENTRY, EXIT, GO_FLAT, GO_LONG, NOTHING, SAME_CLOSE, Orders, Rules
from algotrendy.kernels.statistics_curve import ROUNDING

ONE = np.uint64(1)


class Plain(NamedTuple):
    """What a plain backtest runs on."""

    words: NDArray[np.uint64]
    """Shape (4, n_words): bit i % 64 of word i // 64 of row 0 is the entry, of row 1 the exit of bar i."""
    price: NDArray[np.float64]
    """Shape (n_bars,): open or close, whichever orders are filled at."""
    close: NDArray[np.float64]
    size: NDArray[np.float64]
    """Shape (1,) or (n_bars,)."""
    marks: NDArray[np.int64]
    """Bar positions of the valuation marks; empty where every bar is one."""


@jit(**KERNEL)
def run_plain(
    given: Plain, rules: Rules, orders: Orders, equity: NDArray[np.float64]
) -> tuple[int, int, int, tuple[float, float, float, float, float, int, int]]:
    """Write orders (room for one a bar) and equity; return what `walk` returns, and what `follow` returns."""
    words, price, close, marks, money = given.words, given.price, given.close, given.marks, orders.money
    later = int(rules.fill != SAME_CLOSE)  # 0: filled on its own bar, so never pending
    row: Any = np.int64(0)
    units, cash, wish, ruined_at, m = 0.0, rules.cash, NOTHING, -1, 0
    before, centre, total, squares, downside, values = cash, 0.0, 0.0, 0.0, 0.0, 0.0
    peak, near, worst, peak_at, start, valley = cash, cash * (1.0 - ROUNDING), 0.0, -1, -1, -1
    for i in range(close.size + later):
        decided, traded, wish = i - later, 0.0, NOTHING
        if decided >= 0 and ruined_at < 0:
            word, bit = decided >> 6, ONE << np.uint64(decided & 63)
            if units > 0.0 and words[1, word] & bit:
                wish, traded = GO_FLAT, -units
            elif units == 0.0 and words[0, word] & ~words[1, word] & bit:
                wish = GO_LONG
        if i == close.size:
            break
        if wish == GO_LONG:
            size = entry_units(rules, cash, price[i] * (1.0 + rules.slippage), at_bar(given.size, decided))
            if 0.0 < size < np.inf:
                traded = size
        if traded != 0.0:
            reason: Any = np.int64(ENTRY)
            if traded < 0.0:
                reason = np.int64(EXIT)
            cash = settle(orders, row, rules, cash, (decided, i, reason, traded, price[i]))
            if traded < 0.0:
                fees = money[row - 1, 2] + money[row, 2]
                money[row, 6] = units * (money[row, 1] - money[row - 1, 1]) - fees
                if cash <= 0.0:
                    ruined_at = i
            units = max(traded, 0.0)
            row += 1
        value = cash + units * close[i]
        equity[i] = value
        if value >= near:
            peak_at = i
            if value > peak:
                peak, near = value, value * (1.0 - ROUNDING)
        elif peak - value > worst * peak:
            worst = (peak - value) / peak
            start, valley = peak_at, i
        if marks.size == 0 or marks[m] == i:
            change = 0.0
            if before > 0.0:
                change = (value - before) / before
            if m == 0:
                centre = change
            low = min(change - rules.hurdle, 0.0)
            total += change - centre
            squares += (change - centre) * (change - centre)
            downside += low * low
            values += value
            before = value
            m += 1
    mean = total / m
    excess = centre + mean - rules.hurdle
    return row, wish * later, ruined_at, (excess, squares - total * mean, downside, values, worst, start, valley)
