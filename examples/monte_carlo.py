"""What could have become of a strategy: trades in another order, returns in blocks, parameters beside its own."""

import algotrendy as at

bars = at.sample("NASDAQ")
result = at.backtest(at.strategies.sma_cross(20, 50), bars, commission=0.0005)

shuffled = result.monte_carlo(method="trade_shuffle", paths=5_000)
print(shuffled.summary())

next_year = result.monte_carlo(method="stationary", paths=5_000, horizon=252, ruin=0.25)
print(next_year.ruin_probability)
next_year.plot().write_html("fan.html")

beside = result.monte_carlo(method="parameter_jitter", paths=500, spread=0.2, where="fast < slow")
print(beside.table)
