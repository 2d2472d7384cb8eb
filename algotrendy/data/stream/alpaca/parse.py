"""Alpaca's messages to events: pure, no I/O. Source: the vendor's documents on the real-time stream, version 2.

A frame is a list of messages. `T` says which: `t` trade, `q` quote, `success`, `error`, `subscription`; corrections,
cancellations and what is not known are left out. Times come as msgpack timestamps or ISO texts, both to the nanosecond.
"""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd

from algotrendy.data.stream.port import Notice, Quote, Tick, Wanted
from algotrendy.errors import AccessRefused, VenueError, VenueUnavailable

__all__ = ["NAME", "error_of", "event_of", "messages_of", "trade_of_history", "wanted_of"]

NAME = "alpaca"

_REFUSALS = {401, 402, 405, 408, 409}
"""Not authenticated, wrong key, more symbols than the plan allows, not enabled, insufficient subscription."""


def messages_of(frame: bytes | str) -> list[dict[str, Any]]:
    """Return the messages of a frame: msgpack if it is bytes, JSON if it is text.

    Raises
    ------
    ValueError
        If it is neither, or no list of mappings.

    Examples
    --------
    >>> messages_of('[{"T": "success", "msg": "connected"}]')
    [{'T': 'success', 'msg': 'connected'}]
    """
    import msgpack

    try:
        found = msgpack.unpackb(frame) if isinstance(frame, bytes) else json.loads(frame)
    except (ValueError, msgpack.exceptions.UnpackException) as e:
        raise ValueError(f"{len(frame)} bytes that are neither msgpack nor JSON") from e
    if not isinstance(found, list) or not all(isinstance(message, dict) for message in found):
        raise ValueError(f"a {type(found).__name__} where a list of messages was expected")
    return found


def event_of(message: dict[str, Any]) -> Tick | Quote | Notice | None:
    """Return the event of a message; None if it is of a kind that is no event.

    Examples
    --------
    >>> trade = {"T": "t", "S": "AAPL", "x": "D", "i": 1, "p": 126.55, "s": 1, "t": "2021-02-22T15:51:44.208123456Z"}
    >>> event_of(trade)
    Tick(symbol='AAPL', time=1614009104208123456, price=126.55, size=1.0, id='D:1', backfilled=False)
    >>> event_of({"T": "t", "S": "AAPL", "p": "much"}).kind
    'malformed'
    """
    kind = message.get("T")
    try:
        if kind == "t":
            return _tick(message["S"], message)
        if kind == "q":
            return _quote(message)
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        return Notice("malformed", f"a message of kind {kind!r} ({type(e).__name__}: {e})")
    return None


def trade_of_history(symbol: str, trade: dict[str, Any]) -> Tick | None:
    """Return a trade as the historical endpoint writes it: like a live one, without the symbol.

    None if it is marked as canceled or incorrect: the endpoint keeps such trades.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it cannot be read.
    """
    return None if trade.get("u") in ("canceled", "incorrect") else _tick(symbol, trade)


def wanted_of(message: dict[str, Any]) -> Wanted:
    """Return what a `subscription` message says is subscribed to now.

    Examples
    --------
    >>> wanted_of({"T": "subscription", "trades": ["AAPL"], "quotes": []})
    Wanted(trades=frozenset({'AAPL'}), quotes=frozenset())
    """
    return Wanted(frozenset(message.get("trades") or ()), frozenset(message.get("quotes") or ()))


def error_of(message: dict[str, Any]) -> VenueError:
    """Return the error that an `error` message means.

    Examples
    --------
    >>> error_of({"T": "error", "code": 402, "msg": "auth failed"})
    AccessRefused('alpaca: auth failed (code 402); check the keys, the plan and the feed')
    """
    code, said = message.get("code"), message.get("msg", "no reason given")
    if code in _REFUSALS:
        return AccessRefused(NAME, f"{said} (code {code}); check the keys, the plan and the feed")
    return VenueUnavailable(NAME, f"{said} (code {code})")


def _tick(symbol: Any, message: dict[str, Any]) -> Tick:
    price, size = float(message["p"]), float(message["s"])
    if not (0.0 < price < math.inf and 0.0 <= size < math.inf):
        raise ValueError(f"price {price:g}, size {size:g}")
    # The number is the exchange's own: two exchanges give the same one to different trades of a symbol.
    number = f"{message.get('x', '')}:{message['i']}" if "i" in message else ""
    return Tick(_text(symbol), _nanoseconds(message["t"]), price, size, number)


def _quote(message: dict[str, Any]) -> Quote:
    bid, ask, bid_size, ask_size = (float(message[name]) for name in ("bp", "ap", "bs", "as"))
    if not all(0.0 <= value < math.inf for value in (bid, ask, bid_size, ask_size)):
        raise ValueError(f"bid {bid:g}, ask {ask:g}")
    return Quote(_text(message["S"]), _nanoseconds(message["t"]), bid, ask, bid_size, ask_size)


def _text(symbol: Any) -> str:
    if not isinstance(symbol, str) or not symbol:
        raise ValueError(f"symbol {symbol!r}")
    return symbol


def _nanoseconds(stamp: Any) -> int:
    if isinstance(stamp, str):
        return int(pd.Timestamp(stamp).as_unit("ns").value)
    return int(stamp.to_unix_nano())
