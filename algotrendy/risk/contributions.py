"""Which position carries how much of the risk: marginal, component and incremental.

Risk grows in proportion to the size of a book, so it is the sum over the positions of weight x marginal risk (Euler):
these components add up to the whole, exactly. Incremental risk answers another question, what the risk would be with a
change made, and does not add up.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, Float2D, NanPolicy
from algotrendy.errors import InputError
from algotrendy.risk.checks import choice, level
from algotrendy.risk.covariances import check_weights
from algotrendy.risk.distributions import STILL, normal_tail, tail_place
from algotrendy.risk.inputs import as_return_matrix, names_of
from algotrendy.risk.tail_measures import tail_model

__all__ = ["RiskMeasure", "incremental_risk", "risk_contributions", "volatility_contributions"]

RiskMeasure: TypeAlias = Literal["expected_shortfall", "value_at_risk", "volatility"]

_MEASURES = ("expected_shortfall", "value_at_risk", "volatility")


def risk_contributions(
    returns: Any,
    weights: Any,
    *,
    measure: RiskMeasure = "expected_shortfall",
    method: Literal["historical", "parametric"] = "historical",
    confidence_level: float = 0.95,
    nan_policy: NanPolicy = "raise",
) -> pd.DataFrame:
    """Return the marginal, component and incremental risk of each position of a book.

    Parameters
    ----------
    returns : array-like of shape (n_periods, n_positions)
        Simple returns per period of each position, as fractions.
    weights : mapping, Series or array of shape (n_positions,)
        Fractions of the equity, negative for short; they need not sum to 1, the rest is cash.
    measure : {"expected_shortfall", "value_at_risk", "volatility"}
        Of the book held at constant weights, over one period.
    method : {"historical", "parametric"}
        From the periods that make the tail, as they were; or of a normal distribution [1]_. For the volatility it is
        the same.
    confidence_level : float
        In (0, 1).
    nan_policy : {"raise", "omit"}
        Refuse NaN and say where, or leave out the periods in which any position has one.

    Returns
    -------
    DataFrame
        By position: `weight`; `marginal`, by how much the risk of the book grows per unit of weight; `component` =
        weight x marginal, they sum to the risk of the book; `share` of it, NaN if the book has none; `incremental`, the
        risk of the book less that without the position (its money in cash).

    Raises
    ------
    InputError
        If weights and columns do not match, or returns are not finite fractions.

    References
    ----------
    .. [1] Garman, M. (1996). Improving on VaR. Risk, 9(5), 61-63. For the tail as it was: Tasche, D. (2000). Risk
       contributions and performance measurement. Technische Universität München.

    Examples
    --------
    >>> returns = pd.DataFrame({"A": [-0.04, 0.01, 0.02, 0.0], "B": [0.01, -0.02, 0.0, 0.01]})
    >>> table = risk_contributions(returns, {"A": 0.5, "B": 0.5}, confidence_level=0.75)
    >>> table["component"].round(6).tolist(), round(float(table["component"].sum()), 6)
    ([0.02, -0.005], 0.015)
    """
    choice("measure", measure, _MEASURES)
    choice("method", method, ("historical", "parametric"))
    probability = level(confidence_level)
    values, names, shares = _book(returns, weights, nan_policy, 2)
    how = (measure, method, probability)
    whole, marginal = _risk_and_slope(values, shares, how)
    component = shares * marginal
    without = [_risk_and_slope(values, np.where(np.arange(shares.size) == j, 0.0, shares), how)[0]
               for j in range(shares.size)]  # fmt: skip
    return pd.DataFrame(
        {
            "weight": shares,
            "marginal": marginal,
            "component": component,
            "share": component / whole if abs(whole) > STILL else np.full(shares.size, np.nan),
            "incremental": whole - np.array(without),
        },
        index=names,
    )


def volatility_contributions(covariance: pd.DataFrame, weights: Any) -> pd.DataFrame:
    """Return what each position of a book adds to its volatility, by a covariance instead of returns.

    Parameters
    ----------
    covariance : DataFrame of shape (n_positions, n_positions)
        Of the positions' returns; its period is that of the result.
    weights : mapping, Series or array of shape (n_positions,)
        Fractions of the equity, negative for short; they need not sum to 1, the rest is cash.

    Returns
    -------
    DataFrame
        As `risk_contributions` with `measure="volatility"`, to which it is equal for the sample covariance.

    Raises
    ------
    InputError
        If weights and columns do not match, or the covariance is not square and finite.

    Examples
    --------
    >>> covariance = pd.DataFrame([[0.04, 0.0], [0.0, 0.01]], index=["A", "B"], columns=["A", "B"])
    >>> volatility_contributions(covariance, {"A": 0.6, "B": 0.9})["component"].round(6).tolist()
    [0.096, 0.054]
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise InputError(f"the covariance has the shape {matrix.shape}; give a square table of finite numbers")
    names = pd.Index(names_of(covariance, len(matrix)))
    shares = check_weights(weights, names)
    bend = matrix @ shares
    whole = math.sqrt(max(float(shares @ bend), 0.0))
    marginal = bend / whole if whole > STILL else np.zeros(shares.size)
    others = shares * (1.0 - np.eye(shares.size))
    without = np.maximum(np.einsum("ij,ij->i", others @ matrix, others), 0.0)
    return pd.DataFrame(
        {
            "weight": shares,
            "marginal": marginal,
            "component": shares * marginal,
            "share": shares * marginal / whole if whole > STILL else np.full(shares.size, np.nan),
            "incremental": whole - np.sqrt(without),
        },
        index=names,
    )


def incremental_risk(
    returns: Any,
    weights: Any,
    change: Any,
    *,
    measure: RiskMeasure = "value_at_risk",
    confidence_level: float = 0.95,
    nan_policy: NanPolicy = "raise",
    **options: Any,
) -> float:
    """Return by how much the risk of a book grows if its weights change, both books valued in full.

    Parameters
    ----------
    returns, weights
        As in `risk_contributions`.
    change : mapping, Series or array of shape (n_positions,)
        What is added to the weights. In a mapping, positions that do not change may be left out.
    measure : {"value_at_risk", "expected_shortfall", "volatility"}
        Of the book held at constant weights.
    confidence_level : float
        In (0, 1).
    nan_policy : {"raise", "omit"}
        Refuse NaN and say where, or leave out the periods in which any position has one.
    **options
        `method` and the other options of `value_at_risk`; the volatility takes none.

    Returns
    -------
    float
        In the unit of the measure; negative if the change reduces the risk.

    Examples
    --------
    >>> returns = pd.DataFrame({"A": [-0.04, 0.01, 0.02, 0.0], "B": [0.01, -0.02, 0.0, 0.01]})
    >>> round(incremental_risk(returns, {"A": 0.5, "B": 0.5}, {"A": -0.5}, measure="expected_shortfall",
    ...                        confidence_level=0.75), 6)
    -0.005
    """
    choice("measure", measure, _MEASURES)
    values, names, before = _book(returns, weights, nan_policy, 2)
    if hasattr(change, "keys"):
        change = {**dict.fromkeys(names, 0.0), **dict(change.items())}
    after = before + check_weights(change, names)
    if measure == "volatility":
        if options:
            raise InputError(f"the volatility takes no options, but {sorted(options)[0]!r} was given")
        return float(np.std(values @ after, ddof=1) - np.std(values @ before, ddof=1))
    model, which = tail_model(confidence_level, **options), 0 if measure == "value_at_risk" else 1
    return float(model.tail(values @ after)[which] - model.tail(values @ before)[which])


def _book(returns: Any, weights: Any, nan_policy: NanPolicy, least: int) -> tuple[Float2D, pd.Index, Float1D]:
    if nan_policy == "propagate":
        raise InputError('contributions have no answer for NaN; use nan_policy="raise" or "omit"')
    values = as_return_matrix(returns, nan_policy, min_periods=least)
    names = pd.Index(names_of(returns, values.shape[1]))
    return values, names, check_weights(weights, names)


def _risk_and_slope(values: Float2D, weights: Float1D, how: tuple[str, str, float]) -> tuple[float, Float1D]:
    """Return the risk of the book, and its derivative by each weight."""
    measure, method, probability = how
    if measure == "volatility" or method == "parametric":
        mean = values.mean(axis=0)
        centred = values - mean
        book = centred @ weights
        deviation = math.sqrt(float(book @ book) / (len(values) - 1.0))
        bend = centred.T @ book / (len(values) - 1.0) / deviation if deviation > STILL else np.zeros(weights.size)
        if measure == "volatility":
            return deviation, bend
        unit = normal_tail(0.0, 1.0, probability)[0 if measure == "value_at_risk" else 1]
        return unit * deviation - float(mean @ weights), unit * bend - mean
    order = np.argsort(values @ weights, kind="stable")
    scenario = np.zeros(len(values))
    if measure == "value_at_risk":
        at = tail_place(len(values), probability)
        first = int(at)
        scenario[order[first]] = 1.0 - (at - first)
        scenario[order[min(first + 1, len(values) - 1)]] += at - first
    else:
        mass = len(values) * probability
        whole = int(mass)
        scenario[order[:whole]] = 1.0 / mass
        scenario[order[min(whole, len(values) - 1)]] += (mass - whole) / mass
    marginal = -(values.T @ scenario)
    return float(marginal @ weights), marginal
