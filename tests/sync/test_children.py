"""A parent that has more subtasks than were seen is read itself, level by level, each at most once a pass."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from connectors.errors import Refused, Transient
from hub.models import Task
from tests.sync.conftest import Hub
from tests.sync.pretend import ALWAYS, project, task


@pytest.fixture
def deep(hub: Hub) -> Hub:
    """A task with a subtask, which has two, one of which has one: lists show the first alone."""
    hub.vendor.counts_children, hub.vendor.lists_subtasks, hub.vendor.concurrency = True, False, 1
    hub.vendor.put(
        project("1"),
        task("1", "1"),
        task("2", parent_id="task:1"),
        task("3", parent_id="task:2"),
        task("4", parent_id="task:2"),
        task("5", parent_id="task:4"),
        task("9", "1"),
    )
    return hub


def parents_read(hub: Hub) -> list[str]:
    return [key for key, _ in hub.vendor.reads if key.startswith("children/")]


def held(hub: Hub) -> list[str]:
    return sorted(hub.ask(select(Task.external_id).where(Task.deleted_at.is_(None))))


def test_every_level_is_read_and_each_parent_once(deep: Hub) -> None:
    assert deep.complete().tasks == 6
    assert parents_read(deep) == ["children/task:1", "children/task:2", "children/task:4"]
    assert [deep.row(f"task:{n}").project_id for n in range(1, 6)] == [deep.id("project:1")] * 5


def test_an_unchanged_tree_is_read_by_the_same_calls_and_writes_nothing(deep: Hub) -> None:
    deep.complete()
    before = deep.dump()
    deep.complete()
    assert parents_read(deep) == ["children/task:1", "children/task:2", "children/task:4"]
    assert deep.dump() == before


def test_subtasks_that_lists_show_are_not_asked_for(deep: Hub) -> None:
    deep.vendor.lists_subtasks = True
    assert deep.complete().tasks == 6
    assert parents_read(deep) == []


def test_a_count_that_never_agrees_is_asked_about_once_a_pass(deep: Hub) -> None:
    deep.complete()
    deep.vendor.unlisted.add("task:5")
    deep.vendor.change("task:4", title="says one child and shows none")
    deep.vendor.counted["task:4"] = 1
    for _ in range(2):
        deep.complete()
        assert parents_read(deep).count("children/task:4") == 1
    assert held(deep) == ["1", "2", "3", "4", "5", "9"]


def test_a_deleted_subtask_is_found_by_its_parents_list(deep: Hub) -> None:
    deep.complete()
    deep.vendor.drop("task:3")
    assert deep.complete().deleted == 1
    assert held(deep) == ["1", "2", "4", "5", "9"]


def test_a_parent_that_cannot_be_read_costs_its_subtasks_nothing(deep: Hub) -> None:
    deep.complete()
    deep.vendor.fail("children/task:2", Transient("no answer"))
    assert deep.sync().state == "partial"
    assert held(deep) == ["1", "2", "3", "4", "5", "9"]
    deep.complete()
    assert ("project:1", 0) not in deep.vendor.reads
    assert parents_read(deep)[0] == "children/task:2"


def test_a_hidden_parent_is_not_asked_for_its_subtasks(deep: Hub) -> None:
    deep.complete()
    deep.vendor.fail("project:1", Refused("not for you"), times=ALWAYS)
    for _ in range(2):
        assert deep.sync().faults == 0
        assert parents_read(deep) == []
    assert all(deep.ask(select(Task.access_lost_at)))
