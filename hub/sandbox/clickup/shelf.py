"""The tasks in the orders they are asked for. Sorted once for a state of the world, so that a page of 20,000 tasks costs a bisection and a slice."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hub.sandbox.clickup.atlas import Atlas, Place
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import Status, Task, World

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
DAY_STARTS = time(4)
"""A date without a time is stored as 04:00 in the zone of whoever set it (developer.clickup.com, tasks)."""
FINISHED = ("done", "closed")
ORDERS = {"id", "created", "updated", "due_date"}


def millis(moment: datetime) -> int:
    return (moment - EPOCH) // MILLISECOND


@dataclass(slots=True)
class Row:
    """One task the token can reach. Milliseconds since 1970; ``task.homes`` resolved to ``place``; ``status`` is the list's own object for it."""

    created: int
    updated: int
    due: int | None
    start: int | None
    done: int | None
    task: Task
    place: Place
    status: Status
    root: str | None

    def key(self, order: str) -> tuple[int | str, str]:
        """Sort key, smallest first; tasks without a due date come last in ascending order."""
        if order == "id":
            return (self.task.id, self.task.id)
        if order == "due_date":
            return (1 << 62 if self.due is None else self.due, self.task.id)
        return (self.created if order == "created" else self.updated, self.task.id)


@dataclass(slots=True, frozen=True)
class Sort:
    """What is read before any filter: whose tasks (a workspace or a list), which of them, in which order."""

    kind: str
    id: str
    order: str
    archived: bool
    subtasks: bool
    closed: bool
    also_elsewhere: bool


class Shelf:
    """The world's tasks as one state of it shows them."""

    def __init__(self, world: World, knobs: Knobs) -> None:
        self.atlas = Atlas(world, knobs)
        self.world = world
        self._tasks = world.tasks["clickup"]
        self._statuses = {project.id: {status.id: status for status in project.statuses} for project in self.atlas.projects.values()}
        self.zone = ZoneInfo(world.people["clickup"][world.me["clickup"]].timezone)
        self._days: dict[date, int] = {}
        self.rows: dict[str, Row] = {}
        self.children: dict[str, list[Row]] = defaultdict(list)
        self.blocks: dict[str, list[Task]] = defaultdict(list)
        self.open_tasks: Counter[str] = Counter()
        self._sorted: dict[Sort, tuple[list[Row], list[int | str]]] = {}
        for task in list(self._tasks.values()):  # a copy: the world may be changed by another thread
            self._shelve(task)

    def _shelve(self, task: Task) -> None:
        home = self.home(task)
        if task.deleted or home is None or task.created_at is None or task.updated_at is None:
            return
        place = self.atlas.places[home]
        if place.gone:
            return
        status = self._status(task, home)
        done = millis(task.completed_at) if task.completed_at and status.type in FINISHED else None
        row = Row(
            millis(task.created_at),
            millis(task.updated_at),
            self.instant(task.due),
            self.instant(task.start),
            done,
            task,
            place,
            status,
            self._root(task),
        )
        self.rows[task.id] = row
        if task.parent is not None:
            self.children[task.parent].append(row)
        elif status.type != "closed" and not task.archived:
            self.open_tasks[home] += 1
        for edge in task.depends_on:
            self.blocks[edge.task].append(task)

    def home(self, task: Task) -> str | None:
        """The list a task lives in; a subtask without one of its own lives in its parent's."""
        while not task.homes:
            if task.parent is None:
                return None
            task = self._tasks[task.parent]
        return task.homes[0][0]

    def _status(self, task: Task, home: str) -> Status:
        """The status, by its id in the home list. ClickUp has no blank status: a task without one is in the first."""
        known = self._statuses[home]
        return known[task.status] if task.status is not None else next(iter(known.values()))

    def _root(self, task: Task) -> str | None:
        root: str | None = None
        while task.parent is not None:
            root = task.parent
            task = self._tasks[root]
        return root

    def instant(self, moment: date | datetime | None) -> int | None:
        """Milliseconds of an instant, or of 04:00 of a date in the zone of the token's user."""
        if moment is None or isinstance(moment, datetime):
            return None if moment is None else millis(moment)
        if moment not in self._days:
            self._days[moment] = millis(datetime.combine(moment, DAY_STARTS, self.zone))
        return self._days[moment]

    def sorted_rows(self, sort: Sort) -> tuple[list[Row], list[int | str]]:
        """The rows in ascending order and, beside them, the values they are ordered by."""
        if sort not in self._sorted:
            keyed = sorted(((row.key(sort.order), row) for row in self._choose(sort)), key=lambda pair: pair[0])
            self._sorted[sort] = ([row for _, row in keyed], [key[0] for key, _ in keyed])
        return self._sorted[sort]

    def _choose(self, sort: Sort) -> list[Row]:
        belongs = self._belongs_to_team if sort.kind == "team" else self._belongs_to_list
        return [row for row in self.rows.values() if self._passes(row, sort) and belongs(row, sort)]

    @staticmethod
    def _passes(row: Row, sort: Sort) -> bool:
        """``archived`` looks at the task alone and is a switch: true gives only the archived ones."""
        wanted = row.task.archived is sort.archived and row.place.refused is None and not row.place.hidden
        return wanted and (sort.subtasks or row.task.parent is None) and (sort.closed or row.status.type != "closed")

    @staticmethod
    def _belongs_to_team(row: Row, sort: Sort) -> bool:
        """The workspace read silently leaves out whatever lies in an archived list, folder or space, also where archived tasks are asked for."""
        return row.place.workspace == sort.id and not row.place.archived

    @staticmethod
    def _belongs_to_list(row: Row, sort: Sort) -> bool:
        if row.place.id == sort.id:
            return True
        return sort.also_elsewhere and any(project == sort.id for project, _ in row.task.homes)


def between(rows: list[Row], values: list[int | str], low: int | None, high: int | None, *, inclusive: bool) -> list[Row]:
    """The rows whose sort value lies between two instants, by bisection."""
    after, before = (bisect_left, bisect_right) if inclusive else (bisect_right, bisect_left)
    start = 0 if low is None else after(values, low)
    end = len(values) if high is None else before(values, high)
    return rows[start:end]


class Shelves:
    """Hands out the shelf of the present state. A state is as old as the journal's length and the containers' and refusals' flags."""

    def __init__(self, world: World, knobs: Knobs, on_change: Callable[[], None]) -> None:
        self._world, self._knobs, self._on_change = world, knobs, on_change
        self._state: tuple[object, ...] | None = None
        self._read = len(world.journal)
        self._changes = 0
        self._shelf: Shelf | None = None

    def now(self) -> Shelf:
        state = self._look()
        if self._shelf is None or state != self._state:
            self._shelf, self._state = Shelf(self._world, self._knobs), state
            self._on_change()
        return self._shelf

    def _look(self) -> tuple[object, ...]:
        """Other tools' entries change nothing here; flags set by hand, without a journal entry, count too."""
        fresh = self._world.journal[self._read :]
        self._read += len(fresh)
        self._changes += any(entry.tool == "clickup" for entry in fresh)
        nodes = tuple((node.name, node.parent, node.archived, node.hidden, node.deleted) for node in self._world.nodes["clickup"].values())
        lists = tuple((one.name, one.node, one.archived, one.hidden, one.deleted) for one in self._world.projects["clickup"].values())
        return (self._changes, len(self._world.tasks["clickup"]), nodes, lists, tuple(self._knobs.refused.items()))
