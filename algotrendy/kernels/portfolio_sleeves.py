"""An account that stops between two bars and goes on: its state, and new sizes for what it holds.

Several strategies with shares of one account run as sleeves: each is such an account, and when their shares are
restored cash moves between them and what each holds is resized. The rules are those of
`docs/explanation/semantics-portfolio.md`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._instructions import round_down
from algotrendy.kernels._part import called_part, part
from algotrendy.kernels._portfolio import book
from algotrendy.kernels.orders import LOT_ROUNDING
from algotrendy.kernels.portfolio_types import NO_ROOM, REBALANCE, Venue

ONE, NONE = np.uint64(1), np.uint64(0)
LONG, SHORT, GO_LONG, GO_SHORT, GO_FLAT = range(5)
ROWS, HELD, END, RUINED_AT, RESIZED_AT, WAITING = range(6)


class Positions(NamedTuple):
    """The state of the account: one value per instrument, sets as words, and who is held, in order."""

    units: NDArray[np.float64]
    price: NDArray[np.float64]
    best: NDArray[np.float64]
    """The best price so far; mirrored (times -1) for a short position, as are the levels."""
    stop_level: NDArray[np.float64]
    target_level: NDArray[np.float64]
    keep: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    """What the borrow before its entry would have cost a short position."""
    since: NDArray[np.int64]
    held: NDArray[np.int64]
    sets: NDArray[np.uint64]
    """Rows: held long, held short; waiting to go long, short, flat."""
    heap: NDArray[np.int64]
    score: NDArray[np.float64]


class Sleeve(NamedTuple):
    """An account between two stretches of bars, and the stretch that comes next."""

    state: Positions
    cash: NDArray[np.float64]
    """Shape (1,)."""
    counts: NDArray[np.int64]
    """Rows of fills, positions held, the next end to come, the bar of ruin (-1: none); the bar at which the factors
    were decided, and how many of them still wait."""
    factors: NDArray[np.float64]
    """What the units of each instrument are to be multiplied by at its next fill; 1.0 leaves them alone."""
    first: int
    stop: int
    """The bars from `first` on, up to and without `stop`."""


def new_sleeve(n: int, n_bars: int, cash: float) -> Sleeve:
    """Return an account without positions before its first bar."""
    numbers, words = np.zeros((8, n)), np.zeros((5, (n + 63) >> 6), np.uint64)
    held, heap = np.zeros((2, n + 1), np.int64)
    fields: list[Any] = [*numbers[:7], np.zeros(n, np.int64), held, words, heap, numbers[7]]
    return Sleeve(Positions(*fields), np.array([cash]), np.array([0, 0, 0, -1, -1, 0]), np.ones(n), 0, n_bars)


@part
def in_lots(units: float, lot_size: float) -> float:
    """Return units rounded towards zero to lots."""
    if lot_size > 0.0:
        return float(np.copysign(round_down(abs(units) / lot_size + LOT_ROUNDING) * lot_size, units))
    return units


@part
def price_now(venue: Venue, j: int, now: tuple[int, bool]) -> float:
    """Return the price of the moment."""
    price: float = venue.market.at_open[j, now[0]] if now[1] else venue.market.mark[j, now[0]]
    return price


@part
def carry_of(venue: Venue, j: int, bar: int) -> float:
    """Return the borrow that one unit held short has cost up to and including a bar."""
    carry: float = venue.market.held[j, bar] - venue.market.mark[j, bar]
    return carry


@called_part
def room_of(state: Positions, now: tuple[int, bool], account: tuple[float, int], venue: Venue) -> float:
    """Return what may be opened at the prices of the moment, 0.0 for none; `account` is cash and positions held."""
    equity, gross = account[0], 0.0
    for k in range(account[1]):
        j = state.held[k]
        value = state.units[j] * price_now(venue, j, now)
        equity += value
        gross += abs(value)
        if state.units[j] < 0.0:
            equity += state.units[j] * (carry_of(venue, j, now[0]) - carry_of(venue, j, state.since[j]))
    room: float = venue.rules.max_leverage * equity - gross
    return room if room > NO_ROOM * abs(equity) else 0.0


@called_part
def change_units(
    state: Positions, j: int, now: tuple[int, bool], trade: tuple[float, float, int, int], venue: Venue
) -> float:
    """Add to a position, or take from it; return the cash after it.

    `trade` is units with their sign, cash, rows and the bar of the decision. A short position pays the borrow that it
    has cost so far.
    """
    units, cash, row, decided_at = trade
    held, carry = state.units[j], carry_of(venue, j, now[0])
    if held < 0.0:
        cash -= held * (carry_of(venue, j, state.since[j]) - carry)
    place = (decided_at, now[0], j, np.int64(REBALANCE))
    after: float = book(venue.fills, row, place, (units, price_now(venue, j, now), cash), venue.terms)
    state.units[j], state.since[j] = held + units, now[0]
    state.adjusted[j] = (held + units) * carry if held < 0.0 else 0.0
    return after


@called_part
def shrink(now: tuple[int, bool], account: tuple[float, int, int], sleeve: Sleeve, venue: Venue) -> tuple[float, int]:
    """Take from what has a factor below 1; what is to be closed at this moment gets the factor 1 instead."""
    cash, row, count = account
    state, factors, sets = sleeve.state, sleeve.factors, sleeve.state.sets
    for k in range(count):
        j = state.held[k]
        w, bit = j >> 6, ONE << np.uint64(j & 63)
        if not venue.market.valid[j, now[0]]:
            continue
        leaves = sets[GO_FLAT, w] | (sets[GO_LONG, w] & sets[SHORT, w]) | (sets[GO_SHORT, w] & sets[LONG, w])
        if leaves & bit != NONE:
            factors[j] = 1.0
        elif factors[j] < 1.0:
            units = in_lots(state.units[j] * (factors[j] - 1.0), venue.terms.lot_size[j])
            if units != 0.0:
                cash = change_units(state, j, now, (units, cash, row, sleeve.counts[RESIZED_AT]), venue)
                row += 1
    return cash, row


@called_part
def grow(now: tuple[int, bool], account: tuple[float, int, int], sleeve: Sleeve, venue: Venue) -> tuple[float, int]:
    """Add to what has a factor above 1: all by the one share, at most 1, whose cost fits into the room."""
    cash, row, count = account
    state, terms, factors, cost, fixed = sleeve.state, venue.terms, sleeve.factors, 0.0, 0.0
    for k in range(count):
        j = state.held[k]
        if venue.market.valid[j, now[0]] and factors[j] > 1.0:
            units, price = state.units[j] * (factors[j] - 1.0), price_now(venue, j, now)
            price *= 1.0 + np.copysign(terms.slippage[j], units)
            cost += abs(units) * (price * (1.0 + terms.rate[j]) + terms.per_unit[j])
            fixed += terms.fixed[j] + terms.minimum[j]
    if cost == 0.0:
        return cash, row
    share = min(1.0, (room_of(state, now, (cash, count), venue) - fixed) / cost)
    for k in range(count):
        j = state.held[k]
        if share > 0.0 and venue.market.valid[j, now[0]] and factors[j] > 1.0:
            units = in_lots(state.units[j] * (factors[j] - 1.0) * share, terms.lot_size[j])
            if units != 0.0:
                cash = change_units(state, j, now, (units, cash, row, sleeve.counts[RESIZED_AT]), venue)
                row += 1
    return cash, row


@called_part
def resize(now: tuple[int, bool], account: tuple[float, int, int], sleeve: Sleeve, venue: Venue) -> tuple[float, int]:
    """Multiply what is held by its factors where it has a bar, closing legs first; return cash and rows.

    `now` is the bar and whether prices are opens; `account` is cash, rows and positions held.
    """
    cash, row = shrink(now, account, sleeve, venue)
    cash, row = grow(now, (cash, row, account[2]), sleeve, venue)
    sleeve.counts[WAITING] = 0
    for j in range(sleeve.factors.size):
        if venue.market.valid[j, now[0]] or sleeve.state.units[j] == 0.0:
            sleeve.factors[j] = 1.0
        elif sleeve.factors[j] != 1.0:
            sleeve.counts[WAITING] += 1
    return cash, row
