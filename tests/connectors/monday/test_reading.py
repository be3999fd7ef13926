"""Structure and batches: everything the token may see, in the fewest calls, and never less than everything without saying so."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.base import ARCHIVED, LIVE, Scope
from connectors.errors import BadResponse, CursorExpired, Refused, Transient
from connectors.records import Project, Status
from tests.connectors.monday.pretend import STATUS, Vendor, column, everything, pages, structure, task

pytestmark = pytest.mark.anyio
EXPIRED = {
    "errors": [{"message": "CursorExpiredError: The cursor provided for pagination has expired.", "extensions": {"code": "CursorException"}}],
    "data": None,
}


def family(vendor: Vendor) -> None:
    """A classic board with its companion and one subitem."""
    vendor.board("100", 1, columns=[STATUS, column("subitems", "subtasks", "Subitems", boardIds=[200])])
    vendor.board("200", 0, type="sub_items_board", name="Subitems of Board 100", columns=[STATUS], items_count=1)
    vendor.items["200"] = [vendor.item("20000000", "200", parent_item={"id": "10000000"}, group={"id": "subitems_of_100"})]


async def test_the_structure_brings_containers_people_projects_sections_statuses_and_fields() -> None:
    vendor = Vendor()
    vendor.folders = [{"id": "60", "name": "Docks", "parent": None, "workspace": {"id": "50"}}]
    vendor.board("100", 3, board_folder_id="60", columns=[STATUS, column("text", "text", "Notes")])
    items, opened = await structure(vendor.connector())
    assert {item.id for item in items} == {
        "identity:7", "team:4", "container:workspace/50", "container:folder/60", "project:100", "section:100/topics",
        "status:100/status/", "status:100/status/0", "status:100/status/1", "status:100/status/2", "field:100/text",
    }  # fmt: skip
    assert [piece.covers for piece in opened] == [("project:100",)]


async def test_a_small_account_costs_one_call_of_structure_and_one_of_items() -> None:
    vendor = Vendor()
    for n in range(12):
        vendor.board(str(100 + n), 20)
    found = await everything(vendor.connector())
    assert sum(ref.startswith("task:") for ref in found) == 240
    assert len(vendor.bodies) == 2


async def test_a_list_ends_at_an_empty_page_not_at_a_short_one() -> None:
    vendor = Vendor()
    for n in range(1_003):
        vendor.board(str(1_000 + n))
    vendor.hidden = {str(1_000 + n) for n in range(0, 500, 2)}
    items, _ = await structure(vendor.connector())
    assert sum(item.id.startswith("project:") for item in items) == 753
    assert [body["variables"] for body in vendor.bodies] == [{"page": 1, "after": 2}, {"page": 3, "after": 4}]


async def test_a_list_that_repeats_its_page_is_an_error() -> None:
    vendor = Vendor()
    vendor.board("100")
    page: dict[str, Any] = {"data": {name: [] for name in ("users", "teams", "folders", "workspaces")}}
    page["data"] |= {"boards": [vendor.boards[0]], "boards_after": [vendor.boards[0]]}
    vendor.script = [(200, page)]
    with pytest.raises(BadResponse, match="page 2 of boards repeats"):
        await structure(vendor.connector())


async def test_documents_objects_companions_and_deleted_boards_are_no_projects() -> None:
    vendor = Vendor()
    family(vendor)
    vendor.board("300", type="document")
    vendor.board("301", type="custom_object")
    vendor.board("302", state="deleted")
    vendor.board("303", 1, hierarchy_type="multi_level")
    vendor.board("304", state="archived")
    items, opened = await structure(vendor.connector())
    assert {item.id for item in items if item.id.startswith("project:")} == {"project:100", "project:303", "project:304"}
    assert [piece.phase for piece in opened] == [LIVE, ARCHIVED]


async def test_boards_without_a_workspace_lie_in_the_main_one() -> None:
    vendor = Vendor()
    vendor.board("100", workspace_id=None)
    connector = vendor.connector()
    records = {item.id: connector.map(item) for item in (await structure(connector))[0]}
    project = records["project:100"]
    assert isinstance(project, Project)
    assert project.container_id == "container:workspace/main"
    assert records["container:workspace/main"].external_id == "main"


async def test_a_scope_leaves_out_what_was_not_chosen() -> None:
    vendor = Vendor()
    vendor.workspaces.append({"id": "51", "name": "Other", "kind": "open", "state": "active"})
    vendor.folders = [
        {"id": "60", "name": "A", "parent": None, "workspace": {"id": "50"}},
        {"id": "61", "name": "B", "parent": {"id": "60"}, "workspace": {"id": "50"}},
    ]
    vendor.board("100")
    vendor.board("101", workspace_id="51")
    vendor.board("102", board_folder_id="61")
    vendor.board("103")
    items, opened = await structure(vendor.connector(), Scope(workspaces=frozenset({"50"}), excluded=frozenset({"60", "103"})))
    assert {item.id for item in items if item.id.startswith(("project", "container"))} == {"container:workspace/50", "project:100"}
    assert [piece.covers for piece in opened] == [("project:100",)]


async def test_subitems_are_read_from_the_companion_and_belong_to_the_parents_board() -> None:
    vendor = Vendor()
    family(vendor)
    connector = vendor.connector()
    found = await everything(connector)
    child = task(connector, found["task:20000000"])
    assert (child.parent_id, child.memberships[0].project_id, child.memberships[0].section_id) == ("task:10000000", "project:100", None)
    assert child.status_id == "status:200/status/0"
    assert found["task:20000000"].owner == "project:100"


async def test_all_levels_of_a_multi_level_board_are_read() -> None:
    vendor = Vendor()
    vendor.board("100", 1, hierarchy_type="multi_level")
    vendor.items["100"].append(vendor.item("555", "100", parent_item={"id": "10000000"}))
    found = await everything(vendor.connector())
    assert {"task:10000000", "task:555"} <= found.keys()


async def test_a_large_board_is_paged_to_its_end_in_pages_of_five_hundred() -> None:
    vendor = Vendor()
    vendor.board("100", 1_234)
    connector = vendor.connector()
    _, (piece,) = await structure(connector)
    read = await pages(connector, piece)
    assert [len(page.items) for page in read] == [500, 500, 234]
    assert [page.cursor is None for page in read] == [False, False, True]
    assert read[0].expected == 1_234


async def test_the_next_pages_of_many_boards_share_one_request() -> None:
    vendor = Vendor()
    for n in range(4):
        vendor.board(str(100 + n), 600)
    connector = vendor.connector()
    _, (piece,) = await structure(connector)
    before = len(vendor.bodies)
    read = await pages(connector, piece)
    assert sum(len(page.items) for page in read) == 2_400
    assert len(vendor.bodies) - before == 2
    assert max(len(page.items) for page in read) <= 500


async def test_a_kill_at_any_page_is_resumed_by_a_new_process_with_nothing_lost_and_the_same_bodies() -> None:
    vendor = Vendor()
    family(vendor)
    vendor.board("101", 700)
    vendor.board("102", 1_100)
    whole = await everything(vendor.connector())
    _, opened = await structure(vendor.connector())
    for piece in opened:
        clean = await pages(vendor.connector(), piece)
        for kept in range(1, len(clean)):
            items = {item.id: item for page in clean[:kept] for item in page.items}
            for page in await pages(vendor.connector(), piece, clean[kept - 1].cursor):
                items |= {item.id: item for item in page.items}
            expected = {item.id for page in clean for item in page.items}
            assert items.keys() == expected
            assert all(items[ref].raw == whole[ref].raw and items[ref].context == whole[ref].context for ref in expected)


async def test_a_new_process_asks_the_columns_within_the_same_request() -> None:
    vendor = Vendor()
    family(vendor)
    _, (piece,) = await structure(vendor.connector())
    vendor.bodies.clear()
    await pages(vendor.connector(), piece)
    assert len(vendor.bodies) == 1
    assert "shapes: boards" in vendor.bodies[0]["query"]


async def test_slices_keep_their_keys_when_a_board_is_added_or_grows_a_little() -> None:
    vendor = Vendor()
    for n in range(60):
        vendor.board(str(100 + n), 3)
    _, before = await structure(vendor.connector())
    vendor.board("900", 3)
    vendor.boards[0]["items_count"] = 7
    _, after = await structure(vendor.connector())
    assert len({piece.key for piece in before} & {piece.key for piece in after}) == len(before) - 1


async def test_a_batch_holds_at_most_25_boards_and_2500_slots() -> None:
    vendor = Vendor()
    for n in range(60):
        vendor.board(str(100 + n), items_count=n * 10)
    _, opened = await structure(vendor.connector())
    for piece in opened:
        assert len(piece.args["boards"]) <= 25
        assert sum(board["limit"] for board in piece.args["boards"]) <= 2_500
    assert sorted(ref for piece in opened for ref in piece.covers) == sorted(f"project:{100 + n}" for n in range(60))


async def test_no_request_asks_for_more_than_five_formula_columns() -> None:
    vendor = Vendor()
    for n in range(4):
        vendor.board(str(100 + n), 1, columns=[STATUS, *(column(f"f{n}_{k}", "formula", f"F{k}") for k in range(3))])
    vendor.board("110", 1, columns=[column(f"g{k}", "formula", f"G{k}") for k in range(8)])
    _, opened = await structure(vendor.connector())
    assert all(sum(col[0] in "fg" for col in piece.args["cols"]) <= 5 for piece in opened)


async def test_a_board_that_became_unreadable_is_refused_and_the_others_go_on() -> None:
    vendor = Vendor()
    for board in ("100", "101", "102"):
        vendor.board(board, 2)
    connector = vendor.connector()
    _, (piece,) = await structure(connector)
    vendor.null_boards["101"] = "USER_UNAUTHORIZED"
    (page,) = await pages(connector, piece)
    assert list(page.refused) == ["project:101"]
    assert isinstance(page.refused["project:101"], Refused)
    assert {item.id[:8] for item in page.items} == {"task:100", "task:102"}


async def test_a_board_that_vanished_without_a_word_is_refused_not_empty() -> None:
    vendor = Vendor()
    vendor.board("100", 2)
    vendor.board("101", 2)
    connector = vendor.connector()
    _, (piece,) = await structure(connector)
    vendor.boards = vendor.boards[:1]
    (page,) = await pages(connector, piece)
    assert list(page.refused) == ["project:101"]
    assert len(page.items) == 2


async def test_one_board_that_fails_the_server_is_found_by_halving_and_named() -> None:
    vendor = Vendor()
    for n in range(5):
        vendor.board(str(100 + n), 1)
    connector = vendor.connector()
    _, (piece,) = await structure(connector)

    def fail(body: dict[str, Any]) -> Any:
        vendor.script.append(fail)
        if "103" in body["variables"]["i0"]:
            return 200, {"data": None, "errors": [{"message": "Internal server error", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}
        return None

    vendor.script = [fail]
    (page,) = await pages(connector, piece)
    assert list(page.refused) == ["project:103"]
    assert isinstance(page.refused["project:103"], Transient)
    assert len(page.items) == 4


async def test_a_query_above_the_cap_is_made_smaller_and_never_repeated() -> None:
    vendor = Vendor()
    vendor.board("100", 1)
    vendor.board("101", 1)
    connector = vendor.connector()
    _, (piece,) = await structure(connector)
    vendor.bodies.clear()
    vendor.script = [
        (
            200,
            {
                "errors": [
                    {"message": "too complex", "extensions": {"code": "ComplexityException", "complexity": 6_000_000, "maxComplexity": 5_000_000}}
                ]
            },
        )
    ]
    (page,) = await pages(connector, piece)
    assert len(page.items) == 2
    assert [body["variables"]["i0"] for body in vendor.bodies] == [["100", "101"], ["100"], ["101"]]


async def test_an_expired_cursor_restarts_the_slice_and_never_ends_it() -> None:
    vendor = Vendor()
    vendor.board("100", 600)
    connector = vendor.connector()
    _, (piece,) = await structure(connector)
    first = (await pages(connector, piece))[0]
    vendor.script = [(200, EXPIRED)]
    with pytest.raises(CursorExpired):
        await pages(connector, piece, first.cursor)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"data": {"g0": [{"id": "100", "items_page": {"cursor": None}}]}}, "without its list"),
        ({"data": {"g0": [{"id": "100", "items_page": {"items": []}}]}}, "without a cursor"),
        ({"data": {"g0": [{"id": "100", "items_page": {"cursor": None, "items": [None]}}]}}, "null"),
        ({"data": {"g0": [{"id": "100", "items_page": {"cursor": None, "items": [{"name": "x"}]}}]}}, "no id"),
        ({"data": {"g0": [{"items_page": {"cursor": None, "items": []}}]}}, "no id"),
        ({}, "no data"),
    ],
)
async def test_an_answer_without_what_it_must_have_is_never_an_empty_board(answer: Any, words: str) -> None:
    vendor = Vendor()
    vendor.board("100", 1)
    connector = vendor.connector()
    _, (piece,) = await structure(connector)
    vendor.script = [(200, answer)]
    with pytest.raises(BadResponse, match=words):
        await pages(connector, piece)


async def test_a_page_that_repeats_its_cursor_is_an_error() -> None:
    vendor = Vendor()
    vendor.board("100", 600)
    connector = vendor.connector()
    _, (piece,) = await structure(connector)
    again = {"data": {"n0": {"cursor": "cursor:100:500:all", "items": []}}}
    vendor.script = [lambda body: None, (200, again)]
    with pytest.raises(BadResponse, match="repeats the cursor"):
        await pages(connector, piece)


async def test_a_label_made_after_the_structure_is_sent_as_a_status_once() -> None:
    vendor = Vendor()
    vendor.board("100", 2)
    connector = vendor.connector()
    _, (piece,) = await structure(connector)
    for row in vendor.items["100"]:
        row["column_values"] = [{"__typename": "StatusValue", "id": "status", "index": 9, "label": "Parked", "is_done": False, "value": None}]
    (page,) = await pages(connector, piece)
    (made,) = [item for item in page.items if item.id.startswith("status:")]
    record = connector.map(made)
    assert isinstance(record, Status)
    assert (record.id, record.name) == ("status:100/status/9", "Parked")
    assert {task(connector, item).status_id for item in page.items if item.id.startswith("task:")} == {"status:100/status/9"}


async def test_the_order_of_columns_makes_no_difference_to_a_body() -> None:
    vendor = Vendor()
    vendor.board("100", 1, columns=[STATUS, column("text", "text", "Notes"), column("empty", "text", "Empty")])
    note = {"__typename": "TextValue", "id": "text", "text": "Hello"}
    blank = {"__typename": "TextValue", "id": "empty", "text": ""}
    values = vendor.items["100"][0]["column_values"]
    vendor.items["100"][0]["column_values"] = [*values, note, blank]
    first = (await everything(vendor.connector()))["task:10000000"]
    vendor.items["100"][0]["column_values"] = [blank, note, *values]
    second = (await everything(vendor.connector()))["task:10000000"]
    assert first.raw == second.raw
    assert [value["id"] for value in first.raw["column_values"]] == ["status", "text"]


async def test_the_tree_for_choosing_a_scope_costs_no_people_and_no_items() -> None:
    vendor = Vendor()
    family(vendor)
    items = await vendor.connector().discover()
    assert {item.id for item in items} == {"container:workspace/50", "project:100"}
    assert not any("users(" in body["query"] or "items_page" in body["query"] for body in vendor.bodies)
