"""A hub with one connection to a pretend vendor, on both databases: what every story of the sync stands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors import registry
from connectors.records import Ref
from hub import connections, models
from hub.db import Base, Database
from hub.models import Connection, Event, SyncPass, SyncRun, SyncSlice
from hub.settings import Settings
from hub.sync import runs
from hub.sync.engine import Engine
from hub.sync.runs import Outcome
from hub.vault import Vault
from tests.sync.pretend import Pretend, Vendor

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
BESIDE = ("task_project", "assignment", "dependency", "change", "event", "counter")
BOOKS = ("sync_run", "sync_pass", "sync_slice", "seen", "missing", "coverage")
SYNCED = (*(table.__tablename__ for table in connections.SYNCED), *BESIDE)


@dataclass(slots=True)
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def goes_on(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass(slots=True)
class Hub:
    database: Database
    vendor: Vendor
    clock: Clock
    engine: Engine
    connection_id: UUID
    realm: UUID = field(default_factory=lambda: connections.realm_of(Pretend.tool, Pretend.default_base_url, ""))

    def id(self, ref: Ref) -> UUID:
        return uuid5(self.realm, ref)

    def queue(self, kind: str = runs.FULL, **choices: bool) -> UUID:
        with self.database.writing() as session:
            return runs.queue(session, self.connection_id, "manual", self.clock(), kind=kind, **choices).id

    def sync(self, *, minutes: float = 1, kind: str = runs.FULL, **choices: bool) -> Outcome:
        """One whole run, begun a minute after the last; everything is read unless ``kind`` says less."""
        self.clock.goes_on(minutes=minutes)
        self.vendor.reads.clear()
        self.vendor.looked.clear()
        self.vendor.mapped.clear()
        outcome = self.engine.sync(self.queue(kind, **choices))
        assert outcome is not None, "another process holds the connection"
        return outcome

    def complete(self, **choices: Any) -> SyncRun:
        """A run that must be complete without a word; returns its row."""
        outcome = self.sync(**choices)
        assert (outcome.state, outcome.errors) == ("complete", [])
        return self.run()

    def run(self) -> SyncRun:
        """The latest run."""
        with self.database.reading() as session:
            return session.scalars(select(SyncRun).order_by(SyncRun.queued_at.desc())).first() or pytest.fail("no run")

    def connection(self) -> Connection:
        with self.database.reading() as session:
            return session.get_one(Connection, self.connection_id)

    def row(self, ref: Ref) -> Any:
        """The row of a reference as it is now; fails where there is none."""
        with self.database.reading() as session:
            return session.get_one(getattr(models, ref.partition(":")[0].capitalize()), self.id(ref))

    def has(self, ref: Ref) -> bool:
        with self.database.reading() as session:
            return session.get(getattr(models, ref.partition(":")[0].capitalize()), self.id(ref)) is not None

    def ask(self, statement: Any) -> Sequence[Any]:
        with self.database.reading() as session:
            return session.scalars(statement).all()

    def write(self, act: Callable[[Session], Any]) -> Any:
        with self.database.writing() as session:
            return act(session)

    def events(self, prefix: str = "", *, after: int = 0) -> list[Event]:
        """Events of the log in order, by the beginning of their type."""
        found = self.ask(select(Event).where(Event.sequence > after).order_by(Event.sequence))
        return [each for each in found if each.type.startswith(prefix)]

    def told(self, act: Callable[[], Any]) -> list[tuple[str, UUID]]:
        """(type, entity id) of the events that ``act`` brought about."""
        before = max((each.sequence for each in self.events()), default=0)
        act()
        return [(each.type, each.entity_id) for each in self.events(after=before)]

    def this_pass(self) -> SyncPass:
        return self.ask(select(SyncPass).order_by(SyncPass.number.desc()))[0]  # type: ignore[no-any-return]

    def slices(self) -> dict[str, SyncSlice]:
        return {each.key: each for each in self.ask(select(SyncSlice).where(SyncSlice.pass_id == self.this_pass().id))}

    def dump(self, tables: Sequence[str] = SYNCED) -> dict[str, list[Any]]:
        """Every row of the given tables, byte for byte."""
        with self.database.reading() as session:
            return {name: sorted(map(repr, session.execute(select(Base.metadata.tables[name])).all())) for name in tables}


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    """An empty pretend vendor, installed as a connector of its own."""
    made = Vendor()
    monkeypatch.setattr(Pretend, "vendor", made, raising=False)
    point = metadata.EntryPoint("pretend", "tests.sync.pretend:Pretend", registry.GROUP)

    def entry_points(*, group: str, name: str | None = None) -> metadata.EntryPoints:
        return metadata.EntryPoints([point] if group == registry.GROUP and name in (None, "pretend") else [])

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    return made


@pytest.fixture
def hub(database: Database, vendor: Vendor) -> Hub:
    clock, vault = Clock(), Vault([b"k" * 32])
    nowhere = httpx.AsyncClient(transport=httpx.MockTransport(lambda _request: httpx.Response(500)))
    engine = Engine(database, vault, Settings(), clock, client=nowhere)
    with database.writing() as session:
        made = connections.prepare(
            session, vault, tool="pretend", name="pretend", token="t0ken", base_url=None, workspaces=[], excluded=[], now=clock()
        )
        session.add(made)
    return Hub(database, vendor, clock, engine, made.id)
