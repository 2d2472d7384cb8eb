"""Rebalancing as far as it pays: tracking variance against the cost of trading."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from algotrendy.domain.money import rounded
from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.portfolio.rebalance.methods import Drift, Wanted, to_target
from algotrendy.risk.covariances import check_covariance

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CostAware", "covariance_of"]


@dataclass(frozen=True, slots=True, eq=False)
class CostAware:
    """Trade as far as it pays: less distance from the target against the cost of getting there.

    Minimises ``risk_aversion / 2 * (w - target)' C (w - target) + sum(cost_rate * |w - held|)`` over weights that sum
    to at most what the targets or the holdings do, and are not short where neither is [1]_. Around the target there is
    a region in which nothing is traded; from outside, trades end at its edge.

    Attributes
    ----------
    covariance : DataFrame
        Of the instruments' returns per year, as fractions squared; symmetric, with positive variances.
    risk_aversion : float
        Weight of the tracking variance against a year's cost; higher trades more.

    References
    ----------
    .. [1] Donohue, C. and Yip, K. (2003). Optimal portfolio rebalancing with transaction costs. Journal of Portfolio
       Management, 29(4), 49-63.
    """

    covariance: pd.DataFrame
    risk_aversion: float = 10.0

    @property
    def name(self) -> str:
        """What a plan calls it."""
        return "cost_aware"

    def wanted(self, drift: Drift) -> Wanted:
        """Return the weights at which a further trade would cost more than it brings."""
        if not (self.risk_aversion > 0 and np.isfinite(self.risk_aversion)):
            raise InputError(f"risk_aversion is {self.risk_aversion}, expected a number above 0")
        names = list(drift.targets)
        covariance = covariance_of(self.covariance, names)
        held, target, costs = (
            np.array([float(source.get(name, Decimal(0))) for name in names])
            for source in (drift.weights, drift.targets, drift.cost_rates)
        )
        best = _no_trade_optimum(covariance * self.risk_aversion, target, held, costs)
        moved = [place for place in range(len(names)) if abs(best[place] - held[place]) > 1e-9]
        return Wanted(
            {names[place]: _as_weight(best[place], drift, names[place]) for place in moved},
            {names[place]: f"{to_target(drift, names[place])}, as far as it pays its cost" for place in moved},
            {name: "a trade would cost more than it brings" for i, name in enumerate(names) if i not in moved},
        )


def covariance_of(covariance: pd.DataFrame, names: list[str]) -> Float2D:
    """Return the covariance of these instruments as an array, checked.

    Raises
    ------
    InputError
        If an instrument is missing, or it is no covariance: not finite, not symmetric, a variance or an eigenvalue
        below 0.
    """
    missing = [name for name in names if name not in covariance.index or name not in covariance.columns]
    if missing:
        raise InputError(f"the covariance lacks {', '.join(missing)}; it needs all that is held or a target")
    found = covariance.loc[names, names].to_numpy(dtype=np.float64)
    if names:
        check_covariance(found, names)
    return found


def _no_trade_optimum(curvature: Float2D, target: Float1D, held: Float1D, costs: Float1D) -> Float1D:
    """Minimise the cost-aware objective by coordinates; a price on the sum keeps it affordable."""
    limit = max(float(target.sum()), float(held.sum()))

    def best(price: float) -> Float1D:
        return _coordinate_descent(curvature, target, held, costs, price)

    found = best(0.0)
    if found.sum() <= limit + 1e-12:
        return found
    low, high = 0.0, float(costs.max(initial=0.0)) + float(np.abs(curvature @ (held - target)).max()) + 1e-12
    while best(high).sum() > limit:
        high *= 2.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if best(middle).sum() > limit else (low, middle)
    return best(high)


def _coordinate_descent(curvature: Float2D, target: Float1D, held: Float1D, costs: Float1D, price: float) -> Float1D:
    weights, lowest = held.copy(), np.minimum(np.minimum(held, target), 0.0)
    for _ in range(10_000):
        largest = 0.0
        for i in range(len(weights)):
            own = curvature[i, i]
            if own <= 0.0:
                continue  # without risk there is no reason to trade it
            slope = curvature[i] @ (weights - target) - own * (weights[i] - held[i]) + price
            # the best distance from what is held: a soft threshold at the cost
            step = -np.sign(slope) * max(abs(slope) - costs[i], 0.0) / own
            moved = max(held[i] + step, lowest[i]) - weights[i]
            weights[i] += moved
            largest = max(largest, abs(moved))
        if largest < 1e-14:
            break
    return weights


def _as_weight(value: float, drift: Drift, name: str) -> Decimal:
    if abs(value - float(drift.targets[name])) < 1e-12:
        return drift.targets[name]
    return rounded(Decimal(value))
