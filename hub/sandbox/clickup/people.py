"""User objects and groups, in the several shapes that ClickUp gives them."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from hub.sandbox.clickup.atlas import Atlas
from hub.sandbox.clickup.shelf import millis
from hub.sandbox.world import Person, Team, World

COLORS = ("#d60800", "#aa8d80", "#08c7e0", "#388d3c", "#ee5e99", "#827718")
ROLES = {"owner": 1, "member": 3, "guest": 4}


def user(world: World, identifier: str) -> dict[str, Any]:
    """The short object on tasks. Someone who was removed keeps the id and loses the rest; someone who has not accepted yet has no name."""
    person = world.people["clickup"].get(identifier)
    if person is None or not person.active:
        return {"id": int(identifier), "username": None, "color": None, "initials": None, "email": None, "profilePicture": None}
    return {
        "id": int(person.id),
        "username": person.name,
        "color": color(person.id),
        "initials": _initials(person),
        "email": person.email,
        "profilePicture": None,
    }


def me(world: World) -> dict[str, Any]:
    identifier = world.me["clickup"]
    zone = world.people["clickup"][identifier].timezone
    return {"user": {**user(world, identifier), "week_start_day": 1, "global_font_support": True, "timezone": zone}}


def members(world: World) -> list[dict[str, Any]]:
    """Everyone in the workspace, guests and the unaccepted among them; without ``email`` where there is none."""
    return [{"user": _member(world, person)} for person in world.people["clickup"].values() if person.active]


def _member(world: World, person: Person) -> dict[str, Any]:
    role = "owner" if person.id == world.me["clickup"] else "guest" if person.guest else "member"
    shown = {**user(world, person.id), "role": ROLES[role]}
    return shown if person.email is not None else {key: value for key, value in shown.items() if key != "email"}


def teams(world: World, atlas: Atlas) -> list[dict[str, Any]]:
    """The workspaces (``team`` in v2)."""
    return [{"id": node.id, "name": node.name, "color": color(node.id), "avatar": None, "members": members(world)} for node in atlas.workspaces()]


def groups(world: World, workspace: str, wanted: set[str]) -> list[dict[str, Any]]:
    return [_group(world, workspace, team) for team in world.teams["clickup"].values() if not wanted or team.id in wanted]


def _group(world: World, workspace: str, team: Team) -> dict[str, Any]:
    return {
        "id": team.id,
        "team_id": workspace,
        "userid": int(world.me["clickup"]),
        "name": team.name,
        "handle": team.name.lower().replace(" ", "-"),
        "date_created": str(millis(world.now) - 86_400_000 * 400),
        "initials": team.name[:2].upper(),
        "members": [user(world, identifier) for identifier in team.members],
        "avatar": {"attachment_id": None, "color": None, "source": None, "icon": None},
    }


def assigned_group(world: World, identifier: str) -> dict[str, Any]:
    """The short object in ``group_assignees``; its members are not among the assignees."""
    return {"id": identifier, "name": world.teams["clickup"][identifier].name}


def color(identifier: str) -> str:
    return COLORS[crc32(identifier.encode()) % len(COLORS)]


def _initials(person: Person) -> str:
    source = person.name or person.email or "?"
    return "".join(word[0] for word in source.split()[:2]).upper()
