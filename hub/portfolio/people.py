"""The tools' users, active ones first, with what is open on each one's list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from hub.models import Assignment, Identity, Task
from hub.portfolio.fold import holds
from hub.portfolio.keyset import Key, Keyset
from hub.portfolio.reach import Reach
from hub.portfolio.tasks import SETTLED, Chosen, Text, live, overdue

Shape = dict[str, Any]
PLAIN = ("id", "connection_id", "external_id", "name", "email", "active", "guest", "agent", "person_id")
ORDER = Keyset(
    (
        ("sort_active", case((Identity.active, 0), else_=1), int),
        ("sort_name", func.coalesce(Identity.name, ""), str),
        ("id", Identity.id, UUID),
    )
)


class PeopleFilter(Chosen):
    """Filters of people."""

    active: bool | None = Field(None, description="whether the tool lets them in")
    q: Text | None = Field(None, description="part of the name or e-mail address, whatever the case")


def page(session: Session, asked: PeopleFilter, reached: Reach, today: date, after: Key | None, limit: int) -> tuple[list[Shape], Key | None]:
    sorting = [expression.label(name) for name, expression, _ in ORDER.columns[:2]]
    columns = [Identity.__table__.c[name] for name in PLAIN]
    statement = select(*columns, *sorting).where(Identity.deleted_at.is_(None), *reached.people())
    if asked.active is not None:
        statement = statement.where(Identity.active.is_(asked.active))
    if asked.q:
        statement = statement.where(holds(Identity.name, asked.q) | holds(Identity.email, asked.q))
    rows, further = ORDER.page(session, statement, after, limit)
    counted = _open(session, [row["id"] for row in rows], reached, today)
    tools = reached.tools
    none = {"open_tasks": 0, "overdue_tasks": 0}
    return [{**{name: row[name] for name in PLAIN}, "tool": tools[row["connection_id"]], **counted.get(row["id"], none)} for row in rows], further


def _open(session: Session, ids: Sequence[UUID], reached: Reach, today: date) -> Mapping[UUID, Shape]:
    late = func.sum(case((overdue(today), 1), else_=0))
    counted = (
        select(Assignment.assignee_id, func.count(), late)
        .join(Task, Task.id == Assignment.task_id)
        .where(Assignment.assignee_id.in_(ids), Task.status_category.not_in(SETTLED), *live(), *reached.scope.tasks())
        .group_by(Assignment.assignee_id)
    )
    return {who: {"open_tasks": tasks, "overdue_tasks": int(behind)} for who, tasks, behind in session.execute(counted)}
