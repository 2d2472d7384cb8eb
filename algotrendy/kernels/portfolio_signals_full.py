"""Signals that compete for places in an account with extras: actions, margins, volume caps, ticks, finer bars.

The rules are those of `docs/explanation/semantics-portfolio.md`; `backtest/portfolio/reference_extras.py` says the same
plainly. Without extras it does what `portfolio_signals` does, and takes longer: it looks at all instruments of a bar.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._instructions import round_down
from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import called_part, part
from algotrendy.kernels._portfolio import commission_of, worth
from algotrendy.kernels._portfolio_extras import (
    Hands,
    act,
    allowed,
    bound,
    capped,
    count_of,
    has_margins,
    liquidate,
    margin_call,
    margin_of,
    renew,
    trade,
)
from algotrendy.kernels.orders import LOT_ROUNDING, NEVER, TOLERANCE
from algotrendy.kernels.orders_types import FIXED_UNITS, NEXT_OPEN, SAME_CLOSE
from algotrendy.kernels.portfolio_signals import Wishes, at_place, sift
from algotrendy.kernels.portfolio_sleeves import END, ROWS, RUINED_AT, WAITING
from algotrendy.kernels.portfolio_sleeves_full import (
    CALLED_AT,
    EVENT,
    FLAT,
    LONG,
    NOTHING,
    SHORT,
    Desk,
    FullSleeve,
    Given,
    resize,
)
from algotrendy.kernels.portfolio_types import (
    CASH,
    ENTRY,
    EQUITY,
    EXIT,
    GROSS,
    INTEREST,
    NO_ROOM,
    ROUNDING,
    STOP,
    TARGET,
    TRAIL,
    Extras,
    Levels,
    Venue,
)
from algotrendy.kernels.portfolio_weights import borrow_fees, close_all, close_ended, whole

ROOM_PER_BAR = 10
"""Fills of one instrument at one bar: an end, a split and its fraction, a call, a new size, an exit, an addition, an
entry, a stop, and ruin; with closes, an exit comes after the stop."""


@part
def is_said(given: Given, side: int, bar: int, j: int) -> bool:
    """Return whether a condition is true."""
    return bool((given.wishes.words[side, bar, j >> 6] >> np.uint64(j & 63)) & np.uint64(1))


@part
def forget(desk: Desk, j: int) -> None:
    """Note that nothing is held of an instrument."""
    desk.rest[j], desk.leaving[j] = 0.0, -1


@called_part
def decide(desk: Desk, bar: int, given: Given) -> None:
    """Decide about all instruments that have a bar: the two tables of one instrument."""
    for j in range(desk.units.size):
        if not given.venue.market.valid[bar, j]:
            continue
        exit_, short_exit = is_said(given, np.int64(1), bar, j), is_said(given, np.int64(3), bar, j)
        wants_long = is_said(given, np.int64(0), bar, j) and not exit_
        wants_short = is_said(given, np.int64(2), bar, j) and not short_exit
        units, go = desk.units[j], NOTHING
        if wants_long and not wants_short and not units > 0.0:
            go = LONG
        elif wants_short and not wants_long and not units < 0.0:
            go = SHORT
        elif (units > 0.0 and exit_) or (units < 0.0 and short_exit):
            go = FLAT
        desk.go[j], desk.go_at[j] = go, bar


@called_part
def leave(
    desk: Desk, place: tuple[int, int, int, int], price: float, account: tuple[float, int], given: Given
) -> tuple[float, int]:
    """Close a position as far as the volume allows; what is left goes on leaving. Return cash and rows."""
    cash, row = account
    decided_at, _, j, reason = place
    wanted = -desk.units[j]
    cash, row, got = trade(given.hands, row, place, (wanted, price, cash), given.venue)
    forget(desk, j)
    if got != wanted:
        desk.leaving[j], desk.leaving_at[j] = reason, decided_at
    return cash, row


@called_part
def close_wishes(
    desk: Desk, now: tuple[int, NDArray[np.float64]], account: tuple[float, int], given: Given
) -> tuple[float, int]:
    """Fill what closes; return cash and rows. `now` is the bar and the prices of the moment."""
    bar, prices = now
    cash, row = account
    for j in range(desk.units.size):
        if desk.units[j] == 0.0 or not given.venue.market.valid[bar, j]:
            continue
        go, side = desk.go[j], LONG if desk.units[j] > 0.0 else SHORT
        if desk.leaving[j] < 0 and go not in (NOTHING, side):
            desk.leaving[j], desk.leaving_at[j] = EXIT, desk.go_at[j]
        if desk.leaving[j] >= 0:
            place = (desk.leaving_at[j], bar, j, desk.leaving[j])
            cash, row = leave(desk, place, prices[j], (cash, row), given)
    return cash, row


@called_part
def set_levels(desk: Desk, place: tuple[int, int], base: float, sign: float, given: Given) -> None:
    """Note what stops and targets of a new position are measured from. `place` is instrument and decision."""
    j, decided_at = place
    levels = given.levels
    price = sign * (base * (1.0 + sign * given.venue.terms.slippage[j]))
    stop, target = at_place(levels.stop, decided_at, j), at_place(levels.target, decided_at, j)
    trail = at_place(levels.trail, decided_at, j)
    desk.stop_level[j], desk.target_level[j], desk.keep[j] = -NEVER, NEVER, -sign * NEVER
    if stop > 0.0:
        desk.stop_level[j] = price * (1.0 - sign * stop)
    if target > 0.0:
        desk.target_level[j] = price * (1.0 + sign * target)
    if trail > 0.0:
        desk.keep[j] = 1.0 - sign * trail
    desk.best[j], desk.entered_at[j] = price, decided_at


@called_part
def buy(
    place: tuple[int, int, int, int],
    order: tuple[float, float],
    account: tuple[float, int, float, float],
    given: Given,
) -> tuple[float, int, float, float]:
    """Open or add to a position; return cash, rows, room and what is left for margins.

    `order` is units and price before slippage; `account` is what is returned, before.
    """
    wanted, base = order
    cash, row, room, margin = account
    j, terms = place[2], given.venue.terms
    cash, row, got = trade(given.hands, row, place, (wanted, base, cash), given.venue)
    if got != 0.0:
        size, sign = abs(got), 1.0 if got > 0.0 else -1.0
        price = base * (1.0 + sign * terms.slippage[j])
        paid = commission_of(terms, j, size, price)
        room -= size * price + paid
        margin -= margin_of(given.extras.initial, j, size, price) + paid
    return cash, row, room, margin


@called_part
def add(
    desk: Desk,
    now: tuple[int, NDArray[np.float64]],
    account: tuple[float, int, float, float],
    least: float,
    given: Given,
) -> tuple[float, int, float, float]:
    """Go on with entries that the volume did not allow at once; return cash, rows, room and margin left."""
    bar, prices = now
    cash, row, room, margin = account
    venue = given.venue
    for j in range(desk.units.size):
        rest = desk.rest[j]
        if rest == 0.0 or not venue.market.valid[bar, j] or not (room > least and margin > least):
            continue
        sign = 1.0 if rest > 0.0 else -1.0
        price = prices[j] * (1.0 + sign * venue.terms.slippage[j])
        can = allowed(j, price, (room, margin), venue, given.extras)
        wanted = rest
        if can < abs(rest):
            wanted = sign * whole(max(can, 0.0), venue.terms.lot_size[j])
        if wanted != 0.0:
            place = (desk.entered_at[j], bar, j, np.int64(ENTRY))
            desk.rest[j] = rest - capped(wanted, given.hands.left[j], venue.terms.lot_size[j])
            cash, row, room, margin = buy(place, (wanted, prices[j]), (cash, row, room, margin), given)
    return cash, row, room, margin


@called_part
def gather(desk: Desk, bar: int, given: Given) -> int:
    """Put the wishes for an entry that can be filled now on the heap; return how many there are."""
    size: Any = np.int64(0)  # as a literal it would be compiled twice
    rank = given.wishes.rank
    for j in range(desk.units.size):
        go = desk.go[j]
        if desk.units[j] != 0.0 or go not in (LONG, SHORT) or not given.venue.market.valid[bar, j]:
            continue
        score = 0.0
        if rank.size > 1:
            score = rank[desk.go_at[j], j]
            if go == SHORT:
                score = -score
        if not np.isnan(score):
            desk.score[j], desk.heap[size] = score, j
            size += 1
    for at in range(size // 2 - 1, -1, -1):
        sift(desk, at, size)
    count: int = size
    return count


@part
def entry_units(j: int, price: float, size: float, money: tuple[float, float, float], given: Given) -> float:
    """Return the units of an entry, without sign, at `price` after slippage; `money` is equity, room, margin left."""
    rules, terms = given.venue.rules, given.venue.terms
    equity, room, margin = money
    leverage: float = rules.max_leverage
    fixed = rules.size_kind == FIXED_UNITS
    fraction = leverage if fixed or size > leverage else size
    budget = fraction * equity
    budget = min(budget, room)
    units: float = allowed(j, price, (budget, margin), given.venue, given.extras)
    if fixed and not size > units:
        units = size
    if terms.lot_size[j] > 0.0:
        units = round_down(units / terms.lot_size[j] + LOT_ROUNDING) * terms.lot_size[j]
    return units


@called_part
def fill_wishes(
    desk: Desk, now: tuple[int, NDArray[np.float64]], account: tuple[float, int], given: Given
) -> tuple[float, int]:
    """Fill what waits for this moment: what closes, what goes on opening, what opens; return cash and rows."""
    bar, prices = now
    venue, units = given.venue, desk.units
    cash, row = close_wishes(desk, now, account, given)
    value, gross = worth(units, prices)
    equity = cash + value
    least, margin = NO_ROOM * equity, np.inf
    room = venue.rules.max_leverage * equity - gross
    if has_margins(given.extras.initial):
        margin = equity - bound(units, prices, given.extras.initial)
    cash, row, room, margin = add(desk, now, (cash, row, room, margin), least, given)
    size, count = gather(desk, bar, given), count_of(units)
    while size > 0 and count < venue.rules.max_positions and equity > 0.0 and room > least and margin > least:
        j = desk.heap[0]
        size -= 1
        desk.heap[0] = desk.heap[size]
        sift(desk, np.int64(0), size)
        sign, decided_at = 1.0 if desk.go[j] == LONG else -1.0, desk.go_at[j]
        price = prices[j] * (1.0 + sign * venue.terms.slippage[j])
        wanted = entry_units(j, price, at_place(given.levels.size, decided_at, j), (equity, room, margin), given)
        if 0.0 < wanted < np.inf:
            place, order = (decided_at, bar, j, np.int64(ENTRY)), (sign * wanted, prices[j])
            cash, row, room, margin = buy(place, order, (cash, row, room, margin), given)
            if units[j] != 0.0:
                set_levels(desk, (j, decided_at), prices[j], sign, given)
                desk.rest[j] = sign * wanted - units[j]
                count += 1
    for j in range(units.size):
        if venue.market.valid[bar, j]:
            desk.go[j] = NOTHING
    return cash, row


@part
def exit_of(desk: Desk, j: int, step: tuple[float, float, float], tick: float) -> tuple[float, int]:
    """Return price and reason of the exit that a step of prices (open, high, low) brings; reason -1 for none."""
    opening, high, low = step
    sign = 1.0
    if desk.units[j] < 0.0:
        sign, opening, high, low = -1.0, -opening, -low, -high
    level = max(desk.stop_level[j], desk.best[j] * desk.keep[j])
    fall = level + TOLERANCE * abs(level)
    rise = desk.target_level[j] - TOLERANCE * abs(desk.target_level[j])
    reason, found = STOP if level == desk.stop_level[j] else TRAIL, 0.0
    if opening <= fall:
        return sign * opening, reason
    if opening >= rise:
        return sign * opening, TARGET
    if low <= fall:
        found = level
    elif high >= rise:
        found, reason = desk.target_level[j], TARGET
    else:
        desk.best[j] = max(desk.best[j], high)
        return 0.0, -1
    if tick > 0.0:  # the mirrored price is rounded down: a sale gets less, a purchase pays more
        rounded = round_down(found / tick + LOT_ROUNDING) * tick
        if sign * rounded > 0.0:
            found = rounded
    return sign * found, reason


@called_part
def test_exits(desk: Desk, bar: int, account: tuple[float, int], given: Given) -> tuple[float, int]:
    """Test stops, trails and targets of what is held and not leaving already; return cash and rows."""
    cash, row = account
    market, extras = given.venue.market, given.extras
    finer = extras.fine_at.shape[0] > 1
    for j in range(desk.units.size):
        if desk.units[j] == 0.0 or desk.leaving[j] >= 0 or not market.valid[bar, j]:
            continue
        count: Any = extras.fine_at[bar, j, 1] if finer else 0
        price, reason = 0.0, -1
        if count == 0:
            step = (market.at_open[bar, j], market.high[bar, j], market.low[bar, j])
            price, reason = exit_of(desk, j, step, extras.tick[j])
        k = 0
        while k < count and reason < 0:
            fine = extras.fine[extras.fine_at[bar, j, 0] + k]
            price, reason = exit_of(desk, j, (fine[0], fine[1], fine[2]), extras.tick[j])
            k += 1
        if reason >= 0:
            cash, row = leave(desk, (bar, bar, j, reason), price, (cash, row), given)
    return cash, row


@called_part
def before_trading(
    desk: Desk, bar: int, account: tuple[float, int], nexts: tuple[int, int], given: Given
) -> tuple[float, int, int, int]:
    """Let instruments end, and actions happen; return cash, rows, and the next end and the next event to come."""
    venue, extras, hands = given.venue, given.extras, given.hands
    end, event = nexts
    units = desk.units
    cash, row, ended = close_ended(bar, end, account, units, venue)
    for k in range(end, ended):
        j = venue.market.ends[k, 1]
        desk.go[j] = NOTHING
        forget(desk, j)
    if bar > 0:
        cash -= borrow_fees(units, venue.market.mark[bar - 1], venue.market.valid[bar], venue.terms)
    cash, row, happened = act(bar, event, (cash, row), hands, (venue, extras))
    for k in range(event, happened):
        j, factor = extras.events[k, 1], extras.changes[k, 2]
        desk.best[j] *= factor
        desk.stop_level[j] *= factor
        desk.target_level[j] *= factor
        desk.rest[j] = whole(desk.rest[j] * extras.changes[k, 0], venue.terms.lot_size[j])
        if units[j] == 0.0:
            forget(desk, j)
    return cash, row, ended, happened


@called_part
def after_call(desk: Desk) -> None:
    """After a margin call nothing more is bought, and what is flat is forgotten."""
    for j in range(desk.units.size):
        desk.rest[j] = 0.0
        if desk.units[j] == 0.0:
            forget(desk, j)


@jit(error_model="numpy")
def walk_signals_full(
    wishes: Wishes,
    levels: Levels,
    venue: Venue,
    extras: Extras,
    out: tuple[NDArray[np.float64], NDArray[np.float64], FullSleeve],
) -> tuple[int, int]:
    """Write fills, and into `out` the curve (with interest paid) and what the volume did not allow.

    The account goes on where the sleeve in `out` stands, over the bars that it names, and leaves its state there.

    Returns
    -------
    n_fills, ruined_at : int
        Rows written, or -1 if there was no room for all of them; the bar of ruin, or -1.
    """
    market, rules = venue.market, venue.rules
    curve, unfilled, sleeve = out
    desk, counts, money = sleeve.state, sleeve.counts, sleeve.cash
    n, units = desk.units.size, desk.units
    given = Given(wishes, levels, venue, extras, Hands(units, sleeve.left, unfilled))
    cash, keep, row, end, event = money[0], money[1], counts[ROWS], counts[END], counts[EVENT]
    ruined_at, called_at, at_open = counts[RUINED_AT], counts[CALLED_AT], rules.fill == NEXT_OPEN
    at_once, paid, value, gross = rules.fill == SAME_CLOSE, 0.0, 0.0, 0.0
    for t in range(sleeve.first, sleeve.stop):
        if row + ROOM_PER_BAR * n > venue.fills.places.shape[0]:
            return -1, -1
        paid, marks = 0.0, market.mark[t]
        if ruined_at < 0:
            paid = -min(cash, 0.0) * extras.interest[t]
            cash, row, end, event = before_trading(desk, t, (cash - paid, row), (end, event), given)
            renew(given.hands, t, extras)
            for moment in range(3):  # the open, the inside of the bar, the close
                if moment == 1:
                    cash, row = test_exits(desk, t, (cash, row), given)
                elif at_open == (moment == 0):
                    prices = market.at_open[t] if at_open else marks
                    if keep >= 0.0:
                        cash, row = liquidate(t, (keep, called_at), prices, (cash, row), (given.hands, venue))
                        after_call(desk)
                    if at_once:
                        decide(desk, t, given)
                    if counts[WAITING] > 0:
                        cash, row = resize((t, prices), (cash, row), sleeve, given)
                    cash, row = fill_wishes(desk, (t, prices), (cash, row), given)
            value, gross = worth(units, marks)
            keep, called_at = margin_call(units, marks, cash + value, gross, extras), t
            if cash + value <= ROUNDING * gross:
                cash, row = close_all(t, (cash, row), units, venue)
                ruined_at, value, gross = t, 0.0, 0.0
            elif not at_once:
                decide(desk, t, given)
        curve[EQUITY, t], curve[CASH, t], curve[GROSS, t], curve[INTEREST, t] = cash + value, cash, gross, paid
    money[0], money[1], counts[ROWS], counts[END], counts[EVENT] = cash, keep, row, end, event
    counts[RUINED_AT], counts[CALLED_AT] = ruined_at, called_at
    return row, ruined_at
