"""Long and short, with a borrow fee: what each side earned."""

import algotrendy as at

bars = at.sample("NASDAQ")
strategy = at.Strategy(
    entry="macd(close, 12, 26, 9) > macd_signal(close, 12, 26, 9)",
    short_entry="macd(close, 12, 26, 9) < macd_signal(close, 12, 26, 9)",
    stop=0.08,
)
result = at.backtest(strategy, bars, commission=0.0005, slippage=0.0002, borrow=0.005)
print(result.summary())

for side, trades in result.trades.groupby("side"):
    print(f"{side}: {len(trades)} trades, profit {trades['pnl'].sum():,.0f}")
