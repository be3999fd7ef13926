"""What the pretend world is made of: plain data with a vendor's external ids. ``world.py`` holds them
together and gives them out again under its own name."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

Tool = Literal["asana", "monday", "clickup"]
TOOLS: tuple[Tool, ...] = ("asana", "monday", "clickup")


@dataclass(slots=True)
class Person:
    """A user of one tool. The same human has one Person per tool, with the same ``human``."""

    tool: Tool
    id: str
    human: str
    name: str | None
    email: str | None
    timezone: str = "Europe/Berlin"
    active: bool = True
    guest: bool = False
    agent: bool = False


@dataclass(slots=True)
class Team:
    """A group of users that can be assigned as one (monday team, ClickUp user group)."""

    tool: Tool
    id: str
    name: str
    members: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Node:
    """A container above projects. kind: workspace, team, space, folder. ``hidden``: the token's user cannot see it (nor anything below)."""

    tool: Tool
    id: str
    kind: str
    name: str
    parent: str | None = None
    archived: bool = False
    private: bool = False
    hidden: bool = False
    deleted: bool = False


@dataclass(slots=True)
class Section:
    """Asana section, monday group. In monday ``id`` is unique in its board only."""

    id: str
    name: str
    position: int
    archived: bool = False


@dataclass(slots=True)
class Status:
    """One status of a project. ``type`` is the vendor's own: clickup open/custom/done/closed; monday done/label; asana has none (its sections serve).

    ``category``: what a hub must make of it for a task that is not completed by a tick-box (see DESIGN: vendor's
    type, then a suggestion by name, else unknown).
    """

    id: str
    name: str | None
    type: str
    color: str
    position: int
    category: str


@dataclass(slots=True)
class FieldDef:
    """A custom field. type: the unified word (text, number, money, date, range, enum, multi_enum, person, bool, url, relation, formula).

    ``vendor_type``: the vendor's own word for it (drop_down, labels, people ...). ``options``: [(option id, name, color)].
    """

    id: str
    name: str
    type: str
    vendor_type: str
    options: list[tuple[str, str, str]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Project:
    """Asana project, monday board, ClickUp list.

    monday: ``hierarchy`` classic or multi_level; ``companion`` is the id of the hidden board of its subitems (classic with subitems); ``columns``
    gives the id of the column that plays each role ({"status": "status", "due": "date4", ...}); ``kind``: board, document, custom_object, companion.
    A companion is a Project of its own (kind ``companion``, ``parent_board`` names its board): subitems have it as their only home, with its
    statuses and fields. ``fields`` are the columns that play no role. Role columns have a FieldDef too, ``World.fields["monday"]["BOARD/COLUMN"]``:
    its name is the column's title. Roles: status, priority, assignees, due, start, timeline, estimate, logged, progress, tags, dependency.
    """

    tool: Tool
    id: str
    name: str
    node: str | None
    description: str | None = None
    owner: str | None = None
    start: date | None = None
    due: date | None = None
    completed_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    archived: bool = False
    private: bool = False
    hidden: bool = False
    deleted: bool = False
    health: str | None = None
    health_text: str | None = None
    sections: list[Section] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    kind: str = "project"
    hierarchy: str = "classic"
    companion: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    parent_board: str | None = None


@dataclass(slots=True)
class Dependency:
    """The holder waits for ``task``. type FS/SS/FF/SF; lag in minutes. Only monday states type and lag."""

    task: str
    type: str = "FS"
    lag_minutes: int = 0


@dataclass(slots=True)
class Task:
    """kind: task, milestone, approval. ``homes``: [(project id, section id | None)], the vendor's first one first; empty: in no project of its own.

    ``status``: id of a Status of its project (monday, clickup; None: blank). ``completed``: Asana's tick-box. ``values``: {field id: value in the
    unified form}: text/url/formula str; number/money float; bool; date "YYYY-MM-DD" or "...Z"; range [from, to]; enum option id; multi_enum
    [option id]; person [user id]; relation [task id].
    """

    tool: Tool
    id: str
    title: str
    kind: str = "task"
    description: str | None = None
    parent: str | None = None
    homes: list[tuple[str, str | None]] = field(default_factory=list)
    status: str | None = None
    completed: bool = False
    priority: str | None = None
    start: date | datetime | None = None
    due: date | datetime | None = None
    completed_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    creator: str | None = None
    assignees: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    depends_on: list[Dependency] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    estimate_minutes: int | None = None
    logged_minutes: int | None = None
    progress: int | None = None
    archived: bool = False
    deleted: bool = False
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Entry:
    """One line of the journal: what was changed when, for activity logs, events and webhooks."""

    at: datetime
    tool: Tool
    action: str
    kind: str
    id: str
    actor: str | None
    field: str | None = None
    before: Any = None
    after: Any = None
