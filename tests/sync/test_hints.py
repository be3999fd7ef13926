"""What webhooks named is looked into, by the run that costs least and loses nothing."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from connectors.errors import Transient
from hub.models import SyncPass, SyncRun
from hub.sync import inbox, judge, runs
from hub.sync.runs import FULL, POLL, TOUCH
from tests.sync.conftest import Hub
from tests.sync.pretend import project, task
from tests.sync.yard import poll, reads, touch, two_projects


@pytest.fixture
def yard(hub: Hub) -> Hub:
    return two_projects(hub)


def test_what_a_webhook_names_is_read_by_id_and_nothing_else(yard: Hub) -> None:
    yard.vendor.change("task:1", title="other")
    yard.vendor.drop("task:2")
    touch(yard, "task:1", "task:2", "task:1")
    assert poll(yard, TOUCH) == [("task.updated", yard.id("task:1")), ("task.deleted", yard.id("task:2"))]
    assert (yard.vendor.reads, yard.vendor.looked) == ([], ["task:1", "task:2"])
    assert yard.ask(select(SyncPass.kind).order_by(SyncPass.number.desc()))[0] == TOUCH
    yard.complete(kind=TOUCH)
    assert yard.vendor.looked == []


def test_a_new_task_that_a_webhook_names_is_told(yard: Hub) -> None:
    yard.vendor.put(task("6", "1"))
    touch(yard, "task:6")
    assert poll(yard, TOUCH) == [("task.created", yard.id("task:6"))]


def test_a_webhooks_word_on_a_project_is_looked_up_in_the_tree(yard: Hub) -> None:
    yard.vendor.put(project("3"), task("7", "3"))
    touch(yard, "project:3")
    yard.complete(kind=TOUCH)
    assert set(reads(yard)) == {"structure", "project:3", "changes"}


def test_a_touch_that_failed_is_not_forgotten(yard: Hub) -> None:
    def broken(_refs: Any) -> None:
        raise Transient("try later")

    touch(yard, "task:1")
    yard.vendor.change("task:1", title="other")
    yard.vendor.before_lookup = broken
    assert yard.sync(kind=TOUCH).state == "failed"
    yard.vendor.before_lookup = lambda _refs: None
    assert poll(yard) == [("task.updated", yard.id("task:1"))]


def test_a_touch_puts_no_poll_off(yard: Hub) -> None:
    due = yard.connection().next_sync_at
    touch(yard, "task:1")
    yard.complete(kind=TOUCH)
    assert yard.connection().next_sync_at == due
    yard.complete(kind=POLL)
    assert yard.connection().next_sync_at != due


def test_a_touch_makes_nothing_fresher(yard: Hub) -> None:
    before = yard.connection().last_synced_at
    touch(yard, "task:1")
    yard.complete(kind=TOUCH, minutes=30)
    assert yard.connection().last_synced_at == before


def test_what_webhooks_named_waits_until_it_was_asked_for(yard: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "LOOKUPS", 1)
    yard.vendor.lookup_batch = 1
    yard.vendor.drop("task:2", "task:3")
    yard.vendor.untold()
    touch(yard, "task:2")
    touch(yard, "task:3")
    yard.complete(kind=TOUCH)
    assert yard.vendor.looked == ["task:2"]
    yard.complete(kind=TOUCH)
    assert yard.vendor.looked == ["task:3"]
    assert [yard.row(f"task:{key}").deleted_how for key in "23"] == ["gone_by_id", "gone_by_id"]


def test_a_hint_is_looked_into_although_a_page_still_shows_the_task(yard: Hub) -> None:
    """The page may trail behind."""
    yard.vendor.journal.append(("changed", "task:2"))
    held = yard.vendor.held["task:2"]
    yard.vendor.before_lookup = lambda _refs: yard.vendor.held.pop("task:2", None)
    touch(yard, "task:2")
    assert poll(yard) == [("task.deleted", yard.id("task:2"))]
    assert held.id == "task:2"


def test_hints_that_could_not_all_be_kept_ask_for_everything_where_no_walk_tells_deletions(yard: Hub) -> None:
    yard.vendor.drop("task:3")
    yard.vendor.untold()
    touch(yard, inbox.OVERFLOW)
    assert poll(yard, TOUCH) == [("task.deleted", yard.id("task:3"))]
    assert yard.run().kind == FULL
    assert yard.complete(kind=POLL).kind == POLL


def test_a_poll_that_finds_hints_about_more_than_tasks_walks_the_containers(yard: Hub) -> None:
    yard.vendor.put(project("3"), task("7", "3"))
    yard.vendor.untold()
    touch(yard, "project:3")
    assert poll(yard, POLL) == [("project.created", yard.id("project:3"))]


def test_an_admins_word_is_kept_with_the_run_whoever_executes_it(yard: Hub) -> None:
    yard.write(lambda session: runs.queue(session, yard.connection_id, "manual", yard.clock(), accept_deletions=True))
    waiting = yard.write(lambda session: runs.queue(session, yard.connection_id, "manual", yard.clock(), kind=POLL, anew=True))
    yard.engine.sync(waiting.id)
    ran = yard.write(lambda session: session.get_one(SyncRun, waiting.id))
    assert (ran.kind, ran.anew, ran.accept_deletions) == (FULL, True, True)
