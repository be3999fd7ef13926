"""Keeping up with each tool: after a first full reading, what happens in the world is found by polls and walks, at the cost of what happened."""

from __future__ import annotations

import random

import pytest

from hub.sandbox import live
from hub.sandbox.world import TOOLS, Tool, World
from hub.sync.runs import FULL, POLL, STRUCTURE
from tests.story.stage import Stage, same

MUTATIONS = 120


def mutate(world: World, rng: random.Random, tool: Tool, times: int) -> list[str]:
    """Random changes of all kinds, also to containers, until so many journal lines of the tool were written."""
    begun = len(world.journal)
    while sum(entry.tool == tool for entry in world.journal[begun:]) < times:
        live.step(world, rng)
    return [f"{entry.action} {entry.kind} {entry.id} {entry.field}" for entry in world.journal[begun:] if entry.tool == tool]


@pytest.mark.parametrize("tool", TOOLS)
def test_an_idle_walk_changes_nothing(both: Stage, patience: object, tool: Tool) -> None:
    both.connect(tool)
    both.sync(tool)
    before = both.checksums()
    ran = both.sync(tool, kind=STRUCTURE)
    assert (ran.outcome.state, ran.outcome.errors, ran.changes) == ("complete", [], 0)
    assert ran.row.kind == STRUCTURE
    assert both.checksums() == before


@pytest.mark.parametrize(("tool", "calls"), [("asana", 2), ("monday", 1), ("clickup", 2)])
def test_an_idle_poll_costs_next_to_nothing(stage: Stage, tool: Tool, calls: int) -> None:
    stage.connect(tool)
    stage.sync(tool)
    stage.sync(tool, kind=POLL)
    ran = stage.sync(tool, kind=POLL)
    assert (ran.outcome.state, ran.changes, ran.row.kind) == ("complete", 0, POLL)
    workspaces = len(stage.connection(tool).checked["workspaces"]) if tool != "monday" else 1
    assert ran.row.requests == {"asana": workspaces, "monday": 1, "clickup": 2 * workspaces}[tool]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tool", TOOLS)
def test_polls_and_walks_find_everything_and_a_sweep_the_rest(both: Stage, tool: Tool, seed: int) -> None:
    both.connect(tool)
    both.sync(tool)
    rng = random.Random(f"{tool}/{seed}")
    for _ in range(3):
        mutate(both.world, rng, tool, MUTATIONS // 3)
        ran = both.sync(tool, kind=STRUCTURE)
        assert (ran.outcome.state, ran.outcome.errors) == ("complete", [])
        if tool != "clickup":
            same(both.verdict(tool))
    ran = both.sync(tool, kind=FULL)
    assert ran.outcome.state == "complete"
    if tool != "clickup":
        assert ran.changes == 0
    same(both.verdict(tool))
