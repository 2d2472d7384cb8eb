"""Three strategies that are asked at the end of every bar: a break-even stop, a pyramid, a pair."""

import numpy as np

import algotrendy as at
from algotrendy.strategy import BarStrategy


class BreakEven(BarStrategy):
    """Buy above the average with a stop; once the gain equals the risk, the stop moves to the entry price."""

    window = 100
    risk = 0.05

    def start(self, ctx):
        self.average = ctx.indicator("sma", self.window)

    def on_bar(self, ctx):
        close, position = ctx.bar.close, ctx.position()
        if not position:
            if close > self.average.value and not ctx.orders:
                self.entry = ctx.buy(stop_price=close * (1 - self.risk))
        elif close < self.average.value:
            ctx.close()
        elif close > position.price * (1 + self.risk) and self.entry.stop.stop_price < position.price:
            ctx.replace(self.entry.stop, stop_price=position.price)


class Pyramid(BarStrategy):
    """Buy a new high, add a fifth at each further step up, up to five; one trailing stop for all of it."""

    window = 50
    step = 2.0
    trail = 4.0

    def start(self, ctx):
        self.range = ctx.indicator("atr", 20)
        self.highest = ctx.indicator("highest", self.window)
        self.stop = None

    def on_bar(self, ctx):
        close, width = ctx.bar.close, self.range.value
        if not ctx.position():
            if close >= self.highest.value and not ctx.orders:
                ctx.buy(size=0.2)
                self.parts, self.next_at = 1, close + self.step * width
            return
        if self.parts < 5 and close > self.next_at:
            ctx.buy(size=0.2)
            self.parts, self.next_at = self.parts + 1, close + self.step * width
        level = close - self.trail * width
        if self.stop is None or not self.stop.is_open:
            self.stop = ctx.close(stop_price=level)
        elif level > self.stop.stop_price:
            self.stop = ctx.replace(self.stop, stop_price=level)


class Pair(BarStrategy):
    """Sell what has become dear against the other and buy the other, until the two are near each other again."""

    window = 60
    entry = 2.0
    exit = 0.5

    def on_bar(self, ctx):
        one, other = ctx
        if not (one.has_bar and other.has_bar and one.n_bars > self.window):
            return
        spread = np.log(one.past("close", self.window) / other.past("close", self.window))
        score = (spread[-1] - spread.mean()) / spread.std()
        if one.position():
            if abs(score) < self.exit:
                one.close()
                other.close()
        elif abs(score) > self.entry:
            dear, cheap = (one, other) if score > 0 else (other, one)
            dear.sell(size=0.4)
            cheap.buy(size=0.4)


if __name__ == "__main__":  # a sweep runs in processes, which import this file
    nasdaq, sp500 = at.sample("NASDAQ").loc["2005":], at.sample("SP500").loc["2005":]
    for strategy in (BreakEven(), Pyramid()):
        result = at.backtest(strategy, nasdaq, commission=0.0005)
        print(f"{strategy}: {result.metrics['total_return']:+.0%} in {result.metrics['n_trades']} trades")

    pair = at.backtest(Pair(), {"NASDAQ": nasdaq, "SP500": sp500}, commission=0.0005, borrow=0.01)
    print(f"{Pair()}: {pair.metrics['total_return']:+.0%} in {pair.metrics['n_trades']} trades")
    print(pair.requests[["time", "symbol", "size", "status", "fill_price"]].head(4))

    sweep = at.optimize(BreakEven(), nasdaq, {"window": [50, 100, 200], "risk": [0.03, 0.05]}, commission=0.0005)
    print(sweep.top(3))
