"""Asks Alpaca through alpaca-py: I/O only. Its own trying again is never reached, since the one door does that."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from typing import Any

import pandas as pd

from algotrendy.data.providers.alpaca.config import AlpacaSettings
from algotrendy.data.providers.alpaca.errors import NAME, translated_errors
from algotrendy.data.providers.alpaca.parse import parse_actions, parse_bars, parse_trades
from algotrendy.data.providers.answer import Answer, finish, has_sessions, trades_within
from algotrendy.data.providers.http import Clock
from algotrendy.data.providers.port import Capabilities, Fetched, TradesRequest
from algotrendy.data.providers.symbols import Symbol
from algotrendy.data.providers.venues import instrument_at
from algotrendy.data.series import BarsRequest, Span, utc_now
from algotrendy.domain.actions import Actions
from algotrendy.domain.instrument import AssetClass
from algotrendy.errors import DataError, MissingExtraError

_INTERVALS = frozenset(
    {"1m", "2m", "3m", "5m", "10m", "15m", "20m", "30m", "45m", "1h", "2h", "3h", "4h", "6h", "8h", "12h", "1d", "1wk",
     "1mo", "3mo", "6mo", "12mo"}
)  # fmt: skip
_ADJUSTMENT = {"raw": "raw", "splits": "split", "all": "all"}
_EVENING = pd.Timedelta(hours=4, minutes=30)  # trading after the close still counts to the day's volume
_NIGHT = pd.Timedelta(hours=7)  # a day of crypto bars ends in the American night
_DELAY = pd.Timedelta(minutes=16)


class AlpacaProvider:
    """Bars, trades and corporate actions from Alpaca.

    Parameters
    ----------
    settings : AlpacaSettings, optional
        Without, the keys come from the environment.
    clock : callable
        Returns this moment.
    """

    name = NAME
    capabilities = Capabilities(
        intervals=_INTERVALS,
        asset_classes=frozenset({AssetClass.STOCK, AssetClass.ETF, AssetClass.CRYPTO}),
        adjusted=frozenset({"raw", "splits", "all"}),
        realtime=True,
        trades=True,
        actions=True,
        needs_key=True,
    )

    def __init__(self, settings: AlpacaSettings | None = None, *, clock: Clock = utc_now) -> None:
        if importlib.util.find_spec("alpaca") is None:
            raise MissingExtraError("alpaca-py", "brokers")
        self._settings = settings or AlpacaSettings()
        self._settings.key("api_key", NAME)
        self._settings.key("secret_key", NAME)
        self._http = self._settings.client(NAME, clock=clock)

    async def bars(self, request: BarsRequest) -> Fetched:
        """Return bars; see `Provider.bars`."""
        self.capabilities.require(request, NAME)
        symbol = Symbol.of(request.symbol, request.asset_class)
        wanted = vendor_symbol(symbol)
        payload = await self._ask(wanted, lambda: self._bars(wanted, request))
        rows = await asyncio.to_thread(parse_bars, payload, wanted, request.interval)
        crypto = request.asset_class is AssetClass.CRYPTO
        instrument = instrument_at(request.asset_class, "ALPACA" if crypto else "US", wanted)
        if not len(rows) and has_sessions(instrument, request.span):
            raise DataError(
                f"alpaca has no bars of {wanted} from {request.span.start} to {request.span.end}: it does not say"
                " whether the symbol is unknown or nothing was traded; check the symbol and the dates"
            )
        late = _NIGHT if crypto else _EVENING
        answer = Answer(
            rows=rows, instrument=instrument, now=self._http.now(),
            notes=(*self._http.skew_note(), *_day_note(request, crypto)),
            settles=late if not request.interval.is_intraday else pd.Timedelta(0) if crypto else _DELAY,
        )  # fmt: skip
        return await asyncio.to_thread(finish, answer, request, NAME, check=self._settings.check)

    async def trades(self, request: TradesRequest) -> pd.DataFrame:
        """Return single trades; see `TradesSource.trades`."""
        wanted = vendor_symbol(Symbol.of(request.symbol, request.asset_class))
        payload = await self._ask(wanted, lambda: self._trades(wanted, request))
        return trades_within([parse_trades(payload, wanted)], request.span)

    async def actions(self, request: BarsRequest) -> Actions:
        """Return splits and dividends; see `ActionsSource.actions`."""
        wanted = vendor_symbol(Symbol.of(request.symbol, request.asset_class))
        payload = await self._ask(wanted, lambda: self._actions(wanted, request.span))
        return parse_actions(payload, wanted)[0]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _ask(self, symbol: str, work: Callable[[], Any]) -> Any:
        from algotrendy.data.providers.bridge import in_thread

        async with self._http.call() as call:
            with translated_errors(symbol):
                return await in_thread(call, work)

    def _client(self, kind: Any) -> Any:
        from algotrendy.data.providers.bridge import bridged_session

        client = kind(
            api_key=self._settings.key("api_key", NAME), secret_key=self._settings.key("secret_key", NAME),
            raw_data=True, url_override=self._http.base_url,
        )  # fmt: skip
        bridged_session(into=client._session)
        return client

    def _feed(self) -> Any:
        from alpaca.data.enums import DataFeed

        return None if self._settings.feed is None else DataFeed(self._settings.feed)

    def _bars(self, symbol: str, request: BarsRequest) -> Any:
        from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
        from alpaca.data.requests import CryptoBarsRequest, StockBarsRequest
        from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

        units = {"m": TimeFrameUnit.Minute, "h": TimeFrameUnit.Hour, "d": TimeFrameUnit.Day, "wk": TimeFrameUnit.Week}
        frame = TimeFrame(request.interval.count, units.get(request.interval.unit, TimeFrameUnit.Month))
        asked: dict[str, Any] = {"symbol_or_symbols": symbol, "timeframe": frame, **_range(request.span)}
        if request.asset_class is AssetClass.CRYPTO:
            return self._client(CryptoHistoricalDataClient).get_crypto_bars(CryptoBarsRequest(**asked))
        asked |= {"adjustment": _ADJUSTMENT[request.adjusted], "feed": self._feed()}
        return self._client(StockHistoricalDataClient).get_stock_bars(StockBarsRequest(**asked))

    def _trades(self, symbol: str, request: TradesRequest) -> Any:
        from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
        from alpaca.data.requests import CryptoTradesRequest, StockTradesRequest

        asked: dict[str, Any] = {"symbol_or_symbols": symbol, **_range(request.span)}
        if request.asset_class is AssetClass.CRYPTO:
            return self._client(CryptoHistoricalDataClient).get_crypto_trades(CryptoTradesRequest(**asked))
        return self._client(StockHistoricalDataClient).get_stock_trades(StockTradesRequest(**asked, feed=self._feed()))

    def _actions(self, symbol: str, span: Span) -> Any:
        from alpaca.data.historical.corporate_actions import CorporateActionsClient
        from alpaca.data.requests import CorporateActionsRequest

        last = (span.end - pd.Timedelta(1, "ns")).date()
        asked = CorporateActionsRequest(symbols=[symbol], start=span.start.date(), end=last)
        return self._client(CorporateActionsClient).get_corporate_actions(asked)


def vendor_symbol(symbol: Symbol) -> str:
    """Return a symbol as Alpaca writes it.

    Examples
    --------
    >>> vendor_symbol(Symbol.of("BTC-USD", "crypto")), vendor_symbol(Symbol.of("BRK/B"))
    ('BTC/USD', 'BRK.B')
    """
    if symbol.asset_class is AssetClass.CRYPTO:
        return "/".join(symbol.pair(NAME))
    return symbol.canonical.upper()


def _range(span: Span) -> dict[str, Any]:
    """Return start and end as alpaca-py takes them; Alpaca counts the end in."""
    start, end = span.start.floor("us"), (span.end - pd.Timedelta("1us")).ceil("us")
    return {"start": start.to_pydatetime(), "end": end.to_pydatetime()}


def _day_note(request: BarsRequest, crypto: bool) -> tuple[str, ...]:
    if crypto and not request.interval.is_intraday:
        return ("Alpaca's days of crypto bars begin in the American night, not at midnight UTC.",)
    return ()
