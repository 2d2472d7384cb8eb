"""Documents become one HTML page: escaped, self-contained, the same bytes for the same document."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

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
    render_html,
)
from algotrendy.reports.figure_json import figure_json
from algotrendy.reports.palette import ACCENT, LOSS, dark_swaps, translucent

EVIL = '<script>alert("x")</script>&\'"'
FIGURE = {"data": [{"type": "scatter", "y": np.array([1.0, 2.0])}], "layout": {"title": {"text": EVIL}}}


def whole_document(figure: Any = FIGURE) -> Document:
    """Return a document in which every text is hostile."""
    switch = Switch(EVIL, [(EVIL, {"yaxis.type": "linear"}), ("Log", {"yaxis.type": "log"})])
    blocks = [
        Text(EVIL),
        Text(EVIL, code=True),
        KeyFigures([KeyFigure(EVIL, EVIL, EVIL, "good")]),
        Table([EVIL, Column(EVIL, "right")], [[EVIL, Cell(EVIL, heat=-0.5, note=EVIL)]], EVIL, tall=True),
        Chart(figure, EVIL, EVIL, EVIL, switches=[switch]),
        Notice(EVIL),
    ]
    return Document(EVIL, EVIL, [Section(EVIL, blocks), Section("Second", [Text("a\n\nb")])], EVIL)


class Outline(HTMLParser):
    """Tags, attributes and the text in scripts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def test_hostile_text_stays_text_wherever_it_stands() -> None:
    page = render_html(whole_document())
    assert "<script>alert" not in page
    outline = Outline(page)
    assert len(outline.scripts) == 4  # the figure, plotly.js, the dark colours, the drawing
    assert {"alert", "onerror"}.isdisjoint(name for _, attrs in outline.tags for name in attrs)
    assert json.loads(outline.scripts[0])["layout"]["title"]["text"] == EVIL
    buttons = outline.attributes("button")
    assert json.loads(buttons[0]["data-layout"] or "") == {"yaxis.type": "linear"}


def test_the_same_document_gives_the_same_bytes() -> None:
    first, second = (render_html(whole_document(go.Figure(FIGURE))) for _ in range(2))
    assert first == second


def test_a_page_needs_nothing_from_elsewhere_and_forbids_itself_to_load_anything() -> None:
    page = render_html(whole_document())
    outline = Outline(page)
    links = [attrs.get(key) or "" for _, attrs in outline.tags for key in ("src", "href") if key in attrs]
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    policy = next(attrs["content"] for attrs in outline.attributes("meta") if "http-equiv" in attrs)
    assert "default-src 'none'" in (policy or "")
    assert "@import" not in page.split("</style>")[0]


def test_plotly_stands_in_a_page_once_and_only_where_there_is_a_chart() -> None:
    chart = Chart(FIGURE, "A", "a")
    page = render_html(Document("Two charts", sections=[Section("S", [chart, chart])]))
    assert page.count("plotly.js v") == 1
    assert len(render_html(Document("No chart", sections=[Section("S", [Text("t")])]))) < 20_000


def test_a_page_can_be_read_by_a_machine_that_reads_aloud() -> None:
    outline = Outline(render_html(whole_document()))
    assert [tag for tag, _ in outline.tags if re.fullmatch(r"h\d", tag)] == ["h1", "h2", "h3", "h2"]
    assert {attrs.get("scope") for attrs in outline.attributes("th")} == {"col", "row"}
    assert len(outline.attributes("caption")) == len(outline.attributes("table"))
    canvas = next(attrs for attrs in outline.attributes("div") if attrs.get("class") == "canvas")
    assert canvas["role"] == "img"
    assert canvas["aria-label"] == EVIL
    assert outline.attributes("html")[0]["lang"] == "en"
    identities = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(identities) == len(set(identities))


def test_a_cell_with_heat_is_coloured_by_its_sign_and_strength() -> None:
    rows = [["a", Cell("1", heat=0.25), Cell("2", heat=-1.0), Cell("3", heat=0.0)]]
    page = render_html(Document("T", sections=[Section("S", [Table(["x", "y", "z", "w"], rows, "c")])]))
    assert '<td class="number heat gain" style="--heat:0.250">1</td>' in page
    assert '<td class="number heat loss" style="--heat:1.000">2</td>' in page
    assert "<td>3</td>" in page


def test_a_table_refuses_a_row_of_another_length() -> None:
    with pytest.raises(InputError, match="row 1 of the table 'c' has 1 cells, expected 2"):
        Table(["a", "b"], [["1", "2"], ["3"]], "c")


def test_numbers_of_an_even_column_have_their_points_below_each_other() -> None:
    def texts(*values: Any) -> list[str]:
        rows = [["row", Cell.of(value, "number") if not isinstance(value, str) else value] for value in values]
        return [
            getattr(row[1], "text", row[1]) for row in Table(["a", Column("b", "right", even=True)], rows, "c").rows
        ]

    assert texts(3611.0, 5100.3, 7364.34) == ["3,611.00", "5,100.30", "7,364.34"]
    assert texts(35.9958, 38.1, "", float("nan")) == ["35.9958", "38.1000", "", "n/a"]
    assert texts(13, 26) == ["13", "26"]
    assert texts(1e-9, 2.0) == ["1e-09", "2"], "what is written with a power of ten stays"
    exact = Decimal("0.1234567891")
    assert texts(exact, Decimal(2)) == ["0.1234567891", "2"], "no digit is lost to a column that would be too wide"
    assert texts(Decimal("0.12345678"), 2.5) == ["0.12345678", "2.50000000"]
    plain = Table(
        ["a", Column("b", "right")], [["row", Cell.of(3611.0, "number")], ["row", Cell.of(0.5, "number")]], "c"
    )
    assert [getattr(row[1], "text", "") for row in plain.rows] == ["3,611", "0.5"]


def test_the_total_of_a_table_is_set_apart() -> None:
    table = Table(["a", "b"], [["x", "1"], ["Total", "1"]], "c", has_total=True)
    page = render_html(Document("T", sections=[Section("S", [table, Table(["a", "b"], [], "c", has_total=True)])]))
    assert page.count('<tr class="total">') == 1
    assert '<tr class="total"><th scope="row">Total</th>' in page


def test_a_cell_refuses_heat_beyond_its_scale() -> None:
    with pytest.raises(InputError, match=r"lies in \[-1, 1\], found 1.5"):
        Cell("x", heat=1.5)


@pytest.mark.parametrize("wrong", [None, 3, {"layout": {}}, [1.0]])
def test_a_chart_refuses_what_is_not_a_figure(wrong: Any) -> None:
    with pytest.raises(InputError, match="a chart needs a plotly Figure"):
        figure_json(wrong)


def test_a_chart_refuses_a_thing_that_json_cannot_say() -> None:
    with pytest.raises(InputError, match="a chart cannot hold a object"):
        figure_json({"data": [{"y": object()}]})


def test_figures_are_strict_json_with_null_for_what_is_not_a_number() -> None:
    content = {"data": [{"y": [float("nan"), float("inf"), np.float64(2.0), np.int64(3), pd.NaT, True, None]}]}
    parsed = json.loads(figure_json(content), parse_constant=lambda token: pytest.fail(f"{token} is not JSON"))
    assert parsed["data"][0]["y"] == [None, None, 2.0, 3, None, True, None]


def test_number_arrays_are_packed_without_loss() -> None:
    numbers = np.array([0.1, np.nan, -np.inf, 1e300])
    big = np.array([1, 2**40])
    grid = np.arange(6).reshape(2, 3)
    traces = [{"y": numbers}, {"y": big}, {"z": grid}, {"y": pd.Series([1.5])}, {"y": pd.Index([1, 2])}]
    packed = json.loads(figure_json({"data": traces}))["data"]
    assert np.array_equal(np.frombuffer(b64decode(packed[0]["y"]["bdata"])), numbers, equal_nan=True)
    assert packed[1]["y"]["dtype"] == "f8"
    assert packed[2]["z"]["shape"] == "2, 3"
    assert packed[3]["y"] == {"dtype": "f8", "bdata": "AAAAAAAA+D8="}
    assert packed[4]["y"]["dtype"] == "i4"


def test_moments_and_texts_in_arrays_become_texts() -> None:
    trace = {"x": np.array(["2020-01-02"], dtype="datetime64[D]"), "text": np.array(["a"]), "ids": (np.str_("b"),)}
    parsed = json.loads(figure_json({"data": [trace | {"customdata": [pd.Timestamp("2020-01-02")]}]}))["data"][0]
    assert parsed == {"x": ["2020-01-02"], "text": ["a"], "ids": ["b"], "customdata": ["2020-01-02T00:00:00"]}


def test_the_style_that_plotly_brings_is_left_to_the_page() -> None:
    assert "template" not in json.loads(figure_json(go.Figure({"data": [{"type": "bar", "y": [1]}]})))["layout"]


def test_every_colour_of_ours_has_a_dark_face() -> None:
    swaps = dark_swaps()
    assert swaps[ACCENT] != ACCENT
    assert translucent(LOSS, 0.18) in swaps
