"""Vendors' webhooks: what is registered where, and what they have told."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base
from hub.models.events import BigKey


class Hook(Base):
    """One webhook at the vendor. state: opening (being registered until ``opened_until``; only then is a handshake's secret accepted), active,
    suspended (the vendor calls it no longer), lost (the vendor has it no longer, or would not make it).

    ``door``: SHA-256 of the unguessable last part of its address. The address itself is not kept: it is made when a hook is registered and told back
    by the vendor's list, so a stolen database opens no door. ``secret``: what its calls are signed with, sealed. ``shook_at``: when the open
    registration got its secret; a second, different one is refused. ``forged``: calls that were not the vendor's.
    """

    __tablename__ = "hook"
    __table_args__ = (UniqueConstraint("connection_id", "key"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    key: Mapped[str]
    args: Mapped[dict[str, Any]] = mapped_column(default=dict)
    external_id: Mapped[str | None]
    door: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str]
    opened_until: Mapped[datetime | None]
    shook_at: Mapped[datetime | None]
    active_since: Mapped[datetime | None]
    last_call_at: Mapped[datetime | None]
    last_checked_at: Mapped[datetime | None]
    forged: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    error: Mapped[str | None]


class Inbound(Base):
    """What one call touched, until a run has read it. ``delivery``: the vendor's own id of the call, by which a repeated one is known; kept for a
    while after ``done_at``. An id is never given twice: a run that marks a line as done must not mark the one that took its place."""

    __tablename__ = "inbound"
    __table_args__ = (UniqueConstraint("connection_id", "delivery"), Index(None, "connection_id", "done_at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    connection_id: Mapped[UUID]
    delivery: Mapped[str | None]
    touched: Mapped[list[Any]]
    received_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
