"""The document of a result of several instruments: what the account earned, what it held, what it assumed."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from algotrendy.backtest.definitions import ACCOUNT_METRIC_INFO, describe
from algotrendy.backtest.portfolio.views import assumption_rows, curve_figure, span_of, title_of
from algotrendy.backtest.storage import library_versions
from algotrendy.reports import (
    Cell,
    Chart,
    Column,
    Document,
    KeyFigure,
    KeyFigures,
    Notice,
    Section,
    Table,
    Text,
    write_document,
)
from algotrendy.reports.months import months_table

if TYPE_CHECKING:
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.reports.document import Block
    from algotrendy.reports.pdf import Paper

__all__ = ["compose", "write_report"]

ROWS_MAX = 100
"""So many trades, the most recent, and so many instruments, those that moved most, stand in the tables."""


def write_report(
    result: PortfolioResult,
    path: str | Path,
    *,
    title: str | None = None,
    date: date | None = None,
    paper: Paper = "a4",
) -> Path:
    """Write the report of a result to a `.html`, `.pdf` or `.xlsx` file, whole or not at all, and return its path."""
    return write_document(compose(result, title=title), path, date=date, paper=paper)


def compose(result: PortfolioResult, *, title: str | None = None) -> Document:
    """Return the document of a result."""
    sections = [
        _overview(result),
        Section("Equity", [_chart(result, "equity", "Value of the account, and the cash in it")]),
        Section("Drawdown", [_chart(result, "drawdown", "Loss from the running peak, drawn downwards")]),
        Section(
            "Positions",
            [
                _chart(result, "exposure", "Value of all positions / equity, without and with their signs"),
                _chart(result, "weights", "Weights of the largest positions"),
                _contributions(result),
            ],
        ),
        *_strategies(result),
        Section("Trades", [_trades(result)]),
        Section("Returns", [months_table(result.monthly_returns)]),
        _metrics(result),
        Section("Assumptions", [Table([Column("What"), Column("Value")], assumption_rows(result), "Assumptions")]),
    ]
    footer = f"Written by algotrendy {library_versions()['algotrendy']}. Past results do not promise future ones."
    return Document(title or title_of(result), span_of(result), sections, footer)


def _overview(result: PortfolioResult) -> Section:
    names = (
        "total_return",
        "annual_return",
        "sharpe_ratio",
        "max_drawdown",
        "final_equity",
        "n_orders",
        "turnover",
        "costs_paid",
    )
    items = [KeyFigure.of(describe(name).label, result.metrics[name], describe(name).kind) for name in names]
    notices = [Notice(text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")) for text in result.warnings]
    return Section("At a glance", [KeyFigures(items), *notices])


def _strategies(result: PortfolioResult) -> list[Section]:
    """Return what each strategy did with its share, where there are several."""
    if not result.sleeves:
        return []
    names = ("final_equity", "total_return", "sharpe_ratio", "max_drawdown", "n_orders", "costs_paid")
    rows: list[list[Cell | str]] = [
        [
            name,
            _share(float(sleeve.assumptions["share"])),
            *(Cell.of(sleeve.metrics[each], describe(each).kind) for each in names),
        ]
        for name, sleeve in result.sleeves.items()
    ]
    columns = [Column("Strategy"), *(Column(text, "right") for text in ("Share", *(describe(n).label for n in names)))]
    return [Section("Strategies", [Table(columns, rows, "What each strategy did with its share of the capital")])]


def _share(share: float) -> Cell:
    return Cell(f"{100 * share:g} %", value=share, kind="share")


def _chart(result: PortfolioResult, which: str, title: str) -> Chart:
    figure = curve_figure(result, which)
    names = ", ".join(str(trace["name"]) for trace in figure["data"])
    return Chart(figure, title=title, description=f"Line chart over time of {names}.", height=320)


def _contributions(result: PortfolioResult) -> Table:
    frame = result.contributions
    order = (frame["pnl"] + frame["open_pnl"]).abs().sort_values(ascending=False, kind="stable").index[:ROWS_MAX]
    rows: list[list[Cell | str]] = [
        [
            str(symbol),
            *(Cell.of(frame.at[symbol, name], "money") for name in ("pnl", "open_pnl", "costs")),
            Cell.of(int(frame["n_orders"][symbol]), "count"),
        ]
        for symbol in order
    ]
    right = [Column(name, "right") for name in ("Closed profit", "Open profit", "Costs", "Orders")]
    caption = f"What instruments earned: {len(rows):,} of {len(frame):,}"
    return Table([Column("Symbol"), *right], rows, caption, tall=True)


def _trades(result: PortfolioResult) -> Block:
    frame = result.trades
    if frame.empty:
        return Text("No trade was closed.")
    rows = [
        [
            row["symbol"],
            Cell.of(row["entry_at"], "moment"),
            Cell.of(row["exit_at"], "moment"),
            row["side"],
            Cell.of(row["units"], "number"),
            Cell.of(row["entry_price"], "number"),
            Cell.of(row["exit_price"], "number"),
            Cell.of(row["pnl"], "money"),
            Cell.of(row["return"], "change"),
            row["reason"],
        ]
        for row in frame.iloc[::-1].head(ROWS_MAX).to_dict("records")
    ]
    even = [Column(name, "right", even=True) for name in ("Units", "Entry price", "Exit price")]
    columns = [Column("Symbol"), Column("Entry"), Column("Exit"), Column("Side"), *even]
    columns += [Column("Profit", "right"), Column("Return", "right"), Column("Closed by")]
    return Table(columns, rows, f"The {len(rows):,} most recent of {len(frame):,} trades, at average cost", tall=True)


def _metrics(result: PortfolioResult) -> Section:
    rows: list[list[Cell | str]] = [
        [info.label, Cell.of(result.metrics[name], info.kind), info.definition]
        for name, info in ACCOUNT_METRIC_INFO.items()
        if name in result.metrics
    ]
    columns = [Column("Metric"), Column("Account", "right"), Column("Definition", "text")]
    return Section("Metrics", [Table(columns, rows, "Every metric and what it means")])
