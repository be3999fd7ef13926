"""Figures that are kept in memory for as long as nothing they are made of has changed.

A figure is kept under the mark that its own snapshot shows (``hub.models.views`` says when the mark moves), so what is given is exactly what the
database would answer, whichever process wrote last; and under everything else that it depends on: the day and zone, the reader's right, the
connections meant, what was asked. Several requests for the same figure at once compute it once. Not kept: what a writing session reads, for its
own changes are nobody else's yet.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from threading import Lock
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.db import KEPT
from hub.models import Written
from hub.portfolio.reach import Day, Reach

Made = TypeVar("Made")
MOST = 16
"""Figures kept at once, the last used ones; at 3,000 projects a portfolio takes some 10 MB."""
ALWAYS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
MARK = select(Written.mark).where(Written.name == "figures")


class _Shelf:
    """Of one mark. Each figure has a lock of its own, under which it is made."""

    def __init__(self, mark: UUID) -> None:
        self.mark = mark
        self._lock = Lock()
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()

    def place(self, name: Hashable) -> _Place:
        with self._lock:
            found = self._places.setdefault(name, _Place())
            self._places.move_to_end(name)
            while len(self._places) > MOST:
                self._places.popitem(last=False)
            return found


class _Place:
    def __init__(self) -> None:
        self.lock = Lock()
        self.made: Any = None
        self.holds: tuple[datetime, datetime] | None = None
        """From when to when; the second instant is not included."""


def kept(
    session: Session, reached: Reach, day: Day, name: Hashable, make: Callable[[], Made], until: Callable[[Made], datetime | None] | None = None
) -> Made:
    """What ``make`` gives, made anew only where something changed; nobody may change it. ``name``: says which figure, and all that was asked of it
    beside reach and day. ``until``: from which instant on it no longer holds although nothing was written."""
    held, right = session.info.get(KEPT), reached.scope.named
    mark = session.execute(MARK).scalar() if held is not None and right is not None else None
    if held is None or mark is None:
        return make()
    connections = tuple((each.id, each.tool, each.name, each.state, each.last_synced_at, each.history_from) for each in reached.connections)
    place = _shelf(held, mark).place((name, right, reached.partial, reached.policy_key, connections, day.today, day.zone.key))
    with place.lock:
        if place.holds is not None and place.holds[0] <= day.now < place.holds[1]:
            found: Made = place.made
            return found
        made = make()
        end = until(made) if until is not None else None
        place.made, place.holds = made, (day.now if until is not None else ALWAYS[0], end or ALWAYS[1])
        return made


def _shelf(held: dict[str, Any], mark: UUID) -> _Shelf:
    """A reader of an older snapshot puts up its own shelf in turn: at worst both make their figures once more."""
    shelf: _Shelf | None = held.get("shelf")
    if shelf is None or shelf.mark != mark:
        shelf = held["shelf"] = _Shelf(mark)
    return shelf
