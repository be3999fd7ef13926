"""The fewest requests that the vendors' rules allow for keeping up, cadence by cadence: what a poll and a walk of the containers must ask once
certain lines of the journal were written. The rules are those of ``minimum.py``, and what each feed must read to know what it is to know.

``Since`` says what happened. A term that depends on it is at least what an ideal reader, who knows where everything stood, has to ask. Where sight of
a project was lost or regained that is: is it gone or closed (one read by id, no list says it), what of those tasks that lie elsewhere too is still in
it (each by id), and all that a project holds that is seen again (in Asana its subtasks parent by parent).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil

from connectors.monday.client import SMALLEST_BUDGET
from connectors.monday.documents import POLL_PAGES, poll_points
from hub.sandbox.asana.events import heard, told
from hub.sandbox.asana.view import View
from hub.sandbox.knobs import Knobs
from hub.sandbox.truth import expected_projects
from hub.sandbox.world import Entry, Project, Task, Tool, World
from tests.bench.minimum import ITEMS, PAGE, Terms, pages

OVERLAPPED = 2
"""Rows that a page of changes by time repeats from the one before, so that none is lost between."""


@dataclass(frozen=True, slots=True)
class Since:
    """The journal's lines from ``begin`` on, of one tool."""

    world: World
    tool: Tool
    begin: int

    @property
    def lines(self) -> list[Entry]:
        return [entry for entry in self.world.journal[self.begin :] if entry.tool == self.tool]

    def tasks(self) -> dict[str, Task]:
        return {entry.id: self.world.tasks[self.tool][entry.id] for entry in self.lines if entry.kind == "task"}

    def newer(self) -> list[Task]:
        """Those whose own clock the vendor moved."""
        first = self.lines[0].at if self.lines else self.world.now
        return [task for task in self.tasks().values() if not task.deleted and task.updated_at is not None and task.updated_at >= first]

    def _flipped(self, field: str) -> list[Project]:
        """Projects of which a flag is another one than it was."""
        flags = Counter(entry.id for entry in self.lines if entry.kind == "project" and entry.field == field)
        projects = self.world.projects[self.tool]
        return [projects[key] for key, times in flags.items() if times % 2]

    def turned(self) -> list[Project]:
        """Projects that were archived, or came back: whatever lies in them must be read again."""
        return [project for project in self._flipped("archived") if not project.deleted and not project.hidden]

    def regained(self) -> list[Project]:
        """Projects that are seen again, or for the first time."""
        projects = self.world.projects[self.tool]
        made = [projects[entry.id] for entry in self.lines if entry.kind == "project" and entry.action == "created"]
        new = [project for project in made if not project.hidden and not project.deleted]
        return new + [project for project in self._flipped("hidden") if not project.hidden and not project.deleted and project not in self.turned()]

    def lost(self) -> list[Project]:
        """Projects that no list shows any more."""
        return [project for project in self._flipped("hidden") if project.hidden]

    def inside(self, project: Project) -> int:
        return len(self._members(project))

    def _members(self, project: Project) -> list[Task]:
        tasks = self.world.tasks[self.tool].values()
        return [task for task in tasks if not task.deleted and any(home == project.id for home, _ in task.homes)]

    def shared(self, project: Project) -> int:
        """Tasks inside that can be read elsewhere."""
        projects = self.world.projects[self.tool]
        return sum(any(home != project.id and self.world.sees_project(projects[home]) for home, _ in task.homes) for task in self._members(project))

    def parents(self, project: Project) -> int:
        """Tasks, at any depth below the project, some of whose subtasks are in no project of their own."""
        below: dict[str, list[Task]] = {}
        for task in self.world.tasks[self.tool].values():
            if task.parent is not None and not task.deleted and not task.homes:
                below.setdefault(task.parent, []).append(task)
        found, left = 0, [task.id for task in self._members(project)]
        while left:
            children = below.get(left.pop(), [])
            found += bool(children)
            left += [child.id for child in children]
        return found


def searched(rows: int) -> int:
    return 1 + max(0, rows - 1) // (PAGE - OVERLAPPED)


def asana_poll(since: Since) -> Terms:
    world = since.world
    spaces = {_root(world, project): 0 for project in world.projects["asana"].values() if world.sees_project(project)}
    for task in since.newer():
        spaces[_space(world, task, next(iter(spaces)))] += 1
    return {"a search of each workspace, and more of those with many changes": sum(searched(rows) for rows in spaces.values())}


def _space(world: World, task: Task, otherwise: str) -> str:
    current: Task | None = task
    while current is not None:
        if current.homes:
            return _root(world, world.projects["asana"][current.homes[0][0]])
        current = world.tasks["asana"].get(current.parent or "")
    return otherwise


def _root(world: World, project: Project) -> str:
    return [node.id for node in world.above(project)][-1]


def asana_structure(since: Since) -> Terms:
    """After a poll of the same changes."""
    world = since.world
    view = View(world, Knobs())
    view.refresh()
    projects = expected_projects(world, "asana")
    live = {key for key, row in projects.items() if not row["archived"]}
    events, last, sections = Counter[str](), dict[str, Entry](), set[str]()
    for place in range(since.begin, len(world.journal)):
        for key in heard(view, place) & live:
            events[key] += len(list(told(view, place)))
            entry = world.journal[place]
            if entry.kind == "section":
                sections.add(key)
            elif entry.kind == "task":
                last[entry.id] = entry
    moved = [key for key, entry in last.items() if not world.tasks["asana"][key].deleted and not _polled(world.tasks["asana"][key], entry)]
    spaces = Counter(_root(world, world.projects["asana"][key]) for key in projects)
    return {
        "workspaces": 1,
        "custom field definitions": len(spaces) * pages(len(world.fields["asana"])),
        "projects": sum(pages(count) for count in spaces.values()),
        "events of live projects": sum(pages(events[key]) for key in live),
        "tasks that only events tell of, one by one": len(moved),
        "sections of projects where one changed": len(sections),
        "projects that were archived or came back": sum(1 + pages(since.inside(one)) + (not one.archived) for one in since.turned()),
        "projects that are seen again, or new": sum(
            1 + pages(since.inside(one)) + (not one.archived) + since.parents(one) for one in since.regained()
        ),
        "projects that are seen no more, and their tasks elsewhere": sum(1 + since.shared(one) for one in since.lost()),
    }


def _polled(task: Task, last: Entry) -> bool:
    return task.updated_at is not None and task.updated_at >= last.at


def clickup_poll(since: Since) -> Terms:
    halves = Counter(task.archived for task in since.newer())
    return {
        f"{name} tasks by their last change": max(1, ceil((halves[flag] - 1) / (PAGE - 1))) for flag, name in ((False, "live"), (True, "archived"))
    }


def clickup_structure(since: Since) -> Terms:
    nodes = [node for node in since.world.nodes["clickup"].values() if not node.hidden and not node.deleted]
    count = Counter(node.kind for node in nodes)
    lists = since.turned()
    back = [one for one in (*lists, *since.regained()) if not one.archived]
    return {
        "user and workspaces": 2,
        "groups, shared, spaces live and archived": 4 * count["workspace"],
        "folders and lists of each space, live and archived": 4 * count["space"],
        "archived lists of each folder": count["folder"],
        "lists that were archived, live and archived": sum(2 * pages(since.inside(one)) for one in lists if one.archived),
        "lists that came back, are seen again, or new": 2 * pages(sum(since.inside(one) for one in back)) if back else 0,
        "lists that are seen no more, and their tasks elsewhere": sum(1 + since.shared(one) for one in since.lost()),
    }


MONDAY_BOARDS, MONDAY_IDS, FORMULAS = 500, 100, 5
FAR_MORE = 12
"""Boards whose further pages one request takes."""


def _cut_short(since: Since, boards: int) -> tuple[int, int]:
    """How many boards have more entries, and how many more changed items, than a request over all boards can bring: its charge is capped."""
    entries, items = next((sizes for sizes in POLL_PAGES if poll_points([False] * boards, sizes) <= SMALLEST_BUDGET), POLL_PAGES[-1])
    tasks = since.world.tasks["monday"]
    logs = Counter(tasks[entry.id].homes[0][0] for entry in since.lines if entry.kind == "task")
    changed = Counter(task.homes[0][0] for task in since.tasks().values() if not task.deleted and not task.archived)
    return sum(lines > entries for lines in logs.values()), sum(rows > items for rows in changed.values())


def monday_poll(since: Since) -> Terms:
    """A move on a multi-level board takes along those below without a word: which they are must be asked."""
    world = since.world
    boards = [one for one in world.projects["monday"].values() if world.sees_project(one) and one.kind in ("project", "board", "companion")]
    changed = {entry.id.partition("/")[0] for entry in since.lines if entry.kind in ("project", "status")}
    computed = Counter(task.homes[0][0] for task in since.tasks().values() if _formulas(world, task.homes[0][0]) and not task.deleted)
    gone = [task for task in since.tasks().values() if task.deleted or task.archived]
    longer, more = _cut_short(since, len(boards))
    moved = {entry.id for entry in since.lines if entry.action == "moved" and _is_deep(world, entry.id)}
    return {
        "boards": ceil(len(boards) / MONDAY_BOARDS),
        "boards that changed themselves": ceil(len(changed) / MONDAY_IDS),
        "items by id, where columns are computed or the list shows them no more": max(
            ceil((sum(computed.values()) + len(gone)) / MONDAY_IDS), ceil(sum(_formulas(world, board) for board in computed) / FORMULAS)
        ),
        "boards that were archived or came back": pages(len(since.turned()), 25) if since.turned() else 0,
        "logs that are longer than a request over all boards may bring": ceil(longer / 50),
        "further changed items of boards with more than that": ceil(more / FAR_MORE),
        "those below items that were moved on multi-level boards": ceil(len(moved) / MONDAY_IDS),
    }


def _is_deep(world: World, task: str) -> bool:
    return world.projects["monday"][world.tasks["monday"][task].homes[0][0]].hierarchy == "multi_level"


def _formulas(world: World, board: str) -> int:
    return sum(world.fields["monday"][key].type == "formula" for key in world.projects["monday"][board].fields)


def monday_structure(since: Since) -> Terms:
    """Two pages of every list a call; most pages has the list of boards."""
    world = since.world
    boards = sum(world.sees_project(one) for one in world.projects["monday"].values())
    seen_again = since.regained()
    return {
        "account, workspaces, folders, users, boards": ceil((pages(boards, ITEMS) + 1) / 2),
        "boards that are seen again, or new": pages(len(seen_again), 25) if seen_again else 0,
    }


POLL = {"asana": asana_poll, "clickup": clickup_poll, "monday": monday_poll}
STRUCTURE = {"asana": asana_structure, "clickup": clickup_structure, "monday": monday_structure}
