"""The log of events: their types, and the row written in the caller's transaction.

``sequence`` is commit order. It comes from a counter row whose lock a writer holds until its commit, so a reader that has seen sequence n will never
later find a smaller one. An event is an index into the past, not a message: delivery reads the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hub.models import Counter, Event


class EventType(StrEnum):
    TASK_CREATED = "task.created"
    TASK_UPDATED = "task.updated"
    TASK_STATUS_CHANGED = "task.status_changed"
    TASK_ASSIGNED = "task.assigned"
    TASK_DUE_CHANGED = "task.due_changed"
    TASK_MOVED = "task.moved"
    TASK_COMPLETED = "task.completed"
    TASK_REOPENED = "task.reopened"
    TASK_ARCHIVED = "task.archived"
    TASK_RESTORED = "task.restored"
    TASK_DELETED = "task.deleted"
    MILESTONE_SLIPPED = "milestone.slipped"
    MILESTONE_REACHED = "milestone.reached"
    DEPENDENCY_CREATED = "dependency.created"
    DEPENDENCY_REMOVED = "dependency.removed"
    PROJECT_CREATED = "project.created"
    PROJECT_UPDATED = "project.updated"
    PROJECT_HEALTH_CHANGED = "project.health_changed"
    PROJECT_ARCHIVED = "project.archived"
    PROJECT_RESTORED = "project.restored"
    PROJECT_DELETED = "project.deleted"
    CONTAINER_ACCESS_LOST = "container.access_lost"
    CONTAINER_ACCESS_REGAINED = "container.access_regained"
    MAPPING_CHANGED = "mapping.changed"
    CONNECTION_BROKEN = "connection.broken"
    CONNECTION_RECOVERED = "connection.recovered"
    SYNC_COMPLETED = "sync.completed"
    SYNC_FAILED = "sync.failed"


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has a place in the log. ``data``: {changed, before, after} in ids and words, JSON."""

    type: EventType
    entity: str
    entity_id: UUID
    data: dict[str, Any]
    occurred_at: datetime | None = None
    occurred_after: datetime | None = None
    actor_id: UUID | None = None


def append(session: Session, drafts: Sequence[Draft], *, connection_id: UUID, change_set: UUID, now: datetime, cause: str = "change") -> None:
    """Puts the drafts at the end of the log, in the caller's transaction."""
    if not drafts:
        return
    first = advance(session, "event", len(drafts)) - len(drafts) + 1
    session.execute(
        insert(Event),
        [
            {
                "sequence": first + place,
                "id": uuid4(),
                "type": draft.type.value,
                "connection_id": connection_id,
                "entity": draft.entity,
                "entity_id": draft.entity_id,
                "change_set": change_set,
                "cause": cause,
                "occurred_at": draft.occurred_at,
                "occurred_after": draft.occurred_after,
                "recorded_at": now,
                "actor_id": draft.actor_id,
                "data": draft.data,
            }
            for place, draft in enumerate(drafts)
        ],
    )


def advance(session: Session, name: str, by: int = 1) -> int:
    """Adds to a named counter and returns its new value; holds the counter's lock until the transaction ends."""
    return int(session.connection().execute(_GROW[session.get_bind().dialect.name], {"name": name, "value": by}).scalar_one())


def _grow(dialect: Any) -> Any:
    made = dialect.insert(Counter)
    return made.on_conflict_do_update(index_elements=[Counter.name], set_={"value": Counter.value + made.excluded.value}).returning(Counter.value)


_GROW = {"sqlite": _grow(sqlite), "postgresql": _grow(postgresql)}


def position(session: Session, name: str) -> int:
    """Where a counter stands; 0 before its first use."""
    return session.execute(select(Counter.value).where(Counter.name == name)).scalar() or 0
