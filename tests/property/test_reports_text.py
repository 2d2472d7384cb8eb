"""Whatever is written into a document is read out of it, letter by letter: nothing is taken for a command."""

from __future__ import annotations

from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from algotrendy.reports import (
    Cell,
    Column,
    Document,
    KeyFigure,
    KeyFigures,
    Notice,
    Section,
    Table,
    Text,
    render_excel,
    render_html,
    render_pdf,
)
from algotrendy.reports.excel import literal
from algotrendy.reports.glyphs import printable

pypdf = pytest.importorskip("pypdf")
openpyxl = pytest.importorskip("openpyxl")

FRAGMENTS = (
    "<b>", "</table>", "<script>", "&lt;", "&", '"', "'", "#let x = 1", "#read(\"/etc/passwd\")", "$x^2$",
    "@import", "*a*", "_b_",
    "`c`", "//", "/*", "\\", "[", "]", "{", "}", "=1+1", "+1", "-1", "=HYPERLINK(\"a\")", "{=1}", "@SUM(A1)", "http://a.b",
    "internal:A1", "mailto:a@b", "_x0041_", "é", "Ω", "Ж", "日", "\t", "1 %", "~", "--", "...", "word",
)  # fmt: skip
WORDS = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=4).map(" ".join),
    st.text(st.characters(max_codepoint=0x24F, exclude_categories=("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")), min_size=1),
)


def plain(text: str) -> str:
    """Return text without what differs in setting alone: spaces, and the marks of places where a line may end."""
    return "".join(text.replace("\u200b", "").split())


def document(texts: list[str]) -> Document:
    title, words, label, value, note, head, cell, code = texts
    blocks: list[Any] = [
        Text(words),
        Text(code, code=True),
        KeyFigures([KeyFigure(label, value, note)]),
        Notice(note),
        Table([head, Column(head, "right")], [[cell, Cell(cell, heat=0.5)]], head),
    ]
    return Document(title, words, [Section(label, blocks)], note)


class Words(HTMLParser):
    """The text of a page, without that of styles and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.found.append(data)


@given(texts=st.lists(WORDS, min_size=8, max_size=8))
@example(texts=["<b>", "#let x = 1", "=1+1", "@import", "$", "{=1}", "`", "\\"])
def test_any_text_arrives_literally_in_all_formats(texts: list[str]) -> None:
    made = document(texts)

    page = Words(render_html(made))
    assert all(plain(text) in plain("".join(page.found)) for text in texts)
    assert {"script", "b", "a"} & set(page.tags) <= {"a"}

    pages = pypdf.PdfReader(BytesIO(render_pdf(made))).pages
    found = plain("".join(one.extract_text() for one in pages))
    assert [text for text in texts if plain(printable(text)) not in found] == []

    book = openpyxl.load_workbook(BytesIO(render_excel(made)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s"}  # no formula, no number
    values = {cell.value for cell in cells}
    assert {literal(text) for text in texts} <= values | {value.removeprefix("Warning: ") for value in values}
    links = [link.location for sheet in book for link in sheet._hyperlinks]
    assert all(link is not None and link.startswith("'") for link in links)
    assert all(link.target is None for sheet in book for link in sheet._hyperlinks)
