"""Polls at their edges: overfull logs, holes, moves, unknown events, boards that break, accounts of more than one request."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connectors.base import Cadence, Scope
from connectors.errors import BadResponse, Transient
from connectors.monday import documents
from connectors.monday.client import SMALLEST_BUDGET
from connectors.monday.logs import entries, listed, ticks
from connectors.monday.watching import CLOCK, Clock
from tests.connectors.monday.keeper import Keeper
from tests.connectors.monday.pretend import Vendor, column

pytestmark = pytest.mark.anyio
EARLIER, LATER = "2026-05-03T23:00:00+00:00", "2026-05-03T23:30:00+00:00"
SERVER = {"data": None, "errors": [{"message": "Internal server error", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}


async def followed(vendor: Vendor, boards: int = 2, items: int = 3) -> Keeper:
    """An account that was read in full, after a first line in its first log."""
    for n in range(boards):
        vendor.board(str(100 + n), items)
    vendor.log("100", "create_pulse", EARLIER, pulse_id=10000000)
    keeper = Keeper(vendor.connector)
    await keeper.full()
    vendor.bodies.clear()
    return keeper


def asked(vendor: Vendor) -> list[str]:
    """The names of the documents that were sent."""
    return [body["query"].split("(")[0].split(" ")[1] for body in vendor.bodies]


async def test_a_log_that_is_longer_than_a_poll_asks_is_read_to_its_empty_page() -> None:
    vendor = Vendor()
    keeper = await followed(vendor)
    for n in range(2_600):
        vendor.log("100", "update_name", LATER, pulse_id=10000000 + n % 2)
    vendor.items["100"][1]["state"] = "deleted"
    found = await keeper.poll()
    assert found.gone == {"task:10000001"}
    assert asked(vendor) == ["Poll", "Logs", "Logs", "Changed"]
    assert found.opened == []


async def test_a_log_that_holds_no_more_has_a_hole_and_its_board_is_read_whole() -> None:
    vendor = Vendor()
    keeper = await followed(vendor)
    for n in range(10_000):
        vendor.log("100", "update_name", LATER, pulse_id=10000000 + n % 2)
    found = await keeper.poll()
    assert [piece.covers for piece in found.opened] == [("project:100",)]


async def test_many_changed_items_are_paged_until_one_is_known() -> None:
    vendor = Vendor()
    keeper = await followed(vendor, items=300)
    for row in vendor.items["100"][:250]:
        row["updated_at"], row["name"] = "2026-05-03T23:30:00Z", "Changed"
    await keeper.poll()
    assert sum(item.raw.get("name") == "Changed" for item in keeper.items.values()) == 250
    assert asked(vendor) == ["Poll", "Further"]
    vendor.bodies.clear()
    assert (await keeper.poll()).requests == 1


async def test_an_item_that_moves_to_another_board_is_there_and_not_gone() -> None:
    vendor = Vendor()
    keeper = await followed(vendor)
    moved = vendor.items["100"].pop(0)
    vendor.items["101"].append(moved | {"board": {"id": "101"}})
    vendor.log("100", "move_pulse_from_board", LATER, pulse_id=10000000)
    vendor.log("101", "move_pulse_into_board", LATER, pulse_id=10000000)
    found = await keeper.poll()
    assert found.gone == set()
    assert keeper.task("10000000").memberships[0].project_id == "project:101"


async def test_an_item_that_moves_out_of_sight_is_not_called_gone() -> None:
    vendor = Vendor()
    keeper = await followed(vendor)
    del vendor.items["100"][0]
    vendor.log("100", "move_pulse_from_board", LATER, pulse_id=10000000)
    assert (await keeper.poll()).gone == set()


async def test_an_item_that_the_log_deletes_and_nobody_can_read_is_gone() -> None:
    vendor = Vendor()
    keeper = await followed(vendor)
    del vendor.items["100"][0]
    vendor.log("100", "batch_delete_pulses", LATER, pulse_ids=[10000000])
    found = await keeper.poll()
    assert found.gone == {"task:10000000"}
    assert found.told["task:10000000"].actor == "identity:7"


@pytest.mark.parametrize("event", ["archive_group", "delete_group", "restore_group"])
async def test_a_whole_group_that_comes_or_goes_has_its_board_read_whole(event: str) -> None:
    vendor = Vendor()
    keeper = await followed(vendor)
    vendor.log("101", event, LATER, entity="board", group_id="topics")
    found = await keeper.poll()
    assert [piece.covers for piece in found.opened] == [("project:101",)]


async def test_an_event_without_a_known_name_means_what_it_touches() -> None:
    vendor = Vendor()
    keeper = await followed(vendor)
    vendor.items["100"][0]["name"] = "Named by a machine"
    vendor.boards[1]["name"] = "Board with a view"
    vendor.log("100", "sprinkle_pulse", LATER, itemIds=["10000000"])
    vendor.log("101", "board_gains_wings", LATER, entity="board")
    vendor.log("101", "board_view_added", LATER, entity="board")
    vendor.log("101", "create_update", LATER, entity="update")
    found = await keeper.poll()
    assert keeper.task("10000000").title == "Named by a machine"
    assert found.items["project:101"].raw["name"] == "Board with a view"
    assert "project:100" not in found.items


async def test_a_renamed_label_has_its_board_read_whole_since_its_items_say_so_too() -> None:
    vendor = Vendor()
    keeper = await followed(vendor)
    renamed = column("status", "status", "Status", labels=[{"id": 0, "color": 0, "label": "At work", "index": 0, "is_done": False}])
    vendor.boards[0]["columns"] = [renamed]
    vendor.log("100", "change_column_settings", LATER, entity="board", column_id="status")
    before = keeper.marks["board/100"]["shape"]
    found = await keeper.poll()
    assert [piece.covers for piece in found.opened] == [("project:100",)]
    assert found.marks["board/100"]["shape"] != before
    assert (await keeper.poll()).opened == []


async def test_a_log_that_may_not_be_read_leaves_the_changed_items() -> None:
    vendor = Vendor()
    keeper = await followed(vendor)
    vendor.unlogged["100"] = "USER_UNAUTHORIZED"
    vendor.items["100"][0] |= {"updated_at": "2026-05-03T23:30:00Z", "name": "Seen all the same"}
    found = await keeper.poll()
    assert keeper.task("10000000").title == "Seen all the same"
    assert found.opened == []


async def test_a_log_that_fails_has_its_board_read_whole() -> None:
    vendor = Vendor()
    keeper = await followed(vendor)
    vendor.unlogged["100"] = "INTERNAL_SERVER_ERROR"
    found = await keeper.poll()
    assert [piece.covers for piece in found.opened] == [("project:100",)]


async def test_a_board_that_is_null_beside_a_fault_is_a_fault_and_no_refusal_and_the_others_keep_their_place() -> None:
    vendor = Vendor()
    keeper = await followed(vendor, boards=3)
    vendor.null_boards["100"] = "INTERNAL_SERVER_ERROR"
    vendor.items["102"][0] |= {"updated_at": "2026-05-03T23:30:00Z", "name": "Still mine"}
    connector = keeper.connector()
    (piece,) = connector.feeds(Cadence.POLL, Scope())
    (page,) = [page async for page in connector.read(piece, None)]
    assert isinstance(page.refused["project:100"], Transient)
    assert [item.raw["name"] for item in page.items] == ["Still mine"]
    assert page.marks["board/100"] is None


async def test_a_deleted_board_that_breaks_the_whole_answer_is_left_out() -> None:
    vendor = Vendor()
    keeper = await followed(vendor, boards=3)
    vendor.boards[1]["state"] = "deleted"
    vendor.script = [(200, SERVER)] * 6
    found = await keeper.poll()
    assert found.gone == {"project:101"}
    assert asked(vendor) == ["Poll"] * 6 + ["States", "Poll", "BoardsWhole"]


async def test_more_than_500_boards_cost_one_call_each_500_and_can_be_gone_on_with() -> None:
    vendor = Vendor()
    keeper = await followed(vendor, boards=600, items=0)
    assert asked(vendor) == []
    assert (await keeper.poll()).requests == 2
    vendor.items["699"] = [vendor.item("69900000", "699", updated_at="2026-05-03T23:30:00Z")]
    connector = keeper.connector()
    (piece,) = connector.feeds(Cadence.POLL, Scope())
    first, _ = [page async for page in connector.read(piece, None)]
    assert first.cursor is not None
    assert CLOCK not in first.marks
    rest = [page async for page in keeper.connector().read(piece, first.cursor)]
    assert [item.id for page in rest for item in page.items] == ["task:69900000"]
    assert CLOCK in rest[-1].marks


def test_a_poll_of_500_boards_fits_into_the_smallest_budget() -> None:
    assert documents.poll_points([False] * 500, documents.POLL_PAGES[-1]) <= SMALLEST_BUDGET


async def test_an_excluded_board_is_not_polled() -> None:
    vendor = Vendor()
    keeper = await followed(vendor)
    await keeper.run(Cadence.POLL, Scope(excluded=frozenset({"100"})))
    assert vendor.bodies[0]["variables"]["i0"] == ["101"]


async def test_an_entry_that_shows_later_than_younger_ones_is_found_within_the_overlap_and_no_entry_twice() -> None:
    vendor = Vendor()
    keeper = await followed(vendor)
    vendor.log("100", "update_name", "2026-05-03T23:30:00+00:00", pulse_id=10000000)
    await keeper.poll()
    vendor.items["101"][0]["name"] = "Came late"
    vendor.log("101", "update_name", "2026-05-03T23:27:00+00:00", pulse_id=10100000)
    await keeper.poll()
    assert keeper.task("10100000").title == "Came late"
    assert (await keeper.poll()).requests == 1
    vendor.now += timedelta(minutes=6)
    settled = await keeper.poll()
    assert settled.requests == 1
    assert Clock.of(keeper.marks[CLOCK]).logs_since() == ticks("2026-05-03T23:30:00Z")


def test_both_shapes_of_the_log_are_read_and_nothing_else() -> None:
    row = {"id": "1", "event": "update_name", "entity": "pulse", "data": '{"pulse_id": 5}', "user_id": "-4", "created_at": "17780000000000000"}
    for shape in ([row], {"logs": [row], "cursor": None}):
        (entry,) = entries(listed(shape, "9"), "9")
        assert (entry.items, entry.actor, entry.at) == (("5",), None, 17780000000000000)
    for wrong in (None, "x", [None], {"cursor": None}):
        with pytest.raises(BadResponse, match="activity log"):
            listed(wrong, "9")


@pytest.mark.parametrize("change", [{"created_at": "soon"}, {"created_at": None}, {"data": "{"}])
def test_an_entry_that_cannot_be_read_names_its_board(change: dict[str, Any]) -> None:
    row = {
        "id": "1",
        "event": "update_name",
        "entity": "pulse",
        "data": '{"pulse_id": 5}',
        "user_id": "7",
        "created_at": "17780000000000000",
    } | change
    with pytest.raises(BadResponse, match="board 9"):
        list(entries([row], "9"))
