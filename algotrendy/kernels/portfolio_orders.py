"""Explicit orders of many instruments in one account: market, limit and stop, with parents and groups.

The rules are those of `docs/explanation/semantics-portfolio.md`; `backtest/portfolio/reference_orders.py` says the same
plainly. Only working orders are looked at. Here are the parts of a bar; `portfolio_events` puts them together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._part import called_part, part
from algotrendy.kernels._portfolio import book, commission_of, worth
from algotrendy.kernels.orders import TOLERANCE
from algotrendy.kernels.orders_types import NEXT_OPEN
from algotrendy.kernels.portfolio_signals import entry_units
from algotrendy.kernels.portfolio_types import (
    LIMIT,
    MARKET,
    NO_ROOM,
    ROUNDING,
    STOP_ORDER,
    Venue,
)
from algotrendy.kernels.portfolio_weights import borrow_fees, close_all, close_ended

PLACED, WORKING, FILLED, CANCELLED, EXPIRED, REFUSED, REPLACED = range(7)
STATUS = ("placed", "working", "filled", "cancelled", "expired", "refused", "replaced")
OPEN, INSIDE, CLOSE = 0, 1, 2

OWN_UNITS, SHARE, OF_PARENT, SIZED = 0, 1, 2, 3
"""What the units of an order are: a number, a share of the equity at the moment of filling, what its parent filled; or
a number of which there is bought or sold as much as there is room for, while what it adds to is still held."""


class Requests(NamedTuple):
    """Orders by the bar at whose end they are placed; shape (n_orders,) each. -1 stands for none."""

    placed_at: NDArray[np.int64]
    instrument: NDArray[np.int64]
    kind: NDArray[np.int64]
    """MARKET, LIMIT or STOP_ORDER."""
    units: NDArray[np.float64]
    """Signed. A share of the equity with `SHARE`; without bounds with `OF_PARENT`, until the order begins to work."""
    measure: NDArray[np.int64]
    """OWN_UNITS, SHARE, OF_PARENT or SIZED."""
    reduces: NDArray[np.bool_]
    """Whether the order only closes: at most what is held then."""
    price: NDArray[np.float64]
    is_day: NDArray[np.bool_]
    parent: NDArray[np.int64]
    group: NDArray[np.int64]
    first_child: NDArray[np.int64]
    next_child: NDArray[np.int64]
    """The next order with the same parent."""
    first_of_group: NDArray[np.int64]
    """By the number of a group."""
    next_of_group: NDArray[np.int64]
    sessions: NDArray[np.int64]
    """Shape (n_bars,): the number of each bar's session."""


class Desk(NamedTuple):
    """Where orders stand: one value per order, and the list of those that work, in order."""

    status: NDArray[np.int64]
    from_bar: NDArray[np.int64]
    born_inside: NDArray[np.int64]
    session: NDArray[np.int64]
    working: NDArray[np.int64]
    born: NDArray[np.int64]
    """Started since the list was last brought up to date."""
    counts: NDArray[np.int64]
    """How many work, how many are born."""
    filled: NDArray[np.float64]
    """Signed units that were filled; of an order of a share those that opened."""
    filler: NDArray[np.int64]
    """By the row of a fill: the order that was filled, -1 for none."""
    units: NDArray[np.float64]
    """Per instrument."""


@called_part
def start(desk: Desk, requests: Requests, k: int, from_bar: int, inside: int) -> None:
    """Let an order work from a bar on."""
    if requests.measure[k] == OF_PARENT:
        requests.units[k] = -desk.filled[requests.parent[k]]
    desk.status[k], desk.from_bar[k], desk.born_inside[k] = WORKING, from_bar, inside
    desk.born[desk.counts[1]] = k
    desk.counts[1] += 1


@called_part
def refresh(desk: Desk) -> None:
    """Bring the list of working orders up to date, in order."""
    kept, working = 0, desk.working
    for k in working[: desk.counts[0]]:
        if desk.status[k] == WORKING:
            working[kept] = k
            kept += 1
    for number in range(desk.counts[1]):
        k, at = desk.born[number], kept
        while at > 0 and working[at - 1] > k:
            working[at] = working[at - 1]
            at -= 1
        working[at] = k
        kept += 1
    desk.counts[0], desk.counts[1] = kept, 0


@called_part
def end(desk: Desk, requests: Requests, k: int, status: int) -> None:
    """End an order without a fill; what waits for it is cancelled, and what waits for that."""
    desk.status[k] = status
    at = k
    while True:  # down to the children first, then across, then up again
        child = requests.first_child[at]
        while child >= 0 and desk.status[child] != PLACED:
            child = requests.next_child[child]
        if child >= 0:
            desk.status[child] = CANCELLED
            at = child
            continue
        if at == k:
            return
        at = requests.parent[at]


@called_part
def release(desk: Desk, requests: Requests, j: int, held: float) -> None:
    """Cancel the working orders that only close, once there is nothing left of the position of `held` units."""
    for number in range(desk.counts[0] + desk.counts[1]):
        is_old = number < desk.counts[0]
        k = desk.working[number] if is_old else desk.born[number - desk.counts[0]]
        is_one = requests.reduces[k] and requests.instrument[k] == j and requests.units[k] * held < 0.0
        if is_one and desk.status[k] == WORKING:
            end(desk, requests, k, np.int64(CANCELLED))


@part
def reached(requests: Requests, k: int, low: float, high: float) -> bool:
    """Return whether prices between low and high touch the price of a limit or stop order."""
    price, kind = requests.price[k], requests.kind[k]
    falls, rises = low <= price + TOLERANCE * abs(price), high >= price - TOLERANCE * abs(price)
    buys = requests.units[k] > 0.0
    if kind == LIMIT:
        return bool(falls if buys else rises)
    return bool(kind == STOP_ORDER and (rises if buys else falls))


@called_part
def fits(
    j: int, order: tuple[float, float, int], prices: NDArray[np.float64], account: tuple[float, Desk], venue: Venue
) -> bool:
    """Return whether the part that opens fits into the room that the part that closes leaves.

    `order` is units, price and kind; `account` is cash and desk.
    """
    units, price, kind = order
    cash, desk = account
    terms, held = venue.terms, desk.units[j]
    closes = min(abs(held), abs(units)) if held * units < 0.0 else 0.0
    opens = abs(units) - closes
    if opens == 0.0:
        return True
    sign = 1.0 if units > 0.0 else -1.0
    fill_price = price * (1.0 + sign * (0.0 if kind == LIMIT else terms.slippage[j]))
    value, gross = worth(desk.units, prices)
    paid = commission_of(terms, j, closes, fill_price) if closes > 0.0 else 0.0
    equity = cash - sign * closes * fill_price - paid + value + sign * closes * prices[j]
    room = venue.rules.max_leverage * equity - (gross - closes * prices[j])
    cost = opens * fill_price + commission_of(terms, j, opens, fill_price)
    return bool(equity > 0.0 and cost <= room + NO_ROOM * abs(equity))


@called_part
def share_units(
    j: int, order: tuple[float, float, int], prices: NDArray[np.float64], account: tuple[float, Desk], venue: Venue
) -> float:
    """Return the units that a signed share of the equity buys or sells, at most what there is room for; 0.0 for none.

    `order` is share, price and kind; `account` is cash and desk.
    """
    share, price, kind = order
    cash, desk = account
    sign = 1.0 if share > 0.0 else -1.0
    fill_price = price * (1.0 + sign * (0.0 if kind == LIMIT else venue.terms.slippage[j]))
    value, gross = worth(desk.units, prices)
    equity = cash + value
    room = venue.rules.max_leverage * equity - gross
    if not (equity > 0.0 and room > NO_ROOM * equity):
        return 0.0
    units: float = entry_units(j, fill_price, abs(share), (equity, room), venue)
    return sign * units if 0.0 < units < np.inf else 0.0


@part
def booked(
    k: int,
    trade: tuple[int, int, float, float],
    account: tuple[float, int, Desk],
    requests: Requests,
    venue: Venue,
) -> float:
    """Book one fill of an order, and return the cash after it. `trade` is bar, instrument, units and price."""
    bar, j, units, price = trade
    cash, row, desk = account
    held = desk.units[j]
    place = (requests.placed_at[k], bar, j, requests.kind[k])
    after: float = book(venue.fills, row, place, (units, price, cash), venue.terms)
    desk.filler[row] = k
    desk.units[j] = 0.0 if units == -held else held + units
    return after


@called_part
def fill(
    k: int, at: tuple[int, int, float], account: tuple[float, int, Desk], requests: Requests, venue: Venue
) -> tuple[float, int]:
    """Fill an order, or refuse it; return cash and rows. `at` is bar, moment and price before slippage."""
    bar, moment, price = at
    cash, row, desk = account
    market, j, units = venue.market, requests.instrument[k], requests.units[k]
    kind, held = requests.kind[k], desk.units[j]
    prices = market.mark[bar] if moment == CLOSE else market.at_open[bar]
    closes = held * units < 0.0
    if requests.reduces[k]:
        if not closes:
            end(desk, requests, k, np.int64(CANCELLED))
            return cash, row
        if abs(units) >= abs(held) * (1.0 - TOLERANCE):  # what rounding would leave is no position
            units = -held
    elif requests.measure[k] == SHARE:
        share = units
        if closes:
            cash = booked(k, (bar, j, -held, price), (cash, row, desk), requests, venue)
            row += 1
        units = share_units(j, (share, price, kind), prices, (cash, desk), venue)
        if units == 0.0:
            end(desk, requests, k, np.int64(REFUSED))
            if closes:
                release(desk, requests, j, held)
            return cash, row
    elif requests.measure[k] == SIZED:
        can = share_units(j, (np.copysign(np.inf, units), price, kind), prices, (cash, desk), venue)
        units = units if abs(units) <= abs(can) else can
        if held * units <= 0.0:
            end(desk, requests, k, np.int64(CANCELLED))
            return cash, row
    elif not fits(j, (units, price, kind), prices, (cash, desk), venue):
        end(desk, requests, k, np.int64(REFUSED))
        return cash, row
    desk.filled[k] = units
    if closes and desk.units[j] != 0.0 and abs(units) > abs(held):
        cash = booked(k, (bar, j, -held, price), (cash, row, desk), requests, venue)
        row += 1
        units += held
    cash = booked(k, (bar, j, units, price), (cash, row, desk), requests, venue)
    row += 1
    desk.status[k] = FILLED
    if closes and desk.units[j] * held <= 0.0:
        release(desk, requests, j, held)
    if requests.group[k] >= 0:
        other = requests.first_of_group[requests.group[k]]
        while other >= 0:
            if desk.status[other] <= WORKING and requests.parent[other] != k:
                end(desk, requests, other, np.int64(CANCELLED))
            other = requests.next_of_group[other]
    later = int(moment == CLOSE)
    child = requests.first_child[k]
    while child >= 0:
        if desk.status[child] == PLACED and requests.placed_at[child] < bar + later:
            start(desk, requests, child, bar + later, bar if moment == INSIDE else np.int64(-1))
            if later == 0:
                desk.session[child] = requests.sessions[bar]
        child = requests.next_child[child]
    return cash, row


@called_part
def sweep(
    now: tuple[int, int, int], account: tuple[float, int, Desk], requests: Requests, venue: Venue
) -> tuple[float, int, bool]:
    """Go once through the working orders, sales first, and fill what can be; return cash, rows, whether any was tried.

    `now` is bar, moment and kind; inside a bar kind is that of the orders, LIMIT or STOP_ORDER, negative for those
    alone whose parent was filled inside this bar. At the open, MARKET says that market orders are filled too.
    """
    bar, moment, kind = now
    cash, row, desk = account
    market, tried = venue.market, False
    refresh(desk)
    for side in range(2):
        for number in range(desk.counts[0]):
            k = desk.working[number]
            j = requests.instrument[k]
            if (requests.units[k] > 0.0) == (side == 0) or desk.status[k] != WORKING or not market.valid[bar, j]:
                continue
            if desk.from_bar[k] > bar:
                continue
            low, high, price = market.low[bar, j], market.high[bar, j], requests.price[k]
            if moment == INSIDE:
                if requests.kind[k] != abs(kind) or (desk.born_inside[k] == bar) != (kind < 0):
                    continue
            elif moment == OPEN:
                low = high = price = market.at_open[bar, j]
            else:
                price = market.mark[bar, j]
            at_market = requests.kind[k] == MARKET and kind == MARKET and moment != INSIDE
            if at_market or (moment != CLOSE and reached(requests, k, low, high)):
                cash, row = fill(k, (bar, moment, price), (cash, row, desk), requests, venue)
                tried = True
    return cash, row, tried


@called_part
def expire(desk: Desk, requests: Requests, bar: int, valid: NDArray[np.bool_]) -> None:
    """End DAY orders whose first session is over; note the session of those that begin to work."""
    refresh(desk)
    for number in range(desk.counts[0]):
        k = desk.working[number]
        if desk.status[k] == WORKING and desk.from_bar[k] <= bar and valid[requests.instrument[k]]:
            if desk.session[k] < 0:
                desk.session[k] = requests.sessions[bar]
            if requests.is_day[k] and desk.session[k] != requests.sessions[bar]:
                end(desk, requests, k, np.int64(EXPIRED))


@called_part
def place(desk: Desk, requests: Requests, bar: int, first: int, at_once: bool) -> int:
    """Place the orders of a bar; return the first one of a later bar."""
    while first < requests.placed_at.size and requests.placed_at[first] <= bar:
        k, parent = first, requests.parent[first]
        first += 1
        if desk.status[k] != PLACED:
            continue
        from_bar = bar if at_once and requests.kind[k] == MARKET else bar + 1
        if parent < 0 or desk.status[parent] == FILLED:
            start(desk, requests, k, from_bar, np.int64(-1))
        elif desk.status[parent] > FILLED:
            end(desk, requests, k, np.int64(CANCELLED))
    return first


@part
def work(bar: int, account: tuple[float, int, Desk], requests: Requests, venue: Venue) -> tuple[float, int]:
    """Fill what can be filled at the open and inside a bar; return cash and rows.

    In turn: at the open, until nothing is filled any more; all stops; all limits; the stops that were born by these
    fills, until none is filled any more.
    """
    cash, row, desk = account
    expire(desk, requests, bar, venue.market.valid[bar])
    turn, is_any = 0, False
    while turn < 3 or (turn == 3 and is_any):
        moment, kind = INSIDE, STOP_ORDER
        if turn == 0:
            moment, kind = OPEN, MARKET if venue.rules.fill == NEXT_OPEN else LIMIT
        elif turn == 2:
            kind = LIMIT
        elif turn == 3:
            kind = -STOP_ORDER
        cash, row, tried = sweep((bar, moment, kind), (cash, row, desk), requests, venue)
        is_any = is_any or (tried and turn > 0)
        if not (tried and turn in (0, 3)):
            turn += 1
    return cash, row


@part
def trade_bar(
    bar: int, account: tuple[float, float, int, int], desk: Desk, requests: Requests, venue: Venue
) -> tuple[float, int, int]:
    """Live through a bar up to its close; return cash, rows and the next end to come.

    `account` is cash, the gross exposure at the bar before, rows and the next end.
    """
    cash, gross, row, ended = account
    market = venue.market
    cash, row, ended = close_ended(bar, ended, (cash, row), desk.units, venue)
    if bar > 0 and gross > 0.0:
        cash -= borrow_fees(desk.units, market.mark[bar - 1], market.valid[bar], venue.terms)
    if desk.counts[0] + desk.counts[1] > 0:
        cash, row = work(bar, (cash, row, desk), requests, venue)
    return cash, row, ended


@part
def valued(bar: int, account: tuple[float, int], desk: Desk, venue: Venue) -> tuple[float, int, float, float, bool]:
    """Value the account at the end of a bar; return cash, rows, value, gross exposure, and whether it is ruined."""
    cash, row = account
    held, gross = worth(desk.units, venue.market.mark[bar])
    if cash + held <= ROUNDING * gross:
        cash, row = close_all(bar, (cash, row), desk.units, venue)
        return cash, row, 0.0, 0.0, True
    return cash, row, held, gross, False
