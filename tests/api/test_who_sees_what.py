"""Whoever is bound by grants learns from no answer anything that depends on a row outside them: every GET of the API is asked before and after the
rest of the company is there."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
import orjson
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy import delete, select

from hub.access import keys
from hub.access.grants import Subject, Target, replace
from hub.app import create_app
from hub.db import Base, Database
from hub.models import Event, Status
from hub.settings import Settings
from hub.vault import Vault
from tests.api.builders import NOW
from tests.api.conftest import Clock, NotedJobs
from tests.api.seen import PROJECTS, Builder, Company, companies

few = settings(
    max_examples=int(os.environ.get("HUB_COMPANIES", "2")),
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "/api/v1/tasks": [{}, {"archived": "any", "include_deleted": "true", "q": "task"}, {"changed_since": 0}, {"tag": "red"}],
    "/api/v1/milestones": [{}, {"moved": "true"}],
    "/api/v1/changes": [{}, {"field": "memberships"}],
    "/api/v1/events": [{"from": "start"}, {"from": "start", "type": "task.*"}],
}
BY_PROJECT = ("/api/v1/tasks", "/api/v1/timeline", "/api/v1/changes", "/api/v1/dependencies")
LOG = ("next_cursor", "meta")
"""Of the feed: places in a log that all its readers share."""


def reads(app: FastAPI) -> list[str]:
    """The paths of every GET that the document names."""
    return [path for path, methods in app.openapi()["paths"].items() if "get" in methods and path.startswith("/api/v1/")]


def questions(app: FastAPI, company: Company, ids: dict[str, list[UUID]]) -> list[tuple[str, dict[str, Any]]]:
    """Every GET with every id that there is or will be, and lists narrowed by each project."""
    asked: list[tuple[str, dict[str, Any]]] = []
    for path in reads(app):
        if "{" in path:
            name = path.partition("{")[2].partition("}")[0]
            asked += [(path.replace(f"{{{name}}}", str(each)), {}) for each in ids.get(name, [uuid4()])]
        elif path == "/api/v1/board":
            asked += [(path, {"project_id": company.ids[name], "by": "section"}) for name in PROJECTS]
        else:
            asked += [(path, variant) for variant in VARIANTS.get(path, [{}])]
        if path in BY_PROJECT:
            asked += [(path, {"project_id": company.ids[name]}) for name in PROJECTS]
    return asked


def ask(app: FastAPI, key: str, asked: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, Any, int, str | None, Any]]:
    """(path, parameters, status, tag, body) of each, without what belongs to the request."""

    async def all_of_them() -> list[Any]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {key}", "X-Request-Id": "same"}
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test", headers=headers) as client:
            return [await client.get(path, params=params) for path, params in asked]

    answers = anyio.run(all_of_them)
    pairs = zip(asked, answers, strict=True)
    return [(path, params, each.status_code, each.headers.get("etag"), _body(path, each)) for (path, params), each in pairs]


def _body(path: str, answer: httpx.Response) -> Any:
    if path == "/api/v1/events":
        return {name: value for name, value in answer.json().items() if name not in LOG}
    return answer.content


def emptied(database: Database) -> None:
    """Every example begins with a hub of its own; the database is the test's."""
    with database.writing() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(delete(table))


def entered(database: Database, role: str, targets: list[str]) -> str:
    with database.writing() as session:
        key = keys.create(session, "theirs", role, NOW)
        row = keys.verify(session, key, NOW)
        assert row is not None
        replace(session, Subject("key", row.id), [Target.parse(each) for each in targets], NOW, None)
        return key


@few
@given(company=companies())
@pytest.mark.parametrize(
    ("database_url", "role"),
    [("sqlite", "viewer"), ("sqlite", "consumer"), ("sqlite", "pmo"), ("postgresql", "viewer")],
    indirect=["database_url"],
)
def test_what_is_not_granted_changes_no_answer(database: Database, role: str, company: Company) -> None:
    emptied(database)
    if role == "pmo":
        company.grants = sorted({*company.grants, "all"})
    with database.writing() as session:
        builder = Builder(session, company)
        builder.granted()
        ids: dict[str, list[UUID]] = {"task_id": [each.id for each in company.jobs], "project_id": [company.ids[each] for each in PROJECTS]}
        ids["connection_id"] = [each.id for each in builder.accounts.values()]
        ids["event_id"] = list(session.scalars(select(Event.id)))[-3:]
        ids["status_id"] = list(session.scalars(select(Status.id)))[-3:]
    app = create_app(Settings(), database, Vault([b"k" * 32]), NotedJobs(), Clock())
    key = entered(database, role, [each for each in company.targets if role != "pmo" or each != "all"])
    asked = questions(app, company, ids)
    before = ask(app, key, asked)
    with database.writing() as session:
        Builder(session, company, {name: session.merge(each, load=False) for name, each in builder.accounts.items()}).rest()
    for one, other in zip(before, ask(app, key, asked), strict=True):
        assert one == other
    assert sum(status == 200 for _, _, status, _, _ in before) > 20
    shown = {task["id"] for path, params, _, _, body in before if path == "/api/v1/tasks" and not params for task in orjson.loads(body)["data"]}
    assert shown == {str(job.id) for job in company.jobs if company.listed(job)}
