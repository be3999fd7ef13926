"""Webhooks out: an endpoint is a position in the log, beside it what waits for a retry, and what became of each attempt."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base
from hub.models.events import BigKey


class Endpoint(Base):
    """Where events are sent. All up to ``position`` is delivered, filtered out or parked; what comes after it is in the log.

    state: active, paused (by a person), disabled (by the hub: 410, or a gap in what it could get; ``disabled_reason`` says which). ``types``: empty
    for all. ordering: entity, none. ``secret``, ``previous_secret`` and ``headers`` are sealed. ``failing_since``: the circuit is open, the next
    trial is at ``next_try_at``. ``catch_up_until``: up to this sequence it goes at the bounded pace. ``revision`` grows with every change by a
    person, so that whoever drains the endpoint begins anew; ``lease_*``: the one process that drains it now."""

    __tablename__ = "endpoint"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    url: Mapped[str]
    state: Mapped[str] = mapped_column(default="active")
    types: Mapped[list[Any]] = mapped_column(default=list)
    filter: Mapped[dict[str, Any]] = mapped_column(default=dict)
    thin: Mapped[bool] = mapped_column(default=False)
    ordering: Mapped[str] = mapped_column(default="entity")
    headers: Mapped[bytes | None] = mapped_column(LargeBinary)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_until: Mapped[datetime | None]
    owner_key_id: Mapped[UUID | None]
    position: Mapped[int] = mapped_column(BigInteger)
    catch_up_until: Mapped[int | None] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    paused_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    failing_since: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    delivered: Mapped[int] = mapped_column(BigInteger, default=0)
    attempted: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]


class Parked(Base):
    """An event that an endpoint did not take, set aside so that others go on. Of one entity the earliest is tried first.

    state: waiting (for its own retry at ``next_at``), behind (an earlier one of its entity), dead (given up: a dead letter; ``told`` once a later
    delivery of the entity has said so). ``held_until``: the receiver's own Retry-After, which nothing hastens. A negative ``sequence`` is a
    snapshot's, which is in no log: it is built anew from the entity at each attempt."""

    __tablename__ = "parked"
    __table_args__ = (Index("ix_parked_due", "endpoint_id", "state", "next_at"), Index("ix_parked_entity", "endpoint_id", "entity_id", "sequence"))

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[UUID]
    entity: Mapped[str]
    entity_id: Mapped[UUID]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    parked_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    held_until: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    told: Mapped[bool] = mapped_column(default=False)


class Attempt(Base):
    """One try to deliver one event. ``status``: the answer's, or none came; ``error``: why it counts as failed; ``answer``: its first 1 kB, redacted.
    kind: event, replay, test."""

    __tablename__ = "attempt"
    __table_args__ = (Index("ix_attempt_endpoint_id", "endpoint_id", "id"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"))
    event_id: Mapped[UUID]
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    type: Mapped[str]
    kind: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None]
    error: Mapped[str | None]
    duration_ms: Mapped[int]
    answer: Mapped[str | None]


class Replay(Base):
    """A second, passing position of an endpoint: what lies after ``position`` up to ``until`` and fits is sent again, at the bounded pace.

    ``snapshot``: not the log but the present state of everything; then ``cursor`` is the last entity sent. ``sent`` counts what was put on its way.
    """

    __tablename__ = "replay"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[int] = mapped_column(BigInteger)
    entity_id: Mapped[UUID | None]
    types: Mapped[list[Any]] = mapped_column(default=list)
    snapshot: Mapped[bool] = mapped_column(default=False)
    cursor: Mapped[str | None]
    sent: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
