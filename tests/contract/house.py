"""Both research services on one database, for their tests: bars that are made, a worker that runs when it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

import algotrendy as at
from algotrendy.backtest.trials import MemoryTrialLedger
from algotrendy.config import Settings
from algotrendy.errors import DataError
from algotrendy.jobs import JobQueue, Worker
from algotrendy.services import BacktestingService, StrategyDeployer, StrategyEngineService, VectorizedBacktester
from algotrendy.storage import DeploymentStore, ResultStore, StrategyStore
from tests.contract.databases import Place, opened

SEEDS = {"MADE": 5, "OTHER": 6, "THIRD": 7}


def made(symbol: str) -> pd.DataFrame:
    """Return the bars of a symbol."""
    return at.synthetic(n=420, seed=SEEDS[symbol])


class Bars:
    """A source of bars that counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def bars(self, market: Mapping[str, Any]) -> pd.DataFrame:
        self.asked.append(dict(market))
        if market["symbol"] not in SEEDS:
            raise DataError(f"there is no {market['symbol']}")
        bars = made(market["symbol"])
        return bars.loc[market["start_date"] :] if market.get("start_date") else bars


class Counting(VectorizedBacktester):
    """A backtester that counts its runs, and breaks if it is told to."""

    runs = 0
    breaks = False

    def run(self, *args: Any, **options: Any) -> Any:
        Counting.runs += 1
        if self.breaks:
            raise RuntimeError("it broke")
        return super().run(*args, **options)


class House:
    """Both services on one database, without a market data service, and a worker that runs when it is asked to."""

    def __init__(self, place: Place, folder: Path, **options: Any) -> None:
        self.opened = opened(place)
        self.database = self.opened.__enter__()
        self.strategies, self.results = StrategyStore(self.database), ResultStore(self.database)
        self.queue, self.bars, self.ledger = JobQueue(self.database), Bars(), MemoryTrialLedger()
        self.backtester = Counting()
        Counting.runs = 0
        deployments = DeploymentStore(self.database)
        self.backtesting = BacktestingService(
            self.backtester, bars=self.bars, strategies=self.strategies, results=self.results, queue=self.queue,
            ledger=self.ledger, checkpoints=folder / "checkpoints", workers=1, **options,
        )  # fmt: skip
        self.engine = StrategyEngineService(
            deployer=StrategyDeployer(deployments, Settings()), backtesting=self.backtesting,
            strategies=self.strategies, deployments=deployments, results=self.results, settings=Settings(),
            registered=options.get("registered", {}),
        )  # fmt: skip

    def work(self) -> None:
        """Do the jobs that are due."""
        Worker(self.queue, self.backtesting.handlers).run(until_idle=True)

    def close(self) -> None:
        """Let go of the database."""
        self.opened.__exit__(None, None, None)
