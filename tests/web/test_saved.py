"""Views on the pages: kept where they are seen, opened from the page's menu, named and thrown away; by forms alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from hub.access.keys import Role
from hub.access.who import Who
from hub.db import Database
from hub.models import Audit, SavedView
from tests.access.conftest import Browser
from tests.web.conftest import NASTY, READING, seeded
from tests.web.reading import read, table

Page = Callable[[str], str]
VIEWER = Who(None, None, "Somebody", Role.VIEWER, None)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Forms; what the databases could do differently is in the tests of the API."""
    return sqlite_url


def saved(database: Database) -> list[SavedView]:
    with database.reading() as session:
        return list(session.scalars(select(SavedView).order_by(SavedView.page, SavedView.name)))


def address_of(text: str) -> str:
    return next(attributes["value"] for tag, attributes in read(text).tags if tag == "input" and attributes.get("name") == "address")


@pytest.mark.parametrize("path", [*READING, "/projects/{project}?view=milestones"])
def test_every_reading_page_can_be_kept_and_opened_again(database: Database, visitor: Browser, path: str) -> None:
    path = path.format(**seeded(database))
    text = visitor.get(path).text
    assert address_of(text) == path
    answer = visitor.send("/views", page=path, address=address_of(text), name="My own view")
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert "View: My own view" in read(visitor.get(path).text).words
    assert f'href="{path}"' in visitor.get("/views").text


def test_a_view_keeps_filters_and_not_the_place_in_the_list(database: Database, visitor: Browser) -> None:
    seeded(database)
    path = "/tasks?page=2&tool=asana&utm_source=mail&sort=title&tag=&q=%D7%A9+%26"
    answer = visitor.send("/views", page=path, address=address_of(visitor.get(path).text), name="Asana's")
    assert answer.headers["location"] == "/tasks?tool=asana&sort=title&q=%D7%A9+%26"
    (view,) = saved(database)
    assert (view.page, view.query) == ("/tasks", "tool=asana&sort=title&q=%D7%A9+%26")


@pytest.mark.parametrize("address", ["https://elsewhere.example.org/tasks", "//elsewhere.example.org", "/admin/keys", "javascript:alert(1)"])
def test_nothing_but_a_page_of_ours_is_kept(database: Database, visitor: Browser, address: str) -> None:
    seeded(database)
    answer = visitor.send("/views", page="/tasks", address=address, name="x")
    assert urlsplit(answer.headers.get("location", "/")).netloc == ""
    assert [view.page for view in saved(database)] in ([], ["/"])


def test_views_are_renamed_shared_and_deleted_on_their_page(database: Database, visitor: Browser) -> None:
    seeded(database)
    visitor.send("/views", page="/tasks", address="/tasks?overdue=true", name=NASTY[:90])
    (view,) = saved(database)
    assert "<script>alert" not in visitor.get("/views").text + visitor.get("/tasks").text
    assert visitor.send(f"/views/{view.id}", page="/views", name="Late", shared="1").status_code == 303
    (row,) = table(visitor.get("/views").text, "View")
    assert (row["View"], row["Page"], row["Filters"], row["For whom"]) == ("Late", "Tasks", "overdue: true", "everybody")
    assert visitor.send(f"/views/{view.id}/delete", page="/views").status_code == 303
    assert saved(database) == []
    with database.reading() as session:
        assert {"page.save_view", "page.change_view", "page.delete_view"} <= set(session.scalars(select(Audit.action)))


def test_what_cannot_be_kept_is_said(database: Database, visitor: Browser) -> None:
    seeded(database)
    assert visitor.send("/views", page="/tasks", address="/tasks", name=" ").status_code == 422
    assert visitor.send("/views", page="/tasks", address="/tasks?due_before=soon", name="x").status_code == 422
    assert visitor.send("/views", page="/tasks", address="/tasks", name="x").status_code == 303
    again = visitor.send("/views", page="/tasks", address="/tasks", name="x")
    assert (again.status_code, "This name is taken" in again.text) == (409, True)
    assert len(saved(database)) == 1


def test_a_reader_finds_what_is_shared_and_cannot_change_it(database: Database, visitor: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded(database)
    visitor.send("/views", page="/tasks", address="/tasks?overdue=true", name="Ours", shared="1")
    with database.writing() as session:
        session.scalars(select(SavedView)).one().owner = "user:somebody"
    monkeypatch.setattr("hub.web.login.GUEST", VIEWER)
    text = visitor.get("/tasks").text
    assert 'href="/tasks?overdue=true"' in text
    assert "for everybody" not in text
    (view,) = saved(database)
    for path in (f"/views/{view.id}", f"/views/{view.id}/delete"):
        assert visitor.send(path, page="/tasks", name="Mine").status_code == 409
    assert visitor.send("/views", page="/tasks", address="/tasks", name="x", shared="1").status_code == 409
    assert [(each.name, each.shared) for each in saved(database)] == [("Ours", True)]


def test_a_form_of_another_site_keeps_nothing(database: Database, visitor: Browser) -> None:
    seeded(database)
    for options in ({"csrf": "0" * 64}, {"headers": {"Origin": "http://elsewhere.example.org"}}):
        assert visitor.send("/views", page="/tasks", address="/tasks", name="x", **options).status_code == 403
    assert saved(database) == []
    assert not re.search(r'href="/views[?/]', visitor.get("/tasks").text), "nothing is changed by following a link"
