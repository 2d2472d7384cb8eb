"""Sweep a stop, a trailing stop in average true ranges and a size with the windows, then look at the best run."""

import algotrendy as at

bars = at.sample("NASDAQ")
strategy = at.Strategy(
    entry="crosses_above(ema(close, fast), ema(close, slow))",
    exit="crosses_below(ema(close, fast), ema(close, slow))",
    stop=0.05,
    trail="atrs * atr(20) / close",
    fast=10,
    slow=50,
    atrs=3,
)
sweep = at.optimize(
    strategy,
    bars,
    {"fast": [5, 10, 20], "slow": [50, 100], "stop": [0.03, 0.05, 0.10], "atrs": [2, 4, 8], "size": [0.5, 1.0]},
    metric="calmar_ratio",
    commission=0.0005,
)
print(sweep.top(5))
print(sweep.best.summary())
