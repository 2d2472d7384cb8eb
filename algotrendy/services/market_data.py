"""Market data: history through a store and a cache, chart styles, quality, chains, and streams, as one facade."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from algotrendy.data.freshness import Freshness, measure_freshness
from algotrendy.data.loader import BarLoader, Loaded, LoadedBars
from algotrendy.data.requests import DEFAULT_PERIOD, Time, adjusted_of, requests_for, span_of
from algotrendy.data.series import BarsRequest
from algotrendy.domain.instrument import AssetClass
from algotrendy.errors import ConfigError, DataError
from algotrendy.services.models import indicator_columns

if TYPE_CHECKING:
    from algotrendy.data.cache.port import FrameCache
    from algotrendy.data.quality import QualityReport
    from algotrendy.data.stream import StreamHub

__all__ = ["ChainSource", "MarketDataDefaults", "MarketDataService", "Publisher"]

_WORDS_OF_OLD = {"brick_size": "size", "box_size": "box"}
"""What the founding specification calls a parameter of a chart, and what the chart calls it."""


class ChainSource(Protocol):
    """What the service asks of a provider of blockchain data."""

    async def get_blockchain_data(
        self, chain_id: int, token_address: str, start_date: str, end_date: str
    ) -> pd.DataFrame:
        """Return daily prices of a token."""

    async def get_wallet_balances(self, chain_id: int, wallet_address: str) -> dict[str, Any]:
        """Return what a wallet holds."""


class Publisher(Protocol):
    """Where the service tells that bars have arrived."""

    async def publish(self, topic: str, key: str, value: Mapping[str, Any]) -> None:
        """Send one message; `key` keeps messages of one series in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketDataDefaults:
    """What a call means that does not say otherwise.

    Attributes
    ----------
    source : str
        The provider.
    ttl_seconds, stale_seconds : float
        How long a cached history is handed out as it is, and how much longer while a new one is fetched behind it.
    """

    source: str = "yahoo"
    ttl_seconds: float = 30.0
    stale_seconds: float = 300.0


class MarketDataService:
    """Historical, blockchain and real-time market data.

    Parameters
    ----------
    data_manager : BarLoader
        Loads bars through a store from providers.
    cache : FrameCache, optional
        Keeps whole answers for a short while; None: every call asks the store.
    kafka_producer : Publisher, optional
        Told of new bars.
    hub : StreamHub, optional
        Serves subscriptions.
    chain : ChainSource, optional
        Serves blockchain data.
    defaults : MarketDataDefaults

    Examples
    --------
    >>> from algotrendy.compute import wait_for
    >>> from algotrendy.services import Platform
    >>> service = Platform.local().market_data
    >>> bars = wait_for(service.get_historical_data("NASDAQ", "max", "1d", source="sample", asset_type="index"))
    >>> len(bars), "rsi" in bars.columns
    (5031, True)
    """

    def __init__(
        self,
        data_manager: BarLoader,
        *,
        cache: FrameCache | None = None,
        kafka_producer: Publisher | None = None,
        hub: StreamHub | None = None,
        chain: ChainSource | None = None,
        defaults: MarketDataDefaults | None = None,
    ) -> None:
        self.data_manager, self.cache, self.kafka_producer = data_manager, cache, kafka_producer
        self._hub, self._chain, self._defaults = hub, chain, defaults or MarketDataDefaults()
        self._newest: dict[tuple[str, str], LoadedBars] = {}

    async def get_historical_data(
        self,
        symbol: str,
        period: str | None = None,
        interval: str = "1d",
        chart_style: str = "time",
        **options: Any,
    ) -> pd.DataFrame:
        """Return bars of a symbol with technical indicators.

        Parameters
        ----------
        symbol : str
            A ticker, a pair such as `BTC/USDT` or `BTC-USDT`, or an instrument id.
        period : str, optional
            `5d 6mo 1y ytd max`; one year if neither it nor `start` is given.
        interval : str
            Length of a bar: `1m 1h 1d 1wk 1mo`.
        chart_style : str
            `time`, or another style of `algotrendy.charts`.
        **options
            `source`, `start`, `end`, `adjusted`, `asset_type`, `chart_params` (a mapping), `indicators` (False: only
            bars).

        Returns
        -------
        DataFrame
            The columns of the style, and the fields of `TechnicalIndicators`: NaN while one warms up.

        Raises
        ------
        InputError, ConfigError, DataError, VenueError
            As `at.load`.
        """
        asked = _Asked.of(options, self._defaults)
        bars = await self._bars(symbol, period, interval, asked)
        if chart_style != "time":
            bars = await self.apply_chart_style(bars, chart_style, asked.chart_params)
        if not asked.indicators:
            return bars
        return pd.concat([bars, indicator_columns(bars)], axis=1)

    async def get_batch(
        self, symbols: Sequence[str], period: str | None = None, interval: str = "1d", **options: Any
    ) -> Loaded:
        """Return bars of several symbols; those that failed stand in `failures` by symbol.

        Takes the options of `get_historical_data` that concern bars. Nothing is raised for a single symbol.
        """
        asked = _Asked.of(options, self._defaults)
        requests = self._requests(symbols, period, interval, asked)
        found, failures = await self.data_manager.load_many(requests, asked.source)
        for symbol, each in found.items():
            await self._arrived(symbol, interval, each)
        return Loaded({symbol: each.bars for symbol, each in found.items()}, failures)

    async def get_blockchain_data(
        self, chain_id: int, token_address: str, start_date: str, end_date: str
    ) -> pd.DataFrame:
        """Return daily prices of a token on a chain.

        Parameters
        ----------
        chain_id : int
            The number of the chain: 1 is Ethereum.
        token_address : str
            The address of the token's contract.
        start_date, end_date : str
            The first and the last date.
        """
        return await self._chain_source().get_blockchain_data(chain_id, token_address, start_date, end_date)

    async def get_wallet_balances(self, chain_id: int, wallet_address: str) -> dict[str, Any]:
        """Return what a wallet holds on a chain."""
        return await self._chain_source().get_wallet_balances(chain_id, wallet_address)

    async def subscribe_realtime(
        self, symbols: Sequence[str], callback: Callable[[Any], Any], fields: Sequence[str] | None = None
    ) -> str:
        """Send each new tick of some symbols to `callback` and return the id of the subscription.

        Parameters
        ----------
        symbols : sequence of str
        callback : callable
            Takes one tick; may be asynchronous. A slow one loses the oldest ticks, which are counted.
        fields : sequence of str, optional
            `price`, `volume`, ...: which parts of a tick are wanted.
        """
        return await self._streams().subscribe(symbols, callback, fields)

    async def cancel_subscription(self, subscription_id: str) -> None:
        """End a subscription; one that has ended already is an error."""
        await self._streams().cancel(subscription_id)

    async def apply_chart_style(
        self, df: pd.DataFrame, chart_style: str, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return bars or trades in another chart style.

        Parameters
        ----------
        df : DataFrame
            Bars, or trades with the columns `price` and `size`.
        chart_style : str
            A name of `algotrendy.charts.STYLES`.
        params : mapping, optional
            The parameters of the style: `{"size": 1.0}` for renko.
        """
        from algotrendy.charts import chart

        named = {_WORDS_OF_OLD.get(name, name): value for name, value in (params or {}).items()}
        return await asyncio.to_thread(chart, df, chart_style, **named)

    async def get_quality(
        self, symbol: str, period: str | None = None, interval: str = "1d", **options: Any
    ) -> QualityReport:
        """Return what is suspicious about the bars of a symbol, and a score."""
        from algotrendy.data.quality import check_quality

        bars = await self._bars(symbol, period, interval, _Asked.of(options, self._defaults))
        return await asyncio.to_thread(check_quality, bars, interval=interval)

    def freshness(self, symbol: str, interval: str = "1d", *, limit_seconds: float | None = None) -> Freshness:
        """Return how new the bars are that were loaded last for a symbol.

        Parameters
        ----------
        symbol, interval : str
            As they were asked for.
        limit_seconds : float, optional
            The age above which they count as stale.

        Raises
        ------
        DataError
            If none were loaded here.
        """
        if (symbol, interval) not in self._newest:
            raise DataError(f"no {interval} bars of {symbol} were loaded here yet; ask for its history first")
        loaded = self._newest[symbol, interval]
        return measure_freshness(
            loaded.bars,
            interval=loaded.key.interval,
            source=loaded.key.source,
            fetched_at=loaded.fetched_at,
            now=self.data_manager.now(),
            limit=None if limit_seconds is None else pd.Timedelta(seconds=limit_seconds),
        )

    async def close(self) -> None:
        """End all subscriptions and let go of connections."""
        if self._hub is not None:
            await self._hub.close()
        if self.cache is not None:
            await self.cache.close()
        await self.data_manager.close()

    async def _bars(self, symbol: str, period: str | None, interval: str, asked: _Asked) -> pd.DataFrame:
        async def fetch() -> pd.DataFrame:
            (request,) = self._requests([symbol], period, interval, asked)
            loaded = await self.data_manager.load(request, asked.source)
            await self._arrived(symbol, interval, loaded)
            return loaded.bars

        if self.cache is None:
            return await fetch()
        name = "|".join(map(str, (symbol, period, interval, *asked.what_bars)))
        ttl, stale = self._defaults.ttl_seconds, self._defaults.stale_seconds
        return (await self.cache.get_or_fetch(name, fetch, ttl=ttl, stale=stale)).bars

    def _requests(self, symbols: Sequence[str], period: str | None, interval: str, asked: _Asked) -> list[BarsRequest]:
        wanted = None if asked.start is not None else period or DEFAULT_PERIOD
        return requests_for(
            symbols,
            span_of(asked.start, asked.end, wanted, self.data_manager.now()),
            interval=interval,
            adjusted=adjusted_of(asked.adjusted, self.data_manager.provider(asked.source).capabilities),
            asset_class=asked.asset_type,
        )

    async def _arrived(self, symbol: str, interval: str, loaded: LoadedBars) -> None:
        self._newest[symbol, interval] = loaded
        if self.kafka_producer is not None and loaded.served_from == "provider":
            newest = {"source": loaded.key.source, "rows": len(loaded.bars), "last": str(loaded.bars.index[-1])}
            await self.kafka_producer.publish("market.data.received", loaded.key.instrument, newest)

    def _streams(self) -> StreamHub:
        if self._hub is None:
            raise ConfigError("no stream is set up; hand a StreamHub to the service, or to Platform.local(hub=...)")
        return self._hub

    def _chain_source(self) -> ChainSource:
        if self._chain is None:
            raise ConfigError(
                "no blockchain provider is set up; hand one to the service, such as providers.get('covalent')"
            )
        return self._chain


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The options of a call, checked."""

    source: str
    start: Time | None = None
    end: Time | None = None
    adjusted: str | None = None
    asset_type: str | AssetClass = AssetClass.STOCK
    chart_params: Mapping[str, Any] = field(default_factory=dict)
    indicators: bool = True

    @classmethod
    def of(cls, options: Mapping[str, Any], defaults: MarketDataDefaults) -> _Asked:
        """Take the options of a call; raises TypeError for one that does not exist, as a call does."""
        return cls(**{"source": defaults.source, **options})

    @property
    def what_bars(self) -> tuple[object, ...]:
        """What tells one history from another, besides its symbol."""
        return self.source, self.start, self.end, self.adjusted, self.asset_type
