"""A process that carries rebalancing out until it is killed, with an account elsewhere that it may have sent orders to.

`python -m tests.contract.rebalance_worker URL SCHEMA FILE MILLISECONDS`
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from algotrendy.domain.fill import Fill
from algotrendy.jobs import JobQueue, Worker
from algotrendy.portfolio.rebalance import OrderOutcome, OrderState, PlannedOrder
from algotrendy.services import (
    GivenPrices,
    PerformanceAnalyzer,
    PortfolioManager,
    PortfolioRebalancer,
    PortfolioService,
    ReportGenerator,
)
from algotrendy.storage import Database, PerformanceStore, RebalanceStore, ReportStore

LEASE_SECONDS = 1.5


class Account:
    """A broker's account in a file: an order that is in it was executed, whoever hears of it. Twice is twice."""

    def __init__(self, file: Path, milliseconds: int = 0) -> None:
        self.file, self.milliseconds = file, milliseconds

    def place(self, order: PlannedOrder) -> OrderOutcome:
        """Execute an order, tell those who watch, and take a while to answer."""
        line = [order.client_order_id, order.instrument, str(order.side), str(order.quantity), str(order.price)]
        with self.file.open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        sys.stdout.write(f"{order.client_order_id}\n")
        sys.stdout.flush()
        time.sleep(self.milliseconds / 1_000)
        return self._outcome(line)

    def find(self, client_order_id: str) -> OrderOutcome | None:
        """Look an order up."""
        return next((self._outcome(line) for line in self.lines() if line[0] == client_order_id), None)

    def lines(self) -> list[Any]:
        """Return all that was executed."""
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []

    def _outcome(self, line: Any) -> OrderOutcome:
        name, symbol, side, quantity, price = line
        fill = Fill(
            execution_id=f"{name}:x", instrument=symbol, side=side, quantity=quantity, price=price,
            filled_at=datetime(2026, 1, 5, tzinfo=UTC), client_order_id=name,
        )  # fmt: skip
        return OrderOutcome(state=OrderState.FILLED, fills=(fill,))


def service(
    database: Database,
    executor: Any = None,
    closes: Any = None,
    delivery: Any = None,
    bus: Any = None,
    limits: Any = None,
) -> PortfolioService:
    """Return the service on a database, with prices that are given."""
    manager = PortfolioManager(database)
    analyzer = PerformanceAnalyzer(manager.accounts, PerformanceStore(database))
    return PortfolioService(
        portfolio_manager=manager,
        rebalancer=PortfolioRebalancer(manager.accounts, RebalanceStore(database), executor, bus=bus, limits=limits),
        performance_analyzer=analyzer,
        report_generator=ReportGenerator(analyzer, ReportStore(database), delivery),
        prices=GivenPrices(pd.DataFrame(index=pd.DatetimeIndex([], tz="UTC")) if closes is None else closes),
        queue=JobQueue(database),
    )


def main() -> None:
    """Work until nothing is due."""
    url, schema, file, milliseconds = sys.argv[1:]
    database = Database(url, schema=schema or None)
    made = service(database, Account(Path(file), int(milliseconds)))
    queue = JobQueue(database)
    Worker(queue, made.handlers, lease_seconds=LEASE_SECONDS, poll_seconds=0.05).run(until_idle=True)


if __name__ == "__main__":
    main()
