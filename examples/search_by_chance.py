"""Draw combinations by chance instead of trying all, ask for two metrics at once, and set limits."""

import algotrendy as at

bars = at.sample("NASDAQ")
sweep = at.optimize(
    at.strategies.sma_cross(),
    bars,
    {"fast": (2, 60), "slow": (20, 250), "stop": (0.02, 0.3, "log")},
    method="random",
    n_trials=2_000,
    seed=1,
    where="fast < slow",
    metric=["sharpe_ratio", "max_drawdown"],
    constraints="n_trades >= 30 and max_drawdown < 0.4",
    commission=0.0005,
)
print(sweep)
print(sweep.pareto())
