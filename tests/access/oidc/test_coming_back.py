"""The way back from the provider: once, in time, in the same browser, with a code of one's own."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI

from hub.db import Database
from hub.models import PendingLogin
from tests.access.conftest import Browser
from tests.access.oidc.issuer import Issuer
from tests.access.oidc.stage import HERE, audited, count, go, log_in, refused, why
from tests.api.conftest import Clock


def test_a_log_in_comes_back_once(database: Database, visitor: Browser, issuer: Issuer) -> None:
    back = issuer.authorize(go(visitor))
    cookie = {"Cookie": f"hub_oidc={visitor.cookies['hub_oidc']}"}
    assert visitor.get(back).status_code == 303
    again = Browser(visitor.app, HERE)("GET", back, headers=cookie)
    assert (again.status_code, why(database)[0]) == (400, "state")


def test_a_log_in_of_another_browser_is_nobody_s_and_stays_good_for_its_own(database: Database, app: FastAPI, issuer: Issuer) -> None:
    ada, eve = Browser(app, HERE), Browser(app, HERE)
    back = issuer.authorize(go(ada))
    go(eve)
    refused(database, eve, eve.get(back), 400)
    refused(database, eve, Browser(app, HERE).get(back), 400)
    assert ada.get(back).status_code == 303


def test_a_code_of_another_log_in_opens_nothing(database: Database, app: FastAPI, issuer: Issuer) -> None:
    """PKCE: a stolen code, brought back with the thief's own state and cookie."""
    ada, eve = Browser(app, HERE), Browser(app, HERE)
    stolen = parse_qs(urlsplit(issuer.authorize(go(ada))).query)["code"][0]
    state = parse_qs(urlsplit(go(eve)).query)["state"][0]
    refused(database, eve, eve("GET", "/login/oidc/callback", params={"code": stolen, "state": state}), 502)
    assert why(database)[0] == "code_refused"


def test_a_cookie_that_somebody_planted_is_not_built_upon(visitor: Browser) -> None:
    visitor.cookies.set("hub_oidc", "known to a thief")
    assert visitor("GET", "/login/oidc").headers["set-cookie"].partition(";")[0].removeprefix("hub_oidc=") != "known to a thief"


def test_a_log_in_that_took_too_long_begins_again(database: Database, visitor: Browser, issuer: Issuer, clock: Clock) -> None:
    back = issuer.authorize(go(visitor))
    clock.advance(timedelta(minutes=10))
    refused(database, visitor, visitor.get(back), 400)
    go(visitor)
    assert count(database, PendingLogin) == 1, "what never came back is forgotten"


def test_two_pages_of_one_browser_may_be_on_their_way(visitor: Browser, issuer: Issuer) -> None:
    first, second = issuer.authorize(go(visitor)), issuer.authorize(go(visitor, "/milestones"))
    kept = visitor.cookies["hub_oidc"]
    assert visitor.get(second).headers["location"] == "/milestones"
    assert visitor("GET", first, headers={"Cookie": f"hub_oidc={kept}"}).headers["location"] == "/tasks"


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ({}, 502, "provider_answer"),
        ({"error": "access_denied", "error_description": "c4nary"}, 403, "cancelled"),
        ({"error": "server_error", "error_description": "<b>c4nary</b>"}, 502, "provider_error"),
        ({"code": "made-up"}, 502, "code_refused"),
        ({"code": "x" * 5_000}, 502, "provider_answer"),
        ({"code": "x", "iss": "https://evil.example.org"}, 502, "provider_answer"),
    ],
)
def test_an_answer_without_a_good_code_lets_nobody_in(database: Database, visitor: Browser, answer: dict[str, str], status: int, reason: str) -> None:
    state = parse_qs(urlsplit(go(visitor)).query)["state"][0]
    refused(database, visitor, visitor("GET", "/login/oidc/callback", params={"state": state, **answer}), status)
    assert why(database)[0] == reason
    assert count(database, PendingLogin) == 0, "it came back, and will not again"


def test_a_provider_that_names_itself_must_do_so_each_time(database: Database, visitor: Browser, issuer: Issuer) -> None:
    issuer.metadata["authorization_response_iss_parameter_supported"] = True
    back = issuer.authorize(go(visitor))
    refused(database, visitor, visitor.get(back), 502)
    back = issuer.authorize(go(visitor))
    assert visitor.get(f"{back}&iss={issuer.url}").status_code == 303


def test_strangers_at_the_way_back_are_told_to_wait_before_they_fill_the_audit_log(database: Database, visitor: Browser) -> None:
    assert [visitor.get("/login/oidc/callback?state=x&code=y").status_code for _ in range(7)] == [400] * 5 + [429] * 2
    assert len(audited(database)) == 5


def test_who_sets_out_again_and_again_is_told_when_to_come_again(visitor: Browser) -> None:
    assert [visitor.get("/login/oidc").status_code for _ in range(30)] == [303] * 30
    refused = visitor.get("/login/oidc")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "900")


@pytest.mark.parametrize("elsewhere", ["https://evil.example.org", "//evil.example.org", "/login/oidc", "%2F%5Cevil"])
def test_nobody_is_sent_to_another_site_after_log_in(visitor: Browser, issuer: Issuer, elsewhere: str) -> None:
    assert visitor.get(issuer.authorize(go(visitor, elsewhere))).headers["location"] == "/"


def test_a_session_planted_before_log_in_ends(app: FastAPI, issuer: Issuer) -> None:
    eve, ada = Browser(app, HERE), Browser(app, HERE)
    log_in(eve, issuer)
    planted = eve.cookies["hub_session"]
    ada.cookies.set("hub_session", planted)
    issuer.person |= {"sub": "ada-2", "email": "other@example.org"}
    assert log_in(ada, issuer).status_code == 303
    assert eve.get("/account").status_code == 303
