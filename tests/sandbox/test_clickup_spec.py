"""Every answer of the pretend ClickUp, held against an extract of the vendor's own specification (tests/specs/clickup.json)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.sandbox import seed
from hub.sandbox.clickup import app
from hub.sandbox.clickup.app import ClickUp
from hub.sandbox.clickup.search import known_parameters
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import World
from tests.specs import extract_clickup

pytestmark = pytest.mark.anyio
WHOLE: dict[str, Any] = json.loads((Path(extract_clickup.__file__).parent / "clickup.json").read_text())
SPEC: dict[str, Any] = WHOLE["paths"]
CALLS: dict[str, Any] = WHOLE["calls"]
MANY, ONE = "/v2/task/bulk_time_in_status/task_ids", "/v2/task/{task_id}/time_in_status"

STATUS_OBJECT = {"id", "status", "type", "orderindex", "color"}
USER_OBJECT = {"id", "username", "email", "color", "initials", "profilePicture"}
EDGE = {"task_id", "depends_on", "type", "date_created", "userid", "workspace_id", "chain_id"}
TAG_OBJECT = {"name", "tag_fg", "tag_bg", "creator"}
LIST_OBJECT = set(SPEC["/v2/folder/{folder_id}/list"]["answer"]["properties"]["lists"]["items"]["properties"])
BOTH_READS = {"/v2/team/{team_Id}/task", "/v2/list/{list_id}/task"}
ROWS = set(SPEC["/v2/list/{list_id}/task"]["answer"]["properties"]["tasks"]["items"]["properties"])

OBJECTS: dict[str, set[str]] = {
    "assignees": USER_OBJECT,
    "watchers": USER_OBJECT,
    "creator": USER_OBJECT,
    "assignee": USER_OBJECT - {"email"},
    "group_assignees": {"id", "name"},
    "tags": TAG_OBJECT,
    "dependencies": EDGE,
    "lists": LIST_OBJECT,
    "statuses": STATUS_OBJECT,
    "priority": {"id", "priority", "color", "orderindex"},
}
"""Where the document says "array of strings" (or leaves the object out) and the service sends objects, seen by others: their properties."""

EXTRA: dict[tuple[str, str], str] = {
    ("/v2/user", "user.timezone"): "misspelt in the document's type, right in its example",
    ("/v2/team", "teams[].members[].user.role"): "seen on the service, as the guests among the members are",
    ("/v2/team/{team_Id}/task", "last_page"): "documented for the list read, seen on both",
    ("/v2/space/{space_id}/folder", "folders[].archived"): "seen on the service",
    ("/v2/space/{space_id}/folder", "folders[].statuses[]"): "seen on the service",
    ("/v2/folder/{folder_id}", "archived"): "as in the list of folders",
    ("/v2/folder/{folder_id}", "statuses[]"): "as in the list of folders",
}
TYPES: dict[tuple[str, str], str] = {
    ("/v2/space/{space_id}/folder", "folders"): "an array; the document says object, its example is an array",
    ("/v2/team/{team_Id}/task", "tasks[].priority"): "object or null; the document says a number here and an object elsewhere",
}
LOOSE = {"time_estimate", "orderindex", "task_count", "start_date_time", "end"}
"""Numbers in practice where the document says string, or the other way round."""
VARIED = {"value": "any JSON: a custom field's value has a shape of its own for each type"}


def problems(path: str, value: Any, shape: dict[str, Any], where: str = "") -> Iterator[str]:
    """What in an answer the document does not know. Null is let through: the document types nullable fields as plain strings."""
    last = where.removesuffix("[]").rsplit(".", 1)[-1]
    if value is None or last in VARIED:
        return
    if last in OBJECTS and isinstance(value, dict):
        known = {name: {} for name in OBJECTS[last]} | shape.get("properties", {})
        shape = {"properties": known}
    elif (path, where) not in TYPES and last not in LOOSE and not of_type(value, shape.get("type", "")):
        yield f"{path} {where}: {type(value).__name__} where the document says {shape['type']}"
    if isinstance(value, list):
        for item in value:
            yield from problems(path, item, shape if (path, where) in TYPES else shape.get("items", {}), f"{where}[]")
    if isinstance(value, dict) and "properties" in shape:
        for name, inner in value.items():
            deeper = f"{where}.{name}" if where else name
            if name in shape["properties"]:
                yield from problems(path, inner, shape["properties"][name], deeper)
            elif not allowed(path, deeper):
                yield f"{path} {deeper}: unknown to the document"


def allowed(path: str, where: str) -> bool:
    """In the reasoned lists above, or a property of the list read's rows that the team read has too."""
    if path in BOTH_READS and where.removeprefix("tasks[].") in ROWS:
        return True
    if where.endswith("custom_fields[].value"):
        return True
    return (path, where) in EXTRA or (path, f"{where}[]") in EXTRA


def of_type(value: Any, named: str) -> bool:
    kinds: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list}
    if not named:
        return True
    if isinstance(value, bool):
        return "boolean" in named.split()
    return any(isinstance(value, kinds[one]) for one in named.split() if one in kinds)


def shape_of(path: str, answer: Any) -> dict[str, Any]:
    """The document's shape of an answer; a map by task id is described there by the ids of an example."""
    shape: dict[str, Any] = SPEC[path]["answer"]
    return {"type": "object", "properties": dict.fromkeys(answer, SPEC[ONE]["answer"])} if path == MANY else shape


def addresses(world: World) -> Iterator[tuple[str, str]]:
    """(path of the specification, address) for everything the token can name."""
    nodes = [node for node in world.nodes["clickup"].values() if not node.hidden]
    ids = {kind: [node.id for node in nodes if node.kind == kind] for kind in ("workspace", "space", "folder")}
    ids["list"] = [project.id for project in world.projects["clickup"].values() if world.sees_project(project)]
    ids["task"] = [
        task.id for task in world.tasks["clickup"].values() if not task.deleted and world.sees_project(world.projects["clickup"][task.homes[0][0]])
    ]
    for path in SPEC:
        kind = {"team": "workspace"}.get(path.split("/")[2], path.split("/")[2])
        if path == MANY:
            yield path, f"{path}?task_ids={'&task_ids='.join(ids['task'][:100])}"
            continue
        if "{" not in path:
            yield path, f"{path}?team_id={ids['workspace'][0]}"
            continue
        for identifier in ids[kind][:40]:
            bare = path[: path.index("{")] + identifier + path[path.index("}") + 1 :]
            yield path, bare
            yield (
                path,
                f"{bare}?archived=true&subtasks=true&include_closed=true&include_markdown_description=true&include_subtasks=true&include_subfolders=true",
            )
            yield path, f"{bare}?subtasks=true&include_closed=true&include_timl=true"


@pytest.mark.parametrize("number", [1, 2])
async def test_every_answer_has_only_what_the_specification_knows(number: int) -> None:
    world = seed.build(number, 300)
    confidential = next(project for project in world.projects["clickup"].values() if project.node and world.nodes["clickup"][project.node].hidden)
    confidential.kind, confidential.hidden = "shared", False
    transport = httpx.ASGITransport(app(world, Knobs(limits=False)))
    found: set[str] = set()
    answered: set[str] = set()
    async with httpx.AsyncClient(transport=transport, base_url="http://clickup.test", headers={"Authorization": world.tokens["clickup"]}) as client:
        team = next(node.id for node in world.nodes["clickup"].values() if node.kind == "workspace")
        hook = {"endpoint": "https://hub.example.org/in", "events": ["*"], "list_id": int(confidential.id)}
        assert (await client.post(f"/v2/team/{team}/webhook", json=hook)).status_code == 200
        for path, address in addresses(world):
            answer = await client.get(address)
            assert answer.status_code == 200, (address, answer.text)
            answered.add(path)
            found.update(problems(path, answer.json(), shape_of(path, answer.json())))
    assert sorted(found) == []
    assert answered == set(SPEC)


def test_every_path_served_is_in_the_specification() -> None:
    vendor = ClickUp(seed.build(1, 30), Knobs())
    assert {f"/v2{path}" for path in vendor.routes()} == set(SPEC)
    assert {f"{method} /v2{path}" for method, path in vendor.writes()} == set(CALLS)


async def test_every_write_takes_and_answers_what_the_specification_says() -> None:
    world = seed.build(2, 60)
    team = next(node.id for node in world.nodes["clickup"].values() if node.kind == "workspace")
    transport = httpx.ASGITransport(app(world, Knobs(limits=False)))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://clickup.test/v2", headers={"Authorization": world.tokens["clickup"]}
    ) as client:
        made = await client.post(f"/team/{team}/webhook", json={"endpoint": "https://hub.example.org/in", "events": ["taskCreated", "listDeleted"]})
        key = made.json()["id"]
        changed = await client.put(f"/webhook/{key}", json={"endpoint": "https://hub.example.org/in", "events": "*", "status": "active"})
        dropped = await client.delete(f"/webhook/{key}")
    answers = {"POST /v2/team/{team_id}/webhook": made, "PUT /v2/webhook/{webhook_id}": changed, "DELETE /v2/webhook/{webhook_id}": dropped}
    assert answers.keys() == CALLS.keys()
    for call, answer in answers.items():
        assert answer.status_code == 200, (call, answer.text)
        assert list(problems(call, answer.json(), CALLS[call]["answer"])) == []
    assert (CALLS["POST /v2/team/{team_id}/webhook"]["required"], CALLS["PUT /v2/webhook/{webhook_id}"]["required"]) == (
        ["endpoint", "events"],
        ["endpoint", "events", "status"],
    )


def test_every_parameter_of_the_task_reads_is_in_the_specification() -> None:
    observed = {"archived", "include_timl"}  # on the team read: not in the document, work on the service
    team = set(SPEC["/v2/team/{team_Id}/task"]["query"]) | observed
    in_list = set(SPEC["/v2/list/{list_id}/task"]["query"])
    arrays = {f"{name}[]" for name, kind in SPEC["/v2/list/{list_id}/task"]["query"].items() if kind == "array"}
    assert known_parameters("team") - team - {"custom_field"} == set()
    assert known_parameters("list") - in_list - arrays == set()
    assert (in_list | arrays) - known_parameters("list") <= {
        "statuses",
        "assignees",
        "watchers",
        "tags",
        "custom_items",
        "custom_fields[]",
        "custom_field[]",
    }


def test_the_extract_follows_references_and_merges_alternatives() -> None:
    document = {"a": {"type": "object", "properties": {"x": {"oneOf": [{"type": "string"}, {"type": ["integer", "null"]}]}}}}
    assert extract_clickup.shape(document, {"$ref": "#/a"}) == {"type": "object", "properties": {"x": {"type": "integer null string"}}}


def test_the_check_itself_notices_what_does_not_belong() -> None:
    shape = {"type": "object", "properties": {"id": {"type": "string"}}}
    assert list(problems("/v2/x", {"id": 1, "other": "y"}, shape)) == [
        "/v2/x id: int where the document says string",
        "/v2/x other: unknown to the document",
    ]
