"""Column values as the pretend monday.com renders them, against what the world holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from hub.sandbox import seed
from hub.sandbox.columns_monday import PRIORITIES
from hub.sandbox.knobs import Knobs
from hub.sandbox.monday.door import Door
from hub.sandbox.world import Project, Task, World

VALUES = """query ($i: [ID!], $c: [String!]) { items(ids: $i, limit: 100) { id column_values(ids: $c) { __typename id type text value
  ... on StatusValue { index label is_done } ... on DateValue { date time } ... on TimelineValue { from to visualization_type }
  ... on PeopleValue { persons_and_teams { id kind } } ... on BoardRelationValue { linked_item_ids } ... on SubtasksValue { subitems_ids }
  ... on DependencyValue { linked_item_ids dependency_links { linked_item_id dependency_type lag } } ... on FormulaValue { display_value }
  ... on TagsValue { tags { name } } ... on DropdownValue { values { label } } ... on NumbersValue { number symbol } ... on CheckboxValue { checked }
  ... on TimeTrackingValue { duration running } ... on WeekValue { start_date end_date } ... on LinkValue { url }
  ... on BatteryValue { battery_value { key count } } } } }"""

TOLD: dict[str, Callable[[dict[str, Any]], Any]] = {
    "text": lambda value: value["text"],
    "long_text": lambda value: value["text"],
    "numbers": lambda value: value["number"],
    "dropdown": lambda value: [row["label"] for row in value["values"]],
    "people": lambda value: [row["id"] for row in value["persons_and_teams"]],
    "link": lambda value: value["url"],
    "checkbox": lambda value: value["checked"],
    "board_relation": lambda value: value["linked_item_ids"],
    "formula": lambda value: value["display_value"],
    "week": lambda value: [value["start_date"][:10], value["end_date"][:10]],
    "status": lambda value: value["label"],
    "date": lambda value: json.loads(value["value"])["date"],
}
"""What a custom field's value says, by the vendor's type."""


@pytest.fixture
def world() -> World:
    return seed.build(seed=1, tasks=400)


@pytest.fixture
def door(world: World) -> Door:
    return Door(world, Knobs(limits=False), lambda: 1_800_000_000.0)


def values(door: Door, task: Task, *columns: str) -> dict[str, dict[str, Any]]:
    """The item's column values by column id."""
    body = orjson.dumps({"query": VALUES, "variables": {"i": [task.id], "c": list(columns) or None}})
    reply = door.answer(door.account.world.tokens["monday"], None, body)
    assert "errors" not in reply.body, reply.body["errors"]
    return {value["id"]: value for value in reply.body["data"]["items"][0]["column_values"]}


def live(world: World, role: str) -> list[tuple[Task, Project, str]]:
    """Every readable task whose board has a column of that role, with the column's id."""
    projects = world.projects["monday"]
    rows = [(task, projects[task.homes[0][0]]) for task in world.tasks["monday"].values() if not task.deleted]
    return [(task, board, board.columns[role]) for task, board in rows if role in board.columns and world.sees_project(board)]


def parents(world: World) -> set[str | None]:
    return {task.parent for task in world.tasks["monday"].values() if not task.deleted}


def test_a_status_tells_label_id_doneness_and_when_it_was_set(world: World, door: Door) -> None:
    above = parents(world)
    done = 0
    for task, board, column in live(world, "status")[:120]:
        if board.hierarchy == "multi_level" and task.id in above:
            continue
        shown = values(door, task)[column]
        status = next((row for row in board.statuses if row.id == task.status), None)
        assert (shown["index"], shown["label"], shown["is_done"]) == (
            (int(status.id.split("/")[2]), status.name, status.type == "done") if status else (None, None, False)
        )
        if status and status.type == "done" and task.completed_at:
            done += 1
            assert json.loads(shown["value"])["changed_at"] == f"{task.completed_at:%Y-%m-%dT%H:%M:%S}.000Z"
        elif status is None:
            assert shown["value"] is None
    assert done > 5


def test_a_multi_level_parent_shows_a_battery_in_place_of_a_status(world: World, door: Door) -> None:
    above = parents(world)
    task, board, column = next(row for row in live(world, "status") if row[1].hierarchy == "multi_level" and row[0].id in above)
    shown = values(door, task)[column]
    children = [child for child in world.tasks["monday"].values() if child.parent == task.id and not child.deleted]
    assert (shown["__typename"], shown["value"]) == ("BatteryValue", None)
    assert sum(row["count"] for row in shown["battery_value"]) == len(children) > 0
    assert {row["key"] for row in shown["battery_value"]} <= {row.id.split("/")[2] for row in board.statuses} | {"5"}


def test_a_dates_value_is_utc_and_its_text_is_in_the_users_zone(world: World, door: Door) -> None:
    task, _, column = live(world, "due")[0]
    task.due, task.updated_at = datetime(2026, 7, 1, 15, 30, tzinfo=UTC), world.now
    shown = values(door, task)[column]
    assert {key: json.loads(shown["value"])[key] for key in ("date", "time")} == {"date": "2026-07-01", "time": "15:30:00"}
    assert (shown["time"], shown["text"]) == ("17:30:00", "2026-07-01 17:30")


def test_a_date_without_a_time_has_none(world: World, door: Door) -> None:
    task, _, column = next(row for row in live(world, "due") if type(row[0].due) is date)
    shown = values(door, task)[column]
    assert task.due is not None
    assert (shown["date"], shown["time"], "time" in json.loads(shown["value"])) == (task.due.isoformat(), None, False)


def test_a_milestone_is_a_timeline_of_its_own_kind(world: World, door: Door) -> None:
    task, _, column = next(row for row in live(world, "timeline") if row[0].kind == "milestone")
    shown = values(door, task)[column]
    assert shown["visualization_type"] == json.loads(shown["value"])["visualization_type"] == "milestone"
    assert shown["from"] == shown["to"] == f"{task.due}T00:00:00Z"


def test_people_teams_and_agents_are_told_apart(world: World, door: Door) -> None:
    kinds: set[str] = set()
    for task, _, column in live(world, "assignees"):
        shown = values(door, task)[column]
        assert [row["id"] for row in shown["persons_and_teams"]] == task.assignees + task.teams
        kinds |= {row["kind"] for row in shown["persons_and_teams"]}
        if not task.assignees and not task.teams:
            assert (shown["text"], shown["value"]) == ("", None)
    assert kinds == {"person", "team", "agent"}


def test_a_dependency_has_type_and_lag_in_days_and_no_value(world: World, door: Door) -> None:
    types: set[int] = set()
    for task, _, column in live(world, "dependency"):
        if not task.depends_on:
            continue
        shown = values(door, task)[column]
        assert (shown["value"], shown["text"]) == (None, None)
        assert [(row["linked_item_id"], row["lag"] * 1440) for row in shown["dependency_links"]] == [
            (edge.task, edge.lag_minutes) for edge in task.depends_on
        ]
        assert [("FS", "SS", "FF", "SF")[row["dependency_type"]] for row in shown["dependency_links"]] == [edge.type for edge in task.depends_on]
        types |= {row["dependency_type"] for row in shown["dependency_links"]}
    assert len(types) > 1


def test_numbers_times_and_priorities_hold_what_the_world_holds(world: World, door: Door) -> None:
    for task, _, column in live(world, "estimate"):
        assert values(door, task)[column]["number"] == (None if task.estimate_minutes is None else task.estimate_minutes / 60)
    for task, _, column in live(world, "logged"):
        assert values(door, task)[column]["duration"] == (None if task.logged_minutes is None else task.logged_minutes * 60)
    words = {word: name for name, word in PRIORITIES}
    for task, _, column in live(world, "priority"):
        assert values(door, task)[column]["label"] == (words[task.priority] if task.priority else None)


def test_custom_fields_of_every_type_hold_what_the_world_holds(world: World, door: Door) -> None:
    seen: set[str] = set()
    for task, board, _ in live(world, "assignees"):
        shown = values(door, task)
        for key in board.fields:
            definition, held = world.fields["monday"][key], task.values.get(key)
            value = shown[key.split("/")[1]]
            assert value["type"] == definition.vendor_type
            if held is None:
                assert value["value"] is None
                continue
            seen.add(definition.vendor_type)
            names = {option: name for option, name, _ in definition.options}
            told = TOLD[definition.vendor_type](value)
            wanted = [names[option] for option in held] if definition.type == "multi_enum" else names[held] if definition.type == "enum" else held
            assert told == (wanted[:10] if definition.type == "date" else wanted), definition.vendor_type
    assert seen >= {"text", "dropdown", "numbers", "people", "link", "checkbox", "long_text", "board_relation", "formula", "week", "date"}


def test_unknown_column_ids_are_ignored_and_the_order_is_nobodys(world: World, door: Door) -> None:
    task, _, column = live(world, "due")[0]
    assert list(values(door, task, "nope", column)) == [column]
    orders = {tuple(values(door, row[0])) for row in live(world, "due") if row[1].id == live(world, "due")[0][1].id}
    assert len(orders) > 1


def test_a_change_of_the_world_is_seen_at_once(world: World, door: Door) -> None:
    task, board, column = next(row for row in live(world, "status") if row[0].status and row[1].hierarchy == "classic")
    assert task.status is not None
    assert values(door, task)[column]["label"] is not None
    world.rename_status("monday", board.id, task.status, "Ganz anders")
    assert values(door, task)[column]["label"] == "Ganz anders"
    world.set_status("monday", task.id, None)
    assert values(door, task)[column]["label"] is None
