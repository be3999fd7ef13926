"""The hub's side of a measurement, in a process of its own: connects the tools given on stdin and syncs each twice. Prints one JSON line per sync."""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hub import collector, connections, log, migrate
from hub.db import Database
from hub.models import SyncRun
from hub.settings import Settings
from hub.sync import runs
from hub.sync.engine import Engine
from hub.vault import Vault


def now() -> datetime:
    return datetime.now(UTC)


def measure(engine: Engine, tool: str, turn: str) -> dict[str, Any]:
    with engine.database.writing() as session:
        run = runs.queue(session, connections.by_name(session, tool).id, "manual", now())
    cpu, wall = time.process_time(), time.perf_counter()
    outcome = engine.sync(run.id)
    assert outcome is not None
    spent = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    with engine.database.reading() as session:
        held = session.get_one(SyncRun, run.id)
        counts = {name: getattr(held, name) for name in ("tasks", "created", "updated", "deleted", "unchanged", "requests")}
    return {"tool": tool, "turn": turn, "state": outcome.state, "errors": outcome.errors, **counts, **spent}


def main() -> None:
    job = json.load(sys.stdin)
    log.configure("json", "ERROR")
    collector.tune()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hub.db"
        database = Database(job.get("database_url") or f"sqlite:///{path}")
        migrate.upgrade(database)
        engine = Engine(database, Vault([b"b" * 32]), Settings(), now)
        for tool, given in job["tools"].items():
            with database.writing() as session:
                session.add(
                    connections.prepare(
                        session,
                        engine.vault,
                        tool=tool,
                        name=tool,
                        token=given["token"],
                        base_url=given["base_url"],
                        workspaces=[],
                        excluded=[],
                        now=now(),
                    )
                )
        for turn in ("first", "second"):
            for tool in job["tools"]:
                before = size(path)
                measured = measure(engine, tool, turn)
                print(json.dumps(measured | {"bytes": size(path) - before}), flush=True)


def size(path: Path) -> int:
    return sum(each.stat().st_size for each in path.parent.iterdir())


if __name__ == "__main__":
    main()
