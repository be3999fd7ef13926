"""Asana: the connector's class. ``slices`` says what is read in which order, ``feeds`` what brings the changes, ``webhooks`` who tells of them;
``client`` says how, ``mapping`` what becomes of it.

``README.md``: the rights to grant, limits, and what is not read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from connectors.asana import account, client, feeds, mapping, oauth, slices, webhooks
from connectors.asana.options import Options
from connectors.base import Cadence, Capabilities, Chapter, Check, Context, Credential, Held, Item, Json, Known, Looked, Page, Scope, Slice
from connectors.calls import Call, Hook, Received
from connectors.errors import BadResponse, ConnectorError
from connectors.http import Http, Lane
from connectors.oauth import OAuth
from connectors.records import Record, Ref


class AsanaConnector:
    """One Asana token: everything that it may see, read-only. Options: ``status_field``, ``priority_field`` (see ``Options``)."""

    tool: ClassVar[str] = "asana"
    default_base_url: ClassVar[str] = "https://app.asana.com/api/1.0"
    mapping_version: ClassVar[int] = 1
    choices: ClassVar[Mapping[str, str]] = {
        "status_field": "{project gid: gid of the enum field that is its status}",
        "priority_field": "gid or name of the enum field that is the priority",
    }
    lanes: ClassVar[Mapping[str, Lane]] = client.LANES
    hooks: ClassVar[Sequence[str]] = ("/webhooks",)
    """Where it may send something besides reads."""
    # Twelve projects at once use up 1,500 calls a minute at an answer time of half a second.
    capabilities = Capabilities(concurrency=12, counts_children=True, hooks=True, tells_deletions=True)

    def __init__(self, http: Http, *, options: Mapping[str, Json], now: Callable[[], datetime]) -> None:
        self.http = http
        chosen = Options.of(options)
        self._client = client.Client(http)
        self._context = chosen.context()
        self._reader = slices.Reader(self._client, chosen)
        self._known = Known()
        self._feeds = feeds.Feeds(self._client, self._reader)

    @staticmethod
    def classify(status: int, headers: Mapping[str, str], body: Json) -> ConnectorError | None:
        return client.classify(status, headers, body)

    @classmethod
    def http_headers(cls, credential: Credential) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {credential.token}"}

    @classmethod
    def oauth(cls, base_url: str) -> Mapping[str, OAuth]:
        return oauth.flows(base_url)

    async def check(self) -> Check:
        return await account.check(self._client)

    async def discover(self) -> Sequence[Item]:
        return await account.discover(self._client)

    def know(self, known: Known) -> None:
        self._known = known
        self._feeds.know(known)

    def roots(self, scope: Scope) -> Sequence[Slice]:
        return slices.roots(scope)

    def feeds(self, cadence: Cadence, scope: Scope) -> Sequence[Slice]:
        return self._feeds.slices(cadence, scope)

    def read(self, piece: Slice, cursor: Json | None) -> AsyncIterator[Page]:
        return self._feeds.read(piece, cursor) if self._feeds.reads(piece) else self._reader.read(piece, cursor)

    def children(self, parent: Ref) -> Slice:
        return slices.children(parent.partition(":")[2])

    async def lookup(self, refs: Sequence[Ref]) -> Looked:
        return await account.lookup(self._client, refs, self._context)

    def context(self, owner: Mapping[str, Json] | None) -> Context | None:
        return self._context

    def lean(self, item: Item) -> Mapping[str, Json]:
        """All of it: only fields that are stored were asked for."""
        return item.raw

    def map(self, item: Item) -> Record:
        return mapping.record(item)

    def chapters(self, held: Held, since: datetime) -> Sequence[Slice]:
        """None: a task's stories cost one call each."""
        return ()

    def past(self, piece: Slice) -> AsyncIterator[Chapter]:
        raise BadResponse(f"{piece.label}: no books are read here")

    def hooks_wanted(self, scope: Scope) -> Sequence[Hook]:
        return webhooks.wanted_hooks(self._known, scope)

    async def hooks_held(self) -> Sequence[Hook]:
        return await webhooks.held(self._client)

    async def subscribe(self, hook: Hook, target: str) -> Hook:
        return await webhooks.subscribe(self._client, hook, target)

    async def revive(self, hook: Hook, target: str) -> Hook:
        return await webhooks.revive(self._client, hook, target)

    async def unsubscribe(self, hook: Hook) -> None:
        if hook.external_id:
            await self._client.unregister(hook.external_id)

    @classmethod
    def receive(cls, call: Call, hook: Hook, *, signing_secret: str | None, now: datetime) -> Received:
        """Each webhook has a secret of its own; ``signing_secret`` is not used, nor is the time: calls are not dated."""
        return webhooks.receive(call, hook)
