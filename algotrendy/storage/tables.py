"""The tables. A change here needs a migration beside it; a test compares the two on both databases.

No table knows SQL of one database alone: what differs lies in the types.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from algotrendy.storage.ids import PREFIXES
from algotrendy.storage.types import Exact, Json, PrefixedId, Unrounded, UtcTime

__all__ = [
    "backtest_results",
    "cash_balances",
    "cash_entries",
    "corporate_actions",
    "deployments",
    "jobs",
    "lot_disposals",
    "lots",
    "metadata",
    "performance_metrics",
    "portfolio_reports",
    "portfolios",
    "positions",
    "rebalance_orders",
    "rebalances",
    "reservations",
    "risk_alerts",
    "risk_limits",
    "strategies",
    "strategy_versions",
    "trades",
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

portfolios = sa.Table(
    "portfolios",
    metadata,
    _id("portfolios"),
    sa.Column("name", sa.String(255), nullable=False),
    _of("user_id", "users"),
    sa.Column("initial_capital", Exact, nullable=False),
    sa.Column("current_value", Unrounded, nullable=True, comment="of the last valuation"),
    sa.Column("currency", sa.String(10), nullable=False),
    sa.Column("risk_profile", sa.String(20), nullable=False),
    sa.Column("strategies", Json(), nullable=False),
    sa.Column("lot_method", sa.String(20), nullable=False),
    sa.Column("time_zone", sa.String(50), nullable=False, comment="in which the day of a fill is counted"),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("version", sa.Integer, nullable=False, comment="1, 2, ...; grows with every change of the settings"),
    sa.Column("last_number", sa.BigInteger, nullable=False, comment="of the last trade or movement of cash"),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("valued_at", UtcTime, nullable=True),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
)


def _portfolio(*more: Any, **options: Any) -> sa.Column[Any]:
    """Return the column that says whose a row is; such rows end with their portfolio."""
    return sa.Column(
        "portfolio_id",
        PrefixedId(PREFIXES["portfolios"]),
        sa.ForeignKey(portfolios.c.id, ondelete="CASCADE"),
        *more,
        **options,
    )


positions = sa.Table(
    "positions",
    metadata,
    _id("positions"),
    _portfolio(nullable=False),
    sa.Column("symbol", sa.String(50), nullable=False),
    sa.Column("quantity", Unrounded, nullable=False, comment="below 0 is short"),
    sa.Column("avg_price", Unrounded, nullable=True, comment="with 28 digits; the exact figure is the cost"),
    sa.Column("cost", Unrounded, nullable=False),
    sa.Column("realised", Unrounded, nullable=False),
    sa.Column("commission", Unrounded, nullable=False),
    sa.Column("currency", sa.String(10), nullable=False),
    sa.Column("multiplier", Unrounded, nullable=False),
    sa.Column("current_price", Unrounded, nullable=True, comment="of the last valuation"),
    sa.Column("unrealized_pnl", Unrounded, nullable=True, comment="of the last valuation, in the position's currency"),
    sa.Column("asset_type", sa.String(20), nullable=False),
    sa.Column("last_fill_at", UtcTime, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.UniqueConstraint("portfolio_id", "symbol"),
)

trades = sa.Table(
    "trades",
    metadata,
    _id("trades"),
    _portfolio(nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False, comment="in the order in which they were recorded"),
    sa.Column("execution_id", sa.String(255), nullable=False),
    sa.Column("client_order_id", sa.String(255), nullable=True),
    sa.Column("strategy", sa.String(255), nullable=True, comment="who wanted it"),
    sa.Column("symbol", sa.String(50), nullable=False),
    sa.Column("side", sa.String(4), nullable=False),
    sa.Column("quantity", Unrounded, nullable=False),
    sa.Column("price", Unrounded, nullable=False),
    sa.Column("commission", Unrounded, nullable=False),
    sa.Column("currency", sa.String(10), nullable=False),
    sa.Column("multiplier", Unrounded, nullable=False),
    sa.Column("lots", Json(), nullable=True, comment="lot to quantity, where a sale names its lots"),
    sa.Column("executed_at", UtcTime, nullable=False),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.UniqueConstraint("execution_id", "portfolio_id"),
    sa.Index("ix_trades_portfolio_id", "portfolio_id", "symbol", "executed_at"),
)

cash_entries = sa.Table(
    "cash_entries",
    metadata,
    _portfolio(primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("amount", Unrounded, nullable=False, comment="above 0 came in"),
    sa.Column("currency", sa.String(10), nullable=False),
    sa.Column("reference", sa.String(255), nullable=False),
    sa.Column("idempotency_key", sa.String(255), nullable=True),
    sa.UniqueConstraint("idempotency_key", "portfolio_id"),
)

cash_balances = sa.Table(
    "cash_balances",
    metadata,
    _portfolio(primary_key=True),
    sa.Column("currency", sa.String(10), primary_key=True),
    sa.Column("amount", Unrounded, nullable=False),
)

corporate_actions = sa.Table(
    "corporate_actions",
    metadata,
    _portfolio(primary_key=True),
    sa.Column("action_id", sa.String(255), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False, comment="in the order in which they were recorded"),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("symbol", sa.String(50), nullable=False),
    sa.Column("effective_at", UtcTime, nullable=False),
    sa.Column("new_units", sa.BigInteger, nullable=False),
    sa.Column("old_units", sa.BigInteger, nullable=False),
    sa.Column("cash_in_lieu", Unrounded, nullable=True, comment="for a unit; NULL: fractions are held"),
    sa.Column("amount", Unrounded, nullable=False, comment="of a dividend, per unit"),
    sa.Column("currency", sa.String(10), nullable=True, comment="of a dividend; NULL: that of the position"),
    sa.Column("cash", Unrounded, nullable=False, comment="what was booked under it so far"),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Index("ix_corporate_actions_portfolio_id", "portfolio_id", "symbol", "effective_at"),
)

lots = sa.Table(
    "lots",
    metadata,
    _portfolio(primary_key=True),
    sa.Column("symbol", sa.String(50), primary_key=True),
    sa.Column("lot_id", sa.String(255), primary_key=True, comment="the execution that opened it"),
    sa.Column("place", sa.Integer, nullable=False, comment="among the lots of the symbol, the oldest first"),
    sa.Column("quantity", Unrounded, nullable=False, comment="below 0 is short"),
    sa.Column("cost", Unrounded, nullable=False),
    sa.Column("opened_on", sa.Date, nullable=False),
    sa.Column("currency", sa.String(10), nullable=False),
    sa.Column("multiplier", Unrounded, nullable=False),
)

lot_disposals = sa.Table(
    "lot_disposals",
    metadata,
    _portfolio(primary_key=True),
    sa.Column("symbol", sa.String(50), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False, comment="among those of the symbol"),
    sa.Column("disposal_id", sa.String(511), nullable=False),
    sa.Column("lot_id", sa.String(255), nullable=False),
    sa.Column("quantity", Unrounded, nullable=False, comment="below 0 was short"),
    sa.Column("cost", Unrounded, nullable=False),
    sa.Column("cash", Unrounded, nullable=False, comment="what closing brought, after commission"),
    sa.Column("opened_on", sa.Date, nullable=False),
    sa.Column("closed_on", sa.Date, nullable=False),
    sa.Column("currency", sa.String(10), nullable=False),
    sa.Column("multiplier", Unrounded, nullable=False),
)

rebalances = sa.Table(
    "rebalances",
    metadata,
    _id("rebalances"),
    _portfolio(nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("plan", Json(), nullable=False),
    sa.Column("last_number", sa.BigInteger, nullable=False, comment="of the portfolio when it was planned"),
    _of("job_id", "jobs", sa.ForeignKey(jobs.c.id, ondelete="SET NULL")),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Index("ix_rebalances_portfolio_id", "portfolio_id"),
)

rebalance_orders = sa.Table(
    "rebalance_orders",
    metadata,
    sa.Column(
        "rebalance_id",
        PrefixedId(PREFIXES["rebalances"]),
        sa.ForeignKey(rebalances.c.id, ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("client_order_id", sa.String(255), primary_key=True),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("execution_ids", Json(), nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
)

performance_metrics = sa.Table(
    "performance_metrics",
    metadata,
    _portfolio(primary_key=True),
    sa.Column("time", UtcTime, primary_key=True, comment="the day, at midnight UTC"),
    sa.Column("total_value", Exact, nullable=False, comment="at the end of the day, in the portfolio's currency"),
    sa.Column("flow", Exact, nullable=False, comment="what the owner brought or took on that day"),
    sa.Column("daily_return", sa.Double, nullable=True, comment="NULL on the first day"),
    sa.Column("cumulative_return", sa.Double, nullable=False),
    sa.Column("drawdown", sa.Double, nullable=False, comment="a loss as a positive fraction"),
    sa.Column("max_drawdown", sa.Double, nullable=False, comment="up to that day"),
    sa.Column("sharpe_ratio", sa.Double, nullable=True, comment="up to that day, per year"),
    sa.Column("volatility", sa.Double, nullable=True, comment="up to that day, per year"),
)

portfolio_reports = sa.Table(
    "portfolio_reports",
    metadata,
    _id("portfolio_reports"),
    _portfolio(nullable=False),
    sa.Column("report_type", sa.String(50), nullable=False),
    sa.Column("format", sa.String(10), nullable=False),
    sa.Column("options", Json(), nullable=False),
    sa.Column("recipients", Json(), nullable=False),
    sa.Column("delivery", sa.Text, nullable=False, comment="what became of sending it"),
    sa.Column("content", sa.LargeBinary, nullable=True),
    _of("job_id", "jobs", sa.ForeignKey(jobs.c.id, ondelete="SET NULL")),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime, nullable=True),
    sa.Index("ix_portfolio_reports_portfolio_id", "portfolio_id"),
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
