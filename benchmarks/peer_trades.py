"""The trades that other libraries make of one strategy on the NASDAQ sample, written as small tables.

`python benchmarks/peer_trades.py vectorbt tests/golden/trades` in the benchmark's own environment (the peers pin other
versions), or `... backtesting ...` where backtesting.py is installed. The golden tests explain these tables against
our own run. Each table has a line in `final.json`: the final equity that the library itself reports.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd

FAST, SLOW, CASH = 20, 50, 100_000.0


def bars() -> pd.DataFrame:
    """Return the sample as the package that brings it has it."""
    import importlib.util

    folder = Path(importlib.util.find_spec("arch").submodule_search_locations[0]) / "data" / "nasdaq"
    table = pd.read_csv(folder / "nasdaq.csv.gz")
    table.index = pd.DatetimeIndex(pd.to_datetime(table["Date"], format="%m/%d/%Y"), name="time")
    return table[["Open", "High", "Low", "Close", "Volume"]]


def vectorbt(folder: Path) -> dict[str, float]:
    """Write vectorbt's trades at the close of the signal, and its orders at the next open with costs."""
    import vectorbt as vbt

    found = bars()
    close = found["Close"]
    fast, slow = close.rolling(FAST).mean(), close.rolling(SLOW).mean()
    entries, exits = fast > slow, fast <= slow
    same = vbt.Portfolio.from_signals(close, entries, exits, init_cash=CASH, freq="1D")
    same.trades.records_readable.to_csv(folder / "vectorbt_trades.csv", index=False)
    later = {"entries": entries.shift(1, fill_value=False), "exits": exits.shift(1, fill_value=False)}
    following = vbt.Portfolio.from_signals(
        close, **later, price=found["Open"], init_cash=CASH, fees=0.001, slippage=0.0005, freq="1D"
    )
    following.orders.records_readable.to_csv(folder / "vectorbt_orders.csv", index=False)
    return {"vectorbt_trades": float(same.final_value()), "vectorbt_orders": float(following.final_value())}


def backtesting(folder: Path) -> dict[str, float]:
    """Write backtesting.py's trades: whole units at the next open, the last trade closed at the end."""
    from backtesting import Backtest, Strategy

    class Cross(Strategy):
        def init(self) -> None:
            close = pd.Series(self.data.Close)
            self.fast = self.I(lambda: close.rolling(FAST).mean())
            self.slow = self.I(lambda: close.rolling(SLOW).mean())

        def next(self) -> None:
            if self.fast[-1] > self.slow[-1] and not self.position:
                self.buy()
            elif self.fast[-1] <= self.slow[-1] and self.position:
                self.position.close()

    stats = Backtest(bars(), Cross, cash=CASH, commission=0.001, finalize_trades=True).run()
    kept = ["Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice", "PnL", "Commission", "EntryTime", "ExitTime"]
    stats["_trades"][kept].to_csv(folder / "backtesting_trades.csv", index=False)
    return {"backtesting_trades": float(stats["Equity Final [$]"])}


def main(library: str, folder: Path) -> None:
    """Write the tables of one library."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "final.json"
    known = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
    known |= {"vectorbt": vectorbt, "backtesting": backtesting}[library](folder)
    place.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
