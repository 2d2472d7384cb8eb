"""The ledger and the job queue against sqlite3 by hand, in one process.

Run as `python benchmarks/bench_storage.py [folder]`; the folder says which disk is measured. By hand means one prepared
INSERT or UPDATE in a transaction of its own, with the same journal and the same wait for the disk. Times are the median
and, for what is spent on average, the processor's time: on a machine that others use, the mean of the clock tells how
long it stood still. PostgreSQL is measured where ALGOTRENDY_TEST_POSTGRES, or the usual port, leads to one.
"""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from algotrendy.backtest.trials import TrialRecord
from algotrendy.jobs import JobQueue
from algotrendy.storage import Database, SqlTrialLedger

POSTGRES = os.environ.get("ALGOTRENDY_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
ROUNDS = 1_000


def timed(call: Callable[[int], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """Return the median time of a call on the clock, and its mean time on the processor, in microseconds."""
    call(-1)
    times, used = [], time.process_time()
    for number in range(rounds):
        begin = time.perf_counter()
        call(number)
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e6, (time.process_time() - used) / rounds * 1e6


def by_hand(file: Path, synchronous: str) -> Callable[[int], object]:
    """Return what inserts one row with sqlite3 alone."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("CREATE TABLE rows (data TEXT, definition TEXT, x REAL, PRIMARY KEY (data, definition))")

    def insert(number: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO rows VALUES (?, ?, ?)", ("a" * 64, f"{number:064x}", 0.1))
        connection.execute("COMMIT")

    return insert


def trial(number: int) -> TrialRecord:
    """Return one backtest."""
    return TrialRecord(
        kind="backtest", data_hash="a" * 64, definition_hash=f"{number:064x}", label="sma_cross", n_trials=1,
        effective_trials=1.0, sharpe_mean=0.1, sharpe_variance=0.0, best_sharpe=0.1, at=datetime.now(UTC),
    )  # fmt: skip


def row(title: str, measured: tuple[float, float], plain: tuple[float, float] | None = None) -> None:
    """Print a line of the table."""
    ratio = "" if plain is None else f"{measured[0] / plain[0]:.1f}x"
    sys.stdout.write(f"{title:58} {measured[0]:9.0f} us {measured[1]:9.0f} us {ratio:>8}\n")


def queue_rows(name: str, database: Database) -> None:
    """Print what the queue takes."""
    queue = JobQueue(database)

    def work(_: int) -> None:
        lease = queue.lease(["bench"], worker="bench")
        assert lease is not None
        lease.complete({"sharpe_ratio": 0.8})

    row(f"{name}: enqueue", timed(lambda n: queue.enqueue("bench", {"n": n}), ROUNDS // 2))
    row(f"{name}: lease and complete", timed(work, ROUNDS // 2 - 1))
    row(f"{name}: look for work where there is none", timed(lambda _: queue.lease(["none"], worker="bench")))
    database.close()


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        sys.stdout.write(f"{'':58} {'median':>12} {'processor':>12} {'by hand':>8}\n")
        plain = timed(by_hand(Path(folder, "plain.db"), "NORMAL"))
        row("sqlite3 by hand, not waiting for the disk", plain)
        ledger = SqlTrialLedger(f"sqlite:///{folder}/ledger.db")
        row("ledger: record a run", timed(lambda n: ledger.record(trial(n))), plain)
        row("ledger: total over 1,001 runs", timed(lambda _: ledger.total("a" * 64), 20))
        ledger.close()
        full = timed(by_hand(Path(folder, "full.db"), "FULL"))
        row("sqlite3 by hand, each row waited for on the disk", full)
        queue_rows("queue on SQLite", Database(f"sqlite:///{folder}/jobs.db"))
    parts = urlsplit(POSTGRES)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 5432), timeout=1.0).close()
    except OSError:
        return
    schema = f"bench_{secrets.token_hex(4)}"
    queue_rows("queue on PostgreSQL", Database(POSTGRES, schema=schema))
    database = Database(POSTGRES, schema=schema)
    with database.transaction() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
    database.close()


if __name__ == "__main__":
    main()
