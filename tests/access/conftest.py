"""A person with a known password, hashed cheaply (what a hash costs is argon2's business, not that of these tests), and a browser for them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from hub.access import passwords, users
from hub.access.keys import Role
from hub.access.sessions import Limits
from hub.app import create_app
from hub.db import Database
from hub.models import User
from hub.settings import Settings
from hub.vault import Vault
from tests.api.builders import NOW
from tests.api.conftest import Clock, NotedJobs

LIMITS = Limits(timedelta(hours=12), timedelta(days=14))
PASSWORD = "four gulls on a bollard"


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    passwords._nobodys.cache_clear()


def person(database: Database, role: Role = Role.VIEWER, email: str = "Ada@Example.org", password: str | None = PASSWORD) -> User:
    made = None if password is None else passwords.made(password)
    with database.writing() as session:
        return users.add(session, email, email.partition("@")[0], role, NOW, password_hash=made)


class Browser:
    """A person's browser: keeps cookies, sends where it comes from, fills in forms as the page has them. Follows no redirect by itself."""

    def __init__(self, app: FastAPI, origin: str = "http://hub.test", address: str = "127.0.0.1", **headers: str) -> None:
        self.app, self.origin, self.address, self.headers = app, origin, address, headers
        self.cookies = httpx.Cookies()

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(self.address, 1))
            async with httpx.AsyncClient(transport=transport, base_url=self.origin, cookies=self.cookies, headers=self.headers) as client:
                answer = await client.request(method, path, **options)
                self.cookies = client.cookies
                return answer

        return anyio.run(ask)

    def get(self, path: str) -> httpx.Response:
        return self("GET", path)

    def token(self, path: str) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get(path).text)
        assert found, f"{path} has no form"
        return found[1]

    def send(self, path: str, page: str | None = None, headers: Any = None, **fields: Any) -> httpx.Response:
        """The form of ``page`` (else of the address it goes to), filled in."""
        fields.setdefault("csrf", self.token(page or path))
        return self("POST", path, data=fields, headers={"Origin": self.origin, **(headers or {})})

    def log_in(self, email: str = "ada@example.org", password: str = PASSWORD, **fields: Any) -> httpx.Response:
        return self.send("/login", email=email, password=password, **fields)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def app(database: Database, clock: Clock, settings: Settings) -> FastAPI:
    return create_app(settings, database, Vault([b"k" * 32]), NotedJobs(), clock)


@pytest.fixture
def visitor(app: FastAPI) -> Browser:
    return Browser(app)
