"""From target weights to orders and equity: one pass over the bars of all instruments.

The rules are those of `docs/explanation/semantics-portfolio.md`; `backtest/portfolio/reference.py` says the same
plainly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._instructions import round_down
from algotrendy.kernels._jit import jit
from algotrendy.kernels._part import called_part, part
from algotrendy.kernels._portfolio import book, worth
from algotrendy.kernels.orders_types import NEXT_OPEN, SAME_CLOSE
from algotrendy.kernels.portfolio_types import (
    CASH,
    DELISTING,
    EQUITY,
    GROSS,
    NO_ROOM,
    REBALANCE,
    ROUNDING,
    RUIN,
    PanelTerms,
    Venue,
)

LOT_ROUNDING = 1e-9


class Targets(NamedTuple):
    """Rows of target weights, shape (n_rows, n_instruments), NaN for none; and the row decided at each bar, or -1."""

    weights: NDArray[np.float64]
    row_at: NDArray[np.int64]


class Book(NamedTuple):
    """The state of the account: one value per instrument."""

    units: NDArray[np.float64]
    waiting: NDArray[np.float64]
    """The weight that waits for the next bar, NaN for none."""
    decided_at: NDArray[np.int64]
    closing: NDArray[np.float64]
    opening: NDArray[np.float64]
    """Units that the current moment closes and opens, in the places of the two lists."""
    lists: NDArray[np.int64]
    """Shape (2, n): the instruments of which the current moment closes something, and opens something."""
    costs: NDArray[np.float64]
    """Shape (2, n): notional of each opening leg, and what of its commission grows with it."""


@part
def whole(units: float, lot: float) -> float:
    """Round towards zero to the lot."""
    if lot > 0.0:
        size: float = round_down(abs(units) / lot + LOT_ROUNDING) * lot
        return size if units > 0.0 else -size
    return units


@called_part
def affordable_share(state: Book, count: int, prices: NDArray[np.float64], terms: PanelTerms, room: float) -> float:
    """Return the factor, at most 1, by which all opening legs are scaled so that their cost fits into the room.

    The cost is convex and rises with the factor, so Newton's steps from 1 downwards end at the factor itself.
    """
    share = 1.0
    instruments, (notionals, owns) = state.lists[1, :count], (state.costs[0, :count], state.costs[1, :count])
    for k in range(count):
        j, units = instruments[k], state.opening[k]
        slippage = terms.slippage[j]
        size = abs(units)
        notional = size * (prices[j] * (1.0 + (slippage if units > 0.0 else -slippage)))
        notionals[k], owns[k] = notional, terms.rate[j] * notional + terms.per_unit[j] * size
    for _ in range(100):
        cost, slope = 0.0, 0.0
        for k in range(count):
            paid, least = share * owns[k] + terms.fixed[instruments[k]], terms.minimum[instruments[k]]
            slope += notionals[k] + (owns[k] if paid >= least else 0.0)
            cost += share * notionals[k] + max(paid, least)
        if cost <= room or not slope > 0.0:
            return share
        lower = share - (cost - room) / slope
        if lower <= 0.0:
            return 0.0
        if not lower < share:
            return share
        share = lower
    return share


@called_part
def decide(
    row: NDArray[np.float64], prices: NDArray[np.float64], equity: float, now: tuple[int, float], state: Book
) -> None:
    """Let the weights of a row wait, but for those of instruments within the tolerance; `now` is the bar and that."""
    bar, near = now
    for j in range(row.size):
        weight = row[j]
        if np.isnan(weight):
            continue
        held = state.units[j] * prices[j]
        if near > 0.0 and held != 0.0 and weight != 0.0 and abs(held / equity - weight) <= near:
            state.waiting[j] = np.nan
        else:
            state.waiting[j], state.decided_at[j] = weight, bar


@called_part
def fill_targets(
    bar: int, prices: NDArray[np.float64], account: tuple[float, int], state: Book, venue: Venue
) -> tuple[float, int, bool]:
    """Move all instruments that wait and have a bar; return cash, rows, and whether others go on waiting.

    `account` is cash and rows written so far.
    """
    cash, row = account
    valid, terms, fills, leverage = venue.market.valid[bar], venue.terms, venue.fills, venue.rules.max_leverage
    units, waiting, opening = state.units, state.waiting, state.opening
    equity = cash + worth(units, prices)[0]
    least, waits, n_closing, n_opening = ROUNDING * abs(equity), False, np.int64(0), np.int64(0)
    closing, (closes, opens) = state.closing, (state.lists[0], state.lists[1])
    for j in range(units.size):
        weight, price, held = waiting[j], prices[j], units[j]
        if np.isnan(weight) or not valid[j]:
            waits |= not np.isnan(weight)
            continue
        waiting[j] = np.nan
        target = whole(weight * equity / price, terms.lot_size[j])
        moves = held != 0.0 if weight == 0.0 else abs(target - held) * price > least
        same_side = held * target > 0.0
        # Whether a leg is taken is a matter of chance; written down anyway, and counted, it costs no guess.
        closes[n_closing], closing[n_closing] = j, (target if same_side else 0.0) - held
        n_closing += moves & (held != 0.0) & ((not same_side) | (abs(target) < abs(held)))
        left = target - (held if same_side else 0.0)
        opens[n_opening], opening[n_opening] = j, left
        n_opening += moves & (left * target > 0.0)
    for k in range(n_closing):
        j = closes[k]
        cash = book(
            fills, row, (state.decided_at[j], bar, j, np.int64(REBALANCE)), (closing[k], prices[j], cash), terms
        )
        units[j] += closing[k]
        row += 1
    if n_opening > 0:
        value, gross = worth(units, prices)
        room, share = leverage * (cash + value) - gross, 0.0
        if room > NO_ROOM * abs(equity):
            share = affordable_share(state, n_opening, prices, terms, room)
        for k in range(n_opening if share > 0.0 else 0):
            j = opens[k]
            wanted = whole(share * opening[k], terms.lot_size[j])
            if wanted != 0.0:
                cash = book(
                    fills, row, (state.decided_at[j], bar, j, np.int64(REBALANCE)), (wanted, prices[j], cash), terms
                )
                units[j] += wanted
                row += 1
    return cash, row, waits


@called_part
def borrow_fees(
    units: NDArray[np.float64], marks: NDArray[np.float64], valid: NDArray[np.bool_], terms: PanelTerms
) -> float:
    """Return what positions that were short since the bar before pay at this bar."""
    paid = 0.0
    for j in range(units.size):
        if units[j] < 0.0 and valid[j]:
            paid += abs(units[j]) * marks[j] * terms.borrow[j]
    return paid


@called_part
def close_all(bar: int, account: tuple[float, int], units: NDArray[np.float64], venue: Venue) -> tuple[float, int]:
    """Close all positions in ruin; return cash and rows."""
    cash, row = account
    marks = venue.market.mark[bar]
    for j in range(units.size):
        if units[j] != 0.0:
            cash = book(venue.fills, row, (bar, bar, j, np.int64(RUIN)), (-units[j], marks[j], cash), venue.terms)
            units[j] = 0.0
            row += 1
    return cash, row


@called_part
def close_ended(
    bar: int, first: int, account: tuple[float, int], units: NDArray[np.float64], venue: Venue
) -> tuple[float, int, int]:
    """Close positions in instruments whose last bar was the one before; return cash, rows and the next end to come."""
    cash, row = account
    market, terms = venue.market, venue.terms
    while first < market.ends.shape[0] and market.ends[first, 0] < bar:
        j = market.ends[first, 1]
        if units[j] != 0.0:
            price = market.mark[bar - 1, j] * (1.0 + terms.delisting_return[j])
            cash = book(venue.fills, row, (bar, bar, j, np.int64(DELISTING)), (-units[j], price, cash), terms)
            units[j] = 0.0
            row += 1
        first += 1
    return cash, row, first


@jit(error_model="numpy")
def walk_weights(venue: Venue, targets: Targets, curve: NDArray[np.float64]) -> tuple[int, int]:
    """Write fills, and equity, cash and gross exposure at the end of each bar (the rows of `curve`).

    Returns
    -------
    n_fills, ruined_at : int
        Rows written, and the bar of ruin, or -1.
    """
    market, rules = venue.market, venue.rules
    n_bars, n = market.mark.shape
    numbers = np.zeros((5, n + 1))
    state = Book(
        numbers[0, :n],
        np.full(n, np.nan),
        np.zeros(n, np.int64),
        numbers[1],
        numbers[2],
        np.zeros((2, n + 1), np.int64),
        numbers[3:],
    )
    row: Any = np.int64(0)  # as a literal it would be compiled twice
    units, cash, end, waits = state.units, rules.cash, np.int64(0), False
    borrows, ruined_at, value, gross = venue.terms.borrow.max() > 0.0, -1, 0.0, 0.0
    for t in range(n_bars):
        decision, marks = targets.row_at[t], market.mark[t]
        if ruined_at < 0:
            cash, row, end = close_ended(t, end, (cash, row), units, venue)
            if borrows and t > 0:
                cash -= borrow_fees(units, market.mark[t - 1], market.valid[t], venue.terms)
            if waits and rules.fill == NEXT_OPEN:
                cash, row, waits = fill_targets(t, market.at_open[t], (cash, row), state, venue)
            elif rules.fill == SAME_CLOSE and decision >= 0:
                decide(targets.weights[decision], marks, cash + worth(units, marks)[0], (t, rules.tolerance), state)
                waits = True
            if waits and rules.fill != NEXT_OPEN:
                cash, row, waits = fill_targets(t, marks, (cash, row), state, venue)
            value, gross = worth(units, marks)
            if cash + value <= ROUNDING * gross:
                cash, row = close_all(t, (cash, row), units, venue)
                ruined_at, value, gross = t, 0.0, 0.0
        if ruined_at < 0 and decision >= 0 and rules.fill != SAME_CLOSE:
            decide(targets.weights[decision], marks, cash + value, (t, rules.tolerance), state)
            waits = True
        curve[EQUITY, t], curve[CASH, t], curve[GROSS, t] = cash + value, cash, gross
    return row, ruined_at
