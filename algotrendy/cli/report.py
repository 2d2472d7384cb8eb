"""`algotrendy report`: the HTML report of a saved result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from algotrendy.cli import show
from algotrendy.errors import DataError


def report(
    result: Annotated[Path, typer.Argument(help="What `algotrendy backtest --save` or `result.save` wrote.")],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
) -> None:
    """Write the HTML report of a saved result."""
    import algotrendy as at

    if not result.is_file():
        raise DataError(f"there is no file {result}")
    at.BacktestResult.load(result).report(out)
    show.console.print(f"Report: {out}", markup=False)
