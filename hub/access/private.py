"""What is private in its tool and was read all the same, by an admin, who may: such a reading leaves a trace in the audit log.

A question that names its places (a task, a project, a container, an event) is noted with those of them that are private; one that ranges over
everything is noted as ``all`` where anything private is held. Once an admin, place and hour: the log is to say who looked where, not how often.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any
from uuid import UUID

from sqlalchemy import false, not_, select
from sqlalchemy.orm import Session

from hub.access import audit
from hub.access.audit import Actor
from hub.access.scope import Ground
from hub.models import Audit, Container, Event, Project, Task, TaskProject

READ, ALL = "private.read", "all"
TASKS, PROJECTS, CONTAINERS, EVENTS = ("task_id",), ("project_id",), ("container_id", "parent_id"), ("event_id",)
NOT_CONTENT = (
    *("/account", "/docs", "/login", "/logout", "/setup", "/static", "/metrics", "/openapi.json"),
    *("/admin/connections", "/admin/endpoints", "/admin/keys", "/admin/audit"),
    *("/api/v1/users", "/api/v1/keys", "/api/v1/teams", "/api/v1/audit", "/api/v1/policy", "/api/v1/figures", "/api/v1/event-types"),
    *("/api/v1/webhook-endpoints", "/api/v1/connections", "/api/v1/sync-runs"),
)
"""Where nothing of a tool's work is shown; everything else counts, so that a new page is not forgotten."""
REMEMBERED = 20_000
OPEN = Ground(True, false(), frozenset())
"""Whatever is not private."""

Asked = Mapping[str, frozenset[UUID]]


def named(given: Iterable[tuple[str, Any]]) -> Asked:
    """The places that a question names by its path and parameters: {parameter: ids}."""
    found: dict[str, set[UUID]] = {}
    for name, value in given:
        if name in (*TASKS, *PROJECTS, *CONTAINERS, *EVENTS):
            try:
                found.setdefault(name, set()).add(UUID(str(value)))
            except ValueError:  # then the question was refused
                continue
    return {name: frozenset(ids) for name, ids in found.items()}


def shown_at(path: str) -> bool:
    return not any(path == each or path.startswith((f"{each}/", f"{each}.")) for each in NOT_CONTENT)


@dataclass(slots=True)
class Readings:
    """Of one process: what was looked at in this hour already, so that most readings cost no statement."""

    _noted: OrderedDict[Any, None] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def is_new(self, by: Actor, asked: Asked, now: datetime) -> bool:
        key = (by.kind, by.id, tuple(sorted((name, tuple(sorted(ids))) for name, ids in asked.items())), hour(now))
        with self._lock:
            if key in self._noted:
                return False
            self._noted[key] = None
            while len(self._noted) > REMEMBERED:
                self._noted.popitem(last=False)
            return True


def hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


def places(session: Session, asked: Asked) -> list[str]:
    """Which private places a question's answer shows, as the audit log writes them."""
    if not asked:
        held = select(Project.id).where(not_(OPEN.project(Project))).limit(1)
        return [ALL] if session.execute(held).first() or session.execute(select(Container.id).where(Container.private).limit(1)).first() else []
    projects = {each for name in PROJECTS for each in asked.get(name, ())} | _projects_of(session, asked)
    private = select(Project.id).where(Project.id.in_(projects), not_(OPEN.project(Project)))
    containers = {each for name in CONTAINERS for each in asked.get(name, ())}
    closed = select(Container.id).where(Container.id.in_(containers), not_(OPEN.container(Container)))
    return sorted([f"project:{each}" for each in session.scalars(private)] + [f"container:{each}" for each in session.scalars(closed)])


def _projects_of(session: Session, asked: Asked) -> set[UUID]:
    """Those in which the tasks asked for are at home or members."""
    tasks = {each for name in TASKS for each in asked.get(name, ())}
    found: set[UUID] = set()
    if events := {each for name in EVENTS for each in asked.get(name, ())}:
        told = session.scalars(select(Event.entity_id).where(Event.id.in_(events))).all()
        tasks |= set(told)
        found |= set(told)
    if tasks:
        homes = select(Task.project_id).where(Task.id.in_(tasks), Task.project_id.is_not(None))
        members = select(TaskProject.project_id).where(TaskProject.task_id.in_(tasks))
        found |= {each for each in session.scalars(homes.union(members)) if each is not None}
    return found


def note(session: Session, by: Actor, found: Sequence[str], now: datetime) -> None:
    """A row for each place that has none of this admin in this hour."""
    mine = (Audit.actor_kind == by.kind, Audit.actor_id == by.id, Audit.action == READ)
    known = set(session.scalars(select(Audit.target).where(*mine, Audit.at >= hour(now), Audit.target.in_(found))))
    for place in found:
        if place not in known:
            audit.add(session, by, READ, place, now)
