"""Structure runs against the pretend ClickUp: the walk of the full reading, which opens the tasks of what is new, archived or back, and no others."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from connectors.records import Project as ProjectRecord
from hub.sandbox import live
from hub.sandbox.truth import differences, expected_tasks
from tests.connectors.clickup.harbour import Harbour, a_new_list, bare
from tests.contract.judging import Judge

pytestmark = pytest.mark.anyio


@pytest.fixture
async def port() -> Harbour:
    made = Harbour()
    await made.full()
    return made


def structure_calls(port: Harbour) -> int:
    """User, workspaces; groups, shared, spaces twice; four for each space, one for each folder."""
    nodes = [node for node in port.world.nodes["clickup"].values() if not node.hidden and not node.deleted]
    return 2 + 4 + 4 * sum(node.kind == "space" for node in nodes) + sum(node.kind == "folder" for node in nodes)


async def test_a_structure_run_without_news_is_the_walk_alone(port: Harbour) -> None:
    assert await port.structure() == set()
    assert len(port.asked()) == structure_calls(port)
    assert not any(path.endswith("/task") for path in port.asked())


async def test_a_renamed_list_comes_by_structure_and_not_by_poll(port: Harbour) -> None:
    one = port.live_lists()[0]
    port.world.rename_project("clickup", one.id, "Renamed")
    assert f"project:{one.id}" not in await port.poll()
    assert await port.structure() == {f"project:{one.id}"}
    assert port.records[f"project:{one.id}"].name == "Renamed"
    assert not any(path.endswith("/task") for path in port.asked())


async def test_an_archived_list_is_read_on_its_own_and_again_when_it_comes_back(port: Harbour) -> None:
    one = port.live_lists()[0]
    tasks = {f"task:{task.id}" for task in port.live_tasks() if task.homes[0][0] == one.id}
    assert tasks
    port.world.archive_project("clickup", one.id)
    assert await port.structure() == {f"project:{one.id}"}
    assert f"list:{one.id}" in port.keys
    assert len(port.asked()) == structure_calls(port) + 2
    assert await port.structure() == set()
    assert f"list:{one.id}" not in port.keys
    port.world.archive_project("clickup", one.id, False)
    assert await port.structure() == {f"project:{one.id}"}
    assert [request.url.params.get_list("list_ids[]") for request in port.wire.calls if request.url.path.endswith("/task")] == [[one.id]] * 2
    assert len(port.asked()) == structure_calls(port) + 2


async def test_lists_of_an_archived_folder_are_read_though_their_own_flag_did_not_move(port: Harbour) -> None:
    one = next(one for one in port.live_lists() if port.world.nodes["clickup"][one.node or ""].kind == "folder")
    node = port.world.nodes["clickup"][one.node or ""]
    node.archived = True
    inside = {other.id for other in [*port.live_lists(), one] if any(above.id == node.id for above in port.world.above(other))}
    await port.structure()
    assert {key for key in port.keys if key.startswith("list:")} >= {f"list:{key}" for key in inside}


async def test_a_new_list_comes_with_its_tasks_however_old_they_are(port: Harbour) -> None:
    made = a_new_list(port)
    task = next(one for one in port.live_tasks() if bare(one))
    task.homes = [(made.id, None)]  # as when a list becomes visible: nothing was changed
    port.held.pop(f"task:{task.id}")
    port.world.tasks["clickup"][task.id].status = made.statuses[0].id
    assert await port.poll() == set()
    assert await port.structure() >= {f"project:{made.id}", f"task:{task.id}"}
    assert isinstance(port.records[f"project:{made.id}"], ProjectRecord)


async def test_a_hundred_new_lists_cost_two_calls_together(port: Harbour) -> None:
    old = port.live_lists()[0]
    for number in range(100):
        made = replace(old, id=str(880_000 + number), name=f"Pier {number}", description=None, owner=None)
        port.world.projects["clickup"][made.id] = made
    brought = await port.structure()
    assert len([ref for ref in brought if ref.startswith("project:88")]) == 100
    assert len(port.asked()) == structure_calls(port) + 2


async def test_a_deleted_list_comes_by_no_feed_and_a_read_by_id_says_gone(port: Harbour) -> None:
    one = port.live_lists()[0]
    port.world.delete_project("clickup", one.id)
    refs = {f"project:{one.id}", *(f"task:{task.id}" for task in port.world.tasks["clickup"].values() if task.homes[0][0] == one.id)}
    assert not refs & (await port.poll() | await port.structure())
    assert (await port.connector().lookup([f"project:{one.id}"])).gone == {f"project:{one.id}"}


async def test_a_workspace_that_is_new_is_read_whole_by_the_structure_run(port: Harbour) -> None:
    port.marks.clear()
    port.held.clear()
    await port.structure()
    assert {ref for ref in port.held if ref.startswith("task:")} == {f"task:{key}" for key in expected_tasks(port.world, "clickup")}
    assert f"updated:{port.workspace}/live" in port.marks


async def test_discover_shows_what_is_open_where_one_space_is_closed() -> None:
    port = Harbour()
    spaces = [node for node in port.world.nodes["clickup"].values() if node.kind == "space" and not node.hidden]
    every = {item.id for item in await port.connector().discover()}
    port.knobs.refused[spaces[0].id] = 401
    some = {item.id for item in await port.connector().discover()}
    assert some < every
    assert any(ref.startswith("project:") for ref in some)
    assert f"container:space/{spaces[1].id}" in some


# -- everything together ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(4, 10))
async def test_after_a_hundred_random_changes_poll_and_structure_hold_all_but_deletions(number: int) -> None:
    port = Harbour(number, 200)
    await port.full()
    rng = random.Random(number)
    for _ in range(8):
        wanted = sum(entry.tool == "clickup" for entry in port.world.journal) + 12
        while sum(entry.tool == "clickup" for entry in port.world.journal) < wanted:
            live.step(port.world, rng)
        if rng.random() < 0.5:
            one = rng.choice(list(port.world.projects["clickup"].values()))
            port.world.archive_project("clickup", one.id, not one.archived)
        if rng.random() < 0.5:
            await port.poll()
            port.wire.now = (port.wire.now or 0.0) + rng.choice((30.0, 300.0))
    await port.structure()
    await port.poll()
    expected = expected_tasks(port.world, "clickup")
    held = Judge(port.records).rows()
    gone = held.keys() - expected.keys()
    assert all(port.world.tasks["clickup"][key].deleted for key in gone)
    # An edit inside an archived list shows in no filtered read either: the sweep brings it.
    live_ones = {key for key, row in expected.items() if not port.world.archived_above(port.world.projects["clickup"][row["project"]])}
    assert differences({key: expected[key] for key in live_ones}, {key: held[key] for key in live_ones}) == []
    assert await port.structure() | await port.poll() == set()
    await port.full()
    rows = Judge(port.records).rows()
    assert differences(expected, {key: rows[key] for key in rows.keys() - gone}) == []
