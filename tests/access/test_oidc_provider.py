"""Log-in by a provider that somebody else wrote, in a process of its own: what both sides understand by the standard is the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from hub.app import create_app
from hub.db import Database
from hub.models import Audit, User
from hub.settings import Settings
from hub.vault import Vault
from tests.access.conftest import Browser
from tests.api.conftest import NotedJobs

HERE = "http://127.0.0.1:8000"
ROLES = (("pmo-admins", "admin"), ("pmo", "pmo"))


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """Its address. It says at which port it answers once it does."""
    words = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--host", "127.0.0.1", "--port", "0", "--require-nonce", "true"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "running on http://" in line)
            yield next(word for word in said.split() if word.startswith("http://"))
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What these tests are about does not depend on the database."""
    return sqlite_url


@pytest.fixture
def app(database: Database, provider: str) -> FastAPI:
    """By the real clock, as the provider's."""
    settings = Settings(oidc_issuer=provider, oidc_client_id="hub", oidc_client_secret="a secret: it takes any", oidc_roles=ROLES)
    return create_app(settings, database, Vault([b"k" * 32]), NotedJobs(), lambda: datetime.now(UTC))


def known(provider: str, **claims: Any) -> None:
    person = {"email": "ada@example.org", "email_verified": True, "name": "Ada", **claims}
    assert httpx.put(f"{provider}/users/ada-1", json=person).status_code == 204


def come_back(visitor: Browser) -> str:
    """Sets out and logs in there; the address that the provider sends the browser back to."""
    out = visitor.get("/login/oidc?next=/milestones")
    assert out.status_code == 303, out.text
    back = httpx.post(out.headers["location"], data={"sub": "ada-1"})
    assert back.status_code == 302, back.text
    return back.headers["location"]


def test_a_person_comes_in_and_their_groups_are_read_anew_each_time(database: Database, app: FastAPI, provider: str) -> None:
    first = Browser(app, HERE)
    for groups, role in ((["pmo"], "pmo"), (["pmo", "pmo-admins"], "admin"), (["pmo"], "pmo")):
        known(provider, groups=groups)
        visitor = Browser(app, HERE)
        assert visitor.get(come_back(visitor)).headers["location"] == "/milestones"
        assert f"Ada, ada@example.org; role: {role}." in visitor.get("/account").text
        first = first if first.cookies else visitor
    assert first.get("/account").status_code == 303, "the session of another role has ended"
    known(provider, groups=["staff"])
    assert visitor.get(come_back(visitor)).status_code == 403
    assert visitor.get("/account").status_code == 303
    with database.reading() as session:
        assert session.scalars(select(User.role)).all() == ["viewer"]
        assert [row.after["reason"] for row in session.scalars(select(Audit)) if row.action == "login.refused" and row.after] == ["no_role"]


def test_a_code_is_good_once(app: FastAPI, provider: str) -> None:
    known(provider, groups=["pmo"])
    visitor = Browser(app, HERE)
    back = come_back(visitor)
    assert visitor.get(back).status_code == 303
    spent = parse_qs(urlsplit(back).query)["code"][0]
    other = Browser(app, HERE)
    state = parse_qs(urlsplit(come_back(other)).query)["state"][0]
    assert other("GET", "/login/oidc/callback", params={"code": spent, "state": state}).status_code == 502
    assert other.get("/account").status_code == 303


def test_an_address_that_is_not_verified_lets_nobody_in(app: FastAPI, provider: str) -> None:
    known(provider, groups=["pmo"], email_verified=False)
    visitor = Browser(app, HERE)
    refused = visitor.get(come_back(visitor))
    assert (refused.status_code, "does not vouch" in refused.text) == (403, True)
