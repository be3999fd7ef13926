"""Humans, where several users of the tools are known to be one; what was joined and parted; who is known not to be the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base, JsonColumn


class Person(Base):
    """One human. ``Identity.person_id`` says who belongs to it; names and addresses stay with the identities. ``became_id``: another person that
    this one was joined to, never one that was joined to a third itself: an id that was handed out once finds its human for ever."""

    __tablename__ = "person"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    became_id: Mapped[UUID | None] = mapped_column(index=True)


class Merge(Base):
    """One act: ``kind`` merged or split. ``actor``: who, as ``user:ID``, null for the rule. ``evidence``: why, in words.

    ``former``: {identity: the person it was before, or null}; ``became``: {person: what it had become before, or null}; both of what the act
    changed, and enough to undo it."""

    __tablename__ = "person_merge"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str]
    person_id: Mapped[UUID] = mapped_column(index=True)
    actor: Mapped[str | None]
    evidence: Mapped[str | None]
    former: Mapped[dict[str, Any]] = mapped_column(JsonColumn)
    became: Mapped[dict[str, Any]] = mapped_column(JsonColumn)
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]


class Apart(Base):
    """Two identities of which a person said that they are not one human; ``one_id`` is the smaller id. No rule joins them and nothing suggests it."""

    __tablename__ = "person_apart"

    one_id: Mapped[UUID] = mapped_column(primary_key=True)
    other_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    at: Mapped[datetime]
    actor: Mapped[str | None]
