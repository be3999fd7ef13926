"""A hub on one side, the pretend vendors on the other, both of this process: what the stories are told with."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from connectors import registry
from connectors.base import Json
from connectors.limiter import Lane, Limiter
from hub import connections
from hub.cli import check
from hub.cli.check import Verdict
from hub.db import Base, Database
from hub.models import Connection, SyncRun
from hub.sandbox import truth
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from hub.sandbox.world import TOOLS, Tool, World
from hub.settings import Settings
from hub.sync import runs
from hub.sync.engine import Engine, Progress
from hub.sync.runs import Outcome
from hub.vault import Vault

KEY = b"k" * 32
BOOKKEEPING = {
    *("connection", "sync_run", "sync_pass", "sync_slice", "seen", "missing", "coverage", "counter", "mark", "incident", "familiar_page"),
    *("hook", "inbound", "alembic_version", "api_key"),
}


def now() -> datetime:
    return datetime.now(UTC)


class Patience:
    """A limiter whose waiting takes no time: sleeping moves its clock on."""

    def __init__(self) -> None:
        self.slept = 0.0
        self.made: dict[str, Limiter] = {}

    def clock(self) -> float:
        return time.monotonic() + self.slept

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        await asyncio.sleep(0)

    def limiter_for(self, key: str, lanes: Mapping[str, Lane]) -> Limiter:
        return self.made.setdefault(key, Limiter(lanes, clock=self.clock, sleep=self.sleep))

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(registry, "limiter_for", self.limiter_for)


@dataclass(slots=True)
class Ran:
    """One run's end: what the engine said, and the row it left."""

    outcome: Outcome
    row: SyncRun

    @property
    def changes(self) -> int:
        return self.row.created + self.row.updated + self.row.deleted


@dataclass(slots=True)
class Stage:
    world: World
    sandbox: Sandbox
    database: Database
    vault: Vault = field(default_factory=lambda: Vault([KEY]))
    settings: Settings = field(default_factory=Settings)

    @property
    def knobs(self) -> Knobs:
        return self.sandbox.knobs

    def connect(self, tool: Tool, token: str | None = None) -> None:
        with self.database.writing() as session:
            made = connections.prepare(
                session,
                self.vault,
                tool=tool,
                name=tool,
                token=token or self.world.tokens[tool],
                base_url=self.sandbox.base_url(tool),
                workspaces=[],
                excluded=[],
                now=now(),
            )
            session.add(made)

    def engine(self, watch: Any = None) -> Engine:
        return Engine(self.database, self.vault, self.settings, now, watch or _ignore)

    def queue(self, tool: Tool, kind: str = runs.FULL, **how: bool) -> Any:
        with self.database.writing() as session:
            return runs.queue(session, connections.by_name(session, tool).id, "manual", now(), kind=kind, **how).id

    def sync(self, tool: Tool, watch: Any = None, *, kind: str = runs.FULL, **how: bool) -> Ran:
        """Reads everything unless ``kind`` says less."""
        run_id = self.queue(tool, kind, **how)
        outcome = self.engine(watch).sync(run_id)
        assert outcome is not None
        with self.database.reading() as session:
            return Ran(outcome, session.get_one(SyncRun, run_id))

    def connection(self, tool: Tool) -> Connection:
        with self.database.reading() as session:
            return connections.by_name(session, tool)

    def verdict(self, tool: Tool, without: frozenset[str] = frozenset(), *, shared: bool = True) -> Verdict:
        """The hub against the world. Left out on both sides: tasks of the projects ``without``, and unless ``shared`` those in several projects."""
        with self.database.reading() as session:
            held = check.held_tasks(session, connections.by_name(session, tool).id)
        expected = truth.expected_tasks(self.world, tool)
        kept = {key for key, row in expected.items() if row["project"] not in without and (shared or len(row["projects"]) < 2)}
        kept |= {key for key, row in held.items() if key not in expected and row["project"] not in without}
        return check.compare(*({key: row for key, row in rows.items() if key in kept} for rows in (held, expected)))

    def checksums(self) -> dict[str, str]:
        """A hash over every row of every table that is not bookkeeping."""
        found = {}
        with self.database.reading() as session:
            for name, table in Base.metadata.tables.items():
                if name not in BOOKKEEPING:
                    rows = sorted(repr(tuple(row)) for row in session.execute(select(table)))
                    found[name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
        return found

    def free_lease(self) -> None:
        """As if the minute and a half of a dead process' lease were over."""
        with self.database.writing() as session:
            session.execute(update(Connection).values(lease_until=datetime(2020, 1, 1, tzinfo=UTC)))

    def asked(self, tool: Tool) -> list[dict[str, Any]]:
        return [row for row in self.sandbox.log.rows if row["tool"] == tool]


def _ignore(_progress: Progress) -> None:
    return


def same(verdict: Verdict) -> None:
    """Asserts that hub and world agree, showing the first differences."""
    assert verdict.ok, "\n".join((str(verdict), *verdict.differences))


def signature(row: Mapping[str, Any]) -> tuple[Json, ...]:
    return (row["method"], row["path"], row["query"], row["body"])


ALL = TOOLS
