"""How a task is shown: its row with everything beside it, in a fixed number of statements a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session, aliased

from hub.models import Assignment, Dependency, Field, Identity, Section, Task, TaskProject, Team
from hub.portfolio.reach import Reach

Shape = dict[str, Any]


def task_shapes(session: Session, rows: Sequence[RowMapping], reached: Reach) -> list[Shape]:
    """The rows of ``tasks.COLUMNS`` as the reader sees them, in the same order. A home that the reader does not see is left out: the first other
    project that they see stands in its place."""
    ids = [row["id"] for row in rows]
    members, tools = _members(session, ids, reached), reached.tools
    homes = {row["id"]: _home(row, members.get(row["id"], ()), seen) for seen in [_seen_homes(session, rows, reached)] for row in rows}
    people = assignees(session, ids)
    waits = _depends_on(session, ids, reached)
    sections = _sections(session, {section for _, section in homes.values() if section})
    fields = _fields(session, {key for row in rows for key in row["custom_fields"]})
    return [
        {
            "id": row["id"],
            "tool": tools[row["connection_id"]],
            "connection_id": row["connection_id"],
            "external_id": row["external_id"],
            "url": row["url"],
            "kind": row["kind"],
            "title": row["title"],
            "project_id": homes[row["id"]][0],
            "project_ids": [project for project, _ in members.get(row["id"], ())],
            "section": sections.get(homes[row["id"]][1]),
            "parent_id": row["parent_id"],
            "status": row["status"],
            "status_category": row["status_category"],
            "assignees": people.get(row["id"], ()),
            "priority": row["priority"],
            "start_on": row["start_on"],
            "start_at": row["start_at"],
            "due_on": row["due_on"],
            "due_at": row["due_at"],
            "completed_at": row["completed_at"],
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
            "estimate_minutes": row["estimate_minutes"],
            "logged_minutes": row["logged_minutes"],
            "progress": row["progress"],
            "tags": row["tags"],
            "custom_fields": _values(row["custom_fields"], fields),
            "depends_on": waits.get(row["id"], ()),
            "archived": row["archived_effective"],
            "deleted_at": row["deleted_at"],
        }
        for row in rows
    ]


Place = tuple[UUID | None, UUID | None]
"""Project, section."""


def _members(session: Session, ids: Sequence[UUID], reached: Reach) -> Mapping[UUID, list[Place]]:
    found: dict[UUID, list[Place]] = defaultdict(list)
    columns = select(TaskProject.task_id, TaskProject.project_id, TaskProject.section_id).where(TaskProject.task_id.in_(ids))
    if not reached.scope.everything:
        columns = columns.where(TaskProject.project_id.in_(reached.scope.project_ids()))
    for task, project, section in session.execute(columns.order_by(TaskProject.task_id, TaskProject.rank)):
        found[task].append((project, section))
    return found


def _seen_homes(session: Session, rows: Sequence[RowMapping], reached: Reach) -> set[UUID]:
    return reached.scope.seen_projects(session, {row["project_id"] for row in rows if row["project_id"]})


def _home(row: RowMapping, members: Sequence[Place], seen: set[UUID]) -> Place:
    if row["project_id"] is None or row["project_id"] in seen:
        return row["project_id"], row["section_id"]
    return members[0] if members else (None, None)


def assignees(session: Session, ids: Sequence[UUID]) -> Mapping[UUID, list[Shape]]:
    """People and teams; one that was not read yet has an id and no name."""
    found: dict[UUID, list[Shape]] = defaultdict(list)
    columns = (Assignment.task_id, Assignment.assignee_id, Assignment.kind, Identity.name, Identity.email, Team.name)
    statement = (
        select(*columns)
        .outerjoin(Identity, Identity.id == Assignment.assignee_id)
        .outerjoin(Team, Team.id == Assignment.assignee_id)
        .where(Assignment.task_id.in_(ids))
        .order_by(Assignment.task_id, Assignment.rank)
    )
    for task, assignee, kind, name, email, team in session.execute(statement):
        found[task].append({"id": assignee, "name": team if kind == "team" else name, "email": email, "kind": kind})
    return found


def _depends_on(session: Session, ids: Sequence[UUID], reached: Reach) -> Mapping[UUID, list[Shape]]:
    found: dict[UUID, list[Shape]] = defaultdict(list)
    columns = (Dependency.successor_id, Dependency.predecessor_id, Dependency.type, Dependency.lag_minutes, Dependency.assumed)
    statement = select(*columns).where(Dependency.successor_id.in_(ids)).order_by(Dependency.successor_id, Dependency.predecessor_id)
    if not reached.scope.everything:
        successor = aliased(Task)  # both ends are seen at their homes, as in /dependencies
        statement = statement.join(Task, Task.id == Dependency.predecessor_id).join(successor, successor.id == Dependency.successor_id)
        statement = statement.where(*reached.scope.tasks(), *reached.scope.tasks(successor))
    for task, predecessor, kind, lag, assumed in session.execute(statement):
        found[task].append({"task_id": predecessor, "type": kind, "lag_minutes": lag, "assumed": assumed})
    return found


def _sections(session: Session, ids: set[UUID]) -> Mapping[UUID | None, Shape]:
    found = session.execute(select(Section.id, Section.name).where(Section.id.in_(ids)))
    return {section: {"id": section, "name": name} for section, name in found}


def _fields(session: Session, keys: set[str]) -> Mapping[str, tuple[int, str | None, str | None]]:
    """{id: (place by name, name, type)}. One that was not read yet keeps its id and has no name; ``hub doctor`` counts those."""
    wanted = select(Field.id, Field.name, Field.type).where(Field.id.in_([UUID(key) for key in keys]))
    known = {str(field): (name, kind) for field, name, kind in session.execute(wanted)}
    ordered = sorted(keys, key=lambda key: (known.get(key, ("", None))[0], key))
    return {key: (place, *known.get(key, (None, None))) for place, key in enumerate(ordered)}


def _values(values: Mapping[str, Any], fields: Mapping[str, tuple[int, str | None, str | None]]) -> list[Shape]:
    shown = []
    for key in sorted(values, key=fields.__getitem__):
        _, name, kind = fields[key]
        shown.append({"id": key, "name": name, "type": kind, "value": values[key]})
    return shown
