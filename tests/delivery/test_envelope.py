"""The message: its fields, what is left out of it and why, and how many statements a page of the log costs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from hub import events
from hub.delivery import catalogue, envelope
from hub.delivery.envelope import Stored
from hub.events import Cause, Draft, EventType, Subject
from hub.models import Event
from tests.api.builders import connection
from tests.api.conftest import counted
from tests.delivery.stage import Stage, now

PROJECT = "0d9b3f3e-1111-4222-8333-444455556666"


def told(stage: Stage, **given: Any) -> Stored:
    """One event about a task of a connection, read back from the log."""
    subject = Subject("1204", "https://tool.example.org/1204", [PROJECT], {"tags": ["old"]}, {"id": "x", "kind": "task", "title": "Mole"})
    with stage.database.writing() as session:
        made = connection(session, "clickup")
        data = {"changed": ["title"], "before": {"title": "Molé"}, "after": {"title": "Mole"}}
        draft = Draft(EventType.TASK_UPDATED, "task", uuid4(), data, subject=subject)
        events.append(session, [replace(draft, **given)], connection_id=made.id, change_set=uuid4(), now=datetime(2026, 11, 23, 9, tzinfo=UTC))
    with stage.database.reading() as session:
        return envelope.read(session, 0, 10)[-1]


def test_a_message_has_the_fields_of_the_contract(stage: Stage) -> None:
    stored = told(stage, occurred_at=datetime(2026, 11, 23, 8, tzinfo=UTC), actor_id=UUID(PROJECT))
    made = json.loads(envelope.body(stored, thin=False))
    assert list(made) == [
        *("id", "type", "schema", "timestamp", "occurred_at", "occurred_after", "recorded_at", "sequence", "entity_version", "change_set"),
        *("cause", "actor", "entity", "data"),
    ]
    assert (made["schema"], made["cause"], made["actor"]) == (1, "change", {"id": PROJECT})
    assert (made["timestamp"], made["recorded_at"]) == ("2026-11-23T08:00:00.000Z", "2026-11-23T09:00:00.000Z")
    assert made["entity"] == {
        "kind": "task",
        "id": str(stored.entity_id),
        "tool": "clickup",
        "connection_id": str(stored.connection_id),
        "external_id": "1204",
        "url": "https://tool.example.org/1204",
        "project_ids": [PROJECT],
    }
    assert made["data"] == {
        "changed": ["title"],
        "before": {"title": "Molé"},
        "after": {"title": "Mole"},
        "object": {"id": "x", "kind": "task", "title": "Mole"},
    }


def test_without_the_tools_word_the_timestamp_is_when_the_hub_found_it(stage: Stage) -> None:
    made = envelope.envelope(told(stage))
    assert (made["occurred_at"], made["timestamp"]) == (None, made["recorded_at"])


def test_the_cause_of_one_event_goes_before_that_of_its_append(stage: Stage) -> None:
    assert told(stage, cause=Cause.SCOPE).cause == "scope"


def test_thin_means_without_data_and_else_the_same(stage: Stage) -> None:
    stored = told(stage)
    whole, thin = (json.loads(envelope.body(stored, thin=each)) for each in (False, True))
    del whole["data"]
    assert thin == whole


def test_a_body_that_is_too_large_goes_thin_and_says_so(stage: Stage) -> None:
    for size, thinned in ((250_000, None), (envelope.LARGEST_BODY, "too_large")):
        stored = told(stage, data={"changed": ["title"], "before": {"title": ""}, "after": {"title": "x" * size}})
        body = envelope.body(stored, thin=False)
        made = json.loads(body)
        assert len(body) <= envelope.LARGEST_BODY
        assert (made.get("thinned"), "data" in made) == (thinned, thinned is None)


def test_a_reason_is_said_only_where_there_is_one(stage: Stage) -> None:
    stored = told(stage)
    assert "reason" not in json.loads(envelope.body(stored, thin=False))
    assert json.loads(envelope.body(stored, thin=True, reason="test"))["reason"] == "test"


def test_an_event_of_the_hub_itself_has_no_tool(stage: Stage) -> None:
    with stage.database.writing() as session:
        draft = Draft(EventType.ENDPOINT_DISABLED, "endpoint", uuid4(), {"changed": ["state"], "before": {}, "after": {"state": "disabled"}})
        events.append(session, [draft], connection_id=None, change_set=uuid4(), now=now())
    with stage.database.reading() as session:
        made = envelope.envelope(envelope.read(session, 0, 1)[0])
    assert (made["entity"]["tool"], made["entity"]["connection_id"]) == (None, None)
    catalogue.message_of("endpoint.disabled").model_validate(made)


def test_a_page_of_the_log_is_one_statement_and_in_its_order(stage: Stage) -> None:
    stage.happen([uuid4() for _ in range(30)])
    with stage.database.reading() as session, counted() as statements:
        lines = envelope.read(session, 10, 15)
    assert [line.sequence for line in lines] == list(range(11, 26))
    assert len([each for each in statements if each.lstrip().upper().startswith("SELECT")]) == 1


def test_one_event_is_found_by_its_id(stage: Stage) -> None:
    stage.happen([uuid4()])
    with stage.database.reading() as session:
        event_id = session.scalars(select(Event.id)).one()
        found = envelope.one(session, event_id)
        assert found is not None
        assert found.id == event_id
        assert envelope.one(session, uuid4()) is None
