"""Small random worlds, and how to put one into a database. The figures of a world are worked out twice: by the hub in SQL, and in
``plain.py`` by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from sqlalchemy.orm import Session

from hub import models
from hub.portfolio.reach import Day
from tests.api import builders as make

CATEGORIES = ("backlog", "unstarted", "started", "blocked", "done", "cancelled", "unknown")
MOMENTS = (
    (ZoneInfo("UTC"), datetime(2026, 11, 23, 12, 0, tzinfo=UTC)),
    (ZoneInfo("Europe/Berlin"), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # the hour that is there twice
    (ZoneInfo("Europe/Berlin"), datetime(2026, 3, 29, 22, 30, tzinfo=UTC)),  # tomorrow already, on the day with 23 hours
    (ZoneInfo("America/New_York"), datetime(2026, 11, 2, 3, 0, tzinfo=UTC)),  # still Sunday, two weeks of different offsets behind it
    (ZoneInfo("Asia/Beirut"), datetime(2026, 3, 29, 9, 0, tzinfo=UTC)),  # a day that begins at one o'clock
    (ZoneInfo("Pacific/Kiritimati"), datetime(2026, 11, 22, 11, 0, tzinfo=UTC)),  # Monday here, Sunday almost everywhere else
)
PLAIN = ("id", "kind", "start_on", "due_on", "updated_at", "created_at", "first_seen_at", "completed_at")
Change = tuple[datetime, Any, Any]
"""When, old, new."""


@dataclass
class Work:
    """A task of a world. ``due_moves`` and ``status_moves`` in the order in which they happened."""

    project: int | None
    connection: int
    kind: str
    category: str
    start_on: date | None
    due_on: date | None
    estimate: int | None
    updated_at: datetime | None
    created_at: datetime | None
    first_seen_at: datetime
    completed_at: datetime | None
    archived: bool
    gone: str | None
    people: frozenset[int]
    waits_for: tuple[tuple[int, str], ...]
    due_moves: list[Change]
    status_moves: list[Change]
    id: UUID = field(default_factory=uuid4)

    @property
    def present(self) -> bool:
        return self.gone is None

    @property
    def live(self) -> bool:
        return self.present and not self.archived

    @property
    def open(self) -> bool:
        return self.category not in ("done", "cancelled")


@dataclass
class World:
    """``projects``: (connection, triage, due_on, declared). ``persons``: for each user the human behind it, or none."""

    zone: ZoneInfo
    now: datetime
    history: list[datetime | None]
    projects: list[tuple[int, str, date | None, str | None]]
    persons: list[int | None]
    tasks: list[Work]
    holidays: set[date]
    weekdays: set[int]
    minutes_a_day: int
    time_off: list[tuple[int, date, date]]
    ids: dict[str, Any] = field(default_factory=dict)

    @property
    def day(self) -> Day:
        return Day(self.now, self.zone)

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()


@st.composite
def worlds(draw: st.DrawFn) -> World:
    zone, now = draw(st.sampled_from(MOMENTS))
    today = now.astimezone(zone).date()
    days = st.integers(-40, 40).map(lambda step: today + timedelta(days=step))
    past = st.one_of(
        st.integers(0, 60 * 24 * 60).map(lambda minutes: now - timedelta(minutes=minutes)),
        # around the midnights at which the figures cut
        st.tuples(st.sampled_from((7, 13, 14, 15, 29, 30, 31)), st.integers(-90, 90)).map(
            lambda at: datetime.combine(today - timedelta(days=at[0]), datetime.min.time(), zone).astimezone(UTC) + timedelta(minutes=at[1])
        ),
    )
    history = draw(st.lists(st.one_of(st.none(), past), min_size=2, max_size=2))
    projects = draw(
        st.lists(
            st.tuples(
                st.integers(0, 1), st.sampled_from(("unsorted", "in", "out")), st.none() | days, st.sampled_from((None, "on_track", "off_track"))
            ),
            max_size=3,
        )
    )
    if draw(st.booleans()):
        projects = [(of, "unsorted", due, declared) for of, _, due, declared in projects]
    number = draw(st.integers(0, 8))
    tasks = [draw(works(projects, number, today, days, past)) for _ in range(number)]
    off = draw(st.lists(st.tuples(st.integers(0, 3), days, st.integers(0, 9)), max_size=2))
    return World(
        *(zone, now, history, projects),
        persons=draw(st.lists(st.sampled_from((None, 0, 1)), min_size=4, max_size=4)),
        tasks=tasks,
        holidays=draw(st.sets(days, max_size=5)),
        weekdays=draw(st.sets(st.integers(1, 7), min_size=1)),
        minutes_a_day=draw(st.sampled_from((0, 240, 480))),
        time_off=[(who, first, first + timedelta(days=length)) for who, first, length in off],
    )


@st.composite
def works(draw: st.DrawFn, projects: list[Any], number: int, today: date, days: Any, past: Any) -> Work:
    project = draw(st.one_of(st.none(), st.integers(0, len(projects) - 1)) if projects else st.none())
    category, due_on = draw(st.sampled_from(CATEGORIES)), draw(st.none() | days)
    edges = st.tuples(st.integers(0, number - 1), st.sampled_from(("FS", "FS", "SS", "FF", "SF")))
    return Work(
        project=project,
        connection=projects[project][0] if project is not None else draw(st.integers(0, 1)),
        kind=draw(st.sampled_from(("task", "task", "milestone"))),
        category=category,
        start_on=draw(st.none() | days),
        due_on=due_on,
        estimate=draw(st.sampled_from((None, 0, 60, 90, 600))),
        updated_at=draw(st.none() | past),
        created_at=draw(st.none() | past),
        first_seen_at=draw(past),
        completed_at=draw(st.none() | past) if category == "done" else None,
        archived=draw(st.integers(0, 7)) == 0,
        gone=draw(st.sampled_from((None,) * 8 + ("deleted_at", "access_lost_at"))),
        people=draw(st.frozensets(st.integers(0, 3), max_size=3)),
        waits_for=tuple(dict(draw(st.lists(edges, max_size=2))).items()),
        due_moves=draw(moves(past, st.none() | days, due_on)),
        status_moves=draw(moves(past, st.sampled_from(CATEGORIES), category)),
    )


@st.composite
def moves(draw: st.DrawFn, past: Any, values: Any, now: Any) -> list[Change]:
    """A history that ends at the present value."""
    instants = sorted(draw(st.sets(past, max_size=3)))
    before = [draw(values) for _ in instants]
    chain = zip(instants, before, [*before[1:], now][: len(instants)], strict=True)
    return [(at, old, new) for at, old, new in chain if old != new]


def fill(session: Session, world: World, late: timedelta = timedelta(minutes=7)) -> None:
    """Puts the world into the database; ``world.ids`` then holds what things are called there."""
    tools = ("asana", "clickup")
    accounts = [make.connection(session, tool, history_from=known) for tool, known in zip(tools, world.history, strict=True)]
    statuses = [{each: make.status(session, account, each, counts=each) for each in CATEGORIES} for account in accounts]
    projects = [
        make.project(session, accounts[of], f"Project {place}", triage=triage, due_on=due, health=declared)
        for place, (of, triage, due, declared) in enumerate(world.projects)
    ]
    humans = [uuid4(), uuid4()]
    persons = [None if person is None else humans[person] for person in world.persons]
    users = [make.identity(session, accounts[place % 2], f"User {place}", person_id=person) for place, person in enumerate(persons)]
    world.ids = {"connections": [each.id for each in accounts], "projects": [each.id for each in projects], "users": [each.id for each in users]}
    world.ids["persons"] = persons
    for work in world.tasks:
        home = projects[work.project] if work.project is not None else accounts[work.connection]
        given: dict[str, Any] = {name: getattr(work, name) for name in PLAIN}
        given |= {"status_category": work.category, "status_id": statuses[work.connection][work.category].id}
        given |= {"archived_effective": work.archived, "estimate_minutes": work.estimate, **({work.gone: world.now} if work.gone else {})}
        row = make.task(session, home, f"Task {work.id}", **given)
        for rank, person in enumerate(sorted(work.people)):
            make.assign(session, row, users[person], rank)
        named = {category: str(status.id) for category, status in statuses[work.connection].items()}
        for place, (field_name, happened) in enumerate((("due_on", work.due_moves), ("status_id", work.status_moves))):
            for at, old, new in happened:
                values = [each and each.isoformat() for each in (old, new)] if field_name == "due_on" else [named[old], named[new]]
                told = {"occurred_at": at, "recorded_at": at + late} if place else {"occurred_at": None, "recorded_at": at}
                change(session, row, field_name, *values, **told)
    for work in world.tasks:
        for predecessor, kind in work.waits_for:
            if world.tasks[predecessor] is not work:
                make.waits(session, session.get_one(models.Task, work.id), world.tasks[predecessor].id, type=kind)


def change(session: Session, of: models.Task, name: str, old: Any, new: Any, **given: Any) -> models.Change:
    made = models.Change(connection_id=of.connection_id, change_set=uuid4(), entity="task", entity_id=of.id, field=name, old=old, new=new)
    made.recorded_at, made.precision = make.NOW, "between"
    for key, value in given.items():
        setattr(made, key, value)
    session.add(made)
    session.flush()
    return made
