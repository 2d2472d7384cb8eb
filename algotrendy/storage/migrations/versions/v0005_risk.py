"""Limits and trading states of portfolios, version by version, and alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

TIME = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.Text().with_variant(postgresql.JSON(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "risk_limits",
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, autoincrement=False, comment="1, 2, ...; the newest counts"),
        sa.Column("limits", JSON, nullable=False, comment="a list; each limit is a text, so that no digit is lost"),
        sa.Column("profile", sa.String(20), nullable=True, comment="the risk profile that they were taken from"),
        sa.Column("updated_by", sa.String(255), nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "version", name="pk_risk_limits"),
    )
    op.create_table(
        "trading_states",
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, autoincrement=False, comment="1, 2, ...; the newest counts"),
        sa.Column("state", sa.String(20), nullable=False, comment="active, reducing or halted"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("set_by", sa.String(255), nullable=True),
        sa.Column("set_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "version", name="pk_trading_states"),
    )
    op.create_table(
        "risk_alerts",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("rule_id", sa.String(255), nullable=False),
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("measure", sa.String(100), nullable=False),
        sa.Column("value", sa.Double, nullable=False, comment="when it was raised"),
        sa.Column("worst", sa.Double, nullable=False, comment="since then"),
        sa.Column("level", sa.Double, nullable=False, comment="of the rule at that time"),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("raised_at", TIME, nullable=False),
        sa.Column("acknowledged_at", TIME, nullable=True),
        sa.Column("resolved_at", TIME, nullable=True),
        sa.Column("acknowledged_by", sa.String(255), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_risk_alerts"),
    )
    op.create_index("ix_risk_alerts_portfolio_id", "risk_alerts", ["portfolio_id", "status"])
