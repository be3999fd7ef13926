"""What is kept for how long. Nothing that an endpoint has not got is dropped without a word: the endpoint is stopped first, and says why."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from uuid import uuid4

from sqlalchemy import delete, func, select, tuple_, update
from sqlalchemy.orm import Session

from hub import events
from hub.db import Database
from hub.events import Draft, EventType
from hub.models import Attempt, Endpoint, Event, Parked, Replay
from hub.settings import Settings

CHUNK = 1000
"""Rows dropped in one transaction: nobody else waits for long."""
DROPPED = "dropped"
"""Names the counter that holds the last place of the log that is no more."""
BEHIND = "it stood behind what the hub keeps: {count} events were dropped before it got them; resume it to go on after them"
TOO_OLD = "dropped: older than what the hub keeps"


def dropped(session: Session) -> int:
    """The last place of the log that is no more; 0 while all is there. A cursor before it cannot be followed."""
    return events.position(session, DROPPED)


def sweep(database: Database, settings: Settings, now: datetime) -> tuple[int, int]:
    """Drops what is older than the settings say, in chunks. Returns how many events and attempts that were."""
    counts = [0, 0]
    while got := _drop_events(database, settings, now):
        counts[0] += got
    while got := _drop_attempts(database, settings, now):
        counts[1] += got
    while _drop_rests(database, settings, now):
        continue
    return counts[0], counts[1]


def _drop_events(database: Database, settings: Settings, now: datetime) -> int:
    """One chunk from the log's beginning, up to the first event that is to be kept: clocks of several processes may differ.

    Endpoints first, then what is parked for them, the log's lock last: in this order a delivery's entry takes the same locks."""
    limit = now - settings.retention_events
    with database.reading() as session:
        oldest = session.execute(select(Event.sequence, Event.recorded_at).order_by(Event.sequence).limit(CHUNK))
        old = [row.sequence for row in takewhile(lambda row: row.recorded_at < limit, oldest)]
    if not old:
        return 0
    last = old[-1]
    with database.writing() as session:
        stopped = _stop_those_behind(session, last)
        gone = update(Parked).where(Parked.sequence > 0, Parked.sequence <= last, Parked.state != "dead")
        session.execute(gone.values(state="dead", next_at=None, last_error=TOO_OLD))
        session.execute(delete(Event).where(Event.sequence <= last))
        events.advance(session, DROPPED, last - dropped(session))
        events.append(session, stopped, connection_id=None, change_set=uuid4(), now=now)
    return len(old)


def _stop_those_behind(session: Session, last: int) -> list[Draft]:
    """Returns what is to be told of it."""
    behind = select(Endpoint).where(Endpoint.position < last, Endpoint.state != "disabled").order_by(Endpoint.id).with_for_update()
    told = []
    for endpoint in session.scalars(behind).all():
        reason = BEHIND.format(count=last - endpoint.position)
        endpoint.state, endpoint.disabled_reason, endpoint.revision = "disabled", reason, endpoint.revision + 1
        after = {"state": "disabled", "reason": reason}
        told.append(Draft(EventType.ENDPOINT_DISABLED, "endpoint", endpoint.id, {"changed": sorted(after), "before": {}, "after": after}))
    session.flush()
    return told


def _drop_attempts(database: Database, settings: Settings, now: datetime) -> int:
    with database.writing() as session:
        old = session.scalars(select(Attempt.id).where(Attempt.at < now - settings.retention_attempts).order_by(Attempt.at).limit(CHUNK))
        last = max(old, default=None)
        if last is None:
            return 0
        due = select(func.count()).where(Attempt.id <= last, Attempt.at < now - settings.retention_attempts)
        count = session.scalar(due) or 0
        session.execute(delete(Attempt).where(Attempt.id <= last, Attempt.at < now - settings.retention_attempts))
        return count


def _drop_rests(database: Database, settings: Settings, now: datetime) -> int:
    """One chunk of what nobody can do anything with any more: dead letters whose event has left the log for as long as attempts are kept, and
    replays that ended so long ago."""
    ended = now - settings.retention_attempts
    with database.writing() as session:
        dead = select(Parked.endpoint_id, Parked.sequence).where(Parked.state == "dead", Parked.parked_at < ended - settings.retention_events)
        letters = session.execute(dead.order_by(Parked.endpoint_id, Parked.sequence).limit(CHUNK)).all()
        replays = session.scalars(select(Replay.id).where(Replay.done_at < ended).order_by(Replay.id).limit(CHUNK)).all()
        if letters:
            session.execute(delete(Parked).where(tuple_(Parked.endpoint_id, Parked.sequence).in_([tuple(each) for each in letters])))
        if replays:
            session.execute(delete(Replay).where(Replay.id.in_(replays)))
        return len(letters) + len(replays)
