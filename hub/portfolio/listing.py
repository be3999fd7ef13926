"""Tasks as people leaf through them: any order, numbered pages, and how many there are. Programs walk by key instead (``tasks.page``)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, or_, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session

from connectors.records import Priority
from hub.models import Identity, Person, Project, Task, Team
from hub.portfolio.reach import Reach
from hub.portfolio.tasks import COLUMNS, TaskFilter, conditions

URGENCY = {name.value: place for place, name in enumerate((Priority.URGENT, Priority.HIGH, Priority.NORMAL, Priority.LOW, Priority.NONE))}
SORTS: Mapping[str, Any] = {
    "due": Task.due_on,
    "start": Task.start_on,
    "title": func.lower(Task.title),
    "status": Task.status_category,
    "priority": case(URGENCY, value=Task.priority, else_=len(URGENCY)),
    "updated": Task.updated_at,
    "estimate": Task.estimate_minutes,
}
"""By what people may sort. What is missing comes last, whichever way."""


def page(
    session: Session, asked: TaskFilter, reached: Reach, today: date, *, sort: str, descending: bool, offset: int, limit: int
) -> tuple[Sequence[RowMapping], int]:
    """The filter's tasks from a place on, and how many there are in all. Two statements. Raises KeyError for an unknown sort.

    Sorted are ids alone, which an index holds: a sort of whole rows carries every description and custom field there is."""
    wanted = conditions(session, asked, reached, today)
    by = SORTS[sort]
    total = session.scalar(select(func.count()).select_from(Task).where(*wanted)) or 0
    order = (by.is_(None), by.desc() if descending else by, Task.id)
    shown = select(Task.id).where(*wanted).order_by(*order).offset(offset).limit(limit).subquery()
    rows = session.execute(select(*COLUMNS).join(shown, shown.c.id == Task.id).order_by(*order)).mappings().all()
    return rows, total


def project_names(session: Session, reached: Reach, ids: Collection[UUID | None]) -> Mapping[UUID | None, str]:
    """{project: name} of those that the reader sees; one that was not read has none."""
    wanted = select(Project.id, Project.name).where(Project.id.in_({each for each in ids if each}), *reached.projects())
    return {key: name for key, name in session.execute(wanted)}  # noqa: C416  to the type checker a result's rows are no pairs


def assignee_names(session: Session, reached: Reach, ids: Collection[UUID]) -> Mapping[UUID, str | None]:
    """{person, user or team: name} of those that the reader sees."""
    users = select(Identity.id, Identity.name).where(Identity.id.in_(ids), *reached.people())
    teams = select(Team.id, Team.name).where(Team.id.in_(ids), *reached.whole(Team.connection_id))
    is_meant = or_(Person.id == Identity.person_id, Person.became_id == Identity.person_id)
    people = select(Person.id, func.min(Identity.name)).join(Identity, is_meant).where(Person.id.in_(ids), *reached.people()).group_by(Person.id)
    return {key: name for key, name in session.execute(users.union_all(teams, people))}  # noqa: C416  to the type checker a result's rows are no pairs
