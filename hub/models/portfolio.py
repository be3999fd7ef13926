"""What the tools hold, unified: one table per record of ``connectors.records``, same names.

No foreign keys between these rows: pages arrive in any order and may refer to what was not read yet; ``hub doctor`` counts dangling references.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, LargeBinary, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class Synced:
    """What every synced row has. ``digest``: of the raw body, the mapping context and the mapping version.
    ``deleted_how`` is the evidence of a tombstone, or that a single task was hidden because the tool refuses it by id."""

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(index=True)
    external_id: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    first_seen_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    deleted_how: Mapped[str | None]


class Identity(Synced, Base):
    """One vendor user. ``person_id``: the human behind it, once several identities are known to be one; else null."""

    __tablename__ = "identity"

    name: Mapped[str | None]
    email: Mapped[str | None] = mapped_column(index=True)
    active: Mapped[bool]
    guest: Mapped[bool]
    agent: Mapped[bool]
    person_id: Mapped[UUID | None] = mapped_column(index=True)


class Team(Synced, Base):
    """``member_ids``: identity ids."""

    __tablename__ = "team"

    name: Mapped[str]
    member_ids: Mapped[list[Any]]


class Container(Synced, Base):
    """A node of the vendor's tree above projects."""

    __tablename__ = "container"

    kind: Mapped[str]
    name: Mapped[str]
    parent_id: Mapped[UUID | None]
    archived: Mapped[bool]
    private: Mapped[bool]
    url: Mapped[str | None]


class Project(Synced, Base):
    """``archived`` is the vendor's own flag; ``archived_effective`` includes what its containers inherit to it."""

    __tablename__ = "project"

    url: Mapped[str | None]
    name: Mapped[str]
    container_id: Mapped[UUID | None] = mapped_column(index=True)
    description: Mapped[str | None]
    owner_id: Mapped[UUID | None]
    start_on: Mapped[date | None]
    due_on: Mapped[date | None]
    completed_at: Mapped[datetime | None]
    archived: Mapped[bool]
    archived_effective: Mapped[bool] = mapped_column(default=False)
    private: Mapped[bool]
    health: Mapped[str | None]
    health_text: Mapped[str | None]
    vendor_count: Mapped[int | None]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    triage: Mapped[str] = mapped_column(default="unsorted")


class Section(Synced, Base):
    __tablename__ = "section"

    project_id: Mapped[UUID] = mapped_column(index=True)
    name: Mapped[str]
    position: Mapped[int]
    archived: Mapped[bool]


class Status(Synced, Base):
    """``category`` is what the vendor says; what the hub counts it as is in StatusMapping."""

    __tablename__ = "status"

    name: Mapped[str | None]
    type: Mapped[str]
    category: Mapped[str]
    project_id: Mapped[UUID | None]
    color: Mapped[str | None]
    position: Mapped[int]


class StatusMapping(Base):
    """What the hub counts a status as. source: admin, vendor, suggested (by name, unconfirmed). ``version`` grows with each change."""

    __tablename__ = "status_mapping"

    status_id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(index=True)
    category: Mapped[str]
    source: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    changed_at: Mapped[datetime]


class Field(Synced, Base):
    """A custom field's definition; ``options``: [{id, name, color}]."""

    __tablename__ = "field"

    name: Mapped[str]
    type: Mapped[str]
    project_id: Mapped[UUID | None]
    options: Mapped[list[Any]]


class Task(Synced, Base):
    """``project_id``, ``section_id``: its home; ``home_inherited``: taken from the nearest ancestor. ``position``: the
    hub's own, grows with every write of the row.

    ``custom_fields``: {field id: value}. ``status_category`` follows StatusMapping. ``access_lost_at``: the vendor refuses it
    now; kept, hidden, never deleted. ``archived`` is the vendor's own flag; ``archived_effective`` also counts its project,
    that project's containers and its parent tasks.
    """

    __tablename__ = "task"

    url: Mapped[str | None]
    title: Mapped[str]
    kind: Mapped[str]
    description: Mapped[str | None]
    parent_id: Mapped[UUID | None] = mapped_column(index=True)
    project_id: Mapped[UUID | None] = mapped_column(index=True)
    section_id: Mapped[UUID | None]
    home_inherited: Mapped[bool]
    status: Mapped[str | None]
    status_id: Mapped[UUID | None] = mapped_column(index=True)
    status_category: Mapped[str]
    priority: Mapped[str]
    start_on: Mapped[date | None]
    start_at: Mapped[datetime | None]
    due_on: Mapped[date | None] = mapped_column(index=True)
    due_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    creator_id: Mapped[UUID | None]
    estimate_minutes: Mapped[int | None]
    logged_minutes: Mapped[int | None]
    progress: Mapped[int | None] = mapped_column(SmallInteger)
    tags: Mapped[list[Any]]
    archived: Mapped[bool]
    archived_effective: Mapped[bool]
    child_count: Mapped[int | None]
    custom_fields: Mapped[dict[str, Any]]
    access_lost_at: Mapped[datetime | None]
    position: Mapped[int] = mapped_column(BigInteger, index=True)


class TaskProject(Base):
    """A task's membership of a project, with its section there; ``rank`` is the vendor's order, 0 first."""

    __tablename__ = "task_project"

    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    section_id: Mapped[UUID | None]
    rank: Mapped[int] = mapped_column(SmallInteger)


class Assignment(Base):
    """``assignee_id`` is an identity or a team, as ``kind`` says."""

    __tablename__ = "assignment"

    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    assignee_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    kind: Mapped[str]
    rank: Mapped[int] = mapped_column(SmallInteger)


class Dependency(Base):
    """The successor waits for the predecessor. ``assumed``: the vendor does not say the type. origin: vendor, or hub (written by hand here, for no
    tool knows another tool's tasks; the sync leaves it alone). Of those: ``author_id`` is the user or key of the hub."""

    __tablename__ = "dependency"

    successor_id: Mapped[UUID] = mapped_column(primary_key=True)
    predecessor_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    type: Mapped[str]
    lag_minutes: Mapped[int]
    assumed: Mapped[bool]
    origin: Mapped[str] = mapped_column(default="vendor")
    author_id: Mapped[UUID | None]
    note: Mapped[str | None]
    created_at: Mapped[datetime | None]


class Raw(Base):
    """The vendor's body of a task (and of a project, where tasks need it to be understood),
    compressed, for mapping again without asking the vendor."""

    __tablename__ = "raw"

    entity_id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(index=True)
    ref: Mapped[str]
    owner_id: Mapped[UUID | None]
    body: Mapped[bytes] = mapped_column(LargeBinary)
