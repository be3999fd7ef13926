"""Parked events in the hands of a person: to see, to try at once, to skip, and dead letters to bring back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from hub.delivery import ledger
from hub.delivery.endpoints import line_up, revise
from hub.models import Endpoint, Parked

SKIPPED = "skipped by hand"


def listed(session: Session, endpoint_id: UUID, *, dead: bool = False, after: int | None = None, limit: int = 100) -> Sequence[Parked]:
    """Parked events of an endpoint in the log's order: those that wait, or the dead letters. ``after``: a sequence."""
    chosen = select(Parked).where(Parked.endpoint_id == endpoint_id, (Parked.state == "dead") if dead else (Parked.state != "dead"))
    if after is not None:
        chosen = chosen.where(Parked.sequence > after)
    return session.scalars(chosen.order_by(Parked.sequence).limit(limit)).all()


def retry(session: Session, endpoint: Endpoint, now: datetime, entity_id: UUID | None = None) -> int:
    """What waits for its own retry is tried now, whatever the receiver asked for; of one entity, or of all. Returns how many."""
    waits = update(Parked).where(Parked.endpoint_id == endpoint.id, Parked.state == "waiting")
    if entity_id is not None:
        waits = waits.where(Parked.entity_id == entity_id)
    hastened = session.execute(waits.values(next_at=now, held_until=None))
    if endpoint.failing_since is not None:
        endpoint.next_try_at = now
    revise(endpoint)
    return int(hastened.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def skip(session: Session, endpoint: Endpoint, entity_id: UUID, now: datetime) -> bool:
    """Gives up the event that an entity's others stand behind: it becomes a dead letter, the next goes out. False where nothing is parked."""
    mine = (Parked.endpoint_id == endpoint.id, Parked.entity_id == entity_id, Parked.state != "dead")
    first = session.scalar(select(func.min(Parked.sequence)).where(*mine))
    if first is None:
        return False
    given_up = update(Parked).where(Parked.endpoint_id == endpoint.id, Parked.sequence == first)
    session.execute(given_up.values(state="dead", next_at=None, held_until=None, last_error=SKIPPED))
    ledger.promote(session, endpoint.id, {entity_id}, now)
    revise(endpoint)
    return True


def revive(session: Session, endpoint: Endpoint, sequences: Collection[int], now: datetime) -> int:
    """Dead letters are tried again, from the beginning of the schedule; of an entity before what is parked of it. Returns how many."""
    chosen = update(Parked).where(Parked.endpoint_id == endpoint.id, Parked.sequence.in_(sequences), Parked.state == "dead")
    revived = session.execute(chosen.values(state="waiting", next_at=now, attempts=0, parked_at=now, told=False))
    if endpoint.ordering == "entity":
        line_up(session, endpoint.id)
    revise(endpoint)
    return int(revived.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it
