"""Killed at any point (kill -9), interrupted, overtaken: the next run goes on, ends equal to the truth, and asks for no finished list again."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import select

from connectors.base import Slice
from connectors.http import build_client
from hub import connections
from hub.models import Connection, SyncRun, SyncSlice
from hub.sandbox.world import Tool
from hub.vault import Vault
from tests.story.stage import ALL, KEY, Stage, now, same, signature

PATIENCE = 60.0
MOMENTS: dict[Tool, tuple[int, ...]] = {"asana": (4, 12, 20, 26), "clickup": (4, 9, 17, 30, 36), "monday": (3, 6, 9, 11)}
"""After so many requests the process is killed."""
WHO_IS_WHO = {("GET", "/v2/team", "", "")}
"""Not a list of tasks or containers but the members of the workspace, which a process must know before it reads any."""
ROOT = Path(__file__).parents[2]


def environment(stage: Stage) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return ours | {
        "HUB_DATABASE_URL": stage.database.engine.url.render_as_string(hide_password=False),
        "HUB_SECRET_KEYS": base64.b64encode(KEY).decode(),
    }


def begin(stage: Stage, *words: str) -> subprocess.Popen[str]:
    """``hub ...`` in a process of its own."""
    command = [sys.executable, "-m", "hub", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is turned off, and for all that is started, too
    try:
        return subprocess.Popen(command, cwd=ROOT, env=environment(stage), text=True, **pipes)
    finally:
        signal.signal(signal.SIGINT, before)


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Looks until the condition holds; the process must live meanwhile, or have reached it."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.001)


def finished_slices(stage: Stage, *, done: bool) -> list[Slice]:
    with stage.database.reading() as session:
        rows = session.scalars(select(SyncSlice).where((SyncSlice.state == "done") if done else (SyncSlice.state != "done"))).all()
    return [Slice(row.key, row.label, row.phase, row.args, tuple(row.covers)) for row in rows]


def requests_of(stage: Stage, tool: Tool, pieces: list[Slice]) -> set[tuple[Any, ...]]:
    """What reading these slices whole asks for, found out by reading them."""
    account = connections.opened(stage.connection(tool), Vault([KEY]))

    async def read() -> None:
        client = build_client()
        try:
            for piece in pieces:
                async for _page in account.connect(client, now).read(piece, None):
                    pass
        finally:
            await client.aclose()

    stage.sandbox.log.clear()
    anyio.run(read)
    found = {signature(row) for row in stage.asked(tool)}
    stage.sandbox.log.clear()
    return found


@pytest.mark.parametrize(("tool", "moment"), [(tool, moment) for tool, moments in MOMENTS.items() for moment in moments])
def test_killed_while_reading_the_next_run_goes_on_and_repeats_no_finished_list(stage: Stage, tool: Tool, moment: int) -> None:
    dies_and_rises(stage, tool, moment)


@pytest.mark.parametrize(("tool", "moment"), [(tool, moments[-1]) for tool, moments in MOMENTS.items()])
def test_the_same_on_postgresql(on_stage: Callable[[str], Stage], postgres_database_url: str, tool: Tool, moment: int) -> None:
    dies_and_rises(on_stage(postgres_database_url), tool, moment)


def dies_and_rises(both: Stage, tool: Tool, moment: int) -> None:
    both.knobs.page_size, both.knobs.latency = 5, 0.005
    both.connect(tool)
    process = begin(both, "sync", tool)
    until(lambda: both.sandbox.log.count >= moment, process)
    process.kill()
    process.communicate()
    both.knobs.latency = 0.0
    lists = requests_of(both, tool, finished_slices(both, done=True)) - requests_of(both, tool, finished_slices(both, done=False))
    both.free_lease()
    ran = both.sync(tool)
    assert (ran.outcome.state, ran.outcome.errors) == ("complete", [])
    assert (lists & {signature(row) for row in both.asked(tool)}) - WHO_IS_WHO == set()
    same(both.verdict(tool))
    before = both.checksums()
    assert both.sync(tool).changes == 0
    assert both.checksums() == before


@pytest.mark.parametrize("tool", ALL)
def test_killed_while_marking_deletions_the_next_run_marks_the_rest_and_nothing_else(stage: Stage, tool: Tool) -> None:
    stage.connect(tool)
    stage.sync(tool)
    for task in [one for one in stage.world.tasks[tool].values() if not one.deleted and not one.archived][:15]:
        if not task.deleted:
            stage.world.delete_task(tool, task.id)
    stage.sandbox.log.clear()
    stage.knobs.latency = 0.01
    process = begin(stage, "sync", tool, "--full", "--accept-deletions")
    until(lambda: any(_reads_by_id(row) for row in list(stage.asked(tool))), process)
    process.kill()
    process.communicate()
    stage.knobs.latency = 0.0
    stage.free_lease()
    ran = stage.sync(tool, accept_deletions=True)
    assert ran.outcome.state == "complete"
    same(stage.verdict(tool))


def _reads_by_id(row: dict[str, Any]) -> bool:
    """The engine looks candidates up by their ids only once every list was read."""
    return bool(re.search(r"^(/v2)?/tasks?/\w+$|^/batch$", row["path"])) or "items(ids" in row["body"] or "items (ids" in row["body"]


@pytest.mark.parametrize("round_", range(3))
def test_killed_again_and_again_it_ends_all_the_same(stage: Stage, round_: int) -> None:
    tool: Tool = ALL[round_ % 3]
    stage.knobs.page_size, stage.knobs.latency = 3, 0.003
    stage.connect(tool)
    for step in range(3):
        stage.free_lease()
        stage.sandbox.log.clear()
        process = begin(stage, "sync", tool)
        wanted = 3 + (round_ * 5 + step * 7) % 17
        until(lambda wanted=wanted, process=process: stage.sandbox.log.count >= wanted or process.poll() == 0, process)  # type: ignore[misc]
        process.kill()
        process.communicate()
    stage.free_lease()
    assert stage.sync(tool).outcome.state == "complete"
    same(stage.verdict(tool))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sync_says_so_and_leaves_everything_in_order(stage: Stage, number: signal.Signals) -> None:
    stage.knobs.page_size, stage.knobs.latency = 5, 0.02
    for tool in ALL:
        stage.connect(tool)
    process = begin(stage, "sync")
    until(lambda: stage.sandbox.log.count >= 25, process)
    stage.knobs.latency = 1.0  # it must not be done before it hears us
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "interrupted; the next sync goes on from the last kept page" in err
    assert "Traceback" not in out + err
    with stage.database.reading() as session:
        assert session.scalars(select(Connection.lease_owner)).all() == [None] * 3
        assert set(session.scalars(select(SyncRun.state))) <= {"cancelled", "complete", "queued"}
    stage.knobs.latency = 0.0
    for tool in ALL:
        assert stage.sync(tool).outcome.state == "complete"
        same(stage.verdict(tool))
