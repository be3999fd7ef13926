"""Who has how much to do in which week, over all tools.

Per person, not per tool's user, as far as it is known which users are one human (``identity.person_id``); for the others ``linked`` is false and the
same human may have a line in each tool. The estimate of a parent and those of its subtasks are taken as the tools give them, and both count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Float, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from connectors.records import TaskKind
from hub.models import Assignment, Identity, Person, Task, Team
from hub.portfolio import policy
from hub.portfolio.kept import kept
from hub.portfolio.policy import Calendar
from hub.portfolio.reach import Day, Reach
from hub.portfolio.tasks import live, open_
from hub.portfolio.triage import triage
from hub.portfolio.workdays import DAY, WEEK, Workdays, week_start

Shape = dict[str, Any]
OVERDUE, UNDATED, UNESTIMATED = "overdue", "undated", "unestimated"


@dataclass(slots=True)
class Load:
    """Of one person, team or nobody. ``apart``: what has no place in the weeks: {overdue, undated, unestimated: (tasks, minutes)}."""

    minutes: dict[date, float] = field(default_factory=lambda: defaultdict(float))
    tasks: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    apart: dict[str, list[float]] = field(default_factory=lambda: {name: [0, 0.0] for name in (OVERDUE, UNDATED, UNESTIMATED)})


def workload(session: Session, reached: Reach, day: Day, *, first: date | None = None, weeks: int = 6) -> Shape:
    """Per person and week: the estimates of open tasks, each spread evenly over the working days from its start to its due day (one of them missing:
    on the other), shared evenly among those it is assigned to; against the person's working time in that week, holidays and time off taken out.
    Apart, and never as zero: tasks that ended before the first week (overdue), tasks with an estimate and no dates (undated), tasks without an
    estimate (unestimated; milestones left out). ``assignee`` null is what nobody has. Only projects that count. Kept until something changes: for
    reading only."""
    begin = week_start(first or day.today)
    return kept(session, reached, day, ("workload", begin, weeks), lambda: _workload(session, reached, begin, weeks))


def _workload(session: Session, reached: Reach, begin: date, weeks: int) -> Shape:
    begins = [begin + WEEK * step for step in range(weeks)]
    calendar = policy.calendar(session, reached.policy_key)
    shares = calendar.workdays().spread(begins)
    rows = session.execute(_grouped(session, reached, begins[-1] + WEEK - DAY)).all()
    users, teams = _assignees(session, {row[0] for row in rows if row[0]})
    loads: dict[UUID | None, Load] = {}
    for assignee, estimated, start, due, tasks, minutes in rows:
        who = users[assignee]["who"] if assignee in users else assignee
        load = loads.setdefault(who, Load())
        dates = sorted(day for day in (start, due) if day is not None)  # some tools let a task end before it begins
        if not estimated or not dates or dates[-1] < begin:
            apart = load.apart[UNESTIMATED if not estimated else OVERDUE if dates else UNDATED]
            apart[0] += tasks
            apart[1] += minutes or 0
            continue
        for week, share in shares(dates[0], dates[-1]):
            load.minutes[week] += minutes * share
            load.tasks[week] += tasks
    people = _people(session, {who for who in loads if who and who not in teams}, reached)
    capacities = _capacities(calendar, begins, people, _former(session, people))
    lines = [_line(who, load, begins, people, teams, capacities) for who, load in loads.items()]
    lines.sort(key=lambda line: (line["assignee"] is None, -max(line["load"], default=0), line["assignee"]["name"] or "" if line["assignee"] else ""))
    return {"weeks": begins, "people": lines}


def _grouped(session: Session, reached: Reach, last: date) -> Any:
    """(assignee, has an estimate, start, due, tasks, minutes) of what begins by the last day: tasks with the same dates are one row, for the
    database adds them up. A row's minutes are divided among those who share the task."""
    sharers = select(func.count()).where(Assignment.task_id == Task.id).correlate(Task).scalar_subquery()
    estimated = func.coalesce(Task.estimate_minutes, 0) > 0
    mine = cast(Task.estimate_minutes, Float) / func.coalesce(func.nullif(sharers, 0), 1)
    keys = (Assignment.assignee_id, estimated, Task.start_on, Task.due_on)
    begins = or_(Task.start_on <= last, Task.due_on <= last, and_(Task.start_on.is_(None), Task.due_on.is_(None)))
    return (
        select(*keys, func.count(), func.sum(mine))
        .select_from(Task)
        .outerjoin(Assignment, Assignment.task_id == Task.id)
        .where(open_(), *live(), *reached.tasks(), *triage(session, reached).tasks())
        .where(begins, or_(estimated, Task.kind != TaskKind.MILESTONE.value))
        .group_by(*keys)
    )


def _assignees(session: Session, ids: set[UUID]) -> tuple[Mapping[UUID, Any], Mapping[UUID, str]]:
    """({user: {who: the human behind it, or itself}}, {team: name})."""
    users = session.execute(select(Identity.id, func.coalesce(Identity.person_id, Identity.id).label("who")).where(Identity.id.in_(ids)))
    teams = session.execute(select(Team.id, Team.name).where(Team.id.in_(ids)))
    return {row["id"]: row for row in users.mappings()}, {team: name for team, name in teams}  # noqa: C416  a result's rows are no pairs to mypy


def _people(session: Session, who: set[UUID], reached: Reach) -> Mapping[UUID, list[Shape]]:
    """Who they are in which tool: {person or identity: users}."""
    key = func.coalesce(Identity.person_id, Identity.id)
    columns = (key.label("who"), Identity.id, Identity.name, Identity.email, Identity.connection_id, Identity.person_id)
    found: dict[UUID, list[Shape]] = defaultdict(list)
    tools = reached.tools
    for row in session.execute(select(*columns).where(key.in_(who), *reached.people()).order_by(Identity.name, Identity.id)):
        user = {"id": row.id, "tool": tools.get(row.connection_id), "name": row.name, "email": row.email, "linked": row.person_id is not None}
        found[row.who].append(user)
    return found


def _former(session: Session, people: Mapping[UUID, Sequence[Shape]]) -> Mapping[UUID, list[UUID]]:
    """{person: those that became it}: what was said of their working time still holds."""
    linked = {who for who, users in people.items() if any(user["linked"] for user in users)}
    found: dict[UUID, list[UUID]] = defaultdict(list)
    became = select(Person.id, Person.became_id).where(Person.became_id.in_(linked)).order_by(Person.created_at, Person.id)
    for former, person in session.execute(became):
        if person is not None:
            found[person].append(former)
    return found


def _capacities(
    calendar: Calendar, begins: Sequence[date], people: Mapping[UUID, Sequence[Shape]], former: Mapping[UUID, Sequence[UUID]]
) -> dict[UUID, list[int]]:
    """Working minutes by week. A person's own entry counts, else that of the first of those that became it, or of its users, that has one; time off
    counts of all of them."""
    own = {each.person_id: each for each in calendar.people}
    away: dict[UUID, list[date]] = defaultdict(list)
    for each in calendar.time_off:
        first, last = max(each.first_on, begins[0]), min(each.last_on, begins[-1] + WEEK - DAY)
        away[each.person_id] += [first + timedelta(days=step) for step in range((last - first).days + 1)]
    found = {}
    holidays = [each.day for each in calendar.holidays]
    for who, users in people.items():
        keys = [who, *former.get(who, ()), *(user["id"] for user in users if user["id"] != who)]
        entry = next((own[key] for key in keys if key in own), None)
        days = [day for key in keys for day in away.get(key, ())]
        weekdays = entry.working_days if entry and entry.working_days is not None else calendar.working_days
        mine = Workdays.of(weekdays, [*holidays, *days])
        minutes = entry.minutes_a_day if entry and entry.minutes_a_day is not None else calendar.minutes_a_day
        found[who] = [minutes * mine.count(week, week + WEEK - DAY) for week in begins]
    return found


def _line(
    who: UUID | None,
    load: Load,
    begins: Sequence[date],
    people: Mapping[UUID, Sequence[Shape]],
    teams: Mapping[UUID, str],
    capacities: Mapping[UUID, Sequence[int]],
) -> Shape:
    users = people.get(who, ()) if who else ()
    capacity = capacities.get(who) if who else None
    cells = [_cell(week, load, capacity[place] if capacity else None) for place, week in enumerate(begins)]
    name = teams.get(who) if who else None
    return {
        "assignee": {"id": who, "name": users[0]["name"] if users else name, "kind": _kind(who, users, teams)} if who else None,
        "users": list(users),
        "linked": any(user["linked"] for user in users),
        "weeks": cells,
        "load": [cell["percent"] for cell in cells if cell["percent"] is not None],
        **{
            name: {"tasks": int(tasks), "minutes": round(minutes, 1) if name != UNESTIMATED else None}
            for name, (tasks, minutes) in load.apart.items()
        },
    }


def _kind(who: UUID, users: Sequence[Shape], teams: Mapping[UUID, str]) -> str:
    return "team" if who in teams else "person" if any(user["id"] != who for user in users) else "identity"


def _cell(week: date, load: Load, capacity: int | None) -> Shape:
    """``percent`` null: no working time to compare with; ``over``: more work than working time."""
    minutes = round(load.minutes.get(week, 0.0), 1)
    return {
        "week": week,
        "minutes": minutes,
        "tasks": load.tasks.get(week, 0),
        "capacity_minutes": capacity,
        "percent": round(100 * minutes / capacity, 1) if capacity else None,
        "over": capacity is not None and minutes > capacity,
    }
