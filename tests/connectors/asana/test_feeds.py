"""What changed is brought, each kind of change by the cheapest feed that tells of it: the connector against the pretend Asana."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest

from tests.connectors.asana.happenings import BY_LIST, BY_POLL, BY_STREAM, created_loose, project_name, section_name
from tests.connectors.asana.ledger import BOTH, POLL, STRUCTURE, Ledger

pytestmark = pytest.mark.anyio


# -- the full reading, and nothing new -----------------------------------------------------------------------------------------------


async def test_a_full_reading_brings_the_first_mark_of_every_feed(ledger: Ledger) -> None:
    live = {project.id for project in ledger.live()}
    assert ledger.marks.keys() == {f"search:{gid}" for gid in ledger.workspaces()} | {f"events:{gid}" for gid in live}
    assert {mark["workspace"] for key, mark in ledger.marks.items() if key.startswith("events:")} <= set(ledger.workspaces())


async def test_a_projects_token_is_taken_before_anything_of_it_is_read() -> None:
    ledger = Ledger()
    run = await ledger.full()
    for project in ledger.live():
        reads = [call for call in run.calls if call in ("GET /events", f"GET /projects/{project.id}/sections")]
        place = reads.index(f"GET /projects/{project.id}/sections")
        assert reads[place - 1] == "GET /events"


async def test_a_second_full_reading_takes_no_marks_again(ledger: Ledger) -> None:
    marks = json.dumps(ledger.marks, sort_keys=True)
    first = [call for call in ledger.calls if call != "GET /events"]
    run = await ledger.full()
    assert "GET /events" not in run.calls
    assert len(run.calls) == len(first) - len(ledger.workspaces()), "the search for the newest change is spared too"
    assert json.dumps(ledger.marks, sort_keys=True) == marks


async def test_what_changes_while_a_full_reading_goes_on_is_brought_by_the_feeds() -> None:
    ledger = Ledger()
    world = ledger.world
    connector = ledger.connector()
    slices = list(connector.roots(ledger.scope))
    changed: list[str] = []
    while slices:
        slices.sort(key=lambda piece: piece.phase, reverse=True)
        piece = slices.pop()
        async for page in connector.read(piece, None):
            ledger._move(page.marks, own=False)
            ledger.items.update({item.id: item for item in page.items})
            ledger.projects.update({ref: piece.phase == 2 for ref in piece.covers if page.cursor is None})
            slices.extend(page.opens)
        gid = next((ref.partition(":")[2] for ref in ledger.items if ref.startswith("task:") and ref.partition(":")[2] not in changed), None)
        if gid is not None:
            world.set_title("asana", gid, f"Changed behind the reader's back {len(changed)}")
            changed.append(gid)
    assert len(changed) > 5
    await ledger.run(BOTH)
    assert await ledger.stale() == set()


async def test_an_idle_poll_costs_one_request_a_workspace(ledger: Ledger) -> None:
    for _ in range(3):
        run = await ledger.run(POLL)
        assert sorted(run.calls) == sorted(f"GET /workspaces/{gid}/tasks/search" for gid in ledger.workspaces())
    assert await ledger.stale() == set()


async def test_an_idle_structure_run_costs_the_lists_and_one_call_a_live_project(ledger: Ledger) -> None:
    run = await ledger.run(STRUCTURE)
    spaces = len(ledger.workspaces())
    assert Counter(call.split("/")[1] for call in run.calls) == {"workspaces": 1 + spaces, "projects": spaces, "events": len(ledger.live())}
    assert run.refs("task") == set()
    assert run.refs("project") == {ref.partition(":")[2] for ref in ledger.projects}, "the hub sees by it which ones are gone"


async def test_every_item_of_a_feed_is_as_a_full_reading_brings_it() -> None:
    ledger = Ledger()
    chosen = {"status_field": {ledger.busiest().id: next(iter(ledger.world.fields["asana"]))}, "priority_field": "Priority"}
    ledger.options = chosen
    await ledger.full()
    versions = {ref: item.context.version for ref, item in ledger.items.items() if item.context}
    for project in ledger.live():
        for gid in ledger.tasks_in(project)[:3]:
            ledger.world.set_due("asana", gid, ledger.world.now.date())
            ledger.world.move("asana", gid, project.id, project.sections[-1].id)
    run = await ledger.run(BOTH)
    other = Ledger(ledger.world)
    other.options = chosen
    await other.full()
    assert len(run.refs("task")) > 15
    for ref, item in run.items.items():
        assert json.dumps(item.raw) == json.dumps(other.items[ref].raw)
        assert item.context == other.items[ref].context
        assert item.context is None or item.context.version == versions.get(ref, item.context.version)


# -- each kind of change -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", BY_POLL, ids=lambda change: change.__name__)
async def test_edits_and_creations_come_with_the_next_poll(ledger: Ledger, change: Callable[[Ledger], None]) -> None:
    change(ledger)
    run = await ledger.run(POLL)
    assert await ledger.stale() == set()
    assert len(run.calls) == len(ledger.workspaces())


@pytest.mark.parametrize("change", [change for change in BY_POLL if change is not created_loose], ids=lambda change: change.__name__)
async def test_they_come_with_the_event_streams_alone_too(ledger: Ledger, change: Callable[[Ledger], None]) -> None:
    """A task in no project is in no stream."""
    change(ledger)
    await ledger.run(STRUCTURE)
    assert await ledger.stale() == set()


@pytest.mark.parametrize("change", BY_STREAM, ids=lambda change: change.__name__)
async def test_moves_and_deletions_come_with_the_streams_and_with_no_poll(ledger: Ledger, change: Callable[[Ledger], None]) -> None:
    change(ledger)
    await ledger.run(POLL)
    assert await ledger.stale()
    await ledger.run(STRUCTURE)
    assert await ledger.stale() == set()


@pytest.mark.parametrize("change", BY_LIST, ids=lambda change: change.__name__)
async def test_what_happens_to_projects_comes_with_the_list_of_projects(ledger: Ledger, change: Callable[[Ledger], None]) -> None:
    change(ledger)
    await ledger.run(POLL)
    assert await ledger.stale()
    run = await ledger.run(STRUCTURE)
    assert await ledger.stale() == set()
    whole = [key for key in run.slices if key.startswith("project:")]
    assert len(whole) == (0 if change is project_name else 1)
    again = await ledger.run(STRUCTURE)
    assert not [key for key in again.slices if key.startswith("project:")]
    assert {key for key in ledger.marks if key.startswith("events:")} == {f"events:{project.id}" for project in ledger.live()}


async def test_a_section_with_another_name_comes_with_the_stream_and_its_tasks_by_their_next_change(ledger: Ledger) -> None:
    section_name(ledger)
    run = await ledger.run(STRUCTURE)
    renamed = next(iter(run.refs("section") & {section.id for section in ledger.busiest().sections if section.name == "Umbenannt"}))
    assert ledger.items[f"section:{renamed}"].raw["name"] == "Umbenannt"
    assert {ref.partition(":")[0] for ref in await ledger.stale()} == {"task"}, "the section's own record has the name that is shown"


async def test_the_stream_of_a_deleted_project_ends_and_whether_it_is_gone_is_asked_by_id(ledger: Ledger) -> None:
    project = ledger.busiest()
    inside = set(ledger.tasks_in(project))
    ledger.world.delete_project("asana", project.id)
    run = await ledger.run(STRUCTURE)
    assert f"project:{project.id}" not in run.gone
    assert f"events:{project.id}" not in ledger.marks
    assert inside


async def test_the_stream_of_a_project_out_of_sight_is_not_asked_and_a_read_by_id_says_refused(ledger: Ledger) -> None:
    project = ledger.busiest()
    ledger.world.hide_project("asana", project.id)
    run = await ledger.run(STRUCTURE)
    assert run.calls.count("GET /events") == len(ledger.live())
    assert (run.gone, run.refused) == (set(), {})
    assert f"events:{project.id}" not in ledger.marks
    looked = await ledger.connector().lookup([f"project:{project.id}"])
    assert looked.refused == {f"project:{project.id}"}
    ledger.world.unhide_project("asana", project.id)
    await ledger.run(STRUCTURE)
    assert f"events:{project.id}" in ledger.marks, "it was read whole, and its stream begun anew"
