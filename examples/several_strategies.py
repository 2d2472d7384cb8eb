"""Share one account between two strategies, and search their parameters and their shares together."""

import algotrendy as at

bars = at.sample("NASDAQ")
both = {"trend": (at.strategies.sma_cross(20, 100), 0.6), "mean": (at.strategies.rsi_reversion(), 0.4)}
result = at.backtest(both, bars, rebalance="1mo", commission=0.0005)
print(result.summary())

shares = [0.2, 0.4, 0.6, 0.8]
sweep = at.optimize(
    both,
    bars,
    {
        "trend.fast": range(5, 50, 5),
        "mean.window": [7, 14, 21],
        "trend.allocation": shares,
        "mean.allocation": shares,
    },
    where="trend.allocation + mean.allocation == 1",
    commission=0.0005,
)
print(sweep)
