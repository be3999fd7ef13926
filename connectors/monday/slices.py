"""How boards are packed into slices, one first request each.

A slice is a batch of boards with the companions of their subitems. Each board goes into the first batch that has room: the largest ones first, since
their further pages then share requests, then those with formula columns, which are what runs out first. The rest fills the gaps by age, so that a
new board changes one batch only and the others keep their keys from pass to pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import ARCHIVED, LIVE, Slice
from connectors.monday.board import FORMULAS_A_REQUEST, Raw, Shape, companion_id, identifier
from connectors.monday.client import Ask
from connectors.monday.documents import ITEM_PAGE

BOARDS, SLOTS = 25, 2_500
"""The most of each in one request: 25 boards are kind to the vendor's 60 s, and so many places for items cost a tenth of the 5M cap."""

LIMITS = (25, 50, 100, 200, ITEM_PAGE)
SLACK = 5
"""``items_count`` lags behind; a board that outgrew its limit costs one more page, nothing else."""


_APART = frozenset({"groups", "activity_logs"})
"""Asked with a board, but no part of its own body: sections are items of their own, and the log moves all the time."""


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
        body = {key: value for key, value in row.items() if key not in _APART}
        below = companions.get(companion_id(row) or "")
        if below is not None:
            body["_companion"] = {key: below.get(key) for key in ("id", "items_count", "hierarchy_type", "columns")}
        projects.append(body)
    return projects


class _Load:
    """A batch that is being filled, and what of each bound it has used."""

    __slots__ = ("archived", "boards", "formulas", "slots", "units")

    def __init__(self, archived: bool | None) -> None:
        self.archived = archived
        self.units: list[Unit] = []
        self.boards = self.slots = self.formulas = 0

    def takes(self, unit: Unit) -> bool:
        """Puts the unit in if it fits; the first one always does."""
        boards, slots = self.boards + len(unit.boards), self.slots + sum(limit for _, limit, _ in unit.boards)
        formulas = self.formulas + unit.formulas
        bounded = boards <= BOARDS and slots <= SLOTS and formulas <= FORMULAS_A_REQUEST
        if self.units and (self.archived not in (unit.archived, None) or not bounded):
            return False
        self.units.append(unit)
        self.boards, self.slots, self.formulas = boards, slots, formulas
        return True


def pack(units: Iterable[Unit], *, apart: bool = True) -> Iterator[Slice]:
    """Batches of units, live ones first. ``apart``: archived ones in batches of their own, to be read after all others; a poll has few of either."""
    loads: list[_Load] = []
    for each in sorted(units, key=lambda each: (each.archived, -each.rounds, -each.formulas, age(each.parent))):
        if not any(load.takes(each) for load in loads):
            loads.append(_Load(each.archived if apart else None))
            loads[-1].takes(each)
    return (_slice(load.units) for load in loads)


def asks(boards: Sequence[Mapping[str, Any]]) -> list[Ask]:
    """The boards of ``Slice.args`` as the client takes them."""
    return [(str(board["id"]), int(board["limit"]), bool(board["deep"])) for board in boards]


def _slice(batch: Sequence[Unit]) -> Slice:
    ids = sorted(board for each in batch for board, _, _ in each.boards)
    digest = hashlib.blake2b(",".join(ids).encode(), digest_size=8).hexdigest()
    boards = [
        {"id": board, "limit": limit, "deep": deep, "parent": each.parent}
        for each in sorted(batch, key=lambda one: age(one.parent))
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


def age(board: str) -> tuple[int, str]:
    """Ids grow with time."""
    return (int(board), board) if board.isdigit() else (0, board)
