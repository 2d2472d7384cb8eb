"""A portfolio that an optimiser found: its weights, what is expected of it, and how good the optimum is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from algotrendy.domain.types import Float1D
from algotrendy.portfolio.optimise.estimates import Estimates
from algotrendy.risk.contributions import volatility_contributions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import plotly.graph_objects as go

    from algotrendy.portfolio.rebalance import WholeShares

__all__ = ["Allocation"]


@dataclass(frozen=True, eq=False)
class Allocation:
    """Weights and what follows from them.

    Attributes
    ----------
    objective : str
        What was optimised.
    weights : Series of shape (n_assets,)
        Fractions of the equity, below 0 for short. What they leave to 1 is cash.
    estimates : Estimates
        What the optimiser was told.
    value : float
        Of the objective: the volatility of `min_variance`, the ratio of `max_sharpe` and `max_diversification`, the
        expected shortfall of `min_cvar` over one period, the utility of `mean_variance`. NaN where nothing is
        optimised.
    kkt_residual : float
        By how much the conditions of an optimum are missed at most, on a scale on which weights and slopes are about 1;
        below 1e-9 is exact for all purposes. NaN for methods without an optimum, such as hierarchical risk parity.
    status : {"optimal", "inaccurate", "rule"}
        Whether it is the optimum, nearly so, or the outcome of a rule that optimises nothing.
    binding : tuple of str
        Inequalities that are met with nothing to spare: "A <= 0.3", "group tech <= 0.4". Loosening others changes
        nothing.
    cost : float
        Of trading from what is held, as a fraction of the equity.
    turnover : float
        (Purchases + sales) / 2 against what is held; NaN if that was not told.
    """

    objective: str
    weights: pd.Series
    estimates: Estimates
    value: float = math.nan
    kkt_residual: float = math.nan
    status: Literal["optimal", "inaccurate", "rule"] = "rule"
    binding: tuple[str, ...] = ()
    cost: float = 0.0
    turnover: float = math.nan

    @property
    def cash(self) -> float:
        """What the weights leave to 1; below 0 is borrowed."""
        return 1.0 - float(self.weights.sum())

    @property
    def expected_return(self) -> float:
        """Per year, with cash at the risk-free rate, before `cost`; NaN without expected returns."""
        if self.estimates.expected_returns is None:
            return math.nan
        return float(self._array @ self.estimates.expected() + self.cash * self.estimates.risk_free_rate)

    @property
    def volatility(self) -> float:
        """Standard deviation per year."""
        return math.sqrt(max(float(self._array @ self.estimates.matrix() @ self._array), 0.0))

    @property
    def sharpe_ratio(self) -> float:
        """Expected return above the risk-free rate per volatility, both per year; NaN without either."""
        volatility = self.volatility
        excess = self.expected_return - self.estimates.risk_free_rate
        return excess / volatility if volatility > 0.0 else math.nan

    @property
    def contributions(self) -> pd.DataFrame:
        """Volatility by asset: `weight`, `marginal`, `component` (they sum to it), `share`, `incremental`."""
        return volatility_contributions(self.estimates.covariance, self.weights)

    @property
    def effective_assets(self) -> float:
        """Number of equal weights that are as concentrated: 1 / sum of (weight / gross)^2; 0.0 without any."""
        gross = float(np.abs(self._array).sum())
        return 1.0 / float(np.sum((self._array / gross) ** 2)) if gross > 0.0 else 0.0

    @property
    def diversification_ratio(self) -> float:
        """Weighted mean of the assets' volatilities over that of the portfolio; NaN without volatility."""
        volatility = self.volatility
        own = float(self._array @ self.estimates.volatilities.to_numpy(dtype=np.float64))
        return own / volatility if volatility > 0.0 else math.nan

    @property
    def _array(self) -> Float1D:
        return self.weights.to_numpy(dtype=np.float64)

    def whole_shares(
        self,
        prices: Mapping[str, Any],
        capital: Any,
        *,
        lot_sizes: Mapping[str, Any] | None = None,
        method: Literal["largest_remainder", "exact"] = "exact",
    ) -> WholeShares:
        """Return the whole lots to buy with an amount of money, and the cash that is left.

        Parameters
        ----------
        prices, capital, lot_sizes, method
            As in `portfolio.whole_shares`, whose `money` is the capital. "exact" is the least distance from the weights
            that whole lots can have.

        Raises
        ------
        InputError
            If a weight is short, or as `whole_shares`.

        Examples
        --------
        >>> from algotrendy.portfolio.optimise import equal_weight
        >>> halves = equal_weight(pd.DataFrame({"A": [0.01, -0.01, 0.0], "B": [0.0, 0.01, -0.02]}))
        >>> shares = halves.whole_shares({"A": 30, "B": 7}, 100)
        >>> shares.quantities, shares.cash
        ({'A': Decimal('1'), 'B': Decimal('7')}, Decimal('21'))
        """
        from algotrendy.portfolio.rebalance import whole_shares

        weights = {name: float(self.weights[name]) for name in self.estimates.names}
        return whole_shares(weights, prices, capital, lot_sizes=lot_sizes, method=method)

    def plot(self) -> go.Figure:
        """Return a Plotly figure: each asset's weight beside its share of the volatility."""
        from algotrendy.portfolio.optimise.figure import allocation_figure

        return allocation_figure(self)

    def frame(self) -> pd.DataFrame:
        """Return weight, expected return, volatility and share of the portfolio's volatility of each asset."""
        expected = self.estimates.expected_returns
        return pd.DataFrame(
            {
                "weight": self.weights,
                "expected_return": math.nan if expected is None else expected,
                "volatility": self.estimates.volatilities,
                "risk_share": self.contributions["share"],
            }
        )

    def summary(self) -> str:
        """Return the portfolio as plain text."""
        lines = [f"{label:<24}{text:>14}" for label, text in self._figures]
        shown = self.frame().to_string(float_format="{:.4f}".format, max_rows=30)
        binding = f"\nbinding: {', '.join(self.binding[:8])}{' ...' if len(self.binding) > 8 else ''}"
        return "\n".join([f"Portfolio: {self.objective}", *lines, shown]) + (binding if self.binding else "")

    @property
    def _figures(self) -> list[tuple[str, str]]:
        return [
            ("Expected return", f"{self.expected_return:.2%}"),
            ("Volatility", f"{self.volatility:.2%}"),
            ("Sharpe ratio", f"{self.sharpe_ratio:.3f}"),
            ("Cash", f"{self.cash:.2%}"),
            ("Effective assets", f"{self.effective_assets:.1f} of {len(self.weights)}"),
            ("Status", self.status),
        ]

    def __repr__(self) -> str:
        return (
            f"Allocation({self.objective}, {len(self.weights)} assets, volatility {self.volatility:.2%}, {self.status})"
        )

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(label)}</th><td>{escape(text)}</td></tr>"
            for label, text in self._figures
        )
        return f"<p>Portfolio: {escape(self.objective)}</p><table>{rows}</table>{self.frame().to_html(max_rows=30)}"
