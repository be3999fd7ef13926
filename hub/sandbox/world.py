"""The pretend world: one organisation whose teams work in three tools. The single source of what the
pretend vendors show and of what a hub must hold.

The sandbox imports nothing of the hub or the connectors: it is an independent witness. Everything here is plain data with a vendor's external ids;
``things.py`` says what it is made of, ``changes.py`` what can happen to it, ``seed.py`` fills it deterministically, ``truth.py`` computes what a hub
should know of it, ``live.py`` changes it over time.

``start``/``due`` are a ``date`` (date only) or an aware UTC ``datetime``. Deleted things stay, flagged, so that a vendor can
answer "gone". Each write goes through a method of ``World`` (``changes.py``) which moves the clock on by a second, bumps
``updated_at`` as that vendor does and appends to ``journal``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from hub.sandbox.changes import Changes
from hub.sandbox.things import TOOLS, Dependency, Entry, FieldDef, Node, Person, Project, Section, Status, Task, Team, Tool

__all__ = ["TOOLS", "Dependency", "Entry", "FieldDef", "Node", "Person", "Project", "Section", "Status", "Task", "Team", "Tool", "World"]


@dataclass(slots=True)
class World(Changes):
    """Everything, by tool and id. ``now`` is the world's clock; ``me[tool]`` the token's user; ``tokens[tool]`` the one token that is accepted.

    ``plans[tool]``: asana free|paid; monday free|basic|standard|pro|enterprise; clickup free|unlimited|business|business_plus|enterprise.
    ``tags[tool]``: {tag id: name} (ClickUp's tags have no id: their name). monday's main workspace is the node ``main``. Asana's tasks without a
    project lie in the first workspace. Not every change bumps ``updated_at`` (Asana's moves do not), but every change appends to ``journal``: a
    cache is stale when ``len(journal)`` has grown.
    """

    seed: int
    now: datetime
    people: dict[Tool, dict[str, Person]]
    teams: dict[Tool, dict[str, Team]]
    nodes: dict[Tool, dict[str, Node]]
    projects: dict[Tool, dict[str, Project]]
    tasks: dict[Tool, dict[str, Task]]
    fields: dict[Tool, dict[str, FieldDef]]
    me: dict[Tool, str]
    tokens: dict[Tool, str]
    plans: dict[Tool, str]
    tags: dict[Tool, dict[str, str]] = field(default_factory=lambda: {tool: {} for tool in TOOLS})
    journal: list[Entry] = field(default_factory=list)

    def above(self, project: Project) -> Iterator[Node]:
        """The containers above a project, nearest first."""
        node = self.nodes[project.tool].get(project.node or "")
        while node is not None:
            yield node
            node = self.nodes[project.tool].get(node.parent or "")

    def sees_project(self, project: Project) -> bool:
        """Can the token's user list the project: neither it nor anything above it is hidden or deleted."""
        return not project.hidden and not project.deleted and not any(node.hidden or node.deleted for node in self.above(project))

    def archived_above(self, project: Project) -> bool:
        """Is the project archived, or any container above it."""
        return project.archived or any(node.archived for node in self.above(project))

    def url_of(self, task: Task) -> str:
        """The address of the task for people, as its vendor gives it."""
        if task.tool == "clickup":
            return f"https://app.clickup.com/t/{task.id}"
        if task.tool == "monday":
            return f"https://nordhafen.monday.com/boards/{task.homes[0][0]}/pulses/{task.id}"
        return f"https://app.asana.com/0/0/{task.id}"
