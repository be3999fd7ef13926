"""Runs migrations over a connection that the caller passes in (``config.attributes["connection"]``), or over HUB_DATABASE_URL
when called by alembic itself.

Each migration is one transaction on both databases: a process killed inside one leaves the database at the version before.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from hub import models  # noqa: F401  registers the tables
from hub.db import Base, open_engine
from hub.settings import load

LOCK_TIMEOUT = "10s"


def run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        transaction_per_migration=True,
        transactional_ddl=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with open_engine(load().database_url).connect() as opened:
        run(opened)
