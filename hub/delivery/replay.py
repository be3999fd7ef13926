"""Sending again: a replay is a second position of an endpoint in the log, which passes by at the bounded pace and keeps the endpoint's filter.

The message's id is the event's own, as it was the first time, so a receiver that has it already knows. Counted first, started then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import update
from sqlalchemy.orm import Session

from hub import events
from hub.access import scope
from hub.access.scope import Scope
from hub.delivery import envelope, retention, snapshot
from hub.delivery.endpoints import EndpointProblem, revise
from hub.delivery.envelope import Stored
from hub.delivery.filter import Filter
from hub.delivery.reader import PAGE
from hub.delivery.veil import Withheld, veiled
from hub.models import Endpoint, Replay


@dataclass(frozen=True, slots=True)
class Range:
    """What to send again: events after ``after`` up to ``until`` (None: up to what the endpoint has got), of one entity or of some types if given.
    ``snapshot``: none of these, but the present state of everything."""

    after: int = 0
    until: int | None = None
    entity_id: UUID | None = None
    types: frozenset[str] = frozenset()
    snapshot: bool = False

    @classmethod
    def of_event(cls, session: Session, event_id: UUID, seen: Scope = scope.EVERYTHING) -> Range:
        """One event. Raises EndpointProblem where the log does not hold it, or holds it for others."""
        line = envelope.one(session, event_id)
        if line is None or isinstance(veiled(session, [line], seen)[0], Withheld):
            raise EndpointProblem("the log does not hold that event (any more)")
        return cls(line.sequence - 1, line.sequence)


def count(session: Session, endpoint: Endpoint, wanted: Range) -> int:
    """How many messages a replay would send, as the log and the endpoint's filter stand now; reads them all. Raises EndpointProblem."""
    after, until = _bounds(session, endpoint, wanted)
    kept, seen = Filter.of(endpoint.filter, endpoint.types), scope.of_key(session, endpoint.owner_key_id)
    if wanted.snapshot:
        return snapshot.count(session, kept, endpoint.created_at, seen)
    return sum(kept.matches(line) for line in _lines(session, wanted, after, until, seen))


def start(session: Session, endpoint: Endpoint, wanted: Range, now: datetime) -> Replay:
    """Begins a replay beside what the endpoint gets anyway. Raises EndpointProblem."""
    after, until = _bounds(session, endpoint, wanted)
    made = Replay(
        id=uuid4(),
        endpoint_id=endpoint.id,
        position=0 if wanted.snapshot else after,
        until=until,
        entity_id=wanted.entity_id,
        types=sorted(wanted.types),
        snapshot=wanted.snapshot,
        created_at=now,
    )
    session.add(made)
    revise(endpoint)
    return made


def stop(session: Session, endpoint: Endpoint, now: datetime) -> int:
    """Ends all replays of an endpoint where they are. Returns how many."""
    ended = session.execute(update(Replay).where(Replay.endpoint_id == endpoint.id, Replay.done_at.is_(None)).values(done_at=now))
    revise(endpoint)
    return int(ended.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def _bounds(session: Session, endpoint: Endpoint, wanted: Range) -> tuple[int, int]:
    """What lies beyond the endpoint's position comes anyway. What is dropped cannot come."""
    if endpoint.state == "disabled":
        raise EndpointProblem("the endpoint is disabled: resume it first")
    first, until = retention.dropped(session), min(endpoint.position, events.head(session) if wanted.until is None else wanted.until)
    if wanted.after < first and wanted.after:
        raise EndpointProblem(f"the log begins after {first}: nothing before it can be sent again")
    return max(wanted.after, first), max(until, wanted.after, first)


def _lines(session: Session, wanted: Range, after: int, until: int, seen: Scope) -> Iterator[Stored]:
    while after < until and (page := veiled(session, envelope.read(session, after, PAGE), seen)):
        for line in page:
            if line.sequence > until:
                return
            if wanted.entity_id in (None, line.entity_id) and (not wanted.types or line.type in wanted.types):
                yield line
        after = page[-1].sequence
