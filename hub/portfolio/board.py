"""One project as a board: columns by what a status counts as, by the tool's own sections, or by who has the task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, false, func, select
from sqlalchemy.orm import Session

from hub.models import Assignment, Identity, Section, Task, TaskProject
from hub.portfolio import conditions as when
from hub.portfolio.history import ages
from hub.portfolio.listing import assignee_names
from hub.portfolio.reach import Day, Reach
from hub.portfolio.shapes import assignees
from hub.portfolio.tally import CATEGORIES
from hub.portfolio.tasks import in_projects, live, overdue

Shape = dict[str, Any]
CARD = (
    *("id", "connection_id", "kind", "title", "url", "parent_id", "status", "status_category", "priority", "start_on", "due_on", "due_at"),
    *("completed_at", "estimate_minutes", "progress"),
)


class By(StrEnum):
    CATEGORY = "category"
    SECTION = "section"
    PERSON = "person"


def board(session: Session, project_id: UUID, reached: Reach, day: Day, by: By = By.CATEGORY, limit: int = 100) -> list[Shape]:
    """The project's live tasks in columns: [{id, name, tasks: how many, cards: the first ``limit`` of them}], earliest due first. By section a task
    stands where the project has it; a subtask that only inherits the project has no section. By person it stands with the first whom it is assigned
    to, whichever of their users that is."""
    member = select(TaskProject.task_id, TaskProject.section_id).where(TaskProject.project_id == project_id).subquery()
    mine = (in_projects(reached, [project_id]), *live(), *reached.listed())
    has = _first_assignee(mine)
    column: Any = {By.CATEGORY: Task.status_category, By.SECTION: member.c.section_id, By.PERSON: has.c.who}[by]
    order = (Task.due_on.is_(None), Task.due_on, Task.id)
    place = func.row_number().over(partition_by=column, order_by=order).label("place")
    number = func.count().over(partition_by=column).label("number")
    flags = (_flag(overdue(day.today)).label("overdue"), _flag(when.blocked(reached)).label("blocked"))
    beside = (has, has.c.task_id == Task.id) if by is By.PERSON else (member, member.c.task_id == Task.id)
    inner = (
        select(*(Task.__table__.c[name] for name in CARD), column.label("column"), place, number, *flags).outerjoin(*beside).where(*mine).subquery()
    )
    rows = session.execute(select(inner).where(inner.c.place <= limit).order_by(inner.c.place)).mappings().all()
    ids = [row["id"] for row in rows]
    people, in_status = assignees(session, ids), ages(session, reached, day, ids)
    cards: dict[Any, list[Shape]] = defaultdict(list)
    numbers: dict[Any, int] = {}
    for row in rows:
        card = {name: row[name] for name in CARD} | {"tool": reached.tools[row["connection_id"]], "assignees": people.get(row["id"], [])}
        cards[row["column"]].append(card | {"overdue": bool(row["overdue"]), "blocked": bool(row["blocked"]), **in_status[row["id"]]})
        numbers[row["column"]] = row["number"]
    return [{**head, "tasks": numbers.get(key, 0), "cards": cards.get(key, [])} for key, head in _heads(session, project_id, reached, by, numbers)]


def _first_assignee(wanted: Sequence[ColumnElement[bool]]) -> Any:
    """{task: the human, or team, that comes first among those it is assigned to}, of these tasks."""
    who = func.coalesce(Identity.person_id, Assignment.assignee_id).label("who")
    place = func.row_number().over(partition_by=Assignment.task_id, order_by=(Assignment.rank, Assignment.assignee_id)).label("place")
    of_them = Assignment.task_id.in_(select(Task.id).where(*wanted))
    every = select(Assignment.task_id, who, place).outerjoin(Identity, Identity.id == Assignment.assignee_id).where(of_them).subquery()
    return select(every.c.task_id, every.c.who).where(every.c.place == 1).subquery()


def _flag(condition: ColumnElement[bool]) -> Any:
    return func.coalesce(case((condition, True), else_=false()), false())


def _heads(session: Session, project_id: UUID, reached: Reach, by: By, numbers: Mapping[Any, int]) -> Sequence[tuple[Any, Shape]]:
    """The columns in their order, empty ones too; one without a section only where tasks have none."""
    if by is By.CATEGORY:
        return [(category, {"id": category, "name": category}) for category in CATEGORIES]
    if by is By.PERSON:
        names = assignee_names(session, reached, [key for key in numbers if key is not None])
        known = sorted((key for key in numbers if key is not None), key=lambda key: ((names.get(key) or "").casefold(), key))
        nobody = [(None, {"id": None, "name": None})] if None in numbers else []
        return [*((key, {"id": key, "name": names.get(key)}) for key in known), *nobody]
    wanted = select(Section.id, Section.name).where(
        Section.project_id.in_(reached.seen_projects([project_id])), Section.deleted_at.is_(None), *reached.where(Section.connection_id)
    )
    found = session.execute(wanted.order_by(Section.position, Section.id))
    heads: list[tuple[Any, Shape]] = [(section, {"id": section, "name": name}) for section, name in found]
    unread = [key for key in numbers if key is not None and key not in dict(heads)]
    heads += [(key, {"id": key, "name": None}) for key in sorted(unread)]
    return [*heads, (None, {"id": None, "name": None})] if None in numbers else heads
