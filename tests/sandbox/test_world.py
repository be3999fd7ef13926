"""The pretend world: one seed gives one world, it holds every oddity, and its changes behave as each vendor's do."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from hub.sandbox import live, seed, truth
from hub.sandbox.world import TOOLS, Task, Tool, World


@pytest.fixture(scope="module")
def world() -> World:
    """Read only: tests that change something build their own."""
    return seed.build(seed=1, tasks=1000)


@pytest.fixture
def fresh() -> World:
    return seed.build(seed=4, tasks=200)


def listable(world: World, tool: Tool) -> list[Task]:
    return [world.tasks[tool][key] for key in truth.expected_tasks(world, tool)]


def top_task(world: World, tool: Tool) -> Task:
    """The first listable task at the top of a live project."""
    return next(task for task in listable(world, tool) if task.homes and not task.parent and not world.projects[tool][task.homes[0][0]].archived)


# -- the seed ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS)
def test_the_same_seed_gives_the_same_world(tool: Tool) -> None:
    one, two, other = (seed.build(seed=number, tasks=120) for number in (7, 7, 8))
    assert truth.fingerprint(truth.expected_tasks(one, tool)) == truth.fingerprint(truth.expected_tasks(two, tool))
    assert truth.fingerprint(truth.expected_tasks(one, tool)) != truth.fingerprint(truth.expected_tasks(other, tool))


@pytest.mark.parametrize("size", [10, 20, 55, 300])
@pytest.mark.parametrize("tool", TOOLS)
def test_exactly_as_many_tasks_can_be_listed_as_were_asked_for(tool: Tool, size: int) -> None:
    assert len(truth.expected_tasks(seed.build(seed=3, tasks=size), tool)) == size


def test_a_clock_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        seed.build(now=datetime(2026, 11, 23))  # noqa: DTZ001 - the naive value is the point


@pytest.mark.parametrize("tool", TOOLS)
def test_every_reference_leads_somewhere(world: World, tool: Tool) -> None:
    tasks, people, projects = world.tasks[tool], world.people[tool], world.projects[tool]
    assert {project.node for project in projects.values()} <= world.nodes[tool].keys()
    for task in tasks.values():
        assert task.parent is None or task.parent in tasks
        assert {edge.task for edge in task.depends_on} <= tasks.keys() - {task.id}
        assert set(task.assignees) <= people.keys()
        assert task.creator in people
        assert set(task.teams) <= world.teams[tool].keys()
        assert set(task.tags) <= set(world.tags[tool].values())
        for key, section in task.homes:
            assert section is None or section in {one.id for one in projects[key].sections}
        if task.homes:
            home = projects[task.homes[0][0]]
            assert task.values.keys() <= set(home.fields) | {key for other, _ in task.homes for key in projects[other].fields}
            assert task.status is None or task.status in {status.id for status in home.statuses}


@pytest.mark.parametrize("tool", TOOLS)
def test_what_anyone_sees_refers_to_nothing_hidden_or_deleted(world: World, tool: Tool) -> None:
    seen = truth.expected_tasks(world, tool)
    for key, row in seen.items():
        assert {edge[0] for edge in row["depends_on"]} <= seen.keys(), key
        assert row["parent"] is None or row["parent"] in seen
        related = [ref for value in row["custom_fields"].values() if isinstance(value, list) for ref in value if str(ref).startswith("task:")]
        assert {ref.removeprefix("task:") for ref in related} <= seen.keys()


@pytest.mark.parametrize("tool", TOOLS)
def test_history_lies_within_ninety_days_and_never_ahead(world: World, tool: Tool) -> None:
    for task in world.tasks[tool].values():
        assert task.created_at is not None
        assert task.updated_at is not None
        assert world.now - timedelta(days=91) < task.created_at <= task.updated_at < world.now
        if task.completed_at is not None:
            assert task.created_at <= task.completed_at <= task.updated_at
        if tool == "monday":
            assert task.created_at.microsecond == task.updated_at.microsecond == 0


def test_ids_look_like_each_vendors() -> None:
    world = seed.build(seed=2, tasks=300)
    gids = [
        *world.tasks["asana"],
        *world.projects["asana"],
        *world.nodes["asana"],
        *world.fields["asana"],
        *world.people["asana"],
        *world.tags["asana"],
    ]
    assert all(len(gid) == 16 and gid.isdigit() for gid in gids)
    assert len(gids) == len(set(gids))
    assert all(len(key) == 10 and key.isdigit() for key in [*world.tasks["monday"], *world.projects["monday"]])
    assert all(len(key) == 8 and key.isdigit() for key in world.people["monday"])
    assert all(len(key) == 9 and key.isalnum() and key == key.lower() for key in world.tasks["clickup"])


def test_every_kind_of_container_occurs(world: World) -> None:
    asana, monday, clickup = (world.projects[tool].values() for tool in TOOLS)
    assert {node.kind for node in world.nodes["asana"].values()} == {"workspace", "team"}
    assert any(world.nodes["asana"][project.node or ""].kind == "workspace" for project in asana)
    assert {board.kind for board in monday} == {"board", "companion", "document", "custom_object"}
    assert {board.hierarchy for board in monday} == {"classic", "multi_level"}
    assert {len(board.statuses) > 0 for board in monday if board.kind == "board"} == {True, False}
    nodes = world.nodes["clickup"]
    assert any(node.kind == "folder" and nodes[node.parent or ""].kind == "folder" for node in nodes.values())
    assert any(nodes[one.node or ""].kind == "space" for one in clickup), "a list without a folder"
    assert any(nodes[one.node or ""].kind == "folder" and nodes[one.node or ""].archived and not one.archived for one in clickup), (
        "live list, archived folder"
    )
    assert any(nodes[one.node or ""].kind == "space" and nodes[one.node or ""].archived for one in clickup), "list in an archived space"
    assert any(one.archived and not any(node.archived for node in world.above(one)) for one in clickup), "archived list among live ones"
    for projects in (asana, monday, clickup):
        for flag in ("archived", "private", "hidden", "deleted"):
            assert any(getattr(project, flag) for project in projects), flag


@pytest.mark.parametrize("tool", TOOLS)
def test_every_oddity_of_a_task_occurs(world: World, tool: Tool) -> None:
    tasks = listable(world, tool)
    held = {home[0][0] for home in (task.homes for task in tasks) if home}
    visible = [project for project in world.projects[tool].values() if world.sees_project(project) and project.kind in ("project", "board")]
    assert any(project.id not in held for project in visible), "an empty project"
    assert {type(task.due) for task in tasks} == {type(None), date, datetime}
    assert any(task.start for task in tasks)
    assert any(not task.assignees for task in tasks)
    assert any(task.kind == "milestone" for task in tasks)
    assert any(task.depends_on for task in tasks)
    assert any(len(task.title) == 255 for task in tasks)
    assert any("🚀" in task.title for task in tasks)
    assert any(task.deleted for task in world.tasks[tool].values())
    if tool != "asana":
        assert any(len(task.assignees) > 1 for task in tasks)
        assert any(task.teams for task in tasks)
        assert any(task.estimate_minutes for task in tasks)
    if tool != "monday":
        assert any(len(task.homes) > 1 for task in tasks)


def test_subtasks_go_as_deep_as_each_vendor_lets_them(world: World) -> None:
    def depth(task: Task) -> int:
        return 0 if task.parent is None else 1 + depth(world.tasks[task.tool][task.parent])

    assert max(depth(task) for task in listable(world, "asana")) == 4
    assert max(depth(task) for task in listable(world, "clickup")) == 4
    by_board: dict[str, int] = {}
    for task in listable(world, "monday"):
        hierarchy = world.projects["monday"][task.homes[0][0]].hierarchy
        by_board[hierarchy] = max(by_board.get(hierarchy, 0), depth(task))
    assert by_board == {"classic": 1, "multi_level": 4}


def test_asana_holds_loose_untitled_and_approval_tasks_and_a_home_that_is_hidden(world: World) -> None:
    tasks = listable(world, "asana")
    assert any(not task.homes and not task.parent for task in tasks)
    assert any(task.title == "" for task in tasks)
    assert any(task.kind == "approval" for task in tasks)
    assert any(task.homes and world.projects["asana"][task.homes[0][0]].hidden for task in tasks)


def test_a_timeline_always_has_both_ends(world: World) -> None:
    for task in world.tasks["monday"].values():
        roles = world.projects["monday"][task.homes[0][0]].columns
        if "timeline" in roles:
            assert (task.start is None) == (task.due is None)
            assert type(task.start) in (type(None), date)
        if "due" not in roles:
            assert not isinstance(task.due, datetime)


# -- changes -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS)
def test_a_change_bumps_the_task_and_is_in_the_journal(fresh: World, tool: Tool) -> None:
    task, before = top_task(fresh, tool), fresh.now
    fresh.set_title(tool, task.id, "Neu benannt")
    assert task.updated_at == fresh.now > before
    last = fresh.journal[-1]
    assert (last.tool, last.action, last.id, last.field, last.after) == (tool, "changed", task.id, "title", "Neu benannt")


def test_writing_what_is_there_already_does_nothing(fresh: World) -> None:
    task = top_task(fresh, "clickup")
    before = fresh.now
    fresh.set_title("clickup", task.id, task.title)
    assert fresh.now == before
    assert fresh.journal == []


def test_a_move_is_invisible_in_asanas_modified_at_and_visible_elsewhere(fresh: World) -> None:
    task = top_task(fresh, "asana")
    stamp = task.updated_at
    other = next(one for one in fresh.projects["asana"].values() if one.id not in {key for key, _ in task.homes})
    fresh.add_home("asana", task.id, other.id)
    fresh.move("asana", task.id, other.id, other.sections[-1].id)
    assert (other.id, other.sections[-1].id) in task.homes
    assert task.updated_at == stamp
    board = next(one for one in fresh.projects["monday"].values() if len(one.sections) > 1 and one.kind == "board")
    item = next(one for one in fresh.tasks["monday"].values() if one.homes[0] == (board.id, board.sections[0].id) and not one.deleted)
    fresh.move("monday", item.id, board.id, board.sections[1].id)
    assert item.updated_at == fresh.now


def test_a_clickup_task_takes_its_subtasks_along_and_keeps_its_status_by_name(fresh: World) -> None:
    task = next(one for one in listable(fresh, "clickup") if one.parent is None and len(list(fresh.family(one))) > 1)
    target = next(one for one in fresh.projects["clickup"].values() if one.statuses is not fresh.projects["clickup"][task.homes[0][0]].statuses)
    fresh.move("clickup", task.id, target.id)
    for member in fresh.family(task):
        assert member.homes[0] == (target.id, None)
        assert member.status in {status.id for status in target.statuses}
        assert member.values.keys() <= set(target.fields)


def test_completion_follows_each_vendors_own_sign(fresh: World) -> None:
    asana = next(task for task in listable(fresh, "asana") if not task.completed)
    fresh.complete("asana", asana.id)
    assert (asana.completed, asana.completed_at) == (True, fresh.now)
    fresh.reopen("asana", asana.id)
    assert (asana.completed, asana.completed_at) == (False, None)
    clickup = next(task for task in listable(fresh, "clickup") if task.completed_at is None)
    fresh.complete("clickup", clickup.id)
    assert truth.expected_tasks(fresh, "clickup")[clickup.id]["status_category"] == "done"
    assert clickup.completed_at == fresh.now


def test_deleting_takes_the_family_and_every_reference_with_it(fresh: World) -> None:
    held = next(task for task in listable(fresh, "monday") if task.depends_on)
    wanted = held.depends_on[0].task
    fresh.delete_task("monday", wanted)
    assert all(task.deleted for task in fresh.family(fresh.tasks["monday"][wanted]))
    assert wanted not in {edge.task for edge in held.depends_on}
    test_what_anyone_sees_refers_to_nothing_hidden_or_deleted(fresh, "monday")
    fresh.restore_task("monday", wanted)
    assert wanted in truth.expected_tasks(fresh, "monday")


def test_a_deleted_project_leaves_asanas_shared_tasks_where_they_also_are(fresh: World) -> None:
    task = next(
        one for one in listable(fresh, "asana") if len(one.homes) > 1 and not any(fresh.projects["asana"][key].hidden for key, _ in one.homes)
    )
    first, second = task.homes[0][0], task.homes[1][0]
    fresh.delete_project("asana", first)
    rows = truth.expected_tasks(fresh, "asana")
    assert rows[task.id]["project"] == second
    assert first not in {row["project"] for row in rows.values()}


def test_a_hidden_project_disappears_with_its_tasks_and_comes_back(fresh: World) -> None:
    project = top_task(fresh, "clickup").homes[0][0]
    before = truth.fingerprint(truth.expected_tasks(fresh, "clickup"))
    fresh.hide_project("clickup", project)
    assert all(row["project"] != project for row in truth.expected_tasks(fresh, "clickup").values())
    assert project not in truth.expected_projects(fresh, "clickup")
    fresh.unhide_project("clickup", project)
    assert truth.fingerprint(truth.expected_tasks(fresh, "clickup")) == before


def test_a_board_and_its_companion_share_their_fate(fresh: World) -> None:
    board = next(one for one in fresh.projects["monday"].values() if one.companion and not one.hidden and not one.archived)
    fresh.archive_project("monday", board.id)
    fresh.rename_project("monday", board.id, "Neuer Name")
    companion = fresh.projects["monday"][board.companion or ""]
    assert companion.archived
    assert companion.name == "Subitems of Neuer Name"


def test_renaming_a_status_changes_what_it_suggests_and_no_task(fresh: World) -> None:
    project = fresh.projects["clickup"][top_task(fresh, "clickup").homes[0][0]]
    status = next(one for one in project.statuses if one.type == "custom")
    stamps = {task.id: task.updated_at for task in fresh.tasks["clickup"].values()}
    fresh.rename_status("clickup", project.id, status.id, "waiting for parts")
    assert status.category == "blocked"
    assert {task.id: task.updated_at for task in fresh.tasks["clickup"].values()} == stamps


def test_a_new_task_lands_where_its_vendor_puts_it(fresh: World) -> None:
    item = next(one for one in listable(fresh, "monday") if fresh.projects["monday"][one.homes[0][0]].companion)
    board = fresh.projects["monday"][item.homes[0][0]]
    child = fresh.create_task("monday", "Unterelement", parent=item.id)
    assert child.homes == [(board.companion, "topics")]
    assert fresh.create_task("asana", "lose Aufgabe").homes == []
    task = top_task(fresh, "clickup")
    below = fresh.create_task("clickup", "Teilaufgabe", parent=task.id)
    assert below.homes == [task.homes[0]]
    assert below.status == fresh.projects["clickup"][task.homes[0][0]].statuses[0].id


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda world: world.set_status("asana", top_task(world, "asana").id, "x"), "tick-box"),
        (lambda world: world.set_status("clickup", top_task(world, "clickup").id, "x"), "does not exist"),
        (lambda world: world.assign("asana", top_task(world, "asana").id, ["1", "2"]), "one assignee"),
        (lambda world: world.archive_task("asana", top_task(world, "asana").id), "archives projects"),
        (lambda world: world.create_task("clickup", "nowhere"), "needs a project"),
        (lambda world: world.reparent("clickup", top_task(world, "clickup").id, top_task(world, "clickup").id), "below itself"),
        (lambda world: world.remove_home("clickup", top_task(world, "clickup").id, top_task(world, "clickup").homes[0][0]), "leave its home"),
        (lambda world: world.add_home("monday", top_task(world, "monday").id, "1"), "one board"),
    ],
)
def test_what_a_vendor_would_refuse_is_refused_and_changes_nothing(fresh: World, change: object, reason: str) -> None:
    before = fresh.now
    with pytest.raises(ValueError, match=reason):
        change(fresh)  # type: ignore[operator]
    assert fresh.journal == []
    assert fresh.now == before


def test_set_due_keeps_timelines_whole_and_starts_before_their_end(fresh: World) -> None:
    for tool in TOOLS:
        for task in listable(fresh, tool):
            roles = {"due"} if tool != "monday" else fresh.projects[tool][task.homes[0][0]].columns.keys()
            if not {"due", "timeline"} & set(roles):
                continue
            fresh.set_due(tool, task.id, datetime(2026, 3, 29, 12, 30, tzinfo=UTC))
            if task.start is not None:
                row = truth.expected_tasks(fresh, tool)[task.id] if task.kind == "milestone" else None
                assert row is None or tool != "monday" or row["start_on"] == row["due_on"]
    test_a_timeline_always_has_both_ends(fresh)


def test_a_live_day_keeps_the_world_whole(fresh: World) -> None:
    rng = random.Random(11)
    lines = [entry for _ in range(400) for entry in live.step(fresh, rng)]
    assert len(lines) >= 400
    assert {entry.tool for entry in lines} == set(TOOLS)
    assert {"created", "changed", "moved", "deleted"} <= {entry.action for entry in lines}
    for tool in TOOLS:
        test_every_reference_leads_somewhere(fresh, tool)
        test_what_anyone_sees_refers_to_nothing_hidden_or_deleted(fresh, tool)
    test_a_timeline_always_has_both_ends(fresh)


def test_a_live_day_is_the_same_for_the_same_lots() -> None:
    worlds = [seed.build(seed=5, tasks=100) for _ in range(2)]
    for world in worlds:
        rng = random.Random(3)
        for _ in range(50):
            live.step(world, rng, at=seed.NOW + timedelta(hours=1))
    assert worlds[0].journal == worlds[1].journal
    assert worlds[0].now > seed.NOW + timedelta(hours=1)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_new_project_is_set_up_like_its_neighbour_and_empty(tool: Tool) -> None:
    world = seed.build(seed=5, tasks=60)
    near = [one for one in world.projects[tool].values() if world.sees_project(one) and one.kind in ("project", "board")]
    like = next(one for one in near if one.companion is None)
    made = world.create_project(tool, "Neu ☂", like.id)
    assert (made.name, made.node, made.created_at) == ("Neu ☂", like.node, world.now)
    assert truth.expected_projects(world, tool)[made.id]["name"] == "Neu ☂"
    assert not any(home == made.id for task in world.tasks[tool].values() for home, _ in task.homes)
    task = world.create_task(tool, "First", made.id)
    if tool != "asana":
        world.set_status(tool, task.id, made.statuses[-1].id)
    assert truth.expected_tasks(world, tool)[task.id]["project"] == made.id
    assert (world.journal[0].action, world.journal[0].kind, world.journal[0].id) == ("created", "project", made.id)
