"""Account, people, teams, workspaces, folders and tags: what lies round the boards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from hub.sandbox.monday.account import ID, SLUG, Account
from hub.sandbox.monday.errors import Failure
from hub.sandbox.monday.execute import Call, Resolvers
from hub.sandbox.world import Node, Person, Team

T = TypeVar("T")
Args = Mapping[str, Any]
FOUNDED = "2024-01-08T08:00:00Z"
MAX_USERS = 1000


def sliced(rows: list[T], args: Args, most: int | None = None) -> list[T]:
    """One page of a page-numbered list. Raises Failure where limit or page are out of bounds; a page behind the end is empty."""
    limit, page = args.get("limit"), args.get("page")
    limit = len(rows) if limit is None else limit
    page = 1 if page is None else page
    if limit < 0 or page < 1 or (most is not None and limit > most):
        raise Failure(f"limit must be between 1 and {most or 'any'}, page at least 1", "InvalidArgumentException", status=400)
    return rows[(page - 1) * limit : page * limit]


def account(call: Call, source: Any, args: Args) -> dict[str, Any]:
    world = call.account.world
    plan = world.plans["monday"]
    return {
        "id": ID,
        "name": "Nordhafen Werke",
        "slug": SLUG,
        "tier": plan,
        "country_code": "DE",
        "created_at": FOUNDED,
        "first_day_of_the_week": "monday",
        "active_members_count": sum(person.active for person in world.people["monday"].values()),
        "is_during_trial": False,
        "is_trial_expired": False,
        "show_timeline_weekends": True,
        "plan": {"max_users": 200, "period": "yearly", "tier": plan, "version": 1},
    }


def version(call: Call, source: Any, args: Args) -> dict[str, Any]:
    kinds = {"2026-10": "current", "2026-07": "maintenance"}
    return {"value": call.version, "kind": kinds.get(call.version, "old_previous_maintenance"), "display_name": call.version}


def complexity(call: Call, source: Any, args: Args) -> dict[str, Any]:
    return {"before": call.before, "query": call.cost, "after": max(0, call.before - call.cost), "reset_in_x_seconds": call.reset}


def user(account: Account, person: Person) -> dict[str, Any]:
    """A person as the vendor's ``User``. ``email`` and ``name`` are never null there: a pending user has empty ones."""
    kind = "agent" if person.agent else "guest" if person.guest else "admin" if person.id == account.world.me["monday"] else "member"
    offset = ZoneInfo(person.timezone).utcoffset(datetime(2026, 1, 15))  # noqa: DTZ001  # a zone's winter offset, no instant
    return {
        "id": person.id,
        "account_id": ID,
        "name": person.name or "",
        "email": person.email or "",
        "kind": kind,
        "is_deleted": False,
        "title": "",
        "status": "PENDING" if person.name is None else "ACTIVE" if person.active else "INACTIVE",
        "time_zone_identifier": person.timezone,
        "utc_hours_diff": offset.total_seconds() / 3600 if offset else 0.0,
        "url": f"https://{SLUG}.monday.com/users/{person.id}",
        "created_at": FOUNDED,
        "became_active_at": FOUNDED,
        "is_email_confirmed": person.name is not None,
        "birthday": None,
        "country_code": None,
        "current_language": "de",
        "last_activity": None,
        "location": None,
        "mobile_phone": None,
        "phone": None,
        "photo_url": None,
    }


def people(account: Account, ids: Iterable[str | None]) -> list[dict[str, Any]]:
    """The users of ``ids`` that exist."""
    known = account.world.people["monday"]
    return [user(account, known[key]) for key in ids if key in known]


def someone(account: Account, key: str | None) -> dict[str, Any]:
    """The user of ``key``, or the token's own where the world names nobody (the vendor's field is never null)."""
    return user(account, account.world.people["monday"].get(key or "", account.me))


def _selected(account: Account, persons: Iterable[Person], args: Args) -> list[dict[str, Any]]:
    rows = [user(account, person) for person in persons]
    wanted: dict[str, Any] = {name: args.get(name) for name in ("ids", "emails", "name", "kind")}
    if wanted["ids"] is not None:
        rows = [row for row in rows if row["id"] in wanted["ids"]]
    if wanted["emails"] is not None:
        rows = [row for row in rows if row["email"] in wanted["emails"]]
    if wanted["name"]:
        rows = [row for row in rows if wanted["name"].casefold() in row["name"].casefold()]
    if wanted["kind"] in ("guests", "non_guests"):
        rows = [row for row in rows if (row["kind"] == "guest") is (wanted["kind"] == "guests")]
    return rows[::-1] if args.get("newest_first") else rows


def users(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    """Without ``status`` only active and pending ones, and 200 at most without ``limit``."""
    statuses = args["status"] or ["ACTIVE", "PENDING"]
    if args["non_active"] is not None:
        statuses = ["INACTIVE"] if args["non_active"] else ["ACTIVE"]
    rows = [row for row in _selected(call.account, call.account.world.people["monday"].values(), args) if row["status"] in statuses]
    return sliced(rows, args, MAX_USERS)


def team(team: Team) -> dict[str, Any]:
    return {"id": team.id, "name": team.name, "is_guest": False, "created_at": FOUNDED, "picture_url": None, "_team": team}


def teams(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    return [team(one) for one in call.account.world.teams["monday"].values() if args["ids"] is None or one.id in args["ids"]]


def team_users(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    known = call.account.world.people["monday"]
    rows = _selected(call.account, [known[key] for key in source["_team"].members if key in known], args)
    return sliced(rows, args)


def teams_of_user(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    return [
        team(one)
        for one in call.account.world.teams["monday"].values()
        if source["id"] in one.members and (args["ids"] is None or one.id in args["ids"])
    ]


def tag(key: str, name: str) -> dict[str, Any]:
    return {"id": key, "name": name, "color": "#037f4c"}


def tags(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    return [tag(key, name) for key, name in call.account.world.tags["monday"].items() if args["ids"] is None or key in args["ids"]]


def node_state(node: Node) -> str:
    return "deleted" if node.deleted else "archived" if node.archived else "active"


def workspace(node: Node | None) -> dict[str, Any] | None:
    """The vendor's Workspace; None for the main one, which has no id."""
    if node is None or node.id == "main":
        return None
    return {
        "id": node.id,
        "name": node.name,
        "kind": "closed" if node.private else "open",
        "state": node_state(node),
        "description": None,
        "is_default_workspace": False,
        "created_at": FOUNDED,
    }


def workspaces(call: Call, source: Any, args: Args) -> list[dict[str, Any] | None]:
    """Pages are cut before what the token may not see is dropped, so a page can be short or empty before the last."""
    nodes = [node for node in call.account.world.nodes["monday"].values() if node.kind == "workspace" and node.id != "main"]
    nodes = [node for node in nodes if args["state"] in ("all", node_state(node)) and (args["ids"] is None or node.id in args["ids"])]
    shown = [workspace(node) for node in sliced(nodes, args) if not node.hidden]
    return [row for row in shown if row and args["kind"] in (None, row["kind"])]


def folder(account: Account, node: Node) -> dict[str, Any]:
    return {"id": node.id, "name": node.name, "color": None, "created_at": FOUNDED, "owner_id": account.world.me["monday"], "_node": node}


def folders(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    nodes = [node for node in call.account.world.nodes["monday"].values() if node.kind == "folder" and not node.deleted]
    if args["ids"] is not None:
        nodes = [node for node in nodes if node.id in args["ids"]]
    if args["workspace_ids"] is not None:
        nodes = [node for node in nodes if workspace_id(call.account, node.id) in args["workspace_ids"]]
    return [folder(call.account, node) for node in sliced(nodes, args) if not any(one.hidden for one in call.account.above(node.id))]


def workspace_node(account: Account, node: str | None) -> Node | None:
    return next((one for one in account.above(node) if one.kind == "workspace"), None)


def workspace_id(account: Account, node: str | None) -> str | None:
    found = workspace_node(account, node)
    return None if found is None or found.id == "main" else found.id


def folder_parent(call: Call, source: Any, args: Args) -> dict[str, Any] | None:
    above = call.account.above(source["_node"].parent)
    return folder(call.account, above[0]) if above and above[0].kind == "folder" else None


def folder_workspace(call: Call, source: Any, args: Args) -> dict[str, Any]:
    """Never null, unlike a board's: the main workspace is one without an id."""
    main = {
        "id": None,
        "name": "Main workspace",
        "kind": "open",
        "state": "active",
        "description": None,
        "is_default_workspace": True,
        "created_at": None,
    }
    return workspace(workspace_node(call.account, source["_node"].id)) or main


def sub_folders(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    nodes = call.account.world.nodes["monday"].values()
    return [folder(call.account, node) for node in nodes if node.kind == "folder" and node.parent == source["id"] and not node.deleted]


RESOLVERS: Resolvers = {
    ("Query", "account"): account,
    ("Query", "complexity"): complexity,
    ("Query", "folders"): folders,
    ("Query", "me"): lambda call, source, args: user(call.account, call.account.me),
    ("Query", "tags"): tags,
    ("Query", "teams"): teams,
    ("Query", "users"): users,
    ("Query", "version"): version,
    ("Query", "workspaces"): workspaces,
    ("User", "account"): account,
    ("User", "teams"): teams_of_user,
    ("Team", "users"): team_users,
    ("Team", "owners"): lambda call, source, args: [],
    ("Folder", "parent"): folder_parent,
    ("Folder", "workspace"): folder_workspace,
    ("Folder", "sub_folders"): sub_folders,
}
