"""The stage of a test: a pretend vendor on a socket of this machine, a client, virtual time, and as many connectors as a test wants."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module

import httpx

from connectors.base import Connector, Credential
from connectors.limiter import Lane, Limiter
from connectors.registry import build, connector_class
from hub.sandbox.knobs import Knobs
from hub.sandbox.middleware import App, Watched
from hub.sandbox.server import Sandbox
from hub.sandbox.world import Tool, World

AT_LEISURE = 30.0
"""Seconds of real time that a call may take where a test does not say otherwise."""


class VirtualTime:
    """A clock that only waiting moves, and not while a call is under way: the vendor counts a call at the moment at which it was sent."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))
        self.slept: list[float] = []
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    def clock(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    async def sleep(self, seconds: float) -> None:
        """Waiters that began together wake together."""
        self.slept.append(seconds)
        until = self.now + seconds
        await asyncio.sleep(0)
        await self._quiet.wait()
        self.now = max(self.now, until)

    def call_begins(self) -> None:
        self._under_way += 1
        self._quiet.clear()

    def call_ends(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._quiet.set()


@dataclass(frozen=True, slots=True)
class Sent:
    """One call as it left: when (virtual seconds), and what came back (status 0: nothing)."""

    at: float
    url: str
    status: int
    headers: Mapping[str, str]


Bend = Callable[[httpx.Request], httpx.Request]


class Wire(httpx.AsyncBaseTransport):
    """The way to the vendor: notes every call; ``bend`` may change a request on its way (a vendor that ignores a parameter)."""

    def __init__(self, virtual: VirtualTime) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self._time = virtual
        self.sent: list[Sent] = []
        self.bend: Bend | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        at, status, headers = self._time.now, 0, httpx.Headers()
        self._time.call_begins()
        try:
            response = await self._inner.handle_async_request(self.bend(request) if self.bend else request)
            status, headers = response.status_code, response.headers
        finally:
            self._time.call_ends()
            self.sent.append(Sent(at, str(request.url), status, headers))
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class Clocked(Sandbox):
    """A sandbox whose vendors keep virtual time."""

    def __init__(self, world: World, knobs: Knobs, clock: Callable[[], float]) -> None:
        super().__init__(world, knobs)
        self._clock = clock
        self._apps: dict[Tool, App] = {}

    def vendor(self, tool: Tool | None) -> App:
        if tool is None:
            return super().vendor(None)
        if tool not in self._apps:
            package = import_module(f"hub.sandbox.{tool}")
            app = package.app(self.world, self.knobs, clock=self._clock)
            self._apps[tool] = Watched(tool, app, self.world, self.knobs, self.log, package.error_body)
        return self._apps[tool]


@dataclass(slots=True)
class Stage:
    """``connector()`` gives a new one each time, as a new process would have it."""

    tool: Tool
    world: World
    knobs: Knobs
    sandbox: Sandbox
    time: VirtualTime
    wire: Wire
    client: httpx.AsyncClient
    token: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.token = self.world.tokens[self.tool]

    def connector(self, *, token: str | None = None, lanes: Mapping[str, Lane] | None = None) -> Connector:
        limiter = Limiter(lanes or connector_class(self.tool).lanes, clock=self.time.clock, sleep=self.time.sleep)
        return build(
            self.tool,
            Credential(token or self.token),
            base_url=self.sandbox.base_url(self.tool),
            options={},
            client=self.client,
            now=self.time.utc,
            limiter=limiter,
        )

    def statuses(self) -> list[int]:
        """The status of every call so far, in order."""
        return [one.status for one in self.wire.sent]


class Staging:
    """Opens a stage and takes it down again."""

    def __init__(self, tool: Tool, world: World, knobs: Knobs | None = None) -> None:
        self._tool, self._world, self._knobs = tool, world, knobs or Knobs()

    async def __aenter__(self) -> Stage:
        virtual = VirtualTime()
        self._sandbox = Clocked(self._world, self._knobs, virtual.clock).start()
        wire = Wire(virtual)
        self._client = httpx.AsyncClient(transport=wire, timeout=AT_LEISURE, headers={"Accept-Encoding": "gzip"})
        return Stage(self._tool, self._world, self._knobs, self._sandbox, virtual, wire, self._client)

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
        self._sandbox.stop()
