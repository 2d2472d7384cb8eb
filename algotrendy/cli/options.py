"""The options that several commands share, each with its help text, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_DATA, _STRATEGY, _ACCOUNT = "Bars", "Strategy", "Account and market"

Data = Annotated[Path | None, typer.Option(help="A .csv or .parquet file of bars.", rich_help_panel=_DATA)]
Sample = Annotated[str | None, typer.Option(help="Built-in index history: NASDAQ, SP500, ...", rich_help_panel=_DATA)]

Reading = Annotated[
    list[str] | None,
    typer.Option(
        "--read", help="How to read the file: --read close=Price --read date_format=%d.%m.%Y.", rich_help_panel=_DATA
    ),
]

StrategyName = Annotated[
    str | None,
    typer.Option(
        "--strategy", help="A .json file, or a name from the library: sma_cross, ...", rich_help_panel=_STRATEGY
    ),
]
Entry = Annotated[str | None, typer.Option(help="Go long when this is true.", rich_help_panel=_STRATEGY)]
Exit = Annotated[str | None, typer.Option(help="Leave a long position.", rich_help_panel=_STRATEGY)]
ShortEntry = Annotated[str | None, typer.Option(help="Go short when this is true.", rich_help_panel=_STRATEGY)]
ShortExit = Annotated[str | None, typer.Option(help="Leave a short position.", rich_help_panel=_STRATEGY)]
Stop = Annotated[
    str | None, typer.Option(help="Distance below the entry: 0.05 is 5 %; or an expression.", rich_help_panel=_STRATEGY)
]
Target = Annotated[str | None, typer.Option(help="Distance above the entry.", rich_help_panel=_STRATEGY)]
Trail = Annotated[str | None, typer.Option(help="Distance below the best price so far.", rich_help_panel=_STRATEGY)]
Size = Annotated[
    str | None, typer.Option(help="Share of the account per entry: 0.5; or an expression.", rich_help_panel=_STRATEGY)
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", help="A parameter: -p fast=20. Repeat it.", rich_help_panel=_STRATEGY),
]

Cash = Annotated[float, typer.Option(help="Initial cash.", rich_help_panel=_ACCOUNT)]
Commission = Annotated[
    float, typer.Option(help="Share of each fill's notional: 0.0005 is 5 bp.", rich_help_panel=_ACCOUNT)
]
Slippage = Annotated[float, typer.Option(help="Share of the price, against you.", rich_help_panel=_ACCOUNT)]
Borrow = Annotated[float, typer.Option(help="Cost of a short position, annual.", rich_help_panel=_ACCOUNT)]
Fill = Annotated[str, typer.Option(help="next_open, next_close or same_close.", rich_help_panel=_ACCOUNT)]
Units = Annotated[str, typer.Option(help="fractional or whole.", rich_help_panel=_ACCOUNT)]
