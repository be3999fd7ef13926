"""The pretend monday.com: cursors, filters, activity logs, refusals and faults."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.sandbox import seed
from hub.sandbox.monday import error_body
from tests.sandbox.monday_server import Server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server(seed.build(seed=1, tasks=300))
    async with made.http:
        yield made


# -- cursors -------------------------------------------------------------------------------------------------------------------


async def first_cursor(server: Server, limit: int = 3) -> str:
    data = await server.ask(
        "query ($b: [ID!], $n: Int!) { boards(ids: $b) { items_page(limit: $n) { cursor } } }", b=[server.boards()[0].id], n=limit
    )
    cursor: str = data["boards"][0]["items_page"]["cursor"]
    return cursor


NEXT = "query ($c: String!) { next_items_page(cursor: $c, limit: 3) { cursor items { id } } }"


async def test_a_cursor_dies_an_hour_after_the_first_page_and_paging_does_not_renew_it(server: Server) -> None:
    cursor = await first_cursor(server)
    server.clock.now += 3599
    later = (await server.ask(NEXT, c=cursor))["next_items_page"]["cursor"]
    server.clock.now += 1
    body = await server.body(NEXT, c=later)
    assert body["errors"][0]["extensions"]["code"] == "CursorException"
    assert "CursorExpiredError" in body["errors"][0]["message"]
    assert "data" not in body


async def test_a_made_up_cursor_and_one_beside_a_filter_are_refused(server: Server) -> None:
    assert (await server.failure(NEXT, c="abc"))["extensions"]["code"] == "CursorException"
    both = await server.failure(
        "query ($b: [ID!], $c: String!) { boards(ids: $b) { items_page(cursor: $c, query_params: {ids: [1]}) { cursor } } }",
        b=[server.boards()[0].id],
        c=await first_cursor(server),
    )
    assert both["extensions"]["code"] == "InvalidArgumentException"


async def test_several_cursors_can_be_followed_in_one_document(server: Server) -> None:
    one, two = await first_cursor(server), await first_cursor(server)
    fields = "n0: next_items_page(cursor: $a, limit: 4) { items { id } } n1: next_items_page(cursor: $b, limit: 5) { items { id } }"
    query = f"query ($a: String!, $b: String!) {{ {fields} }}"
    data = await server.ask(query, a=one, b=two)
    assert (len(data["n0"]["items"]), len(data["n1"]["items"])) == (4, 5)


async def test_a_repeated_cursor_never_gets_anywhere(server: Server) -> None:
    server.knobs.repeat_cursor.add("monday")
    cursor = await first_cursor(server)
    one, two = (await server.ask(NEXT, c=cursor))["next_items_page"], (await server.ask(NEXT, c=cursor))["next_items_page"]
    assert one["cursor"] == cursor
    assert one == two


async def test_pages_can_be_made_smaller_and_one_left_out(server: Server) -> None:
    board = server.boards()[0]
    server.knobs.page_size = 5
    assert set(await server.walk(board, "limit: 500")) == server.ids(board)
    server.knobs.hide_pages["monday"] = 2
    assert len(await server.walk(board, "limit: 500")) == len(server.ids(board)) - 5


# -- filters and logs ----------------------------------------------------------------------------------------------------------

CHANGED = """query ($b: [ID!], $p: ItemsQuery) { boards(ids: $b) { items_page(limit: 500, query_params: $p) { items { id updated_at } } } }"""


def since(moment: str, **more: Any) -> dict[str, Any]:
    rule = {
        "column_id": "__last_updated__",
        "operator": "greater_than_or_equals",
        "compare_value": ["EXACT", moment],
        "compare_attribute": "UPDATED_AT",
    }
    return {"rules": [rule | more], "order_by": [{"column_id": "__last_updated__", "direction": "asc"}]}


async def test_the_last_updated_filter_is_ordered_and_trails_by_the_lag(server: Server) -> None:
    board = server.boards()[0]
    before = server.world.now
    keys = sorted(server.ids(board))[:3]
    for number, key in enumerate(keys):
        server.world.set_title("monday", key, f"Changed {number}")
    moment = (before + timedelta(seconds=1)).isoformat()
    rows = (await server.ask(CHANGED, b=[board.id], p=since(moment)))["boards"][0]["items_page"]["items"]
    assert [row["id"] for row in rows] == keys
    server.knobs.lag = 2
    rows = (await server.ask(CHANGED, b=[board.id], p=since(moment)))["boards"][0]["items_page"]["items"]
    assert [row["id"] for row in rows] == keys[:1]


@pytest.mark.parametrize(
    "wrong", [{"compare_attribute": None}, {"compare_value": "2026-01-01"}, {"compare_value": ["EXACT", "soon"]}, {"operator": "contains_text"}]
)
async def test_a_log_rule_in_another_form_is_refused(server: Server, wrong: dict[str, Any]) -> None:
    body = await server.body(CHANGED, b=[server.boards()[0].id], p=since("2026-01-01", **wrong))
    assert body["data"] == {"boards": [None]}
    assert body["errors"][0]["extensions"]["code"] == "InvalidArgumentException"


async def test_rules_on_columns_pick_by_label_and_person(server: Server) -> None:
    board = next(row for row in server.boards() if row.statuses)
    status = board.statuses[0]
    rule = {"column_id": board.columns["status"], "compare_value": [int(status.id.split("/")[2])]}
    rows = (await server.ask(CHANGED, b=[board.id], p={"rules": [rule]}))["boards"][0]["items_page"]["items"]
    assert {row["id"] for row in rows} == {key for key in server.ids(board) if server.world.tasks["monday"][key].status == status.id} != set()
    unknown = await server.failure(CHANGED, b=[board.id], p={"rules": [{"column_id": "nope", "compare_value": [1]}]})
    assert unknown["extensions"]["code"] == "InvalidColumnIdException"


LOGS = "query ($b: [ID!], $f: ISO8601DateTime) { boards(ids: $b) { activity_logs(from: $f, limit: 100) { event entity data created_at } } }"


async def test_the_log_tells_changes_newest_first_with_seventeen_digits(server: Server) -> None:
    board = server.boards()[0]
    before = server.world.now
    key, other = sorted(server.ids(board))[:2]
    server.world.set_title("monday", key, "New name")
    server.world.archive_task("monday", other)
    rows = (await server.ask(LOGS, b=[board.id], f=before.isoformat()))["boards"][0]["activity_logs"]
    assert [row["event"] for row in rows][-1] == "update_name"
    assert "archive_pulse" in {row["event"] for row in rows}
    assert {len(row["created_at"]) for row in rows} == {17}
    assert int(rows[-1]["created_at"]) == int(before.timestamp() + 1) * 10_000_000
    assert json.loads(rows[-1]["data"])["pulse_id"] == int(key)
    server.knobs.lag = 3600
    assert (await server.ask(LOGS, b=[board.id], f=before.isoformat()))["boards"][0]["activity_logs"] == []


async def test_a_board_has_a_log_from_before_and_a_page_behind_its_end_is_empty(server: Server) -> None:
    board = server.boards()[0]
    query = "query ($b: [ID!], $p: Int!) { boards(ids: $b) { activity_logs(limit: 40, page: $p) { id event created_at data } } }"
    pages = [(await server.ask(query, b=[board.id], p=page))["boards"][0]["activity_logs"] for page in range(1, 20)]
    rows = [row for page in pages for row in page]
    assert pages[-1] == []
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
    assert len({row["id"] for row in rows}) == len(rows)
    assert {str(json.loads(row["data"])["pulse_id"]) for row in rows} >= server.ids(board)
    assert len((await server.ask("query ($b: [ID!]) { boards(ids: $b) { activity_logs { id } } }", b=[board.id]))["boards"][0]["activity_logs"]) == 25


async def test_a_log_holds_its_last_ten_thousand_entries_and_no_more(server: Server) -> None:
    board = server.boards()[0]
    key = min(server.ids(board))
    for number in range(10_001):
        server.world.set_title("monday", key, f"Name {number}")
    query = "query ($b: [ID!], $p: Int!) { boards(ids: $b) { activity_logs(limit: 5000, page: $p) { data } } }"
    pages = [(await server.ask(query, b=[board.id], p=page))["boards"][0]["activity_logs"] for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [5000, 5000, 0]
    assert json.loads(pages[1][-1]["data"])["value"] == {"name": "Name 1"}


async def test_a_log_is_narrowed_by_time_item_and_user(server: Server) -> None:
    board = server.boards()[0]
    one, two = sorted(server.ids(board))[:2]
    before = server.world.now
    server.world.set_title("monday", one, "First", "7")
    between = server.world.now
    server.world.set_title("monday", two, "Second", "8")
    query = """query ($b: [ID!], $f: ISO8601DateTime, $t: ISO8601DateTime, $i: [ID!], $u: [ID!]) {
      boards(ids: $b) { activity_logs(from: $f, to: $t, item_ids: $i, user_ids: $u) { data } } }"""
    start = (before + timedelta(seconds=1)).isoformat()

    async def titles(**given: Any) -> list[str]:
        rows = (await server.ask(query, b=[board.id], **({"f": start} | given)))["boards"][0]["activity_logs"]
        return [json.loads(row["data"])["value"]["name"] for row in rows]

    assert await titles() == ["Second", "First"]
    assert await titles(t=between.isoformat()) == ["First"]
    assert await titles(i=[two]) == ["Second"]
    assert await titles(u=["7"]) == ["First"]


# -- refusals ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [402, 403])
async def test_a_refused_board_is_null_beside_the_others(server: Server, code: int) -> None:
    one, two = server.boards()[:2]
    server.knobs.refused[one.id] = code
    body = await server.body("query ($b: [ID!]) { boards(ids: $b) { id items_page(limit: 1) { items { id } } } }", b=[one.id, two.id])
    assert [row and row["id"] for row in body["data"]["boards"]] == [None, two.id]
    assert body["errors"][0]["path"] == ["boards", 0, "items_page"]
    assert body["errors"][0]["extensions"]["code"] == "USER_UNAUTHORIZED"
    assert (await server.ask("query ($i: [ID!]) { items(ids: $i) { id } }", i=[min(server.ids(one))]))["items"] == []


async def test_a_board_refused_with_404_and_one_in_a_refused_workspace(server: Server) -> None:
    one = server.boards()[0]
    server.knobs.refused[one.id] = 404
    assert (await server.ask("query ($b: [ID!]) { boards(ids: $b) { id } }", b=[one.id]))["boards"] == []
    server.knobs.refused = {str(one.node): 403}
    body = await server.body("query ($b: [ID!]) { boards(ids: $b) { activity_logs { id } } }", b=[one.id])
    assert body["data"] == {"boards": [{"activity_logs": None}]}


async def test_a_partial_error_makes_the_board_null_wherever_it_is_listed(server: Server) -> None:
    board = server.boards()[0]
    server.knobs.partial_errors.add(board.id)
    body = await server.body("{ boards(limit: 500) { id } }")
    place = body["data"]["boards"].index(None)
    assert body["errors"][0]["path"] == ["boards", place]
    assert body["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"


@pytest.mark.parametrize("code", [400, 401, 403, 404, 423, 429, 500, 503])
async def test_a_fault_on_demand_has_the_vendors_shape(code: int) -> None:
    headers, body = error_body(code, datetime(2026, 11, 23, tzinfo=UTC))
    assert json.loads(body)["errors"]
    assert ("Retry-After" in headers) is (code == 429)
