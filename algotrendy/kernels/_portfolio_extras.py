"""Parts that accounts with actions, margins and volume caps share. Prices come with bars in rows, `mark[bar, j]`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._instructions import round_down
from algotrendy.kernels._part import called_part, part
from algotrendy.kernels._portfolio import book
from algotrendy.kernels.orders import TOLERANCE
from algotrendy.kernels.portfolio_types import FRACTION, MARGIN, ROUNDING, SPLIT, Extras, Fills, PanelTerms, Venue
from algotrendy.kernels.portfolio_weights import LOT_ROUNDING, whole


class Hands(NamedTuple):
    """What fills change: one value per instrument, and the record of what the volume did not allow."""

    units: NDArray[np.float64]
    left: NDArray[np.float64]
    """Units that may still be filled at this bar."""
    unfilled: NDArray[np.float64]
    """Shape (n_bars, n_instruments): units that were wanted and not filled; (1, 1) where nothing is capped."""


@part
def capped(wanted: float, left: float, lot: float) -> float:
    """Return how much of what is wanted the volume allows, in whole lots where it does not allow all.

    What is above it by rounding alone is allowed: units that follow splits are products, and no dust may be left over.
    """
    size = abs(wanted)
    if size <= left * (1.0 + TOLERANCE):
        return wanted
    size = max(left, 0.0)
    if lot > 0.0:
        size = round_down(size / lot + LOT_ROUNDING) * lot
    return size if wanted > 0.0 else -size


@part
def renew(hands: Hands, bar: int, extras: Extras) -> None:
    """Begin a bar: the volume of the bar may be used."""
    if extras.caps.shape[0] > 1:
        for j in range(hands.left.size):
            hands.left[j] = extras.caps[bar, j]


@part
def trade(
    hands: Hands,
    row: int,
    place: tuple[int, int, int, int],
    order: tuple[float, float, float],
    venue: Venue,
) -> tuple[float, int, float]:
    """Fill as much of an order as the volume allows; return cash, rows and the units filled.

    `place` is decided_at, filled_at, instrument, reason; `order` is units, price before slippage, cash before it.
    """
    wanted, price, cash = order
    bar, j = place[1], place[2]
    got = capped(wanted, hands.left[j], venue.terms.lot_size[j])
    if got != wanted:
        hands.unfilled[bar, j] += wanted - got
    if got != 0.0:
        cash = book(venue.fills, row, place, (got, price, cash), venue.terms)
        hands.units[j] += got
        hands.left[j] -= abs(got)
        row += 1
    return cash, row, got


@part
def note(fills: Fills, row: int, place: tuple[int, int, int], units: float, price: float) -> None:
    """Write a row that is no order: nothing is paid for it. `place` is bar, instrument, reason."""
    fills.places[row, 0], fills.places[row, 1] = place[0], place[0]
    fills.places[row, 2], fills.places[row, 3] = place[1], place[2]
    fills.money[row, 0], fills.money[row, 1] = units, price


@called_part
def act(
    bar: int, first: int, account: tuple[float, int], hands: Hands, given: tuple[Venue, Extras]
) -> tuple[float, int, int]:
    """Pay dividends and split units; return cash, rows and the next event to come."""
    cash, row = account
    venue, extras = given
    units, fills = hands.units, venue.fills
    while first < extras.events.shape[0] and extras.events[first, 0] == bar:
        j, ratio = extras.events[first, 1], extras.changes[first, 0]
        held, lot = units[j], venue.terms.lot_size[j]
        cash += held * extras.changes[first, 1]
        if held != 0.0 and ratio != 1.0:
            after, kept = held * ratio, held * ratio
            if lot > 0.0:
                step = min(lot, 1.0)
                kept = whole(after, step)
                if abs(after - kept) <= LOT_ROUNDING * step:
                    after = kept
            note(fills, row, (bar, j, np.int64(SPLIT)), after - held, 0.0)
            units[j] += after - held
            row += 1
            if after != kept:
                price, sold = venue.market.at_open[bar, j], -units[j]
                if kept != 0.0:
                    sold += kept
                note(fills, row, (bar, j, np.int64(FRACTION)), sold, price)
                cash -= sold * price
                units[j] += sold
                row += 1
        first += 1
    return cash, row, first


@part
def count_of(values: NDArray[np.float64]) -> int:
    """Return how many values are not zero."""
    count = 0
    for value in values:
        count += value != 0.0
    return count


@part
def has_margins(needs: NDArray[np.float64]) -> bool:
    """Return whether any position binds a margin."""
    total = 0.0
    for j in range(needs.shape[1]):
        total += needs[0, j] + needs[1, j]
    return total > 0.0


@part
def margin_of(needs: NDArray[np.float64], j: int, size: float, price: float) -> float:
    """Return the margin that so many units bind."""
    found: float = needs[0, j] * (size * price) + needs[1, j] * size
    return found


@part
def bound(units: NDArray[np.float64], prices: NDArray[np.float64], needs: NDArray[np.float64]) -> float:
    """Return the margin that all positions bind."""
    total = 0.0
    for j in range(units.size):
        total += needs[0, j] * abs(units[j] * prices[j]) + needs[1, j] * abs(units[j])
    return total


@part
def affordable(j: int, price: float, budget: float, need: tuple[float, float], terms: PanelTerms) -> float:
    """Return the units whose need, a share of their notional and currency for each, and commission are the budget."""
    rate, each = need
    units: float = (budget - terms.fixed[j]) / (price * (rate + terms.rate[j]) + terms.per_unit[j] + each)
    if terms.rate[j] * (units * price) + terms.per_unit[j] * units + terms.fixed[j] < terms.minimum[j]:
        units = (budget - terms.minimum[j]) / (price * rate + each)
    return units


@part
def allowed(j: int, price: float, money: tuple[float, float], venue: Venue, extras: Extras) -> float:
    """Return the units that a budget and what is left for margins allow; `money` is these two."""
    budget, margin = money
    units: float = affordable(j, price, budget, (1.0, 0.0), venue.terms)
    rate, each = extras.initial[0, j], extras.initial[1, j]
    if rate > 0.0 or each > 0.0:
        others = affordable(j, price, margin, (rate, each), venue.terms)
        units = min(units, others)
    return units


@called_part
def margin_call(
    units: NDArray[np.float64], marks: NDArray[np.float64], equity: float, gross: float, extras: Extras
) -> float:
    """Return the share of all positions that may be kept, or -1.0 if the equity bears their maintenance margin."""
    needed = bound(units, marks, extras.maintenance)
    if needed <= 0.0 or not equity < needed - ROUNDING * gross:
        return -1.0
    keep: float = max(equity, 0.0) / bound(units, marks, extras.initial)
    return keep


@called_part
def liquidate(
    bar: int,
    call: tuple[float, int],
    prices: NDArray[np.float64],
    account: tuple[float, int],
    given: tuple[Hands, Venue],
) -> tuple[float, int]:
    """Cut all positions to the share that may be kept; return cash and rows. `call` is that share, and when."""
    keep, called_at = call
    cash, row = account
    hands, venue = given
    units = hands.units
    for j in range(units.size):
        if units[j] != 0.0 and venue.market.valid[bar, j]:
            wanted = whole(keep * units[j], venue.terms.lot_size[j]) - units[j]
            if wanted != 0.0:
                place = (called_at, bar, j, np.int64(MARGIN))
                cash, row, _ = trade(hands, row, place, (wanted, prices[j], cash), venue)
    return cash, row
