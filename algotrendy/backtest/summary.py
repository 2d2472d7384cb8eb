"""A result as text for a terminal (at most 80 columns), and as a small table for a notebook."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from algotrendy.backtest.definitions import METRIC_INFO, describe, written
from algotrendy.backtest.wording import (
    all_warnings,
    assumption_rows,
    data_rows,
    hold_metrics,
    span_of,
    strategy_rows,
    title_of,
)
from algotrendy.domain.types import Float1D
from algotrendy.reports.thinning import thinned

if TYPE_CHECKING:
    from algotrendy.backtest.curves import HoldMetrics
    from algotrendy.backtest.result import BacktestResult

WIDTH = 80
_LABEL = 24
_NUMBER = 20
_METRIC_GROUPS = ("Performance", "Risk", "Trades", "Costs")


def summary_text(result: BacktestResult) -> str:
    """Return the whole result as lines of plain text: metrics, costs, assumptions, data and warnings."""
    hold = hold_metrics(result)
    lines = [*wrapped(title_of(result), ""), *wrapped(span_of(result), ""), "=" * WIDTH]
    lines.append(f"{'':{_LABEL}}{'strategy':>{_NUMBER}}{'buy and hold':>{_NUMBER}}")
    for group in _METRIC_GROUPS:
        lines += ["", group, *_metric_lines(result, group, hold)]
    for title, rows in (
        ("Strategy", strategy_rows(result)),
        ("Assumptions", assumption_rows(result)),
        ("Data", data_rows(result)),
    ):
        lines += ["", title, *(line for label, text in rows for line in pair_lines(label, text))]
    warnings = all_warnings(result)
    if warnings:
        lines += ["", "Warnings", *(line for text in warnings for line in wrapped(text, "  ! "))]
    return "\n".join(line.rstrip() for line in lines)


def summary_html(result: BacktestResult) -> str:
    """Return a small table with a drawing of the equity, for notebooks; it loads nothing."""
    hold = hold_metrics(result)
    names = ("total_return", "annual_return", "sharpe_ratio", "max_drawdown", "n_trades", "win_rate", "costs_paid")
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(describe(name).label)}</th>"
        f"<td>{written(result.metrics[name], describe(name).kind)}</td><td>{_held(name, hold)}</td></tr>"
        for name in names
        if name in result.metrics
    )
    notes = "".join(f"<div>&#9888; {escape(text)}</div>" for text in all_warnings(result))
    return (
        f"<div><strong>{escape(title_of(result))}</strong><div>{escape(span_of(result))}</div>"
        f"{sparkline(result.equity_values)}<table>"
        "<thead><tr><td></td><th>strategy</th><th>buy and hold</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{notes}</div>"
    )


def _metric_lines(result: BacktestResult, group: str, hold: HoldMetrics) -> list[str]:
    names = [name for name, info in METRIC_INFO.items() if info.group == group and name in result.metrics]
    if group == _METRIC_GROUPS[0]:
        names += [name for name in result.metrics if name not in METRIC_INFO]
    return [
        f"  {describe(name).label:{_LABEL - 2}}{written(result.metrics[name], describe(name).kind):>{_NUMBER}}"
        f"{_held(name, hold):>{_NUMBER}}"
        for name in names
    ]


def _held(name: str, hold: HoldMetrics) -> str:
    return written(getattr(hold, name), describe(name).kind) if name in hold._fields else ""


def pair_lines(label: str, text: str) -> list[str]:
    """Return a label and a text, the text wrapped in its own column."""
    head = f"  {textwrap.shorten(label, _LABEL - 3, placeholder='..'):{_LABEL - 2}}"
    return wrapped(text, head)


def wrapped(text: str, head: str) -> list[str]:
    """Return a text as lines of the width of a summary, the first one behind `head`."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False
    ) or [head]


def sparkline(equity: Float1D, width: int = 360, height: int = 60) -> str:
    """Return the equity as a small drawing."""
    positions = thinned(equity, 400)
    values = equity[positions]
    low, high = float(np.min(values)), float(np.max(values))
    x = positions * (width / max(len(equity) - 1, 1))
    y = height - 2 - (values - low) * ((height - 4) / ((high - low) or 1.0))
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return (
        f"<svg width='{width}' height='{height}' viewBox='0 0 {width} {height}' role='img' aria-label='Equity curve'>"
        f"<polyline points='{points}' fill='none' stroke='#2557c7' stroke-width='1.5'/></svg>"
    )
