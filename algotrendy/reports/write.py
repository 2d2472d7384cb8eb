"""A document in any of the three formats, and as a file whose suffix says which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Literal, TypeAlias

from algotrendy.errors import InputError
from algotrendy.home import write_whole
from algotrendy.reports.document import Document
from algotrendy.reports.excel import render_excel
from algotrendy.reports.html import render_html
from algotrendy.reports.pdf import Paper, render_pdf

__all__ = ["Format", "format_of", "render", "write_document"]

Format: TypeAlias = Literal["html", "pdf", "xlsx"]

_SUFFIXES: Mapping[str, Format] = {"": "html", ".html": "html", ".htm": "html", ".pdf": "pdf", ".xlsx": "xlsx"}
_RENDERED: Mapping[str, Callable[[Document, date | None, Paper], bytes]] = {
    "html": lambda document, day, paper: render_html(document).encode("utf-8", "xmlcharrefreplace"),
    "pdf": lambda document, day, paper: render_pdf(document, date=day, paper=paper),
    "xlsx": lambda document, day, paper: render_excel(document, date=day),
}


def render(document: Document, format: str, *, date: date | None = None, paper: Paper = "a4") -> bytes:
    """Return a document as the bytes of a file.

    Parameters
    ----------
    document : Document
    format : {"html", "pdf", "xlsx"}
    date : date or datetime, optional
        The day of the report, in print and in workbooks; a page of HTML says none.
    paper : {"a4", "letter"}
        Size of the pages in print.

    Returns
    -------
    bytes
        The same for the same document, date and paper.

    Raises
    ------
    InputError
        If the format is unknown.

    Examples
    --------
    >>> render(Document("Hello"), "html")[:15]
    b'<!DOCTYPE html>'
    """
    if format not in _RENDERED:
        raise InputError(f"format is {format!r}; choose one of: {', '.join(_RENDERED)}")
    return _RENDERED[format](document, date, paper)


def format_of(path: str | Path) -> Format:
    """Return the format that the suffix of a file says; none says HTML.

    Raises
    ------
    InputError
        If it says another one.

    Examples
    --------
    >>> format_of("report.pdf"), format_of("report")
    ('pdf', 'html')
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise InputError(f"the suffix of {Path(path).name} is {suffix}; a report is written to .html, .pdf or .xlsx")
    return _SUFFIXES[suffix]


def write_document(document: Document, path: str | Path, *, date: date | None = None, paper: Paper = "a4") -> Path:
    """Write a document to a file, whole or not at all, in the format that its suffix says.

    Parameters
    ----------
    document : Document
    path : str or Path
        `.html`, `.pdf` or `.xlsx`; an existing file is replaced.
    date, paper
        As in `render`.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    InputError
        If the suffix is another one, or the folder does not exist.

    Examples
    --------
    >>> import tempfile
    >>> write_document(Document("Hello"), f"{tempfile.mkdtemp()}/hello.pdf").name
    'hello.pdf'
    """
    return write_whole(Path(path).expanduser(), render(document, format_of(path), date=date, paper=paper))
