"""The one place that chooses concrete collaborators: from settings to a platform of services."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algotrendy.compute import executor_of
from algotrendy.config import Settings
from algotrendy.data.cache import MemoryCache, RedisCache, TieredCache
from algotrendy.data.local import Providers, local_loader
from algotrendy.home import default_home, ledger_address
from algotrendy.services.market_data import ChainSource, MarketDataDefaults, MarketDataService, Publisher

if TYPE_CHECKING:
    from algotrendy.backtest.discovery import Proposer
    from algotrendy.backtest.trials import TrialLedger
    from algotrendy.data.cache.port import FrameCache
    from algotrendy.data.stream import StreamHub
    from algotrendy.events import InProcessBus
    from algotrendy.services.backtesting import BacktestingService
    from algotrendy.services.portfolio.service import PortfolioService
    from algotrendy.services.risk.books import PortfolioSource
    from algotrendy.services.risk.engine import RiskEngineService
    from algotrendy.services.strategy_engine import StrategyEngineService
    from algotrendy.services.workers import Workers
    from algotrendy.storage import Database

__all__ = ["Platform"]


@dataclass(frozen=True, kw_only=True)
class Platform:
    """The services of one process, and the settings that they were made from.

    Attributes
    ----------
    settings : Settings
    market_data : MarketDataService
    backtesting : BacktestingService
    strategies : StrategyEngineService
    portfolio : PortfolioService
    risk : RiskEngineService
        Limits, states, alerts and reservations are kept in the database.
    bus : InProcessBus
        What happens in this process, such as alerts.
    workers : Workers
        Who does the jobs of the queue; none before `start_workers`.
    database : Database
        Strategies, deployments, results, jobs, portfolios, limits and alerts; opened when it is first used.

    Examples
    --------
    >>> Platform.local(settings=Settings(source="sample")).settings.source
    'sample'
    """

    settings: Settings
    market_data: MarketDataService
    backtesting: BacktestingService
    strategies: StrategyEngineService
    portfolio: PortfolioService
    risk: RiskEngineService
    bus: InProcessBus
    workers: Workers
    database: Database

    @classmethod
    def local(
        cls,
        *,
        settings: Settings | None = None,
        home: Path | None = None,
        hub: StreamHub | None = None,
        chain: ChainSource | None = None,
        publisher: Publisher | None = None,
        registered: Mapping[str, Any] | None = None,
        proposers: Mapping[str, Proposer] | None = None,
        schema: str | None = None,
        portfolios: PortfolioSource | None = None,
        bus: InProcessBus | None = None,
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
        registered : mapping, optional
            Strategies of the installed program by name, which stored definitions may name: subclasses of `BarStrategy`,
            functions, strategies. Those that installed packages offer as entry points `algotrendy.strategies` are
            known anyway.
        proposers : mapping of str to Proposer, optional
            Who proposes strategies, by the name of the method: `{"ai_agent": ...}`.
        schema : str, optional
            PostgreSQL: the schema of the tables.
        portfolios : PortfolioSource, optional
            Knows portfolios by their identity, for risk. Default: those of the portfolio service.
        bus : InProcessBus, optional
            Told of what happens, and closed with the platform. Default: one of its own.

        Raises
        ------
        InputError
            If an address in the settings is none.
        MissingExtraError
            If a driver that the settings ask for is not installed.
        """
        from algotrendy.jobs import JobQueue
        from algotrendy.services.workers import Workers
        from algotrendy.storage import Database, default_url

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
        url = default_url(home) if chosen.database_url is None else chosen.database_url
        database, told = Database(url, schema=schema), _bus() if bus is None else bus
        risk = _risk(chosen, service, database, portfolios, told)
        portfolio = _portfolio(database, service, told, risk)
        research = _research(chosen, service, home, database, registered=registered, proposers=proposers)
        handlers = {**research["backtesting"].handlers, **portfolio.handlers}
        return cls(
            settings=chosen,
            market_data=service,
            **research,
            portfolio=portfolio,
            risk=risk,
            bus=told,
            workers=Workers(JobQueue(database), handlers, chosen, home, schema=schema),
            database=database,
        )

    def start_workers(self, *, threads: int = 1, processes: int = 0, lease_seconds: float = 30.0) -> None:
        """Start doing the jobs of the queue, in threads of this process or in processes that end with it.

        Parameters
        ----------
        threads, processes : int
            How many of each; one thread by default.
        lease_seconds : float
            After how many seconds of silence another worker may have a job.
        """
        self.workers.start(threads=threads, processes=processes, lease_seconds=lease_seconds)

    async def close(self) -> None:
        """End the workers and close every service; what workers have in hand goes back to the queue."""
        await asyncio.to_thread(self.workers.stop)
        await self.risk.close()
        await self.bus.close()
        await self.market_data.close()
        await asyncio.to_thread(self.database.close)


def _research(
    settings: Settings,
    market_data: MarketDataService,
    home: Path | None,
    database: Database,
    *,
    registered: Mapping[str, Any] | None,
    proposers: Mapping[str, Proposer] | None,
) -> dict[str, Any]:
    """Return what tests strategies and keeps them: nothing is opened before it is used."""
    from algotrendy.jobs import JobQueue
    from algotrendy.services.analysis import AIStrategyDiscovery
    from algotrendy.services.backtesting import BacktestingService
    from algotrendy.services.bars import MarketDataBars
    from algotrendy.services.definitions import registry
    from algotrendy.services.strategy_engine import StrategyEngineService
    from algotrendy.storage import DeploymentStore, ResultStore, StrategyStore

    known = registry(registered)
    strategies, results, queue = StrategyStore(database), ResultStore(database), JobQueue(database)
    backtesting = BacktestingService(
        bars=MarketDataBars(market_data),
        strategies=strategies,
        results=results,
        queue=queue,
        strategy_discovery=AIStrategyDiscovery(proposers),
        registered=known,
        ledger=_ledger(settings, home),
        checkpoints=(default_home() if home is None else home) / "checkpoints",
        workers=settings.workers,
        executor=executor_of(settings),
    )
    engine = StrategyEngineService(
        backtesting=backtesting,
        strategies=strategies,
        deployments=DeploymentStore(database),
        results=results,
        settings=settings,
        registered=known,
    )
    return {"backtesting": backtesting, "strategies": engine}


def _portfolio(
    database: Database, market_data: MarketDataService, bus: InProcessBus, risk: RiskEngineService
) -> PortfolioService:
    """Return what keeps portfolios; orders of a rebalancing are filled on paper, and nobody is sent a report."""
    from algotrendy.jobs import JobQueue
    from algotrendy.services.bars import MarketDataBars
    from algotrendy.services.portfolio.analysis import PerformanceAnalyzer, ReportGenerator
    from algotrendy.services.portfolio.manager import PortfolioManager
    from algotrendy.services.portfolio.prices import MarketPrices
    from algotrendy.services.portfolio.rebalancing import PaperExecutor, PortfolioRebalancer
    from algotrendy.services.portfolio.service import PortfolioService
    from algotrendy.services.risk.own_limits import OwnLimits
    from algotrendy.storage import PerformanceStore, RebalanceStore, ReportStore

    manager = PortfolioManager(database)
    analyzer = PerformanceAnalyzer(manager.accounts, PerformanceStore(database))
    rebalances = RebalanceStore(database)
    return PortfolioService(
        portfolio_manager=manager,
        rebalancer=PortfolioRebalancer(manager.accounts, rebalances, PaperExecutor(), bus=bus, limits=OwnLimits(risk)),
        performance_analyzer=analyzer,
        report_generator=ReportGenerator(analyzer, ReportStore(database)),
        prices=MarketPrices(MarketDataBars(market_data)),
        queue=JobQueue(database),
    )


def _bus() -> InProcessBus:
    from algotrendy.events import InProcessBus

    return InProcessBus()


def _risk(
    settings: Settings,
    market_data: MarketDataService,
    database: Database,
    portfolios: PortfolioSource | None,
    bus: InProcessBus,
) -> RiskEngineService:
    """Return what measures and limits portfolios, by default those that are kept; what it keeps is in the database."""
    from algotrendy.risk.alerts import AlertManager
    from algotrendy.risk.limits import LimitManager
    from algotrendy.services.portfolio.analysis import StoredPortfolios
    from algotrendy.services.risk.books import MarketDataCloses
    from algotrendy.services.risk.engine import RiskEngineService
    from algotrendy.storage import (
        AccountStore,
        PerformanceStore,
        PortfolioStore,
        SqlAlerts,
        SqlLimits,
        SqlReservations,
    )

    kept = StoredPortfolios(AccountStore(database), PerformanceStore(database))
    is_sample = settings.source == "sample"  # ends in 2018: the last two years have nothing
    return RiskEngineService(
        limit_manager=LimitManager(store=SqlLimits(database), profile_of=PortfolioStore(database).risk_profile),
        alert_manager=AlertManager(store=SqlAlerts(database), publish=bus.send),
        reservations=SqlReservations(database),
        source=kept if portfolios is None else portfolios,
        closes=MarketDataCloses(market_data, "max" if is_sample else "2y"),
        benchmark="SP500" if is_sample else "SPY",
        bus=bus,
    )


def _ledger(settings: Settings, home: Path | None) -> TrialLedger | None:
    """Return what counts trials, as the settings say; it is opened when it is first used."""
    if settings.ledger is False:
        return None
    from algotrendy.storage import SqlTrialLedger

    if settings.ledger is True and home is not None:
        return SqlTrialLedger(f"sqlite:///{home / 'ledger.db'}")
    return SqlTrialLedger(ledger_address(settings.ledger))


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
