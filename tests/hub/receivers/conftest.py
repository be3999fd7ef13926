"""A hub with receivers at a public address, and the calls that come there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import metadata
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from connectors import registry
from hub import connections
from hub.app import create_app
from hub.db import Database
from hub.models import Hook, Inbound
from hub.settings import Settings
from hub.sync import calls, inbox
from hub.vault import Vault
from tests.api.conftest import Clock, NotedJobs
from tests.sync.telling import SIGNATURE, Exchange, Telling, signed

PUBLIC = "https://hub.example.org"

SECRET = "the vendor's word"


@dataclass
class House:
    """A hub with one connection, and its app."""

    app: FastAPI
    database: Database
    vault: Vault
    jobs: NotedJobs
    clock: Clock
    connection_id: UUID

    def hook(self, **values: Any) -> str:
        """A webhook as it stands in our books; gives its path."""
        address, door = calls.new_address(PUBLIC, self.connection_id)
        made = Hook(id=uuid4(), connection_id=self.connection_id, key=f"project/{uuid4()}", args={}, door=door, state="active", external_id="h1")
        made.secret = self.vault.seal(SECRET, bound_to=calls.secret_of(made.id))
        for name, value in values.items():
            setattr(made, name, value)
        with self.database.writing() as session:
            session.add(made)
        return address.removeprefix(PUBLIC)

    def opening(self, **values: Any) -> str:
        return self.hook(**{"state": "opening", "external_id": None, "secret": None, "opened_until": self.clock() + timedelta(minutes=1)} | values)

    def row(self) -> Hook:
        with self.database.reading() as session:
            return session.scalars(select(Hook)).one()

    def secret(self) -> str:
        row = self.row()
        assert row.secret is not None
        return self.vault.open(row.secret, bound_to=calls.secret_of(row.id))

    def waiting(self) -> list[list[str]]:
        with self.database.reading() as session:
            return [refs for _, refs in inbox.take(session, self.connection_id, 10_000)]

    def rows(self) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(Inbound)) or 0

    def ask(self, path: str, body: Any = b"", headers: Mapping[str, str] | None = None, method: str = "POST") -> httpx.Response:
        return anyio.run(self._ask, method, path, body, headers or {})

    async def _ask(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
        async with self.client() as client:
            return await client.request(method, path, content=body, headers=headers)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app, raise_app_exceptions=False), base_url=PUBLIC)

    def tell(self, path: str, *refs: str, delivery: str | None = None, secret: str = SECRET) -> httpx.Response:
        """A call as the vendor makes it."""
        return self.ask(path, *telling(*refs, delivery=delivery, secret=secret))


def telling(*refs: str, delivery: str | None = None, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    body = orjson.dumps({"touched": refs, "delivery": delivery})
    return body, {SIGNATURE: signed(secret, body)}


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    made = Exchange()
    monkeypatch.setattr(Telling, "exchange", made, raising=False)
    point = metadata.EntryPoint("pretend", "tests.sync.telling:Telling", registry.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda *, group, name=None: metadata.EntryPoints([point] if group == registry.GROUP else []))
    return made


@pytest.fixture
def house(database: Database, exchange: Exchange) -> House:
    vault, jobs, clock = Vault([b"k" * 32]), NotedJobs(), Clock()
    with database.writing() as session:
        made = connections.prepare(session, vault, tool="pretend", name="ours", token="t", base_url=None, workspaces=[], excluded=[], now=clock())
        session.add(made)
        made.history_from = clock()
    return House(create_app(Settings(public_url=PUBLIC), database, vault, jobs, clock), database, vault, jobs, clock, made.id)
