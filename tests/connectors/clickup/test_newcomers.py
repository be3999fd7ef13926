"""What a poll of the pretend ClickUp meets for the first time, and what it must leave out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.base import Scope
from hub.sandbox.world import Person, Project
from tests.connectors.clickup.harbour import Harbour, a_new_list, bare, usual
from tests.connectors.clickup.vendor import error

pytestmark = pytest.mark.anyio


@pytest.fixture
async def port() -> Harbour:
    made = Harbour()
    await made.full()
    return made


async def test_a_poll_reads_a_list_that_is_new_and_gives_it_the_body_of_the_walk(port: Harbour) -> None:
    made = a_new_list(port)
    task = port.world.create_task("clickup", "first stone", made.id)
    assert await port.poll() >= {f"project:{made.id}", f"task:{task.id}"}
    assert port.asked().count(f"/v2/list/{made.id}") == 1
    assert len(port.asked()) == 3
    assert await port.structure() == set()


async def test_a_further_list_that_is_new_is_read_too(port: Harbour) -> None:
    made = a_new_list(port)
    task = usual(port)
    port.world.add_home("clickup", task.id, made.id)
    assert await port.poll() >= {f"project:{made.id}", f"task:{task.id}"}
    assert await port.structure() == set()


async def test_a_list_that_is_closed_though_its_task_is_shown_gets_what_the_task_tells_of_it(port: Harbour) -> None:
    made = a_new_list(port)
    port.world.create_task("clickup", "shown alone", made.id)
    port.wire.answers[f"/v2/list/{made.id}"] = [error(401, "OAUTH_027", "Team not authorized")]
    assert f"project:{made.id}" in await port.poll()
    stub = port.records[f"project:{made.id}"]
    assert (stub.name, stub.container_id) == ("Breakwater", next(iter(_parents(port, made))))


def _parents(port: Harbour, made: Project) -> list[str]:
    return [f"container:{node.kind}/{node.id}" for node in port.world.above(made)]


async def test_a_poll_reads_the_people_once_where_somebody_is_new(port: Harbour) -> None:
    person = Person("clickup", "77001", "h77001", "Ilse Novak", "ilse@example.org")
    port.world.people["clickup"][person.id] = person
    for task in [one for one in port.live_tasks() if bare(one)][:3]:
        port.world.assign("clickup", task.id, [person.id])
    assert "identity:77001" in await port.poll()
    assert port.asked().count("/v2/team") == 1
    assert await port.structure() == set()


async def test_a_poll_without_kept_bodies_asks_for_user_and_people_once() -> None:
    port = Harbour(forgetful=True)
    await port.full()
    assert await port.poll() == set()
    assert sorted(port.asked()) == sorted([f"/v2/team/{port.workspace}/task"] * 2 + ["/v2/user", "/v2/team"])


async def test_the_users_new_time_zone_reaches_the_polls_with_the_next_walk(port: Harbour) -> None:
    port.world.people["clickup"][port.world.me["clickup"]].timezone = "Asia/Tokyo"
    await port.structure()
    task = usual(port)
    port.world.set_title("clickup", task.id, "in Tokyo")
    await port.poll()
    context = port.held[f"task:{task.id}"].context
    assert context is not None
    assert context.version == "Asia/Tokyo"


async def test_tasks_of_what_is_left_out_do_not_come_in() -> None:
    port = Harbour()
    lists = port.live_lists()
    space = next(one for one in port.world.nodes["clickup"].values() if one.name == "Delivery")
    port.scope = Scope(excluded=frozenset({space.id, lists[-1].id}))
    out = {one.id for one in lists if any(node.id == space.id for node in port.world.above(one))} | {lists[-1].id}
    await port.full()
    inside = next(one for one in port.live_tasks() if one.homes[0][0] not in out)
    for task in [*(one for one in port.live_tasks() if one.homes[0][0] in out), inside]:
        port.world.set_title("clickup", task.id, "changed")
    brought = {ref.partition(":")[2] for ref in await port.poll() if ref.startswith("task:")}
    assert inside.id in brought
    assert not out & {port.world.tasks["clickup"][key].homes[0][0] for key in brought}
    assert len(port.asked()) == 2
    asked = [request.url.params.get_list("space_ids[]") for request in port.wire.calls]
    assert all(asked)
    assert space.id not in asked[0]


async def test_a_new_folder_inside_a_left_out_one_stays_out_too() -> None:
    port = Harbour()
    folder = next(one for one in port.world.nodes["clickup"].values() if one.name == "Customer programmes")
    port.scope = Scope(excluded=frozenset({folder.id}))
    await port.full()
    inner = replace(folder, id="990055", name="Wave 9", parent=folder.id)
    port.world.nodes["clickup"][inner.id] = inner
    made = a_new_list(port, inner.id)
    task = port.world.create_task("clickup", "not ours", made.id)
    assert not {f"task:{task.id}", f"project:{made.id}"} & await port.poll()
    assert await port.structure() == set()


async def test_what_the_admin_leaves_out_later_counts_from_the_next_poll(port: Harbour) -> None:
    folder = next(one for one in port.world.nodes["clickup"].values() if one.name == "Customer programmes")
    nested = next(one for one in port.world.nodes["clickup"].values() if one.name == "Wave 2")
    port.scope = Scope(excluded=frozenset({folder.id}))
    task = next(one for one in port.live_tasks() if port.world.projects["clickup"][one.homes[0][0]].node == nested.id)
    port.world.set_title("clickup", task.id, "left out by now")
    assert await port.poll() == set()
    assert len(port.asked()) > 2
    port.world.set_title("clickup", task.id, "and again")
    assert await port.poll() == set()
    assert len(port.asked()) == 2


async def test_what_a_webhook_tells_of_left_out_places_is_not_let_in_by_a_read_by_id() -> None:
    port = Harbour()
    out, inside = port.live_lists()[:2]
    port.scope = Scope(excluded=frozenset({out.id}))
    await port.full()
    strange = port.world.create_task("clickup", "not ours", out.id)
    known = next(one for one in port.live_tasks() if one.homes == [(inside.id, None)] and one.parent is None)
    port.world.move("clickup", known.id, out.id)
    looked = await port.connector().lookup([f"task:{strange.id}", f"task:{known.id}"])
    assert (set(looked.found), looked.gone, looked.refused) == ({f"task:{known.id}"}, frozenset(), frozenset())  # held, and moved out of the scope
