"""What the tools' statuses count as: the tool's word, ours, and where ours comes from."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.records import StatusCategory
from hub.models import Project, Status, StatusMapping, Task
from hub.portfolio.keyset import Key, Keyset
from hub.portfolio.reach import Reach
from hub.portfolio.tasks import Concerned, present

Shape = dict[str, Any]
COLUMNS = (
    *(Status.id.label("status_id"), Status.connection_id, Status.external_id, Status.name, Status.type, Status.color, Status.project_id),
    *(Project.name.label("project_name"), Status.category.label("tool_category"), StatusMapping.category, StatusMapping.source),
    *(StatusMapping.version, StatusMapping.changed_at),
)
BY_ID = Keyset((("status_id", Status.id, UUID),))


class Source(StrEnum):
    ADMIN = "admin"
    VENDOR = "vendor"
    SUGGESTED = "suggested"


class MappingFilter(Concerned):
    """Filters of status mappings."""

    project_id: list[UUID] = Field([], description="statuses of this project; repeatable")
    category: list[StatusCategory] = Field([], description="what it counts as; unknown lists what an admin should look at; repeatable")
    source: list[Source] = Field([], description="who says so: admin, vendor (the tool) or suggested (by its name, unconfirmed); repeatable")


def page(session: Session, asked: MappingFilter, reached: Reach, after: Key | None, limit: int) -> tuple[list[Shape], Key | None]:
    statement = _statement(reached).where(Status.deleted_at.is_(None))
    if asked.project_id:
        statement = statement.where(Status.project_id.in_(asked.project_id))
    if asked.category:
        statement = statement.where(StatusMapping.category.in_([category.value for category in asked.category]))
    if asked.source:
        statement = statement.where(StatusMapping.source.in_([source.value for source in asked.source]))
    rows, further = BY_ID.page(session, statement, after, limit)
    return _shapes(session, rows, reached), further


def one(session: Session, status_id: UUID, reached: Reach) -> Shape | None:
    rows = session.execute(_statement(reached).where(Status.id == status_id)).mappings().all()
    return next(iter(_shapes(session, rows, reached)), None)


def _statement(reached: Reach) -> Any:
    return (
        select(*COLUMNS)
        .join(StatusMapping, StatusMapping.status_id == Status.id)
        .outerjoin(Project, Project.id == Status.project_id)
        .where(*reached.statuses())
    )


def _shapes(session: Session, rows: Any, reached: Reach) -> list[Shape]:
    carried = Task.status_id.in_([row["status_id"] for row in rows])
    counted = select(Task.status_id, func.count()).where(carried, *present(), *reached.scope.tasks())
    tasks = dict(session.execute(counted.group_by(Task.status_id)).all())
    tools = reached.tools
    return [
        {
            **{name: row[name] for name in ("status_id", "connection_id", "external_id", "name", "type", "color")},
            "tool": tools[row["connection_id"]],
            "project": {"id": row["project_id"], "name": row["project_name"]} if row["project_id"] else None,
            **{name: row[name] for name in ("tool_category", "category", "source", "version", "changed_at")},
            "tasks": tasks.get(row["status_id"], 0),
        }
        for row in rows
    ]
