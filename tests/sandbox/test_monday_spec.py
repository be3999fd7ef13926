"""The pretend monday.com against the vendor's own schema: nothing is served that it does not have, and every answer is what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from graphql import GraphQLSchema, build_schema, execute_sync, get_named_type, is_leaf_type, parse, validate

from connectors.monday import documents
from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.monday.documents import schema
from hub.sandbox.monday.door import Door
from hub.sandbox.monday.logs import Log
from hub.sandbox.world import World
from tests.specs.extract_monday import served

EXTRACT = Path(__file__).parents[1] / "specs/monday.graphql"
TWO_LEVELS = "state: all, hierarchy_types: [classic, multi_level]"
# The vendor fails on ``state`` below ``subitems``, and so does the sandbox.
LEFT_OUT = {("Item", "subitems"), ("SubtasksValue", "subitems")}


@pytest.fixture(scope="module")
def vendor() -> GraphQLSchema:
    return build_schema(EXTRACT.read_text())


@pytest.fixture(scope="module")
def world() -> World:
    made = seed.build(seed=3, tasks=200)
    live = next(task for task in made.tasks["monday"].values() if not task.parent and not task.deleted)
    made.set_title("monday", live.id, "Renamed", None)
    made.delete_task("monday", live.id)
    return made


@pytest.fixture
def door(world: World) -> Door:
    return Door(world, Knobs(limits=False), lambda: 1_800_000_000.0)


def ask(door: Door, query: str, **variables: Any) -> dict[str, Any]:
    reply = door.answer(door.account.world.tokens["monday"], "2026-10", orjson.dumps({"query": query, "variables": variables}))
    assert reply.status == 200, reply.body
    assert "errors" not in reply.body, reply.body["errors"]
    answer: dict[str, Any] = orjson.loads(orjson.dumps(reply.body["data"]))
    return answer


def conforms(vendor: GraphQLSchema, query: str, answer: dict[str, Any], **variables: Any) -> None:
    """graphql-core runs the same query over the finished answer by the vendor's types: a wrong type, a null or an unknown enum value is an error."""
    result = execute_sync(
        vendor, parse(query), root_value=answer, variable_values=variables, field_resolver=_read, type_resolver=lambda value, *_: value["kind_"]
    )
    assert result.errors is None, result.errors[:3]
    assert result.data == answer


def _read(source: Any, info: Any, **_: Any) -> Any:
    return source[info.path.key]


def everything(kind: Any, depth: int) -> str:
    """A selection of every field of a type, objects in it down to ``depth``."""
    parts = ["kind_: __typename"] if not hasattr(kind, "interfaces") or kind.name == "ColumnValue" else []
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if is_leaf_type(inner):
            parts.append(name)
        elif depth and (kind.name, name) not in LEFT_OUT and inner.name != "ItemsResponse":
            parts.append(f"{name} {{ {everything(inner, depth - 1)} }}")
    if kind.name == "ColumnValue":
        parts += [
            f"... on {each.name} {{ {' '.join(_own(each, depth))} }}"
            for each in schema().get_possible_types(kind)
            if any(True for _ in _own(each, depth))
        ]
    return " ".join(parts)


def _own(kind: Any, depth: int) -> Iterator[str]:
    """The fields of one kind of column value under names of their own, since two kinds may differ in what a name means."""
    shared = {"id", "type", "text", "value", "is_leaf", "column"}
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if name in shared or (kind.name, name) in LEFT_OUT:
            continue
        alias = f"{kind.name}_{name}: {name}"
        if is_leaf_type(inner):
            yield alias
        elif depth:
            yield f"{alias} {{ {everything(inner, 0)} }}"


def _root(vendor: GraphQLSchema, name: str) -> Any:
    assert vendor.query_type is not None
    return vendor.query_type.fields[name].type


def test_everything_in_the_schema_is_in_the_vendors(vendor: GraphQLSchema) -> None:
    for kind in served(schema()):
        theirs: Any = vendor.type_map[kind.name]
        assert type(theirs) is type(kind), kind.name
        assert {each.name for each in getattr(kind, "interfaces", ())} <= {each.name for each in getattr(theirs, "interfaces", ())}
        assert set(getattr(kind, "values", ())) <= set(getattr(theirs, "values", ())), kind.name
        for name, field in getattr(kind, "fields", {}).items():
            assert str(field.type) == str(theirs.fields[name].type), f"{kind.name}.{name}"
            for argument, declared in getattr(field, "args", {}).items():
                assert str(declared.type) == str(theirs.fields[name].args[argument].type), f"{kind.name}.{name}({argument})"


@pytest.mark.parametrize(
    ("root", "depth"),
    [
        ("me", 2),
        ("account", 2),
        ("version", 1),
        ("complexity", 1),
        ("users(limit: 1000, status: [ACTIVE, INACTIVE, PENDING])", 2),
        ("teams", 2),
        ("tags", 1),
        ("workspaces(limit: 100, state: all)", 2),
        ("folders(limit: 100)", 3),
    ],
)
def test_the_directory_is_as_the_vendors_types_say(door: Door, vendor: GraphQLSchema, root: str, depth: int) -> None:
    kind = get_named_type(_root(vendor, root.split("(")[0]))
    query = f"{{ {root} {{ {everything(kind, depth)} }} }}"
    assert not validate(vendor, parse(query))
    answer = ask(door, query)
    assert answer[root.split("(")[0]]
    conforms(vendor, query, answer)


def test_every_field_of_every_board_is_as_the_vendors_types_say(door: Door, vendor: GraphQLSchema) -> None:
    query = f"{{ boards(limit: 100, {TWO_LEVELS}) {{ {everything(vendor.type_map['Board'], 2)} }} }}"
    answer = ask(door, query)
    assert {row["type"] for row in answer["boards"]} == {"board", "sub_items_board", "document", "custom_object"}
    assert any(row["activity_logs"] for row in answer["boards"])
    conforms(vendor, query, answer)


def test_every_field_of_every_item_is_as_the_vendors_types_say(door: Door, vendor: GraphQLSchema, world: World) -> None:
    item = everything(vendor.type_map["Item"], 2)
    query = "query ($ids: [ID!]) { items(ids: $ids, limit: 100) { " + item + " } }"
    assert not validate(vendor, parse(query))
    ids = list(world.tasks["monday"])
    seen = set()
    for start in range(0, len(ids), 30):
        answer = ask(door, query, ids=ids[start : start + 30])
        seen |= {value["kind_"] for row in answer["items"] for value in row["column_values"]}
        conforms(vendor, query, answer, ids=ids[start : start + 30])
    assert {"StatusValue", "BatteryValue", "DateValue", "TimelineValue", "PeopleValue", "DependencyValue", "SubtasksValue", "TagsValue"} <= seen


def test_a_boards_dependencies_are_as_the_vendors_types_say(door: Door, vendor: GraphQLSchema, world: World) -> None:
    board = next(task.homes[0][0] for task in world.tasks["monday"].values() if task.depends_on and not task.deleted)
    edges = "predecessors { source_item_id dependency_type lag }"
    query = f"{{ board_dependencies(board_id: {board}, limit: 500) {{ total_count items {{ item_id {edges} }} }} }}"
    answer = ask(door, query)
    assert any(row["predecessors"] for row in answer["board_dependencies"]["items"])
    conforms(vendor, query, answer)


@pytest.mark.parametrize(
    "text",
    [
        documents.CHECK,
        documents.ITEMS_BY_ID,
        documents.BOARDS_BY_ID,
        documents.structure(documents.LISTS, full=True, teams=True),
        documents.structure(["boards"], full=False, teams=False),
        documents.first_pages([(25, False), (500, True)], shapes=True),
        documents.next_pages(3, shapes=True),
    ],
    ids=range(7),
)
def test_the_connectors_queries_fit_the_vendors_schema(vendor: GraphQLSchema, text: str) -> None:
    assert validate(vendor, parse(text)) == []


def test_a_journal_without_this_tools_entries_is_an_empty_log(door: Door) -> None:
    assert Log().of(door.account, "1") == []
