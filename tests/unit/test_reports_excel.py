"""Documents as workbooks: numbers are numbers, formulas give what stands beside them, charts are native."""

from __future__ import annotations

import math
import re
import sys
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.errors import InputError, MissingExtraError
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
    render_excel,
)

openpyxl = pytest.importorskip("openpyxl")
pytest.importorskip("xlsxwriter")

DAY = date(2026, 1, 31)
LINE = {
    "data": [
        {"mode": "lines", "x": ["2020-01-01", "2020-01-02", "2020-01-03"], "y": [1.0, math.nan, 2.0], "name": "Equity"}
    ],
    "layout": {"yaxis": {"tickformat": ".0%"}},
}


def book_of(*blocks: Any, values: bool = False, **options: Any) -> Any:
    found = render_excel(Document("A title", "a line", [Section("Part", list(blocks))], "the foot"), **options)
    return openpyxl.load_workbook(BytesIO(found), data_only=values)


def find(sheet: Any, text: Any) -> tuple[int, int]:
    return next((cell.row, cell.column) for row in sheet.iter_rows() for cell in row if cell.value == text)


def test_numbers_moments_and_texts_have_their_own_types() -> None:
    stamp = pd.Timestamp("2024-03-05 15:30", tz="America/New_York")
    cells = [
        Cell.of(1234.5, "money"),
        Cell.of(np.float64(0.25), "share"),
        Cell.of(Decimal("0.1"), "change"),
        Cell.of(7, "count"),
        Cell.of(pd.Timestamp("2024-03-05"), "moment"),
        Cell.of(stamp, "moment"),
        Cell.of(math.nan, "ratio"),
        Cell.of(math.inf, "ratio"),
        Cell.of(date(1850, 1, 1), "moment"),
        "plain",
    ]
    sheet = book_of(Table([f"c{k}" for k in range(len(cells))], [cells], "All kinds"))["Part"]
    row, column = find(sheet, "c0")
    found = [sheet.cell(row + 1, column + k) for k in range(len(cells))]
    assert [cell.value for cell in found[:4]] == [1234.5, 0.25, 0.1, 7]
    assert [cell.number_format for cell in found[:2]] == ["#,##0.00", "#,##0.0%"]
    assert [cell.value for cell in found[4:6]] == [datetime(2024, 3, 5), datetime(2024, 3, 5, 15, 30)]
    assert found[5].number_format == 'yyyy-mm-dd hh:mm "EST"'
    assert [cell.value for cell in found[6:]] == ["n/a", "inf", "1850-01-01", "plain"]


def test_an_even_column_and_a_total_have_their_formats() -> None:
    rows = [["x", Cell.of(3611.0, "number")], ["y", Cell.of(5100.25, "number")], ["Total", Cell.of(8711.25, "number")]]
    sheet = book_of(Table(["a", Column("b", "right", even=True)], rows, "Prices", has_total=True))["Part"]
    row, column = find(sheet, "b")
    cells = [sheet.cell(row + 1 + k, column) for k in range(3)]
    assert [cell.number_format for cell in cells] == ["#,##0.00"] * 3
    assert [cell.font.b for cell in cells] == [False, False, True]
    exact = [["x", Cell.of(Decimal("0.1234567891"), "number")], ["y", Cell.of(Decimal(2), "number")]]
    sheet = book_of(Table(["a", Column("b", "right", even=True)], exact, "Quantities"))["Part"]
    row, column = find(sheet, "b")
    assert [sheet.cell(row + k, column).number_format for k in (1, 2)] == ["#,##0.0000000000", "#,##0"]


def test_a_key_figure_is_a_number_where_it_has_one() -> None:
    sheet = book_of(KeyFigures([KeyFigure.of("Return", 0.123, "change", "a note", "good"), KeyFigure("Name", "x")]))[
        "Part"
    ]
    row, column = find(sheet, "Return")
    assert sheet.cell(row, column + 1).value == 0.123
    assert sheet.cell(row, column + 2).value == "a note"
    assert sheet.cell(row + 1, column + 1).value == "x"


def evaluated(sheet: Any, formula: str) -> float:
    """Compute the few formulas that documents use, by itself and not by what wrote them."""
    text = formula.removeprefix("=")
    span = re.fullmatch(r"(SUM|PRODUCT)\((1\+)?(\w+):(\w+)\)(-1)?", text)
    if span:
        cells = [cell.value for row in sheet[f"{span[3]}:{span[4]}"] for cell in row]
        numbers = [float(value or 0.0) + (1.0 if span[2] else 0.0) for value in cells if not isinstance(value, str)]
        return (math.prod(numbers) if span[1] == "PRODUCT" else math.fsum(numbers)) - (1.0 if span[5] else 0.0)
    plain = re.sub(r"[A-Z]+\d+", lambda cell: repr(_value(sheet, cell[0])), text)
    assert re.fullmatch(r"[\d\s.+\-*/(),eEMAX]+", plain)
    return float(eval(plain, {"__builtins__": {}, "MAX": max}))


def _value(sheet: Any, name: str) -> float:
    value = sheet[name].value
    value = getattr(value, "text", value)
    return evaluated(sheet, value) if isinstance(value, str) and value.startswith("=") else float(value)


def test_formulas_give_the_values_that_stand_beside_them() -> None:
    columns = [
        Column("Month"),
        Column("a", "right"),
        Column("b", "right"),
        Column("Total", "right", formula="{PRODUCT(1+[a]:[b])-1}"),
        Column("Wealth", "right", formula="[Wealth:-1]*(1+[Total])"),
    ]
    rows, wealth = [], 1.0
    for number, (a, b) in enumerate([(0.1, -0.2), (0.05, 0.0), (-0.5, 0.25)]):
        total = (1 + a) * (1 + b) - 1
        wealth = wealth * (1 + total)
        cells = [Cell.of(value, "change") for value in (a, b, total)]
        rows.append([f"m{number}", *cells, Cell.of(wealth, "number")])
    rows.append(["Sum", Cell.of(-0.35, "change", formula="SUM([a:first]:[a:-1])"), "", "", ""])
    table = Table(columns, rows, "Derived")
    sheet, known = book_of(table)["Part"], book_of(table, values=True)["Part"]
    derived = 0
    for row in sheet.iter_rows():
        for cell in row:
            formula = getattr(cell.value, "text", cell.value)
            if isinstance(formula, str) and formula.startswith("="):
                derived += 1
                assert evaluated(sheet, formula) == pytest.approx(known[cell.coordinate].value, abs=1e-12)
    assert derived == 3 + 2 + 1  # totals; wealth but for its first row; the sum


def test_a_formula_names_a_column_that_is_there_once() -> None:
    with pytest.raises(InputError, match="names the column 'x', which is there 0 times"):
        book_of(Table([Column("a", formula="[x]*2")], [[Cell.of(1.0, "ratio")]], "t"))
    with pytest.raises(InputError, match="which is there 2 times"):
        book_of(Table([Column("a"), Column("a", formula="[a]*2")], [["", Cell.of(1.0, "ratio")]], "t"))


def test_a_chart_is_native_over_a_sheet_with_its_numbers() -> None:
    book = book_of(Chart(LINE, "A chart", "a line"))
    (chart,) = book["Part"]._charts
    assert type(chart).__name__ == "ScatterChart"
    data = book["Data 1"]
    assert [data.cell(1, 2).value, data.cell(2, 2).value, data.cell(3, 2).value, data.cell(4, 2).value] == [
        "Equity",
        1,
        None,
        2,
    ]
    assert data.cell(2, 1).value == datetime(2020, 1, 1)
    assert data.freeze_panes == "A2"
    assert chart.series[0].yVal.numRef.f == "'Data 1'!$B$2:$B$4"


@pytest.mark.parametrize(
    ("trace", "kind"),
    [
        ({"type": "bar", "x": ["a", "b"], "y": [1.0, 2.0], "marker": {"color": ["#ff0000", "#00ff00"]}}, "BarChart"),
        ({"type": "waterfall", "x": ["a", "b"], "y": [1.0, -0.5], "measure": ["absolute", "relative"]}, "BarChart"),
        ({"type": "candlestick", "open": [1.0], "high": [2.0], "low": [0.5], "close": [1.5]}, "StockChart"),
        ({"type": "heatmap", "z": [[1.0, 2.0]], "x": ["a", "b"], "y": [3.0]}, None),
        ({"type": "pie", "values": [1.0]}, None),
        ({"x": [], "y": []}, None),
    ],
)
def test_each_kind_of_trace_has_its_chart_or_a_word_on_it(trace: dict[str, Any], kind: str | None) -> None:
    book = book_of(Chart({"data": [trace], "layout": {}}, "A chart", "described"))
    charts = [type(chart).__name__ for chart in book["Part"]._charts]
    assert charts == ([] if kind is None else [kind])
    words = [str(cell.value) for row in book["Part"].iter_rows() for cell in row if cell.value]
    if trace.get("type") == "heatmap":
        assert "The heat map is a coloured table in the sheet 'Data 1'." in words
        assert [cell.value for cell in book["Data 1"][2]] == [3, 1, 2]
    if trace.get("type") == "pie":
        assert "Not drawn: a trace of the kind 'pie' needs the interactive page. described" in words


def test_a_long_table_has_a_sheet_with_a_head_that_stays() -> None:
    rows = [[f"r{k}", Cell.of(float(k), "ratio")] for k in range(60)]
    book = book_of(Text("before"), Table(["Head", Column("x", "right")], rows, "Many: rows/lines"))
    sheet = book["Many  rows lines"]
    assert sheet.freeze_panes == "B4"
    assert sheet.print_title_rows == "$3:$3"
    assert sheet.auto_filter.ref == "A3:B63"
    assert sheet["B63"].value == 59
    assert book["Part"].page_setup.orientation == "landscape"


def test_sheets_have_names_that_excel_takes() -> None:
    titles = ["", "History", "a/b:c*[d]?\\'", "x" * 40, "X" * 40, "Report", "𝔘" * 20]
    found = render_excel(Document("t", sections=[Section(title, [Notice("n")]) for title in titles]))
    names = openpyxl.load_workbook(BytesIO(found)).sheetnames
    assert len({name.casefold() for name in names}) == len(titles) + 1
    assert all(0 < len(name.encode("utf-16-le")) // 2 <= 31 and not set(name) & set("[]:*?/\\") for name in names)
    assert "history" not in {name.casefold() for name in names}


def test_the_same_document_and_date_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    document = Document("t", sections=[Section("s", [Chart(LINE, "a", "b"), Text("x")])])
    first = render_excel(document, date=DAY)
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert render_excel(document, date=DAY) == first
    assert openpyxl.load_workbook(BytesIO(first)).properties.created == datetime(2026, 1, 31)
    assert openpyxl.load_workbook(BytesIO(render_excel(document))).properties.created == datetime(1980, 1, 1)
    with pytest.raises(InputError, match="date is '2026'"):
        render_excel(document, date="2026")  # type: ignore[arg-type]


def test_xlsxwriter_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(MissingExtraError, match=r"algotrendy\[reports\]"):
        render_excel(Document("t"))
