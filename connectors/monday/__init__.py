"""monday.com: boards, groups and items of one account, read through the GraphQL API 2026-10.

Where what lives: ``documents`` the GraphQL texts and their charges, ``faults`` what an error means, ``client`` calls and paging, ``slices`` how
boards are packed into requests, ``reading`` pages and items, ``feeds`` what changed since (``watching`` the marks, ``polling`` with ``polls`` and
``logs`` the poll), ``webhooks`` being told, ``lookup`` reads by id, ``checking`` who the token is, ``board`` what a board's columns mean, ``fields``
and ``mapping`` raw -> records.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from connectors.base import STRUCTURE, Cadence, Capabilities, Chapter, Check, Context, Credential, Held, Item, Json, Known, Looked, Page, Scope, Slice
from connectors.calls import Call, Hook, Received
from connectors.columns import Roles
from connectors.errors import BadResponse, ConnectorError
from connectors.http import Http, Lane
from connectors.monday import checking, faults, feeds, mapping, oauth, past, reading, roles, webhooks
from connectors.monday import lookup as looking
from connectors.monday.board import context_of, require_roles
from connectors.monday.client import Client
from connectors.monday.documents import API_VERSION
from connectors.monday.polling import Poll
from connectors.monday.watching import Watched, watched
from connectors.oauth import OAuth
from connectors.records import Record, Ref

__all__ = ["MondayConnector"]


class MondayConnector:
    """One monday account. ``options["column_roles"][BOARD][ROLE] = COLUMN`` overrides what is suggested for a board's columns."""

    tool: ClassVar[str] = "monday"
    default_base_url: ClassVar[str] = "https://api.monday.com/v2"
    mapping_version: ClassVar[int] = 1
    choices: ClassVar[Mapping[str, str]] = {
        "column_roles": "{board id: {role: column id, or empty for none}}; roles: status, priority, due, start, timeline, assignees, estimate, "
        "logged, tags, dependency, progress",
    }
    lanes: ClassVar[Mapping[str, Lane]] = {"default": Lane(per_minute=1_000, at_once=10)}
    hooks: ClassVar[tuple[str, ...]] = webhooks.MUTATIONS
    capabilities = Capabilities(
        concurrency=3,
        counts_children=False,
        lookup_batch=100,
        hooks=True,
        tells_deletions=True,
        past=past.WORDS,
        roles=Roles(roles.OPTION, roles.tables),
    )

    def __init__(self, http: Http, *, options: Mapping[str, Json], now: Callable[[], datetime]) -> None:
        require_roles(options)
        self.http = http
        self._options = options
        self._client = Client(http)
        self._shapes = reading.Shapes(options)
        self._emitted: set[str] = set()
        self._now = now
        self._known = Known()
        self._watch: dict[str, Watched] = {}
        self._logs_from: datetime | None = None

    @classmethod
    def http_headers(cls, credential: Credential) -> Mapping[str, str]:
        """A personal token goes bare, an OAuth token with its scheme. The version is pinned: without it
        the vendor's current one moves every quarter."""
        token = f"Bearer {credential.token}" if credential.kind == "oauth" else credential.token
        return {"Authorization": token, "API-Version": API_VERSION}

    @staticmethod
    def classify(status: int, headers: Mapping[str, str], body: Any) -> ConnectorError | None:
        return faults.classify(status, headers, body)

    @classmethod
    def oauth(cls, base_url: str) -> Mapping[str, OAuth]:
        return oauth.flows(base_url)

    async def check(self) -> Check:
        return await checking.check(self._client)

    async def discover(self) -> Sequence[Item]:
        """All workspaces, folders and boards; the same bodies as the structure read gives."""
        found = await self._client.structure(full=False)
        return reading.Tree(found, Scope()).items()

    def know(self, known: Known) -> None:
        self._known = known
        self._watch = watched(known.marks)

    def roots(self, scope: Scope) -> Sequence[Slice]:
        args = {"workspaces": sorted(scope.workspaces), "excluded": sorted(scope.excluded)}
        return (Slice(key="structure", label="Workspaces, boards and people", phase=STRUCTURE, args=args),)

    def feeds(self, cadence: Cadence, scope: Scope) -> Sequence[Slice]:
        return feeds.feeds(cadence, scope, self._known)

    def read(self, piece: Slice, cursor: Json | None) -> AsyncIterator[Page]:
        if piece.phase == STRUCTURE:
            return feeds.structure(self._client, self._shapes, piece, self._known, self._watch, self._now())
        if feeds.FEED in piece.args:
            return Poll(self._client, self._shapes, self._known, self._watch, self._emitted, self._now).pages(piece, cursor)
        return reading.Batch(self._client, self._shapes, piece, self._emitted, self._known).pages(cursor)

    def children(self, parent: Ref) -> Slice:
        """Subitems come with their boards, so there is no such slice: see ``capabilities.counts_children``."""
        raise BadResponse(f"{parent}: monday's subitems are read with their board")

    async def lookup(self, refs: Sequence[Ref]) -> Looked:
        return await looking.lookup(self._client, self._shapes, refs, self._known)

    def context(self, owner: Mapping[str, Json] | None) -> Context | None:
        return None if owner is None else context_of(owner, self._options)

    def lean(self, item: Item) -> Mapping[str, Json]:
        """All of it: only fields that are stored were asked for."""
        return item.raw

    def map(self, item: Item) -> Record:
        return mapping.record(item)

    def chapters(self, held: Held, since: datetime) -> Sequence[Slice]:
        return past.chapters(held, since)

    async def past(self, piece: Slice) -> AsyncIterator[Chapter]:
        if self._logs_from is None:
            self._logs_from = self._now() - await past.kept_for(self._client)
        async for chapter in past.read(self._client, self._shapes, self._known, piece, self._logs_from):
            yield chapter

    def hooks_wanted(self, scope: Scope) -> Sequence[Hook]:
        return webhooks.wanted(self._known.projects, self._watch, scope.excluded)

    async def hooks_held(self) -> Sequence[Hook]:
        """Those on boards that are known. The vendor does not tell the address that one calls, so there is no ``target``."""
        return await webhooks.held(self._client, sorted(ref.partition(":")[2] for ref in self._known.projects))

    async def subscribe(self, hook: Hook, target: str) -> Hook:
        return await webhooks.subscribe(self._client, hook, target)

    async def revive(self, hook: Hook, target: str) -> Hook:
        return await webhooks.revive(self._client, hook, target)

    async def unsubscribe(self, hook: Hook) -> None:
        await webhooks.unsubscribe(self._client, hook)

    @classmethod
    def receive(cls, call: Call, hook: Hook, *, signing_secret: str | None, now: datetime) -> Received:
        return webhooks.receive(call, signing_secret=signing_secret, now=now)
