"""The feed: the whole log in order, filters, waiting, cursors that never skip in silence, and who may read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
import pytest
from fastapi import FastAPI

from hub import events
from hub.api.bell import Bell
from hub.api.events import FeedShape, TypesShape
from hub.db import Database
from hub.delivery import catalogue
from hub.delivery.retention import DROPPED
from hub.events import Draft, EventType, Subject
from hub.models import Event, Project
from tests.api.builders import NOW, connection, project
from tests.api.conftest import Caller, Clock

PROJECT = str(uuid4())


@pytest.fixture
def reader(as_role: Callable[[str], Caller]) -> Caller:
    return as_role("consumer")


@pytest.fixture
def happen(database: Database, clock: Clock) -> Callable[..., UUID]:
    """Puts events of these types into the log; returns their connection."""

    def act(*kinds: EventType, **subject: Any) -> UUID:
        with database.writing() as session:
            made = connection(session, "monday")
            if session.get(Project, UUID(PROJECT)) is None:
                project(session, made, id=UUID(PROJECT))
            data = {"changed": ["title"], "before": {"title": "a"}, "after": {"title": "b"}}
            drafts = [Draft(kind, "task", uuid4(), data, subject=Subject(**subject)) for kind in kinds]
            events.append(session, drafts, connection_id=made.id, change_set=uuid4(), now=clock())
            return made.id

    return act


UPDATED, CREATED, MOVED = EventType.TASK_UPDATED, EventType.TASK_CREATED, EventType.TASK_MOVED


def walk(reader: Caller, **params: Any) -> list[int]:
    """The sequences of the whole feed, page by page."""
    found: list[int] = []
    while True:
        answer = reader.get("events", **params).json()
        found += [each["sequence"] for each in answer["data"]]
        if answer["meta"]["behind"] == 0:
            return found
        params = {name: value for name, value in params.items() if name != "from"} | {"after": answer["next_cursor"]}


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_feed_is_the_log_in_order_and_each_event_once(reader: Caller, happen: Callable[..., UUID]) -> None:
    happen(*[UPDATED] * 7)
    assert walk(reader, limit=3) == list(range(1, 8))
    FeedShape.model_validate(reader.get("events").json())


def test_an_answer_without_events_still_says_where_to_go_on(reader: Caller, happen: Callable[..., UUID]) -> None:
    empty = reader.get("events").json()
    assert (empty["data"], empty["next_cursor"], empty["meta"]["behind"]) == ([], "0-0", 0)
    happen(UPDATED)
    assert len(reader.get("events", after=empty["next_cursor"]).json()["data"]) == 1


@pytest.mark.parametrize(("begin", "sequences"), [("start", [1, 2, 3]), ("now", []), ("2026-11-23T13:30:00Z", [3]), ("2027-01-01T00:00:00Z", [])])
def test_a_reader_begins_where_it_likes(reader: Caller, happen: Callable[..., UUID], clock: Clock, begin: str, sequences: Sequence[int]) -> None:
    for _ in range(3):
        happen(UPDATED)
        clock.advance(timedelta(hours=1))
    assert walk(reader, **{"from": begin}) == sequences


def test_filters_narrow_and_the_cursor_passes_what_they_keep_away(reader: Caller, happen: Callable[..., UUID]) -> None:
    happen(UPDATED, CREATED, MOVED)
    mine = happen(MOVED, project_ids=[PROJECT])
    assert walk(reader, type="task.moved") == [3, 4]
    assert walk(reader, type=["task.moved", "task.created"]) == [2, 3, 4]
    assert walk(reader, project_id=PROJECT) == [4]
    assert walk(reader, connection_id=str(mine)) == [4]
    assert walk(reader, field="due_on") == []
    assert reader.get("events", type="project.*").json()["next_cursor"].endswith("-4")


def test_thin_is_without_data_and_one_event_is_read_whole(reader: Caller, happen: Callable[..., UUID]) -> None:
    happen(UPDATED)
    thin = reader.get("events", thin=True).json()["data"][0]
    assert "data" not in thin
    whole = reader.data(f"events/{thin['id']}")
    assert whole["data"]["after"] == {"title": "b"}
    assert refused(reader.get(f"events/{uuid4()}")) == (404, "not_found")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"type": "task.exploded"}, "invalid_parameter"),
        ({"after": "yesterday"}, "invalid_cursor"),
        ({"from": "yesterday"}, "invalid_parameter"),
        ({"from": "now", "after": "1-1"}, "invalid_parameter"),
        ({"wait": 31}, "invalid_parameter"),
        ({"limit": 1001}, "invalid_parameter"),
        ({"colour": "red"}, "unknown_parameter"),
    ],
)
def test_a_mistake_is_an_error_and_not_everything(reader: Caller, params: dict[str, Any], code: str) -> None:
    assert refused(reader.get("events", **params)) == (400, code)


def test_after_a_restore_a_cursor_is_refused_with_a_reason(reader: Caller, happen: Callable[..., UUID], database: Database) -> None:
    happen(UPDATED, UPDATED)
    cursor = reader.get("events").json()["next_cursor"]
    with database.writing() as session:
        events.begin_epoch(session, NOW)
    answer = reader.get("events", after=cursor)
    assert refused(answer) == (410, "log_restored")
    assert "from=now" in answer.json()["detail"]


def test_a_cursor_ahead_of_the_log_is_refused_too(reader: Caller, happen: Callable[..., UUID]) -> None:
    happen(UPDATED)
    epoch = reader.get("events").json()["next_cursor"].partition("-")[0]
    assert refused(reader.get("events", after=f"{epoch}-2")) == (410, "log_restored")


def test_behind_what_is_kept_a_cursor_is_refused_and_the_start_is_the_oldest_kept(
    reader: Caller, happen: Callable[..., UUID], database: Database, clock: Clock
) -> None:
    happen(*[UPDATED] * 5)
    first = reader.get("events", limit=1).json()["next_cursor"]
    with database.writing() as session:
        for sequence in (1, 2, 3):
            session.delete(session.get_one(Event, sequence))
        events.advance(session, DROPPED, 3)
    assert refused(reader.get("events", after=first)) == (410, "events_dropped")
    assert refused(reader.get("events", **{"from": (clock() - timedelta(days=1)).isoformat()})) == (410, "events_dropped")
    assert walk(reader) == [4, 5]
    assert walk(reader, after=first.replace("-1", "-3")) == [4, 5]


@pytest.mark.parametrize(("role", "status"), [("consumer", 200), ("pmo", 200), ("admin", 200), ("viewer", 403)])
def test_who_may_read_the_feed(as_role: Callable[[str], Caller], role: str, status: int) -> None:
    caller = as_role(role)
    assert {caller.get(path).status_code for path in ("events", "event-types")} == {status}


async def ask(app: FastAPI, reader: Caller, **params: Any) -> Any:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub.test") as client:
        answer = await client.get("/api/v1/events", params=params, headers={"Authorization": f"Bearer {reader.key}"})
        return answer.json()


def test_who_waits_is_answered_when_something_happens(app: FastAPI, reader: Caller, happen: Callable[..., UUID], database: Database) -> None:
    """The bell's pauses are where the world goes on: at the first the wrong thing happens, at the second the right one."""
    steps = [lambda: happen(UPDATED), lambda: happen(MOVED)]

    async def sleep(_seconds: float) -> None:
        await anyio.to_thread.run_sync(steps.pop(0))

    app.state.bell = Bell(database, sleep)
    answer = anyio.run(lambda: ask(app, reader, wait=30, type="task.moved"))
    assert [each["sequence"] for each in answer["data"]] == [2]


def test_many_who_wait_are_served_by_one_look(app: FastAPI, reader: Caller, happen: Callable[..., UUID], database: Database) -> None:
    looks: list[float] = []

    async def sleep(seconds: float) -> None:
        looks.append(seconds)
        while len(waiting) < 20:
            await anyio.lowlevel.checkpoint()
        await anyio.to_thread.run_sync(happen, UPDATED)

    bell, waiting = Bell(database, sleep), list[int]()

    async def wait_one() -> None:
        waiting.append(1)
        await bell.beyond(0, 30)

    async def wait_all() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(wait_one)

    anyio.run(wait_all)
    assert len(looks) == 1


def test_another_looks_when_the_one_who_did_goes_away(happen: Callable[..., UUID], database: Database) -> None:
    scopes: list[anyio.CancelScope] = []

    async def sleep(_seconds: float) -> None:
        if not scopes[0].cancel_called:
            scopes[0].cancel()
            await anyio.sleep_forever()
        await anyio.to_thread.run_sync(happen, UPDATED)

    bell = Bell(database, sleep)

    async def leaves() -> None:
        with scopes[0]:
            await bell.beyond(0, 30)

    async def both() -> None:
        scopes.append(anyio.CancelScope())
        async with anyio.create_task_group() as group:
            group.start_soon(leaves)
            await anyio.lowlevel.checkpoint()
            await bell.beyond(0, 30)

    anyio.run(both)
    assert scopes[0].cancelled_caught


def test_who_waits_for_nothing_is_told_so_when_the_time_is_up(app: FastAPI, reader: Caller) -> None:
    answer = anyio.run(lambda: ask(app, reader, wait=1))
    assert (answer["data"], answer["next_cursor"]) == ([], "0-0")


def test_the_types_are_the_catalogue(reader: Caller) -> None:
    answer = reader.get("event-types").json()
    TypesShape.model_validate(answer)
    assert [each["type"] for each in answer["data"]] == list(catalogue.BY_TYPE)


def test_the_openapi_document_has_a_webhook_for_every_type(app: FastAPI) -> None:
    document = app.openapi()
    assert list(document["webhooks"]) == list(catalogue.BY_TYPE)
    for kind, told in catalogue.BY_TYPE.items():
        body = document["webhooks"][kind]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body == {"$ref": f"#/components/schemas/{told.name}"}
        assert document["components"]["schemas"][told.name]["properties"]["type"]["const"] == kind
