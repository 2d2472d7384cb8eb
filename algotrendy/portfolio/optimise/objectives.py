"""Portfolios that are the optimum of a quadratic programme: least variance, best utility, best ratios."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.portfolio.optimise.constraints import Constraints
from algotrendy.portfolio.optimise.estimates import Estimates, estimates_of, moving_volatilities
from algotrendy.portfolio.optimise.model import Model, homogeneous, model_of
from algotrendy.portfolio.optimise.quadratic import Solution, solve
from algotrendy.portfolio.optimise.result import Allocation
from algotrendy.risk.checks import positive

__all__ = ["max_diversification", "max_sharpe", "mean_variance", "min_variance"]

MISSED_MAX = 1e-6
"""Weights that miss the conditions of an optimum by no more are as good as it for any trade."""

RISKLESS = 1e-13
"""A variance below so much of the square of the summed risks of the positions is rounding."""


def min_variance(given: Estimates | pd.DataFrame, *, constraints: Constraints | None = None) -> Allocation:
    """Return the portfolio with the least variance [1]_.

    Parameters
    ----------
    given : Estimates or DataFrame of shape (n_periods, n_assets)
        What is known of the assets; a frame holds daily returns, as fractions.
    constraints : Constraints, optional
        Long only with a sum of 1 if not given. With `return_min` it is the portfolio of the frontier at that return.

    Returns
    -------
    Allocation
        Its `value` is the volatility per year.

    Raises
    ------
    InputError
        If no weights meet all constraints; it names those that stand against each other.

    References
    ----------
    .. [1] Markowitz, H. (1952). Portfolio selection. Journal of Finance, 7(1), 77-91.

    Examples
    --------
    >>> market = Estimates(pd.DataFrame([[0.04, 0.0], [0.0, 0.01]], index=["A", "B"], columns=["A", "B"]))
    >>> min_variance(market).weights.round(12).to_dict()
    {'A': 0.2, 'B': 0.8}
    """
    estimates = estimates_of(given)
    model = model_of(estimates, constraints or Constraints())
    found = model.minimise(model.curved(estimates.matrix()), np.zeros(model.size))
    volatility = math.sqrt(max(_variance(estimates, found.x), 0.0))
    return finished("min_variance", estimates, constraints, (model, found.x), value=volatility, residual=found.residual)


def mean_variance(
    given: Estimates | pd.DataFrame, *, risk_aversion: float = 2.5, constraints: Constraints | None = None
) -> Allocation:
    """Return the portfolio with the best ``expected return - risk_aversion / 2 * variance - cost``.

    Parameters
    ----------
    given : Estimates or DataFrame
        As in `min_variance`, with expected returns.
    risk_aversion : float
        Above 0. The volatility sought without constraints is Sharpe ratio / `risk_aversion`.
    constraints : Constraints, optional
        As in `min_variance`; its `costs` keep trades that bring less than they cost from being made.

    Returns
    -------
    Allocation
        Its `value` is the utility.

    Raises
    ------
    InputError
        As `min_variance`; if there are no expected returns, or the utility grows without end, as it can where weights
        have no bounds and the covariance is singular.

    Examples
    --------
    >>> market = Estimates(pd.DataFrame([[0.04, 0.0], [0.0, 0.01]], index=["A", "B"], columns=["A", "B"]),
    ...                    expected_returns={"A": 0.08, "B": 0.03})
    >>> mean_variance(market, risk_aversion=4).weights.round(12).to_dict()
    {'A': 0.45, 'B': 0.55}
    """
    estimates, aversion = estimates_of(given), positive("risk_aversion", risk_aversion)
    model = model_of(estimates, constraints or Constraints())
    excess = estimates.expected() - estimates.risk_free_rate
    gain = model.padded(excess) - model.charge
    found = model.minimise(model.curved(aversion * estimates.matrix()), -gain)
    if found.residual > MISSED_MAX and model.best_corner(-gain) is None:
        raise InputError(
            "the utility grows without end within the constraints: a mix without variance is expected to earn; bound "
            'the weights, or shrink the covariance with covariance_method="ledoit_wolf"'
        )
    value = float(gain @ found.x) + estimates.risk_free_rate - 0.5 * aversion * _variance(estimates, found.x)
    return finished("mean_variance", estimates, constraints, (model, found.x), value=value, residual=found.residual)


def max_sharpe(given: Estimates | pd.DataFrame, *, constraints: Constraints | None = None) -> Allocation:
    """Return the portfolio with the largest Sharpe ratio: the tangency portfolio within the constraints.

    Parameters
    ----------
    given : Estimates or DataFrame
        As in `min_variance`, with expected returns.
    constraints : Constraints, optional
        As in `min_variance`. Cash earns the risk-free rate, so it changes the scale and not the ratio; with a budget
        that is a range the scale is not determined, and any of the best is returned.

    Returns
    -------
    Allocation
        Its `value` is the ratio, the cost of trading taken off.

    Raises
    ------
    InputError
        If no portfolio within the constraints is expected to earn more than the risk-free rate; if one without any
        variance is; as `min_variance`.

    Examples
    --------
    >>> market = Estimates(pd.DataFrame([[0.04, 0.0], [0.0, 0.01]], index=["A", "B"], columns=["A", "B"]),
    ...                    expected_returns={"A": 0.08, "B": 0.03}, risk_free_rate=0.01)
    >>> max_sharpe(market).weights.round(6).to_dict()
    {'A': 0.466667, 'B': 0.533333}
    """
    estimates = estimates_of(given)
    excess = estimates.expected() - estimates.risk_free_rate
    what = "no portfolio within the constraints is expected to earn more than the risk-free rate; hold cash"
    return _best_ratio("max_sharpe", estimates, constraints, excess, what)


def max_diversification(given: Estimates | pd.DataFrame, *, constraints: Constraints | None = None) -> Allocation:
    """Return the most diversified portfolio: the largest ratio of the mean volatility of its assets to its own [1]_.

    Parameters
    ----------
    given, constraints
        As in `min_variance`.

    Returns
    -------
    Allocation
        Its `value` is the diversification ratio, costs of trading taken off the numerator.

    Raises
    ------
    InputError
        If an asset has no variance; as `min_variance`.

    References
    ----------
    .. [1] Choueifaty, Y. and Coignard, Y. (2008). Toward maximum diversification. Journal of Portfolio Management,
       35(1), 40-51.

    Examples
    --------
    >>> market = Estimates(pd.DataFrame([[0.04, 0.0], [0.0, 0.01]], index=["A", "B"], columns=["A", "B"]))
    >>> max_diversification(market).weights.round(6).to_dict()
    {'A': 0.333333, 'B': 0.666667}
    """
    estimates = estimates_of(given)
    own = moving_volatilities(estimates, "diversification")
    what = "no portfolio within the constraints has a positive mean volatility; let some weights be above 0"
    return _best_ratio("max_diversification", estimates, constraints, own, what)


def finished(
    objective: str,
    estimates: Estimates,
    constraints: Constraints | None,
    point: tuple[Model, Float1D],
    *,
    value: float,
    residual: float,
) -> Allocation:
    """Return the allocation at a point of a model."""
    model, x = point
    limits = constraints or Constraints()
    weights = np.where(np.abs(x[: model.n]) < 1e-13, 0.0, x[: model.n])
    moved = np.abs(weights - limits.held_weights(model.names))
    return Allocation(
        objective=objective,
        weights=pd.Series(weights, index=estimates.covariance.index, name="weight"),
        estimates=estimates,
        value=value,
        kkt_residual=residual,
        status="optimal" if residual <= 1e-9 else "inaccurate",
        binding=model.binding(x),
        cost=float(moved @ limits.cost_rates(model.names)),
        turnover=math.nan if limits.held is None else float(moved.sum()) / 2.0,
    )


def _variance(estimates: Estimates, x: Float1D) -> float:
    weights = x[: len(estimates.names)]
    return float(weights @ estimates.matrix() @ weights)


def _best_ratio(
    objective: str, estimates: Estimates, constraints: Constraints | None, numerator: Float1D, none: str
) -> Allocation:
    """Maximise a linear numerator, costs taken off, over the volatility."""
    model = model_of(estimates, constraints or Constraints())
    model.check_sum()
    unit = float(np.abs(numerator).max())
    if not unit > 0.0:
        raise InputError(none)
    gain = (model.padded(numerator) - model.charge) / unit
    widths = estimates.matrix() / float(np.diag(estimates.matrix()).max() or 1.0)
    found, factor = _scaled_best(model, gain, widths)
    if not found.is_optimal or not factor > 1e-12:
        model.check_feasible()
        if found.is_optimal:  # where the scale is 0 for want of risk, it is not for the positions to grow
            _check_moving(found.x[: model.n], widths)
        best = model.best_corner(-gain)
        most = math.inf if best is None else float(gain @ best)
        if not most > 1e-12:
            raise InputError(none)
        if best is not None:  # where little can be earned the scale is far from 1, and with it all numbers
            found, factor = _scaled_best(model, gain / most, widths)
        if not factor > 1e-12:
            raise InputError(
                f"{objective} has no maximum within the constraints: the ratio grows with the size of the positions, "
                "as the best mix of all is short on balance; give the weights finite bounds, or a budget it can have"
            )
    _check_moving(found.x[: model.n], widths)
    x = found.x[: model.size] / factor
    ratio = float(gain @ x) * unit / math.sqrt(_variance(estimates, x))
    return finished(objective, estimates, constraints, (model, x), value=ratio, residual=found.residual)


def _check_moving(weights: Float1D, covariance: Float2D) -> None:
    """Refuse a mix with a gain and no risk."""
    gross = float(np.abs(weights) @ np.sqrt(np.diag(covariance)))
    if float(weights @ covariance @ weights) <= max(1e-14, RISKLESS * gross**2):
        raise InputError(
            "a portfolio without any variance has a positive numerator: the covariance is singular; shrink it with "
            'covariance_method="ledoit_wolf", or leave the asset without variance out'
        )


def _scaled_best(model: Model, gain: Float1D, widths: Float2D) -> tuple[Solution, float]:
    """Return the least risk at a gain of 1 in weights times a scale, and that scale."""
    whole, scale = homogeneous(model, gain)
    found = solve(whole.quadratic(whole.curved(widths), np.zeros(whole.size)))
    return found, float(scale @ found.x)
