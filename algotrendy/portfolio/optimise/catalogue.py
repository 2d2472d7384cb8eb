"""The optimisers of skfolio, by name and with our result."""

from __future__ import annotations

import inspect
from typing import Any, Literal

import numpy as np
import pandas as pd

from algotrendy.errors import InputError, MissingExtraError
from algotrendy.portfolio.optimise.estimates import Estimates
from algotrendy.portfolio.optimise.result import Allocation
from algotrendy.portfolio.optimise.window import WeightEstimator

__all__ = ["skfolio_estimator", "skfolio_names", "skfolio_portfolio"]


def skfolio_names() -> tuple[str, ...]:
    """Return the names of the optimisers that the installed skfolio has.

    Raises
    ------
    MissingExtraError
        If skfolio is not installed.

    Examples
    --------
    >>> "MeanRisk" in skfolio_names()
    True
    """
    module = _skfolio()
    base = module.BaseOptimization
    return tuple(
        sorted(
            name
            for name, found in vars(module).items()
            if inspect.isclass(found) and issubclass(found, base) and not inspect.isabstract(found)
        )
    )


def skfolio_estimator(name: str, **options: Any) -> WeightEstimator:
    """Return an optimiser of skfolio: for `rolling_weights` and `walk_forward_weights`.

    Parameters
    ----------
    name : str
        One of `skfolio_names`, such as "MeanRisk" or "NestedClustersOptimization".
    **options
        Of that class.

    Raises
    ------
    MissingExtraError
        If skfolio is not installed.
    InputError
        If it has no such optimiser, or that one no such option.

    Examples
    --------
    >>> skfolio_estimator("MeanRisk", min_weights=0.05)
    MeanRisk(min_weights=0.05)
    """
    names = skfolio_names()
    if name not in names:
        raise InputError(f"skfolio has no optimiser {name!r}; choose one of: {', '.join(names)}")
    try:
        found: WeightEstimator = getattr(_skfolio(), name)(**options)
    except TypeError as error:
        raise InputError(f"{name} of skfolio refuses these options: {error}") from error
    return found


def skfolio_portfolio(
    estimator: str | WeightEstimator,
    returns: pd.DataFrame,
    *,
    risk_free_rate: float = 0.0,
    periods_per_year: float = 252.0,
    nan_policy: Literal["raise", "omit"] = "raise",
    **options: Any,
) -> Allocation:
    """Return the portfolio of one of skfolio's optimisers, with the figures that ours have.

    Parameters
    ----------
    estimator : str or object
        A name and its `options`, or an estimator that is set up already; it is fitted.
    returns : DataFrame of shape (n_periods, n_assets)
        Simple returns per period, as fractions.
    risk_free_rate : float
        Per year, for the figures of the result; skfolio has its own, per period.
    periods_per_year, nan_policy
        As in `Estimates.from_returns`.
    **options
        Of the optimiser, such as `min_weights`, `groups`, `linear_constraints`.

    Returns
    -------
    Allocation
        Of status "rule": what the optimum is worth is skfolio's to say.

    Raises
    ------
    MissingExtraError
        If skfolio is not installed.
    InputError
        If it has no such optimiser, or leaves no finite weights.

    Examples
    --------
    >>> returns = pd.DataFrame({"A": [0.01, -0.01, 0.0], "B": [0.0, 0.01, -0.02]})
    >>> skfolio_portfolio("EqualWeighted", returns).weights.to_dict()
    {'A': 0.5, 'B': 0.5}
    """
    estimates = Estimates.from_returns(
        returns, risk_free_rate=risk_free_rate, periods_per_year=periods_per_year, nan_policy=nan_policy
    )
    if isinstance(estimator, str):
        estimator = skfolio_estimator(estimator, **options)
    elif options:
        raise InputError(f"the estimator is set up already; set {sorted(options)[0]!r} on it")
    assert estimates.returns is not None
    estimator.fit(estimates.returns)
    weights = np.asarray(estimator.weights_, dtype=np.float64)
    if weights.shape != (len(estimates.names),) or not np.isfinite(weights).all():
        raise InputError(f"{type(estimator).__name__} left weights_ of shape {weights.shape}, or not finite ones")
    series = pd.Series(weights, index=estimates.covariance.index, name="weight")
    return Allocation(objective=f"skfolio {type(estimator).__name__}", weights=series, estimates=estimates)


def _skfolio() -> Any:
    try:
        import skfolio.optimization as module
    except ImportError as error:
        raise MissingExtraError("skfolio", "optimise") from error
    return module
