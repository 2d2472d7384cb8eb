"""Parts that the kernels of an account with several instruments share: valuing, filling, ending."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._part import part, summing_part
from algotrendy.kernels.portfolio_types import DELISTING, LIMIT, TARGET, Fills, PanelTerms


@summing_part
def worth(units: NDArray[np.float64], prices: NDArray[np.float64]) -> tuple[float, float]:
    """Return value and gross exposure of all positions."""
    value, gross = 0.0, 0.0
    for j in range(units.size):
        each = units[j] * prices[j]
        value += each
        gross += abs(each)
    return value, gross


@part
def commission_of(terms: PanelTerms, j: int, size: float, price: float) -> float:
    """Return the commission of a fill of `size` units at `price` after slippage."""
    paid: float = max(terms.minimum[j], terms.rate[j] * (size * price) + terms.per_unit[j] * size + terms.fixed[j])
    return paid


@part
def book(
    fills: Fills, row: int, place: tuple[int, int, int, int], trade: tuple[float, float, float], terms: PanelTerms
) -> float:
    """Write a fill and return the cash after it.

    `place` is decided_at, filled_at, instrument, reason; `trade` is units, price before slippage, cash before it.
    """
    decided_at, filled_at, j, reason = place
    units, price, cash = trade
    places, money = fills.places, fills.money
    places[row, 0], places[row, 1], places[row, 2], places[row, 3] = decided_at, filled_at, j, reason
    money[row, 0], money[row, 1] = units, price
    slippage = terms.slippage[j]
    if reason in (TARGET, LIMIT, DELISTING):
        slippage = 0.0
    if units < 0.0:
        slippage = -slippage
    price = price * (1.0 + slippage)
    paid = 0.0
    if reason != DELISTING:
        paid = commission_of(terms, j, abs(units), price)
    after: float = cash - units * price - paid
    return after
