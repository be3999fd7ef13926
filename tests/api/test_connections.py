"""Connections, their runs and their coverage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import respx
from sqlalchemy import select

from hub.api.answers import Listed, Single
from hub.api.connections import BackfillShape, CheckShape, ConnectionShape, CoverageShape, NodeShape, RunShape
from hub.connections import realm_of, secret_of
from hub.db import Database
from hub.models import Connection, SyncRun
from hub.sandbox import seed
from hub.sandbox.server import Sandbox
from hub.sandbox.world import TOOLS, Tool
from hub.vault import Vault
from tests.api import builders as make
from tests.api.conftest import Caller, NotedJobs

Roles = Callable[[str], Caller]
BASE = "http://127.0.0.1:9/api"


@pytest.fixture
def account(database: Database, vault: Vault) -> UUID:
    with database.writing() as session:
        made = make.connection(session, "clickup", name="Delivery", realm=realm_of("clickup", BASE, ""))
        made.secret = vault.seal("pk_secret_token", bound_to=secret_of(made.id))
        return made.id


@pytest.fixture
def tool() -> Iterator[respx.MockRouter]:
    """A pretend ClickUp that refuses."""
    with respx.mock(base_url=BASE, assert_all_called=False) as mock:
        mock.get("/v2/user").respond(401, json={"err": "Token invalid", "ECODE": "OAUTH_025"})
        mock.get("/v2/team").respond(401, json={"err": "Token invalid", "ECODE": "OAUTH_025"})
        yield mock


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed.build(seed=3, tasks=20)) as running:
        yield running


def connected(database: Database, vault: Vault, sandbox: Sandbox, tool: Tool) -> UUID:
    """A connection to a pretend tool, never checked yet."""
    with database.writing() as session:
        made = make.connection(session, tool, base_url=sandbox.base_url(tool), realm=None, state="broken")
        made.secret = vault.seal(sandbox.world.tokens[tool], bound_to=secret_of(made.id))
        return made.id


def test_connections_are_shown_without_their_secrets(database: Database, call: Caller, account: UUID) -> None:
    with database.writing() as session:
        checked: dict[str, Any] = {
            "user_name": "Ada",
            "user_email": "ada@example.org",
            "plan": None,
            "limits": {"calls a minute": 100},
            "missing": [],
            "at": "2026-11-23T12:00:00Z",
        }
        session.get_one(Connection, account).checked = {**checked, "workspaces": [{"external_id": "9", "name": "Works", "kind": "workspace"}]}
        make.connection(session, state="detached")
    answer = call.get("connections")
    Listed[ConnectionShape].model_validate(answer.json())
    (row,) = answer.json()["data"]
    assert (row["name"], row["state"], row["tool"], row["last_error"]) == ("Delivery", "active", "clickup", None)
    assert row["checked"]["limits"] == {"calls a minute": 100}
    assert "secret" not in answer.text
    assert "ada@" not in answer.text
    assert call.data(f"connections/{account}") == row
    assert call.get(f"connections/{uuid4()}").status_code == 404


def test_a_sync_is_queued_and_submitted_and_asking_twice_gives_the_same_run(as_role: Roles, account: UUID, jobs: NotedJobs) -> None:
    caller = as_role("admin")
    first, second = (caller("POST", f"/api/v1/connections/{account}/sync") for _ in range(2))
    assert first.status_code == second.status_code == 202
    Single[RunShape].model_validate(first.json())
    run = first.json()["data"]
    assert (run["state"], run["reason"], run["connection_id"]) == ("queued", "manual", str(account))
    assert second.json()["data"]["id"] == run["id"]
    assert jobs.submitted[0] == ("sync", str(account), {"run_id": run["id"]}, None)
    assert caller.data(f"sync-runs/{run['id']}") == run


def test_a_paused_connection_is_not_synced(database: Database, as_role: Roles, account: UUID, jobs: NotedJobs) -> None:
    with database.writing() as session:
        session.get_one(Connection, account).state = "paused"
    answer = as_role("admin")("POST", f"/api/v1/connections/{account}/sync")
    assert (answer.status_code, answer.json()["code"]) == (409, "connection_paused")
    assert jobs.submitted == []
    with database.reading() as session:
        assert session.scalars(select(SyncRun)).all() == []


def test_the_past_is_read_in_the_background_and_its_cost_is_the_answer(database: Database, as_role: Roles, account: UUID, jobs: NotedJobs) -> None:
    caller = as_role("admin")
    address = f"/api/v1/connections/{account}/backfill?days=30"
    answer = caller("POST", f"{address}&dry=true")
    assert answer.status_code == 202, answer.text
    Single[BackfillShape].model_validate(answer.json())
    assert (answer.json()["data"]["queued"], jobs.submitted) == (False, [])
    assert caller("POST", address).json()["data"]["queued"] is True
    [(name, key, args, _)] = jobs.submitted
    assert (name, key, args["connection_id"]) == ("backfill", str(account), str(account))
    assert as_role("viewer")("POST", address).status_code == 403


def test_before_the_first_reading_no_past_is_promised(database: Database, as_role: Roles, account: UUID, jobs: NotedJobs) -> None:
    with database.writing() as session:
        session.get_one(Connection, account).history_from = None
    answer = as_role("admin")("POST", f"/api/v1/connections/{account}/backfill")
    assert (answer.status_code, answer.json()["code"], jobs.submitted) == (409, "no_past", [])


@pytest.mark.parametrize("tool", TOOLS)
def test_a_check_asks_the_tool_and_keeps_the_answer(database: Database, vault: Vault, as_role: Roles, sandbox: Sandbox, tool: Tool) -> None:
    account = connected(database, vault, sandbox, tool)
    answer = as_role("admin")("POST", f"/api/v1/connections/{account}/check")
    assert answer.status_code == 200, answer.text
    Single[CheckShape].model_validate(answer.json())
    found = answer.json()["data"]
    assert (found["ok"], found["problem"], found["connection"]["state"]) == (True, None, "active")
    assert found["connection"]["checked"]["workspaces"]
    with database.reading() as session:
        assert session.get_one(Connection, account).realm is not None


@pytest.mark.parametrize("tool", TOOLS)
def test_a_connection_shows_the_tree_to_choose_a_scope_from(database: Database, vault: Vault, as_role: Roles, sandbox: Sandbox, tool: Tool) -> None:
    account = connected(database, vault, sandbox, tool)
    answer = as_role("admin").get(f"connections/{account}/containers")
    assert answer.status_code == 200, answer.text
    Listed[NodeShape].model_validate(answer.json())
    rows = answer.json()["data"]
    assert {"workspace", "project"} <= {row["kind"] for row in rows}
    assert {row["parent"] for row in rows if row["kind"] == "project"} <= {row["ref"] for row in rows}


def test_a_refused_credential_breaks_the_connection_and_says_what_to_do(as_role: Roles, account: UUID, tool: respx.MockRouter) -> None:
    found = as_role("admin")("POST", f"/api/v1/connections/{account}/check").json()["data"]
    assert (found["ok"], found["connection"]["state"]) == (False, "broken")
    assert "hub connection rotate Delivery" in found["problem"]
    assert "pk_secret" not in str(found)


def test_a_tool_that_cannot_be_reached_leaves_the_connection_as_it_is(as_role: Roles, account: UUID, tool: respx.MockRouter) -> None:
    tool.get("/v2/user").mock(return_value=httpx.Response(404, json={"err": "no", "ECODE": "X"}))
    found = as_role("admin")("POST", f"/api/v1/connections/{account}/check").json()["data"]
    assert (found["ok"], found["connection"]["state"]) == (False, "active")
    assert found["problem"]


def test_a_tree_that_the_tool_does_not_show_is_a_problem_in_words(as_role: Roles, account: UUID, tool: respx.MockRouter) -> None:
    answer = as_role("admin").get(f"connections/{account}/containers")
    assert (answer.status_code, answer.json()["code"]) == (409, "tool_refuses")


def test_runs_come_newest_first_and_by_state(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        for minutes, state in enumerate(("complete", "failed", "partial")):
            make.run(session, account, state=state, queued_at=make.NOW + timedelta(minutes=minutes), errors=["it went wrong"], tasks=minutes)
    answer = call.get("sync-runs")
    Listed[RunShape].model_validate(answer.json())
    assert [row["state"] for row in answer.json()["data"]] == ["partial", "failed", "complete"]
    assert [row["tasks"] for row in call.data("sync-runs", state=["failed", "partial"])] == [2, 1]
    assert call.get(f"sync-runs/{uuid4()}").status_code == 404


def test_coverage_says_what_is_held_and_what_proves_it(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        apollo, barred, box = make.project(session, account), make.project(session, account, "Barred"), make.container(session, account, "Box")
        make.coverage(session, apollo, held=3, read=3, vendor_count=3, vendor_counts="items", proof="vendor_count")
        make.coverage(session, barred, proof="none", refused="403: no access", proved_at=None)
        make.coverage(session, box)
    answer = call.get("coverage")
    Listed[CoverageShape].model_validate(answer.json())
    rows = {row["name"]: (row["kind"], row["proof"], row["held"]) for row in answer.json()["data"]}
    assert rows == {"Apollo": ("project", "vendor_count", 3), "Barred": ("project", "none", 0), "Box": ("space", "complete_pass", 0)}
    assert [row["name"] for row in call.data("coverage", refused="true")] == ["Barred"]
    assert [row["name"] for row in call.data("coverage", proof="vendor_count")] == ["Apollo"]
