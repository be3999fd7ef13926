"""Reads by id: is it gone, or only no longer listed?

Deleted items and boards can be read by id for a while and say so. An id that is simply missing from the answer may be purged, or lie where the
token may not look: the vendor does not say which, so it counts as refused, never as gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.base import Item, Known, Looked
from connectors.monday.board import Raw, identifier
from connectors.monday.client import Client, Rows
from connectors.monday.documents import ID_PAGE
from connectors.monday.reading import Shapes, items_of
from connectors.monday.slices import pair
from connectors.records import Ref


async def lookup(client: Client, shapes: Shapes, refs: Sequence[Ref], known: Known) -> Looked:
    """Tasks and projects by reference; other kinds have no read by id and are refused.

    A task that the hub does not hold, on a board that it does not read (an admin left it out, or it is new), is in none of the three answers.
    """
    tasks = [ref.partition(":")[2] for ref in refs if ref.startswith("task:")]
    projects = [ref.partition(":")[2] for ref in refs if ref.startswith("project:")]
    found: dict[Ref, Item] = {}
    gone: set[Ref] = set()
    rows: Rows = []
    for at in range(0, len(tasks), ID_PAGE):
        rows += await client.items(tasks[at : at + ID_PAGE])
    gone.update(f"task:{identifier(row, 'task')}" for row in rows if row.get("state") == "deleted")
    there = [row for row in rows if row.get("state") != "deleted"]
    await _learn(client, shapes, there)
    items = {item.id: item for row in there if (item := _task(row, shapes)) is not None}
    strange = [ref for ref, item in items.items() if known.projects and item.owner not in known.projects]
    held = await known.recall(strange) if strange else {}
    left_out = {ref for ref in strange if ref not in held}
    found |= {ref: item for ref, item in items.items() if ref not in left_out}
    if projects:
        boards = await client.families(projects)
        gone.update(f"project:{identifier(row, 'project')}" for row in boards if row.get("state") == "deleted")
        bodies = {f"project:{identifier(body, 'project')}": body for body in pair(boards)}
        found |= {ref: Item(id=ref, raw=bodies[ref]) for ref in refs if ref in bodies}
    asked = frozenset(refs)
    return Looked(found=found, gone=asked & gone, refused=asked - found.keys() - gone - left_out)


def _task(row: Raw, shapes: Shapes) -> Item | None:
    """Null where the item lies on a board whose columns the token may not see."""
    board = _board(row)
    if board is None or not shapes.knows(board):
        return None
    return list(items_of(row, board, shapes, set()))[-1]


async def _learn(client: Client, shapes: Shapes, rows: Rows) -> None:
    """The columns of boards that this process has not read: one call, and a second where companions were not among them."""
    needed: set[str] = set()
    for row in rows:
        board = _board(row)
        if board is not None and not shapes.knows(board):
            needed.add(board)
            above = _board(row.get("parent_item") or {})
            if above is not None:
                needed.add(above)
    if needed:
        for project in pair(await client.families(sorted(needed))):
            shapes.learn(project)


def _board(row: dict[str, Any] | Raw) -> str | None:
    board = row.get("board")
    return str(board["id"]) if board else None
