"""The app as it is open to its own machine (everybody is the demo's guest), a world with a bit of everything, and a reader of pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from hub.app import create_app
from hub.db import Database
from hub.settings import Settings
from hub.vault import Vault
from tests.access.conftest import Browser
from tests.api import builders as make
from tests.api.conftest import Caller, Clock, NotedJobs, as_role, call, clock, jobs, vault
from tests.portfolio.worlds import change

__all__ = ["as_role", "call", "clock", "jobs", "vault"]
NASTY = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
READING = ("/", "/projects", "/tasks", "/timeline", "/milestones", "/workload", "/changes")
ADMIN = ("/admin/connections", "/admin/connections/new", "/admin/data", "/admin/statuses", "/admin/statuses?show=all")
DAY = timedelta(days=1)


@pytest.fixture
def app(database: Database, vault: Vault, jobs: NotedJobs, clock: Clock) -> FastAPI:
    return create_app(Settings(), database, vault, jobs, clock, open_home=True)


@pytest.fixture
def visitor(app: FastAPI) -> Browser:
    return Browser(app)


@pytest.fixture
def look(visitor: Browser) -> Callable[[str], str]:
    def read(path: str) -> str:
        answer = visitor.get(path)
        assert answer.status_code == 200, answer.text[:2000]
        return answer.text

    return read


def seeded(database: Database, rows: int = 3, word: str = "Apollo") -> dict[str, Any]:
    """Two tools; in each a project with ``rows`` tasks, milestones that slipped, people, statuses, waits across tools; ``word`` in every text."""
    history = make.NOW - 60 * DAY
    with database.writing() as session:
        accounts = [make.connection(session, tool, history_from=history) for tool in ("asana", "clickup")]
        made: list[Any] = []
        for account in accounts:
            home = make.project(session, account, f"{word} {account.tool}", health="on_track", health_text=word, url=f"javascript:{word}")
            person = make.identity(session, account, f"{word} Ada")
            state = make.status(session, account, f"{word} doing", counts="unknown", source="suggested")
            make.coverage(session, home, proof="none")
            make.run(session, account, errors=[f"{word} refused"])
            for place in range(rows):
                due = make.TODAY + timedelta(days=place * 3 - 4)
                task = make.task(session, home, f"{word} {place}", due_on=due, start_on=due - 5 * DAY, url=f"javascript:alert({place})", tags=[word])
                task.status, task.status_id, task.estimate_minutes, task.status_category = f"{word} doing", state.id, 600, "started"
                task.description = word
                make.assign(session, task, person)
                change(session, task, "title", "old", f"{word} {place}")
                stone = make.task(session, home, f"{word} stone {place}", kind="milestone", due_on=due + 40 * DAY, url="https://tool.example.org/1")
                change(session, stone, "due_on", (due + 30 * DAY).isoformat(), stone.due_on.isoformat())
                made.append((task, stone))
        for place in range(rows):
            make.waits(session, made[place][0], made[rows + place][0].id)
        task = made[0][0]
        return {"project": task.project_id, "task": task.id, "connection": task.connection_id, "status": task.status_id}


def addresses(ids: dict[str, Any]) -> list[str]:
    """Every page, those of single things too."""
    project = f"/projects/{ids['project']}"
    tabs = [project, *(f"{project}?view={tab}" for tab in ("board", "board&by=section", "timeline", "milestones"))]
    return [*READING, *ADMIN, *tabs, f"/tasks/{ids['task']}", f"/admin/connections/{ids['connection']}"]


@pytest.fixture
def viewer(call: Caller) -> Caller:
    """The same question through the API."""
    return call
