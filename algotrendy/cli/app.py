"""The program: its commands and what each is called."""

from __future__ import annotations

from typing import Annotated

import typer

import algotrendy
from algotrendy.cli import backtest, data, demo, discover, ledger, optimize, report

app = typer.Typer(
    help="Research, backtest and run trading strategies.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(demo.demo)
app.command("backtest")(backtest.backtest)
app.command("optimize")(optimize.optimize)
app.command("discover")(discover.discover)
app.command("report")(report.report)
app.add_typer(data.data_app, name="data")
app.add_typer(ledger.ledger_app, name="ledger")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"algotrendy {algotrendy.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Research, backtest and run trading strategies."""
