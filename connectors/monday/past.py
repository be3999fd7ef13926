"""What boards' activity logs tell of the time before the hub watched: status, due date, people and name of items, with the instant and who it was.

A log is cut off by age, by plan (about a week on free plans, half a year on Standard, a year on Pro, five on Enterprise), and at 10,000 entries. So
it is whole from the later of these on; and, as an item that was deleted is known to nobody any more, from its last deletion on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import orjson

from connectors.base import Chapter, Held, Json, Known, Past, Slice, Told
from connectors.errors import BadResponse, NotFound
from connectors.monday import documents, logs
from connectors.monday.board import Column, Shape, identifier
from connectors.monday.checking import check
from connectors.monday.client import Client, error_of, rows_of
from connectors.monday.logs import TICKS
from connectors.monday.reading import Shapes

WORDS = "status, due date, people and name of items, from the boards' activity logs"
KEPT = {"free": 7, "trial": 7, "basic": 7, "standard": 180, "pro": 365, "enterprise": 5 * 365}
"""Days that a log reaches back, by plan, as users report it; a plan that is not known counts as the least."""
BOARDS = 50


def chapters(held: Held, since: datetime) -> Sequence[Slice]:
    """Fifty boards a request; one more in all asks for the plan (see ``KEPT``)."""
    boards = sorted(ref.partition(":")[2] for ref in held.projects)
    parts = [boards[at : at + BOARDS] for at in range(0, len(boards), BOARDS)]
    return [Slice(f"logs:{part[0]}", f"Activity logs of {len(part)} boards", 0, {"boards": part, "since": since.isoformat()}) for part in parts]


async def kept_for(client: Client) -> timedelta:
    """How far back the account's logs reach."""
    return timedelta(days=KEPT.get((await check(client)).plan or "", KEPT["free"]))


async def read(client: Client, shapes: Shapes, known: Known, piece: Slice, oldest: datetime) -> AsyncIterator[Chapter]:
    """One page of all logs at a time, newest first, to the empty page that ends the last of them. ``oldest``: no log reaches behind that."""
    since = max(datetime.fromisoformat(piece.args["since"]), oldest)
    left, page, whole_from = set(await _learn(client, shapes, known, piece.args["boards"])), 1, since
    while left:
        variables = {"ids": sorted(left), "since": logs.text(round(since.timestamp()) * TICKS), "page": page, "after": page + 1}
        data, errors = await client.ask(documents.LOGS, variables, points=len(left) * 14 * documents.LOGS_AT_ONCE)
        rows = {identifier(row, "project"): row for row in rows_of(data, "boards", errors) if row is not None}
        changes: list[Past] = []
        for board in tuple(left):
            row = rows.get(board)
            if row is None or row.get("activity_logs") is None or row.get("more") is None:
                raise error_of("boards", errors) or NotFound(f"board {board} came without its activity log")
            pages = [logs.listed(row["activity_logs"], board), logs.listed(row["more"], board)]
            entries = list(logs.entries(pages[0] + pages[1], board))
            whole_from = max([whole_from, *(entry.moment for entry in entries if entry.deletes or entry.wide)])
            changes += changes_of(pages[0] + pages[1], board, shapes)
            if (page + 1) * documents.LOGS_AT_ONCE >= documents.LOG_KEPT and all(pages):  # older entries are lost
                whole_from = max(whole_from, logs.instant(logs.stamp(pages[1][-1], board)))
                left.discard(board)
            elif not all(pages):
                left.discard(board)
        yield Chapter(changes, whole_from if not left else None)
        page += 2


async def _learn(client: Client, shapes: Shapes, known: Known, boards: Sequence[str]) -> list[str]:
    """What the boards' columns mean, from the bodies that the hub keeps, else from the vendor; gives the boards and their companions."""
    held = await known.recall([f"project:{board}" for board in boards])
    bodies = list(held.values())
    if lacking := [board for board in boards if f"project:{board}" not in held]:
        bodies += [row for row in await client.boards(lacking) if row.get("state") != "deleted"]
    return [board for body in bodies for board in shapes.learn(body).data]


def changes_of(rows: Sequence[dict[str, Any]], board: str, shapes: Shapes) -> Iterator[Past]:
    """What the entries of one board's log say of items; those about anything else say nothing. Raises BadResponse naming the board."""
    found = shapes.of(board)
    if found is None:
        return
    shape: Shape = found[0].data[board]
    for row in rows:
        for entry in logs.entries([row], board):
            said = _said(entry.event, _data(row, board), shape) if len(entry.items) == 1 else ()
            for field, old, new in said:
                if old != new:
                    yield Past(f"task:{entry.items[0]}", field, old, new, Told(entry.moment, entry.actor))


def _data(row: Mapping[str, Any], board: str) -> dict[str, Any]:
    data = row.get("data")
    found = orjson.loads(data) if isinstance(data, str) else data  # that it is JSON was seen when its entry was made
    if not isinstance(found, dict):
        raise BadResponse(f"monday: board {board} has a log entry whose data is no object")
    return found


def _said(event: str, data: Mapping[str, Any], shape: Shape) -> Iterator[tuple[str, Json, Json]]:
    before, after = _object(data.get("previous_value")), _object(data.get("value"))
    if event == "update_name":
        yield "title", before.get("name"), after.get("name")
        return
    column = shape.columns.get(str(data.get("column_id")))
    role = next((role for role, key in shape.roles.items() if column is not None and key == column.id), None)
    if event != "update_column_value" or column is None or role not in _READ:
        return
    try:
        field, read = _READ[role]
        yield field, read(before, column), read(after, column)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadResponse(f"monday: board {shape.board} has a log entry on {column.id} that is no {column.type}: {error}") from error


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _label(value: Mapping[str, Any], column: Column) -> Json:
    label = value.get("label")
    return f"{column.field_id.replace('field:', 'status:', 1)}/{'' if label is None else int(label['index'])}"


def _day(value: Mapping[str, Any], column: Column) -> Json:
    said = value.get("to") if column.type == "timeline" else value.get("date")
    return date.fromisoformat(said[:10]).isoformat() if said else None


def _people(value: Mapping[str, Any], column: Column) -> Json:
    kinds = {"person": "identity", "team": "team"}
    return sorted(f"{kinds[each['kind']]}:{each['id']}" for each in value.get("personsAndTeams") or ())


Read = Callable[[Mapping[str, Any], Column], Json]
_READ: dict[str, tuple[str, Read]] = {
    "status": ("status_id", _label),
    "due": ("due_on", _day),
    "timeline": ("due_on", _day),
    "assignees": ("assignee_ids", _people),
}
