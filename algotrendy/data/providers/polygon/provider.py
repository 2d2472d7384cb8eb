"""Asks Polygon: I/O only.

The next page is asked for at our own `base_url`: of the address that an answer names, path and query count, so that a
key never goes elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd

from algotrendy.data.providers.answer import Answer, finish, trades_within
from algotrendy.data.providers.http import Call, Clock, Params
from algotrendy.data.providers.polygon.config import PolygonSettings
from algotrendy.data.providers.polygon.errors import NAME, error_of
from algotrendy.data.providers.polygon.parse import (
    Details,
    actions_of,
    parse_bars,
    parse_details,
    parse_dividends,
    parse_splits,
    parse_trades,
    since_listed,
    vendor_symbol,
)
from algotrendy.data.providers.port import Capabilities, Fetched, TradesRequest
from algotrendy.data.providers.symbols import Symbol
from algotrendy.data.series import BarsRequest, Span, utc_now
from algotrendy.domain.actions import Actions
from algotrendy.domain.instrument import AssetClass
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
        self._known: dict[tuple[str, str | None], Details] = {}

    async def bars(self, request: BarsRequest) -> Fetched:
        """Return bars; see `Provider.bars`."""
        self.capabilities.require(request, NAME)
        symbol = Symbol.of(request.symbol, request.asset_class)
        ticker = vendor_symbol(symbol)
        path = f"v2/aggs/ticker/{quote(ticker, safe=':')}/range/{_range(request)}"
        params: Params = {"adjusted": request.adjusted == "splits", "sort": "asc", "limit": self._settings.page_size}
        async with self._http.call() as call:
            details = await self._details(call, symbol, ticker, request.span)
            pages = [
                await asyncio.to_thread(parse_bars, page, ticker, request.asset_class, request.interval)
                async for page in self._pages(call, path, params, ticker)
            ]
        filled = [page for page in pages if len(page)]
        rows, notes = since_listed(pd.concat(filled) if filled else pages[0], details)
        answer = Answer(
            rows=rows, instrument=details.instrument, now=self._http.now(), notes=(*self._http.skew_note(), *notes),
            settles=_DELAY if request.interval.is_intraday else _EVENING,
        )  # fmt: skip
        return await asyncio.to_thread(finish, answer, request, NAME, check=self._settings.check)

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

    async def _details(self, call: Call, symbol: Symbol, ticker: str, span: Span) -> Details:
        """Return whose ticker it is in the span; also tells an unknown ticker from one without trades.

        The end of the span is asked about first, then its start: the instrument may have been delisted between.
        """
        if symbol.asset_class not in _LISTED:
            return await self._details_on(call, symbol, ticker, None)
        last = min(span.end - pd.Timedelta(1, "ns"), self._http.now())
        try:
            return await self._details_on(call, symbol, ticker, str(last.date()))
        except DataError:
            if span.start.date() == last.date():
                raise
            return await self._details_on(call, symbol, ticker, str(span.start.date()))

    async def _details_on(self, call: Call, symbol: Symbol, ticker: str, date: str | None) -> Details:
        known = self._known.get((ticker, date))
        if known is None:
            path = f"v3/reference/tickers/{quote(ticker, safe=':')}"
            asked: Params = {} if date is None else {"date": date}
            payload = await call.get_json(path, asked, error_of=lambda status, said: error_of(status, said, ticker))
            known = self._known[ticker, date] = parse_details(payload, ticker, symbol)
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
