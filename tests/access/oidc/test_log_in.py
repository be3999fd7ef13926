"""Log-in by a provider: who comes in, and from where."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from hub.access import acts, keys, links
from hub.access.audit import Actor
from hub.db import Database
from hub.models import LoginAttempt, PendingLogin, User
from tests.access.conftest import PASSWORD, Browser, person
from tests.access.oidc.issuer import SECRET, Issuer, signed
from tests.access.oidc.stage import HERE, Stage, audited, count, go, log_in, other, refused, why
from tests.api.builders import NOW
from tests.api.conftest import Caller, Clock


def test_a_person_comes_in_with_the_role_of_their_groups(database: Database, visitor: Browser, issuer: Issuer) -> None:
    assert '<a class="button" href="/login/oidc?next=%2Ftasks%3Fq%3Da">' in visitor.get("/login?next=/tasks%3Fq=a").text
    entered = visitor.get(issuer.authorize(go(visitor, "/tasks%3Fq=a")))
    assert (entered.status_code, entered.headers["location"], entered.headers["cache-control"]) == (303, "/tasks?q=a", "no-store")
    assert "Ada L., Ada@Example.org; role: pmo." in (page := visitor.get("/account").text)
    assert "/account/password" not in page, "there is no password to change"
    assert "hub_oidc" not in visitor.cookies
    assert audited(database) == [("user.created", "provider", {"role": "pmo"}), ("login.succeeded", "user", {"by": "provider"})]
    assert (count(database, PendingLogin), count(database, LoginAttempt)) == (0, 0)


def test_the_same_person_is_known_again_whatever_they_are_called_now(database: Database, app: FastAPI, issuer: Issuer) -> None:
    log_in(Browser(app, HERE), issuer)
    issuer.person |= {"name": "Ada\nByron ", "email": "byron@example.org"}
    log_in(Browser(app, HERE), issuer)
    with database.reading() as session:
        assert [(user.name, user.email, user.folded_email) for user in session.scalars(select(User))] == [("Ada Byron",) + ("byron@example.org",) * 2]
    assert ("user.changed", "provider", {"email": "another"}) in audited(database)


def test_metadata_and_keys_are_asked_for_once_an_hour(app: FastAPI, issuer: Issuer, clock: Clock) -> None:
    for _ in range(3):
        log_in(Browser(app, HERE), issuer)
    assert (issuer.asked.count("/.well-known/openid-configuration"), issuer.asked.count("/jwks")) == (1, 1)
    clock.advance(timedelta(hours=1))
    assert log_in(Browser(app, HERE), issuer).status_code == 303
    assert (issuer.asked.count("/.well-known/openid-configuration"), issuer.asked.count("/jwks")) == (2, 2)


def test_a_key_that_is_not_known_yet_is_looked_for_once(database: Database, app: FastAPI, issuer: Issuer) -> None:
    log_in(Browser(app, HERE), issuer)
    issuer.served, issuer.sign = ["two"], lambda claims: signed(claims, "two")
    assert log_in(Browser(app, HERE), issuer).status_code == 303
    assert issuer.asked.count("/jwks") == 2
    issuer.sign = lambda claims: signed(claims, "three")
    assert log_in(Browser(app, HERE), issuer).status_code == 502
    assert (issuer.asked.count("/jwks"), why(database)) == (3, ("token", "key"))


def test_what_the_token_lacks_is_asked_of_the_person_s_own_page(visitor: Browser, issuer: Issuer) -> None:
    issuer.at_userinfo = {name: issuer.person.pop(name) for name in ("email", "email_verified", "name", "groups")}
    assert log_in(visitor, issuer).status_code == 303
    assert "Ada L., Ada@Example.org; role: pmo." in visitor.get("/account").text


def test_that_an_address_is_verified_is_said_of_that_address_only(database: Database, visitor: Browser, issuer: Issuer) -> None:
    issuer.person |= {"email": "boss@example.org", "email_verified": None}
    issuer.at_userinfo = {"email": "ada@example.org", "email_verified": True}
    assert log_in(visitor, issuer).status_code == 303
    with database.reading() as session:
        assert session.scalars(select(User.email)).all() == ["ada@example.org"]


def test_another_person_s_claims_are_refused(database: Database, visitor: Browser, issuer: Issuer) -> None:
    issuer.person.pop("groups")
    issuer.at_userinfo = {"sub": "eve-1", "groups": ["pmo-admins"]}
    refused(database, visitor, log_in(visitor, issuer), 502)


@pytest.mark.parametrize("ways", [["client_secret_post"], ["client_secret_basic", "client_secret_post"], None])
def test_the_client_s_secret_goes_as_the_provider_takes_it(visitor: Browser, issuer: Issuer, ways: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer.metadata["token_endpoint_auth_methods_supported"] = ways
    redeem, seen = issuer.redeem, []

    def noted(form: dict[str, list[str]], authorization: str) -> Any:
        seen.append((form.get("client_secret"), bool(authorization)))
        return redeem(form, authorization or httpx.BasicAuth("hub-client", "c4nary%3A+the+client%27s+%2Bsecret")._auth_header)

    monkeypatch.setattr(issuer, "redeem", noted)
    assert log_in(visitor, issuer).status_code == 303
    assert seen == [([SECRET], False)] if ways == ["client_secret_post"] else [(None, True)]


def test_without_a_provider_or_with_half_of_one_there_is_none_to_be_seen(stage: Stage) -> None:
    visitor = Browser(other(stage, oidc_roles=()), HERE)
    assert "/login/oidc" not in visitor.get("/login").text
    assert [visitor.get(path).status_code for path in ("/login/oidc", "/login/oidc/callback?code=x&state=y")] == [404, 404]


def test_the_way_back_is_the_public_address_or_this_machine(stage: Stage) -> None:
    assert Browser(stage.app, "http://hub.test").get("/login/oidc").status_code == 400
    assert Browser(stage.app, "http://hub.test").get("/login/oidc/callback?code=x&state=y").status_code == 400
    public = other(stage, public_url="https://hub.example.org")
    elsewhere = Browser(public, "http://127.0.0.1:8000").get("/login/oidc")
    assert (elsewhere.status_code, "https://hub.example.org" in elsewhere.text) == (400, True)
    out = Browser(public, "https://hub.example.org").get("/login/oidc")
    assert parse_qs(urlsplit(out.headers["location"]).query)["redirect_uri"] == ["https://hub.example.org/login/oidc/callback"]
    cookie = out.headers["set-cookie"]
    assert cookie.startswith("__Host-hub_oidc=")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/", "Max-Age=600"} <= set(cookie.split("; "))


def test_the_groups_scope_is_asked_for_where_there_is_one(app: FastAPI, issuer: Issuer, clock: Clock) -> None:
    def scopes() -> list[str]:
        return parse_qs(urlsplit(go(Browser(app, HERE))).query)["scope"][0].split()

    assert "groups" in scopes()
    issuer.metadata["scopes_supported"] = ["openid"]
    clock.advance(timedelta(hours=1))
    assert scopes() == ["openid", "email", "profile"]


def test_the_stand_in_is_strict(issuer: Issuer) -> None:
    """Else what it lets through would prove nothing."""
    assert issuer.redeem({"code": ["x"], "code_verifier": ["y"], "redirect_uri": ["z"]}, "Basic aHViOng=")[0] == 401
    status, _, body = issuer.answer("/userinfo", b"", "Bearer another")
    assert (status, json.loads(body)) == (401, {})


def test_whom_the_provider_vouches_for_gets_no_password_by_any_link(database: Database, visitor: Browser, issuer: Issuer) -> None:
    """It would be a way past the groups."""
    log_in(visitor, issuer)
    with database.writing() as session:
        ada = session.scalars(select(User)).one()
        link = links.make(session, NOW, user_id=ada.id)
        assert acts.new_link(session, ada, NOW, Actor("cli", None), local=True) is None
        assert ada.link_until is not None, "opened to be joined anew instead"
    for found in (visitor.get(f"/setup/{link}"), visitor.send(f"/setup/{link}", "/account", password=PASSWORD, again=PASSWORD)):
        assert found.status_code == 404
    with database.reading() as session:
        assert session.scalars(select(User.password_hash)).all() == [None]


# -- by the provider only -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def without_passwords(made: Stage) -> FastAPI:
    return other(made, local_login=False)


@pytest.fixture
def sealed(without_passwords: FastAPI, stage: Stage) -> FastAPI:
    """The same hub with HUB_LOCAL_LOGIN=off."""
    return without_passwords


def test_without_local_log_in_there_is_no_form_and_no_password_is_taken(database: Database, app: FastAPI, sealed: FastAPI) -> None:
    user = person(database)
    page = Browser(sealed).get("/login").text
    assert 'href="/login/oidc?next=%2F"' in page
    assert "password" not in page
    inside = Browser(app)
    inside.log_in()
    token = inside.token("/account")
    outside = Browser(sealed)
    outside.cookies = inside.cookies
    assert "/account/password" not in outside.get("/account").text
    sent = {"data": {"csrf": token, "email": "ada@example.org", "password": PASSWORD, "old": PASSWORD}, "headers": {"Origin": "http://hub.test"}}
    assert outside("POST", "/login", **sent).status_code == 404
    assert outside("POST", "/account/password", **sent).status_code == 404
    with database.writing() as session:
        link = links.make(session, NOW, user_id=user.id)
    assert outside.get(f"/setup/{link}").status_code == 404
    assert outside("POST", f"/setup/{link}", **sent).status_code == 404


def test_the_link_made_at_the_terminal_is_the_way_back_in(database: Database, sealed: FastAPI) -> None:
    with database.writing() as session:
        link = links.make(session, NOW)
    visitor = Browser(sealed)
    entered = visitor.send(f"/setup/{link}", email="root@example.org", name="Root", password=PASSWORD, again=PASSWORD)
    assert entered.status_code == 303
    assert "role: admin" in visitor.get("/account").text


def test_a_person_added_without_local_log_in_is_opened_for_the_provider(database: Database, sealed: FastAPI, issuer: Issuer) -> None:
    with database.writing() as session:
        admin = Caller(sealed, keys.create(session, "k", "admin", NOW))
    made = admin("POST", "/api/v1/users", json={"email": "ada@example.org", "name": "Ada", "role": "viewer"})
    assert (made.status_code, made.json()["setup_path"], made.json()["data"]["state"]) == (201, None, "invited")
    assert log_in(Browser(sealed, HERE), issuer).status_code == 303
    assert [(each["email"], each["role"], each["state"]) for each in admin.data("users")] == [("ada@example.org", "pmo", "active")]
