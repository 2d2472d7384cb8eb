"""Target weights through time: an optimiser refitted on a schedule to what was known then."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.calendar import first_of_period
from algotrendy.domain.types import Float1D, Int1D
from algotrendy.errors import InputError
from algotrendy.portfolio.optimise.constraints import Constraints
from algotrendy.portfolio.optimise.estimates import Estimates, Expected
from algotrendy.portfolio.optimise.hierarchical import hierarchical_risk_parity
from algotrendy.portfolio.optimise.objectives import (
    MISSED_MAX,
    max_diversification,
    max_sharpe,
    mean_variance,
    min_variance,
)
from algotrendy.portfolio.optimise.parity import equal_weight, inverse_volatility, risk_parity
from algotrendy.portfolio.optimise.result import Allocation
from algotrendy.portfolio.optimise.tail import min_cvar
from algotrendy.portfolio.optimise.window import PriceTable, WeightEstimator, check_estimator
from algotrendy.risk.checks import choice, whole
from algotrendy.risk.covariances import CovarianceMethod

__all__ = ["OBJECTIVES", "Objective", "WeightOptimiser", "rolling_weights"]

Objective: TypeAlias = Literal[
    "equal_weight",
    "hierarchical_risk_parity",
    "inverse_volatility",
    "max_diversification",
    "max_sharpe",
    "mean_variance",
    "min_cvar",
    "min_variance",
    "risk_parity",
]

OBJECTIVES: dict[str, Callable[..., Allocation]] = {
    "equal_weight": equal_weight,
    "hierarchical_risk_parity": hierarchical_risk_parity,
    "inverse_volatility": inverse_volatility,
    "max_diversification": max_diversification,
    "max_sharpe": max_sharpe,
    "mean_variance": mean_variance,
    "min_cvar": min_cvar,
    "min_variance": min_variance,
    "risk_parity": risk_parity,
}
"""What `WeightOptimiser` knows by name."""

_WITHOUT_CONSTRAINTS = ("equal_weight", "inverse_volatility")


@dataclass(eq=False)
class WeightOptimiser:
    """An optimiser with its settings, to be fitted to returns: for `rolling_weights` and `walk_forward_weights`.

    Attributes
    ----------
    objective : str, or callable of Estimates to Allocation
        One of `OBJECTIVES`, or a function of your own: the place for views, say. A function takes estimates alone;
        constraints and options go inside it.
    covariance_method, expected_returns, risk_free_rate, periods_per_year
        As in `Estimates.from_returns`. Expected returns given as a mapping may name more assets than are fitted.
    constraints : Constraints, optional
        What they say of assets that are not fitted is left out. With `held` (``{}`` will do), `rolling_weights` tells
        what is held at each decision.
    options : mapping
        Of the objective: `risk_aversion`, `confidence_level`, `risk_budgets`, `linkage`, ...
    weights_ : array of shape (n_assets,)
        After `fit`.
    allocation_ : Allocation
        After `fit`.

    Examples
    --------
    >>> returns = pd.DataFrame({"A": [0.02, -0.02, 0.0], "B": [0.0, 0.01, -0.01]})
    >>> WeightOptimiser("inverse_volatility", covariance_method="sample").fit(returns).weights_.round(4)
    array([0.3333, 0.6667])
    """

    objective: Objective | Callable[[Estimates], Allocation] = "min_variance"
    covariance_method: CovarianceMethod = "ledoit_wolf"
    expected_returns: Expected = "mean"
    risk_free_rate: float = 0.0
    periods_per_year: float = 252.0
    constraints: Constraints | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if callable(self.objective):
            if self.constraints is not None or self.options:
                raise InputError(
                    "an objective of your own takes Estimates alone; put constraints and options inside it, or give "
                    "the name of one of ours"
                )
        else:
            choice("objective", self.objective, OBJECTIVES)
            if self.constraints is not None and self.objective in _WITHOUT_CONSTRAINTS:
                raise InputError(f"{self.objective} is a rule without constraints; use another objective")

    @property
    def asks_for_holdings(self) -> bool:
        """Whether the constraints look at what is held."""
        return self.constraints is not None and self.constraints.held is not None

    def fit(self, X: pd.DataFrame, *, held: pd.Series | None = None) -> WeightOptimiser:
        """Optimise for the returns of some periods.

        Parameters
        ----------
        X : DataFrame of shape (n_periods, n_assets)
            Simple returns per period, as fractions.
        held : Series, optional
            Weights now, instead of those of the constraints. Of assets that are not fitted everything is sold; neither
            those sales nor what is bought for them count against `turnover_max`.

        Raises
        ------
        InputError
            If the objective refuses these returns or finds no optimum (it misses the conditions by more than 1e-6), or
            looks at no holdings and is told some.
        """
        names = list(X.columns)
        if held is not None and (callable(self.objective) or self.objective in _WITHOUT_CONSTRAINTS):
            raise InputError("the objective looks at no holdings; leave held out, or use one that takes constraints")
        expected = self.expected_returns
        if expected is not None and not isinstance(expected, str):
            expected = {name: float(expected[name]) for name in names if name in expected}
        estimates = Estimates.from_returns(
            X, covariance_method=self.covariance_method, expected_returns=expected,
            risk_free_rate=self.risk_free_rate, periods_per_year=self.periods_per_year,
        )  # fmt: skip
        if callable(self.objective):
            found = self.objective(estimates)
        elif self.objective in _WITHOUT_CONSTRAINTS:
            found = OBJECTIVES[self.objective](estimates, **self.options)
        else:
            limits = (self.constraints or Constraints()).for_assets(names)
            if held is not None:
                limits = _held_now(limits, held, names)
            found = OBJECTIVES[self.objective](estimates, constraints=limits, **self.options)
        if found.status == "inaccurate" and not found.kkt_residual <= MISSED_MAX:
            raise InputError(
                f"{found.objective} found no optimum: its conditions are missed by {found.kkt_residual:.2g}; bound the "
                "weights, or shrink the covariance"
            )
        self.allocation_ = found
        self.weights_ = found.weights.reindex(names).to_numpy(dtype=np.float64)
        return self


def rolling_weights(
    prices: pd.DataFrame, estimator: WeightEstimator, *, window: int = 252, every: str | int = "1mo"
) -> pd.DataFrame:
    """Refit an estimator on a schedule to the latest bars, and return its weights: `backtest(bars, weights=...)`.

    A row stands at the bar at whose end it is decided, and uses that bar and those before it alone. A
    `WeightOptimiser` with `turnover_max` or `costs` is told what is held then: the last weights, drifted with prices.
    The sale of a symbol that is not fitted any more, and what is bought for it, do not count against `turnover_max`.

    Parameters
    ----------
    prices : DataFrame of shape (n_bars, n_symbols)
        Closes, adjusted for splits and dividends; indexed by time, oldest first. A symbol that lacks a price on any bar
        of a window is not given to the estimator there, and its weight is 0.
    estimator : WeightOptimiser or another with `fit(X)` and `weights_`
        Is copied for each decision, and not changed.
    window : int
        Bars looked back at, the deciding one included; one return less.
    every : str or int
        "1d", "1wk" or "1mo": at the first bar of each such period, which is known when it is there; or so many bars.
        The first decision is the first at which there are `window` bars.

    Returns
    -------
    DataFrame of shape (n_decisions, n_symbols)
        Weights as fractions of the equity, by the time of the decision.

    Raises
    ------
    InputError
        If prices are not sound or too few, no symbol has all prices of a window, or the estimator refuses one; the
        message tells the time.

    Examples
    --------
    >>> import algotrendy as at
    >>> prices = pd.DataFrame({name: at.synthetic(n=120, seed=k)["close"] for k, name in enumerate("AB")})
    >>> weights = rolling_weights(prices, WeightOptimiser("risk_parity"), window=60, every=20)
    >>> weights.shape, weights.index[0] == prices.index[59], weights.sum(axis=1).round(9).unique().tolist()
    ((4, 2), True, [1.0])
    """
    table = PriceTable(prices)
    check_estimator(estimator)
    decisions = _decisions(table, whole("window", window, 3), every)
    rows: list[Float1D] = []
    for k, bar in enumerate(decisions):
        asked, options = estimator, {}
        if isinstance(estimator, WeightOptimiser) and estimator.asks_for_holdings:
            if k:
                held = _drifted(rows[-1], table, int(decisions[k - 1]), int(bar))
                options["held"] = pd.Series(held, index=pd.Index(table.symbols))
            else:
                asked = _from_cash(estimator)
        try:
            rows.append(table.fitted(asked, int(bar) - window + 1, int(bar) + 1, **options))
        except InputError as error:
            raise InputError(f"at {table.index[bar]}: {error}") from error
    return pd.DataFrame(rows, index=table.index[decisions], columns=prices.columns)


def _decisions(table: PriceTable, window: int, every: str | int) -> Int1D:
    n = len(table.index)
    if n < window:
        raise InputError(f"there are {n} bars, fewer than the window of {window}; give more, or a shorter window")
    bars = np.arange(window - 1, n)
    if isinstance(every, str):
        first = first_of_period(table.index, every)[window - 1 :]
        first[0] = True
        return bars[first]
    return bars[:: whole("every", every, 1)]


def _held_now(limits: Constraints, held: pd.Series, names: list[Any]) -> Constraints:
    """Return the limits from what is held, with room to replace what is held of assets that are not fitted."""
    known = set(names)
    kept: dict[Any, float] = {name: float(weight) for name, weight in held.items() if name in known}
    most = limits.turnover_max
    if most is not None:  # each unit that is gone makes one of purchases, and turnover is half of both
        most += sum(abs(float(weight)) for name, weight in held.items() if name not in known) / 2.0
    return replace(limits, held=kept, turnover_max=most)


def _from_cash(estimator: WeightOptimiser) -> WeightOptimiser:
    """Return the optimiser for the first decision: what is bought then is no turnover to be kept down."""
    first = copy.copy(estimator)
    first.constraints = replace(estimator.constraints or Constraints(), turnover_max=None, costs=0.0)
    return first


def _drifted(weights: Float1D, table: PriceTable, begin: int, end: int) -> Float1D:
    """Return what weights have become from one bar to another by prices alone; a missing price is the last one."""
    rows = pd.DataFrame(table.values[begin : end + 1]).ffill().to_numpy()
    grown = np.nan_to_num(rows[-1] / rows[0], nan=1.0)
    return np.asarray(weights * grown / (1.0 + float(weights @ (grown - 1.0))))
