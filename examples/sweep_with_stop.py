"""Sweep a stop, a trailing stop and a size together with the windows, then look at the best run in full."""

import algotrendy as at

bars = at.sample("NASDAQ")
strategy = at.Strategy(
    entry="crosses_above(ema(close, fast), ema(close, slow))",
    exit="crosses_below(ema(close, fast), ema(close, slow))",
    stop="stop",
    trail="trail",
    size="size",
    params={"fast": 10, "slow": 50, "stop": 0.05, "trail": 0.10, "size": 1.0},
)
sweep = at.optimize(
    strategy,
    bars,
    {"fast": [5, 10, 20], "slow": [50, 100], "stop": [0.03, 0.05, 0.10], "trail": [0.10, 0.20], "size": [0.5, 1.0]},
    metric="calmar_ratio",
    commission=0.0005,
)
print(sweep.top(5))
print(sweep.best.summary())
