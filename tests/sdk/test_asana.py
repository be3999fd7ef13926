"""Asana's own SDK (package ``asana``) against the pretend Asana."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import asana  # type: ignore[import-untyped]  # the package ships no types
import pytest
from asana.rest import ApiException  # type: ignore[import-untyped]  # the package ships no types

from hub.sandbox import truth
from hub.sandbox.server import Sandbox

Row = dict[str, Any]


def fields() -> dict[str, str]:
    """A new one for each call: the SDK writes the paging token into the dict that it is given, and would send it with the next query."""
    return {"opt_fields": "name,num_subtasks"}


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Any]:
    configuration = asana.Configuration()
    configuration.host = sandbox.base_url("asana")
    configuration.access_token = sandbox.world.tokens["asana"]
    client = asana.ApiClient(configuration)
    yield client
    client.rest_client.pool_manager.clear()


def below(tasks: Any, rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        yield row
        if row["num_subtasks"]:
            yield from below(tasks, tasks.get_subtasks_for_task(row["gid"], fields()))


def test_projects_and_subtasks_bring_every_task_but_the_loose_ones(sandbox: Sandbox, client: Any) -> None:
    projects, tasks = asana.ProjectsApi(client), asana.TasksApi(client)
    workspaces = [row["gid"] for row in asana.WorkspacesApi(client).get_workspaces({})]
    found = {
        row["gid"]
        for workspace in workspaces
        for project in projects.get_projects({"workspace": workspace})
        for row in below(tasks, tasks.get_tasks_for_project(project["gid"], fields()))
    }
    expected = truth.expected_tasks(sandbox.world, "asana")
    loose = {key for key, row in expected.items() if row["project"] is None}
    assert loose
    assert found == expected.keys() - loose  # tasks in no project are listed by no project: only search or their assignee finds them


def test_search_brings_the_loose_ones(sandbox: Sandbox, client: Any) -> None:
    expected = truth.expected_tasks(sandbox.world, "asana")
    loose = {key for key, row in expected.items() if row["project"] is None and row["parent"] is None}
    workspace = next(row["gid"] for row in asana.WorkspacesApi(client).get_workspaces({"opt_fields": "is_organization"}) if row["is_organization"])
    listed = ",".join(row["gid"] for row in asana.ProjectsApi(client).get_projects({"workspace": workspace}))
    asked = {"projects.not": listed, "is_subtask": False, "opt_fields": "name"}
    found = {row["gid"] for row in asana.TasksApi(client).search_tasks_for_workspace(workspace, asked)}
    assert found == loose


def test_the_sdk_understands_a_refusal(sandbox: Sandbox, client: Any) -> None:
    with pytest.raises(ApiException) as caught:
        asana.TasksApi(client).get_task("1", {})
    assert caught.value.status == 404


def test_a_revoked_token_is_a_401_for_the_sdk(sandbox: Sandbox, client: Any) -> None:
    sandbox.knobs.revoked.add("asana")
    with pytest.raises(ApiException) as caught:
        asana.UsersApi(client).get_user("me", {})
    assert caught.value.status == 401


def test_only_the_sandbox_was_asked(sandbox: Sandbox, client: Any) -> None:
    asana.UsersApi(client).get_user("me", {})
    assert [(row["tool"], row["path"], row["status"]) for row in sandbox.log.rows] == [("asana", "/users/me", 200)]
