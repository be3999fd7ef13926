"""Endpoints by API: made, shown without secrets, changed, paused, replayed; each key its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from standardwebhooks import Webhook

from hub import events
from hub.api.deliveries import AttemptsAnswer, ParkedAnswer
from hub.api.endpoints import EndpointAnswer, EndpointsAnswer, NewEndpointAnswer
from hub.app import create_app
from hub.db import Database
from hub.delivery import pull, trial
from hub.delivery.target import Answer
from hub.events import Draft, EventType
from hub.models import Attempt, Endpoint, Parked
from hub.settings import Settings
from hub.vault import Vault
from tests.api.builders import NOW, connection, project, task
from tests.api.conftest import Caller, Clock, NotedJobs

PATH = "/api/v1/webhook-endpoints"
URL = "https://93.184.215.14/hooks"
"""A public address, so that no name is looked up."""


@pytest.fixture
def app(database: Database, vault: Vault, jobs: NotedJobs, clock: Clock) -> FastAPI:
    return create_app(Settings(webhook_allow=("127.0.0.0/8",)), database, vault, jobs, clock)


@pytest.fixture
def consumer(as_role: Callable[[str], Caller]) -> Caller:
    return as_role("consumer")


def made(caller: Caller, **body: Any) -> dict[str, Any]:
    answer = caller("POST", PATH, json={"url": URL, "name": f"receiver {uuid4().hex[:6]}"} | body)
    assert answer.status_code == 201, answer.text
    NewEndpointAnswer.model_validate(answer.json())
    return dict(answer.json()["data"])


def problem(answer: httpx.Response) -> tuple[int, str, list[str]]:
    body = answer.json()
    return answer.status_code, body["code"], [each["pointer"] for each in body["errors"]]


def happen(database: Database, *kinds: EventType) -> list[UUID]:
    """Events about one task each; the tasks' ids."""
    tasks = [uuid4() for _ in kinds]
    data: dict[str, Any] = {"changed": [], "before": {}, "after": {}}
    with database.writing() as session:
        drafts = [Draft(kind, "task", task, data) for kind, task in zip(kinds, tasks, strict=True)]
        events.append(session, drafts, connection_id=None, change_set=uuid4(), now=NOW)
    return tasks


def test_a_secret_is_shown_once_and_header_values_never(consumer: Caller) -> None:
    new = made(consumer, headers={"Authorization": "Bearer s3cret"}, types=["task.*"], filter={"kinds": ["milestone"]}, thin=True, ordering="none")
    assert new["secret"].startswith("whsec_")
    answer = consumer.get(f"{PATH}/{new['id']}")
    EndpointAnswer.model_validate(answer.json())
    EndpointsAnswer.model_validate(consumer.get(PATH).json())
    assert answer.json()["data"] == {name: value for name, value in new.items() if name != "secret"}
    assert (new["headers"], new["types"], new["filter"], new["thin"], new["ordering"]) == (
        ["Authorization"],
        ["task.*"],
        {"kinds": ["milestone"]},
        True,
        "none",
    )
    assert "s3cret" not in answer.text + consumer.get(PATH).text


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "invalid_body", "/url"),
        ({"url": "https://127.9.9.9.example.invalid@10.0.0.1/"}, "target_refused", "/url"),
        ({"url": "https://10.0.0.1/hooks"}, "target_refused", "/url"),
        ({"url": "http://93.184.215.14/hooks"}, "target_refused", "/url"),
        ({"url": URL, "types": ["task.moved", "task.exploded"]}, "invalid_body", "/types/1"),
        ({"url": URL, "filter": {"colour": ["red"]}}, "invalid_body", "/filter/colour"),
        ({"url": URL, "filter": {"project_ids": ["seven"]}}, "invalid_body", "/filter/project_ids/0"),
        ({"url": URL, "ordering": "by size"}, "invalid_body", "/ordering"),
        ({"url": URL, "headers": {"webhook-id": "mine"}}, "invalid_endpoint", "/headers"),
        ({"url": URL, "after": "1-99"}, "invalid_cursor", "/after"),
        ({"url": URL, "secret": "mine"}, "invalid_body", "/secret"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(consumer: Caller, body: dict[str, Any], code: str, pointer: str) -> None:
    assert problem(consumer("POST", PATH, json=body)) == (422, code, [pointer])


def test_a_name_is_given_once(consumer: Caller) -> None:
    made(consumer, name="ledger")
    assert problem(consumer("POST", PATH, json={"url": URL, "name": "ledger"})) == (422, "invalid_endpoint", ["/name"])


def test_a_repeated_request_makes_one_endpoint_and_gets_the_same_answer(consumer: Caller, as_role: Callable[[str], Caller], clock: Clock) -> None:
    def send(caller: Caller, url: str = URL) -> httpx.Response:
        headers = {"Authorization": f"Bearer {caller.key}", "Idempotency-Key": "once"}
        return caller("POST", PATH, json={"url": url, "name": caller.key[:12]}, headers=headers)

    first, second = send(consumer), send(consumer)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert problem(send(consumer, URL + "/else"))[:2] == (409, "idempotency_key_used")
    assert send(as_role("consumer")).json()["data"]["id"] != first.json()["data"]["id"]
    clock.advance(timedelta(hours=25))
    assert problem(send(consumer))[:2] == (409, "idempotency_key_used")


def test_each_key_sees_and_touches_its_own_and_an_admin_all(as_role: Callable[[str], Caller]) -> None:
    one, other, admin = as_role("consumer"), as_role("pmo"), as_role("admin")
    mine, theirs = made(one), made(other)
    assert [each["id"] for each in one.data(PATH)] == [mine["id"]]
    assert {each["id"] for each in admin.data(PATH)} == {mine["id"], theirs["id"]}
    for method, path in [
        *(("GET", each) for each in ("", "/attempts", "/parked")),
        *(("POST", each) for each in ("/pause", "/resume", "/rotate-secret", "/test", "/replay", "/parked/retry")),
        *(("PATCH", ""), ("DELETE", "")),
    ]:
        options: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
        assert one(method, f"{PATH}/{theirs['id']}{path}", **options).status_code == 404
    assert admin("DELETE", f"{PATH}/{mine['id']}").status_code == 204
    assert as_role("viewer").get(PATH).status_code == 403


def test_a_change_keeps_what_it_does_not_name(consumer: Caller) -> None:
    new = made(consumer, headers={"X-Team": "quay"}, types=["task.moved"])
    answer = consumer("PATCH", f"{PATH}/{new['id']}", json={"thin": True, "name": "renamed"})
    changed = answer.json()["data"]
    assert changed == {name: value for name, value in new.items() if name != "secret"} | {"thin": True, "name": "renamed"}
    cleared = consumer("PATCH", f"{PATH}/{new['id']}", json={"types": [], "headers": {}}).json()["data"]
    assert (cleared["types"], cleared["headers"]) == ([], [])
    assert problem(consumer("PATCH", f"{PATH}/{new['id']}", json={"url": "https://169.254.169.254/"})) == (422, "target_refused", ["/url"])


def test_pause_and_resume(consumer: Caller, jobs: NotedJobs) -> None:
    new = made(consumer)
    assert consumer("POST", f"{PATH}/{new['id']}/pause").json()["data"]["state"] == "paused"
    jobs.submitted.clear()
    answer = consumer("POST", f"{PATH}/{new['id']}/resume").json()
    assert (answer["data"]["state"], answer["dropped"]) == ("active", 0)
    assert [each[0] for each in jobs.submitted] == ["deliver"]


def test_a_rotated_secret_is_new_and_the_old_one_ends_later(consumer: Caller) -> None:
    new = made(consumer)
    answer = consumer("POST", f"{PATH}/{new['id']}/rotate-secret", json={"overlap_hours": 2}).json()
    assert answer["secret"] != new["secret"]
    assert answer["old_secret_until"] == "2026-11-23T14:00:00.000Z"
    assert consumer.data(f"{PATH}/{new['id']}")["old_secret_until"] == "2026-11-23T14:00:00.000Z"
    assert consumer("POST", f"{PATH}/{new['id']}/rotate-secret", json={"overlap_hours": 0}).json()["old_secret_until"] is None


def test_a_reader_changes_from_pulling_to_being_sent_and_back_without_a_gap(consumer: Caller, database: Database) -> None:
    happen(database, *[EventType.TASK_UPDATED] * 4)
    cursor = consumer.get("events", limit=3).json()["next_cursor"]
    new = made(consumer, after=cursor)
    assert (new["cursor"], new["backlog"]) == (cursor, 1)
    with database.reading() as session:
        assert session.get_one(Endpoint, UUID(new["id"])).position == 3
    assert [each["sequence"] for each in consumer.get("events", after=new["cursor"]).json()["data"]] == [4]
    assert made(consumer)["backlog"] == 0


def test_a_test_message_is_an_example_signed_and_marked(consumer: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network alone is faked."""
    sent: list[tuple[dict[str, str], bytes]] = []

    class Network:
        def __init__(self, *_given: Any) -> None: ...

        async def post(self, headers: list[tuple[bytes, bytes]], body: bytes, _hide: list[str]) -> Answer:
            sent.append(({name.decode(): value.decode() for name, value in headers}, body))
            return Answer(202, None, 7, "thanks", None)

        async def aclose(self) -> None: ...

    monkeypatch.setattr(trial, "Target", Network)
    clock_free = type("At", (Webhook,), {"_Webhook__verify_timestamp": lambda self, header: NOW})
    new = made(consumer)
    answer = consumer("POST", f"{PATH}/{new['id']}/test", json={"type": "milestone.slipped"}).json()
    (headers, body) = sent[0]
    message = clock_free(new["secret"]).verify(body, headers)
    assert (message["type"], message["reason"], message["id"]) == ("milestone.slipped", "test", headers["webhook-id"])
    assert (answer["status"], answer["answer"], answer["event_id"]) == (202, "thanks", message["id"])
    again = consumer("POST", f"{PATH}/{new['id']}/test").json()
    assert again["event_id"] != answer["event_id"]
    attempts = consumer.get(f"{PATH}/{new['id']}/attempts")
    AttemptsAnswer.model_validate(attempts.json())
    assert [each["type"] for each in attempts.json()["data"]] == ["task.status_changed", "milestone.slipped"]
    assert problem(consumer("POST", f"{PATH}/{new['id']}/test", json={"type": "x"})) == (422, "invalid_body", ["/type"])


def test_a_replay_is_counted_before_it_is_begun(consumer: Caller, database: Database, jobs: NotedJobs) -> None:
    tasks = happen(database, EventType.TASK_UPDATED, EventType.TASK_MOVED, EventType.TASK_MOVED, EventType.PROJECT_UPDATED)
    new = made(consumer, types=["task.*"])
    feed = consumer.get("events").json()["data"]
    epoch = new["cursor"].partition("-")[0]

    def count(**body: Any) -> int:
        answer = consumer("POST", f"{PATH}/{new['id']}/replay?dry=true", json=body)
        assert (answer.status_code, answer.json()["id"]) == (200, None)
        return int(answer.json()["events"])

    assert count() == 3
    assert count(types=["task.moved"]) == count(types=["task.mo*", "task.moved"][1:]) == 2
    assert count(types=["task.*"]) == 3
    assert count(entity_id=str(tasks[1])) == 1
    assert count(event_id=feed[0]["id"]) == 1
    assert count(event_id=feed[3]["id"]) == 0
    assert count(after=f"{epoch}-1", until=f"{epoch}-2") == 1
    jobs.submitted.clear()
    begun = consumer("POST", f"{PATH}/{new['id']}/replay", json={"types": ["task.moved"]})
    assert (begun.status_code, begun.json()["events"]) == (202, 2)
    assert [each[0] for each in jobs.submitted] == ["deliver"]
    assert problem(consumer("POST", f"{PATH}/{new['id']}/replay", json={"after": "5-1"})) == (422, "invalid_cursor", ["/after"])


def test_a_snapshot_is_of_everything_that_fits(consumer: Caller, database: Database) -> None:
    with database.writing() as session:
        of = connection(session, "clickup")
        home = project(session, of)
        for kind in ("task", "task", "milestone"):
            task(session, home, kind=kind)
    all_of_it, some = made(consumer), made(consumer, filter={"kinds": ["milestone"]})
    path = "{}/{}/replay?snapshot=true&dry=true".format
    assert consumer("POST", path(PATH, all_of_it["id"])).json() == {"id": None, "events": 4}
    assert consumer("POST", path(PATH, some["id"])).json()["events"] == 1
    assert consumer("POST", path(PATH, some["id"]), json={"types": ["task.moved"]}).status_code == 422
    assert consumer("POST", f"{PATH}/{some['id']}/replay?snapshot=true").status_code == 202


def test_attempts_are_paged_newest_first(consumer: Caller, database: Database) -> None:
    new = made(consumer)
    with database.writing() as session:
        for number in range(5):
            row = {"event_id": uuid4(), "sequence": number, "type": "task.moved", "kind": "event", "at": NOW, "status": 500, "duration_ms": 3}
            session.add(Attempt(endpoint_id=UUID(new["id"]), error="500", answer="no", **row))
    assert [each["sequence"] for each in consumer.walk(f"{PATH}/{new['id']}/attempts", limit=2)] == [4, 3, 2, 1, 0]


def test_parked_events_are_seen_skipped_and_tried_again(consumer: Caller, database: Database) -> None:
    new, task = made(consumer), uuid4()
    with database.writing() as session:
        for sequence, state in ((1, "waiting"), (2, "behind"), (3, "behind")):
            row = {"sequence": sequence, "event_id": uuid4(), "entity": "task", "entity_id": task, "state": state, "parked_at": NOW}
            session.add(Parked(endpoint_id=UUID(new["id"]), **row))
    path = f"{PATH}/{new['id']}/parked"
    ParkedAnswer.model_validate(consumer.get(path).json())
    assert [each["sequence"] for each in consumer.walk(path, limit=2)] == [1, 2, 3]
    assert consumer.data(f"{PATH}/{new['id']}")["parked"] == {"waiting": 1, "behind": 2, "dead": 0}
    assert consumer("POST", f"{path}/skip", json={"entity_id": str(task)}).json() == {"count": 1}
    assert [(each["sequence"], each["state"]) for each in consumer.data(path)] == [(2, "waiting"), (3, "behind")]
    assert [each["sequence"] for each in consumer.data(path, dead=True)] == [1]
    assert consumer("POST", f"{path}/retry", json={"sequences": [1]}).json() == {"count": 1}
    assert consumer("POST", f"{path}/retry").json()["count"] >= 1
    assert consumer("POST", f"{path}/skip", json={"entity_id": str(uuid4())}).status_code == 404


def test_a_cursor_is_a_plain_number_with_the_logs_name() -> None:
    assert str(pull.Cursor.parse("1764000000-4711")) == "1764000000-4711"
    for text in ("4711", "1-2-3", "a-1", "-1-2", "1-9999999999999999999"):
        with pytest.raises(ValueError, match="a cursor looks like"):
            pull.Cursor.parse(text)
