"""The pretend Asana is as strict as the real one: token, fields, pages, places, people, limits and faults on demand."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import Any

import httpx
import pytest

from hub.sandbox.asana import error_body
from hub.sandbox.asana.errors import Refusal
from hub.sandbox.asana.fields import parse
from hub.sandbox.truth import expected_tasks
from tests.sandbox.asana_caller import Caller, gids, message

pytestmark = pytest.mark.anyio


@pytest.fixture
def asana() -> Caller:
    return Caller()


# -- token ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic abc", "Bearer", "Bearer ümlaut"])
async def test_only_the_bearer_token_is_let_in(asana: Caller, header: str) -> None:
    answer = await asana.http.get("/users/me", headers=[(b"authorization", header.encode())])
    assert answer.status_code == 401
    assert answer.json() == {"errors": [{"message": "Not Authorized"}]}


async def test_a_revoked_token_is_refused_at_once(asana: Caller) -> None:
    assert (await asana.get("/users/me")).status_code == 200
    asana.knobs.revoked.add("asana")
    assert (await asana.get("/users/me")).status_code == 401


# -- fields --------------------------------------------------------------------------------------------------------------------


def test_the_grammar_of_opt_fields() -> None:
    assert parse("a.b,c.(d|e.f).g,this.h") == {"a": {"b": {}}, "c": {"d": {"g": {}}, "e": {"f": {"g": {}}}}, "h": {}}
    assert parse("") == {}
    assert parse("name, (a|b)") == {"name": {}, "a": {}, "b": {}}


@pytest.mark.parametrize("text", ["a.(b", "a)b", "(a|(b)"])
def test_parentheses_that_do_not_match_are_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(text)
    assert refused.value.status == 400


async def test_lists_are_compact_and_singles_full_less_what_must_be_asked_for(asana: Caller) -> None:
    [row, *_] = await asana.data("/tasks", project=asana.largest().id)
    assert set(row) == {"gid", "resource_type", "name", "resource_subtype"}
    full = await asana.data(f"/tasks/{row['gid']}")
    assert {"due_on", "memberships", "custom_fields", "permalink_url"} <= set(full)
    assert not {"created_by", "dependencies", "dependents", "html_notes", "is_rendered_as_separator", "num_subtasks"} & set(full)


async def test_an_answer_holds_gid_and_exactly_what_was_named(asana: Caller) -> None:
    task = next(task for task in asana.tasks if task.assignees and task.parent is None)
    row = await asana.data(f"/tasks/{task.id}", opt_fields="this.name,assignee.(name|email),no_such_field,memberships.section.name,workspace")
    assert set(row) == {"gid", "name", "assignee", "memberships", "workspace"}
    assert set(row["assignee"]) == {"gid", "name", "email"}
    assert [set(home) for home in row["memberships"]] == [{"section"}] * len(row["memberships"])
    assert row["workspace"] == {"gid": asana.workspace(), "resource_type": "workspace"}


async def test_a_nested_object_without_sub_fields_has_no_name(asana: Caller) -> None:
    task = next(task for task in asana.tasks if task.assignees)
    row = await asana.data(f"/tasks/{task.id}", opt_fields="assignee")
    assert row == {"gid": task.id, "assignee": {"gid": task.assignees[0], "resource_type": "user"}}


async def test_custom_fields_alone_bring_every_definition(asana: Caller) -> None:
    task = next(task for task in asana.tasks if task.values)
    row = await asana.data(f"/tasks/{task.id}", opt_fields="custom_fields")
    enums = [field for field in row["custom_fields"] if field["resource_subtype"] == "enum"]
    assert enums
    assert all({"name", "color", "enabled"} <= set(option) for field in enums for option in field["enum_options"])


async def test_a_custom_field_shows_only_the_value_key_of_its_type(asana: Caller) -> None:
    keys = {"text_value", "number_value", "enum_value", "multi_enum_values", "date_value", "people_value", "reference_value"}
    named = ",".join(f"custom_fields.{key}" for key in (*keys, "resource_subtype"))
    seen: dict[str, set[str]] = {}
    for project in asana.projects:
        for row in await asana.data("/tasks", project=project.id, opt_fields=named):
            for field in row["custom_fields"]:
                seen.setdefault(field["resource_subtype"], set()).update(keys & set(field))
    expected = {"multi_enum": "multi_enum_values", "date": "date_value", "people": "people_value", "reference": "reference_value"}
    assert seen == {kind: {expected.get(kind, f"{kind}_value")} for kind in seen}
    assert len(seen) == 7


async def test_a_date_seen_by_the_user_may_differ_from_the_utc_date(asana: Caller) -> None:
    late = datetime(2026, 12, 1, 23, 30, tzinfo=UTC)
    asana.world.set_due("asana", asana.tasks[0].id, late)
    row = await asana.data(f"/tasks/{asana.tasks[0].id}", opt_fields="due_on,due_at")
    assert (row["due_on"], row["due_at"]) == ("2026-12-02", "2026-12-01T23:30:00.000Z")


# -- pages ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "²"])
async def test_a_limit_outside_1_to_100_is_refused(asana: Caller, limit: str) -> None:
    assert (await asana.get("/projects", limit=limit)).status_code == 400


async def test_next_page_comes_only_when_a_limit_was_sent(asana: Caller) -> None:
    without = (await asana.get("/projects")).json()
    assert set(without) == {"data"}
    first = (await asana.get("/projects", limit=2)).json()
    assert set(first["next_page"]) == {"offset", "path", "uri"}
    assert first["next_page"]["uri"] == "http://asana.test" + first["next_page"]["path"]
    assert list(chain(*await asana.pages("/projects", limit=3))) == without["data"]


async def test_the_uri_of_the_next_page_can_be_called(asana: Caller) -> None:
    first = (await asana.get("/projects", limit=2, opt_fields="name,team.name")).json()
    second = await asana.http.get(first["next_page"]["uri"], headers={"authorization": asana.token})
    assert len(second.json()["data"]) == 2
    assert not {row["gid"] for row in second.json()["data"]} & {row["gid"] for row in first["data"]}


async def test_a_big_list_without_limit_is_too_large(asana: Caller) -> None:
    project = asana.projects[0].id
    for number in range(1001):
        asana.world.create_task("asana", f"Task {number}", project)
    answer = await asana.get("/tasks", project=project)
    assert answer.status_code == 400
    assert "too large" in message(answer)
    assert len(await asana.pages("/tasks", project=project, limit=100)) > 10


async def test_an_offset_belongs_to_its_query(asana: Caller) -> None:
    token = (await asana.get("/projects", limit=2)).json()["next_page"]["offset"]
    assert (await asana.get("/projects", limit=2, offset=token)).status_code == 200
    for other in ({"limit": 3}, {"limit": 2, "archived": True}, {"limit": 2, "opt_fields": "name"}):
        assert (await asana.get("/projects", offset=token, **other)).status_code == 400
    assert (await asana.get("/users", limit=2, offset=token)).status_code == 400
    assert (await asana.get("/projects", limit=2, offset=token[:-3] + "abc")).status_code == 400


@pytest.mark.parametrize("life", [None, 30.0])
async def test_an_offset_expires(asana: Caller, life: float | None) -> None:
    asana.knobs.cursor_life = life
    token = (await asana.get("/projects", limit=2)).json()["next_page"]["offset"]
    asana.now += life or 900
    assert (await asana.get("/projects", limit=2, offset=token)).status_code == 200
    asana.now += 1
    assert (await asana.get("/projects", limit=2, offset=token)).status_code == 400


async def test_a_deletion_between_pages_skips_nothing(asana: Caller) -> None:
    project = asana.largest().id
    whole = gids(await asana.data("/tasks", project=project))
    first = (await asana.get("/tasks", project=project, limit=3)).json()
    leaf = next(gid for gid in whole[:2] if not any(task.parent == gid for task in asana.world.tasks["asana"].values()))
    asana.world.delete_task("asana", leaf)
    second = await asana.data("/tasks", project=project, limit=3, offset=first["next_page"]["offset"])
    assert gids(second) == whole[3:6]


async def test_pages_made_small_repeated_and_hidden_on_demand(asana: Caller) -> None:
    project = asana.largest().id
    asana.knobs.page_size = 4
    pages = await asana.pages("/tasks", project=project, limit=100)
    assert {len(page) for page in pages[:-1]} == {4}
    asana.knobs.hide_pages["asana"] = 2
    assert await asana.pages("/tasks", project=project, limit=100) == [pages[0], *pages[2:]]
    asana.knobs.repeat_cursor.add("asana")
    token = (await asana.get("/tasks", project=project, limit=100)).json()["next_page"]["offset"]
    again = (await asana.get("/tasks", project=project, limit=100, offset=token)).json()["next_page"]["offset"]
    assert again == token


# -- what is there, and what is not --------------------------------------------------------------------------------------------


async def test_every_task_of_the_truth_can_be_found_and_no_other(asana: Caller) -> None:
    found: set[str] = set()
    for project in asana.projects:
        found.update(gids(await asana.data("/tasks", project=project.id)))
    ours = ",".join(project.id for project in asana.projects)
    for workspace in await asana.data("/workspaces"):
        found.update(gids(await asana.data(f"/workspaces/{workspace['gid']}/tasks/search", {"is_subtask": False, "projects.not": ours})))
    queue = list(found)
    while queue:
        rows = await asana.data(f"/tasks/{queue.pop()}/subtasks")
        queue += gids(rows)
        found.update(gids(rows))
    assert found == set(expected_tasks(asana.world, "asana"))


async def test_a_projects_list_holds_no_subtasks_unless_they_were_added_to_it(asana: Caller) -> None:
    project = asana.largest().id
    rows = await asana.data("/tasks", project=project, opt_fields="parent.gid,memberships.project.gid")
    assert any(row["parent"] for row in rows)
    assert all(project in [home["project"]["gid"] for home in row["memberships"]] for row in rows)
    below = next(task for task in asana.world.tasks["asana"].values() if task.parent and not task.homes and not task.deleted)
    row = await asana.data(f"/tasks/{below.id}", opt_fields="memberships,projects,parent")
    assert (row["memberships"], row["projects"], row["parent"]["gid"]) == ([], [], below.parent)


async def test_a_project_is_listed_in_the_order_of_its_sections(asana: Caller) -> None:
    project = asana.largest()
    sections = gids(await asana.data(f"/projects/{project.id}/sections"))
    assert sections == [section.id for section in project.sections]
    rows = await asana.data("/tasks", project=project.id, opt_fields="memberships.(project|section).gid")
    order = [next(sections.index(home["section"]["gid"]) for home in row["memberships"] if home["project"]["gid"] == project.id) for row in rows]
    assert order == sorted(order)
    assert gids(await asana.data("/tasks", section=sections[0])) == [row["gid"] for row, place in zip(rows, order, strict=True) if place == 0]


async def test_hidden_is_403_gone_is_404_and_neither_is_listed(asana: Caller) -> None:
    projects = asana.world.projects["asana"].values()
    hidden = next(project for project in projects if project.hidden)
    gone = next(project for project in projects if project.deleted)
    assert (await asana.get(f"/projects/{hidden.id}")).status_code == 403
    assert (await asana.get("/tasks", project=hidden.id)).status_code == 403
    assert (await asana.get(f"/projects/{gone.id}/sections")).status_code == 404
    assert not {hidden.id, gone.id} & set(gids(await asana.data("/projects")))
    secret = next(task for task in asana.world.tasks["asana"].values() if [home for home, _ in task.homes] == [hidden.id])
    assert (await asana.get(f"/tasks/{secret.id}")).status_code == 403
    asana.world.delete_task("asana", asana.tasks[0].id)
    deleted = next(task for task in asana.world.tasks["asana"].values() if task.deleted)
    assert (await asana.get(f"/tasks/{deleted.id}")).status_code == 404
    assert (await asana.get("/tasks/999")).status_code == 404
    assert (await asana.get("/tasks/abc")).status_code == 400


async def test_memberships_of_hidden_projects_are_left_out(asana: Caller) -> None:
    hidden = {project.id for project in asana.world.projects["asana"].values() if project.hidden}
    task = next(task for task in asana.tasks if hidden & {home for home, _ in task.homes})
    row = await asana.data(f"/tasks/{task.id}", opt_fields="memberships.project.gid")
    shown = [home["project"]["gid"] for home in row["memberships"]]
    assert shown == [home for home, _ in task.homes if home not in hidden]


@pytest.mark.parametrize("code", [402, 403, 404])
async def test_a_project_can_be_refused_on_demand(asana: Caller, code: int) -> None:
    project = asana.projects[0].id
    asana.knobs.refused[project] = code
    assert (await asana.get("/tasks", project=project)).status_code == code
    assert (await asana.get(f"/projects/{project}/sections")).status_code == code
    assert (await asana.get("/tasks", project=asana.projects[1].id)).status_code == 200


async def test_projects_are_listed_by_workspace_team_and_state(asana: Caller) -> None:
    everything = await asana.data("/projects", workspace=asana.workspace(), opt_fields="archived,team.name,owner.name")
    assert {row["archived"] for row in everything} == {True, False}
    assert {row["team"] is None for row in everything} == {True, False}
    assert any(row["owner"] is None for row in everything)
    archived = await asana.data(f"/workspaces/{asana.workspace()}/projects", archived=True)
    assert gids(archived) == [row["gid"] for row in everything if row["archived"]]
    team = next(row["team"]["gid"] for row in everything if row["team"])
    of_team = [row["gid"] for row in everything if row["team"] and row["team"]["gid"] == team]
    assert gids(await asana.data("/projects", team=team)) == of_team
    by_membership = await asana.data("/memberships", member=team, resource_subtype="project_membership")
    assert [row["parent"]["gid"] for row in by_membership] == of_team


async def test_only_an_organization_has_teams(asana: Caller) -> None:
    [organization, plain] = await asana.data("/workspaces", opt_fields="is_organization")
    assert (organization["is_organization"], plain["is_organization"]) == (True, False)
    names = [row["name"] for row in await asana.data(f"/workspaces/{organization['gid']}/teams")]
    assert "Product" in names
    assert "Board of directors" not in names
    assert (await asana.get(f"/workspaces/{plain['gid']}/teams")).status_code == 400
    hidden = next(node for node in asana.world.nodes["asana"].values() if node.hidden)
    assert (await asana.get(f"/teams/{hidden.id}")).status_code == 403


async def test_people_may_have_neither_name_nor_address(asana: Caller) -> None:
    asana.world.people["asana"]["77"] = type(asana.world.people["asana"][asana.world.me["asana"]])("asana", "77", "private", None, None)
    rows = await asana.data("/users", workspace=asana.workspace(), opt_fields="name,email")
    assert {"gid": "77", "name": "Private User", "email": None} in rows
    assert gids(rows) == sorted(asana.world.people["asana"], key=int)
    me = await asana.data("/users/me")
    assert me["gid"] == asana.world.me["asana"]
    assert (await asana.data(f"/users/{me['email']}"))["gid"] == me["gid"]


# -- which tasks ---------------------------------------------------------------------------------------------------------------


async def test_tasks_need_exactly_one_source(asana: Caller) -> None:
    project, workspace = asana.projects[0].id, asana.workspace()
    section = asana.projects[0].sections[0].id
    wrong: list[dict[str, Any]] = [
        {},
        {"workspace": workspace},
        {"assignee": "me"},
        {"project": project, "section": section},
        {"project": project, "assignee": "me", "workspace": workspace},
        {"project": project, "workspace": workspace},
    ]
    for query in wrong:
        assert (await asana.get("/tasks", query)).status_code == 400
    for query in ({"project": project}, {"section": section}, {"assignee": "me", "workspace": workspace}):
        assert (await asana.get("/tasks", query)).status_code == 200


async def test_a_loose_task_is_found_by_its_assignee_and_in_the_users_own_list(asana: Caller) -> None:
    me, workspace = asana.world.me["asana"], asana.workspace()
    task = asana.world.create_task("asana", "Loose")
    asana.world.assign("asana", task.id, [me])
    assert task.id in gids(await asana.data("/tasks", assignee="me", workspace=workspace))
    mine = await asana.data("/users/me/user_task_list", workspace=workspace)
    assert task.id in gids(await asana.data("/tasks", user_task_list=mine["gid"]))
    row = await asana.data(f"/tasks/{task.id}", opt_fields="workspace.gid,memberships")
    assert (row["workspace"]["gid"], row["memberships"]) == (workspace, [])


async def test_tasks_by_tag(asana: Caller) -> None:
    [tag, *_] = await asana.data("/tags", workspace=asana.workspace())
    expected = {task for task, row in expected_tasks(asana.world, "asana").items() if tag["name"] in row["tags"]}
    assert set(gids(await asana.data("/tasks", tag=tag["gid"]))) == expected
    assert expected


async def test_since_when_completed_and_modified(asana: Caller) -> None:
    project, world = asana.largest().id, asana.world
    rows = await asana.data("/tasks", project=project, completed_since="now", opt_fields="completed")
    assert rows
    assert not any(row["completed"] for row in rows)
    before = world.now.isoformat().replace("+00:00", "Z")
    world.set_title("asana", rows[0]["gid"], "Changed")
    query = {"project": project, "modified_since": before}
    assert gids(await asana.data("/tasks", query)) == [rows[0]["gid"]]
    asana.knobs.lag = 60
    assert await asana.data("/tasks", query) == []
    assert (await asana.get("/tasks", project=project, modified_since="yesterday")).status_code == 400


async def test_subtasks_one_level_at_a_time_and_counted(asana: Caller) -> None:
    parent = next(task for task in asana.tasks if any(child.parent == task.id and not child.deleted for child in asana.world.tasks["asana"].values()))
    rows = await asana.data(f"/tasks/{parent.id}/subtasks", opt_fields="parent.gid")
    assert {row["parent"]["gid"] for row in rows} == {parent.id}
    assert (await asana.data(f"/tasks/{parent.id}", opt_fields="num_subtasks"))["num_subtasks"] == len(rows)


async def test_dependencies_carry_gid_only_and_their_own_list_is_for_paid_plans(asana: Caller) -> None:
    task = next(task for task in asana.tasks if task.depends_on)
    wanted = [edge.task for edge in task.depends_on]
    assert (await asana.data(f"/tasks/{task.id}", opt_fields="dependencies.gid"))["dependencies"] == [{"gid": gid} for gid in wanted]
    assert gids(await asana.data(f"/tasks/{task.id}/dependencies")) == wanted
    asana.world.plans["asana"] = "free"
    assert (await asana.get(f"/tasks/{task.id}/dependencies")).status_code == 402


async def test_the_free_plan_has_no_custom_fields(asana: Caller) -> None:
    task = next(task for task in asana.tasks if task.values)
    fields = await asana.data(f"/workspaces/{asana.workspace()}/custom_fields")
    assert len(fields) == len(asana.world.fields["asana"])
    assert "number_value" not in fields[0]
    asana.world.plans["asana"] = "free"
    assert (await asana.get(f"/workspaces/{asana.workspace()}/custom_fields")).status_code == 402
    assert (await asana.get(f"/projects/{task.homes[0][0]}/custom_field_settings")).status_code == 402
    assert "custom_fields" not in await asana.data(f"/tasks/{task.id}")


# -- refusals ------------------------------------------------------------------------------------------------------------------


async def test_unknown_parameters_paths_and_writes_are_refused(asana: Caller) -> None:
    assert "Unknown parameter" in message(await asana.get("/projects", workspce=asana.workspace()))
    assert (await asana.get("/tasks", project=asana.projects[0].id, archived=True)).status_code == 400
    assert (await asana.get("/projects", archived="yes")).status_code == 400
    assert (await asana.get("/users/me", limit=10)).status_code == 400
    missing = await asana.get("/tasks/1/nothing")
    assert (missing.status_code, message(missing)) == (404, "No matching route for request")
    for method in ("POST", "PUT", "DELETE"):
        answer = await asana.http.request(method, f"/tasks/{asana.tasks[0].id}", headers={"authorization": asana.token})
        assert answer.status_code == 404
    assert asana.world.journal == []


@pytest.mark.parametrize("code", [401, 402, 403, 404, 429, 451, 500, 503])
def test_every_fault_has_the_vendors_shape(code: int) -> None:
    headers, body = error_body(code, datetime(2026, 11, 23, tzinfo=UTC))
    errors = httpx.Response(code, headers=headers, content=body).json()["errors"]
    assert errors[0]["message"]
    assert ("retry-after" in headers) == (code == 429)
    assert ("phrase" in errors[0]) == (code == 500)
