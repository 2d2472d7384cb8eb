"""Asks Yahoo: I/O only. yfinance keeps the access open (cookie, crumb, consent), `parse` reads the answers.

ADR 0014 says why the chart answers are read here and not by yfinance.
"""

from __future__ import annotations

import asyncio
import importlib.util
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pandas as pd

from algotrendy.data.providers.answer import Answer, finish
from algotrendy.data.providers.http import Call, Clock, read_json
from algotrendy.data.providers.port import Capabilities, Fetched
from algotrendy.data.providers.symbols import Symbol
from algotrendy.data.providers.yahoo.config import YahooSettings
from algotrendy.data.providers.yahoo.errors import NAME, error_of
from algotrendy.data.providers.yahoo.parse import Chart, as_paid, chosen_prices, parse_chart, split_inside
from algotrendy.data.series import BarsRequest, Span, utc_now
from algotrendy.domain.actions import Actions, undo_splits
from algotrendy.domain.instrument import AssetClass
from algotrendy.domain.interval import Interval
from algotrendy.errors import BadAnswer, InputError, MissingExtraError, VenueUnavailable

_INTERVALS = {
    "1m": "1m", "2m": "2m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "60m", "90m": "90m", "1d": "1d", "1wk": "1wk",
    "1mo": "1mo", "3mo": "3mo",
}  # fmt: skip
_LONGEST = {"1m": 7, "1h": 729}  # days in one request; 59 for the other short ones
_DAY = pd.Timedelta(days=1)
_HOST = "https://query2.finance.yahoo.com"
_DAILY = Interval(1, "d")
_ONE_LETTER_MARKETS = frozenset("FLTV")  # Frankfurt, London, Tokyo, TSX Venture


class YahooProvider:
    """Bars, splits and dividends from Yahoo Finance, delayed by up to some minutes.

    Parameters
    ----------
    settings : YahooSettings, optional
    clock : callable
        Returns this moment.

    Notes
    -----
    Yahoo's prices are adjusted for splits. `adjusted="raw"` undoes that by all splits since, which come with the
    answer; `adjusted="all"` takes its adjusted close, for daily and longer bars alone.
    """

    name = NAME
    capabilities = Capabilities(
        intervals=frozenset(_INTERVALS),
        asset_classes=frozenset(AssetClass) - {AssetClass.OPTION},
        adjusted=frozenset({"raw", "splits", "all"}),
        actions=True,
    )

    def __init__(self, settings: YahooSettings | None = None, *, clock: Clock = utc_now) -> None:
        if importlib.util.find_spec("yfinance") is None:
            raise MissingExtraError("yfinance", "yahoo")
        self._settings = settings or YahooSettings()
        self._http = self._settings.client(NAME, transport=_browser, clock=clock)
        self._access: Any = None

    async def bars(self, request: BarsRequest) -> Fetched:
        """Return bars; see `Provider.bars`."""
        self.capabilities.require(request, NAME)
        if request.adjusted == "all" and request.interval.is_intraday:
            raise InputError(f'yahoo has no bars of {request.interval} with adjusted="all"; choose "splits" or "raw"')
        symbol = Symbol.of(request.symbol, request.asset_class)
        async with self._http.call() as call:
            if request.interval.is_intraday:
                charts = [await self._chart(call, symbol, request.interval, part) for part in _parts(request)]
                chart = _joined(charts)
                wanted = request.adjusted == "raw"
                actions = await self._actions_since(call, symbol, request.span.start) if wanted else None
            else:
                chart = await self._chart(call, symbol, request.interval, self._since(request.span.start))
                chart = replace(chart, rows=chart.rows[chart.rows.index < request.span.end.tz_localize(None)])
                actions = chart.actions
        rows, notes = chosen_prices(chart, request.adjusted), self._http.skew_note()
        if request.adjusted == "raw" and actions is not None:
            rows = undo_splits(rows, actions.splits)
            notes = (*notes, *split_inside(rows, actions, request.interval))
        answer = Answer(
            rows=rows,
            instrument=chart.instrument,
            now=self._http.now(),
            actions=None if actions is None else as_paid(actions),
            notes=notes,
            settles=_DELAY if request.interval.is_intraday else _EVENING,
        )
        return await asyncio.to_thread(finish, answer, request, NAME, check=self._settings.check)

    async def actions(self, request: BarsRequest) -> Actions:
        """Return splits and dividends, as paid, whose ex-dates lie in the span of a request."""
        symbol = Symbol.of(request.symbol, request.asset_class)
        async with self._http.call() as call:
            since = await self._actions_since(call, symbol, request.span.start)
        first, end = (moment.tz_localize(None) for moment in (request.span.start, request.span.end))
        return as_paid(since).after(first - _DAY).until(end - pd.Timedelta(1, "ns"))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _actions_since(self, call: Call, symbol: Symbol, start: pd.Timestamp) -> Actions:
        """Return the events since a date up to now, as Yahoo adjusts them."""
        return (await self._chart(call, symbol, _DAILY, self._since(start.floor("D")))).actions

    async def _chart(self, call: Call, symbol: Symbol, interval: Interval, span: Span) -> Chart:
        wanted = vendor_symbol(symbol)
        edge = pd.Timedelta(0) if interval.is_intraday else _DAY  # where its day begins is known with the answer only
        params = {
            "period1": int((span.start - edge).timestamp()),
            "period2": int(max(span.end + edge, span.start + _DAY).timestamp()),
            "interval": _INTERVALS[str(interval)],
            "includePrePost": "false",
            "events": "div,splits",
        }
        response = await self._get(call, f"{_HOST}/v8/finance/chart/{quote(wanted)}", params)
        if response.status_code >= 400:
            raise error_of(response.status_code, _json(response), wanted)
        payload = read_json(NAME, response)
        return parse_chart(payload, symbol=wanted, canonical=symbol.canonical.upper(), interval=interval)

    async def _get(self, call: Call, url: str, params: dict[str, Any]) -> Any:
        """Ask through yfinance, which adds what Yahoo wants to see."""
        import requests

        from algotrendy.data.providers.bridge import in_thread, our_error_in

        access = self._yfinance()
        try:
            return await in_thread(call, lambda: access.get(url, params=params))
        except (requests.exceptions.RequestException, _error_of_yfinance()) as e:
            ours = our_error_in(e)
            raise ours or VenueUnavailable(NAME, f"no answer: {type(e).__name__}") from e
        except (AttributeError, KeyError, TypeError, ValueError) as e:  # Yahoo or yfinance has changed
            raise BadAnswer(NAME, f"yfinance could not ask ({type(e).__name__}: {e}); a newer one may") from e

    def _yfinance(self) -> Any:
        """Return yfinance's access to Yahoo, of our own: the shared one would mix the sessions of two providers."""
        if self._access is None:
            from yfinance.data import YfData

            from algotrendy.data.providers.bridge import bridged_session, host_rerouted

            rerouted: Any = str
            if self._http.base_url != _HOST:
                rerouted = host_rerouted(self._http.base_url, lambda host: host.endswith("yahoo.com"))
            session = bridged_session(rerouted=rerouted, browsing=True)
            self._access = type.__call__(YfData, session=session)
        return self._access

    def _since(self, start: pd.Timestamp) -> Span:
        """Return the span up to the end of today: events up to now are wanted, and the same request all day."""
        return Span(start, max(self._http.now().floor("D"), start) + _DAY)


def vendor_symbol(symbol: Symbol) -> str:
    """Return a symbol as Yahoo writes it.

    Examples
    --------
    >>> [vendor_symbol(Symbol.of(text)) for text in ("BRK.B", "VOD.L")]
    ['BRK-B', 'VOD.L']
    >>> vendor_symbol(Symbol.of("BTC/USD", "crypto")), vendor_symbol(Symbol.of("EUR/USD", "forex"))
    ('BTC-USD', 'EURUSD=X')
    """
    if symbol.asset_class is AssetClass.FOREX:
        text = symbol.joined("")
        return text if "=" in text else f"{text}=X"
    if symbol.asset_class is AssetClass.CRYPTO:
        return symbol.joined("-")
    market = symbol.sign == "." and symbol.second in _ONE_LETTER_MARKETS
    return symbol.joined("." if market else "-").upper()


_DELAY, _EVENING = pd.Timedelta(minutes=20), pd.Timedelta(hours=4)  # its newest prices come late and still change


def _browser() -> Any:
    from algotrendy.data.providers.yahoo.transport import BrowserTransport

    return BrowserTransport()


def _parts(request: BarsRequest) -> list[Span]:
    """Return the span in parts that Yahoo answers at once."""
    step = pd.Timedelta(days=_LONGEST.get(str(request.interval), 59))
    starts = [request.span.start]
    while starts[-1] + step < request.span.end:
        starts.append(starts[-1] + step)
    return [Span(start, min(start + step, request.span.end)) for start in starts]


def _joined(charts: list[Chart]) -> Chart:
    filled = [chart.rows for chart in charts if len(chart.rows)]
    return (
        replace(charts[0], rows=pd.concat(filled))
        if len(filled) > 1
        else replace(charts[0], rows=(filled or [charts[0].rows])[0])
    )


def _json(response: Any) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _error_of_yfinance() -> type[Exception]:
    from yfinance.exceptions import YFException

    kind: type[Exception] = YFException
    return kind
