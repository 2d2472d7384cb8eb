"""Explicit orders in an account with extras: they follow splits, are filled in parts, bind margins and rest on ticks.

Where there are finer bars, they say in what order prices were touched inside a bar.

The rules are those of `docs/explanation/semantics-portfolio.md`; `backtest/portfolio/reference_orders_full.py` says the
same plainly. Without extras it does what `portfolio_orders` does, and takes longer. What a split or a dividend changes
is kept per instrument, and an order is brought up to date when it is looked at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._instructions import round_down
from algotrendy.kernels._part import called_part, part
from algotrendy.kernels._portfolio import commission_of, worth
from algotrendy.kernels._portfolio_extras import Hands, allowed, bound, has_margins, margin_of, trade
from algotrendy.kernels.orders import LOT_ROUNDING, TOLERANCE
from algotrendy.kernels.orders_types import NEXT_OPEN, SAME_CLOSE
from algotrendy.kernels.portfolio_orders import (
    CANCELLED,
    CLOSE,
    FILLED,
    INSIDE,
    OF_PARENT,
    OPEN,
    PLACED,
    REFUSED,
    SHARE,
    SIZED,
    WORKING,
    Desk,
    Requests,
    end,
    expire,
    refresh,
    start,
)
from algotrendy.kernels.portfolio_types import LIMIT, MARKET, NO_ROOM, STOP_ORDER, Extras, Venue
from algotrendy.kernels.portfolio_weights import whole

WHOLE, NOTHING = -1, -2
"""In place of a finer bar: the bar itself has its turn as a whole; nothing of the instrument has it."""

_STEP_OPEN, _STEP_HIGH, _STEP_LOW, _STEP_TURN = 0, 1, 2, 4
"""Columns of `Extras.fine`."""


class Rest(NamedTuple):
    """What is known of orders that are filled in parts and follow splits. `Requests.units` is what is left of one."""

    tried_at: NDArray[np.int64]
    """The last bar at which it was tried: once a bar is enough."""
    triggered: NDArray[np.bool_]
    """Whether a stop was reached: what is left of it is a market order."""
    sized: NDArray[np.bool_]
    """Whether a share of the equity is units by now."""
    ratio_at: NDArray[np.float64]
    level_at: NDArray[np.float64]
    """What `ratio` and `level` of its instrument were when it was brought up to date; 0.0 before it is placed."""
    placed_ratio: NDArray[np.float64]
    """What `ratio` was when it was placed."""
    done: NDArray[np.float64]
    """Signed units that were filled, in units of the day of placing."""
    paid: NDArray[np.float64]
    """Their price after slippage, times the units of the day of filling."""
    ratio: NDArray[np.float64]
    level: NDArray[np.float64]
    """Per instrument: what all actions so far have made of one unit, and of a price of one."""


class Counter(NamedTuple):
    """Everything that working orders needs."""

    desk: Desk
    requests: Requests
    rest: Rest
    hands: Hands
    venue: Venue
    extras: Extras


@part
def follow(at: Counter, k: int) -> None:
    """Bring an order up to date with what has happened to the units of its instrument."""
    rest, j = at.rest, at.requests.instrument[k]
    if rest.ratio_at[k] == 0.0:
        return
    ratio, level = rest.ratio[j] / rest.ratio_at[k], rest.level[j] / rest.level_at[k]
    if ratio != 1.0 or level != 1.0:
        at.requests.price[k] *= level
        at.desk.filled[k] *= ratio
        if at.requests.measure[k] != SHARE or rest.sized[k]:
            at.requests.units[k] *= ratio
        rest.ratio_at[k], rest.level_at[k] = rest.ratio[j], rest.level[j]


@part
def to_tick(price: float, tick: float, down: bool) -> float:
    """Return a price on the tick, down or up by less than one tick; the price itself where that would be none."""
    if not tick > 0.0:
        return price
    rounded = -round_down(-price / tick + LOT_ROUNDING) * tick
    if down:
        rounded = round_down(price / tick + LOT_ROUNDING) * tick
    return rounded if rounded > 0.0 else price


@part
def resting_price(at: Counter, k: int) -> float:
    """Return where an order rests: a limit on the tick, where it is not worse for its owner than asked for."""
    requests = at.requests
    price: float = requests.price[k]
    if requests.kind[k] == LIMIT:
        price = to_tick(price, at.extras.tick[requests.instrument[k]], requests.units[k] > 0.0)
    return price


@part
def is_touched(at: Counter, k: int, low: float, high: float) -> bool:
    """Return whether prices between low and high touch an order that rests."""
    price, kind, buys = resting_price(at, k), at.requests.kind[k], at.requests.units[k] > 0.0
    falls, rises = low <= price + TOLERANCE * abs(price), high >= price - TOLERANCE * abs(price)
    return bool(falls if (kind == LIMIT) == buys else rises)


@part
def paid_for(at: Counter, k: int, price: float, sign: float) -> float:
    """Return the price after slippage."""
    slippage = 0.0 if at.requests.kind[k] == LIMIT else at.venue.terms.slippage[at.requests.instrument[k]]
    return price * (1.0 + sign * slippage)


@called_part
def fits(k: int, order: tuple[float, float], prices: NDArray[np.float64], cash: float, at: Counter) -> bool:
    """Return whether all that is left fits into the room and the initial margin. `order` is units and price."""
    units, price = order
    j, terms, needs = at.requests.instrument[k], at.venue.terms, at.extras.initial
    held = at.desk.units[j]
    closes = min(abs(held), abs(units)) if held * units < 0.0 else 0.0
    opens = abs(units) - closes
    if opens == 0.0:
        return True
    sign = 1.0 if units > 0.0 else -1.0
    fill_price = paid_for(at, k, price, sign)
    value, gross = worth(at.desk.units, prices)
    paid = commission_of(terms, j, closes, fill_price) if closes > 0.0 else 0.0
    equity = cash - sign * closes * fill_price - paid + value + sign * closes * prices[j]
    paid = commission_of(terms, j, opens, fill_price)
    slack = NO_ROOM * abs(equity)
    room = at.venue.rules.max_leverage * equity - (gross - closes * prices[j])
    if not (equity > 0.0 and opens * fill_price + paid <= room + slack):
        return False
    if not has_margins(needs):
        return True
    bounded = bound(at.desk.units, prices, needs) - margin_of(needs, j, closes, prices[j])
    return bool(margin_of(needs, j, opens, fill_price) + paid <= equity - bounded + slack)


@called_part
def opened_by(k: int, order: tuple[float, float], prices: NDArray[np.float64], cash: float, at: Counter) -> float:
    """Return the signed units that a share of the equity, the room and what is left for margins allow, 0.0 for none.

    `order` is the share, with its sign, and price.
    """
    share, price = order
    j, extras, rules = at.requests.instrument[k], at.extras, at.venue.rules
    value, gross = worth(at.desk.units, prices)
    equity = cash + value
    room, margin, least = rules.max_leverage * equity - gross, np.inf, NO_ROOM * equity
    if has_margins(extras.initial):
        margin = equity - bound(at.desk.units, prices, extras.initial)
    if not (equity > 0.0 and room > least and margin > least):
        return 0.0
    sign, budget = 1.0 if share > 0.0 else -1.0, abs(share) * equity
    budget = min(budget, room)
    units: float = allowed(j, paid_for(at, k, price, sign), (budget, margin), at.venue, extras)
    units = whole(units, at.venue.terms.lot_size[j])
    return sign * units if 0.0 < units < np.inf else 0.0


@part
def filled_now(
    k: int, bar: int, trade_: tuple[float, float], account: tuple[float, int], at: Counter
) -> tuple[float, int, float]:
    """Fill what the volume allows of an order; return cash, rows and the units. `trade_` is units and price."""
    units, price = trade_
    cash, row = account
    place = (at.requests.placed_at[k], bar, at.requests.instrument[k], at.requests.kind[k])
    cash, after, got = trade(at.hands, row, place, (units, price, cash), at.venue)
    if after > row:
        j = place[2]
        at.desk.filler[row] = k
        at.rest.done[k] += got * (at.rest.placed_ratio[k] / at.rest.ratio[j])
        at.rest.paid[k] += got * paid_for(at, k, price, 1.0 if got > 0.0 else -1.0)
    return cash, after, got


@called_part
def end_parent(k: int, at: Counter) -> None:
    """End what is left of the parent of an order that takes its units: what is being left is not entered any more."""
    above = at.requests.parent[k]
    if at.requests.measure[k] == OF_PARENT and at.desk.status[above] == WORKING:
        end(at.desk, at.requests, above, np.int64(CANCELLED))


@called_part
def release(at: Counter, j: int, held: float) -> None:
    """Cancel the working orders that only close, and what would open, once the position of `held` units is gone."""
    desk, requests = at.desk, at.requests
    for number in range(desk.counts[0] + desk.counts[1]):
        is_old = number < desk.counts[0]
        k = desk.working[number] if is_old else desk.born[number - desk.counts[0]]
        is_one = requests.reduces[k] and requests.instrument[k] == j and requests.units[k] * held < 0.0
        if is_one and desk.status[k] == WORKING:
            end(desk, requests, k, np.int64(CANCELLED))
            end_parent(k, at)


@called_part
def tell_group(k: int, share: float, now: tuple[int, int], at: Counter) -> None:
    """Take what was filled of an order, as a share of what was left of it, off the others of its group."""
    bar, moment = now
    desk, requests = at.desk, at.requests
    latest = bar if moment == CLOSE and at.venue.rules.fill == SAME_CLOSE else bar - 1
    if requests.group[k] < 0:
        return
    other = requests.first_of_group[requests.group[k]]
    while other >= 0:
        if desk.status[other] <= WORKING and requests.parent[other] != k and other != k:
            if share == 1.0:
                end(desk, requests, other, np.int64(CANCELLED))
            elif requests.placed_at[other] <= latest:
                requests.units[other] *= 1.0 - share
        other = requests.next_of_group[other]


@called_part
def tell_children(k: int, got: float, now: tuple[int, int], at: Counter) -> None:
    """Let children work: all once the order is filled, those that take its units as soon as there are some."""
    bar, moment = now
    desk, requests = at.desk, at.requests
    later, is_done = int(moment == CLOSE), desk.status[k] == FILLED
    child = requests.first_child[k]
    while child >= 0:
        takes = requests.measure[child] == OF_PARENT
        if desk.status[child] == PLACED and requests.placed_at[child] < bar + later and (is_done or takes):
            follow(at, child)
            start(desk, requests, child, bar + later, bar if moment == INSIDE else np.int64(-1))
            if later == 0:
                desk.session[child] = requests.sessions[bar]
        elif desk.status[child] == WORKING and takes:
            follow(at, child)
            requests.units[child] -= got
        child = requests.next_child[child]


@called_part
def asked(
    k: int, now: tuple[int, float], prices: NDArray[np.float64], account: tuple[float, int], at: Counter
) -> tuple[float, int, float]:
    """Return cash, rows and the units that an order wants to fill now; 0.0 if it has to wait, or has ended.

    A share closes the other side here. `now` is the bar and the price before slippage.
    """
    bar, price = now
    cash, row = account
    desk, requests, rest = at.desk, at.requests, at.rest
    j, units = requests.instrument[k], requests.units[k]
    held, lot = desk.units[j], at.venue.terms.lot_size[j]
    closes, status = held * units < 0.0, -1
    wanted: float = units
    if requests.reduces[k] and not closes:
        wanted, status = 0.0, CANCELLED
    elif requests.reduces[k] and abs(units) >= abs(held) * (1.0 - TOLERANCE):
        wanted = -held
    elif requests.measure[k] == SIZED:
        most_now: float = opened_by(k, (np.inf if units > 0.0 else -np.inf, price), prices, cash, at)
        wanted = whole(units, lot)
        wanted = wanted if abs(wanted) <= abs(most_now) else most_now
        if held * wanted <= 0.0:
            wanted, status = 0.0, CANCELLED
    elif requests.measure[k] == SHARE and rest.sized[k]:
        can: float = opened_by(k, (np.inf if units > 0.0 else -np.inf, price), prices, cash, at)
        wanted = units if abs(units) <= abs(can) else can
    elif requests.measure[k] == SHARE:
        if closes:
            cash, row, got = filled_now(k, bar, (-held, price), (cash, row), at)
            if got != -held:
                return cash, row, 0.0
        most = at.venue.rules.max_leverage
        wanted = opened_by(k, (min(max(units, -most), most), price), prices, cash, at)
        if wanted == 0.0:
            status = REFUSED
        else:
            rest.sized[k], requests.units[k] = True, wanted
    else:
        wanted = whole(units, lot)
        if wanted == 0.0:
            status = CANCELLED
        elif not requests.reduces[k] and not fits(k, (wanted, price), prices, cash, at):
            wanted, status = 0.0, REFUSED
    if status >= 0:
        end(desk, requests, k, status)
        if status == REFUSED and closes and desk.units[j] == 0.0:
            release(at, j, held)
    return cash, row, wanted


@called_part
def fill(k: int, now: tuple[int, int, float], account: tuple[float, int], at: Counter) -> tuple[float, int]:
    """Try to fill an order; return cash and rows. `now` is bar, moment and price before slippage."""
    bar, moment, price = now
    desk, requests, market = at.desk, at.requests, at.venue.market
    j, left = requests.instrument[k], requests.units[k]
    held = desk.units[j]
    closes = held * left < 0.0
    prices = market.mark[bar] if moment == CLOSE else market.at_open[bar]
    at.rest.tried_at[k], at.rest.triggered[k] = bar, requests.kind[k] == STOP_ORDER
    cash, row, wanted = asked(k, (bar, price), prices, account, at)
    if wanted == 0.0:
        return cash, row
    here, first = desk.units[j], wanted
    turns = here * wanted < 0.0 and abs(wanted) > abs(here)
    if turns:
        first = -here
    cash, row, got = filled_now(k, bar, (first, price), (cash, row), at)
    is_whole = got == first
    if turns and is_whole:
        cash, row, more = filled_now(k, bar, (wanted + here, price), (cash, row), at)
        is_whole, got = more == wanted + here, got + more
    left = requests.units[k] if requests.measure[k] == SHARE else wanted
    is_done = is_whole and wanted == left
    if is_done:
        desk.status[k] = FILLED
    else:
        requests.units[k] = left - got
    desk.filled[k] += got
    if closes and desk.units[j] * held <= 0.0:
        release(at, j, held)
    if got != 0.0:
        end_parent(k, at)
        tell_group(k, 1.0 if is_done else got / left, (bar, moment), at)
        tell_children(k, got, (bar, moment), at)
    return cash, row


@part
def turns_of(bar: int, at: Counter) -> int:
    """Return how many moments the finer bars of all instruments make of a bar; 0 if there are none."""
    fine, fine_at, last = at.extras.fine, at.extras.fine_at, -1.0
    if fine_at.shape[0] > 1:
        for j in range(at.desk.units.size):
            first, count = fine_at[bar, 2 * j], fine_at[bar, 2 * j + 1]
            if count > 0:
                last = max(last, fine[first + count - 1, _STEP_TURN])
    return int(last) + 1


@part
def step_of(bar: int, j: int, turn: int, at: Counter) -> int:
    """Return the row of the finer bar of an instrument that has its turn, or WHOLE or NOTHING."""
    fine, fine_at = at.extras.fine, at.extras.fine_at
    if fine_at.shape[0] == 1 or fine_at[bar, 2 * j + 1] == 0:
        return WHOLE if turn == 0 else NOTHING
    first = int(fine_at[bar, 2 * j])
    row = first + min(turn, int(fine_at[bar, 2 * j + 1]) - 1)  # the place itself, unless others have more finer bars
    while row >= first and fine[row, _STEP_TURN] > turn:
        row -= 1
    return row if row >= first and fine[row, _STEP_TURN] == turn else NOTHING


@called_part
def sweep(now: tuple[int, int, int, int], account: tuple[float, int], at: Counter) -> tuple[float, int, bool]:
    """Go once through the working orders, sales first; return cash, rows, whether any was tried. As in the plain one.

    At the open and at the close MARKET says that orders at market are tried too. The last number of `now` is the turn
    inside a bar, -1 before and after: then OPEN is the open of what has its turn.
    """
    bar, moment, kind, turn = now
    cash, row = account
    desk, requests, market, tried = at.desk, at.requests, at.venue.market, False
    refresh(desk)
    for side in range(2):
        for number in range(desk.counts[0]):
            k = desk.working[number]
            j = requests.instrument[k]
            if (requests.units[k] > 0.0) == (side == 0) or desk.status[k] != WORKING or not market.valid[bar, j]:
                continue
            if desk.from_bar[k] > bar or at.rest.tried_at[k] == bar:
                continue
            opening, low, high = market.at_open[bar, j], market.low[bar, j], market.high[bar, j]
            if turn >= 0:
                step = step_of(bar, j, turn, at)
                if step == NOTHING:
                    continue
                if step != WHOLE:
                    fine = at.extras.fine[step]
                    opening, low, high = fine[_STEP_OPEN], fine[_STEP_LOW], fine[_STEP_HIGH]
            follow(at, k)
            at_market, price = requests.kind[k] == MARKET or at.rest.triggered[k], market.mark[bar, j]
            if moment == OPEN:
                low = high = price = opening
            elif moment == INSIDE:
                if at_market or requests.kind[k] != abs(kind) or (desk.born_inside[k] == bar) != (kind < 0):
                    continue
                price = resting_price(at, k)
                if kind != LIMIT:
                    price = to_tick(price, at.extras.tick[j], requests.units[k] < 0.0)
            if kind == MARKET if at_market else moment != CLOSE and is_touched(at, k, low, high):
                cash, row = fill(k, (bar, moment, price), (cash, row), at)
                tried = True
    return cash, row, tried


@called_part
def grow_up(bar: int, at: Counter) -> None:
    """Let what was born inside a finer bar be tested like anything else from the next one on."""
    desk = at.desk
    refresh(desk)
    for number in range(desk.counts[0]):
        if desk.born_inside[desk.working[number]] == bar:
            desk.born_inside[desk.working[number]] = -1


@called_part
def work(bar: int, account: tuple[float, int], at: Counter) -> tuple[float, int]:
    """Fill what can be filled at the open and inside a bar; return cash and rows.

    In turn: at the open, until nothing is filled any more; then for each of the finer bars, or for the bar as a whole:
    at its open; all stops; all limits; the stops that were born by these fills, until none is filled any more.
    """
    cash, row = account
    expire(at.desk, at.requests, bar, at.venue.market.valid[bar])
    turns, turn, stage, is_any = turns_of(bar, at), np.int64(-1), 0, False
    while True:
        moment, kind = INSIDE, STOP_ORDER
        if stage == 0:
            moment, kind = OPEN, MARKET if turn < 0 and at.venue.rules.fill == NEXT_OPEN else LIMIT
        elif stage == 2:
            kind = LIMIT
        elif stage == 3:
            kind = -STOP_ORDER
        cash, row, tried = sweep((bar, moment, kind, turn), (cash, row), at)
        is_any = is_any or (tried and stage > 0)
        if not (tried and stage in (0, 3)):
            stage += 1
        if stage == 1 and turn < 0:
            turn, stage = np.int64(0), 0 if turns > 0 else 1
        elif stage == 4 or (stage == 3 and not is_any):
            turn, stage, is_any = turn + 1, 0, False
            if turn >= turns or at.desk.counts[0] + at.desk.counts[1] == 0:
                return cash, row
            grow_up(bar, at)


@called_part
def place(at: Counter, bar: int, first: int, at_once: bool) -> int:
    """Place the orders of a bar; return the first one of a later bar."""
    desk, requests, rest = at.desk, at.requests, at.rest
    while first < requests.placed_at.size and requests.placed_at[first] <= bar:
        k, parent, j = first, requests.parent[first], requests.instrument[first]
        first += 1
        rest.ratio_at[k], rest.placed_ratio[k], rest.level_at[k] = rest.ratio[j], rest.ratio[j], rest.level[j]
        if desk.status[k] != PLACED:
            continue
        from_bar = bar if at_once and requests.kind[k] == MARKET else bar + 1
        above = FILLED if parent < 0 else desk.status[parent]
        takes = requests.measure[k] == OF_PARENT and desk.filled[parent] != 0.0
        if takes:
            follow(at, parent)
        if above == FILLED or (above == WORKING and takes):
            start(desk, requests, k, from_bar, np.int64(-1))
        elif above > FILLED:
            end(desk, requests, k, np.int64(CANCELLED))
    return first
