"""A caller of the pretend Asana for the tests: one world, one clock that is turned by hand, calls through ASGI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from hub.sandbox import seed
from hub.sandbox.asana import app
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import Project, Task, World


@dataclass
class Caller:
    """``now``: the clock's seconds, moved by the tests. ``knobs`` may be turned at any time."""

    world: World = field(default_factory=lambda: seed.build(tasks=200))
    knobs: Knobs = field(default_factory=lambda: Knobs(limits=False))
    now: float = 1000.0

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(app(self.world, self.knobs, lambda: self.now))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://asana.test")
        self.token = f"Bearer {self.world.tokens['asana']}"

    async def get(self, path: str, query: Mapping[str, Any] | None = None, **named: Any) -> httpx.Response:
        """A GET with ``query`` and ``named`` parameters (True and False as the vendor spells them)."""
        values = {**(query or {}), **named}
        params = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}
        return await self.http.get(path, params=params, headers={"authorization": self.token})

    async def data(self, path: str, query: Mapping[str, Any] | None = None, **named: Any) -> Any:
        """The ``data`` of a good answer."""
        answer = await self.get(path, query, **named)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def pages(self, path: str, **named: Any) -> list[list[dict[str, Any]]]:
        """Every page of a list, by the tokens it hands out."""
        found, offset = [], None
        while True:
            answer = await self.get(path, **named, **({"offset": offset} if offset else {}))
            assert answer.status_code == 200, answer.text
            found.append(answer.json()["data"])
            if answer.json()["next_page"] is None:
                return found
            offset = answer.json()["next_page"]["offset"]

    async def batch(self, *actions: Mapping[str, Any]) -> httpx.Response:
        return await self.http.post("/batch", json={"data": {"actions": actions}}, headers={"authorization": self.token})

    @property
    def projects(self) -> list[Project]:
        """Those that the token can see."""
        return [project for project in self.world.projects["asana"].values() if self.world.sees_project(project)]

    @property
    def tasks(self) -> list[Task]:
        """Those that are not deleted and in a visible project of their own."""
        seen = {project.id for project in self.projects}
        return [task for task in self.world.tasks["asana"].values() if not task.deleted and any(home in seen for home, _ in task.homes)]

    def largest(self) -> Project:
        return max(self.projects, key=lambda project: sum(task.homes[0][0] == project.id for task in self.tasks))

    def workspace(self) -> str:
        return next(node.id for node in self.world.nodes["asana"].values() if node.kind == "workspace")


def gids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["gid"] for row in rows]


def message(answer: httpx.Response) -> str:
    return str(answer.json()["errors"][0]["message"])
