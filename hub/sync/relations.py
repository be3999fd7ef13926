"""The rows beside a task: memberships, assignments, dependencies. Compared and kept as sets, a fixed number of statements a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from hub.models import Assignment, Dependency, TaskProject
from hub.sync.bulk import upsert
from hub.sync.diff import Difference
from hub.sync.rows import Related

Plain = dict[UUID, Any]


class Held:
    """What the database holds beside one task: {project: (section, rank)}, {assignee: (kind, rank)}, {predecessor: (type, lag, assumed)}."""

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
    for d in session.execute(edges.where(Dependency.successor_id.in_(tasks), Dependency.origin == "vendor")):
        found[d.successor_id].depends_on[d.predecessor_id] = (d.type, d.lag_minutes, d.assumed)
    return found


def wanted(beside: Related) -> Held:
    made = Held()
    made.memberships = {project: (section, rank) for rank, (project, (section, _, _)) in enumerate(beside.memberships.items())}
    made.assignees = {assignee: (kind, rank) for rank, (assignee, kind) in enumerate(beside.assignees.items())}
    made.depends_on = {predecessor: (edge.type.value, edge.lag_minutes, edge.assumed) for predecessor, edge in beside.depends_on.items()}
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
    return sorted(([str(predecessor), kind, lag] for predecessor, (kind, lag, _) in found.depends_on.items()), key=str)


def keep(session: Session, beside: Mapping[UUID, Related], old: Mapping[UUID, Held]) -> None:
    """Makes the three tables hold exactly what ``beside`` says of its tasks."""
    new = {task: wanted(each) for task, each in beside.items()}
    empty = Held()
    _keep_one(
        session,
        TaskProject,
        ("task_id", "project_id"),
        ("section_id", "rank"),
        {t: n.memberships for t, n in new.items()},
        {t: old.get(t, empty).memberships for t in new},
    )
    _keep_one(
        session,
        Assignment,
        ("task_id", "assignee_id"),
        ("kind", "rank"),
        {t: n.assignees for t, n in new.items()},
        {t: old.get(t, empty).assignees for t in new},
    )
    columns = ("type", "lag_minutes", "assumed")
    _keep_one(
        session,
        Dependency,
        ("successor_id", "predecessor_id"),
        columns,
        {t: n.depends_on for t, n in new.items()},
        {t: old.get(t, empty).depends_on for t in new},
    )


def _keep_one(
    session: Session, table: Any, keys: tuple[str, str], columns: tuple[str, ...], new: Mapping[UUID, Plain], old: Mapping[UUID, Plain]
) -> None:
    gone = [(task, other) for task, held_ones in old.items() for other in held_ones.keys() - new[task].keys()]
    if gone:
        session.execute(delete(table).where(tuple_(getattr(table, keys[0]), getattr(table, keys[1])).in_(gone)))
    rows = [
        {keys[0]: task, keys[1]: other, **dict(zip(columns, values, strict=True))}
        for task, wanted_ones in new.items()
        for other, values in wanted_ones.items()
        if old[task].get(other) != values
    ]
    if table is Dependency:
        rows = [each | {"origin": "vendor"} for each in rows]
    upsert(session, table.__table__, rows)
