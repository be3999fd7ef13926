"""What waits for what across tools, on a person's word."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from hub.api.answers import Single
from hub.api.timeline import DependencyShape
from hub.db import Database
from hub.models import Audit, Dependency
from tests.api import builders as make
from tests.api.conftest import Caller

Ends = dict[str, UUID]


@pytest.fixture
def ends(database: Database) -> Ends:
    """Tasks by name: two in one tool, two in another; ``b`` waits for ``a`` as its tool says."""
    with database.writing() as session:
        asana, clickup = make.connection(session), make.connection(session, "clickup")
        apollo, gemini = make.project(session, asana), make.project(session, clickup, "Gemini")
        found = {name: make.task(session, home, name) for name, home in (("a", apollo), ("b", apollo), ("c", gemini), ("d", gemini))}
        found["gone"] = make.task(session, gemini, "gone", deleted_at=make.NOW)
        make.waits(session, found["b"], found["a"].id)
        return {name: task.id for name, task in found.items()}


def link(caller: Caller, before: UUID, after: UUID, **more: Any) -> Any:
    return caller("POST", "/api/v1/dependencies", json={"predecessor_id": str(before), "successor_id": str(after), **more})


def test_a_word_is_kept_replaced_and_taken_back(database: Database, as_role: Any, call: Caller, ends: Ends) -> None:
    pmo = as_role("pmo")
    answer = link(pmo, ends["b"], ends["c"], note="parts arrive first")
    Single[DependencyShape].model_validate(answer.json())
    said = answer.json()["data"]
    assert (said["origin"], said["type"], said["assumed"], said["note"]) == ("hub", "FS", False, "parts arrive first")
    assert (said["predecessor"]["title"], said["successor"]["title"]) == ("b", "c")
    assert link(pmo, ends["b"], ends["c"], type="SS", lag_minutes=60).json()["data"]["type"] == "SS"
    (row,) = call.data("dependencies", across_tools="true")
    assert (row["type"], row["lag_minutes"], row["note"]) == ("SS", 60, None)
    with database.reading() as session:
        held = session.scalars(select(Dependency).where(Dependency.origin == "hub")).one()
        assert held.author_id is not None
        assert [each.action for each in session.scalars(select(Audit).order_by(Audit.id))][-2:] == ["link_tasks", "link_tasks"]
    path = f"/api/v1/dependencies/{ends['b']}/{ends['c']}"
    assert [pmo("DELETE", path).status_code for _ in range(2)] == [204, 404]
    assert call.data("dependencies", across_tools="true") == []


def test_it_holds_up_the_other_tool_s_task_at_once(as_role: Any, ends: Ends) -> None:
    pmo = as_role("pmo")
    assert pmo.data("portfolio")["totals"]["blocked"] == 1
    link(pmo, ends["a"], ends["d"])
    assert pmo.data("portfolio")["totals"]["blocked"] == 2


def test_what_a_tool_says_itself_is_neither_written_nor_taken_back(as_role: Any, call: Caller, ends: Ends) -> None:
    pmo = as_role("pmo")
    assert link(pmo, ends["c"], ends["d"]).status_code == 422
    assert link(pmo, ends["a"], ends["a"]).status_code == 422
    assert pmo("DELETE", f"/api/v1/dependencies/{ends['a']}/{ends['b']}").status_code == 404
    assert len(call.data("dependencies")) == 1


def test_no_task_waits_for_itself_over_others(as_role: Any, ends: Ends) -> None:
    pmo = as_role("pmo")
    assert link(pmo, ends["b"], ends["c"]).status_code == 200
    assert link(pmo, ends["c"], ends["a"]).status_code == 422, "b waits for a in its tool, c for b"
    assert link(pmo, ends["c"], ends["b"]).status_code == 422


def test_what_is_not_there_or_not_seen_is_not_found(as_role: Any, ends: Ends) -> None:
    pmo = as_role("pmo")
    assert link(pmo, ends["a"], uuid4()).status_code == 404
    assert link(pmo, ends["a"], ends["gone"]).status_code == 404
    assert link(pmo, ends["a"], ends["c"], note="x" * 501).status_code == 422
    assert link(pmo, ends["a"], ends["c"], surprise=1).status_code == 422


@pytest.mark.parametrize("role", ["viewer", "consumer"])
def test_a_reader_writes_none(as_role: Any, ends: Ends, role: str) -> None:
    assert link(as_role(role), ends["a"], ends["c"]).status_code == 403
