"""`algotrendy demo`: the main job on real data, from bars to a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from algotrendy.cli import show
from algotrendy.cli.optimize import show_sweep

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.strategy import Strategy

FAST, SLOW = range(5, 51), range(20, 201)
CASH, COMMISSION = 100_000.0, 0.0005


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("demo"),
) -> None:
    """Backtest, sweep and report a moving-average crossover on NASDAQ history."""
    import algotrendy as at

    bars = at.sample("NASDAQ")
    show.console.print(
        f"NASDAQ Composite, {len(bars):,} daily bars, {bars.index[0]:%Y-%m-%d} to {bars.index[-1]:%Y-%m-%d}\n"
    )
    strategy = at.Strategy(
        entry="sma(close, fast) > sma(close, slow)", exit="sma(close, fast) <= sma(close, slow)", fast=20, slow=50
    )
    result = at.backtest(strategy, bars, cash=CASH, commission=COMMISSION, fill="next_open")
    show.console.print(result.summary(), markup=False)

    _compile(strategy, bars)
    start = time.perf_counter()
    sweep = at.optimize(
        strategy, bars, {"fast": FAST, "slow": SLOW}, where="fast < slow", cash=CASH, commission=COMMISSION
    )
    show.console.print()
    show_sweep(sweep, 10, time.perf_counter() - start)

    out.mkdir(parents=True, exist_ok=True)
    path = out / "report.html"
    result.report(path, sweep=sweep)
    sweep.table.to_csv(out / "sweep.csv", index=False)
    show.console.print(f"\nReport, open it in a browser: {path}", markup=False)
    show.console.print(f"Every combination of the sweep: {out / 'sweep.csv'}", markup=False)


def _compile(strategy: Strategy, bars: pd.DataFrame) -> None:
    """Run a small sweep, so that the time shown for the large one is that of every later one."""
    import algotrendy as at

    start = time.perf_counter()
    at.optimize(strategy, bars[:300], {"fast": [5, 10], "slow": [20, 40]}, progress=False)
    seconds = time.perf_counter() - start
    if seconds > 1.0:
        show.console.print(f"\nCompiled the sweep for this machine, once: {seconds:.0f} s")
