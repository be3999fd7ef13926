"""Gone or not: absence makes a candidate, evidence makes a tombstone, a refusal makes neither."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from connectors.errors import Refused, Transient
from connectors.records import Container, ContainerKind, Identity, Membership, Section
from hub.models import Change, Missing
from tests.sync.conftest import Hub
from tests.sync.pretend import ALWAYS, project, task


@pytest.fixture
def yard(hub: Hub) -> Hub:
    """Two projects, read once: tasks 1 and 2 in the first, 3 and 4 in the second."""
    hub.vendor.put(project("1"), project("2"), task("1", "1"), task("2", "1"), task("3", "2"), task("4", "2"))
    hub.complete()
    return hub


def buried(hub: Hub, *refs: str) -> dict[str, str | None]:
    """The evidence on each of the rows, null where it lives."""
    return {ref: hub.row(ref).deleted_how for ref in refs}


def test_absent_and_gone_by_id_is_marked_at_once_with_its_evidence(yard: Hub) -> None:
    yard.vendor.drop("task:2")
    told = yard.told(lambda: yard.complete())
    assert buried(yard, "task:1", "task:2") == {"task:1": None, "task:2": "gone_by_id"}
    assert told == [("task.deleted", yard.id("task:2")), ("sync.completed", yard.connection_id)]
    assert (yard.run().deleted, yard.run().tasks) == (1, 3)
    change = yard.ask(select(Change).where(Change.field == "deleted_at"))[0]
    assert (change.entity_id, change.old, change.occurred_at) == (yard.id("task:2"), None, None)


def test_a_deletion_is_told_once(yard: Hub) -> None:
    yard.vendor.drop("task:2")
    yard.complete()
    assert yard.told(lambda: yard.complete()) == []
    assert yard.vendor.looked == []


def test_absence_without_an_answer_needs_two_complete_passes(yard: Hub) -> None:
    yard.vendor.drop("task:2")
    yard.vendor.silent.add("task:2")
    assert yard.told(lambda: yard.complete()) == []
    assert buried(yard, "task:2") == {"task:2": None}
    yard.complete()
    assert buried(yard, "task:2") == {"task:2": "two_passes"}


def test_what_no_tool_reads_by_id_needs_two_complete_passes(hub: Hub) -> None:
    hub.vendor.put(
        project("1"),
        Section(id="section:1", external_id="1", project_id="project:1", name="Doing"),
        Container(id="container:folder/1", external_id="1", kind=ContainerKind.FOLDER, name="Dock"),
        Identity(id="identity:1", external_id="1", name="Ada Example", email=None),
    )
    gone = ("section:1", "container:folder/1", "identity:1")
    hub.complete()
    hub.vendor.drop(*gone)
    hub.complete()
    assert set(buried(hub, *gone).values()) == {None}
    hub.complete()
    assert set(buried(hub, *gone).values()) == {"two_passes"}
    assert hub.ask(select(Missing.entity_id)) == []


def test_missing_once_and_seen_again_is_not_missing_twice(yard: Hub) -> None:
    yard.vendor.silent.add("task:2")
    for listed in (False, True, False):
        (yard.vendor.unlisted.discard if listed else yard.vendor.unlisted.add)("task:2")
        yard.complete()
    assert buried(yard, "task:2") == {"task:2": None}
    yard.complete()
    assert buried(yard, "task:2") == {"task:2": "two_passes"}


def test_a_pass_that_was_given_up_is_no_evidence(yard: Hub) -> None:
    yard.vendor.silent.add("task:2")
    yard.vendor.unlisted.add("task:2")
    yard.vendor.fail("project:2", Transient("no answer"))
    yard.sync()
    yard.complete(anew=True)
    assert buried(yard, "task:2") == {"task:2": None}


def test_nothing_of_a_slice_that_failed_is_deleted(yard: Hub) -> None:
    yard.vendor.drop("task:2", "task:4")
    yard.vendor.fail("project:1", Transient("no answer"), times=2)
    for _ in range(2):
        yard.sync()
    assert buried(yard, "task:1", "task:2", "task:4") == {"task:1": None, "task:2": None, "task:4": "gone_by_id"}
    yard.complete()
    assert buried(yard, "task:1", "task:2") == {"task:1": None, "task:2": "gone_by_id"}


def test_what_was_missing_before_its_slice_failed_is_not_buried_by_the_failure(yard: Hub) -> None:
    yard.vendor.silent.add("task:2")
    yard.vendor.unlisted.add("task:2")
    yard.complete()
    yard.vendor.fail("project:1", Transient("no answer"), times=2)
    yard.sync()
    assert buried(yard, "task:2") == {"task:2": None}
    yard.vendor.unlisted.clear()
    yard.sync()
    yard.complete()
    assert buried(yard, "task:2") == {"task:2": None}


def test_two_slices_that_cover_the_same_are_both_needed(hub: Hub) -> None:
    top = Container(id="container:workspace/1", external_id="1", kind=ContainerKind.WORKSPACE, name="Yard")
    hub.vendor.put(top, project("1", container_id=top.id), project("2", container_id=top.id), task("1", "1"), task("2", "2"))
    hub.vendor.covers = {"project:1": (top.id,), "project:2": (top.id,)}
    hub.complete()
    hub.vendor.fail("project:2", Transient("no answer"))
    hub.vendor.drop("task:2")
    hub.sync()
    assert (buried(hub, "task:2"), hub.vendor.looked) == ({"task:2": None}, [])


def test_absent_here_but_seen_there_is_a_move(yard: Hub) -> None:
    yard.vendor.change("task:2", memberships=(Membership(project_id="project:2"),))
    told = yard.told(lambda: yard.complete())
    assert told == [("task.moved", yard.id("task:2")), ("sync.completed", yard.connection_id)]
    assert (yard.row("task:2").project_id, yard.vendor.looked) == (yard.id("project:2"), [])


def test_tasks_go_with_their_project_without_a_question_each(yard: Hub) -> None:
    yard.vendor.drop("project:2", "task:3", "task:4")
    told = yard.told(lambda: yard.complete())
    assert buried(yard, "project:2", "task:3", "task:4") == {"project:2": "gone_by_id", "task:3": "parent_deleted", "task:4": "parent_deleted"}
    assert yard.vendor.looked == ["project:2"]
    assert sorted(kind for kind, _ in told) == ["project.deleted", "sync.completed", "task.deleted", "task.deleted"]


def test_tasks_of_a_dead_project_go_though_another_project_is_refused_for_good(hub: Hub) -> None:
    hub.vendor.put(project("1"), project("2"), project("3"), task("1", "1"), task("2", "2"), task("3", parent_id="task:2"))
    hub.vendor.fail("project:3", Refused("not for you"), times=ALWAYS)
    hub.sync()
    hub.vendor.drop("project:2", "task:2", "task:3")
    assert hub.sync().faults == 0
    assert buried(hub, "task:1", "task:2", "task:3") == {"task:1": None, "task:2": "parent_deleted", "task:3": "parent_deleted"}


def test_a_task_that_is_also_elsewhere_outlives_a_project(hub: Hub) -> None:
    hub.vendor.put(project("1"), project("2"), task("1", "1", "2"))
    hub.complete()
    hub.vendor.drop("project:1")
    hub.vendor.change("task:1", memberships=(Membership(project_id="project:2"),))
    hub.complete()
    assert (buried(hub, "task:1"), hub.row("task:1").project_id) == ({"task:1": None}, hub.id("project:2"))


def test_found_by_id_though_on_no_list_is_kept_alive_pass_after_pass(yard: Hub) -> None:
    yard.vendor.unlisted.add("task:2")
    for number in range(4):
        yard.vendor.change("task:2", title=f"title {number}")
        yard.complete()
        assert yard.vendor.looked == ["task:2"]
        assert (buried(yard, "task:2"), yard.row("task:2").title) == ({"task:2": None}, f"title {number}")
    yard.vendor.drop("task:2")
    yard.complete()
    assert buried(yard, "task:2") == {"task:2": "gone_by_id"}


def test_refused_by_id_is_hidden_and_not_deleted(yard: Hub) -> None:
    yard.vendor.unlisted.add("task:2")
    yard.vendor.closed.add("task:2")
    for _ in range(3):
        yard.complete()
        row = yard.row("task:2")
        assert (row.deleted_at, row.deleted_how, row.access_lost_at is not None) == (None, "refused_by_id", True)


def test_a_guard_holds_back_a_mass_deletion_until_an_admin_says_so(hub: Hub) -> None:
    hub.vendor.put(project("1"), project("2"), *(task(str(n), "1" if n < 70 else "2") for n in range(100)))
    hub.complete()
    hub.vendor.drop("project:2", *(f"task:{n}" for n in range(70, 100)))
    assert hub.told(hub.sync) == []
    run = hub.run()
    assert (run.state, run.deleted, run.tasks) == ("partial", 0, 100)
    assert run.errors == [
        "30 of 100 tasks are no longer shown by the tool; nothing was marked deleted. If that is right: hub sync --accept-deletions"
    ]
    assert buried(hub, "project:2", "task:99") == {"project:2": None, "task:99": None}
    assert hub.sync().state == "partial"
    assert hub.complete(accept_deletions=True).deleted == 30
    assert buried(hub, "project:2", "task:69", "task:70") == {"project:2": "gone_by_id", "task:69": None, "task:70": "parent_deleted"}


def test_the_guard_minds_no_handful(hub: Hub) -> None:
    hub.vendor.put(project("1"), *(task(str(n), "1") for n in range(20)))
    hub.complete()
    hub.vendor.drop(*(f"task:{n}" for n in range(20)))
    assert hub.complete().deleted == 20


def test_a_deleted_task_that_reappears_is_restored(yard: Hub) -> None:
    body = yard.vendor.held["task:2"]
    yard.vendor.drop("task:2")
    yard.complete()
    yard.vendor.put(body)
    told = yard.told(lambda: yard.complete())
    assert told == [("task.restored", yard.id("task:2")), ("sync.completed", yard.connection_id)]
    row = yard.row("task:2")
    assert (row.deleted_at, row.deleted_how, row.project_id) == (None, None, yard.id("project:1"))


def test_a_deleted_project_that_reappears_is_restored_with_its_tasks(yard: Hub) -> None:
    bodies = [yard.vendor.held[ref] for ref in ("project:2", "task:3", "task:4")]
    yard.vendor.drop("project:2", "task:3", "task:4")
    yard.complete()
    yard.vendor.put(*bodies)
    told = yard.told(lambda: yard.complete())
    assert sorted(kind for kind, _ in told) == ["project.restored", "sync.completed", "task.restored", "task.restored"]
    assert buried(yard, "project:2", "task:3") == {"project:2": None, "task:3": None}
