"""What an endpoint is to get next: lines of the log, and parked events whose time has come.

Pages of the log are shared by all endpoints that are near each other, so an event is read and parsed once and not once per endpoint.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, fields
from datetime import datetime
from threading import Lock
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from hub.delivery import envelope
from hub.delivery.envelope import Stored
from hub.models import Connection, Event, Parked

PAGE = 250
"""Lines; also the most that a statement's list of ids holds, well below the databases' limits."""
PAGES_KEPT = 16
HEADS, FOLLOWERS = 100, 400
"""Most parked entities taken up at once, and most events parked behind them: they are tried in the same go."""

_COLUMNS = [Connection.tool if each.name == "tool" else getattr(Event, each.name) for each in fields(Stored)]


@dataclass(slots=True)
class Pages:
    """The log in pages of fixed bounds. Whole pages are kept for a while: they never change."""

    _kept: OrderedDict[int, list[Stored]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def after(self, session: Session, position: int) -> list[Stored]:
        """The next lines after ``position``, as many as its page holds; none only at the end of the log."""
        number = position // PAGE
        start, end = number * PAGE, (number + 1) * PAGE
        with self._lock:
            held = self._kept.get(number)
        if held is None:
            held = [line for line in envelope.read(session, start, PAGE) if line.sequence <= end]
            if held and held[-1].sequence == end:
                self._keep(number, held)
        found = [line for line in held if line.sequence > position]
        return found or envelope.read(session, position, PAGE)  # nothing left in this page, whatever became of it: the next that there is

    def _keep(self, number: int, lines: list[Stored]) -> None:
        with self._lock:
            self._kept[number] = lines
            if len(self._kept) > PAGES_KEPT:
                self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parked event with what it says. ``stored`` None: the log does not hold it any more."""

    sequence: int
    event_id: UUID
    entity: str
    entity_id: UUID
    attempts: int
    parked_at: datetime
    stored: Stored | None


_TAKEN = [getattr(Parked, each.name) for each in fields(Waiting) if each.name != "stored"]
"""Columns, not objects: five hundred are read in one go, and the ORM would cost as much as their deliveries."""


def parked_entities(session: Session, endpoint_id: UUID) -> set[UUID]:
    """Entities with something parked that is not given up."""
    return set(session.scalars(select(Parked.entity_id).where(Parked.endpoint_id == endpoint_id, Parked.state != "dead").distinct()))


def due(session: Session, endpoint_id: UUID, now: datetime, busy: Set[UUID], *, at_once: bool = False) -> tuple[list[Waiting], datetime | None]:
    """Parked events to be tried now, each entity's in their order, and when to look again (None: nothing waits). ``busy``: entities that are under
    way. ``at_once``: regardless of their time, for a trial, but never before the time that the receiver named."""
    waits = select(Parked.sequence, Parked.entity_id, Parked.next_at).where(Parked.endpoint_id == endpoint_id, Parked.state == "waiting")
    free = or_(Parked.held_until.is_(None), Parked.held_until <= now) if at_once else or_(Parked.next_at.is_(None), Parked.next_at <= now)
    found = session.execute(waits.where(free).order_by(Parked.next_at, Parked.sequence).limit(HEADS + len(busy))).all()
    heads = [row for row in found if row.entity_id not in busy][:HEADS]
    if not heads:
        after = select(func.min(Parked.next_at)).where(Parked.endpoint_id == endpoint_id, Parked.state == "waiting", Parked.next_at > now)
        return [], session.scalar(after)
    mine = select(*_TAKEN).where(Parked.endpoint_id == endpoint_id)
    behind = mine.where(Parked.state == "behind", Parked.entity_id.in_({row.entity_id for row in heads}))
    rows: list[Any] = list(session.execute(mine.where(Parked.sequence.in_([row.sequence for row in heads]))))
    rows += session.execute(behind.order_by(Parked.sequence).limit(FOLLOWERS))
    said = {line.sequence: line for line in lines(session, [row.sequence for row in rows])}
    taken = [Waiting(**row._mapping, stored=said.get(row.sequence)) for row in sorted(rows, key=lambda row: row.sequence)]
    return taken, now


def lines(session: Session, sequences: Sequence[int]) -> list[Stored]:
    """These lines of the log, those that are still there."""
    found = []
    for at in range(0, len(sequences), PAGE):
        chosen = select(*_COLUMNS).outerjoin(Connection, Connection.id == Event.connection_id).where(Event.sequence.in_(sequences[at : at + PAGE]))
        found += [Stored(*row) for row in session.execute(chosen)]
    return found


def given_up(session: Session, endpoint_id: UUID, entities: Set[UUID]) -> dict[UUID, UUID]:
    """Per entity the newest dead letter that no delivery has told of yet."""
    found: dict[UUID, UUID] = {}
    asked = list(entities)
    for at in range(0, len(asked), PAGE):
        dead = select(Parked.entity_id, Parked.event_id).where(
            Parked.endpoint_id == endpoint_id, Parked.entity_id.in_(asked[at : at + PAGE]), Parked.state == "dead", Parked.told.is_(False)
        )
        found |= {row.entity_id: row.event_id for row in session.execute(dead.order_by(Parked.sequence))}
    return found
