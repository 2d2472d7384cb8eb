"""Whole shares from weights: what to buy with an amount of money when shares cannot be divided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from algotrendy.domain.money import as_decimal, exactly, quotient
from algotrendy.errors import InputError
from algotrendy.portfolio.rebalance.targets import check_targets

__all__ = ["WholeShares", "whole_shares"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeShares:
    """Shares and what is left.

    Attributes
    ----------
    quantities : dict of str to Decimal
        Whole lots; an instrument of which none can be bought has 0.
    cash : Decimal
        What is left of the money, >= 0.
    distance : Decimal
        Sum over the instruments of the size of (value less wanted value), in money.
    method : str
        By which they were found.
    """

    quantities: dict[str, Decimal]
    cash: Decimal
    distance: Decimal
    method: str


def whole_shares(
    weights: Mapping[str, Any],
    prices: Mapping[str, Any],
    money: Any,
    *,
    lot_sizes: Mapping[str, Any] | None = None,
    method: Literal["largest_remainder", "exact"] = "largest_remainder",
) -> WholeShares:
    """Return the whole lots that come closest to weights without spending more than there is.

    Parameters
    ----------
    weights : mapping of str to number
        Fractions of the money, >= 0, with a sum of at most 1; the rest is to stay cash.
    prices : mapping of str to number
        What one unit costs, in the currency of the money, > 0.
    money : number
        How much there is, >= 0.
    lot_sizes : mapping of str to number, optional
        Units of one lot where they are not 1.
    method : {"largest_remainder", "exact"}
        Round down and give one lot more to the largest remainders as long as there is money; or the least `distance`
        of all possibilities, by a search over whole numbers (branch and bound of `scipy.optimize.milp`).

    Returns
    -------
    WholeShares
        Quantities, the cash that is left, and the distance.

    Raises
    ------
    InputError
        If a weight is below 0 or they sum to more than 1, a price is missing or not above 0, or the money is below 0.

    Examples
    --------
    >>> whole_shares({"A": 0.5, "B": 0.5}, {"A": 30, "B": 7}, 100).quantities
    {'A': Decimal('1'), 'B': Decimal('8')}
    >>> whole_shares({"A": 0.5, "B": 0.5}, {"A": 30, "B": 7}, 100, method="exact").quantities
    {'A': Decimal('1'), 'B': Decimal('7')}
    """
    targets = check_targets(weights)
    amount = as_decimal(money, "the money", "not negative")
    missing = [name for name in targets if name not in prices]
    if missing:
        raise InputError(f"there is no price for {', '.join(missing)}")
    sizes = {name: as_decimal((lot_sizes or {}).get(name, 1), f"the lot of {name}", "positive") for name in targets}
    lots = {name: as_decimal(prices[name], f"the price of {name}", "positive") * sizes[name] for name in targets}
    wanted = {name: targets[name] * amount for name in targets}
    counts = _largest_remainder(wanted, lots, amount)
    if method == "exact":
        counts = _least_distance(wanted, lots, amount, counts)
    elif method != "largest_remainder":
        raise InputError(f'method is {method!r}; expected "largest_remainder" or "exact"')
    return WholeShares(
        quantities={name: count * sizes[name] for name, count in counts.items()},
        cash=amount - _spent(counts, lots),
        distance=_distance(counts, wanted, lots),
        method=method,
    )


def _largest_remainder(
    wanted: Mapping[str, Decimal], lots: Mapping[str, Decimal], money: Decimal
) -> dict[str, Decimal]:
    shares = {name: quotient(wanted[name], lots[name]) for name in wanted}
    counts = {name: Decimal(int(share)) for name, share in shares.items()}
    left = min(money, sum(wanted.values(), Decimal(0))) - _spent(counts, lots)
    for name in sorted(shares, key=lambda name: counts[name] - shares[name]):
        if counts[name] < shares[name] and lots[name] <= left:
            counts[name] += 1
            left -= lots[name]
    return counts


def _least_distance(
    wanted: Mapping[str, Decimal], lots: Mapping[str, Decimal], money: Decimal, start: dict[str, Decimal]
) -> dict[str, Decimal]:
    """Return whole numbers with the least distance that cost no more than `money`; `start` if nothing is better."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    names = [name for name in wanted if wanted[name] > 0]
    if not names:
        return start
    price = np.array([float(lots[name]) for name in names])
    goal = np.array([float(wanted[name]) for name in names])
    scale = max(float(goal.max()), 1e-300)
    n, eye = len(names), np.eye(len(names))
    rows = np.block([[np.diag(price), eye], [np.diag(price), -eye], [price[None, :], np.zeros((1, n))]]) / scale
    lower = np.concatenate([goal, np.full(n, -np.inf), [-np.inf]]) / scale
    upper = np.concatenate([np.full(n, np.inf), goal, [float(money)]]) / scale
    found = milp(
        np.concatenate([np.zeros(n), np.full(n, 1.0)]),
        constraints=LinearConstraint(rows, lower, upper),
        integrality=np.concatenate([np.ones(n), np.zeros(n)]),
        bounds=Bounds(0.0, np.inf),
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        return start
    counts = {**start, **{name: Decimal(round(value)) for name, value in zip(names, found.x[:n], strict=True)}}
    is_better = _spent(counts, lots) <= money and _distance(counts, wanted, lots) < _distance(start, wanted, lots)
    return counts if is_better else start


@exactly
def _spent(counts: Mapping[str, Decimal], lots: Mapping[str, Decimal]) -> Decimal:
    return sum((counts[name] * lots[name] for name in counts), Decimal(0))


@exactly
def _distance(counts: Mapping[str, Decimal], wanted: Mapping[str, Decimal], lots: Mapping[str, Decimal]) -> Decimal:
    return sum((abs(counts[name] * lots[name] - wanted[name]) for name in counts), Decimal(0))
