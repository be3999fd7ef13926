"""Paging by hand through task search, which has no paging: rows in order of creation, each call starting at the last row's instant."""

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
        return {"at": self._spoken(timedelta(0)), "seen": sorted(self.seen), "step": self.step}

    def params(self) -> list[tuple[str, str]]:
        order = [("sort_by", "created_at"), ("sort_ascending", "true")]
        return order if self.at is None else [*order, ("created_at.after", self._spoken(STEPS[self.step]))]

    def _spoken(self, shift: timedelta) -> str:
        assert self.at is not None
        return (self.at + shift).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def fresh(self, rows: Sequence[Raw]) -> list[Raw]:
        """The rows that no earlier call brought: a call starts a little before the instant reached, or more where the vendor rounds."""
        return [row for row in rows if row["gid"] not in self.seen and (self.at is None or _created(row) >= self.at)]

    def after(self, rows: Sequence[Raw]) -> Place | None:
        """The place behind these rows, null at the end.

        A call that brings nothing new is the end, not one that brings fewer than 100: the vendor may leave out rows that the token may not see.
        Raises BadResponse where the rows are not in order of creation or do not move on: paging on would lose tasks, or never end.
        """
        instants = [_created(row) for row in rows]
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


def _created(row: Raw) -> datetime:
    try:
        created = datetime.fromisoformat(row["created_at"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadResponse(f"task {row['gid']}: created_at is not an instant") from error
    if created.tzinfo is None:
        raise BadResponse(f"task {row['gid']}: created_at is not an instant")
    return created.astimezone(UTC)
