"""Sweep moving averages on real prices, and ask how much of the best of them is luck."""

import algotrendy as at

at.configure(ledger=False)  # an example is no research: it need not be counted

bars = at.sample("NASDAQ").loc["2009":]
grid = {"fast": range(4, 60, 4), "slow": range(20, 200, 10)}
sweep = at.optimize(at.strategies.sma_cross(), bars, grid, where="fast < slow", commission=0.0005)

report = sweep.overfitting()
print(report)
print("More than being in a rising market:", report.p_value_hold <= 0.05)
