"""Venues on this machine that speak the vendors' protocols, over real sockets.

Alpaca's is written from the vendor's documents and proved with the vendor's own client (`test_alpaca.py`); Binance's
speaks to ccxt as it is. Each keeps a tape of all trades: what nobody heard live can be asked for afterwards.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import msgpack
import pandas as pd
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

SECONDS_MAX = 30.0


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Return a function that runs a test's coroutine on a loop of its own, and not for ever."""

    def runner(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run(asyncio.wait_for(work, SECONDS_MAX))

    return runner


async def until(claim: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something is the case; fail if it never is."""
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.005)


class Venue:
    """A WebSocket server that also answers plain requests; a subclass speaks a vendor's protocol.

    Attributes
    ----------
    connections : list of ServerConnection
        Those that are open.
    connected : int
        How many there have been.
    requests : list of str
        Paths of the plain requests.
    heard : list of dict
        Messages of clients.
    refuse : Response, optional
        What every connection is answered with instead.
    """

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.connected = 0
        self.requests: list[str] = []
        self.heard: list[dict[str, Any]] = []
        self.refuse: tuple[HTTPStatus, dict[str, str]] | None = None
        self.is_mute = False
        self.answer_with: tuple[HTTPStatus, str] | None = None
        self.port = 0
        self._server: Server | None = None

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, process_request=self._plain, ping_interval=None, close_timeout=0.2
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and cut all connections."""
        assert self._server is not None
        self.drop()
        self._server.close()
        await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def drop(self) -> None:
        """Cut all connections without a word."""
        for connection in self.connections:
            connection.transport.abort()

    async def say(self, payload: bytes | str) -> None:
        """Send the same to every connection."""
        for connection in list(self.connections):
            await connection.send(payload)

    def _plain(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            if self.refuse is None:
                return None
            response = connection.respond(self.refuse[0], "")
            response.headers.update(self.refuse[1])
            return response
        self.requests.append(request.path)
        parts = urlsplit(request.path)
        if self.answer_with is not None:
            return connection.respond(*self.answer_with)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        response = connection.respond(HTTPStatus.OK, json.dumps(self.answer(parts.path, query)))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        self.connected += 1
        try:
            await self.talk(connection)
        except ConnectionClosed:
            pass
        finally:
            self.connections.remove(connection)

    def answer(self, path: str, query: dict[str, str]) -> Any:
        """Return the answer to a plain request."""
        raise AssertionError(f"nobody should ask for {path} with {query}")

    async def talk(self, connection: ServerConnection) -> None:
        """Speak with one client until it goes."""
        raise AssertionError("a venue says how it talks")


class AlpacaVenue(Venue):
    """Alpaca's real-time stream and its historical trades.

    Attributes
    ----------
    symbols_max, connections_max : int
        What the plan allows.
    """

    KEY, SECRET = "the-key", "the-secret-that-nobody-may-see"

    def __init__(self) -> None:
        super().__init__()
        self.tape: list[dict[str, Any]] = []
        self.subscribed: dict[ServerConnection, dict[str, set[str]]] = {}
        self.symbols_max, self.connections_max = 30, 1
        self.page = 3

    @property
    def url(self) -> str:
        """The host of the stream."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def rest(self) -> str:
        """The host of the historical trades."""
        return f"http://127.0.0.1:{self.port}"

    def hears(self, symbol: str) -> bool:
        """Return whether somebody is subscribed to a symbol's trades."""
        return any(symbol in lists["trades"] for lists in self.subscribed.values())

    async def trade(self, symbol: str, price: float, size: float = 1, *, at: int | None = None) -> int:
        """Make a trade now: it goes to the tape, and to those who listen. Returns its time."""
        at = time.time_ns() if at is None else at
        made = {"S": symbol, "i": len(self.tape) + 1, "x": "V", "p": price, "s": size, "c": ["@"], "z": "C", "t": at}
        self.tape.append(made)
        if not self.is_mute:
            for connection, lists in list(self.subscribed.items()):
                if symbol in lists["trades"]:
                    stamp = msgpack.Timestamp.from_unix_nano(at)
                    await connection.send(msgpack.packb([{"T": "t", **made, "t": stamp}]))
        return at

    async def quote(self, symbol: str, bid: float, ask: float) -> None:
        """Send a quote to those who listen."""
        stamp = msgpack.Timestamp.from_unix_nano(time.time_ns())
        made = {"T": "q", "S": symbol, "bx": "V", "bp": bid, "bs": 1, "ax": "V", "ap": ask, "as": 2, "c": ["R"]}
        for connection, lists in list(self.subscribed.items()):
            if symbol in lists["quotes"]:
                await connection.send(msgpack.packb([{**made, "z": "C", "t": stamp}]))

    def answer(self, path: str, query: dict[str, str]) -> Any:
        """Return past trades, three on a page."""
        assert path in ("/v2/stocks/trades", "/v1beta3/crypto/us/trades"), path
        symbol = query["symbols"]
        start, end = (pd.Timestamp(query[name]).as_unit("ns").value for name in ("start", "end"))
        found = [row for row in self.tape if row["S"] == symbol and start <= row["t"] <= end]
        first = int(query.get("page_token", 0))
        rows = [
            {name: value for name, value in row.items() if name != "S"}
            | {"t": pd.Timestamp(row["t"], unit="ns", tz="UTC").isoformat().replace("+00:00", "Z")}
            for row in found[first : first + self.page]
        ]
        more = str(first + self.page) if first + self.page < len(found) else None
        return {"trades": {symbol: rows} if rows else {}, "next_page_token": more}

    async def talk(self, connection: ServerConnection) -> None:
        """Greet, check the key, then keep the lists of subscriptions."""

        async def say(**message: Any) -> None:
            await connection.send(msgpack.packb([message]))

        await say(T="success", msg="connected")
        if len(self.connections) > self.connections_max:
            await say(T="error", code=406, msg="connection limit exceeded")
            return
        request = msgpack.unpackb(await connection.recv())
        if (request["action"], request["key"], request["secret"]) != ("auth", self.KEY, self.SECRET):
            await say(T="error", code=402, msg="auth failed")
            return
        await say(T="success", msg="authenticated")
        lists: dict[str, set[str]] = {"trades": set(), "quotes": set()}
        self.subscribed[connection] = lists
        try:
            async for frame in connection:
                request = msgpack.unpackb(frame)
                self.heard.append(request)
                for kind, now in lists.items():
                    symbols = set(request.get(kind, ()))
                    wanted = now | symbols if request["action"] == "subscribe" else now - symbols
                    if len(wanted) > self.symbols_max:
                        await say(T="error", code=405, msg="symbol limit exceeded")
                        break
                    lists[kind] = wanted
                else:
                    await say(T="subscription", **{kind: sorted(symbols) for kind, symbols in lists.items()}, bars=[])
        finally:
            del self.subscribed[connection]


class BinanceVenue(Venue):
    """Binance's market streams, its list of markets and its aggregated trades."""

    MARKETS = ("BTC", "ETH", "SOL")

    def __init__(self) -> None:
        super().__init__()
        self.tape: list[dict[str, Any]] = []
        self.subscribed: dict[ServerConnection, set[str]] = {}

    @property
    def url(self) -> str:
        """The host of the streams."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def rest(self) -> str:
        """The host of the other requests."""
        return f"http://127.0.0.1:{self.port}"

    async def trade(self, market: str, price: str, quantity: str = "0.5", *, at_ms: int | None = None) -> int:
        """Make a trade now, such as of `BTCUSDT`. Returns its time in milliseconds."""
        at = time.time_ns() // 1_000_000 if at_ms is None else at_ms
        number = len(self.tape) + 1
        made = {"a": number, "p": price, "q": quantity, "f": number, "l": number, "T": at, "m": False, "M": True}
        self.tape.append({"s": market, **made})
        if not self.is_mute:
            event = json.dumps({"e": "aggTrade", "E": at, "s": market, **made})
            for connection, streams in list(self.subscribed.items()):
                if f"{market.lower()}@aggTrade" in streams:
                    await connection.send(event)
        return at

    async def quote(self, market: str, bid: str, ask: str) -> None:
        """Send the best bid and ask to those who listen."""
        event = json.dumps({"u": 1, "s": market, "b": bid, "B": "1.5", "a": ask, "A": "2.5"})
        for connection, streams in list(self.subscribed.items()):
            if f"{market.lower()}@bookTicker" in streams:
                await connection.send(event)

    def answer(self, path: str, query: dict[str, str]) -> Any:
        """Return the list of markets, or aggregated trades."""
        if path == "/api/v3/exchangeInfo":
            return {"timezone": "UTC", "serverTime": 0, "symbols": [self._market(base) for base in self.MARKETS]}
        assert path == "/api/v3/aggTrades", path
        start, end = int(query["startTime"]), int(query["endTime"])
        found = [row for row in self.tape if row["s"] == query["symbol"] and start <= row["T"] <= end]
        return [{name: row[name] for name in row if name != "s"} for row in found[: int(query["limit"])]]

    async def talk(self, connection: ServerConnection) -> None:
        """Keep the set of streams that the client asked for."""
        streams = self.subscribed[connection] = set()
        try:
            async for frame in connection:
                request = json.loads(frame)
                self.heard.append(request)
                streams |= set(request["params"]) if request["method"] == "SUBSCRIBE" else set()
                streams -= set(request["params"]) if request["method"] == "UNSUBSCRIBE" else set()
                await connection.send(json.dumps({"result": None, "id": request["id"]}))
        finally:
            del self.subscribed[connection]

    @staticmethod
    def _market(base: str) -> dict[str, Any]:
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        ]
        return {
            "symbol": f"{base}USDT",
            "status": "TRADING",
            "baseAsset": base,
            "baseAssetPrecision": 8,
            "quoteAsset": "USDT",
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"],
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": filters,
            "permissions": ["SPOT"],
            "permissionSets": [["SPOT"]],
        }


@pytest.fixture
def alpaca() -> AlpacaVenue:
    """Return Alpaca on this machine; `async with` starts it."""
    return AlpacaVenue()


@pytest.fixture
def binance() -> BinanceVenue:
    """Return Binance on this machine; `async with` starts it."""
    return BinanceVenue()


@pytest.fixture(name="until")
def _until() -> Callable[..., Coroutine[Any, Any, None]]:
    """Return `until(claim)`, which waits for something to be the case."""
    return until
