"""Live data: one connection, many subscribers, gaps filled, every loss counted; bars and charts built as ticks come.

`StreamHub` is what one subscribes to; a source such as `ReplaySource`, `AlpacaStream` or `ExchangeStream` is what it
gets its events from; `live_bars` and `live_chart` make bars of them. Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.data.stream.alpaca.stream import AlpacaStream
    from algotrendy.data.stream.backoff import Backoff
    from algotrendy.data.stream.chart_rows import LiveChart, live_chart
    from algotrendy.data.stream.clock import Clock, SystemClock, VirtualClock
    from algotrendy.data.stream.exchange.stream import ExchangeStream
    from algotrendy.data.stream.hub import StreamHub
    from algotrendy.data.stream.port import (
        Notice,
        Quote,
        StreamCapabilities,
        StreamSource,
        Tick,
        Wanted,
    )
    from algotrendy.data.stream.replay import ReplaySource
    from algotrendy.data.stream.sample import sample_trades
    from algotrendy.data.stream.statistics import Freshness, StateChange, StreamState, StreamStatistics
    from algotrendy.data.stream.time_bars import LiveBar, LiveBars, live_bars

_HOMES = {
    "AlpacaStream": ".alpaca.stream",
    "Backoff": ".backoff",
    "Clock": ".clock",
    "ExchangeStream": ".exchange.stream",
    "Freshness": ".statistics",
    "LiveBar": ".time_bars",
    "LiveBars": ".time_bars",
    "LiveChart": ".chart_rows",
    "Notice": ".port",
    "Quote": ".port",
    "ReplaySource": ".replay",
    "StateChange": ".statistics",
    "StreamCapabilities": ".port",
    "StreamHub": ".hub",
    "StreamSource": ".port",
    "StreamState": ".statistics",
    "StreamStatistics": ".statistics",
    "SystemClock": ".clock",
    "Tick": ".port",
    "VirtualClock": ".clock",
    "Wanted": ".port",
    "live_bars": ".time_bars",
    "live_chart": ".chart_rows",
    "sample_trades": ".sample",
}

__all__ = [
    "AlpacaStream",
    "Backoff",
    "Clock",
    "ExchangeStream",
    "Freshness",
    "LiveBar",
    "LiveBars",
    "LiveChart",
    "Notice",
    "Quote",
    "ReplaySource",
    "StateChange",
    "StreamCapabilities",
    "StreamHub",
    "StreamSource",
    "StreamState",
    "StreamStatistics",
    "SystemClock",
    "Tick",
    "VirtualClock",
    "Wanted",
    "live_bars",
    "live_chart",
    "sample_trades",
]

__getattr__ = lazy_names(__name__, _HOMES)
