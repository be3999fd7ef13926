"""Runs and leases: who may read a connection now, and what became of each attempt.

One run per connection at a time, whoever asks. The lease is in the connection's row and is renewed in every page's transaction, so a process that
died loses it by itself; the next run finds the dead one's row and says so.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from hub import events
from hub.events import Draft, EventType, Subject
from hub.models import Connection, Event, SyncPass, SyncRun, Task

TOUCH, POLL, STRUCTURE, FULL = KINDS = ("touch", "poll", "structure", "full")
"""How much a run reads: what webhooks named; edits and creations; containers, archives and moves too; everything. One that waits is widened to the
widest that was asked for: what webhooks named is looked into by every kind but the last, which reads it anyway."""

HISTORY = "history"
"""A run that reads no task: it brings change rows of the time before (``backfill.py``), and counts them as ``created``."""

LEASE = timedelta(seconds=90)
TOLD_AGAIN = timedelta(days=1)
FINAL = ("complete", "partial", "deferred", "failed", "cancelled")


class LeaseLost(Exception):
    """Another process took the connection over; this run must not write any more."""


@dataclass(slots=True)
class Outcome:
    """What a run says at its end. ``errors``: sentences for people."""

    state: str = "complete"
    errors: list[str] = field(default_factory=list)
    next_sync_at: datetime | None = None
    broken: bool = False
    faults: int = 0

    def worsen(self, state: str, error: str, *, fault: bool = True) -> None:
        """Keeps the worst state; complete < partial < deferred < failed. ``fault``: false for a
        refusal that only a person at the vendor can change."""
        self.faults += fault
        order = ("complete", "partial", "deferred", "failed")
        self.state = max(self.state, state, key=order.index)
        if error not in self.errors:
            self.errors.append(error)


def owner() -> str:
    """Who holds a lease: this process and this attempt."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


def _has_died(holder: str) -> bool:
    host, _, process = holder.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname() or not process.isdecimal() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)  # asks only whether there is such a process
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, under another user
        return False
    return False


def queue(
    session: Session, connection_id: UUID, reason: str, now: datetime, *, kind: str = FULL, anew: bool = False, accept_deletions: bool = False
) -> SyncRun:
    """A queued run; one that waits already is returned instead of a second one, and then reads what both were to read, and as both were to."""
    waiting = session.scalars(select(SyncRun).where(SyncRun.connection_id == connection_id, SyncRun.state == "queued")).first()
    if waiting:
        waiting.kind = max(waiting.kind, kind, key=KINDS.index)
        waiting.full = waiting.kind == FULL
        waiting.anew, waiting.accept_deletions = waiting.anew or anew, waiting.accept_deletions or accept_deletions
        return waiting
    made = SyncRun(id=uuid4(), connection_id=connection_id, reason=reason, kind=kind, full=kind == FULL, state="queued", queued_at=now, errors=[])
    made.anew, made.accept_deletions = anew, accept_deletions
    session.add(made)
    session.flush()
    return made


def is_due(session: Session, connection_id: UUID, now: datetime) -> bool:
    """Whether the schedule asks for a run now: nobody reads the connection, and nobody has read it since it became due."""
    free = or_(Connection.lease_until.is_(None), Connection.lease_until < now)
    due = or_(Connection.next_sync_at.is_(None), Connection.next_sync_at <= now)
    return session.scalar(select(Connection.id).where(Connection.id == connection_id, Connection.state == "active", free, due)) is not None


def is_deferred(session: Session, connection: Connection, now: datetime) -> bool:
    """Whether the vendor's limit put the connection's next run off and that time is not over."""
    if connection.next_sync_at is None or connection.next_sync_at <= now:
        return False
    ended = SyncRun.connection_id == connection.id, SyncRun.state.in_(FINAL), SyncRun.kind.in_(KINDS)
    return session.scalar(select(SyncRun.state).where(*ended).order_by(SyncRun.ended_at.desc()).limit(1)) == "deferred"


def take_lease(session: Session, connection_id: UUID, holder: str, now: datetime) -> bool:
    """True if the connection is ours to read until the lease ends. A dead process of this machine holds nothing, whatever its lease says."""
    former = session.scalar(select(Connection.lease_owner).where(Connection.id == connection_id))
    dead = former if former is not None and _has_died(former) else None
    free = or_(Connection.lease_until.is_(None), Connection.lease_until < now, Connection.lease_owner.in_((holder, dead)))
    taken = session.execute(update(Connection).where(Connection.id == connection_id, free).values(lease_owner=holder, lease_until=now + LEASE))
    return bool(taken.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


_connections: Any = Connection.__table__
_RENEW = (
    update(_connections)
    .where(_connections.c.id == bindparam("of_connection"), _connections.c.lease_owner == bindparam("of_holder"))
    .values(lease_until=bindparam("until"))
)


def renew_lease(session: Session, connection_id: UUID, holder: str, now: datetime) -> None:
    """Part of every page's transaction. Raises LeaseLost."""
    held = session.connection().execute(_RENEW, {"of_connection": connection_id, "of_holder": holder, "until": now + LEASE})
    if not held.rowcount:
        raise LeaseLost("another process reads this connection now")


def give_lease_back(session: Session, connection_id: UUID, holder: str) -> None:
    session.execute(
        update(Connection).where(Connection.id == connection_id, Connection.lease_owner == holder).values(lease_owner=None, lease_until=None)
    )


def start(session: Session, run: SyncRun, this: SyncPass, now: datetime, *, baseline: bool) -> None:
    """Marks a run as running, and older ones of the connection that were left running as failed: their process died."""
    stale = update(SyncRun).where(SyncRun.connection_id == run.connection_id, SyncRun.state == "running", SyncRun.id != run.id)
    session.execute(
        stale.values(state="failed", ended_at=now, errors=["interrupted: its process ended before the run did; the next run goes on from there"])
    )
    run.state, run.started_at, run.pass_id, run.baseline = "running", now, this.id, baseline
    run.kind, run.full = this.kind, this.kind == FULL


def give_up(session: Session, run_id: UUID, outcome: Outcome, now: datetime) -> None:
    """Closes a run that has lost its connection to another: its own row only, for the rest belongs to the other now."""
    lost = update(SyncRun).where(SyncRun.id == run_id, SyncRun.state == "running")
    session.execute(lost.values(state=outcome.state, ended_at=now, errors=outcome.errors))


def end(session: Session, run_id: UUID, outcome: Outcome, counts: dict[str, int], now: datetime, next_sync_at: datetime) -> None:
    """Closes a run and tells it; the connection learns its new state in the same transaction."""
    run = session.get_one(SyncRun, run_id)
    connection = session.get_one(Connection, run.connection_id)
    for name, value in counts.items():
        setattr(run, name, value)
    run.state, run.ended_at, run.errors = outcome.state, now, outcome.errors
    run.next_sync_at = outcome.next_sync_at or next_sync_at
    run.tasks = _held(session, run)
    drafts = _say(session, connection, run, outcome, now)
    if run.kind != TOUCH or outcome.broken or outcome.next_sync_at:  # a touch puts nothing off: polls come as they were due
        connection.next_sync_at = None if outcome.broken else run.next_sync_at
    connection.last_error = outcome.errors[0] if outcome.errors else None
    if outcome.broken:
        connection.state = "broken"
    if outcome.state in ("complete", "partial") and connection.state == "broken":
        connection.state = "active"
    if (this := _complete_pass(session, run)) is not None:  # a run that read little or nothing makes nothing fresher
        connection.last_synced_at = this.started_at  # what was read first is that old; what was read last is younger
        connection.history_from = connection.history_from or now
    events.append(session, drafts, connection_id=connection.id, change_set=run.id, now=now)


def _complete_pass(session: Session, run: SyncRun) -> SyncPass | None:
    """The run's pass if everything was read or refused: a refusal that only a person can change does not put off the beginning of history. What
    webhooks named is not everything."""
    this = session.get(SyncPass, run.pass_id) if run.pass_id else None
    return this if this is not None and this.state == "complete" and this.kind != TOUCH else None


def _held(session: Session, run: SyncRun) -> int:
    """Counted only where it may have changed: counting looks at every task."""
    if run.kind != FULL and not (run.created or run.updated or run.deleted):
        ended = SyncRun.connection_id == run.connection_id, SyncRun.id != run.id, SyncRun.ended_at.is_not(None), SyncRun.pass_id.is_not(None)
        last = session.scalar(select(SyncRun.tasks).where(*ended).order_by(SyncRun.ended_at.desc()).limit(1))
        if last is not None:
            return last
    return held_tasks(session, run.connection_id)


def held_tasks(session: Session, connection_id: UUID) -> int:
    return session.scalar(select(func.count()).select_from(Task).where(Task.connection_id == connection_id, Task.deleted_at.is_(None))) or 0


def _say(session: Session, connection: Connection, run: SyncRun, outcome: Outcome, now: datetime) -> list[Draft]:
    """The run's own events: a second unchanged sync says nothing."""
    drafts = []
    if outcome.broken and connection.state != "broken":
        drafts.append(_draft(EventType.CONNECTION_BROKEN, connection, {"errors": outcome.errors}))
    if connection.state == "broken" and not outcome.broken and outcome.state in ("complete", "partial"):
        drafts.append(_draft(EventType.CONNECTION_RECOVERED, connection, {}))
    if outcome.state == "failed" and _is_news(session, connection.id, now):
        drafts.append(_draft(EventType.SYNC_FAILED, connection, {"errors": outcome.errors}))
    changed = run.created + run.updated + run.deleted
    fine = outcome.state == "complete" or (outcome.state == "partial" and not outcome.faults)
    if fine and (changed or run.baseline):
        counts = {"created": run.created, "updated": run.updated, "deleted": run.deleted, "tasks": run.tasks}
        drafts.append(_draft(EventType.SYNC_COMPLETED, connection, {"baseline": run.baseline, **counts}))
    return drafts


def _is_news(session: Session, connection_id: UUID, now: datetime) -> bool:
    """Whether a failure is to be told: the first one since a run went well, then once a day, however often the run is tried again."""
    failed = Event.entity_id == connection_id, Event.type == EventType.SYNC_FAILED.value
    told = session.scalar(select(func.max(Event.recorded_at)).where(*failed))
    if told is None or now - told >= TOLD_AGAIN:
        return True
    went_well = (
        SyncRun.connection_id == connection_id,
        SyncRun.state.in_(("complete", "partial")),
        SyncRun.kind.in_(KINDS[1:]),
        SyncRun.ended_at >= told,
    )
    return session.scalar(select(SyncRun.id).where(*went_well).limit(1)) is not None


def _draft(kind: EventType, connection: Connection, after: dict[str, Any]) -> Draft:
    known = Subject(state={"id": str(connection.id), "name": connection.name, "tool": connection.tool})
    return Draft(kind, "connection", connection.id, {"changed": [], "before": {}, "after": after}, subject=known)
