"""Explicit orders in an account with extras: one walk, over all bars at once or held up at every decision.

As `portfolio_events`, whose table of addresses goes on here with what such an account has besides.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._memory import doubles_in, flags_in, table_in, whole_in, whole_table_in
from algotrendy.kernels._part import KERNEL, part
from algotrendy.kernels._portfolio import worth
from algotrendy.kernels._portfolio_extras import Hands, act, liquidate, margin_call, renew
from algotrendy.kernels.orders_types import NEXT_CLOSE, NEXT_OPEN, SAME_CLOSE
from algotrendy.kernels.portfolio_events import (
    AFTER,
    BEFORE,
    BOTH,
    CASH_NOW,
    ENDED,
    FIRST,
    GROSS_NOW,
    ROWS,
    RUINED_AT,
    VALUE_NOW,
    Walk,
    addresses_of,
    desk_at,
    new_desk,
    new_walk,
    requests_at,
    table_of,
    venue_at,
)
from algotrendy.kernels.portfolio_orders import CLOSE, PLACED, Desk, Requests
from algotrendy.kernels.portfolio_orders_full import Counter, Rest, place, sweep, work
from algotrendy.kernels.portfolio_types import CASH, EQUITY, GROSS, INTEREST, MARKET, ROUNDING, STEP, Extras, Venue
from algotrendy.kernels.portfolio_weights import borrow_fees, close_all, close_ended

ROOM_PER_BAR = 6
"""Fills of one instrument at one bar besides those of orders: an end, a split and its fraction, a call, and ruin."""

KEEP, PAID = 6, 7
"""Further places in `Walk.money`: the share of positions that a margin call lets keep (-1.0: none), interest paid."""

EVENT, CALLED_AT, IS_FULL = 4, 5, 6
"""Further places in `Walk.counts`: the next event to come, the bar of the call, whether there was no room for fills."""

_D, _I, _B = np.float64, np.int64, np.bool_
_KINDS: tuple[Any, ...] = (
    *(_I, _D, _D, _D, _D, _D, _D, _D, _I),  # Extras
    *(_I, _B, _B, _D, _D, _D, _D, _D, _D, _D),  # Rest
    *(_D, _D),  # Hands, without units
)


_N_SIZES, _N_WALK = 5, len(Walk._fields)


class More(NamedTuple):
    """What an account with extras has besides."""

    extras: Extras
    rest: Rest
    hands: Hands


def new_full_walk(n_bars: int, venue: Venue) -> Walk:
    """Return a walk before its first bar."""
    plain = new_walk(n_bars, venue)
    return Walk(
        np.concatenate([plain.money, [-1.0, 0.0]]), np.concatenate([plain.counts, [0, -1, 0]]), np.zeros((4, n_bars))
    )


def new_rest(n_orders: int, n_instruments: int) -> Rest:
    """Return what is known of orders before any was tried."""
    numbers, levels = np.zeros((5, n_orders)), np.ones((2, n_instruments))
    return Rest(np.full(n_orders, -1), *np.zeros((2, n_orders), np.bool_), *numbers, *levels)


def full_table_of(venue: Venue, requests: Requests, desk: Desk, walk: Walk, more: More) -> NDArray[np.int64]:
    """Return sizes and addresses of all arrays, as `table_of` does, then those of the extras.

    Raises
    ------
    TypeError
        If an array is not contiguous, or of another type than `live_full` reads it as.
    """
    extras, hands = more.extras, more.hands
    arrays: list[NDArray[Any]] = [extras.events, extras.changes, extras.initial, extras.maintenance]
    arrays += [extras.interest, extras.caps, extras.tick, extras.fine, extras.fine_at]
    arrays += [*more.rest, hands.left, hands.unfilled]
    sizes = [len(extras.events), *extras.caps.shape, len(extras.fine), len(extras.fine_at)]
    tail = np.array([*sizes, *addresses_of(arrays, _KINDS)], dtype=np.int64)
    return np.concatenate([table_of(venue, requests, desk, walk), tail])


@part
def more_at(table: NDArray[np.int64], units: NDArray[np.float64]) -> More:
    """Return the extras of a table."""
    n_bars, n, n_orders = table[0], table[1], table[2]
    first = table.size - _N_SIZES - len(_KINDS)
    n_events, n_caps, n_capped, a = table[first], table[first + 1], table[first + 2], first + _N_SIZES
    n_places = table[first + 4]
    events, changes = whole_table_in(table[a], n_events, 2), table_in(table[a + 1], n_events, 3)
    extras = Extras(
        events,
        changes,
        table_in(table[a + 2], 2, n),
        table_in(table[a + 3], 2, n),
        doubles_in(table[a + 4], n_bars),
        table_in(table[a + 5], n_caps, n_capped),
        doubles_in(table[a + 6], n),
        table_in(table[a + 7], table[first + 3], len(STEP)),
        whole_table_in(table[a + 8], n_places, 2 * n if n_places > 1 else 2),  # first and count of each, side by side
    )
    a += 9
    rest = Rest(
        whole_in(table[a], n_orders),
        flags_in(table[a + 1], n_orders),
        flags_in(table[a + 2], n_orders),
        doubles_in(table[a + 3], n_orders),
        doubles_in(table[a + 4], n_orders),
        doubles_in(table[a + 5], n_orders),
        doubles_in(table[a + 6], n_orders),
        doubles_in(table[a + 7], n_orders),
        doubles_in(table[a + 8], n),
        doubles_in(table[a + 9], n),
    )
    hands = Hands(units, doubles_in(table[a + 10], n), table_in(table[a + 11], n_caps, n_capped))
    return More(extras, rest, hands)


@part
def begin_bar(
    bar: int, account: tuple[float, float, int, int], event: int, at: Counter
) -> tuple[float, int, int, int, float]:
    """Live through ends, interest, borrow and actions; return cash, rows, next end and event, and interest paid.

    `account` is cash, the gross exposure at the bar before, rows and the next end.
    """
    cash, gross, row, ended = account
    units, market = at.desk.units, at.venue.market
    paid = -min(cash, 0.0) * at.extras.interest[bar]
    cash, row, ended = close_ended(bar, ended, (cash - paid, row), units, at.venue)
    if bar > 0 and gross > 0.0:
        cash -= borrow_fees(units, market.mark[bar - 1], market.valid[bar], at.venue.terms)
    cash, row, happened = act(bar, event, (cash, row), at.hands, (at.venue, at.extras))
    for k in range(event, happened):
        j = at.extras.events[k, 1]
        at.rest.ratio[j] *= at.extras.changes[k, 0]
        at.rest.level[j] *= at.extras.changes[k, 2]
    renew(at.hands, bar, at.extras)
    return cash, row, ended, happened, paid


@part
def traded_bar(bar: int, account: tuple[float, int], call: tuple[float, int], at: Counter) -> tuple[float, int]:
    """Fill a margin call and working orders up to the decision; return cash and rows. `call` is as in `liquidate`."""
    cash, row = account
    market, fill = at.venue.market, at.venue.rules.fill
    for moment in range(2):
        if call[0] >= 0.0 and (moment == 0) == (fill == NEXT_OPEN):
            prices = market.at_open[bar] if fill == NEXT_OPEN else market.mark[bar]
            cash, row = liquidate(bar, call, prices, (cash, row), (at.hands, at.venue))
        if moment == 0 and at.desk.counts[0] + at.desk.counts[1] > 0:
            cash, row = work(bar, (cash, row), at)
    return cash, row


@jit(**KERNEL)
def live_full(begin: int, end: int, parts: int, table: NDArray[np.int64]) -> None:
    """Live through bars, as `portfolio_events.live` does. It stops where there might be no room for fills."""
    n_bars, n, a = table[0], table[1], table.size - _N_SIZES - len(_KINDS) - _N_WALK
    money, counts = doubles_in(table[a], 8), whole_in(table[a + 1], 7)
    curve, desk = table_in(table[a + 2], 4, n_bars), desk_at(table)
    more = more_at(table, desk.units)
    at = Counter(desk, requests_at(table), more.rest, more.hands, venue_at(table, money), more.extras)
    venue, fill, cash, held = at.venue, at.venue.rules.fill, money[CASH_NOW], money[VALUE_NOW]
    gross, keep, paid = money[GROSS_NOW], money[KEEP], money[PAID]
    row, first, ended, ruined_at = counts[ROWS], counts[FIRST], counts[ENDED], counts[RUINED_AT]
    at_once, before, after = fill == SAME_CLOSE, parts & BEFORE != 0, parts & AFTER != 0
    at_close = np.int64(CLOSE), np.int64(MARKET)
    for t in range(begin, end):
        if ruined_at < 0:
            if before:
                if row + 2 * table[2] + ROOM_PER_BAR * n > venue.fills.places.shape[0]:
                    counts[IS_FULL] = 1
                    return
                account = (cash, gross, row, ended)
                cash, row, ended, counts[EVENT], paid = begin_bar(t, account, counts[EVENT], at)
                cash, row = traded_bar(t, (cash, row), (keep, counts[CALLED_AT]), at)
            if after and at_once:
                first = place(at, t, first, at_once)
            if (before and fill == NEXT_CLOSE) or (after and at_once):
                cash, row, _ = sweep((t, at_close[0], at_close[1], np.int64(-1)), (cash, row), at)
            held, gross = worth(desk.units, venue.market.mark[t])
            if after if at_once else before:
                keep = margin_call(desk.units, venue.market.mark[t], cash + held, gross, at.extras)
                counts[CALLED_AT] = t
                if cash + held <= ROUNDING * gross:
                    cash, row = close_all(t, (cash, row), desk.units, venue)
                    ruined_at, held, gross = t, 0.0, 0.0
            if after and not at_once and ruined_at < 0:
                first = place(at, t, first, at_once)
        else:
            paid = 0.0
        curve[EQUITY, t], curve[CASH, t], curve[GROSS, t], curve[INTEREST, t] = cash + held, cash, gross, paid
    money[CASH_NOW], money[VALUE_NOW], money[GROSS_NOW], money[KEEP], money[PAID] = cash, held, gross, keep, paid
    counts[ROWS], counts[FIRST], counts[ENDED], counts[RUINED_AT] = row, first, ended, ruined_at


def walk_orders_full(
    venue: Venue, requests: Requests, extras: Extras, out: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> tuple[int, int, NDArray[np.int64], NDArray[np.float64]]:
    """Write fills, and into `out` the curve (with interest paid) and what the volume did not allow.

    `requests` changes: prices and units follow what happens.

    Returns
    -------
    n_fills, ruined_at : int
        Rows written, or -1 if there was no room for all of them; the bar of ruin, or -1.
    status, filled : arrays of shape (n_orders,)
        How each order ended, and the signed units that were filled, in units of the day on which it was placed.
    """
    n_bars, n = venue.market.mark.shape
    n_orders = requests.placed_at.size
    curve, unfilled = out
    desk, rest = new_desk(n_orders, n, len(venue.fills.places)), new_rest(n_orders, n)
    desk.status[:] = PLACED
    walk = new_full_walk(n_bars, venue)._replace(curve=curve)
    more = More(extras, rest, Hands(desk.units, np.full(n, np.inf), unfilled))
    live_full(0, n_bars, BOTH, full_table_of(venue, requests, desk, walk, more))
    n_fills = -1 if walk.counts[IS_FULL] else int(walk.counts[ROWS])
    return n_fills, int(walk.counts[RUINED_AT]), desk.status, rest.done
