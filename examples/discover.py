"""Search for strategies on the first part of a history, and ask how much of the best of them is luck."""

import algotrendy as at
from algotrendy.backtest.discovery import SearchLimits, discover

bars = at.sample("NASDAQ")
found = discover(
    bars,
    n_candidates=120,
    limits=SearchLimits(max_drawdown=0.4, min_trades=10, directions=("long", "both")),
    commission=0.0005,
    slippage=0.0005,
    seed=1,
)
print(found)
if found.best is not None:
    print(found.best)
    print("More than being in a rising market:", found.p_value_hold <= 0.05)
