"""What counting every run in the trial ledger adds to a backtest and to a sweep, in one process, on one core.

Run as `python benchmarks/bench_ledger.py`. The ledger is a SQLite file in a folder of its own; each run is a new trial,
since one that is known already writes nothing new. With and without take turns and the fastest of several runs counts.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from worker import COMMISSION, ENTRY, EXIT, FAST, SLOW, sweep_windows

import algotrendy as at

DAILY, ROUNDS = 5_031, 5


class Row(NamedTuple):
    """One line of the table."""

    title: str
    unit: str
    ours: float
    note: str


def added(run: Callable[[float], object], place: Path, rounds: int) -> tuple[float, float]:
    """Return the least seconds of a run without the ledger, and what it takes more with it."""
    number = count()
    least = [float("inf"), float("inf")]
    for _ in range(rounds):
        for k, ledger in enumerate((False, str(place))):
            at.configure(ledger=ledger)
            run(100_000.0 + next(number))  # opened and warm; another cash is another trial
            cash = 100_000.0 + next(number)
            begin = time.perf_counter()
            run(cash)
            least[k] = min(least[k], time.perf_counter() - begin)
    return least[0], least[1] - least[0]


def measure() -> list[Row]:
    """Return every row."""
    bars = at.sample("NASDAQ").iloc[:DAILY]
    strategy = at.Strategy(entry=ENTRY, exit=EXIT, fast=FAST, slow=SLOW)
    grid = {"fast": sweep_windows(), "slow": sweep_windows()}
    options: dict[str, Any] = {"commission": COMMISSION, "where": "fast < slow", "workers": 1, "progress": False}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "ledger.db"
        for title, run, rounds in (
            ("one backtest", lambda cash: at.backtest(strategy, bars, commission=COMMISSION, cash=cash), 100),
            ("a sweep of 10,011 pairs", lambda cash: at.optimize(strategy, bars, grid, cash=cash, **options), ROUNDS),
        ):
            without, more = added(run, place, rounds)
            note = f"{without * 1e3:.3g} ms without, {more / without:.0%} more"
            rows.append(Row(f"the trial ledger, added to {title}", "ms", more * 1e3, note))
        at.configure(ledger=False)
    return rows


def main(arguments: Sequence[str]) -> None:
    """Print the table, or with `--json` the rows."""
    rows = measure()
    if "--json" in arguments:
        print(json.dumps([row._asdict() for row in rows]))
        return
    for row in rows:
        print(f"{row.title:50} {row.ours:8.3g} {row.unit}   {row.note}")


if __name__ == "__main__":
    main(sys.argv[1:])
