"""Append-only: field changes, and the log of events that readers follow."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base, JsonColumn

BigKey = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only for a plain INTEGER key, which holds 64 bits anyway."""


class Change(Base):
    """One field of one entity changed. ``old`` and ``new`` hold ids, never names. precision: exact (the
    vendor told when), between (two of our reads)."""

    __tablename__ = "change"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    connection_id: Mapped[UUID]
    change_set: Mapped[UUID]
    entity: Mapped[str]
    entity_id: Mapped[UUID] = mapped_column(index=True)
    field: Mapped[str]
    old: Mapped[Any | None] = mapped_column(JsonColumn)
    new: Mapped[Any | None] = mapped_column(JsonColumn)
    occurred_at: Mapped[datetime | None]
    occurred_after: Mapped[datetime | None]
    recorded_at: Mapped[datetime]
    precision: Mapped[str]
    actor_id: Mapped[UUID | None]


class Event(Base):
    """One line of the log; ``sequence`` is commit order. cause: change, remap, scope, repair, write. ``connection_id`` null: of the hub itself.

    ``data``: changed, before, after, and what was known of the entity then (``events.Subject``): object, project_ids, external_id, url, was, version.
    """

    __tablename__ = "event"

    sequence: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    id: Mapped[UUID] = mapped_column(unique=True)
    type: Mapped[str]
    connection_id: Mapped[UUID | None]
    entity: Mapped[str]
    entity_id: Mapped[UUID] = mapped_column(index=True)
    change_set: Mapped[UUID]
    cause: Mapped[str]
    occurred_at: Mapped[datetime | None]
    occurred_after: Mapped[datetime | None]
    recorded_at: Mapped[datetime] = mapped_column(index=True)
    actor_id: Mapped[UUID | None]
    data: Mapped[dict[str, Any]]


class Counter(Base):
    """Named numbers that only grow, inside a transaction; the row's lock puts writers in commit order."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
