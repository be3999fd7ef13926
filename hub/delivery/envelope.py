"""An event as the outside sees it: the same bytes for push and pull, whoever asks and whenever. Within ``schema`` 1 fields are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from hub.models import Connection, Event

SCHEMA = 1
LARGEST_BODY = 256_000
"""Bytes; a larger body goes without its data, and says so."""
TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Stored:
    """A line of the log, with what readers need of it. ``data``: as ``models.Event`` has it. ``tool``: null for events of the hub itself, and where
    the connection is gone with all that it brought."""

    sequence: int
    id: UUID
    type: str
    connection_id: UUID | None
    tool: str | None
    entity: str
    entity_id: UUID
    change_set: UUID
    cause: str
    occurred_at: datetime | None
    occurred_after: datetime | None
    recorded_at: datetime
    actor_id: UUID | None
    data: dict[str, Any]

    @property
    def state(self) -> dict[str, Any]:
        """The entity's unified state at the event; empty where there is none."""
        return self.data.get("object") or {}

    @property
    def was(self) -> dict[str, Any]:
        """What filters would have found before the event, where that differs."""
        return self.data.get("was") or {}

    @property
    def project_ids(self) -> Sequence[str]:
        found: Sequence[str] = self.data.get("project_ids", ())
        return found


_COLUMNS = (
    Event.sequence,
    Event.id,
    Event.type,
    Event.connection_id,
    Connection.tool,
    Event.entity,
    Event.entity_id,
    Event.change_set,
    Event.cause,
    Event.occurred_at,
    Event.occurred_after,
    Event.recorded_at,
    Event.actor_id,
    Event.data,
)


def _lines() -> Select[*tuple[Any, ...]]:
    return select(*_COLUMNS).outerjoin(Connection, Connection.id == Event.connection_id)


def read(session: Session, after: int, limit: int) -> list[Stored]:
    """The next lines of the log in its order, one statement; fewer than ``limit`` only at its end."""
    return [Stored(*row) for row in session.execute(_lines().where(Event.sequence > after).order_by(Event.sequence).limit(limit))]


def one(session: Session, event_id: UUID) -> Stored | None:
    found = session.execute(_lines().where(Event.id == event_id)).one_or_none()
    return Stored(*found) if found is not None else None


def body(stored: Stored, *, thin: bool, reason: str | None = None) -> bytes:
    """The message. ``reason``: a word on why the receiver gets it like this or now (``test``, ``snapshot``, what was given up before it); it is left
    out where there is nothing to say. Thin, or over ``LARGEST_BODY``: without ``data``, which ``/api/v1/events/{id}`` still has."""
    made = envelope(stored, thin=thin)
    if reason is not None:
        made["reason"] = reason
    dumped = orjson.dumps(made)
    if thin or len(dumped) <= LARGEST_BODY:
        return dumped
    del made["data"]
    made["thinned"] = TOO_LARGE
    return orjson.dumps(made)


def envelope(stored: Stored, *, thin: bool = False) -> dict[str, Any]:
    """The fields of a message, as JSON holds them. ``timestamp`` is when it happened as far as the tool says, else when the hub learnt of it."""
    recorded, happened, data = moment(stored.recorded_at), moment(stored.occurred_at), stored.data
    made: dict[str, Any] = {
        "id": str(stored.id),
        "type": stored.type,
        "schema": SCHEMA,
        "timestamp": happened or recorded,
        "occurred_at": happened,
        "occurred_after": moment(stored.occurred_after),
        "recorded_at": recorded,
        "sequence": stored.sequence,
        "entity_version": data.get("version", stored.sequence),
        "change_set": str(stored.change_set),
        "cause": stored.cause,
        "actor": {"id": str(stored.actor_id)} if stored.actor_id else None,
        "entity": {
            "kind": stored.entity,
            "id": str(stored.entity_id),
            "tool": stored.tool,
            "connection_id": str(stored.connection_id) if stored.connection_id else None,
            "external_id": data.get("external_id"),
            "url": data.get("url"),
            "project_ids": list(stored.project_ids),
        },
    }
    if not thin:
        made["data"] = {"changed": data["changed"], "before": data["before"], "after": data["after"], "object": stored.state}
    return made


def moment(at: datetime | None) -> str | None:
    """UTC with milliseconds, as everywhere in the API."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
