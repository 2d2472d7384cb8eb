"""Signals of many instruments that compete for places in one account: bits decide, and only what is held is looked at.

The rules are those of `docs/explanation/semantics-portfolio.md`; `backtest/portfolio/reference_signals.py` says the
same plainly. At each bar 64 instruments are decided by a few instructions; prices are read of positions alone. They
come with instruments in rows, `market.mark[j, bar]`: bar after bar of what is held lies side by side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._instructions import round_down, trailing_zeros
from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import called_part, part
from algotrendy.kernels._portfolio import book, commission_of
from algotrendy.kernels.orders import LOT_ROUNDING, NEVER, TOLERANCE
from algotrendy.kernels.orders_types import FIXED_UNITS, NEXT_OPEN, SAME_CLOSE
from algotrendy.kernels.portfolio_sleeves import (
    END,
    GO_FLAT,
    GO_LONG,
    GO_SHORT,
    HELD,
    LONG,
    ROWS,
    RUINED_AT,
    SHORT,
    WAITING,
    Positions,
    Sleeve,
    resize,
)
from algotrendy.kernels.portfolio_types import (
    CASH,
    DELISTING,
    ENTRY,
    EQUITY,
    EXIT,
    GROSS,
    NO_ROOM,
    ROUNDING,
    RUIN,
    STOP,
    TARGET,
    TRAIL,
    Levels,
    Venue,
)

ONE, NONE = np.uint64(1), np.uint64(0)
ROOM_PER_BAR = 5
"""Fills of one instrument at one bar: an end, a new size or a reversal, a stop, a reversal at the close, and ruin."""


class Wishes(NamedTuple):
    """What is decided at each bar."""

    words: NDArray[np.uint64]
    """Shape (4, n_bars, n_words): entry, exit, short entry, short exit; bit j % 64 of word j // 64 is instrument j."""
    valid: NDArray[np.uint64]
    """Shape (n_bars, n_words): which instruments have a bar."""
    rank: NDArray[np.float64]
    """Shape (n_bars, n_instruments), or (1, 1) where none is given; higher is better, NaN is unknown."""


@part
def at_place(values: NDArray[np.float64], bar: int, j: int) -> float:
    """Return the value of a bar and an instrument; an axis of length 1 serves all."""
    value: float = values[bar if values.shape[0] > 1 else 0, j if values.shape[1] > 1 else 0]
    return value


@part
def none_set(values: NDArray[np.float64]) -> bool:
    """Return whether a level is none everywhere, as far as one look can tell."""
    return values.size == 1 and not values[0, 0] > 0.0


@part
def better(state: Positions, left: int, right: int) -> bool:
    """Return whether one instrument comes before another: by score, then by order."""
    a, b = state.score[left], state.score[right]
    return bool(a > b or (a == b and left < right))


@part
def sift(state: Positions, at: int, size: int) -> None:
    """Let an instrument sink to its place in the heap."""
    heap = state.heap
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and better(state, heap[child + 1], heap[child]):
            child += 1
        if not better(state, heap[child], heap[at]):
            break
        heap[at], heap[child] = heap[child], heap[at]
        at = child


@part
def decided_bar(valid: NDArray[np.uint64], j: int, before: int) -> int:
    """Return the last bar of an instrument up to `before`."""
    w, bit = j >> 6, ONE << np.uint64(j & 63)
    while valid[before, w] & bit == NONE:
        before -= 1
    return before


@part
def price_of(venue: Venue, bar: int, j: int, is_open: bool) -> float:
    """Return the price of the moment."""
    price: float = venue.market.at_open[j, bar] if is_open else venue.market.mark[j, bar]
    return price


@called_part
def leave(
    state: Positions, at: int, fill: tuple[int, int, int, float], account: tuple[float, int], venue: Venue
) -> float:
    """Close the position at place `at` of `held`; return the cash after it. The caller takes it from the list.

    `fill` is decided_at, filled_at, reason and price before slippage; `account` is cash and rows.
    """
    decided_at, bar, reason, price = fill
    cash, row = account
    market, j = venue.market, state.held[at]
    units, borrow = state.units[j], 0.0
    if units < 0.0:
        since = state.since[j]
        borrow = units * (market.held[j, since] - market.mark[j, since] - (market.held[j, bar] - market.mark[j, bar]))
    after: float = book(venue.fills, row, (decided_at, bar, j, reason), (-units, price, cash - borrow), venue.terms)
    state.units[j] = 0.0
    bit = ONE << np.uint64(j & 63)
    state.sets[LONG, j >> 6] &= ~bit
    state.sets[SHORT, j >> 6] &= ~bit
    return after


@part
def forget(state: Positions, at: int, count: int) -> None:
    """Take place `at` from the list of what is held."""
    for k in range(at, count - 1):
        state.held[k] = state.held[k + 1]


@called_part
def entry_units(j: int, price: float, size: float, money: tuple[float, float], venue: Venue) -> float:
    """Return the units of an entry, without sign, at `price` after slippage; `money` is equity and room."""
    terms, rules = venue.terms, venue.rules
    equity, room = money
    leverage: float = rules.max_leverage
    fixed = rules.size_kind == FIXED_UNITS
    fraction = leverage if fixed or size > leverage else size
    budget = fraction * equity
    budget = min(budget, room)
    units: float = (budget - terms.fixed[j]) / (price * (1.0 + terms.rate[j]) + terms.per_unit[j])
    if terms.rate[j] * (units * price) + terms.per_unit[j] * units + terms.fixed[j] < terms.minimum[j]:
        units = (budget - terms.minimum[j]) / price
    if fixed and not size > units:
        units = size
    if terms.lot_size[j] > 0.0:
        units = round_down(units / terms.lot_size[j] + LOT_ROUNDING) * terms.lot_size[j]
    return units


@called_part
def enter(
    state: Positions, fill: tuple[int, int, int, float], account: tuple[float, int, int], levels: Levels, venue: Venue
) -> float:
    """Note a position of `state.units[j]` that is opened; return the cash after it.

    `fill` is decided_at, filled_at, instrument and price before slippage; `account` is cash, rows, positions held.
    """
    decided_at, bar, j, price = fill
    cash, row, count = account
    units, market = state.units[j], venue.market
    after: float = book(venue.fills, row, (decided_at, bar, j, np.int64(ENTRY)), (units, price, cash), venue.terms)
    sign, side = 1.0, LONG
    if units < 0.0:
        sign, side = -1.0, SHORT
    price = sign * (price * (1.0 + sign * venue.terms.slippage[j]))
    stop, target = at_place(levels.stop, decided_at, j), at_place(levels.target, decided_at, j)
    trail = at_place(levels.trail, decided_at, j)
    state.stop_level[j], state.target_level[j], state.keep[j] = -NEVER, NEVER, -sign * NEVER
    if stop > 0.0:
        state.stop_level[j] = price * (1.0 - sign * stop)
    if target > 0.0:
        state.target_level[j] = price * (1.0 + sign * target)
    if trail > 0.0:
        state.keep[j] = 1.0 - sign * trail
    state.price[j], state.best[j], state.since[j] = sign * price, price, bar
    state.adjusted[j] = units * (market.held[j, bar] - market.mark[j, bar]) if units < 0.0 else 0.0
    state.sets[side, j >> 6] |= ONE << np.uint64(j & 63)
    k = count
    while k > 0 and state.held[k - 1] > j:
        state.held[k] = state.held[k - 1]
        k -= 1
    state.held[k] = j
    return after


@part
def value_of(state: Positions, count: int, bar: int, cash: float, venue: Venue) -> float:
    """Return the equity at closes: short positions are valued with the borrow they have cost."""
    market, base = venue.market, cash
    for k in range(count):
        base -= state.adjusted[state.held[k]]
    for k in range(count):
        j = state.held[k]
        base += state.units[j] * (market.held[j, bar] if state.units[j] < 0.0 else market.mark[j, bar])
    return base


@part
def gross_of(state: Positions, count: int, bar: int, is_open: bool, venue: Venue) -> float:
    """Return the sum of the magnitudes of all positions at the prices of the moment."""
    gross = 0.0
    for k in range(count):
        j = state.held[k]
        gross += abs(state.units[j]) * price_of(venue, bar, j, is_open)
    return gross


@part
def owed(state: Positions, count: int, bar: int, venue: Venue) -> float:
    """Return the borrow that short positions have cost so far and that is not taken from the cash yet."""
    total, market = 0.0, venue.market
    for k in range(count):
        j = state.held[k]
        if state.units[j] < 0.0:
            total += state.units[j] * (
                market.held[j, state.since[j]]
                - market.mark[j, state.since[j]]
                - (market.held[j, bar] - market.mark[j, bar])
            )
    return total


@called_part
def gather(state: Positions, bar: int, last: int, wishes: Wishes) -> int:
    """Put the wishes for an entry that can be filled now on the heap; return how many there are."""
    size: Any = np.int64(0)  # as a literal it would be compiled twice
    ranked, sets = wishes.rank.shape[1] > 1 or wishes.rank.shape[0] > 1, state.sets
    for w in range(sets.shape[1]):
        short = sets[GO_SHORT, w] & ~sets[SHORT, w]
        found: Any = ((sets[GO_LONG, w] & ~sets[LONG, w]) | short) & wishes.valid[bar, w]
        while found != NONE:
            j = (w << 6) + trailing_zeros(found)
            score = 0.0
            if ranked:
                score = wishes.rank[decided_bar(wishes.valid, j, last), j]
                if short & (found & (~found + ONE)) != NONE:
                    score = -score
            if not np.isnan(score):
                state.score[j], state.heap[size] = score, j
                size += 1
            found &= found - ONE
    for at in range(size // 2 - 1, -1, -1):
        sift(state, at, size)
    count: int = size
    return count


@called_part
def open_by_rank(
    state: Positions,
    now: tuple[int, int, bool],
    account: tuple[float, int, int],
    given: tuple[Wishes, Levels],
    venue: Venue,
) -> tuple[float, int, int]:
    """Give the free places to entries by their score; return cash, rows and positions held.

    `now` is the bar, the last bar that could decide, and whether prices are opens.
    """
    bar, last, is_open = now
    cash, row, count = account
    wishes, levels = given
    terms, leverage = venue.terms, venue.rules.max_leverage
    size = gather(state, bar, last, wishes)
    equity, gross = cash - owed(state, count, bar, venue), gross_of(state, count, bar, is_open, venue)
    for k in range(count):
        equity += state.units[state.held[k]] * price_of(venue, bar, state.held[k], is_open)
    room = leverage * equity - gross
    while size > 0 and count < venue.rules.max_positions and equity > 0.0 and room > NO_ROOM * equity:
        j = state.heap[0]
        size -= 1
        state.heap[0] = state.heap[size]
        sift(state, np.int64(0), size)
        sign = 1.0
        if state.sets[GO_SHORT, j >> 6] & (ONE << np.uint64(j & 63)) != NONE:
            sign = -1.0
        decided_at, base = decided_bar(wishes.valid, j, last), price_of(venue, bar, j, is_open)
        price = base * (1.0 + sign * terms.slippage[j])
        units = entry_units(j, price, at_place(levels.size, decided_at, j), (equity, room), venue)
        if 0.0 < units < np.inf:
            state.units[j] = sign * units
            cash = enter(state, (decided_at, bar, j, base), (cash, row, count), levels, venue)
            room -= units * price + commission_of(terms, j, units, price)
            row += 1
            count += 1
    return cash, row, count


@called_part
def fill_wishes(
    state: Positions,
    now: tuple[int, int, bool],
    account: tuple[float, int, int],
    given: tuple[Wishes, Levels],
    venue: Venue,
) -> tuple[float, int, int]:
    """Fill what waits for this moment: what closes, then what opens; return cash, rows and positions held."""
    bar, last, is_open = now
    cash, row, count = account
    sets, valid = state.sets, given[0].valid[bar]
    closes = opens = NONE
    for w in range(valid.size):
        go_long, go_short = sets[GO_LONG, w] & valid[w], sets[GO_SHORT, w] & valid[w]
        both = sets[LONG, w] | sets[SHORT, w]
        leaves = (sets[GO_FLAT, w] & both & valid[w]) | (go_long & sets[SHORT, w]) | (go_short & sets[LONG, w])
        closes |= leaves
        opens |= (go_long & ~sets[LONG, w]) | (go_short & ~sets[SHORT, w])
    k = np.int64(0)
    while closes != NONE and k < count:
        j = state.held[k]
        w, bit = j >> 6, ONE << np.uint64(j & 63)
        wish = sets[GO_FLAT, w] | (sets[GO_LONG, w] & sets[SHORT, w]) | (sets[GO_SHORT, w] & sets[LONG, w])
        if wish & valid[w] & bit == NONE:
            k += 1
            continue
        decided_at = decided_bar(given[0].valid, j, last)
        cash = leave(state, k, (decided_at, bar, np.int64(EXIT), price_of(venue, bar, j, is_open)), (cash, row), venue)
        forget(state, k, count)
        row += 1
        count -= 1
    if opens != NONE and count < venue.rules.max_positions:
        cash, row, count = open_by_rank(state, now, (cash, row, count), given, venue)
    for w in range(valid.size):
        for kind in (GO_LONG, GO_SHORT, GO_FLAT):
            sets[kind, w] &= ~valid[w]
    return cash, row, count


@called_part
def test_exits(state: Positions, bar: int, account: tuple[float, int, int], venue: Venue) -> tuple[float, int, int]:
    """Test stops, trails and targets of what is held; return cash, rows and positions held."""
    cash, row, count = account
    market, k = venue.market, np.int64(0)
    while k < count:
        j = state.held[k]
        if not market.valid[j, bar]:
            k += 1
            continue
        sign, low, high = 1.0, market.low[j, bar], market.high[j, bar]
        if state.units[j] < 0.0:
            sign, low, high = -1.0, -high, -low
        level = max(state.stop_level[j], state.best[j] * state.keep[j])
        fall = level + TOLERANCE * abs(level)
        rise = state.target_level[j] - TOLERANCE * abs(state.target_level[j])
        opening: Any = sign * market.at_open[j, bar]
        reason: Any = np.int64(TRAIL)
        if level == state.stop_level[j]:
            reason = np.int64(STOP)
        price = 0.0
        if opening <= fall:
            price = sign * opening
        elif opening >= rise:
            price, reason = sign * opening, np.int64(TARGET)
        elif low <= fall:
            price = sign * level
        elif high >= rise:
            price, reason = sign * state.target_level[j], np.int64(TARGET)
        if price > 0.0:
            cash = leave(state, k, (bar, bar, reason, price), (cash, row), venue)
            forget(state, k, count)
            row += 1
            count -= 1
        else:
            state.best[j] = max(state.best[j], high)
            k += 1
    return cash, row, count


@called_part
def decide(state: Positions, bar: int, wishes: Wishes) -> None:
    """Decide about all instruments that have a bar: the two tables of one instrument, 64 at once."""
    sets, words, valid = state.sets, wishes.words, wishes.valid[bar]
    for w in range(valid.size):
        exit_, short_exit = words[1, bar, w], words[3, bar, w]
        wants_long, wants_short = words[0, bar, w] & ~exit_, words[2, bar, w] & ~short_exit
        long, short = wants_long & ~wants_short, wants_short & ~wants_long
        is_long, is_short, now, later = sets[LONG, w], sets[SHORT, w], valid[w], ~valid[w]
        flat = (is_long & exit_ & ~short) | (is_short & short_exit & ~long)
        sets[GO_LONG, w] = (sets[GO_LONG, w] & later) | (long & ~is_long & now)
        sets[GO_SHORT, w] = (sets[GO_SHORT, w] & later) | (short & ~is_short & now)
        sets[GO_FLAT, w] = (sets[GO_FLAT, w] & later) | (flat & now)


@called_part
def close_ended(
    state: Positions, bar: int, first: int, account: tuple[float, int, int], venue: Venue
) -> tuple[float, int, int, int]:
    """Close positions in instruments that have ended; return cash, rows, positions held and the next end to come."""
    cash, row, count = account
    market = venue.market
    while first < market.ends.shape[0] and market.ends[first, 0] < bar:
        j = market.ends[first, 1]
        bit = ONE << np.uint64(j & 63)
        for kind in (GO_LONG, GO_SHORT, GO_FLAT):
            state.sets[kind, j >> 6] &= ~bit
        for k in range(count):
            if state.held[k] == j:
                price = market.mark[j, bar - 1] * (1.0 + venue.terms.delisting_return[j])
                cash = leave(state, k, (bar, bar, np.int64(DELISTING), price), (cash, row), venue)
                forget(state, k, count)
                row += 1
                count -= 1
                break
        first += 1
    return cash, row, count, first


@jit(error_model="numpy")
def walk_signals(
    wishes: Wishes, levels: Levels, venue: Venue, curve: NDArray[np.float64], sleeve: Sleeve
) -> tuple[int, int]:
    """Write fills, and equity, cash and gross exposure at the end of each bar (the rows of `curve`).

    The account goes on where `sleeve` stands, over the bars that it names, and leaves its state there.

    Returns
    -------
    n_fills, ruined_at : int
        Rows written, or -1 if there was no room for all of them; the bar of ruin, or -1.
    """
    market, rules = venue.market, venue.rules
    n = market.mark.shape[0]
    state, counts, given, fill = sleeve.state, sleeve.counts, (wishes, levels), rules.fill
    tested = not (none_set(levels.stop) and none_set(levels.target) and none_set(levels.trail))
    none, at_open, closes = np.int64(0), fill == NEXT_OPEN, np.bool_(False)
    cash, row, count, end, ruined_at = sleeve.cash[0], counts[ROWS], counts[HELD], counts[END], counts[RUINED_AT]
    for t in range(sleeve.first, sleeve.stop):
        if row + ROOM_PER_BAR * min(n, count + rules.max_positions + 1) > venue.fills.places.shape[0]:
            return -1, -1
        if ruined_at < 0:
            cash, row, count, end = close_ended(state, t, end, (cash, row, count), venue)
            if at_open:
                if counts[WAITING] > 0:
                    cash, row = resize((t, at_open), (cash, row, count), sleeve, venue)
                cash, row, count = fill_wishes(state, (t, t - 1, at_open), (cash, row, count), given, venue)
            if tested:
                cash, row, count = test_exits(state, t, (cash, row, count), venue)
            if fill == SAME_CLOSE:
                decide(state, t, wishes)
            if not at_open:
                last = t if fill == SAME_CLOSE else t - 1
                if counts[WAITING] > 0:
                    cash, row = resize((t, at_open), (cash, row, count), sleeve, venue)
                cash, row, count = fill_wishes(state, (t, last, at_open), (cash, row, count), given, venue)
            gross = gross_of(state, count, t, closes, venue)
            equity = value_of(state, count, t, cash, venue)
            if equity <= ROUNDING * gross:
                while count > 0:
                    place = (t, t, np.int64(RUIN), market.mark[state.held[none], t])
                    cash = leave(state, none, place, (cash, row), venue)
                    forget(state, none, count)
                    row += 1
                    count -= 1
                ruined_at, gross, equity = t, 0.0, cash
            elif fill != SAME_CLOSE:
                decide(state, t, wishes)
            curve[EQUITY, t], curve[GROSS, t] = equity, gross
            curve[CASH, t] = cash - owed(state, count, t, venue)
        else:
            curve[EQUITY, t], curve[CASH, t], curve[GROSS, t] = cash, cash, 0.0
    sleeve.cash[0], counts[ROWS], counts[HELD], counts[END], counts[RUINED_AT] = cash, row, count, end, ruined_at
    return row, ruined_at
