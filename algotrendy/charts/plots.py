"""A Plotly figure of the rows of any style. The horizontal axis counts rows: a chart has dropped time on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from algotrendy.errors import InputError

if TYPE_CHECKING:
    import plotly.graph_objects as go

ACCENT, INK, GAIN, LOSS, GRID = "#2557c7", "#55606f", "#0a7d5a", "#c0392f", "#e4e7ec"
"""Those of `reports.palette`, which lies above this room; a test compares them."""

ROWS_MAX = 5_000
"""So many rows are drawn, the last ones: no screen shows more."""

Trace = dict[str, Any]


def plot(rows: pd.DataFrame, *, title: str | None = None) -> go.Figure:
    """Return a figure of the rows of a chart: bricks, boxes, kagi lines or candles, by what the rows are.

    Parameters
    ----------
    rows : DataFrame
        From any style. Of more than 5,000 rows the last ones are drawn.
    title : str, optional
        Written above.

    Returns
    -------
    plotly.graph_objects.Figure
        The horizontal axis counts rows; the times show where the pointer rests. Rising rows are green, falling ones
        red, an unfinished one is pale.

    Raises
    ------
    InputError
        If the frame is not the rows of a chart.

    Examples
    --------
    >>> import algotrendy as at
    >>> from algotrendy import charts
    >>> figure = plot(charts.line_break(at.synthetic(n=200, seed=1)), title="Three-line break")
    >>> figure.layout.title.text
    'Three-line break'
    """
    import plotly.graph_objects as go

    wanted = {"open", "high", "low", "close", "opened_at", "closed_at", "direction"}
    if not isinstance(rows, pd.DataFrame) or not wanted <= set(rows.columns):
        raise InputError("plot takes the rows of a chart, as charts.renko and the other styles return them")
    shown = rows.iloc[-ROWS_MAX:].reset_index(drop=True)
    places = np.arange(len(rows))[-ROWS_MAX:]
    if "boxes" in rows.columns:
        traces = _boxes(shown, places)
    elif "thickness" in rows.columns:
        traces = _kagi(shown, places)
    elif rows.index.name in ("brick", "line"):
        traces = _bricks(shown, places)
    else:
        traces = _candles(shown, places)
    figure: go.Figure = go.Figure({"data": traces, "layout": _layout(str(rows.index.name or "row"), title)})
    return figure


def _texts(rows: pd.DataFrame) -> list[str]:
    columns = (rows[name] for name in ("opened_at", "closed_at", "open", "close", "volume"))
    return [
        f"{opened:%Y-%m-%d %H:%M:%S} to {closed:%Y-%m-%d %H:%M:%S}<br>{left:,.6g} to {right:,.6g}, volume {volume:,.6g}"
        for opened, closed, left, right, volume in zip(*columns, strict=True)
    ]


def _is_partial(rows: pd.DataFrame) -> Any:
    return rows["is_partial"].to_numpy(dtype=bool) if "is_partial" in rows.columns else np.zeros(len(rows), dtype=bool)


def _bricks(rows: pd.DataFrame, places: Any) -> list[Trace]:
    """Return bodies as bars from open to close, and the wicks as lines."""
    traces: list[Trace] = []
    bottom, top = rows[["open", "close"]].min(axis=1), rows[["open", "close"]].max(axis=1)
    wicked = ((rows["low"] < bottom) | (rows["high"] > top)).to_numpy()
    x, y = np.full((int(wicked.sum()), 3), np.nan), np.full((int(wicked.sum()), 3), np.nan)
    x[:, :2] = places[wicked, None]
    y[:, 0], y[:, 1] = rows["low"][wicked], rows["high"][wicked]
    if wicked.any():
        line = {"color": INK, "width": 1}
        traces.append(_lines(x.ravel(), y.ravel(), line) | {"name": "Wick", "hoverinfo": "skip"})
    texts = np.array(_texts(rows), dtype=object)
    for name, color, chosen in (("Rising", GAIN, rows["direction"] >= 0), ("Falling", LOSS, rows["direction"] < 0)):
        mine = chosen.to_numpy()
        traces.append(
            {
                "type": "bar",
                "name": name,
                "x": places[mine],
                "base": bottom[mine].to_numpy(),
                "y": (top - bottom)[mine].to_numpy(),
                "width": 0.9,
                "text": texts[mine].tolist(),
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {
                    "color": color,
                    "line": {"width": 0},
                    "opacity": np.where(_is_partial(rows)[mine], 0.4, 1.0),
                },
            }
        )
    return traces


def _candles(rows: pd.DataFrame, places: Any) -> list[Trace]:
    candles = {
        "type": "candlestick",
        "name": "Rows",
        "x": places,
        **{name: rows[name].to_numpy() for name in ("open", "high", "low", "close")},
        "text": _texts(rows),
        "hoverinfo": "text",
        "increasing": {"line": {"color": GAIN, "width": 1}, "fillcolor": GAIN},
        "decreasing": {"line": {"color": LOSS, "width": 1}, "fillcolor": LOSS},
        "showlegend": False,
    }
    if not _is_partial(rows).any():
        return [candles]
    by_row = ("x", "open", "high", "low", "close", "text")
    done, last = (
        {**candles, **{name: candles[name][part] for name in by_row}} for part in (slice(-1), slice(-1, None))
    )
    return [done, last | {"opacity": 0.4, "name": "In the making"}]


def _boxes(rows: pd.DataFrame, places: Any) -> list[Trace]:
    """Return an X or an O for each box of each column."""
    traces: list[Trace] = []
    texts = _texts(rows)
    for name, color, sign in (("X", GAIN, 1), ("O", LOSS, -1)):
        x: list[int] = []
        y: list[float] = []
        shown: list[str] = []
        for k in np.flatnonzero(rows["direction"].to_numpy() == sign).tolist():
            count = int(rows["boxes"].iloc[k])
            x += [int(places[k])] * count
            y += np.linspace(rows["open"].iloc[k], rows["close"].iloc[k], count).tolist()
            shown += [texts[k]] * count
        marker: Trace = {"symbol": "x-thin" if sign > 0 else "circle-open", "size": 8, "color": color}
        marker["line"] = {"color": color, "width": 1.6}
        traces.append(
            {"type": "scatter", "mode": "markers", "name": name, "x": x, "y": y, "marker": marker, "text": shown}
            | {"hovertemplate": "%{y:,.6g}<br>%{text}<extra></extra>"}
        )
    return traces


def _kagi(rows: pd.DataFrame, places: Any) -> list[Trace]:
    """Return the lines in pieces of one thickness each, joined by shoulders and waists."""
    pieces: dict[int, tuple[list[float], list[float]]] = {1: ([], []), -1: ([], []), 0: ([], [])}
    before = 0
    opens, closes, turns = (rows[name].to_numpy() for name in ("open", "close", "turn"))
    for k, thickness in enumerate(rows["thickness"].to_numpy().tolist()):
        x = float(places[k])
        middle = turns[k] if np.isfinite(turns[k]) else closes[k]
        start = before if np.isfinite(turns[k]) else thickness
        _add(pieces[start], [x, x], [opens[k], middle])
        if np.isfinite(turns[k]):
            _add(pieces[thickness], [x, x], [middle, closes[k]])
        if k + 1 < len(rows):
            _add(pieces[thickness], [x, x + 1.0], [closes[k], closes[k]])
        before = thickness
    names = {1: ("Thick", GAIN, 3.2), -1: ("Thin", LOSS, 1.2), 0: ("Not decided", INK, 1.2)}
    drawn = [
        _lines(xs, ys, {"color": names[key][1], "width": names[key][2]}) | {"name": names[key][0], "hoverinfo": "skip"}
        for key, (xs, ys) in pieces.items()
        if xs
    ]
    ends = {"type": "scatter", "mode": "markers", "x": places, "y": closes, "text": _texts(rows), "showlegend": False}
    return [
        *drawn,
        ends | {"marker": {"size": 6, "opacity": 0.0}, "hovertemplate": "%{text}<extra></extra>", "name": "Ends"},
    ]


def _add(piece: tuple[list[float], list[float]], x: list[float], y: list[Any]) -> None:
    """Append a stretch, and a gap after it."""
    piece[0].extend([*x, np.nan])
    piece[1].extend([*map(float, y), np.nan])


def _lines(x: Any, y: Any, line: dict[str, Any]) -> Trace:
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": line, "connectgaps": False}


def _layout(index: str, title: str | None) -> dict[str, Any]:
    axis = {"gridcolor": GRID, "zeroline": False, "automargin": True}
    legend = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"}
    layout: dict[str, Any] = {
        "margin": {"l": 56, "r": 18, "t": 34 if title is None else 78, "b": 44},
        "xaxis": axis | {"showgrid": False, "title": {"text": index}, "rangeslider": {"visible": False}},
        "yaxis": axis,
        "legend": legend,
        "barmode": "overlay",
        "hovermode": "closest",
        "font": {"size": 12, "color": INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
    }
    return layout | ({} if title is None else {"title": {"text": title}})
