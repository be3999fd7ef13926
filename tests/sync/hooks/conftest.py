"""A hub whose vendor tells: its webhooks, and the receivers that the vendor reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from importlib import metadata

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from connectors import registry
from hub.app import create_receiver_app
from hub.models import Hook, SyncRun
from hub.settings import Settings
from hub.sync import hooks
from hub.sync.contact import Contact
from hub.sync.hooks import Report
from tests.api.conftest import NotedJobs
from tests.sync.conftest import Hub
from tests.sync.pretend import Vendor, project, task
from tests.sync.telling import Exchange, Telling

PUBLIC = "https://hub.example.org"


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    made = Exchange()
    monkeypatch.setattr(Telling, "exchange", made, raising=False)
    return made


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, exchange: Exchange) -> Vendor:
    """Two projects with a task each, at a vendor that tells."""
    made = Vendor()
    made.put(project("1"), project("2"), task("a", "1"), task("b", "2"))
    monkeypatch.setattr(Telling, "vendor", made, raising=False)
    point = metadata.EntryPoint("pretend", "tests.sync.telling:Telling", registry.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda *, group, name=None: metadata.EntryPoints([point] if group == registry.GROUP else []))
    return made


@pytest.fixture
def jobs() -> NotedJobs:
    return NotedJobs()


class Home:
    """The hub with its receivers, which the vendor reaches."""

    def __init__(self, hub: Hub, exchange: Exchange, jobs: NotedJobs) -> None:
        self.hub, self.exchange, self.jobs = hub, exchange, jobs
        self.contact = Contact(hub.database, hub.engine.vault, Settings(public_url=PUBLIC), hub.clock)
        exchange.post = self.post

    @property
    def app(self) -> FastAPI:
        return create_receiver_app(self.contact.settings, self.hub.database, self.hub.engine.vault, self.jobs, self.hub.clock)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str]]:
        public = str(self.contact.settings.public_url)
        if not url.startswith(public):
            return 502, {}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=public) as client:
            answer = await client.post(url, content=body, headers=dict(headers))
        return answer.status_code, answer.headers

    def upkeep(self, *, sparing: bool = False, minutes: float = 10) -> Report:
        """Some minutes after the last one."""
        self.hub.clock.goes_on(minutes=minutes)
        self.exchange.asked.clear()
        return hooks.upkeep(self.contact, self.hub.connection_id, sparing=sparing)

    def moved_to(self, public_url: str | None) -> None:
        self.contact = replace(self.contact, settings=Settings(public_url=public_url))

    def rows(self) -> dict[str, Hook]:
        with self.hub.database.reading() as session:
            return {row.key: row for row in hooks.rows_of(session, self.hub.connection_id)}

    def states(self) -> dict[str, str]:
        return {key: row.state for key, row in self.rows().items()}

    def age(self, **span: float) -> None:
        """A registration that was begun and never ended."""
        with self.hub.database.writing() as session:
            for row in session.scalars(select(Hook)):
                row.state, row.opened_until = "opening", self.hub.clock() + timedelta(**span)

    def queued(self) -> list[tuple[str, str]]:
        with self.hub.database.reading() as session:
            return [(run.reason, run.kind) for run in session.scalars(select(SyncRun).where(SyncRun.state == "queued"))]

    def asked(self, what: str) -> list[str]:
        return sorted(key for each, key in self.exchange.asked if each == what)


@pytest.fixture
def home(hub: Hub, exchange: Exchange, jobs: NotedJobs) -> Home:
    """After the first full reading."""
    hub.complete()
    return Home(hub, exchange, jobs)


async def in_thread(home: Home) -> Report:
    from anyio.to_thread import run_sync

    return await run_sync(home.upkeep)
