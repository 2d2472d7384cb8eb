"""`algotrendy discover`: search for strategies, judged on bars that the search has not seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from algotrendy.cli import inputs, options, show


def discover(
    *,
    data: options.Data = None,
    sample: options.Sample = None,
    read: options.Reading = None,
    candidates: Annotated[int, typer.Option(help="Strategies to try.")] = 500,
    finalists: Annotated[int, typer.Option(help="How many are judged.")] = 10,
    holdout: Annotated[float, typer.Option(help="Share of the bars kept for judging.")] = 0.3,
    side: Annotated[
        list[str] | None, typer.Option("--side", help="long, short or both in turn. Repeat it. Default: long.")
    ] = None,
    max_drawdown: Annotated[float, typer.Option(help="Largest loss from a peak in the search: 0.3 is 30 %.")] = 0.5,
    min_trades: Annotated[int, typer.Option(help="Closed trades in the search, at least.")] = 10,
    seed: Annotated[int, typer.Option(help="What chance comes from.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Cores to use. Default: all.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="A file from which a killed search goes on.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write the findings to this .json file.")] = None,
    cash: options.Cash = 100_000.0,
    commission: options.Commission = 0.0,
    slippage: options.Slippage = 0.0,
    borrow: options.Borrow = 0.0,
    fill: options.Fill = "next_open",
) -> None:
    """Search for strategies on the first bars, and rank the best of them by the last."""
    from algotrendy import research
    from algotrendy.backtest.discovery import SearchLimits

    limits = SearchLimits(max_drawdown=max_drawdown, min_trades=min_trades, directions=tuple(side or ("long",)))
    found = research.discover(
        inputs.load_bars(data, sample, read),
        limits=limits, n_candidates=candidates, finalists=finalists, holdout=holdout, seed=seed,
        checkpoint=checkpoint, cash=cash, commission=commission, slippage=slippage, borrow=borrow, fill=fill,
        **({} if workers is None else {"workers": workers}),
    )  # fmt: skip
    show.console.print(found.summary(), markup=False)
    if save is not None:
        save.write_text(json.dumps(found.to_dict(), indent=2), encoding="utf-8")
        show.console.print(f"The findings: {save}", markup=False)
