"""The sections of reports on returns. Measures come from `algotrendy.risk`; here are words and pictures."""

from __future__ import annotations

import warnings
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.reports.document import (
    Block,
    Cell,
    Chart,
    Column,
    KeyFigure,
    KeyFigures,
    Notice,
    Section,
    Switch,
    Table,
    Text,
    Tone,
)
from algotrendy.reports.measures import MEASURES
from algotrendy.reports.months import months_table
from algotrendy.reports.palette import ACCENT, GAIN, GRID, INK, LOSS, MUTED, translucent
from algotrendy.reports.thinning import thinned
from algotrendy.reports.wording import is_missing, written

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.reports.performance_report import PerformanceReport
    from algotrendy.risk.tail_model import TailMethod

__all__ = ["backtest", "monthly_performance", "risk"]

_DRAWDOWNS_MAX = 10
_BINS = 61
_TAILS: tuple[tuple[TailMethod, str, str], ...] = (
    ("historical", "Historical", "The quantile of the returns as they were."),
    ("parametric", "Normal", "A normal distribution with their mean and standard deviation."),
    ("student_t", "Student's t", "Fitted by maximum likelihood; fat tails."),
    ("cornish_fisher", "Cornish-Fisher", "Normal quantiles bent by skewness and kurtosis."),
    ("ewma", "EWMA", "Normal, with the volatility of now (RiskMetrics)."),
)
"""The ways to value at risk that a report shows beside each other."""

_PERIODS_FOR_TAILS = 20


def monthly_performance(report: PerformanceReport) -> list[Section]:
    """Return what was earned, month by month."""
    return [_glance(report), _growth(report), _calendar(report), _drawdown(report), _basis(report)]


def risk(report: PerformanceReport) -> list[Section]:
    """Return how much can be lost, and how that changed over time."""
    return [
        _risk_glance(report),
        _tails(report),
        _drawdown(report),
        _over_time(report),
        _measures(report),
        _basis(report),
    ]


def backtest(report: PerformanceReport) -> list[Section]:
    """Return performance and risk in one report."""
    parts = [_glance(report), _growth(report), _calendar(report), _drawdown(report)]
    return [*parts, _tails(report), _over_time(report), _measures(report), _basis(report)]


# --- at a glance ---


def _figure(report: PerformanceReport, name: str, note: str | None = None, tone: Tone = "neutral") -> KeyFigure:
    measure = MEASURES[name]
    if note is None:
        held = report.base_measures.get(name)
        note = "" if held is None else f"benchmark {written(held, measure.kind)}"
    return KeyFigure.of(measure.label, report.measures.get(name), measure.kind, note, tone)


def _glance(report: PerformanceReport) -> Section:
    gained = report.measures["total_return"]
    months = _months_of(report)
    known = months[np.isfinite(months)]
    best, worst = (float(known.max()), float(known.min())) if known.size else (None, None)
    positive = float((known > 0.0).mean()) if known.size else None
    items = [
        _figure(report, "total_return", tone="good" if gained > 0.0 else "bad" if gained < 0.0 else "neutral"),
        _figure(report, "annual_return"),
        _figure(report, "volatility"),
        _figure(report, "sharpe_ratio"),
        _figure(report, "max_drawdown"),
        KeyFigure.of("Best month", best, "change"),
        KeyFigure.of("Worst month", worst, "change"),
        KeyFigure.of("Months with a gain", positive, "share", f"of {known.size:,}"),
    ]
    return Section("At a glance", [KeyFigures(items), *_notices(report)])


def _risk_glance(report: PerformanceReport) -> Section:
    level = f"{100 * report.confidence_level:g} %, one period"
    items = [
        _figure(report, "value_at_risk", level),
        _figure(report, "expected_shortfall", level),
        _figure(report, "volatility"),
        _figure(report, "max_drawdown"),
        _figure(report, "current_drawdown"),
        _figure(report, "worst_return"),
        _figure(report, "skewness", ""),
        _figure(report, "excess_kurtosis", ""),
    ]
    return Section("At a glance", [KeyFigures(items), *_notices(report)])


def _notices(report: PerformanceReport) -> list[Notice]:
    """Return what a reader must know about the returns themselves."""
    assert report.returns is not None
    values, found = report.series.to_numpy(), []
    lost = int(np.flatnonzero(values <= -1.0)[0]) if (values <= -1.0).any() else None
    if lost is not None:
        found.append(
            f"Everything was lost on {report.series.index[lost]:%Y-%m-%d} (a return of -100 %); nothing can follow."
        )
    omitted = len(report.returns) - len(values)
    if omitted:
        found.append(f"{omitted:,} of {len(report.returns):,} returns are missing and were left out.")
    if len(values) < 2:
        found.append("There is 1 return: what needs two or more is not available.")
    elif not values.any():
        found.append("All returns are zero: nothing moved, and ratios to a risk of zero are not available.")
    elif len(values) < report.periods_per_year:
        found.append("There is less than a year of returns: annual figures are extrapolated.")
    return [Notice(text) for text in found]


# --- growth ---


def _growth(report: PerformanceReport) -> Section:
    own, held = _names(report)
    traces = [_line(report, report.wealth, own, ACCENT, 1.8)]
    if report.base is not None:
        traces.insert(0, _line(report, np.cumprod(1.0 + report.base.to_numpy()), held, MUTED, 1.3))
    layout = _layout(yaxis=_axis(tickformat=".2f"), hovermode="x unified")
    layout["legend"]["traceorder"] = "reversed"
    chart = Chart(
        {"data": traces, "layout": layout},
        title="Growth of 1",
        description=f"Line chart of the growth of 1 over time; it ends at {report.wealth[-1]:,.2f}.",
        height=340,
        switches=[Switch("Scale", [("Linear", {"yaxis.type": "linear"}), ("Log", {"yaxis.type": "log"})])],
    )
    return Section("Growth", [chart])


def _months_of(report: PerformanceReport) -> Float1D:
    frame = _months_frame(report.series)
    return frame[list(range(1, 13))].to_numpy().ravel()


def _months_frame(returns: pd.Series[float]) -> pd.DataFrame:
    from algotrendy.risk.months import monthly_returns

    return monthly_returns(np.cumprod(1.0 + returns.to_numpy()), returns.index, 1.0)  # type: ignore[arg-type]  # dates, checked


def _calendar(report: PerformanceReport) -> Section:
    frame = _months_frame(report.series)
    base = None if report.base is None else _months_frame(report.base)
    blocks: list[Block] = [months_table(frame), _years_chart(frame, base, _names(report)), _years_table(frame, base)]
    return Section("Months and years", blocks)


def _years_chart(frame: pd.DataFrame, base: pd.DataFrame | None, names: tuple[str, str]) -> Chart:
    years = [str(year) for year in frame.index]
    own = frame["year"].to_numpy()
    if base is None:
        colors = [LOSS if value < 0.0 else GAIN for value in own.tolist()]
        traces = [_bars(years, own, names[0]) | {"marker": {"color": colors, "line": {"width": 0}}}]
    else:
        traces = [
            _bars(years, own, names[0]) | {"marker": {"color": ACCENT, "line": {"width": 0}}},
            _bars(years, base["year"].to_numpy(), names[1]) | {"marker": {"color": MUTED, "line": {"width": 0}}},
        ]
    yaxis = _axis(tickformat=".0%", zeroline=True, zerolinecolor=MUTED)
    layout = _layout(xaxis=_axis(showgrid=False, type="category"), yaxis=yaxis, barmode="group", bargap=0.25)
    return Chart(
        {"data": traces, "layout": layout},
        title="Return per year",
        description=f"Bars of the returns of {len(years)} calendar years.",
        caption="The first and the last year count from the first and to the last return.",
        height=260,
    )


def _bars(x: list[str], y: Float1D, name: str) -> dict[str, Any]:
    return {"type": "bar", "name": name, "x": x, "y": y, "hovertemplate": "%{x}: %{y:.1%}"}


def _years_table(frame: pd.DataFrame, base: pd.DataFrame | None) -> Table:
    """Return the years with their growth, which a workbook derives."""
    rows: list[list[Cell | str]] = []
    growth = 1.0
    for place, (year, value) in enumerate(zip(frame.index, frame["year"].to_numpy().tolist(), strict=True)):
        known = np.isfinite(value)
        growth = growth * (1.0 + value) if known else growth
        row: list[Cell | str] = [str(year), Cell.of(value, "change")]
        if base is not None:
            other = float(base["year"].iloc[place])
            row += [Cell.of(other, "change"), Cell.of(value - other, "change")]
        first = "1+[Return]" if place == 0 else "[Growth of 1:-1]*(1+[Return])"
        rows.append([*row, Cell.of(growth, "ratio", formula=first if known else "")])
    relative = (
        [] if base is None else [Column("Benchmark", "right"), Column("Difference", "right", "[Return]-[Benchmark]")]
    )
    columns = [Column("Year"), Column("Return", "right"), *relative, Column("Growth of 1", "right")]
    return Table(columns, rows, "Years")


# --- drawdown ---


def _drawdown(report: PerformanceReport) -> Section:
    from algotrendy.risk import drawdown_series, drawdown_table

    name, held = _names(report)
    own = _line(report, drawdown_series(report.series).to_numpy(), name, LOSS, 1.2)
    traces = [own | {"fill": "tozeroy", "fillcolor": translucent(LOSS, 0.18)}]
    if report.base is not None:
        traces.append(_line(report, drawdown_series(report.base).to_numpy(), held, MUTED, 1.0))
    yaxis = _axis(tickformat=".0%", autorange="reversed", rangemode="tozero")
    worst = written(report.measures["max_drawdown"], "share")
    chart = Chart(
        {"data": traces, "layout": _layout(yaxis=yaxis, hovermode="x unified")},
        title="Loss from the running peak",
        description=f"Area chart of the drawdown over time, drawn downwards. The largest is {worst}.",
        height=260,
    )
    found = drawdown_table(report.series, _DRAWDOWNS_MAX)
    rows = [
        [
            "the start" if is_missing(row["peak"]) else Cell.of(row["peak"], "moment"),
            Cell.of(row["valley"], "moment"),
            "not yet" if is_missing(row["recovery"]) else Cell.of(row["recovery"], "moment"),
            Cell.of(row["drawdown"], "share"),
            Cell.of(row["n_periods"], "count"),
        ]
        for row in found.to_dict("records")
    ]
    columns = [*map(Column, ("Peak", "Lowest", "Recovered")), Column("Depth", "right"), Column("Periods", "right")]
    table: Block = Table(columns, rows, "Worst drawdowns") if rows else Text("The value was never below its peak.")
    return Section("Drawdown", [chart, table])


# --- risk ---


def _tails(report: PerformanceReport) -> Section:
    values = np.asarray(report.series, dtype=np.float64)
    if len(values) < _PERIODS_FOR_TAILS:
        text = f"There are {len(values)} returns; losses of the tail are not told from fewer than {_PERIODS_FOR_TAILS}."
        return Section("Losses of one period", [Text(text)])
    blocks: list[Block] = [_histogram(report, values), _tail_table(report)]
    return Section("Losses of one period", blocks)


def _histogram(report: PerformanceReport, values: Float1D) -> Chart:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    width = (high - low) / (_BINS - 1) or 0.001
    edges = np.arange(np.floor(low / width), np.ceil(high / width) + 2) * width  # zero is an edge
    counts, _ = np.histogram(values, bins=edges)
    middle = (edges[:-1] + edges[1:]) / 2
    lost = report.measures["value_at_risk"]
    bars = {
        "type": "bar",
        "name": "Returns",
        "x": middle,
        "y": counts,
        "width": np.diff(edges),
        "marker": {"color": np.where(middle < 0.0, LOSS, GAIN).tolist(), "opacity": 0.75, "line": {"width": 0}},
        "hovertemplate": "around %{x:.2%}: %{y} periods<extra></extra>",
    }
    layout = _layout(xaxis=_axis(tickformat=".1~%", showgrid=False), yaxis=_axis(), bargap=0.05, showlegend=False)
    line = {"color": INK, "dash": "dot", "width": 1.5}
    layout["shapes"] = [{"type": "line", "x0": -lost, "x1": -lost, "y0": 0, "y1": 1, "yref": "paper", "line": line}]
    note = f"value at risk {written(lost, 'share')}"
    layout["annotations"] = [
        {"text": note, "x": -lost, "y": 1.0, "yref": "paper", "xanchor": "right", "yanchor": "top", "xshift": -5}
        | {"showarrow": False, "font": {"size": 11}}
    ]
    return Chart(
        {"data": [bars], "layout": layout},
        title="How large the returns were",
        description=f"Histogram of {len(values):,} returns, with the value at risk of {written(lost, 'share')} marked.",
        height=280,
    )


def _tail_table(report: PerformanceReport) -> Table:
    levels = tuple(dict.fromkeys((report.confidence_level, 0.99)))
    rows: list[list[Cell | str]] = []
    for method, label, definition in _TAILS:
        cells, said = [], ""
        for level in levels:
            found, word = _tail(report, method, level)
            cells += [Cell.of(value, "share") for value in found]
            said = said or word
        rows.append([label, *cells, f"{definition} {said}".strip()])
    heads = [f"{name} {100 * level:g} %" for level in levels for name in ("VaR", "ES")]
    columns = [Column("Method"), *(Column(head, "right") for head in heads), Column("What it is", "text")]
    return Table(columns, rows, "Value at risk and expected shortfall of one period")


def _tail(report: PerformanceReport, method: TailMethod, level: float) -> tuple[tuple[float, float], str]:
    """Return value at risk and expected shortfall by one method, and what has to be said about them."""
    from algotrendy.risk import tail_risk

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = tail_risk(report.series, level, method=method)
    except InputError as why:
        return (float("nan"), float("nan")), f"Not available: {why}."
    return (found.value_at_risk, found.expected_shortfall), "Outside of its domain here." if caught else ""


def _over_time(report: PerformanceReport) -> Section:
    from algotrendy.risk import rolling_tail_risk, rolling_volatility

    window = min(int(report.periods_per_year), 252)
    if len(report.series) < max(2 * window, 4) or window < 3:
        text = f"There are {len(report.series):,} returns; a window of {window} needs twice as many to show a change."
        return Section("Risk over time", [Text(text)])
    volatility = rolling_volatility(report.series, window, periods_per_year=report.periods_per_year).to_numpy()
    tail = rolling_tail_risk(report.series, window, report.confidence_level)
    charts = [
        Chart(
            {
                "data": [_line(report, volatility, "Volatility", ACCENT, 1.4)],
                "layout": _layout(yaxis=_axis(tickformat=".0%")),
            },
            title=f"Volatility of {window} periods, per year",
            description=f"Line chart of the volatility over a window of {window} periods.",
            height=240,
        ),
        Chart(
            {
                "data": [
                    _line(report, tail["expected_shortfall"].to_numpy(), "Expected shortfall", LOSS, 1.4),
                    _line(report, tail["value_at_risk"].to_numpy(), "Value at risk", ACCENT, 1.4),
                ],
                "layout": _layout(yaxis=_axis(tickformat=".1%", rangemode="tozero"), hovermode="x unified"),
            },
            title=f"Loss of one period at {100 * report.confidence_level:g} %, of the last {window} periods",
            description="Line chart of value at risk and expected shortfall over a window, positive fractions.",
            height=240,
        ),
    ]
    return Section("Risk over time", charts)


def _measures(report: PerformanceReport) -> Section:
    base = report.base_measures
    rows: list[list[Cell | str]] = []
    for name, measure in MEASURES.items():
        if name not in report.measures:
            continue  # of a single return, or without a benchmark
        row: list[Cell | str] = [measure.label, Cell.of(report.measures[name], measure.kind)]
        if base:
            row.append(Cell.of(base[name], measure.kind) if name in base else "")
        rows.append([*row, measure.definition])
    second = [Column("Benchmark", "right")] if base else []
    columns = [Column("Measure"), Column("Returns", "right"), *second, Column("Definition", "text")]
    return Section("Measures", [Table(columns, rows, "Every measure and what it means")])


def _basis(report: PerformanceReport) -> Section:
    zone = getattr(report.series.index, "tz", None)
    rows: list[list[Cell | str]] = [
        ["Returns", f"{len(report.series):,}, simple, per period"],
        ["Dates", f"time zone {zone}" if zone is not None else "no time zone"],
        ["Periods per year (P)", Cell.of(report.periods_per_year, "number")],
        ["Risk-free rate, per year", Cell.of(report.risk_free_rate, "share")],
        ["Benchmark", "none" if report.base is None else str(report.base.name or "given")],
        ["Losses", "positive: a drawdown of 15 % is a loss of 15 % from the peak"],
    ]
    return Section("Basis", [Table([Column("What"), Column("Value")], rows, "What the figures rest on")])


# --- charts ---


def _names(report: PerformanceReport) -> tuple[str, str]:
    """Return what the returns and the benchmark are called in charts, where `<` would else begin markup.

    A name that both have, such as that of the column `close`, tells neither from the other.
    """
    own = report.series.name
    held = None if report.base is None else report.base.name
    if own == held:
        own = held = None
    return escape(str(own or "Returns"), quote=False), escape(str(held or "Benchmark"), quote=False)


def _line(report: PerformanceReport, values: Float1D, name: str, color: str, width: float) -> dict[str, Any]:
    places = thinned(values)
    return {
        "type": "scatter",
        "mode": "lines" if len(values) > 1 else "lines+markers",
        "name": name,
        "x": _stamps(report, places),
        "y": values[places],
        "line": {"color": color, "width": width},
    }


def _stamps(report: PerformanceReport, places: Any) -> list[str]:
    import pandas as pd

    index = pd.DatetimeIndex(report.series.index).take(places)
    wall = (index if index.tz is None else index.tz_localize(None)).to_numpy()
    days = wall.astype("datetime64[D]")
    found: list[str] = np.datetime_as_string(days if (days == wall).all() else wall.astype("datetime64[s]")).tolist()
    return found


def _axis(**options: Any) -> dict[str, Any]:
    return {"gridcolor": GRID, "zeroline": False, "automargin": True} | options


def _layout(**options: Any) -> dict[str, Any]:
    legend = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"}
    basic = {
        "margin": {"l": 56, "r": 18, "t": 34, "b": 36},
        "legend": legend,
        "hovermode": "closest",
        "xaxis": _axis(showgrid=False),
        "font": {"size": 12, "color": INK},
    }
    return basic | options
