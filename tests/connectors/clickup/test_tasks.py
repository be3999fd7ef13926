"""Task slices: every task once, resumable at any page, in few calls."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.base import LIVE, Slice
from connectors.errors import CursorExpired, Refused
from connectors.records import Project, Status
from tests.connectors.clickup.vendor import Vendor, a_list, a_task, connector, error, everything, found, ids, pages, through_json, told, user, walk

pytestmark = pytest.mark.anyio


def many(count: int, **more: Any) -> list[dict[str, Any]]:
    return [a_task(f"a{number:05}", 1_700_000_000_000 + number * 7, **more) for number in range(count)]


async def slices(vendor: Vendor) -> list[Slice]:
    return [piece async for _, page in walk(connector(vendor)) for piece in page.opens]


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("says_last_page", [False, True])
async def test_every_task_comes_once_and_the_call_is_keyed_by_creation_time(inclusive: bool, says_last_page: bool) -> None:
    vendor = Vendor(tasks=many(430), inclusive=inclusive, says_last_page=says_last_page)
    piece = found(await slices(vendor), "tasks:9001")
    vendor.calls.clear()
    read = await pages(connector(vendor), piece)
    assert [key for page in read for key in ids(page.items, "task")] == [row["id"] for row in vendor.tasks]
    asked = [call.url.params for call in vendor.calls if call.url.path.endswith("/task")]
    assert len(asked) == 5
    assert all((one["subtasks"], one["include_closed"], one["order_by"], one["reverse"]) == ("true", "true", "created", "true") for one in asked)
    assert all(one["page"] == "0" for one in asked)
    assert "date_created_gt" not in asked[0]
    assert asked[1]["date_created_gt"] == str(1_700_000_000_000 + 99 * 7 - 1)
    assert all("archived" not in one for one in asked)


async def test_a_kill_at_any_page_is_made_good_by_a_new_process() -> None:
    vendor = Vendor(tasks=many(430))
    piece = found(await slices(vendor), "tasks:9001")
    whole = [key for page in await pages(connector(vendor), piece) for key in ids(page.items, "task")]
    for stop in range(1, 5):
        before = (await pages(connector(vendor), through_json(piece)))[:stop]
        after = await pages(connector(vendor), through_json(piece), before[-1].cursor)
        assert [key for page in [*before, *after] for key in ids(page.items, "task")] == whole


async def test_closed_tasks_subtasks_and_archived_tasks_all_come() -> None:
    closed = {"id": "p1_x", "status": "complete", "type": "closed"}
    tasks = [a_task("a1", 1), a_task("a2", 2, parent="a1"), a_task("a3", 3, parent="a2", status=closed), a_task("a4", 4, archived=True)]
    tasks += [a_task("a5", 5, home="303"), a_task("a6", 6, home="303", archived=True), a_task("a7", 7, home="304")]
    vendor = Vendor(tasks=tasks, old_lists={"303", "304", "305"})
    by_slice = {piece.key: ids(page.items, "task") async for piece, page in walk(connector(vendor)) if ids(page.items, "task")}
    assert by_slice["tasks:9001"] == ["a1", "a2", "a3"]
    assert by_slice["archived:9001"] == ["a4"]
    assert sorted(ids(await everything(connector(vendor)), "task")) == ["a1", "a2", "a3", "a4", "a5", "a6", "a7"]


async def test_an_archived_list_is_read_twice_and_resumes_in_either_half() -> None:
    tasks = many(150, home="303") + [row | {"id": f"b{row['id']}", "archived": True} for row in many(150, home="303")]
    vendor = Vendor(tasks=tasks, old_lists={"303"})
    piece = found(await slices(vendor), "list:303")
    read = await pages(connector(vendor), piece)
    assert sorted(key for page in read for key in ids(page.items, "task")) == sorted(row["id"] for row in tasks)
    assert [page.cursor is None for page in read] == [False, False, False, True]
    for stop in (1, 2, 3):
        rest = await pages(connector(vendor), through_json(piece), read[stop - 1].cursor)
        assert [ids(page.items, "task") for page in rest] == [ids(page.items, "task") for page in read[stop:]]


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("count", [101, 150, 199, 200, 201, 1500])
async def test_a_high_limit_splits_the_read_into_windows_that_lose_nothing(count: int, inclusive: bool) -> None:
    vendor = Vendor(tasks=many(count), limit=10_000, inclusive=inclusive)
    piece = found(await slices(vendor), "tasks:9001")
    vendor.calls.clear()
    live = connector(vendor)
    waiting = [piece]
    names: list[str] = []
    keys: list[Any] = []
    while waiting:
        for page in await pages(connector(vendor) if names else live, through_json(waiting.pop(0))):
            waiting += page.opens
            keys += [(one.key, one.phase, one.covers) for one in page.opens]
            names += ids(page.items, "task")
    assert set(names) == {row["id"] for row in vendor.tasks}
    assert len(names) <= count + 1  # the oldest row of the newest page is in the last window too
    assert len([call for call in vendor.calls if call.url.path.endswith("/task")]) <= max(1.02 * -(-count // 100), -(-count // 100) + 5)
    if count == 1500:
        assert keys == [(f"tasks:9001/w{number}", LIVE, ("container:workspace/9001",)) for number in range(1, 5)]


async def test_windows_over_one_crowded_millisecond_lose_nothing() -> None:
    vendor = Vendor(tasks=[a_task(f"a{number:04}", 5000) for number in range(500)], limit=10_000)
    items = await everything(connector(vendor))
    assert set(ids(items, "task")) == {row["id"] for row in vendor.tasks}


async def test_a_low_limit_is_not_spent_on_windows() -> None:
    vendor = Vendor(tasks=many(430), limit=100)
    opened = await slices(vendor)
    assert not any("/w" in piece.key for piece in opened)


async def test_a_workspace_closed_to_the_token_is_refused() -> None:
    vendor = Vendor(tasks=many(3))
    piece = found(await slices(vendor), "tasks:9001")
    vendor.first["/v2/team/9001/task"] = [error(401, "OAUTH_027", "Team not authorized")]
    with pytest.raises(Refused):
        await pages(connector(vendor), piece)


@pytest.mark.parametrize("cursor", [{"offset": 1}, {"archived": True}, 7])
async def test_a_strange_cursor_starts_the_slice_anew(cursor: Any) -> None:
    vendor = Vendor(tasks=many(3))
    opened = await slices(vendor)
    for name in ("tasks:9001", "list:303"):
        with pytest.raises(CursorExpired):
            await pages(connector(vendor), found(opened, name), cursor)


async def test_a_task_twice_in_one_page_is_given_once() -> None:
    vendor = Vendor(tasks=[a_task("a1", 1), a_task("a1", 1), a_task("a2", 2)])
    assert ids(await everything(connector(vendor)), "task") == ["a1", "a2"]


async def test_what_tasks_carry_becomes_an_item_once_a_run() -> None:
    field = {"id": "f1", "name": "Size", "type": "drop_down", "type_config": {"options": [{"id": "o1", "name": "S", "orderindex": 0}]}}
    stranger = user(77, "Cy")
    status = {"id": "l3_review", "status": "review", "type": "custom", "orderindex": 1, "color": "#ff0000"}
    rows = [row | {"custom_fields": [field | {"value": 0}], "assignees": [stranger], "status": status} for row in many(250)]
    items = await everything(connector(Vendor(tasks=rows)))
    assert ids(items, "field") == ["f1"]
    assert sorted(ids(items, "identity")) == ["11", "12", "77"]
    assert sorted(ids(items, "status")) == ["l3_review", "p1_open"]


async def test_a_field_whose_options_change_during_the_run_is_given_again() -> None:
    old = {"id": "f1", "name": "Size", "type": "drop_down", "type_config": {"options": [{"id": "o1", "name": "S"}]}}
    new = old | {"type_config": {"options": [{"id": "o1", "name": "Small"}]}}
    rows = [row | {"custom_fields": [old if number < 100 else new]} for number, row in enumerate(many(150))]
    assert ids(await everything(connector(Vendor(tasks=rows))), "field") == ["f1", "f1"]


async def test_a_status_without_an_id_belongs_to_its_list() -> None:
    status = {"status": "Offen", "type": "open", "orderindex": 0, "color": "#d3d3d3"}
    live = connector(Vendor(tasks=[a_task("a1", 1, status=status)]))
    records = {item.id: live.map(item) for item in await everything(live)}
    found_status = records["status:list/301/offen"]
    assert isinstance(found_status, Status)
    assert (found_status.external_id, found_status.name, found_status.project_id) == ("Offen", "Offen", "project:301")


async def test_a_list_that_the_walk_did_not_show_gets_a_stub() -> None:
    lent = a_task("a1", 1, home="777", space="666", folder={"id": "555", "name": "Lent", "hidden": False, "access": False})
    timl = a_task("a2", 2, locations=[{"id": "778", "name": "Sprint 4"}])
    live = connector(Vendor(tasks=[lent, timl]))
    records = {item.id: live.map(item) for item in await everything(live)}
    stub, further = records["project:777"], records["project:778"]
    assert isinstance(stub, Project)
    assert isinstance(further, Project)
    assert (stub.name, stub.container_id) == ("List 777", "container:folder/555")
    assert (further.name, further.container_id) == ("Sprint 4", "container:workspace/9001")
    assert "container:folder/555" in records


async def test_a_resumed_process_never_overwrites_the_walk_with_stubs() -> None:
    vendor = Vendor(tasks=[a_task("a1", 1, assignees=[user(12, None)], locations=[{"id": "302", "name": "List 302"}])])
    piece = found(await slices(vendor), "tasks:9001")
    vendor.calls.clear()
    read = await pages(connector(vendor), through_json(piece))
    assert {item.id.partition(":")[0] for item in told(read[0])} == {"status", "task"}
    assert vendor.paths() == ["/v2/team/9001/task", "/v2/team"]


async def test_a_resumed_archived_list_makes_no_stubs_either() -> None:
    vendor = Vendor(tasks=[a_task("a1", 1, home="303", locations=[{"id": "302", "name": "List 302"}])], old_lists={"303"})
    piece = found(await slices(vendor), "list:303")
    read = await pages(connector(vendor), through_json(piece))
    assert [item.id for page in read for item in told(page)] == ["status:p1_open", "task:a1"]


async def test_a_second_pass_gives_the_same_bodies() -> None:
    vendor = Vendor(tasks=many(120))
    first, second = await everything(connector(vendor)), await everything(connector(vendor))
    assert [(item.id, item.raw, item.context) for item in first] == [(item.id, item.raw, item.context) for item in second]


async def test_lookup_tells_found_gone_and_refused_apart() -> None:
    vendor = Vendor(tasks=many(2), first={"/v2/task/secret": [error(401, "OAUTH_027", "Team not authorized")]})
    vendor.first["/v2/list/999"] = [error(404, "ITEM_015", "List not found")]
    live = connector(vendor)
    looked = await live.lookup(["task:a00000", "task:zzz", "task:secret", "project:301", "project:999"])
    assert set(looked.found) == {"task:a00000", "project:301"}
    assert looked.gone == {"task:zzz", "project:999"}
    assert looked.refused == {"task:secret"}


async def test_what_is_looked_up_has_the_body_that_the_walk_gives() -> None:
    vendor = Vendor(tasks=many(2))
    walked = {item.id: item for item in await everything(connector(vendor))}
    looked = await connector(vendor).lookup(["task:a00000", "project:301"])
    assert {ref: (item.raw, item.context, item.owner) for ref, item in looked.found.items()} == {
        ref: (walked[ref].raw, walked[ref].context, walked[ref].owner) for ref in looked.found
    }


async def test_only_tasks_and_lists_can_be_looked_up() -> None:
    with pytest.raises(ValueError, match="container:space/101"):
        await connector(Vendor()).lookup(["container:space/101"])


async def test_a_shared_list_reads_like_any_other() -> None:
    vendor = Vendor(tasks=[a_task("a1", 1, home="401", space="666")])
    vendor.bodies["/v2/team/9001/shared", False] = {"shared": {"tasks": [], "lists": [a_list("401", archived=False)], "folders": []}}
    items = await everything(connector(vendor))
    assert ids(items, "project").count("401") == 1
    assert ids(items, "task") == ["a1"]
