"""Whoever is bound by grants learns from no answer anything that depends on a row outside them: every GET of the API, every page and every file is
asked before and after the rest of the company is there. The answers are the same to the byte, tags included, and cost as many statements.

``HUB_COMPANIES`` says how many companies are tried with each role.
"""

from __future__ import annotations

import os
import re
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
from hub.access.keys import Role
from hub.app import create_app
from hub.db import Base, Database
from hub.models import Event, Status
from hub.settings import Settings
from hub.vault import Vault
from tests.access.conftest import Browser, cheap_hashes, person
from tests.api.builders import NOW
from tests.api.conftest import Clock, NotedJobs, counted
from tests.api.seen import PROJECTS, Builder, Company, companies

FEW = int(os.environ.get("HUB_COMPANIES", "2"))
__all__ = ["cheap_hashes"]
unhurried = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
few = settings(max_examples=FEW, deadline=None, phases=[Phase.generate], suppress_health_check=unhurried)
fewer = settings(few, max_examples=max(1, FEW // 2))
"""Pages cost more than answers."""
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "/api/v1/tasks": [{}, {"archived": "any", "include_deleted": "true", "q": "task"}, {"changed_since": 0}, {"tag": "red"}],
    "/api/v1/milestones": [{}, {"moved": "true"}],
    "/api/v1/changes": [{}, {"field": "memberships"}],
    "/api/v1/events": [{"from": "start"}, {"from": "start", "type": "task.*"}],
}
PAGES = ("/", "/projects", "/tasks", "/timeline", "/milestones", "/workload", "/changes", "/admin/data", "/admin/statuses?show=all")
FILES = ("/", "/projects", "/tasks", "/timeline", "/milestones", "/workload", "/changes")
REQUEST = re.compile(rb'name="csrf" value="[0-9a-f]{64}"')
"""What in a page belongs to the request."""
BY_PROJECT = ("/api/v1/tasks", "/api/v1/timeline", "/api/v1/changes", "/api/v1/dependencies")
FEED = "/api/v1/events"
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


def ask(app: FastAPI, key: str, asked: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, Any, int, tuple[str | None, int], Any]]:
    """(path, parameters, status, tag and number of statements, body) of each, without what belongs to the request."""

    async def all_of_them() -> list[Any]:
        found = []
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {key}", "X-Request-Id": "same"}
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test", headers=headers) as client:
            await client.get("/api/v1/figures")  # notes the key's use, once a minute
            for path, params in asked:
                with counted() as statements:
                    answer = await client.get(path, params=params)
                cost = 0 if path == FEED else len(statements)  # the feed reads on through what is hidden, page by page
                found.append((path, params, answer.status_code, (answer.headers.get("etag"), cost), _body(path, answer)))
        return found

    return anyio.run(all_of_them)


def _body(path: str, answer: httpx.Response) -> Any:
    if path == FEED:
        return {name: value for name, value in answer.json().items() if name not in LOG}
    return answer.content


def emptied(database: Database) -> None:
    """Every example begins with a hub of its own; the database is the test's."""
    with database.writing() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(delete(table))


def looks(company: Company, ids: dict[str, list[UUID]]) -> list[tuple[str, dict[str, Any]]]:
    """Every page and its files; of single things those that are, and those that will be there."""
    asked: list[tuple[str, dict[str, Any]]] = [(path, {}) for path in PAGES]
    asked += [(path, {"format": "csv"}) for path in FILES]
    asked += [("/tasks", {"q": "task", "archived": "any", "include_deleted": "true"}), ("/tasks", {"tag": "red"}), ("/tasks", {"format": "json"})]
    asked += [(f"/tasks/{each}", {}) for each in ids["task_id"]]
    for name in PROJECTS:
        project = company.ids[name]
        asked += [(f"/projects/{project}", {"view": view}) for view in ("list", "board", "timeline", "milestones")]
        asked += [("/tasks", {"project_id": project}), ("/changes", {"project_id": project})]
    return asked


def seen(app: FastAPI, cookies: httpx.Cookies, asked: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, Any, int, int, bytes]]:
    """(path, parameters, status, statements, page) of each."""

    async def all_of_them() -> list[Any]:
        found = []
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test", cookies=cookies) as client:
            for path, params in asked:
                with counted() as statements:
                    answer = await client.get(path, params=params)
                found.append((path, params, answer.status_code, len(statements), REQUEST.sub(b"", answer.content)))
        return found

    return anyio.run(all_of_them)


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
    assert sum(status == 404 for _, _, status, _, _ in before) > 3
    shown = {task["id"] for path, params, _, _, body in before if path == "/api/v1/tasks" and not params for task in orjson.loads(body)["data"]}
    assert shown == {str(job.id) for job in company.jobs if company.listed(job)}


@fewer
@given(company=companies())
@pytest.mark.parametrize(("database_url", "role"), [("sqlite", "viewer"), ("sqlite", "pmo"), ("postgresql", "viewer")], indirect=["database_url"])
def test_what_is_not_granted_changes_no_page_and_no_file(database: Database, role: str, company: Company) -> None:
    emptied(database)
    if role == "pmo":
        company.grants = sorted({*company.grants, "all"})
    with database.writing() as session:
        builder = Builder(session, company)
        builder.granted()
    app = create_app(Settings(), database, Vault([b"k" * 32]), NotedJobs(), Clock())
    user, browser = person(database, Role(role), f"{uuid4()}@example.org"), Browser(app)
    with database.writing() as session:
        replace(session, Subject("user", user.id), [Target.parse(each) for each in company.targets if role != "pmo" or each != "all"], NOW, None)
    assert browser.log_in(user.email).status_code == 303
    asked = looks(company, {"task_id": [each.id for each in company.jobs]})
    before = seen(app, browser.cookies, asked)
    with database.writing() as session:
        Builder(session, company, {name: session.merge(each, load=False) for name, each in builder.accounts.items()}).rest()
    for one, other in zip(before, seen(app, browser.cookies, asked), strict=True):
        assert one == other
    assert sum(status == 200 for _, _, status, _, _ in before) > 15
    assert not [path for path, _, status, _, _ in before if status >= 500]
    shown = next(page for path, params, _, _, page in before if (path, params) == ("/tasks", {"format": "csv"})).decode()
    assert {str(job.id) for job in company.jobs if str(job.id) in shown} == {str(job.id) for job in company.jobs if company.listed(job)}
