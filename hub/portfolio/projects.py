"""Projects with their figures: counts, the next milestone, and how completely their tasks are held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session

from hub.models import Coverage, Identity, Project
from hub.portfolio import policy
from hub.portfolio.fold import holds
from hub.portfolio.keyset import Key, Keyset
from hub.portfolio.reach import Day, Reach
from hub.portfolio.rollup import health
from hub.portfolio.tally import Tally, next_milestones, tallies, without_report
from hub.portfolio.tasks import Archived, Chosen
from hub.portfolio.texts import Text
from hub.portfolio.triage import UNSORTED, Triage, triage

Shape = dict[str, Any]
PLAIN = (
    *("id", "connection_id", "external_id", "url", "name", "container_id", "start_on", "due_on", "completed_at", "private"),
    *("health", "health_text", "created_at", "updated_at", "deleted_at"),
)
COLUMNS = (
    *(Project.__table__.c[name] for name in PLAIN),
    *(Project.archived_effective, Project.owner_id, Identity.name.label("owner_name"), (Project.triage != UNSORTED).label("by_hand")),
)
BY_ID = Keyset((("id", Project.id, UUID),))


class Sorted(StrEnum):
    IN = "in"
    OUT = "out"
    UNSORTED = "unsorted"


class ProjectFilter(Chosen):
    """Filters of projects; a filter given several times means any of its values."""

    container_id: list[UUID] = Field([], description="directly in this container; repeatable")
    external_id: list[Text] = Field([], description="the tool's own id; repeatable")
    archived: Archived = Field(Archived.FALSE, description="false, true or any; archived is also what lies in an archived container")
    include_deleted: bool = Field(False, description="also what was deleted in the tool")
    triage: list[Sorted] = Field([], description="whether it counts: in, out, or unsorted (nobody said); repeatable")
    q: Text | None = Field(None, description="part of the name, whatever the case")


def page(session: Session, asked: ProjectFilter, reached: Reach, day: Day, after: Key | None, limit: int) -> tuple[list[Shape], Key | None]:
    sorting = triage(session, reached)
    statement = _statement(reached, sorting).where(*conditions(asked, sorting))
    rows, further = BY_ID.page(session, statement, after, limit)
    return shapes(session, rows, reached, day), further


def conditions(asked: ProjectFilter, sorting: Triage) -> list[ColumnElement[bool]]:
    """The WHERE of a filter."""
    wanted: list[ColumnElement[bool]] = [] if asked.include_deleted else [Project.deleted_at.is_(None)]
    if asked.archived is not Archived.ANY:
        wanted.append(Project.archived_effective.is_(asked.archived is Archived.TRUE))
    if asked.container_id:
        wanted.append(Project.container_id.in_(asked.container_id))
    if asked.external_id:
        wanted.append(Project.external_id.in_(asked.external_id))
    if asked.triage:
        wanted.append(sorting.of.in_([each.value for each in asked.triage]))
    if asked.q:
        wanted.append(holds(Project.name, asked.q))
    return wanted


def one(session: Session, project_id: UUID, reached: Reach, day: Day) -> Shape | None:
    """A project by id, deleted ones included."""
    rows = session.execute(_statement(reached, triage(session, reached)).where(Project.id == project_id)).mappings()
    return next(iter(shapes(session, rows.all(), reached, day)), None)


def _statement(reached: Reach, sorting: Triage) -> Select[Any]:
    named = select(*COLUMNS, sorting.of.label("triage")).outerjoin(Identity, Identity.id == Project.owner_id)
    return named.where(*reached.projects())


def shapes(session: Session, rows: Sequence[RowMapping], reached: Reach, day: Day) -> list[Shape]:
    """In the order of the rows; a fixed number of statements. Slips are those since the policy's number of days ago."""
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    held = policy.load(session, reached.policy_key)
    first = day.today - timedelta(days=held.slip_days)
    counted = tallies(session, reached, day, held, first, projects=ids)
    ahead = next_milestones(session, reached, day.today, projects=ids)
    colours = health(session, reached, day, held, first, rows, counted)
    covered = _coverage(session, ids)
    tools, history, made = reached.tools, reached.history, []
    for row in rows:
        home = (row["connection_id"], row["id"])
        tally = counted.get(home) or Tally()
        tally.no_report = int(without_report(row))
        owner = {"id": row["owner_id"], "name": row["owner_name"]} if row["owner_id"] else None
        made.append(
            {
                **{name: row[name] for name in PLAIN if name not in ("health", "health_text")},
                "tool": tools[row["connection_id"]],
                "triage": row["triage"],
                "triage_by_hand": bool(row["by_hand"]),
                "owner": owner,
                "archived": row["archived_effective"],
                **tally.shape(day, held),
                "slipped": tally.slips(history.get(row["connection_id"]), day, first),
                "health": row["health"],
                "health_text": row["health_text"],
                "computed_health": colours[row["id"]],
                "next_milestone": ahead.get(home),
                "coverage": covered.get(row["id"]),
            }
        )
    return made


def _coverage(session: Session, ids: Sequence[UUID]) -> Mapping[UUID, Shape]:
    found = session.execute(
        select(Coverage.container_id, Coverage.held, Coverage.vendor_count, Coverage.proof, Coverage.refused, Coverage.proved_at).where(
            Coverage.container_id.in_(ids)
        )
    ).mappings()
    return {row["container_id"]: {name: row[name] for name in ("held", "vendor_count", "proof", "refused", "proved_at")} for row in found}
