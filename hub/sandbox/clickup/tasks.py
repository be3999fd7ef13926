"""The task object, as ClickUp writes it: times as strings of milliseconds, a date without a time as 04:00, the same dependency on both tasks."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import orjson

from hub.sandbox.clickup import people
from hub.sandbox.clickup.containers import folder_stub
from hub.sandbox.clickup.fields import Values
from hub.sandbox.clickup.shelf import Row, Shelf
from hub.sandbox.world import Status, Task, World

PRIORITIES = {"urgent": ("1", "#f50000"), "high": ("2", "#f8ae00"), "normal": ("3", "#6fddff"), "low": ("4", "#d8d8d8")}
MILESTONE, BUG = 1, 1001
"""Task types: 1 is the vendor's milestone, 1001 one of the workspace's own; 0 and null both mean a plain task."""
MINUTE = 60_000
KEPT = 50_000
SHARING = {"public": False, "public_share_expires_on": None, "public_fields": ["assignees", "priority"], "token": None, "seo_optimized": False}
LEFT_OUT = (
    "custom_id",
    "text_content",
    "description",
    "markdown_description",
    "priority",
    "team_id",
    "sharing",
    "permission_level",
    "list",
    "project",
    "folder",
    "space",
)
"""What ``include_subtasks`` does not show of a subtask; nor the id of its status."""


def status_object(status: Status) -> dict[str, Any]:
    return {"id": status.id, "status": status.name, "type": status.type, "orderindex": status.position, "color": status.color}


def tag_object(name: str) -> dict[str, Any]:
    return {"name": name, "tag_fg": "#ffffff", "tag_bg": people.color(name)}


class Renderer:
    """Task objects as bytes, kept until the world changes; ``forget`` drops them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.forget()

    def forget(self) -> None:
        self._kept: dict[tuple[str, bool], tuple[int, orjson.Fragment]] = {}
        self._users: dict[str, orjson.Fragment] = {}
        self._values = Values(self._world)

    def fragment(self, row: Row, shelf: Shelf, markdown: bool) -> orjson.Fragment:
        """The task as a row of a list, with ``markdown_description`` if asked for."""
        key = (row.task.id, markdown)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == row.updated:
            return kept[1]
        if len(self._kept) >= KEPT:
            self._kept.clear()
        made = orjson.Fragment(orjson.dumps(self.task(row, shelf, markdown)))
        self._kept[key] = (row.updated, made)
        return made

    def single(self, row: Row, shelf: Shelf, markdown: bool, subtasks: bool) -> dict[str, Any]:
        """The answer of the read by id: the row, attachments, and the visible subtasks one level down if asked for."""
        shown = self.task(row, shelf, markdown) | {"attachments": []}
        if subtasks:
            rows = [child for child in shelf.children[row.task.id] if not child.place.hidden]
            shown["subtasks"] = [self._subtask(child, shelf) for child in rows]
        return shown

    def _subtask(self, row: Row, shelf: Shelf) -> dict[str, Any]:
        shown = {name: value for name, value in self.task(row, shelf, False).items() if name not in LEFT_OUT}
        return shown | {"status": {name: value for name, value in shown["status"].items() if name != "id"}}

    def task(self, row: Row, shelf: Shelf, markdown: bool) -> dict[str, Any]:
        task, odd = row.task, crc32(row.task.id.encode()) % 5
        shown = {
            "id": task.id,
            "custom_id": None,
            "custom_item_id": _task_type(task, odd),
            "name": task.title,
            **self._texts(task, odd, markdown),
            "status": status_object(row.status),
            "orderindex": float(odd * 1000) if odd == 4 else f"{odd * 1000 + 7}.00000000000000000000000000000000",
            **_times(row),
            "archived": task.archived,
            **self._people(task),
            "checklists": [],
            "tags": [tag_object(name) | {"creator": int(self._world.me["clickup"])} for name in task.tags],
            "parent": task.parent,
            "top_level_parent": row.root,
            "priority": priority_object(task.priority),
            "points": odd + 0.5 if odd == 3 else None,
            **_efforts(task, odd),
            "custom_fields": self._values.fragments(task, shelf.atlas.projects[row.place.id].fields, shelf),
            **self._links(row, shelf),
            **_whereabouts(row, shelf),
            "url": f"https://app.clickup.com/t/{task.id}",
            "sharing": SHARING,
            "permission_level": "create",
        }
        return shown

    def _texts(self, task: Task, odd: int, markdown: bool) -> dict[str, str | None]:
        """No description is an empty string for some tasks and null for others."""
        text = task.description if task.description is not None else "" if odd % 2 else None
        shown = {"text_content": text, "description": text}
        return shown | {"markdown_description": text} if markdown else shown

    def _people(self, task: Task) -> dict[str, Any]:
        return {
            "creator": None if task.creator is None else self._user(task.creator),
            "assignees": [self._user(identifier) for identifier in task.assignees],
            "group_assignees": [people.assigned_group(self._world, identifier) for identifier in task.teams],
            "watchers": [] if task.creator is None else [self._user(task.creator)],
        }

    def _user(self, identifier: str) -> orjson.Fragment:
        if identifier not in self._users:
            self._users[identifier] = orjson.Fragment(orjson.dumps(people.user(self._world, identifier)))
        return self._users[identifier]

    def _links(self, row: Row, shelf: Shelf) -> dict[str, Any]:
        """The edges of this task, as the one that waits and as the one that is waited for."""
        task = row.task
        waits = [(task, edge.task) for edge in task.depends_on if edge.task in shelf.rows]
        blocks = [(other, task.id) for other in shelf.blocks.get(task.id, [])]
        edges = [self._edge(holder, target, row) for holder, target in waits + blocks]
        return {"dependencies": edges, "linked_tasks": []}

    def _edge(self, holder: Task, target: str, row: Row) -> dict[str, Any]:
        return {
            "task_id": holder.id,
            "depends_on": target,
            "type": 1,
            "date_created": str(row.created),
            "userid": self._world.me["clickup"],
            "workspace_id": row.place.workspace,
            "chain_id": None,
        }


def _task_type(task: Task, odd: int) -> int | None:
    if task.kind == "milestone":
        return MILESTONE
    return BUG if odd == 4 else 0 if odd % 2 else None


def _times(row: Row) -> dict[str, str | None]:
    closed = row.done if row.status.type == "closed" else None
    return {
        "date_created": str(row.created),
        "date_updated": str(row.updated),
        "date_closed": _text(closed),
        "date_done": _text(row.done),
        "due_date": _text(row.due),
        "start_date": _text(row.start),
    }


def _text(moment: int | None) -> str | None:
    return None if moment is None else str(moment)


def priority_object(word: str | None) -> dict[str, str] | None:
    if word not in PRIORITIES:
        return None
    rank, color = PRIORITIES[word]
    return {"id": rank, "priority": word, "color": color, "orderindex": rank}


def _efforts(task: Task, odd: int) -> dict[str, Any]:
    """Milliseconds. The estimate is a number in practice and a string in the specification; ``time_spent`` is there only if time was tracked."""
    estimate = None if task.estimate_minutes is None else task.estimate_minutes * MINUTE
    shown: dict[str, Any] = {"time_estimate": str(estimate) if estimate is not None and odd == 2 else estimate}
    return shown if task.logged_minutes is None else shown | {"time_spent": task.logged_minutes * MINUTE}


def _whereabouts(row: Row, shelf: Shelf) -> dict[str, Any]:
    """Home list, further lists that may be seen, folder (again as ``project``), space without its name."""
    project = shelf.atlas.projects[row.place.id]
    others = [shelf.atlas.projects[home] for home, _ in row.task.homes[1:] if shelf.atlas.places[home].listed]
    folder = folder_stub(row.place, project.id)
    return {
        "locations": [{"id": other.id, "name": other.name} for other in others],
        "team_id": row.place.workspace,
        "list": {"id": project.id, "name": project.name, "access": True},
        "project": folder,
        "folder": folder,
        "space": {"id": row.place.space.id},
    }
