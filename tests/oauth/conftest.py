"""A hub that is registered as an app of the three pretend tools, an admin in a browser, and the way out to a tool and back."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from hub.access.keys import Role
from hub.app import create_app
from hub.connections.tokens import Tokens, stored
from hub.db import Database
from hub.models import Connection, Event
from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from hub.settings import OAuthApp, Settings
from hub.sync.contact import Contact
from hub.vault import Vault
from tests.access.conftest import PASSWORD, Browser, cheap_hashes, person
from tests.api.conftest import Clock, NotedJobs

__all__ = ["PASSWORD", "cheap_hashes"]
ORIGIN = "https://hub.test"
BACK = f"{ORIGIN}/connections/oauth/callback"
NEW = "/admin/connections/new"
WAYS = {"asana": "scopes", "monday": "2.1", "clickup": "standard"}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """One world for all tests of a file: none of them changes it."""
    with Sandbox(seed.build(seed=7, tasks=12, now=datetime.now(UTC))).start() as made:
        yield made


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """With all knobs as they are at first, one app per tool with the hub's callback, and no grants."""
    fresh = Knobs(limits=False)
    for name in Knobs.__dataclass_fields__:
        setattr(running.knobs, name, getattr(fresh, name))
    for tool in WAYS:
        running.knobs.apps[tool] = {"client_id": f"{tool}-id", "client_secret": f"{tool}-s3cret", "redirects": [BACK]}
    for office in running.offices.values():
        office.grants.clear()
    running.log.clear()
    return running


@dataclass
class Hub:
    database: Database
    vault: Vault
    clock: Clock
    sandbox: Sandbox
    settings: Settings
    jobs: NotedJobs = field(default_factory=NotedJobs)

    @cached_property
    def app(self) -> FastAPI:
        return create_app(self.settings, self.database, self.vault, self.jobs, self.clock)

    @property
    def contact(self) -> Contact:
        return Contact(self.database, self.vault, self.settings, self.clock)

    def admin(self, email: str = "ada@example.org") -> Browser:
        person(self.database, Role.ADMIN, email=email)
        return self.browser(email)

    def browser(self, email: str) -> Browser:
        browser = Browser(self.app, ORIGIN)
        assert browser.log_in(email).status_code == 303
        return browser

    def connect(self, browser: Browser, tool: str, name: str = "ours") -> UUID:
        """The whole way; the id of what came of it."""
        answer = browser.get(consent(set_out(browser, tool, name)))
        assert answer.status_code == 303, answer.text
        return UUID(answer.headers["location"].split("/")[3])

    def row(self, connection_id: UUID) -> Connection:
        with self.database.reading() as session:
            return session.get_one(Connection, connection_id)

    def tokens(self, connection_id: UUID) -> Tokens:
        found = stored(self.row(connection_id), self.vault)
        assert found is not None
        return found

    def count(self) -> int:
        with self.database.reading() as session:
            return len(session.scalars(select(Connection.id)).all())

    def told(self) -> list[str]:
        """What the log says of connections."""
        with self.database.reading() as session:
            return list(session.scalars(select(Event.type).where(Event.type.like("connection.%")).order_by(Event.sequence)))

    def calls(self, word: str) -> list[dict[str, object]]:
        return [row for row in self.sandbox.log.rows if word in str(row["path"])]

    def later(self, **span: float) -> None:
        """Time passes, here and there."""
        self.clock.advance(timedelta(**span))
        self.sandbox.knobs.later += timedelta(**span).total_seconds()


def apps(sandbox: Sandbox) -> dict[str, OAuthApp]:
    return {tool: OAuthApp(f"{tool}-id", f"{tool}-s3cret", base_url=sandbox.base_url(tool)) for tool in WAYS}  # type: ignore[arg-type]


@pytest.fixture
def hub(database: Database, sandbox: Sandbox) -> Hub:
    settings = Settings(public_url=ORIGIN, oauth=apps(sandbox))
    return Hub(database, Vault([b"k" * 32]), Clock(datetime.now(UTC)), sandbox, settings)


def set_out(browser: Browser, tool: str, name: str = "ours", **fields: str) -> str:
    """The address at the tool that the hub's page leads to."""
    answer = browser.send("/connections/oauth/start", page=NEW, tool=tool, name=name, **fields)
    assert answer.status_code == 200, answer.text
    found = re.search(r'<a class="button" href="([^"]+)"', answer.text)
    assert found
    return html.unescape(found[1])


def consent(address: str) -> str:
    """The person says yes (or what the knobs say); where the tool sends them, as a path of the hub."""
    answer = httpx.get(address)
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(BACK)
    return str(answer.headers["location"].removeprefix(ORIGIN))


def asked(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
