"""The state of an account with extras that competing signals move, and new sizes for what it holds.

As `portfolio_sleeves`; the rules are those of `docs/explanation/semantics-portfolio.md`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._part import called_part
from algotrendy.kernels._portfolio import worth
from algotrendy.kernels._portfolio_extras import Hands, bound, has_margins, trade
from algotrendy.kernels.portfolio_signals import Wishes
from algotrendy.kernels.portfolio_sleeves import RESIZED_AT, WAITING
from algotrendy.kernels.portfolio_types import NO_ROOM, REBALANCE, Extras, Levels, Venue
from algotrendy.kernels.portfolio_weights import whole

NOTHING, LONG, SHORT, FLAT = range(4)


class Desk(NamedTuple):
    """The state of the account: one value per instrument."""

    units: NDArray[np.float64]
    best: NDArray[np.float64]
    """The best price so far; mirrored (times -1) for a short position, as are the levels."""
    stop_level: NDArray[np.float64]
    target_level: NDArray[np.float64]
    keep: NDArray[np.float64]
    rest: NDArray[np.float64]
    """Units of an entry that the volume did not allow yet."""
    score: NDArray[np.float64]
    entered_at: NDArray[np.int64]
    """The decision of the entry."""
    go: NDArray[np.int64]
    """The position that is wished for."""
    go_at: NDArray[np.int64]
    leaving: NDArray[np.int64]
    """Why a position is being left, -1 for one that is not."""
    leaving_at: NDArray[np.int64]
    heap: NDArray[np.int64]


class Given(NamedTuple):
    """What an account trades by."""

    wishes: Wishes
    levels: Levels
    venue: Venue
    extras: Extras
    hands: Hands


EVENT, CALLED_AT = 6, 7
"""Further places in `FullSleeve.counts`, whose first ones are those of `Sleeve.counts`."""


class FullSleeve(NamedTuple):
    """An account between two stretches of bars, and the stretch that comes next; see `Sleeve`."""

    state: Desk
    cash: NDArray[np.float64]
    """Cash, and the share of positions that a margin call lets keep (-1.0: none)."""
    counts: NDArray[np.int64]
    factors: NDArray[np.float64]
    left: NDArray[np.float64]
    """Units that may still be filled at a bar."""
    first: int
    stop: int


def new_full_sleeve(n: int, n_bars: int, cash: float) -> FullSleeve:
    """Return an account without positions before its first bar."""
    numbers, places = np.zeros((7, n)), np.zeros((5, n), np.int64)
    places[3] = -1
    fields: list[Any] = [*numbers, *places, np.zeros(n + 1, np.int64)]
    desk = Desk(*fields)
    counts = np.array([0, 0, 0, -1, -1, 0, 0, -1])
    return FullSleeve(desk, np.array([cash, -1.0]), counts, np.ones(n), np.full(n, np.inf), 0, n_bars)


@called_part
def growth(now: tuple[int, NDArray[np.float64]], cash: float, sleeve: FullSleeve, given: Given) -> float:
    """Return the share, at most 1, of what grows that the room and what is left for margins allow."""
    bar, prices = now
    venue, units, needs = given.venue, sleeve.state.units, given.extras.initial
    terms, spent, bound_, fixed = venue.terms, 0.0, 0.0, 0.0
    for j in range(units.size):
        if units[j] != 0.0 and venue.market.valid[bar, j] and sleeve.factors[j] > 1.0:
            more = units[j] * (sleeve.factors[j] - 1.0)
            price, size = prices[j] * (1.0 + np.copysign(terms.slippage[j], more)), abs(more)
            spent += size * (price * (1.0 + terms.rate[j]) + terms.per_unit[j])
            bound_ += size * (price * (needs[0, j] + terms.rate[j]) + needs[1, j] + terms.per_unit[j])
            fixed += terms.fixed[j] + terms.minimum[j]
    value, gross = worth(units, prices)
    equity = cash + value
    room, least, share = venue.rules.max_leverage * equity - gross, NO_ROOM * abs(equity), 0.0
    if spent > 0.0 and room > least:
        share = min(1.0, (room - fixed) / spent)
    if has_margins(needs):
        margin = equity - bound(units, prices, needs)
        if bound_ > 0.0:
            share = min(share, (margin - fixed) / bound_) if margin > least else 0.0
    return share


@called_part
def resize(
    now: tuple[int, NDArray[np.float64]], account: tuple[float, int], sleeve: FullSleeve, given: Given
) -> tuple[float, int]:
    """Multiply what is held by its factors where it has a bar, shrinking first; return cash and rows.

    What is to be closed at this moment is left alone. What the volume does not allow goes on waiting.
    """
    bar, prices = now
    cash, row = account
    desk, factors, counts, share = sleeve.state, sleeve.factors, sleeve.counts, 1.0
    units, lots = desk.units, given.venue.terms.lot_size
    for j in range(units.size):
        side = LONG if units[j] > 0.0 else SHORT
        if given.venue.market.valid[bar, j] and (desk.leaving[j] >= 0 or desk.go[j] not in (NOTHING, side)):
            factors[j] = 1.0
    counts[WAITING] = 0
    for grows in range(2):
        if grows == 1:
            share = growth(now, cash, sleeve, given)
        for j in range(units.size):
            if units[j] == 0.0:
                factors[j] = 1.0
            if factors[j] == 1.0 or (factors[j] > 1.0) != (grows == 1):
                continue
            if not given.venue.market.valid[bar, j]:
                counts[WAITING] += 1
                continue
            wanted = 0.0
            if share > 0.0:
                wanted = whole(units[j] * (factors[j] - 1.0) * share, lots[j])
            target, got = units[j] + wanted, wanted
            if wanted != 0.0:
                place = (counts[RESIZED_AT], bar, j, np.int64(REBALANCE))
                cash, row, got = trade(given.hands, row, place, (wanted, prices[j], cash), given.venue)
            factors[j] = 1.0
            if got != wanted:
                factors[j] = target / units[j]
                counts[WAITING] += 1
    return cash, row
