"""With webhooks on: what changes at a pretend vendor is told to the hub, which registered for it by itself, and is read; what was not told is too."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
import uvicorn
from sqlalchemy import select

from hub.app import create_receiver_app
from hub.models import Hook, SyncRun, Task
from hub.sandbox.world import Tool
from hub.settings import Settings
from hub.sync import bells, hooks, inbox, runs
from hub.sync.contact import Contact
from tests.api.conftest import NotedJobs
from tests.story.stage import Ran, Stage, now

NAME = "hub.example.org"
TELLING: tuple[Tool, ...] = ("asana", "clickup", "monday")


@dataclass
class Harbour:
    """A stage whose hub can be called by its public name."""

    stage: Stage
    tool: Tool
    jobs: NotedJobs

    @property
    def contact(self) -> Contact:
        return Contact(self.stage.database, self.stage.vault, self.stage.settings, now)

    @property
    def connection_id(self) -> UUID:
        return self.stage.connection(self.tool).id

    def upkeep(self) -> hooks.Report:
        return hooks.upkeep(self.contact, self.connection_id)

    def waiting(self) -> set[str]:
        """What was told, once everything on its way has arrived."""
        assert self.stage.sandbox.courier.idle()
        with self.stage.database.reading() as session:
            return {ref for _, refs in inbox.take(session, self.connection_id, 1000) for ref in refs}

    def read(self) -> Ran:
        return self.stage.sync(self.tool, kind=runs.TOUCH)

    def task(self) -> str:
        """A task of a live project that the vendor lets us see."""
        world = self.stage.world
        for task in world.tasks[self.tool].values():
            homes = [world.projects[self.tool][home] for home, _ in task.homes]
            plain = not (task.deleted or task.archived or task.parent)
            if plain and homes and all(world.sees_project(home) and not world.archived_above(home) and home.kind != "companion" for home in homes):
                return task.id
        raise AssertionError("the world has no such task")

    def title(self, task_id: str) -> str | None:
        with self.stage.database.reading() as session:
            return session.scalar(select(Task.title).where(Task.external_id == task_id))


@pytest.fixture
def harbour(stage: Stage) -> Iterator[Callable[[Tool], Harbour]]:
    """Opens the hub's receivers on a port of this machine, and makes the pretend vendors believe in its public name."""
    jobs = NotedJobs()
    stage.settings = replace(Settings(), public_url=f"https://{NAME}")
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_receiver_app(stage.settings, stage.database, stage.vault, jobs, now)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    stage.knobs.hosts = {NAME: listening.getsockname()[1]}
    stage.knobs.pace = 0.0

    def opened(tool: Tool) -> Harbour:
        stage.connect(tool)
        stage.sync(tool)
        made = Harbour(stage, tool, jobs)
        report = made.upkeep()
        assert (report.errors, report.active) == ([], report.wanted)
        assert report.wanted > 0
        return made

    yield opened
    server.should_exit = True
    thread.join(10)


@pytest.mark.parametrize("tool", TELLING)
def test_a_change_is_told_and_read(harbour: Callable[[Tool], Harbour], tool: Tool) -> None:
    home = harbour(tool)
    task_id = home.task()
    home.stage.world.set_title(tool, task_id, "renamed just now")
    assert f"task:{task_id}" in home.waiting()
    assert {name for name, *_ in home.jobs.submitted} == {"touch"}
    bells.touch(home.contact, home.jobs, {"connection_id": str(home.connection_id)})
    assert home.read().outcome.state == "complete"
    assert home.title(task_id) == "renamed just now"
    assert home.waiting() == set()


@pytest.mark.parametrize("tool", TELLING)
def test_calls_that_come_twice_or_out_of_order_do_no_harm(harbour: Callable[[Tool], Harbour], tool: Tool) -> None:
    home = harbour(tool)
    home.stage.knobs.double = home.stage.knobs.shuffle = 0.5
    task_id = home.task()
    for number in range(8):
        home.stage.world.set_title(tool, task_id, f"title {number}")
    assert home.waiting() >= {f"task:{task_id}"}
    home.read()
    assert home.title(task_id) == "title 7"


@pytest.mark.parametrize("tool", TELLING)
def test_a_connection_that_goes_leaves_no_webhook_behind(harbour: Callable[[Tool], Harbour], tool: Tool) -> None:
    home = harbour(tool)
    assert hooks.withdraw(home.contact, home.connection_id) == []
    home.stage.world.set_title(tool, home.task(), "untold")
    assert home.waiting() == set()
    assert not [row for row in home.stage.sandbox.courier.rows if row.status != 200]
    with home.stage.database.reading() as session:
        assert session.scalars(select(Hook)).all() == []


@pytest.mark.parametrize(("tool", "pace"), [("asana", 1.0), ("clickup", 0.0)], ids=["after a day", "after a hundred failures"])
def test_a_webhook_that_the_vendor_gave_up_is_restored_and_the_gap_is_read(harbour: Callable[[Tool], Harbour], tool: Tool, pace: float) -> None:
    home = harbour(tool)
    home.stage.knobs.pace = pace
    task_id, there = home.task(), home.stage.knobs.hosts
    home.stage.knobs.hosts = {NAME: 9}
    for number in range(110):
        home.stage.world.set_title(tool, task_id, f"untold {number}")
    assert home.waiting() == set()
    home.stage.world.advance(home.stage.world.now + timedelta(hours=25))
    home.stage.knobs.hosts = there
    home.stage.world.set_title(tool, task_id, "the last word")
    assert home.waiting() == set(), "the vendor was to have given up"
    bells.put_in_order(home.contact, home.jobs, {"connection_id": str(home.connection_id)})
    with home.stage.database.reading() as session:
        run = session.scalars(select(SyncRun).where(SyncRun.state == "queued")).one()
        assert {row.state for row in hooks.rows_of(session, home.connection_id)} == {"active"}
    assert (run.reason, run.kind) == ("webhook restored", "full")
    assert home.jobs.submitted[-1][:3] == ("sync", str(home.connection_id), {"run_id": str(run.id)})
    home.stage.engine().sync(run.id)
    assert home.title(task_id) == "the last word"
    home.stage.world.set_title(tool, task_id, "told again")
    assert f"task:{task_id}" in home.waiting()
