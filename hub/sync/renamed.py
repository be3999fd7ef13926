"""A status that got another name. The vendor touches no task for it, so no feed brings them: at a run's end those that it did not bring follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from hub.models import Task
from hub.sync import gone, relations
from hub.sync.diff import differences, task_events
from hub.sync.write import Batch


def follow(batch: Batch, renamed: Mapping[UUID, tuple[str, str]]) -> None:
    """Gives the tasks that carry these statuses by their former name the new one, and tells it; the caller finishes the batch. ``renamed``: by
    status, the name before and now."""
    table: Any = Task.__table__
    for status, (before, after) in renamed.items():
        carrying = (table.c.status_id == status, table.c.status == before, table.c.deleted_at.is_(None))
        for part in gone.chunks(list(batch.session.scalars(select(table.c.id).where(*carrying)))):
            moved = {"status": after, "position": batch.position()}
            beside = relations.held(batch.session, part)
            for row in batch.session.execute(select(table).where(table.c.id.in_(part))).mappings().all():
                old, new = dict(row), dict(row) | moved
                changed = differences(old, new)
                batch.tell("task", new, old, changed)
                batch.drafts += [] if old["access_lost_at"] else task_events(old, new, changed, beside.get(row["id"]))
            batch.session.execute(update(table).where(table.c.id.in_(part)).values(**moved))
            batch.tally.updated += len(part)
