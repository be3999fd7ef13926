"""The rows beside a task: memberships, assignments, dependencies. Compared and kept as sets, a fixed number of statements a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from hub.models import Assignment, Dependency, TaskProject
from hub.sync.bulk import upsert
from hub.sync.diff import Difference
from hub.sync.rows import Related

Plain = dict[UUID, Any]
NOTHING: Plain = {}
VENDOR = "vendor"


class Held:
    """What the database holds beside one task: {project: (section, rank)}, {assignee: (kind, rank)}, {predecessor: (type, lag, assumed, origin)}."""

    __slots__ = ("assignees", "depends_on", "memberships")

    def __init__(self) -> None:
        self.memberships: Plain = {}
        self.assignees: Plain = {}
        self.depends_on: Plain = {}


def held(session: Session, tasks: Sequence[UUID]) -> dict[UUID, Held]:
    found: dict[UUID, Held] = defaultdict(Held)
    for m in session.execute(
        select(TaskProject.task_id, TaskProject.project_id, TaskProject.section_id, TaskProject.rank).where(TaskProject.task_id.in_(tasks))
    ):
        found[m.task_id].memberships[m.project_id] = (m.section_id, m.rank)
    for a in session.execute(
        select(Assignment.task_id, Assignment.assignee_id, Assignment.kind, Assignment.rank).where(Assignment.task_id.in_(tasks))
    ):
        found[a.task_id].assignees[a.assignee_id] = (a.kind, a.rank)
    edges = select(Dependency.successor_id, Dependency.predecessor_id, Dependency.type, Dependency.lag_minutes, Dependency.assumed)
    for d in session.execute(edges.where(Dependency.successor_id.in_(tasks), Dependency.origin == VENDOR)):
        found[d.successor_id].depends_on[d.predecessor_id] = (d.type, d.lag_minutes, d.assumed, VENDOR)
    return found


def wanted(beside: Related) -> Held:
    made = Held()
    made.memberships = {project: (section, rank) for rank, (project, (section, _, _)) in enumerate(beside.memberships.items())}
    if beside.assignees:
        made.assignees = {assignee: (kind, rank) for rank, (assignee, kind) in enumerate(beside.assignees.items())}
    if beside.depends_on:
        made.depends_on = {predecessor: (edge.type.value, edge.lag_minutes, edge.assumed, VENDOR) for predecessor, edge in beside.depends_on.items()}
    return made


def differences(old: Held | None, beside: Related) -> list[Difference]:
    """As sets: the vendor's order alone is no change."""
    before, after = old or Held(), wanted(beside)
    told = []
    if {p: m[0] for p, m in before.memberships.items()} != {p: m[0] for p, m in after.memberships.items()}:
        told.append(Difference("memberships", _memberships(before), _memberships(after)))
    if before.assignees.keys() != after.assignees.keys():
        told.append(Difference("assignee_ids", sorted(map(str, before.assignees)), sorted(map(str, after.assignees))))
    if before.depends_on != after.depends_on:
        told.append(Difference("depends_on", _edges(before), _edges(after)))
    return told


def _memberships(found: Held) -> list[list[str | None]]:
    return sorted(([str(project), str(section) if section else None] for project, (section, _) in found.memberships.items()), key=str)


def _edges(found: Held) -> list[list[Any]]:
    return sorted(([str(predecessor), kind, lag] for predecessor, (kind, lag, *_) in found.depends_on.items()), key=str)


def keep(session: Session, beside: Mapping[UUID, Related], old: Mapping[UUID, Held]) -> None:
    """Makes the three tables hold exactly what ``beside`` says of its tasks."""
    new = {task: wanted(each) for task, each in beside.items()}
    _keep_one(session, TaskProject, ("task_id", "project_id", "section_id", "rank"), new, old, attrgetter("memberships"))
    _keep_one(session, Assignment, ("task_id", "assignee_id", "kind", "rank"), new, old, attrgetter("assignees"))
    edges = ("successor_id", "predecessor_id", "type", "lag_minutes", "assumed", "origin")
    _keep_one(session, Dependency, edges, new, old, attrgetter("depends_on"))


def _keep_one(
    session: Session, table: Any, columns: tuple[str, ...], new: Mapping[UUID, Held], old: Mapping[UUID, Held], side: Callable[[Held], Plain]
) -> None:
    """``columns``: the task's, the other's, then those of the values."""
    gone, rows = [], []
    for task, each in new.items():
        before = side(old[task]) if task in old else NOTHING
        after = side(each)
        gone += [(task, other) for other in before if other not in after]
        rows += [dict(zip(columns, (task, other, *values), strict=True)) for other, values in after.items() if before.get(other) != values]
    if gone:
        keys = [getattr(table, name) for name in columns[:2]]
        session.execute(delete(table).where(tuple_(*keys).in_(gone)))
    upsert(session, table.__table__, rows)
