"""Marks of feeds, and what polls need.

Rules: additive first; back-fill apart from structure; every constraint named; batch mode for SQLite; a released migration is never edited.

Revision: 0003
Follows: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sync_run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(), nullable=False, server_default="full"))
        batch_op.create_index("ix_sync_run_connection_id_queued_at", ["connection_id", "queued_at"], unique=False)
    with op.batch_alter_table("sync_pass", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(), nullable=False, server_default="full"))
        batch_op.add_column(sa.Column("reading", sa.String(), nullable=True))
        batch_op.create_index("ix_sync_pass_connection_id_number", ["connection_id", "number"], unique=False)
    with op.batch_alter_table("sync_slice", schema=None) as batch_op:
        batch_op.add_column(sa.Column("root", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "mark",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", "key", name=op.f("pk_mark")),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("container_id", sa.Uuid(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
    )
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_connection_id"), ["connection_id"], unique=False)


def downgrade() -> None:
    op.drop_table("incident")
    op.drop_table("mark")
    for table, index in (("sync_pass", "ix_sync_pass_connection_id_number"), ("sync_run", "ix_sync_run_connection_id_queued_at")):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_index(index)
    for table, column in (("sync_slice", "root"), ("sync_pass", "reading"), ("sync_pass", "kind"), ("sync_run", "kind")):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(column)
