"""Who was granted to see what. Keys and people that are there already go on seeing what is not private, as they did.

Rules: additive first; back-fill apart from structure; every constraint named; batch mode for SQLite; a released migration is never edited.

Revision: 0008
Follows: 0007
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
SHARED = sa.text("rank > 0")
BOUND = ("viewer", "consumer")
"""Roles that see only what was granted."""


def upgrade() -> None:
    made = op.create_table(
        "grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("subject_role", sa.String(), nullable=True),
        sa.Column("target_kind", sa.String(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=True),
        sa.Column("target_name", sa.String(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.String(), nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.Column("revoked_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grant")),
    )
    op.create_index(op.f("ix_grant_subject_id"), "grant", ["subject_id"])
    op.create_index("ix_task_project_shared", "task_project", ["task_id"], sqlite_where=SHARED, postgresql_where=SHARED)
    _keep_what_works(made)


def _keep_what_works(grant: sa.Table) -> None:
    now, rows = datetime.now(UTC), []
    for kind, name in (("key", "api_key"), ("user", "user")):
        subject = sa.table(name, sa.column("id", sa.Uuid()), sa.column("role", sa.String()))
        found = op.get_bind().execute(sa.select(subject.c.id).where(subject.c.role.in_(BOUND)))
        rows += [{"id": uuid4(), "subject_kind": kind, "subject_id": each, "target_kind": "all", "created_at": now} for each in found.scalars()]
    if rows:
        op.bulk_insert(grant, rows)


def downgrade() -> None:
    op.drop_index("ix_task_project_shared", "task_project")
    op.drop_table("grant")
