"""The log of events: their types, what is known of an entity at an event, and the row written in the caller's transaction.

``sequence`` is commit order. It comes from a counter row whose lock a writer holds until its commit, so a reader that has seen sequence n will never
later find a smaller one. An event is an index into the past, not a message: delivery reads the log.

``version`` of an entity is the place in the log where its transaction's events begin: it grows with every change that is told, events of one entity
with the same version tell the same state, and whoever reads an entity and the log's head together knows how new that state is. The log's ``epoch``
names the log itself: another epoch means that places in it mean something else now (after a restore from a backup)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
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
    TASK_LEFT_SCOPE = "task.left_scope"
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
    PERSON_MERGED = "person.merged"
    PERSON_SPLIT = "person.split"
    MAPPING_CHANGED = "mapping.changed"
    CONNECTION_BROKEN = "connection.broken"
    CONNECTION_RECOVERED = "connection.recovered"
    CONNECTION_SCOPE_CHANGED = "connection.scope_changed"
    SYNC_COMPLETED = "sync.completed"
    SYNC_FAILED = "sync.failed"
    ENDPOINT_DISABLED = "endpoint.disabled"
    ENDPOINT_RECOVERED = "endpoint.recovered"


class Cause(StrEnum):
    """change: the tool's data differ. remap: only the hub's reading of them. scope: what the hub may or shall see. repair: the hub put something of
    its own right. write: the hub wrote it."""

    CHANGE = "change"
    REMAP = "remap"
    SCOPE = "scope"
    REPAIR = "repair"
    WRITE = "write"


TASK_STATE = (
    "kind",
    "title",
    "project_id",
    "section_id",
    "parent_id",
    "status",
    "status_id",
    "status_category",
    "priority",
    "start_on",
    "start_at",
    "due_on",
    "due_at",
    "completed_at",
    "created_at",
    "updated_at",
    "estimate_minutes",
    "logged_minutes",
    "progress",
    "tags",
    "custom_fields",
    "deleted_at",
)
PROJECT_STATE = (
    "name",
    "container_id",
    "owner_id",
    "start_on",
    "due_on",
    "completed_at",
    "archived",
    "private",
    "health",
    "health_text",
    "created_at",
    "updated_at",
    "deleted_at",
)
"""What of a row is told as the entity's state: ids, never names of people; no long texts."""


def plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies beside a task's own row, as JSON holds it. ``depends_on``: [{task_id, type, lag_minutes}]."""

    project_ids: list[str] = field(default_factory=list)
    assignee_ids: list[str] = field(default_factory=list)
    depends_on: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about, as it was then. ``project_ids``: the projects it lay in. ``was``: where these differ, what filters would have found
    before (project_ids, assignee_ids, tags, kind): an event must reach also those whose view the entity leaves. ``state``: the unified state."""

    external_id: str | None = None
    url: str | None = None
    project_ids: Sequence[str] = ()
    was: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)


NOTHING_KNOWN = Subject()


def task_subject(row: Mapping[str, Any], beside: Beside, was: Mapping[str, Any] | None = None) -> Subject:
    """``row``: the columns of ``Task``. A subtask that is in no project itself lies in its home."""
    projects = beside.project_ids or ([str(row["project_id"])] if row["project_id"] else [])
    state = {"id": str(row["id"])} | {name: plain(row[name]) for name in TASK_STATE}
    state |= {"project_ids": projects, "assignee_ids": beside.assignee_ids, "depends_on": beside.depends_on, "archived": row["archived_effective"]}
    return Subject(row["external_id"], row["url"], projects, was or {}, state)


def project_subject(row: Mapping[str, Any]) -> Subject:
    """``row``: the columns of ``Project``."""
    state = {"id": str(row["id"])} | {name: plain(row[name]) for name in PROJECT_STATE}
    return Subject(row["external_id"], row["url"], [str(row["id"])], {}, state)


def status_subject(row: Mapping[str, Any], counts_as: str, tasks: int) -> Subject:
    """``row``: the columns of ``Status``. ``tasks``: how many follow a new mapping."""
    state = {"id": str(row["id"]), "name": row["name"], "status_category": counts_as, "project_id": plain(row["project_id"]), "tasks": tasks}
    return Subject(row["external_id"], None, [str(row["project_id"])] if row["project_id"] else [], {}, state)


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has a place in the log. ``data``: {changed, before, after} in ids and words, JSON. ``cause``: if not the append's."""

    type: EventType
    entity: str
    entity_id: UUID
    data: dict[str, Any]
    occurred_at: datetime | None = None
    occurred_after: datetime | None = None
    actor_id: UUID | None = None
    subject: Subject = NOTHING_KNOWN
    cause: Cause | None = None


def append(
    session: Session, drafts: Sequence[Draft], *, connection_id: UUID | None, change_set: UUID, now: datetime, cause: str = Cause.CHANGE.value
) -> None:
    """Puts the drafts at the end of the log, in the caller's transaction. ``connection_id`` null: an event of the hub itself."""
    if not drafts:
        return
    last = advance(session, "event", len(drafts))
    first = last - len(drafts) + 1
    if first == 1:
        advance(session, "epoch", int(now.timestamp()))
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
                "cause": draft.cause.value if draft.cause else cause,
                "occurred_at": draft.occurred_at,
                "occurred_after": draft.occurred_after,
                "recorded_at": now,
                "actor_id": draft.actor_id,
                "data": draft.data | _known(draft.subject) | {"version": first},
            }
            for place, draft in enumerate(drafts)
        ],
    )


def _known(subject: Subject) -> dict[str, Any]:
    """What is kept with the event: rows change and go, the past does not. What is empty is left out."""
    known = {
        "external_id": subject.external_id,
        "url": subject.url,
        "project_ids": list(subject.project_ids),
        "was": dict(subject.was),
        "object": dict(subject.state),
    }
    return {name: value for name, value in known.items() if value}


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


def head(session: Session) -> int:
    """The place of the newest event; 0 in an empty log."""
    return position(session, "event")


def epoch(session: Session) -> int:
    """Which log this is: unix seconds of its first event or of the restore that made it another one; 0 while it is empty."""
    return position(session, "epoch")


def begin_epoch(session: Session, now: datetime) -> int:
    """After a restore from a backup: places in the log that were handed out since the backup mean nothing any more, and every cursor must be refused.
    A clock's seconds, since a number counted up would come again when the same backup is restored twice."""
    held = epoch(session)
    return advance(session, "epoch", max(int(now.timestamp()), held + 1) - held)
