"""An admin's word on what a status counts as. The tasks that carry the status follow in the same transaction; no tool is asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from connectors.records import StatusCategory
from hub import events
from hub.events import Draft, EventType
from hub.models import Status, StatusMapping
from hub.sync.status import unconfirmed
from hub.sync.write import recount


def say(session: Session, status_id: UUID, category: str | None, now: datetime, *, seen: Sequence[ColumnElement[bool]]) -> bool:
    """Sets it; null withdraws the admin's word: the tool's own, or a suggestion by name, holds again. False where there is no such status. ``seen``:
    the conditions under which a status is there for who says it.

    Position first, then the mapping, then the log: the order in which a sync's page takes the same locks.
    """
    status = session.scalars(select(Status).where(Status.id == status_id, *seen)).one_or_none()
    held = session.get(StatusMapping, status_id)
    if status is None or held is None:
        return False
    counts_as, source = (category, "admin") if category else _unsaid(status)
    if (held.category, held.source) == (counts_as, source):
        return True
    before = {"status_category": held.category, "source": held.source}
    position = events.advance(session, "position")
    held.category, held.source, held.version, held.changed_at = counts_as, source, held.version + 1, now
    session.flush()
    followed = recount(session, [status_id], counts_as, position)
    after = {"status_category": counts_as, "source": source}
    changed = [name for name in after if after[name] != before[name]]
    data = {"changed": changed, "before": before, "after": after, "tasks": followed}
    row = {"id": status_id, "name": status.name, "external_id": status.external_id, "project_id": status.project_id}
    draft = Draft(EventType.MAPPING_CHANGED, "status", status_id, data, subject=events.status_subject(row, counts_as, followed))
    events.append(session, [draft], connection_id=status.connection_id, change_set=uuid4(), now=now, cause="remap")
    return True


def _unsaid(status: Status) -> tuple[str, str]:
    """What it counts as, and why, where no admin has said anything."""
    category, source = unconfirmed(status.name, StatusCategory(status.category))
    return StatusCategory(category).value, source
