"""The sections of a report on where an excess return comes from, from what `portfolio.attribution` links over time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from algotrendy.errors import InputError
from algotrendy.reports.document import Cell, Chart, Column, KeyFigure, KeyFigures, Section, Table
from algotrendy.reports.palette import ACCENT, GAIN, GRID, INK, LOSS, MUTED
from algotrendy.reports.wording import zero_without_sign

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.reports.performance_report import PerformanceReport

__all__ = ["attribution"]

_TOTAL = "Total"


def attribution(report: PerformanceReport) -> list[Section]:
    """Return the effects by segment, as fractions of the return of the whole span: they add up to the excess return.

    Raises
    ------
    InputError
        If there are no rows, two effects share a name, or an effect is not a finite number.
    """
    frame = report.rows
    assert frame is not None
    names, effects = _effects(frame)
    totals = [math.fsum(row[place] for row in effects) for place in range(len(names))]
    whole = math.fsum(totals)
    items = [KeyFigure("Excess return", _text(whole), f"{len(effects):,} segments", number=whole, kind="change")]
    items += [
        KeyFigure(name, _text(value), number=value, kind="change") for name, value in zip(names, totals, strict=True)
    ]
    return [
        Section("At a glance", [KeyFigures(items), _steps(names, totals, whole)]),
        Section("Segments", [_table(frame, names, effects)]),
    ]


def _effects(frame: pd.DataFrame) -> tuple[list[str], list[list[float]]]:
    if frame.empty:
        raise InputError("there are no rows to report; give `linked` of an attribution, one row per segment")
    names = [str(name).replace("_", " ").capitalize() for name in frame.columns]
    if len({*names, _TOTAL, "Segment"}) < len(names) + 2:
        raise InputError(
            f"the effects are named {', '.join(names)}; give each a name of its own, none of them {_TOTAL!r}"
        )
    if not frame.index.is_unique:
        twice = frame.index[frame.index.duplicated()][0]
        raise InputError(f"the segment {twice} stands there more than once; give one row for each, with its sum")
    try:
        effects = [[float(value) for value in row] for row in frame.to_numpy().tolist()]
    except (TypeError, ValueError) as error:
        raise InputError(f"effects of an attribution are numbers ({error}); give `linked` as it is") from error
    if not all(math.isfinite(value) for row in effects for value in row):
        raise InputError("an effect of the attribution is missing or infinite, so that nothing adds up; mend its rows")
    return names, effects


def _table(frame: pd.DataFrame, names: list[str], effects: list[list[float]]) -> Table:
    """Return the effects with their sums, which a workbook derives."""
    strongest = max((abs(value) for row in effects for value in row), default=0.0) or 1.0
    across = "+".join(f"[#{place}]" for place in range(1, len(names) + 1))  # by place: a name may hold a bracket
    rows: list[list[Cell | str]] = []
    for label, row in zip(frame.index, effects, strict=True):
        cells = [_percent(value, heat=value / strongest) for value in row]
        rows.append([str(label), *cells, _percent(math.fsum(row), formula=across)])
    down = "SUM([#{0}:first]:[#{0}:-1])"
    sums = [_percent(math.fsum(row[k] for row in effects), formula=down.format(k + 1)) for k in range(len(names))]
    whole = _percent(math.fsum(value for row in effects for value in row), formula=down.format(len(names) + 1))
    columns = [Column("Segment"), *(Column(name, "right") for name in (*names, _TOTAL))]
    caption = "Effects by segment, linked over the whole span"
    return Table(columns, [*rows, [_TOTAL, *sums, whole]], caption, has_total=True)


def _percent(value: float, *, heat: float | None = None, formula: str = "") -> Cell:
    """Return a share with two decimals: effects are small."""
    return Cell(_text(value), heat, value=value, kind="change", formula=formula)


def _text(value: float) -> str:
    return zero_without_sign(f"{100.0 * value:+.2f} %")


def _steps(names: list[str], totals: list[float], whole: float) -> Chart:
    trace: dict[str, Any] = {
        "type": "waterfall",
        "x": [*names, "Excess return"],
        "y": [*totals, whole],
        "measure": [*["relative"] * len(names), "total"],
        "text": [_text(value) for value in (*totals, whole)],
        "textposition": "outside",
        "cliponaxis": False,
        "connector": {"line": {"color": MUTED, "width": 1}},
        "increasing": {"marker": {"color": GAIN}},
        "decreasing": {"marker": {"color": LOSS}},
        "totals": {"marker": {"color": ACCENT}},
    }
    axis = {"gridcolor": GRID, "zeroline": True, "zerolinecolor": MUTED, "tickformat": ".1%", "automargin": True}
    layout = {
        "margin": {"l": 56, "r": 18, "t": 30, "b": 36},
        "font": {"size": 12, "color": INK},
        "xaxis": {"showgrid": False, "automargin": True},
        "yaxis": axis,
        "showlegend": False,
    }
    return Chart(
        {"data": [trace], "layout": layout},
        title="From effect to effect",
        description=f"Waterfall of {len(names)} effects that add up to an excess return of {100.0 * whole:.2f} %.",
        height=300,
    )
