"""What is kept in memory is what the database would answer, whoever wrote last and from which process."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from hub import models
from hub.access import scope
from hub.access.keys import Role
from hub.access.scope import Scope
from hub.access.who import Who
from hub.db import BESIDE_FIGURES, Base, Database
from hub.models import Task, Written
from hub.portfolio import changes, flow, policy, rollup, workload
from hub.portfolio.kept import MOST, kept
from hub.portfolio.policy import Policy
from hub.portfolio.reach import Day, Reach, reach
from tests.api import builders as make
from tests.api.conftest import counted
from tests.portfolio.worlds import change

DAY = Day(make.NOW, ZoneInfo("UTC"))
PMO = Who(None, None, "somebody", Role.PMO, None)
Figures = Callable[[Session, Reach, Day], Any]
FIGURES: dict[str, Figures] = {
    "portfolio": rollup.portfolio,
    "workload": workload.workload,
    "flow": flow.flow,
    "summary": lambda session, reached, day: changes.summary(session, reached, day, day.today - timedelta(days=7)),
}


@pytest.fixture
def full(database: Database) -> Database:
    with database.writing() as session:
        account = make.connection(session, "asana", history_from=make.NOW - timedelta(days=60))
        home, person = make.project(session, account, "Quay"), make.identity(session, account, "Ada")
        for place in range(4):
            due = make.TODAY + timedelta(days=3 * place - 5)
            task = make.task(session, home, f"Task {place}", due_on=due, start_on=due, status_category="started", estimate_minutes=90)
            make.assign(session, task, person)
            change(session, task, "due_on", (due - timedelta(days=2)).isoformat(), due.isoformat())
    return database


def all_of(database: Database, who: Who = PMO, day: Day = DAY) -> dict[str, Any]:
    with database.reading() as session:
        reached = reach(session, scope=scope.of(session, who))
        return {name: of(session, reached, day) for name, of in FIGURES.items()}


def afresh(database: Database) -> dict[str, Any]:
    """As another process would answer, that has kept nothing."""
    other = Database(database.url)
    try:
        return all_of(other)
    finally:
        other.dispose()


def mark(database: Database) -> UUID:
    with database.reading() as session:
        return session.scalars(select(Written.mark)).one()


def test_asked_again_it_reads_no_task(full: Database) -> None:
    first = all_of(full)
    with counted() as statements:
        again = all_of(full)
    assert again == first == afresh(full)
    assert not [each for each in statements if re.search(r"\b(task|change|assignment)\b", each)]


WRITES: dict[str, Callable[[Session], Any]] = {
    "the policy": lambda session: policy.save(session, make.NOW, policy=Policy(due_soon_days=1)),
    "a change row": lambda session: session.execute(update(models.Change).values(old="2026-01-01")),
    "in SQL of one's own": lambda session: session.connection().exec_driver_sql("UPDATE task SET estimate_minutes = 600"),
    "an assignment": lambda session: session.execute(models.Assignment.__table__.delete()),
    "a task": lambda session: session.execute(update(Task).values(status_category="done", completed_at=make.NOW - timedelta(hours=1))),
    "a project's triage": lambda session: session.execute(update(models.Project).values(triage="out")),
}


def test_whatever_is_written_is_seen_at_once(full: Database) -> None:
    for what, write in WRITES.items():
        before = all_of(full)
        with full.writing() as session:
            write(session)
        after = all_of(full)
        assert after != before, what
        assert after == afresh(full), what


def test_what_another_process_writes_is_seen_at_once(full: Database) -> None:
    before, other = all_of(full), Database(full.url)
    with other.writing() as session:
        session.execute(update(Task).values(due_on=make.TODAY - timedelta(days=50)))
    other.dispose()
    assert all_of(full) != before
    assert all_of(full) == afresh(full)


def test_what_was_rolled_back_leaves_no_mark(full: Database) -> None:
    before = mark(full)
    with suppress(ZeroDivisionError), full.writing() as session:
        session.execute(update(Task).values(title="never"))
        raise ZeroDivisionError
    assert mark(full) == before


def test_bookkeeping_and_what_changes_no_row_leave_no_mark(full: Database) -> None:
    before = mark(full)
    with full.writing() as session:
        session.execute(update(models.Connection).values(lease_owner="me"))
        session.execute(insert(models.Counter).values(name="x", value=1))
        session.connection().exec_driver_sql("DELETE FROM audit WHERE id = -1")
        session.execute(update(Task).where(Task.id == uuid4()).values(title="of nobody"))
    assert mark(full) == before
    with full.writing() as session:
        session.execute(update(models.Identity).values(name="Ada L."))
    assert mark(full) != before


def test_no_kept_figure_is_made_of_a_table_that_leaves_no_mark(full: Database) -> None:
    """But of the connections, users and keys that its name tells of."""
    beside = {name for name, table in Base.metadata.tables.items() if table.info.get(BESIDE_FIGURES)}
    with full.reading() as session:
        reached = reach(session, scope=scope.of(session, PMO))
        with counted() as statements:
            for of in FIGURES.values():
                of(session, reached, DAY)
    read = {name for each in statements for name in re.findall(r'(?:FROM|JOIN) "?(\w+)', each)}
    assert "task" in read
    assert read & beside == {"written"}


def test_a_day_later_and_for_somebody_else_it_is_another_figure(full: Database) -> None:
    tomorrow = Day(make.NOW + timedelta(days=1), ZoneInfo("UTC"))
    assert all_of(full, day=tomorrow)["portfolio"] != all_of(full)["portfolio"]
    stranger = Who(None, None, "a stranger", Role.VIEWER, None)
    assert all_of(full, who=stranger)["portfolio"]["totals"]["tasks"] == 0
    assert all_of(full)["portfolio"]["totals"]["tasks"] == 4


def test_a_task_that_is_finished_a_little_later_today_counts_from_then_on(full: Database) -> None:
    with full.writing() as session:
        session.execute(update(Task).values(status_category="done", completed_at=make.NOW + timedelta(minutes=30)))

    def finished(minutes: int) -> int:
        day = Day(make.NOW + timedelta(minutes=minutes), ZoneInfo("UTC"))
        return int(all_of(full, day=day)["flow"]["weeks"][-1]["finished"])

    assert [finished(0), finished(29), finished(30), finished(0)] == [0, 0, 4, 0]


def test_a_writing_session_keeps_nothing(full: Database) -> None:
    with full.writing() as session:
        reached = reach(session)
        before = rollup.portfolio(session, reached, DAY)
        session.execute(update(Task).values(status_category="cancelled"))
        assert rollup.portfolio(session, reached, DAY) != before
        session.rollback()
    assert all_of(full) == afresh(full)


def test_as_many_figures_are_kept_as_memory_is_meant_for(full: Database) -> None:
    asked: list[int] = []

    def ask(name: int) -> int:
        with full.reading() as session:
            return kept(session, reach(session), DAY, name, lambda: asked.append(name) or name)

    for name in range(MOST + 1):
        assert ask(name) == name
    ask(MOST)
    ask(0)
    assert asked == [*range(MOST + 1), 0]


def test_a_scope_without_a_name_is_read_anew(full: Database) -> None:
    nameless = Scope((scope.Ground(True, scope.NOTHING.grounds[0].subject, frozenset()),))
    with full.reading() as session:
        reached = reach(session, scope=nameless)
        with counted() as statements:
            rollup.portfolio(session, reached, DAY)
            rollup.portfolio(session, reached, DAY)
    assert not [each for each in statements if "written" in each]
