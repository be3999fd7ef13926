"""Secrets are planted in every input, the hub is made to fail in every way it can, and then everything it said is searched for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from connectors.base import Credential
from hub import log
from hub.access import audit, keys, links, sessions, users
from hub.access.entrance import Caller as From
from hub.access.entrance import Let
from hub.access.keys import Role
from hub.db import Database
from hub.models import Audit, Connection, Endpoint, User
from hub.settings import Settings
from hub.vault import Vault
from tests.access.conftest import PASSWORD, Browser, person
from tests.api import builders as make
from tests.api.builders import NOW
from tests.api.conftest import Caller

TOKEN, HEADER, SECRET = "c4nary.tool.token", "c4nary.header.value", "c4nary.signing.secret"
MISTYPED = "c4nary and four gulls"


@dataclass
class Said:
    """All that left the hub: answers with their headers, log lines, what was printed."""

    secrets: dict[str, str]
    texts: list[str] = field(default_factory=list)

    def answer(self, given: Any, *, but: str | None = None) -> Any:
        """``but``: the one secret that this answer is there to hand out."""
        text = f"{given.status_code} {given.headers} {given.text}"
        self.texts.append(text.replace(self.secrets[but], "") if but else text)
        return given

    def check(self) -> None:
        for name, secret in self.secrets.items():
            found = [text for text in self.texts if secret in text]
            assert not found, f"{name} is shown in: {found[0][:2000]}"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What these tests are about does not depend on the database; what does is tested on both beside them."""
    return sqlite_url


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], database: Database) -> Iterator[Said]:
    log.configure("json", "DEBUG")
    made = Said({"a tool's token": TOKEN, "a header's value": HEADER, "a signing secret": SECRET, "a password": PASSWORD, "a mistyped one": MISTYPED})
    yield made
    log.get("test").info("the end")
    printed = capsys.readouterr()
    with database.reading() as session:
        rows = [str(audit.shape(row)) for row in session.scalars(select(Audit))]
    assert "the end" in printed.err, "nothing was logged: has logging moved?"
    made.texts += [printed.out, printed.err, *rows]
    made.check()


@pytest.fixture
def settings() -> Settings:
    return Settings(webhook_allow=("127.0.0.0/8",), public_url="https://hub.test")


@pytest.fixture
def admin(app: FastAPI, database: Database, said: Said) -> Caller:
    with database.writing() as session:
        key = said.secrets["an API key"] = keys.create(session, "k", "admin", NOW)
    return Caller(app, key)


@pytest.fixture
def ada(app: FastAPI, database: Database, said: Said) -> Browser:
    person(database, Role.ADMIN)
    browser = Browser(app, "https://hub.test")
    browser.log_in()
    said.secrets["a session"] = browser.cookies["__Host-hub_session"]
    return browser


def boom(*_words: Any, **_given: Any) -> Any:
    raise RuntimeError("a defect")


def test_a_mistyped_password_is_told_to_nobody(app: FastAPI, database: Database, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    person(database)
    browser = Browser(app, "https://hub.test")
    said.answer(browser.log_in(password=MISTYPED))
    said.answer(browser.log_in(email=MISTYPED, password=MISTYPED), but="a mistyped one")  # the form shows again what was typed as the address
    said.answer(browser("POST", "/login", data={"password": MISTYPED}))
    said.answer(browser("POST", "/login", content=f"password={MISTYPED}\xff".encode("latin-1")))
    monkeypatch.setattr(sessions, "start", boom)
    assert said.answer(browser.log_in(password=PASSWORD)).status_code == 500


def test_a_session_s_token_is_told_to_nobody_but_its_browser(ada: Browser, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    said.answer(ada.get("/account"))
    said.answer(ada.get("/tasks?overdue=maybe"))
    said.answer(ada.send("/account/password", "/account", old=MISTYPED, password=PASSWORD, again=PASSWORD))
    said.answer(ada.send("/account/password", "/account", old=PASSWORD, password="short", again="short"))
    monkeypatch.setattr(sessions, "find", boom)
    assert said.answer(ada.get("/account")).status_code == 500
    token = said.secrets["a session"]
    assert token not in repr(Let(token)) + repr(From("192.0.2.1", None, token))


def test_a_link_s_token_is_told_to_nobody(app: FastAPI, database: Database, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.writing() as session:
        token = links.make(session, NOW)
    said.secrets["a link"] = token.removeprefix("hub_setup_")
    browser = Browser(app, "https://hub.test")
    said.answer(browser.get(f"/setup/{token}"))
    said.answer(browser.send(f"/setup/{token}", email="root@example.org", name="Root", password=PASSWORD, again=MISTYPED))
    monkeypatch.setattr(users, "add", boom)
    failed = browser.send(f"/setup/{token}", email="root@example.org", name="Root", password=PASSWORD, again=PASSWORD)
    assert said.answer(failed).status_code == 500


def test_a_key_is_told_to_nobody(admin: Caller, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    key = said.secrets["an API key"]
    for path in ("portfolio", "keys", "tasks?nonsense=1", "nowhere", f"tasks/{uuid4()}"):
        said.answer(admin("GET", f"/api/v1/{path}"))
    for header in (f"Bearer {key}x", f"Basic {key}", f"Bearer  {key} "):
        said.answer(admin("GET", "/api/v1/portfolio", headers={"Authorization": header}))
    other = admin("POST", "/api/v1/keys", json={"name": "other", "role": "pmo"})
    said.secrets["a new key"] = other.json()["key"]
    said.answer(other, but="a new key")
    monkeypatch.setattr(keys, "verify", boom)
    assert said.answer(admin.get("portfolio")).status_code == 500


@pytest.mark.parametrize(
    "body",
    [
        {"email": "ada@example.org", "name": "Ada", "role": "viewer", "password": PASSWORD},
        {"email": "ada@example.org", "name": "Ada", "role": PASSWORD},
        PASSWORD,
        [TOKEN],
    ],
)
def test_a_body_that_is_refused_is_not_shown_again(admin: Caller, said: Said, body: Any) -> None:
    assert said.answer(admin("POST", "/api/v1/users", json=body)).status_code == 422
    said.answer(admin("POST", "/api/v1/users", content=f'{{"password": "{PASSWORD}'.encode(), headers={"Authorization": f"Bearer {admin.key}"}))
    said.answer(admin("GET", f"/api/v1/tasks?tool={TOKEN.replace(' ', '')}x", headers={"Authorization": "none"}))


def test_an_endpoint_s_headers_and_secret_are_told_once_or_never(admin: Caller, database: Database, said: Said) -> None:
    asked = {"url": "http://127.0.0.1:9/in", "headers": {"X-Auth": HEADER}}
    made = admin("POST", "/api/v1/webhook-endpoints", json=asked)
    assert made.status_code == 201, made.text
    said.secrets["an endpoint's secret"] = made.json()["data"]["secret"]
    said.answer(made, but="an endpoint's secret")
    path = f"/api/v1/webhook-endpoints/{made.json()['data']['id']}"
    said.answer(admin("GET", path))
    said.answer(admin("PATCH", path, json={"headers": {"X-Auth": HEADER, "bad name": HEADER}}))
    said.answer(admin("PATCH", path, json={"headers": [HEADER]}))
    said.answer(admin("POST", f"{path}/test"))
    with database.reading() as session:
        held = session.scalars(select(Endpoint)).one()
        said.texts.append(f"{held!r} {vars(held)}")


def test_a_tool_s_token_is_told_to_nobody(ada: Browser, said: Said) -> None:
    page = "/admin/connections/new"
    for wrong in ({"base_url": "ftp://nowhere"}, {"tool": "nothing"}, {"name": ""}, {"base_url": "http://192.0.2.1/"}):
        said.answer(ada.send(page, **{"tool": "asana", "name": "ours", "base_url": "ftp://x", "token": TOKEN, **wrong}))
    said.texts.append(repr(Credential(TOKEN)))


def test_an_inbound_webhook_s_address_is_told_to_nobody(app: FastAPI, said: Said) -> None:
    said.answer(Caller(app, "")("POST", f"/receivers/{uuid4()}/{SECRET}", content=SECRET.encode(), headers={"X-Hook-Secret": SECRET}))
    log.get("test").warning("something of the web server", path=f"/receivers/x/{SECRET}", cookie=SECRET, nested={"authorization": SECRET})


def test_no_representation_shows_a_secret() -> None:
    key = "c4nary" + "k" * 26
    shown: list[Callable[[], str]] = [
        lambda: repr(Settings(secret_keys=(key,))),
        lambda: repr(Vault([key.encode()])),
        lambda: repr(Credential(key)),
        lambda: repr(User(password_hash=key)),
        lambda: repr(Connection(secret=key.encode())),
    ]
    assert [text for each in shown if "c4nary" in (text := each())] == []


def test_the_database_s_files_hold_no_secret_in_plain(admin: Caller, ada: Browser, database: Database, said: Said) -> None:
    """What a thief of the file or of a backup gets. (The same bytes are in PostgreSQL's files and dumps.)"""
    if database.dialect != "sqlite":
        pytest.skip("one file to read is enough")
    with database.writing() as session:
        link = links.make(session, NOW)
        make.connection(session, secret=Vault([b"k" * 32]).seal(TOKEN, bound_to="x"))
    made = admin("POST", "/api/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/in", "headers": {"X-Auth": HEADER}})
    Browser(ada.app, ada.origin).log_in(password=MISTYPED)
    secrets = {*said.secrets.values(), link, made.json()["data"]["secret"], made.json()["data"]["secret"].removeprefix("whsec_")}
    path = Path(database.url.removeprefix("sqlite:///"))
    held = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    assert b"ada@example.org" in held, "the file was not read"
    assert [secret for secret in secrets if secret.encode() in held] == []
