"""The bookkeeping of reading: runs, passes, slices and their cursors, what was seen, what is missing, and how complete each container is."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, false
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class SyncRun(Base):
    """One attempt to bring a connection up to date. state: queued, running, complete, partial, deferred, failed, cancelled.

    ``kind``: how much was asked for, and once it runs, how much it reads: touch (what a webhook named), poll (edits, creations), structure
    (containers, archives, moves, told deletions too), full (everything), history (none of that). ``anew``: a full reading that has begun is given
    up. ``accept_deletions``: an admin's word that so many tasks are really gone. Both are kept here because any process may execute the run."""

    __tablename__ = "sync_run"
    __table_args__ = (Index("ix_sync_run_connection_id_queued_at", "connection_id", "queued_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(index=True)
    pass_id: Mapped[UUID | None]
    reason: Mapped[str]
    full: Mapped[bool] = mapped_column(default=True)
    kind: Mapped[str] = mapped_column(default="full", server_default="full")
    baseline: Mapped[bool] = mapped_column(default=False)
    anew: Mapped[bool] = mapped_column(default=False, server_default=false())
    accept_deletions: Mapped[bool] = mapped_column(default=False, server_default=false())
    state: Mapped[str]
    queued_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    tasks: Mapped[int] = mapped_column(default=0)
    created: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    deleted: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    requests: Mapped[int] = mapped_column(default=0)
    errors: Mapped[list[Any]] = mapped_column(default=list)
    next_sync_at: Mapped[datetime | None]


class SyncPass(Base):
    """One reading; may take several runs. Complete once every slice is done; older than 24 h it is given up and begun anew. ``kind``:
    full (everything, numbered without a gap that matters: two in a row prove an absence), structure, poll or touch (what changed;
    one that is left open keeps only the slices that its pages had opened, and the next begins at the marks again). ``reading``: by which mapping,
    options and scope it was read; another one asks for a full reading."""

    __tablename__ = "sync_pass"
    __table_args__ = (Index("ix_sync_pass_connection_id_number", "connection_id", "number"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(index=True)
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(default="full", server_default="full")
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    state: Mapped[str]
    reading: Mapped[str | None]


class SyncSlice(Base):
    """A slice of a pass and its position. state: open, done, failed (read again by the next run), refused (a person must act).

    ``failures``: runs of this pass that it failed in; one that fails time and again must not hold up everything else. ``root``: named by the
    connector at the beginning, not opened by a page.
    """

    __tablename__ = "sync_slice"

    pass_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str]
    phase: Mapped[int]
    args: Mapped[dict[str, Any]]
    covers: Mapped[list[Any]]
    refused: Mapped[dict[str, Any]] = mapped_column(default=dict)
    cursor: Mapped[dict[str, Any] | None]
    state: Mapped[str]
    pages: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    root: Mapped[bool] = mapped_column(default=False, server_default=false())
    error: Mapped[str | None]


class Seen(Base):
    """The ids of one page: ``ids`` is their 16 bytes each, joined. One row per page and kind, so an
    unchanged page costs one insert and not a hundred."""

    __tablename__ = "seen"

    pass_id: Mapped[UUID] = mapped_column(primary_key=True)
    slice_key: Mapped[str] = mapped_column(primary_key=True)
    page: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    ids: Mapped[bytes] = mapped_column(LargeBinary)


class FamiliarPage(Base):
    """A page of tasks that may be known again in the next full pass. ``fingerprint``: of the answer and of how it was read. ``rows``: one digest of
    the digests that its rows got. ``cursor``: {"at": the slice's cursor behind it, or null}."""

    __tablename__ = "familiar_page"

    pass_id: Mapped[UUID] = mapped_column(primary_key=True)
    slice_key: Mapped[str] = mapped_column(primary_key=True)
    page: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    rows: Mapped[bytes] = mapped_column(LargeBinary)
    cursor: Mapped[dict[str, Any]]


class Mark(Base):
    """Where a feed of changes stands: {"at": the connector's own JSON}, kept in the transaction of the page that it comes with."""

    __tablename__ = "mark"

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
    moved_at: Mapped[datetime]


class Incident(Base):
    """Something wrong that an admin should know of until it is mended. kind: drift (a full reading found what no feed had told)."""

    __tablename__ = "incident"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(index=True)
    kind: Mapped[str]
    container_id: Mapped[UUID | None]
    detail: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class Missing(Base):
    """Rows that a complete pass did not show, and since which pass: candidates for a tombstone."""

    __tablename__ = "missing"

    entity_id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(index=True)
    kind: Mapped[str]
    since_pass: Mapped[int]


class Coverage(Base):
    """How completely a container's tasks are held, and what proves it. proof: complete_pass, vendor_count, none."""

    __tablename__ = "coverage"

    container_id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(index=True)
    read: Mapped[int | None]
    held: Mapped[int]
    vendor_count: Mapped[int | None]
    vendor_counts: Mapped[str | None]
    proof: Mapped[str]
    refused: Mapped[str | None]
    proved_at: Mapped[datetime | None]
