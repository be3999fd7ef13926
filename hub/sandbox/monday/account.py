"""The pretend account between calls: whose token it is, what that user sees, and the indexes over the world that reading needs.

Indexes are rebuilt when the world's journal has grown (or things were added by hand).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hub.sandbox.knobs import Knobs
from hub.sandbox.monday.columns import Column, columns_of
from hub.sandbox.monday.limits import Meter
from hub.sandbox.world import Node, Person, Project, Task, World

if TYPE_CHECKING:
    from hub.sandbox.monday.logs import Log

ID = "18234567"
SLUG = "nordhafen"
CURSOR_LIFE = 3600.0
"""A cursor lives an hour from the first page of its sequence (fact sheet, section 7)."""


@dataclass(slots=True)
class Sequence:
    """The pages of one ``items_page``: which items, in which order, since when. It is not widened by items that come later."""

    board: str
    ids: list[str]
    began: float


@dataclass(slots=True)
class Index:
    """``by_board``: all items of a board, ``children``: item ids by parent id, ``columns`` by board id."""

    stamp: tuple[int, ...]
    by_board: dict[str, list[Task]] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    columns: dict[str, list[Column]] = field(default_factory=dict)


class Account:
    """What the resolvers read. ``clock`` tells Unix time in seconds; the data's own clock is ``world.now``."""

    def __init__(self, world: World, knobs: Knobs, clock: Callable[[], float], log: Log) -> None:
        self.world, self.knobs, self.clock, self.log = world, knobs, clock, log
        self.meter = Meter(world.plans["monday"], knobs, clock)
        self.sequences: dict[str, Sequence] = {}
        self.pages = 0
        self._until_hidden = 0
        self.values: dict[str, tuple[Any, dict[str, dict[str, Any]]]] = {}
        self._index = Index((-1,))

    @property
    def me(self) -> Person:
        return self.world.people["monday"][self.world.me["monday"]]

    def index(self) -> Index:
        world = self.world
        stamp = (len(world.journal), len(world.tasks["monday"]), len(world.projects["monday"]), len(world.fields["monday"]))
        if stamp != self._index.stamp:
            fresh = Index(stamp)
            for task in world.tasks["monday"].values():
                if task.homes:
                    fresh.by_board.setdefault(task.homes[0][0], []).append(task)
                if task.parent:
                    fresh.children.setdefault(task.parent, []).append(task.id)
            self._index = fresh
            self.values.clear()
        return self._index

    def columns(self, project: Project) -> list[Column]:
        known = self.index().columns
        if project.id not in known:
            known[project.id] = columns_of(self.world, project)
        return known[project.id]

    def above(self, node: str | None) -> list[Node]:
        """The folder and workspace round something, from the inside out."""
        found = []
        while node is not None:
            found.append(self.world.nodes["monday"][node])
            node = found[-1].parent
        return found

    def sees(self, project: Project) -> bool:
        """Private boards and closed workspaces of others do not exist for the token; a refusal of 404 hides a board as well."""
        above = self.above(project.node)
        return not project.hidden and not any(node.hidden for node in above) and self.refusal(project) != 404

    def refusal(self, project: Project) -> int | None:
        """The status that the knobs have the board, its main board or a container of it answer with."""
        keys = [project.id, project.parent_board, *(node.id for node in self.above(project.node))]
        return next((self.knobs.refused[key] for key in keys if key in self.knobs.refused), None)

    def readable(self, project: Project) -> bool:
        return self.sees(project) and self.refusal(project) is None

    def state(self, project: Project) -> str:
        if project.deleted or any(node.deleted for node in self.above(project.node)):
            return "deleted"
        return "archived" if project.archived else "active"

    def item_state(self, task: Task) -> str:
        """The item's own state; what befalls a parent item befalls its subitems."""
        state = "active"
        current: Task | None = task
        while current is not None:
            if current.deleted:
                return "deleted"
            if current.archived:
                state = "archived"
            current = self.world.tasks["monday"].get(current.parent) if current.parent else None
        return state

    def board_of(self, task: Task) -> Project:
        return self.world.projects["monday"][task.homes[0][0]]

    def items_on(self, project: Project, *, nested: bool = True) -> list[Task]:
        """The board's active items. ``nested`` false: a multi-level board's top level only."""
        top_only = project.hierarchy == "multi_level" and not nested
        return [task for task in self.index().by_board.get(project.id, ()) if not (top_only and task.parent) and self.item_state(task) == "active"]

    def children(self, task: Task) -> list[Task]:
        """The item's active subitems."""
        tasks = self.world.tasks["monday"]
        return [tasks[key] for key in self.index().children.get(task.id, ()) if self.item_state(tasks[key]) == "active"]

    def is_parent(self, task: Task) -> bool:
        """Has it subitems at all, archived ones too."""
        tasks = self.world.tasks["monday"]
        return any(not tasks[key].deleted for key in self.index().children.get(task.id, ()))

    def skips_page(self) -> bool:
        """Counts an item page; is it the one that the knobs leave out (counted since they were set)?"""
        self.pages += 1
        hidden = self.knobs.hide_pages.get("monday")
        self._until_hidden = 0 if hidden is None else self._until_hidden + 1
        return hidden is not None and self._until_hidden == hidden

    def lagging(self) -> datetime:
        """Up to when searches and logs have caught up with the truth."""
        return datetime.fromtimestamp(self.world.now.timestamp() - self.knobs.lag, UTC) if self.knobs.lag else datetime.max.replace(tzinfo=UTC)

    def expired(self, sequence: Sequence) -> bool:
        life = CURSOR_LIFE if self.knobs.cursor_life is None else self.knobs.cursor_life
        return self.clock() - sequence.began >= life

    def open_sequence(self, sequence: Sequence) -> str:
        """Keeps a sequence and gives its key. Long dead ones are forgotten."""
        horizon = self.clock() - 2 * CURSOR_LIFE
        for key in [key for key, old in self.sequences.items() if old.began < horizon]:
            del self.sequences[key]
        key = f"{len(self.sequences):x}.{math.floor(sequence.began * 1000):x}.{self.pages:x}"
        self.sequences[key] = sequence
        return key


def second(moment: datetime | None) -> str | None:
    """An instant as items show it: ISO 8601, UTC, whole seconds, ``Z``."""
    return None if moment is None else moment.isoformat()[:19] + "Z"
