"""What a hub would keep of a connector's pages, and a pretend account to read: the marks move as ``connectors.base`` says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from connectors.base import Cadence, Credential, Item, Known, Page, Scope, Slice, Told
from connectors.errors import ConnectorError
from connectors.http import Http, Limiter
from connectors.monday import MondayConnector
from connectors.records import Ref, Task
from hub.sandbox.knobs import Knobs
from hub.sandbox.monday import app
from hub.sandbox.world import World
from tests.contract.reading import Caller


@dataclass(slots=True)
class Run:
    """What one run brought."""

    items: dict[Ref, Item] = field(default_factory=dict)
    gone: set[Ref] = field(default_factory=set)
    told: dict[Ref, Told] = field(default_factory=dict)
    refused: dict[Ref, ConnectorError] = field(default_factory=dict)
    opened: list[Slice] = field(default_factory=list)
    marks: dict[str, Any] = field(default_factory=dict)
    requests: int = 0


@dataclass(slots=True)
class Keeper:
    """Each run has a connector of its own, as a new process would. ``forgets``: raw bodies are not kept."""

    connect: Callable[[], MondayConnector]
    items: dict[Ref, Item] = field(default_factory=dict)
    marks: dict[str, Any] = field(default_factory=dict)
    projects: dict[Ref, bool] = field(default_factory=dict)
    forgets: bool = False

    async def recall(self, refs: Sequence[Ref]) -> Mapping[Ref, Mapping[str, Any]]:
        return {} if self.forgets else {ref: self.items[ref].raw for ref in refs if ref in self.items}

    def connector(self) -> MondayConnector:
        made = self.connect()
        made.know(Known(json.loads(json.dumps(self.marks)), dict(self.projects), self.recall))
        return made

    async def run(self, cadence: Cadence | None = None, scope: Scope | None = None) -> Run:
        """A full reading, or that of one cadence."""
        connector, found = self.connector(), Run()
        caller = Caller(connector, tolerant=True, after_page=lambda piece, page: self._keep(found, cadence, piece, page))
        for piece in connector.feeds(cadence, scope or Scope()) if cadence else connector.roots(scope or Scope()):
            caller.notes.open(piece)
        await caller.phase(99)
        found.requests = connector.http.requests
        return found

    async def full(self) -> Run:
        return await self.run()

    async def poll(self) -> Run:
        return await self.run(Cadence.POLL)

    async def structure(self) -> Run:
        return await self.run(Cadence.STRUCTURE)

    def _keep(self, found: Run, cadence: Cadence | None, piece: Slice, page: Page) -> None:
        found.items |= {item.id: item for item in page.items}
        found.gone |= page.gone
        found.told |= page.told
        found.refused |= page.refused
        found.opened += page.opens
        self.items |= {item.id: item for item in page.items}
        for ref in page.gone:
            self.items.pop(ref, None)
        for key, mark in page.marks.items():
            if (cadence is None or piece.covers) and key in self.marks:
                continue
            found.marks[key] = mark
            self.marks[key] = mark
            if mark is None:
                del self.marks[key]
        if page.cursor is None:
            self.projects |= {ref: self.items[ref].raw["state"] == "archived" for ref in piece.covers if ref not in page.refused}

    def task(self, key: str) -> Task:
        record = self.connect().map(self.items[f"task:{key}"])
        assert isinstance(record, Task)
        return record

    def tasks(self) -> set[str]:
        """Those held that are not archived themselves, of boards that are held."""
        held = (item for item in self.items.values() if item.id.startswith("task:") and item.raw["state"] == "active")
        return {item.id.partition(":")[2] for item in held if item.owner in self.items}


def sandboxed(world: World, knobs: Knobs) -> Callable[[], MondayConnector]:
    """Connectors of the pretend account, all on one server."""
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app(world, knobs)))

    def connect() -> MondayConnector:
        http = Http(
            client,
            base_url="http://monday.test",
            headers=MondayConnector.http_headers(Credential(world.tokens["monday"])),
            classify=MondayConnector.classify,
            limiter=Limiter(MondayConnector.lanes),
            hooks=MondayConnector.hooks,
        )
        return MondayConnector(http, options={}, now=lambda: datetime.now(UTC))

    return connect
