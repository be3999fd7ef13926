"""Pages: whatever their size, wherever the reader is killed, and however large a project is, the union is the whole and nothing is held in memory."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from connectors.base import LIVE, STRUCTURE, Page, Slice
from connectors.errors import BadResponse, CursorExpired
from hub.sandbox import seed, truth
from hub.sandbox.world import Tool, World
from tests.contract.judging import Judge
from tests.contract.reading import Caller, Killed, Notes, read_all, records
from tests.contract.stage import Stage, Staging
from tests.contract.vendor import Vendor

pytestmark = pytest.mark.anyio

SMALL_PAGE = 7
SAMPLES = 8
MANY = 10_000
LARGEST_PAGE = 1_000
"""Items of one page, whatever they are: what a caller must be able to hold."""


def whole(world: World, tool: Tool) -> set[str]:
    return set(truth.expected_tasks(world, tool))


@pytest.mark.parametrize("rows", [1, 2, SMALL_PAGE])
async def test_pages_of_any_size_add_up_to_the_whole(vendor: Vendor, stage: Stage, rows: int) -> None:
    stage.knobs.page_size = rows
    connector = stage.connector()
    notes = await read_all(connector)
    assert truth.differences(truth.expected_tasks(stage.world, vendor.tool), Judge(records(connector, notes)).rows()) == []


async def test_slices_read_side_by_side_add_up_to_the_whole(vendor: Vendor, stage: Stage) -> None:
    stage.knobs.page_size = SMALL_PAGE
    connector = stage.connector()
    notes = await Caller(connector).everything(at_once=connector.capabilities.concurrency)
    assert notes.tasks() == whole(stage.world, vendor.tool)


async def test_slices_are_named_alike_from_pass_to_pass(stage: Stage) -> None:
    first, second = await read_all(stage.connector()), await read_all(stage.connector())
    assert first.done == second.done


def sampled(count: int) -> Sequence[int]:
    """Every place where a reader can be killed, or some spread over them, the first and the last among them."""
    return range(1, count + 1) if count <= SAMPLES else sorted({1 + number * (count - 1) // (SAMPLES - 1) for number in range(SAMPLES)})


async def read_until(stage: Stage, pages: int) -> Notes:
    """What a reader has kept when it is killed after so many pages."""
    notes = Notes()

    def count(piece: Slice, page: Page) -> None:
        if len(notes.pages) == pages:
            raise Killed

    caller = Caller(stage.connector(), notes, after_page=count)
    with pytest.raises(Killed):
        await caller.everything()
    return notes


async def test_a_new_process_goes_on_after_any_page(vendor: Vendor, stage: Stage) -> None:
    stage.knobs.page_size = SMALL_PAGE
    connector = stage.connector()
    straight = await read_all(connector)
    expected = records(connector, straight)
    for pages in sampled(len(straight.pages)):
        cut = await read_until(stage, pages)
        other = stage.connector()
        resumed = await read_all(other, notes=cut.through_json())
        assert resumed.tasks() == whole(stage.world, vendor.tool), f"killed after page {pages}"
        assert records(other, resumed) == expected, f"killed after page {pages}"


async def test_a_slice_that_is_done_is_not_read_again(stage: Stage) -> None:
    stage.knobs.page_size = SMALL_PAGE
    straight = await read_all(stage.connector())
    cut = await read_until(stage, len(straight.pages) * 2 // 3)
    finished = set(cut.done)
    cut.pages.clear()
    resumed = await read_all(stage.connector(), notes=cut.through_json())
    assert finished
    assert not finished & {key for key, _ in resumed.pages}


async def test_a_dead_cursor_is_said_and_the_slice_can_be_read_anew(vendor: Vendor, stage: Stage) -> None:
    stage.knobs.page_size = SMALL_PAGE
    connector = stage.connector()
    caller = Caller(connector)
    await caller.begin()
    await caller.phase(STRUCTURE)
    stage.knobs.cursor_life = -1.0
    if vendor.cursors_expire:
        with pytest.raises(CursorExpired):
            await caller.everything()
        stage.knobs.cursor_life = None
        caller.notes.waiting = {key: (piece, None) for key, (piece, _) in caller.notes.waiting.items()}
    assert (await caller.everything()).tasks() == whole(stage.world, vendor.tool)


async def test_a_vendor_that_goes_round_in_circles_is_an_error_not_an_endless_list(vendor: Vendor, stage: Stage) -> None:
    stage.knobs.page_size = SMALL_PAGE
    caller = Caller(stage.connector())
    await caller.begin()
    await caller.phase(STRUCTURE)
    vendor.repeats(stage)
    with pytest.raises(BadResponse):
        await caller.everything()


async def test_what_is_created_while_pages_are_read_costs_no_other_task(vendor: Vendor, stage: Stage) -> None:
    stage.knobs.page_size = SMALL_PAGE
    before = whole(stage.world, vendor.tool)
    home = vendor.closable(stage.world)

    def busy(piece: Slice, page: Page) -> None:
        if piece.phase >= LIVE:
            stage.world.create_task(vendor.tool, "Just now", home)

    notes = await read_all(stage.connector(), after_page=busy)
    assert before <= notes.tasks() <= whole(stage.world, vendor.tool)


async def test_what_is_deleted_while_pages_are_read_costs_no_other_task(vendor: Vendor, stage: Stage) -> None:
    stage.knobs.page_size = SMALL_PAGE
    gone: list[str] = []
    kept: set[str] = set()

    def busy(piece: Slice, page: Page) -> None:
        kept.update(item.id.partition(":")[2] for item in page.items if item.id.startswith("task:"))
        victim = next((key for key in sorted(kept - set(gone)) if not stage.world.tasks[vendor.tool][key].deleted), None)
        if piece.phase >= LIVE and victim is not None and len(gone) < 5:
            gone.append(victim)
            stage.world.delete_task(vendor.tool, victim)

    notes = await read_all(stage.connector(), after_page=busy, tolerant=True)
    assert len(gone) == 5
    assert whole(stage.world, vendor.tool) <= notes.tasks()


async def test_ten_thousand_tasks_in_one_project_stream_by(vendor: Vendor) -> None:
    world = seed.build(seed=5, tasks=60)
    home = vendor.closable(world)
    for number in range(MANY):
        world.create_task(vendor.tool, f"Schritt {number} ✓", home)
    async with Staging(vendor.tool, world) as stage:
        calls: list[int] = []
        largest = 0

        def watch(piece: Slice, page: Page) -> None:
            nonlocal largest
            largest = max(largest, len(page.items))
            calls.append(len(stage.wire.sent))

        notes = await read_all(stage.connector(), after_page=watch)
        assert notes.tasks() == whole(world, vendor.tool)
        assert len(notes.tasks()) > MANY
        assert largest <= LARGEST_PAGE
        # Pages are handed on as they come: most calls are made after the first of them were given away.
        assert calls[len(calls) // 2] < len(stage.wire.sent)
        assert len(stage.wire.sent) <= 2 * MANY / vendor.page_rows + 60
