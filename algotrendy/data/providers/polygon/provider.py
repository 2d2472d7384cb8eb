"""Asks Polygon: I/O only.

The next page is asked for at our own `base_url`: of the address that an answer names, path and query count, so that a
key never goes elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd

from algotrendy.data.providers.answer import Answer, finish, trades_within
from algotrendy.data.providers.http import Call, Clock, Params, utc_now
from algotrendy.data.providers.polygon.config import PolygonSettings
from algotrendy.data.providers.polygon.errors import NAME, error_of
from algotrendy.data.providers.polygon.parse import (
    actions_of,
    parse_bars,
    parse_dividends,
    parse_instrument,
    parse_splits,
    parse_trades,
    vendor_symbol,
)
from algotrendy.data.providers.port import Capabilities, Fetched, TradesRequest
from algotrendy.data.providers.symbols import Symbol
from algotrendy.data.series import BarsRequest, Span
from algotrendy.domain.actions import Actions
from algotrendy.domain.instrument import AssetClass, Instrument
from algotrendy.errors import DataError

_TIMESPANS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month"}
_LISTED = frozenset({AssetClass.STOCK, AssetClass.ETF})
_DAY = pd.Timedelta(days=1)
_EVENING = pd.Timedelta(hours=4, minutes=30)  # trading after the close still counts to the day's volume
_DELAY = pd.Timedelta(minutes=16)


class PolygonProvider:
    """Bars, trades and corporate actions from Polygon.io (Massive).

    Parameters
    ----------
    settings : PolygonSettings, optional
        Without, the key comes from the environment.
    clock : callable
        Returns this moment.
    """

    name = NAME
    capabilities = Capabilities(
        intervals=None,
        asset_classes=frozenset({AssetClass.STOCK, AssetClass.ETF, AssetClass.CRYPTO, AssetClass.FOREX}),
        adjusted=frozenset({"raw", "splits"}),
        trades=True,
        actions=True,
        dated_tickers=True,
        needs_key=True,
    )

    def __init__(self, settings: PolygonSettings | None = None, *, clock: Clock = utc_now) -> None:
        self._settings = settings or PolygonSettings()
        headers = {"Authorization": f"Bearer {self._settings.key('api_key', NAME)}"}
        self._http = self._settings.client(NAME, headers=headers, clock=clock)
        self._instruments: dict[str, Instrument] = {}

    async def bars(self, request: BarsRequest) -> Fetched:
        """Return bars; see `Provider.bars`."""
        self.capabilities.require(request, NAME)
        symbol = Symbol.of(request.symbol, request.asset_class)
        ticker = vendor_symbol(symbol)
        path = f"v2/aggs/ticker/{quote(ticker, safe=':')}/range/{_range(request)}"
        params: Params = {"adjusted": request.adjusted == "splits", "sort": "asc", "limit": self._settings.page_size}
        async with self._http.call() as call:
            instrument = await self._instrument(call, symbol, ticker, request.span)
            pages = [
                parse_bars(page, ticker, request.asset_class, request.interval)
                async for page in self._pages(call, path, params, ticker)
            ]
        filled = [page for page in pages if len(page)]
        answer = Answer(
            rows=pd.concat(filled) if filled else pages[0], instrument=instrument, now=self._http.now(),
            notes=self._http.skew_note(), settles=_DELAY if request.interval.is_intraday else _EVENING,
        )  # fmt: skip
        return finish(answer, request, NAME, check=self._settings.check)

    async def trades(self, request: TradesRequest) -> pd.DataFrame:
        """Return single trades; see `TradesSource.trades`."""
        ticker = vendor_symbol(Symbol.of(request.symbol, request.asset_class))
        params: Params = {
            "timestamp.gte": request.span.start.value,
            "timestamp.lt": request.span.end.value,
            "order": "asc",
            "sort": "timestamp",
            "limit": self._settings.page_size,
        }
        path = f"v3/trades/{quote(ticker, safe=':')}"
        async with self._http.call() as call:
            pages = [parse_trades(page, ticker) async for page in self._pages(call, path, params, ticker)]
        return trades_within(pages, request.span)

    async def actions(self, request: BarsRequest) -> Actions:
        """Return splits and dividends; see `ActionsSource.actions`."""
        ticker = vendor_symbol(Symbol.of(request.symbol, request.asset_class))
        async with self._http.call() as call:
            splits: dict[str, float] = {}
            async for page in self._pages(
                call, "v3/reference/splits", _between(ticker, "execution_date", request.span), ticker
            ):
                splits |= parse_splits(page, ticker)
            dividends: list[tuple[str, float]] = []
            params = _between(ticker, "ex_dividend_date", request.span)
            async for page in self._pages(call, "v3/reference/dividends", params, ticker):
                dividends += parse_dividends(page, ticker)
        return actions_of(splits, dividends)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _instrument(self, call: Call, symbol: Symbol, ticker: str, span: Span) -> Instrument:
        """Return whose ticker it is at the end of the span; also tells an unknown ticker from one without trades."""
        date = str(min(span.end - pd.Timedelta(1, "ns"), self._http.now()).date())
        known = self._instruments.get(f"{ticker}@{date}")
        if known is None:
            params = {"date": date} if symbol.asset_class in _LISTED else {}
            path = f"v3/reference/tickers/{quote(ticker, safe=':')}"
            payload = await call.get_json(path, params, error_of=lambda status, said: error_of(status, said, ticker))
            known = self._instruments[f"{ticker}@{date}"] = parse_instrument(payload, ticker, symbol)
        return known

    async def _pages(self, call: Call, path: str, params: Params, ticker: str) -> AsyncIterator[Any]:
        def explained(status: int, said: Any) -> Any:
            return error_of(status, said, ticker)

        payload = await call.get_json(path, params, error_of=explained)
        while True:
            if isinstance(payload, dict) and payload.get("status") == "ERROR":
                raise DataError(f"polygon refuses {ticker}: {payload.get('error') or payload.get('message')}")
            yield payload
            following = payload.get("next_url") if isinstance(payload, dict) else None
            if not following:
                return
            parts = urlsplit(str(following))
            payload = await call.get_json(f"{parts.path}?{parts.query}", None, error_of=explained)


def _range(request: BarsRequest) -> str:
    """Return the path's end: multiplier, timespan, first and last moment, both in."""
    span, interval = request.span, request.interval
    if interval.is_intraday:
        first, last = str(span.start.value // 1_000_000), str(span.end.value // 1_000_000 - 1)
    else:
        first, last = str(span.start.date()), str((span.end - pd.Timedelta("1ms")).date())
    return f"{interval.count}/{_TIMESPANS[interval.unit]}/{first}/{last}"


def _between(ticker: str, field: str, span: Span) -> Params:
    last = (span.end - pd.Timedelta(1, "ns")).date()
    return {
        "ticker": ticker, f"{field}.gte": str(span.start.date()), f"{field}.lte": str(last), "order": "asc",
        "sort": field, "limit": 1000,
    }  # fmt: skip
