"""What a hub must hold of the world after a complete pass: the world read by the house rules, without any vendor's format in between.

``expected_tasks`` covers every task that the token can list: archived and completed ones too; deleted ones and what lies in hidden containers not.
Vendor ids stand where a hub has its own.

- ``project`` is the first project that the token sees, else that of the nearest ancestor. ``projects`` are the task's own memberships only (empty for
  a subtask that inherits, and for loose tasks).
- monday's subitems of a classic board belong to the parent's board and have no section. A multi-level parent has no status of its own, and a board
  without a status column says nothing (both ``unknown``).
- Dates: ``due_on`` is the day in the zone of the token's user (monday: UTC). A ClickUp instant at exactly 04:00 in that zone is a date without a
  time.
- Asana's free plan has no custom fields (so no priority), and finds a task in no project by its assignee only.
- ``archived`` is inherited: the task's own flag, its home project's, or any container's above.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from hub.sandbox.meaning import asana_category, monday_category
from hub.sandbox.sketch import instant
from hub.sandbox.world import FieldDef, Project, Section, Status, Task, Tool, World

Row = dict[str, Any]


def expected_tasks(world: World, tool: Tool, by_id: Collection[str] = ()) -> dict[str, Row]:
    """{external id: what a hub must say of the task}. Instants are ISO text with milliseconds and ``Z``. ``by_id``: tasks that the hub has met, which
    it can ask for by id: monday shows archived items in no other way."""
    return _Reading(world, tool, by_id).tasks()


def expected_projects(world: World, tool: Tool) -> dict[str, Row]:
    """{external id: name, container, archived (inherited), private, owner, dates, sections ...} of every project the token can list."""
    reading = _Reading(world, tool)
    return {project.id: reading.project_row(project) for project in reading.visible.values() if project.kind in ("project", "board")}


def fingerprint(rows: Mapping[str, Any] | Iterable[Any]) -> str:
    """SHA-256 over canonical JSON: key order does not matter, and 8.0 is 8."""
    plain = _plain(dict(rows) if isinstance(rows, Mapping) else list(rows))
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


def differences(expected: Mapping[str, Row], held: Mapping[str, Row], limit: int = 20) -> list[str]:
    """Readable lines on what is missing, too much or different, at most ``limit`` and one that counts the rest.
    Only the expected keys of a row are compared."""
    lines = [f"{key}: missing (expected {row.get('title') or row.get('name')!r})" for key, row in expected.items() if key not in held]
    lines += [f"{key}: held but not expected ({row.get('title') or row.get('name')!r})" for key, row in held.items() if key not in expected]
    for key in expected.keys() & held.keys():
        wanted, found = _plain(expected[key]), _plain(held[key])
        lines += [
            f"{key}.{name}: expected {value!r}, held {found.get(name)!r}"
            for name, value in wanted.items()
            if name not in found or found[name] != value
        ]
    lines.sort()
    return lines if len(lines) <= limit else [*lines[:limit], f"... and {len(lines) - limit} more"]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _Reading:
    """One tool's world with what is asked again and again worked out once."""

    def __init__(self, world: World, tool: Tool, by_id: Collection[str] = ()) -> None:
        self.world, self.tool, self.by_id = world, tool, by_id
        self.zone = ZoneInfo("UTC" if tool == "monday" else world.people[tool][world.me[tool]].timezone)
        self.free = tool == "asana" and world.plans[tool] == "free"
        self.visible = {key: project for key, project in world.projects[tool].items() if world.sees_project(project)}
        self.archived = {key: world.archived_above(project) for key, project in self.visible.items()}
        self.sections: dict[tuple[str, str], Section] = {
            (key, section.id): section for key, project in self.visible.items() for section in project.sections
        }
        self.statuses: dict[str, Status] = {status.id: status for project in self.visible.values() for status in project.statuses}
        self.options = {
            key: {option[0]: option[1] for option in definition.options} for key, definition in world.fields[tool].items() if definition.options
        }
        self.parents = {task.parent for task in world.tasks[tool].values() if task.parent and not task.deleted}
        self.seen: dict[str, bool] = {}

    def tasks(self) -> dict[str, Row]:
        return {task.id: self.row(task) for task in self.world.tasks[self.tool].values() if self.sees(task)}

    def sees(self, task: Task) -> bool:
        """Can the token list the task: through its home, or (Asana) through any project or a parent that it sees, or as a loose task."""
        if task.id not in self.seen:
            self.seen[task.id] = not task.deleted and self._reaches(task)
        return self.seen[task.id]

    def _reaches(self, task: Task) -> bool:
        if self.tool != "asana":
            # monday lists no archived item anywhere; ClickUp lists archived tasks.
            return task.homes[0][0] in self.visible and not (self.tool == "monday" and task.archived and task.id not in self.by_id)
        if any(project in self.visible for project, _ in task.homes):
            return True
        if task.parent is not None:
            return self.sees(self.world.tasks["asana"][task.parent])
        return not task.homes and (not self.free or bool(task.assignees))

    def homes(self, task: Task) -> list[tuple[Project, str | None]]:
        return [(self.visible[project], section) for project, section in task.homes if project in self.visible]

    def home(self, task: Task) -> Project | None:
        """The task's first visible project, else its nearest ancestor's."""
        current: Task | None = task
        while current is not None:
            own = self.homes(current)
            if own:
                return own[0][0]
            current = self.world.tasks[self.tool].get(current.parent) if current.parent else None
        return None

    def row(self, task: Task) -> Row:
        own = self.homes(task)
        home = self.home(task)
        status, category = self.status(task, own)
        start_on, start_at = self.moment(task.start)
        due_on, due_at = self.moment(task.due)
        companion = bool(own and own[0][0].parent_board)
        section = self.sections.get((own[0][0].id, own[0][1])) if own and own[0][1] and not companion else None
        return {
            "title": task.title,
            "kind": task.kind,
            "project": _shown(home) if home else None,
            "projects": sorted(_shown(project) for project, _ in own),
            "section": section.name if section else None,
            "parent": task.parent,
            "status": status,
            "status_category": category,
            "priority": (None if self.free else task.priority) or "none",
            "assignees": sorted([f"identity:{person}" for person in task.assignees] + [f"team:{team}" for team in task.teams]),
            "start_on": start_on,
            "start_at": start_at,
            "due_on": due_on,
            "due_at": due_at,
            "completed_at": None if self.battery(task, own) else _text(task.completed_at),
            "created_at": _text(task.created_at),
            "updated_at": _text(task.updated_at),
            "estimate_minutes": task.estimate_minutes,
            "logged_minutes": task.logged_minutes,
            "progress": task.progress,
            "tags": sorted(task.tags),
            "custom_fields": {} if self.free else {key: self.value(key, value) for key, value in task.values.items()},
            "depends_on": sorted([edge.task, edge.type, edge.lag_minutes] for edge in task.depends_on),
            "archived": task.archived or bool(home and self.archived[home.id]),
            "url": self.world.url_of(task),
            "description": task.description,
        }

    def battery(self, task: Task, own: list[tuple[Project, str | None]]) -> bool:
        """Is it a parent on a multi-level board, which shows its children's statuses in place of one of its own?"""
        return bool(own) and own[0][0].hierarchy == "multi_level" and task.id in self.parents

    def status(self, task: Task, own: list[tuple[Project, str | None]]) -> tuple[str | None, str]:
        if self.tool == "asana":
            section = self.sections[own[0][0].id, own[0][1]].name if own and own[0][1] else None
            return section, asana_category(section, task.completed)
        if self.battery(task, own):
            return None, "unknown"
        if task.status is not None:
            status = self.statuses[task.status]
            return status.name, status.category
        return None, monday_category(None, "label") if "status" in own[0][0].columns else "unknown"

    def moment(self, value: date | datetime | None) -> tuple[str | None, str | None]:
        """(calendar day as the user sees it, instant or None)."""
        if value is None:
            return None, None
        if not isinstance(value, datetime):
            return value.isoformat(), None
        local = value.astimezone(self.zone)
        date_only = self.tool == "clickup" and local.time() == time(4)
        return local.date().isoformat(), None if date_only else instant(value.astimezone(UTC))

    def value(self, key: str, value: Any) -> Any:
        definition: FieldDef = self.world.fields[self.tool][key]
        if definition.type == "enum":
            return self.options[key][value]
        if definition.type == "multi_enum":
            return sorted(self.options[key][option] for option in value)
        if definition.type == "person":
            return sorted(f"identity:{person}" for person in value)
        return sorted(f"task:{task}" for task in value) if definition.type == "relation" else value

    def project_row(self, project: Project) -> Row:
        return {
            "name": project.name,
            "container": project.node,
            "archived": self.archived[project.id],
            "private": project.private,
            "owner": project.owner,
            "start_on": project.start.isoformat() if project.start else None,
            "due_on": project.due.isoformat() if project.due else None,
            "completed_at": _text(project.completed_at),
            "description": project.description,
            "health": project.health,
            "sections": [section.name for section in sorted(project.sections, key=lambda section: section.position)],
            "fields": sorted(project.fields),
        }


def _shown(project: Project) -> str:
    return project.parent_board or project.id


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else instant(moment)
