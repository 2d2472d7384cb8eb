"""What ccxt makes of an exchange's messages to events: pure, no I/O.

ccxt's own form is the same for all exchanges: `timestamp` in milliseconds UTC, `price`, `amount` in coins, `id`; of
quotes `bid`, `ask`, `bidVolume`, `askVolume`, and a time only where the exchange sends one.
"""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlsplit

from algotrendy.data.stream.port import Notice, Quote, Tick

__all__ = ["quote_of", "rehosted", "tick_of"]

_MILLISECOND = 1_000_000


def tick_of(symbol: str, trade: dict[str, Any]) -> Tick | Notice:
    """Return the trade as an event.

    Examples
    --------
    >>> tick_of("BTC/USDT", {"timestamp": 1_709_303_400_123, "price": 61_000.5, "amount": 0.25, "id": "7"})
    Tick(symbol='BTC/USDT', time=1709303400123000000, price=61000.5, size=0.25, id='7', backfilled=False)
    >>> tick_of("BTC/USDT", {"timestamp": 1_709_303_400_123, "price": None, "amount": 0.25})
    Notice(kind='malformed', text="a trade of BTC/USDT without a sound price: {'price': None}")
    """
    for name, least in (("timestamp", 1), ("price", math.ulp(0.0)), ("amount", 0.0)):
        value = trade.get(name)
        if not isinstance(value, int | float) or not least <= value < math.inf:
            return Notice("malformed", f"a trade of {symbol} without a sound {name}: {{{name!r}: {value!r}}}")
    time = int(trade["timestamp"]) * _MILLISECOND
    return Tick(symbol, time, float(trade["price"]), float(trade["amount"]), str(trade.get("id") or ""))


def quote_of(symbol: str, ticker: dict[str, Any], now: int) -> Quote | Notice:
    """Return best bid and ask as an event; `now`, nanoseconds, stands for the time where the exchange sends none.

    Examples
    --------
    >>> quote_of("BTC/USDT", {"bid": 61_000.0, "ask": 61_000.5, "timestamp": None}, now=5).time
    5
    """
    bid, ask = ticker.get("bid"), ticker.get("ask")
    if not all(isinstance(price, int | float) and 0.0 <= price < math.inf for price in (bid, ask)):
        return Notice("malformed", f"a quote of {symbol} without a sound bid or ask: bid {bid!r}, ask {ask!r}")
    stamp = ticker.get("timestamp")
    sizes = (math.nan if size is None else float(size) for size in (ticker.get("bidVolume"), ticker.get("askVolume")))
    time = now if stamp is None else int(stamp) * _MILLISECOND
    return Quote(symbol, time, float(bid or 0.0), float(ask or 0.0), *sizes)


def rehosted(addresses: Any, stream_url: str | None, base_url: str | None) -> Any:
    """Return a tree of addresses with other hosts, each keeping its path: WebSockets at one, the rest at the other.

    Examples
    --------
    >>> rehosted({"ws": {"spot": "wss://a.com:9443/ws"}, "public": "https://b.com/v3"}, "ws://127.0.0.1:1", None)
    {'ws': {'spot': 'ws://127.0.0.1:1/ws'}, 'public': 'https://b.com/v3'}
    """
    if isinstance(addresses, dict):
        return {name: rehosted(value, stream_url, base_url) for name, value in addresses.items()}
    if not isinstance(addresses, str):
        return addresses
    parts = urlsplit(addresses)
    host = stream_url if parts.scheme in ("ws", "wss") else base_url
    return addresses if host is None else host.rstrip("/") + parts.path
