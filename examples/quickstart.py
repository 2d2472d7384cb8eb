"""Ten lines: from bars to a report and a sweep."""

import algotrendy as at

bars = at.sample("NASDAQ")
strategy = at.Strategy(
    entry="sma(close, fast) > sma(close, slow)", exit="sma(close, fast) <= sma(close, slow)", fast=20, slow=50
)
result = at.backtest(strategy, bars, cash=100_000, commission=0.0005, fill="next_open")
print(result.summary())
result.report("first.html")
sweep = at.optimize(
    strategy,
    bars,
    {"fast": range(5, 51), "slow": range(20, 201)},
    metric="sharpe_ratio",
    where="fast < slow",
    cash=100_000,
    commission=0.0005,
)
print(sweep.top(10))
