"""The document of a result: what it earned, how it lost, what it assumed, where the data came from.

This file decides what a reader sees and in which words; `algotrendy.reports` draws it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from algotrendy.backtest import plots
from algotrendy.backtest.definitions import METRIC_INFO, describe, is_missing, moment_text, written
from algotrendy.backtest.wording import (
    all_warnings,
    assumption_rows,
    data_rows,
    hold_metrics,
    parameter_text,
    span_of,
    strategy_rows,
    title_of,
)
from algotrendy.errors import InputError
from algotrendy.reports import (
    Cell,
    Chart,
    Column,
    Document,
    KeyFigure,
    KeyFigures,
    Notice,
    Section,
    Switch,
    Table,
    Text,
    write_document,
)
from algotrendy.reports.document import Block, Tone
from algotrendy.reports.months import months_table
from algotrendy.reports.pdf import Paper
from algotrendy.reports.thinning import POINTS_MAX

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.result import BacktestResult

ROWS_MAX = 100
"""So many trades, the most recent, stand in the table."""


class SweepLike(Protocol):
    """What a report needs of a sweep."""

    @property
    def table(self) -> pd.DataFrame:
        """One row per combination: parameters and metrics."""
        ...

    def heatmap(self) -> Any:
        """Return a Plotly figure of the metric over the parameters."""
        ...


def write_report(
    result: BacktestResult,
    path: str | Path,
    *,
    sweep: SweepLike | None = None,
    title: str | None = None,
    date: date | None = None,
    paper: Paper = "a4",
) -> Path:
    """Write the report of a result to a `.html`, `.pdf` or `.xlsx` file, whole or not at all, and return its path."""
    return write_document(compose(result, sweep=sweep, title=title), path, date=date, paper=paper)


def compose(result: BacktestResult, *, sweep: SweepLike | None = None, title: str | None = None) -> Document:
    """Return the document of a result.

    Parameters
    ----------
    result : BacktestResult
    sweep : SweepLike, optional
        Shown as a heat map with its best rows.
    title : str, optional
        Default: the name of the strategy.
    """
    sections = [
        _overview(result),
        Section("Equity", [_equity_chart(result)]),
        _drawdown(result),
        _trades(result),
        _calendar(result),
        *(_sweep_sections(sweep) if sweep is not None else []),
        _metrics(result),
        Section("Costs and assumptions", [_costs(result), _pairs("Assumptions", assumption_rows(result))]),
        _strategy(result),
        _data(result),
    ]
    parameters = parameter_text(result)
    subtitle = f"{span_of(result)} · {parameters}" if parameters else span_of(result)
    footer = f"Written by algotrendy {result.versions['algotrendy']}. Past results do not promise future ones."
    return Document(title or title_of(result), subtitle, sections, footer)


# --- the sections ---


def _overview(result: BacktestResult) -> Section:
    metrics, hold = result.metrics, hold_metrics(result)

    def figure(name: str, note: str = "", tone: Tone = "neutral") -> KeyFigure:
        return KeyFigure.of(describe(name).label, metrics.get(name), describe(name).kind, note, tone)

    def held(name: str) -> str:
        return f"buy and hold {written(getattr(hold, name), describe(name).kind)}"

    gained = metrics["total_return"]
    tone: Tone = "neutral" if gained == 0.0 else "good" if gained > 0.0 else "bad"  # type: ignore[operator]
    items = [
        figure("total_return", held("total_return"), tone),
        figure("annual_return", held("annual_return")),
        figure("sharpe_ratio", held("sharpe_ratio")),
        figure("max_drawdown", held("max_drawdown")),
        figure("final_equity", f"from {result.cash:,.2f}"),
        figure("n_trades", f"{written(metrics.get('n_orders'), 'count')} orders"),
        figure("win_rate", f"profit factor {written(metrics.get('profit_factor'), 'ratio')}"),
        figure("costs_paid", f"in the market {written(metrics.get('time_in_market'), 'share')} of the time"),
    ]
    blocks: list[Block] = [KeyFigures(items), *(Notice(_sentence(text)) for text in all_warnings(result))]
    return Section("At a glance", blocks)


def _equity_chart(result: BacktestResult) -> Chart:
    final, held = written(result.metrics["final_equity"], "money"), written(hold_metrics(result).final_equity, "money")
    return Chart(
        plots.equity_figure(result),
        title="Value of the account",
        description=f"Line chart of equity over time. The strategy ends at {final}, buying and holding at {held}.",
        caption="Buying and holding: all of the cash buys at the first price that the fill convention allows, "
        f"fractional units, at the same costs, and is never sold.{_thinned_note(result)}",
        height=440,
        switches=[Switch("Scale", [("Linear", {"yaxis.type": "linear"}), ("Log", {"yaxis.type": "log"})])],
    )


def _drawdown(result: BacktestResult) -> Section:
    worst = written(result.metrics["max_drawdown"], "share")
    chart = Chart(
        plots.drawdown_figure(result),
        title="Loss from the running peak",
        description=f"Area chart of the drawdown over time, drawn downwards. The largest is {worst}.",
        height=280,
    )
    rows = [
        [
            Cell.of(row["start"], "moment"),
            Cell.of(row["valley"], "moment"),
            "not yet" if is_missing(row["end"]) else Cell.of(row["end"], "moment"),
            Cell.of(row["depth"], "share"),
            Cell.of(row["n_bars"], "count"),
        ]
        for row in result.worst_drawdowns.to_dict("records")
    ]
    columns = [*map(Column, ("Peak", "Lowest", "Recovered")), Column("Depth", "right"), Column("Bars", "right")]
    table = Table(columns, rows, "Worst drawdowns") if rows else Text("Equity was never below its peak.")
    return Section("Drawdown", [chart, table])


def _trades(result: BacktestResult) -> Section:
    n_trades = len(result.trade_columns["pnl"])
    shown = len(plots.drawn_trades(result))
    which = (
        f"The {shown:,} trades with the largest profits and losses of {n_trades:,} are drawn. "
        if shown < n_trades
        else ""
    )
    chart = Chart(
        plots.trades_figure(result),
        title="Trades on the price, and the exposure",
        description=f"Line chart of the closing price with {n_trades:,} trades marked, and the exposure below it.",
        caption=f"{which}Exposure is the value of the position / equity; negative is short.{_thinned_note(result)}",
        height=560,
    )
    return Section("Trades", [chart, _trades_table(result)])


def _trades_table(result: BacktestResult) -> Block:
    frame = result.trades
    if frame.empty:
        return Text("No trade was closed.")
    recent = frame.iloc[::-1].head(ROWS_MAX)
    strong = float(frame["return"].abs().quantile(0.95)) or 1.0
    rows = [
        [
            Cell.of(row["entry_at"], "moment"),
            Cell.of(row["exit_at"], "moment"),
            row["side"],
            Cell.of(row["units"], "number"),
            Cell.of(row["entry_price"], "number"),
            Cell.of(row["exit_price"], "number"),
            Cell.of(row["pnl"], "money"),
            Cell.of(row["return"], "change", heat=_heat(row["return"], strong)),
            Cell.of(row["bars_held"], "count"),
            row["reason"],
        ]
        for row in recent.to_dict("records")
    ]
    even = [Column(name, "right", even=True) for name in ("Units", "Entry price", "Exit price")]
    right = [Column(name, "right") for name in ("Profit", "Return", "Bars")]
    columns = [Column("Entry"), Column("Exit"), Column("Side"), *even, *right, Column("Closed by")]
    caption = f"The {len(rows):,} most recent of {len(frame):,} trades" if len(rows) < len(frame) else "All trades"
    return Table(columns, rows, caption, tall=True)


def _calendar(result: BacktestResult) -> Section:
    moving = plots.moving_returns(result)
    n_periods = len(result.returns)
    chart = Chart(
        plots.distribution_figure(result),
        title="How large the returns were",
        description=f"Histogram of {len(moving):,} returns per period; losses left of zero, gains right of it.",
        caption=f"{n_periods - len(moving):,} of {n_periods:,} periods did not move the account and are not drawn.",
        height=300,
    )
    return Section("Returns", [months_table(result.monthly_returns), chart])


def _metrics(result: BacktestResult) -> Section:
    names = [name for name in METRIC_INFO if name in result.metrics]
    names += [name for name in result.metrics if name not in METRIC_INFO]
    hold = hold_metrics(result)
    rows: list[list[Cell | str]] = []
    for name in names:
        info = describe(name)
        held = Cell.of(getattr(hold, name), info.kind) if name in hold._fields else ""
        rows.append([info.label, Cell.of(result.metrics[name], info.kind), held, info.definition])
    columns = [
        Column("Metric"),
        Column("Strategy", "right"),
        Column("Buy and hold", "right"),
        Column("Definition", "text"),
    ]
    return Section("Metrics", [Table(columns, rows, "Every metric and what it means")])


def _costs(result: BacktestResult) -> Table:
    names = [name for name, info in METRIC_INFO.items() if info.group == "Costs" and name in result.metrics]
    rows: list[list[Cell | str]] = [
        [
            describe(name).label,
            Cell.of(
                result.metrics[name], "money", formula="SUM([Paid:first]:[Paid:-1])" if name == "costs_paid" else ""
            ),
            _share_of_cash(float(result.metrics[name]) / result.cash),
        ]
        for name in names
    ]
    columns = [Column("Cost"), Column("Paid", "right"), Column("Of the initial cash", "right")]
    return Table(columns, rows, "Costs paid", has_total=names[-1:] == ["costs_paid"])


def _share_of_cash(share: float) -> Cell:
    return Cell(f"{100 * share:.2f} %", value=share, kind="share")


def _sweep_sections(sweep: SweepLike) -> list[Section]:
    return [_sweep(sweep), *([_overfitting(sweep)] if hasattr(sweep, "overfitting") else [])]


def _sweep(sweep: SweepLike) -> Section:
    table = sweep.table
    chart = Chart(
        sweep.heatmap(),
        title="Every combination",
        description=f"Heat map of the sweep's metric over its parameters: {len(table):,} combinations.",
        caption="Look for broad regions, not for single peaks: the best of many combinations is partly luck.",
        height=520,
    )
    top = sweep.top(10) if hasattr(sweep, "top") else table.head(10)
    columns = [Column(describe(str(name)).label, "right") for name in top.columns]
    rows = [[_sweep_cell(str(name), value) for name, value in row.items()] for row in top.to_dict("records")]
    stopped = [] if getattr(sweep, "complete", True) else [Notice("The sweep was stopped before its end.")]
    return Section("Parameter sweep", [*stopped, chart, Table(columns, rows, "Best combinations")])


def _overfitting(sweep: Any) -> Section:
    """Say what the best row is worth after all that was tried, or why that cannot be said."""
    try:
        found = sweep.overfitting()
    except InputError as why:
        return Section("Skill or luck", [Notice(f"How much of it is luck cannot be said: {why}.")])
    first: Tone = "good" if found.is_more_than_luck else "bad"
    deflated = f"{100 * found.deflated_effective:.1f} %"
    figures = [
        KeyFigure("Luck, against cash", f"{100 * found.p_value:.1f} %", "p-value of the best row", first),
        KeyFigure("Luck, against holding", f"{100 * found.p_value_hold:.1f} %", "the same against buying and holding"),
        KeyFigure("Trials", f"{found.n_trials:,}", f"worth {found.effective_trials:,.1f} independent ones"),
        KeyFigure("Deflated Sharpe ratio", deflated, f"{100 * found.deflated:.1f} % by the raw number of trials"),
        KeyFigure("Probability of overfitting", f"{100 * found.pbo.probability:.1f} %", "50 % is choosing by lot"),
    ]
    if found.ledger is not None:
        runs = f"{found.ledger.n_trials:,} trials in {found.ledger.n_records:,} runs on these bars"
        figures.append(KeyFigure("After all trials", f"{100 * found.p_value_ledger:.1f} %", runs))
    chart = Chart(
        plots.overfitting_figure(found.pbo, found.estimate.periods_per_year),
        title="Best in one half of the history, and then in the other",
        description="Scatter of the chosen row's Sharpe ratio in the half that chose it against that in the other, for "
        f"{len(found.pbo.logits):,} splits. The slope is {found.pbo.slope:.2f}.",
        caption="Each point is one way to cut the history into halves; its row was the best of one of them. Below zero "
        "it lost money in the other.",
        height=380,
    )
    columns = [Column("Figure"), Column("Value", "right"), Column("What it says", "text")]
    table = Table(columns, found.rows(), "What the best row is worth")
    return Section("Skill or luck", [KeyFigures(figures), Notice(found.verdict, "info"), table, chart])


def _sweep_cell(name: str, value: Any) -> Cell:
    return Cell.of(value, describe(name).kind if name in METRIC_INFO else "number")


def _strategy(result: BacktestResult) -> Section:
    texts = {"Entry", "Exit", "Short entry", "Short exit", "Parameters"}
    rows = [(label, Cell(text, code=label in texts)) for label, text in strategy_rows(result)]
    return Section("Strategy", [Table([Column("Part"), Column("Definition")], rows, "Definition")])


def _data(result: BacktestResult) -> Section:
    versions = ", ".join(f"{name} {number}" for name, number in result.versions.items())
    index = result.bars.index
    rows = [("Bars", f"{len(index):,}, from {moment_text(index[0])} to {moment_text(index[-1])}"), *data_rows(result)]
    return Section("Data and provenance", [_pairs("Where the numbers come from", [*rows, ("Versions", versions)])])


# --- small parts ---


def _pairs(caption: str, rows: list[tuple[str, str]]) -> Table:
    return Table([Column("What"), Column("Value")], rows, caption)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _heat(value: float, strongest: float) -> float:
    return float(np.clip(value / strongest, -1.0, 1.0))


def _thinned_note(result: BacktestResult) -> str:
    if len(result.bars) <= POINTS_MAX:
        return ""
    return f" Curves are thinned to at most {POINTS_MAX:,} points that keep every extreme."
