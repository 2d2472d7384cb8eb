"""Several backtests side by side: their metrics, their curves, and how alike they moved."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from algotrendy.backtest.curves import floats
from algotrendy.backtest.definitions import describe, moment_text, written
from algotrendy.backtest.plots import axis, layout_of, wall_texts
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.storage import library_versions
from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.reports import Cell, Chart, Column, Document, Notice, Section, Switch, Table, write_document
from algotrendy.reports.palette import ACCENT, GAIN, INK, LOSS, MUTED
from algotrendy.reports.pdf import Paper
from algotrendy.reports.thinning import thinned

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd
    import plotly.graph_objects as go

__all__ = ["Comparison", "compare"]

USUAL = (
    "total_return", "annual_return", "volatility", "sharpe_ratio", "sortino_ratio", "max_drawdown", "calmar_ratio",
    "n_trades", "win_rate", "profit_factor", "turnover", "time_in_market", "costs_paid",
)  # fmt: skip
LOWER_IS_BETTER = frozenset(
    {"volatility", "max_drawdown", "turnover", "commission_paid", "slippage_paid", "borrow_paid", "costs_paid"}
)
NEITHER = frozenset({"n_orders", "n_trades", "n_bars", "periods_per_year", "time_in_market"})
"""Of these neither more nor less is better."""
COLORS = (ACCENT, LOSS, GAIN, INK, MUTED)
DASHES = ("solid", "dash", "dot")
COMMON_MIN = 3
"""With fewer common returns a correlation says nothing."""


AnyResult: TypeAlias = BacktestResult | PortfolioResult


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several results side by side; `compare` makes one.

    Attributes
    ----------
    results : mapping of str to BacktestResult or PortfolioResult
        By name, in the order they were given.
    metrics : tuple of str
        What the table shows.
    """

    results: Mapping[str, AnyResult]
    metrics: tuple[str, ...]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per run, one column per metric; units as in `BacktestResult.metrics`."""
        import pandas as pd

        rows = [[result.metrics.get(name, float("nan")) for name in self.metrics] for result in self.results.values()]
        return pd.DataFrame(rows, index=pd.Index(self.results, name="run"), columns=list(self.metrics))

    @property
    def best(self) -> dict[str, str]:
        """The run that is best by each metric that can be better: the lowest for costs and risks, else the highest."""
        found = {}
        for name in self.metrics:
            column = self.table[name]
            if name in NEITHER or column.dtype.kind not in "fiu" or column.isna().all():
                continue
            found[name] = str(column.idxmin() if name in LOWER_IS_BETTER else column.idxmax())
        return found

    @cached_property
    def correlation(self) -> pd.DataFrame:
        """Correlation of the returns at common stamps, pair by pair; NaN with fewer than three, or without any move."""
        import pandas as pd

        names = list(self.results)
        values = np.full((len(names), len(names)), np.nan)
        for i, one in enumerate(self.results.values()):
            for j, two in enumerate(self.results.values()):
                values[i, j] = _correlation(one, two)
        return pd.DataFrame(values, index=names, columns=names)

    @property
    def differences(self) -> pd.DataFrame:
        """What the runs do not share: assumptions, parameters, first and last bar; one row each, one column per run."""
        import pandas as pd

        facts = {name: _facts(result) for name, result in self.results.items()}
        keys = dict.fromkeys(key for each in facts.values() for key in each)
        rows = {key: [each.get(key, "") for each in facts.values()] for key in keys}
        different = {key: row for key, row in rows.items() if len(set(row)) > 1}
        return pd.DataFrame.from_dict(different, orient="index", columns=list(facts))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the figures may not be comparable."""
        spans = {(index_of(result)[0], index_of(result)[-1]) for result in self.results.values()}
        years = {float(result.metrics["periods_per_year"]) for result in self.results.values()}
        found = []
        if len(spans) > 1:
            found.append("the runs do not cover the same span of time, so their figures are of different markets")
        if len(years) > 1:
            found.append("the runs are not annualised with the same number of periods")
        return tuple(found)

    def plot(self) -> go.Figure:
        """Return a Plotly figure: growth of 1 of every run, and the loss from the peak below."""
        import plotly.graph_objects as go

        traces = [dict(trace) for trace in equity_traces(self)]
        traces += [dict(trace, yaxis="y2", showlegend=False) for trace in drawdown_traces(self)]
        layout = layout_of(
            yaxis=axis(domain=[0.36, 1.0], title={"text": "growth of 1"}),
            yaxis2=axis(domain=[0.0, 0.3], tickformat=".0%", autorange="reversed", title={"text": "drawdown"}),
            hovermode="x unified",
            height=620,
            paper_bgcolor="#ffffff",
            plot_bgcolor="#ffffff",
        )
        layout["xaxis"] |= {"anchor": "y2"}
        figure: go.Figure = go.Figure({"data": traces, "layout": layout})
        return figure

    def report(
        self,
        path: str | Path,
        title: str = "Backtests side by side",
        *,
        date: date | None = None,
        paper: Paper = "a4",
    ) -> Path:
        """Write the comparison to a `.html`, `.pdf` or `.xlsx` file, and return its path.

        `date` and `paper` are those of `reports.write_document`.

        Raises
        ------
        InputError
            If the suffix is another one, or the folder does not exist.
        """
        return write_document(_document(self, title), path, date=date, paper=paper)

    def __str__(self) -> str:
        shown = self.table.astype(object)
        for name in self.metrics:
            shown[name] = [written(value, describe(name).kind) for value in shown[name]]
        return str(shown.T.to_string())

    def _repr_html_(self) -> str:
        return self.table.T.to_html()


def compare(results: Mapping[str, AnyResult] | Iterable[AnyResult], metrics: Sequence[str] | None = None) -> Comparison:
    """Put several backtests side by side.

    Parameters
    ----------
    results : mapping of str to BacktestResult or PortfolioResult, or iterable of these
        Two or more, of one instrument or of several. Without names they are called by their strategies, with a number
        where two are called alike.
    metrics : sequence of str, optional
        Names as in `BacktestResult.metrics`; the usual ones by default.

    Returns
    -------
    Comparison
        `.table`, `.best`, `.correlation`, `.differences`, `.plot()`, `.report(path)`.

    Raises
    ------
    InputError
        If there are fewer than two, one is no result, or a metric is unknown (the nearest is proposed).

    Examples
    --------
    >>> import algotrendy as at
    >>> bars = at.synthetic(n=300, seed=1)
    >>> slow, fast = (at.backtest(at.strategies.sma_cross(n, 4 * n), bars) for n in (10, 3))
    >>> found = compare({"slow": slow, "fast": fast}, metrics=["sharpe_ratio", "max_drawdown", "total_return"])
    >>> found.table.shape, found.correlation.loc["slow", "slow"].round(9)
    ((2, 3), np.float64(1.0))
    """
    named = dict(results) if isinstance(results, Mapping) else _named(list(results))
    for name, result in named.items():
        if not isinstance(result, AnyResult):
            raise InputError(f"{name!r} is a {type(result).__name__}; compare takes results of at.backtest")
    if len(named) < 2:
        raise InputError(f"there is {len(named)} result to compare; give two or more, as a list or as name: result")
    known = dict.fromkeys(name for result in named.values() for name in result.metrics)
    chosen = tuple(name for name in USUAL if name in known) if metrics is None else tuple(metrics)
    if isinstance(metrics, str):
        raise InputError(f"metrics is the text {metrics!r}; give a list of names: metrics=[{metrics!r}]")
    for name in chosen:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            raise InputError(f"no run has a metric {name!r}; {f'did you mean {near[0]!r}?' if near else list(known)}")
    return Comparison(named, chosen)


def _named(results: Sequence[Any]) -> dict[str, AnyResult]:
    """Return results by the names of their strategies, told apart by numbers."""
    texts = [str(getattr(result, "strategy", {}).get("name") or "run") for result in results]
    counts = {text: texts.count(text) for text in texts}
    seen: dict[str, int] = {}
    named = {}
    for text, result in zip(texts, results, strict=True):
        seen[text] = seen.get(text, 0) + 1
        named[f"{text} {seen[text]}" if counts[text] > 1 else text] = result
    return named


def index_of(result: AnyResult) -> pd.DatetimeIndex:
    """Return the stamps of the bars of a result."""
    found: pd.DatetimeIndex = result.index if isinstance(result, PortfolioResult) else result.bars.index  # type: ignore[assignment]  # bars were checked
    return found


def _correlation(one: AnyResult, two: AnyResult) -> float:
    common = one.returns.index.intersection(two.returns.index)
    if len(common) < COMMON_MIN:
        return float("nan")
    x, y = floats(one.returns.loc[common]), floats(two.returns.loc[common])
    if x.std() <= 1e-12 or y.std() <= 1e-12:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def _facts(result: AnyResult) -> dict[str, str]:
    given = {**result.assumptions, **{f"parameter {name}": value for name, value in result.params.items()}}
    index = index_of(result)
    ends = {"first bar": moment_text(index[0]), "last bar": moment_text(index[-1])}
    if isinstance(result, PortfolioResult):
        ends["instruments"] = ", ".join(result.symbols)
    return {key: f"{value:g}" if isinstance(value, float) else str(value) for key, value in (given | ends).items()}


# --- the charts ---


def equity_traces(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the growth of 1 of every run as lines."""
    results = comparison.results.values()
    return _traces(comparison, [result.equity_values / result.cash for result in results], "%{y:.3f}")


def drawdown_traces(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the loss from the peak of every run as lines."""
    return _traces(comparison, [floats(result.drawdown) for result in comparison.results.values()], "%{y:.1%}")


def _traces(comparison: Comparison, curves: Sequence[Float1D], hover: str) -> list[dict[str, Any]]:
    found = []
    for number, (name, result) in enumerate(comparison.results.items()):
        places = thinned(curves[number])
        dash = DASHES[(number // len(COLORS)) % len(DASHES)]
        found.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": wall_texts(index_of(result), places),
                "y": curves[number][places],
                "line": {"color": COLORS[number % len(COLORS)], "width": 1.5, "dash": dash},
                "hovertemplate": hover,
            }
        )
    return found


# --- the report ---


def _document(comparison: Comparison, title: str) -> Document:
    names = list(comparison.results)
    warnings = [Notice(f"{text[0].upper()}{text[1:]}.") for text in comparison.warnings]
    equity = Chart(
        {"data": equity_traces(comparison), "layout": layout_of(yaxis=axis(), hovermode="x unified")},
        title="Growth of 1",
        description=f"Line chart of the equity of {len(names)} runs, each divided by its initial cash.",
        height=440,
        switches=[Switch("Scale", [("Linear", {"yaxis.type": "linear"}), ("Log", {"yaxis.type": "log"})])],
    )
    down = axis(tickformat=".0%", autorange="reversed", rangemode="tozero")
    drawdown = Chart(
        {"data": drawdown_traces(comparison), "layout": layout_of(yaxis=down, hovermode="x unified")},
        title="Loss from the running peak",
        description=f"Line chart of the drawdowns of {len(names)} runs, drawn downwards.",
        height=300,
    )
    sections = [
        Section("Metrics", [*warnings, _metrics_table(comparison)]),
        Section("Equity and drawdown", [equity, drawdown]),
        Section("Correlation of returns", [_correlation_table(comparison)]),
        Section("What differs", [_differences_table(comparison)]),
    ]
    footer = f"Written by algotrendy {library_versions()['algotrendy']}. Past results do not promise future ones."
    return Document(title, " · ".join(names), sections, footer)


def _metrics_table(comparison: Comparison) -> Table:
    best = comparison.best
    rows: list[list[Cell | str]] = []
    for name in comparison.metrics:
        info = describe(name)
        cells = [
            Cell.of(value, info.kind, heat=0.5 if best.get(name) == run else None, note=info.definition)
            for run, value in comparison.table[name].items()
        ]
        rows.append([info.label, *cells])
    columns = [Column("Metric"), *(Column(name, "right") for name in comparison.results)]
    return Table(columns, rows, "Metrics of every run; the best by each is coloured")


def _correlation_table(comparison: Comparison) -> Table:
    frame = comparison.correlation
    rows = [
        [name, *(Cell.of(float(value), "ratio") for value in row)]
        for name, row in zip(frame.index, frame.to_numpy(), strict=True)
    ]
    return Table([Column(""), *(Column(name, "right") for name in frame.columns)], rows, "Correlation of returns")


def _differences_table(comparison: Comparison) -> Table:
    frame = comparison.differences
    rows = [[str(key), *map(str, row)] for key, row in zip(frame.index, frame.to_numpy(), strict=True)]
    return Table([Column(""), *map(Column, frame.columns)], rows, "Assumptions and parameters that are not the same")
