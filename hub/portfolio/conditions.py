"""What a task's state is called: each condition of the figures once, as SQL. The formula in words is the docstring, and people read it there.

Two more, older ones are in ``tasks``: open and overdue.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import aliased

from connectors.records import DependencyType, StatusCategory, TaskKind
from hub.models import Assignment, Dependency, Task
from hub.portfolio.reach import Day, Reach
from hub.portfolio.tasks import SETTLED, live, open_

BACKLOG = StatusCategory.BACKLOG.value
WAITING = (StatusCategory.BACKLOG.value, StatusCategory.UNSTARTED.value)
LAST_CHANGE = func.coalesce(Task.updated_at, Task.created_at, Task.first_seen_at)
EFFORT: ColumnElement[bool] = and_(Task.kind != TaskKind.MILESTONE.value, Task.status_category != StatusCategory.CANCELLED.value)
ESTIMATED: ColumnElement[bool] = and_(EFFORT, Task.estimate_minutes > 0)
PREDECESSOR = aliased(Task, name="predecessor")


def is_open() -> ColumnElement[bool]:
    """Tasks of every kind and depth that are neither done nor cancelled, not archived and not deleted, counted once, at their home project."""
    return open_()


def due_soon(today: date, days: int) -> ColumnElement[bool]:
    """Open tasks due today or within the policy's due-soon days after it."""
    return Task.due_on.between(today, today + timedelta(days=days)) & open_()


def stale(day: Day, days: int) -> ColumnElement[bool]:
    """Open tasks, those in the backlog left out, whose last change in the tool lies more than the policy's stale days back, counted in calendar days
    of the reader's time zone."""
    cut = day.midnight(day.today - timedelta(days=days))
    return Task.status_category.not_in((*SETTLED, BACKLOG)) & (cut > LAST_CHANGE)


def without_due_date() -> ColumnElement[bool]:
    """Open tasks without a due date. Hygiene: it makes no project red."""
    return Task.due_on.is_(None) & open_()


def without_estimate() -> ColumnElement[bool]:
    """Open tasks, milestones left out, whose estimate is missing or zero. Hygiene: it makes no project red."""
    return and_(open_(), Task.kind != TaskKind.MILESTONE.value, func.coalesce(Task.estimate_minutes, 0) <= 0)


def without_owner() -> ColumnElement[bool]:
    """Open tasks that nobody and no team is assigned to. Hygiene: it makes no project red."""
    return open_() & ~select(Assignment.task_id).where(Assignment.task_id == Task.id).correlate(Task).exists()


def unmapped() -> ColumnElement[bool]:
    """Tasks whose status the hub cannot read until somebody says what it counts as. Hygiene: it makes no project red."""
    return Task.status_category == StatusCategory.UNKNOWN.value


def blocked(reached: Reach | None = None) -> ColumnElement[bool]:
    """Open tasks whose status counts as blocked, or that wait for an open predecessor."""
    held_up: ColumnElement[bool] = Task.status_category == StatusCategory.BLOCKED.value
    return or_(held_up, and_(open_(), Task.id.in_(waiting(reached))))


def waiting(reached: Reach | None = None) -> Any:
    """Tasks that wait: a finish-to-start predecessor that is not archived is still open, or a start-to-start predecessor has not begun. Other types
    of dependency hold up an end, not the work; a predecessor that the hub has not read holds up nothing."""
    seen = [] if reached is None else reached.scope.tasks(PREDECESSOR)  # in whatever tool: a filter by tool narrows only who waits
    return select(Dependency.successor_id).join(PREDECESSOR, PREDECESSOR.id == Dependency.predecessor_id).where(*live(PREDECESSOR), holds_up(), *seen)


def holds_up(of: Any = PREDECESSOR) -> ColumnElement[bool]:
    """Of a dependency and its predecessor."""
    finish, start = DependencyType.FINISH_TO_START.value, DependencyType.START_TO_START.value
    return or_(
        and_(Dependency.type == finish, open_(of)),
        and_(Dependency.type == start, of.status_category.in_(WAITING)),
    )
