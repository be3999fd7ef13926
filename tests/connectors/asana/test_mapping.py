"""What a mapping refuses, tolerates and depends on; what it makes of each oddity is in ``test_golden``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.asana import items, mapping, selection
from connectors.asana.options import Options
from connectors.base import Item
from connectors.errors import BadResponse
from connectors.records import DESCRIPTION_LIMIT, Dependency, Task
from tests.connectors.asana.pretend import Vendor, project, task

FULL = {
    "assignee": {"gid": "1001", "name": "Mara Example", "email": None},
    "parent": {"gid": "9"},
    "dependencies": [{"gid": "8"}],
    "tags": [{"gid": "71", "name": "urgent"}],
    "completed": True,
    "completed_at": "2026-11-20T10:11:12.345Z",
    "memberships": [{"project": {"gid": "30"}, "section": {"gid": "41", "name": "Doing"}}],
}


class Tracked(dict[str, Any]):
    """A raw body that remembers which of its keys were looked at."""

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__(given)
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)


def mapped(raw: dict[str, Any], kind: str = "task") -> Any:
    return mapping.record(Item(id=f"{kind}:{raw.get('gid')}", raw=raw))


def outcome_of(raw: dict[str, Any]) -> Task | str:
    try:
        record: Task = mapped(raw)
    except BadResponse as error:
        return str(error)
    return record


def asked_for(selected: str) -> Iterator[str]:
    return (path.partition(".")[0] for path in selected.split(","))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"due_on": 20261124}, "task 7: due_on is not a date"),
        ({"due_on": "soon"}, "task 7: due_on is not a date"),
        ({"due_at": "2026-11-24"}, "task 7: due_at is not an instant"),
        ({"created_at": "2026-11-24T10:00:00"}, "task 7: created_at is not an instant"),
        ({"modified_at": 5}, "task 7: modified_at is not an instant"),
        ({"completed": None}, "task 7: completed is neither true nor false"),
        ({"actual_time_minutes": "90"}, "task 7: actual_time_minutes is not a number"),
        ({"assignee": "1001"}, "task 7: not of the shape"),
        ({"assignee": {"name": "no gid"}}, "task 7: gid is missing"),
        ({"memberships": [{"project": {"gid": "30"}, "section": {"gid": "41"}}]}, "task 7: name is missing"),
        (
            {"custom_fields": [{"gid": "62", "resource_subtype": "number", "number_value": "4"}]},
            "task 7: custom field 62: number_value is not a number",
        ),
        ({"custom_fields": [{"gid": "65", "resource_subtype": "enum", "enum_value": {"gid": "651"}}]}, "task 7: custom field 65"),
        ({"custom_fields": [{"resource_subtype": "text"}]}, "task 7: gid is missing"),
    ],
)
def test_a_malformed_task_is_named_with_the_field(broken: dict[str, Any], words: str) -> None:
    with pytest.raises(BadResponse) as raised:
        mapped(task("7", **broken))
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize("key", ["gid", "name", "completed"])
def test_a_task_without_what_is_needed_is_not_guessed(key: str) -> None:
    raw = task("7")
    del raw[key]
    with pytest.raises(BadResponse, match=f"{key} is missing"):
        mapped(raw)


@pytest.mark.parametrize("key", ["gid", "name", "archived", "workspace"])
def test_a_project_without_what_is_needed_is_not_guessed(key: str) -> None:
    raw = project("30")
    del raw[key]
    with pytest.raises(BadResponse, match=f"{key} is missing"):
        mapped(raw, "project")


def test_nothing_is_asked_for_of_a_task_that_is_not_stored() -> None:
    raw = Tracked(task("7", **FULL))
    mapped(raw)
    assert set(asked_for(selection.TASK)) - raw.read == {"is_rendered_as_separator"}, "the heading's mark is read before the mapping"
    assert raw.read - {"gid"} <= set(asked_for(selection.TASK))


def test_nothing_is_asked_for_of_a_project_that_is_not_stored() -> None:
    raw = Tracked(project("30", completed=True))
    mapped(raw, "project")
    assert raw.read - {"gid"} | {"workspace"} == set(asked_for(selection.PROJECT))


def test_nothing_is_asked_for_of_a_custom_field_that_is_not_stored() -> None:
    read: set[str] = set()
    for subtype in ("text", "number", "enum", "multi_enum", "date", "people", "reference", "formula"):
        value = Tracked({"gid": "6", "resource_subtype": subtype})
        mapped(task("7", custom_fields=[value]))
        read |= value.read
    value = Tracked({"gid": "6", "resource_subtype": "enum", "enum_value": {"gid": "61", "name": "High"}})
    mapped(task("7", custom_fields=[value]))
    asked = {path.split(".")[1] for path in selection.TASK.split(",") if path.startswith("custom_fields.")}
    assert read | value.read - {"gid"} == asked | {"gid"}


def test_a_field_list_names_each_path_once() -> None:
    for selected in (selection.TASK, selection.PROJECT, selection.FIELD, selection.ME):
        paths = selected.split(",")
        assert len(paths) == len(set(paths))
        assert all(path.strip() == path and path for path in paths)


def test_a_description_is_cut_at_the_limit() -> None:
    assert len(mapped(task("7", notes="ü" * (DESCRIPTION_LIMIT + 5))).description) == DESCRIPTION_LIMIT


def test_dependencies_are_assumed_to_be_finish_to_start() -> None:
    assert mapped(task("7", dependencies=[{"gid": "8"}])).depends_on == (Dependency(predecessor_id="task:8", assumed=True),)


def test_a_record_that_is_already_open_has_no_completion_time() -> None:
    assert mapped(task("7", completed=False, completed_at="2026-11-20T10:11:12.345Z")).completed_at is None


@given(st.dictionaries(st.text(max_size=12), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=4), max_size=5))
def test_keys_that_the_vendor_adds_change_nothing(extra: dict[str, Any]) -> None:
    assert mapped({**extra, **task("7")}) == mapped(task("7"))


@given(st.sampled_from(sorted(task("7"))), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(), min_size=1, max_size=2))
def test_whatever_stands_in_a_field_a_task_is_a_record_or_a_named_error(key: str, value: Any) -> None:
    outcome = outcome_of({**task("7"), key: value})
    assert isinstance(outcome.title, str) if isinstance(outcome, Task) else outcome.startswith("task ")


def test_options_travel_with_the_item_and_with_a_replay(vendor: Vendor) -> None:
    connector = vendor.connector(priority_field="Dringlichkeit")
    context = connector.context(None)
    value = {"gid": "59", "name": "Dringlichkeit", "resource_subtype": "enum", "enum_value": {"gid": "591", "name": "Low"}}
    record = connector.map(items.task(task("7", custom_fields=[value]), context))
    assert isinstance(record, Task)
    assert record.priority == "low"


def test_the_version_of_the_context_changes_with_the_options_only(vendor: Vendor) -> None:
    def version(**options: Any) -> str | None:
        context = vendor.connector(**options).context(None)
        return context.version if context else None

    assert version() is None
    assert version(column_roles={"1": "status"}) is None, "an option of another tool"
    first = version(status_field={"30": "50", "31": "51"})
    assert first == version(status_field={"31": "51", "30": "50"})
    assert len({first, version(status_field={"30": "51"}), version(priority_field="50"), None}) == 4


@pytest.mark.parametrize("given_options", [{"status_field": "50"}, {"status_field": {"30": 50}}, {"priority_field": 50}])
def test_an_option_that_is_not_understood_is_named(given_options: dict[str, Any]) -> None:
    (name,) = given_options
    with pytest.raises(ValueError, match=name):
        Options.of(given_options)


def test_items_hold_json_only() -> None:
    found = [
        items.workspace({"gid": "10", "name": "Example Harbour"}),
        items.team({"gid": "20", "name": "Dock"}, "10"),
        items.identity({"gid": "1001"}),
        *items.sections([{"gid": "41", "name": "Doing"}], "30", 0),
        *items.statuses_without_section(),
        *items.option_statuses("50", [{"gid": "51", "name": "Wartet", "color": "red"}]),
    ]
    for item in found:
        record = mapping.record(Item(id=item.id, raw=json.loads(json.dumps(item.raw))))
        assert record.id == item.id
