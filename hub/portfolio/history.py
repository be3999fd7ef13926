"""What moved, out of the change rows: when each happened, how dates slipped, how long tasks have been where they are.

A change happened when the tool says so (``occurred_at``), else when the hub saw it. Nothing here reaches behind a connection's ``history_from``: a
date before it is answered as far as the history goes, and ``known_from`` says so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select
from sqlalchemy.orm import Session

from connectors.records import StatusCategory, TaskKind
from hub.models import DUE_MOVED, STATUS_MOVED, Change, Project, Task
from hub.portfolio.moments import days_between, json_date, only
from hub.portfolio.reach import Day, Reach
from hub.portfolio.tasks import live, open_
from hub.portfolio.triage import Triage

Shape = dict[str, Any]
Home = tuple[UUID, UUID | None]
AT = func.coalesce(Change.occurred_at, Change.recorded_at)
SKEW = timedelta(days=1)
"""How far a tool's clock may run ahead of ours: changes are looked for by ``recorded_at``, which has an index, and then by ``AT``."""


@dataclass(slots=True)
class Slip:
    """Of one project. ``days``: the largest slip; ``milestone_days``: the largest one of a milestone."""

    tasks: int = 0
    days: int = 0
    milestone_days: int = 0


def since(reached: Reach, day: Day, first: date | None) -> ColumnElement[bool]:
    """Change rows of the reader's connections since a day (none: all that is known), never behind what is known of each."""
    begin = day.midnight(first) if first else None
    by_cut: dict[datetime, list[UUID]] = {}
    for connection, known in reached.history.items():
        by_cut.setdefault(max(known, begin) if begin else known, []).append(connection)
    each = [and_(Change.connection_id.in_(of), cut <= AT, Change.recorded_at >= cut - SKEW) for cut, of in by_cut.items()]
    return or_(*each) if each else false()


def not_known_before(known: datetime | None, day: Day, first: date) -> date | None:
    """The day from which on movement is known, where that is later than the day asked for; else None."""
    return day.date_of(known) if known is not None and known > day.midnight(first) else None


def _moved(reached: Reach, day: Day, first: date | None, tasks: Collection[UUID] | Select[Any] | None = None) -> Any:
    """(task, its due date before the first change since a day)."""
    place = func.row_number().over(partition_by=Change.entity_id, order_by=(AT, Change.id)).label("place")
    rows = select(Change.entity_id, json_date(only(DUE_MOVED, Change.old)).label("was"), place).where(
        Change.entity == "task", DUE_MOVED, since(reached, day, first)
    )
    if tasks is not None:
        rows = rows.where(Change.entity_id.in_(tasks))
    inner = rows.subquery()
    return select(inner.c.entity_id, inner.c.was).where(inner.c.place == 1).subquery()


def slips(session: Session, reached: Reach, day: Day, first: date, *, projects: Collection[UUID] = ()) -> dict[Home, Slip]:
    """Open tasks that are due later now than they were due on the given day, as the change rows tell; a task that had no due date then, or has none
    now, has not slipped. The slip is in calendar days."""
    moved = _moved(reached, day, first)
    late = days_between(Task.due_on, moved.c.was)
    of_milestone = case((Task.kind == TaskKind.MILESTONE.value, late), else_=0)
    wanted = (
        select(Task.connection_id, Task.project_id, func.count(), func.max(late), func.max(of_milestone))
        .join(moved, moved.c.entity_id == Task.id)
        .where(Task.due_on > moved.c.was, open_(), *live(), *reached.tasks())
    )
    if projects:
        wanted = wanted.where(Task.project_id.in_(projects))
    rows = session.execute(wanted.group_by(Task.connection_id, Task.project_id))
    return {(connection, project): Slip(*numbers) for connection, project, *numbers in rows}


def slipped(reached: Reach, day: Day, first: date) -> tuple[Any, ColumnElement[bool], ColumnElement[int]]:
    """(what to join on its ``entity_id``, the condition, the slip in days) for a query of tasks."""
    moved = _moved(reached, day, first)
    return moved, and_(Task.due_on > moved.c.was, open_()), days_between(Task.due_on, moved.c.was)


def movements(session: Session, reached: Reach, day: Day, tasks: Collection[UUID], first: date | None = None) -> dict[UUID, Shape]:
    """How due dates moved: the first date that is known (or the one of the given day), the date now, the calendar days between the two (null where
    either is missing), and the number of moves from one date to another."""
    change = select(Change.entity_id, json_date(only(DUE_MOVED, Change.old)), json_date(only(DUE_MOVED, Change.new))).where(
        *(Change.entity == "task", DUE_MOVED, Change.entity_id.in_(tasks), since(reached, day, first))
    )
    rows: dict[UUID, list[tuple[date | None, date | None]]] = {}
    for task, old, new in session.execute(change.order_by(Change.entity_id, AT, Change.id)):
        rows.setdefault(task, []).append((old, new))
    now = session.execute(select(Task.id, Task.due_on, Task.connection_id, Task.first_seen_at).where(Task.id.in_(tasks)))
    history = reached.history
    return {task: _movement(rows.get(task, []), due, _known(history.get(of), seen, day, first)) for task, due, of, seen in now}


def _known(history: datetime | None, seen: datetime, day: Day, first: date | None) -> date | None:
    known = day.date_of(max(history, seen)) if history else None
    return known if known is None or first is None else max(known, first)


def _movement(moves: list[tuple[date | None, date | None]], now: date | None, known_from: date | None) -> Shape:
    began = next((each for old, new in moves for each in (old, new) if each is not None), now)
    return {
        "first_due_on": began,
        "due_on": now,
        "delta_days": (now - began).days if now is not None and began is not None else None,
        "moves": sum(old is not None and new is not None for old, new in moves),
        "known_from": known_from,
    }


def moved_since(reached: Reach, day: Day, first: date | None) -> ColumnElement[bool]:
    """Tasks whose due date moved since a day; none: since changes are known."""
    rows = select(Change.entity_id).where(Change.entity == "task", DUE_MOVED, since(reached, day, first))
    return Task.id.in_(rows)


def ages(session: Session, reached: Reach, day: Day, tasks: Collection[UUID]) -> dict[UUID, Shape]:
    """Calendar days in the present status: since the last change of status that is known. Where none is known, the days since the hub first saw the
    task, and ``at_least`` says that it may be longer."""
    rows = session.execute(_ages(reached, day, tasks).where(Task.id.in_(tasks)))
    return {row.id: _age(row.entered_at, row.first_seen_at, day) for row in rows}


def oldest(session: Session, reached: Reach, day: Day, found: Triage, *, projects: Collection[UUID] = (), limit: int = 10) -> list[Shape]:
    """The started or blocked tasks that have been in their status longest."""
    stuck = (StatusCategory.STARTED.value, StatusCategory.BLOCKED.value)
    wanted = _ages(reached, day, None).where(Task.status_category.in_(stuck), *live(), *reached.tasks(), *found.tasks())
    if projects:
        wanted = wanted.where(Task.project_id.in_(projects))
    begun = func.coalesce(wanted.selected_columns.entered_at, Task.first_seen_at)
    tools = reached.tools
    shown = ("id", "title", "url", "status", "status_category", "project_id", "project")
    return [
        {**{name: row[name] for name in shown}, "tool": tools[row["connection_id"]], **_age(row["entered_at"], row["first_seen_at"], day)}
        for row in session.execute(wanted.order_by(begun, Task.id).limit(limit)).mappings()
    ]


def _ages(reached: Reach, day: Day, tasks: Collection[UUID] | None) -> Select[Any]:
    last = select(Change.entity_id, func.max(AT).label("entered_at")).where(Change.entity == "task", STATUS_MOVED, since(reached, day, None))
    if tasks is not None:
        last = last.where(Change.entity_id.in_(tasks))
    entered = last.group_by(Change.entity_id).subquery()
    columns = (Task.id, Task.title, Task.url, Task.status, Task.status_category, Task.project_id, Task.connection_id, Task.first_seen_at)
    wanted = select(*columns, Project.name.label("project"), entered.c.entered_at).outerjoin(entered, entered.c.entity_id == Task.id)
    return wanted.outerjoin(Project, Project.id == Task.project_id)


def _age(entered: datetime | None, seen: datetime, day: Day) -> Shape:
    since_day = day.date_of(entered or seen)
    return {"days_in_status": (day.today - since_day).days, "since": since_day, "at_least": entered is None}
