"""What a board's columns are taken for, and what is said of a body that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Item
from connectors.errors import BadResponse
from connectors.monday import MondayConnector, mapping
from connectors.monday.board import ROLES, Raw, Shape, context_of, priority_of, shape_of
from connectors.monday.roles import KINDS
from connectors.records import FieldType, Priority, Task
from tests.connectors.monday.pretend import STATUS, column


def roles(*columns: Raw) -> dict[str, str]:
    return dict(shape_of({"id": "1", "columns": list(columns)}, "project:1", {}).roles)


def named(*pairs: tuple[str, str]) -> tuple[Raw, ...]:
    return tuple(column(title, kind, title) for kind, title in pairs)


@pytest.mark.parametrize(
    ("columns", "role", "expected"),
    [
        ((("status", "Priority"), ("status", "Stage")), "status", "Stage"),
        ((("status", "Priority"), ("status", "Board")), "status", "Board"),
        ((("status", "Approval"), ("status", "Status")), "status", "Status"),
        ((("dropdown", "Urgency"),), "priority", "Urgency"),
        ((("date", "Weekend"), ("date", "End date")), "due", "End date"),
        ((("date", "Start"), ("date", "Date")), "due", "Date"),
        ((("date", "Start"), ("date", "Date")), "start", "Start"),
        ((("people", "Reviewer"), ("people", "Owner")), "assignees", "Owner"),
        ((("people", "Reviewer"), ("people", "Signer")), "assignees", "Reviewer"),
        ((("numbers", "Budget estimate"), ("numbers", "Effort (h)")), "estimate", "Effort (h)"),
        ((("numbers", "% complete"),), "progress", "% complete"),
        ((("time_tracking", "Clock"),), "logged", "Clock"),
    ],
)
def test_a_role_is_suggested_by_type_and_title(columns: tuple[tuple[str, str], ...], role: str, expected: str) -> None:
    assert roles(*named(*columns))[role] == expected


@pytest.mark.parametrize(
    ("columns", "role"),
    [
        ((("status", "Priority"),), "status"),
        ((("date", "Start"),), "due"),
        ((("timeline", "Timeline"), ("date", "Inspection")), "due"),
        ((("numbers", "Estimated cost"), ("numbers", "Story points estimate")), "estimate"),
    ],
)
def test_a_role_that_no_column_fits_stays_empty(columns: tuple[tuple[str, str], ...], role: str) -> None:
    assert role not in roles(*named(*columns))


def test_a_column_plays_one_role_only() -> None:
    found = roles(*named(("status", "Status"), ("date", "Due"), ("date", "Start"), ("numbers", "Effort progress")))
    assert len(set(found.values())) == len(found)


def test_an_admins_choice_of_a_column_that_is_gone_leaves_the_role_empty() -> None:
    shape = shape_of({"id": "1", "columns": [STATUS]}, "project:1", {"column_roles": {"1": {"status": "deleted"}}})
    assert shape.status is None


def test_a_timeline_chosen_as_due_gives_its_end() -> None:
    project = {"id": "1", "columns": [column("tl", "timeline", "Plan")]}
    context = context_of(project, {"column_roles": {"1": {"due": "tl"}}})
    record = mapping.task(item([{"id": "tl", "from": "2026-05-01T00:00:00Z", "to": "2026-05-09T00:00:00Z"}]), context)
    assert str(record.due_on) == "2026-05-09"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("Critical ⚠️", Priority.URGENT), ("HIGH", Priority.HIGH), ("Medium", Priority.NORMAL), ("Low!", Priority.LOW), ("Below deck", Priority.NONE)],
)
def test_a_priority_is_read_from_whole_words(word: str, expected: Priority) -> None:
    assert priority_of(word) is expected


def test_the_version_of_a_context_changes_with_what_makes_a_difference_only() -> None:
    project = {"id": "1", "items_count": 3, "columns": [STATUS, column("t", "text", "Notes")]}
    version = context_of(project, {}).version
    assert context_of(project | {"items_count": 4, "updated_at": "2026-06-01T00:00:00Z"}, {}).version == version
    assert context_of(project | {"columns": [STATUS]}, {}).version != version
    assert context_of(project, {"column_roles": {"1": {"status": ""}}}).version != version


def test_a_currency_makes_a_number_money() -> None:
    shape = shape_of({"id": "1", "columns": [column("n", "numbers", "Fee", unit={"symbol": "$"})]}, "project:1", {})
    assert shape.columns["n"].field_type is FieldType.MONEY


def item(values: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {"id": "123", "name": "T", "board": {"id": "1"}, "column_values": values} | changes


CONTEXT = context_of(
    {"id": "1", "columns": [STATUS, column("due", "date", "Due"), column("n", "numbers", "Crates"), column("tl", "timeline", "Timeline")]}, {}
)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (item([{"id": "due", "date": "soon", "value": None}]), "task 123: column due"),
        (item([{"id": "n", "number": "many"}]), "task 123: column n is not a numbers"),
        (item([{"id": "tl", "from": 7, "to": None}]), "task 123: column tl"),
        (item([{"id": "status", "index": "x"}]), "task 123: column status"),
        (item([{"id": "status", "index": 1, "label": "Done", "is_done": True, "value": "{"}]), "task 123: column status"),
        (item([], created_at="yesterday"), "task 123"),
        (item([], board={"id": "2"}), "task 123: no columns are known for its board 2"),
        ({"id": "123", "board": {"id": "1"}, "column_values": []}, "task 123: KeyError 'name'"),
        (item([], id=None), "no id"),
    ],
)
def test_a_body_that_cannot_be_read_names_its_object(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(BadResponse, match=words.replace("(", r"\(")):
        mapping.record(Item(id="task:123", raw=raw, context=CONTEXT))


def test_a_container_without_a_name_is_refused_by_its_id() -> None:
    with pytest.raises(BadResponse, match="container workspace/5"):
        mapping.record(Item(id="container:workspace/5", raw={"id": "5"}))


@given(name=st.text(min_size=1, max_size=300), extra=st.dictionaries(st.text(max_size=8), st.integers(), max_size=3))
def test_any_name_and_any_extra_key_is_taken_as_it_is(name: str, extra: dict[str, int]) -> None:
    record = mapping.record(Item(id="task:123", raw={"x_" + key: value for key, value in extra.items()} | item([], name=name), context=CONTEXT))
    assert isinstance(record, Task)
    assert record.title == name


def test_a_context_holds_the_board_and_its_companion() -> None:
    project = {"id": "1", "columns": [STATUS], "_companion": {"id": "2", "columns": [STATUS]}}
    shapes: dict[str, Shape] = context_of(project, {}).data
    assert {key: (shape.companion, shape.project_id) for key, shape in shapes.items()} == {"1": (False, "project:1"), "2": (True, "project:1")}


def test_each_role_is_shown_with_its_suggestion_the_evidence_and_what_could_play_it() -> None:
    columns = named(("status", "Stage"), ("date", "Weekend"), ("numbers", "Budget"))
    board = {"id": "1", "columns": list(columns), "_companion": {"id": "2", "columns": [column("s", "status", "State")]}}
    chosen: dict[str, Any] = {"column_roles": {"1": {"due": "", "status": columns[0]["id"]}}}
    capability = MondayConnector.capabilities.roles
    assert capability is not None
    own, below = capability.tables(board, chosen)
    shown = {role.key: role for role in own.roles}
    assert list(shown) == list(ROLES)
    assert (shown["status"].suggested, shown["status"].chosen, shown["status"].because) == ("Stage", "Stage", "by its title, Stage")
    assert (shown["due"].suggested, shown["due"].chosen) == ("Weekend", "")
    assert shown["due"].because == "the only column of its type, Weekend"
    assert (shown["estimate"].suggested, shown["estimate"].because, shown["estimate"].columns) == (None, "no title says so", (("Budget", "Budget"),))
    assert (shown["tags"].because, shown["tags"].chosen) == ("no column has the right type", None)
    assert (below.id, below.name, below.roles[0].suggested) == ("2", "Subitems", "s")


def test_what_is_suggested_is_what_would_hold_without_a_choice() -> None:
    board = {"id": "1", "columns": list(named(("status", "Status"), ("date", "Due"), ("people", "Owner"), ("numbers", "Effort")))}
    capability = MondayConnector.capabilities.roles
    assert capability is not None
    (table,) = capability.tables(board, {})
    assert {role.key: role.suggested for role in table.roles if role.suggested} == roles(*board["columns"])


def test_every_role_may_be_played_by_what_the_mapping_reads() -> None:
    assert set(KINDS) == set(ROLES)
