"""What a command prints: plain summaries, and tables that fit the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

console = Console(highlight=False, soft_wrap=True)

FRACTIONS = frozenset({"total_return", "annual_return", "volatility", "max_drawdown", "win_rate", "time_in_market"})
"""Columns shown in per cent."""


def sweep_table(rows: pd.DataFrame) -> Table:
    """Return rows of a sweep as a table."""
    table = Table(header_style="bold")
    for name in rows.columns:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows.itertuples(index=False):
        table.add_row(*(cell(name, float(value)) for name, value in zip(rows.columns, row, strict=True)))
    return table


def cell(name: str, value: float) -> str:
    """Return a number as text, in the unit that the column `name` has.

    Examples
    --------
    >>> cell("max_drawdown", 0.3141), cell("n_trades", 41.0), cell("sharpe_ratio", 0.71234)
    ('31.4 %', '41', '0.712')
    """
    if name in FRACTIONS:
        return f"{100 * value:.1f} %"
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}"
