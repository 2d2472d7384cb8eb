"""Weights by optimisation: least variance, best ratios, risk parity, hierarchical risk parity, least shortfall, views.

An optimiser takes `Estimates` (or returns) and `Constraints`, and gives an `Allocation`. `quadratic` solves the
programmes with numpy and scipy alone; `catalogue` runs any optimiser of skfolio. `rolling` makes target weights through
time. Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.portfolio.optimise.catalogue import skfolio_estimator, skfolio_names, skfolio_portfolio
    from algotrendy.portfolio.optimise.constraints import Constraints
    from algotrendy.portfolio.optimise.estimates import Estimates
    from algotrendy.portfolio.optimise.frontier import Frontier, efficient_frontier
    from algotrendy.portfolio.optimise.hierarchical import hierarchical_risk_parity
    from algotrendy.portfolio.optimise.objectives import max_diversification, max_sharpe, mean_variance, min_variance
    from algotrendy.portfolio.optimise.parity import equal_weight, inverse_volatility, risk_parity
    from algotrendy.portfolio.optimise.result import Allocation
    from algotrendy.portfolio.optimise.rolling import OBJECTIVES, Objective, WeightOptimiser, rolling_weights
    from algotrendy.portfolio.optimise.tail import min_cvar
    from algotrendy.portfolio.optimise.views import View, black_litterman, equilibrium_returns
    from algotrendy.portfolio.optimise.window import WeightEstimator

_HOME_OF = {
    "Allocation": ".result",
    "Constraints": ".constraints",
    "Estimates": ".estimates",
    "Frontier": ".frontier",
    "OBJECTIVES": ".rolling",
    "Objective": ".rolling",
    "View": ".views",
    "WeightEstimator": ".window",
    "WeightOptimiser": ".rolling",
    "black_litterman": ".views",
    "efficient_frontier": ".frontier",
    "equal_weight": ".parity",
    "equilibrium_returns": ".views",
    "hierarchical_risk_parity": ".hierarchical",
    "inverse_volatility": ".parity",
    "max_diversification": ".objectives",
    "max_sharpe": ".objectives",
    "mean_variance": ".objectives",
    "min_cvar": ".tail",
    "min_variance": ".objectives",
    "risk_parity": ".parity",
    "rolling_weights": ".rolling",
    "skfolio_estimator": ".catalogue",
    "skfolio_names": ".catalogue",
    "skfolio_portfolio": ".catalogue",
}

__all__ = [
    "OBJECTIVES",
    "Allocation",
    "Constraints",
    "Estimates",
    "Frontier",
    "Objective",
    "View",
    "WeightEstimator",
    "WeightOptimiser",
    "black_litterman",
    "efficient_frontier",
    "equal_weight",
    "equilibrium_returns",
    "hierarchical_risk_parity",
    "inverse_volatility",
    "max_diversification",
    "max_sharpe",
    "mean_variance",
    "min_cvar",
    "min_variance",
    "risk_parity",
    "rolling_weights",
    "skfolio_estimator",
    "skfolio_names",
    "skfolio_portfolio",
]

__getattr__ = lazy_names(__name__, _HOME_OF)
