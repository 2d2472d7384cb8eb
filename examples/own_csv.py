"""Bars from a CSV file of your own, a strategy that also sells short, and the result kept in a file."""

from pathlib import Path

import algotrendy as at

# Stands for your file: any CSV with a column of times and open, high, low, close; the names are recognised.
Path("prices.csv").write_text(at.synthetic(n=750, seed=3).to_csv(), encoding="utf-8")

bars = at.read_csv("prices.csv")
strategy = at.Strategy(
    entry="close > highest(prev(high, 1), n)",
    exit="close < lowest(prev(low, 1), 10)",
    short_entry="close < lowest(prev(low, 1), n)",
    short_exit="close > highest(prev(high, 1), 10)",
    n=40,
)
result = at.backtest(strategy, bars, cash=50_000, commission=0.0005, slippage=0.0002, borrow=0.01)
print(result.summary())
print(result.trades.head())

result.save("result.json")
again = at.BacktestResult.load("result.json")
assert again.metrics["final_equity"] == result.metrics["final_equity"]
