"""The picture of a procedure test: what luck alone found, and what the data gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from algotrendy.backtest.definitions import describe, written
from algotrendy.reports.palette import ACCENT, GRID, INK, MUTED

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from algotrendy.backtest.procedure.result import ProcedureTest


def null_figure(result: ProcedureTest) -> go.Figure:
    """Return the distribution of the best by luck alone, with the best of the data as a line."""
    import plotly.graph_objects as go

    info = describe(result.metric)
    found = result.null_best[np.isfinite(result.null_best)]
    counts, edges = np.histogram(found, bins=min(50, max(10, found.size // 10)))
    bars = {
        "type": "bar",
        "x": (edges[:-1] + edges[1:]) / 2.0,
        "y": counts / max(len(result), 1),
        "width": np.diff(edges),
        "marker": {"color": MUTED, "opacity": 0.8, "line": {"width": 0}},
        "hovertemplate": "around %{x:.3g}: %{y:.1%} of the paths<extra></extra>",
        "name": "best by luck alone",
    }
    line = {"type": "line", "x0": result.best, "x1": result.best, "y0": 0, "y1": 1, "yref": "paper"}
    label = {
        "text": f"the data: {written(result.best, info.kind)}, p = {result.p_value:.3g}",
        "x": result.best,
        "y": 1.0,
        "yref": "paper",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"color": ACCENT},
    }
    axis = {"gridcolor": GRID, "zeroline": False, "automargin": True}
    title = f"{info.label}, best of {result.n_combinations:,} combinations"
    layout = {
        "height": 380,
        "margin": {"l": 60, "r": 20, "t": 44, "b": 44},
        "font": {"size": 12, "color": INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "bargap": 0.05,
        "showlegend": False,
        "xaxis": axis | {"title": {"text": title}, "showgrid": False},
        "yaxis": axis | {"title": {"text": "share of null paths"}, "tickformat": ".0%"},
        "shapes": [line | {"line": {"color": ACCENT, "width": 2}}],
        "annotations": [label],
    }
    figure: go.Figure = go.Figure({"data": [bars], "layout": layout})
    return figure
