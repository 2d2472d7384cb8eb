"""The tables. A change here needs a migration beside it; a test compares the two on both databases.

No table knows SQL of one database alone: what differs lies in the types.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from algotrendy.storage.ids import PREFIXES
from algotrendy.storage.types import Exact, Json, PrefixedId, UtcTime

__all__ = [
    "backtest_results",
    "deployments",
    "jobs",
    "metadata",
    "reservations",
    "risk_alerts",
    "risk_limits",
    "strategies",
    "strategy_versions",
    "trading_states",
    "trials",
]

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def _id(table: str) -> sa.Column[Any]:
    return sa.Column("id", PrefixedId(PREFIXES[table]), primary_key=True)


def _of(name: str, table: str, *more: Any, nullable: bool = True, **options: Any) -> sa.Column[Any]:
    """Return a column that names a row of a table."""
    return sa.Column(name, PrefixedId(PREFIXES[table]), *more, nullable=nullable, **options)


def _description() -> list[sa.Column[Any]]:
    """Return the columns that a strategy and each of its versions have."""
    return [
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("asset_class", sa.String(20), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("parameters", Json(is_binary=True), nullable=False),
        sa.Column("definition", Json(), nullable=True, comment="conditions in the expression language; this runs"),
        sa.Column("code", sa.Text, nullable=True, comment="kept for people to read; never executed"),
    ]


strategies = sa.Table(
    "strategies",
    metadata,
    _id("strategies"),
    sa.Column("version", sa.Integer, nullable=False, comment="1, 2, ...; grows with every change"),
    *_description(),
    _of("created_by", "users"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
)

strategy_versions = sa.Table(
    "strategy_versions",
    metadata,
    sa.Column(
        "strategy_id",
        PrefixedId(PREFIXES["strategies"]),
        sa.ForeignKey(strategies.c.id, ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    *_description(),
    sa.Column("created_at", UtcTime, nullable=False, comment="when this version was written"),
)

deployments = sa.Table(
    "deployments",
    metadata,
    _id("deployments"),
    _of("strategy_id", "strategies", sa.ForeignKey(strategies.c.id, ondelete="RESTRICT"), nullable=False),
    sa.Column("strategy_version", sa.Integer, nullable=False),
    _of("portfolio_id", "portfolios", nullable=False),
    sa.Column("mode", sa.String(10), nullable=False, comment="paper or live"),
    sa.Column("allocation", Exact, nullable=False, comment="share of the portfolio, in (0, 1]"),
    sa.Column("risk_limits", Json(), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("message", sa.Text, nullable=True, comment="why it stopped or failed"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("started_at", UtcTime, nullable=True),
    sa.Column("stopped_at", UtcTime, nullable=True),
    sa.Index("ix_deployments_strategy_id", "strategy_id"),
    sa.Index("ix_deployments_portfolio_id", "portfolio_id"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    _id("jobs"),
    sa.Column("kind", sa.String(100), nullable=False),
    sa.Column("idempotency_key", sa.String(255), nullable=True),
    sa.Column("payload", Json(), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False, comment="larger ones first"),
    sa.Column("due_at", UtcTime, nullable=False, comment="when a worker may take it; while it runs: end of the lease"),
    sa.Column("attempts", sa.Integer, nullable=False, comment="how many times a worker took it"),
    sa.Column("attempts_max", sa.Integer, nullable=False),
    sa.Column("lease", sa.Uuid, nullable=True, comment="of the worker that has it; a new one each time"),
    sa.Column("worker", sa.Text, nullable=True, comment="who had it last"),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Column("progress_done", sa.Double, nullable=True),
    sa.Column("progress_total", sa.Double, nullable=True),
    sa.Column("progress_message", sa.Text, nullable=True),
    sa.Column("expected_at", UtcTime, nullable=True, comment="when it will be done, as far as one can tell"),
    sa.Column("checkpoint", Json(), nullable=True),
    sa.Column("result", Json(), nullable=True),
    sa.Column("error", sa.Text, nullable=True, comment="of the last attempt that failed"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("started_at", UtcTime, nullable=True, comment="of the last attempt"),
    sa.Column("finished_at", UtcTime, nullable=True),
    sa.UniqueConstraint("kind", "idempotency_key"),
    sa.Index("ix_jobs_status", "status", "due_at"),
)

backtest_results = sa.Table(
    "backtest_results",
    metadata,
    _id("backtest_results"),
    sa.Column("kind", sa.String(50), nullable=False),
    sa.Column("content_hash", sa.String(128), nullable=False, comment="of bars, definition and assumptions"),
    _of("strategy_id", "strategies", sa.ForeignKey(strategies.c.id, ondelete="SET NULL")),
    sa.Column("strategy_version", sa.Integer, nullable=True),
    _of("job_id", "jobs", sa.ForeignKey(jobs.c.id, ondelete="SET NULL")),
    sa.Column("definition", Json(), nullable=False),
    sa.Column("assumptions", Json(), nullable=False),
    sa.Column("metrics", Json(), nullable=False),
    sa.Column("path", sa.Text, nullable=True, comment="of the saved result, if it lies in a file"),
    sa.Column("document", sa.LargeBinary, nullable=True, comment="the saved result, if it lies here"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("ix_backtest_results_content_hash", "content_hash"),
    sa.Index("ix_backtest_results_strategy_id", "strategy_id"),
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("data_hash", sa.String(128), primary_key=True),
    sa.Column("definition_hash", sa.String(128), primary_key=True),
    sa.Column("kind", sa.String(50), nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("n_trials", sa.BigInteger, nullable=False),
    sa.Column("effective_trials", sa.Double, nullable=False),
    sa.Column("sharpe_mean", sa.Double, nullable=True, comment="per period; NULL is unknown"),
    sa.Column("sharpe_variance", sa.Double, nullable=True),
    sa.Column("best_sharpe", sa.Double, nullable=True),
    sa.Column("at", UtcTime, nullable=False),
)

reservations = sa.Table(
    "reservations",
    metadata,
    _id("reservations"),
    _of("portfolio_id", "portfolios", nullable=False),
    sa.Column("client_order_id", sa.String(255), nullable=True),
    sa.Column("symbol", sa.String(50), nullable=False),
    sa.Column("side", sa.String(4), nullable=False),
    sa.Column("quantity", Exact, nullable=False),
    sa.Column("limit_price", Exact, nullable=True),
    sa.Column("remaining", Exact, nullable=False, comment="of the quantity, what is still held"),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=True, comment="NULL: never by itself"),
    sa.Column("finished_at", UtcTime, nullable=True),
    sa.UniqueConstraint("portfolio_id", "client_order_id"),
    sa.Index("ix_reservations_portfolio_id", "portfolio_id", "status"),
)

risk_limits = sa.Table(
    "risk_limits",
    metadata,
    _of("portfolio_id", "portfolios", primary_key=True, nullable=False),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False, comment="1, 2, ...; the newest counts"),
    sa.Column("limits", Json(), nullable=False, comment="a list; each limit is a text, so that no digit is lost"),
    sa.Column("profile", sa.String(20), nullable=True, comment="the risk profile that they were taken from"),
    sa.Column("updated_by", sa.String(255), nullable=True),
    sa.Column("updated_at", UtcTime, nullable=False),
)

trading_states = sa.Table(
    "trading_states",
    metadata,
    _of("portfolio_id", "portfolios", primary_key=True, nullable=False),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False, comment="1, 2, ...; the newest counts"),
    sa.Column("state", sa.String(20), nullable=False, comment="active, reducing or halted"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("set_by", sa.String(255), nullable=True),
    sa.Column("set_at", UtcTime, nullable=False),
)

risk_alerts = sa.Table(
    "risk_alerts",
    metadata,
    _id("risk_alerts"),
    sa.Column("rule_id", sa.String(255), nullable=False),
    _of("portfolio_id", "portfolios", nullable=False),
    sa.Column("measure", sa.String(100), nullable=False),
    sa.Column("value", sa.Double, nullable=False, comment="when it was raised"),
    sa.Column("worst", sa.Double, nullable=False, comment="since then"),
    sa.Column("level", sa.Double, nullable=False, comment="of the rule at that time"),
    sa.Column("severity", sa.String(20), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("raised_at", UtcTime, nullable=False),
    sa.Column("acknowledged_at", UtcTime, nullable=True),
    sa.Column("resolved_at", UtcTime, nullable=True),
    sa.Column("acknowledged_by", sa.String(255), nullable=True),
    sa.Index("ix_risk_alerts_portfolio_id", "portfolio_id", "status"),
)
