"""What happens in a stretch of time, project by project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import func, literal, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session

from connectors.records import TaskKind
from hub.models import Project, Task
from hub.portfolio.keyset import Key, Keyset
from hub.portfolio.reach import Reach
from hub.portfolio.tasks import Chosen, in_projects, live, overdue

Shape = dict[str, Any]
NOWHERE = UUID(int=0)
"""Sorts tasks in no project before all others; null would not compare."""

BEGIN = func.coalesce(Task.start_on, Task.due_on)
END = func.coalesce(Task.due_on, Task.start_on)
ORDER = Keyset(
    (("sort_project", func.coalesce(Task.project_id, literal(NOWHERE, Task.project_id.type)), UUID), ("begin", BEGIN, date), ("id", Task.id, UUID))
)
SHOWN = (
    "id",
    "kind",
    "title",
    "url",
    "parent_id",
    "status",
    "status_category",
    "start_on",
    "start_at",
    "due_on",
    "due_at",
    "completed_at",
    "progress",
)


class TimelineFilter(Chosen):
    """Filters of the timeline."""

    project_id: list[UUID] = Field([], description="repeatable")
    kind: list[TaskKind] = Field([], description="repeatable")


def page(
    session: Session, asked: TimelineFilter, reached: Reach, window: tuple[date, date], today: date, after: Key | None, limit: int
) -> tuple[list[Shape], Key | None]:
    """[{project, items}]: whatever lies in the window or reaches into it, its first and last day included. A project that
    does not fit on a page goes on on the next one."""
    first, last = window
    columns = [Task.__table__.c[name] for name in (*SHOWN, "project_id", "connection_id")]
    late = func.coalesce(overdue(today), False).label("overdue")
    sorting = [expression.label(name) for name, expression, _ in ORDER.columns[:2]]
    statement = select(*columns, *sorting, late).where(last >= BEGIN, first <= END, *live(), *reached.tasks())
    if asked.project_id:
        statement = statement.where(in_projects(reached, asked.project_id))
    if asked.kind:
        statement = statement.where(Task.kind.in_([kind.value for kind in asked.kind]))
    rows, further = ORDER.page(session, statement, after, limit)
    return _grouped(session, rows, reached.tools), further


def _grouped(session: Session, rows: Sequence[RowMapping], tools: Mapping[UUID, str]) -> list[Shape]:
    names = dict(session.execute(select(Project.id, Project.name).where(Project.id.in_({row["sort_project"] for row in rows}))).all())
    return [
        {
            "project": {"id": project, "name": names.get(project)} if project else None,
            "items": [{"tool": tools[row["connection_id"]], **{name: row[name] for name in SHOWN}, "overdue": bool(row["overdue"])} for row in bars],
        }
        for project, bars in groupby(rows, key=lambda row: row["project_id"])
    ]
