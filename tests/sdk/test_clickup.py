"""A third party's SDK for ClickUp (package ``clickup-python-sdk``) against the pretend ClickUp."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from clickup_python_sdk import ClickupClient  # type: ignore[import-untyped]  # the package ships no types
from clickup_python_sdk.exceptions import ClickupRequestException  # type: ignore[import-untyped]  # the package ships no types

from hub.sandbox import truth
from hub.sandbox.server import Sandbox

EVERYTHING = {"subtasks": "true", "include_closed": "true"}


@pytest.fixture
def client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    """It keeps its address and its only client on the class."""
    monkeypatch.setattr(ClickupClient, "API", sandbox.base_url("clickup") + "/")
    return ClickupClient.init(user_token=sandbox.world.tokens["clickup"])


def all_lists(client: Any) -> Iterator[Any]:
    """Live and archived at every level, each asked for apart."""
    for team in client.get_teams():
        for space in team.get_spaces():
            for archived in (False, True):
                yield from space.get_lists(archived=archived)
                for folder in space.get_folders(archived=archived):
                    for inside in (False, True):
                        yield from folder.get_lists(archived=inside)


def test_lists_bring_every_task_but_those_of_archived_spaces(sandbox: Sandbox, client: Any) -> None:
    found: set[str] = set()
    for one in all_lists(client):
        for archived in ("false", "true"):
            found |= {task["id"] for task in one.get_tasks(params={**EVERYTHING, "archived": archived})}
    world = sandbox.world
    expected = truth.expected_tasks(world, "clickup")

    def space_is_archived(key: str) -> bool:
        above = world.above(world.projects["clickup"][world.tasks["clickup"][key].homes[0][0]])
        return any(node.kind == "space" and node.archived for node in above)

    unasked = {key for key in expected if space_is_archived(key)}
    assert unasked
    assert found == expected.keys() - unasked  # its listing of spaces has no way to ask for archived ones


def test_a_wrong_token_is_refused_as_the_sdk_expects(sandbox: Sandbox, client: Any) -> None:
    with pytest.raises(ClickupRequestException):
        ClickupClient.init(user_token="pk_wrong")


def test_the_tokens_user_is_known_to_the_sdk(sandbox: Sandbox, client: Any) -> None:
    assert str(client.TOKEN_USER["id"]) == sandbox.world.me["clickup"]
    assert {row["tool"] for row in sandbox.log.rows} == {"clickup"}
