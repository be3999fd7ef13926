"""A hub and a log-in provider that can misbehave, made once; and what tests do with them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import delete, func, select

from hub.access.oidc.provider import Provider
from hub.app import create_app
from hub.db import Database
from hub.models import AdminLink, ApiKey, Audit, LoginAttempt, PendingLogin, User, UserIdentity, UserSession
from hub.settings import Settings
from hub.vault import Vault
from tests.access.conftest import Browser
from tests.access.oidc.issuer import Issuer
from tests.api.builders import NOW
from tests.api.conftest import Clock, NotedJobs

HERE = "http://127.0.0.1:8000"
ROLES = (("pmo-admins", "admin"), ("pmo", "pmo"), ("guests", "viewer"))


@dataclass(frozen=True)
class Stage:
    """One hub on SQLite and one issuer for all these tests: what they are about does not depend on the database (what does is tested on both in
    test_oidc_people.py), and a hub costs more to make than to ask."""

    clock: Clock
    issuer: Issuer
    settings: Settings
    database: Database
    app: FastAPI

    def clear(self) -> None:
        """As on the first day."""
        self.clock.now = NOW
        fresh = Issuer(self.issuer.url, self.clock)
        for each in fields(Issuer):
            setattr(self.issuer, each.name, getattr(fresh, each.name))
        self.app.state.front = replace(self.app.state.front, provider=Provider(self.settings, self.clock))
        with self.database.writing() as session:
            for table in (Audit, UserSession, PendingLogin, LoginAttempt, AdminLink, ApiKey, UserIdentity, User):
                session.execute(delete(table))


def go(visitor: Browser, wanted: str = "/tasks") -> str:
    """Sets out; the address at the provider."""
    out = visitor.get(f"/login/oidc?next={wanted}")
    assert out.status_code == 303, out.text
    return out.headers["location"]


def log_in(visitor: Browser, issuer: Issuer) -> httpx.Response:
    return visitor.get(issuer.authorize(go(visitor)))


def audited(database: Database) -> list[tuple[str, str, Any]]:
    with database.reading() as session:
        return [(row.action, row.actor_kind, row.after) for row in session.scalars(select(Audit).order_by(Audit.id))]


def why(database: Database) -> Any:
    """The newest refusal's words in the audit log."""
    action, _, after = audited(database)[-1]
    assert action == "login.refused"
    return after["reason"], after["detail"]


def count(database: Database, table: Any) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def refused(database: Database, visitor: Browser, answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert "hub_session" not in visitor.cookies
    assert count(database, UserSession) == 0
    assert visitor.get("/account").status_code == 303
    assert "c4nary" not in answer.text


def other(stage: Stage, **changes: Any) -> FastAPI:
    """Another hub over the same database."""
    return create_app(replace(stage.settings, **changes), stage.database, Vault([b"k" * 32]), NotedJobs(), stage.clock)
