"""How long pages and views take at the size of a large PMO: ``python -m tests.bench.views --tasks 20000 --projects 300 [--database URL]``.

Fills a database with rows directly (drawn from a seed: three tools, people, dependencies, a history of moved dates and statuses), then asks each page
as a PMO's browser would and each view of the API, again and again, and prints p50 and p95 of it by the clock and of CPU (which a busy machine changes
less), bytes on the wire as compressed by the app, and the number of statements. No test: a command.

Three ways: **anew**, in process, something written before every request, so that what is kept in memory (``portfolio.kept``) does not help; **kept**,
in process, nothing written in between; and **loopback**, as kept, through a real server and socket. A second database of a tenth of the tasks (or
``--no-small``) shows whether the number of statements grows with the rows; where it does the command fails.
"""

from __future__ import annotations

import argparse
import random
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import anyio
import httpx
import uvicorn
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, event, insert, text
from sqlalchemy.orm import Session

from hub import collector, migrate, models
from hub.access import keys, sessions, users
from hub.access.keys import Role
from hub.app import create_app
from hub.db import Database
from hub.settings import Settings
from hub.vault import Vault
from tests.api.conftest import NotedJobs

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
TOOLS = ("asana", "monday", "clickup")
CATEGORIES = ("backlog", "unstarted", "started", "blocked", "done", "cancelled", "unknown")
WEIGHTS = (10, 20, 20, 4, 40, 4, 2)
CHUNK = 5000


class Filler:
    """Draws rows. ``ids``: made of the generator, so that a seed makes the same database."""

    def __init__(self, session: Session, tasks: int, projects: int, people: int, seed: int) -> None:
        self.session, self.tasks, self.random = session, tasks, random.Random(seed)
        self.connections = [self.id() for _ in TOOLS]
        self.projects = [(self.id(), self.random.choice(self.connections)) for _ in range(projects)]
        self.people = {of: [self.id() for _ in range(people)] for of in self.connections}
        self.statuses = {of: {category: self.id() for category in CATEGORIES} for of in self.connections}

    def id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def synced(self, of: UUID) -> dict[str, Any]:
        made = self.id()
        return {"id": made, "connection_id": of, "external_id": made.hex[:12], "digest": b"0" * 24, "first_seen_at": self.past(200)}

    def past(self, days: int) -> datetime:
        return NOW - timedelta(minutes=self.random.randrange(days * 24 * 60))

    def fill(self) -> None:
        self._accounts()
        for start in range(0, self.tasks, CHUNK):
            self._tasks(min(CHUNK, self.tasks - start))

    def _accounts(self) -> None:
        add = self.session.execute
        for of, tool in zip(self.connections, TOOLS, strict=True):
            made = {"id": of, "name": tool, "tool": tool, "base_url": "http://127.0.0.1:9", "realm": self.id(), "created_at": NOW}
            add(insert(models.Connection), made | {"state": "active", "last_synced_at": NOW, "history_from": NOW - timedelta(days=150)})
            users = [
                {**self.synced(of), "id": person, "name": f"Person {place}", "email": f"p{place}@example.org", "active": True, "guest": False}
                | {"agent": False, "person_id": None}
                for place, person in enumerate(self.people[of])
            ]
            add(insert(models.Identity), users)
            named = self.statuses[of].items()
            add(
                insert(models.Status),
                [{**self.synced(of), "id": key, "name": each, "type": "custom", "category": each, "position": 0} for each, key in named],
            )
            mapped = [{"status_id": key, "connection_id": of, "category": each, "source": "vendor", "changed_at": NOW} for each, key in named]
            add(insert(models.StatusMapping), mapped)
        rows = []
        for place, (project, of) in enumerate(self.projects):
            made = {**self.synced(of), "id": project, "name": f"Project {place:04}", "archived": False, "archived_effective": False}
            due = TODAY + timedelta(days=self.random.randrange(-20, 200))
            health = self.random.choice(["on_track", "at_risk", "off_track", None])
            rows.append(made | {"private": False, "triage": "unsorted", "due_on": due, "health": health, "owner_id": self.people[of][0]})
        add(insert(models.Project), rows)

    def _tasks(self, number: int) -> None:
        chance, rows = self.random.random, []
        for _ in range(number):
            project, of = self.random.choice(self.projects)
            category = self.random.choices(CATEGORIES, WEIGHTS)[0]
            start = TODAY + timedelta(days=self.random.randrange(-150, 90)) if chance() < 0.7 else None
            due = start + timedelta(days=self.random.randrange(0, 30)) if start else None
            done = category == "done"
            row = self.synced(of) | {
                "url": "https://tool.example.org/t/1",
                "title": f"Task {self.random.randrange(10**6)} of some length, as titles are",
            }
            row |= {"kind": "milestone" if chance() < 0.05 else "task", "description": "words " * self.random.randrange(60), "parent_id": None}
            row |= {"project_id": project, "home_inherited": False, "status": category, "status_id": self.statuses[of][category]}
            row |= {"status_category": category, "priority": "normal", "start_on": start, "due_on": due, "updated_at": self.past(60)}
            row |= {"completed_at": self.past(120) if done and chance() < 0.7 else None, "created_at": self.past(200), "tags": ["a", "b"]}
            row |= {"estimate_minutes": self.random.randrange(30, 3000) if chance() < 0.75 else None, "archived": False}
            row |= {"archived_effective": chance() < 0.1, "position": 1, "custom_fields": {str(of): "value", str(project): 12.5}}
            rows.append(row)
        self.session.execute(insert(models.Task), rows)
        self._beside(rows)

    def _beside(self, rows: list[dict[str, Any]]) -> None:
        add, chance = self.session.execute, self.random.random
        add(insert(models.TaskProject), [{"task_id": row["id"], "project_id": row["project_id"], "section_id": None, "rank": 0} for row in rows])
        given = [
            {"task_id": row["id"], "assignee_id": who, "kind": "identity", "rank": rank}
            for row in rows
            if chance() < 0.85
            for rank, who in enumerate(self.random.sample(self.people[row["connection_id"]], 2 if chance() < 0.15 else 1))
        ]
        add(insert(models.Assignment), given)
        waits = [(row["id"], self.random.choice(rows)["id"]) for row in rows if chance() < 0.15]
        edge = {"type": "FS", "lag_minutes": 0, "assumed": True, "origin": "vendor"}
        add(insert(models.Dependency), [{"successor_id": after, "predecessor_id": before, **edge} for after, before in waits if after != before])
        changes = [change for row in rows for change in self._changes(row)]
        add(insert(models.Change), changes)

    def _changes(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        at = self.past(140)
        made = {"connection_id": row["connection_id"], "change_set": row["id"], "entity": "task", "entity_id": row["id"], "recorded_at": at}
        made |= {"occurred_at": at, "precision": "between"}
        statuses = self.statuses[row["connection_id"]]
        if self.random.random() < 0.6:
            yield made | {"field": "status_id", "old": str(statuses["unstarted"]), "new": str(statuses["started"])}
        if row["status_category"] == "done":
            later = {"occurred_at": at + timedelta(days=3), "recorded_at": at + timedelta(days=3)}
            yield made | later | {"field": "status_id", "old": str(statuses["started"]), "new": str(statuses["done"])}
        if row["due_on"] and self.random.random() < 0.3:
            was = row["due_on"] - timedelta(days=self.random.randrange(-5, 20))
            yield made | {"field": "due_on", "old": was.isoformat(), "new": row["due_on"].isoformat()}


@contextmanager
def counting() -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def paths(project: UUID, task: UUID) -> dict[str, str]:
    """{what: address}; pages first."""
    month, week = TODAY - timedelta(days=30), TODAY - timedelta(days=7)
    pages = {
        "Portfolio": "/",
        "Projects": "/projects",
        "Project, list": f"/projects/{project}",
        "Project, board": f"/projects/{project}?view=board",
        "Project, timeline": f"/projects/{project}?view=timeline",
        "Tasks": "/tasks",
        "Tasks, overdue": "/tasks?overdue=true",
        "Tasks, by title": "/tasks?sort=title",
        "Task": f"/tasks/{task}",
        "Timeline": "/timeline",
        "Milestones": "/milestones",
        "Milestones, moved": "/milestones?show=moved",
        "Workload": "/workload",
        "Changes": "/changes",
    }
    views = {
        "portfolio": "portfolio",
        "projects": "projects?limit=100",
        "project": f"projects/{project}",
        "board": f"board?project_id={project}",
        "tasks": "tasks?limit=100",
        "tasks overdue": "tasks?overdue=true&limit=100",
        "milestones": "milestones?limit=100",
        "milestones moved": f"milestones?moved=true&since={month}&limit=100",
        "timeline": "timeline?limit=100",
        "dependencies": "dependencies?limit=100",
        "across tools": "dependencies?across_tools=true&blocking=true&limit=100",
        "workload": "workload",
        "flow": "flow",
        "aging": "aging",
        "changes": f"changes?since={week}",
        "changes summary": f"changes/summary?since={week}",
        "history": f"tasks/{task}/history",
        "people": "people",
        "policy": "policy",
    }
    return pages | {name: f"/api/v1/{path}" for name, path in views.items()}


@dataclass(frozen=True)
class Measured:
    """Milliseconds by the clock and of CPU, sorted; bytes as sent; statements of one request."""

    took: list[float]
    worked: list[float]
    size: int
    statements: int

    def at(self, share: float, of: list[float]) -> str:
        return f"{of[min(len(of) - 1, int(share * len(of)))]:.0f}"


async def measure(client: httpx.AsyncClient, asked: Mapping[str, str], key: str, times: int, before: Callable[[], None]) -> dict[str, Measured]:
    found = {}
    for name, path in asked.items():
        headers = {"Authorization": f"Bearer {key}"} if path.startswith("/api/") else {}
        took, worked, size, number = [], [], 0, 0
        for _ in range(times + 1):
            before()
            with counting() as statements:
                began, at_work = time.perf_counter(), time.process_time()
                answer = await client.get(path, headers=headers)
                took.append(1000 * (time.perf_counter() - began))
                worked.append(1000 * (time.process_time() - at_work))
            if answer.status_code != 200:
                raise SystemExit(f"{path}: {answer.status_code} {answer.text[:300]}")
            size, number = answer.num_bytes_downloaded, len(statements)
        found[name] = Measured(sorted(took[1:]), sorted(worked[1:]), size, number)
    return found


@asynccontextmanager
async def in_process(app: FastAPI, token: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub.test", cookies={"hub_session": token}) as client:
        yield client


@asynccontextmanager
async def over_loopback(app: FastAPI, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """A server in a thread of its own; no lifespan, so that nothing but answers is at work."""
    door = socket.create_server(("127.0.0.1", 0))  # who comes before the server is ready waits in the line
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
    thread.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{door.getsockname()[1]}", cookies={"hub_session": token}) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@dataclass(frozen=True)
class Filled:
    """A database with everything in it, and a PMO who is signed in and has a key."""

    database: Database
    app: FastAPI
    token: str
    key: str
    paths: Mapping[str, str]

    def write(self) -> None:
        """Changes nothing, in a way that the hub must take for a change."""
        with self.database.writing() as session:
            session.execute(text("UPDATE task SET archived = archived WHERE id = (SELECT id FROM task LIMIT 1)"))

    def ask(self, way: Callable[[FastAPI, str], Any], times: int, before: Callable[[], None] = lambda: None) -> dict[str, Measured]:
        async def asked() -> dict[str, Measured]:
            async with way(self.app, self.token) as client:
                return await measure(client, self.paths, self.key, times, before)

        return anyio.run(asked)


def filled(url: str, tasks: int, projects: int, people: int, seed: int) -> Filled:
    database = Database(url)
    migrate.upgrade(database)
    with database.writing() as session:
        filler = Filler(session, tasks, projects, people, seed)
        filler.fill()
        user = users.add(session, "pmo@example.org", "A PMO", Role.PMO, NOW)
        limits = sessions.Limits(timedelta(days=1), timedelta(days=1))
        token = sessions.start(session, user, NOW, limits, address=None, agent=None)
        key = keys.create(session, "bench", Role.PMO.value, NOW)
        task = session.execute(text("SELECT entity_id FROM change LIMIT 1")).scalar_one()
    with database.writing() as session:
        session.execute(text("ANALYZE"))
    app = create_app(Settings(), database, Vault([b"k" * 32]), NotedJobs(), lambda: NOW)
    return Filled(database, app, token, key, paths(filler.projects[0][0], UUID(str(task))))


def report(title: str, anew: Mapping[str, Measured], kept: Mapping[str, Measured], wire: Mapping[str, Measured], few: Mapping[str, Measured]) -> bool:
    """Whether no view asks more often for many rows than for few."""
    heads = ("anew p50", "p95", "CPU", "kept p50", "p95", "CPU", "loopback p50", "p95", "kB sent", "statements", "of a tenth")
    table = Table("ms", *heads, title=title)
    for name in anew:
        figures = [each.at(share, of) for each in (anew[name], kept[name]) for of, share in ((each.took, 0.5), (each.took, 0.95), (each.worked, 0.5))]
        figures += [wire[name].at(share, wire[name].took) for share in (0.5, 0.95)]
        few_said = str(few[name].statements) if name in few else "-"
        table.add_row(name, *figures, f"{anew[name].size / 1000:.1f}", str(anew[name].statements), few_said)
    Console(width=150).print(table)
    grown = [name for name in few if anew[name].statements > few[name].statements]
    print(f"statements grow with rows: {', '.join(grown) or 'nowhere' if few else 'not compared'}")
    for said, found in (("anew", anew), ("kept", kept), ("loopback", wire)):
        slowest = max(found, key=lambda name: found[name].took[min(len(found[name].took) - 1, int(0.95 * len(found[name].took)))])
        print(f"slowest {said}: {slowest}, p95 {found[slowest].at(0.95, found[slowest].took)} ms")
    return not grown


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--projects", type=int, default=300)
    parser.add_argument("--people", type=int, default=60, help="users in each tool")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action=argparse.BooleanOptionalAction, default=True, help="compare statements with a tenth of the tasks")
    parser.add_argument("--database", help="an empty database; else a temporary SQLite file")
    given = parser.parse_args()
    collector.tune()
    with TemporaryDirectory() as folder:
        large = filled(given.database or f"sqlite:///{Path(folder) / 'views.db'}", given.tasks, given.projects, given.people, given.seed)
        anew = large.ask(in_process, given.times, large.write)
        kept, wire = large.ask(in_process, given.times), large.ask(over_loopback, given.times)
        few: dict[str, Measured] = {}
        if given.small:
            small = filled(f"sqlite:///{Path(folder) / 'small.db'}", given.tasks // 10, given.projects, given.people, given.seed)
            few = small.ask(in_process, 1, small.write)
            small.database.dispose()
        fine = report(f"{given.tasks} tasks, {given.projects} projects, {large.database.dialect}", anew, kept, wire, few)
        large.database.dispose()
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
