"""The app over a test's database, asked in process; jobs are only noted, so that no test starts a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from hub.access import grants, keys
from hub.access.grants import Subject, Target
from hub.access.scope import BOUND
from hub.app import create_app
from hub.db import Database
from hub.jobs.base import Args, Handler
from hub.settings import Settings
from hub.vault import Vault
from tests.api.builders import NOW


@dataclass
class NotedJobs:
    """Keeps what was submitted."""

    submitted: list[tuple[str, str, dict[str, Any], str | None]] = field(default_factory=list)
    at: list[datetime | None] = field(default_factory=list)
    started: list[str] = field(default_factory=list)

    def submit(self, name: str, key: str, args: Args, *, at: datetime | None = None, slot: str | None = None) -> bool:
        self.submitted.append((name, key, dict(args), slot))
        self.at.append(at)
        return True

    def start(self, handlers: Mapping[str, Handler]) -> None:
        self.started += handlers

    def stop(self) -> None:
        self.started.append("stopped")


@dataclass
class Clock:
    """A clock that a test moves."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


class Caller:
    """Asks the app as a program would; ``key`` goes along unless the call brings headers of its own."""

    def __init__(self, app: FastAPI, key: str) -> None:
        self.app, self.key = app, key

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        options.setdefault("headers", {"Authorization": f"Bearer {self.key}"})

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
                return await client.request(method, path, **options)

        return anyio.run(ask)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self("GET", path if path.startswith("/") else f"/api/v1/{path}", params=params)

    def data(self, path: str, **params: Any) -> Any:
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def walk(self, path: str, **params: Any) -> list[Any]:
        """All rows of a list, page by page."""
        rows: list[Any] = []
        while True:
            answer = self.get(path, **params)
            assert answer.status_code == 200, answer.text
            rows += answer.json()["data"]
            if (cursor := answer.json()["next_cursor"]) is None:
                return rows
            params["cursor"] = cursor


def let_see(session: Session, text: str, *targets: str) -> str:
    """Grants a key that is bound by grants what is named, else all that is not private; returns the key."""
    key = keys.verify(session, text, NOW)
    assert key is not None
    if keys.Role(key.role) in BOUND:
        grants.replace(session, Subject("key", key.id), [Target.parse(each) for each in targets or ("all",)], NOW, None)
    return text


@pytest.fixture
def jobs() -> NotedJobs:
    return NotedJobs()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault() -> Vault:
    return Vault([b"k" * 32])


@pytest.fixture
def app(database: Database, vault: Vault, jobs: NotedJobs, clock: Clock) -> FastAPI:
    return create_app(Settings(), database, vault, jobs, clock)


@pytest.fixture
def as_role(app: FastAPI, database: Database) -> Callable[[str], Caller]:
    def make(role: str) -> Caller:
        return Caller(app, as_key(database, role))

    return make


def as_key(database: Database, role: str) -> str:
    """A new key of that role, which sees all that is not private."""
    with database.writing() as session:
        return let_see(session, keys.create(session, f"a {role}", role, NOW))


@pytest.fixture
def call(as_role: Callable[[str], Caller]) -> Caller:
    return as_role("viewer")


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that the block runs, on whatever engine."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)
