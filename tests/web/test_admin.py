"""A tool connected wholly in the browser, and an admin's word on what a status counts as."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from hub.db import Database
from hub.models import Audit, Connection, Status, StatusMapping, SyncRun, Task
from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from hub.settings import Settings
from hub.sync.engine import Engine
from hub.vault import Vault
from tests.access.conftest import Browser
from tests.api.conftest import Clock, NotedJobs
from tests.web.conftest import seeded
from tests.web.reading import read

NEW = "/admin/connections/new"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed.build(seed=7, tasks=30, now=datetime.now(UTC)), Knobs(limits=False)).start() as running:
        yield running


def connect(visitor: Browser, sandbox: Sandbox, token: str | None = None, **fields: str) -> httpx.Response:
    given = {"tool": "asana", "name": "berlin", "token": token or sandbox.world.tokens["asana"], "base_url": sandbox.base_url("asana")}
    return visitor.send(NEW, **(given | fields))


def test_a_tool_is_connected_in_the_browser_from_an_empty_hub_to_its_portfolio(
    database: Database, vault: Vault, jobs: NotedJobs, clock: Clock, visitor: Browser, sandbox: Sandbox
) -> None:
    clock.now = datetime.now(UTC)
    assert NEW in visitor.get("/").text
    answer = connect(visitor, sandbox)
    scope = answer.headers["location"]
    form = visitor.get(scope).text
    boxes = [attributes for tag, attributes in read(form).tags if tag == "input" and attributes.get("name") == "workspace"]
    assert boxes
    assert all("checked" in box for box in boxes)
    assert not jobs.submitted, "nothing is read before the scope is chosen"
    answer = visitor.send(scope, workspace=boxes[0]["value"])
    watching = answer.headers["location"]
    page = visitor.get(watching).text
    assert 'http-equiv="refresh"' in page
    ((name, key, args, _slot),) = jobs.submitted
    assert (name, watching) == ("sync", f"/admin/connections/{key}")
    Engine(database, vault, Settings(), clock).sync(UUID(args["run_id"]))
    page = visitor.get(watching).text
    assert 'http-equiv="refresh"' not in page
    assert "complete" in page
    with database.reading() as session:
        held = len(session.scalars(select(Task.id)).all())
        scope_kept = session.scalars(select(Connection.scope)).one()
    assert held
    assert f"{held} tasks in" in page
    assert boxes[0]["value"] in (scope_kept["workspaces"] or [box["value"] for box in boxes])
    assert "No tool is connected" not in visitor.get("/").text


def test_a_refused_token_stores_nothing_and_says_why(database: Database, visitor: Browser, sandbox: Sandbox) -> None:
    answer = connect(visitor, sandbox, token="wrong-token-of-nobody")
    assert answer.status_code == 409
    assert "Nothing was stored" in answer.text
    with database.reading() as session:
        assert not session.scalars(select(Connection.id)).all()


def test_a_token_is_in_no_page_and_in_no_log(database: Database, visitor: Browser, sandbox: Sandbox) -> None:
    scope = connect(visitor, sandbox).headers["location"]
    token = sandbox.world.tokens["asana"]
    for path in (scope, scope.removesuffix("/scope"), "/admin/connections"):
        assert token not in visitor.get(path).text
    with database.reading() as session:
        rows = session.scalars(select(Audit)).all()
        assert rows, "the act is in the audit log"
        assert token not in repr([(row.before, row.after, row.target) for row in rows])


@pytest.mark.parametrize("fields", [{"tool": "nope"}, {"base_url": "http://tool.example.org"}, {"name": "x" * 101}])
def test_what_cannot_be_connected_is_said(visitor: Browser, sandbox: Sandbox, fields: dict[str, str]) -> None:
    assert connect(visitor, sandbox, **fields).status_code in (409, 422)


def test_a_form_of_another_site_does_nothing(database: Database, visitor: Browser, sandbox: Sandbox) -> None:
    ids = seeded(database)
    for path in (NEW, f"/admin/connections/{ids['connection']}/sync", "/admin/statuses"):
        assert visitor.send(path, page=NEW, csrf="0" * 64).status_code == 403
        assert visitor.send(path, page=NEW, headers={"Origin": "https://evil.example.org"}).status_code == 403
    with database.reading() as session:
        assert len(session.scalars(select(SyncRun.id)).all()) == 2


def test_sync_now_queues_a_run_and_a_pause_stops_that(database: Database, visitor: Browser, jobs: NotedJobs) -> None:
    home = f"/admin/connections/{seeded(database)['connection']}"
    assert visitor.send(f"{home}/sync", page=home).status_code == 303
    assert jobs.submitted[-1][0] == "sync"
    assert "waiting to begin" in visitor.get(home).text
    visitor.send(f"{home}/pause", page=home)
    assert visitor.send(f"{home}/sync", page=NEW).status_code == 409
    visitor.send(f"{home}/resume", page=home)
    assert "working" in visitor.get(home).text


def test_an_admin_s_word_on_a_status_moves_its_tasks(database: Database, visitor: Browser) -> None:
    ids = seeded(database)
    answer = visitor.send("/admin/statuses", **{f"category:{ids['status']}": "blocked"})
    assert answer.status_code == 303
    with database.reading() as session:
        held = session.get_one(StatusMapping, ids["status"])
        moved = set(session.scalars(select(Task.status_category).where(Task.status_id == ids["status"])))
    assert (held.category, held.source) == ("blocked", "admin")
    assert moved == {"blocked"}
    visitor.send("/admin/statuses", page="/admin/statuses?show=all", **{f"category:{ids['status']}": "withdraw"})
    with database.reading() as session:
        assert session.get_one(StatusMapping, ids["status"]).source != "admin"


@pytest.mark.parametrize("field", [{"category:nope": "done"}, {"category:00000000-0000-0000-0000-000000000000": "done"}, {"category:{}": "fine"}])
def test_a_word_that_makes_no_sense_changes_nothing(database: Database, visitor: Browser, field: dict[str, str]) -> None:
    status = seeded(database)["status"]
    assert visitor.send("/admin/statuses", **{name.format(status): value for name, value in field.items()}).status_code in (404, 422)
    with database.reading() as session:
        assert session.get_one(StatusMapping, status).version == 1
        assert session.get_one(Status, status).name == "Apollo doing"


def test_what_nobody_confirmed_comes_first(database: Database, visitor: Browser, app: FastAPI) -> None:
    seeded(database)
    text = visitor.get("/admin/statuses").text
    assert "nobody has said yet" in text
    assert "2 statuses need" in read(text).words


def test_the_page_of_what_is_missing_names_the_places(database: Database, visitor: Browser) -> None:
    seeded(database)
    said = read(visitor.get("/admin/data").text).words
    assert "Not yet read to the end" in said
    assert "Apollo asana" in said
