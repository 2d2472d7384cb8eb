"""What `explain_difference` answers with: the parts of a gap as a table, a sentence and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.difference.path import Part
from algotrendy.reports.palette import ACCENT, GAIN, GRID, INK, LOSS, MUTED

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

__all__ = ["DifferenceReport"]

SMALLEST = 1e-9


@dataclass(frozen=True)
class DifferenceReport:
    """Why two accounts did not end with the same equity.

    Attributes
    ----------
    names : tuple of str
        How the two are called.
    start, end : float
        Final equity of the first and of the second, in currency.
    parts : tuple of Part
        Every cause in the order of the way from the first to the second, causes of nothing included. The amounts add
        up to `gap`; "rest" is what no cause accounts for.

    Examples
    --------
    >>> report = DifferenceReport(("run", "broker"), 100.0, 90.0, (Part("fees", -10.0), Part("rest", 0.0)))
    >>> report.gap, report.largest.name
    (-10.0, 'fees')
    """

    names: tuple[str, str]
    start: float
    end: float
    parts: tuple[Part, ...]

    @property
    def gap(self) -> float:
        """Final equity of the second less that of the first, in currency."""
        return self.end - self.start

    @property
    def largest(self) -> Part:
        """The part with the largest amount, whatever its sign."""
        return max(self.parts, key=lambda part: abs(part.amount))

    @property
    def rest(self) -> float:
        """What no cause accounts for, in currency."""
        return sum(part.amount for part in self.parts if part.name == "rest")

    def amount(self, name: str) -> float:
        """Return the amount of one part, in currency; 0.0 if there is none of that name.

        Examples
        --------
        >>> DifferenceReport(("a", "b"), 100.0, 90.0, (Part("fees", -10.0),)).amount("fees")
        -10.0
        """
        return sum((part.amount for part in self.parts if part.name == name), 0.0)

    @property
    def table(self) -> pd.DataFrame:
        """One row per part: `part`, `amount` (currency), `share` of the gap (fraction), `fills`, `evidence`.

        Parts beyond the gap have shares above 1, parts against it negative ones; NaN without a gap.
        """
        import pandas as pd

        gap = self.gap
        closed = abs(gap) <= SMALLEST * max(abs(self.start), 1.0)
        rows = [
            {
                "part": part.name,
                "amount": part.amount,
                "share": float("nan") if closed else part.amount / gap,
                "fills": part.fills,
                "evidence": part.evidence,
            }
            for part in self.parts
        ]
        return pd.DataFrame(rows, columns=["part", "amount", "share", "fills", "evidence"])

    @property
    def by_symbol(self) -> pd.DataFrame:
        """What of each part arose in which of several instruments: one row per part, one column per symbol, `cash`.

        The columns of a row sum to its amount, in currency. `cash` is what belongs to no instrument: what the account
        began with, and interest. Empty for one instrument.
        """
        import pandas as pd

        symbols = list(dict.fromkeys(symbol for part in self.parts for symbol in part.by_symbol))
        rows = {part.name: [part.by_symbol.get(symbol, 0.0) for symbol in symbols] for part in self.parts}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=symbols, dtype=float).rename_axis("part")
        if symbols:
            frame["cash"] = [part.amount - sum(part.by_symbol.values()) for part in self.parts]
        return frame

    def summary(self) -> str:
        """Return one sentence that names the gap and its largest cause.

        Examples
        --------
        >>> DifferenceReport(("the run", "the broker"), 100.0, 90.0, (Part("fees", -10.0),)).summary()
        'The broker ends with 90.00, 10.00 less than the run (100.00), most of all because of fees (-10.00, 100 %).'
        """
        first, second = self.names
        ends = f"{second[:1].upper()}{second[1:]} ends with {self.end:,.2f}"
        if all(self.is_nothing(part) for part in self.parts):
            return f"{ends}, as {first} does: nothing differs that moves money."
        cause = self.largest
        if self.is_nothing(Part("", self.gap)):
            return f"{ends}, as {first} does, but parts cancel: the largest is {cause.name} ({cause.amount:+,.2f})."
        word = "more" if self.gap > 0.0 else "less"
        evidence = f": {cause.evidence}" if cause.evidence else ""
        return (
            f"{ends}, {abs(self.gap):,.2f} {word} than {first} ({self.start:,.2f}), most of all because of "
            f"{cause.name} ({cause.amount:+,.2f}, {100 * cause.amount / self.gap:.0f} %){evidence}."
        )

    def is_nothing(self, part: Part) -> bool:
        """Tell whether the amount of a part is rounding: below 1e-9 of the equity."""
        return abs(part.amount) <= SMALLEST * max(abs(self.start), abs(self.end), 1.0)

    def plot(self) -> go.Figure:
        """Return a Plotly waterfall from the one final equity to the other; parts that are nothing are left out."""
        import plotly.graph_objects as go

        shown = [part for part in self.parts if not self.is_nothing(part)]
        first, second = self.names
        figure: go.Figure = go.Figure(
            {
                "data": [_waterfall((first, *(part.name for part in shown), second), self, shown)],
                "layout": _layout(self),
            }
        )
        return figure

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        from html import escape

        by = self.by_symbol
        return (
            f"<div>{escape(self.summary())}</div>{self.table.to_html(index=False)}"
            f"{by.to_html(float_format='{:+,.2f}'.format) if len(by.columns) else ''}"
        )


def _waterfall(labels: tuple[str, ...], report: DifferenceReport, shown: list[Part]) -> dict[str, Any]:
    amounts = [part.amount for part in shown]
    return {
        "type": "waterfall",
        "x": list(labels),
        "y": [report.start, *amounts, report.end],
        "measure": ["absolute", *["relative"] * len(shown), "total"],
        "text": [f"{report.start:,.0f}", *(f"{amount:+,.2f}" for amount in amounts), f"{report.end:,.0f}"],
        "textposition": "outside",
        "cliponaxis": False,
        "hovertext": ["", *(part.evidence for part in shown), ""],
        "hovertemplate": "%{x}: %{text}<br>%{hovertext}<extra></extra>",
        "connector": {"line": {"color": MUTED, "width": 1}},
        "increasing": {"marker": {"color": GAIN}},
        "decreasing": {"marker": {"color": LOSS}},
        "totals": {"marker": {"color": ACCENT}},
    }


def _layout(report: DifferenceReport) -> dict[str, Any]:
    """Return the layout; the axis begins near the bars, so that small parts of large accounts are seen."""
    heights, level = [report.start, report.end], report.start
    for part in report.parts:
        level += part.amount
        heights.append(level)
    low, high = min(heights), max(heights)
    margin = 0.15 * ((high - low) or abs(high) or 1.0)
    return {
        "title": {"text": f"From {report.names[0]} to {report.names[1]}", "x": 0.02},
        "yaxis": {
            "range": [low - margin, high + margin],
            "gridcolor": GRID,
            "zeroline": False,
            "title": {"text": "final equity (the axis does not begin at zero)"},
            "tickformat": ",",
            "automargin": True,
        },
        "xaxis": {"showgrid": False, "automargin": True},
        "font": {"size": 12, "color": INK},
        "margin": {"l": 70, "r": 24, "t": 60, "b": 60},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "showlegend": False,
    }
