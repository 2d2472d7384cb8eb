"""Plotly figures of an allocation and of a frontier, in the house's style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.charts.plots import ACCENT, GAIN, GRID, INK, LOSS

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from algotrendy.portfolio.optimise.frontier import Frontier
    from algotrendy.portfolio.optimise.result import Allocation

_ASSETS_MAX = 40
"""So many assets are drawn, those with the largest weights."""

_LAYERS_MAX = 12
_PALE = "rgba(152,161,176,0.55)"
_LAYERS = (
    "#2557c7", "#0a7d5a", "#c77d25", "#7a4fc0", "#c0392f", "#2f8fa8", "#8a8f2f", "#b04f8a", "#5b6b8c", "#4f9e6f",
    "#d0a13a", "#98a1b0",
)  # fmt: skip


def allocation_figure(allocation: Allocation) -> go.Figure:
    """Return the weights and the shares of the volatility, the largest weight first."""
    import plotly.graph_objects as go

    table = allocation.contributions
    order = np.argsort(-np.abs(table["weight"].to_numpy()), kind="stable")[:_ASSETS_MAX]
    labels = [str(table.index[k]) for k in order]
    traces = [
        {
            "type": "bar", "name": name, "x": labels, "y": table[column].to_numpy()[order],
            "marker": {"color": color, "line": {"width": 0}},
            "hovertemplate": "%{x}: %{y:.2%}<extra>" + name + "</extra>",
        }
        for column, name, color in (("weight", "Weight", ACCENT), ("share", "Share of the volatility", _PALE))
    ]  # fmt: skip
    title = f"{allocation.objective.replace('_', ' ')}: volatility {allocation.volatility:.1%}"
    if not np.isnan(allocation.expected_return):
        title += f", expected return {allocation.expected_return:.1%}"
    layout = _layout(
        title, xaxis=_axis(showgrid=False), yaxis=_axis(tickformat=".0%", zeroline=True, zerolinecolor=INK),
        barmode="group", bargap=0.3, height=360,
    )  # fmt: skip
    return go.Figure({"data": traces, "layout": layout})


def frontier_figure(frontier: Frontier) -> go.Figure:
    """Return the frontier with assets and the best Sharpe ratio of its points above, the weights along it below.

    Returns of the frontier are those after costs, of the assets those before; without variance no ratio is the best.
    """
    import plotly.graph_objects as go

    points, estimates = frontier.points, frontier.estimates
    names = [str(name) for name in estimates.names]
    ratios, earned = points["sharpe_ratio"], "expected return per year"
    if (points["cost"] > 0.0).any():
        earned += ", after costs"
    best = [] if ratios.isna().all() else [int(np.nanargmax(ratios.to_numpy()))]
    hover = "%{text}: volatility %{x:.1%}, return %{y:.1%}<extra></extra>"
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines", "name": "Efficient frontier", "x": points["volatility"],
            "y": points["expected_return"], "line": {"color": ACCENT, "width": 2.2},
            "text": [f"portfolio {k}" for k in range(len(points))], "hovertemplate": hover,
        },
        _marks("Assets", estimates.volatilities.to_numpy(), estimates.expected(), names, INK),
        _marks("Least variance", points["volatility"][:1], points["expected_return"][:1], ["least variance"], LOSS),
        *(_marks("Best Sharpe ratio", points["volatility"][[k]], points["expected_return"][[k]],
                 [f"Sharpe ratio {ratios[k]:.2f}"], GAIN) for k in best),
        *_layers(frontier),
    ]  # fmt: skip
    if len(estimates.names) <= _ASSETS_MAX:
        traces[1] |= {"mode": "markers+text", "textposition": "top center", "textfont": {"size": 10, "color": INK}}
    layout = _layout(
        "Efficient frontier", height=640,
        xaxis=_axis(tickformat=".0%", title={"text": "volatility per year"}, anchor="y", rangemode="tozero"),
        yaxis=_axis(tickformat=".0%", title={"text": earned}, domain=[0.46, 1.0]),
        xaxis2=_axis(tickformat=".1%", title={"text": "expected return along it"}, anchor="y2", showgrid=False),
        yaxis2=_axis(tickformat=".0%", title={"text": "weights"}, domain=[0.0, 0.3]),
    )  # fmt: skip
    return go.Figure({"data": traces, "layout": layout})


def _layers(frontier: Frontier) -> list[dict[str, Any]]:
    """Return the weights along the frontier, stacked; the smallest are summed up."""
    weights, along = frontier.weights, frontier.points["expected_return"]
    largest = weights.abs().max().sort_values(ascending=False, kind="stable").index
    order = [name for name in largest if weights[name].abs().max() > 1e-6]
    shown, rest = order[: _LAYERS_MAX - 1], order[_LAYERS_MAX - 1 :]
    layers = [(str(name), weights[name].to_numpy()) for name in shown]
    if rest:
        layers.append((f"{len(rest)} others", weights[rest].sum(axis=1).to_numpy()))
    is_long = bool((weights.to_numpy() >= -1e-12).all())
    return [
        {
            "type": "scatter", "mode": "lines", "name": name, "x": along, "y": values, "xaxis": "x2", "yaxis": "y2",
            "line": {"width": 0.5 if is_long else 1.5, "color": _LAYERS[k % len(_LAYERS)]}, "showlegend": True,
            "hovertemplate": name + " %{y:.1%}<extra></extra>", "legend": "legend2",
        } | ({"stackgroup": "weights", "fillcolor": _LAYERS[k % len(_LAYERS)]} if is_long else {})
        for k, (name, values) in enumerate(layers)
    ]  # fmt: skip


def _marks(name: str, x: Any, y: Any, texts: list[str], color: str) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": x, "y": y, "text": texts,
        "marker": {"size": 8, "color": color, "line": {"width": 0}},
        "hovertemplate": "%{text}: volatility %{x:.1%}, return %{y:.1%}<extra></extra>",
    }  # fmt: skip


def _axis(**options: Any) -> dict[str, Any]:
    return {"gridcolor": GRID, "zeroline": False, "automargin": True} | options


def _layout(title: str, **options: Any) -> dict[str, Any]:
    legend = {"orientation": "h", "x": 0, "y": 1.0, "xanchor": "left", "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"}
    return {
        "title": {"text": title, "x": 0, "xref": "paper", "font": {"size": 14}, "y": 0.985, "yanchor": "top"},
        "font": {"size": 12, "color": INK},
        "margin": {"l": 64, "r": 18, "t": 70, "b": 40},
        "legend": legend,
        "legend2": legend | {"y": 0.31},
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hovermode": "closest",
    } | options
