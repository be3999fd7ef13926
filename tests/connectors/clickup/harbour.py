"""A keeper of what a connector delivers, against the pretend ClickUp: what a hub does with pages and marks, without a database.

Every reading is done by a connector of its own, as another process would; the vendor's clock (``Date``) is turned by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import httpx
import orjson

from connectors.base import Cadence, Item, Json, Known, Page, Scope, Slice
from connectors.clickup import ClickUpConnector
from connectors.http import Http
from connectors.limiter import Limiter
from connectors.records import Ref, Task
from hub.sandbox import seed
from hub.sandbox.clickup.app import ClickUp, serve
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import Project, World
from hub.sandbox.world import Task as Thing
from tests.connectors.clickup.vendor import Clock, through_json

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
Digest = tuple[bytes, str]


class Wire(httpx.AsyncBaseTransport):
    """The way to the vendor: notes every call and dates every answer by ``now`` (Unix seconds; null: not at all). ``answers``: given before any
    of the vendor's own."""

    def __init__(self, world: World, knobs: Knobs) -> None:
        self.vendor = ClickUp(world, knobs)
        self._inner = httpx.ASGITransport(serve(self.vendor, world, knobs, lambda: self.now or 0.0))
        self.answers: dict[str, list[httpx.Response]] = {}
        self.now: float | None = NOW.timestamp()
        self.calls: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        if self.answers.get(request.url.path):
            return self.answers[request.url.path].pop(0)
        response = await self._inner.handle_async_request(request)
        if self.now is not None:
            response.headers["Date"] = formatdate(self.now, usegmt=True)
        return response


class Harbour:
    """``held``: items by reference. ``brought``: what the last reading changed, by reference. ``forgetful``: no bodies are kept for ``recall``."""

    def __init__(self, number: int = 2, tasks: int = 120, scope: Scope | None = None, *, forgetful: bool = False) -> None:
        self.world = seed.build(number, tasks)
        self.knobs = Knobs(limits=False)
        self.wire = Wire(self.world, self.knobs)
        self.scope = scope or Scope()
        self.forgetful = forgetful
        self.held: dict[Ref, Item] = {}
        self.marks: dict[str, Json] = {}
        self.keys: list[str] = []
        self.brought: set[Ref] = set()
        self.records: dict[Ref, Any] = {}

    @property
    def workspace(self) -> str:
        return next(node.id for node in self.world.nodes["clickup"].values() if node.kind == "workspace")

    @property
    def vendor(self) -> ClickUp:
        return self.wire.vendor

    def connector(self) -> ClickUpConnector:
        clock = Clock()
        limiter = Limiter(ClickUpConnector.lanes, clock=clock.read, sleep=clock.sleep)
        http = Http(
            httpx.AsyncClient(transport=self.wire),
            base_url="http://127.0.0.1",
            headers={"Authorization": self.world.tokens["clickup"]},
            classify=ClickUpConnector.classify,
            limiter=limiter,
            hooks=ClickUpConnector.hooks,
        )
        live = ClickUpConnector(http, options={}, now=lambda: NOW)
        live.know(Known(dict(self.marks), self.projects(), self.recall))
        return live

    async def recall(self, refs: Sequence[Ref]) -> Mapping[Ref, Mapping[str, Json]]:
        live = ClickUpConnector.lean
        kept = ("task:", "project:", "identity:")
        return {} if self.forgetful else {ref: live(_NOBODY, self.held[ref]) for ref in refs if ref in self.held and ref.startswith(kept)}

    def projects(self) -> dict[Ref, bool]:
        """The lists held, and whether each is archived, itself or by what it lies in."""
        return {ref: self._archived(item) for ref, item in self.held.items() if ref.startswith("project:")}

    def _archived(self, item: Item) -> bool:
        above = ClickUpConnector.map(_NOBODY, item)
        parent = getattr(above, "container_id", None) or getattr(above, "parent_id", None)
        return above.archived or (parent in self.held and self._archived(self.held[parent]))  # type: ignore[union-attr, no-any-return]

    async def full(self) -> None:
        live = self.connector()
        await self._read(live, live.roots(self.scope))

    async def poll(self) -> set[Ref]:
        """Reads the polls; what they changed of what is held."""
        return await self._feed(Cadence.POLL)

    async def structure(self) -> set[Ref]:
        return await self._feed(Cadence.STRUCTURE)

    async def _feed(self, cadence: Cadence) -> set[Ref]:
        live = self.connector()
        await self._read(live, live.feeds(cadence, self.scope))
        return self.brought

    async def _read(self, live: ClickUpConnector, pieces: Sequence[Slice]) -> None:
        self.brought, self.keys = set(), []
        self.wire.calls.clear()
        waiting = [through_json(piece) for piece in pieces]
        done: set[str] = set()
        while waiting:
            waiting.sort(key=lambda piece: piece.phase)
            piece = waiting.pop(0)
            if piece.key in done:
                continue
            done.add(piece.key)
            self.keys.append(piece.key)
            page: Page | None = None
            async for page in live.read(piece, None):
                self._keep(live, page)
                waiting += [through_json(one) for one in page.opens]
            assert page is not None
            assert page.cursor is None

    def _keep(self, live: ClickUpConnector, page: Page) -> None:
        changed = frozenset(item.id for item in page.items if digest(item) != digest(self.held.get(item.id)))
        described = page.describe(changed) if page.describe is not None and changed else ()
        for item in [*described, *page.items]:
            if digest(item) != digest(self.held.get(item.id)):
                self.brought.add(item.id)
                self.held[item.id] = item
                self.records[item.id] = live.map(item)
        self.marks |= orjson.loads(orjson.dumps(dict(page.marks)))

    # -- the world -------------------------------------------------------------------------------------------------------------

    def live_lists(self) -> list[Project]:
        found = [one for one in self.world.projects["clickup"].values() if self.world.sees_project(one) and not self.world.archived_above(one)]
        return [one for one in found if any(task.homes[0][0] == one.id and not task.deleted for task in self.world.tasks["clickup"].values())]

    def live_tasks(self) -> list[Thing]:
        live = {one.id for one in self.live_lists()}
        return [one for one in self.world.tasks["clickup"].values() if one.homes[0][0] in live and not one.deleted and not one.archived]

    def task(self, key: str) -> Task:
        record = self.records[f"task:{key}"]
        assert isinstance(record, Task)
        return record

    def asked(self) -> list[str]:
        return [request.url.path for request in self.wire.calls]


def digest(item: Item | None) -> Digest | None:
    """What makes a hub write: the raw body and the context's version."""
    return None if item is None else (orjson.dumps(item.raw), item.context.version if item.context else "")


def a_new_list(port: Harbour, node: str | None = None) -> Project:
    old = port.live_lists()[0]
    made = replace(old, id="990077", name="Breakwater", node=node or old.node, description=None, owner=None)
    port.world.projects["clickup"][made.id] = made
    return made


def bare(task: Any) -> bool:
    return task.parent is None and len(task.homes) == 1


_NOBODY: Any = None
"""``lean`` and ``map`` look at no connector."""


def usual(port: Harbour) -> Any:
    """A live task in a list with its own text field and several others in it."""
    fields = port.world.fields["clickup"]
    return next(
        one
        for one in port.live_tasks()
        if bare(one)
        and not one.archived
        and one.assignees != [port.world.me["clickup"]]
        and any(fields[key].vendor_type == "short_text" for key in port.world.projects["clickup"][one.homes[0][0]].fields)
        and sum(other.homes == one.homes and bare(other) for other in port.live_tasks()) > 1
    )
