"""Activity logs: the world's journal in the vendor's words, newest first, one log a board (a companion board has its own).

Before the journal lies what the world was made with: each item's last change then, so that a log is never empty where there are items.
"""

from __future__ import annotations

import uuid
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from hub.sandbox.monday import directory
from hub.sandbox.monday.account import ID, Account
from hub.sandbox.monday.errors import Failure
from hub.sandbox.monday.execute import Call, Resolvers
from hub.sandbox.world import Entry, Task

Args = Mapping[str, Any]
KEPT = 10_000
"""Entries a board keeps (fact sheet, section 7)."""
TICKS = 10_000_000
"""``created_at`` counts ten millionths of a second since 1970, in seventeen digits."""
ROLES = {"status": ("status",), "due": ("due", "timeline"), "assignees": ("assignees",), "depends_on": ("dependency",), "priority": ("priority",)}
TASK_EVENTS = {
    "created": "create_pulse",
    "archived": "archive_pulse",
    "deleted": "delete_pulse",
    "restored": "restore_pulse",
    "moved": "move_pulse_into_group",
}
BOARD_EVENTS = {"name": "update_board_name", "archived": "board_state_changed", "deleted": "board_deleted"}
OLD, NEW = 0x59 << 120, 0x5A << 120
"""Where the ids of entries begin: those made with the world, and those of the journal."""


@dataclass(frozen=True, slots=True)
class Line:
    """One log entry of one board."""

    at: datetime
    board: str
    event: str
    entity: str
    item: str | None
    column: str | None
    group: str | None
    shown: dict[str, Any]


class Log:
    """Reads the journal on from where it was and keeps the lines by board. ``past``: by board, the items that were there before, and since when."""

    def __init__(self) -> None:
        self.lines: dict[str, list[Line]] = {}
        self.past: dict[str, list[tuple[datetime, Task]]] | None = None
        self.read = 0

    def of(self, account: Account, board: str, start: datetime | None = None) -> list[Line]:
        """The board's lines since ``start``, oldest first, as far as they are visible yet."""
        journal = account.world.journal
        if self.past is None:
            self.past = _past(account)
        for place in range(self.read, len(journal)):
            if journal[place].tool == "monday":
                line = _line(account, journal[place], place)
                if line is not None:
                    self.lines.setdefault(line.board, []).append(line)
        self.read = len(journal)
        past = self.past.get(board, [])
        before = [_old(account, at, task) for at, task in past[bisect_left(past, start, key=_moment) if start else 0 :]]
        caught_up = account.world.now.timestamp() - account.knobs.lag
        lines = (before + self.lines.get(board, []))[-KEPT:]
        return [line for line in lines if line.at.timestamp() <= caught_up and (start is None or line.at >= start)]


def _past(account: Account) -> dict[str, list[tuple[datetime, Task]]]:
    """Items that the journal has not made; of one that it has changed since, only the making is still known."""
    journal = [entry for entry in account.world.journal if entry.tool == "monday" and entry.kind == "task"]
    made, changed = {entry.id for entry in journal if entry.action == "created"}, {entry.id for entry in journal}
    past: dict[str, list[tuple[datetime, Task]]] = {}
    for task in account.world.tasks["monday"].values():
        at = task.created_at if task.id in changed else task.updated_at or task.created_at
        if task.id not in made and at is not None and task.homes:
            past.setdefault(task.homes[0][0], []).append((at, task))
    for rows in past.values():
        rows.sort(key=_moment)
    return past


def _moment(row: tuple[datetime, Task]) -> datetime:
    return row[0]


def _old(account: Account, at: datetime, task: Task) -> Line:
    action = "created" if at == task.created_at else "deleted" if task.deleted else "changed"
    entry = Entry(at, "monday", action, "task", task.id, task.creator, None if action == "created" else "values")
    return _item_line(account, entry, OLD | int(task.id))


def _line(account: Account, entry: Entry, place: int) -> Line | None:
    if entry.kind == "task":
        return _item_line(account, entry, NEW | place)
    if entry.kind == "project" and entry.field in BOARD_EVENTS:
        data = {"board_id": int(entry.id), "previous_value": entry.before, "value": entry.after}
        return _made(entry, NEW | place, entry.id, BOARD_EVENTS[entry.field], "board", data)
    if entry.kind == "status":
        board, column, _ = entry.id.split("/")
        data = {"board_id": int(board), "column_id": column, "column_type": "color", "previous_value": entry.before, "value": entry.after}
        return _made(entry, NEW | place, board, "change_column_settings", "board", data, column=column)
    return None


def _item_line(account: Account, entry: Entry, place: int) -> Line:
    task = account.world.tasks["monday"][entry.id]
    board, group = task.homes[0]
    data: dict[str, Any] = {"board_id": int(board), "group_id": group, "pulse_id": int(task.id), "pulse_name": task.title, "is_top_group": False}
    event = TASK_EVENTS.get(entry.action)
    column: str | None = None
    if event is None and entry.field == "title":
        event = "update_name"
        data |= {"value": {"name": entry.after}, "previous_value": {"name": entry.before}}
    elif event is None:
        event, column = "update_column_value", _column(account, task, entry)
        show = SHOWN.get(entry.field or "", lambda _account, _task, value: _plain(value))
        data |= {"column_id": column, "value": show(account, task, entry.after), "previous_value": show(account, task, entry.before)}
    return _made(entry, place, board, event, "pulse", data, item=task.id, column=column, group=group)


def _column(account: Account, task: Task, entry: Entry) -> str | None:
    columns = account.board_of(task).columns
    if entry.field == "values":
        before, after = entry.before or {}, entry.after or {}
        changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return changed[0].split("/", 1)[1] if changed else None
    return next((columns[role] for role in ROLES.get(entry.field or "", ()) if role in columns), None)


def _label(account: Account, task: Task, status: Any) -> Any:
    label = next((one for one in account.board_of(task).statuses if one.id == status), None)
    if label is None:
        return None
    return {"label": {"index": int(label.id.rpartition("/")[2]), "text": label.name, "is_done": label.type == "done"}, "post_id": None}


def _date(account: Account, task: Task, value: Any) -> Any:
    """A due date stands in a date column where the board has one, else it is the end of a timeline."""
    if value is None:
        return None
    if "due" not in account.board_of(task).columns:
        return {"from": str(task.start or value)[:10], "to": str(value)[:10]}
    return {"date": str(value)[:10], "time": f"{value:%H:%M:%S}" if isinstance(value, datetime) else None, "icon": None}


def _people(account: Account, task: Task, value: Any) -> Any:
    teams = account.world.teams["monday"]
    return {"personsAndTeams": [{"id": int(key), "kind": "team" if key in teams else "person"} for key in value or ()]}


SHOWN = {"status": _label, "due": _date, "assignees": _people}
"""How the values of a column's kind stand in a log: as the column stores them (those of other kinds are as the world has them)."""


def _plain(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value, default=str)) if value is not None else None


def _made(
    entry: Entry,
    place: int,
    board: str,
    event: str,
    entity: str,
    data: Any,
    *,
    item: str | None = None,
    column: str | None = None,
    group: str | None = None,
) -> Line:
    shown = {
        "id": str(uuid.UUID(int=place)),
        "event": event,
        "entity": entity,
        "data": orjson.dumps(data).decode(),
        "account_id": ID,
        "user_id": entry.actor or "-4",
        "created_at": f"{int(entry.at.timestamp() * 1000) * TICKS // 1000:017d}",
    }
    return Line(entry.at, board, event, entity, item, column, group, shown)


def activity_logs(call: Call, source: Any, args: Args) -> list[dict[str, Any]]:
    account, project = call.account, source["_project"]
    if not account.readable(project):
        raise Failure("User unauthorized to perform action", "USER_UNAUTHORIZED", status=account.refusal(project) or 403)
    start, end = _instant(args["from"]), _instant(args["to"])
    lines = account.log.of(account, project.id, start)
    if end is not None:
        lines = [line for line in lines if line.at <= end]
    for name, field in (("item_ids", "item"), ("column_ids", "column"), ("group_ids", "group")):
        if args[name] is not None:
            lines = [line for line in lines if getattr(line, field) in args[name]]
    if args["user_ids"] is not None:
        lines = [line for line in lines if line.shown["user_id"] in args["user_ids"]]
    return [line.shown for line in directory.sliced(lines[::-1], args, KEPT)]


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Failure(f"{text} is not an ISO 8601 time", "InvalidArgumentException", status=400) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


RESOLVERS: Resolvers = {("Board", "activity_logs"): activity_logs}
