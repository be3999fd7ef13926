"""The app as it is open to its own machine (everybody is the demo's guest), a world with a bit of everything, and a reader of pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.orm import Session

from hub.access import acts
from hub.access.audit import Actor
from hub.access.grants import Subject
from hub.access.keys import Role
from hub.app import create_app
from hub.db import Database
from hub.delivery import endpoints
from hub.delivery.endpoints import Terms
from hub.models import Attempt, Connection, Parked
from hub.portfolio import joining
from hub.settings import Settings
from hub.vault import Vault
from tests.access.conftest import Browser
from tests.api import builders as make
from tests.api.conftest import Caller, Clock, NotedJobs, as_role, call, clock, jobs, vault
from tests.portfolio.worlds import change

__all__ = ["as_role", "call", "clock", "jobs", "vault"]
NASTY = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
READING = ("/", "/projects", "/tasks", "/timeline", "/milestones", "/workload", "/changes")
DECIDING = ("/views", "/projects/sort", "/projects/sort?q=pol")
ADMIN = (
    *("/admin/connections", "/admin/connections/new", "/admin/data", "/admin/statuses", "/admin/statuses?show=all", "/admin/people"),
    *("/admin/endpoints", "/admin/endpoints/new", "/admin/keys", "/admin/keys?ended=1", "/admin/audit"),
)
OF_THE_HOUSE = ADMIN[6:]
"""What has its use before any tool is connected."""
DAY = timedelta(days=1)
HOOK = "https://receiver.example.org/in"


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
        ids = {"project": task.project_id, "task": task.id, "connection": task.connection_id, "status": task.status_id}
        return ids | _let_in(session, word, task)


def _let_in(session: Session, word: str, task: Any) -> dict[str, Any]:
    """A person, a key, an endpoint with what it did not take, two who were joined, and what the audit log says of it."""
    by = Actor("user", None, "192.0.2.7")
    user, _ = acts.invite(session, f"bo-{task.id.hex[:8]}@example.org", f"{word} Bo"[:200], Role.VIEWER, make.NOW, by, local=True)
    acts.set_grants(session, Subject("user", user.id), [f"project:{task.project_id}"], make.NOW, by)
    key, _ = acts.issue_key(session, f"{word} key"[:200], Role.VIEWER, make.NOW, by, granted=["all"])
    endpoint, _ = endpoints.create(
        session, Vault([b"k" * 32]), f"{task.id.hex[:4]} {word} hook"[:200], endpoints.Vetted(HOOK), Terms(filter={"tags": [word]}), make.NOW
    )
    held = {"endpoint_id": endpoint.id, "event_id": task.id, "entity": "task", "entity_id": task.id, "parked_at": make.NOW, "last_error": word}
    session.add_all([Parked(**held, sequence=1, state="waiting", attempts=2), Parked(**held, sequence=2, state="dead", attempts=9)])
    told = {"type": "task.created", "kind": "event", "at": make.NOW, "duration_ms": 12, "event_id": task.id}
    session.add(Attempt(**told, endpoint_id=endpoint.id, sequence=1, status=500, error=word, answer=word))
    twins = [
        make.identity(session, session.get_one(Connection, task.connection_id), f"{word} Cy", email=f"cy{place}@mail.test") for place in range(2)
    ]
    joining.merge(session, [each.id for each in twins], make.NOW, by, evidence=word)
    return {"user": user.id, "key": key.id, "endpoint": endpoint.id}


def addresses(ids: dict[str, Any]) -> list[str]:
    """Every page, those of single things too."""
    project = f"/projects/{ids['project']}"
    tabs = [project, *(f"{project}?view={tab}" for tab in ("board", "board&by=section", "board&by=person", "timeline", "milestones"))]
    admin = [f"/admin/connections/{ids['connection']}", f"/admin/endpoints/{ids['endpoint']}", f"/admin/keys/{ids['key']}"]
    return [*READING, *DECIDING, *ADMIN, *tabs, f"/tasks/{ids['task']}", *admin, f"/admin/keys/users/{ids['user']}"]


@pytest.fixture
def viewer(call: Caller) -> Caller:
    """The same question through the API."""
    return call
