"""Asks an exchange through ccxt: I/O only.

Its synchronous form is used: that one takes a `requests` session, so that every request goes through the one door.
"""

from __future__ import annotations

import asyncio
import difflib
import importlib.util
import threading
from typing import Any

import pandas as pd

from algotrendy.data.providers.answer import Answer, finish, trades_within
from algotrendy.data.providers.ccxt.config import CcxtSettings
from algotrendy.data.providers.ccxt.errors import translated_errors
from algotrendy.data.providers.ccxt.parse import parse_bars, parse_instrument, parse_trades
from algotrendy.data.providers.http import Clock
from algotrendy.data.providers.port import Capabilities, Fetched, TradesRequest
from algotrendy.data.providers.symbols import Symbol
from algotrendy.data.series import BarsRequest, Span, utc_now
from algotrendy.domain.instrument import AssetClass
from algotrendy.domain.interval import Interval
from algotrendy.errors import BadAnswer, DataError, InputError, MissingExtraError

_PAGE = 500
_TRADES_PAGE = 1_000
_HOUR_MS = 3_600_000
_MONTH_SECONDS = 28 * 86_400
_LETTERS = {"wk": "w", "mo": "M"}
_UNITS = {letter: unit for unit, letter in _LETTERS.items()}


class CcxtProvider:
    """Bars and trades of spot markets from one exchange.

    Parameters
    ----------
    settings : CcxtSettings, optional
    clock : callable
        Returns this moment.

    Raises
    ------
    MissingExtraError
        If ccxt is not installed.
    InputError
        If it knows no such exchange.
    """

    def __init__(self, settings: CcxtSettings | None = None, *, clock: Clock = utc_now) -> None:
        if importlib.util.find_spec("ccxt") is None:
            raise MissingExtraError("ccxt", "brokers")
        self._settings = settings or CcxtSettings()
        self.name = self._settings.exchange
        self._http = self._settings.client(self.name, clock=clock)
        self._exchange = _exchange(self._settings)
        self._one_at_a_time = threading.Lock()  # an exchange of ccxt keeps the state of its last request
        self.capabilities = Capabilities(
            intervals=frozenset(_intervals(self._exchange)),
            asset_classes=frozenset({AssetClass.CRYPTO}),
            adjusted=frozenset({"raw", "splits", "all"}),  # nothing splits and nothing pays
            realtime=True,
            trades=bool(self._exchange.has.get("fetchTrades")),
        )

    async def bars(self, request: BarsRequest) -> Fetched:
        """Return bars; see `Provider.bars`."""
        from algotrendy.data.providers.bridge import in_thread

        self.capabilities.require(request, self.name)
        async with self._http.call() as call:
            with translated_errors(self.name, request.symbol):
                market, listed = await in_thread(call, lambda: self._bars(request))
        if not listed:
            raise DataError(
                f"{self.name} has no bars of {request.symbol} from {request.span.start} to {request.span.end}: they may"
                " be older than what it keeps, or than the market"
            )
        rows = await asyncio.to_thread(parse_bars, listed, self.name, request.interval)
        instrument = parse_instrument(market, self.name, self._exchange.precisionMode)
        late = pd.Timestamp(listed[0][0], unit="ms", tz="UTC") > request.span.start + _step(request.interval)
        begins = pd.Timestamp(listed[0][0], unit="ms", tz="UTC") if late else None
        notes = (f"{self.name} begins at {begins}, later than was asked.",) if begins is not None else ()
        answer = Answer(
            rows=rows, instrument=instrument, now=self._http.now(), known_from=begins,
            notes=(*self._http.skew_note(), *notes), settles=pd.Timedelta(seconds=5),
        )  # fmt: skip
        return await asyncio.to_thread(finish, answer, request, self.name, check=self._settings.check)

    async def trades(self, request: TradesRequest) -> pd.DataFrame:
        """Return single trades; see `TradesSource.trades`.

        An exchange that serves its newest trades alone has none for an older span.
        """
        from algotrendy.data.providers.bridge import in_thread

        if not self.capabilities.trades:
            raise InputError(f"{self.name} serves no single trades through ccxt")
        async with self._http.call() as call:
            with translated_errors(self.name, request.symbol):
                listed = await in_thread(call, lambda: self._trades(request))
        return trades_within([parse_trades(listed, self.name)], request.span)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _bars(self, request: BarsRequest) -> tuple[Any, list[Any]]:
        with self._one_at_a_time:
            market = self._market(request.symbol)
            step = int(_step(request.interval).total_seconds() * 1000)
            limit = self._settings.page_size or _page_size(self._exchange)
            first, end = _milliseconds(request.span, self._http.now())
            since, found = first, []
            while since < end:
                page = self._exchange.fetch_ohlcv(market["symbol"], _timeframe(request.interval), since, limit)
                if not page:
                    self._check_empty()
                    since += limit * step
                    continue
                self._check_page(page, since, first, end)
                found += [one for one in page if one[0] < end]
                since = page[-1][0] + (1 if request.interval.unit == "mo" else step)
            return market, found

    def _check_page(self, page: list[Any], since: int, first: int, end: int) -> None:
        """Refuse pages that lead nowhere, and an exchange that serves its newest bars whatever is asked."""
        if page[-1][0] < since:
            raise BadAnswer(
                self.name, f"was asked for bars since {_text(since)} and answered up to {_text(page[-1][0])}"
            )
        if since == first and page[0][0] >= end:
            raise DataError(
                f"{self.name} has no bars before {_text(end)}: the oldest that it answers with is of"
                f" {_text(page[0][0])}"
            )

    def _check_empty(self) -> None:
        """Refuse an answer of which ccxt made nothing, where the exchange did not say that there is nothing."""
        said = self._exchange.last_json_response
        if not _says_nothing(said):
            raise BadAnswer(
                self.name, f"the answer cannot be read as rows of the asked time: it begins {str(said)[:80]!r}"
            )

    def _trades(self, request: TradesRequest) -> list[Any]:
        with self._one_at_a_time:
            market = self._market(request.symbol)
            since, end = _milliseconds(request.span, self._http.now())
            found: dict[Any, Any] = {}
            while since < end:
                page = self._exchange.fetch_trades(market["symbol"], since, _TRADES_PAGE)
                if not page:
                    self._check_empty()
                    since += _HOUR_MS
                    continue
                known = len(found)
                found |= {one["id"]: one for one in page if since <= one["timestamp"] < end}
                newest = max(one["timestamp"] for one in page)
                since = newest if len(found) > known and newest > since else max(since, newest) + 1
            return list(found.values())

    def _market(self, symbol: str) -> Any:
        """Return ccxt's market for a symbol, in any of the forms it is written in."""
        exchange = self._exchange
        exchange.load_markets()
        wanted = Symbol.of(symbol, AssetClass.CRYPTO)
        market = exchange.markets.get(wanted.canonical)
        if market is None:
            same = [one for one in exchange.markets_by_id.get(wanted.joined(""), []) if one.get("spot")]
            market = same[0] if len(same) == 1 else None
        if market is None:
            near = difflib.get_close_matches(wanted.canonical, exchange.markets, n=3, cutoff=0.6)
            hint = f"; near: {', '.join(near)}" if near else ""
            raise DataError(f"{self.name} knows no {wanted.canonical!r} among {len(exchange.markets)} markets{hint}")
        if not market.get("spot"):
            raise InputError(f"{market['symbol']} is no spot market; bars of {self.name} are those of spot markets")
        return market


def _exchange(settings: CcxtSettings) -> Any:
    import ccxt

    from algotrendy.data.providers.bridge import bridged_session, host_rerouted

    if settings.exchange not in ccxt.exchanges:
        near = difflib.get_close_matches(settings.exchange, ccxt.exchanges, n=3, cutoff=0.6)
        hint = f"did you mean {', '.join(near)}?" if near else "see ccxt.exchanges for their names"
        raise InputError(f"ccxt knows no exchange {settings.exchange!r}; {hint}")
    rerouted: Any = host_rerouted(settings.base_url, lambda _: True) if settings.base_url else str
    exchange = getattr(ccxt, settings.exchange)(
        {
            "enableRateLimit": settings.replay is None,
            "enableLastJsonResponse": True,  # an empty list of bars is looked at closely
            "session": bridged_session(rerouted=rerouted),
            "options": {"fetchCurrencies": False, "defaultType": "spot", **settings.options},
        }
    )
    _leave_out_derivatives(exchange.options)
    return exchange


def _leave_out_derivatives(options: dict[str, Any]) -> None:
    """Ask for the spot markets alone, where the exchange lists each kind with a request of its own."""
    chosen = options.get("fetchMarkets")
    kinds = chosen.get("types") if isinstance(chosen, dict) else None
    if isinstance(kinds, list) and "spot" in kinds:
        options["fetchMarkets"] = {**options["fetchMarkets"], "types": ["spot"]}
    elif isinstance(kinds, dict) and "spot" in kinds:
        options["fetchMarkets"] = {**options["fetchMarkets"], "types": {"spot": True}}


def _intervals(exchange: Any) -> list[str]:
    names = list(exchange.timeframes or {}) if exchange.has.get("fetchOHLCV") else []
    return [str(Interval.parse(name[:-1] + _UNITS.get(name[-1], name[-1]))) for name in names if name[-1] in "smhdwM"]


def _timeframe(interval: Interval) -> str:
    return f"{interval.count}{_LETTERS.get(interval.unit, interval.unit)}"


def _page_size(exchange: Any) -> int:
    spot = (getattr(exchange, "features", None) or {}).get("spot") or {}
    return int((spot.get("fetchOHLCV") or {}).get("limit") or _PAGE)


def _step(interval: Interval) -> pd.Timedelta:
    return pd.Timedelta(seconds=interval.seconds or _MONTH_SECONDS * interval.count)


def _milliseconds(span: Span, now: pd.Timestamp) -> tuple[int, int]:
    start, end = (moment.value // 1_000_000 for moment in (span.start, min(span.end, max(now, span.start))))
    return start, end


def _says_nothing(said: Any) -> bool:
    """Return whether there is an empty list in an answer."""
    if isinstance(said, dict):
        return any(_says_nothing(part) for part in said.values())
    return isinstance(said, list) and (not said or any(_says_nothing(part) for part in said))


def _text(milliseconds: int) -> str:
    return str(pd.Timestamp(milliseconds, unit="ms", tz="UTC"))
