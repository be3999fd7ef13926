"""What people, programs and roles were granted to see."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, literal_column, true
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base
from hub.models.portfolio import TaskProject


class Grant(Base):
    """Lets a subject see a target. Never deleted: who could see what, and when, stays answerable.

    subject_kind: user, key (``subject_id``), role (``subject_role``), members (of the vendor team ``subject_id``: everybody of ours whose e-mail
    address one of its active members has). target_kind: all (whatever is not private in its tool), tool (``target_name``), container, project, team
    (``target_id``: the team's own part of the tree), portfolio (the PMO's own). ``enabled`` false: a rule that an admin has not turned on."""

    __tablename__ = "grant"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID | None] = mapped_column(index=True)
    subject_role: Mapped[str | None]
    target_kind: Mapped[str]
    target_id: Mapped[UUID | None]
    target_name: Mapped[str | None]
    enabled: Mapped[bool] = mapped_column(default=True, server_default=true())
    created_at: Mapped[datetime]
    created_by: Mapped[str | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None]


SHARED = TaskProject.rank > literal_column("0")
"""Memberships beside a task's first one: only tasks that have one of these can be seen from a project that is not their home."""
Index("ix_task_project_shared", TaskProject.task_id, sqlite_where=SHARED, postgresql_where=SHARED)
