"""A provider that does not work, or not as it should: nobody comes in, nothing hangs, nothing gets out."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI

from hub.access.oidc.provider import Provider
from hub.access.oidc.refusal import Reason, Refused
from hub.db import Database
from hub.settings import Settings
from tests.access.conftest import Browser
from tests.access.oidc.issuer import SECRET, Issuer
from tests.access.oidc.stage import HERE, Stage, go, log_in, refused, why
from tests.api.conftest import Clock

DOCUMENT = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b"c4nary"),
        (404, {}, b"{}"),
        (302, {"Location": "/jwks"}, b""),
        (200, {}, b"<html>c4nary</html>"),
        (200, {}, b"[1]"),
        (200, {}, b'{"issuer": "https://evil.example.org"}'),
        (200, {}, b"[" * 100_000),
        (200, {}, b" " * (512 * 1024 + 1)),
        (200, {"Content-Encoding": "gzip"}, gzip.compress(b" " * 50_000_000, 1)[: 512 * 1024]),
    ],
    ids=["500", "404", "redirect", "page", "list", "another issuer", "deep", "huge", "bomb"],
)
def test_a_provider_that_answers_nonsense_is_a_message_and_no_traceback(visitor: Browser, issuer: Issuer, answer: Any) -> None:
    issuer.answers[DOCUMENT] = answer
    said = visitor.get("/login/oidc")
    assert said.status_code == 502
    assert "tell an admin" in said.text
    assert "c4nary" not in said.text


@pytest.mark.parametrize("path", ["/token", "/jwks", "/userinfo"])
@pytest.mark.parametrize("answer", [(500, {}, b"c4nary"), (200, {}, b'"c4nary"'), (200, {}, b" " * (512 * 1024 + 1))], ids=["500", "text", "huge"])
def test_nonsense_half_way_lets_nobody_in(database: Database, visitor: Browser, issuer: Issuer, path: str, answer: Any) -> None:
    issuer.person.pop("groups")
    back = issuer.authorize(go(visitor))
    issuer.answers[path] = answer
    refused(database, visitor, visitor.get(back), 502)
    assert why(database)[0] in ("provider_answer", "provider_unreachable")


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize(
    "address", ["http://192.0.2.1/x", "javascript:alert(1)", "https://me@login.example.org/", "https://x/ y", 7, "//x", "https://["]
)
def test_what_the_provider_names_must_be_addresses_over_tls(visitor: Browser, issuer: Issuer, name: str, address: Any) -> None:
    issuer.metadata[name] = address
    assert visitor.get("/login/oidc").status_code == 502


def test_a_provider_that_is_down_is_not_asked_by_everybody(visitor: Browser, issuer: Issuer, clock: Clock) -> None:
    issuer.answers[DOCUMENT] = (503, {}, b"")
    for _ in range(3):
        said = visitor.get("/login/oidc")
        assert (said.status_code, "does not answer" in said.text) == (502, True)
    assert issuer.asked == [DOCUMENT]
    issuer.answers.clear()
    clock.advance(timedelta(seconds=10))
    assert log_in(visitor, issuer).status_code == 303


def test_a_provider_that_is_not_there_or_slow_has_its_time(stage: Stage, issuer: Issuer, clock: Clock) -> None:
    issuer.held = Event()
    with pytest.raises(Refused) as slow:
        Provider(stage.settings, clock, seconds=0.2).metadata()
    issuer.held.set()
    assert (slow.value.reason, "within 0.2 seconds" in slow.value.detail) == (Reason.UNREACHABLE, True)
    nowhere = Provider(Settings(oidc_issuer="http://127.0.0.1:1", oidc_client_id="x"), clock)
    with pytest.raises(Refused) as gone:
        nowhere.metadata()
    assert gone.value.reason is Reason.UNREACHABLE


def test_nothing_of_the_exchange_is_kept_or_told(
    database: Database, app: FastAPI, issuer: Issuer, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    visitor = Browser(app, HERE)
    back = issuer.authorize(go(visitor))
    cookie, asked = visitor.cookies["hub_oidc"], parse_qs(urlsplit(back).query)
    nonce = issuer.codes[asked["code"][0]]["nonce"]
    path = Path(database.url.removeprefix("sqlite:///"))
    on_the_way = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    visitor.get(back)
    issuer.claims = {"nonce": "c4nary"}
    log_in(Browser(app, HERE), issuer)
    held = on_the_way + b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    assert b"Ada@Example.org" in held, "the file was not read"
    secrets = [cookie, nonce, asked["state"][0], asked["code"][0], SECRET, *issuer.given]
    told = capsys.readouterr()
    assert [each for each in secrets if each.encode() in held or each in told.out + told.err + repr(stage.settings)] == []
