"""Keep a strategy, put its backtest into the queue, let a worker do it, and read what came of it."""

import tempfile
from pathlib import Path

from algotrendy.compute import wait_for
from algotrendy.config import Settings
from algotrendy.services import Platform

with tempfile.TemporaryDirectory() as folder:  # keep it where you like: by default beside the caches
    platform = Platform.local(settings=Settings(source="sample", ledger=False), home=Path(folder))
    platform.start_workers(threads=1)
    made = wait_for(
        platform.strategies.create_strategy(
            {
                "name": "Above its average",
                "asset_class": "index",
                "symbol": "NASDAQ",
                "definition": {
                    "entry": "close > sma(close, n)",
                    "exit": "close < sma(close, n)",
                    "params": {"n": 100},
                },
            }
        )
    )
    asked = {"strategy_id": made.strategy_id, "start_date": "2005-01-01", "wait": 60}
    first = wait_for(platform.backtesting.start_backtest(asked))
    again = wait_for(platform.backtesting.start_backtest(asked))
    results = wait_for(platform.backtesting.get_results(first.backtest_id))
    print(first.status, "cached:", first.cached, "then:", again.cached)
    print("Sharpe ratio", round(results.metrics["sharpe_ratio"], 2), "trades", results.metrics["n_trades"])
    wait_for(platform.close())
