"""A caller of the pretend Asana for the tests: one world, one clock that is turned by hand, calls through ASGI."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from hub.sandbox import seed
from hub.sandbox.asana import app
from hub.sandbox.courier import Courier, Dispatcher, Parcel, Reply
from hub.sandbox.knobs import Knobs
from hub.sandbox.things import Tool
from hub.sandbox.world import Project, Task, World


@dataclass
class Caller:
    """``now``: the clock's seconds, moved by the tests. ``knobs`` may be turned at any time."""

    world: World = field(default_factory=lambda: seed.build(tasks=200))
    knobs: Knobs = field(default_factory=lambda: Knobs(limits=False))
    now: float = 1000.0
    courier: Courier | None = None

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(app(self.world, self.knobs, lambda: self.now, self.courier))
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

    async def send(self, method: str, path: str, data: Any = None, **query: str) -> httpx.Response:
        """A write with ``data`` as its body's data."""
        return await self.http.request(
            method, path, params=query, json=None if data is None else {"data": data}, headers={"authorization": self.token}
        )

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


class Box(Courier):
    """A courier whose customer is a function, and who makes a round when the test says so: no threads, no time."""

    def __init__(self, world: World, knobs: Knobs) -> None:
        super().__init__(world, knobs)
        self.room: Dispatcher | None = None
        self.sent: list[Parcel] = []
        self.later: list[Parcel] = []
        self.customer: Callable[[Parcel], Reply] = friendly

    def watch(self, tool: Tool, dispatcher: Dispatcher) -> None:
        self.room = dispatcher

    async def post(self, parcel: Parcel) -> Reply:
        self.sent.append(parcel)
        return self.customer(parcel)

    def send(self, parcel: Parcel) -> None:
        self.later.append(parcel)

    def round(self) -> list[Any]:
        """Delivers what lies here and what the world's changes make the vendor send; the bodies of it."""
        assert self.room is not None
        going = [*self.later, *self.room.parcels(self._world.journal[-1:])]
        self.later = []
        for parcel in going:
            self.sent.append(parcel)
            again = self.room.settled(parcel, self.customer(parcel))
            if again is not None:
                self.later.append(again)
        return [json.loads(parcel.body) for parcel in going]


def friendly(parcel: Parcel) -> Reply:
    secret = parcel.headers.get("X-Hook-Secret")
    return Reply(200, {"x-hook-secret": secret} if secret else {})


NAME = "hub.example"
TARGET = f"https://{NAME}/receivers/1/abc?x=2"


@dataclass
class Office:
    """The pretend Asana, with a courier whose customer is at hand."""

    asana: Caller = field(init=False)
    box: Box = field(init=False)

    def __post_init__(self) -> None:
        world, knobs = seed.build(tasks=120), Knobs(limits=False, hosts={NAME: 1})
        self.box = Box(world, knobs)
        self.asana = Caller(world, knobs, courier=self.box)

    async def hook(self, resource: str, *filters: dict[str, Any], target: str = TARGET) -> dict[str, Any]:
        answer = await self.order(resource, *filters, target=target)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()["data"]
        return made

    async def order(self, resource: str, *filters: dict[str, Any], target: str = TARGET) -> httpx.Response:
        return await self.asana.send("POST", "/webhooks", {"resource": resource, "target": target} | ({"filters": list(filters)} if filters else {}))

    async def listed(self, **query: Any) -> list[dict[str, Any]]:
        """Through both workspaces."""
        places = [row["gid"] for row in await self.asana.data("/workspaces")]
        return [row for place in places for row in await self.asana.data("/webhooks", workspace=place, limit=100, **query)]


def lines(bodies: list[Any]) -> list[tuple[str, str, str, str | None, str | None]]:
    """(action, type, gid, parent, field) of each event."""
    return [
        (
            each["action"],
            each["resource"]["resource_type"],
            each["resource"]["gid"],
            each["parent"] and each["parent"]["gid"],
            each.get("change", {}).get("field"),
        )
        for body in bodies
        for each in body["events"]
    ]
