"""What a stretch of a project's event stream says was touched. Pure.

An event names what it is about and little else, so tasks are read again. ``deleted`` is the vendor's own word for gone, unless something happened to
the task after it. ``removed`` is a move: out of a section, a project or a parent. What only stories, likes or attachments tell is left out: nothing
of it is stored, and a comment's effect on ``modified_at`` comes with the poll. Resource, user and time may each be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.asana.client import Raw
from connectors.base import Told
from connectors.records import Ref

SAME_CHANGE = timedelta(seconds=2)
"""An event may be dated a little after the ``modified_at`` that its change set. Should two changes lie so near, the next poll has the second."""


@dataclass(slots=True)
class Touched:
    """What happened to one task. ``changed``: the latest event that ``modified_at`` tells of; ``moved``: the latest that it may not."""

    last: str = ""
    told: Told | None = None
    moved: datetime | None = None
    changed: datetime | None = None
    undated: bool = False

    def add(self, action: str, told: Told | None) -> None:
        self.last, self.told = action, told or self.told
        if told is None:
            self.undated = True
        elif action == "changed":
            self.changed = max(self.changed or told.at, told.at)
        else:
            self.moved = max(self.moved or told.at, told.at)

    def is_in(self, state: datetime | None) -> bool:
        """Whether a task's state, as of that instant, holds all this already."""
        if state is None or self.undated:
            return False
        return (self.moved is None or self.moved <= state) and (self.changed is None or self.changed <= state + SAME_CHANGE)

    @property
    def until(self) -> datetime | None:
        return max((at for at in (self.moved, self.changed) if at is not None), default=None)


@dataclass(slots=True)
class Stretch:
    """Events in their order. ``sections``: the project's sections are to be read again."""

    tasks: dict[str, Touched] = field(default_factory=dict)
    sections: bool = False
    gone: set[Ref] = field(default_factory=set)
    told: dict[Ref, Told] = field(default_factory=dict)

    def add(self, event: Raw) -> None:
        resource, action = event.get("resource"), event.get("action")
        gid = resource.get("gid") if isinstance(resource, Mapping) else None
        if not isinstance(resource, Mapping) or not isinstance(gid, str) or not isinstance(action, str):
            return
        kind, told = resource.get("resource_type"), _told(event)
        if kind == "task":
            self.tasks.setdefault(gid, Touched()).add(action, told)
        elif kind == "section":
            self.sections = True
        if kind in ("project", "section"):
            (self.gone.add if action == "deleted" else self.gone.discard)(f"{kind}:{gid}")
            if told is not None:
                self.told[f"{kind}:{gid}"] = told

    def settle(self) -> dict[str, Touched]:
        """Those to be read again; who was deleted last of all is gone."""
        alive = {gid: touched for gid, touched in self.tasks.items() if touched.last != "deleted"}
        self.gone.update(f"task:{gid}" for gid in self.tasks if gid not in alive)
        self.told.update({f"task:{gid}": touched.told for gid, touched in self.tasks.items() if touched.told is not None})
        return alive


def _told(event: Raw) -> Told | None:
    try:
        at = datetime.fromisoformat(event["created_at"])
    except (KeyError, TypeError, ValueError):
        return None
    user: Any = event.get("user")
    gid = user.get("gid") if isinstance(user, Mapping) else None
    return Told(at.astimezone(UTC), f"identity:{gid}" if isinstance(gid, str) and gid else None) if at.tzinfo is not None else None
