"""Walking a task list by creation time, or by the time of the last change.

Pages are numbers over a moving set: a row that is deleted or archived between two calls shifts all later ones, and one of those is never seen.
So every request is keyed by the creation time of the last row that was read, oldest first, and rows that were given already are dropped. Whether
``date_created_gt`` includes the instant itself is disputed: the key is one millisecond before the last row, which is right under both readings
(rows of that millisecond come again and are dropped by id). Page numbers serve only within one millisecond that fills a whole page.

By ``date_updated`` it is the same, but that a row which changes during the walk comes again later in it, with its new time: the newer one counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from connectors.clickup.client import Raw
from connectors.errors import BadResponse, CursorExpired

CREATED: Final = "date_created"
UPDATED: Final = "date_updated"


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of creation time in Unix milliseconds: ``since`` belongs to it, ``before`` does not. Neighbours share no row and leave none out."""

    since: int
    before: int


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on: rows of the time ``after`` (Unix milliseconds) or later, but for those ``seen``; ``page`` counts within that key."""

    after: int
    page: int = 0
    seen: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, Any]:
        return {"after": self.after, "page": self.page, "seen": sorted(self.seen)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Position:
        """Raises CursorExpired where the stored cursor is not one of ours: the slice starts anew."""
        try:
            return cls(after=int(stored["after"]), page=int(stored["page"]), seen=frozenset(stored["seen"]))
        except (KeyError, TypeError, ValueError) as error:
            raise CursorExpired("the stored cursor cannot be read") from error


def filters(position: Position | None, window: Window | None = None, by: str = CREATED) -> list[tuple[str, str]]:
    """The query of the next page."""
    asked = [("page", str(position.page if position else 0))]
    if position is not None:
        asked.append((f"{by}_gt", str(position.after - 1)))
    if window is not None:
        asked.append((f"{by}_lt", str(window.before)))
    return asked


def moment(row: Raw, by: str = CREATED) -> int:
    """When a task was created, or changed last, in Unix milliseconds; raises BadResponse naming the task."""
    try:
        return int(row[by])
    except (KeyError, TypeError, ValueError) as error:
        raise BadResponse(f"task {row.get('id')}: {by} is not a number") from error


def key(row: Raw) -> str:
    """A task's id; raises BadResponse where it has none."""
    found = row.get("id")
    if not isinstance(found, str) or not found:
        raise BadResponse(f"a task without an id (created {row.get('date_created')})")
    return found


def advance(
    position: Position | None, rows: Sequence[Raw], last: bool, window: Window | None = None, by: str = CREATED
) -> tuple[list[Raw], Position | None]:
    """The rows of a page that are new, and the next position (null at the end).

    Raises BadResponse where filter, order or page number were not obeyed.
    """
    times = [moment(row, by) for row in rows]
    ids = [key(row) for row in rows]
    _obeyed(position, times, window, by)
    given = position.seen if position else frozenset()
    fresh = [
        row
        for row, name, time in zip(rows, ids, times, strict=True)
        if (name not in given or _changed_since(position, time)) and (window is None or window.since <= time < window.before)
    ]
    if last:
        return fresh, None
    end = times[-1]
    if position is not None and end <= position.after:
        # The page did not leave the key's own millisecond (or, where gt includes its bound, the one before).
        if position.page > 0 and given.issuperset(ids):
            raise BadResponse(f"page {position.page} repeats rows already given ({by} {end})")
        return fresh, Position(position.after, position.page + 1, given.union(ids))
    edge = {name for name, time in zip(ids, times, strict=True) if time >= end - 1}
    if position is not None and position.after >= end - 1:
        edge |= given
    return fresh, Position(end, 0, frozenset(edge))


def _changed_since(position: Position | None, time: int) -> bool:
    """Whether a row that was given has a later time now: it changed during the walk."""
    return position is not None and time > position.after


def _obeyed(position: Position | None, times: Sequence[int], window: Window | None, by: str) -> None:
    """Unknown parameters are ignored by the vendor, not refused: a filter or order that has no effect would skip rows or never end."""
    if any(later < earlier for earlier, later in pairwise(times)):
        raise BadResponse("tasks did not come oldest first: order_by or reverse was not obeyed")
    if position is not None and times and times[0] < position.after - 1:
        raise BadResponse(f"tasks older than asked for: {by}_gt was not obeyed")
    if window is not None and times and times[-1] > window.before:
        raise BadResponse(f"tasks newer than asked for: {by}_lt was not obeyed")
