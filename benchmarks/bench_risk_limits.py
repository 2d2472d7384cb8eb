"""What a pre-trade check and a reservation take, in process.

Run as `python benchmarks/bench_risk_limits.py`. Times are the least of many short runs, so that other work on a machine
does not count; the tail of the reservations is what it was, other work included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from algotrendy.risk.limits import BookView, Exposure, Limit, LimitSet, ParametricRisk, ProposedOrder, check_order
from algotrendy.risk.reservations import MemoryReservations

N_SYMBOLS, N_RESERVATIONS, N_THREADS = 40, 10_000, 8
CHECK_BUDGET_US, TAIL_BUDGET_MS = 10.0, 1.0
FIFTEEN: dict[str, Any] = {
    "position": 10_000, "concentration": 0.5, "sector": 2, "gross_leverage": 3, "net_leverage": 2, "beta": 2,
    "value_at_risk": 0.1, "expected_shortfall": 0.2, "borrowing": 0, "order_size": 0.1, "turnover": 1,
    "participation": 0.1, "price_collar": 0.05, "daily_loss": 0.05, "drawdown": 0.2,
}  # fmt: skip


class Row(NamedTuple):
    """One line of the table."""

    title: str
    unit: str
    ours: float
    budget: float | None
    note: str


def book_of(n: int) -> BookView:
    """A book of long and short positions, with everything that fifteen limits need."""
    rng = np.random.default_rng(0)
    symbols = [f"S{i:03d}" for i in range(n)]
    rows = [
        Exposure(
            symbol=symbol, quantity=10 * (i - n // 4), price=100 + i, sector=f"sector {i % 8}", beta="1.1",
            volume=1_000_000,
        )
        for i, symbol in enumerate(symbols)
    ]  # fmt: skip
    root = rng.normal(size=(n, n)) * 0.01
    values = {row.symbol: float(row.value) for row in rows}
    now = datetime.now(UTC)
    return BookView(
        equity=1_000_000, cash=800_000, exposures=rows, day_open_equity=1_000_000, peak_equity=1_100_000, as_of=now,
        orders_at=[now - timedelta(seconds=s) for s in range(50, 0, -1)],
        estimates=ParametricRisk(values, root @ root.T / n + np.eye(n) * 1e-4, symbols, equity=1e6),
    )  # fmt: skip


def least(function: Callable[[], object], calls: int, rounds: int) -> float:
    """Return the least time of a call over short runs, in microseconds."""
    shortest = np.inf
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        shortest = min(shortest, time.perf_counter() - start)
    return float(shortest) / calls * 1e6


def check_rows(rounds: int) -> list[Row]:
    """An order within its limits, and one that is too large and gets a suggestion."""
    book, limits = book_of(N_SYMBOLS), LimitSet(Limit(kind=kind, limit=most) for kind, most in FIFTEEN.items())
    small = ProposedOrder(symbol="S020", side="BUY", quantity=100, limit_price="120.5")
    large = small.resized(100_000 * small.quantity)
    assert check_order(small, book, limits).approved
    suggested = check_order(large, book, limits).suggested_quantity
    title = f"pre-trade check, {len(limits)} limits, {N_SYMBOLS} instruments"
    checked = least(lambda: check_order(small, book, limits), 100, rounds)
    denied = least(lambda: check_order(large, book, limits), 5, rounds)
    return [
        Row(f"{title}, approved", "us", checked, CHECK_BUDGET_US, ""),
        Row(f"{title}, denied, with a suggestion", "us", denied, None, f"{suggested} of {large.quantity} units"),
    ]


def tail(times: list[float], title: str) -> Row:
    """Return the row of one way to make many reservations."""
    milliseconds = np.sort(np.array(times)) * 1e3
    note = f"median {np.median(milliseconds):.3f}, largest {milliseconds[-1]:.1f}; {len(times):,} on one portfolio"
    return Row(
        f"reservations by {title}, 99th percentile", "ms", float(np.quantile(milliseconds, 0.99)), TAIL_BUDGET_MS, note
    )


def reserved(store: MemoryReservations, book: BookView, limits: LimitSet, number: int) -> float:
    """Reserve one order and return how long that took."""
    order = ProposedOrder(symbol=f"S{number % N_SYMBOLS:03d}", side="BUY", quantity=1, client_order_id=str(number))
    start = time.perf_counter()
    store.reserve("port", order, book=book, limits=limits)
    return time.perf_counter() - start


def reservation_rows() -> list[Row]:
    """Ten thousand reservations by threads, and by tasks of one event loop."""
    book, limits = book_of(N_SYMBOLS), LimitSet(Limit(kind=kind, limit=most) for kind, most in FIFTEEN.items())
    store, times = MemoryReservations(), [0.0] * N_RESERVATIONS

    def work(first: int) -> None:
        for number in range(first, N_RESERVATIONS, N_THREADS):
            times[number] = reserved(store, book, limits, number)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = [tail(times, f"{N_THREADS} threads")]
    store = MemoryReservations()

    async def one(number: int) -> float:
        await asyncio.sleep(0)
        return reserved(store, book, limits, number)

    async def many() -> list[float]:
        return list(await asyncio.gather(*map(one, range(N_RESERVATIONS))))

    return [*rows, tail(asyncio.run(many()), "asyncio tasks")]


def main() -> None:
    """Print the table, or with `--json` the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows = check_rows(chosen.rounds) + reservation_rows()
    if chosen.json:
        print(json.dumps([row._asdict() for row in rows]))
        return
    for row in rows:
        budget = "" if row.budget is None else f"budget {row.budget:g}"
        print(f"{row.title:70} {row.ours:8.3g} {row.unit:3} {budget:10} {row.note}")


if __name__ == "__main__":
    main()
