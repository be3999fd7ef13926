"""/users, /keys, /audit; how often a key may ask; and that acts and refusals are recorded."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from hub.access import audit, keys
from hub.access.audit import Actor
from hub.access.keys import Role, Scope
from hub.db import Database
from hub.models import ApiKey, Audit, User
from hub.settings import Settings
from tests.access.conftest import PASSWORD, Browser, person
from tests.api import builders as make
from tests.api.builders import NOW
from tests.api.conftest import Caller, Clock


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What these tests are about does not depend on the database; what does is tested on both beside them."""
    return sqlite_url


@pytest.fixture
def admin(app: FastAPI, database: Database) -> Caller:
    return caller(app, database, "admin")


def caller(app: FastAPI, database: Database, role: str, **options: Any) -> Caller:
    with database.writing() as session:
        return Caller(app, keys.create(session, f"a {role}", role, NOW, **options))


def recorded(database: Database) -> list[Audit]:
    with database.reading() as session:
        assert audit.verify(session).broken is None
        return list(session.scalars(select(Audit).order_by(Audit.id)))


def test_an_admin_adds_a_person_who_chooses_a_password(app: FastAPI, database: Database, admin: Caller) -> None:
    made = admin("POST", "/api/v1/users", json={"email": "ada@example.org", "name": "Ada", "role": "pmo"})
    assert made.status_code == 201
    assert made.json()["data"]["state"] == "invited"
    assert Browser(app).send(made.json()["setup_path"], password=PASSWORD, again=PASSWORD).status_code == 303
    (shown,) = admin.data("users")
    assert (shown["email"], shown["role"], shown["state"]) == ("ada@example.org", "pmo", "active")
    assert "password" not in str(shown)
    again = admin("POST", "/api/v1/users", json={"email": "ADA@example.org", "name": "Ada", "role": "pmo"})
    assert (again.status_code, again.json()["code"]) == (409, "user_not_added")


@pytest.mark.parametrize("extra", [{"password_hash": "x"}, {"id": str(uuid4())}, {"disabled_at": None}, {"state": "active"}])
def test_nothing_is_set_that_the_shape_does_not_name(admin: Caller, database: Database, extra: dict[str, Any]) -> None:
    body = {"email": "ada@example.org", "name": "Ada", "role": "viewer", **extra}
    assert admin("POST", "/api/v1/users", json=body).status_code == 422
    user = person(database)
    assert admin("PATCH", f"/api/v1/users/{user.id}", json={"role": "pmo", **extra}).status_code == 422


def test_a_person_who_is_shut_out_is_out_at_once(app: FastAPI, database: Database, admin: Caller) -> None:
    user = person(database)
    with database.writing() as session:
        theirs = Caller(app, keys.create(session, "theirs", "viewer", NOW, owner=session.get_one(User, user.id)))
    ada = Browser(app)
    ada.log_in()
    assert theirs.get("portfolio").status_code == 200
    changed = admin("PATCH", f"/api/v1/users/{user.id}", json={"disabled": True})
    assert changed.json()["data"]["state"] == "disabled"
    assert ada.get("/account").status_code == 303
    assert theirs.get("portfolio").status_code == 401
    row = recorded(database)[-2]
    assert (row.action, row.target, row.before, row.after) == (
        "user.changed",
        f"user:{user.id}",
        {"role": "viewer", "disabled": False},
        {"role": "viewer", "disabled": True},
    )
    assert admin("PATCH", f"/api/v1/users/{user.id}", json={"disabled": False}).json()["data"]["state"] == "active"
    assert theirs.get("portfolio").status_code == 200


def test_the_last_admin_cannot_be_shut_out(database: Database, admin: Caller) -> None:
    user = person(database, Role.ADMIN)
    for change in ({"disabled": True}, {"role": "viewer"}):
        assert admin("PATCH", f"/api/v1/users/{user.id}", json=change).json()["code"] == "last_admin"
    assert admin("PATCH", f"/api/v1/users/{uuid4()}", json={"disabled": True}).status_code == 404


def test_a_key_is_shown_once_and_ends_when_it_is_revoked_or_its_time_is_up(app: FastAPI, database: Database, admin: Caller, clock: Clock) -> None:
    until = (NOW + timedelta(hours=1)).isoformat()
    made = admin("POST", "/api/v1/keys", json={"name": "reports", "role": "pmo", "expires_at": until}).json()
    program = Caller(app, made["key"])
    assert program.get("portfolio").status_code == 200
    assert made["key"] not in admin.get("keys").text
    clock.advance(timedelta(hours=1))
    assert program.get("portfolio").status_code == 401
    other = admin("POST", "/api/v1/keys", json={"name": "other", "role": "pmo"}).json()
    assert [admin("DELETE", f"/api/v1/keys/{other['data']['id']}").status_code for _ in range(2)] == [204, 204]
    assert Caller(app, other["key"]).get("portfolio").status_code == 401
    assert [row.action for row in recorded(database) if row.actor_kind == "key"] == ["key.created", "key.created", "key.revoked"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": " ", "role": "viewer"},
        {"name": "x", "role": "root"},
        {"name": "x", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "role": "viewer", "expires_at": "2027-01-01T00:00:00"},
        {"name": "x", "role": "viewer", "owner_user_id": str(uuid4())},
        {"name": "x", "role": "viewer", "hash": "x"},
    ],
)
def test_a_key_that_makes_no_sense_is_refused(admin: Caller, body: dict[str, Any]) -> None:
    answer = admin("POST", "/api/v1/keys", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_a_key_for_reading_changes_nothing_whatever_its_role(app: FastAPI, database: Database) -> None:
    reader = caller(app, database, "admin", scope=Scope.READ)
    assert reader.get("users").status_code == 200
    for method, path in (("POST", "keys"), ("PATCH", f"users/{uuid4()}"), ("DELETE", f"keys/{uuid4()}"), ("POST", f"connections/{uuid4()}/sync")):
        assert reader(method, f"/api/v1/{path}", json={}).json()["code"] == "read_only_key"


@pytest.mark.parametrize("settings", [Settings(key_rate=3)])
def test_a_key_that_asks_too_often_waits_and_others_do_not(app: FastAPI, database: Database, clock: Clock) -> None:
    busy, other = caller(app, database, "viewer"), caller(app, database, "viewer")
    assert [busy.get("figures").status_code for _ in range(3)] == [200] * 3
    refused = busy.get("figures")
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["code"]) == (429, "60", "too_many_requests")
    assert other.get("figures").status_code == 200
    clock.advance(timedelta(seconds=120))
    assert busy.get("figures").status_code == 200


def test_an_address_that_tries_keys_is_stopped_and_even_a_good_key_waits(app: FastAPI, database: Database, clock: Clock) -> None:
    good = caller(app, database, "viewer")
    stranger = Caller(app, "hub_aaaaaaaa_" + "a" * 43)
    assert [stranger.get("figures").status_code for _ in range(60)] == [401] * 60
    assert stranger.get("figures").status_code == 429
    assert good.get("figures").status_code == 429
    assert len(recorded(database)) == 60, "a flood of refusals must not fill the log"
    clock.advance(timedelta(minutes=2))
    assert good.get("figures").status_code == 200


def test_an_act_is_recorded_with_who_what_and_from_where(app: FastAPI, database: Database) -> None:
    with database.writing() as session:
        status = make.status(session, make.connection(session), "Ready?")
    pmo = caller(app, database, "pmo")
    assert pmo("PUT", f"/api/v1/status-mappings/{status.id}", json={"category": "blocked"}).status_code == 200
    (row,) = recorded(database)
    with database.reading() as session:
        key = session.scalars(select(ApiKey)).one()
    assert (row.actor_kind, row.actor_id, row.address) == ("key", str(key.id), "127.0.0.1")
    assert (row.action, row.target) == ("set_status_mapping", f"status_id:{status.id}")
    assert row.after == {"status": 200, "asked": {"category": "blocked"}}


def test_reading_is_not_recorded_and_a_refusal_is(app: FastAPI, database: Database) -> None:
    viewer = caller(app, database, "viewer")
    viewer.get("portfolio")
    viewer.get("users")
    viewer("POST", f"/api/v1/connections/{uuid4()}/sync")
    Caller(app, "")("GET", "/api/v1/tasks", headers={})
    Caller(app, "hub_zzzzzzzz_" + "a" * 43).get("tasks")
    told = [(row.actor_kind, row.action, (row.after or {})["status"], (row.after or {})["credential"]) for row in recorded(database)]
    assert told == [
        ("key", "request.refused", 403, None),
        ("key", "request.refused", 403, None),
        ("nobody", "request.refused", 401, "zzzzzzzz"),
    ]


def test_the_log_is_read_page_by_page_and_filtered(database: Database, admin: Caller) -> None:
    for number in range(5):
        with database.writing() as session:
            audit.add(session, Actor("cli", "ada" if number % 2 else "bea"), "thing.done", f"thing:{number}", NOW + timedelta(minutes=number))
    assert [row["target"] for row in admin.walk("audit", limit=2)] == [f"thing:{number}" for number in (4, 3, 2, 1, 0)]
    assert [row["target"] for row in admin.walk("audit", actor_id="ada")] == ["thing:3", "thing:1"]
    since = {"since": (NOW + timedelta(minutes=1)).isoformat(), "until": (NOW + timedelta(minutes=3)).isoformat()}
    assert [row["target"] for row in admin.walk("audit", **since)] == ["thing:2", "thing:1"]
    for wrong in ({"cursor": "x"}, {"cursor": "1;"}, {"limit": 0}, {"nonsense": 1}):
        assert admin.get("audit", **wrong).status_code == 400


def test_the_log_as_a_file_holds_no_formula_and_its_export_is_recorded(database: Database, admin: Caller) -> None:
    with database.writing() as session:
        audit.add(session, Actor("cli", "=HYPERLINK(0)"), "+thing", "@sum", NOW, after={"a": "=1"})
    answer = admin.get("audit.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    head, row, export = csv.reader(io.StringIO(answer.text))
    shown = dict(zip(head, row, strict=True))
    assert (shown["actor_id"], shown["action"], shown["target"], shown["after"]) == ("'=HYPERLINK(0)", "'+thing", "'@sum", '{"a":"=1"}')
    assert dict(zip(head, export, strict=True))["action"] == "audit.exported"
    assert recorded(database)[-1].action == "audit.exported"
