"""Ways to look at the result of several instruments: text, a small table for notebooks, a figure, contributions."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.curves import floats
from algotrendy.backtest.definitions import ACCOUNT_METRIC_INFO, describe, moment_text, written
from algotrendy.backtest.plots import wall_texts
from algotrendy.backtest.summary import WIDTH, pair_lines, sparkline, wrapped
from algotrendy.backtest.wording import FILL_WORDS, assumption_text, commission_text, label_of, plain_text
from algotrendy.domain.types import Float1D
from algotrendy.reports.palette import ACCENT, GRID, INK, LOSS, MUTED, translucent
from algotrendy.reports.thinning import thinned

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from algotrendy.backtest.portfolio.result import PortfolioResult

__all__ = ["assumption_rows", "contributions_of", "curve_figure", "overview_figure", "summary_html", "summary_text"]

_GROUPS = ("Performance", "Risk", "Trades", "Costs")
_LABEL, _NUMBER = 24, 20
_DRAWN = 8
"""So many instruments, those with the largest weights, are drawn each by itself."""
_LISTED = 10
_KINDS = {
    "weights": "Target weights",
    "orders": "Explicit orders",
    "arrays": "Given signals",
    "several": "Several strategies",
}


def title_of(result: PortfolioResult) -> str:
    """Return the name of the strategy, or what was done."""
    kind = result.strategy.get("kind")
    what = _KINDS.get(str(kind))
    name = str(result.strategy.get("name") or what or "Backtest")
    n = len(result.symbols)
    return f"{name}, {n:,} instrument{'' if n == 1 else 's'}"


def span_of(result: PortfolioResult) -> str:
    """Return how far the bars reach, in one line."""
    index = result.index
    interval = str(result.assumptions.get("interval") or "")
    return f"{interval} · {len(index):,} bars · {moment_text(index[0])} to {moment_text(index[-1])}"


def summary_text(result: PortfolioResult) -> str:
    """Return the result as lines of plain text: metrics, contributions, assumptions and warnings."""
    lines = [*wrapped(title_of(result), ""), *wrapped(span_of(result), ""), "=" * WIDTH]
    for group in _GROUPS:
        lines += ["", group]
        for name, info in ACCOUNT_METRIC_INFO.items():
            if info.group == group and name in result.metrics:
                lines.append(f"  {info.label:{_LABEL - 2}}{written(result.metrics[name], info.kind):>{_NUMBER}}")
    if result.sleeves:
        lines += ["", *_sleeve_lines(result)]
    lines += ["", *_contribution_lines(result), "", "Assumptions"]
    lines += [line for label, text in assumption_rows(result) for line in pair_lines(label, text)]
    if result.warnings:
        lines += ["", "Warnings", *(line for text in result.warnings for line in wrapped(text, "  ! "))]
    return "\n".join(line.rstrip() for line in lines)


def _sleeve_lines(result: PortfolioResult) -> list[str]:
    rows = ["Strategies: equity at the end, return, Sharpe ratio"]
    for name, sleeve in result.sleeves.items():
        label, metrics = textwrap.shorten(name, _LABEL - 3, placeholder=".."), sleeve.metrics
        shown = (written(metrics[key], describe(key).kind) for key in ("final_equity", "total_return", "sharpe_ratio"))
        rows.append(f"  {label:{_LABEL - 2}}" + "".join(f"{text:>18}" for text in shown))
    if result.reserve_values is not None:
        rows.append(f"  {'cash':{_LABEL - 2}}{written(result.reserve_values[-1], 'money'):>18}")
    return rows


def _contribution_lines(result: PortfolioResult) -> list[str]:
    frame = result.contributions
    earned = (frame["pnl"] + frame["open_pnl"]).sort_values(key=np.abs, ascending=False, kind="stable")
    shown = earned.head(_LISTED)
    head = f"Largest contributions ({len(shown)} of {len(frame):,} instruments)"
    counts, rows = frame["n_orders"].to_dict(), []
    for symbol, value in shown.items():
        name = textwrap.shorten(str(symbol), _LABEL - 3, placeholder="..")
        count = f"{counts[symbol]:,} orders"
        rows.append(f"  {name:{_LABEL - 2}}{written(value, 'money'):>{_NUMBER}}{count:>{_NUMBER}}")
    return [head, *rows]


def summary_html(result: PortfolioResult) -> str:
    """Return a small table with a drawing of the equity, for notebooks; it loads nothing."""
    names = ("total_return", "annual_return", "sharpe_ratio", "max_drawdown", "n_orders", "turnover", "costs_paid")
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(describe(name).label)}</th>"
        f"<td>{written(result.metrics[name], describe(name).kind)}</td></tr>"
        for name in names
    )
    notes = "".join(f"<div>&#9888; {escape(text)}</div>" for text in result.warnings)
    return (
        f"<div><strong>{escape(title_of(result))}</strong><div>{escape(span_of(result))}</div>"
        f"{sparkline(result.equity_values)}<table><tbody>{rows}</tbody></table>{notes}</div>"
    )


def assumption_rows(result: PortfolioResult) -> list[tuple[str, str]]:
    """Return the assumptions as pairs of a label and words."""
    given = dict(result.assumptions)
    fill = str(given.pop("fill"))
    commission = given.pop("commission", None)
    by_symbol = isinstance(commission, dict) and "rate" not in commission
    rows = [
        ("Fill", FILL_WORDS.get(fill, fill)),
        ("Initial cash", f"{float(given.pop('cash')):,.2f}"),
        ("Commission", plain_text(commission) if by_symbol else commission_text(commission)),
    ]
    for key, value in given.items():
        text = plain_text(value) if isinstance(value, dict) else assumption_text(key, value)
        rows.append((label_of(key), text))
    return rows


def contributions_of(result: PortfolioResult) -> pd.DataFrame:
    """Return what each instrument earned, in currency: closed, still open, what it cost, and its orders.

    Closed and open profits of all instruments, less the interest on borrowed cash, add up to the change of the account.
    """
    import pandas as pd

    n = len(result.symbols)
    orders, trades = result.order_columns, result.trade_columns
    instrument = orders["instrument"]
    last, units = result.last_prices[-1], result.positions.to_numpy()[-1]
    multiplier = result.multipliers[instrument]
    spent = orders["units"] * orders["price"] * multiplier + orders["commission"]
    earned = np.zeros(n)
    if result.dividend_columns is not None:
        np.add.at(earned, result.dividend_columns["instrument"], result.dividend_columns["amount"])
    total = earned + units * last - np.bincount(instrument, weights=spent, minlength=n) - result.borrow_values
    closed = np.bincount(trades["instrument"], weights=trades["pnl"], minlength=n)
    costs = np.bincount(instrument, weights=orders["commission"] + orders["slippage"], minlength=n)
    return pd.DataFrame(
        {
            "pnl": closed,
            "open_pnl": total - closed,
            "costs": costs + result.borrow_values,
            "n_orders": np.bincount(instrument, minlength=n),
        },
        index=pd.Index(result.symbols, name="symbol"),
    )


# --- figures ---


def _line(result: PortfolioResult, values: Float1D, name: str, **line: Any) -> dict[str, Any]:
    positions = thinned(values)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": wall_texts(result.index, positions),
        "y": values[positions],
        "line": line,
    }


def _axis(**options: Any) -> dict[str, Any]:
    return {"gridcolor": GRID, "zeroline": False, "automargin": True} | options


def curve_figure(result: PortfolioResult, which: str) -> dict[str, Any]:
    """Return one drawing as a plain mapping: `equity`, `drawdown`, `exposure` or `weights`."""
    exposure = result.exposure
    money, share = _axis(tickformat="~s"), _axis(tickformat=".0%")
    if which == "equity":
        traces = [
            _line(result, result.cash_values, "Cash", color=MUTED, width=1.2),
            _line(result, result.equity_values, "Equity", color=ACCENT, width=1.8),
        ]
        axis = money
    elif which == "drawdown":
        own = _line(result, floats(result.drawdown), "Drawdown", color=LOSS, width=1.2)
        traces = [own | {"fill": "tozeroy", "fillcolor": translucent(LOSS, 0.18)}]
        axis = share | {"autorange": "reversed", "rangemode": "tozero"}
    elif which == "exposure":
        traces = [
            _line(result, floats(exposure["gross"]), "Gross exposure", color=INK, width=1.2),
            _line(result, floats(exposure["net"]), "Net exposure", color=ACCENT, width=1.2),
        ]
        axis = share
    else:
        weights = result.weights
        largest = weights.abs().max().sort_values(ascending=False, kind="stable").index[:_DRAWN]
        traces = [_line(result, floats(weights[symbol]), str(symbol), width=1.2) for symbol in largest]
        axis = share
    layout = {
        "margin": {"l": 56, "r": 18, "t": 34, "b": 36},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        "hovermode": "x unified",
        "xaxis": _axis(showgrid=False),
        "yaxis": axis,
        "font": {"size": 12, "color": INK},
    }
    return {"data": traces, "layout": layout}


def overview_figure(result: PortfolioResult) -> go.Figure:
    """Return one figure of four rows: equity and cash, drawdown, exposure, weights of the largest positions."""
    import plotly.graph_objects as go

    domains = {"equity": [0.64, 1.0], "drawdown": [0.46, 0.60], "exposure": [0.26, 0.42], "weights": [0.0, 0.22]}
    traces: list[dict[str, Any]] = []
    layout = dict(curve_figure(result, "equity")["layout"])
    for number, (which, domain) in enumerate(domains.items(), start=1):
        part = curve_figure(result, which)
        suffix = "" if number == 1 else str(number)
        traces += [trace | {"yaxis": f"y{suffix}"} for trace in part["data"]]
        layout[f"yaxis{suffix}"] = part["layout"]["yaxis"] | {"domain": domain, "title": {"text": which}}
    layout["xaxis"] = _axis(showgrid=False, anchor="y4")
    layout |= {"height": 900, "paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff"}
    layout["margin"] = {"l": 70, "r": 24, "t": 96, "b": 40}
    figure: go.Figure = go.Figure({"data": traces, "layout": layout})
    return figure
