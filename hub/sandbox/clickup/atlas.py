"""Where everything lies: workspaces, spaces, folders and lists with what the token's user may see of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from hub.sandbox.clickup import errors
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import Node, Project, Status, World

Thing = TypeVar("Thing", Node, Project)
WORDS = {"workspace": "Team", "space": "Space", "folder": "Folder", "list": "List"}


@dataclass(slots=True)
class Place:
    """One container or list. ``above``: its ancestors, workspace first. ``archived``: it or anything above it is. ``refused``: its answer's code."""

    kind: str
    id: str
    above: tuple[Node, ...]
    gone: bool
    hidden: bool
    archived: bool
    refused: int | None

    @property
    def workspace(self) -> str:
        return self.above[0].id if self.above else self.id

    @property
    def space(self) -> Node:
        return self.above[1]

    @property
    def folder(self) -> Node | None:
        """The innermost folder; None for a list that lies directly in its space."""
        return self.above[-1] if self.above[-1].kind == "folder" else None

    @property
    def listed(self) -> bool:
        return not self.gone and not self.hidden

    def require(self) -> Place:
        """This place, or what the vendor answers when it is named by its id and may not be read."""
        if self.gone:
            raise errors.container_gone(WORDS[self.kind])
        if self.hidden:
            raise errors.not_authorized()
        if self.refused is not None:
            raise errors.refused(self.refused)
        return self


class Atlas:
    """A reading of the world's containers at one moment; made anew when they change."""

    def __init__(self, world: World, knobs: Knobs) -> None:
        self._refused = knobs.refused
        self.nodes = world.nodes["clickup"]
        self.projects = world.projects["clickup"]
        self.places: dict[str, Place] = {}
        self._below: dict[str | None, list[Node]] = defaultdict(list)
        self._lists: dict[str | None, list[Project]] = defaultdict(list)
        self.position: dict[str, int] = {}
        self._statuses: dict[str, list[Status]] = {}
        for node in list(self.nodes.values()):
            self.places[node.id] = self._place(node.kind, node, node.parent)
            self.position[node.id] = len(self._below[node.parent])
            self._below[node.parent].append(node)
        for project in list(self.projects.values()):
            self.places[project.id] = self._place("list", project, project.node)
            self.position[project.id] = len(self._lists[project.node])
            self._lists[project.node].append(project)
            self._note_statuses(project)

    def _note_statuses(self, project: Project) -> None:
        space = self.places[project.id].space.id
        if project.statuses and (space not in self._statuses or not is_own(self._statuses[space], space)):
            self._statuses[space] = project.statuses if is_own(project.statuses, space) else self._statuses.get(space, project.statuses)

    def statuses_of(self, space: str) -> list[Status]:
        """The space's own statuses: those that a list in it did not override; else its first list's; else the vendor's two."""
        default = [
            Status(f"p{space}_open", "to do", "open", "#87909e", 0, "unstarted"),
            Status(f"p{space}_end", "complete", "closed", "#008844", 1, "done"),
        ]
        return self._statuses.get(space, default)

    def _place(self, kind: str, thing: Node | Project, parent: str | None) -> Place:
        above: list[Node] = []
        while parent is not None:
            above.insert(0, self.nodes[parent])
            parent = above[0].parent
        chain: list[Node | Project] = [*above, thing]
        codes = [self._refused[link.id] for link in chain if link.id in self._refused]
        # kind "shared": a list shown to the user by itself although what is above it is hidden (GET /team/{id}/shared).
        hidden = thing.hidden or (any(node.hidden for node in above) and not is_shared(thing))
        gone = any(link.deleted for link in chain)
        return Place(kind, thing.id, tuple(above), gone, hidden, any(link.archived for link in chain), codes[0] if codes else None)

    def find(self, kind: str, identifier: str) -> Place:
        """The readable place of that kind, or the vendor's answer. An unknown workspace is one that the token is not open to."""
        place = self.places.get(identifier)
        if place is None or place.kind != kind:
            raise errors.not_authorized() if kind == "workspace" else errors.container_gone(WORDS[kind])
        return place.require()

    def workspaces(self) -> list[Node]:
        return self._seen(self._below[None])

    def spaces(self, workspace: str, archived: bool) -> list[Node]:
        return [node for node in self._seen(self._below[workspace]) if node.archived is archived]

    def folders(self, parent: str, archived: bool) -> list[Node]:
        """The folders of a space, those inside other folders among them, by each one's own flag: a live folder in an archived one is live."""
        found: list[Node] = []
        for node in self._seen(self._below[parent]):
            found += [node] if node.archived is archived else []
            found += self.folders(node.id, archived)
        return found

    def subfolders(self, folder: str) -> list[Node]:
        return self._seen(self._below[folder])

    def lists(self, parent: str, archived: bool) -> list[Project]:
        """The lists directly in a folder or space."""
        return [project for project in self._seen(self._lists[parent]) if project.archived is archived]

    def lists_within(self, place_id: str) -> list[Project]:
        """All visible lists at any depth under a container, archived ones too."""
        return [project for project in self.projects.values() if self.places[project.id].listed and self._is_within(project.id, place_id)]

    def shared(self, workspace: str) -> list[Project]:
        """Live lists that the user sees without seeing what is above them."""
        found = [project for project in self.projects.values() if is_shared(project) and self._is_within(project.id, workspace)]
        return [project for project in self._seen(found) if any(node.hidden for node in self.places[project.id].above)]

    def _is_within(self, identifier: str, container: str) -> bool:
        return identifier == container or any(node.id == container for node in self.places[identifier].above)

    def _seen(self, things: Iterable[Thing]) -> list[Thing]:
        return [thing for thing in things if self.places[thing.id].listed]


def is_own(statuses: list[Status], space: str) -> bool:
    """Whether these are the space's statuses and not a list's: their ids say where they were made."""
    return statuses[0].id.startswith(f"p{space}_")


def is_shared(thing: Node | Project) -> bool:
    return isinstance(thing, Project) and thing.kind == "shared"
