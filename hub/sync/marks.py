"""Where the feeds of a connection stand, and what else of earlier readings a connector is told before it reads.

A feed's own pages move its mark, at the end of their run. Any other page only adds marks that are lacking: the older mark of a feed that goes on
covers more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from anyio.to_thread import run_sync
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from connectors.base import Json, Known, Slice
from connectors.records import Ref
from hub.db import Database
from hub.models import Coverage, Mark, Project, Raw
from hub.sync import bodies
from hub.sync.bulk import upsert
from hub.sync.ids import Ids

Recall = Callable[[Sequence[Ref]], Awaitable[Mapping[Ref, Mapping[str, Json]]]]
Recognise = Callable[[Slice, bytes], Mapping[str, Json] | None]
CHUNK = 500


def known(session: Session, connection_id: UUID, recall: Recall | None = None, recognise: Recognise | None = None) -> Known:
    """Marks and projects of a connection. A project counts once its tasks were read whole, and no longer while the vendor refuses it."""
    marks = {mark.key: mark.value["at"] for mark in session.scalars(select(Mark).where(Mark.connection_id == connection_id))}
    read = (
        select(Project.external_id, Project.archived_effective)
        .join(Coverage, Coverage.container_id == Project.id)
        .where(Project.connection_id == connection_id, Project.deleted_at.is_(None), Coverage.proved_at.is_not(None), Coverage.refused.is_(None))
    )
    projects = {f"project:{external_id}": archived for external_id, archived in session.execute(read)}
    given = {"recall": recall, "recognise": recognise}
    return Known(marks, projects, **{name: each for name, each in given.items() if each is not None})  # type: ignore[arg-type]  # each its own


def recalling(database: Database, ids: Ids) -> Recall:
    """Reads stored bodies, away from the event loop."""

    def read(refs: Sequence[Ref]) -> dict[Ref, Mapping[str, Json]]:
        found: dict[Ref, Mapping[str, Json]] = {}
        with database.reading() as session:
            for start in range(0, len(refs), CHUNK):
                part = {ids(ref): ref for ref in refs[start : start + CHUNK]}
                for row in session.execute(select(Raw.entity_id, Raw.body).where(Raw.entity_id.in_(list(part)))):
                    found[part[row.entity_id]] = bodies.unpack(row.body)
        return found

    async def recall(refs: Sequence[Ref]) -> Mapping[Ref, Mapping[str, Json]]:
        return await run_sync(read, refs)

    return recall


@dataclass(slots=True)
class Moves:
    """What the pages of a run do to marks, to be written with its end. ``begun``: marks of feeds that begin, which ``moved`` ones do not overrule."""

    moved: dict[str, Json | None] = field(default_factory=dict)
    begun: dict[str, Json | None] = field(default_factory=dict)


def write(session: Session, connection_id: UUID, moves: Moves, now: datetime) -> None:
    move(session, connection_id, moves.moved, now)
    add(session, connection_id, moves.begun, now)


def add(session: Session, connection_id: UUID, marks: Mapping[str, Json | None], now: datetime) -> None:
    """Keeps the marks of feeds that have none yet."""
    if not marks:
        return
    held = set(session.scalars(select(Mark.key).where(Mark.connection_id == connection_id, Mark.key.in_(list(marks)))))
    move(session, connection_id, {key: at for key, at in marks.items() if key not in held and at is not None}, now)


def move(session: Session, connection_id: UUID, marks: Mapping[str, Json | None], now: datetime) -> None:
    """Sets marks; null ends a feed."""
    rows: list[dict[str, Any]] = [
        {"connection_id": connection_id, "key": key, "value": {"at": at}, "moved_at": now} for key, at in marks.items() if at is not None
    ]
    upsert(session, Mark.__table__, rows)
    if ended := [key for key, at in marks.items() if at is None]:
        session.execute(delete(Mark).where(Mark.connection_id == connection_id, Mark.key.in_(ended)))
