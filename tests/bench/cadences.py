"""``python -m tests.bench.cadences --tasks 20000``: what keeping up costs, and what is found by which reading.

Per tool: after a first full reading an idle poll and an idle walk; then 200 random deeds of every kind (``tests/story/office.py``), a poll, a walk
and a sweep, without lag; then 200 more while the vendor's searches and logs trail behind, and the same readings at once and one cadence later.
Requests are shown beside the fewest possible (``fewest.py``), with the CPU of the hub alone, in a process of its own, and how many tasks differ then.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import func, select

from hub import collector, connections, log, migrate
from hub.cli import check
from hub.db import Database
from hub.models import Connection, SyncRun, Task
from hub.sandbox import seed, truth
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from hub.sandbox.world import Tool, World
from hub.settings import Settings
from hub.sync import runs
from hub.sync.engine import Engine
from hub.sync.runs import FULL, POLL, STRUCTURE
from hub.vault import Vault
from tests.bench import fewest
from tests.bench.minimum import MINIMUM, Terms
from tests.story.office import CONTAINERS, TASKS, Office
from tests.story.telling import shared_tasks, without_choice

LAGS: dict[Tool, float] = {"asana": 60.0, "monday": 30.0, "clickup": 60.0}
"""Seconds by which searches and logs trail behind, at their worst, as each vendor's fact sheet has it."""
QUIET, CADENCE = timedelta(minutes=30), timedelta(minutes=15)
DAYS = timedelta(days=7)
"""Each reading comes when it is asked for, none because it is due."""
KEY = b"b" * 32


class HubSide:
    """The hub in a process of its own, told by lines of JSON what to read."""

    def __init__(self, url: str, tool: Tool, base_url: str, token: str) -> None:
        given = json.dumps({"url": url, "tool": tool, "base_url": base_url, "token": token})
        command = [sys.executable, "-m", "tests.bench.cadences", "--hub", given]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def look(self, kind: str, now: datetime) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"kind": kind, "now": now.isoformat()}) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


def hub_side(given: dict[str, str]) -> None:
    log.configure("json", "ERROR")
    collector.tune()
    database = Database(given["url"])
    migrate.upgrade(database)
    clock = [datetime.now(UTC)]
    engine = Engine(database, Vault([KEY]), Settings(structure_interval=DAYS, sweep_interval=DAYS), lambda: clock[0])
    with database.writing() as session:
        account = {"tool": given["tool"], "name": given["tool"], "token": given["token"], "base_url": given["base_url"]}
        session.add(connections.prepare(session, engine.vault, **account, workspaces=[], excluded=[], now=clock[0]))
    for line in sys.stdin:
        asked = json.loads(line)
        clock[0] = datetime.fromisoformat(asked["now"])
        with database.writing() as session:
            connection_id = connections.by_name(session, given["tool"]).id
            run_id = runs.queue(session, connection_id, "manual", clock[0], kind=asked["kind"], accept_deletions=True).id
        cpu, wall = time.process_time(), time.perf_counter()
        outcome = engine.sync(run_id)
        assert outcome is not None
        spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        with database.reading() as session:
            run = session.get_one(SyncRun, run_id)
            counts = {name: getattr(run, name) for name in ("kind", "requests", "created", "updated", "deleted")}
        print(json.dumps({"state": outcome.state, "errors": outcome.errors[:3], **counts, **spent}), flush=True)


class Trial:
    """One tool, one world, one hub."""

    def __init__(self, world: World, tool: Tool, knobs: Knobs, hub: HubSide, database: Database, rng: random.Random) -> None:
        self.world, self.tool, self.knobs, self.hub, self.database = world, tool, knobs, hub, database
        self.office = Office(world, tool, rng.randrange)
        self.rng = rng
        self.met: set[str] = set()

    def run(self, deeds: int) -> None:
        print(f"\n{self.tool}")
        minimum = MINIMUM[self.tool](self.world)
        self.row("first sync", FULL, minimum)
        self.world.advance(self.world.now + QUIET)
        self.row("poll", POLL)
        begin = len(self.world.journal)
        self.world.advance(self.world.now + QUIET)
        self.row("idle poll", POLL, self.least(POLL, begin))
        self.row("idle walk", STRUCTURE, self.least(STRUCTURE, begin) | _named("poll: ", self.least(POLL, begin)))
        self.after("without lag", deeds)
        self.knobs.lag = LAGS[self.tool]
        self.world.advance(self.world.now + QUIET)
        self.work(deeds)
        self.row("lagging: poll at once", POLL)
        self.row("lagging: walk at once", STRUCTURE)
        self.world.advance(self.world.now + timedelta(seconds=self.knobs.lag) + CADENCE)
        self.row("one cadence later: poll", POLL)
        self.row("one cadence later: walk", STRUCTURE)
        self.row("sweep", FULL)

    def after(self, name: str, deeds: int) -> None:
        begin = self.work(deeds)
        self.row(f"{name}: poll", POLL, self.least(POLL, begin))
        quiet = len(self.world.journal)
        self.row(f"{name}: walk", STRUCTURE, self.least(STRUCTURE, begin) | _named("poll: ", self.least(POLL, quiet)))
        self.row(f"{name}: sweep", FULL)

    def work(self, deeds: int) -> int:
        """Returns where the journal stood before."""
        begin = len(self.world.journal)
        for _ in range(deeds):
            what = self.rng.choice(TASKS if self.rng.random() < 0.95 else [each for each in CONTAINERS if each != "delete_project"])
            self.office.happen(what)
        return begin

    def least(self, kind: str, begin: int) -> Terms:
        return (fewest.POLL if kind == POLL else fewest.STRUCTURE)[self.tool](fewest.Since(self.world, self.tool, begin))

    def row(self, name: str, kind: str, least: Terms | None = None) -> None:
        found = self.hub.look(kind, self.world.now)
        wrong = self.wrong()
        minimum = sum(least.values()) if least else None
        ratio = f"{minimum:>6} {found['requests'] / max(1, minimum):>6.2f}" if minimum is not None else " " * 13
        changes = f"+{found['created']} ~{found['updated']} -{found['deleted']}"
        took = f"{1000 * found['cpu']:>8.0f} ms CPU {found['wall']:>7.2f} s"
        print(f"  {name:<28} {found['requests']:>6} {ratio} {took}  {changes:<18} {len(wrong):>5} differ  {found['state']}", flush=True)
        for line in (*found["errors"], *sorted(wrong)[:3]):
            print(f"      {line}", flush=True)

    def wrong(self) -> set[str]:
        """The tasks that the hub has otherwise than the world."""
        with self.database.reading() as session:
            connection = session.scalars(select(Connection.id)).one()
            held = check.held_tasks(session, connection)
            assert session.scalar(select(func.count()).select_from(Task))
        self.met |= held.keys()
        expected = truth.expected_tasks(self.world, self.tool, self.met)
        shared = shared_tasks(expected)
        ours, theirs = (check.comparable(without_choice(rows, shared)) for rows in (held, expected))
        lines = truth.differences(theirs, ours, limit=1_000_000)
        return set({line.split(":")[0].split(".")[0]: line for line in lines}.values())


def _named(before: str, terms: Terms) -> Terms:
    return {before + name: count for name, count in terms.items()}


@contextmanager
def trial(tool: Tool, tasks: int, world_seed: int) -> Iterator[Trial]:
    world, knobs = seed.build(world_seed, tasks, datetime.now(UTC)), Knobs(limits=False)
    with TemporaryDirectory() as folder, Sandbox(world, knobs) as sandbox:
        url = f"sqlite:///{Path(folder) / 'hub.db'}"
        hub = HubSide(url, tool, sandbox.base_url(tool), world.tokens[tool])
        database = Database(url)
        try:
            yield Trial(world, tool, knobs, hub, database, random.Random(f"{tool}/{world_seed}"))
        finally:
            hub.close()
            database.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=20_000, help="in each tool")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deeds", type=int, default=200)
    parser.add_argument("--tools", nargs="+", default=list(MINIMUM), choices=list(MINIMUM))
    parser.add_argument("--hub", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hub:
        hub_side(json.loads(options.hub))
        return
    for tool in options.tools:
        with trial(tool, options.tasks, options.seed) as one:
            one.run(options.deeds)


if __name__ == "__main__":
    main()
