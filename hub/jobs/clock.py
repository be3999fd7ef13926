"""Says when, never what: every 15 seconds it looks into the connections table and rings for each sync that is due.

It keeps nothing, so every process may run one: a restart forgets nothing. A slot named after the due time rings once for all clocks
that share a ``Jobs``; clocks of processes that share none may ring twice, and the handler asks whether the sync is still due.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import or_, select

from hub.db import Database
from hub.jobs.base import Jobs
from hub.models import Connection, Inbound, SyncRun

TICK = timedelta(seconds=15)
TIDY_EVERY = timedelta(hours=1)
HOOKS_EVERY = timedelta(days=1)


@dataclass(slots=True)
class Clock:
    """``hooks``: whether webhooks are to be kept in order: the hub has an address to be called at."""

    database: Database
    jobs: Jobs
    now: Callable[[], datetime]
    hooks: bool = False
    _scheduler: Any = field(default=None)

    def start(self) -> None:
        """Rings at once and then every 15 seconds; every hour for tidying up."""
        self._scheduler = BackgroundScheduler(timezone=UTC)
        first = datetime.now(UTC)  # the scheduler's own clock, which is the machine's
        self._scheduler.add_job(self.ring, "interval", seconds=TICK.total_seconds(), next_run_time=first, coalesce=True, misfire_grace_time=None)
        tidy = partial(self.jobs.submit, "tidy", "all", {})
        self._scheduler.add_job(tidy, "interval", seconds=TIDY_EVERY.total_seconds(), coalesce=True, misfire_grace_time=None)
        self._scheduler.start()

    def stop(self) -> None:
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=True)
            self._scheduler = None

    def ring(self) -> None:
        """Submits ``sync`` for each active connection that is due or has a queued run, unless a run
        reads it now: that one will say what comes next."""
        now = self.now()
        free = or_(Connection.lease_until.is_(None), Connection.lease_until < now)
        due = or_(Connection.next_sync_at.is_(None), Connection.next_sync_at <= now)
        waiting = select(Connection.id, SyncRun.id).join(SyncRun, SyncRun.connection_id == Connection.id).where(SyncRun.state == "queued")
        with self.database.reading() as session:
            queued = dict(session.execute(waiting.where(Connection.state != "detached", free)).all())
            found = session.execute(select(Connection.id, Connection.next_sync_at).where(Connection.state == "active", free, due)).all()
        for connection_id, run_id in queued.items():
            self.jobs.submit("sync", str(connection_id), {"run_id": str(run_id)})
        for connection in found:
            if connection.id not in queued:
                slot = f"sync:{connection.id}@{connection.next_sync_at.isoformat()}" if connection.next_sync_at else None
                self.jobs.submit("sync", str(connection.id), {"connection_id": str(connection.id)}, slot=slot)
        self._ring_for_hooks(now)

    def _ring_for_hooks(self, now: datetime) -> None:
        """``touch`` where a webhook told something that no run has read (a doorbell that was lost), ``hooks`` once a day."""
        told = select(Inbound.id).where(Inbound.connection_id == Connection.id, Inbound.done_at.is_(None), Inbound.received_at < now - TICK)
        unchecked = or_(Connection.hooks_checked_at.is_(None), Connection.hooks_checked_at <= now - HOOKS_EVERY)
        with self.database.reading() as session:
            untouched = session.scalars(select(Connection.id).where(Connection.state == "active", told.exists())).all()
            due = session.scalars(select(Connection.id).where(Connection.state == "active", unchecked)).all() if self.hooks else []
        for connection_id in untouched:
            self.jobs.submit("touch", str(connection_id), {"connection_id": str(connection_id)})
        for connection_id in due:
            self.jobs.submit("hooks", str(connection_id), {"connection_id": str(connection_id)})
