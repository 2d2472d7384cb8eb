"""A document as a PDF for print: vector charts, real text, the same bytes for the same document and date.

Typst sets the pages; it and its fonts come with one Python package. Nothing of the machine is used: no fonts, no clock,
no network. What a document says travels to it as data, so no text in it can be taken for a command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias

from algotrendy.errors import InputError, MissingExtraError
from algotrendy.reports.document import (
    Block,
    Cell,
    Chart,
    Column,
    Document,
    KeyFigures,
    Notice,
    Table,
    Text,
)
from algotrendy.reports.figure import NotDrawable
from algotrendy.reports.glyphs import printable
from algotrendy.reports.palette import ground_of
from algotrendy.reports.svg import figure_svg

__all__ = ["Paper", "render_pages", "render_pdf"]

Paper: TypeAlias = Literal["a4", "letter"]

_PAPERS = {"a4": ("a4", 174.0), "letter": ("us-letter", 179.9)}
"""What typst calls a paper, and how wide its text is, in millimetres."""

_POINTS_OF_MM = 72.0 / 25.4
_CHART_HEIGHTS = (95.0, 420.0)
_WORD_MAX = 26
"""Longer words may be broken anywhere; a column would else leave the page."""

_LONG_WORD = re.compile(rf"[^\s\u00a0]{{{_WORD_MAX},}}")


def render_pdf(
    document: Document, *, date: date | None = None, paper: Paper = "a4", fonts: str | Path | None = None
) -> bytes:
    """Return a document as a PDF.

    Parameters
    ----------
    document : Document
        Charts become vector drawings. What only a browser can draw is named in its place, with its description.
    date : date or datetime, optional
        The day of the report: it stands on the pages and in the file (a datetime without a zone is taken as UTC).
        Without one the file says no date; the clock is never asked, so that the same call gives the same bytes.
    paper : {"a4", "letter"}
        Size of the pages.
    fonts : str or Path, optional
        A folder of fonts for writing systems that the built-in ones lack (they have Latin, Greek and Cyrillic). Without
        it a character without a glyph is written by its number, as `[U+65E5]`.

    Returns
    -------
    bytes
        The file, tagged for readers that read aloud.

    Raises
    ------
    InputError
        If `paper` is unknown, `date` is no date, or `fonts` is no folder with fonts.
    MissingExtraError
        If typst is not installed.

    Examples
    --------
    >>> from algotrendy.reports import Document, Section, Text
    >>> page = render_pdf(Document("Hello", sections=[Section("Part", [Text("1 < 2")])]))
    >>> page[:5]
    b'%PDF-'
    """
    found = _compiled(document, date, paper, fonts, format="pdf")
    assert isinstance(found, bytes)
    return found


def render_pages(
    document: Document,
    *,
    date: date | None = None,
    paper: Paper = "a4",
    fonts: str | Path | None = None,
    ppi: float = 110.0,
) -> list[bytes]:
    """Return the pages of `render_pdf` as PNG pictures.

    Parameters
    ----------
    document, date, paper, fonts
        As in `render_pdf`.
    ppi : float
        Pixels per inch.

    Returns
    -------
    list of bytes
        One picture per page.

    Examples
    --------
    >>> from algotrendy.reports import Document
    >>> [page[1:4] for page in render_pages(Document("Hello"), ppi=20.0)]
    [b'PNG']
    """
    found = _compiled(document, date, paper, fonts, format="png", ppi=ppi)
    return list(found) if isinstance(found, list) else [found]


def _compiled(
    document: Document, day: date | None, paper: str, fonts: str | Path | None, **options: Any
) -> bytes | list[bytes]:
    try:
        import typst
    except ImportError as error:
        raise MissingExtraError("typst", "reports") from error
    content = _content(document, day, paper, _families(fonts))
    template = files("algotrendy.reports").joinpath("assets", "report.typ").read_bytes()
    compiler = typst.Compiler(font_paths=_fonts(None if fonts is None else str(fonts)), ignore_system_fonts=True)
    inputs = {"document": json.dumps(content, ensure_ascii=False, sort_keys=True)}
    found: Any = compiler.compile(template, sys_inputs=inputs, timestamp=_moment(day), **options)
    return found  # type: ignore[no-any-return]


@cache
def _fonts(folder: str | None) -> Any:
    import typst

    return typst.Fonts(include_system_fonts=False, font_paths=[] if folder is None else [folder])


def _families(fonts: str | Path | None) -> list[str]:
    """Return the names of the fonts in a folder.

    Raises
    ------
    InputError
        If there are none.
    """
    if fonts is None:
        return []
    own = sorted(set(_fonts(str(fonts)).families()) - set(_fonts(None).families()))
    if not own:
        raise InputError(f"there is no font in {fonts}; give a folder of .ttf or .otf files")
    return own


def _moment(day: date | None) -> datetime | None:
    """Return the moment of a date, as the file says it."""
    if day is None:
        return datetime(1970, 1, 1, tzinfo=UTC)
    moment = day if isinstance(day, datetime) else datetime.combine(day, time())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


# --- the document as data ---


def _content(document: Document, day: date | None, paper: str, families: Sequence[str]) -> dict[str, Any]:
    if paper not in _PAPERS:
        raise InputError(f"paper is {paper!r}; choose one of: {', '.join(_PAPERS)}")
    if day is not None and not isinstance(day, date):
        raise InputError(f"date is {day!r}; give a datetime.date or a datetime, or leave it out")
    size, width = _PAPERS[paper]
    moment = _moment(day) if day is not None else None
    parts = None if moment is None else {name: getattr(moment, name) for name in ("year", "month", "day")}
    if moment is not None and isinstance(day, datetime):
        parts = parts | {name: getattr(moment, name) for name in ("hour", "minute", "second")}  # type: ignore[operator]
    writer = _Writer(bool(families), width * _POINTS_OF_MM)
    title = document.title if len(document.title) <= 90 else document.title[:89] + "…"
    return {
        "paper": size,
        "fonts": list(families),
        "title": writer.words(document.title),
        "short_title": writer.words(title),
        "subtitle": writer.words(document.subtitle),
        "footer": writer.words(document.footer),
        "date": parts,
        "date_text": "" if moment is None else f"{moment.day} {moment:%B %Y}",
        "sections": [
            {"title": writer.words(section.title), "blocks": [writer.block(block) for block in section.blocks]}
            for section in document.sections
        ],
    }


class _Writer:
    """Turns blocks into what the template reads."""

    def __init__(self, has_own_fonts: bool, width: float) -> None:
        self.has_own_fonts, self.width = has_own_fonts, width

    def words(self, text: str) -> str:
        """Return text as it is set: each character has a glyph, a number keeps its percent sign, long words break."""
        shown = text.replace("\t", "    ").replace("\r\n", "\n") if self.has_own_fonts else printable(text)
        return _LONG_WORD.sub(lambda found: _breakable(found[0]), shown.replace(" %", "\u00a0%"))

    def block(self, block: Block) -> dict[str, Any]:
        """Return a block as data."""
        match block:
            case KeyFigures():
                items = [
                    {"label": self.words(one.label), "value": self.words(one.value)}
                    | {"note": self.words(one.note), "tone": one.tone}
                    for one in block.items
                ]
                return {"is": "figures", "items": items}
            case Notice():
                return {"is": "notice", "level": block.level, "text": self.words(block.text)}
            case Text():
                parts = [part.strip() for part in re.split(r"\n\s*\n", block.text) if part.strip()]
                paragraphs = [self.words(part) for part in parts]
                return {"is": "text", "code": block.code, "text": self.words(block.text), "paragraphs": paragraphs}
            case Table():
                return self.table(block)
        return self.chart(block)

    def table(self, block: Table) -> dict[str, Any]:
        """Return a table as data; one with sentences, or of names and values, wraps its lines."""
        columns = [column if isinstance(column, Column) else Column(column) for column in block.columns]
        pairs = len(columns) == 2 and all(column.align == "left" for column in columns)
        widths = [
            "rest" if column.align == "text" or (pairs and place) else "auto" for place, column in enumerate(columns)
        ]
        if pairs:
            widths[0] = "0.27"
        return {
            "is": "table",
            "caption": self.words(block.caption),
            "columns": [{"label": self.words(column.label), "align": column.align} for column in columns],
            "rows": [[self.cell(cell) for cell in row] for row in block.rows],
            "wraps": "rest" in widths,
            "total": block.has_total and bool(block.rows),
            "widths": widths,
        }

    def cell(self, value: Cell | str) -> dict[str, Any]:
        """Return a cell as data, its heat as a colour."""
        cell = value if isinstance(value, Cell) else Cell(value)
        return {"text": self.words(cell.text), "code": cell.code, "fill": ground_of(cell.heat)}

    def chart(self, block: Chart) -> dict[str, Any]:
        """Return a chart as a drawing, or the reason why there is none."""
        svg, reason = None, ""
        height = min(max(0.5 * block.height, _CHART_HEIGHTS[0]), _CHART_HEIGHTS[1])
        try:
            svg = figure_svg(block.figure, width=self.width, height=height)
        except NotDrawable as why:
            reason = f"{why}."
        words = {"title": block.title, "description": block.description, "caption": block.caption, "reason": reason}
        return {"is": "chart", "svg": svg} | {name: self.words(text) for name, text in words.items()}


def _breakable(word: str) -> str:
    """Return a long word with invisible places where a line may end."""
    return "\u200b".join(word[start : start + 8] for start in range(0, len(word), 8))
