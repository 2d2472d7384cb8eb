"""`algotrendy report`: the report of a saved result, as a page, in print or as a workbook."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from algotrendy.cli import show
from algotrendy.errors import DataError, InputError


class Format(StrEnum):
    """What a report is written as."""

    HTML = "html"
    PDF = "pdf"
    XLSX = "xlsx"


class Paper(StrEnum):
    """Size of the pages in print."""

    A4 = "a4"
    LETTER = "letter"


def report(
    result: Annotated[Path, typer.Argument(help="What `algotrendy backtest --save` or `result.save` wrote.")],
    out: Annotated[Path | None, typer.Option(help="The file to write: .html, .pdf or .xlsx. [report.html]")] = None,
    format: Annotated[Format | None, typer.Option(help="Instead of the suffix of --out.")] = None,
    paper: Annotated[Paper, typer.Option(help="Size of the pages of a PDF.")] = Paper.A4,
    date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day that a PDF or a workbook says.")
    ] = None,
) -> None:
    """Write the report of a saved result."""
    import algotrendy as at
    from algotrendy.reports import format_of

    if not result.is_file():
        raise DataError(f"there is no file {result}")
    target = out or Path(f"report.{format or 'html'}")
    if format is not None and not target.suffix:
        target = target.with_suffix(f".{format}")
    if format is not None and format_of(target) != format:
        raise InputError(f"--format {format} and the suffix of {target} contradict each other; leave one out")
    at.BacktestResult.load(result).report(target, date=None if date is None else date.date(), paper=paper.value)
    show.console.print(f"Report: {target}", markup=False)
