"""Plotly figures of a result, as plain mappings of `data` and `layout`: quick to make, the same for the same result.

Curves are thinned by `thinned`; the trades drawn are the `TRADES_MAX` with the largest profits and losses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.curves import drawdown_of, floats
from algotrendy.backtest.result import REASONS
from algotrendy.domain.types import Bool1D, Float1D, Int1D
from algotrendy.reports.palette import ACCENT, GAIN, GRID, INK, LOSS, MUTED, translucent
from algotrendy.reports.thinning import POINTS_MAX, thinned

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from algotrendy.backtest.overfitting import PboResult
    from algotrendy.backtest.result import BacktestResult

TRADES_MAX = 1000
"""So many trades are drawn on the price, those with the largest profits and losses."""

SPLITS_MAX = 1500
"""So many splits of the history are drawn, evenly chosen."""

BINS = 61

Figure = dict[str, Any]
Trace = dict[str, Any]


def equity_figure(result: BacktestResult) -> Figure:
    """Return the equity of the strategy against that of buying and holding, in currency."""
    traces = [
        _line(result, floats(result.buy_and_hold), "Buy and hold", MUTED, width=1.3),
        _line(result, result.equity_values, "Strategy", ACCENT, width=1.8),
    ]
    layout = layout_of(yaxis=axis(tickformat="~s"), hovermode="x unified")
    layout["legend"]["traceorder"] = "reversed"
    return {"data": traces, "layout": layout}


def drawdown_figure(result: BacktestResult) -> Figure:
    """Return the loss from the running peak, drawn downwards; buying and holding as a thin line."""
    held = drawdown_of(floats(result.buy_and_hold), result.cash)
    own = _line(result, floats(result.drawdown), "Strategy", LOSS, width=1.2)
    own |= {"fill": "tozeroy", "fillcolor": translucent(LOSS, 0.18)}
    traces = [own, _line(result, held, "Buy and hold", MUTED, width=1.0)]
    yaxis = axis(tickformat=".0%", autorange="reversed", rangemode="tozero")
    for trace in traces:
        trace["hovertemplate"] = "%{y:.1%}"
    return {"data": traces, "layout": layout_of(yaxis=yaxis, hovermode="x unified")}


def trades_figure(result: BacktestResult) -> Figure:
    """Return the close with the trades on it, and the exposure below."""
    price = _line(result, floats(result.bars["close"]), "Close", INK, width=1.1)
    exposure = _exposure_trace(result) | {"yaxis": "y2"}
    layout = layout_of(yaxis=axis(domain=[0.27, 1.0]), yaxis2=_exposure_axis([0.0, 0.19]))
    layout["xaxis"] |= {"anchor": "y2"} | _span(result)
    return {"data": [price, *_trade_traces(result), exposure], "layout": layout}


def distribution_figure(result: BacktestResult) -> Figure:
    """Return how often returns of each size occurred; periods without any change are left out."""
    returns = moving_returns(result)
    counts, edges = np.histogram(returns, bins=_edges(returns))
    middle = (edges[:-1] + edges[1:]) / 2
    colors = np.where(middle < 0.0, LOSS, GAIN).tolist()
    bars = {
        "type": "bar",
        "x": middle,
        "y": counts,
        "width": np.diff(edges),
        "marker": {"color": colors, "opacity": 0.75, "line": {"width": 0}},
        "hovertemplate": "around %{x:.2%}: %{y} periods<extra></extra>",
        "name": "Returns",
    }
    layout = layout_of(xaxis=axis(tickformat=".1~%", showgrid=False), yaxis=axis(), bargap=0.08, showlegend=False)
    if returns.size:
        mean = float(returns.mean())
        layout["shapes"] = [
            {
                "type": "line",
                "x0": mean,
                "x1": mean,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"color": INK, "dash": "dot"},
            }
        ]
        layout["annotations"] = [
            _label(f"mean {mean:+.2%}".replace("%", " %"), x=mean, y=1.0, xanchor="left", xshift=5)
        ]
    return {"data": [bars], "layout": layout}


def overfitting_figure(pbo: PboResult, periods_per_year: float) -> Figure:
    """Return the annual Sharpe ratio of each split's best strategy in the other half, against that in its own half."""
    step = -(-len(pbo.logits) // SPLITS_MAX)
    within, without = (values[::step] * np.sqrt(periods_per_year) for values in (pbo.in_sample, pbo.out_of_sample))
    overfit = pbo.logits[::step] <= 0.0
    traces: list[Trace] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": within[chosen].round(4).tolist(),
            "y": without[chosen].round(4).tolist(),
            "hovertemplate": "%{x:.2f} and then %{y:.2f}<extra></extra>",
            "marker": {"size": 4, "color": translucent(color, 0.55), "line": {"width": 0}},
        }
        for name, chosen, color in (
            ("Upper half of all rows", ~overfit, GAIN),
            ("Lower half of all rows", overfit, LOSS),
        )
        if chosen.any()
    ]
    xaxis = axis(title={"text": "Sharpe ratio a year, half that chose the row"})
    yaxis = axis(title={"text": "in the other half"}, zeroline=True, zerolinecolor=MUTED)
    return {"data": traces, "layout": layout_of(xaxis=xaxis, yaxis=yaxis)}


def overview_figure(result: BacktestResult) -> go.Figure:
    """Return one figure of four rows for a notebook: equity, drawdown, price with trades, exposure."""
    import plotly.graph_objects as go

    rows = (equity_figure(result)["data"], drawdown_figure(result)["data"], trades_figure(result)["data"])
    traces = [dict(trace) for trace in rows[0]]
    traces += [dict(trace, yaxis="y2", showlegend=False) for trace in rows[1]]
    traces += [dict(trace, yaxis="y4" if trace.get("yaxis") == "y2" else "y3") for trace in rows[2]]
    layout = layout_of(
        yaxis=axis(domain=[0.66, 1.0], tickformat="~s", title={"text": "equity"}),
        yaxis2=axis(domain=[0.49, 0.63], tickformat=".0%", autorange="reversed", title={"text": "drawdown"}),
        yaxis3=axis(domain=[0.14, 0.46], title={"text": "price"}),
        yaxis4=_exposure_axis([0.0, 0.11]),
        height=860,
        paper_bgcolor="#ffffff",
        plot_bgcolor="#ffffff",
    )
    layout["margin"] = {"l": 70, "r": 24, "t": 96, "b": 40}
    layout["xaxis"] |= {"anchor": "y4"} | _span(result)
    layout["updatemenus"] = [_scale_menu()]
    figure: go.Figure = go.Figure({"data": traces, "layout": layout})
    return figure


def moving_returns(result: BacktestResult) -> Float1D:
    """Return the returns that are not exactly zero (and are defined): the periods in which the account moved."""
    returns = floats(result.returns)
    moving: Float1D = returns[np.isfinite(returns) & (returns != 0.0)]
    return moving


def drawn_trades(result: BacktestResult) -> Int1D:
    """Return the positions of the trades that are drawn, oldest first."""
    profits = result.trade_columns["pnl"]
    largest = np.argsort(-np.abs(profits), kind="stable")[:TRADES_MAX]
    return np.sort(largest)


# --- traces ---


def _line(result: BacktestResult, values: Float1D, name: str, color: str, *, width: float) -> Trace:
    positions = thinned(values)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": stamp_texts(result, positions),
        "y": values[positions],
        "line": {"color": color, "width": width},
        "hovertemplate": "%{y:,.2f}",
    }


def _exposure_trace(result: BacktestResult) -> Trace:
    trace = _line(result, floats(result.exposure), "Exposure", ACCENT, width=0.8)
    trace["line"]["shape"] = "hv" if len(result.bars) <= POINTS_MAX else "linear"
    fill = {"fill": "tozeroy", "fillcolor": translucent(ACCENT, 0.25), "showlegend": False}
    return trace | fill | {"hovertemplate": "exposure %{y:.0%}<extra></extra>"}


def _trade_traces(result: BacktestResult) -> list[Trace]:
    """Return the trades as segments from entry to exit, wins and losses apart, and the fills as markers."""
    drawn = drawn_trades(result)
    wins = result.trade_columns["pnl"][drawn] > 0.0
    segments = [
        _segments(result, drawn[wins], "Winning trade", GAIN),
        _segments(result, drawn[~wins], "Losing trade", LOSS),
    ]
    shown = _shown_orders(result, drawn)
    buys = result.order_columns["units"] > 0.0
    markers = [
        _markers(result, np.flatnonzero(shown & buys), "Buy", GAIN, "triangle-up"),
        _markers(result, np.flatnonzero(shown & ~buys), "Sell", LOSS, "triangle-down"),
    ]
    return [trace for trace in (*segments, *markers) if len(trace["x"])]


def _shown_orders(result: BacktestResult, drawn: Int1D) -> Bool1D:
    """Return which orders belong to drawn trades, or to the position that is still open."""
    filled_at = result.order_columns["filled_at"]
    exits = result.trade_columns["exit_at"]
    if len(drawn) == len(exits):
        return np.ones(len(filled_at), dtype=np.bool_)
    bars = np.concatenate((result.trade_columns["entry_at"][drawn], exits[drawn]))
    shown: Bool1D = np.isin(filled_at, bars) | (filled_at > exits.max(initial=-1))
    return shown


def _segments(result: BacktestResult, trades: Int1D, name: str, color: str) -> Trace:
    columns = result.trade_columns
    x = np.full((len(trades), 3), None, dtype=object)
    y = np.full((len(trades), 3), np.nan)
    for place, (at, price) in enumerate((("entry_at", "entry_price"), ("exit_at", "exit_price"))):
        x[:, place] = stamp_texts(result, columns[at][trades])
        y[:, place] = columns[price][trades]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x.ravel().tolist(),
        "y": y.ravel(),
        "line": {"color": color, "width": 2.4},
        "opacity": 0.55,
        "hoverinfo": "skip",
    }


def _markers(result: BacktestResult, orders: Int1D, name: str, color: str, symbol: str) -> Trace:
    columns = result.order_columns
    units, prices, codes = (columns[key][orders] for key in ("units", "price", "reason"))
    texts = [
        f"{name} {abs(count):,.6g} at {price:,.6g} ({REASONS[code]})"
        for count, price, code in zip(units.tolist(), prices.tolist(), codes.tolist(), strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": stamp_texts(result, columns["filled_at"][orders]),
        "y": prices,
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "symbol": symbol,
            "size": 9 if len(orders) < 60 else 7 if len(orders) < 200 else 5,
            "color": color,
            "line": {"width": 0},
        },
    }


def _edges(returns: Float1D) -> Float1D:
    """Return bin edges such that zero is an edge: no bin mixes gains and losses."""
    if not returns.size:
        return np.array([-0.01, 0.0, 0.01])
    low, high = min(float(returns.min()), 0.0), max(float(returns.max()), 0.0)
    width = (high - low) / (BINS - 1)
    return np.arange(np.floor(low / width), np.ceil(high / width) + 1) * width


# --- layout ---


def stamp_texts(result: BacktestResult, positions: Int1D) -> list[str]:
    """Return stamps of a result's bars as Plotly reads them."""
    import pandas as pd

    return wall_texts(pd.DatetimeIndex(result.bars.index), positions)


def wall_texts(index: pd.DatetimeIndex, positions: Int1D) -> list[str]:
    """Return stamps as Plotly reads them: dates alone for daily bars, else wall time of their own zone."""
    wall = index.take(positions)
    moments = (wall if wall.tz is None else wall.tz_localize(None)).to_numpy()
    days = moments.astype("datetime64[D]")
    texts: list[str] = np.datetime_as_string(
        days if (days == moments).all() else moments.astype("datetime64[s]")
    ).tolist()
    return texts


def _span(result: BacktestResult) -> dict[str, Any]:
    """Return the range of an axis from the first bar to the last: markers would widen it."""
    last = len(result.bars) - 1
    return {"range": stamp_texts(result, np.array([0, last]))} if last else {}


def axis(**options: Any) -> dict[str, Any]:
    """Return an axis in the house's style, with Plotly's options on top."""
    return {"gridcolor": GRID, "zeroline": False, "automargin": True} | options


def _exposure_axis(domain: list[float]) -> dict[str, Any]:
    return axis(
        domain=domain, tickformat=".0%", title={"text": "exposure"}, nticks=4, zeroline=True, zerolinecolor=GRID
    )


def layout_of(**options: Any) -> dict[str, Any]:
    """Return a figure's layout in the house's style, with Plotly's options on top."""
    legend = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"}
    basic = {
        "margin": {"l": 56, "r": 18, "t": 34, "b": 36},
        "legend": legend,
        "hovermode": "closest",
        "xaxis": axis(showgrid=False),
        "font": {"size": 12, "color": INK},
    }
    return basic | options


def _label(text: str, **place: Any) -> dict[str, Any]:
    return {"text": text, "yref": "paper", "yanchor": "top", "showarrow": False, "font": {"size": 11}} | place


def _scale_menu() -> dict[str, Any]:
    buttons = [
        {"label": label, "method": "relayout", "args": [{"yaxis.type": kind}]}
        for label, kind in (("Linear", "linear"), ("Log", "log"))
    ]
    place = {"x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom", "direction": "right", "type": "buttons"}
    return place | {"buttons": buttons, "showactive": True}
