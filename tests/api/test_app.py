"""The app as a whole: health, documents, pages; its lifespan, its clock and what its jobs do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import anyio
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

from hub import migrate
from hub import vault as vaults
from hub.app import create_app, handlers
from hub.db import Database
from hub.jobs.clock import Clock as Ringer
from hub.models import Connection, SyncRun
from hub.settings import Settings
from hub.sync.engine import RETRY_AFTER, Engine
from hub.sync.runs import Outcome
from hub.vault import Vault
from hub.worker import run_worker
from tests.api import builders as make
from tests.api.conftest import Caller, Clock, NotedJobs


def test_the_process_says_that_it_is_alive_and_ready(call: Caller) -> None:
    assert call("GET", "/healthz", headers={}).json() == {"status": "ok"}
    assert call("GET", "/readyz", headers={}).json() == {"status": "ready"}


def test_whether_the_hub_is_ready_is_told_while_a_sync_writes(database: Database, call: Caller) -> None:
    with database.writing() as session:
        session.execute(text("SELECT 1"))
        assert call("GET", "/readyz", headers={}).status_code == 200


def test_a_database_that_was_not_migrated_is_not_ready(tmp_path: Path, vault: Vault, jobs: NotedJobs, clock: Clock) -> None:
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    answer = Caller(create_app(Settings(), database, vault, jobs, clock), "")("GET", "/readyz", headers={})
    assert answer.status_code == 503
    assert "hub migrate" in answer.json()["reason"]
    database.dispose()


def test_the_document_names_every_endpoint_with_its_shapes_and_its_key(call: Caller) -> None:
    document = call("GET", "/openapi.json", headers={}).json()
    described = {(method, path): operation for path, methods in document["paths"].items() for method, operation in methods.items()}
    assert len({operation["operationId"] for operation in described.values()}) == len(described)
    for (_, path), operation in described.items():
        assert operation["summary"], path
        assert ("security" in operation) == path.startswith("/api/v1/"), path
        assert all(
            each.get("description") or each["schema"].get("description") or each["in"] == "path" for each in operation.get("parameters", ())
        ), path
    wanted = "portfolio projects projects/{project_id} tasks tasks/{task_id} people containers dependencies milestones timeline connections coverage "
    wanted += "connections/{connection_id}/check connections/{connection_id}/sync connections/{connection_id}/containers sync-runs "
    wanted += "sync-runs/{run_id} status-mappings status-mappings/{status_id}"
    assert {f"/api/v1/{path}" for path in wanted.split()} <= set(document["paths"])


def test_the_documentation_needs_no_script_and_no_other_server(call: Caller) -> None:
    page = call("GET", "/docs", headers={}).text
    assert "<script" not in page
    assert "style=" not in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    targets = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= targets
    for path in call("GET", "/openapi.json", headers={}).json()["paths"]:
        assert path in page


def test_the_home_page_shows_figures_only_where_it_is_open(database: Database, vault: Vault, jobs: NotedJobs, clock: Clock) -> None:
    with database.writing() as session:
        home = make.project(session, make.connection(session, "clickup"), "<b>Sneaky</b>")
        make.task(session, home, due_on=make.TODAY - timedelta(days=1))
    closed = Caller(create_app(Settings(), database, vault, jobs, clock), "")("GET", "/", headers={})
    opened = Caller(create_app(Settings(), database, vault, jobs, clock, open_home=True), "")("GET", "/", headers={})
    assert closed.status_code == 303
    assert "clickup" not in closed.text
    assert "clickup" in opened.text
    assert "&lt;b&gt;Sneaky" in opened.text
    assert "<b>Sneaky" not in opened.text
    assert "23 Nov 2026 12:00 UTC" in opened.text


def test_an_open_home_page_of_an_empty_hub_says_so(database: Database, vault: Vault, jobs: NotedJobs, clock: Clock) -> None:
    page = Caller(create_app(Settings(), database, vault, jobs, clock, open_home=True), "")("GET", "/", headers={})
    assert "/admin/connections/new" in page.text


def test_jobs_start_and_stop_with_the_app_and_not_before(app: FastAPI, jobs: NotedJobs) -> None:
    assert jobs.started == []

    async def live() -> None:
        async with app.router.lifespan_context(app):
            assert {"sync", "touch", "hooks"} <= set(jobs.started)
            assert "stopped" not in jobs.started

    anyio.run(live)
    assert jobs.started[-1] == "stopped"


def test_the_clock_rings_for_what_is_due(database: Database, jobs: NotedJobs, clock: Clock) -> None:
    past, future = make.NOW - timedelta(minutes=1), make.NOW + timedelta(minutes=1)
    with database.writing() as session:
        due = make.connection(session, next_sync_at=past)
        never = make.connection(session, next_sync_at=None)
        make.connection(session, next_sync_at=future)
        make.connection(session, next_sync_at=past, lease_owner="another", lease_until=future)
        crashed = make.connection(session, next_sync_at=past, lease_owner="dead", lease_until=past)
        for state in ("paused", "broken", "detached"):
            make.connection(session, next_sync_at=past, state=state)
        asked = make.connection(session, next_sync_at=future)
        run = make.run(session, asked, state="queued")
    Ringer(database, jobs, clock).ring()
    assert {(key, args.get("run_id"), slot) for _, key, args, slot in jobs.submitted} == {
        (str(due.id), None, f"sync:{due.id}@{past.isoformat()}"),
        (str(never.id), None, None),
        (str(crashed.id), None, f"sync:{crashed.id}@{past.isoformat()}"),
        (str(asked.id), str(run.id), None),
    }


DOORBELL = ("deliver", "all", {}, None)
"""What a run told may have to be sent."""


@contextmanager
def engine_that(result: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[UUID]]:
    """The engine's own work is tested elsewhere; here only what the handler makes of its end."""
    ran: list[UUID] = []

    def sync(_self: Engine, run_id: UUID, **_options: Any) -> Outcome | None:
        ran.append(run_id)
        if isinstance(result, Exception):
            raise result
        ended: Outcome | None = result
        return ended

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "sync", sync)
        yield ran


def test_a_scheduled_sync_queues_a_run_of_its_own(
    database: Database, vault: Vault, jobs: NotedJobs, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as session:
        account = make.connection(session)
    with engine_that(Outcome(), monkeypatch) as ran:
        handlers(Engine(database, vault, Settings(), clock), jobs)["sync"]({"connection_id": str(account.id)})
    with database.reading() as session:
        run = session.scalars(select(SyncRun)).one()
        assert (ran, run.reason) == ([run.id], "schedule")
    assert jobs.submitted == [DOORBELL]


@pytest.mark.parametrize(
    "found", [{"next_sync_at": make.NOW + timedelta(hours=1)}, {"lease_owner": "another", "lease_until": make.NOW + timedelta(minutes=1)}]
)
def test_a_scheduled_sync_that_another_process_has_done_or_is_at_is_not_done_again(
    database: Database, vault: Vault, jobs: NotedJobs, clock: Clock, monkeypatch: pytest.MonkeyPatch, found: dict[str, Any]
) -> None:
    with database.writing() as session:
        account = make.connection(session, **found)
    with engine_that(Outcome(), monkeypatch) as ran:
        handlers(Engine(database, vault, Settings(), clock), jobs)["sync"]({"connection_id": str(account.id)})
    with database.reading() as session:
        assert (ran, session.scalars(select(SyncRun)).all(), jobs.submitted) == ([], [], [])


def test_a_connection_that_another_process_reads_is_asked_again_in_five_seconds(
    database: Database, vault: Vault, jobs: NotedJobs, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as session:
        account = make.connection(session, lease_owner="another", lease_until=make.NOW + timedelta(minutes=1))
        run = make.run(session, account, state="queued")
    with engine_that(None, monkeypatch):
        handlers(Engine(database, vault, Settings(), clock), jobs)["sync"]({"run_id": str(run.id)})
    assert jobs.submitted == [("sync", str(account.id), {"run_id": str(run.id)}, None), DOORBELL]
    assert jobs.at == [make.NOW + timedelta(seconds=5), None]


def test_a_sync_that_fails_unexpectedly_is_due_again_later(
    database: Database, vault: Vault, jobs: NotedJobs, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as session:
        account = make.connection(session, next_sync_at=make.NOW)
    with engine_that(RuntimeError("a defect"), monkeypatch), pytest.raises(RuntimeError):
        handlers(Engine(database, vault, Settings(), clock), jobs)["sync"]({"connection_id": str(account.id)})
    with database.reading() as session:
        assert session.get_one(Connection, account.id).next_sync_at == make.NOW + RETRY_AFTER


def test_a_worker_works_until_it_is_told_to_end(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'hub.db'}", secret_keys=(vaults.new_key(),))
    database = Database(settings.database_url)
    with pytest.raises(migrate.DatabaseProblem):
        run_worker(settings, ended=Event())
    migrate.upgrade(database)
    database.dispose()
    ended = Event()
    ended.set()
    run_worker(settings, ended=ended)
    assert (tmp_path / "hub.db").exists()
