"""Portfolios: what they hold, what happened in them, rebalancing, performance, reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

TIME = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
EXACT = sa.Text().with_variant(sa.Numeric(28, 10), "postgresql")
WHOLE = sa.Text().with_variant(sa.Numeric(), "postgresql")
JSON = sa.Text().with_variant(postgresql.JSON(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _portfolios()
    _positions()
    _trades()
    _cash()
    _actions()
    _lots()
    _rebalances()
    _performance()
    _reports()


def _portfolios() -> None:
    """Make the tables of portfolios."""
    op.create_table(
        "portfolios",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=True),
        sa.Column("initial_capital", EXACT, nullable=False),
        sa.Column("current_value", WHOLE, nullable=True, comment="of the last valuation"),
        sa.Column("currency", sa.String(10), nullable=False),
        sa.Column("risk_profile", sa.String(20), nullable=False),
        sa.Column("strategies", JSON, nullable=False),
        sa.Column("lot_method", sa.String(20), nullable=False),
        sa.Column("time_zone", sa.String(50), nullable=False, comment="in which the day of a fill is counted"),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer, nullable=False, comment="1, 2, ...; grows with every change of the settings"),
        sa.Column("last_number", sa.BigInteger, nullable=False, comment="of the last trade or movement of cash"),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("valued_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_portfolios"),
    )


def _positions() -> None:
    """Make the table of positions."""
    op.create_table(
        "positions",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("symbol", sa.String(50), nullable=False),
        sa.Column("quantity", WHOLE, nullable=False, comment="below 0 is short"),
        sa.Column("avg_price", WHOLE, nullable=True, comment="with 28 digits; the exact figure is the cost"),
        sa.Column("cost", WHOLE, nullable=False),
        sa.Column("realised", WHOLE, nullable=False),
        sa.Column("commission", WHOLE, nullable=False),
        sa.Column("currency", sa.String(10), nullable=False),
        sa.Column("multiplier", WHOLE, nullable=False),
        sa.Column("current_price", WHOLE, nullable=True, comment="of the last valuation"),
        sa.Column("unrealized_pnl", WHOLE, nullable=True, comment="of the last valuation, in the position's currency"),
        sa.Column("asset_type", sa.String(20), nullable=False),
        sa.Column("last_fill_at", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_positions"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolios.id"], name="fk_positions_portfolio_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("portfolio_id", "symbol", name="uq_positions_portfolio_id"),
    )


def _trades() -> None:
    """Make the table of trades."""
    op.create_table(
        "trades",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False, comment="in the order in which they were recorded"),
        sa.Column("execution_id", sa.String(255), nullable=False),
        sa.Column("client_order_id", sa.String(255), nullable=True),
        sa.Column("strategy", sa.String(255), nullable=True, comment="who wanted it"),
        sa.Column("symbol", sa.String(50), nullable=False),
        sa.Column("side", sa.String(4), nullable=False),
        sa.Column("quantity", WHOLE, nullable=False),
        sa.Column("price", WHOLE, nullable=False),
        sa.Column("commission", WHOLE, nullable=False),
        sa.Column("currency", sa.String(10), nullable=False),
        sa.Column("multiplier", WHOLE, nullable=False),
        sa.Column("lots", JSON, nullable=True, comment="lot to quantity, where a sale names its lots"),
        sa.Column("executed_at", TIME, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trades"),
        sa.ForeignKeyConstraint(["portfolio_id"], ["portfolios.id"], name="fk_trades_portfolio_id", ondelete="CASCADE"),
        sa.UniqueConstraint("execution_id", "portfolio_id", name="uq_trades_execution_id"),
    )
    op.create_index("ix_trades_portfolio_id", "trades", ["portfolio_id", "symbol", "executed_at"])


def _cash() -> None:
    """Make the tables of cash."""
    op.create_table(
        "cash_entries",
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("amount", WHOLE, nullable=False, comment="above 0 came in"),
        sa.Column("currency", sa.String(10), nullable=False),
        sa.Column("reference", sa.String(255), nullable=False),
        sa.Column("idempotency_key", sa.String(255), nullable=True),
        sa.PrimaryKeyConstraint("portfolio_id", "number", "kind", name="pk_cash_entries"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolios.id"], name="fk_cash_entries_portfolio_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("idempotency_key", "portfolio_id", name="uq_cash_entries_idempotency_key"),
    )
    op.create_table(
        "cash_balances",
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("currency", sa.String(10), nullable=False),
        sa.Column("amount", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "currency", name="pk_cash_balances"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolios.id"], name="fk_cash_balances_portfolio_id", ondelete="CASCADE"
        ),
    )


def _actions() -> None:
    """Make the table of corporate actions."""
    op.create_table(
        "corporate_actions",
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("action_id", sa.String(255), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False, comment="in the order in which they were recorded"),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("symbol", sa.String(50), nullable=False),
        sa.Column("effective_at", TIME, nullable=False),
        sa.Column("new_units", sa.BigInteger, nullable=False),
        sa.Column("old_units", sa.BigInteger, nullable=False),
        sa.Column("cash_in_lieu", WHOLE, nullable=True, comment="for a unit; NULL: fractions are held"),
        sa.Column("amount", WHOLE, nullable=False, comment="of a dividend, per unit"),
        sa.Column("currency", sa.String(10), nullable=True, comment="of a dividend; NULL: that of the position"),
        sa.Column("cash", WHOLE, nullable=False, comment="what was booked under it so far"),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "action_id", name="pk_corporate_actions"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolios.id"], name="fk_corporate_actions_portfolio_id", ondelete="CASCADE"
        ),
    )
    op.create_index(
        "ix_corporate_actions_portfolio_id", "corporate_actions", ["portfolio_id", "symbol", "effective_at"]
    )


def _lots() -> None:
    """Make the tables of lots and what was closed of them."""
    op.create_table(
        "lots",
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("symbol", sa.String(50), nullable=False),
        sa.Column("lot_id", sa.String(255), nullable=False, comment="the execution that opened it"),
        sa.Column("place", sa.Integer, nullable=False, comment="among the lots of the symbol, the oldest first"),
        sa.Column("quantity", WHOLE, nullable=False, comment="below 0 is short"),
        sa.Column("cost", WHOLE, nullable=False),
        sa.Column("opened_on", sa.Date, nullable=False),
        sa.Column("currency", sa.String(10), nullable=False),
        sa.Column("multiplier", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "symbol", "lot_id", name="pk_lots"),
        sa.ForeignKeyConstraint(["portfolio_id"], ["portfolios.id"], name="fk_lots_portfolio_id", ondelete="CASCADE"),
    )
    op.create_table(
        "lot_disposals",
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("symbol", sa.String(50), nullable=False),
        sa.Column("place", sa.Integer, nullable=False, autoincrement=False, comment="among those of the symbol"),
        sa.Column("disposal_id", sa.String(511), nullable=False),
        sa.Column("lot_id", sa.String(255), nullable=False),
        sa.Column("quantity", WHOLE, nullable=False, comment="below 0 was short"),
        sa.Column("cost", WHOLE, nullable=False),
        sa.Column("cash", WHOLE, nullable=False, comment="what closing brought, after commission"),
        sa.Column("opened_on", sa.Date, nullable=False),
        sa.Column("closed_on", sa.Date, nullable=False),
        sa.Column("currency", sa.String(10), nullable=False),
        sa.Column("multiplier", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "symbol", "place", name="pk_lot_disposals"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolios.id"], name="fk_lot_disposals_portfolio_id", ondelete="CASCADE"
        ),
    )


def _rebalances() -> None:
    """Make the tables of rebalancing."""
    op.create_table(
        "rebalances",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("plan", JSON, nullable=False),
        sa.Column("last_number", sa.BigInteger, nullable=False, comment="of the portfolio when it was planned"),
        sa.Column("job_id", sa.Uuid, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rebalances"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_rebalances_job_id", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolios.id"], name="fk_rebalances_portfolio_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_rebalances_portfolio_id", "rebalances", ["portfolio_id"])
    op.create_table(
        "rebalance_orders",
        sa.Column("rebalance_id", sa.Uuid, nullable=False),
        sa.Column("client_order_id", sa.String(255), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("execution_ids", JSON, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("rebalance_id", "client_order_id", name="pk_rebalance_orders"),
        sa.ForeignKeyConstraint(
            ["rebalance_id"], ["rebalances.id"], name="fk_rebalance_orders_rebalance_id", ondelete="CASCADE"
        ),
    )


def _performance() -> None:
    """Make the tables of performance."""
    op.create_table(
        "performance_metrics",
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("time", TIME, nullable=False, comment="the day, at midnight UTC"),
        sa.Column("total_value", EXACT, nullable=False, comment="at the end of the day, in the portfolio's currency"),
        sa.Column("flow", EXACT, nullable=False, comment="what the owner brought or took on that day"),
        sa.Column("daily_return", sa.Double, nullable=True, comment="NULL on the first day"),
        sa.Column("cumulative_return", sa.Double, nullable=False),
        sa.Column("drawdown", sa.Double, nullable=False, comment="a loss as a positive fraction"),
        sa.Column("max_drawdown", sa.Double, nullable=False, comment="up to that day"),
        sa.Column("sharpe_ratio", sa.Double, nullable=True, comment="up to that day, per year"),
        sa.Column("volatility", sa.Double, nullable=True, comment="up to that day, per year"),
        sa.PrimaryKeyConstraint("portfolio_id", "time", name="pk_performance_metrics"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolios.id"], name="fk_performance_metrics_portfolio_id", ondelete="CASCADE"
        ),
    )


def _reports() -> None:
    """Make the tables of reports."""
    op.create_table(
        "portfolio_reports",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("report_type", sa.String(50), nullable=False),
        sa.Column("format", sa.String(10), nullable=False),
        sa.Column("options", JSON, nullable=False),
        sa.Column("recipients", JSON, nullable=False),
        sa.Column("delivery", sa.Text, nullable=False, comment="what became of sending it"),
        sa.Column("content", sa.LargeBinary, nullable=True),
        sa.Column("job_id", sa.Uuid, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_portfolio_reports"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_portfolio_reports_job_id", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolios.id"], name="fk_portfolio_reports_portfolio_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_portfolio_reports_portfolio_id", "portfolio_reports", ["portfolio_id"])
