"""What alembic runs: the steps, on the connection and in the transaction that `storage.schema` hands over."""

from __future__ import annotations

from alembic import context

from algotrendy.storage.schema import VERSION_TABLE


def migrate() -> None:
    """Take the steps that are missing."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, version_table=VERSION_TABLE, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # the name under which alembic loads this file; other readers only look
    migrate()
