"""The contract: what every connector delivers, whatever the vendor.

A record is frozen and does no I/O. Its fields carry the names of the hub's columns, so that nobody writes a mapper between the two.

References are strings of the form ``kind:key`` (``task:1204``, ``status:77/3``), unique within one realm (one account at one vendor). The hub
turns them into ids with ``uuid5(realm, reference)``, so a page may refer to things that were not read yet, in any order. A key is composed
where the vendor's own is not unique (monday's ``board/column/label``).

Dates and instants are kept apart. ``*_on`` is the calendar date as the vendor's user sees it; ``*_at`` is the UTC instant and is null
where the vendor gave only a date. A date is never made into midnight.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TypeAlias

Ref: TypeAlias = str
CustomScalar: TypeAlias = str | float | int | bool | None


class StatusCategory(StrEnum):
    BACKLOG = "backlog"
    UNSTARTED = "unstarted"
    STARTED = "started"
    BLOCKED = "blocked"
    DONE = "done"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class TaskKind(StrEnum):
    TASK = "task"
    MILESTONE = "milestone"
    APPROVAL = "approval"


class Priority(StrEnum):
    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"
    NONE = "none"


class FieldType(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    DATE = "date"
    RANGE = "range"
    ENUM = "enum"
    MULTI_ENUM = "multi_enum"
    PERSON = "person"
    BOOL = "bool"
    URL = "url"
    RELATION = "relation"
    FORMULA = "formula"


class DependencyType(StrEnum):
    FINISH_TO_START = "FS"
    START_TO_START = "SS"
    FINISH_TO_FINISH = "FF"
    START_TO_FINISH = "SF"


class ContainerKind(StrEnum):
    WORKSPACE = "workspace"
    TEAM = "team"
    SPACE = "space"
    FOLDER = "folder"
    PORTFOLIO = "portfolio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One user of one vendor account. ``email`` is often missing: never match on it alone."""

    id: Ref
    external_id: str
    name: str | None
    email: str | None
    active: bool = True
    guest: bool = False
    agent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A group of users that can be assigned as one (monday team, ClickUp user group)."""

    id: Ref
    external_id: str
    name: str
    member_ids: tuple[Ref, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A node of the vendor's own tree above projects, kept as it is. ``archived`` is the node's own flag, never the inherited one."""

    id: Ref
    external_id: str
    kind: ContainerKind
    name: str
    parent_id: Ref | None = None
    archived: bool = False
    private: bool = False
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """An Asana project, a monday board, a ClickUp list. ``vendor_count`` is the vendor's own count of its items, where it gives one."""

    id: Ref
    external_id: str
    url: str | None
    name: str
    container_id: Ref | None
    description: str | None = None
    owner_id: Ref | None = None
    start_on: date | None = None
    due_on: date | None = None
    completed_at: datetime | None = None
    archived: bool = False
    private: bool = False
    health: str | None = None
    health_text: str | None = None
    vendor_count: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A column or heading inside a project (Asana section, monday group). ``position`` counts from 0 in the vendor's order."""

    id: Ref
    external_id: str
    project_id: Ref
    name: str
    position: int = 0
    archived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One of the vendor's statuses. ``name`` is the vendor's word (null: tasks without any status); ``category`` only what the vendor itself says.

    ``category`` is ``unknown`` where the vendor's type tells nothing, so that the hub may suggest by name or ask an admin. A status whose meaning
    depends on a tick-box beside it (Asana's section and ``completed``) is two statuses with two ids and the same name.
    """

    id: Ref
    external_id: str
    name: str | None
    type: str
    category: StatusCategory
    project_id: Ref | None = None
    color: str | None = None
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    id: str
    name: str
    color: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """The definition of a custom field."""

    id: Ref
    external_id: str
    name: str
    type: FieldType
    project_id: Ref | None = None
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomValue:
    """A custom field's value on one task; unset fields are left out.

    text, url, formula: string. number, money: number. bool: boolean. date: ISO date, or ISO instant with milliseconds, ending in Z. range: [from,
    to] as ISO dates (either may be null). enum: the option's name. multi_enum: list of names. person, relation: list of references.
    """

    field_id: Ref
    type: FieldType
    value: CustomScalar | tuple[CustomScalar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """``status``, ``status_id``: the task's status as this project shows it, where it differs from
    project to project (Asana's sections); else null."""

    project_id: Ref
    section_id: Ref | None = None
    status: str | None = None
    status_id: Ref | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """The task that holds this waits for ``predecessor_id``. ``assumed``: the vendor does not say the type, so FS was taken."""

    predecessor_id: Ref
    type: DependencyType = DependencyType.FINISH_TO_START
    lag_minutes: int = 0
    assumed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task, milestone or approval at any depth.

    ``memberships``: the projects it is in, the vendor's first one first; empty for a subtask that is in no project itself (the hub lets it inherit).
    ``child_count``: how many direct subtasks the vendor says it has, where it says so; the hub then proves that it holds them.
    ``archived``: the task's own flag; what its project or folder inherits to it is worked out by the hub.
    ``estimate_minutes``, ``logged_minutes``: whole minutes. ``progress``: 0 to 100.
    """

    id: Ref
    external_id: str
    url: str | None
    title: str
    kind: TaskKind = TaskKind.TASK
    description: str | None = None
    parent_id: Ref | None = None
    memberships: tuple[Membership, ...] = ()
    status: str | None = None
    status_id: Ref | None = None
    priority: Priority = Priority.NONE
    start_on: date | None = None
    start_at: datetime | None = None
    due_on: date | None = None
    due_at: datetime | None = None
    completed_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    creator_id: Ref | None = None
    assignee_ids: tuple[Ref, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    tags: tuple[str, ...] = ()
    estimate_minutes: int | None = None
    logged_minutes: int | None = None
    progress: int | None = None
    archived: bool = False
    child_count: int | None = None
    custom_fields: tuple[CustomValue, ...] = ()


Record: TypeAlias = Identity | Team | Container | Project | Section | Status | Field | Task

KINDS: dict[str, type[Record]] = {
    "identity": Identity,
    "team": Team,
    "container": Container,
    "project": Project,
    "section": Section,
    "status": Status,
    "field": Field,
    "task": Task,
}
"""The word before the colon of a reference, and the record that it names."""

DESCRIPTION_LIMIT = 32_000
"""Characters of a plain-text description that are kept."""
