"""What outlives a process: strategies, deployments, results, jobs, trials, limits, alerts, in SQLite or PostgreSQL.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.storage.alerts import SqlAlerts
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
    from algotrendy.storage.records import Page
    from algotrendy.storage.reservations import SqlReservations
    from algotrendy.storage.results import ResultStore, StoredResult
    from algotrendy.storage.risk_limits import SqlLimits
    from algotrendy.storage.schema import upgrade
    from algotrendy.storage.strategies import StoredStrategy, StrategyStatus, StrategyStore
    from algotrendy.storage.unit_of_work import UnitOfWork

__all__ = [
    "Database",
    "Deployment",
    "DeploymentStatus",
    "DeploymentStore",
    "Job",
    "JobStatus",
    "JobStore",
    "Page",
    "ResultStore",
    "SqlAlerts",
    "SqlLimits",
    "SqlReservations",
    "SqlTrialLedger",
    "StoredResult",
    "StoredStrategy",
    "StrategyStatus",
    "StrategyStore",
    "TradingMode",
    "Transactions",
    "UnitOfWork",
    "default_url",
    "id_of",
    "new_id",
    "upgrade",
    "uuid_of",
]

_HOMES = {
    "Database": ".database",
    "Deployment": ".deployments",
    "DeploymentStatus": ".deployments",
    "DeploymentStore": ".deployments",
    "Job": ".jobs",
    "JobStatus": ".jobs",
    "JobStore": ".jobs",
    "Page": ".records",
    "ResultStore": ".results",
    "SqlAlerts": ".alerts",
    "SqlLimits": ".risk_limits",
    "SqlReservations": ".reservations",
    "SqlTrialLedger": ".ledger",
    "StoredResult": ".results",
    "StoredStrategy": ".strategies",
    "StrategyStatus": ".strategies",
    "StrategyStore": ".strategies",
    "TradingMode": ".deployments",
    "Transactions": ".database",
    "UnitOfWork": ".unit_of_work",
    "default_url": ".database",
    "id_of": ".ids",
    "new_id": ".ids",
    "upgrade": ".schema",
    "uuid_of": ".ids",
}

__getattr__ = lazy_names(__name__, _HOMES)
