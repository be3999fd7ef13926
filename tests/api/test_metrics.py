"""/metrics: what it says, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from hub import events
from hub.db import Database
from hub.delivery import endpoints
from hub.delivery.address import Rules
from hub.delivery.endpoints import Terms
from hub.events import Draft, EventType
from hub.models import Audit, Parked, SyncRun
from hub.vault import Vault
from tests.api.builders import NOW, connection
from tests.api.conftest import Caller, counted


def scrape(app: FastAPI, headers: Mapping[str, str] | None = None, *, host: str = "127.0.0.1") -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(host, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
            return await client.get("/metrics", headers=headers)

    return anyio.run(ask)


def samples(answer: httpx.Response) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_tables(app: FastAPI, database: Database, vault: Vault) -> None:
    vetted = endpoints.vet("https://93.184.215.14/", Rules())
    with database.writing() as session:
        made, _ = endpoints.create(session, vault, "ledger", vetted, Terms(), NOW)
        made.delivered, made.attempted = 7, 9
        reads = connection(session, "clickup", name="berlin", last_synced_at=NOW - timedelta(minutes=2))
        for state in ("complete", "complete", "failed"):
            session.add(SyncRun(id=uuid4(), connection_id=reads.id, reason="manual", state=state, queued_at=NOW, errors=[]))
        session.add(SyncRun(id=uuid4(), connection_id=reads.id, reason="manual", state="failed", queued_at=NOW - timedelta(days=2), errors=[]))
        session.add(Parked(endpoint_id=made.id, sequence=1, event_id=uuid4(), entity="task", entity_id=uuid4(), state="dead", parked_at=NOW))
        data: dict[str, Any] = {"changed": [], "before": {}, "after": {}}
        drafts = [Draft(EventType.TASK_UPDATED, "task", uuid4(), data) for _ in range(3)]
        events.append(session, drafts, connection_id=reads.id, change_set=uuid4(), now=NOW - timedelta(seconds=30))
    found = samples(scrape(app))
    assert found["hub_events_total[]"] == 3
    assert (found["hub_deliveries_total['ledger']"], found["hub_attempts_total['ledger']"]) == (7, 9)
    assert (found["hub_endpoint_backlog['ledger']"], found["hub_endpoint_lag_seconds['ledger']"]) == (3, 30)
    assert found["hub_endpoint_parked['dead', 'ledger']"] == 1
    assert found["hub_endpoint_state['active', 'ledger']"] == 1
    assert found["hub_connection_age_seconds['berlin', 'clickup']"] == 120
    assert (found["hub_sync_runs['clickup', 'complete']"], found["hub_sync_runs['clickup', 'failed']"]) == (2, 1)


def test_a_scrape_costs_the_same_however_many_endpoints_there_are(app: FastAPI, database: Database, vault: Vault) -> None:
    vetted = endpoints.vet("https://93.184.215.14/", Rules())

    def cost() -> int:
        with counted() as statements:
            assert scrape(app).status_code == 200
        return len(statements)

    one = cost()
    with database.writing() as session:
        for number in range(20):
            endpoints.create(session, vault, f"ledger {number}", vetted, Terms(), NOW)
    assert cost() == one


@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("pmo", 403), ("consumer", 403), ("viewer", 403)])
def test_from_elsewhere_it_takes_an_admins_key(app: FastAPI, as_role: Callable[[str], Caller], role: str, status: int) -> None:
    assert scrape(app, {"Authorization": f"Bearer {as_role(role).key}"}, host="203.0.113.9").status_code == status


def test_who_is_refused_here_is_in_the_audit_log(app: FastAPI, database: Database, as_role: Callable[[str], Caller]) -> None:
    for key in (as_role("viewer").key, "hub_aaaaaaaa_" + "a" * 43):
        scrape(app, {"Authorization": f"Bearer {key}"}, host="203.0.113.9")
    with database.reading() as session:
        rows = [(row.action, row.actor_kind, row.address, row.after) for row in session.scalars(select(Audit).order_by(Audit.id))]
    facts = {"method": "GET", "path": "/metrics"}
    assert rows == [
        ("request.refused", "key", "203.0.113.9", {**facts, "status": 403, "credential": None}),
        ("request.refused", "nobody", "203.0.113.9", {**facts, "status": 401, "credential": "aaaaaaaa"}),
    ]


def test_keys_are_not_guessed_here_faster_than_elsewhere(app: FastAPI) -> None:
    wrong = {"Authorization": "Bearer hub_aaaaaaaa_" + "a" * 43}
    answers = [scrape(app, wrong, host="203.0.113.9") for _ in range(62)]
    assert [answer.status_code for answer in answers] == [401] * 60 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) > 0


def test_without_a_key_it_is_for_this_machine_only(app: FastAPI) -> None:
    assert scrape(app).status_code == 200
    assert scrape(app, host="203.0.113.9").status_code == 401
    assert scrape(app, {"X-Forwarded-For": "203.0.113.9"}).status_code == 401
    assert scrape(app, {"Authorization": "Bearer hub_wrong"}).status_code == 401


def test_a_refused_scrape_is_in_the_audit_log_and_wrong_keys_run_into_a_wall(
    app: FastAPI, database: Database, as_role: Callable[[str], Caller]
) -> None:
    key, wrong = as_role("viewer").key, f"hub_abcd1234_{'x' * 43}"
    assert scrape(app, {"Authorization": f"Bearer {key}"}, host="203.0.113.9").status_code == 403
    assert [scrape(app, {"Authorization": f"Bearer {wrong}"}, host="203.0.113.9").status_code for _ in range(61)] == [401] * 60 + [429]
    with database.reading() as session:
        rows = session.scalars(select(Audit).order_by(Audit.id)).all()
    assert [(row.action, row.actor_kind, row.address) for row in rows[:2]] == [
        ("request.refused", "key", "203.0.113.9"),
        ("request.refused", "nobody", "203.0.113.9"),
    ]
    assert rows[1].after == {"status": 401, "method": "GET", "path": "/metrics", "credential": "abcd1234"}
    assert len(rows) == 61
