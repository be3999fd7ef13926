"""Which projects count, decided on the page: the ticked ones, all of a filter once their number was said, or by rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from hub.access.keys import Role
from hub.access.who import Who
from hub.db import Database
from hub.models import Audit, Project
from tests.access.conftest import Browser
from tests.api import builders as make
from tests.web.reading import read, table

Page = Callable[[str], str]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Forms; what a decision does on both databases is in the tests of the API."""
    return sqlite_url


@pytest.fixture
def ids(database: Database) -> dict[str, str]:
    """Many private lists, two real projects; nobody has decided anything."""
    with database.writing() as session:
        account, other = make.connection(session, "asana"), make.connection(session, "clickup")
        made = [make.project(session, account, f"list {place}") for place in range(120)]
        made += [make.project(session, account, "Harbour wall"), make.project(session, other, "Lighthouse")]
        return {each.name: str(each.id) for each in made}


def sorted_as(database: Database) -> dict[str, str]:
    with database.reading() as session:
        rows = session.execute(select(Project.name, Project.triage).where(Project.triage != "unsorted")).all()
        return dict(rows)


def test_the_ticked_ones_are_sorted_with_one_row_in_the_audit_log(database: Database, visitor: Browser, ids: dict[str, str]) -> None:
    chosen = [ids["Harbour wall"], ids["Lighthouse"]]
    answer = visitor.send("/projects/sort?q=h", page="/projects?q=h", id=chosen, triage="in")
    assert (answer.status_code, answer.headers["location"]) == (303, "/projects?q=h&sorted=2")
    assert sorted_as(database) == {"Harbour wall": "in", "Lighthouse": "in"}
    text = visitor.get(answer.headers["location"]).text
    assert "2 projects sorted anew" in read(text).words
    assert [row["Project"] for row in table(text, "Tick")] == ["Harbour wall", "Lighthouse"]
    assert "sorted=2" not in text, "what was just done is no filter"
    with database.reading() as session:
        (row,) = session.scalars(select(Audit).where(Audit.action.in_(["projects.sorted", "page.sort_projects"])))
        assert row.after == {"triage": "in", "asked": 2, "changed": 2, "filter": "q=h", "projects": chosen}


def test_all_of_a_filter_are_sorted_after_their_number_was_said(database: Database, visitor: Browser, ids: dict[str, str]) -> None:
    page = "/projects/sort?q=list"
    assert "All that fit the filter: 120 projects" in read(visitor.get(page).text).words
    assert visitor.send(page, number="120", triage="out").headers["location"] == "/projects?q=list&sorted=120"
    assert sorted_as(database) == {name: "out" for name in ids if name.startswith("list")}
    assert "All that fit the filter: 2 projects" in read(visitor.get("/projects/sort?triage=unsorted").text).words
    assert visitor.send("/projects/sort?triage=out&q=list", number="120", triage="unsorted").status_code == 303
    assert sorted_as(database) == {}


def test_a_list_that_has_changed_meanwhile_is_not_sorted(database: Database, visitor: Browser, ids: dict[str, str]) -> None:
    answer = visitor.send("/projects/sort?q=list", number="119", triage="out")
    assert answer.status_code == 409
    assert "120 projects fit now, not 119" in read(answer.text).words
    assert sorted_as(database) == {}


@pytest.mark.parametrize("fields", [{"triage": "nope", "number": "122"}, {"triage": "in"}, {"triage": "in", "id": "nope"}])
def test_what_makes_no_sense_sorts_nothing(database: Database, visitor: Browser, ids: dict[str, str], fields: dict[str, str]) -> None:
    assert visitor.send("/projects/sort", **fields).status_code == 422
    assert sorted_as(database) == {}


def test_what_a_pmo_does_not_see_is_not_sorted(database: Database, visitor: Browser, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with database.writing() as session:
        session.execute(update(Project).where(Project.name == "Lighthouse").values(private=True))
    monkeypatch.setattr("hub.web.login.GUEST", Who(None, None, "Somebody", Role.PMO, None))
    assert "All that fit the filter: 121 projects" in read(visitor.get("/projects/sort").text).words
    visitor.send("/projects/sort", id=[ids["Lighthouse"], ids["list 1"]], triage="out")
    assert sorted_as(database) == {"list 1": "out"}


def test_who_may_not_decide_is_offered_nothing(database: Database, visitor: Browser, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    visitor.send("/views", page="/projects", address="/projects", name="All", shared="1")
    monkeypatch.setattr("hub.web.login.GUEST", Who(None, None, "Somebody", Role.VIEWER, None))
    assert 'type="checkbox" name="id"' not in visitor.get("/projects").text
    assert visitor.get("/projects/sort").status_code == 403
    for path in ("/projects/sort", "/projects/rules", "/projects/rules/remove"):
        assert visitor.send(path, page="/projects", triage="out", number="0").status_code == 403


def test_a_filter_becomes_a_rule_and_goes_again(database: Database, visitor: Browser, ids: dict[str, str]) -> None:
    text = visitor.get("/projects/sort?q=list").text
    assert "New rule: projects named *list*" in read(text).words
    rule = {"kind": "name", "value": "*list*"}
    assert visitor.send("/projects/rules", page="/projects/sort?q=list", decision="out", **rule).status_code == 303
    assert "Projects named *list* do not count" in " ".join(read(visitor.get("/projects/sort").text).words.split())
    assert "All that fit the filter: 120 projects" in read(visitor.get("/projects/sort?triage=out").text).words
    assert visitor.send("/projects/rules", page="/projects/sort", decision="sideways", **rule).status_code == 422
    assert visitor.send("/projects/rules/remove", page="/projects/sort", **rule).status_code == 303
    assert "There is no rule yet" in visitor.get("/projects/sort").text
