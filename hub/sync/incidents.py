"""Drift: a project of which more or fewer tasks are held than the vendor counts. An incident opens when that is seen and
closes once it is mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.models import Incident

DRIFT = "drift"


def follow(session: Session, connection_id: UUID, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Opens and closes incidents by rows of coverage that were just proved."""
    judged = {row["container_id"]: _drift(row) for row in rows if row["proved_at"] == now}
    wanted = select(Incident).where(Incident.connection_id == connection_id, Incident.kind == DRIFT, Incident.closed_at.is_(None))
    standing = {incident.container_id: incident for incident in session.scalars(wanted)}
    for container, drift in judged.items():
        incident = standing.get(container)
        if incident is not None and drift is None:
            incident.closed_at = now
        elif incident is not None and drift is not None:
            incident.detail = drift
        elif drift is not None:
            session.add(Incident(id=uuid4(), connection_id=connection_id, kind=DRIFT, container_id=container, detail=drift, opened_at=now))


def _drift(row: Mapping[str, Any]) -> str | None:
    if row["vendor_count"] is None or row["vendor_count"] == row["read"]:
        return None
    return f"the tool counts {row['vendor_count']} {row['vendor_counts']}, {row['read']} could be read"


def standing(session: Session, connection_id: UUID | None = None) -> Sequence[Incident]:
    """What is not mended yet, the oldest first."""
    wanted = select(Incident).where(Incident.closed_at.is_(None)).order_by(Incident.opened_at)
    return session.scalars(wanted if connection_id is None else wanted.where(Incident.connection_id == connection_id)).all()
