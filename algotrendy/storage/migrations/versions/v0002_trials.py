"""The ledger of trials."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TIME = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "trials",
        sa.Column("data_hash", sa.String(128), nullable=False),
        sa.Column("definition_hash", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("n_trials", sa.BigInteger, nullable=False),
        sa.Column("effective_trials", sa.Double, nullable=False),
        sa.Column("sharpe_mean", sa.Double, nullable=True, comment="per period; NULL is unknown"),
        sa.Column("sharpe_variance", sa.Double, nullable=True),
        sa.Column("best_sharpe", sa.Double, nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("data_hash", "definition_hash", name="pk_trials"),
    )
