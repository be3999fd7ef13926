"""``python -m tests.bench.told --tasks 20000``: how few messages much that is new comes to, and how soon one change arrives.

For each tool, over its pretend vendor: an account is connected with half of its projects left out, then with all of them; its busiest status is
counted otherwise; the hub reads its data by a new version of the mapping. Printed is how many messages each of two endpoints got (one takes
everything, one ``task.*``) by which; a wave of status changes follows, of which each message's age at its arrival is taken, from the sync's own
transaction on."""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import cast

import pytest
from sqlalchemy import func, select

from connectors import registry
from hub import connections, log, migrate
from hub.db import Database
from hub.models import Status, Task
from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from hub.sandbox.world import TOOLS, Tool, World
from hub.sync import runs
from tests.delivery.receiver import receiving
from tests.story import listener
from tests.story.listener import Hub, Listener
from tests.story.stage import Patience, Stage, now

WAVES, WAVE = 10, 20
listener.PATIENCE = 3600.0


@contextmanager
def hub_over(world: World, url: str | None) -> Iterator[Hub]:
    with Sandbox(world, Knobs(limits=False)).start() as sandbox, tempfile.TemporaryDirectory() as folder:
        database = Database(url or f"sqlite:///{folder}/hub.db")
        migrate.upgrade(database)
        yield Hub(Stage(world, sandbox, database))
        database.dispose()


def narrow(hub: Hub, tool: Tool, excluded: list[str]) -> None:
    with hub.stage.database.writing() as session:
        connections.by_name(session, tool).scope = {"workspaces": [], "excluded": excluded}


def counted(what: str, ears: list[Listener], act: Callable[[], object]) -> None:
    before = [len(ear.receiver.calls) for ear in ears]
    act()
    got = [ear.heard()[start:] for ear, start in zip(ears, before, strict=True)]
    few = all(len(each) < 10 for each in got)
    types = ", ".join(f"{kind} x{count}" for kind, count in Counter(each["type"] for each in got[0]).items())
    print(f"  {what}: {len(got[0])} and {len(got[1])} messages ({types or 'none'}): {'fine' if few else 'TOO MANY'}", flush=True)


def count_otherwise(hub: Hub) -> None:
    with hub.stage.database.reading() as session:
        found = select(Status.id, func.count()).join(Task, Task.status_id == Status.id).group_by(Status.id).order_by(func.count().desc())
        status, carried = session.execute(found.limit(1)).one()
    print(f"  the busiest status is that of {carried} tasks", flush=True)
    hub.ask("PUT", f"status-mappings/{status}", category="blocked")
    hub.quiet()


def read_otherwise(hub: Hub, tool: Tool) -> None:
    kind = registry.connector_class(tool)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "mapping_version", kind.mapping_version + 1)
        hub.sync(tool, runs.FULL)


def ages(hub: Hub, tool: Tool, ear: Listener) -> None:
    """Whoever listens gets status changes within so many seconds of the transaction that told them."""
    hub.sync(tool, runs.FULL)  # by the former mapping again
    before, tasks = len(ear.receiver.calls), [task.id for task in hub.open_tasks(tool)[: WAVES * WAVE]]
    for wave in range(0, len(tasks), WAVE):
        for task in tasks[wave : wave + WAVE]:
            hub.stage.world.complete(tool, task)
        hub.sync(tool)
    calls = [call for call in ear.receiver.calls[before:] if call.json["type"] == "task.status_changed"]
    found = sorted(call.at - datetime.fromisoformat(call.verified(ear.secret)["recorded_at"]).timestamp() for call in calls)
    middle, late = found[len(found) // 2], found[len(found) * 95 // 100]
    print(f"  status changes: {len(tasks)} made, {len(found)} arrived; age p50 {middle:.3f} s, p95 {late:.3f} s, worst {found[-1]:.3f} s", flush=True)


def tell(tool: Tool, tasks: int, url: str | None) -> None:
    world = seed.build(seed=7, tasks=tasks, now=now())
    with hub_over(world, url) as hub, ExitStack() as stack:
        everything = hub.listener(stack.enter_context(receiving()))
        ears = [everything, hub.listener(stack.enter_context(receiving()), types=["task.*"])]
        hub.stage.connect(tool)
        busy = Counter(task.homes[0][0] for task in hub.open_tasks(tool))
        narrow(hub, tool, [project for project, _ in busy.most_common()[::2]])
        with hub.at_work():
            counted("connecting half", ears, lambda: hub.sync(tool, runs.FULL))
            half = hub.held(tool)
            narrow(hub, tool, [])
            counted("and all of it", ears, lambda: hub.sync(tool, runs.FULL))
            print(f"  {half}, then {hub.held(tool)} tasks", flush=True)
            counted("another meaning of a status", ears, lambda: count_otherwise(hub))
            counted("another version of the mapping", ears, lambda: read_otherwise(hub, tool))
            ages(hub, tool, everything)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=TOOLS)
    parser.add_argument("--database-url", help="an empty database of its own, instead of a temporary SQLite file; for one tool at a time")
    options = parser.parse_args()
    log.configure("json", "ERROR")
    Patience().install(pytest.MonkeyPatch())
    for tool in options.tools:
        print(f"{tool}, {options.tasks} tasks", flush=True)
        tell(cast(Tool, tool), options.tasks, options.database_url)


if __name__ == "__main__":
    main()
