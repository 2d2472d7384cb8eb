"""Explicit orders of one instrument as a compiled function places them, bar by bar.

The walk is that of `portfolio_events.live`; between its two parts a user's function is called. Orders are numbered
and linked as `backtest/stateful` does it for what is asked in Python, so that both forms are one.

A user's function is compiled in each process. So whatever does not hang on it is compiled apart, kept on disk, and
called by its address with that of a table of all arrays. What is left to compile is in `portfolio_decided_walk`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from algotrendy.kernels._jit import entry
from algotrendy.kernels._memory import doubles_in, table_in, whole_in, whole_table_in
from algotrendy.kernels._part import called_part, part
from algotrendy.kernels.orders_types import SAME_CLOSE
from algotrendy.kernels.portfolio_events import (
    AFTER,
    BEFORE,
    CASH_NOW,
    ROWS,
    RUINED_AT,
    TABLE_LENGTH,
    VALUE_NOW,
    desk_at,
    live,
    requests_at,
    venue_at,
    walk_at,
)
from algotrendy.kernels.portfolio_orders import (
    CANCELLED,
    FILLED,
    OF_PARENT,
    OWN_UNITS,
    PLACED,
    REPLACED,
    SHARE,
    WORKING,
    Desk,
    Requests,
)
from algotrendy.kernels.portfolio_types import DELISTING, LIMIT, MARKET, STOP_ORDER, Venue

# Places in `Book.state`.
N_ORDERS, N_GROUPS, PROBLEM, MAY_TRADE, ROOM, TOLD, OPENED_AT, BAR, N_OPEN, N_STATE = range(10)
FULL, WRONG = 1, 2
"""Problems: there is no room for more orders, or an order is not allowed."""

# Rows of `Book.links`, one value per order, -1 for none.
SUCCESSOR, STOP_OF, TARGET_OF, LAST_CHILD, LAST_OF_GROUP, ENDED_AT, SHOWN_PARENT, OPEN_IDS, N_LINKS = range(9)

# Rows of `Book.numbers`, one value per order, NaN for none.
SIGN, ASKED_UNITS, ASKED_SIZE, QUOTED, FILLED_UNITS, FILL_PRICE, N_NUMBERS = range(7)

# Places in `Book.held`: what is held, the terms, and what a decision is told of the account at a bar.
UNITS, AVERAGE, MAX_LEVERAGE, LOT_SIZE, MULTIPLIER, CASH, EQUITY, BARS_HELD, PROFIT, N_HELD = range(10)

LENGTH = TABLE_LENGTH + 5
"""Of a table: that of `portfolio_events`, then links, numbers, state, what is held, the close."""

_N_BARS, _N_ORDERS = 0, 2  # places in a table
_LOT_ROUNDING = 1e-9
_NOBODY = -1


class Book(NamedTuple):
    """All orders of a run, and what is held."""

    requests: Requests
    desk: Desk
    links: NDArray[np.int64]
    numbers: NDArray[np.float64]
    state: NDArray[np.int64]
    held: NDArray[np.float64]


@part
def book_at(table: NDArray[np.int64]) -> Book:
    """Return the book of a table."""
    a, n = TABLE_LENGTH, table[_N_ORDERS]
    return Book(
        requests_at(table),
        desk_at(table),
        whole_table_in(table[a], N_LINKS, n),
        table_in(table[a + 1], N_NUMBERS, n),
        whole_in(table[a + 2], N_STATE),
        doubles_in(table[a + 3], N_HELD),
    )


# --- orders -----------------------------------------------------------------------------------------------------------


@called_part
def refuse(book: Book) -> int:
    """Note that an order is not allowed; whoever runs this says why."""
    book.state[PROBLEM] = WRONG
    return _NOBODY


@called_part
def is_amount(value: float) -> bool:
    """Return whether a number is above zero and finite."""
    return bool(0.0 < value < np.inf)


@called_part
def fits_lot(book: Book, units: float) -> bool:
    """Return whether units are a multiple of the lot."""
    lot = book.held[LOT_SIZE]
    if lot <= 0.0:
        return True
    lots = units / lot
    return bool(abs(lots - np.floor(lots + 0.5)) <= _LOT_ROUNDING)


@called_part
def join_parent(book: Book, k: int, parent: int) -> None:
    """Let an order wait for another."""
    requests, links = book.requests, book.links
    requests.parent[k] = parent
    last = links[LAST_CHILD, parent]
    if last < 0:
        requests.first_child[parent] = k
    else:
        requests.next_child[last] = k
    links[LAST_CHILD, parent] = k


@called_part
def join_group(book: Book, k: int, group: int) -> None:
    """Add an order to a group, which may be a new one."""
    requests, links = book.requests, book.links
    requests.group[k] = group
    last = links[LAST_OF_GROUP, group]
    if last < 0:
        requests.first_of_group[group] = k
    else:
        requests.next_of_group[last] = k
    links[LAST_OF_GROUP, group] = k


@called_part
def put(
    book: Book,
    bar: int,
    what: tuple[int, float, float, float, float],
    flags: tuple[bool, bool],
    waits: tuple[int, int],
) -> int:
    """Write an order and return its number.

    `what` is kind, sign, units, size and price (NaN for none); `flags` whether it is a day order and only closes;
    `waits` are its parent and its group.
    """
    requests, state = book.requests, book.state
    k = state[N_ORDERS]
    if k >= state[ROOM]:
        state[PROBLEM] = FULL
        return _NOBODY
    kind, sign, units, size, price = what
    requests.placed_at[k], requests.instrument[k], requests.kind[k] = bar, 0, kind
    requests.is_day[k], requests.reduces[k] = flags
    requests.price[k] = price * book.held[MULTIPLIER] if not np.isnan(price) else 0.0
    if not np.isnan(size):
        requests.units[k], requests.measure[k] = size, SHARE
    elif not np.isnan(units):
        requests.units[k], requests.measure[k] = units, OWN_UNITS
    else:
        requests.units[k], requests.measure[k] = sign * np.inf, OF_PARENT
    numbers = book.numbers
    numbers[SIGN, k], numbers[ASKED_UNITS, k], numbers[ASKED_SIZE, k], numbers[QUOTED, k] = sign, units, size, price
    parent, group = waits
    book.links[SHOWN_PARENT, k] = parent
    if parent >= 0:
        join_parent(book, k, parent)
    if group >= 0:
        join_group(book, k, group)
    book.links[OPEN_IDS, state[N_OPEN]] = k
    state[N_OPEN] += 1
    state[N_ORDERS] += 1
    return int(k)


@called_part
def enter(
    book: Book,
    now: tuple[int, float, float],
    given: tuple[bool, bool, bool, bool, bool, bool],
    values: tuple[float, float, float, float, float, float],
    is_day: bool,
) -> int:
    """Buy or sell, with a bracket if wanted; return the number of the entry.

    `now` is the bar, its close and the side. What is `given` are units, size, limit, trigger, stop and target.
    """
    state = book.state
    bar, close, sign = now
    has_units, has_size, has_limit, has_trigger, has_stop, has_target = given
    units, size, limit, trigger, stop, target = values
    if state[PROBLEM] != 0 or state[MAY_TRADE] == 0 or (has_limit and has_trigger) or (has_units and has_size):
        return int(refuse(book)) if state[PROBLEM] == 0 else _NOBODY
    kind, price = MARKET, np.nan
    if has_limit:
        kind, price = LIMIT, limit
    elif has_trigger:
        kind, price = STOP_ORDER, trigger
    if not has_units and not has_size:
        has_size, size = True, min(1.0, book.held[MAX_LEVERAGE])
    own = close if kind == MARKET else price
    if has_stop and (not is_amount(stop) or -sign * (stop - own) <= 0.0):
        return int(refuse(book))
    if has_target and (not is_amount(target) or sign * (target - own) <= 0.0):
        return int(refuse(book))
    if has_units and not (is_amount(units) and fits_lot(book, units)):
        return int(refuse(book))
    if has_size and not (is_amount(size) and size <= book.held[MAX_LEVERAGE]):
        return int(refuse(book))
    if kind != MARKET and not is_amount(price):
        return int(refuse(book))
    units, size = sign * units if has_units else np.nan, sign * size if has_size else np.nan
    first = put(book, bar, (kind, sign, units, size, price), (is_day, False), (-1, -1))
    group = -1
    if has_stop and has_target and state[PROBLEM] == 0:
        group = state[N_GROUPS]
        state[N_GROUPS] += 1
    if has_stop and state[PROBLEM] == 0:
        k = put(book, bar, (STOP_ORDER, -sign, np.nan, np.nan, stop), (False, True), (first, group))
        book.links[STOP_OF, first] = k
    if has_target and state[PROBLEM] == 0:
        k = put(book, bar, (LIMIT, -sign, np.nan, np.nan, target), (False, True), (first, group))
        book.links[TARGET_OF, first] = k
    return int(first)


@called_part
def leave(
    book: Book,
    bar: int,
    given: tuple[bool, bool, bool],
    values: tuple[float, float, float],
    is_day: bool,
) -> int:
    """Leave the position, or some units of it; what is `given` are units, limit and stop. -1: nothing is held."""
    state, held = book.state, book.held[UNITS]
    has_units, has_limit, has_stop = given
    units, limit, stop = values
    if state[PROBLEM] != 0 or state[MAY_TRADE] == 0:
        return int(refuse(book)) if state[PROBLEM] == 0 else _NOBODY
    if held == 0.0:
        return _NOBODY
    if has_limit and has_stop:
        return int(refuse(book))
    if has_units and not (is_amount(units) and fits_lot(book, units)):
        return int(refuse(book))
    kind, price = MARKET, np.nan
    if has_limit:
        kind, price = LIMIT, limit
    elif has_stop:
        kind, price = STOP_ORDER, stop
    if kind != MARKET and not is_amount(price):
        return int(refuse(book))
    side = -1.0 if held > 0.0 else 1.0
    wanted = units if has_units else np.inf
    return int(put(book, bar, (kind, side, side * wanted, np.nan, price), (is_day, True), (-1, -1)))


@called_part
def cancel_one(book: Book, bar: int, k: int) -> int:
    """Cancel an order and what waits for it; return how many were open."""
    status, links, requests = book.desk.status, book.links, book.requests
    if status[k] > WORKING:
        return 0
    status[k], links[ENDED_AT, k] = CANCELLED, bar
    count, child = 1, requests.first_child[k]
    while child >= 0:
        if status[child] == PLACED:
            status[child], links[ENDED_AT, child] = CANCELLED, bar
            count += 1
        child = requests.next_child[child]
    return int(count)


@called_part
def cancel_some(book: Book, bar: int, has_one: bool, k: int) -> int:
    """Cancel an order, or all that are open; return how many were."""
    state = book.state
    if state[PROBLEM] != 0:
        return 0
    if state[MAY_TRADE] == 0 or (has_one and not 0 <= k < state[N_ORDERS]):
        refuse(book)
        return 0
    if has_one:
        return int(cancel_one(book, bar, k))
    count = 0
    for place in range(state[N_OPEN]):
        count += cancel_one(book, bar, book.links[OPEN_IDS, place])
    return int(count)


@called_part
def newest_of(book: Book, k: int) -> int:
    """Return what replaced an order, and what replaced that; the order itself if nothing did."""
    while book.links[SUCCESSOR, k] >= 0:
        k = book.links[SUCCESSOR, k]
    return int(k)


@called_part
def put_in_place(
    book: Book, bar: int, k: int, given: tuple[bool, bool, bool], values: tuple[float, float, float]
) -> int:
    """Replace an order by one with other units or another price; return its number, or that of one that has ended."""
    state, links, numbers, requests = book.state, book.links, book.numbers, book.requests
    has_units, has_limit, has_stop = given
    units, limit, stop = values
    if state[PROBLEM] != 0:
        return _NOBODY
    if state[MAY_TRADE] == 0 or not 0 <= k < state[N_ORDERS]:
        return int(refuse(book))
    old = newest_of(book, k)
    kind = requests.kind[old]
    if (has_limit and kind != LIMIT) or (has_stop and kind != STOP_ORDER) or not (has_units or has_limit or has_stop):
        return int(refuse(book))
    if book.desk.status[old] > WORKING:
        return int(old)
    price = limit if has_limit else stop
    if has_units and not (is_amount(units) and fits_lot(book, units)):
        return int(refuse(book))
    if (has_limit or has_stop) and not is_amount(price):
        return int(refuse(book))
    sign, size = numbers[SIGN, old], numbers[ASKED_SIZE, old]
    if has_units:
        units, size = sign * units, np.nan
    else:
        units = numbers[ASKED_UNITS, old]
    if not (has_limit or has_stop):
        price = numbers[QUOTED, old]
    parent = links[SHOWN_PARENT, old]
    flags, waits = (requests.is_day[old], requests.reduces[old]), (parent, requests.group[old])
    new = put(book, bar, (kind, sign, units, size, price), flags, waits)
    if new < 0:
        return int(new)
    book.desk.status[old], links[SUCCESSOR, old], links[ENDED_AT, old] = REPLACED, new, bar
    links[STOP_OF, new], links[TARGET_OF, new] = links[STOP_OF, old], links[TARGET_OF, old]
    if parent >= 0:
        if links[STOP_OF, parent] == old:
            links[STOP_OF, parent] = new
        if links[TARGET_OF, parent] == old:
            links[TARGET_OF, parent] = new
    child = requests.first_child[old]
    requests.first_child[old] = links[LAST_CHILD, old] = -1
    while child >= 0:
        following = requests.next_child[child]
        requests.next_child[child] = -1
        join_parent(book, child, new)
        if book.desk.status[child] == PLACED:
            links[SHOWN_PARENT, child] = new
        child = following
    return int(new)


@called_part
def is_known(book: Book, k: int) -> bool:
    """Return whether there is an order of that number."""
    return bool(0 <= k < book.state[N_ORDERS])


# --- what is told -----------------------------------------------------------------------------------------------------


@called_part
def tell(book: Book, venue: Venue, n_rows: int) -> None:
    """Bring the position, the orders and the list of open ones up to date with what was filled."""
    state, held, numbers, fills = book.state, book.held, book.numbers, venue.fills
    for row in range(state[TOLD], n_rows):
        units, reason = fills.money[row, 0], fills.places[row, 3]
        slippage = 0.0 if reason in (LIMIT, DELISTING) else venue.terms.slippage[0]
        price = fills.money[row, 1] * (1.0 + (slippage if units > 0.0 else -slippage)) / held[MULTIPLIER]
        k = book.desk.filler[row]
        if k >= 0:
            total, before = numbers[FILLED_UNITS, k] + units, 0.0
            if numbers[FILLED_UNITS, k] != 0.0:
                before = numbers[FILLED_UNITS, k] * numbers[FILL_PRICE, k]
            numbers[FILL_PRICE, k], numbers[FILLED_UNITS, k] = (before + units * price) / total, total
        now = held[UNITS]
        if now == 0.0:
            held[AVERAGE], state[OPENED_AT] = price, fills.places[row, 1]
        elif now * units > 0.0:
            held[AVERAGE] = (now * held[AVERAGE] + units * price) / (now + units)
        held[UNITS] = 0.0 if units == -now else now + units
        if held[UNITS] == 0.0:
            held[AVERAGE] = np.nan
    state[TOLD] = n_rows
    kept, ids = 0, book.links[OPEN_IDS]
    for place in range(state[N_OPEN]):
        if book.desk.status[ids[place]] <= WORKING:
            ids[kept] = ids[place]
            kept += 1
    state[N_OPEN] = kept


@called_part
def count_open(book: Book) -> int:
    """Return how many orders are open."""
    count = 0
    for place in range(book.state[N_OPEN]):
        count += book.desk.status[book.links[OPEN_IDS, place]] <= WORKING
    return int(count)


# --- what is called by its address ------------------------------------------------------------------------------------

_I, _D = types.int64, types.float64


@entry(_I(_I, _I))
def begin_bar(address: int, bar: int) -> int:
    """Live through a bar up to its decision, and tell what is known then; return 1 once nothing is left."""
    table = whole_in(address, LENGTH)
    money, counts, _ = walk_at(table)
    book, venue = book_at(table), venue_at(table, money)
    live(bar, bar + 1, BEFORE, table)
    state, held = book.state, book.held
    state[BAR] = bar
    if counts[RUINED_AT] >= 0:
        live(bar + 1, table[_N_BARS], BEFORE, table)
        tell(book, venue, counts[ROWS])
        return 1
    tell(book, venue, counts[ROWS])
    held[CASH] = money[CASH_NOW]
    held[EQUITY] = held[CASH] + money[VALUE_NOW]
    held[BARS_HELD], held[PROFIT] = 0.0, 0.0
    if held[UNITS] != 0.0:
        close = doubles_in(table[LENGTH - 1], table[_N_BARS])[bar]
        held[BARS_HELD] = bar - state[OPENED_AT]
        held[PROFIT] = held[UNITS] * (close - held[AVERAGE]) * held[MULTIPLIER]
    return 0


@entry(_I(_I, _I, _I))
def end_bar(address: int, bar: int, placed: int) -> int:
    """Live through the rest of a bar; return how many orders there are."""
    table = whole_in(address, LENGTH)
    money, counts, _ = walk_at(table)
    book, venue = book_at(table), venue_at(table, money)
    n_orders = book.state[N_ORDERS]
    if n_orders > placed or venue.rules.fill == SAME_CLOSE:
        live(bar, bar + 1, AFTER, table)
    if bar == table[_N_BARS] - 1:
        tell(book, venue, counts[ROWS])
    return int(n_orders)


@entry(_I(_I, _I, _D, _D, _I, _D, _D, _D, _D, _D, _D, _I))
def entered(  # noqa: PLR0917 - called by its address, as C calls
    address: int, bar: int, close: float, sign: float, bits: int,
    units: float, size: float, limit: float, trigger: float, stop: float, target: float, is_day: int,
) -> int:  # fmt: skip
    """Buy or sell; the bits say which of the numbers were given."""
    given = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0, bits & 8 != 0, bits & 16 != 0, bits & 32 != 0)
    values = (units, size, limit, trigger, stop, target)
    return int(enter(book_at(whole_in(address, LENGTH)), (bar, close, sign), given, values, is_day != 0))


@entry(_I(_I, _I, _I, _D, _D, _D, _I))
def left(  # noqa: PLR0917 - as above
    address: int, bar: int, bits: int, units: float, limit: float, stop: float, is_day: int
) -> int:
    """Leave the position."""
    given = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0)
    return int(leave(book_at(whole_in(address, LENGTH)), bar, given, (units, limit, stop), is_day != 0))


@entry(_I(_I, _I, _I, _I))
def cancelled(address: int, bar: int, has_one: int, k: int) -> int:
    """Cancel one order, or all."""
    return int(cancel_some(book_at(whole_in(address, LENGTH)), bar, has_one != 0, k))


@entry(_I(_I, _I, _I, _I, _D, _D, _D))
def replaced(  # noqa: PLR0917 - as above
    address: int, bar: int, k: int, bits: int, units: float, limit: float, stop: float
) -> int:
    """Replace an order."""
    given = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0)
    return int(put_in_place(book_at(whole_in(address, LENGTH)), bar, k, given, (units, limit, stop)))


IS_OPEN, IS_FILLED, STOP, TARGET, COUNT = range(5)


@entry(_I(_I, _I, _I))
def asked(address: int, what: int, k: int) -> int:
    """Answer a question about an order: whether it is open or filled, the ends of its bracket; how many are open."""
    book = book_at(whole_in(address, LENGTH))
    if what == COUNT:
        return int(count_open(book))
    if not is_known(book, k):
        return _NOBODY if what in (STOP, TARGET) else 0
    if what == IS_OPEN:
        return int(book.desk.status[k] <= WORKING)
    if what == IS_FILLED:
        return int(book.desk.status[k] == FILLED)
    return int(book.links[STOP_OF if what == STOP else TARGET_OF, k])


@entry(_D(_I, _I, _I))
def number_of(address: int, row: int, k: int) -> float:
    """Return a number of an order, NaN for none."""
    book = book_at(whole_in(address, LENGTH))
    return float(book.numbers[row, k]) if is_known(book, k) else np.nan
