"""What a change of the world makes ClickUp tell: the names of the events, and the bodies of their calls.

One edit is told several times: ``taskUpdated`` and the specific event, with one and the same history item. ``taskDeleted`` and the events of
lists have no history items. Whoever deletes a list takes its tasks along, and a task its subtasks, without an event for each: whether the vendor is
that terse is not known, but a client that counts on more would lose tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from hub.sandbox.clickup import people
from hub.sandbox.clickup.atlas import Atlas
from hub.sandbox.clickup.shelf import DAY_STARTS, millis
from hub.sandbox.clickup.tasks import priority_object, status_object
from hub.sandbox.world import Entry, Node, Task, World

THINGS = ("Created", "Updated", "Deleted")
TASKS = (
    *THINGS,
    "PriorityUpdated",
    "StatusUpdated",
    "AssigneeUpdated",
    "DueDateUpdated",
    "TagUpdated",
    "Moved",
    "CommentPosted",
    "CommentUpdated",
    "TimeEstimateUpdated",
    "TimeTrackedUpdated",
)
NAMES = frozenset(
    [*(f"task{name}" for name in TASKS), *(f"{thing}{name}" for thing in ("list", "folder", "space", "goal", "keyResult") for name in THINGS)]
)
"""Every event that can be asked for."""
SPECIFIC = {"status": "taskStatusUpdated", "due": "taskDueDateUpdated", "assignees": "taskAssigneeUpdated", "priority": "taskPriorityUpdated"}
FIELDS = {"title": "name", "due": "due_date", "values": "custom_field", "homes": "section_moved", "depends_on": "dependency"}
"""The vendor's word for a field, where it is not the world's."""
FIRST_ITEM = 4_200_000_000_000_000_000
HISTORY = 1
Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Telling:
    """One event, without the webhook that it goes to. ``place``: ids of the list (or folder, space) it is about and of all above it."""

    event: str
    key: str
    id: str
    place: tuple[str, ...]
    items: Sequence[Item] | None

    def body(self, webhook: str) -> Item:
        history = {} if self.items is None else {"history_items": list(self.items)}
        return {"event": self.event, **history, self.key: self.id, "webhook_id": webhook}


class Telegraph:
    """Reads journal lines. History items are numbered in the order of the lines."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._count = 0

    def tell(self, entries: Sequence[Entry], atlas: Atlas) -> list[Telling]:
        """The events of these lines, in their order; what the token's user cannot see is not told."""
        return [telling for entry in entries for telling in self._of(entry, atlas)]

    def _of(self, entry: Entry, atlas: Atlas) -> Iterator[Telling]:
        if entry.kind == "task" and entry.id in self._world.tasks["clickup"]:
            yield from self._task(entry, self._world.tasks["clickup"][entry.id], atlas)
        elif entry.kind == "project" and entry.field != "hidden":
            place = self._place(entry.id, atlas)
            if place is not None:
                what = "Deleted" if entry.field == "deleted" and entry.after else "Created" if entry.action == "created" else "Updated"
                yield Telling(f"list{what}", "list_id", entry.id, place, None)

    def _place(self, project: str, atlas: Atlas) -> tuple[str, ...] | None:
        place = atlas.places.get(project)
        return None if place is None or place.hidden else (project, *(node.id for node in place.above))

    def _task(self, entry: Entry, task: Task, atlas: Atlas) -> Iterator[Telling]:
        home = self._home(task)
        place = self._place(home, atlas)
        if place is None:
            return
        if entry.action == "deleted":
            if not self._taken_along(task, home, atlas):
                yield Telling("taskDeleted", "task_id", task.id, place, None)
            return
        items = self._items(entry, task, home, atlas)
        names = ["taskCreated", "taskStatusUpdated"] if entry.action == "created" else ["taskUpdated"]
        if entry.action == "moved" and entry.field == "homes":
            names.append("taskMoved")
        elif entry.field in SPECIFIC:
            names.append(SPECIFIC[entry.field])
        for name in names:
            yield Telling(name, "task_id", task.id, place, items)

    def _home(self, task: Task) -> str:
        while not task.homes:
            task = self._world.tasks["clickup"][task.parent or ""]
        return task.homes[0][0]

    def _taken_along(self, task: Task, home: str, atlas: Atlas) -> bool:
        parent = self._world.tasks["clickup"].get(task.parent or "")
        return atlas.places[home].gone or (parent is not None and parent.deleted)

    def _items(self, entry: Entry, task: Task, home: str, atlas: Atlas) -> list[Item]:
        if entry.action == "created":
            told: list[tuple[str, Any, Any, Item]] = [("status", self._status(None, home), self._status(task.status, home), {})]
        elif entry.field == "assignees":
            old, new = set(entry.before), set(entry.after)
            told = [("assignee_rem", people.user(self._world, one), None, {}) for one in sorted(old - new)]
            told += [("assignee_add", None, people.user(self._world, one), {}) for one in sorted(new - old)]
        else:
            told = [self._change(entry, home, atlas)]
        return [self._item(entry, home, *one) for one in told]

    def _item(self, entry: Entry, home: str, field: str, before: Any, after: Any, data: Item) -> Item:
        self._count += 1
        actor = entry.actor or self._world.me["clickup"]
        return {
            "id": str(FIRST_ITEM + self._count),
            "type": HISTORY,
            "date": str(millis(entry.at)),
            "field": field,
            "parent_id": home,
            "data": data,
            "source": None,
            "user": people.user(self._world, actor),
            "before": before,
            "after": after,
        }

    def _change(self, entry: Entry, home: str, atlas: Atlas) -> tuple[str, Any, Any, Item]:
        field = FIELDS.get(entry.field or "", entry.field or "")
        if entry.field == "status":
            return field, self._status(entry.before, home), self._status(entry.after, home), {"status_type": None}
        if entry.field == "priority":
            return field, priority_object(entry.before), priority_object(entry.after), {}
        if entry.field == "due":
            data = {"due_date_time": isinstance(entry.after, datetime), "old_due_date_time": isinstance(entry.before, datetime)}
            return field, self._day(entry.before), self._day(entry.after), data
        if entry.field == "homes":
            return field, self._list(entry.before, atlas), self._list(entry.after, atlas), {}
        if entry.field in ("values", "depends_on"):
            return field, None, None, {}  # what the vendor says here differs by type of field; nobody may build on it
        return field, entry.before, entry.after, {}

    def _status(self, status: str | None, home: str) -> Item:
        """Four keys; all null before a creation. A status that is none of this list's (any more) keeps its id alone."""
        known = {one.id: one for one in self._world.projects["clickup"][home].statuses}
        if status is None or status not in known:
            return dict.fromkeys(("status", "color", "orderindex", "type"))
        return {name: value for name, value in status_object(known[status]).items() if name != "id"}

    def _day(self, moment: date | datetime | None) -> str | None:
        if moment is None:
            return None
        zone = ZoneInfo(self._world.people["clickup"][self._world.me["clickup"]].timezone)
        return str(millis(moment if isinstance(moment, datetime) else datetime.combine(moment, time(DAY_STARTS.hour), zone)))

    def _list(self, homes: Sequence[tuple[str, str | None]], atlas: Atlas) -> Item:
        """Old words here: a folder is a category, a space a project."""
        project = atlas.projects[homes[0][0]]
        place = atlas.places[project.id]
        folder: Node | None = place.folder
        category = {"id": f"90{project.id}", "name": "hidden", "hidden": True} if folder is None else _named(folder) | {"hidden": False}
        return {"id": project.id, "name": project.name, "category": category, "project": {"id": place.space.id, "name": place.space.name}}


def _named(node: Node) -> Item:
    return {"id": node.id, "name": node.name}
