"""Load bars by symbol: the source is one word, several symbols give a mapping, failures are told by symbol."""

import warnings

import algotrendy as at

index = at.load("NASDAQ", source="sample", start="2010-01-01", end="2019-01-01", asset_class="index")
print(at.backtest(at.strategies.sma_cross(20, 50), index).metrics["sharpe_ratio"])

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a warning says which symbols are missing; so do the failures below
    loaded = at.load(["NASDAQ", "SP500", "DAX"], source="sample", period="max", asset_class="index")
for symbol, bars in loaded.items():
    print(symbol, len(bars), bars["close"].iloc[-1])
for symbol, reason in loaded.failures.items():
    print(symbol, reason)
