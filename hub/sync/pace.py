"""How often a connection is read, and how much of it: by the credential's real budget, by what its readings cost, and by how much happens there.

Polls are the cheapest and come most often: again at once after a change (``sync_interval``), then ever more slowly while nothing happens, up to
``SLOWEST`` times that. Walks through the containers and full readings come at their own intervals, stretched where they alone would take too much
of what may be used. All together stay within ``budget_share`` of the calls that the plan allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.models import Connection, Mark, SyncPass, SyncRun
from hub.settings import Settings
from hub.sync import store
from hub.sync.runs import FULL, KINDS, POLL, STRUCTURE, TOUCH

SLOWEST = 8
"""A poll of a quiet connection comes at most so many times later."""
QUIET_PART = 0.1
"""After an hour without a change, six minutes more or less do not matter."""
FOR_POLLS = 0.2
"""The part of what may be used that walks and full readings must leave to the polls."""
RUNS_LOOKED_AT = 5
DAY = timedelta(days=1)


def kind_of(session: Session, connection: Connection, asked: str, reading: str, now: datetime, settings: Settings) -> str:
    """What a run reads: at least what it was asked for, and what is due besides. Nothing can be caught up with before one full reading by the present
    ``reading`` (mapping, options, scope)."""
    if asked == FULL or _never_full(session, connection.id, reading):
        return FULL
    if asked == TOUCH:
        return TOUCH
    if store.open_full(session, connection.id) is not None:
        return FULL  # it is gone on with first
    stretch = plan(session, connection, settings).stretch
    if _due(session, connection.id, (FULL,), settings.sweep_interval * stretch, now):
        return FULL
    if asked == STRUCTURE or _due(session, connection.id, (FULL, STRUCTURE), settings.structure_interval * stretch, now):
        return STRUCTURE
    return asked


def _never_full(session: Session, connection_id: UUID, reading: str) -> bool:
    marked = session.scalar(select(Mark.key).where(Mark.connection_id == connection_id).limit(1)) is not None
    last = store.last_complete(session, connection_id)
    return not marked or last is None or last.reading != reading


def _due(session: Session, connection_id: UUID, kinds: tuple[str, ...], every: timedelta, now: datetime) -> bool:
    last = store.last_complete(session, connection_id, kinds)
    return last is None or last.started_at + every <= now


@dataclass(frozen=True, slots=True)
class Plan:
    """What reading a connection costs. ``costs``: requests of one run, by kind; null where none has been seen yet. ``allowed``: calls a day that may
    be used, null where the plan's limits are not known. ``stretch``: by how much walks and full readings come later than set. ``least``: the time
    between polls that the budget asks for; ``shortest``: the hub's own interval, where that is longer."""

    costs: dict[str, float | None]
    allowed: float | None
    stretch: float
    least: timedelta
    shortest: timedelta

    def calls_a_day(self, pause: timedelta, settings: Settings) -> int:
        """What polls at this pause, walks and full readings come to."""
        polls = (self.costs[POLL] or 0) * (DAY / pause)
        return round(polls + _fixed(self.costs, settings) / self.stretch)


def plan(session: Session, connection: Connection, settings: Settings) -> Plan:
    """The plan of a connection as things are now."""
    costs = {kind: _cost(session, connection.id, kind) for kind in (POLL, STRUCTURE, FULL)}
    allowed = _allowed(connection.checked, settings.budget_share)
    stretch, least = 1.0, timedelta(0)
    if allowed is not None and allowed > 0:
        fixed = _fixed(costs, settings)
        stretch = max(1.0, fixed / (allowed * (1 - FOR_POLLS)))
        left = allowed - fixed / stretch
        least = DAY * ((costs[POLL] or 0) / left)
    return Plan(costs, allowed, stretch, least, max(least, settings.sync_interval))


def pause(session: Session, connection: Connection, now: datetime, settings: Settings, *, changed: bool = False) -> timedelta:
    """Until the next poll: the connection's own interval, where an admin set one, unless that would take more than may be used. ``changed``:
    something was found just now."""
    found = plan(session, connection, settings)
    if connection.interval_seconds:
        return max(timedelta(seconds=connection.interval_seconds), found.least)
    shortest = found.shortest
    if changed:
        return shortest
    fruitful = SyncRun.kind.in_(KINDS), SyncRun.created + SyncRun.updated + SyncRun.deleted > 0
    last = session.scalar(select(func.max(SyncRun.ended_at)).where(SyncRun.connection_id == connection.id, *fruitful))
    quiet = (now - last) * QUIET_PART if last is not None else shortest
    return min(max(shortest, quiet), max(shortest, settings.sync_interval * SLOWEST))


def has_room(session: Session, connection: Connection, now: datetime, settings: Settings) -> bool:
    """Whether what was asked of the vendor within a day leaves room for a run that nobody planned: what webhooks name is read at once only then,
    else by the next poll that is due."""
    room = left(session, connection, now, settings)
    return room is None or room > 0


def left(session: Session, connection: Connection, now: datetime, settings: Settings) -> int | None:
    """Calls that may still be used, after those of the last day; null where the plan's limits are not known."""
    allowed = _allowed(connection.checked, settings.budget_share)
    if allowed is None:
        return None
    today = SyncRun.connection_id == connection.id, SyncRun.queued_at > now - DAY
    return max(0, int(allowed) - (session.scalar(select(func.sum(SyncRun.requests)).where(*today)) or 0))


def _cost(session: Session, connection_id: UUID, kind: str) -> float | None:
    mine = (SyncRun.connection_id == connection_id, SyncRun.kind == kind, SyncRun.state == "complete")
    recent = session.scalars(select(SyncRun.requests).where(*mine).order_by(SyncRun.queued_at.desc()).limit(RUNS_LOOKED_AT)).all()
    return sum(recent) / len(recent) if recent else None


def _fixed(costs: dict[str, float | None], settings: Settings) -> float:
    walks = (costs[STRUCTURE] or 0) * (DAY / settings.structure_interval)
    return walks + (costs[FULL] or 0) * (DAY / settings.sweep_interval)


def _allowed(checked: dict[str, Any] | None, share: float) -> float | None:
    """Calls a day, from what the last check found: the day's own limit, or the minute's all day long."""
    limits = (checked or {}).get("limits") or {}
    a_minute, a_day = limits.get("calls a minute"), limits.get("calls a day")
    found = [float(value) for value in (a_day, a_minute * 24 * 60 if isinstance(a_minute, int) else None) if isinstance(value, int | float)]
    return share * min(found) if found else None


def told(session: Session, connection: Connection, now: datetime, settings: Settings) -> dict[str, Any]:
    """The pace of a connection for an admin: how often each kind of reading comes, what it costs in calls, when one last began (a wider one counts
    for the narrower), and what all of it comes to a day beside what may be used."""
    found, between = plan(session, connection, settings), pause(session, connection, now, settings)
    every = {POLL: between, STRUCTURE: settings.structure_interval * found.stretch, FULL: settings.sweep_interval * found.stretch}
    last = _last_passes(session, connection.id)
    kinds = {kind: {"every_seconds": round(every[kind].total_seconds()), "calls": found.costs[kind], "last_at": last[kind]} for kind in every}
    allowed = None if found.allowed is None else round(found.allowed)
    return {**kinds, "calls_a_day": found.calls_a_day(between, settings), "allowed_a_day": allowed}


def _last_passes(session: Session, connection_id: UUID) -> dict[str, datetime | None]:
    rows = select(SyncPass.kind, func.max(SyncPass.started_at)).where(SyncPass.connection_id == connection_id, SyncPass.state == "complete")
    found = dict(session.execute(rows.group_by(SyncPass.kind)).all())
    newest: datetime | None = None
    last: dict[str, datetime | None] = {}
    for kind in reversed(KINDS[1:]):
        newest = max((at for at in (newest, found.get(kind)) if at is not None), default=None)
        last[kind] = newest
    return last
