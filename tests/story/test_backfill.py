"""The past, on an admin's word: what a tool's books tell of the time before the first reading becomes history, once, and never an event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from hub import connections
from hub.db import Database
from hub.models import Change, Connection, Event, Mark, SyncRun, Task
from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import MOUNTS, Sandbox
from hub.sandbox.world import Entry, Tool
from hub.settings import Settings
from hub.sync import backfill, runs
from hub.sync.contact import Contact
from hub.sync.engine import Engine
from hub.vault import Vault

DAYS = timedelta(days=2, hours=6)
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@dataclass(slots=True)
class Past:
    """A tool where something happened two days before the hub first read it."""

    database: Database
    sandbox: Sandbox
    contact: Contact
    happened: Sequence[Entry]
    connection: Any

    @classmethod
    def of(cls, database: Database, tool: Tool) -> Past:
        world = seed.build(seed=7, tasks=40, now=NOW - timedelta(days=2))
        sandbox = Sandbox(world, Knobs(limits=False))
        for task in _at_work(sandbox, tool):
            statuses = world.projects[tool][task.homes[0][0]].statuses
            world.set_status(tool, task.id, next(one.id for one in statuses if one.id != task.status))
            world.set_due(tool, task.id, (NOW + timedelta(days=30)).date())
        happened = [entry for entry in world.journal if entry.kind == "task"]
        world.advance(NOW)
        contact = Contact(database, Vault([b"k" * 32]), Settings(), lambda: NOW)
        with database.writing() as session:
            account = {
                "tool": tool,
                "name": tool,
                "token": world.tokens[tool],
                "base_url": f"http://127.0.0.1:9{MOUNTS[tool]}",
            }
            made = connections.prepare(session, contact.vault, **account, workspaces=[], excluded=[], now=NOW)
            session.add(made)
        past = cls(database, sandbox, contact, happened, made.id)
        past.read()
        return past

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.sandbox))

    def read(self) -> None:
        with self.database.writing() as session:
            run_id = runs.queue(session, self.connection, "manual", NOW).id
        client = self.client()
        outcome = Engine(self.database, self.contact.vault, self.contact.settings, lambda: NOW, client=client).sync(run_id)
        asyncio.run(client.aclose())
        assert outcome is not None
        assert outcome.state == "complete"

    def fill(self) -> SyncRun:
        client = self.client()
        run = backfill.fill(self.contact, self.connection, NOW - DAYS, client=client)
        asyncio.run(client.aclose())
        assert run is not None
        return run

    def ask(self, statement: Any) -> list[Any]:
        with self.database.reading() as session:
            return list(session.execute(statement).all())

    def changes(self, field: str) -> set[tuple[str, datetime]]:
        found = select(Task.external_id, Change.occurred_at).join(Change, Change.entity_id == Task.id).where(Change.field == field)
        return {(row.external_id, row.occurred_at) for row in self.ask(found)}

    def told(self, field: str) -> set[tuple[str, datetime]]:
        """What the world itself says of the time before."""
        return {(entry.id, entry.at) for entry in self.happened if entry.field == field}

    def begins(self) -> datetime:
        [(found,)] = self.ask(select(Connection.history_from))
        return found  # type: ignore[no-any-return]

    def allow(self, calls: int) -> None:
        with self.database.writing() as session:
            session.get_one(Connection, self.connection).checked = {"limits": {"calls a day": calls * 2}}


def _at_work(sandbox: Sandbox, tool: Tool) -> list[Any]:
    world = sandbox.world
    found = []
    for task in world.tasks[tool].values():
        project = world.projects[tool][task.homes[0][0]] if task.homes else None
        fits = project is not None and world.sees_project(project) and not world.archived_above(project) and len(project.statuses) > 1
        if project is not None and fits and project.hierarchy != "multi_level" and not task.archived and not task.deleted and task.parent is None:
            found.append(task)
    return [task for task in found if tool != "monday" or {"due", "timeline"} & world.projects[tool][task.homes[0][0]].columns.keys()][:4]


@pytest.fixture
def fresh(sqlite_url: str) -> Iterator[Database]:
    """It does not matter here which database it is."""
    made = Database(sqlite_url)
    yield made
    made.dispose()


@pytest.fixture(params=["monday", "clickup"])
def past(request: pytest.FixtureRequest, fresh: Database) -> Past:
    return Past.of(fresh, request.param)


def test_the_past_is_kept_once_with_its_instants_and_tells_no_event(past: Past) -> None:
    assert past.told("status")
    events, cost = past.ask(select(func.count()).select_from(Event)), backfill.cost(past.contact, past.connection, NOW - DAYS)
    run = past.fill()
    assert (run.state, run.errors, run.kind) == ("complete", [], runs.HISTORY)
    assert run.requests >= cost.calls >= 1
    assert past.told("status") <= {(key, at.replace(microsecond=0)) for key, at in past.changes("status_id")}
    assert past.ask(select(func.count()).select_from(Event)) == events
    rows = past.ask(select(func.count()).select_from(Change))
    assert past.fill().created == 0
    assert past.ask(select(func.count()).select_from(Change)) == rows
    assert past.ask(select(Mark.key).where(Mark.key == backfill.PLACE)) == []


def test_where_a_board_s_log_tells_everything_movement_is_known_from_then_on(fresh: Database) -> None:
    past = Past.of(fresh, "monday")
    past.fill()
    assert past.told("due") <= past.changes("due_on")
    assert past.begins() == NOW - DAYS
    [(new,)] = set(past.ask(select(Change.new).where(Change.field == "due_on")))
    assert new == "2026-12-23"


def test_where_only_statuses_are_told_no_figure_of_movement_reaches_further_back(fresh: Database) -> None:
    past = Past.of(fresh, "clickup")
    past.fill()
    assert past.begins() == NOW


def test_a_log_that_lost_something_is_whole_only_from_then_on(fresh: Database) -> None:
    past = Past.of(fresh, "monday")
    world, clock = past.sandbox.world, past.sandbox.world.now
    world.now = NOW - timedelta(days=1)
    world.delete_task("monday", _at_work(past.sandbox, "monday")[0].id)
    world.now = clock
    past.fill()
    assert past.begins() == max(entry.at for entry in world.journal if entry.action == "deleted")


def test_it_keeps_to_the_budget_and_goes_on_from_where_it_stood(fresh: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.clickup.past.TASKS", 10)
    past = Past.of(fresh, "clickup")
    [(spent,)] = past.ask(select(func.sum(SyncRun.requests)))
    past.allow(spent + 2)
    assert backfill.cost(past.contact, past.connection, NOW - DAYS).left == 2
    run = past.fill()
    assert (run.state, run.errors, run.requests) == ("partial", [backfill.USED_UP], 2)
    left = backfill.cost(past.contact, past.connection, NOW - DAYS).calls
    past.allow(10_000)
    run = past.fill()
    assert (run.state, run.requests) == ("complete", left)
    assert past.told("status") <= {(key, at.replace(microsecond=0)) for key, at in past.changes("status_id")}


def test_nothing_is_read_while_another_run_reads_the_connection(fresh: Database) -> None:
    past = Past.of(fresh, "clickup")
    with past.database.writing() as session:
        assert runs.take_lease(session, past.connection, "elsewhere:1:x", NOW)
    assert backfill.fill(past.contact, past.connection, NOW - DAYS) is None


def test_a_tool_without_books_says_so(fresh: Database) -> None:
    with fresh.writing() as session:
        vault = Vault([b"k" * 32])
        made = connections.prepare(session, vault, tool="asana", name="a", token="t", base_url=None, workspaces=[], excluded=[], now=NOW)
        session.add(made)
    cost = backfill.cost(Contact(fresh, vault, Settings(), lambda: NOW), made.id, NOW - DAYS)
    assert (cost.what, cost.calls) == (None, 0)
