"""Every answer of the pretend Asana, held against an extract of the vendor's own specification (tests/specs/asana.json)."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # the library ships no types
import pytest

from hub.sandbox.asana.routes import ROUTES
from hub.sandbox.world import World
from tests.sandbox.asana_caller import Caller
from tests.specs import extract_asana

pytestmark = pytest.mark.anyio
SPEC: dict[str, Any] = json.loads((Path(extract_asana.__file__).parent / "asana.json").read_text())

NULLS = {
    ("User", "email"): "missing or null for people outside one's view",
    ("Project", "team"): "teamless projects, the rule since 2026",
    ("Event", "user"): "the system's own events",
    ("Event", "parent"): "the property's text: null for all but added and removed",
    ("Event", "resource"): "things that the token cannot see",
    ("CustomField", "currency_code"): "null for all but currencies",
    ("Task", "custom_type"): "null unless the task has a custom type",
    ("Task", "custom_type_status_option"): "null unless the task has a custom type",
    ("Webhook", "last_success_at"): "the operation's example",
    ("Webhook", "last_failure_at"): "the operation's example",
    ("Webhook", "next_attempt_after"): "there is none while all goes well",
    ("Webhook", "failure_deletion_timestamp"): "there is none while all goes well",
}
"""Where the document forgot ``nullable``: (resource, property) -> how it is known."""
EXTRA = {("AsanaNamedResource", "resource_subtype"): "events name a task's subtype"}
"""Properties that the document lacks."""
ACCEPTED = {
    ("/tasks", "tag"): "the operation's text names it",
    ("/tasks", "user_task_list"): "seen on the service",
    ("/projects/{project_gid}/tasks", "modified_since"): "works though only /tasks documents it",
    ("/workspaces/{workspace_gid}/tasks/search", "limit"): "in the operation's text",
}
"""Parameters that the document's lists lack."""
TYPES = {"string": "string", "integer": "integer", "boolean": "boolean", "date": "date", "moment": "date-time"}
EVERYTHING = {
    "Task": "created_by,dependencies,dependents,html_notes,is_rendered_as_separator,num_subtasks,"
    "assignee.(name|email),memberships.(project|section).(gid|name|resource_type),custom_fields,parent.(name|completed|due_on),"
    "tags.(name|color),workspace.(name|is_organization),followers.name,projects.(name|archived|team.name),completed_by.name,"
    "name,notes,resource_type,resource_subtype,approval_status,completed,completed_at,created_at,modified_at,due_on,due_at,start_on,start_at,"
    "actual_time_minutes,permalink_url,assignee_status,assigned_by,likes,liked,num_likes,assignee_section,custom_type,custom_type_status_option",
    "Project": "name,archived,color,created_at,current_status.(title|color|text|author.name|created_at),"
    "current_status_update.(title|text|status_type|author.name|created_at),custom_field_settings.custom_field.(name|enum_options.name),default_view,"
    "due_on,html_notes,members.name,modified_at,notes,public,privacy_setting,start_on,completed,completed_at,completed_by,followers,owner.name,"
    "team.(name|visibility),permalink_url,workspace.name,icon,custom_fields,project_brief,created_from_template",
    "User": "name,email,photo,workspaces.name",
    "Section": "name,created_at,project.name",
}


def patched() -> dict[str, Any]:
    defs: dict[str, Any] = copy.deepcopy(SPEC["$defs"])
    for resource, name in NULLS:
        properties = defs[resource]["properties"]
        properties[name] = {"anyOf": [properties[name], {"type": "null"}]}
    # A date without a time has no date_time; the document's example has both.
    defs["CustomField"]["properties"]["date_value"]["properties"]["date_time"]["type"] = ["string", "null"]
    for resource, name in EXTRA:
        defs[resource]["properties"][name] = {"type": "string"}
    return defs


DEFS = patched()


def validate(template: str, body: Any) -> None:
    """Types right and no property that the specification does not know; a list's end has ``next_page: null``."""
    schema = copy.deepcopy(SPEC["paths"][template]["answer"])
    if "next_page" in schema["properties"]:
        schema["properties"]["next_page"] = {"anyOf": [schema["properties"]["next_page"], {"type": "null"}]}
    checker = jsonschema.Draft202012Validator({**schema, "$defs": DEFS}, format_checker=jsonschema.FormatChecker(["date"]))
    errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in checker.iter_errors(body)]
    assert not errors, errors[:5]


def first(world: World, kind: str) -> str:
    """The gid of something of ``kind`` that the token can see."""
    if kind in ("workspace", "team"):
        return next(node.id for node in world.nodes["asana"].values() if node.kind == kind)
    if kind == "project":
        return next(project.id for project in world.projects["asana"].values() if world.sees_project(project) and project.fields)
    if kind == "section":
        return world.projects["asana"][first(world, "project")].sections[0].id
    if kind == "task":
        return next(task.id for task in world.tasks["asana"].values() if task.depends_on and task.values and not task.deleted)
    sources: dict[str, dict[str, Any]] = {"tag": world.tags["asana"], "custom_field": world.fields["asana"]}
    return world.me["asana"] if kind == "user" else next(iter(sources[kind]))


def fitting(world: World, template: str) -> str | None:
    """A task that has what the template lists."""
    live = [task for task in world.tasks["asana"].values() if not task.deleted]
    if template.endswith("/subtasks"):
        return next(task.parent for task in live if task.parent)
    return next(task.depends_on[0].task for task in live if task.depends_on) if template.endswith("/dependents") else None


def cases(world: World) -> dict[str, dict[str, str]]:
    """For every route the queries that it needs."""
    workspace, project = first(world, "workspace"), first(world, "project")
    return {
        "/tasks": {"project": project},
        "/memberships": {"parent": project},
        "/team_memberships": {"team": first(world, "team")},
        "/portfolios": {"workspace": workspace},
        "/users/{user_gid}/user_task_list": {"workspace": workspace},
    }


@pytest.mark.parametrize(
    "template", [route.template for route in ROUTES if route.template not in ("/events", "/webhooks", "/webhooks/{webhook_gid}")]
)
async def test_every_answer_fits_the_specification(template: str) -> None:
    asana = Caller()
    path = template
    if "{" in template:
        kind = template.split("{")[1].split("_gid")[0]
        if kind == "user_task_list":
            mine = await asana.data("/users/me/user_task_list", workspace=asana.workspace())
            gid = mine["gid"]
        else:
            gid = fitting(asana.world, template) or first(asana.world, kind)
        path = template.split("{")[0] + gid + template.partition("}")[2]
    query = cases(asana.world).get(template, {})
    route = next(route for route in ROUTES if route.template == template)
    pages = {"limit": "100"} if route.paged else {}
    answer = await asana.get(path, query, **pages)
    assert answer.status_code == 200, answer.text
    validate(template, answer.json())
    data = answer.json()["data"]
    assert data or template == "/portfolios"
    resource = json.dumps(SPEC["paths"][template]["answer"]["properties"]["data"]).rpartition("/")[2].strip('"}')
    if resource in EVERYTHING:
        validate(template, (await asana.get(path, query, **pages, opt_fields=EVERYTHING[resource])).json())


@pytest.mark.parametrize("resource", ["Task", "Project", "User", "Section"])
async def test_the_field_sets_of_these_tests_name_nothing_that_is_not_served(resource: str) -> None:
    asana = Caller()
    gid = first(asana.world, resource.lower())
    row = await asana.data(f"/{resource.lower()}s/{gid}", opt_fields=EVERYTHING[resource])
    named = {path.split(".")[0] for path in EVERYTHING[resource].split(",")}
    assert named - set(row) <= {"approval_status"}
    assert named <= set(SPEC["$defs"][resource]["properties"])


async def test_every_task_fits_the_specification_with_all_its_fields() -> None:
    asana = Caller()
    for project in asana.projects:
        validate("/tasks", (await asana.get("/tasks", project=project.id, opt_fields=EVERYTHING["Task"])).json())
    for task in asana.tasks[:40]:
        validate("/tasks/{task_gid}", (await asana.get(f"/tasks/{task.id}")).json())


async def test_events_and_batches_fit_the_specification() -> None:
    asana = Caller()
    project = asana.projects[0].id
    sync = (await asana.get("/events", resource=project)).json()["sync"]
    task = asana.world.create_task("asana", "New", project)
    asana.world.assign("asana", task.id, [asana.world.me["asana"]])
    asana.world.rename_project("asana", project, "Renamed")
    asana.world.delete_task("asana", task.id)
    answer = await asana.get("/events", resource=project, sync=sync)
    assert len(answer.json()["data"]) == 5
    validate("/events", answer.json())
    batch = await asana.batch({"method": "get", "relative_path": "/users/me"}, {"method": "get", "relative_path": "/nothing"})
    validate("/batch", batch.json())


async def test_errors_fit_the_specification() -> None:
    asana = Caller()
    checker = jsonschema.Draft202012Validator({"$ref": "#/$defs/Error", "$defs": DEFS})
    for path in ("/tasks", "/tasks/999", "/nothing", "/events?resource=1"):
        body = (await asana.get(path)).json()
        assert list(checker.iter_errors(body["errors"][0])) == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.template)
def test_every_parameter_that_is_accepted_is_in_the_specification(route: Any) -> None:
    stated = SPEC["paths"][route.template]["parameters"]
    for name, kind in route.accepted.items():
        if (route.template, name) in ACCEPTED:
            assert name not in stated
            continue
        assert name in stated, f"{route.template} does not know {name}"
        assert stated[name]["in"] == "query"
        if kind.startswith("="):
            assert set(kind[1:].split("|")) == set(stated[name]["enum"])
        elif stated[name]["type"] != "array":
            # completed_since of some paths is a plain string in the document, and an instant (or ``now``) in its text.
            assert TYPES[kind] in (stated[name]["type"], stated[name].get("format"), "date-time" if name.endswith("_since") else None)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.template)
def test_every_parameter_of_the_specification_is_accepted(route: Any) -> None:
    stated = {name for name, parameter in SPEC["paths"][route.template]["parameters"].items() if parameter["in"] == "query"}
    assert stated <= set(route.accepted)


def test_the_extract_holds_no_prose() -> None:
    text = json.dumps(SPEC)
    assert '"description": "' not in text
    assert '"example"' not in text
