"""What the token's user can see of the world, and where: standings, memberships, order. Indexes are kept until the world's journal grows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from hub.sandbox.asana.errors import Refusal, bad
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import FieldDef, Node, Person, Project, Section, Task, World

Standing = Literal["open", "hidden", "gone"]


class Tag(NamedTuple):
    id: str
    name: str


class UserTaskList(NamedTuple):
    """A person's "My tasks" in one workspace."""

    id: str
    owner: Person
    workspace: Node


def built_gid(*parts: str) -> str:
    """A 16-digit gid for something the world has no id for; the same for the same parts, apart from the seeds' ids by its first digits."""
    return str(19 * 10**14 + int.from_bytes(hashlib.blake2b("/".join(parts).encode(), digest_size=8).digest(), "big") % 10**14)


class View:
    """One world as its token's user sees it. Objects asked for by id raise what the vendor answers: 400, 403, 404 or the knob's refusal."""

    def __init__(self, world: World, knobs: Knobs) -> None:
        self.world = world
        self.knobs = knobs
        self._stamp: tuple[int, int, int, int] | None = None

    def refresh(self) -> bool:
        """Forgets the indexes if the world has changed since (then True); called once per request."""
        world = self.world
        tasks = world.tasks["asana"]
        stamp = (len(world.journal), len(tasks), len(world.projects["asana"]), len(world.nodes["asana"]))
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self.tasks, self.projects = tasks, world.projects["asana"]
        self.people, self.nodes, self.fields = world.people["asana"], world.nodes["asana"], world.fields["asana"]
        self._standing: dict[str, Standing] = {}
        self._ordered: dict[str, list[Task]] = {}
        self._members: dict[str, list[Task]] = {}
        self._children: dict[str, list[Task]] = {}
        self._by_creation: list[tuple[datetime, Task]] = []
        self._earlier: dict[tuple[str, str], list[tuple[int, Any]]] | None = None
        self._place = {section.id: (project, section) for project in self.projects.values() for section in project.sections}
        self.tags = {gid: Tag(gid, name) for gid, name in world.tags["asana"].items()}
        self.tag_by_name = {tag.name: tag for tag in self.tags.values()}
        for task in tasks.values():
            for home, _ in task.homes:
                self._members.setdefault(home, []).append(task)
            if task.parent is not None:
                self._children.setdefault(task.parent, []).append(task)
        return True

    @property
    def me(self) -> Person:
        return self.people[self.world.me["asana"]]

    @property
    def paid(self) -> bool:
        return self.world.plans["asana"] != "free"

    def need_paid(self) -> None:
        """402 on the free plan."""
        if not self.paid:
            raise Refusal(402)

    def horizon(self) -> datetime:
        """What happened after this is not yet known to searches, filters and event streams."""
        return self.world.now - timedelta(seconds=self.knobs.lag)

    # Standings: deleted things answer 404, hidden ones 403; a task is open through any home or through its parent.

    def node_standing(self, gid: str | None) -> Standing:
        while gid is not None and (node := self.nodes.get(gid)) is not None:
            if node.deleted:
                return "gone"
            if node.hidden:
                return "hidden"
            gid = node.parent
        return "open"

    def project_standing(self, project: Project) -> Standing:
        found = self._standing.get(project.id)
        if found is None:
            found = "gone" if project.deleted else "hidden" if project.hidden else self.node_standing(project.node)
            self._standing[project.id] = found
        return found

    def task_standing(self, task: Task) -> Standing:
        found = self._standing.get(task.id)
        if found is None:
            found = self._standing[task.id] = self._judge(task)
        return found

    def _judge(self, task: Task) -> Standing:
        if task.deleted:
            return "gone"
        ways = [self.project_standing(self.projects[home]) for home, _ in task.homes if home in self.projects]
        if task.parent is not None and task.parent in self.tasks:
            ways.append(self.task_standing(self.tasks[task.parent]))
        if not ways or "open" in ways:
            return "open"
        return "hidden" if "hidden" in ways else "gone"

    # Listings, in the vendor's order.

    def workspaces(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.kind == "workspace" and self.node_standing(node.id) == "open"]

    def teams(self, workspace: str) -> list[Node]:
        return [node for node in self.nodes.values() if node.kind == "team" and node.parent == workspace and self.node_standing(node.id) == "open"]

    def is_organization(self, workspace: Node) -> bool:
        return any(node.kind == "team" and node.parent == workspace.id for node in self.nodes.values())

    def open_projects(self) -> list[Project]:
        return [project for project in self.projects.values() if self.project_standing(project) == "open"]

    def sections(self, project: Project) -> list[Section]:
        return sorted((section for section in project.sections if not section.archived), key=lambda section: section.position)

    def members(self, project: Project) -> list[Task]:
        """The open tasks that are in the project themselves, in the order of its sections; subtasks only when they were added to it."""
        found = self._ordered.get(project.id)
        if found is None:
            position = {section.id: section.position for section in project.sections}

            def rank(task: Task) -> int:
                section = next(section for home, section in task.homes if home == project.id)
                return -1 if section is None else position.get(section, -1)

            members = [task for task in self._members.get(project.id, ()) if self.task_standing(task) == "open"]
            found = self._ordered[project.id] = sorted(members, key=rank)
        return found

    def children(self, task: Task) -> list[Task]:
        return [child for child in self._children.get(task.id, ()) if self.task_standing(child) == "open"]

    def homes(self, task: Task) -> list[tuple[Project, Section | None]]:
        """The memberships that the token's user may see: those of hidden and deleted projects are left out."""
        homes = []
        for home, section in task.homes:
            project = self.projects.get(home)
            if project is not None and self.project_standing(project) == "open":
                place = self._place.get(section) if section else None
                homes.append((project, place[1] if place else None))
        return homes

    def dependents(self, task: Task) -> Iterable[Task]:
        return (other for other in self.tasks.values() if not other.deleted and any(edge.task == task.id for edge in other.depends_on))

    # Where a thing belongs.

    def workspace_of_node(self, gid: str | None) -> Node:
        while gid is not None:
            node = self.nodes[gid]
            if node.kind == "workspace":
                return node
            gid = node.parent
        return next(node for node in self.nodes.values() if node.kind == "workspace")

    def workspace_of(self, task: Task) -> Node:
        """The workspace of its project, else of its parent, else the first one (a task in no project)."""
        for home, _ in task.homes:
            if home in self.projects:
                return self.workspace_of_node(self.projects[home].node)
        parent = self.tasks.get(task.parent) if task.parent is not None else None
        return self.workspace_of(parent) if parent is not None else self.workspace_of_node(None)

    def by_creation(self) -> list[tuple[datetime, Task]]:
        """Every task that has a creation time, oldest first: what a search looks through."""
        if not self._by_creation:
            dated = [(task.created_at, task) for task in self.tasks.values() if task.created_at is not None]
            self._by_creation = sorted(dated, key=lambda pair: pair[0])
        return self._by_creation

    def then(self, task: Task, name: str, place: int) -> Any:
        """What ``homes`` or ``parent`` of a task was right after line ``place`` of the journal."""
        if self._earlier is None:
            self._earlier = {}
            for line, entry in enumerate(self.world.journal):
                if entry.tool == "asana" and entry.field in ("homes", "parent"):
                    self._earlier.setdefault((entry.id, entry.field), []).append((line, entry.before))
        changes = self._earlier.get((task.id, name), ())
        return next((before for line, before in changes if line > place), getattr(task, name))

    def section_at(self, gid: str) -> Section:
        return self._place[gid][1]

    def project_of_section(self, section: Section) -> Project:
        return self._place[section.id][0]

    # By id, as the vendor answers it.

    def _check(self, what: str, gid: str, standing: Standing | None) -> None:
        code = self.knobs.refused.get(gid)
        if code is not None:
            raise Refusal(code)
        if not gid.isdigit():
            raise bad(f"{what}: Not a recognized ID: {gid}")
        if standing is None or standing == "gone":
            raise Refusal(404, f"{what}: Unknown object: {gid}")
        if standing == "hidden":
            raise Refusal(403, f"{what}: Forbidden: {gid}")

    def node(self, kind: str, gid: str) -> Node:
        node = self.nodes.get(gid)
        if node is None or node.kind != kind:
            node = None
        self._check(kind, gid, None if node is None else self.node_standing(gid))
        return self.nodes[gid]

    def workspace(self, gid: str) -> Node:
        return self.node("workspace", gid)

    def team(self, gid: str) -> Node:
        return self.node("team", gid)

    def project(self, gid: str) -> Project:
        project = self.projects.get(gid)
        self._check("project", gid, None if project is None else self.project_standing(project))
        return self.projects[gid]

    def section(self, gid: str) -> Section:
        place = self._place.get(gid)
        self._check("section", gid, None if place is None else self.project_standing(place[0]))
        project, section = self._place[gid]
        self.project(project.id)
        return section

    def task(self, gid: str) -> Task:
        task = self.tasks.get(gid)
        self._check("task", gid, None if task is None else self.task_standing(task))
        return self.tasks[gid]

    def tag(self, gid: str) -> Tag:
        self._check("tag", gid, "open" if gid in self.tags else None)
        return self.tags[gid]

    def field(self, gid: str) -> FieldDef:
        self.need_paid()
        self._check("custom_field", gid, "open" if gid in self.fields else None)
        return self.fields[gid]

    def user(self, gid: str) -> Person:
        """By gid, ``me`` or e-mail address."""
        if gid == "me":
            return self.me
        if "@" in gid:
            person = next((person for person in self.people.values() if person.email == gid), None)
            if person is None:
                raise Refusal(404, f"user: Unknown object: {gid}")
            return person
        self._check("user", gid, "open" if gid in self.people else None)
        return self.people[gid]

    def task_list(self, gid: str) -> UserTaskList:
        lists = (self.task_list_of(person, workspace) for person in self.people.values() for workspace in self.workspaces())
        found = next((each for each in lists if each.id == gid), None)
        self._check("user_task_list", gid, None if found is None else "open" if found.owner is self.me else "hidden")
        assert found is not None
        return found

    def task_list_of(self, person: Person, workspace: Node) -> UserTaskList:
        return UserTaskList(built_gid("user_task_list", person.id, workspace.id), person, workspace)
