"""Several instruments in one account, one core: 500 instruments x 5,000 bars by weights, and 200 parameter sets.

Run with `python benchmarks/bench_portfolio.py`. Target weights in the kernel alone and through the API; bt is run on a
part of the instruments, since the whole would take it minutes (`--peers`; it says on how many). Then `optimize` on the
panel: signals of 200 sets, and all their accounts. Processor time.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import algotrendy as at
from algotrendy.backtest.portfolio.market import account_of, as_panel
from algotrendy.backtest.portfolio.weights import decisions, target_rows
from algotrendy.domain.panel import Panel
from algotrendy.kernels.portfolio_types import empty_fills
from algotrendy.kernels.portfolio_weights import Targets, walk_weights

N, T = 500, 5_000
WEIGHTS_BUDGET_MS, SWEEP_BUDGET_S = 50.0, 5.0


class Row(NamedTuple):
    """One line of the table."""

    title: str
    unit: str
    ours: float
    budget: float | None
    note: str


def random_panel(n: int, n_bars: int) -> Panel:
    """A market factor and noise of each instrument's own."""
    rng = np.random.default_rng(0)
    common = rng.normal(0.0003, 0.008, n_bars)
    days = pd.bdate_range("2004-01-01", periods=n_bars)
    frames = {}
    for j in range(n):
        close = 100.0 * np.exp(np.cumsum(common + rng.normal(0.0, 0.012, n_bars)))
        open_ = np.concatenate((close[:1], close[:-1])) * (1.0 + rng.normal(0.0, 0.002, n_bars))
        high, low = np.maximum(open_, close) * 1.004, np.minimum(open_, close) * 0.996
        frames[f"S{j:03d}"] = pd.DataFrame({"open": open_, "high": high, "low": low, "close": close}, index=days)
    return as_panel(frames)


def best_of(function: Callable[[], Any], rounds: int) -> float:
    """Return the least processor time of several runs, in seconds: other work on the machine does not count."""
    shortest = np.inf
    for _ in range(rounds):
        start = time.process_time()
        function()
        shortest = min(shortest, time.process_time() - start)
    return float(shortest)


def weights_rows(panel: Panel, rounds: int) -> list[Row]:
    """Target weights in the kernel alone, and what the whole call takes."""
    equal = {symbol: 1.0 / len(panel.symbols) for symbol in panel.symbols}
    account = account_of(panel, commission=0.0005, slippage=0.0002)
    values, first = target_rows(account, equal)
    curve = np.empty((3, account.n_bars))
    rows = []
    for name, schedule, budget in (("month", "1mo", None), ("bar", 1, WEIGHTS_BUDGET_MS)):
        row_at = decisions(account, first, schedule)
        fills = empty_fills(2 * len(panel.symbols) * (1 + int((row_at >= 0).sum())))
        venue, targets = account.venue(fills, account.market), Targets(values, row_at)
        n_fills = walk_weights(venue, targets, curve)[0]
        kernel = best_of(partial(walk_weights, venue, targets, curve), rounds)
        costs = {"commission": 0.0005, "slippage": 0.0002}
        api = best_of(partial(at.backtest, panel, weights=equal, rebalance=schedule, **costs), 1)
        title = f"{len(panel.symbols)} instruments x {len(panel):,} bars, weights at every {name}, kernel"
        rows.append(Row(title, "ms", 1e3 * kernel, budget, f"{n_fills:,} fills; the whole call {api:.2f} s"))
    return rows


def peer_table(panel: Panel, n: int) -> None:
    """The same weights in bt, on `n` instruments, at the close of the first bar of each month."""
    import bt

    prices = pd.DataFrame(
        {symbol: panel.fields["close"][:, j] for j, symbol in enumerate(panel.symbols[:n])}, panel.index
    )
    some = as_panel({symbol: frame_of(panel, j) for j, symbol in enumerate(panel.symbols[:n])})
    algos = [bt.algos.RunMonthly(), bt.algos.SelectAll(), bt.algos.WeighEqually(), bt.algos.Rebalance()]
    test = bt.Backtest(bt.Strategy("equal", algos), prices, integer_positions=False, progress_bar=False)
    start = time.process_time()
    bt.run(test)
    theirs = time.process_time() - start
    equal = dict.fromkeys(some.symbols, 1.0 / n)
    ours = best_of(lambda: at.backtest(some, weights=equal, rebalance="1mo", fill="same_close"), 3)
    print(f"  bt, {n} instruments, monthly: {theirs:.2f} s; backtest() {ours:.3f} s: {theirs / ours:.0f} times faster")


def frame_of(panel: Panel, j: int) -> pd.DataFrame:
    return pd.DataFrame({name: field[:, j] for name, field in panel.fields.items()}, index=panel.index)


def sweep_row(panel: Panel) -> Row:
    """`optimize` on the panel: signals of 200 sets, and all their accounts."""
    grid = {"fast": list(range(5, 55, 5)), "slow": list(range(60, 260, 10))}
    options = {"max_positions": 10, "rank": "momentum(close, 60)", "commission": 0.0005}
    at.optimize(at.strategies.sma_cross(), panel, {"fast": [5], "slow": [60]}, **options, progress=False)
    start = time.process_time()
    sweep = at.optimize(at.strategies.sma_cross(), panel, grid, **options, workers=1, progress=False)
    taken = time.process_time() - start
    each = 1e9 * taken / (len(sweep.table) * len(panel) * len(panel.symbols))
    title = f"{len(panel.symbols)} instruments x {len(panel):,} bars x {len(sweep.table)} sets, shared cash"
    trades = sweep.table["n_trades"].sum()
    note = f"10 places by rank, {each:.2f} ns per bar, instrument and set; {trades:,} trades"
    return Row(title, "s", taken, SWEEP_BUDGET_S, note)


def main() -> None:
    """Print the table, or with `--json` the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", type=int, default=0, metavar="N", help="instruments to run in bt; 0: none")
    parser.add_argument("--weights-only", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    panel = random_panel(N, T)
    rows = weights_rows(panel, chosen.rounds)
    if not chosen.weights_only:
        rows.append(sweep_row(panel))
    if chosen.json:
        print(json.dumps([row._asdict() for row in rows]))
        return
    for row in rows:
        budget = "" if row.budget is None else f"budget {row.budget:g}"
        print(f"{row.title:62} {row.ours:8.3g} {row.unit:3} {budget:10} {row.note}")
    if chosen.peers:
        peer_table(panel, chosen.peers)


if __name__ == "__main__":
    main()
