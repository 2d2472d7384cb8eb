"""Target weights in an account with extras: actions, margins, interest and volume caps.

The rules are those of `docs/explanation/semantics-portfolio.md`; `backtest/portfolio/reference_extras.py` says the same
plainly. Without extras it does what `portfolio_weights` does, and takes longer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import called_part
from algotrendy.kernels._portfolio import book, worth
from algotrendy.kernels._portfolio_extras import (
    Hands,
    act,
    bound,
    capped,
    has_margins,
    liquidate,
    margin_call,
    renew,
    trade,
)
from algotrendy.kernels.orders_types import NEXT_OPEN, SAME_CLOSE
from algotrendy.kernels.portfolio_types import (
    CASH,
    EQUITY,
    GROSS,
    INTEREST,
    NO_ROOM,
    REBALANCE,
    ROUNDING,
    Extras,
    PanelTerms,
    Venue,
)
from algotrendy.kernels.portfolio_weights import (
    Book,
    Targets,
    borrow_fees,
    close_all,
    close_ended,
    decide,
    whole,
)

ROOM_PER_BAR = 7
"""Fills of one instrument at one bar: an end, a split and its fraction, a call, two legs, and ruin."""


@called_part
def share_within(
    state: Book, count: int, prices: NDArray[np.float64], room: float, given: tuple[PanelTerms, NDArray[np.float64]]
) -> float:
    """Return the factor, at most 1, by which all opening legs are scaled so that what they need fits into the room.

    `given` is the terms, and what each instrument needs, as margins are given. As in `affordable_share`, Newton's steps
    from 1 downwards end at the factor itself.
    """
    terms, needs = given
    share = 1.0
    instruments, (notionals, owns) = state.lists[1, :count], (state.costs[0, :count], state.costs[1, :count])
    for k in range(count):
        j, units = instruments[k], state.opening[k]
        slippage = terms.slippage[j]
        size = abs(units)
        notional = size * (prices[j] * (1.0 + (slippage if units > 0.0 else -slippage)))
        notionals[k] = needs[0, j] * notional + needs[1, j] * size
        owns[k] = terms.rate[j] * notional + terms.per_unit[j] * size
    for _ in range(100):
        cost, slope = 0.0, 0.0
        for k in range(count):
            paid, least = share * owns[k] + terms.fixed[instruments[k]], terms.minimum[instruments[k]]
            slope += notionals[k] + (owns[k] if paid >= least else 0.0)
            cost += share * notionals[k] + max(paid, least)
        if cost <= room:
            return share
        lower = share - (cost - room) / slope if slope > 0.0 else 0.0
        if lower <= 0.0:
            return 0.0
        if not lower < share:
            return share
        share = lower
    return share


@called_part
def gather(
    bar: int, prices: NDArray[np.float64], account: tuple[float, int, float], state: Book, given: tuple[Hands, Venue]
) -> tuple[float, int, int, bool]:
    """Fill closing legs and list opening ones; return cash, rows, how many open, and whether any go on waiting.

    `account` is cash, rows and the equity before.
    """
    cash, row, equity = account
    hands, venue = given
    units, waiting, lots = hands.units, state.waiting, venue.terms.lot_size
    n_opening, waits, least = 0, False, ROUNDING * abs(equity)
    for j in range(units.size):
        weight, price, held = waiting[j], prices[j], units[j]
        if np.isnan(weight) or not venue.market.valid[bar, j]:
            waits |= not np.isnan(weight)
            continue
        waiting[j] = np.nan
        target = whole(weight * equity / price, lots[j])
        moves = held != 0.0 if weight == 0.0 else abs(target - held) * price > least
        if not moves:
            continue
        same_side = held * target > 0.0
        if held != 0.0 and (not same_side or abs(target) < abs(held)):
            wanted = (target if same_side else 0.0) - held
            place = (state.decided_at[j], bar, j, np.int64(REBALANCE))
            cash, row, got = trade(hands, row, place, (wanted, price, cash), venue)
            if got != wanted:
                waiting[j], waits = weight, True
                continue
        rest = target - (held if same_side else 0.0)
        if rest * target > 0.0:
            got = capped(rest, hands.left[j], lots[j])
            if got != rest:
                hands.unfilled[bar, j] += rest - got
                waiting[j], waits = weight, True
            if got != 0.0:
                state.lists[1, n_opening], state.opening[n_opening] = j, got
                n_opening += 1
    return cash, row, n_opening, waits


@called_part
def fill_targets(
    bar: int,
    prices: NDArray[np.float64],
    account: tuple[float, int],
    state: Book,
    given: tuple[Hands, Venue, Extras, NDArray[np.float64]],
) -> tuple[float, int, bool]:
    """Move all instruments that wait and have a bar; return cash, rows, and whether others go on waiting."""
    hands, venue, extras, ones = given
    terms, units = venue.terms, hands.units
    equity = account[0] + worth(units, prices)[0]
    cash, row, n_opening, waits = gather(bar, prices, (account[0], account[1], equity), state, (hands, venue))
    if n_opening == 0:
        return cash, row, waits
    value, gross = worth(units, prices)
    room, share, least = venue.rules.max_leverage * (cash + value) - gross, 0.0, NO_ROOM * abs(equity)
    if room > least:
        share = share_within(state, n_opening, prices, room, (terms, ones))
    if share > 0.0 and has_margins(extras.initial):
        room, other = cash + value - bound(units, prices, extras.initial), 0.0
        if room > least:
            other = share_within(state, n_opening, prices, room, (terms, extras.initial))
        share = min(share, other)
    for k in range(n_opening if share > 0.0 else 0):
        j = state.lists[1, k]
        wanted = whole(share * state.opening[k], terms.lot_size[j])
        if wanted != 0.0:
            place = (state.decided_at[j], bar, j, np.int64(REBALANCE))
            cash = book(venue.fills, row, place, (wanted, prices[j], cash), terms)
            units[j] += wanted
            hands.left[j] -= abs(wanted)
            row += 1
    return cash, row, waits


@jit(error_model="numpy")
def walk_weights_full(
    venue: Venue, targets: Targets, extras: Extras, curve: NDArray[np.float64], unfilled: NDArray[np.float64]
) -> tuple[int, int]:
    """Write fills, the curve (equity, cash, gross exposure, interest paid) and what the volume did not allow.

    Returns
    -------
    n_fills, ruined_at : int
        Rows written, or -1 if there was no room for all of them; the bar of ruin, or -1.
    """
    market, rules = venue.market, venue.rules
    n_bars, n = market.mark.shape
    numbers, ones = np.zeros((5, n + 1)), np.zeros((2, n))
    ones[0] = 1.0
    lists = np.zeros((2, n + 1), np.int64)
    state = Book(numbers[0, :n], np.full(n, np.nan), np.zeros(n, np.int64), numbers[1], numbers[2], lists, numbers[3:])
    units, hands = state.units, Hands(state.units, np.full(n, np.inf), unfilled)
    given, cash, waits = (hands, venue, extras, ones), rules.cash, False
    row: Any = np.int64(0)  # as a literal it would be compiled twice
    called_at: Any = np.int64(-1)
    end, event = np.int64(0), np.int64(0)
    ruined_at, value, gross, keep, paid = -1, 0.0, 0.0, -1.0, 0.0
    at_open, at_once = rules.fill == NEXT_OPEN, rules.fill == SAME_CLOSE
    for t in range(n_bars):
        if row + ROOM_PER_BAR * n > venue.fills.places.shape[0]:
            return -1, -1
        decision, marks, paid = targets.row_at[t], market.mark[t], 0.0
        if ruined_at < 0:
            paid = -min(cash, 0.0) * extras.interest[t]
            cash, row, end = close_ended(t, end, (cash, row), units, venue)
            if t > 0:
                cash -= paid + borrow_fees(units, market.mark[t - 1], market.valid[t], venue.terms)
            cash, row, event = act(t, event, (cash, row), hands, (venue, extras))
            renew(hands, t, extras)
            prices = market.at_open[t] if at_open else marks
            if keep >= 0.0:
                cash, row = liquidate(t, (keep, called_at), prices, (cash, row), (hands, venue))
            if at_once and decision >= 0:
                decide(targets.weights[decision], marks, cash + worth(units, marks)[0], (t, rules.tolerance), state)
                waits = True
            if waits:
                cash, row, waits = fill_targets(t, prices, (cash, row), state, given)
            value, gross = worth(units, marks)
            keep = margin_call(units, marks, cash + value, gross, extras)
            called_at = t
            if cash + value <= ROUNDING * gross:
                cash, row = close_all(t, (cash, row), units, venue)
                ruined_at, value, gross = t, 0.0, 0.0
        if ruined_at < 0 and decision >= 0 and not at_once:
            decide(targets.weights[decision], marks, cash + value, (t, rules.tolerance), state)
            waits = True
        curve[EQUITY, t], curve[CASH, t], curve[GROSS, t], curve[INTEREST, t] = cash + value, cash, gross, paid
    return row, ruined_at
