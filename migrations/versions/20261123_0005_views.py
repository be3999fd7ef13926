"""What the pages keep: the PMO's decisions, and indexes that the figures live from.

Rules: additive first; back-fill apart from structure; every constraint named; batch mode for SQLite; a released migration is never edited.

Revision: 0005
Follows: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

PARTIAL: dict[str, tuple[str, list[str], str]] = {
    "ix_task_live": (
        "task",
        [
            *("project_id", "connection_id", "status_category", "kind", "due_on", "estimate_minutes", "start_on", "updated_at", "created_at"),
            *("first_seen_at", "id", "deleted_at", "access_lost_at", "archived_effective"),
        ],
        "deleted_at IS NULL AND access_lost_at IS NULL AND archived_effective IS {false}",
    ),
    "ix_task_finished": (
        "task",
        ["completed_at", "id", "project_id", "connection_id", "status_category", "deleted_at", "access_lost_at"],
        "status_category = 'done'",
    ),
    "ix_task_milestone": ("task", ["project_id", "due_on", "id"], "kind = 'milestone'"),
    "ix_change_status": (
        "change",
        ["entity_id", "occurred_at", "recorded_at", "connection_id", "entity", "field", "new"],
        "field = 'status_id'",
    ),
    "ix_change_due": (
        "change",
        ["entity_id", "occurred_at", "recorded_at", "connection_id", "entity", "field", "old", "new"],
        "field = 'due_on'",
    ),
}


def upgrade() -> None:
    json = sa.JSON().with_variant(JSONB(), "postgresql")
    op.create_table(
        "policy",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("settings", json, nullable=False),
        sa.Column("calendar", json, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_policy")),
    )
    op.create_table(
        "holiday",
        sa.Column("policy_key", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("policy_key", "day", name=op.f("pk_holiday")),
    )
    op.create_table(
        "capacity",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("minutes_a_day", sa.Integer(), nullable=True),
        sa.Column("working_days", json, nullable=True),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_capacity")),
    )
    op.create_table(
        "time_off",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_time_off")),
    )
    op.create_index(op.f("ix_time_off_person_id"), "time_off", ["person_id"])
    op.create_table(
        "triage_rule",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_triage_rule")),
    )
    for name, (table, columns, where) in PARTIAL.items():
        sqlite, postgresql = (sa.text(where.format(false=false)) for false in ("0", "false"))
        op.create_index(name, table, columns, sqlite_where=sqlite, postgresql_where=postgresql)
    op.create_index("ix_task_created_at", "task", ["created_at"])
    op.create_index("ix_change_recorded_at", "change", ["recorded_at"])


def downgrade() -> None:
    op.drop_index("ix_change_recorded_at", "change")
    op.drop_index("ix_task_created_at", "task")
    for name, (table, _, _) in PARTIAL.items():
        op.drop_index(name, table)
    for table in ("triage_rule", "time_off", "capacity", "holiday", "policy"):
        op.drop_table(table)
