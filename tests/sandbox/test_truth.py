"""The truth: the house rules for dates, homes, statuses and archives, each on a task made for it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sandbox import seed, truth
from hub.sandbox.meaning import asana_category, clickup_category, monday_category, suggest
from hub.sandbox.world import TOOLS, Task, Tool, World


@pytest.fixture
def world() -> World:
    return seed.build(seed=6, tasks=200)


def rows(world: World, tool: Tool) -> dict[str, dict[str, Any]]:
    return truth.expected_tasks(world, tool)


def one(world: World, tool: Tool, **wanted: Any) -> Task:
    """The first listable task whose row has these values."""
    key = next(key for key, row in rows(world, tool).items() if all(row[name] == value for name, value in wanted.items()))
    return world.tasks[tool][key]


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("Backlog", "backlog"),
        ("To-Do 📝", "unstarted"),
        ("Not started", "unstarted"),
        ("Untitled section", "unstarted"),
        (None, "unstarted"),
        ("IN PROGRESS", "started"),
        ("Ready for review", "started"),
        ("Working on it", "started"),
        ("On hold (supplier)", "blocked"),
        ("Wird geprüft", None),
        ("Sonstiges", None),
        ("Done", None),
        ("Renewed", None),
    ],
)
def test_a_name_suggests_by_whole_words_and_never_done(name: str | None, category: str | None) -> None:
    assert suggest(name) == category


def test_the_vendors_own_sign_of_done_comes_first() -> None:
    assert asana_category("Blocked", True) == "done"
    assert clickup_category("to do", "closed") == "done"
    assert monday_category("Stuck", "done") == "done"
    assert clickup_category("wird geprüft", "custom") == "started"
    assert monday_category("Wird geprüft", "label") == "unknown"
    assert asana_category(None, False) == "unstarted"


def test_an_asana_hour_is_on_the_users_day_and_mondays_on_utcs(world: World) -> None:
    late = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    for tool in ("asana", "clickup"):
        task = one(world, tool, parent=None)
        task.due = late
        assert (rows(world, tool)[task.id]["due_on"], rows(world, tool)[task.id]["due_at"]) == ("2026-07-02", "2026-07-01T22:30:00.000Z")
    item = one(world, "monday", parent=None)
    item.due = late
    assert rows(world, "monday")[item.id]["due_on"] == "2026-07-01"


@pytest.mark.parametrize(("instant", "day"), [("2026-03-29T02:00:00Z", "2026-03-29"), ("2026-12-01T03:00:00Z", "2026-12-01")])
def test_clickups_four_oclock_is_a_date_in_summer_and_winter(world: World, instant: str, day: str) -> None:
    task = one(world, "clickup", parent=None)
    task.due = datetime.fromisoformat(instant)
    row = rows(world, "clickup")[task.id]
    assert (row["due_on"], row["due_at"]) == (day, None)


def test_a_date_is_never_made_into_midnight(world: World) -> None:
    for tool in ("asana", "monday", "clickup"):
        task = one(world, tool, parent=None)
        task.due = date(2028, 2, 29)
        row = rows(world, tool)[task.id]
        assert (row["due_on"], row["due_at"]) == ("2028-02-29", None)


def test_a_subtask_inherits_its_nearest_ancestors_project_and_no_membership(world: World) -> None:
    held = rows(world, "asana")
    for key, row in held.items():
        task = world.tasks["asana"][key]
        if task.parent and not task.homes:
            assert row["project"] == held[task.parent]["project"]
            assert (row["projects"], row["section"], row["status"]) == ([], None, None)


def test_a_subitem_belongs_to_its_parents_board(world: World) -> None:
    child = next(
        task
        for task in world.tasks["monday"].values()
        if task.parent and world.projects["monday"][task.homes[0][0]].kind == "companion" and not task.deleted
    )
    held = rows(world, "monday")
    assert held[child.id]["project"] == held[child.parent or ""]["project"]
    assert held[child.id]["section"] is None
    assert all(row["project"] not in {key for key, one in world.projects["monday"].items() if one.kind == "companion"} for row in held.values())


def test_a_parent_on_a_multi_level_board_has_no_status_of_its_own(world: World) -> None:
    board = next(one for one in world.projects["monday"].values() if one.hierarchy == "multi_level" and one.statuses)
    parent = next(task for task in world.tasks["monday"].values() if task.homes[0][0] == board.id and task.parent is None and not task.deleted)
    done = next((status for status in board.statuses if status.type == "done"), board.statuses[0])
    parent.status, parent.completed_at = done.id, world.now
    world.create_task("monday", "Kind", parent=parent.id)
    row = rows(world, "monday")[parent.id]
    assert (row["status"], row["status_category"], row["completed_at"]) == (None, "unknown", None)


def test_a_board_without_a_status_column_says_nothing(world: World) -> None:
    bare = {key for key, one in world.projects["monday"].items() if one.kind == "board" and "status" not in one.columns}
    found = {row["status_category"] for key, row in rows(world, "monday").items() if world.tasks["monday"][key].homes[0][0] in bare}
    assert found == {"unknown"}


def test_archiving_is_inherited_from_project_and_from_any_container(world: World) -> None:
    task = one(world, "clickup", archived=False)
    folder = world.nodes["clickup"][world.projects["clickup"][task.homes[0][0]].node or ""]
    folder.archived = True
    assert rows(world, "clickup")[task.id]["archived"]
    folder.archived = False
    world.archive_project("clickup", task.homes[0][0])
    assert rows(world, "clickup")[task.id]["archived"]


def test_an_archived_item_of_monday_cannot_be_listed_and_a_task_of_clickup_can(world: World) -> None:
    item, task = one(world, "monday", parent=None), one(world, "clickup", archived=False)
    world.archive_task("monday", item.id)
    world.archive_task("clickup", task.id)
    assert item.id not in rows(world, "monday")
    assert rows(world, "clickup")[task.id]["archived"]


def test_a_membership_in_a_hidden_project_is_left_out(world: World) -> None:
    hidden = {key for key, one in world.projects["asana"].items() if not world.sees_project(one)}
    shared = [task for task in world.tasks["asana"].values() if {key for key, _ in task.homes} & hidden and task.id in rows(world, "asana")]
    assert shared
    for task in shared:
        row = rows(world, "asana")[task.id]
        assert row["project"] not in hidden
        assert not set(row["projects"]) & hidden


def test_the_free_plan_of_asana_knows_no_custom_fields_and_no_unassigned_loose_task() -> None:
    paid, free = seed.build(seed=6, tasks=200), seed.build(seed=6, tasks=200, plans={"asana": "free"})
    missing = rows(paid, "asana").keys() - rows(free, "asana").keys()
    assert all(not paid.tasks["asana"][key].homes for key in missing)
    assert {(row["priority"], len(row["custom_fields"])) for row in rows(free, "asana").values()} == {("none", 0)}
    assert {row["priority"] for row in rows(paid, "asana").values()} == {"none", "high", "normal", "low"}


def test_custom_values_are_names_and_references(world: World) -> None:
    kinds: dict[str, Any] = {}
    for tool in TOOLS:
        for row in rows(world, tool).values():
            kinds |= {world.fields[tool][key].type: value for key, value in row["custom_fields"].items()}
    assert set(kinds) == {"text", "number", "money", "date", "range", "enum", "multi_enum", "person", "bool", "url", "relation", "formula"}
    assert kinds["person"][0].startswith("identity:")
    assert kinds["relation"][0].startswith("task:")
    assert isinstance(kinds["formula"], str)


def test_projects_come_without_documents_companions_and_what_is_hidden(world: World) -> None:
    held = truth.expected_projects(world, "monday")
    assert held
    assert {world.projects["monday"][key].kind for key in held} == {"board"}
    assert all(not world.projects["monday"][key].hidden and not world.projects["monday"][key].deleted for key in held)


def test_differences_name_what_is_missing_too_much_and_other() -> None:
    expected = {"1": {"title": "a", "n": 8.0}, "2": {"title": "b", "n": 1}, "4": {"title": "d", "n": 3}}
    held = {"1": {"title": "a", "n": 8, "more": True}, "2": {"title": "B", "n": 1}, "3": {"title": "c", "n": 1}}
    lines = truth.differences(expected, held)
    assert lines == ["2.title: expected 'b', held 'B'", "3: held but not expected ('c')", "4: missing (expected 'd')"]
    assert truth.differences(expected, held, limit=1)[-1] == "... and 2 more"
    assert truth.differences(expected, expected) == []


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.integers(-99, 99), st.text(max_size=5), st.booleans()), max_size=6))
def test_a_fingerprint_does_not_depend_on_the_order_of_keys(row: dict[str, Any]) -> None:
    turned = dict(reversed(row.items()))
    assert truth.fingerprint({"x": row}) == truth.fingerprint({"x": turned})
    assert truth.fingerprint({"x": row}) != truth.fingerprint({"x": row | {"another": 1}})


def test_a_fingerprint_takes_whole_floats_for_integers() -> None:
    assert truth.fingerprint([{"n": 8.0, "deep": [2.0]}]) == truth.fingerprint([{"n": 8, "deep": [2]}])
