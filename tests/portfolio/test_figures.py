"""Every figure equals an independent computation, over random worlds: in several time zones, on days when clocks change, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy.orm import Session

from hub.db import Database
from hub.portfolio import history, policy, rollup
from hub.portfolio.burnup import burn_up
from hub.portfolio.flow import flow
from hub.portfolio.policy import Calendar, HolidayShape, Policy, TimeOffShape
from hub.portfolio.reach import reach
from hub.portfolio.tally import Tally, tallies
from hub.portfolio.triage import triage
from hub.portfolio.workload import workload
from tests.portfolio import plain
from tests.portfolio.worlds import World, fill, worlds

often = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@contextmanager
def filled(database: Database, world: World) -> Iterator[Session]:
    """The world in the database, for this example only."""
    with database.writing() as session:
        fill(session, world)
        yield session
        session.rollback()


@often
@given(world=worlds())
def test_every_count_of_every_project_is_what_a_person_would_count(database: Database, world: World) -> None:
    first = world.today - timedelta(days=30)
    with filled(database, world) as session:
        reached = reach(session)
        found = tallies(session, reached, world.day, Policy(), first)
        expected = {
            (world.ids["connections"][of], world.ids["projects"][project] if project is not None else None): plain.figures(world, works, first)
            for (of, project), works in plain.homes(world).items()
        }
        assert {home: shown(tally, world) for home, tally in found.items()} == expected


def shown(tally: Tally, world: World) -> dict[str, Any]:
    shape = tally.shape(world.day, Policy())
    beside = {"percent": shape["progress"]["percent"], "by": shape["progress"]["by"], "slipped": tally.slipped, "slip_days": tally.slipped_days}
    hygiene = {name: shape["hygiene"][name] for name in ("no_owner", "no_estimate", "no_due_date")}
    return {name: value for name, value in shape.items() if name not in ("progress", "hygiene")} | hygiene | beside


@often
@given(world=worlds())
def test_the_portfolio_adds_up_what_counts_and_says_how_each_project_stands(database: Database, world: World) -> None:
    first = world.today - timedelta(days=30)
    with filled(database, world) as session:
        shape = rollup.portfolio(session, reach(session), world.day)
    live = [work for work in world.tasks if work.live and plain.counts(world, work)]
    said, expected = shape["totals"], plain.figures(world, live, first)
    for name in ("tasks", "open", "overdue", "most_late_days", "due_soon", "blocked", "stale", "by_category"):
        assert said[name] == expected[name], name
    assert (said["progress"]["percent"], said["progress"]["by"]) == (expected["percent"], expected["by"])
    decided = any(triage != "unsorted" for _, triage, _, _ in world.projects)
    projects = [place for place, (_, triage, _, _) in enumerate(world.projects) if triage == "in" or not decided]
    by_home = plain.homes(world)
    colours = {
        world.ids["projects"][place]: plain.colour(world, by_home.get((world.projects[place][0], place), []), world.projects[place][2], first)
        for place in projects
    }
    lines = {line["id"]: line for line in shape["projects"] if line["id"]}
    assert {key: line["computed_health"]["colour"] for key, line in lines.items()} == colours
    assert sum(said["colours"].values()) == said["projects"] == len(projects)
    assert shape["triage"]["unsorted"] == len([1 for _, triage, _, _ in world.projects if triage == "unsorted"])
    assert said["hygiene"]["no_report"] == len([1 for place in projects if world.projects[place][3] is None])
    for name in ("tasks", "overdue", "blocked"):
        assert sum(line[name] for line in shape["projects"]) == sum(line[name] for line in shape["tools"]) == said[name]


@often
@given(world=worlds())
def test_movement_and_age_are_what_the_history_tells(database: Database, world: World) -> None:
    with filled(database, world) as session:
        reached = reach(session)
        ids = [work.id for work in world.tasks]
        moved = history.movements(session, reached, world.day, ids)
        ages = history.ages(session, reached, world.day, ids)
        oldest = history.oldest(session, reached, world.day, triage(session), limit=100)
    for work in world.tasks:
        shape = moved[work.id]
        assert (shape["first_due_on"], shape["delta_days"], shape["moves"]) == plain.movement(world, work)
        assert (ages[work.id]["days_in_status"], ages[work.id]["at_least"]) == plain.age(world, work)
    stuck = [work for work in world.tasks if work.live and work.category in ("started", "blocked") and plain.counts(world, work)]
    assert {row["id"] for row in oldest} == {work.id for work in stuck}
    assert [row["days_in_status"] for row in oldest] == sorted((row["days_in_status"] for row in oldest), reverse=True)


@often
@given(world=worlds())
def test_throughput_and_cycle_time_are_what_the_history_tells(database: Database, world: World) -> None:
    with filled(database, world) as session:
        shape = flow(session, reach(session), world.day, weeks=9)
    expected = plain.flow(world, 9)
    assert [(week["week"], week["finished"]) for week in shape["weeks"]] == [(week, finished) for week, finished, _ in expected]
    assert [week["cycle_days"] for week in shape["weeks"]] == [None if days is None else pytest.approx(days, abs=0.006) for _, _, days in expected]


@often
@given(world=worlds())
def test_a_burn_up_is_the_states_of_then_counted_one_by_one(database: Database, world: World) -> None:
    with filled(database, world) as session:
        for place, project in enumerate(world.ids["projects"]):
            shape = burn_up(session, reach(session), world.day, [project], weeks=6)
            found = [(point["scope"], point["done"]) if point["known"] else None for point in shape["points"]]
            assert found == plain.burn_up(world, place, 6)
            assert all(point["scope"] is None and point["done"] is None for point in shape["points"] if not point["known"])


@often
@given(world=worlds())
def test_workload_is_the_estimates_day_by_day(database: Database, world: World) -> None:
    with filled(database, world) as session:
        users = world.ids["users"]
        calendar = Calendar(
            working_days=tuple(world.weekdays),
            minutes_a_day=world.minutes_a_day,
            holidays=tuple(HolidayShape(day=day, name="x") for day in world.holidays),
            time_off=tuple(TimeOffShape(person_id=users[who], first_on=first, last_on=last) for who, first, last in world.time_off),
        )
        policy.save(session, world.now, calendar=calendar)
        shape = workload(session, reach(session), world.day, weeks=4)
    planned, apart = plain.workload(world, shape["weeks"])
    lines = {line["assignee"] and line["assignee"]["id"]: line for line in shape["people"]}
    assert set(lines) == set(planned) | {who for who, _ in apart}
    for who, line in lines.items():
        for cell in line["weeks"]:
            assert cell["minutes"] == pytest.approx(planned[who][cell["week"]], abs=0.06)
            assert cell["capacity_minutes"] == (None if who is None else plain.capacity(world, who, cell["week"]))
        for bucket in ("overdue", "undated", "unestimated"):
            tasks, minutes = apart.get((who, bucket), (0, 0.0))
            assert line[bucket] == {"tasks": tasks, "minutes": None if bucket == "unestimated" else pytest.approx(minutes, abs=0.06)}
