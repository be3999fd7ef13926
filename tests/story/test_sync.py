"""The main story: everything is read, nothing twice, and what changed is told once."""

from __future__ import annotations

import random
from datetime import date

import pytest

from hub.sandbox import live
from hub.sandbox.world import Tool
from tests.story.stage import ALL, Stage, same


@pytest.mark.parametrize("tool", ALL)
def test_the_first_sync_holds_exactly_what_the_token_can_list(both: Stage, tool: Tool) -> None:
    both.connect(tool)
    ran = both.sync(tool)
    assert (ran.outcome.state, ran.outcome.errors) == ("complete", [])
    assert ran.row.created == ran.row.tasks == both.verdict(tool).truth
    same(both.verdict(tool))


@pytest.mark.parametrize("tool", ALL)
def test_a_second_sync_of_unchanged_data_writes_nothing(both: Stage, tool: Tool) -> None:
    both.connect(tool)
    first = both.sync(tool)
    before = both.checksums()
    second = both.sync(tool)
    assert second.outcome.state == "complete"
    assert (second.changes, second.row.unchanged) == (0, first.row.created)
    assert second.row.requests <= first.row.requests
    assert both.checksums() == before


@pytest.mark.parametrize("seed", range(3))
def test_after_a_busy_day_hub_and_tools_agree_again(stage: Stage, seed: int) -> None:
    for tool in ALL:
        stage.connect(tool)
        stage.sync(tool)
    rng = random.Random(seed)
    for _round in range(2):
        for _ in range(25):
            live.step(stage.world, rng)
        for tool in ALL:
            ran = stage.sync(tool)
            assert (ran.outcome.state, ran.outcome.errors) == ("complete", []), tool
            same(stage.verdict(tool))


@pytest.mark.parametrize("tool", ALL)
def test_a_deleted_task_is_gone_with_all_below_it_and_comes_back_when_it_is_restored(both: Stage, tool: Tool) -> None:
    both.connect(tool)
    both.sync(tool)
    world = both.world
    parents = {task.parent for task in world.tasks[tool].values() if task.parent and not task.deleted}
    chosen = next(task for task in world.tasks[tool].values() if task.id in parents and not task.deleted and not task.parent and not task.archived)
    world.delete_task(tool, chosen.id)
    ran = both.sync(tool)
    assert ran.row.deleted >= 2
    same(both.verdict(tool))
    world.restore_task(tool, chosen.id)
    assert both.sync(tool).outcome.state == "complete"
    same(both.verdict(tool))


@pytest.mark.parametrize("tool", ALL)
def test_one_changed_title_and_due_date_are_one_update_and_their_two_events(stage: Stage, tool: Tool) -> None:
    stage.connect(tool)
    stage.sync(tool)
    world = stage.world
    project = next(one for one in world.projects[tool].values() if world.sees_project(one) and not world.archived_above(one) and not one.companion)
    made = world.create_task(tool, "Angebot prüfen", project.id)
    stage.sync(tool)
    before = stage.checksums()
    world.set_title(tool, made.id, "Angebot geprüft 東京")
    if tool != "monday" or "due" in project.columns:
        world.set_due(tool, made.id, date(2027, 2, 28))
    ran = stage.sync(tool)
    assert (ran.row.created, ran.row.updated, ran.row.deleted) == (0, 1, 0)
    changed = {name for name, checksum in stage.checksums().items() if checksum != before[name]}
    assert {"task", "change", "event"} <= changed <= {"task", "change", "event", "raw", "written"}
    same(stage.verdict(tool))


@pytest.mark.parametrize("tool", ALL)
def test_archiving_and_renaming_a_project_reaches_its_tasks(stage: Stage, tool: Tool) -> None:
    stage.connect(tool)
    stage.sync(tool)
    world = stage.world
    seen = [one for one in world.projects[tool].values() if world.sees_project(one) and not world.archived_above(one) and not one.parent_board]
    world.archive_project(tool, seen[0].id)
    world.rename_project(tool, seen[-1].id, "Übergabe 2027")
    ran = stage.sync(tool)
    assert ran.outcome.state == "complete"
    same(stage.verdict(tool))


@pytest.mark.parametrize("tool", ALL)
def test_a_project_that_is_deleted_takes_its_tasks_along(stage: Stage, tool: Tool) -> None:
    stage.connect(tool)
    stage.sync(tool)
    world = stage.world
    chosen = next(one for one in world.projects[tool].values() if world.sees_project(one) and not world.archived_above(one) and not one.parent_board)
    world.delete_project(tool, chosen.id)
    stage.sync(tool, accept_deletions=True)
    ran = stage.sync(tool, accept_deletions=True)
    assert ran.outcome.state == "complete"
    same(stage.verdict(tool))


def test_many_deletions_at_once_wait_for_an_admins_word(stage: Stage) -> None:
    stage.connect("asana")
    held = stage.sync("asana").row.tasks
    for task in list(stage.world.tasks["asana"].values())[:40]:
        if not task.deleted:
            stage.world.delete_task("asana", task.id)
    refused = stage.sync("asana")
    assert refused.row.deleted == 0
    assert refused.row.tasks == held
    assert "--accept-deletions" in refused.outcome.errors[0]
    stage.sync("asana", accept_deletions=True)
    same(stage.verdict("asana"))
