"""Admins see everything, and leave a trace where it is private in its tool; files that are taken out leave one, too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import select

from hub.access import audit, keys
from hub.access.keys import Role
from hub.access.private import NOT_CONTENT, READ
from hub.access.trail import Trail
from hub.app import create_app
from hub.db import Database
from hub.models import Audit
from hub.settings import Settings
from hub.vault import Vault
from hub.web.export import WRITERS
from tests.access.conftest import Browser, person
from tests.api import builders as make
from tests.api.builders import NOW
from tests.api.conftest import Caller, Clock, NotedJobs, counted, let_see


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What these tests are about does not depend on the database."""
    return sqlite_url


@pytest.fixture
def ids(database: Database) -> dict[str, Any]:
    """An open project; a private one; one in a private container; a task at home in the open one and a member of the private one."""
    with database.writing() as session:
        account = make.connection(session)
        shut = make.container(session, account, private=True)
        found = {
            "open": make.project(session, account, "open"),
            "private": make.project(session, account, "private", private=True),
            "below": make.project(session, account, "below", container_id=shut.id),
        }
        both = make.task(session, found["open"])
        make.member(session, both, found["private"].id, 1)
        alone = make.task(session, found["open"])
        return {"shut": shut.id, "both": both.id, "alone": alone.id, **{name: row.id for name, row in found.items()}}


@pytest.fixture
def admin(app: FastAPI, database: Database) -> Caller:
    with database.writing() as session:
        return Caller(app, keys.create(session, "k", "admin", NOW))


def told(database: Database, action: str = READ) -> list[str | None]:
    with database.reading() as session:
        assert audit.verify(session).broken is None
        return list(session.scalars(select(Audit.target).where(Audit.action == action).order_by(Audit.id)))


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/api/v1/projects/{private}", ["project:{private}"]),
        ("/api/v1/projects/{below}", ["project:{below}"]),
        ("/api/v1/projects/{open}", []),
        ("/api/v1/tasks/{both}", ["project:{private}"]),
        ("/api/v1/tasks/{both}/history", ["project:{private}"]),
        ("/api/v1/tasks/{alone}", []),
        ("/api/v1/tasks?project_id={open}", []),
        ("/api/v1/tasks?project_id={open}&project_id={private}", ["project:{private}"]),
        ("/api/v1/board?project_id={below}", ["project:{below}"]),
        ("/api/v1/projects?container_id={shut}", ["container:{shut}"]),
        ("/api/v1/containers?parent_id={shut}", ["container:{shut}"]),
        ("/api/v1/tasks", ["all"]),
        ("/api/v1/portfolio", ["all"]),
        ("/api/v1/events?from=start", ["all"]),
        ("/api/v1/projects/{private}?nonsense=1", []),
        ("/api/v1/tasks/{open}", []),
        ("/api/v1/keys", []),
        ("/api/v1/policy", []),
    ],
)
def test_an_admin_s_look_at_what_is_private_names_the_place(
    database: Database, admin: Caller, ids: dict[str, Any], path: str, seen: list[str]
) -> None:
    admin("GET", path.format(**ids))
    assert told(database) == [each.format(**ids) for each in seen]


def test_the_pages_count_as_well(app: FastAPI, database: Database, ids: dict[str, Any]) -> None:
    person(database, Role.ADMIN)
    ada = Browser(app)
    ada.log_in()
    for path in (f"/projects/{ids['private']}", f"/tasks/{ids['both']}", "/account", "/admin/connections", "/tasks?format=csv"):
        assert ada.get(path).status_code == 200
    assert told(database) == [f"project:{ids['private']}", "all"]
    with database.reading() as session:
        row = session.scalars(select(Audit).where(Audit.action == READ)).first()
    assert row is not None
    assert (row.actor_kind, row.address) == ("user", "127.0.0.1")


def test_one_row_an_hour_is_enough_whichever_process_answers(
    app: FastAPI, database: Database, admin: Caller, clock: Clock, ids: dict[str, Any]
) -> None:
    other = Caller(create_app(Settings(), database, Vault([b"k" * 32]), NotedJobs(), clock), admin.key)
    for caller in (admin, admin, other):
        caller.get(f"projects/{ids['private']}")
    assert len(told(database)) == 1
    with counted() as first:
        admin.get(f"projects/{ids['open']}")
    with counted() as again:
        admin.get(f"projects/{ids['open']}")
    assert len(again) < len(first), "what was looked at already costs nothing"
    clock.advance(timedelta(hours=1))
    other.get(f"projects/{ids['private']}")
    assert len(told(database)) == 2


@pytest.mark.parametrize("role", [Role.PMO, Role.VIEWER, Role.CONSUMER])
def test_who_sees_it_by_a_grant_is_no_admin(app: FastAPI, database: Database, ids: dict[str, Any], role: Role) -> None:
    with database.writing() as session:
        caller = Caller(app, let_see(session, keys.create(session, "k", role.value, NOW), f"project:{ids['private']}"))
    assert caller.get(f"projects/{ids['private']}").status_code == (404 if role is Role.PMO else 200)
    caller.get("tasks")
    assert told(database) == []


def test_where_nothing_is_private_there_is_nothing_to_note(database: Database, admin: Caller) -> None:
    with database.writing() as session:
        make.task(session, make.project(session, make.connection(session)))
    admin.get("tasks")
    assert told(database) == []


@pytest.mark.parametrize("form", sorted(WRITERS))
def test_a_file_that_is_taken_out_is_noted_each_time(app: FastAPI, database: Database, ids: dict[str, Any], form: str) -> None:
    person(database, Role.PMO)
    ada = Browser(app)
    ada.log_in()
    for path in (f"/tasks?format={form}&q=x%3D", f"/tasks?format={form}&q=x%3D", f"/projects?format={form}"):
        assert ada.get(path).headers["content-disposition"].startswith("attachment")
    ada.get("/tasks?format=nonsense")
    assert told(database, "file.exported") == ["/tasks", "/tasks", "/projects"]
    with database.reading() as session:
        row = session.scalars(select(Audit).where(Audit.action == "file.exported")).first()
    assert row is not None
    assert row.after == {"asked": {"format": form, "q": "x="}}


def test_the_list_of_what_is_no_content_names_nothing_that_is_gone(app: FastAPI) -> None:
    paths = [str(route.path) for route in iter_route_contexts(app.routes)]
    assert [each for each in NOT_CONTENT if not any(path == each or path.startswith((f"{each}/", f"{each}.")) for path in paths)] == []
    assert any(middleware.cls is Trail for middleware in app.user_middleware)
