"""Alpaca's real-time stream over one WebSocket, and the historical trades that fill its gaps.

The protocol is spoken here rather than by alpaca-py, whose loop connects again by itself, without a word about the
gap, and tries a refused key for ever (ADR 0020). The historical trades come through alpaca-py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from algotrendy.data.series import Span
from algotrendy.data.stream.alpaca.config import AlpacaStreamSettings
from algotrendy.data.stream.alpaca.parse import (
    NAME,
    error_of,
    event_of,
    messages_of,
    trade_of_history,
    wanted_of,
)
from algotrendy.data.stream.port import Event, Notice, StreamCapabilities, Tick, Wanted
from algotrendy.errors import (
    AccessRefused,
    BadAnswer,
    ConfigError,
    MissingExtraError,
    RateLimited,
    VenueError,
    VenueUnavailable,
)

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

__all__ = ["AlpacaStream"]


class AlpacaStream:
    """A `StreamSource` of Alpaca's trades and quotes. Corrections and cancellations of trades are not streamed.

    Parameters
    ----------
    settings : AlpacaStreamSettings, optional
        From `ALGOTRENDY_ALPACA_*` by default.

    Examples
    --------
    >>> from algotrendy.data.stream.alpaca import AlpacaStreamSettings
    >>> AlpacaStream(AlpacaStreamSettings(api_key="k", secret_key="s")).capabilities.backfill
    True
    """

    name = NAME

    def __init__(self, settings: AlpacaStreamSettings | None = None) -> None:
        self._settings = settings or AlpacaStreamSettings()
        realtime = self._settings.asset_class == "crypto" or self._settings.feed != "delayed_sip"
        self.capabilities = StreamCapabilities(realtime=realtime, trades=True, quotes=True, backfill=True)
        self._socket: ClientConnection | None = None
        self._subscribed = Wanted()
        self._early: list[Event | Notice] = []
        self._answer: asyncio.Future[None] | None = None
        self._client: Any = None

    # --- the port ---

    async def open(self, wanted: Wanted) -> None:
        """Connect, log in and subscribe; on an open connection only subscribe to what is new and leave what is not."""
        if self._socket is not None:
            await self._change(wanted, self._answered)
            return
        socket = await self._connect()
        self._subscribed, self._early = Wanted(), []
        ready = False
        try:
            with _translated(), _answering(self._settings.answer_seconds):
                async with asyncio.timeout(self._settings.answer_seconds):
                    await self._log_in(socket)
                    self._socket = socket
                    await self._change(wanted, self._read_answer)
            ready = True
        finally:
            if not ready:
                self._socket = None
                await socket.close()

    async def events(self) -> AsyncGenerator[Sequence[Event | Notice], None]:
        """Yield the events of each frame."""
        if self._early:
            early, self._early = self._early, []
            yield early
        socket = self._socket
        if socket is None:
            raise VenueUnavailable(NAME, "the connection is not open")
        try:
            while True:
                with _translated():
                    frame = await socket.recv()
                lot = self._taken(frame)
                if lot:
                    yield lot
        finally:
            self._socket = None
            self._settle(VenueUnavailable(NAME, "the connection was lost"))
            await socket.close()

    async def backfill(self, symbol: str, span: Span) -> Sequence[Tick]:
        """Return the trades of a past span from the historical endpoint, in the feed of the stream."""
        found = await asyncio.to_thread(self._past_trades, symbol, span)
        try:
            ticks = [trade_of_history(symbol, trade) for trade in found]
        except (KeyError, TypeError, ValueError) as e:
            raise BadAnswer(NAME, f"a past trade of {symbol} cannot be read ({type(e).__name__}: {e})") from e
        return [tick for tick in ticks if tick is not None]

    async def close(self) -> None:
        """Close the connection."""
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()

    # --- the conversation ---

    async def _connect(self) -> ClientConnection:
        try:
            from websockets.asyncio.client import connect
            from websockets.exceptions import InvalidURI
        except ImportError as e:
            raise MissingExtraError("websockets", "brokers") from e
        address = self._settings.stream_address
        try:
            with _translated():
                return await connect(
                    address,
                    additional_headers={"Content-Type": "application/msgpack"},
                    open_timeout=self._settings.answer_seconds,
                    ping_interval=20.0,
                    ping_timeout=20.0,
                    close_timeout=2.0,
                    max_size=1 << 24,
                )
        except InvalidURI as e:
            raise ConfigError(f"{address!r} is not the address of a WebSocket; expected such as wss://host") from e

    async def _log_in(self, socket: ClientConnection) -> None:
        keys = self._settings.api_key, self._settings.secret_key
        if keys[0] is None or keys[1] is None:
            raise ConfigError(
                "alpaca streams need a key: set ALGOTRENDY_ALPACA_API_KEY and ALGOTRENDY_ALPACA_SECRET_KEY"
            )
        self._expect(await socket.recv(), "connected")
        await self._send(socket, action="auth", key=keys[0].get_secret_value(), secret=keys[1].get_secret_value())
        self._expect(await socket.recv(), "authenticated")

    def _expect(self, frame: bytes | str, said: str) -> None:
        """Check that a frame says what comes at this point of the conversation."""
        try:
            messages = messages_of(frame)
        except ValueError as e:
            raise BadAnswer(NAME, f"expected to be {said}, found {e}") from e
        for message in messages:
            if message.get("T") == "error":
                raise error_of(message)
        if not any(message.get("T") == "success" and message.get("msg") == said for message in messages):
            raise BadAnswer(NAME, f"expected to be {said}, found {str(messages)[:80]}")

    async def _change(self, wanted: Wanted, answered: Any) -> None:
        """Leave what is not wanted any more and subscribe to what is new; the venue confirms each with all there is."""
        socket, now = self._socket, self._subscribed
        assert socket is not None
        for action, lists in (
            ("unsubscribe", {"trades": now.trades - wanted.trades, "quotes": now.quotes - wanted.quotes}),
            ("subscribe", {"trades": wanted.trades - now.trades, "quotes": wanted.quotes - now.quotes}),
        ):
            chosen = {kind: sorted(symbols) for kind, symbols in lists.items() if symbols}
            if chosen:
                await answered(socket, {"action": action, **chosen})

    async def _read_answer(self, socket: ClientConnection, request: dict[str, Any]) -> None:
        """Send, and read until the answer comes: nobody else reads yet."""
        self._answer = asyncio.get_running_loop().create_future()
        answer = self._answer
        await self._send(socket, **request)
        while not answer.done():
            self._early += self._taken(await socket.recv())
        answer.result()

    async def _answered(self, socket: ClientConnection, request: dict[str, Any]) -> None:
        """Send, and wait until `events` has come across the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        with _translated(), _answering(self._settings.answer_seconds):
            await self._send(socket, **request)
            async with asyncio.timeout(self._settings.answer_seconds):
                await self._answer

    def _taken(self, frame: bytes | str) -> list[Event | Notice]:
        """Return the events of a frame, and see to what is no event."""
        try:
            messages = messages_of(frame)
        except ValueError as e:
            return [Notice("malformed", str(e))]
        lot: list[Event | Notice] = []
        for message in messages:
            event = event_of(message)
            if event is not None:
                lot.append(event)
            elif message.get("T") == "subscription":
                self._subscribed = wanted_of(message)
                self._settle(None)
            elif message.get("T") == "error":
                lot += self._refused(error_of(message))
        return lot

    def _refused(self, error: VenueError) -> list[Notice]:
        """Tell whoever waits for an answer; without one, what ends the connection ends it, and the rest is noted."""
        if self._settle(error):
            return []
        if isinstance(error, VenueUnavailable):
            raise error
        return [Notice("refused", str(error))]

    def _settle(self, error: VenueError | None) -> bool:
        """Give the answer to whoever waits for it; return whether somebody did."""
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            return False
        if error is None:
            answer.set_result(None)
        else:
            answer.set_exception(error)
        return True

    @staticmethod
    async def _send(socket: ClientConnection, **request: Any) -> None:
        import msgpack

        await socket.send(msgpack.packb(request))

    # --- the past ---

    def _past_trades(self, symbol: str, span: Span) -> list[dict[str, Any]]:
        """Ask for past trades, in a thread: alpaca-py blocks. It turns the pages by itself."""
        import requests
        from alpaca.common.exceptions import APIError
        from alpaca.data.enums import DataFeed
        from alpaca.data.requests import CryptoTradesRequest, StockTradesRequest

        start, end = span.start.floor("us").to_pydatetime(), span.end.ceil("us").to_pydatetime()
        client = self._historical()
        try:
            if self._settings.asset_class == "crypto":
                crypto = CryptoTradesRequest(symbol_or_symbols=symbol, start=start, end=end)
                answer = client.get_crypto_trades(crypto)
            else:
                stock = StockTradesRequest(
                    symbol_or_symbols=symbol, start=start, end=end, feed=DataFeed(self._settings.feed)
                )
                answer = client.get_stock_trades(stock)
        except APIError as e:
            if e.status_code in (401, 403):
                raise AccessRefused(NAME, f"past trades of {symbol} were refused: {e}") from e
            raise BadAnswer(NAME, f"past trades of {symbol}: {e}") from e
        except requests.exceptions.RequestException as e:
            raise VenueUnavailable(NAME, f"past trades of {symbol}: {type(e).__name__}") from e
        return list(answer.get(symbol, ()))

    def _historical(self) -> Any:
        if self._client is None:
            try:
                from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
            except ImportError as e:
                raise MissingExtraError("alpaca-py", "brokers") from e
            settings = self._settings
            kind = CryptoHistoricalDataClient if settings.asset_class == "crypto" else StockHistoricalDataClient
            self._client = kind(
                settings.api_key.get_secret_value() if settings.api_key else None,
                settings.secret_key.get_secret_value() if settings.secret_key else None,
                raw_data=True,
                url_override=settings.base_url,
            )
        return self._client


@contextmanager
def _translated() -> Iterator[None]:
    """Raise what the WebSocket raises as errors of ours."""
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

    try:
        yield
    except ConnectionClosed as e:
        raise VenueUnavailable(NAME, f"the connection was lost ({e})") from e
    except InvalidStatus as e:
        raise _by_status(e.response.status_code, e.response.headers.get("Retry-After")) from e
    except InvalidHandshake as e:
        raise BadAnswer(NAME, f"no WebSocket answers there ({e})") from e
    except OSError as e:
        raise VenueUnavailable(NAME, f"cannot be reached ({e or type(e).__name__})") from e


@contextmanager
def _answering(seconds: float) -> Iterator[None]:
    """Say how long an answer was waited for in vain."""
    try:
        yield
    except TimeoutError as e:
        raise VenueUnavailable(NAME, f"did not answer within {seconds:g} seconds") from e


def _by_status(status: int, retry_after: str | None) -> VenueError:
    if status in (401, 403):
        return AccessRefused(NAME, f"the stream was refused (status {status}); check the keys and the feed")
    if status == 429:
        wait = float(retry_after) if retry_after and retry_after.isdigit() else None
        return RateLimited(NAME, "too many connections (status 429)", wait)
    return VenueUnavailable(NAME, f"the stream answered with status {status}")
