"""Expected returns from a market in equilibrium and from views, weighed by how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.portfolio.optimise.constraints import per_asset
from algotrendy.portfolio.optimise.estimates import Estimates, series_of
from algotrendy.portfolio.optimise.objectives import RISKLESS
from algotrendy.risk.checks import number, positive

__all__ = ["View", "black_litterman", "equilibrium_returns"]


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """What somebody expects of one asset, or of some against others.

    Attributes
    ----------
    assets : mapping of str to float
        The view's portfolio: ``{"A": 1}`` is about A alone, ``{"A": 1, "B": -1}`` about A against B.
    value : float
        Its expected return per year, as a fraction: of a view of one asset with the risk-free rate in it, of a relative
        view the difference.
    confidence : float
        Between 0 (ignored) and 1 (certain). The uncertainty is ``(1 - confidence) / confidence`` times that of the
        prior about the view's portfolio [1]_; 0.5 makes them equal, as He and Litterman do.
    variance : float, optional
        The uncertainty itself, instead of a confidence: a variance of the mean per year.

    References
    ----------
    .. [1] Idzorek, T. (2007). A step-by-step guide to the Black-Litterman model. In Satchell, S. (ed.), Forecasting
       Expected Returns in the Financial Markets, 17-38; the closed form: Walters, J. (2014), SSRN 1314585.

    Examples
    --------
    >>> View(assets={"A": 1, "B": -1}, value=0.02, confidence=0.7).confidence
    0.7
    """

    assets: Mapping[str, float]
    value: float
    confidence: float = 0.5
    variance: float | None = None

    def __post_init__(self) -> None:
        number("value", self.value)
        if not self.assets or not any(self.assets.values()):
            raise InputError('a view is about at least one asset; give assets={"A": 1}')
        if not 0.0 <= number("confidence", self.confidence) <= 1.0:
            raise InputError(f"confidence is {self.confidence!r}; use a number between 0 (ignored) and 1 (certain)")
        if self.variance is not None and not number("variance", self.variance) >= 0.0:
            raise InputError(f"variance is {self.variance!r}; use a number of at least 0")


def equilibrium_returns(
    covariance: pd.DataFrame, market_weights: Mapping[str, float] | pd.Series, *, risk_aversion: float = 2.5
) -> pd.Series:
    """Return the expected returns above the risk-free rate at which the market's weights are the best.

    Parameters
    ----------
    covariance : DataFrame of shape (n_assets, n_assets)
        Per year.
    market_weights : mapping or Series
        Of the market, such as capitalisations over their sum.
    risk_aversion : float
        Of the market: its excess return over its variance.

    Returns
    -------
    Series of shape (n_assets,)
        ``risk_aversion x covariance x weights``, per year.

    Examples
    --------
    >>> covariance = pd.DataFrame([[0.04, 0.0], [0.0, 0.01]], index=["A", "B"], columns=["A", "B"])
    >>> equilibrium_returns(covariance, {"A": 0.6, "B": 0.4}).round(6).to_dict()
    {'A': 0.06, 'B': 0.01}
    """
    names = list(covariance.columns)
    weights = series_of(market_weights, names, "market weight")
    return pd.Series(
        positive("risk_aversion", risk_aversion) * (covariance.to_numpy(dtype=np.float64) @ weights.to_numpy()),
        index=covariance.index,
    )


def black_litterman(
    estimates: Estimates,
    views: Sequence[View],
    *,
    market_weights: Mapping[str, float] | pd.Series | None = None,
    prior: Mapping[str, float] | pd.Series | None = None,
    risk_aversion: float = 2.5,
    tau: float = 0.05,
) -> Estimates:
    """Return the estimates that a prior and views make together [1]_.

    Parameters
    ----------
    estimates : Estimates
        Covariance and risk-free rate; expected returns in it are not read.
    views : sequence of View
        There may be none: then the prior is returned, with its own uncertainty.
    market_weights : mapping or Series, optional
        The prior is the equilibrium in which they are the best.
    prior : mapping or Series, optional
        Expected returns per year, the risk-free rate in them, instead of `market_weights`.
    risk_aversion : float
        Of the market; see `equilibrium_returns`.
    tau : float
        Uncertainty of the prior's means: their covariance is `tau` times that of the returns. About 1 / years seen.

    Returns
    -------
    Estimates
        Posterior means with the risk-free rate in them, and the covariance of returns including the uncertainty of the
        means. Past returns stay as they are: `min_cvar`, which reads those, heeds views through `return_min` alone, and
        optimisers of risk alone see no more of them than the wider covariance.

    Raises
    ------
    InputError
        If a view names an unknown asset or is about what has no variance, both or none of the priors are given, or
        certain views contradict each other.

    References
    ----------
    .. [1] Black, F. and Litterman, R. (1992). Global portfolio optimization. Financial Analysts Journal, 48(5), 28-43.
       He, G. and Litterman, R. (1999). The intuition behind Black-Litterman model portfolios. Goldman Sachs.

    Examples
    --------
    >>> market = Estimates(pd.DataFrame([[0.04, 0.0], [0.0, 0.01]], index=["A", "B"], columns=["A", "B"]))
    >>> view = View(assets={"A": 1}, value=0.08)
    >>> black_litterman(market, [view], market_weights={"A": 0.6, "B": 0.4}).expected_returns.round(6).to_dict()
    {'A': 0.07, 'B': 0.01}
    """
    names, sigma, rate = estimates.names, estimates.matrix(), estimates.risk_free_rate
    spread = positive("tau", tau) * sigma
    if (market_weights is None) == (prior is None):
        raise InputError("give market_weights, in whose equilibrium the prior lies, or the prior itself; one of them")
    if market_weights is not None:
        excess = equilibrium_returns(estimates.covariance, market_weights, risk_aversion=risk_aversion).to_numpy()
    else:
        excess = series_of(prior, names, "prior return").to_numpy() - rate
    heard = [view for view in views if view.variance is not None or view.confidence > 0.0]
    means, unsure = excess, spread
    if heard:
        P = np.array([per_asset(dict(view.assets), names, 0.0, "a view") for view in heard])
        # A view of one asset has the risk-free rate in it once, a relative one not at all.
        wanted = np.array([view.value for view in heard]) - rate * P.sum(axis=1)
        _check_moving(P, sigma, names)
        doubts = np.array([_doubt(view, row, spread) for view, row in zip(heard, P, strict=True)])
        seen = P @ spread @ P.T + np.diag(doubts)
        if np.linalg.cond(seen) > 1e13:
            raise InputError("views that are certain say the same or contradict each other; lower their confidence")
        gain = np.linalg.solve(seen, P @ spread).T
        means = excess + gain @ (wanted - P @ excess)
        unsure = spread - gain @ (P @ spread)
        unsure = (unsure + unsure.T) / 2.0
    index = estimates.covariance.index
    return replace(
        estimates,
        covariance=pd.DataFrame(sigma + unsure, index=index, columns=estimates.covariance.columns),
        expected_returns=pd.Series(means + rate, index=index),
    )


def _check_moving(P: Float2D, sigma: Float2D, names: list[Any]) -> None:
    """Refuse a view of what the prior is certain of, which no view can move."""
    own = np.sqrt(np.diag(sigma))
    for row in P:
        if not float(row @ sigma @ row) > RISKLESS * float(np.abs(row) @ own) ** 2:
            about = ", ".join(repr(name) for name, each in zip(names, row, strict=True) if each)
            raise InputError(
                f"the view of {about} is about what has no variance, so the prior is certain and no view can change "
                "it; leave the view out, or shrink the covariance"
            )


def _doubt(view: View, row: Float1D, spread: Any) -> float:
    if view.variance is not None:
        return float(view.variance)
    return float(row @ spread @ row) * (1.0 - view.confidence) / view.confidence
