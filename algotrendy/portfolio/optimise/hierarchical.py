"""Hierarchical risk parity: assets that move alike share a weight, without inverting a covariance."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, Float2D, Int1D
from algotrendy.errors import InputError
from algotrendy.portfolio.optimise.constraints import Constraints
from algotrendy.portfolio.optimise.estimates import Estimates, estimates_of, moving_volatilities
from algotrendy.portfolio.optimise.model import model_of
from algotrendy.portfolio.optimise.objectives import finished
from algotrendy.portfolio.optimise.parity import boxed_only
from algotrendy.portfolio.optimise.result import Allocation
from algotrendy.risk.checks import choice

__all__ = ["hierarchical_risk_parity"]

_LINKAGES = ("single", "complete", "average", "ward")


def hierarchical_risk_parity(
    given: Estimates | pd.DataFrame,
    *,
    linkage: Literal["single", "complete", "average", "ward"] = "single",
    distance: Literal["profiles", "pairs"] = "profiles",
    optimal_order: bool = False,
    constraints: Constraints | None = None,
) -> Allocation:
    """Return the weights of hierarchical risk parity [1]_.

    Assets are put in the order of a tree of their correlations; the list is cut in halves, and the weight is divided
    between the halves in proportion to 1 / variance of each (held at inverse variances), down to single assets.

    Parameters
    ----------
    given : Estimates or DataFrame of shape (n_periods, n_assets)
        What is known of the assets; a frame holds daily returns, as fractions.
    linkage : {"single", "complete", "average", "ward"}
        How near two branches are; "single" is the paper's.
    distance : {"profiles", "pairs"}
        Between two assets: by how much their distances to all assets differ, as in the paper, or their own distance
        alone, ``sqrt((1 - correlation) / 2)``, as in some libraries.
    optimal_order : bool
        Whether branches are turned until neighbours are as near as can be. Without it, as in the paper, which of two
        branches comes first follows from the order in which the assets were given.
    constraints : Constraints, optional
        Bounds of at least 0 and a fixed budget: a half gets no less and no more than its assets' bounds allow.

    Returns
    -------
    Allocation
        Of status "rule": nothing is optimised.

    Raises
    ------
    InputError
        If an asset has no variance, or other constraints are given.

    References
    ----------
    .. [1] López de Prado, M. (2016). Building diversified portfolios that outperform out of sample. Journal of
       Portfolio Management, 42(4), 59-69.

    Examples
    --------
    >>> names = ["A", "B", "C"]
    >>> market = Estimates(pd.DataFrame([[0.04, 0.03, 0], [0.03, 0.04, 0], [0, 0, 0.04]], index=names, columns=names))
    >>> hierarchical_risk_parity(market).weights.round(4).to_dict()
    {'A': 0.2667, 'B': 0.2667, 'C': 0.4667}
    """
    choice("linkage", linkage, _LINKAGES)
    choice("distance", distance, ("profiles", "pairs"))
    estimates, limits = estimates_of(given), constraints or Constraints()
    own = moving_volatilities(estimates, "hierarchical risk parity")
    total = boxed_only(limits, "hierarchical risk parity")
    model = model_of(estimates, limits)
    model.check_sum()
    if (model.lower < 0.0).any():
        raise InputError("hierarchical risk parity is long only; make every lower bound at least 0")
    matrix = estimates.matrix()
    order = _order(matrix / np.outer(own, own), linkage, distance, optimal_order)
    weights = _bisected(matrix, order, (model.lower, np.minimum(model.upper, total)), total)
    found = finished(
        "hierarchical_risk_parity", estimates, constraints, (model, weights), value=np.nan, residual=np.nan
    )
    return Allocation(**{**vars(found), "status": "rule"})


def _order(correlations: Float2D, linkage: str, distance: str, optimal: bool) -> Int1D:
    """Return the assets in the order of the leaves of their tree."""
    from scipy.cluster.hierarchy import leaves_list
    from scipy.cluster.hierarchy import linkage as linked
    from scipy.spatial.distance import pdist, squareform

    n = len(correlations)
    if n < 2:
        return np.arange(n)
    apart = np.sqrt(np.maximum(0.5 * (1.0 - correlations), 0.0))
    np.fill_diagonal(apart, 0.0)
    between = pdist(apart) if distance == "profiles" else squareform(apart, checks=False)
    return np.asarray(leaves_list(linked(between, linkage, optimal_ordering=optimal)), dtype=np.int64)


def _bisected(matrix: Float2D, order: Int1D, box: tuple[Float1D, Float1D], total: float) -> Float1D:
    """Divide the total between the halves of the list, and so on down to each asset."""
    low, high = box
    weights = np.empty(len(order))
    waiting = [(order, total)]
    while waiting:
        assets, share = waiting.pop()
        if len(assets) == 1:
            weights[assets[0]] = share
            continue
        left, right = assets[: len(assets) // 2], assets[len(assets) // 2 :]
        risks = _half_variance(matrix, left), _half_variance(matrix, right)
        part = share * risks[1] / (risks[0] + risks[1])
        part = min(max(part, float(low[left].sum()), share - float(high[right].sum())),
                   float(high[left].sum()), share - float(low[right].sum()))  # fmt: skip
        waiting += [(left, part), (right, share - part)]
    return weights


def _half_variance(matrix: Float2D, assets: Int1D) -> float:
    """Return the variance of some assets held in proportion to 1 / variance."""
    inverse = 1.0 / np.diag(matrix)[assets]
    weights = inverse / inverse.sum()
    return float(weights @ matrix[np.ix_(assets, assets)] @ weights)
