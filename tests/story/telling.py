"""Which events a difference between two truths makes: worked out from the world's own rows, field by field, without the hub's code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
SETTLED = ("done", "cancelled")
FIELDS = {
    "task.status_changed": ("status", "status_category"),
    "task.assigned": ("assignees",),
    "task.due_changed": ("due_on", "due_at"),
    "task.moved": ("project", "projects", "section", "parent"),
    "task.updated": (
        *("title", "kind", "priority", "start_on", "start_at", "estimate_minutes", "logged_minutes", "progress", "tags", "custom_fields"),
        *("description",),
    ),
}
OTHERS = ("task.created", "task.deleted", "task.completed", "task.reopened")


def compared(kind: str) -> bool:
    """Whether this kind of event is among those that are compared."""
    return kind in FIELDS or kind in OTHERS


def expected_events(before: Mapping[str, Row], after: Mapping[str, Row]) -> set[tuple[str, str]]:
    """{(type, task)} of everything that differs."""
    told = {("task.created", key) for key in after.keys() - before.keys()} | {("task.deleted", key) for key in before.keys() - after.keys()}
    for key in before.keys() & after.keys():
        told |= {(kind, key) for kind in _kinds(before[key], after[key])}
    return told


def _kinds(old: Row, new: Row) -> set[str]:
    kinds = {kind for kind, fields in FIELDS.items() if any(old.get(field) != new.get(field) for field in fields)}
    was, now = old["status_category"] in SETTLED, new["status_category"] in SETTLED
    if was != now:
        kinds.add("task.completed" if now else "task.reopened")
    elif old["completed_at"] != new["completed_at"]:
        kinds.add("task.updated")
    return kinds


HOME = ("project", "section", "status", "status_category", "archived")


def without_choice(rows: Mapping[str, Row], shared: set[str]) -> dict[str, Row]:
    """The rows without what depends on which of several projects is a task's home: the hub keeps the former one, and the world knows no former."""

    def chooses(key: str | None) -> bool:
        return key is not None and (key in shared or chooses((rows.get(key) or {}).get("parent")))

    return {key: {name: value for name, value in row.items() if not (name in HOME and chooses(key))} for key, row in rows.items()}


def shared_tasks(*several: Mapping[str, Row]) -> set[str]:
    """Tasks that are in more than one project in any of these truths."""
    return {key for rows in several for key, row in rows.items() if len(row["projects"]) > 1}
