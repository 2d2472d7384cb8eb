"""Documents in print: real text, vector charts, the same bytes for the same document and date."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import plotly.graph_objects as go
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
    render_pages,
    render_pdf,
)
from algotrendy.reports.figure import NotDrawable, read_figure
from algotrendy.reports.svg import figure_svg
from algotrendy.reports.ticks import date_ticks, linear_ticks, log_ticks, number_format

pypdf = pytest.importorskip("pypdf")
pytest.importorskip("typst")

DAY = date(2026, 1, 31)
LINE = {
    "data": [{"x": ["2020-01-01", "2020-01-02", "2020-01-03"], "y": [1.0, 3.0, 2.0], "name": "Equity"}],
    "layout": {},
}


def document(*blocks: Any, title: str = "A title") -> Document:
    return Document(title, "and a line under it", [Section("A section", list(blocks))], "the foot")


def text_of(pdf: bytes) -> str:
    pages = pypdf.PdfReader(BytesIO(pdf)).pages
    return "\n".join(page.extract_text() for page in pages).replace("\u00a0", " ")


def test_a_page_holds_every_block_as_text() -> None:
    table = Table(["Name", Column("Value", "right")], [["alpha", Cell("1.5", heat=-0.5)]], "A caption")
    blocks = [
        Text("One.\n\nTwo."),
        Text("x = 1", code=True),
        KeyFigures([KeyFigure("Return", "+1.2 %", "a note", "good")]),
    ]
    found = text_of(render_pdf(document(*blocks, Notice("Mind this."), table, Chart(LINE, "A chart", "a line"))))
    for text in ("A title", "and a line under it", "A section", "One.", "Two.", "x = 1", "Return", "+1.2 %", "a note"):
        assert text in found
    for text in ("Warning", "Mind this.", "A caption", "Name", "Value", "alpha", "1.5", "A chart", "the foot", "1 / 1"):
        assert text in found


def test_the_same_document_and_date_give_the_same_bytes_and_the_file_says_the_date() -> None:
    pages = document(Chart(go.Figure(LINE), "A chart", "a line"))
    assert render_pdf(pages, date=DAY) == render_pdf(pages, date=DAY)
    assert render_pdf(pages, date=DAY) != render_pdf(pages, date=date(2026, 2, 1))
    reader = pypdf.PdfReader(BytesIO(render_pdf(pages, date=DAY)))
    assert reader.metadata.creation_date.date() == DAY
    assert reader.metadata.title == "A title"
    assert "31 January 2026" in reader.pages[0].extract_text()
    moment = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    assert pypdf.PdfReader(BytesIO(render_pdf(pages, date=moment))).metadata.creation_date.hour == 23


def test_without_a_date_no_clock_is_asked() -> None:
    reader = pypdf.PdfReader(BytesIO(render_pdf(document(Text("t")))))
    assert reader.metadata.creation_date is None or reader.metadata.creation_date.year == 1970
    assert render_pdf(document(Text("t"))) == render_pdf(document(Text("t")))


def test_only_the_fonts_of_the_package_are_used_and_charts_are_vectors() -> None:
    page = pypdf.PdfReader(BytesIO(render_pdf(document(Chart(LINE, "A chart", "a line"))))).pages[0]
    fonts = {str(font.get_object()["/BaseFont"]).partition("+")[2] for font in page["/Resources"]["/Font"].values()}
    assert fonts
    assert all("Libertinus" in font or "DejaVu" in font for font in fonts)
    assert len(page.images) == 0
    assert "Equity" not in page.extract_text()  # one curve needs no legend
    assert "1 Jan" in page.extract_text()


def test_the_head_of_a_table_is_repeated_on_every_page() -> None:
    rows = [[f"row {number}", Cell.of(number / 7.0, "ratio")] for number in range(120)]
    reader = pypdf.PdfReader(BytesIO(render_pdf(document(Table(["Head", Column("Ratio", "right")], rows, "Long")))))
    assert len(reader.pages) > 1
    assert all("Ratio" in page.extract_text() for page in reader.pages)
    assert f"2 / {len(reader.pages)}" in reader.pages[1].extract_text()
    assert "row 119" in reader.pages[-1].extract_text()


def test_a_short_table_stays_on_one_page() -> None:
    filler = Table(["a", "b"], [[f"line {number}", "x"] for number in range(34)], "Filler")
    short = Table(
        ["a", Column("b", "right")], [[f"short {number}", "1"] for number in range(12)], "Short", has_total=True
    )
    pages = [page.extract_text() for page in pypdf.PdfReader(BytesIO(render_pdf(document(filler, short)))).pages]
    assert [sum(f"short {number}" in page for number in range(12)) for page in pages] == [0, 12]
    assert "Short" in pages[1], "its caption goes with it"


@pytest.mark.parametrize(("paper", "width"), [("a4", 595), ("letter", 612)])
def test_the_paper_can_be_chosen(paper: Any, width: int) -> None:
    page = pypdf.PdfReader(BytesIO(render_pdf(document(), paper=paper))).pages[0]
    assert round(float(page.mediabox.width)) == width


def test_a_wide_table_stays_on_the_page() -> None:
    columns = [Column(f"column {number}", "right") for number in range(16)]
    pages = document(Table(columns, [["12,345.67"] * 16] * 2, "Wide"), Table(["w"], [["w" * 400]], "A long word"))
    page = pypdf.PdfReader(BytesIO(render_pdf(pages))).pages[0]
    found = page.extract_text()
    assert found.count("12,345.67") == 32
    right = []
    page.extract_text(visitor_text=lambda text, cm, tm, *_: right.append(tm[4] + cm[4]) if text.strip() else None)
    assert max(right) < float(page.mediabox.width)


def test_what_cannot_be_drawn_is_said_with_its_reason() -> None:
    pie = Chart({"data": [{"type": "pie", "values": [1, 2]}], "layout": {}}, "Shares", "Two shares, 1 and 2.")
    found = text_of(render_pdf(document(pie)))
    assert "Not drawn on paper: a trace of the kind 'pie' needs the interactive page" in found
    assert "Two shares, 1 and 2." in found


def test_a_character_without_a_glyph_is_named() -> None:
    found = text_of(render_pdf(document(Text("Zürich, Ωmega, Привет, 日\u202e")), fonts=None))
    assert "Zürich, Ωmega, Привет, [U+65E5][U+202E]" in found


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="paper is 'a5'; choose one of: a4, letter"):
        render_pdf(document(), paper="a5")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="date is '2026'"):
        render_pdf(document(), date="2026")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="there is no font in"):
        render_pdf(document(), fonts=tmp_path)
    with pytest.raises(InputError, match="a chart needs a plotly Figure"):
        render_pdf(document(Chart(3, "A", "a")))


def test_typst_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(MissingExtraError, match=r"algotrendy\[reports\]"):
        render_pdf(document())


def test_pages_are_pictures() -> None:
    pages = render_pages(document(), ppi=20.0)
    assert [page[:8] for page in pages] == [b"\x89PNG\r\n\x1a\n"]


# --- figures ---


def drawn(figure: Any) -> ElementTree.Element:
    return ElementTree.fromstring(figure_svg(figure, width=400.0, height=200.0))


def tags(figure: Any, tag: str) -> list[dict[str, str]]:
    return [element.attrib for element in drawn(figure).iter(f"{{http://www.w3.org/2000/svg}}{tag}")]


def texts(figure: Any) -> list[str]:
    return [element.text or "" for element in drawn(figure).iter("{http://www.w3.org/2000/svg}text")]


def test_a_curve_goes_through_its_points() -> None:
    figure = {"data": [{"mode": "lines", "x": [0.0, 1.0, 2.0], "y": [0.0, 1.0, 0.5], "line": {"color": "#123456"}}]}
    (way,) = [path["d"] for path in tags(figure, "path") if path.get("stroke") == "#123456"]
    points = np.array([[float(number) for number in point.split()] for point in way[1:].split("L")])
    assert points[:, 0].tolist() == sorted(points[:, 0].tolist())
    assert points[1, 0] == pytest.approx(points[[0, 2], 0].mean(), abs=0.02)
    assert points[2, 1] == pytest.approx(points[:2, 1].mean(), abs=0.02)  # 0.5 lies halfway
    assert points[1, 1] < points[0, 1]  # up is up


def test_a_reversed_axis_is_drawn_downwards() -> None:
    curve = {"mode": "lines", "y": [0.0, 1.0], "line": {"color": "#123456"}}
    figure = {"data": [curve], "layout": {"yaxis": {"autorange": "reversed"}}}
    (way,) = [path["d"] for path in tags(figure, "path") if path.get("stroke") == "#123456"]
    first, last = (float(point.split()[1]) for point in way[1:].split("L"))
    assert last > first


def test_the_legend_shows_the_marker_of_a_trace() -> None:
    def ways(symbol: str) -> list[str]:
        marker = {"symbol": symbol, "color": "#123456", "size": 9}
        trace = {"mode": "markers", "x": [0.0, 1.0], "y": [0.0, 1.0], "marker": marker, "name": "Buy"}
        figure = {"data": [trace, {"mode": "lines", "x": [0.0, 1.0], "y": [1.0, 0.0], "name": "Close"}], "layout": {}}
        return [path["d"] for path in tags(figure, "path") if path.get("fill") == "#123456"]

    for symbol, corners in (("triangle-up", 3), ("triangle-down", 3), ("square", 4)):
        swatch, points = sorted(ways(symbol), key=len)
        assert swatch.count("L") == corners - 1
        assert points.count("L") == 2 * (corners - 1)
    assert all("a" in way for way in ways("circle"))


def test_thinning_keeps_every_extreme_of_a_long_curve() -> None:
    values = np.random.default_rng(1).normal(size=50_000)
    values[31_234], values[7] = 40.0, -30.0
    figure = {"data": [{"mode": "lines", "x": np.arange(50_000), "y": values, "line": {"color": "#123456"}}]}
    (way,) = [path["d"] for path in tags(figure, "path") if path.get("stroke") == "#123456"]
    heights = [float(point.split()[1]) for point in way[1:].split("L")]
    assert len(heights) < 5_000
    full = read_figure(figure).axes["y"]
    share = (max(heights) - min(heights)) / (70.0 / (full.high - full.low))
    assert share > 1.0
    assert full.high > 40.0 > -30.0 > full.low


def test_gaps_part_a_curve() -> None:
    figure = {"data": [{"mode": "lines", "y": [1.0, 2.0, None, 2.0, 1.0], "line": {"color": "#123456"}}]}
    (way,) = [path["d"] for path in tags(figure, "path") if path.get("stroke") == "#123456"]
    assert way.count("M") == 2


def test_axes_are_told_by_what_they_hold() -> None:
    def kind(values: Any, **layout: Any) -> str:
        picture = read_figure({"data": [{"x": values, "y": [1.0] * len(values)}], "layout": {"xaxis": layout}})
        return picture.axes["x"].kind

    assert kind(["2020-01-01", None]) == "date"
    assert kind(["2020-01-01T10:00:00+02:00"]) == "date"
    assert kind(pd.date_range("2020", periods=2, tz="Europe/Zurich")) == "date"
    assert kind([date(2020, 1, 1)]) == "date"
    assert kind(["a", "b"]) == "category"
    assert kind([1, 2]) == "linear"
    assert kind([1, 2], type="log") == "log"


def test_moments_are_seconds_of_their_own_wall_time() -> None:
    stamps = pd.date_range("2020-01-01 12:00", periods=2, freq="D", tz="Europe/Zurich")
    picture = read_figure({"data": [{"x": stamps, "y": [1.0, 2.0]}]})
    assert picture.marks[0].x.tolist() == [1577880000.0, 1577966400.0]  # 12:00 and not 11:00


def test_bars_stack_or_stand_beside_each_other() -> None:
    two = [{"type": "bar", "x": ["a", "b"], "y": [1.0, -2.0]}, {"type": "bar", "x": ["a", "b"], "y": [3.0, -1.0]}]
    stacked = read_figure({"data": two, "layout": {"barmode": "relative"}})
    assert stacked.marks[1].parts["base"].tolist() == [1.0, -2.0]
    assert stacked.marks[1].y.tolist() == [4.0, -3.0]
    beside = read_figure({"data": two, "layout": {}})
    assert beside.marks[0].parts["right"].tolist() == pytest.approx(beside.marks[1].parts["left"].tolist())


def test_a_waterfall_goes_from_level_to_level() -> None:
    trace = {
        "type": "waterfall",
        "x": ["a", "b", "c"],
        "y": [10.0, -3.0, 7.0],
        "measure": ["absolute", "relative", "total"],
    }
    mark = read_figure({"data": [trace]}).marks[0]
    assert mark.parts["base"].tolist() == [0.0, 10.0, 0.0]
    assert mark.y.tolist() == [10.0, 7.0, 7.0]


def test_arrays_that_plotly_packed_are_read() -> None:
    figure = go.Figure(
        {"data": [{"type": "heatmap", "z": np.arange(6.0).reshape(2, 3), "x": np.array([1.0, 2.0, 3.0])}]}
    )
    mark = read_figure(figure).marks[0]
    assert mark.parts["z"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert mark.x.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "trace",
    [
        {"x": [], "y": []},
        {"x": ["2020-01-01"], "y": [None]},
        {"y": [float("nan")] * 3},
        {"y": [1.0]},
        {"y": [0.0, 0.0]},
        {"type": "bar", "x": [], "y": []},
        {"type": "histogram", "x": []},
        {"type": "heatmap", "z": [[None, None]]},
        {"type": "heatmap", "z": [[2.0]]},
        {"type": "candlestick", "open": [1.0], "high": [1.0], "low": [1.0], "close": [1.0]},
        {"type": "waterfall", "x": [], "y": []},
    ],
)
@pytest.mark.parametrize("layout", [{}, {"yaxis": {"type": "log"}}])
def test_a_figure_with_little_in_it_is_drawn(trace: dict[str, Any], layout: dict[str, Any]) -> None:
    svg = figure_svg({"data": [trace], "layout": layout})
    assert "nan" not in svg.lower()
    assert "inf" not in svg
    ElementTree.fromstring(svg)


def test_text_of_a_figure_is_escaped_and_colours_are_checked() -> None:
    evil = '"/><script>alert(1)</script>'
    figure = {"data": [{"y": [1, 2], "name": evil, "line": {"color": evil}}, {"y": [2, 1], "name": "b"}], "layout": {}}
    assert tags(figure, "script") == []
    assert evil in texts(figure)


def test_bars_on_their_side_are_not_drawn() -> None:
    with pytest.raises(NotDrawable, match="on their side"):
        read_figure({"data": [{"type": "bar", "orientation": "h", "x": [1], "y": ["a"]}]})


def test_ticks_are_round() -> None:
    assert [text for _, text in linear_ticks(-1.0, 1.0, 5)] == ["-1.0", "-0.5", "0.0", "0.5", "1.0"]
    assert [text for _, text in linear_ticks(0.0, 0.02, 4, ".0%")] == ["0.0 %", "0.5 %", "1.0 %", "1.5 %", "2.0 %"]
    assert [text for _, text in linear_ticks(0.0, 2e6, 4, "~s")] == ["0", "500k", "1M", "1.5M", "2M"]
    assert linear_ticks(1.0, 1.0, 4) == log_ticks(2.0, 2.0, 3) == date_ticks(1.0, 1.0, 3) == []
    assert [text for _, text in log_ticks(0.0, 6.0, 5)] == ["1", "10", "100", "1,000", "10,000", "100,000", "1,000,000"]
    assert [text for _, text in log_ticks(2.0, 2.1, 4)] == ["100", "110", "120"]
    hour = 3600.0
    assert [text for _, text in date_ticks(0.0, 30 * hour, 5)] == ["1 Jan", "06:00", "12:00", "18:00", "2 Jan", "06:00"]
    assert number_format("+.1%", 0.001)(0.0123) == "+1.2 %"
