"""What a status counts as: the admin's word, then the vendor's done, then a suggestion by name, then the vendor's own category."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from connectors.records import StatusCategory
from hub.models import Status, StatusMapping
from hub.sync.status import NAMES, SETTLED, suggest, unconfirmed
from tests.sync.conftest import Hub
from tests.sync.pretend import project, status, task

C = StatusCategory


@given(st.text() | st.sampled_from(["Done", "done", "Cancelled", "Closed", "Complete", "Fertig", "won't do"]))
def test_a_name_never_decides_done_or_cancelled(name: str) -> None:
    assert suggest(name) not in SETTLED


@given(st.text(), st.sampled_from([category for category in C if category not in SETTLED]))
def test_an_open_status_never_counts_as_settled_without_the_vendor_or_an_admin(name: str, vendor: StatusCategory) -> None:
    category, source = unconfirmed(name, vendor)
    assert category not in SETTLED
    assert (category == vendor) == (source == "vendor")


@given(st.text(), st.sampled_from(SETTLED))
def test_the_vendors_done_outranks_every_name(name: str, vendor: StatusCategory) -> None:
    assert unconfirmed(name, vendor) == (vendor, "vendor")


@pytest.mark.parametrize(("word", "category"), [(word, category) for category, words in NAMES.items() for word in words])
def test_each_word_of_the_table_suggests_its_category(word: str, category: StatusCategory) -> None:
    assert suggest(word) == suggest(word.upper()) == suggest(f"1. {word} (team)") == category


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("Backlog", C.BACKLOG),
        ("To Do", C.UNSTARTED),
        (None, C.UNSTARTED),
        ("Working on it", C.STARTED),
        ("In Review", C.STARTED),
        ("Stuck", C.BLOCKED),
        ("Waiting for review", C.BLOCKED),
        ("Renewal", None),
        ("Opening", None),
        ("Inactive", None),
        ("Fertig", None),
        ("完了", None),
        ("Done", None),
        ("", None),
    ],
)
def test_suggestions(name: str | None, category: StatusCategory | None) -> None:
    assert suggest(name) == category


def counted(hub: Hub, key: str = "1") -> tuple[str, str, int]:
    found = hub.ask(select(StatusMapping).where(StatusMapping.status_id == hub.id(f"status:{key}")))[0]
    return found.category, found.source, found.version


@pytest.fixture
def yard(hub: Hub) -> Hub:
    """Task 1 carries a status whose name says nothing, task 2 one whose name does."""
    hub.vendor.put(
        project("1"),
        status("1", "Kai 7", project_id="project:1"),
        status("2", "Blocked", C.STARTED, project_id="project:1"),
        task("1", "1", status="Kai 7", status_id="status:1"),
        task("2", "1", status="Blocked", status_id="status:2"),
    )
    hub.complete()
    return hub


def test_what_nothing_speaks_for_is_unknown_and_a_suggestion_is_marked(yard: Hub) -> None:
    assert (counted(yard, "1"), counted(yard, "2")) == (("unknown", "vendor", 1), ("blocked", "suggested", 1))
    assert [yard.row(f"task:{n}").status_category for n in (1, 2)] == ["unknown", "blocked"]
    assert [yard.row(f"status:{n}").category for n in (1, 2)] == ["unknown", "started"]


def test_the_vendors_done_moves_the_tasks_with_one_word(yard: Hub) -> None:
    yard.vendor.change("status:1", category=C.DONE)
    assert yard.told(lambda: yard.complete()) == [("mapping.changed", yard.id("status:1"))]
    assert (counted(yard), yard.row("task:1").status_category) == (("done", "vendor", 2), "done")
    yard.vendor.change("status:1", category=C.UNKNOWN)
    assert yard.told(lambda: yard.complete()) == [("mapping.changed", yard.id("status:1"))]
    assert (counted(yard), yard.row("task:1").status_category) == (("unknown", "vendor", 3), "unknown")
    assert yard.told(lambda: yard.complete()) == []


def test_the_word_of_a_changed_mapping_says_what_changed(yard: Hub) -> None:
    yard.vendor.change("status:1", category=C.DONE)
    yard.complete()
    data: Any = yard.events("mapping.")[0].data
    assert (data["changed"], data["after"], data["tasks"]) == (["status_category"], {"status_category": "done"}, 1)
    assert data["before"] == {"status_category": "unknown"}


def test_the_admins_word_outranks_all_and_stays(yard: Hub) -> None:
    def decide(session: Any) -> None:
        session.execute(
            update(StatusMapping).where(StatusMapping.status_id == yard.id("status:1")).values(category="cancelled", source="admin", version=2)
        )

    yard.write(decide)
    yard.vendor.change("status:1", category=C.DONE, name="In progress")
    yard.vendor.change("task:1", title="another word")
    yard.complete()
    assert (counted(yard), yard.row("task:1").status_category) == (("cancelled", "admin", 2), "cancelled")
    assert yard.row("status:1").category == "done"


def test_a_status_that_comes_after_its_tasks_is_still_counted_and_tells_nothing(hub: Hub) -> None:
    hub.vendor.put(project("1"), project("2"), task("1", "1", status="Doing", status_id="status:1"), status("1", "Doing", project_id="project:2"))
    hub.vendor.concurrency = 1
    assert hub.told(hub.complete) == [("sync.completed", hub.connection_id)]
    assert hub.row("task:1").status_category == "started"


def test_a_renamed_status_is_suggested_anew(yard: Hub) -> None:
    yard.vendor.change("status:2", name="Icebox")
    yard.complete()
    assert (counted(yard, "2"), yard.row("task:2").status_category) == (("backlog", "suggested", 2), "backlog")


def test_a_mapping_is_dated_by_the_run_that_changed_it(yard: Hub) -> None:
    yard.vendor.change("status:1", category=C.DONE)
    yard.complete()
    found = yard.ask(select(StatusMapping.changed_at).where(StatusMapping.status_id == yard.id("status:1")))
    assert found == [yard.clock()]
    assert found[0] > datetime(2026, 11, 23, tzinfo=UTC)
    assert len(yard.ask(select(Status.id))) == 2
