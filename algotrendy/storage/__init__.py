"""What outlives a process, in SQLite or PostgreSQL: strategies, results, jobs, trials, portfolios, limits, alerts.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.storage.accounts import AccountStore
    from algotrendy.storage.alerts import SqlAlerts
    from algotrendy.storage.booking import Trade, lot_book
    from algotrendy.storage.database import Database, Transactions, default_url
    from algotrendy.storage.deployments import (
        Deployment,
        DeploymentStatus,
        DeploymentStore,
        TradingMode,
    )
    from algotrendy.storage.ids import id_of, new_id, uuid_of
    from algotrendy.storage.jobs import Job, JobStatus, JobStore
    from algotrendy.storage.ledger import SqlTrialLedger
    from algotrendy.storage.performance import PerformanceStore
    from algotrendy.storage.portfolios import PortfolioStatus, PortfolioStore, StoredPortfolio
    from algotrendy.storage.rebalances import RebalanceStore, StoredRebalance
    from algotrendy.storage.records import Page
    from algotrendy.storage.reports import ReportStore, StoredReport
    from algotrendy.storage.reservations import SqlReservations
    from algotrendy.storage.results import ResultStore, StoredResult
    from algotrendy.storage.risk_limits import SqlLimits
    from algotrendy.storage.schema import upgrade
    from algotrendy.storage.strategies import StoredStrategy, StrategyStatus, StrategyStore
    from algotrendy.storage.unit_of_work import UnitOfWork

__all__ = [
    "AccountStore",
    "Database",
    "Deployment",
    "DeploymentStatus",
    "DeploymentStore",
    "Job",
    "JobStatus",
    "JobStore",
    "Page",
    "PerformanceStore",
    "PortfolioStatus",
    "PortfolioStore",
    "RebalanceStore",
    "ReportStore",
    "ResultStore",
    "SqlAlerts",
    "SqlLimits",
    "SqlReservations",
    "SqlTrialLedger",
    "StoredPortfolio",
    "StoredRebalance",
    "StoredReport",
    "StoredResult",
    "StoredStrategy",
    "StrategyStatus",
    "StrategyStore",
    "Trade",
    "TradingMode",
    "Transactions",
    "UnitOfWork",
    "default_url",
    "id_of",
    "lot_book",
    "new_id",
    "upgrade",
    "uuid_of",
]

_HOMES = {
    "AccountStore": ".accounts",
    "Database": ".database",
    "Deployment": ".deployments",
    "DeploymentStatus": ".deployments",
    "DeploymentStore": ".deployments",
    "Job": ".jobs",
    "JobStatus": ".jobs",
    "JobStore": ".jobs",
    "Page": ".records",
    "PerformanceStore": ".performance",
    "PortfolioStatus": ".portfolios",
    "PortfolioStore": ".portfolios",
    "RebalanceStore": ".rebalances",
    "ReportStore": ".reports",
    "ResultStore": ".results",
    "SqlAlerts": ".alerts",
    "SqlLimits": ".risk_limits",
    "SqlReservations": ".reservations",
    "SqlTrialLedger": ".ledger",
    "StoredPortfolio": ".portfolios",
    "StoredRebalance": ".rebalances",
    "StoredReport": ".reports",
    "StoredResult": ".results",
    "StoredStrategy": ".strategies",
    "StrategyStatus": ".strategies",
    "StrategyStore": ".strategies",
    "Trade": ".booking",
    "TradingMode": ".deployments",
    "Transactions": ".database",
    "UnitOfWork": ".unit_of_work",
    "default_url": ".database",
    "id_of": ".ids",
    "lot_book": ".booking",
    "new_id": ".ids",
    "upgrade": ".schema",
    "uuid_of": ".ids",
}

__getattr__ = lazy_names(__name__, _HOMES)
