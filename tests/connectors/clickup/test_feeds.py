"""Polls and structure runs against the pretend ClickUp: each kind of change comes by the cadence that is to bring it, in the fewest calls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from connectors.base import ARCHIVED, LIVE, Cadence, Scope
from connectors.errors import CursorExpired
from hub.sandbox.truth import expected_tasks
from hub.sandbox.world import World
from tests.connectors.clickup.harbour import Harbour, bare, digest, usual
from tests.connectors.clickup.vendor import pages, through_json

pytestmark = pytest.mark.anyio
OVERLAP = 120
LATER = 10 * 60.0


@pytest.fixture
async def port() -> Harbour:
    made = Harbour()
    await made.full()
    return made


async def test_a_full_read_brings_the_first_mark_of_every_feed(port: Harbour) -> None:
    newest = max(int(item.raw["date_updated"]) for ref, item in port.held.items() if ref.startswith("task:"))
    live = {row.id for row in port.live_tasks()}
    assert newest >= port.marks[f"updated:{port.workspace}/live"]["at"] == max(int(port.held[f"task:{key}"].raw["date_updated"]) for key in live)
    assert set(port.marks) == {f"updated:{port.workspace}/live", f"updated:{port.workspace}/archived", f"places:{port.workspace}"}


@pytest.mark.parametrize("number", [2, 3])  # even worlds leave an instant out of its own bound, odd ones take it in
async def test_an_idle_poll_costs_two_requests_a_workspace_and_changes_nothing(number: int) -> None:
    port = Harbour(number)
    await port.full()
    for _ in range(3):
        assert await port.poll() == set()
        assert port.asked() == [f"/v2/team/{port.workspace}/task"] * 2
        port.wire.now = (port.wire.now or 0.0) + LATER


async def test_the_first_polls_stay_cheap_where_hundreds_of_tasks_changed_at_once_before_the_full_read() -> None:
    port = Harbour(2, 400)
    port.world.advance(port.world.now + timedelta(seconds=1))
    for task in port.live_tasks():
        task.updated_at = port.world.now
    await port.full()
    assert await port.poll() == set()
    assert len(port.asked()) == 2


async def test_the_unchanged_have_the_very_bodies_and_contexts_of_the_full_read(port: Harbour) -> None:
    live = port.connector()
    found = [item for piece in live.feeds(Cadence.POLL, Scope()) for page in await pages(live, piece) for item in page.items]
    assert found  # the overlap brings what changed last once more
    assert [digest(item) for item in found] == [digest(port.held[item.id]) for item in found]
    assert {item.owner for item in found} == {port.held[found[0].id].owner}


async def test_what_is_settled_does_not_come_again(port: Harbour) -> None:
    async def rows() -> int:
        live = port.connector()
        read = [await pages(live, piece) for piece in live.feeds(Cadence.POLL, Scope())]
        return sum(len(page.items) for whole in read for page in whole)

    assert await rows() > 0
    for _ in range(2):  # the archived ones are heard of by the first poll
        port.wire.now = (port.wire.now or 0.0) + OVERLAP
        await port.poll()
    assert await rows() == 0


async def test_without_a_date_on_the_answers_the_overlap_is_kept_for_good() -> None:
    port = Harbour()
    port.wire.now = None
    await port.full()
    for _ in range(2):
        await port.poll()
    assert port.marks[f"updated:{port.workspace}/live"]["floor"] is None


Change = Callable[[World, Any, Harbour], str]


def _subtask(world: World, task: Any, port: Harbour) -> str:
    return world.create_task("clickup", "below", parent=task.id).id


def _move(world: World, task: Any, port: Harbour) -> str:
    world.move("clickup", task.id, next(one.id for one in port.live_lists() if one.id != task.homes[0][0]))
    return task.id  # type: ignore[no-any-return]


def _further(world: World, task: Any, port: Harbour) -> str:
    world.add_home("clickup", task.id, next(one.id for one in port.live_lists() if one.id != task.homes[0][0]))
    return task.id  # type: ignore[no-any-return]


def _below(world: World, task: Any, port: Harbour) -> str:
    other = next(one for one in port.live_tasks() if one.homes == task.homes and one.id != task.id and bare(one))
    world.reparent("clickup", other.id, task.id)
    return other.id


def _then(name: str, *args: Any) -> Change:
    def change(world: World, task: Any, port: Harbour) -> str:
        getattr(world, name)("clickup", task.id, *args)
        return task.id  # type: ignore[no-any-return]

    return change


def _restored(world: World, task: Any, port: Harbour) -> str:
    world.archive_task("clickup", task.id)
    world.restore_task("clickup", task.id)
    return task.id  # type: ignore[no-any-return]


def _status(world: World, task: Any, port: Harbour) -> str:
    found = next(one.id for one in world.projects["clickup"][task.homes[0][0]].statuses if one.id != task.status)
    world.set_status("clickup", task.id, found)
    return task.id  # type: ignore[no-any-return]


def _field(world: World, task: Any, port: Harbour) -> str:
    found = next(key for key in world.projects["clickup"][task.homes[0][0]].fields if world.fields["clickup"][key].vendor_type == "short_text")
    world.set_value("clickup", task.id, found, "harbour dues")
    return task.id  # type: ignore[no-any-return]


POLLED: dict[str, Change] = {
    "create": lambda world, task, port: world.create_task("clickup", "new", task.homes[0][0]).id,
    "subtask": _subtask,
    "title": _then("set_title", "another title"),
    "status": _status,
    "due": _then("set_due", date(2026, 6, 1)),
    "assign": lambda world, task, port: (world.assign("clickup", task.id, [world.me["clickup"]]), task.id)[1],
    "priority": lambda world, task, port: (
        world.set_priority("clickup", task.id, "urgent" if task.priority != "urgent" else "low"),
        task.id,
    )[1],
    "field": _field,
    "move": _move,
    "extra list": _further,
    "reparent": _below,
    "archive": _then("archive_task"),
    "restore": _restored,
}


@pytest.mark.parametrize("kind", POLLED)
async def test_a_poll_brings(port: Harbour, kind: str) -> None:
    task = usual(port)
    key = POLLED[kind](port.world, task, port)
    brought = await port.poll()
    assert f"task:{key}" in brought
    assert len(port.asked()) == 2
    row = expected_tasks(port.world, "clickup")[key]
    held = port.task(key)
    assert (held.title, held.archived, [place.project_id.partition(":")[2] for place in held.memberships]) == (
        row["title"],
        port.world.tasks["clickup"][key].archived,
        [home for home, _ in port.world.tasks["clickup"][key].homes],
    )
    assert (held.parent_id, held.priority, held.status) == (row["parent"] and f"task:{row['parent']}", row["priority"], row["status"])
    assert await port.poll() == set()


async def test_a_task_taken_back_from_the_trash_comes_by_poll(port: Harbour) -> None:
    task = usual(port)
    port.world.delete_task("clickup", task.id)
    await port.poll()
    del port.held[f"task:{task.id}"]
    port.world.restore_task("clickup", task.id)
    assert f"task:{task.id}" in await port.poll()


async def test_a_deleted_task_comes_by_no_feed_and_a_read_by_id_says_gone(port: Harbour) -> None:
    task = usual(port)
    port.world.delete_task("clickup", task.id)
    assert f"task:{task.id}" not in await port.poll() | await port.structure()
    assert (await port.connector().lookup([f"task:{task.id}"])).gone == {f"task:{task.id}"}


async def test_a_read_by_id_gives_the_body_of_the_full_read(port: Harbour) -> None:
    refs = [f"task:{usual(port).id}", f"project:{usual(port).homes[0][0]}"]
    port.wire.calls.clear()
    looked = await port.connector().lookup(refs)
    assert {ref: digest(looked.found[ref]) for ref in refs} == {ref: digest(port.held[ref]) for ref in refs}
    assert len(port.asked()) == len(refs)


async def test_what_the_vendor_shows_late_comes_once_it_is_shown(port: Harbour) -> None:
    port.knobs.lag = 60.0
    first, second = [one for one in port.live_tasks() if bare(one)][:2]
    port.world.set_title("clickup", first.id, "shown late")
    port.world.advance(port.world.now + timedelta(seconds=30))
    port.world.set_title("clickup", second.id, "shown later")
    assert await port.poll() == set()
    port.world.advance(port.world.now + timedelta(seconds=31))
    assert await port.poll() == {f"task:{first.id}"}
    port.world.advance(port.world.now + timedelta(seconds=31))
    assert await port.poll() == {f"task:{second.id}"}


@pytest.mark.parametrize("number", [2, 3])
async def test_a_hundred_and_fifty_tasks_changed_in_one_millisecond_all_come_and_then_cost_nothing(number: int) -> None:
    port = Harbour(number, 400)
    await port.full()
    tasks = [one for one in port.live_tasks() if bare(one)][:150]
    assert len(tasks) == 150
    for task in tasks:
        port.world.set_title("clickup", task.id, f"bulk {task.id}")
    for task in tasks:
        task.updated_at = port.world.now
    port.world.set_title("clickup", next(one.id for one in port.live_tasks() if one not in tasks), "alone")
    assert {f"task:{task.id}" for task in tasks} < await port.poll()
    assert len(port.asked()) == 3 + 1
    for _ in range(3):
        port.wire.now = (port.wire.now or 0.0) + LATER
        assert await port.poll() == set()
    assert len(port.asked()) == 2


async def test_a_poll_of_many_pages_resumes_at_any_of_them(port: Harbour) -> None:
    port.knobs.page_size = 7
    tasks = port.live_tasks()[:40]
    for task in tasks:
        port.world.set_title("clickup", task.id, f"again {task.id}")
    live = port.connector()
    piece = live.feeds(Cadence.POLL, Scope())[0]
    whole = await pages(live, piece)
    names = [[item.id for item in page.items if item.id.startswith("task:")] for page in whole]
    assert len(whole) > 5
    for stop in range(1, len(whole)):
        rest = await pages(port.connector(), through_json(piece), whole[stop - 1].cursor)
        assert [[item.id for item in page.items if item.id.startswith("task:")] for page in rest] == names[stop:]
    stands = [page.marks[piece.key]["at"] for page in whole]
    assert stands == sorted(stands)


async def test_a_task_that_changes_again_while_it_is_read_comes_again_as_it_is_then(port: Harbour) -> None:
    port.knobs.page_size = 5
    tasks = [one for one in port.live_tasks() if bare(one)][:12]
    for task in tasks:
        port.world.set_title("clickup", task.id, "first")
    live = port.connector()
    piece = live.feeds(Cadence.POLL, Scope())[0]
    titles: dict[str, list[str]] = {}
    changed = False
    async for page in live.read(piece, None):
        for item in page.items:
            if item.id.startswith("task:"):
                titles.setdefault(item.id, []).append(item.raw["name"])
        last = tasks[4].id
        if not changed and f"task:{last}" in titles:
            changed = True
            port.world.set_title("clickup", last, "second")
    assert titles[f"task:{last}"][-1] == "second"
    assert {f"task:{task.id}" for task in tasks} <= titles.keys()


async def test_a_mark_that_is_none_of_ours_reads_everything_once_more(port: Harbour) -> None:
    port.marks[f"updated:{port.workspace}/live"] = {"page": 4}
    assert await port.poll() == set()
    assert len(port.asked()) == 1 + -(-len(port.live_tasks()) // 100)


async def test_a_cursor_that_is_not_ours_starts_the_poll_anew(port: Harbour) -> None:
    live = port.connector()
    with pytest.raises(CursorExpired):
        await pages(live, live.feeds(Cadence.POLL, Scope())[0], {"offset": 1})


async def test_there_is_no_feed_before_the_first_full_read_has_begun() -> None:
    port = Harbour()
    live = port.connector()
    assert live.feeds(Cadence.POLL, Scope()) == []
    assert live.hooks_wanted(Scope()) == []


async def test_live_tasks_are_polled_before_archived_ones_and_only_in_scope(port: Harbour) -> None:
    live = port.connector()
    assert [piece.phase for piece in live.feeds(Cadence.POLL, Scope())] == [LIVE, ARCHIVED]
    assert live.feeds(Cadence.POLL, Scope(workspaces=frozenset({"1"}))) == []


# -- what a poll meets for the first time ----------------------------------------------------------------------------------------


# -- what is left out ------------------------------------------------------------------------------------------------------------
