"""Runs of the feeds: what they cost, what they say of who and when, and how they go on through holes, lag, other plans and narrowed scopes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from connectors.asana.client import StaleToken
from connectors.base import Cadence, Scope
from connectors.errors import Refused
from hub.sandbox.truth import expected_tasks
from hub.sandbox.world import Project, World
from tests.connectors.asana.happenings import BY_LIST, BY_STREAM, below_another, created, in_subtask, in_title, to_section, top_task
from tests.connectors.asana.ledger import BOTH, POLL, STRUCTURE, Ledger

pytestmark = pytest.mark.anyio


# -- what it costs -------------------------------------------------------------------------------------------------------------------


async def test_a_run_over_many_changes_costs_the_lists_the_streams_and_one_read_for_each_move(ledger: Ledger) -> None:
    world, projects = ledger.world, [project for project in ledger.live() if len(project.sections) > 1]
    for gid in [gid for project in ledger.live() for gid in ledger.tasks_in(project)][:40]:
        world.set_title("asana", gid, "Edited")
    moved = [(project, gid) for project in projects for gid in ledger.tasks_in(project)[:2]][:5]
    for project, gid in moved:
        world.move("asana", gid, project.id, next(one.id for one in project.sections if (project.id, one.id) not in world.tasks["asana"][gid].homes))
    gone = top_task(ledger)
    world.delete_task("asana", gone)
    run = await ledger.run(BOTH)
    assert await ledger.stale() == set()
    spaces, live = len(ledger.workspaces()), len(ledger.live())
    moved_ones = {gid for _, gid in moved} - {gone}
    assert sorted(call for call in run.calls if call.startswith("GET /tasks/")) == sorted(f"GET /tasks/{gid}" for gid in moved_ones)
    assert len(run.calls) == 1 + 2 * spaces + spaces + live + len(moved_ones)


async def test_a_poll_pages_over_many_changes_and_loses_none(ledger: Ledger) -> None:
    home = ledger.busiest()
    for number in range(250):
        ledger.world.create_task("asana", f"Nr. {number}", home.id)
    run = await ledger.run(POLL)
    assert await ledger.stale() == set()
    assert 3 <= len(run.calls) - (len(ledger.workspaces()) - 1) <= 4


async def test_a_bulk_change_is_read_again_only_until_the_vendors_clock_has_gone_on(ledger: Ledger) -> None:
    home = ledger.busiest()
    made = [ledger.world.create_task("asana", f"Nr. {number}", home.id) for number in range(250)]
    for task in made:
        task.updated_at = made[-1].updated_at
    ledger.date = ledger.world.now
    await ledger.run(POLL)
    assert len((await ledger.run(POLL)).calls) > len(ledger.workspaces())
    ledger.date = ledger.world.now + timedelta(hours=1)
    await ledger.run(POLL)
    run = await ledger.run(POLL)
    assert len(run.calls) == len(ledger.workspaces())
    assert await ledger.stale() == set()


async def test_a_multi_homed_task_is_read_once_however_many_streams_tell_of_it(ledger: Ledger) -> None:
    home = ledger.busiest()
    near = [one for one in ledger.live() if one is not home and ledger.workspace_of(one) == ledger.workspace_of(home)][:2]
    gid = top_task(ledger)
    for project in near:
        ledger.world.add_home("asana", gid, project.id)
    await ledger.run(STRUCTURE)
    ledger.world.set_title("asana", gid, "In three streams")
    run = await ledger.run(STRUCTURE)
    assert run.calls.count(f"GET /tasks/{gid}") == 1
    assert await ledger.stale() == set()


async def test_a_stream_of_many_events_is_read_to_its_end_and_each_task_once_a_stretch(ledger: Ledger) -> None:
    gid = top_task(ledger)
    for number in range(1250):
        ledger.world.set_title("asana", gid, f"Edit {number}")
    run = await ledger.run(STRUCTURE)
    assert run.calls.count("GET /events") == len(ledger.live()) + 12
    assert run.calls.count(f"GET /tasks/{gid}") == 1, "what was read after an event holds it"
    assert await ledger.stale() == set()
    assert f"GET /tasks/{gid}" not in (await ledger.run(STRUCTURE)).calls


# -- who, when, and what is not there any more -----------------------------------------------------------------------------------------


async def test_the_stream_says_when_and_by_whom(ledger: Ledger) -> None:
    actor = list(ledger.world.people["asana"])[2]
    gid, gone = top_task(ledger), ledger.tasks_in(ledger.busiest())[-1]
    ledger.world.set_title("asana", gid, "Told", actor=actor)
    at = ledger.world.now
    ledger.world.delete_task("asana", gone, actor=actor)
    run = await ledger.run(STRUCTURE)
    assert (run.told[f"task:{gid}"].at, run.told[f"task:{gid}"].actor) == (at, f"identity:{actor}")
    assert f"task:{gone}" in run.gone
    assert run.told[f"task:{gone}"].at > at


async def test_a_task_that_was_taken_back_from_the_trash_is_not_gone(ledger: Ledger) -> None:
    gid = top_task(ledger)
    ledger.world.delete_task("asana", gid)
    ledger.world.restore_task("asana", gid)
    run = await ledger.run(BOTH)
    assert f"task:{gid}" not in run.gone
    assert await ledger.stale() == set()


@pytest.mark.parametrize("code", [403, 404])
async def test_a_task_that_cannot_be_read_again_is_refused_or_gone(ledger: Ledger, code: int) -> None:
    gid = top_task(ledger)
    ledger.world.set_title("asana", gid, "Edited, then out of reach")
    ledger.knobs.refused[gid] = code
    run = await ledger.run(STRUCTURE)
    assert (f"task:{gid}" in run.gone) is (code == 404)
    assert (f"task:{gid}" in run.refused) is (code == 403)


# -- lag, holes, other plans -----------------------------------------------------------------------------------------------------------


async def test_what_the_index_does_not_know_yet_comes_with_a_later_poll(ledger: Ledger) -> None:
    ledger.knobs.lag = 60.0
    gid = top_task(ledger)
    ledger.world.set_title("asana", gid, "Not indexed yet")
    early = await ledger.run(BOTH)
    assert gid not in early.refs("task")
    ledger.world.advance(ledger.world.now + timedelta(seconds=61))
    await ledger.run(BOTH)
    assert await ledger.stale() == set()


async def test_a_stream_with_a_hole_opens_its_project_and_goes_on_with_the_new_token(ledger: Ledger) -> None:
    project = ledger.busiest()
    to_section(ledger)
    ledger.marks[f"events:{project.id}"]["sync"] = "worn out"
    run = await ledger.run(STRUCTURE)
    assert [key for key in run.slices if key.startswith("project:")] == [f"project:{project.id}"]
    assert run.calls.count("GET /events") == len(ledger.live()), "the token came with the 412"
    assert await ledger.stale() == set()
    below_another(ledger)
    again = await ledger.run(STRUCTURE)
    assert not [key for key in again.slices if key.startswith("project:")]
    assert await ledger.stale() == set()


async def test_tokens_that_all_died_cost_one_full_reading_of_each_project_and_no_error(ledger: Ledger) -> None:
    ledger.now += 86_401
    run = await ledger.run(STRUCTURE)
    assert {key for key in run.slices if key.startswith("project:")} == {f"project:{project.id}" for project in ledger.live()}
    assert not [key for key in (await ledger.run(STRUCTURE)).slices if key.startswith("project:")]


async def test_a_hole_in_the_middle_of_a_stream_is_a_hole(ledger: Ledger) -> None:
    project, gid = ledger.busiest(), top_task(ledger)
    for number in range(620):
        ledger.world.set_title("asana", gid, f"Edit {number}")
    connector = ledger.connector()
    piece = next(one for one in connector.feeds(Cadence.STRUCTURE, ledger.scope) if one.key == f"events:{project.id}")
    pages = connector.read(piece, None)
    first = await anext(pages)
    ledger.now += 86_401
    (second,) = [page async for page in pages]
    assert first.cursor is not None
    assert first.marks[piece.key] == {"sync": first.cursor["sync"], "workspace": ledger.workspace_of(project)}
    assert (second.cursor, second.marks) == (None, {piece.key: None})
    assert [opened.key for opened in second.opens] == [f"project:{project.id}"]


async def test_a_process_that_dies_with_a_hole_open_leaves_the_project_to_the_next(ledger: Ledger) -> None:
    project = ledger.busiest()
    to_section(ledger)
    ledger.marks[f"events:{project.id}"]["sync"] = "worn out"
    connector = ledger.connector()
    piece = next(one for one in connector.feeds(Cadence.STRUCTURE, ledger.scope) if one.key == f"events:{project.id}")
    (page,) = [page async for page in connector.read(piece, None)]
    ledger._move(page.marks, own=True)
    assert f"events:{project.id}" not in ledger.marks
    await ledger.run(STRUCTURE)
    assert await ledger.stale() == set()
    assert ledger.marks[f"events:{project.id}"]["sync"]


async def test_without_search_each_live_project_is_polled_and_idle_costs_one_call_each() -> None:
    ledger = Ledger(asana="free")
    await ledger.full()
    run = await ledger.run(POLL)
    assert run.calls == ["GET /tasks"] * len(ledger.live())
    in_title(ledger)
    created(ledger)
    in_subtask(ledger)
    await ledger.run(POLL)
    assert len(await ledger.stale()) == 1, "a subtask is in no project's list"
    await ledger.run(BOTH)
    assert await ledger.stale() == set()


@pytest.mark.parametrize("change", [*BY_STREAM, *BY_LIST], ids=lambda change: change.__name__)
async def test_without_search_the_streams_bring_what_they_bring_elsewhere(change: Callable[[Ledger], None]) -> None:
    """But nothing from archived projects: they have no streams, and no search goes through them."""
    ledger = Ledger(asana="free")
    await ledger.full()
    change(ledger)
    run = await ledger.run(BOTH)
    old = expected_tasks(ledger.world, "asana")
    assert not {ref for ref in await ledger.stale() if not old.get(ref.partition(":")[2], {"archived": False})["archived"]}
    assert not [call for call in run.calls if call.endswith(("/tasks/search", "/custom_fields"))]
    assert not [key for key in (await ledger.run(STRUCTURE)).slices if key.startswith("project:")]


async def test_without_search_a_busy_hour_is_read_again_only_until_the_vendors_clock_has_gone_on() -> None:
    ledger = Ledger(asana="free")
    await ledger.full()
    for gid in ledger.tasks_in(ledger.busiest())[:6]:
        ledger.world.complete("asana", gid)
    ledger.date = ledger.world.now
    assert (await ledger.run(POLL)).items
    assert (await ledger.run(POLL)).items, "the index may still trail behind"
    ledger.date = ledger.world.now + timedelta(hours=1)
    await ledger.run(POLL)
    assert not (await ledger.run(POLL)).items
    assert await ledger.stale() == set()


async def test_a_plan_that_loses_its_search_is_polled_project_by_project_from_where_the_search_stood(ledger: Ledger) -> None:
    in_title(ledger)
    ledger.world.plans["asana"] = "free"
    await ledger.run(POLL)
    assert not [key for key in ledger.marks if key.startswith("search:")]
    created(ledger)
    run = await ledger.run(POLL)
    assert run.calls == ["GET /tasks"] * len(ledger.live())
    assert {gid for gid, row in expected_tasks(ledger.world, "asana").items() if row["title"] in ("Kaimauer prüfen ☂", "New")} <= run.refs("task")


async def test_a_plan_that_gains_search_is_polled_by_it_after_the_next_full_reading() -> None:
    ledger = Ledger(asana="free")
    await ledger.full()
    ledger.world.plans["asana"] = "paid"
    await ledger.full()
    assert len((await ledger.run(POLL)).calls) == len(ledger.workspaces())


async def test_an_app_that_may_read_no_streams_does_not_read_projects_again_and_again() -> None:
    ledger = Ledger()
    refusing: list[str] = []

    async def refuse(resource: str) -> str:
        refusing.append(resource)
        raise Refused("no scope for events", status=403)

    connector = ledger.connector()
    connector._client.token = refuse  # type: ignore[method-assign]  # the sandbox's token may do everything
    await ledger._read(connector, connector.roots(ledger.scope), feeds=set())
    assert sorted(refusing) == sorted(project.id for project in ledger.live())
    run = await ledger.run(STRUCTURE)
    assert not [key for key in run.slices if key.startswith(("project:", "events:"))]


# -- scope -----------------------------------------------------------------------------------------------------------------------------


def left_out(world: World) -> tuple[Project, str, str]:
    """A project, a task in it that has a subtask, and the subtask."""
    rows = expected_tasks(world, "asana")
    for gid, row in rows.items():
        parent = rows.get(row["parent"] or "")
        if parent and len(parent["projects"]) == 1 and not row["projects"] and not row["archived"]:
            return world.projects["asana"][parent["projects"][0]], row["parent"], gid
    raise AssertionError("no such project")


@pytest.mark.parametrize("by_team", [False, True])
@pytest.mark.parametrize("recalls", [False, True])
async def test_what_an_admin_left_out_is_brought_by_no_feed(recalls: bool, by_team: bool) -> None:
    world = Ledger().world
    out, parent, child = left_out(world)
    ledger = Ledger(world, scope=Scope(excluded=frozenset({out.node if by_team and out.node else out.id})), recalls=recalls)
    await ledger.full()
    for gid in (parent, child):
        world.set_title("asana", gid, "Nobody's business")
    new = world.create_task("asana", "Nor this", out.id)
    deeper = world.create_task("asana", "Nor that", parent=child)
    inside = next(project for project in ledger.live() if f"project:{project.id}" in ledger.projects and ledger.tasks_in(project))
    task = ledger.tasks_in(inside)[0]
    kept = world.create_task("asana", "But this", parent=world.create_task("asana", "And that", parent=task).id)
    loose = world.create_task("asana", "And what is in no project")
    run = await ledger.run(BOTH)
    assert not {parent, child, new.id, deeper.id} & run.refs("task")
    assert {kept.id, loose.id} <= run.refs("task")
    assert out.id not in run.refs("project")
    if recalls:
        assert len([call for call in run.calls if call.startswith("GET /tasks/")]) < 8


async def test_a_task_that_moves_out_of_the_scope_does_not_come_in_again() -> None:
    world = Ledger().world
    out, _, _ = left_out(world)
    ledger = Ledger(world, scope=Scope(excluded=frozenset({out.id})))
    await ledger.full()
    home = next(one for one in ledger.live() if one is not out and ledger.workspace_of(one) == ledger.workspace_of(out) and ledger.tasks_in(one))
    gid = top_task(ledger, home)
    world.move("asana", gid, out.id)
    run = await ledger.run(BOTH)
    assert gid not in run.refs("task")
    assert f"task:{gid}" not in run.gone


async def test_feeds_of_a_workspace_that_was_not_chosen_are_not_read() -> None:
    ledger = Ledger()
    ledger.scope = Scope(workspaces=frozenset(ledger.workspaces()[:1]))
    await ledger.full()
    ledger.scope = Scope(workspaces=frozenset(ledger.workspaces()[1:]))
    assert await ledger.run(POLL) is not None
    assert ledger.calls[-1] != f"GET /workspaces/{ledger.workspaces()[0]}/tasks/search"
    connector = ledger.connector()
    assert connector.feeds(Cadence.POLL, ledger.scope) == ()
    assert [piece.key for piece in connector.feeds(Cadence.STRUCTURE, ledger.scope)] == ["structure"]


async def test_before_a_full_reading_there_is_nothing_to_poll() -> None:
    ledger = Ledger()
    assert ledger.connector().feeds(Cadence.POLL, Scope()) == ()


def test_the_412_of_a_stream_shows_no_token() -> None:
    error = StaleToken("Sync token invalid or too old", "secret-sync")
    assert "secret-sync" not in f"{error!r} {error} {error.args}"
