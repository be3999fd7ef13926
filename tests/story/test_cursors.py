"""Lists in pages, and what may go wrong between two of them."""

from __future__ import annotations

import pytest

from hub.sandbox.world import Tool
from tests.story.stage import ALL, Stage, same


@pytest.mark.parametrize("size", [3, 7])
@pytest.mark.parametrize("tool", ALL)
def test_the_size_of_the_pages_makes_no_difference(stage: Stage, tool: Tool, size: int) -> None:
    stage.knobs.page_size = size
    stage.connect(tool)
    assert stage.sync(tool).outcome.state == "complete"
    same(stage.verdict(tool))


@pytest.mark.parametrize("tool", ["asana", "monday"])
def test_cursors_that_expire_at_once_end_no_list_and_invent_nothing(stage: Stage, tool: Tool) -> None:
    stage.connect(tool)
    stage.sync(tool)
    held = stage.checksums()
    stage.knobs.page_size, stage.knobs.cursor_life = 5, 0.0
    ran = stage.sync(tool)
    assert ran.outcome.state == "partial"
    assert ran.row.deleted == 0
    assert stage.checksums() == held
    stage.knobs.cursor_life = None
    assert stage.sync(tool).outcome.state == "complete"
    same(stage.verdict(tool))


@pytest.mark.parametrize("tool", ["asana", "monday"])
def test_a_cursor_that_is_handed_out_twice_is_an_error_not_an_endless_list(stage: Stage, tool: Tool) -> None:
    stage.knobs.page_size = 3
    stage.knobs.repeat_cursor = {tool}
    stage.connect(tool)
    ran = stage.sync(tool)
    assert ran.outcome.state in ("partial", "failed")
    assert ran.outcome.errors
    stage.knobs.repeat_cursor = set()
    assert stage.sync(tool).outcome.state == "complete"
    same(stage.verdict(tool))


def test_errors_beside_data_are_not_taken_for_an_empty_board(stage: Stage) -> None:
    stage.connect("monday")
    stage.sync("monday")
    world = stage.world
    board = next(
        one for one in world.projects["monday"].values() if world.sees_project(one) and not world.archived_above(one) and not one.parent_board
    )
    stage.knobs.partial_errors = {board.id}
    ran = stage.sync("monday")
    assert ran.outcome.state == "partial"
    assert ran.row.deleted == 0
    stage.knobs.partial_errors = set()
    assert stage.sync("monday").outcome.state == "complete"
    same(stage.verdict("monday"))


@pytest.mark.parametrize("tool", ["clickup", "monday"])  # pages in a row: in Asana any of twelve lists may be the unlucky one
def test_a_page_that_the_vendor_swallows_is_noticed_by_the_check(stage: Stage, tool: Tool) -> None:
    stage.knobs.page_size = 5
    stage.knobs.hide_pages = {tool: 2}
    stage.connect(tool)
    stage.sync(tool)
    verdict = stage.verdict(tool)
    assert not verdict.ok
    assert any("missing" in line for line in verdict.differences)
