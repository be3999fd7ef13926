"""Indexes that the views live from, beside the tables they are of.

A task's row is wide (description, custom fields); a roll-up that reads only what it counts out of an index is several times faster than one that
walks the rows. Partial, so that what is archived, gone or of no interest costs nothing. SQLite uses a partial index only where the query states the
same condition with the same literals.
"""

from __future__ import annotations

from sqlalchemy import Index, and_, literal_column

from connectors.records import StatusCategory, TaskKind
from hub.models.events import Change
from hub.models.portfolio import Task

FINISHED = Task.status_category == literal_column(f"'{StatusCategory.DONE.value}'")
MILESTONE = Task.kind == literal_column(f"'{TaskKind.MILESTONE.value}'")
STATUS_MOVED = Change.field == literal_column("'status_id'")
DUE_MOVED = Change.field == literal_column("'due_on'")
LIVE = and_(Task.deleted_at.is_(None), Task.access_lost_at.is_(None), Task.archived_effective.is_(False))

Index(
    "ix_task_live",
    *(Task.project_id, Task.connection_id, Task.status_category, Task.kind, Task.due_on, Task.estimate_minutes, Task.start_on),
    *(Task.updated_at, Task.created_at, Task.first_seen_at, Task.id, Task.deleted_at, Task.access_lost_at, Task.archived_effective),
    sqlite_where=LIVE,
    postgresql_where=LIVE,
)
Index(
    "ix_task_finished",
    *(Task.completed_at, Task.id, Task.project_id, Task.connection_id, Task.status_category, Task.deleted_at, Task.access_lost_at),
    sqlite_where=FINISHED,
    postgresql_where=FINISHED,
)
Index(
    "ix_task_milestone",
    *(Task.project_id, Task.due_on, Task.id),
    sqlite_where=MILESTONE,
    postgresql_where=MILESTONE,
)
Index("ix_task_created_at", Task.created_at)
Index(
    "ix_change_status",
    *(Change.entity_id, Change.occurred_at, Change.recorded_at, Change.connection_id, Change.entity, Change.field, Change.new),
    sqlite_where=STATUS_MOVED,
    postgresql_where=STATUS_MOVED,
)
Index(
    "ix_change_due",
    *(Change.entity_id, Change.occurred_at, Change.recorded_at, Change.connection_id, Change.entity, Change.field, Change.old, Change.new),
    sqlite_where=DUE_MOVED,
    postgresql_where=DUE_MOVED,
)
Index("ix_change_recorded_at", Change.recorded_at)
