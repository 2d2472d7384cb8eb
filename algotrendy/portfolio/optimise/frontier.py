"""The efficient frontier: the least variance for each expected return."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algotrendy.errors import InputError
from algotrendy.portfolio.optimise.constraints import Constraints
from algotrendy.portfolio.optimise.estimates import Estimates, estimates_of
from algotrendy.portfolio.optimise.model import model_of, return_row
from algotrendy.portfolio.optimise.objectives import finished
from algotrendy.portfolio.optimise.result import Allocation
from algotrendy.risk.checks import whole

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Frontier", "efficient_frontier"]


@dataclass(frozen=True, eq=False)
class Frontier:
    """Portfolios from the least variance to the largest expected return.

    Attributes
    ----------
    allocations : tuple of Allocation
        In ascending order of the expected return, costs taken off.
    estimates : Estimates
        What the optimiser was told.
    """

    allocations: tuple[Allocation, ...]
    estimates: Estimates

    @property
    def points(self) -> pd.DataFrame:
        """`expected_return`, `volatility`, `sharpe_ratio` and `cost` of each portfolio, per year.

        The expected return is what is left after the `cost` of trading, and the ratio follows from it.
        """
        rows = []
        for one in self.allocations:
            left, volatility = one.expected_return - one.cost, one.volatility
            ratio = (left - self.estimates.risk_free_rate) / volatility if volatility > 0.0 else math.nan
            rows.append({"expected_return": left, "volatility": volatility, "sharpe_ratio": ratio, "cost": one.cost})
        return pd.DataFrame(rows)

    @property
    def weights(self) -> pd.DataFrame:
        """Weights, one row per portfolio."""
        return pd.DataFrame([one.weights for one in self.allocations]).reset_index(drop=True)

    def at_volatility(self, volatility: float) -> Allocation:
        """Return the portfolio with the largest expected return after costs at no more than a volatility per year.

        Raises
        ------
        InputError
            If even the least volatile has more.
        """
        found = [one for one in self.allocations if one.volatility <= volatility * (1.0 + 1e-12)]
        if not found:
            raise InputError(f"the least volatility is {self.allocations[0].volatility:g}, above {volatility:g}")
        return found[-1]

    def plot(self) -> go.Figure:
        """Return a Plotly figure: the frontier with its assets, and the weights along it."""
        from algotrendy.portfolio.optimise.figure import frontier_figure

        return frontier_figure(self)

    def __len__(self) -> int:
        return len(self.allocations)

    def __repr__(self) -> str:
        ends = self.points.iloc[[0, -1]]
        left, volatility = (
            " to ".join(f"{value:.2%}" for value in ends[name]) for name in ("expected_return", "volatility")
        )
        return f"Frontier({len(self)} portfolios, return {left}, volatility {volatility})"


def efficient_frontier(
    given: Estimates | pd.DataFrame, *, n_points: int = 25, constraints: Constraints | None = None
) -> Frontier:
    """Return portfolios of least variance at equally spaced expected returns [1]_.

    Parameters
    ----------
    given : Estimates or DataFrame of shape (n_periods, n_assets)
        What is known of the assets, with expected returns; a frame holds daily returns, as fractions.
    n_points : int
        At least 2: the ends are the portfolio of least variance and that of the largest expected return.
    constraints : Constraints, optional
        Long only with a sum of 1 if not given. Costs are taken off the return: the frontier is of what is left.

    Raises
    ------
    InputError
        If there are no expected returns, or weights without bounds let the return grow without end; as `min_variance`.

    References
    ----------
    .. [1] Markowitz, H. (1952). Portfolio selection. Journal of Finance, 7(1), 77-91.

    Examples
    --------
    >>> market = Estimates(pd.DataFrame([[0.04, 0.0], [0.0, 0.01]], index=["A", "B"], columns=["A", "B"]),
    ...                    expected_returns={"A": 0.08, "B": 0.03})
    >>> efficient_frontier(market, n_points=3).points.round(4)
       expected_return  volatility  sharpe_ratio  cost
    0             0.04      0.0894        0.4472   0.0
    1             0.06      0.1265        0.4743   0.0
    2             0.08      0.2000        0.4000   0.0
    """
    estimates = estimates_of(given)
    limits = constraints or Constraints()
    whole("n_points", n_points, 2)
    model = model_of(estimates, limits)
    P, q = model.curved(estimates.matrix()), np.zeros(model.size)
    gain = model.padded(estimates.expected() - estimates.risk_free_rate) - model.charge
    first = model.minimise(P, q)
    top = model.best_corner(-gain)
    if top is None:
        raise InputError("the expected return grows without end; give the weights finite bounds, or a gross_max")
    low, high = float(gain @ first.x), float(gain @ top)
    room = 1e-10 * max(abs(high), abs(low))  # a corner alone has no inside to walk through
    found, solution = [], first
    for k, excess in enumerate(np.linspace(low, max(high - room, low), n_points)):
        if k:
            least = float(excess) + estimates.risk_free_rate
            at = model.with_row(return_row(estimates, model.charge, least))
            solution = at.minimise(P, q, replace(solution, rows=np.append(first.rows, 1.0)))
        value = math.sqrt(max(float(solution.x @ P @ solution.x), 0.0))
        point = (model, solution.x)
        found.append(finished("min_variance", estimates, limits, point, value=value, residual=solution.residual))
    return Frontier(tuple(found), estimates)
