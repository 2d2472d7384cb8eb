"""A picture of a report: the closes, and the issues where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from algotrendy.data.quality.issue import Issue, number
from algotrendy.domain.types import Float1D
from algotrendy.reports.palette import ACCENT, GRID, INK, LOSS, MUTED, translucent

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from algotrendy.data.quality.report import QualityReport

_POINTS_MAX = 5_000
_MARKS_MAX = 2_000
_COLORS = {"error": LOSS, "warning": ACCENT, "info": MUTED}
_SYMBOLS = ("circle", "x", "diamond", "square", "triangle-up", "triangle-down", "star", "cross", "pentagon", "hexagon")
_STRETCHES = frozenset({"gap", "frozen", "time_shift", "restart"})


def picture(report: QualityReport) -> go.Figure:
    """Return the closes on a logarithmic scale, one mark per issue, and missing or shifted stretches shaded."""
    import plotly.graph_objects as go

    closes = report.closes
    thin = closes.iloc[:: max(len(closes) // _POINTS_MAX, 1)]
    figure = go.Figure()
    figure.add_scatter(x=thin.index, y=thin.to_numpy(), mode="lines", name="close", line={"color": INK, "width": 1.1})
    for place, kind in enumerate(report.kinds):
        _mark(figure, closes, report.of(kind)[:_MARKS_MAX], kind, _SYMBOLS[place % len(_SYMBOLS)])
    for issue in [issue for issue in report.issues if issue.kind in _STRETCHES and issue.count > 1][:100]:
        color = translucent(_COLORS[issue.severity], 0.12)
        figure.add_vrect(x0=issue.first, x1=issue.last, fillcolor=color, line_width=0, layer="below")
    axis = {"gridcolor": GRID, "linecolor": GRID, "zeroline": False}
    figure.update_layout(
        title=report.summary().split("\n", 1)[0],
        template="none",
        font={"color": INK, "family": "system-ui, sans-serif", "size": 13},
        yaxis={**axis, "type": "log", "title": "close", **_ticks(closes.to_numpy())},
        xaxis=axis,
        legend={"orientation": "h", "y": -0.12},
        margin={"l": 70, "r": 20, "t": 60, "b": 60},
        hovermode="closest",
    )
    return figure


def _ticks(closes: Float1D) -> dict[str, Any]:
    """Return ticks for a logarithmic axis: 1, 2 and 5 times the powers of ten; less than a decade keeps its own."""
    low, high = (float(np.log10(end(closes))) if closes.size else 0.0 for end in (np.min, np.max))
    if high - low < 1.0:
        return {}
    powers = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    factors = (1, 2, 5) if high - low < 4.0 else (1,)
    values = [factor * 10.0**power for power in powers for factor in factors]
    return {"tickvals": values, "ticktext": [number(value) for value in values]}


def _mark(figure: Any, closes: pd.Series[Any], issues: tuple[Issue, ...], kind: str, symbol: str) -> None:
    issues = tuple(issue for issue in issues if not pd.isna(issue.first))
    if not issues or not len(closes):
        return
    stamps = pd.DatetimeIndex([issue.first for issue in issues])
    places = np.minimum(closes.index.searchsorted(stamps), len(closes) - 1)
    places = np.where([issue.rows.size > 0 for issue in issues], places, np.maximum(places - 1, 0))
    marker = {"color": _COLORS[issues[0].severity], "symbol": symbol, "size": 9, "line": {"width": 0.5, "color": INK}}
    texts = [f"<b>{kind}</b> {issue.where}<br>{_folded(issue.evidence)}" for issue in issues]
    figure.add_scatter(
        x=stamps, y=closes.to_numpy()[places], mode="markers", name=f"{kind} ({len(issues)})", marker=marker,
        text=texts, hoverinfo="text",
    )  # fmt: skip


def _folded(text: str, width: int = 90) -> str:
    import textwrap

    return "<br>".join(textwrap.wrap(text, width))
