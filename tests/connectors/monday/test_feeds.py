"""Keeping up with the pretend account: each kind of change is brought by a poll or by the structure, and nothing new costs one call."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from hub.sandbox import live, seed, truth
from hub.sandbox.knobs import Knobs
from hub.sandbox.things import Section
from hub.sandbox.world import Project, Task, World
from tests.connectors.monday.keeper import Keeper, sandboxed

pytestmark = pytest.mark.anyio


@pytest.fixture
def world() -> World:
    return seed.build(seed=1, tasks=400)


@pytest.fixture
def knobs() -> Knobs:
    return Knobs(limits=False)


@pytest.fixture
async def keeper(world: World, knobs: Knobs) -> Keeper:
    made = Keeper(sandboxed(world, knobs))
    await made.full()
    return made


def board(world: World, *, deep: bool = False, formula: bool | None = None) -> Project:
    """The fullest live board of a kind that has statuses, and, where asked, has or has not a formula column."""

    def fits(project: Project) -> bool:
        formulas = any(world.fields["monday"][key].vendor_type == "formula" for key in project.fields)
        plain = project.kind == "board" and world.sees_project(project) and not world.archived_above(project)
        return plain and bool(project.statuses) and (project.hierarchy == "multi_level") is deep and formula in (None, formulas)

    return max((project for project in world.projects["monday"].values() if fits(project)), key=lambda project: len(items(world, project)))


def items(world: World, project: Project, *, top: bool = True) -> list[Task]:
    rows = (task for task in world.tasks["monday"].values() if task.homes[0][0] == project.id and not task.deleted and not task.archived)
    return [task for task in rows if not (top and task.parent)]


def differences(world: World, keeper: Keeper) -> list[str]:
    """Between the world's own truth and what is held, by what a poll could get wrong."""
    expected = truth.expected_tasks(world, "monday")
    held = {}
    for key in keeper.tasks():
        record = keeper.task(key)
        section = record.memberships[0].section_id
        held[key] = {
            "title": record.title,
            "parent": record.parent_id and record.parent_id.partition(":")[2],
            "status": record.status,
            "section": keeper.items[section].raw["title"] if section else None,
            "assignees": sorted(record.assignee_ids),
            "due_on": record.due_on.isoformat() if record.due_on else None,
            "priority": str(record.priority),
        }
    names = ("title", "parent", "status", "section", "assignees", "due_on", "priority")
    return truth.differences({key: {name: row[name] for name in names} for key, row in expected.items()}, held)


async def test_a_poll_that_finds_nothing_new_costs_one_call_and_moves_nothing(world: World, keeper: Keeper) -> None:
    before = dict(keeper.marks)
    for _ in range(2):
        found = await keeper.poll()
        assert (found.requests, found.items, found.gone, found.opened, found.marks) == (1, {}, set(), [], {})
    assert keeper.marks == before


async def test_a_structure_run_that_finds_nothing_new_costs_one_call_and_opens_nothing(keeper: Keeper) -> None:
    before = dict(keeper.items)
    found = await keeper.structure()
    assert (found.requests, found.opened, found.gone, found.marks) == (1, [], set(), {})
    assert {ref: item.raw for ref, item in found.items.items()} == {ref: before[ref].raw for ref in found.items}


@pytest.mark.parametrize("formula", [True, False])
@pytest.mark.parametrize("forgets", [True, False])
async def test_an_item_of_a_poll_has_the_body_and_context_of_a_full_reading(world: World, keeper: Keeper, formula: bool, forgets: bool) -> None:
    keeper.forgets = forgets
    place = board(world, formula=formula)
    task = items(world, place)[0]
    world.set_title("monday", task.id, "Renamed")
    brought = (await keeper.poll()).items[f"task:{task.id}"]
    again = Keeper(keeper.connect)
    whole = (await again.full()).items[f"task:{task.id}"]
    assert brought.raw == whole.raw
    assert brought.owner == whole.owner
    assert brought.context is not None
    assert whole.context is not None
    assert brought.context.version == whole.context.version


CHANGES: dict[str, Callable[[World, Project, Task], object]] = {
    "create": lambda world, place, task: world.create_task("monday", "Brand new", place.id),
    "subitem": lambda world, place, task: world.create_task("monday", "Below", parent=task.id),
    "title": lambda world, place, task: world.set_title("monday", task.id, "Another name"),
    "status": lambda world, place, task: world.set_status("monday", task.id, next(s.id for s in place.statuses if s.id != task.status)),
    "blank status": lambda world, place, task: (
        world.set_status("monday", task.id, place.statuses[0].id),
        world.set_status("monday", task.id, None),
    ),
    "due": lambda world, place, task: world.set_due("monday", task.id, date(2031, 1, 2)),
    "assign": lambda world, place, task: world.assign("monday", task.id, [next(iter(world.people["monday"]))]),
    "group": lambda world, place, task: world.move("monday", task.id, place.id, place.sections[-1].id),
    "archive": lambda world, place, task: world.archive_task("monday", task.id),
    "delete": lambda world, place, task: world.delete_task("monday", task.id),
    "delete and restore": lambda world, place, task: (world.delete_task("monday", task.id), world.restore_task("monday", task.id)),
    "restore": lambda world, place, task: (world.archive_task("monday", task.id), world.restore_task("monday", task.id)),
    "rename a board": lambda world, place, task: world.rename_project("monday", place.id, "Called otherwise"),
    "archive a board": lambda world, place, task: world.archive_project("monday", place.id),
    "delete a board": lambda world, place, task: world.delete_project("monday", place.id),
    "rename a label": lambda world, place, task: world.rename_status("monday", place.id, place.statuses[0].id, "Parked"),
}


def due_board(world: World) -> Project:
    """A live board whose items can have a due date, and subitems."""
    rows = (
        p for p in world.projects["monday"].values() if p.companion and p.statuses and {"due", "timeline"} & p.columns.keys() and len(p.sections) > 1
    )
    live_ones = [p for p in rows if world.sees_project(p) and not world.archived_above(p) and "assignees" in p.columns]
    return max(live_ones, key=lambda p: len(items(world, p)))


@pytest.mark.parametrize("kind", CHANGES)
async def test_each_kind_of_change_is_brought_by_one_poll(world: World, keeper: Keeper, kind: str) -> None:
    place = due_board(world)
    CHANGES[kind](world, place, items(world, place)[0])
    found = await keeper.poll()
    if kind == "delete a board":
        assert f"project:{place.id}" in found.gone
        keeper.items.pop(f"project:{place.id}", None)
    assert differences(world, keeper) == []
    reference = f"project:{place.id}"
    if kind == "rename a board":
        assert keeper.items[reference].raw["name"] == "Called otherwise"
        assert found.opened == []
    if kind == "archive a board":
        assert keeper.items[reference].raw["state"] == "archived"
        assert [piece.covers for piece in found.opened] == [(reference,)]
    assert (await keeper.poll()).requests == 1


async def test_a_restored_item_that_was_known_as_gone_comes_back_by_a_poll(world: World, keeper: Keeper) -> None:
    task = items(world, board(world))[0]
    world.delete_task("monday", task.id)
    assert f"task:{task.id}" in (await keeper.poll()).gone
    world.restore_task("monday", task.id)
    await keeper.poll()
    assert task.id in keeper.tasks()


@pytest.mark.parametrize("kind", ["new", "archived", "unarchived", "deleted", "renamed", "hidden and back"])
async def test_a_change_of_the_boards_themselves_is_brought_by_the_structure(world: World, keeper: Keeper, kind: str) -> None:
    place = board(world)
    reference = f"project:{place.id}"
    if kind == "new":
        world.hide_project("monday", place.id)
        keeper = Keeper(keeper.connect)
        await keeper.full()
        world.unhide_project("monday", place.id)
    elif kind == "archived":
        world.archive_project("monday", place.id)
    elif kind == "unarchived":
        place = next(p for p in world.projects["monday"].values() if p.archived and p.kind == "board" and world.sees_project(p) and items(world, p))
        reference = f"project:{place.id}"
        world.archive_project("monday", place.id, False)
    elif kind == "deleted":
        world.delete_project("monday", place.id)
    elif kind == "renamed":
        world.rename_project("monday", place.id, "Called otherwise")
    else:
        world.hide_project("monday", place.id)
        lost = await keeper.poll()
        assert reference in lost.refused
        assert f"board/{place.id}" not in keeper.marks
        world.unhide_project("monday", place.id)
    found = await keeper.structure()
    opened = [ref for piece in found.opened for ref in piece.covers]
    assert opened == ([] if kind in ("deleted", "renamed") else [reference])
    assert found.gone == ({reference} if kind == "deleted" else set())
    if kind == "renamed":
        assert keeper.items[reference].raw["name"] == "Called otherwise"
    assert differences(world, keeper) == []
    assert (await keeper.structure()).opened == []


async def test_a_board_that_the_structure_found_is_followed_from_then_on(world: World, keeper: Keeper) -> None:
    place = board(world)
    world.hide_project("monday", place.id)
    keeper = Keeper(keeper.connect)
    await keeper.full()
    world.unhide_project("monday", place.id)
    await keeper.structure()
    task = items(world, place)[0]
    world.set_title("monday", task.id, "Changed since")
    assert (await keeper.poll()).requests <= 2
    assert keeper.task(task.id).title == "Changed since"


async def test_on_a_multi_level_board_parents_and_children_follow(world: World, keeper: Keeper) -> None:
    place = board(world, deep=True)
    place.sections.append(Section("later", "Later on", len(place.sections)))
    parents = {task.parent for task in items(world, place, top=False)}
    leaf = next(task for task in items(world, place) if task.id not in parents)
    world.set_status("monday", leaf.id, place.statuses[0].id)
    await keeper.structure()
    await keeper.poll()
    child = world.create_task("monday", "First below", parent=leaf.id)
    await keeper.poll()
    assert keeper.task(leaf.id).status is None
    world.move("monday", leaf.id, place.id, "later")
    await keeper.poll()
    assert keeper.task(child.id).memberships[0].section_id == f"section:{place.id}/later"
    assert differences(world, keeper) == []


async def test_what_the_log_shows_late_is_found_when_it_shows(world: World, keeper: Keeper, knobs: Knobs) -> None:
    knobs.lag = 30.0
    first, second = items(world, board(world))[:2]
    world.set_title("monday", first.id, "Late news")
    assert (await keeper.poll()).items == {}
    world.advance(world.now + timedelta(seconds=20))
    world.delete_task("monday", second.id)
    world.advance(world.now + timedelta(seconds=15))
    await keeper.poll()
    assert keeper.task(first.id).title == "Late news"
    assert second.id in keeper.tasks()
    world.advance(world.now + timedelta(seconds=20))
    assert f"task:{second.id}" in (await keeper.poll()).gone


async def test_a_change_is_told_with_its_time_and_who_made_it(world: World, keeper: Keeper) -> None:
    task = items(world, board(world))[0]
    actor = next(person for person in world.people["monday"] if person != world.me["monday"])
    world.set_title("monday", task.id, "By somebody", actor)
    told = (await keeper.poll()).told[f"task:{task.id}"]
    assert (told.at, told.actor) == (world.now, f"identity:{actor}")


async def test_two_hundred_changes_of_every_kind_are_found_by_a_poll_and_a_structure_run(world: World, keeper: Keeper) -> None:
    draw = random.Random(5)
    made = 0
    while made < 200:
        made += live.step(world, draw)[0].tool == "monday"
    await keeper.structure()
    await keeper.poll()
    assert differences(world, keeper) == []
    assert (await keeper.poll()).requests == 1


@pytest.mark.parametrize("code", [403, 404])
async def test_a_board_that_is_refused_is_told_and_read_again_when_it_is_back(world: World, keeper: Keeper, knobs: Knobs, code: int) -> None:
    place, other = board(world), board(world, deep=True)
    knobs.refused[place.id] = code
    changed = items(world, other)[0]
    world.set_title("monday", changed.id, "The others go on")
    found = await keeper.poll()
    assert f"project:{place.id}" in (found.refused.keys() | {ref for piece in found.opened for ref in piece.covers})
    assert keeper.task(changed.id).title == "The others go on"
    knobs.refused.clear()
    task = items(world, place)[0]
    world.set_title("monday", task.id, "Meanwhile")
    await keeper.structure()
    assert keeper.task(task.id).title == "Meanwhile"


async def test_nothing_is_polled_before_a_full_reading(world: World, knobs: Knobs) -> None:
    found = await Keeper(sandboxed(world, knobs)).poll()
    assert (found.requests, found.items) == (0, {})
