"""The present state of everything, as messages, for a receiver that begins or has lost what it held. Not in the log: other readers see nothing of it.

Each is a ``task.updated`` or ``project.updated`` in which nothing changed, with the state in ``object`` and the reason ``snapshot``. Its id depends
on the replay and the entity alone, so it is the same on a retry and after a crash; its state is read anew each time it is tried again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from hub import events
from hub.access.scope import EVERYTHING, Scope
from hub.delivery.envelope import Stored
from hub.delivery.filter import NOTHING, Filter
from hub.delivery.reader import PAGE, Waiting
from hub.delivery.veil import veiled
from hub.events import Beside, Cause, EventType, Subject
from hub.models import Assignment, Connection, Dependency, Project, Task, TaskProject

REASON = "snapshot"
KINDS = ("project", "task")
"""In this order: a task's projects are known before it."""
_TABLES: dict[str, Any] = {"project": Project.__table__, "task": Task.__table__}
_TYPES = {"project": EventType.PROJECT_UPDATED, "task": EventType.TASK_UPDATED}


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last entity sent: ``task:ID``. Before the first one: ``project:``."""

    kind: str = KINDS[0]
    id: UUID | None = None

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        kind, _, entity = (text or KINDS[0]).partition(":")
        return cls(kind, UUID(entity) if entity else None)

    def __str__(self) -> str:
        return f"{self.kind}:{self.id or ''}"


def number(message_id: UUID) -> int:
    """A snapshot message's place among an endpoint's parked events: negative, because no line of the log has it."""
    return -(message_id.int >> 66) - 1


def wanted(given: Filter) -> Filter:
    """What of an endpoint's filter says something of an entity; nothing changes in a snapshot, so types and changes do not count."""
    return replace(given, types=NOTHING, fields=NOTHING, categories_from=NOTHING, categories_to=NOTHING)


def page(session: Session, replay_id: UUID, cursor: Cursor, now: datetime) -> list[Stored]:
    """The next entities after the cursor; none at the end."""
    for kind in KINDS[KINDS.index(cursor.kind) :]:
        table = _TABLES[kind]
        chosen = select(table).where(*_present(table)).order_by(table.c.id).limit(PAGE)
        if kind == cursor.kind and cursor.id is not None:
            chosen = chosen.where(table.c.id > cursor.id)
        if rows := session.execute(chosen).mappings().all():
            return list(_told(session, kind, rows, replay_id, now))
    return []


def renewed(session: Session, parked: Waiting, now: datetime) -> Waiting:
    """A parked message with the state of now; without one where the entity is gone or hidden."""
    table = _TABLES[parked.entity]
    rows = session.execute(select(table).where(table.c.id == parked.entity_id, *_present(table))).mappings().all()
    told = next(_told(session, parked.entity, rows, parked.event_id, now), None)
    return replace(parked, stored=None if told is None else replace(told, id=parked.event_id))


def count(session: Session, given: Filter, now: datetime, scope: Scope = EVERYTHING) -> int:
    """How many messages a snapshot is for an endpoint with this filter."""
    kept = wanted(given)
    if kept == Filter() and scope.everything:
        return sum(session.scalar(select(func.count()).select_from(table).where(*_present(table))) or 0 for table in _TABLES.values())
    found, cursor = 0, Cursor()
    while lines := page(session, UUID(int=0), cursor, now):
        found += sum(kept.matches(line) for line in veiled(session, lines, scope))
        cursor = Cursor(lines[-1].entity, lines[-1].entity_id)
    return found


def _present(table: Any) -> list[ColumnElement[bool]]:
    """What the hub holds and the tool still shows: of a task that is hidden nobody is told, here as everywhere."""
    return [table.c[name].is_(None) for name in ("deleted_at", "access_lost_at") if name in table.c]


def _told(session: Session, kind: str, rows: Sequence[Any], replay_id: UUID, now: datetime) -> Iterator[Stored]:
    head = events.head(session)
    tools = {row.id: row.tool for row in session.execute(select(Connection.id, Connection.tool))}
    beside = _beside(session, [row["id"] for row in rows]) if kind == "task" else {}
    for row in rows:
        subject: Subject = events.task_subject(row, beside.get(row["id"], Beside())) if kind == "task" else events.project_subject(row)
        yield Stored(
            sequence=head,
            id=uuid5(replay_id, str(row["id"])),
            type=_TYPES[kind].value,
            connection_id=row["connection_id"],
            tool=tools.get(row["connection_id"]),
            entity=kind,
            entity_id=row["id"],
            change_set=replay_id,
            cause=Cause.REPAIR.value,
            occurred_at=None,
            occurred_after=None,
            recorded_at=now,
            actor_id=None,
            data=_data(subject, head),
        )


def _data(subject: Subject, head: int) -> dict[str, Any]:
    known = {"external_id": subject.external_id, "url": subject.url, "project_ids": list(subject.project_ids), "object": dict(subject.state)}
    return {"changed": [], "before": {}, "after": {}, "version": head} | known


def _beside(session: Session, tasks: Sequence[UUID]) -> dict[UUID, Beside]:
    found = {task: Beside() for task in tasks}
    for row in session.execute(select(TaskProject).where(TaskProject.task_id.in_(tasks)).order_by(TaskProject.rank)).scalars():
        found[row.task_id].project_ids.append(str(row.project_id))
    for given in session.execute(select(Assignment).where(Assignment.task_id.in_(tasks)).order_by(Assignment.rank)).scalars():
        found[given.task_id].assignee_ids.append(str(given.assignee_id))
    waits = select(Dependency).where(Dependency.successor_id.in_(tasks)).order_by(Dependency.predecessor_id)
    for edge in session.execute(waits).scalars():
        held = {"task_id": str(edge.predecessor_id), "type": edge.type, "lag_minutes": edge.lag_minutes}
        found[edge.successor_id].depends_on.append(held)
    return found
