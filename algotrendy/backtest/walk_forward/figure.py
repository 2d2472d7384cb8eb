"""The picture of a walk: joined equity with its windows, the metric inside and outside of the sample, parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.definitions import METRIC_INFO
from algotrendy.backtest.plots import wall_texts
from algotrendy.domain.types import Int1D
from algotrendy.reports.palette import ACCENT, GRID, INK, MUTED, translucent
from algotrendy.reports.thinning import thinned

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from algotrendy.backtest.walk_forward.result import WalkForwardResult

_SHADED_MAX = 60
"""With more windows than that, stripes say nothing."""

_EQUITY, _METRIC = (0.58, 1.0), (0.32, 0.5)


def walk_figure(walk: WalkForwardResult) -> go.Figure:
    """Return the figure of a walk."""
    import pandas as pd
    import plotly.graph_objects as go

    joined = walk.out_of_sample
    if joined is None:
        return go.Figure(layout={"title": {"text": "no window was finished"}})
    tested = pd.DatetimeIndex(joined.equity.index)
    label = METRIC_INFO[walk.metric].label
    layout: dict[str, Any] = {
        "font": {"size": 12, "color": INK},
        "margin": {"l": 64, "r": 18, "t": 46, "b": 36},
        "height": 560 + 60 * max(len(walk.parameters) - 2, 0),
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        "plot_bgcolor": "rgba(0,0,0,0)",
        "xaxis": {"showgrid": False, "anchor": "free", "position": 0.0},
        "yaxis": _axis(_EQUITY, "equity") | {"tickformat": "~s"},
        "yaxis2": _axis(_METRIC, label),
        "shapes": _stripes(walk, tested),
    }
    positions = thinned(joined.equity_values, 4000)
    equity = {
        "type": "scatter", "mode": "lines", "name": "Out-of-sample equity", "x": wall_texts(tested, positions),
        "y": joined.equity_values[positions], "line": {"color": ACCENT, "width": 1.8},
    }  # fmt: skip
    traces = [equity, *_metric_bars(walk, tested)]
    height = 0.24 / max(len(walk.parameters), 1)
    for k, name in enumerate(walk.parameters):
        top = 0.24 - k * height
        layout[f"yaxis{k + 3}"] = _axis((max(top - height + 0.02, 0.0), top), name) | {"nticks": 4}
        traces.append(_steps(walk, tested, name, f"y{k + 3}"))
    return go.Figure({"data": traces, "layout": layout})


def _axis(domain: tuple[float, float], title: str) -> dict[str, Any]:
    return {"domain": list(domain), "title": {"text": title}, "gridcolor": GRID, "zeroline": False, "automargin": True}


def _edges(walk: WalkForwardResult, tested: pd.DatetimeIndex) -> Int1D:
    """Return where each window begins among the tested bars."""
    starts = walk.windows["test_start"].to_numpy()
    return np.searchsorted(tested.to_numpy(), starts).astype(np.int64)


def _ends(walk: WalkForwardResult, tested: pd.DatetimeIndex) -> Int1D:
    return np.append(_edges(walk, tested)[1:], len(tested)).astype(np.int64) - 1


def _stripes(walk: WalkForwardResult, tested: pd.DatetimeIndex) -> list[dict[str, Any]]:
    """Return a stripe behind every second testing window."""
    if len(walk.windows) > _SHADED_MAX:
        return []
    firsts, lasts = wall_texts(tested, _edges(walk, tested)), wall_texts(tested, _ends(walk, tested))
    return [
        {
            "type": "rect", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "x0": first, "x1": last, "layer": "below",
            "fillcolor": translucent(MUTED, 0.12), "line": {"width": 0},
        }
        for first, last in list(zip(firsts, lasts, strict=True))[::2]
    ]  # fmt: skip


def _metric_bars(walk: WalkForwardResult, tested: pd.DatetimeIndex) -> list[dict[str, Any]]:
    middles = wall_texts(tested, (_edges(walk, tested) + _ends(walk, tested)) // 2)
    return [
        {
            "type": "scatter", "mode": "lines+markers", "name": name, "x": middles, "yaxis": "y2",
            "y": walk.windows[column].to_numpy(dtype=np.float64), "line": {"color": color, "width": 1.2},
            "marker": {"color": color, "size": 5},
        }
        for column, name, color in (
            ("in_sample", "In sample", MUTED),
            ("out_of_sample", "Out of sample", ACCENT),
        )
    ]  # fmt: skip


def _steps(walk: WalkForwardResult, tested: pd.DatetimeIndex, name: str, axis: str) -> dict[str, Any]:
    """Return a chosen parameter as steps from window to window, up to the last tested bar."""
    places = np.append(_edges(walk, tested), len(tested) - 1)
    values = walk.windows[name].to_numpy(dtype=np.float64)
    return {
        "type": "scatter", "mode": "lines", "name": name, "showlegend": False, "x": wall_texts(tested, places),
        "y": np.append(values, values[-1]), "yaxis": axis,
        "line": {"color": INK, "width": 1.4, "shape": "hv"},
    }  # fmt: skip
