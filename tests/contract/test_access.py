"""What the token may and may not: a bad one is noticed at once and never tried again; what is closed is
named and the rest is read; gone is not hidden."""

from __future__ import annotations

import pytest

from connectors.base import LIVE, STRUCTURE, Page, Scope, Slice
from connectors.errors import AuthFailed
from hub.sandbox import truth
from hub.sandbox.world import World
from tests.contract.reading import Caller, read_all
from tests.contract.stage import Stage
from tests.contract.vendor import Vendor, project, task

pytestmark = pytest.mark.anyio


def wrong(token: str) -> str:
    return token[:-4] + "0000"


async def test_a_wrong_token_fails_the_check_after_one_call(stage: Stage) -> None:
    with pytest.raises(AuthFailed) as caught:
        await stage.connector(token=wrong(stage.token)).check()
    assert stage.statuses() == [401]
    assert stage.time.slept == []
    assert wrong(stage.token) not in str(caught.value)


async def test_a_wrong_token_fails_the_read_after_one_call(stage: Stage) -> None:
    with pytest.raises(AuthFailed):
        await read_all(stage.connector(token=wrong(stage.token)))
    assert stage.statuses() == [401]


async def test_a_wrong_token_fails_discovery_after_one_call(stage: Stage) -> None:
    with pytest.raises(AuthFailed):
        await stage.connector(token=wrong(stage.token)).discover()
    assert stage.statuses() == [401]


async def test_a_wrong_token_calls_nothing_gone(vendor: Vendor, stage: Stage) -> None:
    found = next(iter(truth.expected_tasks(stage.world, vendor.tool)))
    with pytest.raises(AuthFailed):
        await stage.connector(token=wrong(stage.token)).lookup([task(found)])


async def test_a_token_that_is_revoked_half_way_ends_the_read_and_is_not_tried_again(vendor: Vendor, stage: Stage) -> None:
    stage.knobs.page_size = 7
    pages = 0

    def revoke(piece: Slice, page: Page) -> None:
        nonlocal pages
        pages += piece.phase >= LIVE
        if pages == 3:
            stage.knobs.revoked.add(vendor.tool)

    caller = Caller(stage.connector(), after_page=revoke)
    with pytest.raises(AuthFailed):
        await caller.everything()
    assert stage.statuses().count(401) == 1
    assert stage.statuses()[-1] == 401
    assert caller.notes.waiting
    stage.knobs.revoked.clear()
    whole = await read_all(stage.connector(), notes=caller.notes.through_json())
    assert whole.tasks() == set(truth.expected_tasks(stage.world, vendor.tool))


@pytest.mark.parametrize("code", [402, 403, 404])
async def test_a_closed_project_is_named_and_the_rest_is_read(vendor: Vendor, stage: Stage, code: int) -> None:
    """It closes between the listing of the projects and the reading of their tasks."""
    closed = vendor.closable(stage.world)
    caller = Caller(stage.connector(), tolerant=True)
    await caller.begin()
    await caller.phase(STRUCTURE)
    stage.knobs.refused[closed] = code
    notes = await caller.everything()
    expected = truth.expected_tasks(stage.world, vendor.tool)
    inside = {key for key, row in expected.items() if row["project"] == closed and len(row["projects"]) < 2}
    assert inside
    assert expected.keys() - inside <= notes.tasks() <= expected.keys()
    assert project(closed) in notes.refused
    assert not isinstance(notes.refused[project(closed)], AuthFailed)


def hidden_and_gone(world: World, vendor: Vendor) -> tuple[str, str, str, str]:
    """A project to hide and a task in it; a task to delete in another one; a task that stays."""
    rows = truth.expected_tasks(world, vendor.tool)
    alone = {key: row["project"] for key, row in rows.items() if len(row["projects"]) == 1 and row["parent"] is None and not row["archived"]}
    secret = next(key for key in alone.values() if sum(home == key for home in alone.values()) > 1)
    others = [key for key, home in alone.items() if home != secret]
    inside = next(key for key, home in alone.items() if home == secret)
    return secret, inside, others[0], others[1]


async def test_a_read_by_id_tells_gone_from_hidden_from_there(vendor: Vendor, stage: Stage) -> None:
    world = stage.world
    secret, inside, gone, stays = hidden_and_gone(world, vendor)
    world.delete_task(vendor.tool, gone)
    world.hide_project(vendor.tool, secret)
    connector = stage.connector()
    listed = await read_all(connector)
    for reader in (connector, stage.connector()):
        looked = await reader.lookup([task(inside), task(gone), task(stays)])
        assert (set(looked.found), looked.gone, looked.refused) == ({task(stays)}, frozenset({task(gone)}), frozenset({task(inside)}))
        assert reader.map(looked.found[task(stays)]) == connector.map(listed.items[task(stays)])


async def test_a_project_read_by_id_is_gone_hidden_or_there(vendor: Vendor, stage: Stage) -> None:
    world = stage.world
    secret, _, one, other = hidden_and_gone(world, vendor)
    rows = truth.expected_tasks(world, vendor.tool)
    gone, stays = rows[one]["project"], next(row["project"] for row in rows.values() if row["project"] not in (secret, rows[one]["project"], None))
    assert other in rows
    world.delete_project(vendor.tool, gone)
    world.hide_project(vendor.tool, secret)
    looked = await stage.connector().lookup([project(secret), project(gone), project(stays)])
    assert (looked.gone, looked.refused) == (frozenset({project(gone)}), frozenset({project(secret)}))
    assert looked.found.keys() == {project(stays)}


async def test_what_was_deleted_is_no_longer_listed(vendor: Vendor, stage: Stage) -> None:
    _, _, gone, _ = hidden_and_gone(stage.world, vendor)
    assert gone in (await read_all(stage.connector())).tasks()
    stage.world.delete_task(vendor.tool, gone)
    after = (await read_all(stage.connector())).tasks()
    assert gone not in after
    assert after == set(truth.expected_tasks(stage.world, vendor.tool))


async def test_searches_that_lag_behind_cost_no_subtask(vendor: Vendor, stage: Stage) -> None:
    stage.knobs.lag = 120.0
    rows = truth.expected_tasks(stage.world, vendor.tool)
    parents = {row["parent"] for row in rows.values() if row["parent"]}
    parent = next(key for key in rows if key in parents and not rows[key]["archived"])
    fresh = stage.world.create_task(vendor.tool, "Only just split off", parent=parent)
    assert fresh.id in (await read_all(stage.connector())).tasks()


async def test_a_project_that_is_left_out_stays_out_and_nothing_else_does(vendor: Vendor, stage: Stage) -> None:
    out = vendor.closable(stage.world)
    caller = Caller(stage.connector())
    await caller.begin(Scope(excluded=frozenset({out})))
    notes = await caller.everything()
    rows = truth.expected_tasks(stage.world, vendor.tool)
    inside = {key for key, row in rows.items() if row["project"] == out}
    assert inside
    assert rows.keys() - inside <= notes.tasks()
    assert not {key for key in inside if len(rows[key]["projects"]) < 2} & notes.tasks()
    assert project(out) not in notes.items


async def test_a_workspace_that_is_chosen_is_the_only_one_read(vendor: Vendor, stage: Stage) -> None:
    world = stage.world
    tops = [node.id for node in world.nodes[vendor.tool].values() if node.kind == "workspace" and not node.hidden]
    rows = truth.expected_tasks(world, vendor.tool)

    def top(key: str | None) -> str:
        return tops[0] if key is None else [node.id for node in world.above(world.projects[vendor.tool][key])][-1]

    for chosen in tops:
        caller = Caller(stage.connector())
        await caller.begin(Scope(workspaces=frozenset({chosen})))
        notes = await caller.everything()
        assert notes.tasks() == {key for key, row in rows.items() if top(row["project"]) == chosen}
