"""Which events a difference between two truths makes: worked out from the world's own rows, field by field, without the hub's code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.sandbox import truth
from hub.sandbox.world import Tool, World

Row = Mapping[str, Any]
SETTLED = ("done", "cancelled")
FIELDS = {
    "task.status_changed": ("status", "status_category"),
    "task.assigned": ("assignees",),
    "task.due_changed": ("due_on", "due_at"),
    "task.moved": ("projects", "section", "parent"),  # a subtask that only inherits its home goes along without a word: its ancestor's move is told
    "task.updated": (
        *("title", "kind", "priority", "start_on", "start_at", "estimate_minutes", "logged_minutes", "progress", "tags", "custom_fields"),
        *("description",),
    ),
}
PROJECT_FIELDS = ("name", "container", "private", "owner", "start_on", "due_on", "completed_at")
OTHERS = (
    *("task.created", "task.deleted", "task.completed", "task.reopened", "task.archived", "task.restored"),
    *("milestone.slipped", "milestone.reached", "dependency.created", "dependency.removed"),
    *("project.created", "project.updated", "project.archived", "project.restored", "project.deleted"),
)


def compared(kind: str) -> bool:
    """Whether this kind of event is among those that are compared."""
    return kind in FIELDS or kind in OTHERS


def tasks_of(world: World, tool: Tool, met: Any) -> dict[str, dict[str, Any]]:
    """What a hub must hold of the tasks; and whether each one is archived itself, not by what it lies in."""
    rows = truth.expected_tasks(world, tool, met)
    return {key: row | {"aside": world.tasks[tool][key].archived} for key, row in rows.items()}


def projects_of(world: World, tool: Tool) -> dict[str, dict[str, Any]]:
    rows = truth.expected_projects(world, tool)
    return {key: row | {"aside": world.projects[tool][key].archived} for key, row in rows.items()}


def expected_events(before: Mapping[str, Row], after: Mapping[str, Row], entity: str = "task") -> set[tuple[str, str]]:
    """{(type, task or project)} of everything that differs."""
    told = {(f"{entity}.created", key) for key in after.keys() - before.keys()} | {(f"{entity}.deleted", key) for key in before.keys() - after.keys()}
    kinds = _kinds if entity == "task" else _project_kinds
    for key in before.keys() & after.keys():
        told |= {(kind, key) for kind in kinds(before[key], after[key])}
    return told


def _project_kinds(old: Row, new: Row) -> Iterator[str]:
    if any(old.get(field) != new.get(field) for field in PROJECT_FIELDS):
        yield "project.updated"
    if old["aside"] != new["aside"]:
        yield "project.archived" if new["aside"] else "project.restored"


def _kinds(old: Row, new: Row) -> Iterator[str]:
    yield from (kind for kind, fields in FIELDS.items() if any(old.get(field) != new.get(field) for field in fields))
    was, now = old["status_category"], new["status_category"]
    if now == "done" and was != "done":
        yield "task.completed"
    elif was in SETTLED and now not in SETTLED:
        yield "task.reopened"
    elif old["completed_at"] != new["completed_at"]:
        yield "task.updated"
    if old["aside"] != new["aside"]:
        yield "task.archived" if new["aside"] else "task.restored"
    waited, waits = {str(edge) for edge in old["depends_on"]}, {str(edge) for edge in new["depends_on"]}
    if waits - waited:
        yield "dependency.created"
    if waited - waits:
        yield "dependency.removed"
    if new["kind"] == "milestone":
        yield from _milestone_kinds(old, new)


def _milestone_kinds(old: Row, new: Row) -> Iterator[str]:
    if new["status_category"] == "done" and old["status_category"] != "done":
        yield "milestone.reached"
    if old["due_on"] and new["due_on"] and new["due_on"] > old["due_on"]:
        yield "milestone.slipped"


HOME = ("project", "section", "status", "status_category", "archived")


def without_choice(rows: Mapping[str, Row], shared: set[str]) -> dict[str, Row]:
    """The rows without what depends on which of several projects is a task's home: the hub keeps the former one, and the world knows no former."""

    def chooses(key: str | None) -> bool:
        return key is not None and (key in shared or chooses((rows.get(key) or {}).get("parent")))

    return {key: {name: value for name, value in row.items() if not (name in HOME and chooses(key))} for key, row in rows.items()}


def shared_tasks(*several: Mapping[str, Row]) -> set[str]:
    """Tasks that are in more than one project in any of these truths, and what lies below them: it goes where they go."""
    found = {key for rows in several for key, row in rows.items() if len(row["projects"]) > 1}
    below = found
    while below:
        below = {key for rows in several for key, row in rows.items() if row["parent"] in below} - found
        found |= below
    return found
