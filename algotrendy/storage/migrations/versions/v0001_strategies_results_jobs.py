"""Strategies with their versions, deployments, results of backtests, jobs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

TIME = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.Text().with_variant(postgresql.JSON(), "postgresql")
JSONB = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
EXACT = sa.Text().with_variant(sa.Numeric(28, 10), "postgresql")


def _description() -> list[sa.Column[Any]]:
    return [
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("asset_class", sa.String(20), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("parameters", JSONB, nullable=False),
        sa.Column("definition", JSON, nullable=True, comment="conditions in the expression language; this runs"),
        sa.Column("code", sa.Text, nullable=True, comment="kept for people to read; never executed"),
    ]


def upgrade() -> None:
    """Make the tables."""
    _strategies()
    _deployments()
    _jobs()
    _results()


def _strategies() -> None:
    op.create_table(
        "strategies",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, comment="1, 2, ...; grows with every change"),
        *_description(),
        sa.Column("created_by", sa.Uuid, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_strategies"),
    )
    op.create_table(
        "strategy_versions",
        sa.Column("strategy_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        *_description(),
        sa.Column("created_at", TIME, nullable=False, comment="when this version was written"),
        sa.PrimaryKeyConstraint("strategy_id", "version", name="pk_strategy_versions"),
        sa.ForeignKeyConstraint(
            ["strategy_id"], ["strategies.id"], name="fk_strategy_versions_strategy_id", ondelete="CASCADE"
        ),
    )


def _deployments() -> None:
    op.create_table(
        "deployments",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("strategy_id", sa.Uuid, nullable=False),
        sa.Column("strategy_version", sa.Integer, nullable=False),
        sa.Column("portfolio_id", sa.Uuid, nullable=False),
        sa.Column("mode", sa.String(10), nullable=False, comment="paper or live"),
        sa.Column("allocation", EXACT, nullable=False, comment="share of the portfolio, in (0, 1]"),
        sa.Column("risk_limits", JSON, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("message", sa.Text, nullable=True, comment="why it stopped or failed"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("stopped_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_deployments"),
        sa.ForeignKeyConstraint(
            ["strategy_id"], ["strategies.id"], name="fk_deployments_strategy_id", ondelete="RESTRICT"
        ),
    )
    op.create_index("ix_deployments_strategy_id", "deployments", ["strategy_id"])
    op.create_index("ix_deployments_portfolio_id", "deployments", ["portfolio_id"])


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("idempotency_key", sa.String(255), nullable=True),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False, comment="larger ones first"),
        sa.Column("due_at", TIME, nullable=False, comment="when a worker may take it; while it runs: end of the lease"),
        sa.Column("attempts", sa.Integer, nullable=False, comment="how many times a worker took it"),
        sa.Column("attempts_max", sa.Integer, nullable=False),
        sa.Column("lease", sa.Uuid, nullable=True, comment="of the worker that has it; a new one each time"),
        sa.Column("worker", sa.Text, nullable=True, comment="who had it last"),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("progress_done", sa.Double, nullable=True),
        sa.Column("progress_total", sa.Double, nullable=True),
        sa.Column("progress_message", sa.Text, nullable=True),
        sa.Column("expected_at", TIME, nullable=True, comment="when it will be done, as far as one can tell"),
        sa.Column("checkpoint", JSON, nullable=True),
        sa.Column("result", JSON, nullable=True),
        sa.Column("error", sa.Text, nullable=True, comment="of the last attempt that failed"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME, nullable=True, comment="of the last attempt"),
        sa.Column("finished_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("kind", "idempotency_key", name="uq_jobs_kind"),
    )
    op.create_index("ix_jobs_status", "jobs", ["status", "due_at"])


def _results() -> None:
    op.create_table(
        "backtest_results",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("content_hash", sa.String(128), nullable=False, comment="of bars, definition and assumptions"),
        sa.Column("strategy_id", sa.Uuid, nullable=True),
        sa.Column("strategy_version", sa.Integer, nullable=True),
        sa.Column("job_id", sa.Uuid, nullable=True),
        sa.Column("definition", JSON, nullable=False),
        sa.Column("assumptions", JSON, nullable=False),
        sa.Column("metrics", JSON, nullable=False),
        sa.Column("path", sa.Text, nullable=True, comment="of the saved result, if it lies in a file"),
        sa.Column("document", sa.LargeBinary, nullable=True, comment="the saved result, if it lies here"),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_backtest_results"),
        sa.ForeignKeyConstraint(
            ["strategy_id"], ["strategies.id"], name="fk_backtest_results_strategy_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_backtest_results_job_id", ondelete="SET NULL"),
    )
    op.create_index("ix_backtest_results_content_hash", "backtest_results", ["content_hash"])
    op.create_index("ix_backtest_results_strategy_id", "backtest_results", ["strategy_id"])
