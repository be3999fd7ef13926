"""The pretend monday.com: it refuses what the real one refuses, and shows boards and items the way the real one would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.sandbox import seed
from tests.sandbox.monday_server import ALL, DEEP, Server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server(seed.build(seed=1, tasks=300))
    async with made.http:
        yield made


# -- the door ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "wrong", "Basic abc"])
async def test_a_wrong_token_is_not_authenticated(server: Server, token: str) -> None:
    answer = await server.post({"query": "{ me { id } }"}, Authorization=token)
    assert (answer.status_code, answer.json()) == (401, {"errors": ["Not Authenticated"]})


async def test_a_bearer_prefix_is_tolerated_and_a_revoked_token_is_not(server: Server) -> None:
    bearer = f"Bearer {server.world.tokens['monday']}"
    assert (await server.post({"query": "{ me { id } }"}, Authorization=bearer)).json()["data"] == {"me": {"id": server.world.me["monday"]}}
    server.knobs.revoked.add("monday")
    assert (await server.post({"query": "{ me { id } }"})).status_code == 401


@pytest.mark.parametrize("body", [{}, {"query": 7}, {"query": " "}, [], {"mutation": "{ me { id } }"}, {"query": "{ me { id } }", "variables": [1]}])
async def test_a_body_without_a_query_is_a_bad_request(server: Server, body: Any) -> None:
    assert (await server.post(body)).status_code == 400


async def test_text_that_is_no_json_and_a_get_are_refused(server: Server) -> None:
    assert (await server.http.post("/", content=b"{ me { id } }", headers=server.headers)).status_code == 400
    assert (await server.http.get("/", headers=server.headers)).status_code == 405


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ me { id ", "PARSING_ERROR"),
        ("{ me { nonsense } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query ($a: Int) { me { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ boards(limit: $n) { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ('{ boards(limit: "5") { id } }', "GRAPHQL_VALIDATION_FAILED"),
        ("{ boards(state: gone) { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query ($n: Int!) { boards(limit: $n) { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ boards { items_page(limit: 1) { items { column_values { display_value } } } } }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_a_document_that_does_not_fit_the_schema_is_not_run(server: Server, query: str, code: str) -> None:
    answer = await server.post({"query": query})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == code
    assert "data" not in answer.json()


@pytest.mark.parametrize("value", ["many", 1.5, True, None, [1]])
async def test_a_variable_of_the_wrong_type_is_refused(server: Server, value: Any) -> None:
    answer = await server.post({"query": "query ($n: Int!) { boards(limit: $n) { id } }", "variables": {"n": value}})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "GRAPHQL_VALIDATION_FAILED")


@pytest.mark.parametrize(
    ("pinned", "served"), [("2026-10", "2026-10"), ("2026-07", "2026-07"), ("2031-01", "2026-10"), ("nonsense", "2026-10"), ("2024-10", "2025-04")]
)
async def test_an_unknown_version_falls_back_without_a_word(server: Server, pinned: str, served: str) -> None:
    answer = await server.post({"query": "{ version { value kind } }"}, **{"API-Version": pinned})
    assert answer.json()["data"]["version"]["value"] == served


async def test_every_answer_has_a_request_id_and_the_state_of_the_limits(server: Server) -> None:
    answer = await server.post({"query": "{ me { id } }"})
    assert answer.json()["extensions"]["request_id"]
    assert answer.headers["ratelimit-policy"].startswith('"minute";q=2500;w=60')
    assert '"minute";r=2499' in answer.headers["ratelimit"]


async def test_skip_include_aliases_and_merged_fields_work(server: Server) -> None:
    query = "query ($no: Boolean!) { a: me { id name @include(if: $no) } a: me { email @skip(if: $no) } __typename }"
    data = await server.ask(query, no=False)
    assert data == {"a": {"id": server.world.me["monday"], "email": "marlene.vogt@example.org"}, "__typename": "Query"}


async def test_a_write_is_refused_beside_null_data(server: Server) -> None:
    body = await server.body(
        'mutation { delete_item(item_id: 1) { id } create_webhook(board_id: 1, url: "https://example.org", event: create_item) { id } }'
    )
    assert body["data"] == {"delete_item": None, "create_webhook": None}
    assert {error["extensions"]["code"] for error in body["errors"]} == {"missingRequiredPermissions"}


# -- boards --------------------------------------------------------------------------------------------------------------------


async def listed(server: Server, arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await server.ask(f"{{ boards(limit: 500, {arguments}) {{ id type state hierarchy_type }} }}"))["boards"]
    return rows


async def test_boards_come_active_and_classic_unless_more_is_asked(server: Server) -> None:
    assert {(row["state"], row["hierarchy_type"]) for row in await listed(server, "page: 1")} == {("active", "classic")}
    rows = await listed(server, ALL)
    assert {row["state"] for row in rows} == {"active", "archived", "deleted"}
    assert {row["type"] for row in rows} == {"board", "sub_items_board", "document", "custom_object"}
    deep = server.boards(hierarchy="multi_level")[0].id
    assert (await server.ask("query ($b: [ID!]) { boards(ids: $b) { id } }", b=[deep]))["boards"] == []


async def test_hidden_boards_shorten_a_page_and_only_an_empty_page_is_the_end(server: Server) -> None:
    hidden = [row.id for row in server.world.projects["monday"].values() if row.hidden]
    assert len(hidden) >= 2
    pages: list[list[str]] = []
    while not pages or pages[-1]:
        data = await server.ask(
            "query ($p: Int!) { boards(limit: 3, page: $p, state: all, order_by: created_at, hierarchy_types: [classic, multi_level]) { id } }",
            p=len(pages) + 1,
        )
        pages.append([row["id"] for row in data["boards"]])
        if len(pages) * 3 > len(server.world.projects["monday"]) + 3:
            break
    found = [board for page in pages for board in page]
    assert len(found) == len(set(found))
    assert any(len(page) < 3 for page in pages[:-2])
    assert not set(found) & set(hidden)


async def test_ids_are_cut_at_the_default_limit_of_25(server: Server) -> None:
    board = server.boards()[0]
    ids = sorted(server.ids(board))[:60]
    assert len((await server.ask("query ($i: [ID!]) { items(ids: $i) { id } }", i=ids))["items"]) == 25
    assert len((await server.ask("query ($i: [ID!]) { items(ids: $i, limit: 100) { id } }", i=ids))["items"]) == 60
    assert (await server.failure("query ($i: [ID!]) { items(ids: $i, limit: 100) { id } }", i=[str(n) for n in range(101)]))["extensions"][
        "code"
    ] == "InvalidArgumentException"


async def test_columns_tell_settings_as_an_object_and_label_ids_apart_from_positions(server: Server) -> None:
    board = next(row for row in server.boards() if row.statuses)
    rows = (await server.ask("query ($b: [ID!]) { boards(ids: $b) { columns { id title type settings settings_str } } }", b=[board.id]))["boards"][0][
        "columns"
    ]
    column = next(row for row in rows if row["id"] == board.columns["status"])
    labels = column["settings"]["labels"]
    assert [(label["id"], label["label"], label["is_done"]) for label in labels] == [
        (int(s.id.split("/")[2]), s.name, s.type == "done") for s in board.statuses
    ]
    assert [label["index"] for label in labels] == list(range(len(labels)))
    assert isinstance(column["settings_str"], str)
    parts = next(row for row in rows if row["type"] == "subtasks")
    assert parts["settings"]["boardIds"] == [int(board.companion or 0)]


async def test_only_active_and_pending_users_come_by_default(server: Server) -> None:
    everyone = (await server.ask("{ users(limit: 1000, status: [ACTIVE, INACTIVE, PENDING]) { id status } }"))["users"]
    assert {row["status"] for row in (await server.ask("{ users { status } }"))["users"]} == {"ACTIVE"}
    assert len(everyone) == len(server.world.people["monday"])
    assert (await server.failure("{ users(limit: 1001) { id } }"))["extensions"]["code"] == "InvalidArgumentException"


async def test_the_main_workspace_is_null_and_a_closed_one_is_not_there(server: Server) -> None:
    rows = (await server.ask("{ workspaces(limit: 100, state: all) { id name } }"))["workspaces"]
    assert [row["name"] for row in rows] == ["Plant & logistics", "PMO Büro"]
    main = next(row for row in server.boards() if row.node == "main")
    assert (await server.ask("query ($b: [ID!]) { boards(ids: $b) { workspace_id workspace { id } } }", b=[main.id]))["boards"] == [
        {"workspace_id": None, "workspace": None}
    ]


# -- items ---------------------------------------------------------------------------------------------------------------------


async def test_a_walk_brings_every_active_item_once(server: Server) -> None:
    board = server.boards()[0]
    found = await server.walk(board, "limit: 7", limit=11)
    assert len(found) == len(set(found))
    assert set(found) == server.ids(board)
    assert found != sorted(found)


async def test_items_below_the_top_of_a_multi_level_board_need_the_scope(server: Server) -> None:
    board = server.boards(hierarchy="multi_level")[0]
    top = {key for key in server.ids(board) if server.world.tasks["monday"][key].parent is None}
    assert set(await server.walk(board, "limit: 500")) == top < server.ids(board)
    assert set(await server.walk(board, f"limit: 500, {DEEP}")) == server.ids(board)


async def test_subitems_are_on_the_companion_board_with_their_parent(server: Server) -> None:
    board = server.boards("companion")[0]
    query = "query ($b: [ID!]) { boards(ids: $b) { name type items_page(limit: 500) { items { id parent_item { id board { id } } } } } }"
    shown = (await server.ask(query, b=[board.id]))["boards"][0]
    assert (shown["type"], shown["name"].startswith("Subitems of ")) == ("sub_items_board", True)
    assert {item["id"]: item["parent_item"]["id"] for item in shown["items_page"]["items"]} == {
        key: server.world.tasks["monday"][key].parent for key in server.ids(board)
    }
    assert {item["parent_item"]["board"]["id"] for item in shown["items_page"]["items"]} == {board.parent_board}


async def test_a_deleted_item_is_gone_from_pages_and_told_by_id(server: Server) -> None:
    board = server.boards()[0]
    key = min(server.ids(board))
    server.world.delete_task("monday", key)
    assert key not in await server.walk(board, "limit: 500")
    assert (await server.ask("query ($i: [ID!]) { items(ids: $i) { id state } }", i=[key, "77"]))["items"] == [{"id": key, "state": "deleted"}]
    assert (await server.ask("query ($i: [ID!]) { items(ids: $i, exclude_nonactive: true) { id } }", i=[key]))["items"] == []


async def test_items_of_archived_boards_are_listed_and_those_of_hidden_ones_do_not_exist(server: Server) -> None:
    archived = next(row for row in server.world.projects["monday"].values() if row.archived and row.kind == "board" and server.ids(row))
    assert set(await server.walk(archived, f"limit: 500, {DEEP}")) == server.ids(archived)
    hidden = next(row for row in server.world.projects["monday"].values() if row.hidden and server.ids(row))
    assert (await server.ask("query ($i: [ID!]) { items(ids: $i) { id } }", i=sorted(server.ids(hidden))[:5]))["items"] == []


async def test_a_deleted_board_beside_its_items_is_an_internal_error(server: Server) -> None:
    gone = next(row for row in server.world.projects["monday"].values() if row.deleted)
    body = await server.body(f"query ($b: [ID!]) {{ boards(ids: $b, {ALL}) {{ id items_page(limit: 5) {{ cursor }} }} }}", b=[gone.id])
    assert body["data"] == {"boards": [None]}
    assert body["errors"][0]["path"] == ["boards", 0, "items_page"]


async def test_state_below_subitems_breaks_the_whole_page(server: Server) -> None:
    board = next(row for row in server.boards() if row.companion and server.ids(server.world.projects["monday"][row.companion]))
    query = "query ($b: [ID!]) { boards(ids: $b) { items_page(limit: 500) { items { subitems { id %s } } } } }"
    assert (await server.ask(query % "", b=[board.id]))["boards"][0]
    assert (await server.failure(query % "state", b=[board.id]))["extensions"]["code"] == "INTERNAL_SERVER_ERROR"


@pytest.mark.parametrize("limit", [0, 501])
async def test_a_page_holds_500_items_at_most(server: Server, limit: int) -> None:
    error = await server.failure("query ($n: Int!) { boards(limit: 1) { items_page(limit: $n) { cursor } } }", n=limit)
    assert error["extensions"]["code"] == "InvalidArgumentException"
