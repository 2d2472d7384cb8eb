"""Figures as native Excel charts over a sheet with their numbers."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.reports.document import Chart
from algotrendy.reports.figure import Axis, Mark, NotDrawable, Picture, read_figure
from algotrendy.reports.svg_marks import paint

__all__ = ["draw_chart"]

_WIDTH, _ROW = 960, 20
"""How wide a chart is, and how high a row, in pixels."""

_EPOCH = 25_569.0
"""1970-01-01 as Excel counts days."""

_DASHES = {"dot": "round_dot", "dash": "dash", "longdash": "long_dash", "dashdot": "dash_dot"}
_DATES = "yyyy-mm-dd"


class Book(Protocol):
    """What is needed of the workbook that is written."""

    book: Any

    def format(self, **properties: Any) -> Any:
        """Return a format."""

    def text(self, sheet: Any, row: int, column: int, text: str, **properties: Any) -> None:
        """Write text."""


def draw_chart(book: Book, sheet: Any, row: int, block: Chart, data: Any) -> tuple[int, str]:
    """Write the numbers of a chart on a sheet and native charts of them at a row.

    Parameters
    ----------
    book : Book
    sheet, data : worksheet
        Where the chart stands, and where its numbers do.
    row : int
        First row of the chart.
    block : Chart

    Returns
    -------
    tuple
        Rows taken, and a remark where a native chart does not show all of it.
    """
    try:
        picture = read_figure(block.figure)
    except NotDrawable as why:
        book.text(data, 0, 0, f"Not written: {why}.")
        return 0, f"Not drawn: {why}. {block.description}"
    columns = _Columns(book, data, picture)
    taken, remark = 0, ""
    panels = picture.panels
    for x, y in panels:
        marks = [mark for mark in picture.marks if (mark.x_axis, mark.y_axis) == (x.name, y.name)]
        if any(mark.kind == "heatmap" for mark in marks):
            columns.heat(next(mark for mark in marks if mark.kind == "heatmap"))
            remark = f"The heat map is a coloured table in the sheet {data.get_name()!r}."
            continue
        for family in ("bars", "candles", "curves"):
            own = [mark for mark in marks if _FAMILY[mark.kind] == family and mark.x.size]
            if own:
                native = _native(columns, own, x, y)
                height = max(200, int(block.height / len(panels)))
                native.set_size({"width": _WIDTH, "height": height})
                sheet.insert_chart(row + taken, 0, native, {"description": block.description, "object_position": 2})
                taken += -(-height // _ROW) + 1
    data.freeze_panes(1, 0)
    return taken, remark


_FAMILY = {"bar": "bars", "waterfall": "bars", "candlestick": "candles", "scatter": "curves", "heatmap": "heat"}


def _native(columns: _Columns, marks: list[Mark], x: Axis, y: Axis) -> Any:
    book = columns.book.book
    if _FAMILY[marks[0].kind] == "candles":
        chart = book.add_chart({"type": "stock"})
        _add_candles(chart, columns, marks[0])
    elif _FAMILY[marks[0].kind] == "bars":
        floating = any(np.any(mark.parts["base"] != 0.0) for mark in marks)
        kind = {"type": "column", "subtype": "stacked"} if floating else {"type": "column"}
        chart = book.add_chart(kind)
        for mark in marks:
            _add_bars(chart, columns, mark, floating=floating)
    else:
        chart = book.add_chart({"type": "scatter", "subtype": "straight"})
        for mark in marks:
            _add_curve(chart, columns, mark)
        chart.show_blanks_as("gap")
    chart.set_x_axis(_axis(x, is_scatter=_FAMILY[marks[0].kind] == "curves"))
    chart.set_y_axis(_axis(y, is_scatter=True) | {"major_gridlines": {"visible": True, "line": {"color": "#e4e7ec"}}})
    listed = [mark for mark in marks if mark.name and mark.trace.get("showlegend") is not False]
    chart.set_legend({"position": "top"} if len(listed) > 1 else {"none": True})
    return chart


def _axis(axis: Axis, *, is_scatter: bool) -> dict[str, Any]:
    form = str(axis.layout.get("tickformat") or "")
    found: dict[str, Any] = {"num_format": _excel_format(axis, form), "num_font": {"size": 9}, "label_position": "low"}
    if axis.title:
        found["name"] = axis.title.replace("\n", " ")[:200]
        found["name_font"] = {"size": 9, "bold": False}
    if axis.is_reversed:
        found["reverse"] = True
    if is_scatter:
        if axis.kind == "log":
            found |= {"log_base": 10}
        elif axis.is_horizontal and axis.kind in ("date", "linear"):
            scale, shift = (86_400.0, _EPOCH) if axis.kind == "date" else (1.0, 0.0)
            found |= {"min": axis.low / scale + shift, "max": axis.high / scale + shift}
    return found


def _excel_format(axis: Axis, form: str) -> str:
    if axis.kind == "date":
        return _DATES
    if "%" in form:
        return "0.0%" if axis.high - axis.low < 0.1 else "0%"
    return "#,##0.00" if form.endswith("f") else "General" if axis.high - axis.low < 10.0 else "#,##0"


def _line(mark: Mark) -> dict[str, Any]:
    line = mark.trace.get("line") or {}
    if line.get("width") == 0 or "lines" not in str(mark.trace.get("mode") or "lines"):
        return {"none": True}
    color = paint(mark.color)[0]
    found = {"color": color, "width": max(0.75 * float(line.get("width") or 1.5), 0.5)}
    dash = _DASHES.get(str(line.get("dash") or ""))
    return found | ({"dash_type": dash} if dash else {})


def _add_curve(chart: Any, columns: _Columns, mark: Mark) -> None:
    x, y = columns.of(mark, "x"), columns.of(mark, "y")
    series = {"name": y[0], "categories": x[1], "values": y[1], "line": _line(mark)}
    if "markers" in str(mark.trace.get("mode") or ""):
        marker = mark.trace.get("marker") or {}
        color = paint(marker.get("color") if isinstance(marker.get("color"), str) else mark.color)[0]
        series["marker"] = {"type": "circle", "size": 4, "fill": {"color": color}, "border": {"none": True}}
    else:
        series["marker"] = {"type": "none"}
    chart.add_series(series)


def _add_bars(chart: Any, columns: _Columns, mark: Mark, *, floating: bool) -> None:
    x = columns.of(mark, "x")
    gap = 5 if mark.trace.get("width") is not None or mark.kind == "waterfall" else 60
    if floating:
        feet = columns.of(mark, "foot")
        nothing = {"fill": {"none": True}, "border": {"none": True}}
        chart.add_series({"name": feet[0], "categories": x[1], "values": feet[1], "gap": gap, **nothing})
    heights = columns.of(mark, "height")
    colors = (mark.trace.get("marker") or {}).get("color")
    series: dict[str, Any] = {"name": heights[0], "categories": x[1], "values": heights[1], "gap": gap}
    series |= {"fill": {"color": paint(mark.color)[0]}, "border": {"none": True}}
    if isinstance(colors, (list, tuple)) and len(colors) == mark.x.size:
        series["points"] = [{"fill": {"color": paint(color)[0]}, "border": {"none": True}} for color in colors]
    chart.add_series(series)


def _add_candles(chart: Any, columns: _Columns, mark: Mark) -> None:
    x = columns.of(mark, "x")
    for part in ("open", "high", "low", "close"):
        found = columns.of(mark, part)
        quiet = {"line": {"none": True}, "marker": {"type": "none"}}
        chart.add_series({"name": found[0], "categories": x[1], "values": found[1], **quiet})
    chart.set_up_down_bars({"up": {"fill": {"color": "#0a7d5a"}}, "down": {"fill": {"color": "#c0392f"}}})
    chart.set_high_low_lines({"line": {"color": "#55606f"}})


class _Columns:
    """The sheet with the numbers of a figure: one column per curve, equal columns once."""

    def __init__(self, book: Book, sheet: Any, picture: Picture) -> None:
        self.book, self.sheet, self.picture = book, sheet, picture
        self.next = 0
        self.written: dict[bytes, tuple[list[Any], list[Any]]] = {}

    def of(self, mark: Mark, part: str) -> tuple[list[Any], list[Any]]:
        """Return where the name and the numbers of a part of a mark stand; they are written when first asked for."""
        axis = self.picture.axes[mark.x_axis if part == "x" else mark.y_axis]
        values, label = self._values(mark, part), axis.title or axis.kind if part == "x" else mark.name or part
        if part not in ("x", "y", "height"):
            label = f"{mark.name} {part}".strip()
        key = f"{label}\0{axis.name}\0{axis.kind}\0".encode() + values.tobytes()
        if key not in self.written:
            self.written[key] = self._write(label, values, axis)
        return self.written[key]

    def _values(self, mark: Mark, part: str) -> Float1D:
        match part:
            case "x":
                return mark.x
            case "y":
                return mark.y
            case "foot":
                return np.asarray(np.minimum(mark.parts["base"], mark.y))
            case "height":
                floating = np.any(mark.parts["base"] != 0.0)
                return np.asarray(np.abs(mark.y - mark.parts["base"]) if floating else mark.y)
        return np.asarray(mark.parts[part], dtype=np.float64)

    def _write(self, label: str, values: Float1D, axis: Axis) -> tuple[list[Any], list[Any]]:
        column, self.next = self.next, self.next + 1
        self.book.text(self.sheet, 0, column, label, bold=True, bottom=1)
        form = _DATES if axis.kind == "date" else "General"
        if axis.kind == "date" and np.any(values[np.isfinite(values)] % 86_400.0):
            form = "yyyy-mm-dd hh:mm:ss"
        style = self.book.format(num_format=form)
        numbers = 10.0**values if axis.kind == "log" else values / 86_400.0 + _EPOCH if axis.kind == "date" else values
        for row, value in enumerate(numbers.tolist(), start=1):
            if not np.isfinite(value) or (axis.kind == "date" and value < 1.0):
                continue
            if axis.kind == "category":
                self.book.text(self.sheet, row, column, axis.names[int(value)] if value == int(value) else "")
            else:
                self.sheet.write_number(row, column, value, style)
        self.sheet.set_column(column, column, 19 if "hh" in form else 12)
        name = self.sheet.get_name()
        return [name, 0, column], [name, 1, column, max(len(values), 1), column]

    def heat(self, mark: Mark) -> None:
        """Write a heat map as a table with a scale of colours."""
        x, y = self.picture.axes[mark.x_axis], self.picture.axes[mark.y_axis]
        self.book.text(self.sheet, 0, 0, f"{y.title} \\ {x.title}", bold=True, bottom=1)
        z = mark.parts["z"]
        for column, value in enumerate(mark.x.tolist(), start=1):
            self._place(0, column, x, value)
        for row, value in enumerate(mark.y.tolist(), start=1):
            self._place(row, 0, y, value)
            for column, cell in enumerate(z[row - 1].tolist(), start=1):
                if np.isfinite(cell):
                    self.sheet.write_number(row, column, cell, self.book.format(num_format="0.00"))
        low, high = ("#fde725", "#440154") if mark.trace.get("reversescale") else ("#440154", "#fde725")
        scale = {"type": "3_color_scale", "min_color": low, "mid_color": "#21918c", "max_color": high}
        if z.size:
            self.sheet.conditional_format(1, 1, z.shape[0], z.shape[1], scale)
        self.sheet.set_column(0, 0, 16)

    def _place(self, row: int, column: int, axis: Axis, value: float) -> None:
        style = {"bold": True}
        if axis.kind == "category":
            self.book.text(self.sheet, row, column, axis.names[int(value)], **style)
        elif axis.kind == "date":
            self.sheet.write_number(
                row, column, value / 86_400.0 + _EPOCH, self.book.format(num_format=_DATES, **style)
            )
        else:
            self.sheet.write_number(
                row, column, 10.0**value if axis.kind == "log" else value, self.book.format(**style)
            )
