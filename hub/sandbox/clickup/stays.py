"""How long a task has been in each status: the only history that ClickUp gives.

It is told from the journal, and for what happened before that from the task's own dates: first in the list's first status, then in the present one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hub.sandbox.clickup import errors
from hub.sandbox.clickup.shelf import Row, Shelf, millis
from hub.sandbox.world import Status, World

FEWEST, MOST = 2, 100
"""Ids that the read of many takes."""
MINUTE = timedelta(minutes=1)


def of_one(world: World, shelf: Shelf, row: Row) -> dict[str, Any]:
    """Each status once, with all minutes in it and when it was entered last; the present one is among them, and beside them."""
    entered = _entered(world, shelf, row)
    minutes: dict[str, timedelta] = {}
    since: dict[str, datetime] = {}
    for (status, begin), end in zip(entered, [*(at for _, at in entered[1:]), world.now], strict=True):
        minutes[status.id] = minutes.get(status.id, timedelta()) + max(end - begin, timedelta())
        since[status.id] = begin
    statuses = {status.id: status for status, _ in entered}
    history = [
        {"status": one.name, "color": one.color, "type": one.type, "total_time": _total(minutes[key], since[key]), "orderindex": one.position}
        for key, one in statuses.items()
    ]
    now = entered[-1][0]
    return {
        "current_status": {"status": now.name, "color": now.color, "total_time": _total(minutes[now.id], since[now.id])},
        "status_history": history,
    }


def of_many(world: World, shelf: Shelf, ids: list[str]) -> dict[str, Any]:
    """By task id. What the vendor does with an id that cannot be read is not known: here it is left out."""
    if not FEWEST <= len(set(ids)) <= MOST:
        raise errors.bad_value("task_ids", f"{len(set(ids))} ids")
    rows = {key: shelf.rows[key] for key in ids if key in shelf.rows}
    seen = {key: row for key, row in rows.items() if row.place.listed and row.place.refused is None}
    return {key: of_one(world, shelf, row) for key, row in seen.items()}


def _entered(world: World, shelf: Shelf, row: Row) -> list[tuple[Status, datetime]]:
    """The statuses in the order of time, each with the instant at which the task came into it."""
    task, known = row.task, {one.id: one for one in shelf.atlas.projects[row.place.id].statuses}
    begun = task.created_at or world.now
    lines = [entry for entry in world.journal if entry.tool == "clickup" and entry.id == task.id and entry.field == "status"]
    steps = [(known[str(line.after)], line.at) for line in lines if line.after in known]
    first = known.get(str(lines[0].before)) if lines else None
    start = next(iter(known.values()))
    found = [(start, begun)]
    earlier = first or (row.status if not steps else None)
    if earlier is not None and earlier.id != start.id:
        changed = (task.completed_at if earlier.id == row.status.id else None) or begun + MINUTE
        found.append((earlier, max(changed, begun)))
    return found + steps


def _total(time: timedelta, since: datetime) -> dict[str, Any]:
    return {"by_minute": time // MINUTE, "since": str(millis(since))}
