"""Ticks of two symbols, an hour in two seconds: bars of five minutes and renko bricks as they come, and the counts."""

from algotrendy.compute import wait_for
from algotrendy.data.stream import ReplaySource, StreamHub, live_bars, live_chart, sample_trades

trades = {symbol: sample_trades(7_200, seed=seed, per_second=2.0) for seed, symbol in enumerate(["DEMO", "TEST"])}
source = ReplaySource(trades, speed=1_800.0)  # or AlpacaStream(), ExchangeStream(): the rest stays as it is

bars = live_bars("5m")
bricks = live_chart("renko", size=0.1)
count = {"bricks": 0}


def on_ticks(ticks):
    for bar in bars.update(ticks):
        print(f"{bar.symbol} {bar.open:7.2f} {bar.high:7.2f} {bar.low:7.2f} {bar.close:7.2f} {bar.volume:10,.0f}")
    count["bricks"] += len(bricks.update(ticks))


hub = StreamHub(source, overflow="wait")  # a recording can wait, so nothing is lost; a live source drops the oldest
name = wait_for(hub.subscribe(["DEMO", "TEST"], on_ticks, deliver="batch"))
wait_for(hub.join())
found = hub.statistics(name)
wait_for(hub.close())
print(f"{count['bricks']} bricks; {found.delivered} ticks delivered, {found.dropped} dropped, {found.errors} errors")
