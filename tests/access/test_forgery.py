"""What somebody else's page, link or call makes a browser or the hub do: nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import select

from hub.access import keys, links
from hub.access.keys import Role
from hub.db import Base, Database
from hub.settings import Settings
from hub.vault import Vault
from tests.access import hostile
from tests.access.conftest import PASSWORD, Browser, person
from tests.api import builders as make
from tests.api.builders import NOW

BOOKS = {"audit", "login_attempt"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What these tests are about does not depend on the database."""
    return sqlite_url


@pytest.fixture
def ids(database: Database) -> dict[str, str]:
    """Of everything that a form's address names."""
    with database.writing() as session:
        account = make.connection(session)
        owner = keys.verify(session, keys.create(session, "k", "admin", NOW), NOW)
        assert owner is not None
        things = hostile.staff(session, Vault([b"k" * 32]), owner)
        found = {**things, "connection_id": account.id, "project_id": make.project(session, account).id, "token": links.make(session, NOW)}
        return {name: str(each) for name, each in found.items()}


@pytest.fixture
def settings() -> Settings:
    return Settings(public_url="https://hub.test")


def state(database: Database) -> list[str]:
    with database.reading() as session:
        tables = [table for table in Base.metadata.sorted_tables if table.name not in BOOKS]
        return [f"{table.name}: {row!r}" for table in tables for row in session.execute(select(table))]


def forms(app: FastAPI, ids: dict[str, str]) -> list[str]:
    """Every address that takes a form, with ids of things that are there."""
    paths = [str(route.path) for route in iter_route_contexts(app.routes) if "POST" in (route.methods or ())]
    found = [re.sub(r"\{(\w+)\}", lambda name: ids[name[1]], path) for path in paths if not path.startswith(("/api/", "/receivers/"))]
    assert len(found) >= 12
    return found


def tricks(token: str, stranger: str) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
    """(what, fields, headers): what another site can make a browser send, with the person's cookies."""
    here, fine = {"Origin": "https://hub.test"}, {"csrf": token}
    return [
        ("no token", {}, here),
        ("an empty token", {"csrf": ""}, here),
        ("a stranger's token", {"csrf": stranger}, here),
        ("a token of letters that are no ASCII", {"csrf": "ä" * 64}, here),
        ("another site", fine, {"Origin": "https://evil.example.org"}),
        ("another site of the same name", fine, {"Origin": "http://hub.test"}),
        ("a name that begins like ours", fine, {"Origin": "https://hub.test.evil.example.org"}),
        ("a frame without a name", fine, {"Origin": "null"}),
        ("no word of where from", fine, {}),
        ("another site by its referrer", fine, {"Referer": "https://evil.example.org/https://hub.test/"}),
        ("a form that says it is text", fine, {**here, "Content-Type": "text/plain"}),
        ("a form of many parts", fine, {**here, "Content-Type": "multipart/form-data; boundary=x"}),
        ("JSON", fine, {**here, "Content-Type": "application/json"}),
    ]


def test_no_form_takes_what_another_site_sends(app: FastAPI, database: Database, ids: dict[str, str]) -> None:
    person(database, Role.ADMIN)
    ada, stranger = Browser(app, "https://hub.test"), Browser(app, "https://hub.test")
    ada.log_in()
    every = forms(app, ids)
    spoils = tricks(ada.token("/account"), stranger.token("/login"))
    before = state(database)
    good = {"password": PASSWORD, "again": PASSWORD, "old": PASSWORD, "session": "others", "email": "new@example.org", "name": "x", "tool": "asana"}
    for path in every:
        for what, fields, headers in spoils:
            answer = ada("POST", path, data={**good, **fields}, headers=headers)
            assert answer.status_code == 403, f"POST {path} takes {what}: {answer.status_code}"
            assert "set-cookie" not in answer.headers, (path, what)
    assert state(database) == before
    assert ada.get("/account").status_code == 200


def test_a_form_that_is_fine_is_taken(app: FastAPI, database: Database, ids: dict[str, str]) -> None:
    """Else the test above would prove nothing."""
    person(database, Role.ADMIN)
    ada = Browser(app, "https://hub.test")
    ada.log_in()
    token = ada.token("/account")
    for path in forms(app, ids):
        if path not in ("/logout", "/login") and not path.startswith("/setup"):
            answer = ada("POST", path, data={"csrf": token}, headers={"Origin": "https://hub.test"})
            assert answer.status_code != 403, f"{path}: {answer.text[:500]}"


def test_no_page_changes_anything_by_being_looked_at(app: FastAPI, database: Database, ids: dict[str, str]) -> None:
    """A picture in somebody's mail may point anywhere: by GET and HEAD nothing happens, log-out included."""
    person(database, Role.ADMIN)
    ada = Browser(app, "https://hub.test")
    ada.log_in()
    before = state(database)
    for path in forms(app, ids):
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"):
            answer = ada(method, path, params={"session": "others", "full": "1"})
            assert answer.status_code < 500, (method, path)
    assert state(database) == before
    assert ada.get("/account").status_code == 200


def test_a_form_s_cookie_that_somebody_planted_opens_nothing(app: FastAPI, database: Database) -> None:
    """Who plants the cookie knows the token; the browser's word on where the form came from stands against it, and log-in makes both anew."""
    person(database)
    browser = Browser(app, "https://hub.test")
    browser.cookies.set("__Host-hub_form", "planted", domain="hub.test", path="/")
    token = browser.token("/login")
    forged = browser(
        "POST", "/login", data={"csrf": token, "email": "ada@example.org", "password": PASSWORD}, headers={"Origin": "https://evil.example.org"}
    )
    assert forged.status_code == 403
    browser.log_in()
    assert browser.token("/account") != token


NAMES = ("../../../../etc/passwd", "..%2f..%2fhub.db", "%2e%2e%2fhub.db.key", "....//hub.db", "hub.css%00.png", "/etc/passwd", "\\..\\hub.db")


@pytest.mark.parametrize("name", NAMES)
def test_no_path_and_no_form_of_file_leads_out(app: FastAPI, database: Database, name: str) -> None:
    person(database, Role.ADMIN)
    ada = Browser(app, "https://hub.test")
    ada.log_in()
    for path in (f"/static/{name}", f"/tasks?format={name}", f"/{name}", f"/tasks/{name}", f"/setup/{name}", f"/projects?format=csv&name={name}"):
        answer = ada.get(path)
        assert answer.status_code in (200, 400, 404), path
        assert "root:" not in answer.text
        assert "SQLite format" not in answer.text
        assert answer.status_code != 200 or answer.headers["content-disposition"] == 'attachment; filename="projects.csv"', path
