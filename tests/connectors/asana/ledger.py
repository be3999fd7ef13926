"""What a hub keeps of a pretend Asana, in the plainest way: items, marks, whole projects; and the calls that each run costs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from connectors.asana import AsanaConnector
from connectors.base import Cadence, Credential, Item, Known, Page, Scope, Slice
from connectors.errors import ConnectorError
from connectors.http import Http
from connectors.limiter import Lane, Limiter
from connectors.records import Ref
from hub.sandbox import seed
from hub.sandbox.asana import app
from hub.sandbox.knobs import Knobs
from hub.sandbox.truth import expected_tasks
from hub.sandbox.world import Project, World
from tests.contract.reading import Caller, Notes
from tests.sandbox.asana_caller import Box

POLL, STRUCTURE = (Cadence.POLL,), (Cadence.STRUCTURE,)
BOTH = (Cadence.STRUCTURE, Cadence.POLL)


@dataclass
class Run:
    """What one run brought, and what it cost."""

    items: dict[Ref, Item] = field(default_factory=dict)
    gone: set[Ref] = field(default_factory=set)
    told: dict[Ref, Any] = field(default_factory=dict)
    refused: dict[Ref, ConnectorError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    slices: set[str] = field(default_factory=set)

    def refs(self, kind: str) -> set[str]:
        return {ref.partition(":")[2] for ref in self.items if ref.startswith(kind + ":")}


class Ledger:
    """One hub's books. ``full`` reads everything, ``run`` what changed; a new connector each time, as a new process has it.

    ``recalls``: whether the hub keeps raw bodies. The first marks of a feed are only added where they lack, its own pages move them.
    """

    def __init__(self, world: World | None = None, *, scope: Scope | None = None, recalls: bool = True, **plans: str) -> None:
        self.world = world or seed.build(seed=5, tasks=120, plans=dict(plans))  # type: ignore[arg-type]  # tool names
        self.knobs = Knobs(limits=False)
        self.scope = scope or Scope()
        self.now = 1000.0
        self.items: dict[Ref, Item] = {}
        self.marks: dict[str, Any] = {}
        self.projects: dict[Ref, bool] = {}
        self.recalls = recalls
        self.date: datetime | None = None
        self.calls: list[str] = []
        self.options: dict[str, Any] = {}
        self.box = Box(self.world, self.knobs)
        transport = httpx.ASGITransport(app(self.world, self.knobs, lambda: self.now, self.box))
        hooks: dict[str, list[Any]] = {"request": [self._note], "response": [self._dated]}
        self._client = httpx.AsyncClient(transport=transport, event_hooks=hooks)

    async def _note(self, request: httpx.Request) -> None:
        self.calls.append(f"{request.method} {request.url.path.removeprefix('/api/1.0')}")

    async def _dated(self, response: httpx.Response) -> None:
        if self.date is not None:
            response.headers["Date"] = self.date.strftime("%a, %d %b %Y %H:%M:%S GMT")

    def connector(self) -> AsanaConnector:
        headers = AsanaConnector.http_headers(Credential(self.world.tokens["asana"]))
        limiter = Limiter({name: Lane(1e6, 50) for name in AsanaConnector.lanes})
        http = Http(
            self._client, base_url="http://asana.test", headers=headers, classify=AsanaConnector.classify, limiter=limiter, hooks=AsanaConnector.hooks
        )
        connector = AsanaConnector(http, options=self.options, now=lambda: datetime(1999, 1, 1, tzinfo=UTC))
        connector.know(self.known())
        return connector

    def known(self) -> Known:
        async def recall(refs: Sequence[Ref]) -> Mapping[Ref, Mapping[str, Any]]:
            return {ref: self.items[ref].raw for ref in refs if self.recalls and ref in self.items}

        return Known(json.loads(json.dumps(self.marks)), dict(self.projects), recall)

    async def full(self) -> Run:
        connector = self.connector()
        return await self._read(connector, connector.roots(self.scope), feeds=set())

    async def run(self, cadences: Sequence[Cadence]) -> Run:
        connector = self.connector()
        pieces = [piece for cadence in cadences for piece in connector.feeds(cadence, self.scope)]
        return await self._read(connector, pieces, feeds={piece.key for piece in pieces})

    async def _read(self, connector: AsanaConnector, pieces: Sequence[Slice], feeds: set[str]) -> Run:
        run, begun = Run(), len(self.calls)

        def keep(piece: Slice, page: Page) -> None:
            json.dumps([page.cursor, dict(piece.args), dict(page.marks)])
            assert len(page.items) <= 1000
            self._move(page.marks, own=piece.key in feeds)
            run.items.update({item.id: item for item in page.items})
            run.gone |= page.gone
            run.told.update(page.told)
            run.refused.update(page.refused)
            run.slices.add(piece.key)
            if page.cursor is None:
                self.projects.update({ref: piece.phase == 2 for ref in piece.covers if ref not in page.refused})

        notes = Notes(items=dict(self.items))
        caller = Caller(connector, notes, tolerant=True, after_page=keep)
        for piece in pieces:
            notes.open(piece)
        if not pieces:
            return run
        await (caller.phase(99) if feeds else caller.everything())
        run.calls = self.calls[begun:]
        run.gone -= run.items.keys()
        self.items = {ref: item for ref, item in notes.items.items() if ref not in run.gone}
        return run

    def _move(self, marks: Mapping[str, Any], *, own: bool) -> None:
        for key, at in marks.items():
            if at is None:
                if own:
                    self.marks.pop(key, None)
            elif own or key not in self.marks:
                self.marks[key] = json.loads(json.dumps(at))

    async def stale(self) -> set[Ref]:
        """What another hub, which reads everything now, holds otherwise. Two things may be old until then: a parent's count of subtasks, and the text
        of a reference to something that was renamed, since neither is a change of the task that shows it."""
        other = Ledger(self.world, scope=self.scope)
        await other.full()
        kinds = ("task:", "project:", "section:", "status:", "identity:", "field:")
        held, true = ({ref: _shown(item) for ref, item in one.items.items() if ref.startswith(kinds)} for one in (self, other))
        return {ref for ref in held.keys() | true.keys() if held.get(ref) != true.get(ref)}

    # -- what tests look for ---------------------------------------------------------------------------------------------------

    def live(self) -> list[Project]:
        return [one for one in self.world.projects["asana"].values() if self.world.sees_project(one) and not one.archived]

    def workspaces(self) -> list[str]:
        return [node.id for node in self.world.nodes["asana"].values() if node.kind == "workspace"]

    def workspace_of(self, project: Project) -> str:
        return [node.id for node in self.world.above(project)][-1]

    def tasks_in(self, project: Project) -> list[str]:
        return [gid for gid, row in expected_tasks(self.world, "asana").items() if row["projects"] == [project.id]]

    def busiest(self) -> Project:
        return max(self.live(), key=lambda project: len(self.tasks_in(project)))


def _shown(item: Item) -> str:
    bare = {key: value for key, value in item.raw.items() if key != "num_subtasks"}
    if "custom_fields" in bare and item.id.startswith("task:"):
        bare["custom_fields"] = [value for value in bare["custom_fields"] if value["resource_subtype"] != "reference"]
    return json.dumps(bare)


def new_project(ledger: Ledger, name: str, node: str | None = None) -> Project:
    """Makes a project beside the first live one."""
    like, world = ledger.live()[0], ledger.world
    gid = str(1_990_000_000_000_000 + len(world.projects["asana"]))
    section = type(like.sections[0])(str(int(gid) + 500_000), "Erste Spalte ☂", 0)
    made = Project("asana", gid, name, node or like.node, created_at=world.now, updated_at=world.now, sections=[section])
    world.projects["asana"][gid] = made
    return made
