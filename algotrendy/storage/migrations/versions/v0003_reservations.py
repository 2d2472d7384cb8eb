"""Reservations of room under the limits of a portfolio."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TIME = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
EXACT = sa.Text().with_variant(sa.Numeric(28, 10), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "reservations",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("client_order_id", sa.String(255), nullable=True),
        sa.Column("symbol", sa.String(50), nullable=False),
        sa.Column("side", sa.String(4), nullable=False),
        sa.Column("quantity", EXACT, nullable=False),
        sa.Column("limit_price", EXACT, nullable=True),
        sa.Column("remaining", EXACT, nullable=False, comment="of the quantity, what is still held"),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=True, comment="NULL: never by itself"),
        sa.Column("finished_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_reservations"),
        sa.UniqueConstraint("portfolio_id", "client_order_id", name="uq_reservations_portfolio_id"),
    )
    op.create_index("ix_reservations_portfolio_id", "reservations", ["portfolio_id", "status"])
