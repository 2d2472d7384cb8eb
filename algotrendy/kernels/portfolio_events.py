"""Explicit orders: one walk, over all bars at once or held up at every decision.

Whoever has all orders beforehand calls `walk_orders`. Whoever decides bar by bar in Python calls `live` twice a bar:
before the decision, and after it to place what was decided. Arrays are handed over once, as a table of addresses: so a
call costs about a microsecond, whatever there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._memory import (
    doubles_in,
    flag_table_in,
    flags_in,
    short_table_in,
    table_in,
    whole_in,
    whole_table_in,
)
from algotrendy.kernels._part import KERNEL, part
from algotrendy.kernels._portfolio import worth
from algotrendy.kernels.orders_types import NEXT_CLOSE, SAME_CLOSE
from algotrendy.kernels.portfolio_orders import CLOSE, PLACED, Desk, Requests, place, sweep, trade_bar, valued
from algotrendy.kernels.portfolio_types import (
    CASH,
    EQUITY,
    GROSS,
    MARKET,
    AccountRules,
    Fills,
    PanelMarket,
    PanelTerms,
    Venue,
)

BEFORE, AFTER, BOTH = 1, 2, 3
"""The two parts of a bar: up to its decision, and from there on."""

CASH_NOW, VALUE_NOW, GROSS_NOW = 0, 1, 2
"""Places in `Walk.money`."""

ROWS, FIRST, ENDED, RUINED_AT = 0, 1, 2, 3
"""Places in `Walk.counts`."""

_N_BARS, _N, _N_ORDERS, _N_GROUPS, _N_FILLS, _N_ENDS, _FILL, _SIZE_KIND, _MAX_POSITIONS = range(9)
_FIRST_ADDRESS = 9


class Walk(NamedTuple):
    """Where a walk stands between two calls."""

    money: NDArray[np.float64]
    """Cash, value of all positions, gross exposure; then what the rules have as numbers."""
    counts: NDArray[np.int64]
    """Rows of fills, the first order that is not placed yet, the next end to come, the bar of ruin or -1."""
    curve: NDArray[np.float64]
    """Shape (3, n_bars): equity, cash and gross exposure at the end of each bar."""


def new_walk(n_bars: int, venue: Venue) -> Walk:
    """Return a walk before its first bar."""
    rules = venue.rules
    money = np.array([rules.cash, 0.0, 0.0, rules.cash, rules.max_leverage, rules.tolerance])
    return Walk(money, np.array([0, 0, 0, -1]), np.zeros((3, n_bars)))


def table_of(venue: Venue, requests: Requests, desk: Desk, walk: Walk) -> NDArray[np.int64]:
    """Return sizes and addresses of all arrays; whoever made them keeps them alive while the table is used.

    Raises
    ------
    TypeError
        If an array is not contiguous, or of another type than `live` reads it as.
    """
    market, rules = venue.market, venue.rules
    sizes = [*market.mark.shape, requests.placed_at.size, requests.first_of_group.size]
    sizes += [len(venue.fills.places), len(market.ends), rules.fill, rules.size_kind, rules.max_positions]
    arrays: list[NDArray[Any]] = [*market, *venue.terms, *venue.fills, *requests, *desk, *walk]
    return np.array([*sizes, *addresses_of(arrays, _KINDS)], dtype=np.int64)


def addresses_of(arrays: Sequence[NDArray[Any]], kinds: Sequence[Any]) -> list[int]:
    """Return the addresses of arrays.

    Raises
    ------
    TypeError
        If an array is not contiguous, or not of its kind.
    """
    for array, kind in zip(arrays, kinds, strict=True):
        if array.dtype != kind or not array.flags.c_contiguous:
            raise TypeError(f"an array is {array.dtype} or not contiguous; {np.dtype(kind)} in C order is read")
    return [array.ctypes.data for array in arrays]


_D, _I, _B = np.float64, np.int64, np.bool_
_KINDS: tuple[Any, ...] = (
    *(_D, _D, _D, _D, _D, _B, _I),  # PanelMarket
    *(_D, _D, _D, _D, _D, _D, _D, _D),  # PanelTerms
    *(np.int32, _D),  # Fills
    *(_I, _I, _I, _D, _I, _B, _D, _B, _I, _I, _I, _I, _I, _I, _I),  # Requests
    *(_I, _I, _I, _I, _I, _I, _I, _D, _I, _D),  # Desk
    *(_D, _I, _D),  # Walk
)
_MARKET = _FIRST_ADDRESS
_TERMS = _MARKET + len(PanelMarket._fields)
_FILLS = _TERMS + len(PanelTerms._fields)
_REQUESTS = _FILLS + len(Fills._fields)
_DESK = _REQUESTS + len(Requests._fields)
_WALK = _DESK + len(Desk._fields)
TABLE_LENGTH = _WALK + len(Walk._fields)
"""Of what `table_of` returns."""


@part
def walk_at(table: NDArray[np.int64]) -> Walk:
    """Return the walk of a table."""
    a = _WALK
    return Walk(doubles_in(table[a], 6), whole_in(table[a + 1], 4), table_in(table[a + 2], 3, table[_N_BARS]))


@part
def venue_at(table: NDArray[np.int64], money: NDArray[np.float64]) -> Venue:
    """Return the venue of a table."""
    n_bars, n, a = table[_N_BARS], table[_N], _MARKET
    market = PanelMarket(
        table_in(table[a], n_bars, n),
        table_in(table[a + 1], n_bars, n),
        table_in(table[a + 2], n_bars, n),
        table_in(table[a + 3], n_bars, n),
        table_in(table[a + 4], n_bars, n),
        flag_table_in(table[a + 5], n_bars, n),
        whole_table_in(table[a + 6], table[_N_ENDS], 2),
    )
    a = _TERMS
    terms = PanelTerms(
        doubles_in(table[a], n),
        doubles_in(table[a + 1], n),
        doubles_in(table[a + 2], n),
        doubles_in(table[a + 3], n),
        doubles_in(table[a + 4], n),
        doubles_in(table[a + 5], n),
        doubles_in(table[a + 6], n),
        doubles_in(table[a + 7], n),
    )
    rules = AccountRules(table[_FILL], money[3], money[4], money[5], table[_SIZE_KIND], table[_MAX_POSITIONS])
    n_fills = table[_N_FILLS]
    fills = Fills(short_table_in(table[_FILLS], n_fills, 4), table_in(table[_FILLS + 1], n_fills, 2))
    return Venue(market, terms, rules, fills)


@part
def requests_at(table: NDArray[np.int64]) -> Requests:
    """Return the orders of a table."""
    n, a = table[_N_ORDERS], _REQUESTS
    return Requests(
        whole_in(table[a], n),
        whole_in(table[a + 1], n),
        whole_in(table[a + 2], n),
        doubles_in(table[a + 3], n),
        whole_in(table[a + 4], n),
        flags_in(table[a + 5], n),
        doubles_in(table[a + 6], n),
        flags_in(table[a + 7], n),
        whole_in(table[a + 8], n),
        whole_in(table[a + 9], n),
        whole_in(table[a + 10], n),
        whole_in(table[a + 11], n),
        whole_in(table[a + 12], table[_N_GROUPS]),
        whole_in(table[a + 13], n),
        whole_in(table[a + 14], table[_N_BARS]),
    )


@part
def desk_at(table: NDArray[np.int64]) -> Desk:
    """Return the desk of a table."""
    n, a = table[_N_ORDERS], _DESK
    return Desk(
        whole_in(table[a], n),
        whole_in(table[a + 1], n),
        whole_in(table[a + 2], n),
        whole_in(table[a + 3], n),
        whole_in(table[a + 4], n),
        whole_in(table[a + 5], n),
        whole_in(table[a + 6], 2),
        doubles_in(table[a + 7], n),
        whole_in(table[a + 8], table[_N_FILLS]),
        doubles_in(table[a + 9], table[_N]),
    )


@jit(**KERNEL)
def live(begin: int, end: int, parts: int, table: NDArray[np.int64]) -> None:
    """Live through bars, up to but not with `end`: BEFORE their decision, AFTER it, or BOTH; see `Walk`.

    After ruin it only goes on with the curve.
    """
    money, counts, curve = walk_at(table)
    venue, requests, desk = venue_at(table, money), requests_at(table), desk_at(table)
    fill, cash, held, gross = table[_FILL], money[CASH_NOW], money[VALUE_NOW], money[GROSS_NOW]
    row, first, ended, ruined_at = counts[ROWS], counts[FIRST], counts[ENDED], counts[RUINED_AT]
    at_once, before, after = fill == SAME_CLOSE, parts & BEFORE != 0, parts & AFTER != 0
    for t in range(begin, end):
        if ruined_at < 0:
            if before:
                cash, row, ended = trade_bar(t, (cash, gross, row, ended), desk, requests, venue)
            if after and at_once:
                first = place(desk, requests, t, first, at_once)
            if (before and fill == NEXT_CLOSE) or (after and at_once):
                cash, row, _ = sweep((t, np.int64(CLOSE), np.int64(MARKET)), (cash, row, desk), requests, venue)
            if after if at_once else before:
                cash, row, held, gross, is_ruined = valued(t, (cash, row), desk, venue)
                if is_ruined:
                    ruined_at = t
            elif before:  # what is shown to who decides
                held, gross = worth(desk.units, venue.market.mark[t])
            if after and not at_once and ruined_at < 0:
                first = place(desk, requests, t, first, at_once)
        curve[EQUITY, t], curve[CASH, t], curve[GROSS, t] = cash + held, cash, gross
    money[CASH_NOW], money[VALUE_NOW], money[GROSS_NOW] = cash, held, gross
    counts[ROWS], counts[FIRST], counts[ENDED], counts[RUINED_AT] = row, first, ended, ruined_at


def new_desk(n_orders: int, n_instruments: int, n_fills: int) -> Desk:
    """Return a desk on which no order works, with room for so many."""
    numbers = np.full((5, n_orders), -1)
    return Desk(
        status=np.full(n_orders, PLACED),
        from_bar=numbers[0],
        born_inside=numbers[1],
        session=numbers[2],
        working=numbers[3],
        born=numbers[4],
        counts=np.zeros(2, np.int64),
        filled=np.zeros(n_orders),
        filler=np.full(n_fills, -1),
        units=np.zeros(n_instruments),
    )


def walk_orders(
    venue: Venue, requests: Requests, curve: NDArray[np.float64], status: NDArray[np.int64]
) -> tuple[int, int]:
    """Write fills, the curve (equity, cash, gross exposure) and the status of each order.

    Returns
    -------
    n_fills, ruined_at : int
        Rows written (two per order, and two per instrument, at most), and the bar of ruin, or -1.
    """
    n_bars, n = venue.market.mark.shape
    desk = new_desk(status.size, n, len(venue.fills.places))._replace(status=status)
    status[:] = PLACED
    walk = new_walk(n_bars, venue)._replace(curve=curve)
    live(0, n_bars, BOTH, table_of(venue, requests, desk, walk))
    return int(walk.counts[ROWS]), int(walk.counts[RUINED_AT])
