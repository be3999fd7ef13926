"""Indexes that the views live from, beside the tables they are of, and the mark by which a view knows that nothing it is made of has changed.

A task's row is wide (description, custom fields); a roll-up that reads only what it counts out of an index is several times faster than one that
walks the rows. Partial, so that what is archived, gone or of no interest costs nothing. SQLite uses a partial index only where the query states the
same condition with the same literals.

Figures over everything cost a tenth of a second at 20,000 tasks, and the first hour of a week asks for the same ones again and again. So they may be
kept in memory (``portfolio.kept``) for as long as the mark in ``written`` stays: every transaction that changes a row of a table figures are made of
sets another mark, in that transaction (``hub.db``). A table counts as such unless BESIDE names it: one added later costs speed at worst, never truth.
Refused: a position in the log or a time, which not all that changes a figure moves.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Index, and_, literal_column
from sqlalchemy.orm import Mapped, mapped_column

from connectors.records import StatusCategory, TaskKind
from hub.db import BESIDE_FIGURES, Base
from hub.models.access import AdminLink, ApiKey, Audit, LoginAttempt, User, UserSession
from hub.models.connections import Connection
from hub.models.delivery import Attempt, Endpoint, Parked, Replay
from hub.models.events import Change, Counter, Event
from hub.models.hooks import Hook, Inbound
from hub.models.portfolio import Raw, Task
from hub.models.sync import Coverage, FamiliarPage, Incident, Mark, Missing, Seen, SyncPass, SyncRun, SyncSlice

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


class Written(Base):
    """``mark``: another one after every transaction that changed what figures are made of. One row, ``figures``."""

    __tablename__ = "written"

    name: Mapped[str] = mapped_column(primary_key=True)
    mark: Mapped[UUID]


BESIDE: tuple[Any, ...] = (
    *(AdminLink, ApiKey, Attempt, Audit, Connection, Counter, Coverage, Endpoint, Event, FamiliarPage, Hook, Inbound, Incident, LoginAttempt, Mark),
    *(Missing, Parked, Raw, Replay, Seen, SyncPass, SyncRun, SyncSlice, User, UserSession, Written),
)
"""What no kept figure is made of. Connections, users and keys are: what a figure takes of them is part of the name it is kept under."""
for _each in BESIDE:
    _each.__table__.info[BESIDE_FIGURES] = True
