"""What follows from the tree: inherited archiving, inherited homes. Set-based, and writes only what differs, so an unchanged pass writes nothing."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, Select, and_, bindparam, false, func, or_, select, union, update
from sqlalchemy.orm import Session, aliased

from hub import events, log
from hub.models import Container, Project, StatusMapping, Task

DEPTH = 64
"""Levels of subtasks or containers that are followed; a cycle in the vendor's data ends here instead of never."""
CHUNK = 10_000
"""Rows of one round: each round looks through all tasks of the connection, so few and large ones."""


def archived_projects(session: Session, connection_id: UUID) -> set[UUID]:
    """Projects that are archived, themselves or by what they lie in, as last settled."""
    return set(session.scalars(select(Project.id).where(Project.connection_id == connection_id, Project.archived_effective)))


def settle_projects(session: Session, connection_id: UUID) -> set[UUID]:
    """Writes each project's effective archiving where it changed; returns the projects that are archived."""
    containers = {
        c.id: (c.parent_id, c.archived)
        for c in session.execute(select(Container.id, Container.parent_id, Container.archived).where(Container.connection_id == connection_id))
    }

    def archived(container: UUID | None) -> bool:
        for _ in range(DEPTH):
            if container is None or container not in containers:
                return False
            container, flag = containers[container][0], containers[container][1]
            if flag:
                return True
        return False

    effective: set[UUID] = set()
    changed: dict[bool, list[UUID]] = {True: [], False: []}
    columns = select(Project.id, Project.container_id, Project.archived, Project.archived_effective).where(Project.connection_id == connection_id)
    for project in session.execute(columns):
        now = project.archived or archived(project.container_id)
        if now:
            effective.add(project.id)
        if now != project.archived_effective:
            changed[now].append(project.id)
    for flag, ids in changed.items():
        for start in range(0, len(ids), CHUNK):
            session.execute(update(Project).where(Project.id.in_(ids[start : start + CHUNK])).values(archived_effective=flag))
    return effective


def under(session: Session, connection_id: UUID, containers: Set[UUID]) -> set[UUID]:
    """The projects that lie in these containers, at any depth."""
    if not containers:
        return set()
    parents = {c.id: c.parent_id for c in session.execute(select(Container.id, Container.parent_id).where(Container.connection_id == connection_id))}

    def lies_in(container: UUID | None) -> bool:
        for _ in range(DEPTH):
            if container is None or container in containers:
                return container is not None
            container = parents.get(container)
        return False

    projects = session.execute(select(Project.id, Project.container_id).where(Project.connection_id == connection_id))
    return {project.id for project in projects if lies_in(project.container_id)}


def settle_tasks(session: Session, connection_id: UUID, near: Near | None = None) -> int:
    """Lets tasks follow their project and ancestors, level by level; returns how many rows changed. ``near``: looks only there."""
    _settle(session, _miscounted(connection_id), "status_category", near)
    return _settle(session, _homeless(connection_id), "project_id", near) + _settle(session, _unarchived(connection_id), "archived_effective", near)


@dataclass(frozen=True, slots=True)
class Near:
    """The tasks that a run may have unsettled: those written since ``position`` (each round of settling writes, too), their subtasks, and what lies
    in ``projects``. So a run that read little looks at little."""

    connection_id: UUID
    position: int
    projects: Set[UUID]

    def tasks(self) -> CompoundSelect[Any]:
        parent = aliased(Task)
        written = select(Task.id).where(Task.connection_id == self.connection_id, Task.position > self.position)
        below = select(Task.id).join(parent, parent.id == Task.parent_id).where(parent.position > self.position)
        inside = select(Task.id).where(Task.project_id.in_(self.projects))
        return union(written, below, inside)


def _miscounted(connection_id: UUID) -> Select[UUID, str]:
    """Tasks that do not follow their status' mapping: an admin changed it while the run had the old one in mind."""
    return (
        select(Task.id, StatusMapping.category)
        .join(StatusMapping, StatusMapping.status_id == Task.status_id)
        .where(Task.connection_id == connection_id, Task.status_category != StatusMapping.category)
        .limit(CHUNK)
    )


def _homeless(connection_id: UUID) -> Select[UUID, UUID | None]:
    parent = aliased(Task)
    return (
        select(Task.id, parent.project_id)
        .join(parent, parent.id == Task.parent_id)
        .where(Task.connection_id == connection_id, Task.home_inherited, Task.project_id.is_distinct_from(parent.project_id))
        .limit(CHUNK)
    )


def _unarchived(connection_id: UUID) -> Select[UUID, bool]:
    """What lies in an archived project or below an archived task of its own project; one with a place of its own elsewhere is worked on there."""
    parent = aliased(Task)
    effective = or_(Task.archived, func.coalesce(Project.archived_effective, false()), func.coalesce(parent.archived_effective, false()))
    return (
        select(Task.id, effective)
        .outerjoin(Project, Project.id == Task.project_id)
        .outerjoin(
            parent, and_(parent.id == Task.parent_id, parent.connection_id == connection_id, parent.project_id.is_not_distinct_from(Task.project_id))
        )
        .where(Task.connection_id == connection_id, Task.archived_effective != effective)
        .limit(CHUNK)
    )


def _settle(session: Session, wanted: Select[UUID, Any], column: str, near: Near | None) -> int:
    """Repeats ``wanted`` (task id, the value it should have) until nothing differs: each round settles one more
    level. The same tasks twice in a row are a circle."""
    if near is not None:
        wanted = wanted.where(Task.id.in_(near.tasks()))
    follow = update(Task).where(Task.id == bindparam("task")).values({column: bindparam("value"), "position": bindparam("place")})
    total, before = 0, None
    while (found := session.execute(wanted).all()) and (touched := {row[0] for row in found}) != before:
        place = events.advance(session, "position")
        session.connection().execute(follow, [{"task": task, "value": value, "place": place} for task, value in found])
        total, before = total + len(found), touched
    if found:
        log.get("sync").warning("tasks are each other's parents", tasks=len(found), column=column)
    return total
