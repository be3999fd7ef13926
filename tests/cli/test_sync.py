"""``hub sync``: waits for the end, says what came of it, and takes its turn."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from hub.cli import house, sync
from hub.cli.progress import Watcher
from hub.db import Database
from hub.models import Connection, SyncRun
from hub.sandbox.knobs import Fault
from hub.sandbox.server import Sandbox
from hub.sync import runs
from hub.sync.engine import Progress
from tests.cli.conftest import Hub

FIELDS = ["connection", "tool", "state", "tasks", "created", "updated", "deleted", "unchanged", "requests", "seconds", "errors"]


def test_a_program_reads_one_object_a_connection(connected: Hub) -> None:
    said = connected("sync", "--json")
    assert said.code == 0
    ran = json.loads(said.out)
    assert list(ran) == FIELDS
    assert (ran["connection"], ran["tool"], ran["state"], ran["tasks"], ran["created"], ran["errors"]) == ("berlin", "asana", "complete", 40, 40, [])
    assert ran["requests"] > 0 < ran["seconds"]


def test_progress_goes_to_stderr_and_results_to_stdout(connected: Hub) -> None:
    said = connected("sync", "berlin")
    assert said.out.splitlines()[0].startswith("CONNECTION")
    assert "parts" in said.err
    assert "lists" not in said.out


def test_a_refusal_that_only_a_person_can_lift_is_no_failure_of_the_command(connected: Hub, sandbox: Sandbox) -> None:
    project = next(one for one in sandbox.world.projects["asana"].values() if sandbox.world.sees_project(one) and not one.archived)
    sandbox.knobs.refused[project.id] = 403
    said = connected("sync", "--json")
    assert (said.code, json.loads(said.out)["state"]) == (0, "partial")
    assert json.loads(said.out)["errors"]


def test_a_fault_is_a_failure_of_the_command(connected: Hub, sandbox: Sandbox) -> None:
    sandbox.knobs.faults.append(Fault("asana", "GET /tasks?project=", "status", times=10_000, code=500))
    said = connected("sync", "--json")
    assert (said.code, json.loads(said.out)["state"]) == (1, "partial")
    sandbox.knobs.faults.clear()
    sandbox.knobs.revoked.add("asana")
    said = connected("sync")
    assert (said.code, "hub connection rotate berlin" in said.err) == (1, True)


def test_without_connections_it_says_how_to_add_one(hub: Hub) -> None:
    said = hub("sync")
    assert (said.code, "hub connection add" in said.err) == (1, True)


def test_it_waits_its_turn_while_another_process_reads_the_connection(connected: Hub, sqlite_url: str) -> None:
    database = Database(sqlite_url)

    def hold(until: datetime) -> None:
        with database.writing() as session:
            session.execute(update(Connection).values(lease_owner="elsewhere:1:x", lease_until=until))

    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            hold(datetime.now(UTC) - timedelta(seconds=1))

    hold(datetime.now(UTC) + timedelta(minutes=5))
    with house.opened() as ours:
        results, _ = sync.together(ours, sync.chosen(ours, []), Watcher(terminal=False), sync.Order(sleep=sleep))
    database.dispose()
    assert slept == [sync.POLL] * 3
    assert [(each.row["state"], each.row["created"], each.fine) for each in results] == [("complete", 40, True)]


def test_a_run_that_another_process_takes_over_is_reported_as_it_ended(connected: Hub, sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.writing() as session:
        session.execute(update(Connection).values(lease_owner="elsewhere:1:x", lease_until=datetime.now(UTC) + timedelta(minutes=5)))

    def sleep(_seconds: float) -> None:
        with database.writing() as session:
            run = session.scalars(select(SyncRun)).one()
            runs.end(session, run.id, runs.Outcome(), {"created": 7}, datetime.now(UTC), datetime.now(UTC))

    with house.opened() as ours:
        results, _ = sync.together(ours, sync.chosen(ours, []), Watcher(terminal=False), sync.Order(sleep=sleep))
    database.dispose()
    assert [(each.row["state"], each.row["created"], each.fine) for each in results] == [("complete", 7, True)]


def test_plain_progress_is_a_line_a_stage_and_one_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    watch = Watcher(terminal=False, clock=lambda: clock[0])
    for second in range(8):
        clock[0] = float(second)
        watch.seen(Progress("berlin", "reading", second * 10, second, 9))
    watch.seen(Progress("berlin", "finishing", 90, 9, 9))
    assert capsys.readouterr().err.splitlines() == [
        "berlin: reading, 0 of 9 parts, 0 rows read",
        "berlin: reading, 5 of 9 parts, 50 rows read",
        "berlin: finishing, 9 of 9 parts, 90 rows read",
    ]


def test_on_a_terminal_there_is_a_bar_with_a_total(capsys: pytest.CaptureFixture[str]) -> None:
    with Watcher(terminal=True) as watch:
        watch.seen(Progress("[berlin]", "reading", 40, 3, 9))
        watch.note("[berlin]", "waits")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "[berlin]" in shown.err
    assert "3/9" in shown.err
