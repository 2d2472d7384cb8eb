"""From signals to orders: jumps from decision to decision, and looks at bars only where a level may be touched.

The rules are those of `docs/explanation/semantics.md`; `backtest/reference.py` says the same one bar at a time. Each
fill computes its money in the same order as the reference, so orders agree to the last bit (with borrow: to rounding).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._instructions import round_down, trailing_zeros
from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import KERNEL, part
from algotrendy.kernels.orders_types import (
    BLOCK_SHIFT,
    ENTRY,
    EXIT,
    FIXED_UNITS,
    GO_FLAT,
    GO_LONG,
    GO_SHORT,
    HIGHEST_HELD,
    HIGHEST_HIGH,
    LOWEST_CLOSE,
    LOWEST_LOW,
    NEXT_CLOSE,
    NEXT_OPEN,
    NOTHING,
    ROOM,
    RUIN,
    SAME_CLOSE,
    STOP,
    TARGET,
    TRAIL,
    Exits,
    Market,
    Orders,
    Rules,
)

TOLERANCE = 1e-12
LOT_ROUNDING = 1e-9
NEVER = 1e200  # a level that no price reaches
BLOCK_MASK = (1 << BLOCK_SHIFT) - 1
# Of a bound that only says where to look closer; an open may stick out of its bar by 1e-9, a vendor's rounding.
MARGIN = 1e-8
ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
NO_BITS = np.uint64(0)


@part
def next_decision(words: NDArray[np.uint64], bar: int, units: float) -> tuple[int, int]:
    """Return the first bar from `bar` on with a decision, and the decision: the two tables of the section on signals.

    Without any the bar lies beyond the last one and the decision is NOTHING.
    """
    w = bar >> 6
    mask = ALL_BITS << np.uint64(bar & 63)
    while w < words.shape[1]:
        exit_, short_exit = words[1, w], words[3, w]
        long, short = words[0, w] & ~exit_, words[2, w] & ~short_exit
        go_long, go_short = long & ~short, short & ~long
        if units > 0.0:
            found = go_short | exit_
        elif units < 0.0:
            found = go_long | short_exit
        else:
            found = go_long | go_short
        found &= mask
        if found != NO_BITS:
            first = found & (~found + np.uint64(1))
            at = (w << 6) + trailing_zeros(found)
            if units <= 0.0 and first & go_long != NO_BITS:
                return at, GO_LONG
            if units >= 0.0 and first & go_short != NO_BITS:
                return at, GO_SHORT
            return at, GO_FLAT
        mask = ALL_BITS
        w += 1
    return w << 6, NOTHING


@part
def at_bar(values: NDArray[np.float64], bar: int) -> float:
    """Return the value of a bar of an array that has one value per bar, or one for all."""
    value: float = values[bar if values.size > 1 else 0]
    return value


@part
def entry_units(rules: Rules, cash: float, price: float, size: float) -> float:
    """Return the units of an entry, without sign: the section on size. NaN where the size is NaN."""
    leverage: float = rules.max_leverage
    fixed = rules.size_kind == FIXED_UNITS
    fraction = leverage if fixed or size > leverage else size
    budget = fraction * cash
    units = (budget - rules.fixed) / (price * (1.0 + rules.rate) + rules.per_unit)
    if rules.rate * (units * price) + rules.per_unit * units + rules.fixed < rules.minimum:
        units = (budget - rules.minimum) / price
    if fixed and not size > units:
        units = size
    if rules.lot_size > 0.0:
        units = round_down(units / rules.lot_size + LOT_ROUNDING) * rules.lot_size
    return units


@part
def settle(orders: Orders, row: int, rules: Rules, cash: float, fill: tuple[int, int, int, float, float]) -> float:
    """Write the order of a fill and return the cash after it.

    `fill` is decided_at, filled_at, reason, units (negative for a sale) and the price before slippage.
    """
    decided_at, filled_at, reason, units, price = fill
    size, slippage = abs(units), rules.slippage
    if reason == TARGET:
        slippage = 0.0
    lost = size * price * slippage
    if units < 0.0:
        slippage = -slippage
    price = price * (1.0 + slippage)
    commission = max(rules.minimum, rules.rate * (size * price) + rules.per_unit * size + rules.fixed)
    cash = cash - units * price - commission
    bars, money = orders.bars, orders.money
    bars[row, 0], bars[row, 1], bars[row, 2] = decided_at, filled_at, reason
    money[row, 0], money[row, 1], money[row, 2] = units, price, commission
    money[row, 3], money[row, 4], money[row, 5], money[row, 6] = lost, cash, 0.0, 0.0
    return cash


@part
def leave(market: Market, orders: Orders, row: int, rules: Rules, fill: tuple[int, int, int, float]) -> float:
    """Close the position that the order before `row` opened, and return the cash after it.

    `fill` is decided_at, filled_at, reason and the price before slippage.
    """
    money, entry, since = orders.money, row - 1, orders.bars[row - 1, 1]
    units, borrow = money[entry, 0], 0.0
    if units < 0.0:
        until = fill[1]
        borrow = units * (market.held[since] - market.close[since] - (market.held[until] - market.close[until]))
    cash: float = settle(orders, row, rules, money[entry, 4] - borrow, (fill[0], fill[1], fill[2], -units, fill[3]))
    money[row, 5] = borrow
    money[row, 6] = units * (money[row, 1] - money[entry, 1]) - (money[entry, 2] + money[row, 2]) - borrow
    return cash


@part
def levels_of(exits: Exits, decided_at: int, sign: float, price: float) -> tuple[float, float, float]:
    """Return stop level, target level and the share of the best price that the trail keeps.

    Prices are mirrored: `sign` is -1.0 and `price` negative for a short position. What is not set lies out of reach.
    """
    stop, target = at_bar(exits.stop, decided_at), at_bar(exits.target, decided_at)
    trail = at_bar(exits.trail, decided_at)
    stop_level, target_level, keep = -NEVER, NEVER, -sign * NEVER
    if stop > 0.0:
        stop_level = price * (1.0 - sign * stop)
    if target > 0.0:
        target_level = price * (1.0 + sign * target)
    if trail > 0.0:
        keep = 1.0 - sign * trail
    return stop_level, target_level, keep


@part
def best_price(prices: NDArray[np.float64], sign: float, best: float) -> float:
    """Return the best of `best` and the mirrored prices."""
    for price in prices:
        best = max(best, sign * price)
    return best


@part
def leave_early(
    market: Market, exits: Exits, entry: tuple[float, float, float, int, int], fill: int, decided: int
) -> tuple[int, float, int]:
    """Return bar, price and reason of a stop, trail, target or ruin before the decision of bar `decided` is filled.

    The bar is -1 if there is none. `entry` is units, price, cash after it, bar and decision bar. Prices are mirrored
    (times -1) for a short position, so that lower is worse for either side. Equity is `base + units x series`; blocks
    of bars whose extremes reach no level are skipped.
    """
    units, best, base, bar, decided_at = entry
    sign, worse, better, series = 1.0, market.low, market.high, market.close
    worst_of, best_of, ruin_of = LOWEST_LOW, HIGHEST_HIGH, LOWEST_CLOSE
    if units < 0.0:
        sign, worse, better, series = -1.0, market.high, market.low, market.held
        worst_of, best_of, ruin_of = HIGHEST_HIGH, LOWEST_LOW, HIGHEST_HELD
        base -= units * (series[bar] - market.close[bar])
        best = -best
    stop_level, target_level, keep = levels_of(exits, decided_at, sign, best)
    trails = abs(keep) < NEVER
    rise = target_level - TOLERANCE * abs(target_level)
    tested_from, tested_to, valued_to = bar + 1, decided, decided
    if fill == NEXT_OPEN:
        tested_from = bar
    elif fill == NEXT_CLOSE:
        tested_to = decided + 1
    else:
        valued_to = decided - 1
    end = min(tested_to + 1, market.close.size)
    while bar < end:
        block = bar >> BLOCK_SHIFT
        block_end = min((block + 1) << BLOCK_SHIFT, end)
        top = max(best, sign * market.blocks[best_of, block])
        level = max(stop_level, top * keep)
        low, high = sign * market.blocks[worst_of, block], top + MARGIN * abs(top)
        worth = units * market.blocks[ruin_of, block]
        lives = base + worth > MARGIN * (abs(base) + abs(worth))
        if lives and low > level + MARGIN * abs(level) and high < rise:
            partly = trails and (bar & BLOCK_MASK or bar < tested_from)  # then only the bars tested count
            best = best_price(better[max(bar, tested_from) : block_end], sign, best) if partly else top
            bar = block_end
        while bar < block_end:
            level = max(stop_level, best * keep)
            fall = level + TOLERANCE * abs(level)
            opening, low, high = sign * market.open[bar], sign * worse[bar], sign * better[bar]
            if bar >= tested_from:
                reason = TRAIL
                if level == stop_level:
                    reason = STOP
                if opening <= fall:
                    return bar, market.open[bar], reason
                if opening >= rise:
                    return bar, market.open[bar], TARGET
                if low <= fall:
                    return bar, sign * level, reason
                if high >= rise:
                    return bar, sign * target_level, TARGET
                best = max(best, high)
            if (
                not lives
                and bar <= valued_to
                and base + units * series[bar] <= TOLERANCE * abs(units) * market.close[bar]
            ):
                return bar, market.close[bar], RUIN
            bar += 1
    return -1, 0.0, EXIT


@part
def nothing_set(values: NDArray[np.float64]) -> bool:
    """Return whether a level is none on all bars, as far as one look can tell."""
    return values.size == 1 and not values[0] > 0.0


@jit(**KERNEL)
def walk(words: NDArray[np.uint64], market: Market, rules: Rules, exits: Exits, orders: Orders) -> tuple[int, int, int]:
    """Write the orders of one strategy over one instrument.

    Parameters
    ----------
    words : uint64 array of shape (4, n_words)
        Entry, exit, short entry, short exit: bit i % 64 of word i // 64 is set where the condition is true on bar i.
    orders : Orders
        Written from row 0. Never more than `orders_max(n_bars)` rows are needed.

    Returns
    -------
    n_orders, pending, ruined_at : int
        Rows written, or -1 if there was no room for all of them; NOTHING, GO_LONG, GO_FLAT or GO_SHORT, a decision
        of the last bar that was not filled; the bar of ruin, or -1.
    """
    n, money, bars = market.close.size, orders.money, orders.bars
    later, prices = 1, market.close
    if rules.fill == NEXT_OPEN:
        prices = market.open
    elif rules.fill == SAME_CLOSE:
        later = 0
    # Without levels and leverage only signals end a long position.
    quiet = nothing_set(exits.stop) and nothing_set(exits.target) and nothing_set(exits.trail)
    quiet = quiet and rules.max_leverage <= 1.0
    # Literals would give `next_decision` and `settle` a second signature, compiled apart.
    row: Any = np.int64(0)
    bar: Any = np.int64(0)
    because: Any = np.int64(ENTRY)
    units, cash = 0.0, rules.cash
    while row + ROOM <= bars.shape[0]:
        decided, wish = next_decision(words, bar, units)
        decided = min(decided, n)
        filled = decided + later
        bar = decided + 1
        left_at, price, reason = -1, 0.0, EXIT
        if units < 0.0 or (units > 0.0 and not quiet):
            entry = units, money[row - 1, 1], cash, bars[row - 1, 1], bars[row - 1, 0]
            left_at, price, reason = leave_early(market, exits, entry, rules.fill, decided)
        if left_at < 0:
            if filled >= n:
                return row, wish, -1
            left_at, price = filled, prices[filled]
        if units != 0.0:
            decided_at = decided
            if reason != EXIT:
                decided_at = left_at
            cash = leave(market, orders, row, rules, (decided_at, left_at, reason, price))
            units = 0.0
            row += 1
            if reason == RUIN or cash <= 0.0:
                return row, NOTHING, left_at
            if reason != EXIT and left_at <= decided:
                bar = left_at
                continue
        if wish == GO_FLAT:
            continue
        sign = 1.0
        if wish == GO_SHORT:
            sign = -1.0
        price = prices[filled]
        size = entry_units(rules, cash, price * (1.0 + sign * rules.slippage), at_bar(exits.size, decided))
        if 0.0 < size < np.inf:
            units = sign * size
            cash = settle(orders, row, rules, cash, (decided, filled, because, units, price))
            row += 1
    return -1, NOTHING, -1
