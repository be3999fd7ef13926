"""Bad days at the vendors: what goes wrong is waited out, tried again or said; nothing is lost, nothing invented, and the next run repairs."""

from __future__ import annotations

from typing import get_args

import httpx
import pytest

from connectors import http
from hub.sandbox.knobs import Fault, FaultKind
from hub.sandbox.world import Tool
from hub.sync import engine
from tests.story.stage import ALL, Patience, Stage, same

LISTS: dict[Tool, str] = {"asana": "GET /tasks?project=", "monday": "query First", "clickup": "/task?subtasks"}
"""What occurs in every request for the tasks of a project, board or workspace."""
FOR_EVER = 100_000
CODES = (429, 500, 502, 503)


@pytest.fixture
def short_temper(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that waits a moment for an answer, not a minute."""

    def build(**how: object) -> httpx.AsyncClient:
        client = http.build_client()
        client.timeout = httpx.Timeout(0.4)
        return client

    monkeypatch.setattr(engine, "build_client", build)


def broken(tool: Tool, kind: FaultKind, *, times: int, code: int = 500) -> Fault:
    return Fault(tool, LISTS[tool], kind, times=times, code=code)


@pytest.mark.usefixtures("short_temper")
@pytest.mark.parametrize("kind", get_args(FaultKind))
@pytest.mark.parametrize("tool", ALL)
def test_one_bad_answer_is_asked_again_and_leaves_no_trace(stage: Stage, tool: Tool, kind: FaultKind) -> None:
    stage.connect(tool)
    stage.knobs.faults.append(broken(tool, kind, times=1))
    ran = stage.sync(tool)
    assert (ran.outcome.state, ran.outcome.errors) == ("complete", [])
    assert any(row["fault"] == kind for row in stage.asked(tool))
    same(stage.verdict(tool))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("tool", ALL)
def test_a_refusal_that_time_heals_is_waited_out(stage: Stage, patience: Patience, tool: Tool, code: int) -> None:
    stage.connect(tool)
    stage.knobs.faults.append(broken(tool, "status", times=2, code=code))
    ran = stage.sync(tool)
    assert (ran.outcome.state, ran.outcome.errors) == ("complete", [])
    assert patience.slept > 0
    same(stage.verdict(tool))


@pytest.mark.usefixtures("short_temper")
@pytest.mark.parametrize("kind", get_args(FaultKind))
@pytest.mark.parametrize("tool", ALL)
def test_lists_that_stay_unreadable_make_the_run_partial_and_the_next_one_repairs(stage: Stage, tool: Tool, kind: FaultKind) -> None:
    stage.connect(tool)
    stage.sync(tool)
    held = stage.checksums()
    stage.knobs.faults.append(broken(tool, kind, times=FOR_EVER))
    ran = stage.sync(tool)
    assert ran.outcome.state in ("partial", "deferred")
    assert ran.outcome.faults > 0
    assert ran.outcome.errors
    assert ran.row.deleted == 0
    assert {name for name, checksum in stage.checksums().items() if checksum != held[name]} == set()
    stage.knobs.faults.clear()
    assert stage.sync(tool).outcome.state == "complete"
    same(stage.verdict(tool))


@pytest.mark.parametrize("tool", ALL)
def test_a_first_sync_that_lacks_lists_holds_the_others_and_the_next_one_brings_the_rest(stage: Stage, tool: Tool) -> None:
    stage.connect(tool)
    skip = 2 if tool == "clickup" else 1  # its very first one only asks where polls are to begin
    stage.knobs.faults.append(Fault(tool, LISTS[tool], "status", times=FOR_EVER, skip=skip, code=500))
    first = stage.sync(tool)
    assert first.outcome.state == "partial"
    assert 0 < first.row.tasks < stage.verdict(tool).truth
    assert not [line for line in stage.verdict(tool).differences if "held but not expected" in line]
    stage.knobs.faults.clear()
    second = stage.sync(tool)
    assert second.outcome.state == "complete"
    assert second.row.created == stage.verdict(tool).truth - first.row.tasks
    same(stage.verdict(tool))


def test_errors_of_a_run_hold_no_token(stage: Stage) -> None:
    for tool in ALL:
        stage.connect(tool)
        stage.knobs.faults.append(Fault(tool, "", "not_json", times=FOR_EVER))
        ran = stage.sync(tool)
        assert ran.outcome.state in ("partial", "failed")
        assert stage.world.tokens[tool] not in str(ran.row.errors)
