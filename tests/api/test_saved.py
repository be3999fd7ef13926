"""Saved views: one's own and the shared ones, checked when they are saved, and of no more right than an address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from hub.access import keys, users
from hub.access.keys import Role
from hub.api.answers import Listed, Single
from hub.api.saved import ViewShape
from hub.db import Database
from hub.portfolio.saved import MOST
from tests.api import builders as make
from tests.api.builders import NOW
from tests.api.conftest import Caller

Roles = Callable[[str], Caller]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One database: what could differ is the table, whose migration is tested on both."""
    return sqlite_url


def save(caller: Caller, name: str = "Late", page: str = "/tasks", query: str = "overdue=true&sort=due", **more: Any) -> httpx.Response:
    return caller("POST", "/api/v1/saved-views", json={"name": name, "page": page, "query": query, **more})


def test_a_view_is_saved_read_renamed_and_deleted(call: Caller) -> None:
    made = save(call, name="  Late   work ")
    assert made.status_code == 201
    shape = Single[ViewShape].model_validate(made.json()).data
    assert (shape.name, shape.url, shape.mine, shape.shared, shape.may_change) == ("Late work", "/tasks?overdue=true&sort=due", True, False, True)
    path = f"/api/v1/saved-views/{shape.id}"
    assert call("PATCH", path, json={"name": "Later", "query": "?sort=title&page=3"}).json()["data"]["url"] == "/tasks?sort=title"
    listed = Listed[ViewShape].model_validate(call.get("saved-views", page="/tasks").json()).data
    assert [(each.id, each.name) for each in listed] == [(shape.id, "Later")]
    assert call.data("saved-views", page="/projects") == []
    assert call("DELETE", path).status_code == 204
    assert call.get(path).status_code == 404


@pytest.mark.parametrize(
    ("page", "query", "part"),
    [
        ("/admin/keys", "", "/page"),
        ("https://elsewhere.example.org/", "", "/page"),
        ("//elsewhere.example.org", "", "/page"),
        ("/projects/not-an-id", "", "/page"),
        ("/tasks", "nope=1", "/query"),
        ("/tasks", "due_before=soon", "/query"),
        ("/tasks", "status_category=nope", "/query"),
        ("/tasks", "sort=%3Cscript%3E", "/query"),
        ("/tasks", "tz=Nowhere/Else", "/query"),
        ("/workload", "weeks=400", "/query"),
        ("/timeline", "zoom=century", "/query"),
        ("/projects", "colour=pink", "/query"),
        ("/tasks", "q=%FF", "/query"),
    ],
)
def test_what_opens_nothing_is_not_saved(call: Caller, page: str, query: str, part: str) -> None:
    answer = save(call, page=page, query=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == part
    assert call.data("saved-views") == []


@pytest.mark.parametrize("name", [" ", "\u200b\n", "a\x00b", "x" * 101])
def test_a_name_is_one_that_people_can_read(call: Caller, name: str) -> None:
    assert save(call, name=name).status_code == 422


def test_a_name_stands_for_one_view_of_a_page(call: Caller, as_role: Roles) -> None:
    assert save(call).status_code == 201
    assert save(call).json()["code"] == "name_taken"
    assert save(call, page="/projects", query="").status_code == 201
    assert save(as_role("viewer")).status_code == 201, "somebody else's name is theirs"


def test_nobody_sees_or_touches_another_s_view(call: Caller, as_role: Roles) -> None:
    view_id = save(call).json()["data"]["id"]
    for role in ("viewer", "pmo", "admin"):
        other = as_role(role)
        assert other.data("saved-views") == []
        for method in ("GET", "PATCH", "DELETE"):
            assert other(method, f"/api/v1/saved-views/{view_id}", json={"name": "Mine now"} if method == "PATCH" else None).status_code == 404
    assert call.data(f"saved-views/{view_id}")["name"] == "Late"


def test_the_pmo_shares_and_everybody_finds_it(call: Caller, as_role: Roles) -> None:
    assert save(call, shared=True).status_code == 403
    pmo = as_role("pmo")
    view_id = save(pmo, shared=True).json()["data"]["id"]
    (found,) = call.data("saved-views")
    assert (found["id"], found["mine"], found["may_change"]) == (view_id, False, False)
    path = f"/api/v1/saved-views/{view_id}"
    assert call("PATCH", path, json={"query": "sort=title"}).status_code == 403
    assert call("DELETE", path).status_code == 403
    admin = as_role("admin")
    assert admin("PATCH", path, json={"shared": False}).status_code == 200
    assert call.data("saved-views") == admin.data("saved-views") == [], "it is nobody's but the PMO's again"
    assert [each["id"] for each in pmo.data("saved-views")] == [view_id]


def test_one_s_own_becomes_shared_only_by_who_may_share(call: Caller) -> None:
    view_id = save(call).json()["data"]["id"]
    assert call("PATCH", f"/api/v1/saved-views/{view_id}", json={"shared": True}).status_code == 403
    assert not call.data(f"saved-views/{view_id}")["shared"]


def test_a_person_s_keys_have_that_person_s_views(app: FastAPI, database: Database) -> None:
    with database.writing() as session:
        ada = users.add(session, "ada@example.org", "Ada", Role.PMO, NOW)
        first, second = (Caller(app, keys.create(session, name, "pmo", NOW, owner=ada)) for name in ("one", "two"))
    save(first)
    assert [each["name"] for each in second.data("saved-views")] == ["Late"]


def test_a_shared_view_widens_nobody_s_scope(app: FastAPI, database: Database, as_role: Roles) -> None:
    with database.writing() as session:
        project = make.project(session, make.connection(session), private=True)
        make.task(session, project, "Hidden")
    query = f"project_id={project.id}"
    assert save(as_role("pmo"), query=query, shared=True).status_code == 201
    viewer = as_role("viewer")
    (found,) = viewer.data("saved-views")
    assert found["query"] == query
    assert viewer.data("tasks", project_id=str(project.id)) == []


def test_views_are_not_kept_without_end(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST >= 100
    monkeypatch.setattr("hub.portfolio.saved.MOST", 2)
    assert [save(call, name=str(number)).status_code for number in range(3)] == [201, 201, 422]
