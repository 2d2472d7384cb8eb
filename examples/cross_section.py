"""Rank a universe, compare within industries, look at an index, and run two strategies in one account."""

import numpy as np

import algotrendy as at

INDUSTRIES = ["banks", "oil", "chips"]
bars = {}
for k in range(12):  # further columns of the bars: a number per bar, and a text
    rng = np.random.default_rng(k)
    own = at.synthetic(n=1000, seed=k)
    bars[f"S{k:02}"] = own.assign(pe=15.0 + rng.normal(0.0, 3.0), sector=INDUSTRIES[k % 3])
index = at.synthetic(n=1000, seed=99).assign(pe=np.nan, sector=None)
members = dict.fromkeys(bars, (None, None))  # the index is looked at, and never bought

# The three with the best year, while the index is above its average.
momentum = at.Strategy(
    entry='top(momentum(close, window), count) and symbol("INDEX").close > sma(symbol("INDEX").close, 200)',
    exit="rank(momentum(close, window), pct=true) < 0.5",
    window=120,
    count=3,
)
# Those that are cheap for their industry.
value = at.Strategy(
    entry="demean(pe, by=sector) < -1 and close > sma(close, 50)",
    exit="close < sma(close, 50)",
    columns=["pe", "sector"],
)
universe = {**bars, "INDEX": index}
alone = at.backtest(momentum, universe, members=members, max_positions=3, commission=0.0005)
print(alone.orders.groupby("symbol").size())

sweep = at.optimize(momentum, universe, {"window": [60, 120, 250], "count": [2, 3]}, members=members, max_positions=3)
print(sweep.table[["window", "count", "total_return", "n_orders"]])

both = at.backtest(
    {"momentum": (momentum, 0.6), "value": (value, 0.4)},
    universe,
    members=members,
    max_positions={"momentum": 3, "value": 4},
    rank={"value": "-pe"},
    rebalance="1mo",
    commission=0.0005,
)
print(both.summary())
print(both.sleeve_equity.tail(3))  # what each strategy is worth: the sum is the account
print(both.sleeves["value"].metrics["sharpe_ratio"])
