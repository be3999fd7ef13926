"""How a project grew and how much of it got done: its scope and what was finished, point by point."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, select
from sqlalchemy.orm import Session

from connectors.records import StatusCategory
from hub.models import STATUS_MOVED, Change, Project, StatusMapping, Task
from hub.portfolio.history import AT, since
from hub.portfolio.moments import json_uuid, only
from hub.portfolio.reach import Day, Reach
from hub.portfolio.workdays import WEEK, week_start

Shape = dict[str, Any]
DONE, CANCELLED = StatusCategory.DONE.value, StatusCategory.CANCELLED.value
Lives = dict[tuple[int, int], list[tuple[int, int, int]]]
"""By the first point at which tasks were there and the first at which they were gone: (from which point on, done, in scope), as they add up."""


def burn_up(session: Session, reached: Reach, day: Day, projects: Collection[UUID], *, weeks: int = 12) -> Shape:
    """Scope: the tasks of every kind that were there at a point, archived ones included, cancelled ones not. Done: those of them whose status counted
    as done at that point, by what the statuses count as today. There from their creation in the tool, else from when the hub first saw them, until
    they were deleted; told back from today by the recorded changes of status. Tasks are counted in the project that is their home today. Points are
    the beginnings of the weeks (ISO day 1 in the reader's time zone) and now; a point before changes were known is null, never zero."""
    this = week_start(day.today)
    begins = [this - WEEK * step for step in reversed(range(weeks))]
    ends = [*(day.midnight(week) for week in begins), day.now]
    lives: Lives = defaultdict(list)
    for born, gone, done, scope in session.execute(_now(reached, ends, projects)):
        lives[born, gone].append((0, done, scope))
    for born, gone, place, done, scope in session.execute(_changed(reached, day, ends, projects)):
        lives[born, gone] += [(0, -done, -scope), (place, done, scope)]
    of = set(session.scalars(select(Project.connection_id).where(Project.id.in_(projects), *reached.projects())))
    known = max((at for connection, at in reached.history.items() if connection in of), default=None)
    known = known if of <= reached.history.keys() else None
    points = [
        _point(place, week, lives, known=known is not None and known <= end)
        for place, (week, end) in enumerate(zip([*begins, None], ends, strict=True))
    ]
    return {"points": points, "known_from": day.date_of(known) if known else None}


def _point(place: int, week: date | None, lives: Lives, *, known: bool) -> Shape:
    """``week`` null: now."""
    there = [parts for (born, gone), rows in lives.items() if born <= place < gone for parts in rows if parts[0] <= place]
    done, scope = (sum(parts[which] for parts in there) for which in (1, 2))
    return {"week": week, "known": known, "scope": scope if known else None, "done": done if known else None}


def _place(instant: Any, ends: Sequence[datetime]) -> ColumnElement[int]:
    """The first point that is not before an instant; one beyond the last where there is none."""
    return case(*((instant <= end, literal(place)) for place, end in enumerate(ends)), else_=literal(len(ends)))


def _life(ends: Sequence[datetime]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    born = _place(func.coalesce(Task.created_at, Task.first_seen_at), ends)
    return born.label("born"), _place(Task.deleted_at, ends).label("gone")


def _mine(reached: Reach, projects: Collection[UUID]) -> list[ColumnElement[bool]]:
    return [Task.project_id.in_(projects), Task.access_lost_at.is_(None), *reached.tasks()]


def _now(reached: Reach, ends: Sequence[datetime], projects: Collection[UUID]) -> Select[Any]:
    """How many are done and in scope, by when they came and went."""
    born, gone = _life(ends)
    inner = select(born, gone, Task.status_category).where(*_mine(reached, projects)).subquery()
    done, scope = func.sum(_is(inner.c.status_category, DONE)), func.sum(1 - _is(inner.c.status_category, CANCELLED))
    return select(inner.c.born, inner.c.gone, done, scope).group_by(inner.c.born, inner.c.gone)


def _changed(reached: Reach, day: Day, ends: Sequence[datetime], projects: Collection[UUID]) -> Select[Any]:
    """By how much that changed, by the first point at which it had."""
    born, gone = _life(ends)
    was, became = (_category(value) for value in (Change.old, Change.new))
    inner = (
        select(born, gone, _place(AT, ends).label("place"), was.label("was"), became.label("became"))
        .join(Task, and_(Task.id == Change.entity_id, Change.entity == "task"))
        .where(STATUS_MOVED, since(reached, day, None), ends[0] < AT, *_mine(reached, projects))
        .subquery()
    )
    done = func.sum(_is(inner.c.became, DONE) - _is(inner.c.was, DONE))
    scope = func.sum(_is(inner.c.was, CANCELLED) - _is(inner.c.became, CANCELLED))
    keys = (inner.c.born, inner.c.gone, inner.c.place)
    return select(*keys, done, scope).group_by(*keys)


def _is(category: Any, wanted: str) -> ColumnElement[int]:
    return case((category == wanted, 1), else_=0)


def _category(status: Any) -> Any:
    """What a status in a change row counts as today."""
    mapped = StatusMapping.status_id == json_uuid(only(STATUS_MOVED, status))
    return select(StatusMapping.category).where(mapped).correlate(Change).scalar_subquery()
