"""How much money a strategy can carry: its return and Sharpe ratio against capital, with impact and limits on volume.

The trades are those of the stated run, on one instrument or several. Each moves the price against itself by the square
root law of market impact, and takes no more than a share of the volume of its bar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.capacity_account import CapacityAccount, sized, square_root_impact
from algotrendy.backtest.capacity_stage import Stage, stage_of
from algotrendy.backtest.curves import HoldMetrics, metrics_of_curve
from algotrendy.backtest.plots import axis, layout_of
from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.reports.palette import ACCENT, INK
from algotrendy.strategy.parameter import is_number

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.result import BacktestResult

__all__ = ["CapacityCurve", "capacity", "square_root_impact"]


@dataclass(frozen=True, eq=False)
class CapacityCurve:
    """What a strategy earns with more and more money.

    Attributes
    ----------
    table : DataFrame
        One row per `capital` (the index): `total_return`, `annual_return`, `volatility`, `sharpe_ratio`,
        `max_drawdown` (fractions), `impact_paid` (currency), `filled_share` of the wanted units of all entries,
        `largest_share` of a bar's mean volume that an order took.
    impact : float
        Coefficient of the square root law.
    participation : float or None
        Largest share of the volume of a bar.
    """

    table: pd.DataFrame
    impact: float
    participation: float | None

    def plot(self) -> go.Figure:
        """Return a Plotly figure: annual return, and Sharpe ratio below, against capital on a logarithmic axis."""
        import plotly.graph_objects as go

        capital = self.table.index.to_numpy(dtype=np.float64)
        traces = [
            _line(capital, self.table["annual_return"], "Annual return", color=ACCENT, axis="y", hover="%{y:.1%}"),
            _line(capital, self.table["sharpe_ratio"], "Sharpe ratio", color=INK, axis="y2", hover="%{y:.2f}"),
        ]
        layout = layout_of(
            xaxis=axis(type="log", title={"text": "capital"}, tickformat="~s"),
            yaxis=axis(domain=[0.54, 1.0], tickformat=".1%", title={"text": "annual return"}),
            yaxis2=axis(domain=[0.0, 0.46], tickformat=".2f", title={"text": "Sharpe ratio"}),
            hovermode="x unified",
            height=560,
            paper_bgcolor="#ffffff",
            plot_bgcolor="#ffffff",
        )
        layout["xaxis"] |= {"anchor": "y2"}
        layout["margin"] = {"l": 70, "r": 24, "t": 50, "b": 60}
        figure: go.Figure = go.Figure({"data": traces, "layout": layout})
        return figure

    def _repr_html_(self) -> str:
        return self.table.to_html()


def capacity(
    result: BacktestResult | PortfolioResult,
    capital: Sequence[float],
    *,
    impact: float = 1.0,
    participation: float | None = 0.1,
    **given: Any,
) -> CapacityCurve:
    """Return the curve of a result; `BacktestResult.capacity` and `PortfolioResult.capacity` call it.

    Raises
    ------
    InputError
        If the bars have no volume, or a number lies outside what it may be.

    Examples
    --------
    >>> import algotrendy as at
    >>> result = at.backtest(at.strategies.sma_cross(5, 20), at.synthetic(n=500, seed=1))
    >>> curve = capacity(result, [1e4, 1e7])
    >>> bool(curve.table["total_return"].iloc[0] > curve.table["total_return"].iloc[1])
    True
    """
    import pandas as pd

    _check(capital, impact, participation)
    stage = stage_of(result, given)
    _check_volume(stage)
    stage = sized(stage, result.cash)
    rows = []
    for amount in capital:
        cash = float(amount)
        account = CapacityAccount(
            stage, cash, scale=cash / result.cash, impact=float(impact), participation=participation
        )
        figures = metrics_of_curve(
            account.run(),
            result.valuation_marks,
            cash=cash,
            periods_per_year=float(result.metrics["periods_per_year"]),
            risk_free_rate=float(result.assumptions.get("risk_free_rate") or 0.0),
        )
        rows.append(_row(figures, account))
    table = pd.DataFrame(rows, index=pd.Index([float(amount) for amount in capital], name="capital"))
    return CapacityCurve(table, float(impact), participation)


def _check(capital: Any, impact: Any, participation: Any) -> None:
    if isinstance(capital, str) or not np.ndim(capital) or not len(capital):
        raise InputError(f"capital is {capital!r}; give a list of amounts, such as [1e5, 1e6, 1e7]")
    for amount in capital:
        if not is_number(amount) or not 0.0 < amount < math.inf:
            raise InputError(f"capital holds {amount!r}; use amounts above zero")
    if not is_number(impact) or not 0.0 <= impact < math.inf:
        raise InputError(f"impact is {impact!r}; use a coefficient of zero or more, about 1")
    if participation is not None and (not is_number(participation) or not 0.0 < participation <= 1.0):
        raise InputError(f"participation is {participation!r}; use a share of the volume in (0, 1], or None")


def _check_volume(stage: Stage) -> None:
    """Refuse bars of what is traded that do not say how much of it was."""
    for symbol, ledger in stage.traded():
        bars, whose = ledger.bars, f"the bars of {symbol}" if symbol else "the bars"
        if "volume" not in bars:
            raise InputError(f"{whose} have no volume, and impact is a matter of it; use bars with a column volume")
        if not bars["volume"].any():
            raise InputError(
                f"the volume of {whose} is missing or zero throughout; use bars that say how much was traded"
            )


def _row(figures: HoldMetrics, account: CapacityAccount) -> dict[str, float]:
    kept = ("final_equity", "total_return", "annual_return", "volatility", "sharpe_ratio", "max_drawdown")
    return {name: getattr(figures, name) for name in kept} | {
        "impact_paid": account.impact_paid,
        "filled_share": account.filled / account.wanted if account.wanted else 1.0,
        "largest_share": account.largest_share,
    }


def _line(x: Float1D, y: Any, name: str, *, color: str, axis: str, hover: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": x,
        "y": np.asarray(y, dtype=np.float64),
        "yaxis": axis,
        "line": {"color": color, "width": 1.8},
        "hovertemplate": hover,
    }
