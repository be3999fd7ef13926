"""Where a workspace's feeds stand, as JSON that the hub keeps.

``updated:W/live`` and ``updated:W/archived`` say how far the reads by ``date_updated`` have come, ``places:W`` what they need of the container walk:
the token's user, the visible spaces, and which folders lie inside those that are left out.

A filtered read may trail the vendor's truth, so each poll goes back behind the largest ``date_updated`` seen by an overlap. Then the tasks that
changed last would come again with every idle poll, page by page after an edit of hundreds. So once the vendor's own clock (the answers' ``Date``, of
which only differences are used) has moved on by the overlap and a poll has read it all, what lies before that instant is settled: the ``floor``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.base import Json

LAG: Final = 60.0  # seconds; believed, not documented: what careful clients overlap by
OVERLAP: Final = 2 * int(LAG) * 1000
PREFIX: Final = "updated:"
PLACES: Final = "places:"
HALVES: Final = ("live", "archived")


def updated(workspace: str, half: str) -> str:
    return f"{PREFIX}{workspace}/{half}"


def places(workspace: str) -> str:
    return PLACES + workspace


def workspaces(marks: Mapping[str, Json]) -> list[str]:
    """Those whose first full reading has begun."""
    return sorted({key.removeprefix(PREFIX).partition("/")[0] for key in marks if key.startswith(PREFIX)})


def left_out(marks: Mapping[str, Json]) -> frozenset[str]:
    """The places outside the scope, the folders inside left-out ones among them, as the last walk found them."""
    kept = [mark for key, mark in marks.items() if key.startswith(PLACES) and isinstance(mark, Mapping)]
    return frozenset(place for mark in kept for name in ("left_out", "inner") for place in mark.get(name) or ())


def me(marks: Mapping[str, Json]) -> str | None:
    """The token's user, as the last walk found it."""
    return next((str(mark["me"]) for key, mark in marks.items() if key.startswith(PLACES) and isinstance(mark, Mapping) and mark.get("me")), None)


@dataclass(frozen=True, slots=True)
class Stand:
    """``at``: the largest ``date_updated`` seen (null: none yet). ``floor``: all up to it was seen for sure. Both in Unix milliseconds.

    ``heard``: the vendor's clock (Unix seconds) when ``at`` was first seen, null where its answers carry no date.
    """

    at: int | None = None
    floor: int | None = None
    heard: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {"at": self.at, "floor": self.floor, "heard": self.heard}

    @classmethod
    def of(cls, mark: Json | None) -> Stand:
        """From a stored mark; one that is none of ours means that everything is read once more."""
        if not isinstance(mark, Mapping) or not isinstance(mark.get("at"), int):
            return cls()
        floor, heard = mark.get("floor"), mark.get("heard")
        return cls(mark["at"], floor if isinstance(floor, int) else None, heard if isinstance(heard, int | float) else None)

    @property
    def start(self) -> int | None:
        """From which ``date_updated`` on to ask (null: from the first task on)."""
        if self.at is None:
            return None
        # Two milliseconds on: what is at the floor itself does not come again, whether _gt includes its instant or not.
        return self.at - OVERLAP if self.floor is None else max(self.at - OVERLAP, self.floor + 2)

    def seen(self, newest: int | None, date: float | None) -> Stand:
        """After a page whose largest ``date_updated`` is ``newest``."""
        if newest is None or (self.at is not None and newest <= self.at):
            return self
        return Stand(newest, self.floor, date)

    def settled(self, before: Stand, began: float | None) -> Stand:
        """After a poll that read to the end, begun at ``began`` by the vendor's clock: what it began with is behind us once it is old enough."""
        old = before.heard is not None and began is not None and began - before.heard >= OVERLAP / 1000
        return Stand(self.at, before.at, self.heard) if old else self
