"""How the hub keeps up: connections, their runs, and how completely each project is held."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import func, literal, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session

from hub.models import Connection, Container, Coverage, Project, SyncRun
from hub.portfolio.keyset import Key, Keyset
from hub.portfolio.reach import Reach
from hub.portfolio.tasks import Concerned

Shape = dict[str, Any]
CONNECTION = (
    *("id", "name", "tool", "base_url", "state", "last_synced_at", "next_sync_at", "last_error", "interval_seconds", "scope", "checked"),
    *("history_from", "created_at"),
)
RUN = (
    *("id", "connection_id", "state", "reason", "kind", "full", "baseline", "queued_at", "started_at", "ended_at", "tasks", "created", "updated"),
    *("deleted", "unchanged", "requests", "errors", "next_sync_at"),
)
NEWEST = Keyset((("queued_at", SyncRun.queued_at, datetime), ("id", SyncRun.id, UUID)), descending=True)
BY_CONTAINER = Keyset((("container_id", Coverage.container_id, UUID),))
CHECKED = ("user_name", "plan", "limits", "missing", "workspaces", "lasts", "at")


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    PARTIAL = "partial"
    DEFERRED = "deferred"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Proof(StrEnum):
    COMPLETE_PASS = "complete_pass"  # noqa: S105  no secret: what proves a count
    VENDOR_COUNT = "vendor_count"
    NONE = "none"


class RunFilter(Concerned):
    """Filters of sync runs."""

    state: list[RunState] = Field([], description="repeatable")


class CoverageFilter(Concerned):
    """Filters of coverage."""

    proof: list[Proof] = Field([], description="what proves that all tasks are held; none lists what is not proved; repeatable")
    refused: bool | None = Field(None, description="whether the tool refuses to show it")


def connections(session: Session, reached: Reach) -> list[Shape]:
    """By tool and name, without their secrets; those that the reader sees as a whole."""
    columns = [Connection.__table__.c[name] for name in CONNECTION]
    wanted = (
        select(*columns)
        .where(Connection.id.in_([each.id for each in reached.connections]), *reached.scope.whole(Connection.id))
        .order_by(Connection.tool, Connection.name)
    )
    return [_connection(row) for row in session.execute(wanted).mappings()]


def _connection(row: RowMapping) -> Shape:
    """Of the last check what an admin needs; the user's address is left out."""
    checked = row["checked"]
    return {**row, "checked": {name: checked.get(name) for name in CHECKED} if checked else None}


def runs(session: Session, asked: RunFilter, reached: Reach, after: Key | None, limit: int) -> tuple[list[Shape], Key | None]:
    """Newest first."""
    statement = _runs(reached)
    if asked.state:
        statement = statement.where(SyncRun.state.in_([state.value for state in asked.state]))
    rows, further = NEWEST.page(session, statement, after, limit)
    return [_run(row, reached) for row in rows], further


def run(session: Session, run_id: UUID, reached: Reach) -> Shape | None:
    found = session.execute(_runs(reached).where(SyncRun.id == run_id)).mappings().one_or_none()
    return _run(found, reached) if found else None


def _runs(reached: Reach) -> Any:
    return select(*(SyncRun.__table__.c[name] for name in RUN)).where(*reached.whole(SyncRun.connection_id))


def _run(row: RowMapping, reached: Reach) -> Shape:
    return {**row, "tool": reached.tools[row["connection_id"]]}


def coverage(session: Session, asked: CoverageFilter, reached: Reach, after: Key | None, limit: int) -> tuple[list[Shape], Key | None]:
    """Per project, and per container of which tasks are listed. ``kind``: ``project``, or the container's."""
    columns = (*Coverage.__table__.c, func.coalesce(Project.name, Container.name).label("name"))
    statement = (
        select(*columns, func.coalesce(Container.kind, literal("project")).label("kind"))
        .outerjoin(Project, Project.id == Coverage.container_id)
        .outerjoin(Container, Container.id == Coverage.container_id)
        .where(Project.deleted_at.is_(None), Container.deleted_at.is_(None), *reached.held())
    )
    if asked.proof:
        statement = statement.where(Coverage.proof.in_([proof.value for proof in asked.proof]))
    if asked.refused is not None:
        statement = statement.where(Coverage.refused.is_not(None) if asked.refused else Coverage.refused.is_(None))
    rows, further = BY_CONTAINER.page(session, statement, after, limit)
    tools = reached.tools
    return [{**row, "tool": tools[row["connection_id"]]} for row in rows], further
