"""Boards: which of them a query lists, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.sandbox.monday import directory
from hub.sandbox.monday.account import SLUG, Account, second
from hub.sandbox.monday.errors import Failure
from hub.sandbox.monday.execute import Call, Resolvers
from hub.sandbox.world import Project, Section

Args = Mapping[str, Any]
TYPES = {"project": "board", "board": "board", "companion": "sub_items_board", "document": "document", "custom_object": "custom_object"}
COLORS = ("#579bfc", "#a25ddc", "#00c875", "#fdab3d")
ROOM = 65536
MAX_DEPENDENCIES = 500


def board(account: Account, project: Project) -> dict[str, Any]:
    """The scalars of the vendor's ``Board``; the rest is resolved on demand."""
    folder = next((node.id for node in account.above(project.node)[:1] if node.kind == "folder"), None)
    return {
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "state": account.state(project),
        "type": TYPES[project.kind],
        "board_kind": "private" if project.private else "public",
        "hierarchy_type": project.hierarchy,
        "board_folder_id": folder,
        "workspace_id": directory.workspace_id(account, project.node),
        "url": f"https://{SLUG}.monday.com/boards/{project.id}",
        "created_at": second(project.created_at),
        "updated_at": second(project.updated_at),
        "permissions": "everyone",
        "item_terminology": "item",
        "_project": project,
    }


def boards(call: Call, source: Any, args: Args) -> list[dict[str, Any] | Failure]:
    """The page is cut first and what the token may not see is dropped from it then: a short page is not the last one, an empty one is."""
    account = call.account
    rows = [project for project in _listed(account, args) if _asked_for(account, project, args)]
    by_page = args["ids"] is None
    most = account.knobs.page_size if by_page else None
    limit = args["limit"] if most is None else min(args["limit"], most)
    if by_page and args["order_by"] != "created_at" and args["page"] > 1:
        # Without an order the list moves while a client pages through it.
        turn = (args["page"] - 1) % max(1, len(rows))
        rows = rows[turn:] + rows[:turn]
    if most is not None and limit == most:
        rows = _without_hidden_pages(account, rows, limit)
    page = directory.sliced(rows, {"limit": limit, "page": args["page"]})
    return [_shown(account, project) for project in page if account.sees(project)]


def _without_hidden_pages(account: Account, rows: list[Project], limit: int) -> list[Project]:
    """The knob's tiny pages can be hidden from the token as a whole; the vendor's end mark is the empty page, so none may come before the end."""
    pages = [rows[start : start + limit] for start in range(0, len(rows), limit)]
    return [project for page in pages if any(account.sees(project) for project in page) for project in page]


def _shown(account: Account, project: Project) -> dict[str, Any] | Failure:
    if project.id in account.knobs.partial_errors:
        return Failure("Internal server error", "INTERNAL_SERVER_ERROR", status=500)
    return board(account, project)


def _listed(account: Account, args: Args) -> list[Project]:
    known = account.world.projects["monday"]
    if args["ids"] is not None:
        return [known[key] for key in dict.fromkeys(args["ids"]) if key in known]
    by = _created if args["order_by"] == "created_at" else _used
    return sorted(known.values(), key=by, reverse=True)


def _created(project: Project) -> tuple[float, int]:
    return _unix(project.created_at), int(project.id)


def _used(project: Project) -> tuple[float, int]:
    return _unix(project.updated_at), -int(project.id)


def _unix(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _asked_for(account: Account, project: Project, args: Args) -> bool:
    """State (active unless asked otherwise) and hierarchy (classic unless asked otherwise) hold for ids too."""
    if args["state"] not in ("all", None, account.state(project)):
        return False
    if project.hierarchy not in (args["hierarchy_types"] or ["classic"]):
        return False
    if args["board_kind"] is not None and args["board_kind"] != ("private" if project.private else "public"):
        return False
    return args["workspace_ids"] is None or directory.workspace_id(account, project.node) in args["workspace_ids"]


def columns(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    rows = call.account.columns(source["_project"])
    if args["ids"] is not None:
        rows = [column for column in rows if column.id in args["ids"]]
    if args["types"] is not None:
        rows = [column for column in rows if column.type in args["types"]]
    return [column.shown() for column in rows]


def group(project: Project, section: Section) -> dict[str, Any]:
    return {
        "id": section.id,
        "title": section.name,
        "color": COLORS[section.position % len(COLORS)],
        "position": str((section.position + 1) * ROOM),
        "archived": section.archived,
        "deleted": False,
        "_project": project,
        "_group": section.id,
    }


def groups(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    project: Project = source["_project"]
    sections = sorted(project.sections, key=lambda section: section.position)
    return [group(project, section) for section in sections if args["ids"] is None or section.id in args["ids"]]


def top_group(call: Call, source: Any, args: Args) -> dict[str, Any]:
    project: Project = source["_project"]
    return group(project, project.sections[0] if project.sections else Section("topics", "Group Title", 0))


def owners(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    return directory.people(call.account, [source["_project"].owner])


def owner(call: Call, source: Any, args: Args) -> dict[str, Any]:
    return directory.someone(call.account, source["_project"].owner)


def folder(call: Call, source: Any, args: Args) -> dict[str, Any] | None:
    above = call.account.above(source["_project"].node)
    return directory.folder(call.account, above[0]) if above and above[0].kind == "folder" else None


def workspace(call: Call, source: Any, args: Args) -> dict[str, Any] | None:
    return directory.workspace(directory.workspace_node(call.account, source["_project"].node))


def board_tags(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    account = call.account
    used = {name for task in account.items_on(source["_project"]) for name in task.tags}
    return [directory.tag(key, name) for key, name in account.world.tags["monday"].items() if name in used]


def children(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    """The boards of a folder."""
    account = call.account
    rows = account.world.projects["monday"].values()
    return [
        board(account, project) for project in rows if project.node == source["id"] and account.sees(project) and account.state(project) == "active"
    ]


def dependencies(call: Call, source: Any, args: Args) -> dict[str, Any] | None:
    """Every item's predecessors on one board, page by page."""
    account = call.account
    project = account.world.projects["monday"].get(args["board_id"])
    if project is None or not account.readable(project):
        raise Failure("Board not found", "ResourceNotFoundException", status=404)
    tasks = [task for task in account.items_on(project) if task.depends_on or args["include_items_without_predecessors"]]
    rows = [
        {
            "item_id": task.id,
            "predecessors": [
                {"source_item_id": edge.task, "dependency_type": edge.type, "lag": edge.lag_minutes // 1440} for edge in task.depends_on
            ],
        }
        for task in directory.sliced(tasks, args, MAX_DEPENDENCIES)
    ]
    return {"total_count": len(tasks), "items": rows}


def items_count(call: Call, source: Any, args: Args) -> int:
    return len(call.account.items_on(source["_project"]))


RESOLVERS: Resolvers = {
    ("Query", "boards"): boards,
    ("Query", "board_dependencies"): dependencies,
    ("BoardDependencies", "items"): lambda call, source, args: source["items"],
    ("Board", "columns"): columns,
    ("Board", "groups"): groups,
    ("Board", "top_group"): top_group,
    ("Board", "owners"): owners,
    ("Board", "subscribers"): owners,
    ("Board", "owner"): owner,
    ("Board", "creator"): owner,
    ("Board", "folder"): folder,
    ("Board", "workspace"): workspace,
    ("Board", "tags"): board_tags,
    ("Board", "items_count"): items_count,
    ("Folder", "children"): children,
}
