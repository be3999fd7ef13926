"""What is told: one event per type and difference between two reads, nothing on first sight, ids and never names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import select

from connectors.errors import AuthFailed, Refused, Transient
from connectors.records import CustomValue, Dependency, FieldType, Identity, Priority, StatusCategory, TaskKind
from connectors.records import Field as Definition
from hub import events as log
from hub.delivery import catalogue, envelope
from hub.models import Change, Connection, Event
from tests.sync.conftest import Hub
from tests.sync.pretend import project, status, task

EDITED = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture
def yard(hub: Hub) -> Hub:
    hub.vendor.put(
        Identity(id="identity:1", external_id="1", name="Ada Example", email="ada@example.org"),
        Definition(id="field:1", external_id="1", name="Size", type=FieldType.NUMBER, project_id="project:1"),
        project("1"),
        project("2"),
        *(
            status(key, word, category, project_id="project:1")
            for key, word, category in (
                ("a", "Waiting", StatusCategory.UNKNOWN),
                ("b", "Doing", StatusCategory.UNKNOWN),
                ("c", "Fertig", StatusCategory.DONE),
            )
        ),
        task("1", "1", status="Waiting", status_id="status:a", due_on=date(2026, 12, 1), updated_at=EDITED),
        task("2", "1", kind=TaskKind.MILESTONE, status="Waiting", status_id="status:a", due_on=date(2026, 12, 1)),
        task("3", "1"),
    )
    hub.complete()
    return hub


def told_of(hub: Hub, ref: str, **values: Any) -> list[str]:
    """The types told of one task after such an edit."""
    hub.vendor.change(ref, **values)
    told = hub.told(lambda: hub.complete())
    assert {entity for kind, entity in told if kind != "sync.completed"} <= {hub.id(ref)}
    return sorted(kind for kind, _ in told if kind != "sync.completed")


def last(hub: Hub, kind: str) -> Event:
    return hub.events(kind)[-1]


def test_the_first_pass_tells_that_it_is_complete_and_nothing_else(yard: Hub) -> None:
    told = yard.events()
    assert [(each.type, each.data["after"]) for each in told] == [
        ("sync.completed", {"baseline": True, "created": 3, "updated": 0, "deleted": 0, "tasks": 3})
    ]
    assert yard.dump(["change"]) == {"change": []}


def test_a_first_pass_in_several_runs_is_silent_to_its_end(hub: Hub) -> None:
    hub.vendor.put(project("1"), project("2"), task("1", "1"), task("2", "2"))
    hub.vendor.fail("project:2", Transient("no answer"))
    assert hub.told(hub.sync) == []
    assert hub.told(hub.complete) == [("sync.completed", hub.connection_id)]


def test_the_first_read_of_a_new_project_tells_the_project_and_none_of_its_tasks(yard: Hub) -> None:
    yard.vendor.put(project("9"), task("91", "9"), task("92", parent_id="task:91"))
    told = yard.told(lambda: yard.complete())
    assert told == [("project.created", yard.id("project:9")), ("sync.completed", yard.connection_id)]
    yard.vendor.put(task("93", "9"))
    assert yard.told(lambda: yard.complete())[0] == ("task.created", yard.id("task:93"))


def test_subtasks_of_a_new_project_that_only_their_parent_names_are_as_silent(hub: Hub) -> None:
    hub.vendor.counts_children, hub.vendor.lists_subtasks = True, False
    hub.vendor.put(project("1"), task("1", "1"), task("2", parent_id="task:1"))
    hub.complete()
    hub.vendor.put(project("9"), task("91", "9"), task("92", parent_id="task:91"), task("3", parent_id="task:1"))
    told = hub.told(hub.complete)
    assert sorted(kind for kind, _ in told) == ["project.created", "sync.completed", "task.created"]
    assert ("task.created", hub.id("task:3")) in told


def test_a_new_task_at_home_in_a_known_project_is_told_wherever_it_is_seen_first(yard: Hub) -> None:
    yard.vendor.concurrency = 1
    yard.vendor.put(project("0"), task("4", "1", "0"))
    yard.vendor.held = {"project:0": yard.vendor.held.pop("project:0")} | yard.vendor.held
    told = yard.told(lambda: yard.complete())
    assert yard.vendor.reads[1] == ("project:0", 0)
    assert ("task.created", yard.id("task:4")) in told


@pytest.mark.parametrize(
    ("ref", "values", "types"),
    [
        ("task:1", {"title": "another word"}, ["task.updated"]),
        ("task:1", {"title": "another word", "tags": ("a",), "priority": "high"}, ["task.updated"]),
        ("task:1", {"status": "Doing", "status_id": "status:b"}, ["task.status_changed"]),
        ("task:1", {"status": "Fertig", "status_id": "status:c"}, ["task.completed", "task.status_changed"]),
        ("task:2", {"status": "Fertig", "status_id": "status:c"}, ["milestone.reached", "task.completed", "task.status_changed"]),
        ("task:1", {"assignee_ids": ("identity:1",)}, ["task.assigned"]),
        ("task:1", {"due_on": date(2026, 12, 9)}, ["task.due_changed"]),
        ("task:2", {"due_on": date(2026, 12, 9)}, ["milestone.slipped", "task.due_changed"]),
        ("task:2", {"due_on": date(2026, 11, 9)}, ["task.due_changed"]),
        ("task:2", {"due_on": None}, ["task.due_changed"]),
        ("task:1", {"memberships": task("1", "2").memberships}, ["task.moved"]),
        ("task:1", {"memberships": task("1", "1", "2").memberships}, ["task.moved"]),
        ("task:3", {"parent_id": "task:1"}, ["task.moved"]),
        ("task:1", {"archived": True}, ["task.archived"]),
        ("task:3", {"depends_on": (Dependency(predecessor_id="task:1"),)}, ["dependency.created"]),
        ("task:1", {"updated_at": datetime(2026, 11, 23, tzinfo=UTC)}, []),
        ("task:1", {"title": "another word", "due_on": None, "assignee_ids": ("identity:1",)}, ["task.assigned", "task.due_changed", "task.updated"]),
    ],
)
def test_each_difference_is_told_once_by_its_own_type(yard: Hub, ref: str, values: dict[str, Any], types: list[str]) -> None:
    assert told_of(yard, ref, **values) == types


def test_what_is_done_can_be_opened_again(yard: Hub) -> None:
    told_of(yard, "task:2", status="Fertig", status_id="status:c", completed_at=EDITED)
    assert told_of(yard, "task:2", status="Doing", status_id="status:b", completed_at=None) == ["task.reopened", "task.status_changed"]


def test_a_dependency_removed_or_replaced_is_told(yard: Hub) -> None:
    told_of(yard, "task:3", depends_on=(Dependency(predecessor_id="task:1"),))
    assert told_of(yard, "task:3", depends_on=(Dependency(predecessor_id="task:2"),)) == ["dependency.created", "dependency.removed"]
    assert told_of(yard, "task:3", depends_on=()) == ["dependency.removed"]


def test_two_changes_between_two_reads_are_one_event(yard: Hub) -> None:
    yard.vendor.change("task:1", status="Doing", status_id="status:b")
    assert told_of(yard, "task:1", status="Fertig", status_id="status:c") == ["task.completed", "task.status_changed"]
    data = last(yard, "task.status_changed").data
    assert (data["before"]["status"], data["after"]["status"]) == ("Waiting", "Fertig")


def test_there_and_back_between_two_reads_is_nothing(yard: Hub) -> None:
    yard.vendor.change("task:1", title="another word")
    assert told_of(yard, "task:1", title="task 1") == []


def test_status_its_id_and_its_category_always_travel_together(yard: Hub) -> None:
    told_of(yard, "task:1", status="Warten", status_id="status:a")
    data = last(yard, "task.status_changed").data
    assert data["changed"] == ["status", "status_id", "status_category"]
    assert data["before"] == {"status": "Waiting", "status_id": str(yard.id("status:a")), "status_category": "blocked"}
    assert data["after"] == {"status": "Warten", "status_id": str(yard.id("status:a")), "status_category": "blocked"}


def test_changes_hold_ids_and_never_names(yard: Hub) -> None:
    told_of(yard, "task:1", assignee_ids=("identity:1",), depends_on=(Dependency(predecessor_id="task:2"),), parent_id="task:3")
    changes = {each.field: (each.old, each.new) for each in yard.ask(select(Change))}
    assert changes == {
        "assignee_ids": ([], [str(yard.id("identity:1"))]),
        "depends_on": ([], [[str(yard.id("task:2")), "FS", 0]]),
        "parent_id": (None, str(yard.id("task:3"))),
    }
    assert "Ada" not in repr(yard.dump(["change", "event"]))


def test_custom_fields_change_one_by_one_under_their_id(yard: Hub) -> None:
    assert told_of(yard, "task:1", custom_fields=(CustomValue(field_id="field:1", type=FieldType.NUMBER, value=3.0),)) == ["task.updated"]
    change = yard.ask(select(Change))[0]
    assert (change.field, change.old, change.new) == (f"custom_fields.{yard.id('field:1')}", None, 3.0)


def test_a_change_says_between_which_two_moments_it_happened(yard: Hub) -> None:
    later = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
    told_of(yard, "task:1", title="another word", updated_at=later)
    change, event = yard.ask(select(Change))[0], last(yard, "task.updated")
    assert (change.occurred_after, change.occurred_at, change.recorded_at, change.precision) == (EDITED, later, yard.clock(), "between")
    assert (event.occurred_after, event.occurred_at, event.recorded_at) == (EDITED, later, yard.clock())
    assert event.change_set == change.change_set


def test_a_completion_that_the_tool_dates_is_exact(yard: Hub) -> None:
    done = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
    told_of(yard, "task:1", status="Fertig", status_id="status:c", completed_at=done)
    change = yard.ask(select(Change).where(Change.field == "completed_at"))[0]
    assert (change.occurred_at, change.precision) == (done, "exact")


@pytest.mark.parametrize("what", ["mapping_version", "context"])
def test_a_new_mapping_is_told_once_and_of_no_task_and_leaves_no_changes(yard: Hub, what: str) -> None:
    setattr(yard.vendor, what, 2 if what == "mapping_version" else "other columns")
    before = yard.row("task:1").digest
    assert yard.told(lambda: yard.complete()) == [("mapping.changed", yard.connection_id)]
    assert last(yard, "mapping.changed").cause == "remap"
    assert yard.row("task:1").digest != before
    assert len(yard.vendor.mapped) == len(yard.vendor.held)
    assert yard.dump(["change"]) == {"change": []}


def test_an_edit_that_comes_with_a_new_mapping_is_still_told(yard: Hub) -> None:
    yard.vendor.mapping_version = 2
    yard.vendor.change("task:1", title="another word")
    told = yard.told(lambda: yard.complete())
    assert [each for each in told if each[0].startswith("task.")] == [("task.updated", yard.id("task:1"))]


def test_a_project_tells_health_apart_from_the_rest(yard: Hub) -> None:
    yard.vendor.change("project:1", health="red", health_text="late", name="another name")
    assert sorted(kind for kind, _ in yard.told(lambda: yard.complete())) == ["project.health_changed", "project.updated"]
    yard.vendor.change("project:1", vendor_count=7)
    assert yard.told(lambda: yard.complete()) == []


def test_subtasks_of_a_new_project_are_silent_though_their_parent_comes_after_them(yard: Hub) -> None:
    yard.vendor.concurrency, yard.vendor.page_size = 1, 1
    yard.vendor.put(project("9"), task("92", parent_id="task:91"), task("91", "9"))
    yard.vendor.covers["project:9"] = ("project:1", "project:9")  # one slice reads old and new projects together
    assert yard.told(lambda: yard.complete()) == [("project.created", yard.id("project:9")), ("sync.completed", yard.connection_id)]
    assert yard.row("task:92").project_id == yard.id("project:9")


def test_a_new_subtask_is_told_once_with_its_home_though_its_parent_comes_after_it(yard: Hub) -> None:
    yard.vendor.concurrency, yard.vendor.page_size = 1, 1
    yard.vendor.put(task("42", parent_id="task:41"), task("41", "1"))
    told = yard.told(lambda: yard.complete())
    assert sorted(told[:-1]) == sorted([("task.created", yard.id("task:41")), ("task.created", yard.id("task:42"))])
    late = next(each for each in yard.events("task.created") if each.entity_id == yard.id("task:42"))
    assert (late.data["project_ids"], late.data["object"]["parent_id"]) == ([str(yard.id("project:1"))], str(yard.id("task:41")))
    assert yard.told(lambda: yard.complete()) == []


def test_few_new_projects_are_told_each_and_many_as_a_wider_scope(yard: Hub) -> None:
    yard.vendor.put(*(project(f"few{n}") for n in range(5)))
    assert [kind for kind, _ in yard.told(lambda: yard.complete())] == ["project.created"] * 5
    yard.vendor.put(*(project(f"many{n}") for n in range(6)), *(task(f"in{n}", f"many{n % 6}") for n in range(30)))
    told = yard.told(lambda: yard.complete())
    assert told == [("connection.scope_changed", yard.connection_id), ("sync.completed", yard.connection_id)]
    event = last(yard, "connection.scope_changed")
    assert (event.cause, event.data["after"]["count"]) == ("scope", 6)
    assert set(event.data["project_ids"]) == {str(yard.id(f"project:many{n}")) for n in range(6)}


def test_a_new_project_whose_reading_fails_is_told_once_all_the_same(yard: Hub) -> None:
    yard.vendor.put(project("9"), task("91", "9"))
    yard.vendor.fail("project:9", Transient("no answer"))
    assert ("project.created", yard.id("project:9")) in yard.told(lambda: yard.sync())
    assert "project.created" not in [kind for kind, _ in yard.told(lambda: yard.complete())]


def test_losing_and_regaining_many_projects_is_one_event_each(hub: Hub) -> None:
    hub.vendor.put(*(project(str(n)) for n in range(8)), *(task(str(n), str(n % 8)) for n in range(40)))
    hub.complete()
    hub.vendor.together, hub.vendor.shut = True, {f"project:{n}": Refused("not yours") for n in range(8)}
    assert [kind for kind, _ in hub.told(hub.sync)] == ["container.access_lost"]
    assert len(last(hub, "container.access_lost").data["project_ids"]) == 8
    hub.vendor.mend()
    hub.vendor.change("task:1", title="changed while nobody could see it")
    assert [kind for kind, _ in hub.told(hub.complete)] == ["container.access_regained", "sync.completed"]
    assert hub.row("task:1").title == "changed while nobody could see it"


def test_a_task_that_the_tool_keeps_and_refuses_has_left_the_scope_until_it_is_seen_again(yard: Hub) -> None:
    yard.vendor.unlisted.add("task:2")
    yard.vendor.closed.add("task:2")
    told = yard.told(lambda: yard.sync())
    assert ("task.left_scope", yard.id("task:2")) in told
    assert not [kind for kind, _ in told if kind == "task.deleted"]
    assert last(yard, "task.left_scope").cause == "scope"
    assert yard.told(lambda: yard.sync()) == []
    yard.vendor.mend()
    yard.vendor.unlisted.clear()
    assert ("task.restored", yard.id("task:2")) in yard.told(lambda: yard.complete())
    assert last(yard, "task.restored").cause == "scope"


def test_a_task_that_comes_back_from_archive_and_deletion_at_once_is_restored_once(yard: Hub) -> None:
    told_of(yard, "task:1", archived=True)
    held: Any = yard.vendor.held["task:1"]
    yard.vendor.drop("task:1")
    assert ("task.deleted", yard.id("task:1")) in yard.told(lambda: yard.complete())
    yard.vendor.put(replace(held, archived=False))
    told = yard.told(lambda: yard.complete())
    assert [kind for kind, _ in told] == ["task.restored", "sync.completed"]
    assert last(yard, "task.restored").data["changed"] == ["archived", "deleted_at"]


def test_cancelled_is_not_completed_and_from_there_a_task_is_reopened(yard: Hub) -> None:
    yard.vendor.put(status("x", "Dropped", StatusCategory.CANCELLED, project_id="project:1"))
    assert told_of(yard, "task:2", status="Dropped", status_id="status:x") == ["task.status_changed"]
    assert told_of(yard, "task:2", status="Fertig", status_id="status:c") == ["milestone.reached", "task.completed", "task.status_changed"]
    assert told_of(yard, "task:2", status="Dropped", status_id="status:x") == ["task.status_changed"]
    assert told_of(yard, "task:2", status="Doing", status_id="status:b") == ["task.reopened", "task.status_changed"]


def test_another_instant_of_completion_alone_is_an_update(yard: Hub) -> None:
    told_of(yard, "task:1", status="Fertig", status_id="status:c", completed_at=EDITED)
    assert told_of(yard, "task:1", completed_at=datetime(2026, 11, 21, tzinfo=UTC)) == ["task.updated"]


def test_an_event_keeps_the_state_at_its_time_whatever_comes_after(yard: Hub) -> None:
    told_of(yard, "task:1", title="first", assignee_ids=("identity:1",), depends_on=(Dependency(predecessor_id="task:2"),))
    told_of(yard, "task:1", title="second", assignee_ids=())
    first, second = [each.data for each in yard.events("task.updated")]
    assert (first["object"]["title"], first["object"]["assignee_ids"]) == ("first", [str(yard.id("identity:1"))])
    assert (second["object"]["title"], second["object"]["assignee_ids"]) == ("second", [])
    assert first["object"]["depends_on"] == [{"task_id": str(yard.id("task:2")), "type": "FS", "lag_minutes": 0}]
    assert first["project_ids"] == first["object"]["project_ids"] == [str(yard.id("project:1"))]
    assert first["external_id"] == "1"


def test_a_deletion_tells_the_last_state(yard: Hub) -> None:
    told_of(yard, "task:1", assignee_ids=("identity:1",))
    yard.vendor.drop("task:1")
    yard.complete()
    data = last(yard, "task.deleted").data
    assert (data["object"]["assignee_ids"], data["project_ids"]) == ([str(yard.id("identity:1"))], [str(yard.id("project:1"))])
    assert data["object"]["deleted_at"] == data["after"]["deleted_at"]


def test_events_of_one_change_have_one_version_and_later_ones_a_larger(yard: Hub) -> None:
    told_of(yard, "task:1", title="another word", due_on=None)
    told_of(yard, "task:1", title="a third word")
    first, second, third = [each.data["version"] for each in yard.events("task.")]
    assert first == second < third


def test_what_a_task_leaves_behind_is_kept_for_those_who_watched_it_there(yard: Hub) -> None:
    told_of(yard, "task:1", memberships=task("1", "2").memberships, title="another word", tags=("new",))
    for kind in ("task.moved", "task.updated"):
        assert last(yard, kind).data["was"] == {"project_ids": [str(yard.id("project:1"))], "tags": []}
    assert last(yard, "task.moved").data["before"]["memberships"] == [{"project_id": str(yard.id("project:1")), "section_id": None}]


def test_the_first_event_names_the_log_and_a_restore_names_it_anew(yard: Hub) -> None:
    with yard.database.writing() as session:
        first = log.epoch(session)
        assert first == int(yard.clock().timestamp())
        assert log.begin_epoch(session, yard.clock()) > first
        assert log.epoch(session) > first


def test_a_connection_that_finds_its_rows_again_tells_nothing_until_it_has_read_all(yard: Hub) -> None:
    with yard.database.writing() as session:
        session.get_one(Connection, yard.connection_id).history_from = None
    yard.vendor.change("task:1", title="changed while nobody read")
    yard.vendor.change("project:1", name="changed too")
    assert yard.told(lambda: yard.complete()) == [("sync.completed", yard.connection_id)]


def test_whatever_is_told_fits_the_catalogue(yard: Hub) -> None:
    """A life with most of what can happen in it, each event judged by its type's published schema."""
    vendor = yard.vendor
    vendor.put(task("4", "1", "2", assignee_ids=("identity:1",), custom_fields=(CustomValue(field_id="field:1", type=FieldType.NUMBER, value=3.0),)))
    vendor.put(project("9", health="green"), task("91", "9"))
    yard.complete()
    told_of(
        yard,
        "task:2",
        status="Fertig",
        status_id="status:c",
        completed_at=EDITED,
        due_on=date(2026, 12, 9),
        title="x",
        tags=("a",),
        priority=Priority.HIGH,
    )
    told_of(yard, "task:2", status="Doing", status_id="status:b", completed_at=None, memberships=task("2", "2").memberships, parent_id="task:1")
    told_of(yard, "task:3", depends_on=(Dependency(predecessor_id="task:1"),), archived=True, start_at=EDITED)
    told_of(yard, "task:3", depends_on=(), archived=False, assignee_ids=("identity:1",))
    vendor.change("project:9", health="red", health_text="late", name="renamed", archived=True)
    vendor.change("status:a", category=StatusCategory.STARTED)
    vendor.mapping_version = 2
    yard.complete()
    vendor.drop("task:1", "project:9", "task:91")
    vendor.unlisted.add("task:4")
    vendor.closed.add("task:4")
    yard.sync(accept_deletions=True)
    vendor.together, vendor.shut = True, {"project:2": Refused("not yours")}
    yard.sync()
    vendor.mend()
    vendor.fail("structure", AuthFailed("no"))
    yard.sync()
    yard.complete()
    with yard.database.reading() as session:
        lines = envelope.read(session, 0, 1000)
    for line in lines:
        catalogue.message_of(line.type).model_validate_json(envelope.body(line, thin=False))
    assert len({line.type for line in lines}) > 22
