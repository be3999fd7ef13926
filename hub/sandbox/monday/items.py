"""Items: by board page after page, by id, and what hangs on one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from random import Random
from typing import Any

import orjson

from hub.sandbox.monday import boards, directory
from hub.sandbox.monday.account import SLUG, Account, Sequence, second
from hub.sandbox.monday.errors import Failure, Rejection
from hub.sandbox.monday.execute import Call, Resolvers
from hub.sandbox.monday.filters import chosen
from hub.sandbox.monday.values import KINDS, values_of
from hub.sandbox.world import Project, Task

Args = Mapping[str, Any]
MAX_PAGE, MAX_IDS = 500, 100
EXPIRED = "CursorExpiredError: The cursor provided for pagination has expired. Please refresh your query and obtain a new cursor before continuing."


def item(account: Account, task: Task, state: str | None = None) -> dict[str, Any]:
    """The scalars of the vendor's ``Item``; the rest is resolved on demand."""
    board = task.homes[0][0]
    return {
        "id": task.id,
        "name": task.title,
        "state": state or account.item_state(task),
        "created_at": second(task.created_at),
        "updated_at": second(task.updated_at),
        "creator_id": task.creator or "",
        "url": account.world.url_of(task),
        "relative_link": f"/boards/{board}/pulses/{task.id}",
        "email": f"pulse.{task.id}@{SLUG}.example.org",
        "_task": task,
    }


def _page_size(account: Account, limit: int) -> int:
    if not 1 <= limit <= MAX_PAGE:
        raise Failure(f"limit must be between 1 and {MAX_PAGE}", "InvalidArgumentException", status=400)
    return limit if account.knobs.page_size is None else min(limit, account.knobs.page_size)


def _guard(account: Account, project: Project) -> None:
    """Raises Failure where the board's items cannot be read."""
    if not account.readable(project):
        raise Failure("User unauthorized to perform action", "USER_UNAUTHORIZED", status=account.refusal(project) or 403)
    if account.state(project) == "deleted":
        raise Failure("Internal server error", "INTERNAL_SERVER_ERROR", status=500)


def items_page(call: Call, source: Any, args: Args) -> dict[str, Any]:
    """The first page of a board's or group's active items (or, with ``cursor``, a later one)."""
    account, project = call.account, source["_project"]
    _guard(account, project)
    if args["cursor"] is not None:
        if args["query_params"] is not None:
            raise Failure("You can't use both 'cursor' and 'query_params'", "InvalidArgumentException", status=400)
        return next_items_page(call, source, args)
    size = _page_size(account, args["limit"])
    tasks = account.items_on(project, nested=_all_levels(args["hierarchy_scope_config"]))
    if "_group" in source:
        tasks = [task for task in tasks if task.homes[0][1] == source["_group"]]
    order = args["query_params"] and args["query_params"].get("order_by")
    if args["query_params"] is not None:
        tasks = chosen(account, project, tasks, args["query_params"])
    if not order:
        # No order is promised without order_by: each sequence has its own.
        Random(f"{project.id}/{account.pages}").shuffle(tasks)
    return _page(account, Sequence(project.id, [task.id for task in tasks], account.clock()), None, 0, size)


def _all_levels(config: str | None) -> bool:
    if config is None:
        return False
    try:
        scope = orjson.loads(config)
    except orjson.JSONDecodeError as error:
        raise Failure("hierarchy_scope_config is not valid JSON", "InvalidArgumentException", status=400) from error
    return isinstance(scope, dict) and scope.get("scope") == "allItems"


def next_items_page(call: Call, source: Any, args: Args) -> dict[str, Any]:
    """A later page. The whole request is rejected when the cursor's hour is over: there is no going on, only a new start."""
    account = call.account
    size = _page_size(account, args["limit"])
    try:
        key, offset = orjson.loads(base64.urlsafe_b64decode(args["cursor"]))
    except (binascii.Error, orjson.JSONDecodeError, ValueError) as error:
        raise Rejection(200, "CursorException", "InvalidCursorError: The cursor provided for pagination is not valid.") from error
    sequence = account.sequences.get(key)
    if sequence is None or account.expired(sequence):
        raise Rejection(200, "CursorException", EXPIRED, extensions={"error_data": {}})
    _guard(account, account.world.projects["monday"][sequence.board])
    return _page(account, sequence, key, offset, size, args["cursor"])


def _page(account: Account, sequence: Sequence, key: str | None, offset: int, size: int, came_with: str | None = None) -> dict[str, Any]:
    if account.skips_page():
        offset += size
    tasks = account.world.tasks["monday"]
    end = offset + size
    cursor: str | None = None
    if end < len(sequence.ids):
        key = key or account.open_sequence(sequence)
        cursor = base64.urlsafe_b64encode(orjson.dumps([key, end])).decode()
        if came_with is not None and "monday" in account.knobs.repeat_cursor:
            cursor = came_with
    rows = [tasks[task_id] for task_id in sequence.ids[offset:end]]
    shown = [item(account, task, "active") for task in rows if account.item_state(task) == "active" and task.homes[0][0] == sequence.board]
    return {"cursor": cursor, "items": shown}


def items(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    """Items by id, archived and deleted ones too; those that do not exist or may not be read are simply missing."""
    account = call.account
    tasks = account.world.tasks["monday"]
    if args["ids"] is not None and len(args["ids"]) > MAX_IDS:
        raise Failure(f"ids may hold {MAX_IDS} at most", "InvalidArgumentException", status=400)
    keys = list(tasks) if args["ids"] is None else [key for key in dict.fromkeys(args["ids"]) if key in tasks]
    if args["newest_first"]:
        keys.sort(key=lambda key: second(tasks[key].created_at) or "", reverse=True)
    rows = []
    for task in (tasks[key] for key in directory.sliced(keys, args)):
        project = account.board_of(task)
        state = "deleted" if account.state(project) == "deleted" else account.item_state(task)
        if account.readable(project) and (state == "active" or (args["ids"] is not None and not args["exclude_nonactive"])):
            rows.append(item(account, task, state))
    return rows


def column_values(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    """In no particular order; ids that the board has no column for are ignored."""
    task: Task = source["_task"]
    known = values_of(call.account, task)
    ids, types = args["ids"], args["types"]
    rows = list(known.values()) if ids is None else [known[key] for key in ids if key in known]
    if types is not None:
        rows = [row for row in rows if row["type"] in types]
    turn = int(task.id) % len(rows) if rows else 0
    return rows[turn:] + rows[:turn]


def item_group(call: Call, source: Any, args: Args) -> dict[str, Any] | None:
    board_id, section_id = source["_task"].homes[0]
    known = call.notes.setdefault("groups", {})
    if (board_id, section_id) not in known:
        project = call.account.world.projects["monday"][board_id]
        section = next((section for section in project.sections if section.id == section_id), None)
        known[board_id, section_id] = None if section is None else boards.group(project, section)
    found: dict[str, Any] | None = known[board_id, section_id]
    return found


def item_board(call: Call, source: Any, args: Args) -> dict[str, Any]:
    board_id = source["_task"].homes[0][0]
    known: dict[str, dict[str, Any]] = call.notes.setdefault("boards", {})
    if board_id not in known:
        known[board_id] = boards.board(call.account, call.account.world.projects["monday"][board_id])
    return known[board_id]


def parent_item(call: Call, source: Any, args: Args) -> dict[str, Any] | None:
    key = source["_task"].parent
    return item(call.account, call.account.world.tasks["monday"][key]) if key else None


def subitems(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    """Asking for ``state`` in here makes the vendor fail on whole pages; so it does here, wherever there are subitems."""
    account = call.account
    selected = call.selected
    rows = account.children(source["_task"])
    if rows and selected is not None and any(inner.name == "state" for inner in selected.within["Item"]):
        raise Rejection(200, "INTERNAL_SERVER_ERROR", "Internal server error")
    return [item(account, task, "active") for task in rows]


def _linked(name: str) -> Any:
    def resolve(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
        account = call.account
        tasks = (account.world.tasks["monday"].get(key) for key in source[name])
        return [item(account, task) for task in tasks if task is not None and account.readable(account.board_of(task))]

    return resolve


def value_tags(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    names = call.account.world.tags["monday"]
    return [directory.tag(key, names[key]) for key in source["_tags"]]


def _person(field: str) -> Any:
    return lambda call, source, args: directory.someone(call.account, source[field])


RESOLVERS: Resolvers = {
    ("Query", "items"): items,
    ("Query", "next_items_page"): next_items_page,
    ("Board", "items_page"): items_page,
    ("Group", "items_page"): items_page,
    ("Item", "assets"): lambda call, source, args: [],
    ("Item", "board"): item_board,
    ("Item", "column_values"): column_values,
    ("Item", "creator"): lambda call, source, args: directory.someone(call.account, source["creator_id"]),
    ("Item", "group"): item_group,
    ("Item", "parent_item"): parent_item,
    ("Item", "subitems"): subitems,
    ("Item", "subscribers"): lambda call, source, args: directory.people(call.account, source["_task"].assignees),
    ("Item", "updates"): lambda call, source, args: [],
    ("TagsValue", "tags"): value_tags,
    ("BoardRelationValue", "linked_items"): _linked("linked_item_ids"),
    ("DependencyValue", "linked_items"): _linked("linked_item_ids"),
    ("SubtasksValue", "subitems"): _linked("subitems_ids"),
    ("CreationLogValue", "creator"): _person("creator_id"),
    ("LastUpdatedValue", "updater"): _person("updater_id"),
    **{
        (typename, "column"): lambda call, source, args: source["_column"].shown()
        for typename in {name for name, _ in KINDS.values()} | {"BatteryValue"}
    },
}
