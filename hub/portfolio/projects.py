"""Projects with their figures: counts, the next milestone, and how completely their tasks are held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session

from hub.models import Coverage, Identity, Project
from hub.portfolio.fold import holds
from hub.portfolio.keyset import Key, Keyset
from hub.portfolio.reach import Reach
from hub.portfolio.rollup import Tally, next_milestones, tallies
from hub.portfolio.tasks import Archived, Concerned, Text

Shape = dict[str, Any]
PLAIN = (
    *("id", "connection_id", "external_id", "url", "name", "container_id", "start_on", "due_on", "completed_at", "private"),
    *("health", "health_text", "triage", "created_at", "updated_at", "deleted_at"),
)
COLUMNS = (*(Project.__table__.c[name] for name in PLAIN), Project.archived_effective, Project.owner_id, Identity.name.label("owner_name"))
BY_ID = Keyset((("id", Project.id, UUID),))


class ProjectFilter(Concerned):
    """Filters of projects; a filter given several times means any of its values."""

    container_id: list[UUID] = Field([], description="directly in this container; repeatable")
    external_id: list[Text] = Field([], description="the tool's own id; repeatable")
    archived: Archived = Field(Archived.FALSE, description="false, true or any; archived is also what lies in an archived container")
    include_deleted: bool = Field(False, description="also what was deleted in the tool")
    q: Text | None = Field(None, description="part of the name, whatever the case")


def page(session: Session, asked: ProjectFilter, reached: Reach, today: date, after: Key | None, limit: int) -> tuple[list[Shape], Key | None]:
    statement = select(*COLUMNS).outerjoin(Identity, Identity.id == Project.owner_id).where(*reached.where(Project.connection_id))
    if not asked.include_deleted:
        statement = statement.where(Project.deleted_at.is_(None))
    if asked.archived is not Archived.ANY:
        statement = statement.where(Project.archived_effective.is_(asked.archived is Archived.TRUE))
    if asked.container_id:
        statement = statement.where(Project.container_id.in_(asked.container_id))
    if asked.external_id:
        statement = statement.where(Project.external_id.in_(asked.external_id))
    if asked.q:
        statement = statement.where(holds(Project.name, asked.q))
    rows, further = BY_ID.page(session, statement, after, limit)
    return shapes(session, rows, reached, today), further


def one(session: Session, project_id: UUID, reached: Reach, today: date) -> Shape | None:
    """A project by id, deleted ones included."""
    wanted = Project.id == project_id
    rows = session.execute(
        select(*COLUMNS).outerjoin(Identity, Identity.id == Project.owner_id).where(wanted, *reached.where(Project.connection_id))
    ).mappings()
    return next(iter(shapes(session, rows.all(), reached, today)), None)


def shapes(session: Session, rows: Sequence[RowMapping], reached: Reach, today: date) -> list[Shape]:
    """In the order of the rows; a fixed number of statements."""
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    counted = tallies(session, reached, today, projects=ids)
    ahead = next_milestones(session, reached, today, projects=ids)
    covered = _coverage(session, ids)
    tools = reached.tools
    made = []
    for row in rows:
        home = (row["connection_id"], row["id"])
        owner = {"id": row["owner_id"], "name": row["owner_name"]} if row["owner_id"] else None
        figures = {**counted.get(home, Tally()).shape(), "next_milestone": ahead.get(home), "coverage": covered.get(row["id"])}
        plain = {name: row[name] for name in PLAIN}
        made.append({**plain, "tool": tools[row["connection_id"]], "owner": owner, "archived": row["archived_effective"], **figures})
    return made


def _coverage(session: Session, ids: Sequence[UUID]) -> Mapping[UUID, Shape]:
    found = session.execute(
        select(Coverage.container_id, Coverage.held, Coverage.vendor_count, Coverage.proof, Coverage.refused, Coverage.proved_at).where(
            Coverage.container_id.in_(ids)
        )
    ).mappings()
    return {row["container_id"]: {name: row[name] for name in ("held", "vendor_count", "proof", "refused", "proved_at")} for row in found}
