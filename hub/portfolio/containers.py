"""The tools' own trees above projects."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.records import ContainerKind
from hub.models import Container, Project
from hub.portfolio.keyset import Key, Keyset
from hub.portfolio.reach import Reach
from hub.portfolio.tasks import Concerned

Shape = dict[str, Any]
PLAIN = ("id", "connection_id", "external_id", "kind", "name", "parent_id", "archived", "private", "url")
BY_ID = Keyset((("id", Container.id, UUID),))


class ContainerFilter(Concerned):
    """Filters of containers."""

    parent_id: list[UUID] = Field([], description="directly in this container; repeatable")
    kind: list[ContainerKind] = Field([], description="repeatable")


def page(session: Session, asked: ContainerFilter, reached: Reach, after: Key | None, limit: int) -> tuple[list[Shape], Key | None]:
    """``projects``: those that lie directly in the container; archived ones count, deleted ones do not."""
    columns = [Container.__table__.c[name] for name in PLAIN]
    statement = select(*columns).where(Container.deleted_at.is_(None), *reached.containers())
    if asked.parent_id:
        statement = statement.where(Container.parent_id.in_(asked.parent_id))
    if asked.kind:
        statement = statement.where(Container.kind.in_([kind.value for kind in asked.kind]))
    rows, further = BY_ID.page(session, statement, after, limit)
    below = Project.container_id.in_([row["id"] for row in rows])
    counted = select(Project.container_id, func.count()).where(Project.deleted_at.is_(None), below, *reached.projects())
    projects = dict(session.execute(counted.group_by(Project.container_id)).all())
    tools = reached.tools
    return [{**row, "tool": tools[row["connection_id"]], "projects": projects.get(row["id"], 0)} for row in rows], further
