"""Decide on renko bricks, fill on the daily bars: no order is ever filled at the price of a brick."""

import algotrendy as at
from algotrendy import charts

bars = at.sample("NASDAQ")
bricks = charts.renko(bars, size="1%", partial=True)
print(bricks.tail(3)[["open", "close", "closed_at", "is_partial"]])
charts.plot(bricks.tail(200), title="NASDAQ, bricks of 1 % of the first close").write_html("renko.html")

# Conditions are read on the bricks; the next open of the bars fills.
rising = "close > prev(close, 1) and prev(close, 1) > prev(close, 2)"
strategy = at.Strategy(entry=rising, exit="close < prev(close, 1)")
result = at.backtest(strategy, bars, chart=charts.Chart("renko", size="1%"), commission=0.0005)
print(f"{result.metrics['n_trades']} trades, Sharpe ratio {result.metrics['sharpe_ratio']:.2f}")

# The same chart, one bar at a time, as it would grow in real time.
stream = charts.stream("renko", size="1%", interval="1d")
drawn = [brick for bar in bars.itertuples() for brick in stream.update(bar)]
print(f"{len(drawn)} bricks streamed, the batch has {(~bricks['is_partial']).sum()}")
