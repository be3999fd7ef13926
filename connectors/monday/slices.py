"""How boards are packed into slices, one first request each.

A slice is a batch of boards with the companions of their subitems. Boards of a like size go together (a batch takes as many rounds as its largest
board), and inside a size by age, so that a new board changes the newest batch only and the others keep their keys from pass to pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import ARCHIVED, LIVE, Slice
from connectors.monday.board import FORMULAS_A_REQUEST, Raw, Shape, companion_id, identifier
from connectors.monday.client import Ask
from connectors.monday.documents import ITEM_PAGE, page_points

BOARDS, SLOTS, POINTS = 25, 2_000, 2_500_000
"""The most of each in one request. 25 boards are kind to the vendor's 60 s; half of the 5M cap leaves room for
charges that the published figures do not show."""

LIMITS = (25, 50, 100, 200, ITEM_PAGE)
SLACK = 5
"""``items_count`` lags behind; a board that outgrew its limit costs one more page, nothing else."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A board and, where it has one, its companion: read in one slice, since they are one project and share one context."""

    boards: tuple[Ask, ...]
    label: str
    archived: bool
    columns: tuple[str, ...]
    formulas: int
    rounds: int
    count: int

    @property
    def parent(self) -> str:
        return self.boards[0][0]


def unit(board: Raw, shapes: Mapping[str, Shape]) -> Unit:
    """``board``: the project's raw body, its companion inside."""
    rows = [board, board["_companion"]] if board.get("_companion") else [board]
    counts = [row.get("items_count") or 0 for row in rows]
    return Unit(
        boards=tuple((identifier(row, "project"), _limit(row.get("items_count")), row.get("hierarchy_type") == "multi_level") for row in rows),
        label=str(board.get("name") or ""),
        archived=board.get("state") == "archived",
        columns=tuple(dict.fromkeys(column for shape in shapes.values() for column in shape.columns)),
        formulas=sum(shape.formulas for shape in shapes.values()),
        rounds=(max(counts) // ITEM_PAGE).bit_length(),
        count=sum(counts),
    )


def pair(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The boards that are projects, each with its companion's body inside; companions, workdocs, custom
    objects and deleted boards are none themselves."""
    listed = list(rows)
    companions = {identifier(row, "project"): row for row in listed if row.get("type") == "sub_items_board" and row.get("state") != "deleted"}
    projects: list[dict[str, Any]] = []
    for row in listed:
        if row.get("type") != "board" or row.get("state") == "deleted":
            continue
        body = {key: value for key, value in row.items() if key != "groups"}
        below = companions.get(companion_id(row) or "")
        if below is not None:
            body["_companion"] = {key: below.get(key) for key in ("id", "items_count", "hierarchy_type", "columns")}
        projects.append(body)
    return projects


def pack(units: Iterable[Unit]) -> Iterator[Slice]:
    """Batches of units, live ones first."""
    ordered = sorted(units, key=lambda each: (each.archived, each.rounds, max(limit for _, limit, _ in each.boards), _age(each.parent)))
    batch: list[Unit] = []
    for each in ordered:
        if batch and (batch[0].archived != each.archived or not _fits([*batch, each])):
            yield _slice(batch)
            batch = []
        batch.append(each)
    if batch:
        yield _slice(batch)


def asks(boards: Sequence[Mapping[str, Any]]) -> list[Ask]:
    """The boards of ``Slice.args`` as the client takes them."""
    return [(str(board["id"]), int(board["limit"]), bool(board["deep"])) for board in boards]


def _fits(batch: Sequence[Unit]) -> bool:
    limits = [limit for each in batch for _, limit, _ in each.boards]
    formulas = sum(each.formulas for each in batch)
    return len(limits) <= BOARDS and sum(limits) <= SLOTS and formulas <= FORMULAS_A_REQUEST and page_points(limits) <= POINTS


def _slice(batch: Sequence[Unit]) -> Slice:
    ids = sorted(board for each in batch for board, _, _ in each.boards)
    digest = hashlib.blake2b(",".join(ids).encode(), digest_size=8).hexdigest()
    boards = [
        {"id": board, "limit": limit, "deep": deep, "parent": each.parent}
        for each in sorted(batch, key=lambda one: _age(one.parent))
        for board, limit, deep in each.boards
    ]
    return Slice(
        key=f"boards:{digest}",
        label=batch[0].label if len(batch) == 1 else f"{batch[0].label} and {len(batch) - 1} more",
        phase=ARCHIVED if batch[0].archived else LIVE,
        args={"boards": boards, "cols": sorted({column for each in batch for column in each.columns}), "expected": sum(each.count for each in batch)},
        covers=tuple(f"project:{each.parent}" for each in batch),
    )


def _limit(count: int | None) -> int:
    if count is None:
        return ITEM_PAGE
    return next((limit for limit in LIMITS if count + SLACK <= limit), ITEM_PAGE)


def _age(board: str) -> tuple[int, str]:
    """Ids grow with time."""
    return (int(board), board) if board.isdigit() else (0, board)
