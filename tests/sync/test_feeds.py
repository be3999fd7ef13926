"""Keeping up between full readings: polls bring edits, walks bring the tree, webhooks bring what they name; nothing is read twice for nothing."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from connectors.errors import Transient
from connectors.records import Membership
from hub.models import Connection, Coverage, Mark, TaskProject
from hub.sync.runs import FULL, POLL, STRUCTURE, TOUCH
from tests.sync.conftest import BOOKS, SYNCED, Hub
from tests.sync.pretend import ALWAYS, project, task
from tests.sync.yard import poll, reads, touch, two_projects


@pytest.fixture
def yard(hub: Hub) -> Hub:
    return two_projects(hub)


def test_the_first_run_reads_everything_whatever_was_asked_for(hub: Hub) -> None:
    hub.vendor.put(project("1"), task("1", "1"))
    assert hub.complete(kind=TOUCH).kind == FULL
    assert hub.has("task:1")


def test_an_idle_poll_asks_once_and_writes_nothing(yard: Hub) -> None:
    yard.complete(kind=POLL)
    before = yard.dump(SYNCED)
    run = yard.complete(kind=POLL)
    assert (reads(yard), run.kind, run.requests) == (["changes"], POLL, 1)
    assert yard.dump(SYNCED) == before


def test_a_poll_leaves_no_slices_behind_and_keeps_those_of_the_last_full_reading(yard: Hub) -> None:
    full = yard.this_pass().id
    books = {name: yard.dump(BOOKS)[name] for name in ("seen", "sync_slice", "missing", "coverage")}
    yard.complete(kind=POLL)
    assert {name: yard.dump(BOOKS)[name] for name in books} == books
    assert yard.this_pass().id != full


def test_a_poll_brings_edits_and_creations_and_tells_them(yard: Hub) -> None:
    yard.vendor.change("task:1", title="other")
    yard.vendor.put(task("6", "1"))
    assert poll(yard) == [("task.updated", yard.id("task:1")), ("task.created", yard.id("task:6"))]
    assert (yard.row("task:1").title, yard.row("task:6").project_id) == ("other", yard.id("project:1"))
    assert (yard.run().created, yard.run().updated) == (1, 1)


def test_a_poll_reads_on_from_where_the_last_one_ended(yard: Hub) -> None:
    yard.vendor.change("task:1", title="other")
    yard.complete(kind=POLL)
    yard.complete(kind=POLL)
    assert yard.vendor.mapped == []
    assert yard.vendor.reads == [("changes", len(yard.vendor.journal))]


def test_a_full_reading_does_not_move_a_mark(yard: Hub) -> None:
    def mark() -> Any:
        return yard.ask(select(Mark.value).where(Mark.key == "changes"))

    before = mark()
    yard.vendor.change("task:1", title="other")
    yard.complete(anew=True)
    assert mark() == before


def test_what_the_tool_says_was_deleted_is_marked_at_once_with_what_lay_below_it(yard: Hub) -> None:
    yard.vendor.drop("task:1", "task:5")
    yard.vendor.journal.pop()  # of the subtask it says nothing
    assert poll(yard) == [("task.deleted", yard.id("task:1")), ("task.deleted", yard.id("task:5"))]
    assert (yard.row("task:1").deleted_how, yard.row("task:5").deleted_how) == ("vendor_event", "gone_by_id")
    assert yard.run().deleted == 2


def test_too_many_deletions_at_once_are_not_believed_without_a_word(hub: Hub) -> None:
    hub.vendor.put(project("1"), *(task(str(number), "1") for number in range(50)))
    hub.complete()
    hub.vendor.drop(*(f"task:{number}" for number in range(30)))
    outcome = hub.sync(kind=POLL)
    assert (outcome.state, hub.row("task:0").deleted_at) == ("partial", None)
    hub.complete(anew=True, accept_deletions=True)
    assert hub.row("task:0").deleted_how == "gone_by_id"


def test_what_a_poll_cannot_see_waits_for_the_next_full_reading(yard: Hub) -> None:
    yard.vendor.drop("task:3")
    yard.vendor.untold()
    assert poll(yard) == []
    assert yard.row("task:3").deleted_at is None
    yard.complete(anew=True)
    assert yard.row("task:3").deleted_how == "gone_by_id"


def test_a_walk_reads_a_new_project_whole_and_tells_only_the_project(yard: Hub) -> None:
    yard.vendor.put(project("3"), task("7", "3"), task("8", "3"))
    yard.vendor.untold()
    assert poll(yard, STRUCTURE) == [("project.created", yard.id("project:3"))]
    assert reads(yard) == ["structure", "changes", "project:3"]
    assert yard.row("task:8").project_id == yard.id("project:3")
    assert yard.ask(select(Coverage.proof).where(Coverage.container_id == yard.id("project:3"))) == ["complete_pass"]
    yard.complete(kind=STRUCTURE)
    assert reads(yard) == ["structure", "changes"]


def test_tasks_of_a_project_that_no_walk_has_found_yet_flood_nobody(yard: Hub) -> None:
    yard.vendor.put(project("3"), task("7", "3"))
    assert poll(yard) == []
    assert yard.row("task:7").project_id == yard.id("project:3")
    yard.vendor.change("task:7", title="other")
    assert poll(yard) == [("task.updated", yard.id("task:7"))]


def test_a_walk_misses_a_project_and_asks_for_it(yard: Hub) -> None:
    yard.vendor.drop("project:2", "task:3", "task:4")
    yard.vendor.untold()
    gone = ("project:2", "task:3", "task:4")
    assert set(poll(yard, STRUCTURE)) == {(f"{ref.partition(':')[0]}.deleted", yard.id(ref)) for ref in gone}
    assert yard.vendor.looked == ["project:2"]
    assert (yard.row("project:2").deleted_how, yard.row("task:3").deleted_how) == ("gone_by_id", "parent_deleted")


def test_a_walk_that_failed_asks_for_nothing_and_deletes_nothing(yard: Hub) -> None:
    yard.vendor.drop("project:2")
    yard.vendor.fail("structure", Transient("try later"), times=ALWAYS)
    outcome = yard.sync(kind=STRUCTURE)
    assert (outcome.state, yard.vendor.looked) == ("partial", [])
    assert yard.row("project:2").deleted_at is None


def test_a_project_of_a_deleted_one_moved_in_time_lives_on(yard: Hub) -> None:
    yard.vendor.change("task:3", memberships=(Membership(project_id="project:1"),))
    yard.vendor.drop("project:2", "task:4")
    poll(yard, STRUCTURE)
    assert (yard.row("task:3").deleted_at, yard.row("task:3").project_id) == (None, yard.id("project:1"))
    assert yard.row("task:4").deleted_at is not None


def test_an_archived_project_takes_its_tasks_along(yard: Hub) -> None:
    yard.vendor.change("project:1", archived=True)
    yard.vendor.untold()
    told = poll(yard, STRUCTURE)
    assert ("project.archived", yard.id("project:1")) in told
    assert [yard.row(f"task:{key}").archived_effective for key in "125"] == [True, True, True]
    assert yard.row("task:3").archived_effective is False


def test_a_feed_with_a_hole_reads_its_projects_whole_and_misses_who_is_gone(yard: Hub) -> None:
    yard.vendor.drop("task:3")
    yard.vendor.change("task:4", title="other")
    yard.vendor.untold()
    yard.vendor.full_log = True
    assert poll(yard) == [("task.updated", yard.id("task:4")), ("task.deleted", yard.id("task:3"))]
    assert yard.vendor.looked == ["task:3"]
    assert yard.row("task:3").deleted_how == "gone_by_id"


def test_a_poll_that_failed_is_read_again_from_the_same_mark(yard: Hub) -> None:
    yard.vendor.change("task:1", title="other")
    yard.vendor.fail("changes", Transient("try later"), place=7)
    assert yard.sync(kind=POLL).state == "partial"
    assert poll(yard) == [("task.updated", yard.id("task:1"))]


def test_a_project_opened_by_a_run_that_ended_early_is_read_by_the_next(yard: Hub) -> None:
    yard.vendor.put(project("3"), task("7", "3"))
    yard.vendor.untold()
    yard.vendor.fail("project:3", Transient("try later"))
    assert yard.sync(kind=STRUCTURE).state == "partial"
    yard.complete(kind=POLL)
    assert sorted(reads(yard)) == ["changes", "project:3"]
    assert yard.has("task:7")


def test_freshness_is_as_old_as_the_last_poll_once_everything_was_read(yard: Hub) -> None:
    yard.complete(kind=POLL, minutes=30)
    assert yard.connection().last_synced_at == yard.run().started_at


def test_a_full_reading_comes_when_it_is_due_and_a_walk_before_that(yard: Hub) -> None:
    kinds = [yard.complete(kind=POLL, minutes=minutes).kind for minutes in (5, 5, 6, 5, 24 * 60)]
    assert kinds == [POLL, POLL, STRUCTURE, POLL, FULL]


def test_subtasks_that_a_parent_counts_and_nobody_listed_are_read(hub: Hub) -> None:
    hub.vendor.counts_children = True
    hub.vendor.lists_subtasks = False
    hub.vendor.put(project("1"), task("1", "1"))
    hub.complete()
    hub.vendor.put(task("2", parent_id="task:1"))
    hub.vendor.untold()
    hub.vendor.change("task:1", title="other")
    assert ("task.created", hub.id("task:2")) in poll(hub)
    assert reads(hub) == ["changes", "children/task:1"]


def test_a_subtask_that_its_parent_counts_no_more_is_asked_for(hub: Hub) -> None:
    hub.vendor.counts_children = True
    hub.vendor.put(project("1"), task("1", "1"), task("2", parent_id="task:1"))
    hub.complete()
    hub.vendor.drop("task:2")
    hub.vendor.untold()
    hub.vendor.change("task:1", title="other")
    assert ("task.deleted", hub.id("task:2")) in poll(hub)
    assert hub.vendor.looked == ["task:2"]


class Killed(BaseException):
    pass


def test_a_deletion_told_to_a_run_that_died_is_told_again_to_the_next(yard: Hub) -> None:
    def die(_refs: Any) -> None:
        raise Killed

    yard.vendor.drop("task:2")
    yard.vendor.before_lookup = die
    touch(yard, "task:1")
    with pytest.raises(Killed):
        yard.sync(kind=POLL)
    yard.vendor.before_lookup = lambda _refs: None
    assert poll(yard) == [("task.deleted", yard.id("task:2"))]
    assert yard.row("task:2").deleted_how == "vendor_event"


def test_deletions_that_were_not_believed_are_told_again_with_an_admins_word(hub: Hub) -> None:
    hub.vendor.put(project("1"), *(task(str(number), "1") for number in range(50)))
    hub.complete()
    hub.vendor.drop(*(f"task:{number}" for number in range(30)))
    assert hub.sync(kind=POLL).state == "partial"
    assert hub.complete(kind=POLL, accept_deletions=True).deleted == 30


def test_what_was_deleted_and_came_back_within_one_feed_lives(yard: Hub) -> None:
    held = yard.vendor.held["task:2"]
    yard.vendor.drop("task:2")
    yard.vendor.put(held)
    assert poll(yard) == []
    assert yard.row("task:2").deleted_at is None


def test_a_list_that_trails_behind_does_not_bring_the_dead_back(yard: Hub) -> None:
    held = yard.vendor.held["task:2"]
    yard.vendor.drop("task:2")
    yard.complete(kind=POLL)
    yard.vendor.put(held)
    yard.vendor.before_lookup = lambda _refs: yard.vendor.held.pop("task:2", None)
    assert poll(yard) == []
    assert yard.row("task:2").deleted_at is not None
    yard.vendor.before_lookup = lambda _refs: None
    yard.vendor.put(held)
    assert poll(yard) == [("task.restored", yard.id("task:2"))]


def test_what_made_no_sense_in_a_feed_is_read_by_id_until_it_does(yard: Hub) -> None:
    yard.vendor.change("task:2", title="other")
    yard.vendor.garbled.add("task:2")
    assert yard.sync(kind=POLL).state == "partial"
    yard.vendor.garbled.clear()
    assert poll(yard) == [("task.updated", yard.id("task:2"))]


def test_other_options_ask_for_a_full_reading(yard: Hub) -> None:
    def choose(session: Any) -> None:
        session.get_one(Connection, yard.connection_id).options = {"role": "other"}

    assert yard.complete(kind=POLL).kind == POLL
    yard.write(choose)
    assert yard.complete(kind=POLL).kind == FULL
    assert yard.complete(kind=POLL).kind == POLL


def test_another_version_of_the_mapping_asks_for_a_full_reading(yard: Hub) -> None:
    yard.vendor.mapping_version += 1
    assert yard.complete(kind=POLL).kind == FULL


def test_a_task_in_two_projects_loses_the_home_that_is_refused(yard: Hub) -> None:
    """Nobody changed it, so no feed brings it; it is read by id, once."""
    homes = select(TaskProject.project_id).where(TaskProject.task_id == yard.id("task:9")).order_by(TaskProject.rank)
    yard.vendor.put(task("9", "1", "2"))
    yard.complete(anew=True)
    assert yard.ask(homes) == [yard.id("project:1"), yard.id("project:2")]
    yard.vendor.put(task("9", "2"))
    del yard.vendor.held["project:1"]
    yard.vendor.closed.add("project:1")
    yard.vendor.untold()
    assert ("task.moved", yard.id("task:9")) in yard.told(lambda: yard.sync(kind=STRUCTURE))
    assert yard.ask(homes) == [yard.id("project:2")]
    assert yard.row("task:9").project_id == yard.id("project:2")
    assert yard.row("task:1").access_lost_at is not None
    yard.sync(kind=STRUCTURE)
    assert "task:9" not in yard.vendor.looked
