"""Paging by hand through task search, which has no paging: rows in order of creation, or of their last change, each call starting where the one
before ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from connectors.asana.client import PAGE_SIZE, Raw
from connectors.errors import BadResponse

MILLISECOND: Final = timedelta(milliseconds=1)

STEPS: Final = (-MILLISECOND, timedelta(0), MILLISECOND)
"""Where the next call starts, relative to the instant reached: with it (so that no row of that instant is lost), after it, and, should the vendor
take ``after`` to include the instant, really after it."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a search has come: the creation instant reached, the gids already read of that instant, and the step out of a saturated one.

    An instant that holds more than 100 tasks cannot be read whole by search: the place moves past it, and what was left out is found by the count of
    each parent's subtasks (``child_count``).
    """

    at: datetime | None = None
    seen: frozenset[str] = frozenset()
    step: int = 0

    @classmethod
    def of(cls, cursor: Any) -> Place:
        return cls() if cursor is None else cls(at=datetime.fromisoformat(cursor["at"]), seen=frozenset(cursor["seen"]), step=cursor["step"])

    def cursor(self) -> dict[str, Any]:
        assert self.at is not None
        return {"at": spoken(self.at), "seen": sorted(self.seen), "step": self.step}

    def params(self) -> list[tuple[str, str]]:
        order = [("sort_by", "created_at"), ("sort_ascending", "true")]
        return order if self.at is None else [*order, ("created_at.after", spoken(self.at + STEPS[self.step]))]

    def fresh(self, rows: Sequence[Raw]) -> list[Raw]:
        """The rows that no earlier call brought: a call starts a little before the instant reached, or more where the vendor rounds."""
        return [row for row in rows if row["gid"] not in self.seen and (self.at is None or instant(row, "created_at") >= self.at)]

    def after(self, rows: Sequence[Raw]) -> Place | None:
        """The place behind these rows, null at the end.

        A call that brings nothing new is the end, not one that brings fewer than 100: the vendor may leave out rows that the token may not see.
        Raises BadResponse where the rows are not in order of creation or do not move on: paging on would lose tasks, or never end.
        """
        instants = [instant(row, "created_at") for row in rows]
        if any(later < earlier for earlier, later in pairwise(instants)):
            raise BadResponse("the search is not in order of creation")
        if self.fresh(rows):
            reached = instants[-1]
            seen = frozenset(row["gid"] for row, created in zip(rows, instants, strict=True) if created == reached)
            return Place(at=reached, seen=seen | self.seen if reached == self.at else seen)
        if len(rows) < PAGE_SIZE:
            return None
        if self.step + 1 == len(STEPS):
            raise BadResponse("the search does not move on from an instant")
        return replace(self, step=self.step + 1)


@dataclass(frozen=True, slots=True)
class Recent:
    """How far a search for changed tasks has come: everything up to ``at`` was read. ``crowd``: an instant with more than a page, read apart.

    Rows come in the order in which the index knows them, but as they are now: a row that changed meanwhile stands out of order and says nothing
    about how far the index has come. So where a page ends is told by the rows that no later one contradicts, the last of them left out.
    """

    at: datetime
    crowd: datetime | None = None

    @classmethod
    def of(cls, cursor: Any) -> Recent:
        return cls(datetime.fromisoformat(cursor["at"]), datetime.fromisoformat(cursor["crowd"]) if cursor["crowd"] else None)

    def cursor(self) -> dict[str, Any]:
        return {"at": spoken(self.at), "crowd": spoken(self.crowd) if self.crowd else None}

    def params(self) -> list[tuple[str, str]]:
        return [("sort_by", "modified_at"), ("sort_ascending", "true"), ("modified_at.after", spoken(self.at - MILLISECOND))]

    def after(self, rows: Sequence[Raw]) -> Recent | None:
        """The place behind these rows, null at the end: a short page, for what the vendor left out of one is found by the next poll.

        Raises BadResponse where the vendor does not sort or does not heed the bound: paging on would lose tasks, or never end.
        """
        instants = [instant(row, "modified_at") for row in rows]
        reached = _uncontradicted(instants)
        if 2 * len(reached) < len(instants):
            raise BadResponse("the search is not in order of modification")
        if len(rows) < PAGE_SIZE:
            return None
        at = reached[-2] if len(reached) > 1 else reached[-1]
        if at < self.at - MILLISECOND:
            raise BadResponse("the search does not move on from an instant")
        if at > self.at:
            return Recent(at, self.crowd)
        # Nothing but one instant: it is read apart, and then left behind, by one millisecond more where the vendor's "after" includes the instant.
        return Recent(self.at + MILLISECOND, self.crowd if self.crowd is not None and at <= self.crowd else at)


def crowded(at: datetime) -> list[tuple[str, str]]:
    """The filters that leave the tasks changed at one instant, to be paged by their creation."""
    return [("modified_at.after", spoken(at - MILLISECOND)), ("modified_at.before", spoken(at + MILLISECOND))]


def _uncontradicted(instants: Sequence[datetime]) -> list[datetime]:
    """Those that no later one is before, in order."""
    found: list[datetime] = []
    for each in reversed(instants):
        if not found or each <= found[-1]:
            found.append(each)
    return found[::-1]


def spoken(at: datetime) -> str:
    """An instant as the vendor writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(row: Raw, key: str) -> datetime:
    """An instant that a row must have, in UTC. Raises BadResponse naming the task."""
    try:
        found = datetime.fromisoformat(row[key])
    except (KeyError, TypeError, ValueError) as error:
        raise BadResponse(f"task {row['gid']}: {key} is not an instant") from error
    if found.tzinfo is None:
        raise BadResponse(f"task {row['gid']}: {key} is not an instant")
    return found.astimezone(UTC)
