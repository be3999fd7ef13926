"""Forgets runs and passes that nobody needs any more: polls leave hundreds of them a day."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from hub.models import SyncPass, SyncRun
from hub.sync.runs import FINAL
from hub.sync.store import OPEN

KEPT_RUNS = 200
"""The newest runs of a connection stay however old they are."""


def prune(session: Session, now: datetime, keep: timedelta) -> int:
    """Deletes runs that ended, and passes that were closed, longer than ``keep`` ago; the newest stay. Returns how many rows went."""
    before = now - keep
    place = func.row_number().over(partition_by=SyncRun.connection_id, order_by=SyncRun.queued_at.desc()).label("place")
    ranked = select(SyncRun.id, place).where(SyncRun.state.in_(FINAL)).subquery()
    recent = select(ranked.c.id).where(ranked.c.place <= KEPT_RUNS)
    old_runs = delete(SyncRun).where(SyncRun.state.in_(FINAL), SyncRun.ended_at < before, SyncRun.id.not_in(recent))
    newest = select(func.max(SyncPass.number)).where(SyncPass.state == "complete").group_by(SyncPass.connection_id, SyncPass.kind)
    old_passes = delete(SyncPass).where(SyncPass.state != OPEN, SyncPass.started_at < before, SyncPass.number.not_in(newest))
    return sum(int(session.execute(each).rowcount) for each in (old_runs, old_passes))  # type: ignore[attr-defined]  # a DELETE's result has it
