"""What can happen in one tool's world, by name, for histories drawn at random. What the tool would refuse does not happen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from hub.sandbox.world import Project, Task, Tool, World


class Nothing(Exception):
    """There is nothing of that kind to choose from."""


class Office:
    """One tool's people at work. ``choose``: a number below the given one."""

    def __init__(self, world: World, tool: Tool, choose: Callable[[int], int]) -> None:
        self.world, self.tool, self._choose = world, tool, choose

    def one(self, among: Sequence[Any]) -> Any:
        if not among:
            raise Nothing
        return among[self._choose(len(among))]

    def happen(self, what: str) -> None:
        """Lets one thing happen; what the tool refuses does not."""
        with suppress(Nothing, ValueError):
            getattr(self, what)()

    # -- whom it happens to ----------------------------------------------------------------------------------------------------

    def projects(self, *, open_only: bool = True) -> list[Project]:
        return [
            each
            for each in self.world.projects[self.tool].values()
            if not each.deleted
            and each.kind in ("project", "board")
            and (not open_only or (self.world.sees_project(each) and not self.world.archived_above(each)))
        ]

    def tasks(self) -> list[Task]:
        """Live tasks in projects where somebody can work."""
        at_work = {each.id for each in self.projects()}
        return [
            each
            for each in self.world.tasks[self.tool].values()
            if not each.deleted and not each.archived and each.homes and self._board(each.homes[0][0]) in at_work
        ]

    def _board(self, project: str) -> str:
        return self.world.projects[self.tool][project].parent_board or project

    # -- tasks -------------------------------------------------------------------------------------------------------------------

    def create(self) -> None:
        self.world.create_task(self.tool, "A new one", self.one(self.projects()).id)

    def split(self) -> None:
        self.world.create_task(self.tool, "A part of it", parent=self.one([each for each in self.tasks() if each.parent is None]).id)

    def title(self) -> None:
        task = self.one(self.tasks())
        self.world.set_title(self.tool, task.id, f"{task.title[:40]} +")

    def due(self) -> None:
        task = self.one([each for each in self.tasks() if self.tool != "monday" or "due" in self._columns(each)])
        base: date | datetime = task.due or self.world.now.date()
        self.world.set_due(self.tool, task.id, base + timedelta(days=1 + self._choose(5)))

    def _columns(self, task: Task) -> Any:
        return self.world.projects[self.tool][task.homes[0][0]].columns

    def assign(self) -> None:
        self.world.assign(self.tool, self.one(self.tasks()).id, [self.one([key for key, who in self.world.people[self.tool].items() if who.active])])

    def status(self) -> None:
        task = self.one([each for each in self.tasks() if each.homes])
        project = self.world.projects[self.tool][task.homes[0][0]]
        if self.tool == "asana":
            self.world.move("asana", task.id, project.id, self.one(project.sections).id)
        elif project.hierarchy != "multi_level":
            self.world.set_status(self.tool, task.id, self.one(project.statuses).id)

    def finish(self) -> None:
        task = self.one([each for each in self.tasks() if self.world.projects[self.tool][each.homes[0][0]].hierarchy != "multi_level"])
        self.world.complete(self.tool, task.id)

    def reopen(self) -> None:
        task = self.one([each for each in self.tasks() if each.completed_at and not self._is_battery(each)])
        self.world.reopen(self.tool, task.id)

    def _is_battery(self, task: Task) -> bool:
        return self.world.projects[self.tool][task.homes[0][0]].hierarchy == "multi_level"

    def move(self) -> None:
        task = self.one([each for each in self.tasks() if each.parent is None])
        targets = self.projects() if self.tool != "monday" else [self.world.projects["monday"][task.homes[0][0]]]
        target = self.one([each for each in targets if self._near(each, task)])
        section = self.one(target.sections).id if target.sections else None
        self.world.move(self.tool, task.id, target.id, section)

    def share(self) -> None:
        task = self.one([each for each in self.tasks() if each.parent is None and len(each.homes) < 3])
        self.world.add_home(self.tool, task.id, self.one([each for each in self.projects() if self._near(each, task)]).id)

    def unshare(self) -> None:
        task = self.one([each for each in self.tasks() if len(each.homes) > 1])
        self.world.remove_home(self.tool, task.id, task.homes[-1][0])

    def _near(self, project: Project, task: Task) -> bool:
        """In the same workspace: tools share and move no further."""
        return self._root(project) == self._root(self.world.projects[self.tool][task.homes[0][0]])

    def _root(self, project: Project) -> str | None:
        return next((node.id for node in reversed(list(self.world.above(project)))), None)

    def reparent(self) -> None:
        task = self.one(self.tasks())
        above = [each.id for each in self.tasks() if each.id != task.id and self._near(self.world.projects[self.tool][each.homes[0][0]], task)]
        self.world.reparent(self.tool, task.id, self.one([None, *above]))

    def wait(self) -> None:
        task = self.one(self.tasks())
        homes = {home for home, _ in task.homes}
        others = [each for each in self.tasks() if each.id != task.id and homes & {home for home, _ in each.homes}]
        self.world.wait_for(self.tool, task.id, self.one(others).id)

    def wait_no_more(self) -> None:
        self.world.wait_for(self.tool, self.one([each for each in self.tasks() if each.depends_on]).id, None)

    def delete(self) -> None:
        self.world.delete_task(self.tool, self.one(self.tasks()).id)

    def restore(self) -> None:
        at_work = {each.id for each in self.projects()}
        gone = [
            each
            for each in self.world.tasks[self.tool].values()
            if (each.deleted or each.archived) and each.homes and self._board(each.homes[0][0]) in at_work and self._may_come_back(each)
        ]
        self.world.restore_task(self.tool, self.one(gone).id)

    def _may_come_back(self, task: Task) -> bool:
        """Not below something that is gone, and not waiting for it: a tool would have forgotten that."""
        tasks = self.world.tasks[self.tool]
        return not self._above_gone(task) and not any(tasks[edge.task].deleted for edge in task.depends_on)

    def _above_gone(self, task: Task) -> bool:
        parent = self.world.tasks[self.tool].get(task.parent or "")
        return parent is not None and (parent.deleted or parent.archived or self._above_gone(parent))

    def archive(self) -> None:
        self.world.archive_task(self.tool, self.one(self.tasks()).id)

    # -- containers ----------------------------------------------------------------------------------------------------------------

    def rename_project(self) -> None:
        project = self.one(self.projects())
        self.world.rename_project(self.tool, project.id, f"{project.name[:40]} +")

    def create_project(self) -> None:
        """Beside one that the token sees, and with something in it at once."""
        like = self.one([each for each in self.projects() if each.companion is None])
        made = self.world.create_project(self.tool, f"After {like.name[:40]}", like.id)
        self.world.create_task(self.tool, "The first one", made.id)

    def archive_project(self) -> None:
        project = self.one([each for each in self.projects(open_only=False) if self.world.sees_project(each)])
        self.world.archive_project(self.tool, project.id, not project.archived)

    def lose_access(self) -> None:
        self.world.hide_project(self.tool, self.one(self.projects()).id)

    def regain_access(self) -> None:
        self.world.unhide_project(self.tool, self.one([each for each in self.projects(open_only=False) if each.hidden]).id)

    def delete_project(self) -> None:
        found = self.projects()
        if len(found) > 2:
            self.world.delete_project(self.tool, self.one(found).id)

    def rename_status(self) -> None:
        project = self.one(self.projects())
        status = self.one(project.sections if self.tool == "asana" else project.statuses)
        self.world.rename_status(self.tool, project.id, status.id, f"{status.name[:40]} +")


TASKS = (
    *("create", "split", "title", "due", "assign", "status", "finish", "reopen", "move", "share", "unshare", "reparent"),
    *("wait", "wait_no_more", "delete", "restore", "archive"),
)
CONTAINERS = ("create_project", "rename_project", "archive_project", "lose_access", "regain_access", "delete_project", "rename_status")
