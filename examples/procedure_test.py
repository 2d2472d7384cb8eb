"""The chance that luck alone matches the best of a search: the search again, on bars in which nothing is to find."""

import algotrendy as at
from algotrendy.backtest import procedure_test

bars = at.sample("NASDAQ")
grid = {"fast": range(5, 50, 5), "slow": range(20, 200, 10)}
test = procedure_test(at.strategies.sma_cross(), bars, grid, where="fast < slow", paths=199, commission=0.0005)
print(test.summary())
test.plot().write_html("luck.html")
