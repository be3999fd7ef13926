"""A widely used SDK for monday.com (package ``monday-api-python-sdk``) against the pretend monday."""

from __future__ import annotations

from typing import Any

import pytest
from monday_sdk import MondayClient  # type: ignore[import-untyped]  # the package ships no types
from monday_sdk.modules import boards as sdk_boards  # type: ignore[import-untyped]  # the package ships no types
from monday_sdk.types import BoardsOrderBy, BoardState  # type: ignore[import-untyped]  # the package ships no types

from hub.sandbox import truth
from hub.sandbox.server import Sandbox


@pytest.fixture
def client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    """It has no setting for its address: the attribute is the only way. Its pause between pages is real time, so it is left out."""
    monkeypatch.setattr(sdk_boards, "sleep_according_to_complexity", lambda complexity: None)
    client = MondayClient(sandbox.world.tokens["monday"], max_retry_attempts=1)
    client._graphql_client.endpoint = sandbox.base_url("monday")
    return client


def live_boards(client: Any) -> list[str]:
    """In the order of creation: without one the list moves while it is paged through."""
    found: list[str] = []
    page = 1
    while True:
        rows = client.boards.fetch_boards(limit=25, page=page, state=BoardState.ACTIVE, order_by=BoardsOrderBy.CREATED_AT).data.boards
        if not rows:
            return list(dict.fromkeys(found))
        found += [row.id for row in rows]
        page += 1


def test_live_boards_bring_every_item_but_those_of_boards_with_several_levels(sandbox: Sandbox, client: Any) -> None:
    found = {item.id for board in live_boards(client) for item in client.boards.fetch_all_items_by_board_id(board)}
    world = sandbox.world
    expected = truth.expected_tasks(world, "monday")
    # The SDK does not name the hierarchy types that it wants, so the vendor shows it classic boards only. It can list archived boards, but reads a
    # board by its id without naming a state, and then finds none (and fails on the empty list).
    homes = {key: world.projects["monday"][world.tasks["monday"][key].homes[0][0]] for key in expected}
    unasked = {key for key, board in homes.items() if board.hierarchy == "multi_level" or world.archived_above(board)}
    assert {board.hierarchy for board in homes.values()} == {"classic", "multi_level"}
    assert found == expected.keys() - unasked


def test_an_item_is_read_by_its_id(sandbox: Sandbox, client: Any) -> None:
    expected = truth.expected_tasks(sandbox.world, "monday")
    wanted = [key for key in expected if expected[key]["parent"] is None][:30]
    hidden_levels = {key for key in wanted if sandbox.world.projects["monday"][sandbox.world.tasks["monday"][key].homes[0][0]].hierarchy != "classic"}
    found = {item.id: item.name for item in client.items.fetch_items_by_id(wanted)}
    assert found.keys() >= set(wanted) - hidden_levels
    assert {key: expected[key]["title"] for key in found} == found


def test_a_refused_token_is_an_error_for_the_sdk(sandbox: Sandbox, client: Any) -> None:
    sandbox.knobs.revoked.add("monday")
    with pytest.raises(Exception, match="401"):  # it raises plain Exception
        client.boards.fetch_boards()
    assert [(row["tool"], row["status"]) for row in sandbox.log.rows] == [("monday", 401)]
