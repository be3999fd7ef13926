"""Forgets runs and passes (and ways to a tool that nobody came back from) that nobody needs any more: polls leave hundreds of them a day."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Delete, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from hub.models import Consent, SyncPass, SyncRun
from hub.sync.runs import FINAL, POLL, TOUCH
from hub.sync.store import OPEN

IDLE_KEPT = timedelta(days=1)
KEPT_RUNS = 200
"""The newest runs of a connection stay however old they are."""


def prune(session: Session, now: datetime, keep: timedelta) -> int:
    """Deletes runs that ended, and passes that were closed, longer than ``keep`` ago, those that found nothing new after a day; the newest stay.
    Returns how many rows went."""
    before, idle_before = now - keep, now - min(keep, IDLE_KEPT)
    idle = and_(SyncRun.kind.in_((TOUCH, POLL)), SyncRun.state == "complete", SyncRun.created + SyncRun.updated + SyncRun.deleted == 0)
    old = or_(SyncRun.ended_at < before, and_(idle, SyncRun.ended_at < idle_before))
    place = func.row_number().over(partition_by=SyncRun.connection_id, order_by=SyncRun.queued_at.desc()).label("place")
    ranked = select(SyncRun.id, place).where(SyncRun.state.in_(FINAL)).subquery()
    recent = select(ranked.c.id).where(ranked.c.place <= KEPT_RUNS)
    old_runs = delete(SyncRun).where(SyncRun.state.in_(FINAL), old, SyncRun.id.not_in(recent))
    old_pass = or_(SyncPass.started_at < before, and_(SyncPass.kind.in_((TOUCH, POLL)), SyncPass.started_at < idle_before))
    newest = select(func.max(SyncPass.number)).where(SyncPass.state == "complete").group_by(SyncPass.connection_id, SyncPass.kind)
    old_passes = delete(SyncPass).where(SyncPass.state != OPEN, old_pass, SyncPass.number.not_in(newest))
    spent = delete(Consent).where(Consent.expires_at < now)  # people who never came back
    return sum(_gone(session, each) for each in (old_runs, old_passes, spent))


def _gone(session: Session, statement: Delete) -> int:
    return int(session.execute(statement).rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it
