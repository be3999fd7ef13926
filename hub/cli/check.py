"""What the hub holds, in the terms of the pretend world (vendor ids in place of the hub's), to be compared with the world's own truth.

Reads the tables with plain SQL and not through the views, so that a mistake in a view cannot hide one in the sync.

What is compared is the meaning, on both sides alike: the order of a multi-valued field says nothing, an instant is the same with and without
milliseconds, and a formula that yields a number is that number ("57.50" is "57.5").
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.records import FieldType
from hub.models import Assignment, Dependency, Field, Identity, Project, Section, Task, TaskProject, Team
from hub.sandbox import truth

Row = dict[str, Any]
PLAIN = ("title", "kind", "status", "status_category", "priority", "estimate_minutes", "logged_minutes", "progress", "url", "description")
MOMENTS = ("start_on", "start_at", "due_on", "due_at", "completed_at", "created_at", "updated_at")
SHOWN = 10
"""Differences told per tool."""
HASH_SHOWN = 12
FRACTION = re.compile(r"-?\d+\.\d+", re.ASCII)
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of comparing: counts, a hash over every field of every task on each side, and the first differences in words."""

    held: int
    truth: int
    held_hash: str
    truth_hash: str
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.held == self.truth and self.held_hash == self.truth_hash and not self.differences

    def __str__(self) -> str:
        sign, word = ("=", "ok") if self.ok else ("!=", "WRONG")
        return f"held {self.held}  truth {self.truth}  hash {self.held_hash[:HASH_SHOWN]} {sign} {self.truth_hash[:HASH_SHOWN]}  {word}"


def compare(held: Mapping[str, Row], expected: Mapping[str, Row]) -> Verdict:
    """Compares every field of every task."""
    ours, theirs = comparable(held), comparable(expected)
    found = tuple(truth.differences(theirs, ours, SHOWN))
    return Verdict(len(ours), len(theirs), truth.fingerprint(ours), truth.fingerprint(theirs), found)


def comparable(rows: Mapping[str, Row]) -> dict[str, Row]:
    """The same rows with their custom values in the one form that this module's docstring states."""
    return {
        key: dict(row) | {"custom_fields": {field: _plain_value(value) for field, value in row["custom_fields"].items()}} for key, row in rows.items()
    }


def _plain_value(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return sorted((_plain_value(each) for each in value), key=str)
    return _plain_text(value) if isinstance(value, str) else value


def _plain_text(value: str) -> str:
    if FRACTION.fullmatch(value):
        return value.rstrip("0").rstrip(".")
    return _text(datetime.fromisoformat(value)) or value if INSTANT.fullmatch(value) else value


def held_tasks(session: Session, connection_id: UUID) -> dict[str, Row]:
    """{external id: row} of every live task of a connection; those that the tool refuses to show now are hidden, and left out."""
    names = _Names(session, connection_id)
    live = select(Task.__table__).where(Task.connection_id == connection_id, Task.deleted_at.is_(None), Task.access_lost_at.is_(None))
    tasks = session.execute(live).mappings()
    return {task["external_id"]: names.row(dict(task)) for task in tasks}


class _Names:
    """The vendor's ids and names of everything that a task refers to."""

    def __init__(self, session: Session, connection_id: UUID) -> None:
        def mine(table: Any) -> dict[UUID, Any]:
            return {row.id: row for row in session.execute(select(table.__table__).where(table.connection_id == connection_id))}

        self.projects, self.sections, self.fields = mine(Project), mine(Section), mine(Field)
        self.tasks = dict(session.execute(select(Task.id, Task.external_id).where(Task.connection_id == connection_id)).all())
        people = {key: f"identity:{row.external_id}" for key, row in mine(Identity).items()}
        self.people = people | {key: f"team:{row.external_id}" for key, row in mine(Team).items()}
        ours = select(Task.id).where(Task.connection_id == connection_id)
        self.homes: dict[UUID, list[str]] = defaultdict(list)
        self.assignees: dict[UUID, list[str]] = defaultdict(list)
        self.edges: dict[UUID, list[list[Any]]] = defaultdict(list)
        for home in session.scalars(select(TaskProject).where(TaskProject.task_id.in_(ours))):
            self.homes[home.task_id].append(_external(self.projects, home.project_id))
        for one in session.scalars(select(Assignment).where(Assignment.task_id.in_(ours))):
            self.assignees[one.task_id].append(self.people.get(one.assignee_id, str(one.assignee_id)))
        for edge in session.scalars(select(Dependency).where(Dependency.successor_id.in_(ours))):
            self.edges[edge.successor_id].append([self.tasks.get(edge.predecessor_id, str(edge.predecessor_id)), edge.type, edge.lag_minutes])

    def row(self, task: Mapping[str, Any]) -> Row:
        section = self.sections.get(task["section_id"]) if task["section_id"] else None
        return {
            **{name: task[name] for name in PLAIN},
            **{name: _text(task[name]) for name in MOMENTS},
            "project": _external(self.projects, task["project_id"]) if task["project_id"] else None,
            "projects": sorted(self.homes[task["id"]]),
            "section": section.name if section else None,
            "parent": self.tasks.get(task["parent_id"], str(task["parent_id"])) if task["parent_id"] else None,
            "assignees": sorted(self.assignees[task["id"]]),
            "tags": sorted(task["tags"]),
            "custom_fields": dict(self._value(UUID(key), value) for key, value in task["custom_fields"].items()),
            "depends_on": sorted(self.edges[task["id"]]),
            "archived": task["archived_effective"],
        }

    def _value(self, key: UUID, value: Any) -> tuple[str, Any]:
        field = self.fields.get(key)
        if field is None:
            return str(key), value
        if field.type == FieldType.PERSON.value:
            value = [self.people.get(UUID(each), each) for each in value]
        if field.type == FieldType.RELATION.value:
            value = [f"task:{self.tasks.get(UUID(each), each)}" for each in value]
        several = field.type in (FieldType.MULTI_ENUM.value, FieldType.PERSON.value, FieldType.RELATION.value)
        return field.external_id, sorted(value) if several else value  # a set at every vendor: the order says nothing


def _external(rows: Mapping[UUID, Any], key: UUID) -> str:
    return rows[key].external_id if key in rows else str(key)


def _text(value: datetime | date | None) -> str | None:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if value else None
