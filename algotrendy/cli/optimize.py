"""`algotrendy optimize`: every combination of parameters of one strategy."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from algotrendy.cli import inputs, options, show

if TYPE_CHECKING:
    from algotrendy.backtest import SweepResult


def optimize(
    *,
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", "-g", help="What to try: -g fast=5:51 or -g stop=0.02,0.05. Repeat it."),
    ] = None,
    where: Annotated[str | None, typer.Option(help='Try only what this holds for: "fast < slow".')] = None,
    metric: Annotated[str, typer.Option(help="What to rank by.")] = "sharpe_ratio",
    top: Annotated[int, typer.Option(help="Rows to show.")] = 10,
    workers: Annotated[int | None, typer.Option(help="Cores to use. Default: all.")] = None,
    table: Annotated[Path | None, typer.Option(help="Write all rows to this .csv file.")] = None,
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
) -> None:
    """Backtest every combination of parameters and print the best."""
    import algotrendy as at

    values = inputs.parse_grid(grid)
    bars = inputs.load_bars(data, sample, read)
    text = inputs.StrategyText(
        name=strategy, entry=entry, exit=exit, short_entry=short_entry, short_exit=short_exit,
        stop=stop, target=target, trail=trail, size=size,
    )  # fmt: skip
    start = time.perf_counter()
    sweep = at.optimize(
        inputs.build_strategy(text, inputs.sweep_parameters(values, inputs.parse_parameters(param), text)),
        bars,
        values,
        metric=metric, where=where, workers=workers,
        cash=cash, commission=commission, slippage=slippage, borrow=borrow, fill=fill, units=units,
    )  # fmt: skip
    show_sweep(sweep, top, time.perf_counter() - start)
    if table is not None:
        sweep.table.to_csv(table, index=False)
        show.console.print(f"All rows: {table}", markup=False)


def show_sweep(sweep: SweepResult, top: int, seconds: float) -> None:
    """Print how much was tried, the best rows, and what they are not."""
    done = len(sweep.table)
    stopped = "" if sweep.complete else " (stopped before the end)"
    show.console.print(f"{done:,} combinations in {seconds:.2f} s{stopped}; the best by {sweep.metric}:")
    show.console.print(show.sweep_table(sweep.top(top)))
    show.console.print("The best of many tries looks better than it is: in Python, sweep.overfitting() says how")
    show.console.print("much, and at.walk_forward() tries the choice on bars that it has not seen.")
