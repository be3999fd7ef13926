"""What is followed, and how far: the marks of the feeds.

Each board has a mark of its own, ``board/ID``, which says what a poll must know to ask for it without reading the structure. How far all of
them were followed is one mark, ``poll``: the newest instant that the vendor itself has shown in a log or on an item. It is the vendor's stamp, not
our clock's, so that no difference between the two loses a change; and a poll that brings nothing new moves nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from connectors.base import Context, Json
from connectors.monday.board import Raw, companion_id, identifier
from connectors.monday.client import Rows
from connectors.monday.logs import TICKS, Entry, listed, stamp, ticks
from connectors.monday.slices import age

CLOCK = "poll"
BOARDS_A_REQUEST = 500
OVERLAP = timedelta(minutes=5)
"""Logs trail the truth by up to 30 s, and now and then by minutes."""
ITEMS_OVERLAP = 60 * TICKS
"""The second net needs less: what it would miss is in the logs."""
SEEN = 5_000
"""Entries of the overlap that are remembered as seen. One that is forgotten is only looked at twice."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A board. ``below``: its companion. ``formulas``: columns of both that the vendor computes. ``shape``: the version of its context."""

    board: str
    below: str | None
    deep: bool
    archived: bool
    formulas: int
    shape: str

    @classmethod
    def of(cls, project: Raw, context: Context) -> Watched:
        companion = project.get("_companion")
        return cls(
            board=identifier(project, "project"),
            below=companion_id(project) if companion else None,
            deep=project.get("hierarchy_type") == "multi_level",
            archived=project.get("state") == "archived",
            formulas=sum(shape.formulas for shape in context.data.values()),
            shape=context.version,
        )

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.board,) if self.below is None else (self.board, self.below)

    @property
    def state(self) -> str:
        return "archived" if self.archived else "active"

    @property
    def key(self) -> str:
        return f"board/{self.board}"

    @property
    def mark(self) -> Json:
        return {"below": self.below, "deep": self.deep, "archived": self.archived, "formulas": self.formulas, "shape": self.shape}


def watched(marks: Mapping[str, Json]) -> dict[str, Watched]:
    """The boards that are followed, by id."""
    found = (Watched(board=key.partition("/")[2], **value) for key, value in marks.items() if key.startswith("board/") and value is not None)
    return {each.board: each for each in found}


@dataclass(frozen=True, slots=True)
class Clock:
    """``at``: the newest stamp seen (``logs.TICKS``). ``base``: all up to this stamp is known. ``reached``: when we first saw ``at``, by our clock;
    only how long ago that is counts. ``seen``: entries since ``base`` that were dealt with."""

    at: int
    base: int
    reached: datetime | None
    seen: frozenset[str]

    @classmethod
    def of(cls, mark: Mapping[str, Any]) -> Clock:
        reached = datetime.fromisoformat(mark["reached"]) if mark["reached"] else None
        return cls(mark["at"], mark["base"], reached, frozenset(mark["seen"]))

    @classmethod
    def first(cls, boards: Rows, now: datetime) -> Clock:
        """Before a first full reading, from each board's last entry. The reading sees the truth, so nothing before it need be followed."""
        logged = (
            (row, str(board["id"])) for board in boards if board.get("activity_logs") for row in listed(board["activity_logs"], str(board["id"]))
        )
        at = max((stamp(row, board) for row, board in logged), default=int((now - OVERLAP).timestamp()) * TICKS)
        return cls(at, at, None, frozenset())

    def _base(self, now: datetime) -> int:
        """All that happened before ``at`` must have become visible once the overlap is over: a poll that is made then has seen it."""
        return self.at if self.reached is None or now - self.reached >= OVERLAP else self.base

    def logs_since(self) -> int:
        """From ``base`` on, however long ago the last poll was: what was late then is seen by the first poll after the overlap, which moves it."""
        return max(second(self.base), second(self.at) - round(OVERLAP.total_seconds()) * TICKS)

    def items_since(self) -> int:
        """Items say whole seconds: those of the second of ``base`` are known, and what befell them later in it is in the log."""
        return max(second(self.base) + TICKS, second(self.at) - ITEMS_OVERLAP)

    def is_new(self, updated_at: str) -> bool:
        return ticks(updated_at) > second(self.at)

    def knows(self, entry: Entry) -> bool:
        return entry.at <= self.base or short(entry.key) in self.seen

    def moved(self, newest: int, seen: Iterable[tuple[int, str]], now: datetime) -> Clock:
        """After a poll that saw ``newest`` and, since ``logs_since``, these entries (stamp and short key)."""
        at = max(self.at, newest)
        moved = Clock(at, self._base(now), now if at > self.at else self.reached, frozenset())
        near = sorted((each for each in seen if each[0] > moved.base and each[0] >= moved.logs_since()), reverse=True)[:SEEN]
        return replace(moved, seen=frozenset(key for _, key in near))

    @property
    def mark(self) -> Json:
        return {"at": self.at, "base": self.base, "reached": self.reached.isoformat() if self.reached else None, "seen": sorted(self.seen)}


def short(key: str) -> str:
    """An entry's id in twelve letters; the vendor's has thirty-six."""
    return hashlib.blake2b(key.encode(), digest_size=6).hexdigest()


def chunk(boards: Iterable[Watched], after: str | None, most: int) -> Sequence[Watched]:
    """The oldest boards younger than ``after``, as many as one request takes together with their companions."""
    found: list[Watched] = []
    room = most
    for each in sorted(boards, key=lambda each: age(each.board)):
        if after is not None and age(each.board) <= age(after):
            continue
        room -= len(each.ids)
        if room < 0:
            break
        found.append(each)
    return found


def second(at: int) -> int:
    """The beginning of the second that ``at`` lies in."""
    return at - at % TICKS
