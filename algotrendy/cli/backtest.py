"""`algotrendy backtest`: one strategy on one series of bars."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from algotrendy.cli import inputs, options, show


def backtest(
    *,
    data: options.Data = None,
    sample: options.Sample = None,
    read: options.Reading = None,
    strategy: options.StrategyName = None,
    entry: options.Entry = None,
    exit: options.Exit = None,
    short_entry: options.ShortEntry = None,
    short_exit: options.ShortExit = None,
    stop: options.Stop = None,
    target: options.Target = None,
    trail: options.Trail = None,
    size: options.Size = None,
    param: options.Parameters = None,
    cash: options.Cash = 100_000.0,
    commission: options.Commission = 0.0,
    slippage: options.Slippage = 0.0,
    borrow: options.Borrow = 0.0,
    fill: options.Fill = "next_open",
    units: options.Units = "fractional",
    report: Annotated[Path | None, typer.Option(help="Write an HTML report to this file.")] = None,
    save: Annotated[Path | None, typer.Option(help="Save the result to this .json or .parquet file.")] = None,
) -> None:
    """Backtest one strategy and print its summary."""
    import algotrendy as at

    bars = inputs.load_bars(data, sample, read)
    text = inputs.StrategyText(
        name=strategy, entry=entry, exit=exit, short_entry=short_entry, short_exit=short_exit,
        stop=stop, target=target, trail=trail, size=size,
    )  # fmt: skip
    result = at.backtest(
        inputs.build_strategy(text, inputs.parse_parameters(param)),
        bars,
        cash=cash, commission=commission, slippage=slippage, borrow=borrow, fill=fill, units=units,
    )  # fmt: skip
    show.console.print(result.summary(), markup=False)
    if report is not None:
        result.report(report)
        show.console.print(f"Report: {report}", markup=False)
    if save is not None:
        result.save(save)
        show.console.print(f"Result: {save}", markup=False)
