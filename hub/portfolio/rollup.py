"""The first look: what there is, per tool and project, by category; how much is late; which milestone comes next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from connectors.records import StatusCategory, TaskKind
from hub.models import Project, Task
from hub.portfolio.reach import Reach
from hub.portfolio.tasks import SETTLED, live, overdue

Shape = dict[str, Any]
CATEGORIES = tuple(category.value for category in StatusCategory)


@dataclass(slots=True)
class Tally:
    """Tasks of every kind and depth, counted once each, at their home."""

    tasks: int = 0
    overdue: int = 0
    by_category: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CATEGORIES, 0))

    def add(self, category: str, tasks: int, late: int) -> None:
        self.tasks += tasks
        self.overdue += late
        self.by_category[category] += tasks

    def merge(self, other: Tally) -> None:
        self.tasks += other.tasks
        self.overdue += other.overdue
        for category, tasks in other.by_category.items():
            self.by_category[category] += tasks

    def shape(self) -> Shape:
        return {"tasks": self.tasks, "overdue": self.overdue, "by_category": self.by_category}


Home = tuple[UUID, UUID | None]
"""Connection, and home project if there is one."""


def tallies(session: Session, reached: Reach, today: date, *, projects: Collection[UUID] = ()) -> dict[Home, Tally]:
    """What is live, by home; ``projects``: of these only."""
    late = func.sum(case((overdue(today), 1), else_=0))
    counted = select(Task.connection_id, Task.project_id, Task.status_category, func.count(), late).where(*live(), *_of(reached, projects))
    found: dict[Home, Tally] = {}
    for connection, project, category, tasks, behind in session.execute(counted.group_by(Task.connection_id, Task.project_id, Task.status_category)):
        found.setdefault((connection, project), Tally()).add(category, tasks, int(behind))
    return found


def next_milestones(session: Session, reached: Reach, today: date, *, projects: Collection[UUID] = ()) -> dict[Home, Shape]:
    """The first open milestone due today or later, by home."""
    place = func.row_number().over(partition_by=(Task.connection_id, Task.project_id), order_by=(Task.due_on, Task.id)).label("place")
    ahead = (
        select(Task.connection_id, Task.project_id, Task.id, Task.title, Task.due_on, place)
        .where(*live(), *_of(reached, projects))
        .where(Task.kind == TaskKind.MILESTONE.value, Task.status_category.not_in(SETTLED), Task.due_on >= today)
        .subquery()
    )
    return {
        (found.connection_id, found.project_id): {"id": found.id, "title": found.title, "due_on": found.due_on, "project_id": found.project_id}
        for found in session.execute(select(ahead).where(ahead.c.place == 1))
    }


def _of(reached: Reach, projects: Collection[UUID]) -> list[ColumnElement[bool]]:
    where = reached.where(Task.connection_id)
    return [*where, Task.project_id.in_(projects)] if projects else where


def portfolio(session: Session, reached: Reach, today: date) -> Shape:
    """Totals, tools and projects; the three agree, because tasks in no project have a line of their own in each tool."""
    counted = tallies(session, reached, today)
    ahead = next_milestones(session, reached, today)
    names = _projects(session, reached)
    homes: list[Home] = [*names, *(home for home in counted if home not in names)]
    tools = reached.tools
    lines = [_line(home, names.get(home), tools[home[0]], counted.get(home, Tally()), ahead.get(home)) for home in homes]
    lines.sort(key=lambda line: (line["tool"], line["name"] is None, line["name"] or "", str(line["id"])))
    total = Tally()
    for tally in counted.values():
        total.merge(tally)
    return {
        "totals": {"projects": len(names), **total.shape(), "next_milestone": _first(ahead.values())},
        "tools": [_tool(tool, reached, names, counted, ahead) for tool in sorted(set(tools.values()))],
        "projects": lines,
    }


def _projects(session: Session, reached: Reach) -> dict[Home, str]:
    wanted = select(Project.connection_id, Project.id, Project.name).where(
        Project.deleted_at.is_(None), Project.archived_effective.is_(False), *reached.where(Project.connection_id)
    )
    return {(connection, project): name for connection, project, name in session.execute(wanted)}


def _line(home: Home, name: str | None, tool: str, tally: Tally, ahead: Shape | None) -> Shape:
    return {"id": home[1], "name": name, "tool": tool, "connection_id": home[0], **tally.shape(), "next_milestone": ahead}


def _tool(tool: str, reached: Reach, names: Mapping[Home, str], counted: Mapping[Home, Tally], ahead: Mapping[Home, Shape]) -> Shape:
    connections = [connection for connection in reached.connections if connection.tool == tool]
    mine = {connection.id for connection in connections}
    total = Tally()
    for home, tally in counted.items():
        if home[0] in mine:
            total.merge(tally)
    return {
        "tool": tool,
        "connections": [{"id": each.id, "name": each.name, "state": each.state, "last_synced_at": each.last_synced_at} for each in connections],
        "projects": sum(home[0] in mine for home in names),
        **total.shape(),
        "next_milestone": _first([shape for home, shape in ahead.items() if home[0] in mine]),
    }


def _first(milestones: Collection[Shape]) -> Shape | None:
    return min(milestones, key=lambda shape: (shape["due_on"], str(shape["id"])), default=None)
