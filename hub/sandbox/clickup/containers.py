"""Spaces, folders and lists as ClickUp shows them. "Archived" is a switch on each level; what is inherited, the reader must work out."""

from __future__ import annotations

from datetime import date
from typing import Any

from hub.sandbox.clickup import people
from hub.sandbox.clickup.atlas import Atlas, Place, is_own
from hub.sandbox.clickup.shelf import Shelf
from hub.sandbox.world import Node, Project, Status, World

HEALTH_COLORS = {"on_track": "#008844", "at_risk": "#f8ae00", "off_track": "#d33d44"}
FEATURES = ("time_tracking", "tags", "time_estimates", "checklists", "custom_fields", "remap_dependencies", "dependency_warning", "portfolios")
PLANS = {
    "free": ("Free Forever", 1),
    "unlimited": ("Unlimited", 2),
    "business": ("Business", 3),
    "enterprise": ("Enterprise", 4),
    "business_plus": ("Business Plus", 5),
}


def statuses(rows: list[Status]) -> list[dict[str, Any]]:
    return [{"id": one.id, "status": one.name, "type": one.type, "orderindex": one.position, "color": one.color} for one in rows]


def space(world: World, atlas: Atlas, node: Node, *, listed: bool) -> dict[str, Any]:
    """A space; as a row of the workspace's spaces (``listed``) it has its members, colour and archived flag too."""
    shown: dict[str, Any] = {
        "id": node.id,
        "name": node.name,
        "private": node.private,
        "statuses": statuses(atlas.statuses_of(node.id)),
        "multiple_assignees": True,
        "features": {
            "due_dates": {"enabled": True, "start_date": True, "remap_due_dates": False, "remap_closed_due_date": False},
            **{name: {"enabled": True} for name in FEATURES},
        },
    }
    if not listed:
        return shown
    members = [{"user": people.user(world, world.me["clickup"])}] if node.private else []
    return shown | {
        "color": people.color(node.id),
        "avatar": None,
        "admin_can_manage": True,
        "archived": node.archived,
        "members": members,
    }


def folder(shelf: Shelf, node: Node) -> dict[str, Any]:
    """A folder with its live lists inside; ``parent_folder`` only where it lies in another folder."""
    atlas, place = shelf.atlas, shelf.atlas.places[node.id]
    inside = atlas.lists(node.id, archived=False)
    shown: dict[str, Any] = {
        "id": node.id,
        "name": node.name,
        "orderindex": atlas.position[node.id],
        "override_statuses": False,
        "hidden": False,
        "space": space_stub(place),
        "task_count": str(sum(_open_tasks(shelf, project) for project in inside)),
        "archived": node.archived,
        "statuses": statuses(atlas.statuses_of(place.space.id)),
        "lists": [_without(list_row(shelf, project), "folder") for project in inside],
    }
    parent = place.above[-1]
    return shown | {"parent_folder": parent.id} if parent.kind == "folder" else shown


def single_folder(shelf: Shelf, node: Node, subfolders: bool) -> dict[str, Any]:
    shown = folder(shelf, node)
    return shown | {"folders": [{"id": one.id} for one in shelf.atlas.subfolders(node.id)]} if subfolders else shown


def list_row(shelf: Shelf, project: Project) -> dict[str, Any]:
    place = shelf.atlas.places[project.id]
    return {
        "id": project.id,
        "name": project.name,
        "orderindex": shelf.atlas.position[project.id],
        "content": project.description or "",
        "status": _list_status(project),
        "priority": None,
        "assignee": _owner(shelf, project),
        "task_count": _open_tasks(shelf, project),
        "due_date": _day(shelf, project.due),
        "start_date": _day(shelf, project.start),
        "folder": folder_stub(place, project.id),
        "space": space_stub(place),
        "archived": project.archived,
        "override_statuses": _overrides(place, project),
        "permission_level": "create",
    }


def single_list(shelf: Shelf, project: Project) -> dict[str, Any]:
    """A list by id: the row and what only this read tells, the statuses among it."""
    return list_row(shelf, project) | {
        "due_date_time": False,
        "start_date_time": None if project.start is None else False,
        "inbound_address": f"add.task.{project.id}@tasks.example.org",
        "statuses": statuses(project.statuses),
    }


def shared_list(shelf: Shelf, project: Project) -> dict[str, Any]:
    """A list in ``/shared``: no folder or space, which the user cannot see."""
    row = list_row(shelf, project)
    return _without(row, "folder", "space", "override_statuses", "permission_level") | {"task_count": str(row["task_count"])}


def folder_stub(place: Place, list_id: str) -> dict[str, Any]:
    """The folder on lists and tasks. A list directly in its space lies in a folder of its own that nobody sees."""
    node = place.folder
    if node is None:
        return {"id": f"90{list_id}", "name": "hidden", "hidden": True, "access": True}
    return {"id": node.id, "name": node.name, "hidden": False, "access": True}


def space_stub(place: Place) -> dict[str, Any]:
    return {"id": place.space.id, "name": place.space.name, "access": True}


def plan(world: World) -> dict[str, Any]:
    """The plan's number is the vendor's for Enterprise only; the others are made up."""
    name, number = PLANS[world.plans["clickup"]]
    return {"plan_name": name, "plan_id": number}


def _overrides(place: Place, project: Project) -> bool:
    return bool(project.statuses) and not is_own(project.statuses, place.space.id)


def _list_status(project: Project) -> dict[str, Any] | None:
    """What people use as a list's health: a coloured word."""
    if project.health is None:
        return None
    return {"status": project.health, "color": HEALTH_COLORS.get(project.health, "#87909e"), "hide_label": True}


def _owner(shelf: Shelf, project: Project) -> dict[str, Any] | None:
    """A user object without e-mail, as in the vendor's example of a new list (the specification's type says string)."""
    return None if project.owner is None else _without(people.user(shelf.world, project.owner), "email")


def _day(shelf: Shelf, day: date | None) -> str | None:
    return None if day is None else str(shelf.instant(day))


def _open_tasks(shelf: Shelf, project: Project) -> int:
    """What the vendor counts is not documented: top-level tasks not closed here, so that nobody takes it for the number of rows."""
    return shelf.open_tasks[project.id]


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in names}
