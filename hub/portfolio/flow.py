"""How much gets finished, and how long it takes, week by week."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from operator import itemgetter
from statistics import median
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, func, literal, select
from sqlalchemy.orm import Session

from connectors.records import StatusCategory
from hub.models import FINISHED, STATUS_MOVED, Change, Project, StatusMapping, Task
from hub.portfolio.history import AT, since
from hub.portfolio.kept import kept
from hub.portfolio.moments import days_apart, json_uuid, only
from hub.portfolio.reach import Day, Reach
from hub.portfolio.tasks import present
from hub.portfolio.triage import triage
from hub.portfolio.workdays import WEEK, week_start

Shape = dict[str, Any]
DONE = StatusCategory.DONE.value
BEGUN = (StatusCategory.STARTED.value, StatusCategory.BLOCKED.value)


def flow(session: Session, reached: Reach, day: Day, *, weeks: int = 12, projects: Collection[UUID] = ()) -> Shape:
    """Throughput: tasks that are done now, archived ones included, by the week in which they were finished: when the tool says they were completed,
    else their last change into a status that counts as done. Cycle time: the median of the days from a task's first known change into a status that
    counts as started or blocked to its end, over the tasks of the week of which both are known (``measured``). Weeks begin with ISO day 1 in the
    reader's time zone; a week that began before changes were known is null, never zero. Without ``projects`` it is kept until something changes: for
    reading only."""
    if projects:
        return _flow(session, reached, day, weeks, projects)[0]
    return kept(session, reached, day, ("flow", weeks), lambda: _flow(session, reached, day, weeks, ()), until=itemgetter(1))[0]


def _flow(session: Session, reached: Reach, day: Day, weeks: int, projects: Collection[UUID]) -> tuple[Shape, datetime | None]:
    """With the first instant after now at which a task is finished, where a tool's clock runs ahead of ours: then the answer is another one."""
    this = week_start(day.today)
    begins = [this - WEEK * step for step in reversed(range(weeks))]
    found: dict[int, list[float | None]] = defaultdict(list)
    ahead: datetime | None = None
    for place, days, later in session.execute(_finished(session, reached, day, begins, projects)):
        if later is None:
            found[place].append(days)
        else:
            ahead = later if ahead is None else min(ahead, later)
    known = reached.known_from
    made = [_week(week, found[place], known is not None and known <= day.midnight(week)) for place, week in enumerate(begins)]
    return {"weeks": made, "known_from": day.date_of(known) if known else None}, ahead


def finished_each(session: Session, reached: Reach, day: Day, projects: Sequence[UUID | None], *, weeks: int) -> dict[UUID | None, list[int | None]]:
    """Throughput of each of these projects by itself, week by week, oldest first; null where changes were not known for the whole week. As ``flow``
    counts it, whether or not the project counts in the portfolio."""
    this = week_start(day.today)
    begins = [this - WEEK * step for step in reversed(range(weeks))]
    ids = [each for each in projects if each is not None]
    entered = _entered(reached, day, begins[0]).subquery()
    finished = func.coalesce(Task.completed_at, entered.c.done_at)
    place = _place(finished, [day.midnight(week) for week in begins]).label("place")
    rows = (
        select(Task.connection_id, Task.project_id, place)
        .outerjoin(entered, entered.c.entity_id == Task.id)
        .where(FINISHED, finished >= day.midnight(begins[0]), finished <= day.now, Task.project_id.in_(ids), *present(), *reached.tasks())
        .subquery()
    )
    keys = (rows.c.connection_id, rows.c.project_id, rows.c.place)
    found = {(project, at): number for _, project, at, number in session.execute(select(*keys, func.count()).group_by(*keys))}
    of: dict[UUID | None, UUID] = dict(session.execute(select(Project.id, Project.connection_id).where(Project.id.in_(ids))).all())
    known = {project: reached.history.get(connection) for project, connection in of.items()}
    return {
        project: [found.get((project, at), 0) if _is_known(known.get(project), day.midnight(week)) else None for at, week in enumerate(begins)]
        for project in projects
    }


def _is_known(begin: datetime | None, at: datetime) -> bool:
    return begin is not None and begin <= at


def _week(week: date, finished: Sequence[float | None], known: bool) -> Shape:
    """``known`` false: changes were not recorded for the whole week."""
    measured = [days for days in finished if days is not None]
    return {
        "week": week,
        "known": known,
        "finished": len(finished) if known else None,
        "cycle_days": round(median(measured), 2) if known and measured else None,
        "measured": len(measured) if known else None,
    }


def _finished(session: Session, reached: Reach, day: Day, begins: Sequence[date], projects: Collection[UUID]) -> Select[Any]:
    """(place of the week, days it took, null): a row for each finished task; one that is finished later today has that instant. The medians are taken
    of these rows, because the databases have no median in common; everything else is theirs."""
    entered = _entered(reached, day, None).subquery()
    finished = func.coalesce(Task.completed_at, entered.c.done_at)
    took = case((entered.c.begun_at <= finished, days_apart(finished, entered.c.begun_at)))
    later = case((finished > day.now, finished))
    wanted = (
        select(_place(finished, [day.midnight(week) for week in begins]), took, later)
        .outerjoin(entered, entered.c.entity_id == Task.id)
        .where(FINISHED, finished >= day.midnight(begins[0]), finished < day.midnight(day.today + timedelta(days=1)))
        .where(*present(), *reached.tasks(), *triage(session, reached).tasks())
    )
    return wanted.where(Task.project_id.in_(projects)) if projects else wanted


def _entered(reached: Reach, day: Day, first: date | None) -> Select[Any, Any, Any]:
    """By task, of the changes since a day: the last one into a status that counts as done, the first into one that counts as begun."""
    return (
        select(
            Change.entity_id,
            func.max(case((StatusMapping.category == DONE, AT))).label("done_at"),
            func.min(case((StatusMapping.category.in_(BEGUN), AT))).label("begun_at"),
        )
        .join(StatusMapping, StatusMapping.status_id == json_uuid(only(STATUS_MOVED, Change.new)))
        .where(Change.entity == "task", STATUS_MOVED, since(reached, day, first))
        .group_by(Change.entity_id)
    )


def _place(instant: Any, begins: Sequence[datetime]) -> Any:
    """Which week an instant lies in: the last one that has begun by then."""
    latest_first = [(begin <= instant, literal(place)) for place, begin in reversed(list(enumerate(begins)))]
    return case(*latest_first)
