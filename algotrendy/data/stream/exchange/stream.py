"""Crypto exchanges through ccxt.pro: one watcher per symbol over the connections that ccxt shares among them.

Three things that ccxt does not do are seen to here: a message that is no JSON would end its reading for good, so it is
caught and counted; a list of trades holds what came since the last look, so its limit is raised; and Binance's live
trades are asked for in the aggregated form whose ids its history has too.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import importlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from algotrendy.data.series import Span
from algotrendy.data.stream.exchange.config import ExchangeStreamSettings
from algotrendy.data.stream.exchange.parse import quote_of, rehosted, tick_of
from algotrendy.data.stream.port import Event, Notice, StreamCapabilities, Tick, Wanted
from algotrendy.errors import (
    AccessRefused,
    AlgotrendyError,
    BadAnswer,
    InputError,
    MissingExtraError,
    RateLimited,
    VenueUnavailable,
)

__all__ = ["ExchangeStream"]

_TRADES_KEPT = 10_000
_PAGE = 1_000
_PAGES_MAX = 100
_HOUR_MS = 3_600_000
_CONNECTIONS = 5


class ExchangeStream:
    """A `StreamSource` of the trades and quotes of one crypto exchange. Symbols are ccxt's, such as `BTC/USDT`.

    Parameters
    ----------
    settings : ExchangeStreamSettings, optional
        Binance by default.

    Raises
    ------
    InputError
        If ccxt.pro does not know the exchange.
    MissingExtraError
        If ccxt is not installed.

    Examples
    --------
    >>> from algotrendy.data.stream.exchange import ExchangeStreamSettings
    >>> stream = ExchangeStream(ExchangeStreamSettings(exchange="binance"))
    >>> stream.name, stream.capabilities.trades
    ('binance', True)
    """

    def __init__(self, settings: ExchangeStreamSettings | None = None) -> None:
        self._settings = settings or ExchangeStreamSettings()
        self.name = self._settings.exchange
        self._exchange = _made(self._settings)
        has = self._exchange.has
        self.capabilities = StreamCapabilities(
            realtime=True,
            trades=bool(has.get("watchTrades")),
            quotes=bool(has.get("watchBidsAsks")),
            backfill=bool(has.get("fetchTrades")),
            settle_seconds=1.0,  # a subscription is sent when the connection is up, and not confirmed to us
        )
        self._watchers: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._lot: list[Event | Notice] = []
        self._failure: AlgotrendyError | None = None
        self._came = asyncio.Event()
        self._guard()

    # --- the port ---

    async def open(self, wanted: Wanted) -> None:
        """Watch these symbols; the first call loads the exchange's list of them."""
        with self._translated():
            if not self._exchange.markets:
                await self._exchange.load_markets()
        self._check(wanted.symbols)
        self._failure = None
        keys = {("trades", symbol) for symbol in wanted.trades} | {("quotes", symbol) for symbol in wanted.quotes}
        for key in self._watchers.keys() - keys:
            await self._leave(key)
        for key in sorted(keys - self._watchers.keys()):
            watch = self._trades if key[0] == "trades" else self._quotes
            self._watchers[key] = asyncio.create_task(self._watch(key, watch), name=f"algotrendy watch {key[1]}")
        try:
            await self._connected()
        except VenueUnavailable:
            await self.close()
            raise

    async def events(self) -> AsyncGenerator[Sequence[Event | Notice], None]:
        """Yield what the watchers have found."""
        try:
            while True:
                await self._came.wait()
                self._came.clear()
                if self._lot:
                    lot, self._lot = self._lot, []
                    yield lot
                if self._failure is not None:
                    raise self._failure
        finally:
            await self.close()

    async def backfill(self, symbol: str, span: Span) -> Sequence[Tick]:
        """Return the trades of a past span, page by page, as far back as the exchange goes."""
        since, end = span.start.value // 1_000_000, span.end.value // 1_000_000 + 1
        found: dict[Any, Tick] = {}
        for _ in range(_PAGES_MAX):
            with self._translated():
                page = await self._exchange.fetch_trades(symbol, since=since, limit=_PAGE)
            ticks = [tick for trade in page if isinstance(tick := tick_of(symbol, trade), Tick)]
            new = _by_name(ticks)
            fresh = new.keys() - found.keys()
            found.update(new)
            newest = max((tick.time // 1_000_000 for tick in ticks), default=None)
            if newest is not None and newest < since:
                break  # this exchange gives its latest trades, whatever it is asked for
            if newest is None:
                since += _HOUR_MS  # Binance looks no further than an hour
            else:  # one millisecond may fill a page, so the next begins with the newest one again while there is news
                since = newest if fresh and newest > since else newest + 1
            if since >= end:
                break
        else:
            raise BadAnswer(self.name, f"the trades of {symbol} since {span.start} fill more than {_PAGES_MAX} pages")
        return list(found.values())

    async def close(self) -> None:
        """End the watchers and the connections; the list of symbols is kept."""
        watchers = list(self._watchers.values())
        self._watchers.clear()
        for watcher in watchers:
            watcher.cancel()
        if watchers:
            await asyncio.wait(watchers)
        with contextlib.suppress(*_errors_of_ccxt()):
            await self._exchange.close()

    # --- watchers ---

    async def _watch(self, key: tuple[str, str], look: Callable[[str], Any]) -> None:
        try:
            while True:
                with self._translated():
                    found = await look(key[1])
                self._put(found)
        except (BadAnswer, InputError) as e:
            self._put([Notice("refused", str(e))])  # of this symbol alone; the others go on
        except AlgotrendyError as e:
            self._failure = e
            self._came.set()

    async def _trades(self, symbol: str) -> list[Event | Notice]:
        trades = await self._exchange.watch_trades(symbol, params=self._aggregated())
        return [tick_of(symbol, trade) for trade in trades]

    async def _quotes(self, symbol: str) -> list[Event | Notice]:
        tickers = await self._exchange.watch_bids_asks([symbol])
        return [quote_of(symbol, ticker, time.time_ns()) for ticker in tickers.values()]

    async def _leave(self, key: tuple[str, str]) -> None:
        """End a watcher, and tell the exchange where it can be told."""
        watcher = self._watchers.pop(key)
        watcher.cancel()
        await asyncio.wait({watcher})
        name = "unWatchTrades" if key[0] == "trades" else "unWatchBidsAsks"
        if not self._exchange.has.get(name):
            return
        with contextlib.suppress(TimeoutError, *_errors_of_ccxt()):
            async with asyncio.timeout(self._settings.answer_seconds):
                if key[0] == "trades":
                    await self._exchange.un_watch_trades(key[1], params=self._aggregated())
                else:
                    await self._exchange.un_watch_bids_asks([key[1]])

    def _aggregated(self) -> dict[str, str]:
        """Return what asks Binance for aggregated trades."""
        return {"name": "aggTrade"} if self._exchange.id.startswith("binance") else {}

    def _put(self, lot: Sequence[Event | Notice]) -> None:
        self._lot += lot
        self._came.set()

    async def _connected(self) -> None:
        """Wait until every connection is up, or has failed."""
        await asyncio.sleep(0)  # the watchers ask for their connections in their first step
        seconds = self._settings.answer_seconds
        for client in list((self._exchange.clients or {}).values()):
            try:
                with self._translated():
                    async with asyncio.timeout(seconds):
                        await asyncio.shield(client.connected)
            except TimeoutError as e:
                raise VenueUnavailable(self.name, f"did not answer within {seconds:g} seconds") from e

    # --- inside ---

    def _check(self, symbols: frozenset[str]) -> None:
        known = self._exchange.markets
        for symbol in sorted(symbols):
            if symbol not in known:
                near = difflib.get_close_matches(symbol.upper(), known, n=3)
                hint = f"; near: {', '.join(near)}" if near else "; expected such as BTC/USDT"
                raise InputError(f"{self.name} has no market {symbol!r}{hint}")

    def _guard(self) -> None:
        """Catch what cannot be read where ccxt hands a message over: it would never read another one."""
        make = self._exchange.client

        def client(url: str) -> Any:
            made = make(url)
            take = getattr(made, "handle_text_or_binary_message", None)
            if take is not None and not getattr(made, "is_guarded", False):
                made.handle_text_or_binary_message = lambda data: self._guarded(take, data)
                made.is_guarded = True
            return made

        self._exchange.client = client

    def _guarded(self, take: Callable[[Any], None], data: Any) -> None:
        try:
            take(data)
        except _unreadable() as e:
            self._put([Notice("malformed", f"a message of {len(data)} characters ({type(e).__name__})")])

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise ccxt's errors as ours."""
        import ccxt

        try:
            yield
        except (ccxt.AuthenticationError, ccxt.PermissionDenied) as e:
            raise AccessRefused(self.name, _said(e)) from e
        except (ccxt.RateLimitExceeded, ccxt.DDoSProtection) as e:
            raise RateLimited(self.name, _said(e)) from e
        except ccxt.NetworkError as e:
            raise VenueUnavailable(self.name, _said(e)) from e
        except (ccxt.BadSymbol, ccxt.NotSupported) as e:
            raise InputError(f"{self.name}: {_said(e)}") from e
        except ccxt.BaseError as e:
            raise BadAnswer(self.name, _said(e)) from e


def _made(settings: ExchangeStreamSettings) -> Any:
    """Return ccxt's object for the exchange, with the hosts of the settings."""
    try:
        pro = importlib.import_module("ccxt.pro")
    except ImportError as e:
        raise MissingExtraError("ccxt", "brokers") from e
    if settings.exchange not in pro.exchanges:
        near = difflib.get_close_matches(settings.exchange.lower(), pro.exchanges, n=3)
        hint = f"; near: {', '.join(near)}" if near else "; see ccxt.pro.exchanges"
        raise InputError(f"there is no exchange {settings.exchange!r} that can be streamed{hint}")
    made = getattr(pro, settings.exchange)({"newUpdates": True})
    made.options |= {
        "tradesLimit": _TRADES_KEPT,
        "fetchCurrencies": False,
        "fetchMarkets": _as_asked(made.options.get("fetchMarkets"), settings.markets),
    }
    if "streamLimits" in made.options:
        made.options["streamLimits"] = dict.fromkeys(made.options["streamLimits"], _CONNECTIONS)
    made.urls = {**made.urls, "api": rehosted(made.urls["api"], settings.stream_url, settings.base_url)}
    return made


def _by_name(ticks: Sequence[Tick]) -> dict[Any, Tick]:
    """Return the trades of a page by id; without one by what they are, and which of several alike."""
    alike: Counter[Tick] = Counter()
    named: dict[Any, Tick] = {}
    for tick in ticks:
        named[tick.id or (tick, alike[tick])] = tick
        alike[tick] += 1
    return named


def _as_asked(option: Any, markets: tuple[str, ...]) -> Any:
    """Return the option that says which markets are loaded, in the form in which the exchange has it."""
    if isinstance(option, dict) and "types" in option:
        return {**option, "types": list(markets)}
    return list(markets) if isinstance(option, list) else option


def _unreadable() -> tuple[type[Exception], ...]:
    """Return what ccxt raises over a message that is not what it expects."""
    return (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, *_errors_of_ccxt())


def _errors_of_ccxt() -> tuple[type[Exception], ...]:
    import ccxt

    return (ccxt.BaseError,)


def _said(error: Exception) -> str:
    """Return the beginning of what an error says: ccxt puts whole answers in, and addresses with parameters."""
    text = str(error).split("?")[0]
    return (text[:160] + "...") if len(text) > 160 else text or type(error).__name__
