"""The one place that chooses concrete collaborators: from settings to a platform of services."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algotrendy.config import Settings
from algotrendy.data.cache import MemoryCache, RedisCache, TieredCache
from algotrendy.data.local import Providers, local_loader
from algotrendy.services.market_data import ChainSource, MarketDataDefaults, MarketDataService, Publisher

if TYPE_CHECKING:
    from algotrendy.data.cache.port import FrameCache
    from algotrendy.data.stream import StreamHub

__all__ = ["Platform"]


@dataclass(frozen=True, kw_only=True)
class Platform:
    """The services of one process, and the settings that they were made from.

    Attributes
    ----------
    settings : Settings
    market_data : MarketDataService

    Examples
    --------
    >>> Platform.local(settings=Settings(source="sample")).settings.source
    'sample'
    """

    settings: Settings
    market_data: MarketDataService

    @classmethod
    def local(
        cls,
        *,
        settings: Settings | None = None,
        home: Path | None = None,
        hub: StreamHub | None = None,
        chain: ChainSource | None = None,
        publisher: Publisher | None = None,
    ) -> Platform:
        """Return a platform as the settings say: by default Parquet files and a cache in memory, no service needed.

        Parameters
        ----------
        settings : Settings, optional
            Default: from the environment.
        home : path, optional
            The folder for caches. Default: `ALGOTRENDY_HOME`.
        hub : StreamHub, optional
            For subscriptions.
        chain : ChainSource, optional
            For blockchain data. Default: Covalent, made when it is first asked.
        publisher : Publisher, optional
            Told of new bars.

        Raises
        ------
        InputError
            If an address in the settings is none.
        MissingExtraError
            If a driver that the settings ask for is not installed.
        """
        chosen = Settings() if settings is None else settings
        providers = Providers()
        service = MarketDataService(
            local_loader(chosen, home, providers=providers),
            cache=_cache(chosen),
            kafka_producer=publisher,
            hub=hub,
            chain=_OnDemand(providers) if chain is None else chain,
            defaults=MarketDataDefaults(source=chosen.source),
        )
        return cls(settings=chosen, market_data=service)

    async def close(self) -> None:
        """Close every service."""
        await self.market_data.close()


def _cache(settings: Settings) -> FrameCache:
    memory = MemoryCache(settings.cache_bytes)
    return memory if settings.redis_url is None else TieredCache(memory, RedisCache(settings.redis_url))


class _OnDemand:
    """Blockchain data from Covalent, whose key is wanted only once it is asked."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    async def get_blockchain_data(self, chain_id: int, token_address: str, start_date: str, end_date: str) -> Any:
        """Return daily prices of a token."""
        covalent: Any = self._providers("covalent")
        return await covalent.get_blockchain_data(chain_id, token_address, start_date, end_date)

    async def get_wallet_balances(self, chain_id: int, wallet_address: str) -> dict[str, Any]:
        """Return what a wallet holds."""
        covalent: Any = self._providers("covalent")
        balances: dict[str, Any] = await covalent.get_wallet_balances(chain_id, wallet_address)
        return balances
