"""What can happen to the world: each change moves the clock on by a second, bumps ``updated_at`` as that vendor
does, and is one line (or more) of the journal.

Asana's ``modified_at`` does not move when a task changes its place (section, project, parent); monday's and ClickUp's do. Renaming, archiving or
hiding a container touches none of its tasks. A change that its vendor would refuse raises ``ValueError``; an unknown id raises ``KeyError``. Writing
the value that is already there does nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from hub.sandbox.meaning import clickup_category, monday_category
from hub.sandbox.things import Dependency, Entry, FieldDef, Person, Project, Section, Status, Task, Tool

Moment = date | datetime


class Changes:
    """The writing half of ``World``; the attributes are World's."""

    now: datetime
    projects: dict[Tool, dict[str, Project]]
    tasks: dict[Tool, dict[str, Task]]
    people: dict[Tool, dict[str, Person]]
    me: dict[Tool, str]
    fields: dict[Tool, dict[str, FieldDef]]
    journal: list[Entry]

    def advance(self, to: datetime) -> None:
        """Moves the clock to ``to`` (aware), never back."""
        self.now = max(self.now, to)

    # -- tasks ---------------------------------------------------------------------------------------------------------------

    def create_task(
        self, tool: Tool, title: str, project: str | None = None, section: str | None = None, parent: str | None = None, actor: str | None = None
    ) -> Task:
        """A new task at the top of ``project``, or below ``parent`` (then where that vendor puts
        subtasks). In Asana both may be None: a loose task."""
        homes: list[tuple[str, str | None]] = []
        if parent is not None:
            homes = self._homes_below(self.tasks[tool][parent])
        elif project is not None:
            homes = [(project, None if tool == "clickup" else section or self.projects[tool][project].sections[0].id)]
        elif tool != "asana":
            raise ValueError(f"a task in {tool} needs a project")
        self._tick()
        task = Task(
            tool, self._fresh_id(tool), title, parent=parent, homes=homes, created_at=self.now, updated_at=self.now, creator=actor or self.me[tool]
        )
        if tool == "clickup":
            task.status = self.projects[tool][task.homes[0][0]].statuses[0].id
        self.tasks[tool][task.id] = task
        self._note(tool, "created", "task", task.id, actor)
        return task

    def set_title(self, tool: Tool, task_id: str, title: str, actor: str | None = None) -> None:
        self._set(self.tasks[tool][task_id], "title", title, actor)

    def set_status(self, tool: Tool, task_id: str, status: str | None, actor: str | None = None) -> None:
        """Another status of the task's project (monday: None is blank). In Asana a status is a section: ``move`` and ``complete`` do that."""
        task = self.tasks[tool][task_id]
        if tool == "asana" or (status is None and tool == "clickup"):
            raise ValueError("Asana has sections and a tick-box, ClickUp always a status")
        chosen = None if status is None else next((one for one in self._statuses(task) if one.id == status), None)
        if status is not None and chosen is None:
            raise ValueError(f"status {status} does not exist in the project of task {task_id}")
        if self._set(task, "status", status, actor):
            done = chosen is not None and chosen.category == "done"
            task.completed_at = (task.completed_at or self.now) if done and tool == "clickup" else self.now if done else None

    def complete(self, tool: Tool, task_id: str, actor: str | None = None) -> None:
        """Asana's tick-box; elsewhere the project's first status that is done."""
        self._finish(tool, task_id, True, actor)

    def reopen(self, tool: Tool, task_id: str, actor: str | None = None) -> None:
        """Takes the tick back; elsewhere the project's first status that is not done."""
        self._finish(tool, task_id, False, actor)

    def set_due(self, tool: Tool, task_id: str, due: Moment | None, actor: str | None = None) -> None:
        """Sets or clears the due date; a start date moves along, and goes when the due date goes."""
        task = self.tasks[tool][task_id]
        timeline = False
        if tool == "monday":
            roles = self.projects[tool][task.homes[0][0]].columns
            timeline = "timeline" in roles
            if "due" not in roles and not timeline:
                raise ValueError(f"the board of item {task_id} has no column for a due date")
            if isinstance(due, datetime) and ("due" not in roles or task.kind == "milestone"):
                due = due.date()
        start = _start_for(task, due, timeline)
        if self._set(task, "due", due, actor):
            task.start = start

    def assign(self, tool: Tool, task_id: str, people: list[str], actor: str | None = None) -> None:
        """Replaces the assigned people (Asana: at most one)."""
        if tool == "asana" and len(people) > 1:
            raise ValueError("Asana has one assignee")
        self._set(self.tasks[tool][task_id], "assignees", list(people), actor)

    def set_priority(self, tool: Tool, task_id: str, priority: str | None, actor: str | None = None) -> None:
        """ClickUp's own priority; elsewhere it is a column or field."""
        if tool != "clickup":
            raise ValueError("only ClickUp has a priority of its own")
        self._set(self.tasks[tool][task_id], "priority", priority, actor)

    def set_value(self, tool: Tool, task_id: str, field_id: str, value: Any, actor: str | None = None) -> None:
        """Sets (or with None clears) a custom field, in the unified form that ``Task`` states."""
        task = self.tasks[tool][task_id]
        kept = {key: old for key, old in task.values.items() if key != field_id}
        self._set(task, "values", kept if value is None else kept | {field_id: value}, actor)

    def archive_task(self, tool: Tool, task_id: str, actor: str | None = None) -> None:
        """Archives a task with everything below it. Asana cannot."""
        if tool == "asana":
            raise ValueError("Asana archives projects, not tasks")
        for task in self.family(self.tasks[tool][task_id]):
            self._set(task, "archived", True, actor, "archived")

    def delete_task(self, tool: Tool, task_id: str, actor: str | None = None) -> None:
        """Deletes a task with everything below it; what depends on it or is related to it forgets it."""
        gone = {task.id for task in self.family(self.tasks[tool][task_id])}
        for key in gone:
            self._set(self.tasks[tool][key], "deleted", True, actor, "deleted")
        for task in self.tasks[tool].values():
            if task.deleted:
                continue
            if any(edge.task in gone for edge in task.depends_on):
                self._set(task, "depends_on", [edge for edge in task.depends_on if edge.task not in gone], actor)
            self._forget(task, gone, actor)

    def restore_task(self, tool: Tool, task_id: str, actor: str | None = None) -> None:
        """Takes a task back from the trash or the archive, with everything below it; what forgot it is not mended."""
        for task in self.family(self.tasks[tool][task_id]):
            self._set(task, "deleted", False, actor, "restored")
            self._set(task, "archived", False, actor, "restored")

    def wait_for(self, tool: Tool, task_id: str, other: str | None, actor: str | None = None) -> None:
        """Lets a task wait for another one, or with None for nothing any more. Not for itself, nor in a circle; on monday the board needs a column
        for it."""
        task = self.tasks[tool][task_id]
        if tool == "monday" and "dependency" not in self.projects[tool][task.homes[0][0]].columns:
            raise ValueError(f"the board of item {task_id} has no column for dependencies")
        if other is not None and task_id in self._ahead(tool, other):
            raise ValueError("a task cannot wait for itself")
        waits = [edge for edge in task.depends_on if edge.task != other]
        self._set(task, "depends_on", [] if other is None else [*waits, Dependency(other)], actor)

    def _ahead(self, tool: Tool, task_id: str) -> set[str]:
        """The task and all that it waits for."""
        found, queue = set[str](), [task_id]
        while queue:
            key = queue.pop()
            if key not in found:
                found.add(key)
                queue += [edge.task for edge in self.tasks[tool][key].depends_on]
        return found

    # -- places --------------------------------------------------------------------------------------------------------------

    def move(self, tool: Tool, task_id: str, project: str, section: str | None = None, actor: str | None = None) -> None:
        """Into another section of a project it is in, else to another project in place of its first one (ClickUp
        takes subtasks along; monday stays on its board)."""
        task, target = self.tasks[tool][task_id], self.projects[tool][project]
        if tool == "monday" and (task.homes[0][0] != project or task.parent):
            raise ValueError("an item moves between the groups of its own board only")
        if tool == "clickup":
            for member in self.family(task):
                self._to_list(member, target, actor)
            return
        place = (project, section or target.sections[0].id)
        at = next((index for index, (key, _) in enumerate(task.homes) if key == project), 0)
        self._set(task, "homes", [*task.homes[:at], place, *task.homes[at + 1 :]], actor, "moved", bump=tool != "asana")
        for child in self.family(task) if tool == "monday" else ():
            if child.homes[0][0] == project:
                child.homes = [place]

    def add_home(self, tool: Tool, task_id: str, project: str, section: str | None = None, actor: str | None = None) -> None:
        """One more project (ClickUp: list) for a task."""
        if tool == "monday":
            raise ValueError("an item is on one board")
        task, target = self.tasks[tool][task_id], self.projects[tool][project]
        if all(key != project for key, _ in task.homes):
            place = (project, None if tool == "clickup" else section or target.sections[0].id)
            self._set(task, "homes", [*task.homes, place], actor, "added", bump=tool != "asana")

    def remove_home(self, tool: Tool, task_id: str, project: str, actor: str | None = None) -> None:
        """One project less; ClickUp's home list and a monday board cannot be left this way."""
        task = self.tasks[tool][task_id]
        if tool == "monday" or (tool == "clickup" and task.homes[0][0] == project):
            raise ValueError("a task cannot leave its home")
        self._set(task, "homes", [home for home in task.homes if home[0] != project], actor, "removed", bump=tool != "asana")

    def reparent(self, tool: Tool, task_id: str, parent: str | None, actor: str | None = None) -> None:
        """Below another task (ClickUp: of the same list), or to the top. Not below itself, and not on monday."""
        task = self.tasks[tool][task_id]
        if tool == "monday":
            raise ValueError("subitems stay below their item")
        if parent is not None and any(member.id == parent for member in self.family(task)):
            raise ValueError("a task cannot be below itself")
        if parent is not None and tool == "clickup" and self.tasks[tool][parent].homes[0] != task.homes[0]:
            raise ValueError("ITEM_137: the parent is in another list")
        self._set(task, "parent", parent, actor, "moved", bump=tool != "asana")

    # -- containers ----------------------------------------------------------------------------------------------------------

    def create_project(self, tool: Tool, name: str, like: str, actor: str | None = None) -> Project:
        """A new project beside ``like``, set up as that one is (a monday board without one for subitems), and empty."""
        self._tick()
        old, key = self.projects[tool][like], self._fresh_id(tool, "project")
        made = replace(copy.deepcopy(old), id=key, name=name, description=None, owner=None, start=None, due=None, completed_at=None, companion=None)
        made.health = made.health_text = None
        made.private = made.archived = False
        made.created_at = made.updated_at = self.now
        if tool == "asana":
            made.sections = [Section(f"{key}{section.position}", section.name, section.position) for section in made.sections]
        if tool == "monday":  # a board's columns and labels are its own
            for field_id in [each for each in self.fields[tool] if each.startswith(f"{like}/")]:
                moved = copy.deepcopy(self.fields[tool][field_id])
                moved.id = field_id.replace(like, key, 1)
                self.fields[tool][moved.id] = moved
            made.fields = [each.replace(like, key, 1) for each in made.fields]
            for status in made.statuses:
                status.id = status.id.replace(like, key, 1)
        self.projects[tool][key] = made
        self._note(tool, "created", "project", key, actor)
        return made

    def rename_project(self, tool: Tool, project: str, name: str, actor: str | None = None) -> None:
        self._set_project(tool, project, "name", name, actor)

    def archive_project(self, tool: Tool, project: str, archived: bool = True, actor: str | None = None) -> None:
        """Archives (or brings back) a project; its tasks keep their own flags and dates."""
        self._set_project(tool, project, "archived", archived, actor)

    def hide_project(self, tool: Tool, project: str, hidden: bool = True, actor: str | None = None) -> None:
        """The token's user loses (or regains) sight of a project."""
        self._set_project(tool, project, "hidden", hidden, actor)

    def unhide_project(self, tool: Tool, project: str, actor: str | None = None) -> None:
        self.hide_project(tool, project, False, actor)

    def delete_project(self, tool: Tool, project: str, actor: str | None = None) -> None:
        """Deletes a project; tasks that are in another one too stay there, the rest go with it."""
        board = self.projects[tool][project]
        for task in list(self.tasks[tool].values()):
            if task.deleted or all(key not in (project, board.companion) for key, _ in task.homes):
                continue
            rest = [home for home in task.homes if home[0] not in (project, board.companion)]
            if rest and (tool == "asana" or task.homes[0][0] != project):
                self._set(task, "homes", rest, actor, "removed", bump=False)
            else:
                self.delete_task(tool, task.id, actor)
        self._set_project(tool, project, "deleted", True, actor)

    def rename_status(self, tool: Tool, project: str, status: str, name: str, actor: str | None = None) -> None:
        """Another name for a status (Asana: a section), and what that name then suggests. No task is touched."""
        place = self.projects[tool][project]
        found: Status | Section = next(one for one in (place.sections if tool == "asana" else place.statuses) if one.id == status)
        self._tick()
        self._note(tool, "changed", "section" if tool == "asana" else "status", status, actor, "name", found.name, name)
        found.name = name
        if isinstance(found, Status):
            found.category = clickup_category(name, found.type) if tool == "clickup" else monday_category(name, found.type)

    def family(self, task: Task) -> Iterator[Task]:
        """The task and everything below it, parents first."""
        children: dict[str, list[Task]] = {}
        for other in self.tasks[task.tool].values():
            if other.parent is not None:
                children.setdefault(other.parent, []).append(other)
        queue = [task]
        while queue:
            current = queue.pop(0)
            yield current
            queue += children.get(current.id, [])

    # -- how a change is made ------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self.now += timedelta(seconds=1)

    def _note(
        self, tool: Tool, action: str, kind: str, key: str, actor: str | None, field: str | None = None, before: Any = None, after: Any = None
    ) -> None:
        self.journal.append(Entry(self.now, tool, action, kind, key, actor or self.me[tool], field, before, after))

    def _set(self, task: Task, name: str, value: Any, actor: str | None, action: str = "changed", *, bump: bool = True) -> bool:
        before = getattr(task, name)
        if before == value and type(before) is type(value):
            return False
        self._tick()
        setattr(task, name, value)
        if bump:
            task.updated_at = self.now
        self._note(task.tool, action, "task", task.id, actor, name, before, value)
        return True

    def _set_project(self, tool: Tool, project: str, name: str, value: Any, actor: str | None) -> None:
        board = self.projects[tool][project]
        before = getattr(board, name)
        if before == value:
            return
        self._tick()
        setattr(board, name, value)
        board.updated_at = self.now
        companion = self.projects[tool].get(board.companion or "")
        if companion is not None:
            setattr(companion, name, f"Subitems of {value}" if name == "name" else value)
        self._note(tool, "changed", "project", project, actor, name, before, value)

    def _finish(self, tool: Tool, task_id: str, done: bool, actor: str | None) -> None:
        task = self.tasks[tool][task_id]
        if tool == "asana":
            if self._set(task, "completed", done, actor):
                task.completed_at = self.now if done else None
            return
        wanted = next((status.id for status in self._statuses(task) if (status.category == "done") == done), None)
        if wanted is None:
            raise ValueError(f"the project of task {task_id} has no such status")
        self.set_status(tool, task_id, wanted, actor)

    def _statuses(self, task: Task) -> list[Status]:
        return self.projects[task.tool][task.homes[0][0]].statuses

    def _fresh_id(self, tool: Tool, kind: str = "task") -> str:
        count = len(self.tasks[tool]) if kind == "task" else 500_000 + len(self.projects[tool])
        return str(1_300_000_000_000_000 + count) if tool == "asana" else str(2_900_000_000 + count) if tool == "monday" else f"87n{count:06d}"

    def _homes_below(self, parent: Task) -> list[tuple[str, str | None]]:
        if parent.tool == "asana":
            return []
        home = self.projects[parent.tool][parent.homes[0][0]]
        if parent.tool == "clickup" or home.hierarchy == "multi_level":
            if parent.tool == "monday":
                parent.status, parent.completed_at = None, None
            return [parent.homes[0]]
        if home.companion is None:
            raise ValueError("this board has no subitems")
        return [(home.companion, "topics")]

    def _to_list(self, task: Task, target: Project, actor: str | None) -> None:
        """ClickUp's move: the status of the same name, else the first; values of fields that the new list lacks are dropped."""
        old = next((status.name for status in self._statuses(task) if status.id == task.status), None)
        chosen = next((status for status in target.statuses if status.name == old), target.statuses[0])
        homes: list[tuple[str, str | None]] = [(target.id, None), *(home for home in task.homes[1:] if home[0] != target.id)]
        if self._set(task, "homes", homes, actor, "moved"):
            task.status = chosen.id
            task.completed_at = (task.completed_at or self.now) if chosen.category == "done" else None
            task.values = {key: value for key, value in task.values.items() if key in target.fields}

    def _forget(self, task: Task, gone: set[str], actor: str | None) -> None:
        for key, value in list(task.values.items()):
            if isinstance(value, list) and any(isinstance(item, str) and item in gone for item in value):
                self.set_value(task.tool, task.id, key, [item for item in value if item not in gone] or None, actor)


def _start_for(task: Task, due: Moment | None, timeline: bool) -> Moment | None:
    """Where the start goes when the due date goes to ``due``: a monday timeline always has both ends, a milestone's are the same day."""
    if due is None:
        return None
    day = due.date() if isinstance(due, datetime) else due
    if timeline:
        return (
            day if task.kind == "milestone" or task.start is None else min(day, task.start.date() if isinstance(task.start, datetime) else task.start)
        )
    if task.start is None:
        return None
    if type(task.start) is type(due) and task.start <= due:
        return task.start
    return due - timedelta(days=1)
