"""Weights by risk alone: risk parity by Newton's method, and the two rules that look at less."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.portfolio.optimise.constraints import Constraints
from algotrendy.portfolio.optimise.estimates import Estimates, estimates_of, moving_volatilities, series_of
from algotrendy.portfolio.optimise.model import Model, model_of
from algotrendy.portfolio.optimise.objectives import RISKLESS, finished
from algotrendy.portfolio.optimise.result import Allocation

__all__ = ["equal_weight", "inverse_volatility", "risk_parity"]

_STEPS_MAX = 200


def risk_parity(
    given: Estimates | pd.DataFrame,
    *,
    risk_budgets: Mapping[str, float] | pd.Series | None = None,
    constraints: Constraints | None = None,
) -> Allocation:
    """Return the portfolio in which each asset carries its share of the volatility, the same for all if not told.

    Without bounds that bind it is the one long portfolio with these shares [1]_, found by Newton's method on
    ``w'Cw / 2 - sum of budget x log(weight)`` [2]_. Where bounds bind, the assets between their bounds carry risk in
    proportion to their budgets [3]_.

    Parameters
    ----------
    given : Estimates or DataFrame of shape (n_periods, n_assets)
        What is known of the assets; a frame holds daily returns, as fractions.
    risk_budgets : mapping or Series, optional
        Share of the risk of each asset, above 0; they are made to sum to 1.
    constraints : Constraints, optional
        Bounds of at least 0 and a fixed budget; nothing else goes together with shares of risk.

    Returns
    -------
    Allocation
        Its `value` is the volatility per year, its `kkt_residual` the largest difference between a share of the risk
        and its budget among the assets between their bounds, their budgets scaled to what they carry together; 0.0 if
        all are at their bounds.

    Raises
    ------
    InputError
        If an asset or the long mix itself has no variance, a budget is not above 0, other constraints are given, or
        bounds leave no room.

    References
    ----------
    .. [1] Maillard, S., Roncalli, T. and Teïletche, J. (2010). The properties of equally weighted risk contribution
       portfolios. Journal of Portfolio Management, 36(4), 60-70.
    .. [2] Spinu, F. (2013). An algorithm for computing risk parity weights. SSRN 2297383.
    .. [3] Richard, J.-C. and Roncalli, T. (2019). Constrained risk budgeting portfolios. SSRN 3331184.

    Examples
    --------
    >>> market = Estimates(pd.DataFrame([[0.04, 0.006], [0.006, 0.01]], index=["A", "B"], columns=["A", "B"]))
    >>> found = risk_parity(market)
    >>> found.weights.round(6).to_dict(), found.contributions["share"].round(9).tolist()
    ({'A': 0.333333, 'B': 0.666667}, [0.5, 0.5])
    """
    estimates = estimates_of(given)
    own = moving_volatilities(estimates, "shares of risk")
    budgets = _budgets(risk_budgets, estimates.names)
    limits = constraints or Constraints()
    model, total = _boxed(estimates, limits)
    correlations = estimates.matrix() / np.outer(own, own)
    # In units of each asset's volatility the numbers are all of one size.
    low, high = model.lower[: model.n] * own, model.upper[: model.n] * own
    sized = _balanced(correlations, budgets, (np.zeros(model.n), np.full(model.n, math.inf)), 1.0) / own
    weights = sized * (total / float(sized.sum()))
    if (weights * own < low).any() or (weights * own > high).any():
        weights = _within(correlations, budgets, (low, high), own, total)
    shares = weights * (estimates.matrix() @ weights)
    total_risk = float(shares.sum())
    if not total_risk > RISKLESS * float(weights @ own) ** 2:
        raise InputError(
            "a long mix of these assets has no variance, so shares of risk say nothing; shrink the covariance with "
            'covariance_method="ledoit_wolf", or leave one of them out'
        )
    between = (weights * own > low * (1 + 1e-9)) & (weights * own < high * (1 - 1e-9))
    residual = 0.0
    if between.any():
        carried, due = shares[between] / total_risk, budgets[between]
        residual = float(np.abs(carried - due * (carried.sum() / due.sum())).max())
    volatility = math.sqrt(total_risk)
    return finished(
        "risk_parity", estimates, constraints, (model, model.padded(weights)), value=volatility, residual=residual
    )


def inverse_volatility(given: Estimates | pd.DataFrame, *, budget: float = 1.0) -> Allocation:
    """Return weights in proportion to 1 / volatility: risk parity if all correlations are the same.

    Parameters
    ----------
    given : Estimates or DataFrame
        As in `risk_parity`.
    budget : float
        Sum of the weights.

    Raises
    ------
    InputError
        If an asset has no variance.

    Examples
    --------
    >>> market = Estimates(pd.DataFrame([[0.04, 0.0], [0.0, 0.01]], index=["A", "B"], columns=["A", "B"]))
    >>> inverse_volatility(market).weights.round(6).to_dict()
    {'A': 0.333333, 'B': 0.666667}
    """
    estimates = estimates_of(given)
    inverse = 1.0 / moving_volatilities(estimates, "inverse volatility")
    return ruled("inverse_volatility", estimates, budget * inverse / inverse.sum())


def equal_weight(given: Estimates | pd.DataFrame, *, budget: float = 1.0) -> Allocation:
    """Return the same weight for every asset: what every optimiser has to be better than.

    Parameters
    ----------
    given : Estimates or DataFrame
        As in `risk_parity`.
    budget : float
        Sum of the weights.

    Examples
    --------
    >>> equal_weight(pd.DataFrame({"A": [0.01, -0.01], "B": [0.0, 0.01]})).weights.to_dict()
    {'A': 0.5, 'B': 0.5}
    """
    estimates = estimates_of(given)
    n = len(estimates.names)
    return ruled("equal_weight", estimates, np.full(n, budget / n))


def ruled(objective: str, estimates: Estimates, weights: Float1D) -> Allocation:
    """Return the allocation of a rule that has no optimum."""
    series = pd.Series(weights, index=estimates.covariance.index, name="weight", dtype=np.float64)
    return Allocation(objective=objective, weights=series, estimates=estimates)


def boxed_only(limits: Constraints, what: str) -> float:
    """Return the budget of constraints that are bounds of at least 0 and a fixed budget, and refuse others."""
    others = [
        name
        for name, is_there in (
            ("group_bounds", bool(limits.group_bounds)),
            ("gross_max", limits.gross_max is not None),
            ("turnover_max", limits.turnover_max is not None),
            ("return_min", limits.return_min is not None),
        )
        if is_there
    ]
    if others:
        raise InputError(f"{what} takes bounds and a budget, not {others[0]}; use min_variance for that")
    least, most = limits.budget_range
    if least != most or not least > 0.0:
        raise InputError(f"{what} needs a budget that is one number above 0, not {limits.budget!r}")
    return least


def _boxed(estimates: Estimates, limits: Constraints) -> tuple[Model, float]:
    total = boxed_only(limits, "risk parity")
    model = model_of(estimates, limits)
    model.check_sum()
    if (model.lower < 0.0).any():
        raise InputError("risk parity is long only; make every lower bound at least 0")
    nothing = [name for name, most in zip(model.names, model.upper, strict=False) if most == 0.0]
    if nothing:
        raise InputError(f"{nothing[0]!r} may have no weight, so it can carry no share of the risk; leave it out")
    return model, total


def _budgets(given: Any, names: list[Any]) -> Float1D:
    if given is None:
        return np.full(len(names), 1.0 / len(names))
    found = series_of(given, names, "risk budget").to_numpy(dtype=np.float64)
    if not (found > 0.0).all():
        raise InputError(f"the risk budget of {names[int(np.argmin(found))]!r} is {found.min():g}; use one above 0")
    return np.asarray(found / found.sum())


def _balanced(
    matrix: Float2D, budgets: Float1D, box: tuple[Float1D, Float1D], price: float, start: Float1D | None = None
) -> Float1D:
    """Minimise ``price x w'Cw / 2 - sum of budget x log w`` between bounds, by Newton's method on what is free."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    low, high = box
    w = np.sqrt(budgets / price) if start is None else start.copy()
    w = np.minimum(np.maximum(w, low), high)

    def value(at: Float1D) -> float:
        return float(0.5 * price * (at @ matrix @ at) - budgets @ np.log(at)) if (at > 0.0).all() else math.inf

    here, missed = value(w), math.inf
    for _ in range(_STEPS_MAX):
        slope = price * (matrix @ w) - budgets / w
        free = ~(((w <= low) & (slope > 0.0)) | ((w >= high) & (slope < 0.0)))
        before, missed = missed, float(np.abs(slope[free] * w[free]).max(initial=0.0))
        if missed < 1e-15 or (missed < 1e-12 and missed >= before):
            break
        bend = price * matrix[np.ix_(free, free)] + np.diag(budgets[free] / w[free] ** 2)
        try:
            step = cho_solve(cho_factor(bend, check_finite=False), slope[free], check_finite=False)
        except LinAlgError:
            step = slope[free] / np.diag(bend)
        size, moved = 1.0, w
        while size > 1e-12:
            moved = w.copy()
            moved[free] = np.minimum(np.maximum(w[free] - size * step, low[free]), high[free])
            after = value(moved)
            # Near the optimum the value says nothing any more, and Newton's step is right.
            if after <= here - 1e-4 * float(slope @ (w - moved)) + 1e-13 * (1.0 + abs(here)):
                break
            size *= 0.5
        else:
            break
        if np.abs(moved - w).max() <= 1e-16 * np.abs(w).max():
            break
        w, here = moved, after
    return w


def _within(matrix: Float2D, budgets: Float1D, box: tuple[Float1D, Float1D], own: Float1D, total: float) -> Float1D:
    """Return the balanced weights at the price of risk at which they sum to the budget."""
    from scipy.optimize import brentq

    low, high = box
    last: list[Float1D] = []

    def excess(log_price: float) -> float:
        last[:] = [_balanced(matrix, budgets, box, math.exp(log_price), *last)]
        return float((last[0] / own).sum()) - total

    left, right = -1.0, 1.0
    while excess(left) < 0.0 and left > -200.0:
        left *= 2.0
    while excess(right) > 0.0 and right < 200.0:
        right *= 2.0
    if excess(left) < 0.0 or excess(right) > 0.0:  # the bounds leave one point, or none between them
        return np.asarray((low if abs((low / own).sum() - total) < abs((high / own).sum() - total) else high) / own)
    found = brentq(excess, left, right, xtol=1e-15, rtol=1e-15)
    return _balanced(matrix, budgets, box, math.exp(found), *last) / own
