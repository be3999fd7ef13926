"""The figures of a world by hand: plain Python over plain values, one figure a function, written from the formulas and not from the code."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from statistics import median
from typing import Any

from tests.portfolio.worlds import CATEGORIES, Work, World

Home = tuple[int, int | None]
ONE = timedelta(days=1)


def local(world: World, at: datetime) -> date:
    return at.astimezone(world.zone).date()


def homes(world: World) -> dict[Home, list[Work]]:
    """Live tasks by connection and home project."""
    found: dict[Home, list[Work]] = defaultdict(list)
    for work in world.tasks:
        if work.live:
            found[work.connection, work.project].append(work)
    return found


def overdue(world: World, work: Work) -> bool:
    return work.open and work.due_on is not None and work.due_on < world.today


def due_soon(world: World, work: Work, days: int = 7) -> bool:
    return work.open and work.due_on is not None and 0 <= (work.due_on - world.today).days <= days


def stale(world: World, work: Work, days: int = 14) -> bool:
    last = work.updated_at or work.created_at or work.first_seen_at
    return work.open and work.category != "backlog" and (world.today - local(world, last)).days > days


def waits(world: World, work: Work) -> bool:
    for place, kind in work.waits_for:
        before = world.tasks[place]
        if before is work or not before.live:
            continue
        if (kind == "FS" and before.open) or (kind == "SS" and before.category in ("backlog", "unstarted")):
            return True
    return False


def blocked(world: World, work: Work) -> bool:
    return work.category == "blocked" or (work.open and waits(world, work))


def known(world: World, work: Work, changes: list[Any]) -> list[Any]:
    """The changes that the hub was there to see."""
    begin = world.history[work.connection]
    return [each for each in changes if begin is not None and each[0] >= begin]


def slip(world: World, work: Work, first: date) -> int:
    """Days; 0 where it has not slipped."""
    after = [each for each in known(world, work, work.due_moves) if local(world, each[0]) >= first]
    if not after or not work.open or after[0][1] is None or work.due_on is None:
        return 0
    was: date = after[0][1]
    return max((work.due_on - was).days, 0)


def movement(world: World, work: Work) -> tuple[date | None, int | None, int]:
    """(first known date, days it has moved since, moves)."""
    seen = known(world, work, work.due_moves)
    dates = [each for _, old, new in seen for each in (old, new) if each is not None]
    first = dates[0] if dates else work.due_on
    delta = (work.due_on - first).days if work.due_on and first else None
    return first, delta, len([1 for _, old, new in seen if old and new])


def age(world: World, work: Work) -> tuple[int, bool]:
    """(days in its status, whether it may be longer)."""
    seen = known(world, work, work.status_moves)
    since = max(at for at, _, _ in seen) if seen else work.first_seen_at
    return (world.today - local(world, since)).days, not seen


def progress(works: list[Work]) -> tuple[float | None, str | None]:
    counted = [work for work in works if work.category != "cancelled"]
    effort = [work for work in counted if work.kind != "milestone"]
    estimated = [work for work in effort if work.estimate]
    if effort and Fraction(len(estimated), len(effort)) >= Fraction(7, 10):
        done = sum(work.estimate or 0 for work in estimated if work.category == "done")
        return round(100 * done / sum(work.estimate or 0 for work in estimated), 1), "estimate"
    if not counted:
        return None, None
    return round(100 * len([work for work in counted if work.category == "done"]) / len(counted), 1), "count"


def figures(world: World, works: list[Work], first: date) -> dict[str, Any]:
    late = [work for work in works if overdue(world, work)]
    slips = [slip(world, work, first) for work in works]
    percent, by = progress(works)
    return {
        "tasks": len(works),
        "open": len([1 for work in works if work.open]),
        "overdue": len(late),
        "most_late_days": max(((world.today - work.due_on).days for work in late if work.due_on), default=0),
        "due_soon": sum(due_soon(world, work) for work in works),
        "blocked": sum(blocked(world, work) for work in works),
        "stale": sum(stale(world, work) for work in works),
        "by_category": {category: len([1 for work in works if work.category == category]) for category in CATEGORIES},
        "percent": percent,
        "by": by,
        "no_owner": len([1 for work in works if work.open and not work.people]),
        "no_estimate": len([1 for work in works if work.open and work.kind != "milestone" and not work.estimate]),
        "no_due_date": len([1 for work in works if work.open and work.due_on is None]),
        "slipped": len([1 for days in slips if days]),
        "slip_days": max(slips, default=0),
    }


def colour(world: World, works: list[Work], due_on: date | None, first: date) -> str:
    """By the default policy."""
    said, live = figures(world, works, first), [work for work in works if work.open]
    stones = [work for work in live if work.kind == "milestone"]
    late = max(((world.today - work.due_on).days for work in stones if overdue(world, work) and work.due_on), default=0)
    working = [work for work in live if work.category != "backlog"]
    rules: list[tuple[Any, int, int | None]] = [
        (late, 1, 7),
        (max((slip(world, work, first) for work in stones), default=0), 1, 14),
        ((world.today - due_on).days if due_on and live else 0, 1, 14),
        (share(said["overdue"], len(live)), 10, 25),
        (share(said["blocked"], len(live)), 20, 50),
        (share(said["stale"], len(working)), 50, None),
    ]
    if any(red is not None and value >= red for value, _, red in rules):
        return "red"
    if any(value >= amber for value, amber, _ in rules):
        return "amber"
    dated = len([1 for work in live if work.due_on])
    too_few = bool(live) and due_on is None and Fraction(dated, len(live)) < Fraction(3, 10)
    unknown = bool(works) and 2 * said["by_category"]["unknown"] > len(works)
    return "grey" if not works or too_few or unknown else "green"


def share(part: int, whole: int) -> Fraction:
    return Fraction(100 * part, whole) if whole else Fraction(0)


def counts(world: World, work: Work) -> bool:
    """Whether its project counts."""
    if all(triage == "unsorted" for _, triage, _, _ in world.projects):
        return True
    return work.project is not None and world.projects[work.project][1] == "in"


def flow(world: World, weeks: int) -> list[tuple[date, int | None, float | None]]:
    """(Monday, tasks finished, median days), oldest week first."""
    this = world.today - timedelta(days=world.today.weekday())
    begins = [begin for begin in world.history if begin is not None]
    finished: dict[date, int] = Counter()
    took: dict[date, list[float]] = defaultdict(list)
    for work in world.tasks:
        seen = known(world, work, work.status_moves)
        done = work.completed_at or max((at for at, _, new in seen if new == "done"), default=None)
        if not work.present or work.category != "done" or done is None or done > world.now or not counts(world, work):
            continue
        day = local(world, done)
        week = day - timedelta(days=day.weekday())
        finished[week] += 1
        begun = min((at for at, _, new in seen if new in ("started", "blocked")), default=None)
        if begun is not None and begun <= done:
            took[week].append((done - begun).total_seconds() / 86400)
    made: list[tuple[date, int | None, float | None]] = []
    for step in reversed(range(weeks)):
        week = this - timedelta(weeks=step)
        began = datetime.combine(week, datetime.min.time(), world.zone)
        if not begins or max(begins) > began.astimezone(max(begins).tzinfo):
            made.append((week, None, None))
        else:
            made.append((week, finished[week], median(took[week]) if took[week] else None))
    return made


def burn_up(world: World, project: int, weeks: int) -> list[tuple[int, int] | None]:
    """(tasks in scope, tasks done) at the beginning of each week, oldest first, and now; None where nothing was recorded yet."""
    this = world.today - timedelta(days=world.today.weekday())
    mondays = [datetime.combine(this - timedelta(weeks=step), datetime.min.time(), world.zone) for step in reversed(range(weeks))]
    begin = world.history[world.projects[project][0]]
    made: list[tuple[int, int] | None] = []
    for at in [*(monday.astimezone(UTC) for monday in mondays), world.now]:
        if begin is None or begin > at:
            made.append(None)
            continue
        states = []
        for work in world.tasks:
            born = work.created_at or work.first_seen_at
            if work.project == project and born <= at and work.gone != "access_lost_at" and not (work.gone and world.now <= at):
                later = [old for when, old, _ in known(world, work, work.status_moves) if when > at]
                states.append(later[0] if later else work.category)
        made.append((len([1 for state in states if state != "cancelled"]), states.count("done")))
    return made


def workload(world: World, weeks: list[date]) -> tuple[dict[Any, dict[date, float]], dict[tuple[Any, str], tuple[int, float]]]:
    """({who: {week: minutes}}, {(who, what stands apart): (tasks, minutes)})."""
    planned: dict[Any, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    apart: dict[tuple[Any, str], list[Any]] = defaultdict(lambda: [0, 0.0])
    end_of_all = weeks[-1] + 6 * ONE
    for work in world.tasks:
        if not work.live or not work.open or not counts(world, work) or (work.kind == "milestone" and not work.estimate):
            continue
        dates = sorted(each for each in (work.start_on, work.due_on) if each)
        if dates and dates[0] > end_of_all:
            continue
        for who in [person(world, user) for user in work.people] or [None]:
            mine = (work.estimate or 0) / max(len(work.people), 1)
            bucket = "unestimated" if not work.estimate else "undated" if not dates else "overdue" if dates[-1] < weeks[0] else None
            if bucket:
                apart[who, bucket][0] += 1
                apart[who, bucket][1] += mine
                continue
            planned[who]  # shown with nothing to do, where none of the working days lie in these weeks
            stretch = [dates[0] + step * ONE for step in range((dates[-1] - dates[0]).days + 1)]
            chosen = [each for each in stretch if works_on(world, each)] or stretch
            for each in chosen:
                if weeks[0] <= each <= end_of_all:
                    planned[who][each - timedelta(days=each.weekday())] += mine / len(chosen)
    return planned, {key: (tasks, minutes) for key, (tasks, minutes) in apart.items()}


def works_on(world: World, day: date) -> bool:
    return day.isoweekday() in world.weekdays and day not in world.holidays


def person(world: World, user: int) -> Any:
    return world.ids["persons"][user] or world.ids["users"][user]


def capacity(world: World, who: Any, week: date) -> int:
    mine = {place for place in range(4) if person(world, place) == who}
    away = [(first, last) for place, first, last in world.time_off if place in mine]
    days = [week + step * ONE for step in range(7)]
    return world.minutes_a_day * len([day for day in days if works_on(world, day) and not any(first <= day <= last for first, last in away)])
