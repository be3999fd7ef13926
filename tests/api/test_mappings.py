"""What statuses count as, and the admin's word on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from hub import events
from hub.api.answers import Listed, Single
from hub.api.mappings import MappingShape
from hub.db import Database
from hub.models import Event, Task
from tests.api import builders as make
from tests.api.conftest import Caller, NotedJobs


@pytest.fixture
def seeded(database: Database) -> dict[str, UUID]:
    """A status that nobody understands, with two tasks, and one that is done."""
    with database.writing() as session:
        account = make.connection(session, "clickup")
        home = make.project(session, account)
        odd = make.status(session, account, "Zwischenlager", vendor="started", counts="started")
        odd.project_id = home.id
        done = make.status(session, account, "Fertig", vendor="done", counts="done")
        for _ in range(2):
            make.task(session, home, status_id=odd.id, status="Zwischenlager", position=events.advance(session, "position"))
        make.task(session, home, status_id=done.id, status_category="done", position=events.advance(session, "position"))
        return {"odd": odd.id, "done": done.id, "home": home.id, "account": account.id}


def say(caller: Caller, status: UUID, category: str | None) -> Any:
    return caller("PUT", f"/api/v1/status-mappings/{status}", json={"category": category})


def test_mappings_show_the_tools_word_and_ours(call: Caller, seeded: dict[str, UUID]) -> None:
    answer = call.get("status-mappings", source="vendor", category="started")
    Listed[MappingShape].model_validate(answer.json())
    (row,) = answer.json()["data"]
    assert (row["name"], row["tool_category"], row["category"], row["source"], row["tasks"]) == ("Zwischenlager", "started", "started", "vendor", 2)
    assert row["project"] == {"id": str(seeded["home"]), "name": "Apollo"}
    assert call.data("status-mappings", category="unknown") == []
    assert len(call.data("status-mappings", project_id=str(seeded["home"]))) == 1


def test_the_admins_word_takes_effect_at_once_and_is_told_once(database: Database, as_role: Callable[[str], Caller], seeded: dict[str, UUID]) -> None:
    caller = as_role("pmo")
    place = caller.get("tasks", changed_since=0).json()["meta"]["position"]
    answer = say(caller, seeded["odd"], "blocked")
    Single[MappingShape].model_validate(answer.json())
    row = answer.json()["data"]
    assert (row["category"], row["source"], row["version"], row["tasks"]) == ("blocked", "admin", 2, 2)
    assert caller.data("portfolio")["totals"]["by_category"]["blocked"] == 2
    assert {row["status_category"] for row in caller.data("tasks", changed_since=place)} == {"blocked"}
    assert say(caller, seeded["odd"], "blocked").json()["data"]["version"] == 2
    with database.reading() as session:
        (told,) = session.scalars(select(Event)).all()
        assert (told.type, told.entity, told.entity_id, told.cause) == ("mapping.changed", "status", seeded["odd"], "remap")
        assert {name: told.data[name] for name in ("changed", "before", "after", "tasks")} == {
            "changed": ["status_category", "source"],
            "before": {"status_category": "started", "source": "vendor"},
            "after": {"status_category": "blocked", "source": "admin"},
            "tasks": 2,
        }
        assert (told.data["object"]["tasks"], told.data["project_ids"]) == (2, [str(seeded["home"])])


def test_a_withdrawn_word_lets_the_tools_own_hold_again(database: Database, as_role: Callable[[str], Caller], seeded: dict[str, UUID]) -> None:
    caller = as_role("admin")
    say(caller, seeded["odd"], "cancelled")
    row = say(caller, seeded["odd"], None).json()["data"]
    assert (row["category"], row["source"], row["version"]) == ("started", "vendor", 3)
    with database.reading() as session:
        assert set(session.scalars(select(Task.status_category).where(Task.status_id == seeded["odd"]))) == {"started"}
        assert len(session.scalars(select(Event)).all()) == 2


def test_a_withdrawn_word_may_leave_a_suggestion(database: Database, as_role: Callable[[str], Caller]) -> None:
    with database.writing() as session:
        stuck = make.status(session, make.connection(session, "monday"), "Stuck", vendor="unknown", counts="done", source="admin")
    row = say(as_role("admin"), stuck.id, None).json()["data"]
    assert (row["category"], row["source"]) == ("blocked", "suggested")


def test_the_word_may_confirm_what_was_counted_anyway(as_role: Callable[[str], Caller], seeded: dict[str, UUID]) -> None:
    row = say(as_role("admin"), seeded["odd"], "started").json()["data"]
    assert (row["category"], row["source"], row["version"]) == ("started", "admin", 2)


def test_unknown_is_not_a_word(as_role: Callable[[str], Caller], seeded: dict[str, UUID]) -> None:
    assert say(as_role("admin"), seeded["odd"], "unknown").status_code == 422


def test_who_listens_is_told_at_once_and_not_for_nothing(as_role: Callable[[str], Caller], jobs: NotedJobs, seeded: dict[str, UUID]) -> None:
    caller = as_role("pmo")
    assert say(caller, seeded["home"], "blocked").status_code == 404
    assert jobs.submitted == []
    say(caller, seeded["odd"], "blocked")
    assert [name for name, *_ in jobs.submitted] == ["deliver"]
