"""The feeds of an account: the poll, and its structure.

The structure lists every board in any state, as a full reading does, and reads whole only what is new, was archived or brought back, means something
else than before, or is not followed any more. What was deleted inside a board is the log's to tell.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from connectors.base import LIVE, STRUCTURE, Cadence, Json, Known, Page, Scope, Slice
from connectors.monday.board import identifier
from connectors.monday.client import Client, Rows
from connectors.monday.reading import Layout, Shapes
from connectors.monday.slices import unit
from connectors.monday.watching import BOARDS_A_REQUEST, CLOCK, Clock, Watched

FEED = "feed"
"""The argument by which a slice is known as a feed's."""


def feeds(cadence: Cadence, scope: Scope, known: Known) -> tuple[Slice, ...]:
    """Nothing to poll where no full reading has begun a feed. A poll is no container tree, so it is read with the live tasks."""
    args = {"workspaces": sorted(scope.workspaces), "excluded": sorted(scope.excluded), FEED: str(cadence)}
    if cadence is Cadence.STRUCTURE:
        return (Slice(key="feed:structure", label="Workspaces, boards and people", phase=STRUCTURE, args=args),)
    if CLOCK not in known.marks:
        return ()
    return (Slice(key="feed:poll", label="What changed", phase=LIVE, args=args),)


async def structure(client: Client, shapes: Shapes, piece: Slice, known: Known, watch: dict[str, Watched], now: datetime) -> AsyncIterator[Page]:
    """A reading of the structure, in full (all boards are opened) or as a feed. ``watch`` learns which boards are followed."""
    lacking = CLOCK not in known.marks
    found = await client.structure(full=True, newest=lacking)
    layout = Layout(found, shapes, piece.args)
    marks: dict[str, Json | None] = {CLOCK: Clock.first(found["boards"], now).mark} if lacking else {}
    if FEED not in piece.args:
        units = [unit(project, layout.contexts[identifier(project, "project")].data) for project in layout.tree.projects]
        for one in _followed(layout).values():
            marks[one.key] = one.mark
            watch.setdefault(one.board, one)
        for page in layout.pages(units, marks):
            yield page
        return
    followed = _followed(layout)
    marks |= {watch[board].key: None for board in watch.keys() - followed.keys()}
    opened = []
    for project in layout.tree.projects:
        board = identifier(project, "project")
        each = followed.get(board)
        fresh = each is not None and (lacking or board not in watch or watch[board].shape != each.shape)
        if fresh or known.projects.get(f"project:{board}") is not layout.tree.archived(project):
            opened.append(unit(project, layout.contexts[board].data))
        if each is not None and watch.get(board) != each:
            marks[each.key] = each.mark
    watch.clear()
    watch.update(followed)
    gone = {ref for ref in _deleted(found["boards"]) if ref in known.projects}
    for page in layout.pages(opened, marks, gone):
        yield page


def _followed(layout: Layout) -> Mapping[str, Watched]:
    """The boards that polls ask for: all, as long as one request takes them; else the live ones, since archived boards are read-only for people."""
    projects = (project for project in layout.tree.projects if project.get("state") in ("active", "archived"))
    found = [Watched.of(project, layout.contexts[identifier(project, "project")]) for project in projects]
    if sum(len(each.ids) for each in found) > BOARDS_A_REQUEST:
        found = [each for each in found if not each.archived]
    return {each.board: each for each in found}


def _deleted(boards: Rows) -> set[str]:
    return {f"project:{identifier(row, 'project')}" for row in boards if row.get("state") == "deleted"}
