"""Rows for tests of the read side: one connection per call, and whatever hangs on it, with the fields that the test is about."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from hub import models
from hub.db import Base

Row = TypeVar("Row", bound=Base)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TODAY = NOW.date()


def connection(session: Session, tool: str = "asana", **given: Any) -> models.Connection:
    made = models.Connection(
        id=uuid4(), name=f"{tool} {uuid4().hex[:6]}", tool=tool, base_url="http://127.0.0.1:9/api", realm=uuid4(), created_at=NOW
    )
    made.scope, made.options, made.state = {"workspaces": [], "excluded": []}, {}, "active"
    made.last_synced_at, made.history_from, made.next_sync_at = NOW, NOW, NOW
    return _add(session, made, given)


def project(session: Session, of: models.Connection, name: str = "Apollo", **given: Any) -> models.Project:
    made = models.Project(**_base(of), name=name, archived=False, archived_effective=False, private=False, triage="unsorted")
    return _add(session, made, given)


def container(session: Session, of: models.Connection, name: str = "Space", **given: Any) -> models.Container:
    return _add(session, models.Container(**_base(of), kind="space", name=name, archived=False, private=False), given)


def section(session: Session, of: models.Project, name: str = "Doing") -> models.Section:
    return _add(session, models.Section(**_base(of), project_id=of.id, name=name, position=0, archived=False), {})


def identity(session: Session, of: models.Connection, name: str | None = "Ada Ångström", **given: Any) -> models.Identity:
    return _add(session, models.Identity(**_base(of), name=name, email="ada@example.org", active=True, guest=False, agent=False), given)


def team(session: Session, of: models.Connection, name: str = "Ground crew") -> models.Team:
    return _add(session, models.Team(**_base(of), name=name, member_ids=[]), {})


def field(session: Session, of: models.Connection, name: str, kind: str = "text") -> models.Field:
    return _add(session, models.Field(**_base(of), name=name, type=kind, options=[]), {})


def status(
    session: Session, of: models.Connection, name: str | None, vendor: str = "unknown", counts: str = "unknown", source: str = "vendor"
) -> models.Status:
    made = _add(session, models.Status(**_base(of), name=name, type="custom", category=vendor, position=0), {})
    session.add(models.StatusMapping(status_id=made.id, connection_id=of_id(of), category=counts, source=source, changed_at=NOW))
    session.flush()
    return made


def task(session: Session, of: models.Connection | models.Project, title: str = "Write it down", **given: Any) -> models.Task:
    """In a project: a member of it, unless it was inherited."""
    made = models.Task(**_base(of), title=title, kind="task", home_inherited=False, status_category="started", priority="none", tags=[])
    made.archived = made.archived_effective = False
    made.custom_fields, made.position = {}, 1
    if isinstance(of, models.Project):
        made.project_id = of.id
    _add(session, made, given)
    if made.project_id and not made.home_inherited:
        member(session, made, made.project_id)
    return made


def member(session: Session, of: models.Task, project_id: UUID, rank: int = 0) -> None:
    session.add(models.TaskProject(task_id=of.id, project_id=project_id, rank=rank))
    session.flush()


def assign(session: Session, of: models.Task, to: models.Identity | models.Team, rank: int = 0) -> None:
    kind = "team" if isinstance(to, models.Team) else "identity"
    session.add(models.Assignment(task_id=of.id, assignee_id=to.id, kind=kind, rank=rank))
    session.flush()


def waits(session: Session, successor: models.Task, predecessor: UUID, **given: Any) -> None:
    edge = {"type": "FS", "lag_minutes": 0, "assumed": True} | given
    session.add(models.Dependency(successor_id=successor.id, predecessor_id=predecessor, **edge))
    session.flush()


def coverage(session: Session, of: models.Project | models.Container, **given: Any) -> models.Coverage:
    made = models.Coverage(container_id=of.id, connection_id=of.connection_id, held=0, proof="complete_pass", proved_at=NOW)
    return _add(session, made, given)


def run(session: Session, of: models.Connection, **given: Any) -> models.SyncRun:
    made = models.SyncRun(id=uuid4(), connection_id=of.id, reason="manual", state="complete", queued_at=NOW, errors=[])
    made.full, made.baseline = True, False
    return _add(session, made, given)


def day(text: str) -> date:
    return date.fromisoformat(text)


def of_id(of: Any) -> UUID:
    made: UUID = of.id if isinstance(of, models.Connection) else of.connection_id
    return made


def _base(of: Any) -> dict[str, Any]:
    made = uuid4()
    return {"id": made, "connection_id": of_id(of), "external_id": made.hex[:12], "digest": b"0" * 24, "first_seen_at": NOW}


def _add(session: Session, made: Row, given: dict[str, Any]) -> Row:
    for name, value in given.items():
        setattr(made, name, value)
    session.add(made)
    session.flush()
    return made
