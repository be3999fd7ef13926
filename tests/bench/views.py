"""How long the views take at the size of a large PMO: ``python -m tests.bench.views --tasks 20000 [--database URL]``.

Fills a database with rows directly (drawn from a seed: three tools, 300 projects, people, dependencies, a history of moved dates and statuses), then
asks each view through the app in process, again and again, and prints p50 and p95 (by the clock, and of CPU, which a busy machine changes less), size
on the wire and the number of statements. No test: a command.
"""

from __future__ import annotations

import argparse
import gzip
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import anyio
import httpx
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, event, insert, text
from sqlalchemy.orm import Session

from hub import migrate, models
from hub.access import keys
from hub.app import create_app
from hub.db import Database
from hub.settings import Settings
from hub.vault import Vault
from tests.api.conftest import NotedJobs, let_see

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


def views(project: UUID, task: UUID) -> dict[str, str]:
    return {
        "portfolio": "portfolio",
        "projects": "projects?limit=100",
        "project": f"projects/{project}",
        "board": f"board?project_id={project}",
        "tasks": "tasks?limit=100",
        "tasks overdue": "tasks?overdue=true&limit=100",
        "milestones": "milestones?limit=100",
        "milestones moved": f"milestones?moved=true&since={TODAY - timedelta(days=30)}&limit=100",
        "timeline": "timeline?limit=100",
        "dependencies": "dependencies?limit=100",
        "across tools": "dependencies?across_tools=true&blocking=true&limit=100",
        "workload": "workload",
        "flow": "flow",
        "aging": "aging",
        "changes": f"changes?since={TODAY - timedelta(days=7)}",
        "changes summary": f"changes/summary?since={TODAY - timedelta(days=7)}",
        "history": f"tasks/{task}/history",
        "people": "people",
        "policy": "policy",
    }


Measured = tuple[str, list[float], list[float], int, int]
"""(view, milliseconds by the clock, milliseconds of CPU, compressed bytes, statements)."""


async def measure(app: FastAPI, key: str, paths: dict[str, str], times: int) -> list[Measured]:
    found = []
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://hub.test", headers={"Authorization": f"Bearer {key}"}
    ) as client:
        for name, path in paths.items():
            took, worked, size = [], [], 0
            with counting() as statements:
                for _ in range(times + 1):
                    began, at_work = time.perf_counter(), time.process_time()
                    answer = await client.get(f"/api/v1/{path}")
                    took.append(1000 * (time.perf_counter() - began))
                    worked.append(1000 * (time.process_time() - at_work))
                    answer.raise_for_status()
                    size = len(gzip.compress(answer.content, 6))
            found.append((name, sorted(took[1:]), sorted(worked[1:]), size, len(statements) // (times + 1)))
    return found


def report(found: list[Measured], title: str) -> None:
    table = Table("view", "p50 ms", "p95 ms", "CPU p50", "CPU p95", "kB compressed", "statements", title=title)
    for name, took, worked, size, statements in found:
        figures = [f"{each[min(len(each) - 1, int(share * len(each)))]:.1f}" for each in (took, worked) for share in (0.5, 0.95)]
        table.add_row(name, *figures, f"{size / 1000:.1f}", str(statements))
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--projects", type=int, default=300)
    parser.add_argument("--people", type=int, default=60, help="users in each tool")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", help="an empty database; else a temporary SQLite file")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        database = Database(given.database or f"sqlite:///{Path(folder) / 'views.db'}")
        migrate.upgrade(database)
        with database.writing() as session:
            filler = Filler(session, given.tasks, given.projects, given.people, given.seed)
            filler.fill()
            key = let_see(session, keys.create(session, "bench", "viewer", NOW))
            task = session.execute(text("SELECT entity_id FROM change LIMIT 1")).scalar_one()
        with database.writing() as session:
            session.execute(text("ANALYZE"))
        app = create_app(Settings(), database, Vault([b"k" * 32]), NotedJobs(), lambda: NOW)
        found = anyio.run(measure, app, key, views(filler.projects[0][0], UUID(str(task))), given.times)
        report(found, f"{given.tasks} tasks, {given.projects} projects, {database.dialect}")
        database.dispose()


if __name__ == "__main__":
    main()
