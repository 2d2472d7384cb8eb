"""The portfolio with the least expected shortfall, as a linear programme over past periods."""

from __future__ import annotations

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.portfolio.optimise.constraints import Constraints
from algotrendy.portfolio.optimise.estimates import Estimates, estimates_of
from algotrendy.portfolio.optimise.model import Model, model_of
from algotrendy.portfolio.optimise.objectives import finished
from algotrendy.portfolio.optimise.result import Allocation
from algotrendy.risk.checks import level

__all__ = ["min_cvar"]


def min_cvar(
    given: Estimates | pd.DataFrame, *, confidence_level: float = 0.95, constraints: Constraints | None = None
) -> Allocation:
    """Return the portfolio with the least expected shortfall (CVaR) over the periods seen [1]_.

    Parameters
    ----------
    given : Estimates with returns, or DataFrame of shape (n_periods, n_assets)
        Simple returns per period, as fractions: each period is a scenario, all equally likely.
    confidence_level : float
        In (0, 1).
    constraints : Constraints, optional
        Long only with a sum of 1 if not given. With `return_min` it is a point of the frontier of return and shortfall.

    Returns
    -------
    Allocation
        Its `value` is the expected shortfall over one period, a positive fraction of the equity as in
        `risk.expected_shortfall`; cash neither earns nor loses. Where several portfolios are the best, one of them.

    Raises
    ------
    InputError
        If there are no returns, or no weights meet all constraints.

    References
    ----------
    .. [1] Rockafellar, R. T. and Uryasev, S. (2000). Optimization of conditional value-at-risk. Journal of Risk, 2(3),
       21-41.

    Examples
    --------
    >>> returns = pd.DataFrame({"A": [-0.04, 0.01, 0.02, 0.0], "B": [0.02, -0.02, 0.0, 0.01]})
    >>> found = min_cvar(returns, confidence_level=0.75)
    >>> found.weights.round(6).to_dict(), round(found.value, 6)
    ({'A': 0.444444, 'B': 0.555556}, 0.006667)
    """
    estimates, probability = estimates_of(given), level(confidence_level)
    if estimates.returns is None:
        raise InputError("min_cvar needs returns, its scenarios; make the estimates with Estimates.from_returns")
    model = model_of(estimates, constraints or Constraints())
    model.check_sum()
    scenarios = estimates.returns.to_numpy(dtype=np.float64)
    x, value, residual = _least_shortfall(scenarios, model, probability)
    return finished("min_cvar", estimates, constraints, (model, x), value=value, residual=residual)


def _least_shortfall(scenarios: Float2D, model: Model, probability: float) -> tuple[Float1D, float, float]:
    """Minimise ``a + sum(excess) / (T p)`` where ``excess >= loss - a`` and ``excess >= 0``."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, eye, hstack, vstack

    periods, unit = len(scenarios), float(np.abs(scenarios).max()) or 1.0
    programme = model.quadratic(np.zeros((0, 0)), np.zeros(model.size))
    tails = hstack(
        [
            csr_matrix(-scenarios / unit), csr_matrix((periods, model.size - model.n)),
            csr_matrix(-np.ones((periods, 1))), -eye(periods),
        ]
    )  # fmt: skip
    rows = hstack([csr_matrix(programme.G), csr_matrix((len(programme.h), 1 + periods))])
    sums = hstack([csr_matrix(programme.A), csr_matrix((len(programme.b), 1 + periods))])
    price = np.concatenate([np.zeros(model.size), [1.0], np.full(periods, 1.0 / (periods * probability))])
    lower = np.concatenate([model.lower, [-np.inf], np.zeros(periods)])
    found = linprog(
        price, A_ub=vstack([tails, rows]).tocsr(), b_ub=np.concatenate([np.zeros(periods), programme.h]),
        A_eq=sums.tocsr() if len(programme.b) else None, b_eq=programme.b if len(programme.b) else None,
        bounds=np.column_stack([lower, np.concatenate([model.upper, np.full(1 + periods, np.inf)])]), method="highs",
    )  # fmt: skip
    if found.x is None:
        model.check_feasible()
        raise InputError("the expected shortfall has no least value within the constraints; bound the weights")
    x = np.asarray(found.x[: model.size], dtype=np.float64)
    # The prices of the rows and bounds give a value that no portfolio can beat; how far it is off is the residual.
    bounds = (
        np.concatenate([model.lower, [0.0], np.zeros(periods)]),
        np.concatenate([model.upper, [0.0], np.zeros(periods)]),
    )
    dual = float(found.ineqlin.marginals[periods:] @ programme.h)
    dual += float(found.eqlin.marginals @ programme.b) if len(programme.b) else 0.0
    for prices, walls in ((found.lower.marginals, bounds[0]), (found.upper.marginals, bounds[1])):
        dual += float(np.sum(prices[np.isfinite(walls)] * walls[np.isfinite(walls)]))
    return x, float(found.fun) * unit, max(abs(float(found.fun) - dual), model.missed(x))
