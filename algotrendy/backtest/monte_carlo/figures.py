"""The picture of a Monte Carlo: the fan of wealth by step above, how often drawdowns of each size occurred below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.reports.palette import ACCENT, GRID, INK, LOSS, MUTED, translucent
from algotrendy.reports.thinning import thinned

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from algotrendy.backtest.monte_carlo.result import MonteCarloResult

_BINS = 50
_POINTS_MAX = 1500


def fan_figure(result: MonteCarloResult) -> go.Figure:
    """Return the fan of wealth with its quantiles, and the distribution of the largest drawdown."""
    import plotly.graph_objects as go

    layout = {
        "height": 620,
        "margin": {"l": 64, "r": 20, "t": 48, "b": 44},
        "font": {"size": 12, "color": INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        "hovermode": "x unified",
        "bargap": 0.06,
        "xaxis": _axis(title={"text": f"step ({result.unit}s)"}, anchor="y", showgrid=False),
        "yaxis": _axis(domain=[0.42, 1.0], title={"text": "wealth, start = 1"}),
        "xaxis2": _axis(title={"text": "largest drawdown of a path"}, anchor="y2", tickformat=".0%", showgrid=False),
        "yaxis2": _axis(domain=[0.0, 0.28], title={"text": "share of paths"}, tickformat=".0%"),
    }
    data = [*_bands(result), _drawdowns(result)]
    figure: go.Figure = go.Figure({"data": data, "layout": layout | _marks(result)})
    return figure


def _bands(result: MonteCarloResult) -> list[dict[str, Any]]:
    fan = result.fan
    rows = thinned(fan[0.5].to_numpy(), _POINTS_MAX)
    x = fan.index.to_numpy()[rows]
    low, lower, middle, upper, high = (fan[level].to_numpy()[rows] for level in result.levels)
    plain: dict[str, Any] = {"type": "scatter", "mode": "lines", "x": x, "hovertemplate": "%{y:.3f}"}
    edge = {"width": 0}
    return [
        plain | {"y": high, "line": edge, "name": f"{result.levels[-1]:.1%} quantile", "showlegend": False},
        plain
        | {"y": low, "line": edge, "fill": "tonexty", "fillcolor": translucent(ACCENT, 0.12)}
        | {"name": f"{result.confidence:.0%} of the paths"},
        plain | {"y": upper, "line": edge, "name": "upper quartile", "showlegend": False},
        plain
        | {"y": lower, "line": edge, "fill": "tonexty", "fillcolor": translucent(ACCENT, 0.25)}
        | {"name": "half of the paths"},
        plain | {"y": middle, "line": {"color": ACCENT, "width": 2}, "name": "median"},
        plain
        | {"x": [0, result.horizon], "y": [1.0 - result.ruin] * 2, "line": {"color": LOSS, "width": 1, "dash": "dot"}}
        | {"name": f"ruin ({result.ruin_probability.value:.1%} of the paths)"},
    ]


def _drawdowns(result: MonteCarloResult) -> dict[str, Any]:
    counts, edges = np.histogram(result.max_drawdown, bins=_BINS)
    return {
        "type": "bar",
        "x": (edges[:-1] + edges[1:]) / 2.0,
        "y": counts / len(result),
        "width": np.diff(edges),
        "marker": {"color": LOSS, "opacity": 0.7, "line": {"width": 0}},
        "hovertemplate": "around %{x:.1%}: %{y:.1%} of the paths<extra></extra>",
        "name": "largest drawdown",
        "showlegend": False,
        "xaxis": "x2",
        "yaxis": "y2",
    }


def _marks(result: MonteCarloResult) -> dict[str, Any]:
    """Draw where the data itself stands among the drawdowns, if its steps are as many as those of the paths."""
    if result.observed["n_steps"] != result.horizon:
        return {}
    seen = result.observed["max_drawdown"]
    line = {"type": "line", "x0": seen, "x1": seen, "xref": "x2", "y0": 0.0, "y1": 0.28, "yref": "paper"}
    text = {"text": f"the data: {seen:.1%}", "x": seen, "xref": "x2", "y": 0.28, "yref": "paper", "showarrow": False}
    return {
        "shapes": [line | {"line": {"color": INK, "dash": "dot"}}],
        "annotations": [text | {"xanchor": "left", "yanchor": "top", "xshift": 5, "font": {"size": 11}}],
    }


def _axis(**options: Any) -> dict[str, Any]:
    return {"gridcolor": GRID, "zeroline": False, "automargin": True, "linecolor": MUTED} | options
