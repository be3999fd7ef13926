"""Log-in by a provider, against one of our own that can misbehave: what the hub takes, what it refuses, and what it says of that."""

from __future__ import annotations

import gzip
import hmac
import json
import shutil
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jws import JWSRegistry
from sqlalchemy import delete, func, select

from hub.access import keys, links
from hub.access.oidc.provider import Provider
from hub.access.oidc.refusal import Reason, Refused
from hub.app import create_app
from hub.db import Database
from hub.models import AdminLink, ApiKey, Audit, LoginAttempt, PendingLogin, User, UserIdentity, UserSession
from hub.settings import Settings
from hub.vault import Vault
from tests.access.conftest import PASSWORD, Browser, person
from tests.access.issuer import CLIENT, SECRET, Issuer, key, part, running, signed
from tests.api.builders import NOW
from tests.api.conftest import Caller, Clock, NotedJobs

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


@pytest.fixture(scope="module")
def made(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    path, clock = tmp_path_factory.mktemp("oidc") / "hub.db", Clock()
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    with running(clock) as issuer:
        settings = Settings(oidc_issuer=issuer.url, oidc_client_id=CLIENT, oidc_client_secret=SECRET, oidc_roles=ROLES)
        yield Stage(clock, issuer, settings, database, create_app(settings, database, Vault([b"k" * 32]), NotedJobs(), clock))
    database.dispose()


@pytest.fixture
def stage(made: Stage) -> Stage:
    made.clear()
    return made


@pytest.fixture
def clock(stage: Stage) -> Clock:
    return stage.clock


@pytest.fixture
def issuer(stage: Stage) -> Issuer:
    return stage.issuer


@pytest.fixture
def database(stage: Stage) -> Database:
    return stage.database


@pytest.fixture
def app(stage: Stage) -> FastAPI:
    return stage.app


@pytest.fixture
def visitor(app: FastAPI) -> Browser:
    return Browser(app, HERE)


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


# -- in -----------------------------------------------------------------------------------------------------------------------------


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


# -- tokens that prove nothing --------------------------------------------------------------------------------------------------------


def unsigned(claims: dict[str, Any]) -> str:
    return f"{part({'alg': 'none'})}.{part(claims)}."


def with_the_public_key(claims: dict[str, Any]) -> str:
    """The classic: HS256, with the text of the public key for a secret. Made by hand, for a good library refuses to."""
    said = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(claims)}"
    seal = hmac.digest(key("one").as_pem(private=False), said.encode(), "sha256")
    return f"{said}.{urlsafe_b64encode(seal).rstrip(b'=').decode()}"


def stripped(claims: dict[str, Any]) -> str:
    return signed(claims).rpartition(".")[0] + "."


def altered(claims: dict[str, Any]) -> str:
    head, _, signature = signed(claims).split(".")
    return f"{head}.{part({**claims, 'groups': ['pmo-admins']})}.{signature}"


def by_a_stranger(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key("stranger"), algorithms=["RS256"])


def with_its_own_key(claims: dict[str, Any]) -> str:
    header = {"alg": "RS256", "kid": "one", "jwk": key("stranger").as_dict(private=False)}
    return jwt.encode(header, claims, key("stranger"), algorithms=["RS256"], registry=ROOMY)


ROOMY = JWSRegistry(algorithms=["RS256"])
ROOMY.max_header_length = 2_000


@pytest.mark.parametrize(
    ("sign", "detail"),
    [
        (unsigned, "algorithm"),
        (with_the_public_key, "algorithm"),
        (stripped, "signature"),
        (altered, "signature"),
        (with_its_own_key, "signature"),
        (by_a_stranger, "signature"),
        (lambda claims: signed(claims, b64=True, crit=["b64"]), "header"),
        (lambda _claims: "not.a token", "form"),
        (lambda _claims: "a.b.c.d.e", "form"),
        (lambda claims: signed(claims) + "." + "x" * 200_000, "form"),
    ],
)
def test_a_token_that_the_provider_did_not_sign_is_nothing(
    database: Database, visitor: Browser, issuer: Issuer, sign: Callable[[dict[str, Any]], str], detail: str
) -> None:
    issuer.sign = sign
    refused(database, visitor, log_in(visitor, issuer), 502)
    assert why(database) == ("token", detail)
    assert count(database, User) == 0


@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": ["x"]}, "nonce"),
        ({"aud": "another-client"}, "aud"),
        ({"aud": [CLIENT, "another"]}, "azp"),
        ({"aud": [CLIENT], "azp": "another"}, "azp"),
        ({"iss": "https://evil.example.org"}, "iss"),
        ({"sub": ""}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"sub": 7}, "sub"),
        ({"exp": 1}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"iat": 10**11}, "iat"),
        ({"nbf": 10**11}, "nbf"),
        *(({name: None}, name) for name in ("nonce", "aud", "iss", "sub", "exp", "iat")),
    ],
)
def test_a_token_for_somebody_or_something_else_is_refused(
    database: Database, visitor: Browser, issuer: Issuer, claims: dict[str, Any], detail: str
) -> None:
    issuer.claims = claims
    refused(database, visitor, log_in(visitor, issuer), 502)
    assert why(database) == ("token", detail)
    assert count(database, User) == 0


def test_a_token_s_algorithm_must_be_one_that_the_provider_says_it_uses(database: Database, visitor: Browser, issuer: Issuer) -> None:
    issuer.metadata["id_token_signing_alg_values_supported"] = ["ES256", "HS256"]
    refused(database, visitor, log_in(visitor, issuer), 502)
    assert why(database) == ("token", "algorithm")


def test_clocks_may_differ_by_a_minute_and_no_more(app: FastAPI, issuer: Issuer, clock: Clock) -> None:
    at = int(clock.now.timestamp())
    issuer.claims = {"exp": at - 59, "iat": at + 60}
    assert log_in(Browser(app, HERE), issuer).status_code == 303
    issuer.claims = {"exp": at - 60}
    assert log_in(Browser(app, HERE), issuer).status_code == 502


# -- the way back -------------------------------------------------------------------------------------------------------------------


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


# -- a provider that does not work --------------------------------------------------------------------------------------------------

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


# -- where it may be used, and where not --------------------------------------------------------------------------------------------


def other(stage: Stage, **changes: Any) -> FastAPI:
    """Another hub over the same database."""
    return create_app(replace(stage.settings, **changes), stage.database, Vault([b"k" * 32]), NotedJobs(), stage.clock)


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
