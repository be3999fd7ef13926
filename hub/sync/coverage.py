"""How completely each project's tasks are held, and what proves it. Bookkeeping: written at the end
of every pass, read by every answer's ``meta``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.base import LIVE, STRUCTURE
from connectors.records import Ref
from hub.events import Cause, Draft, EventType, Subject
from hub.models import Coverage, Missing, Project, SyncPass, SyncSlice, Task, TaskProject
from hub.sync import gone, incidents, runs, settle, store
from hub.sync.bulk import upsert
from hub.sync.diff import summed_up
from hub.sync.ids import Ids


def proved(session: Session, connection_id: UUID) -> set[UUID]:
    """Containers that have had a complete pass at least once."""
    return set(session.scalars(select(Coverage.container_id).where(Coverage.connection_id == connection_id, Coverage.proved_at.is_not(None))))


def record(session: Session, this: SyncPass, ids: Ids, now: datetime) -> list[Draft]:
    """Writes how completely each project is held; returns what is to be told of access lost and regained. A full pass speaks of every project and
    container, any other one only of the projects whose tasks it read whole or was refused: that a container was walked proves no task."""
    full = this.kind == runs.FULL
    complete, refused = _outcome(session, this.id, ids, from_phase=STRUCTURE if full else LIVE)
    unreadable = refused.keys() | settle.under(session, this.connection_id, refused.keys())
    proof = complete | settle.under(session, this.connection_id, complete) if full else complete
    only = None if full else proof | unreadable
    if only is not None and not only:
        return []
    everything = full and not _unfinished(session, this.id)
    held = _held(session, this.connection_id, only)
    absent = _absent(session, this.connection_id)
    before = {c.container_id: c for c in session.scalars(select(Coverage).where(Coverage.connection_id == this.connection_id))}
    rows = []
    projects = select(Project.id, Project.vendor_count).where(Project.connection_id == this.connection_id, Project.deleted_at.is_(None))
    for project in session.execute(projects):
        if only is not None and project.id not in only:
            continue
        why = refused.get(project.id)
        whole = project.id not in unreadable and (project.id in proof or everything)
        count = held.get(project.id, 0)
        earlier = before.get(project.id)
        agrees = whole and project.vendor_count is not None and project.vendor_count == count
        rows.append(
            {
                "container_id": project.id,
                "connection_id": this.connection_id,
                "read": count - absent.get(project.id, 0) if whole else earlier.read if earlier else None,
                "held": count,
                "vendor_count": project.vendor_count,
                "vendor_counts": "items" if project.vendor_count is not None else None,
                "proof": ("vendor_count" if agrees else "complete_pass")
                if whole
                else earlier.proof
                if earlier and earlier.proved_at and why is None and project.id not in refused
                else "none",
                "refused": why,
                "proved_at": now if whole else earlier.proved_at if earlier else None,
            }
        )
    known = {row["container_id"] for row in rows}
    drafts = [draft for row in rows if (draft := _access(row, before.get(row["container_id"]))) is not None]
    kinds = (EventType.CONTAINER_ACCESS_LOST, EventType.CONTAINER_ACCESS_REGAINED)
    told = [draft for kind in kinds for draft in summed_up([each for each in drafts if each.type is kind], this.connection_id)]
    if full:
        rows += [_plain(container, this, now) for container in complete - known]
    upsert(session, Coverage.__table__, rows)
    incidents.follow(session, this.connection_id, rows, now)
    return told


def _access(row: dict[str, Any], earlier: Coverage | None) -> Draft | None:
    """A project that was known and is refused now, or the other way round; one that was never readable is no loss."""
    if earlier is None or earlier.proved_at is None or (earlier.refused is None) == (row["refused"] is None):
        return None
    kind = EventType.CONTAINER_ACCESS_LOST if row["refused"] else EventType.CONTAINER_ACCESS_REGAINED
    words = {"changed": ["refused"], "before": {"refused": earlier.refused}, "after": {"refused": row["refused"]}}
    subject = Subject(project_ids=[str(row["container_id"])])
    return Draft(kind, "project", row["container_id"], words, subject=subject, cause=Cause.SCOPE)


def _plain(container: UUID, this: SyncPass, now: datetime) -> dict[str, Any]:
    empty = dict.fromkeys(("read", "vendor_count", "vendor_counts", "refused"))
    return empty | {"container_id": container, "connection_id": this.connection_id, "held": 0, "proof": "complete_pass", "proved_at": now}


def _outcome(session: Session, pass_id: UUID, ids: Ids, *, from_phase: int) -> tuple[set[UUID], dict[UUID, str | None]]:
    """What was read whole, and what was not: with the refusal that kept it from us, or None for a mere fault."""
    complete: set[UUID] = set()
    unread: set[UUID] = set()
    refused: dict[UUID, str | None] = {}
    pieces = select(SyncSlice.phase, SyncSlice.state, SyncSlice.covers, SyncSlice.refused).where(SyncSlice.pass_id == pass_id)
    for piece in session.execute(pieces):
        reasons: Mapping[Ref, Mapping[str, Any]] = piece.refused
        refused |= {ids(ref): str(why["error"]) if why["refusal"] else None for ref, why in reasons.items()}
        if piece.phase < from_phase:
            continue
        (complete if piece.state == store.DONE else unread).update(ids(ref) for ref in piece.covers if ref not in reasons)
    return complete - unread - refused.keys(), refused


def _unfinished(session: Session, pass_id: UUID) -> bool:
    return session.scalar(select(SyncSlice.key).where(SyncSlice.pass_id == pass_id, SyncSlice.state != store.DONE).limit(1)) is not None


def _held(session: Session, connection_id: UUID, only: Collection[UUID] | None) -> dict[UUID, int]:
    counted = (
        select(TaskProject.project_id, func.count())
        .join(Task, Task.id == TaskProject.task_id)
        .where(Task.connection_id == connection_id, Task.deleted_at.is_(None))
        .group_by(TaskProject.project_id)
    )
    if only is None:
        return dict(session.execute(counted).all())
    parts = gone.chunks(list(only))
    return {project: count for part in parts for project, count in session.execute(counted.where(TaskProject.project_id.in_(part)))}


def _absent(session: Session, connection_id: UUID) -> dict[UUID, int]:
    counted = (
        select(TaskProject.project_id, func.count())
        .join(Missing, Missing.entity_id == TaskProject.task_id)
        .where(Missing.connection_id == connection_id)
        .group_by(TaskProject.project_id)
    )
    return dict(session.execute(counted).all())
