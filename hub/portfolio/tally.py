"""One project's figures: counted by the database, home by home, in a fixed number of statements, and added up for tools and totals."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session

from connectors.records import StatusCategory, TaskKind
from hub.models import MILESTONE, Task
from hub.portfolio import conditions as when
from hub.portfolio.history import Home, Slip, not_known_before, slips
from hub.portfolio.policy import Policy
from hub.portfolio.reach import Day, Reach
from hub.portfolio.tasks import SETTLED, live, open_, overdue

Shape = dict[str, Any]
Row = RowMapping | Mapping[str, Any]
CATEGORIES = tuple(category.value for category in StatusCategory)
DONE, BLOCKED, BACKLOG = StatusCategory.DONE.value, StatusCategory.BLOCKED.value, StatusCategory.BACKLOG.value


EFFORT = ("effort", "estimated", "estimate")
OPEN = ("overdue", "due_soon", "stale", "no_due_date", "no_estimate", "no_owner", "waiting")
SUMMED = (*EFFORT, "effort_done", "estimate_done", *OPEN, "slipped", "no_report")


@dataclass(slots=True)
class Tally:
    """Tasks of every kind and depth, counted once each, at their home. ``late_from``: when the most late open task was due."""

    overdue: int = 0
    due_soon: int = 0
    stale: int = 0
    no_due_date: int = 0
    no_estimate: int = 0
    effort: int = 0
    estimated: int = 0
    effort_done: int = 0
    estimate: int = 0
    estimate_done: int = 0
    no_owner: int = 0
    waiting: int = 0
    slipped: int = 0
    slipped_days: int = 0
    milestone_slip_days: int = 0
    no_report: int = 0
    late_from: date | None = None
    milestone_late_from: date | None = None
    by_category: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CATEGORIES, 0))

    @property
    def tasks(self) -> int:
        return sum(self.by_category.values())

    @property
    def open(self) -> int:
        return sum(number for category, number in self.by_category.items() if category not in SETTLED)

    @property
    def blocked(self) -> int:
        return self.by_category[BLOCKED] + self.waiting

    def merge(self, other: Tally) -> None:
        for name in SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for category, number in other.by_category.items():
            self.by_category[category] += number
        self.slipped_days = max(self.slipped_days, other.slipped_days)
        self.milestone_slip_days = max(self.milestone_slip_days, other.milestone_slip_days)
        self.late_from = _earliest(self.late_from, other.late_from)
        self.milestone_late_from = _earliest(self.milestone_late_from, other.milestone_late_from)

    def progress(self, share: float) -> Shape:
        """Of the tasks that are not cancelled, the part that is done, in percent. By estimate (minutes done of minutes estimated) where at least the
        policy's share of them, milestones left out, have one; else by count of tasks, milestones included. Which of the two is said; without any task
        it is null."""
        counted = self.tasks - self.by_category[StatusCategory.CANCELLED.value]
        if self.effort and self.estimated >= share * self.effort:
            method, part, whole = "estimate", self.estimate_done, self.estimate
        else:
            method, part, whole = "count", self.by_category[DONE], counted
        return {"percent": round(100 * part / whole, 1) if whole else None, "by": method if whole else None, "done": part, "of": whole}

    def shape(self, day: Day, policy: Policy) -> Shape:
        return {
            "tasks": self.tasks,
            "open": self.open,
            "overdue": self.overdue,
            "most_late_days": (day.today - self.late_from).days if self.late_from else 0,
            "due_soon": self.due_soon,
            "blocked": self.blocked,
            "stale": self.stale,
            "by_category": self.by_category,
            "progress": self.progress(policy.estimate_share),
            "hygiene": {
                "no_owner": self.no_owner,
                "no_estimate": self.no_estimate,
                "no_due_date": self.no_due_date,
                "unmapped_status": self.by_category[StatusCategory.UNKNOWN.value],
                "no_report": self.no_report,
            },
        }

    def slips(self, known: Any, day: Day, first: date) -> Shape:
        """``known``: since when changes are known here. Without any history nothing can be said, and null is not 0."""
        numbers = {"tasks": self.slipped, "most_days": self.slipped_days} if known else {"tasks": None, "most_days": None}
        return {"since": first, "not_known_before": not_known_before(known, day, first), **numbers}


def _earliest(mine: date | None, theirs: date | None) -> date | None:
    return theirs if mine is None else mine if theirs is None else min(mine, theirs)


def tallies(session: Session, reached: Reach, day: Day, policy: Policy, first: date, *, projects: Collection[UUID] = ()) -> dict[Home, Tally]:
    """What is live, by home; ``projects``: of these only; ``first``: slips since that day. Three statements: one over everything counts only what
    every task has, one is over what is open, which is the smaller part, and one over the changes."""
    found: dict[Home, Tally] = {}
    for project, connection, category, tasks, *numbers in session.execute(_all(reached, projects)):
        tally = found.setdefault((connection, project), Tally())
        tally.by_category[category] = tasks
        for name, number in zip(EFFORT, numbers, strict=True):
            setattr(tally, name, getattr(tally, name) + int(number))
        if category == DONE:
            tally.effort_done, tally.estimate_done = int(numbers[0]), int(numbers[2])
    for project, connection, late_from, milestone_late_from, *numbers in session.execute(_open(reached, day, policy, projects)):
        tally = found.setdefault((connection, project), Tally())
        tally.late_from, tally.milestone_late_from = late_from, milestone_late_from
        for name, number in zip(OPEN, numbers, strict=True):
            setattr(tally, name, int(number))
    for home, slip in slips(session, reached, day, first, projects=projects).items():
        _slip(found.setdefault(home, Tally()), slip)
    return found


def _all(reached: Reach, projects: Collection[UUID]) -> Any:
    homes = (Task.project_id, Task.connection_id, Task.status_category)
    estimate = func.sum(case((when.ESTIMATED, Task.estimate_minutes), else_=0))
    numbers = (func.count(), _number(when.EFFORT), _number(when.ESTIMATED), estimate)
    return select(*homes, *numbers).where(*_scope(reached, projects)).group_by(*homes)


def _open(reached: Reach, day: Day, policy: Policy, projects: Collection[UUID]) -> Any:
    """Those that are blocked by status are counted by their category already, and not once more for waiting."""
    late = overdue(day.today)
    homes = (Task.project_id, Task.connection_id)
    earliest = func.min(case((late, Task.due_on))), func.min(case((and_(late, Task.kind == TaskKind.MILESTONE.value), Task.due_on)))
    numbers = (
        _number(late),
        _number(when.due_soon(day.today, policy.due_soon_days)),
        _number(when.stale(day, policy.stale_days)),
        _number(when.without_due_date()),
        _number(when.without_estimate()),
        _number(when.without_owner()),
        _number(and_(Task.status_category != BLOCKED, Task.id.in_(when.waiting(reached)))),
    )
    return select(*homes, *earliest, *numbers).where(open_(), *_scope(reached, projects)).group_by(*homes)


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _slip(tally: Tally, slip: Slip) -> None:
    tally.slipped, tally.slipped_days, tally.milestone_slip_days = slip.tasks, slip.days, slip.milestone_days


def _scope(reached: Reach, projects: Collection[UUID]) -> list[ColumnElement[bool]]:
    return [*live(), *reached.tasks(), *([Task.project_id.in_(projects)] if projects else [])]


def next_milestones(session: Session, reached: Reach, today: date, *, projects: Collection[UUID] = ()) -> dict[Home, Shape]:
    """The first open milestone due today or later, by home."""
    place = func.row_number().over(partition_by=(Task.connection_id, Task.project_id), order_by=(Task.due_on, Task.id)).label("place")
    ahead = (
        select(Task.connection_id, Task.project_id, Task.id, Task.title, Task.due_on, place)
        .where(MILESTONE, open_(), Task.due_on >= today, *_scope(reached, projects))
        .subquery()
    )
    return {
        (found.connection_id, found.project_id): {"id": found.id, "title": found.title, "due_on": found.due_on, "project_id": found.project_id}
        for found in session.execute(select(ahead).where(ahead.c.place == 1))
    }


def without_report(project: Row) -> bool:
    """Projects whose team declares no health, neither as a colour nor in words. Hygiene: it makes no project red."""
    return project["health"] is None and project["health_text"] is None


def total(tallies: Iterable[Tally]) -> Tally:
    made = Tally()
    for each in tallies:
        made.merge(each)
    return made
