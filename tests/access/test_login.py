"""Log-in, log-out, the one-time link, one's own account: as a browser meets them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from hub.access import links
from hub.access.keys import Role
from hub.db import Database
from hub.models import Audit, User, UserSession
from hub.settings import Settings
from tests.access.conftest import PASSWORD, Browser, person
from tests.api.builders import NOW
from tests.api.conftest import Clock


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What these tests are about does not depend on the database; what does is tested on both beside them."""
    return sqlite_url


def test_a_page_asks_for_log_in_and_leads_back_to_where_one_wanted_to_go(database: Database, visitor: Browser) -> None:
    person(database)
    asked = visitor.get("/tasks?overdue=true&q=a%26b")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2Ftasks%3Foverdue%3Dtrue%26q%3Da%2526b")
    form = visitor.get(asked.headers["location"])
    assert 'value="/tasks?overdue=true&amp;q=a%26b"' in form.text
    entered = visitor.log_in(next="/tasks?overdue=true&q=a%26b")
    assert (entered.status_code, entered.headers["location"]) == (303, "/tasks?overdue=true&q=a%26b")
    assert visitor.get("/tasks?overdue=true").status_code == 200


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example.org",
        "//evil.example.org",
        "/\\evil.example.org",
        "\\\\evil",
        "javascript:alert(1)",
        "/\t/evil",
        "http:/evil",
        "/%0d\n",
        "",
        "/login",
        "/logout",
    ],
)
def test_nobody_is_sent_to_another_site_after_log_in(database: Database, visitor: Browser, elsewhere: str) -> None:
    person(database)
    assert visitor.log_in(next=elsewhere).headers["location"] == "/"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(database: Database, visitor: Browser) -> None:
    person(database)
    cookie = visitor.log_in().headers["set-cookie"]
    assert cookie.startswith("hub_session=hub_session_")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


@pytest.mark.parametrize("settings", [Settings(public_url="https://hub.test")])
def test_over_tls_cookies_are_bound_to_this_host_and_tls(database: Database, app: FastAPI) -> None:
    """TLS ends at a proxy that says nothing of it: the public URL tells."""
    person(database)
    visitor = Browser(app, "https://hub.test")
    form = visitor.get("/login")
    assert form.headers["set-cookie"].startswith("__Host-hub_form=")
    assert "Secure" in form.headers["set-cookie"]
    entered = visitor.log_in()
    assert entered.headers["set-cookie"].startswith("__Host-hub_session=")
    assert "Secure" in entered.headers["set-cookie"]
    assert entered.headers["strict-transport-security"].startswith("max-age=")
    assert visitor.get("/account").status_code == 200


def test_wrong_and_unknown_look_the_same(database: Database, app: FastAPI) -> None:
    person(database)
    answers = []
    for email in ("ada@example.org", "bob@example.org"):
        visitor = Browser(app)
        answer = visitor.log_in(email, "wrong password")
        answers.append((answer.status_code, answer.text.replace(email, "E").replace(visitor.token("/login"), "T"), sorted(answer.headers)))
    assert answers[0][0] == 401
    assert answers[0] == answers[1]


def test_too_many_attempts_are_told_when_to_come_again(database: Database, visitor: Browser) -> None:
    person(database)
    assert [visitor.log_in(password="wrong").status_code for _ in range(5)] == [401] * 5
    refused = visitor.log_in()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "900")


@pytest.mark.parametrize(
    "trick",
    [
        {"headers": {"Origin": "https://evil.example.org"}},
        {"headers": {"Origin": "null"}},
        {"headers": {"Origin": "http://hub.test.evil.example.org"}},
        {"headers": {"Origin": "https://hub.test"}},
        {"csrf": ""},
        {"csrf": "0" * 64},
        {"headers": {"Content-Type": "text/plain"}},
    ],
)
def test_a_form_of_another_site_does_nothing(database: Database, visitor: Browser, trick: dict[str, str]) -> None:
    person(database)
    visitor.log_in()
    answer = visitor.send("/logout", "/account", **trick)
    assert answer.status_code == 403
    assert visitor.get("/account").status_code == 200, "still logged in"
    assert Browser(visitor.app).log_in(**trick).status_code == 403, "nor can one be logged in as somebody else"


def test_a_form_without_word_of_its_origin_is_refused(database: Database, visitor: Browser) -> None:
    person(database)
    visitor.log_in()
    token = visitor.token("/account")
    assert visitor("POST", "/logout", data={"csrf": token}).status_code == 403
    assert visitor("POST", "/logout", data={"csrf": token}, headers={"Referer": "https://evil.example.org/"}).status_code == 403
    assert visitor("POST", "/logout", data={"csrf": token}, headers={"Referer": "http://hub.test/account"}).status_code == 303


def test_a_form_token_of_one_session_is_no_good_in_another(database: Database, app: FastAPI) -> None:
    person(database)
    person(database, email="eve@example.org")
    ada, eve = Browser(app), Browser(app)
    ada.log_in()
    eve.log_in("eve@example.org")
    assert ada.send("/logout", "/account", csrf=eve.token("/account")).status_code == 403


def test_a_session_planted_before_log_in_is_not_taken_over(database: Database, app: FastAPI) -> None:
    """Session fixation: the attacker's own valid session ends, and the victim gets another one."""
    person(database)
    person(database, email="eve@example.org")
    eve, ada = Browser(app), Browser(app)
    eve.log_in("eve@example.org")
    ada.cookies = eve.cookies
    planted = ada.cookies["hub_session"]
    entered = ada.send("/login", "/account", email="ada@example.org", password=PASSWORD)
    assert entered.status_code == 303
    assert ada.cookies["hub_session"] != planted
    assert Browser(app)("GET", "/account", headers={"Cookie": f"hub_session={planted}"}).status_code == 303


def test_log_out_ends_the_session_and_not_only_the_cookie(database: Database, visitor: Browser) -> None:
    person(database)
    visitor.log_in()
    kept = visitor.cookies["hub_session"]
    assert visitor.send("/logout", "/account").headers["location"] == "/login"
    assert "hub_session" not in visitor.cookies
    assert visitor("GET", "/account", headers={"Cookie": f"hub_session={kept}"}).status_code == 303


def test_pages_of_somebody_signed_in_are_stored_nowhere(database: Database, visitor: Browser) -> None:
    person(database)
    assert visitor.get("/login").headers["cache-control"] == "no-store"
    visitor.log_in()
    assert visitor.get("/account").headers["cache-control"] == "no-store"
    assert "cache-control" not in visitor.get("/static/hub.css").headers


def test_a_session_idles_out_and_its_use_is_noted_once_a_minute(database: Database, visitor: Browser, clock: Clock) -> None:
    def seen() -> object:
        with database.reading() as session:
            return session.scalars(select(UserSession.last_seen_at)).one()

    person(database)
    visitor.log_in()
    clock.advance(timedelta(seconds=59))
    visitor.get("/account")
    assert seen() == NOW
    clock.advance(timedelta(hours=11))
    visitor.get("/account")
    assert seen() == NOW + timedelta(hours=11, seconds=59)
    clock.advance(timedelta(hours=12))
    assert visitor.get("/account").status_code == 303


# -- the one-time link --------------------------------------------------------------------------------------------------------------


def link(database: Database, user: User | None = None) -> str:
    with database.writing() as session:
        return f"/setup/{links.make(session, NOW, user_id=user.id if user else None)}"


def test_the_first_admin_comes_in_by_the_link_and_once_only(database: Database, visitor: Browser) -> None:
    path = link(database)
    filled = {"email": "Root@example.org", "name": "Root", "password": PASSWORD, "again": PASSWORD}
    entered = visitor.send(path, **filled)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert "Root@example.org; role: admin" in visitor.get("/account").text
    assert visitor.get(path).status_code == 404
    late = Browser(visitor.app)
    assert late.send(path, "/login", **{**filled, "email": "eve@example.org"}).status_code == 404
    with database.reading() as session:
        assert session.scalars(select(User.email)).all() == ["Root@example.org"]
        assert [row.action for row in session.scalars(select(Audit).order_by(Audit.id))] == ["user.created", "login.succeeded"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"again": "another one, sadly"}, "not the same"),
        ({"password": "short", "again": "short"}, "at least 12"),
        ({"email": "nowhere"}, "not an e-mail"),
    ],
)
def test_a_mistake_does_not_spend_the_link(database: Database, visitor: Browser, wrong: dict[str, str], words: str) -> None:
    path = link(database)
    filled = {"email": "root@example.org", "name": "Root", "password": PASSWORD, "again": PASSWORD}
    refused = visitor.send(path, **{**filled, **wrong})
    assert refused.status_code == 422
    assert words in refused.text
    assert PASSWORD not in refused.text
    assert visitor.send(path, **filled).status_code == 303


def test_a_link_for_a_person_sets_their_password_and_nothing_else(database: Database, visitor: Browser) -> None:
    user = person(database, Role.VIEWER, password=None)
    path = link(database, user)
    entered = visitor.send(path, password=PASSWORD, again=PASSWORD, email="eve@example.org", name="Eve", role="admin")
    assert entered.status_code == 303
    with database.reading() as session:
        held = session.scalars(select(User)).one()
        assert (held.email, held.name, held.role) == ("Ada@Example.org", "Ada", "viewer")


@pytest.mark.parametrize("path", ["/setup/x", "/setup/hub_setup_" + "a" * 43, "/setup/%00", "/setup/" + "a" * 3000])
def test_a_link_that_was_made_up_opens_nothing(visitor: Browser, path: str) -> None:
    assert visitor.get(path).status_code == 404


# -- one's own account --------------------------------------------------------------------------------------------------------------


def test_one_changes_one_s_password_and_the_others_are_out(database: Database, app: FastAPI) -> None:
    person(database)
    here, there = Browser(app), Browser(app)
    here.log_in()
    there.log_in()
    new = "a lighthouse seldom walks"
    assert here.send("/account/password", "/account", old="wrong", password=new, again=new).status_code == 422
    assert "is changed" in here.send("/account/password", "/account", old=PASSWORD, password=new, again=new).text
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 303


def test_one_ends_one_s_own_sessions_and_nobody_else_s(database: Database, app: FastAPI) -> None:
    person(database)
    person(database, email="bea@example.org")
    here, there, bea = Browser(app, address="192.0.2.1"), Browser(app, address="192.0.2.2"), Browser(app)
    here.log_in()
    there.log_in()
    bea.log_in("bea@example.org")
    with database.reading() as session:
        ids = {row.address: row.id for row in session.scalars(select(UserSession))}
    assert "192.0.2.2" in here.get("/account").text
    here.send("/account/sessions", "/account", session=ids["127.0.0.1"])
    assert bea.get("/account").status_code == 200
    here.send("/account/sessions", "/account", session=ids["192.0.2.2"])
    assert there.get("/account").status_code == 303
    there.log_in()
    here.send("/account/sessions", "/account", session="others")
    assert there.get("/account").status_code == 303
    assert here.send("/account/sessions", "/account", session=ids["192.0.2.1"]).headers["location"] == "/login"
    assert here.get("/account").status_code == 303
