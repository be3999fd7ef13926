"""From a change in a tool to a program that verifies it: everything once, nothing that was not asked for, and no flood where much is new."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from connectors import registry
from hub import connections
from hub.models import Connection, Status, Task
from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from hub.sandbox.world import TOOLS, Tool
from hub.sync import runs
from tests.delivery.receiver import Receiver, receiving
from tests.story.listener import Hub, Listener
from tests.story.stage import Stage, now
from tests.story.test_killed import ROOT, environment

TASKS = 300
FEW = 10
"""Fewer deliveries than this to each endpoint, however much comes into view at once."""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed.build(seed=7, tasks=TASKS, now=now()), Knobs(limits=False)).start() as running:
        yield running


@pytest.fixture
def hub(stage: Stage) -> Hub:
    return Hub(stage)


@pytest.fixture
def receivers() -> Iterator[Callable[[], Receiver]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(receiving())


def changed(hub: Hub, tool: Tool, count: int) -> int:
    """So many tasks are finished and a poll finds them; returns how many status changes are in the log since."""
    before = hub.head()
    for task in hub.open_tasks(tool)[:count]:
        hub.finish(task)
    assert hub.sync(tool).state == "complete"
    return sum(line.type == "task.status_changed" for line in hub.log(before))


@pytest.mark.parametrize("tool", TOOLS)
def test_a_status_change_arrives_once_and_only_where_it_is_wanted(hub: Hub, receivers: Callable[[], Receiver], tool: Tool) -> None:
    other: Tool = "asana" if tool != "asana" else "monday"
    with hub.at_work():
        hub.connected(tool, other)
        everything, done = hub.listener(receivers()), hub.listener(receivers(), types=["task.status_changed"], filter={"categories_to": ["done"]})
        elsewhere, cancelled = (
            hub.listener(receivers(), filter={"tools": [other]}),
            hub.listener(receivers(), filter={"categories_to": ["cancelled"]}),
        )
        milestones = hub.listener(receivers(), types=["milestone.*"])
        task = next(task for task in hub.open_tasks(tool) if task.kind == "task")
        before, after = hub.finish(task)
        hub.sync(tool)
    assert (elsewhere.heard(), cancelled.heard(), milestones.heard()) == ([], [], [])
    (message,) = done.heard()
    assert message["id"] in everything.ids
    assert len(everything.ids) == len(set(everything.ids)) == len(everything.receiver.calls)
    assert [each["id"] for each in everything.of_type("task.status_changed")] == [message["id"]]
    assert (message["entity"]["tool"], message["entity"]["external_id"], message["cause"]) == (tool, task.id, "change")
    for side, row in (("before", before), ("after", after)):
        assert {name: message["data"][side][name] for name in ("status", "status_category")} == {
            name: row[name] for name in ("status", "status_category")
        }
    assert (before["status_category"] in ("done", "cancelled"), after["status_category"]) == (False, "done")
    assert message["data"]["object"]["status_category"] == "done"


@pytest.mark.parametrize("tool", TOOLS)
def test_a_new_account_is_told_in_a_few_words(hub: Hub, receivers: Callable[[], Receiver], tool: Tool) -> None:
    with hub.at_work():
        everything, tasks = hub.listener(receivers()), hub.listener(receivers(), types=["task.*"])
        hub.connected(tool)
    (told,) = everything.of_type("sync.completed")
    assert told["data"]["after"]["baseline"] is True
    assert told["data"]["after"]["tasks"] == hub.held(tool)
    assert len(everything.receiver.calls) < FEW
    assert tasks.heard() == []


@pytest.mark.parametrize("tool", TOOLS)
def test_a_wider_scope_is_told_in_a_few_words(hub: Hub, receivers: Callable[[], Receiver], tool: Tool) -> None:
    hub.stage.connect(tool)
    projects = Counter(task.homes[0][0] for task in hub.open_tasks(tool))
    narrow(hub, tool, [project for project, _ in projects.most_common()[::2]])  # before the hub is at work, which reads what is new by itself
    with hub.at_work():
        hub.sync(tool, runs.FULL)
        few = hub.held(tool)
        everything, tasks = hub.listener(receivers()), hub.listener(receivers(), types=["task.*"])
        narrow(hub, tool, [])
        hub.sync(tool, runs.FULL)
        assert hub.held(tool) > few + FEW
        assert 0 < len(everything.receiver.calls) < FEW
        assert tasks.heard() == []
        assert changed(hub, tool, 3) == len(tasks.of_type("task.status_changed")) == 3


def narrow(hub: Hub, tool: Tool, excluded: list[str]) -> None:
    with hub.stage.database.writing() as session:
        connection = connections.by_name(session, tool)
        connection.scope = {"workspaces": [], "excluded": excluded}


def test_a_status_that_counts_otherwise_is_told_once(hub: Hub, receivers: Callable[[], Receiver]) -> None:
    with hub.at_work():
        hub.connected("clickup")
        everything = hub.listener(receivers())
        status, carried = busiest(hub)
        assert carried > FEW
        hub.ask("PUT", f"status-mappings/{status.id}", category="blocked")
        hub.quiet()
    (message,) = everything.heard()
    assert (message["type"], message["cause"], message["data"]["object"]["tasks"]) == ("mapping.changed", "remap", carried)


def busiest(hub: Hub) -> tuple[Status, int]:
    with hub.stage.database.reading() as session:
        by_status = select(Status, func.count()).join(Task, Task.status_id == Status.id).group_by(Status.id).order_by(func.count().desc())
        found, count = session.execute(by_status.limit(1)).one()
        return found, count


@pytest.mark.parametrize("tool", TOOLS)
def test_another_reading_of_the_same_data_is_told_once(
    hub: Hub, receivers: Callable[[], Receiver], monkeypatch: pytest.MonkeyPatch, tool: Tool
) -> None:
    with hub.at_work():
        hub.connected(tool)
        everything = hub.listener(receivers())
        kind = registry.connector_class(tool)
        monkeypatch.setattr(kind, "mapping_version", kind.mapping_version + 1)
        hub.sync(tool, runs.FULL)
    assert len(everything.of_type("mapping.changed")) == 1
    assert len(everything.receiver.calls) < FEW


@pytest.mark.parametrize("tool", TOOLS)
def test_a_project_lost_and_regained_is_told_as_such_and_not_task_by_task(hub: Hub, receivers: Callable[[], Receiver], tool: Tool) -> None:
    with hub.at_work():
        project = lonely_project(hub, tool)
        hub.connected(tool)
        everything = hub.listener(receivers())
        hub.stage.world.hide_project(tool, project)
        hub.sync(tool, runs.FULL)
        (lost,) = everything.of_type("container.access_lost")
        hub.stage.world.unhide_project(tool, project)
        hub.sync(tool, runs.FULL)
        (regained,) = everything.of_type("container.access_regained")
        assert regained["entity"]["id"] == lost["entity"]["id"]
        assert [message for message in everything.heard() if message["entity"]["kind"] == "task"] == []
        assert len(everything.receiver.calls) < FEW
        assert changed(hub, tool, 3) == len(everything.of_type("task.status_changed")) == 3


def lonely_project(hub: Hub, tool: Tool) -> str:
    """One with many tasks, none of which is in another project, too."""
    world = hub.stage.world
    ((project, count),) = Counter(task.homes[0][0] for task in hub.open_tasks(tool)).most_common(1)
    assert count > FEW
    for task in world.tasks[tool].values():
        if len(task.homes) > 1 and project in dict(task.homes):
            first, *others = [home for home, _ in task.homes]
            for home in others if first == project else [project]:
                world.remove_home(tool, task.id, home)
    return project


def test_what_happens_while_an_endpoint_is_paused_comes_after(hub: Hub, receivers: Callable[[], Receiver]) -> None:
    with hub.at_work():
        hub.connected("monday")
        paused, other = hub.listener(receivers()), hub.listener(receivers())
        begun = hub.head()
        hub.ask("POST", f"webhook-endpoints/{paused.id}/pause")
        assert [changed(hub, "monday", 5) for _ in range(3)] == [5, 5, 5]
        assert paused.heard() == []
        hub.ask("POST", f"webhook-endpoints/{paused.id}/resume")
        hub.quiet()
    told = [str(line.id) for line in hub.log(begun)]
    assert sorted(paused.ids) == sorted(other.ids) == sorted(told)


def test_a_reader_changes_from_push_to_pull_and_back_without_a_gap_or_a_double(hub: Hub, receivers: Callable[[], Receiver]) -> None:
    with hub.at_work():
        hub.connected("clickup")
        begun = hub.head()
        first = hub.listener(receivers())
        changed(hub, "clickup", 4)
        hub.ask("POST", f"webhook-endpoints/{first.id}/pause")
        changed(hub, "clickup", 4)  # nobody reads this yet
        cursor = hub.ask("GET", f"webhook-endpoints/{first.id}")["data"]["cursor"]
        hub.ask("DELETE", f"webhook-endpoints/{first.id}")
        pulled, cursor = drained(hub, cursor)
        changed(hub, "clickup", 4)  # nor this
        second = hub.listener(receivers(), after=cursor)
        changed(hub, "clickup", 4)
    told = [str(line.id) for line in hub.log(begun)]
    assert min(len(first.ids), len(pulled), len(second.ids)) >= 4
    assert sorted(first.ids + pulled + second.ids) == sorted(told)
    assert pulled == sorted(pulled, key=told.index)


def drained(hub: Hub, cursor: str) -> tuple[list[str], str]:
    """Everything after a cursor, three at a time."""
    found: list[str] = []
    while True:
        answer: dict[str, Any] = hub.ask("GET", f"events?after={cursor}&limit=3")
        found += [message["id"] for message in answer["data"]]
        cursor = answer["next_cursor"]
        if answer["meta"]["behind"] == 0:
            return found, cursor


def test_a_hub_killed_between_commit_and_delivery_delivers_after_its_restart(hub: Hub, receivers: Callable[[], Receiver]) -> None:
    with hub.at_work():
        hub.connected("asana")
        listener: Listener = hub.listener(receivers())
        begun = hub.head()
    task = hub.open_tasks("asana")[0]
    hub.finish(task)
    with hub.stage.database.writing() as session:
        session.execute(update(Connection).values(next_sync_at=now() - timedelta(seconds=1)))
    command = [sys.executable, "-m", "tests.story.dies", "UPDATE endpoint", "1", "serve", "--port", "0"]
    ours = environment(hub.stage) | {"HUB_WEBHOOK_ALLOW": "127.0.0.0/8"}
    ended = subprocess.run(command, cwd=ROOT, env=ours, capture_output=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert hub.head() > begun
    assert listener.heard() == []
    with hub.at_work():
        hub.quiet()
    told = [str(line.id) for line in hub.log(begun)]
    assert len(listener.of_type("task.status_changed")) == 1
    assert sorted(listener.ids) == sorted(told)
