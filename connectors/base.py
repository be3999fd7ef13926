"""The Connector protocol: a credential in, unified records out. Knows nothing of the hub.

Reading. ``roots(scope)`` names the first slices. ``read(slice, cursor)`` yields the slice's pages; a page may open further slices (the container
walk opens one per project). The caller reads several slices at once (``capabilities.concurrency``), lower phases first, and hands back the
``cursor`` of the last page it kept to go on later. Everything that a slice needs to be read again in another process is in ``Slice.args`` (JSON).

The end of a list is said, never inferred: a page whose ``cursor`` is null completes its slice. An iterator
that ends otherwise is a short read, an error.

Mapping. A page holds raw items; ``map(item)`` is pure and turns one item into one record. The caller maps only the items whose digest changed. What
a mapping looks at besides the raw body (column roles, time zone) is in ``Item.context``; its ``version`` is part of the digest.

Keeping up. After one full reading, ``feeds(cadence)`` names slices that bring only what changed since. Where a feed stands is a *mark*: JSON under a
key that is stable for ever. Pages carry marks, and a mark is kept in the transaction of its page. A full reading brings the first mark of every feed
(taken before the tasks that it stands for are read, so that nothing falls between); a feed's pages move it. Re-reading the same stretch does no
harm: every vendor's lag is overlapped. The items of a feed have the very bodies and contexts that a full reading gives them, so that an unchanged
one has an unchanged digest.

Being told. Vendors' webhooks are hints: ``receive`` says which objects a call touched, and ``lookup`` or a feed then reads the truth.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, ClassVar, Protocol, TypeAlias

import orjson

from connectors.errors import ConnectorError
from connectors.http import Http, Lane
from connectors.oauth import OAuth
from connectors.records import Record, Ref

Json: TypeAlias = Any

STRUCTURE, LIVE, ARCHIVED = 0, 1, 2
"""Phases: containers, people and definitions; then live tasks; then archived ones."""


class Cadence(StrEnum):
    """Poll: edits and creations, the cheapest call there is. Structure: containers, archives, moves and those deletions that a vendor tells."""

    POLL = "poll"
    STRUCTURE = "structure"


@dataclass(frozen=True, slots=True)
class Slice:
    """The unit of reading and of resuming. ``key`` is stable from pass to pass; ``covers`` names the projects (or containers) whose tasks a
    complete read lists whole."""

    key: str
    label: str
    phase: int
    args: Mapping[str, Json] = field(default_factory=dict)
    covers: tuple[Ref, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """What a mapping needs besides the raw body. ``version`` changes whenever ``data`` would make a difference."""

    version: str
    data: Any


@dataclass(frozen=True, slots=True)
class Item:
    """One raw thing: ``id`` is its reference (``task:1204``), whose first word is the kind of record that it maps to.

    ``owner``: the reference of the item whose raw body yields the context again (``project:77``), for a replay without the vendor; null where
    ``context`` comes from the connector's own settings.
    """

    id: Ref
    raw: Mapping[str, Json]
    context: Context | None = None
    owner: Ref | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of one slice. ``cursor``: JSON to go on after this page, null when the slice is complete with it.

    ``refused``: containers that this page was to read and could not, with the reason; they are not covered by the slice. ``expected``: how many
    tasks the slice will bring in all, where that is known, for progress. ``describe``: items for what is described only inside tasks of this page (a
    status, a field), asked for with the references of the tasks that changed: unchanged ones have nothing new to say.

    ``marks``: where feeds stand after this page (null: that feed has ended). A full reading only adds marks that are lacking. ``gone``: what the
    vendor itself says was deleted (not: is absent). ``told``: when, and by whom, an item of this page changed last, where the vendor says it."""

    items: Sequence[Item]
    cursor: Json | None
    opens: Sequence[Slice] = ()
    refused: Mapping[Ref, ConnectorError] = field(default_factory=dict)
    expected: int | None = None
    describe: Callable[[frozenset[Ref]], Sequence[Item]] | None = None
    marks: Mapping[str, Json | None] = field(default_factory=dict)
    gone: frozenset[Ref] = frozenset()
    told: Mapping[Ref, Told] = field(default_factory=dict)
    fingerprint: bytes | None = None
    """What this page is known again by (see ``Sight``); null where it must be looked at every time."""
    again: bool = False
    """It brings what the page with this fingerprint brought in the last full reading: its items are left out."""


@dataclass(frozen=True, slots=True)
class Told:
    """A change as the vendor tells it: the instant (UTC), and the identity that made it, where it says so."""

    at: datetime
    actor: Ref | None = None


async def _nothing(refs: Sequence[Ref]) -> Mapping[Ref, Mapping[str, Json]]:
    return {}


def _never(piece: Slice, fingerprint: bytes) -> Mapping[str, Json] | None:
    return None


@dataclass(slots=True)
class Sight:
    """One answer, compared with the pages that the last full reading of the same slice brought: most of a full reading brings nothing new, and
    what is known by its bytes need not be parsed.

    ``place``: what decides besides the answer which items the page has (where a walk stands). ``found``: null, or {"cursor": the cursor behind that
    page}, where it is known and the hub still holds all that it brought just so.
    """

    known: Known
    piece: Slice
    place: Json = None
    fingerprint: bytes | None = None
    found: Mapping[str, Json] | None = None

    def of(self, answer: bytes) -> bool:
        """Whether the page is known; ``answer``: its bytes, less what differs from read to read."""
        self.fingerprint = sha256(orjson.dumps(self.place) + answer).digest()[:16]
        self.found = self.known.recognise(self.piece, self.fingerprint)
        return self.found is not None


@dataclass(frozen=True, slots=True)
class Known:
    """What the hub keeps from earlier readings. ``marks``: by feed. ``projects``: those whose tasks were read whole, and whether each was archived.
    ``recall``: the stored raw bodies of these references; those that are not kept are missing from the answer. ``recognise``: for ``Sight``."""

    marks: Mapping[str, Json] = field(default_factory=dict)
    projects: Mapping[Ref, bool] = field(default_factory=dict)
    recall: Callable[[Sequence[Ref]], Awaitable[Mapping[Ref, Mapping[str, Json]]]] = _nothing
    recognise: Callable[[Slice, bytes], Mapping[str, Json] | None] = _never


@dataclass(frozen=True, slots=True)
class Call:
    """An inbound HTTP call as it came: header names in lower case, the raw body, and the address that the vendor was given."""

    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hook:
    """A vendor webhook. ``key`` is stable: what it watches (``project/77``, ``board/5/create_item``). ``external_id``: the vendor's id of it, null
    while its registration is open. ``secret``: what its calls are signed with, null where the vendor signs nothing. ``healthy``: false where the
    vendor has suspended it."""

    key: str
    args: Mapping[str, Json] = field(default_factory=dict)
    external_id: str | None = None
    secret: str | None = field(default=None, repr=False)
    healthy: bool = True


@dataclass(frozen=True, slots=True)
class Received:
    """A genuine inbound call. ``touched``: what to look at again; tasks are read by id, any other reference asks for a structure run. The
    answer goes back at once: ``status``, ``headers``, ``body``. ``secret``: handed over by a handshake, to be kept with the hook whose
    registration is open. ``delivery``: the vendor's own id of this call, where it has one, so that a doubled one is known."""

    touched: tuple[Ref, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    secret: str | None = field(default=None, repr=False)
    delivery: str | None = None


class Forged(ValueError):
    """An inbound call that is not the vendor's: no or a wrong signature, a handshake that nobody asked for. ``status``: what to answer."""

    def __init__(self, reason: str, status: int = 403) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Workspace:
    external_id: str
    name: str
    kind: str = "workspace"


@dataclass(frozen=True, slots=True)
class Check:
    """Who the credential is and what it reaches. ``account`` is what a realm needs besides tool and base URL (monday's account id), else empty.

    ``limits``: words for an admin, such as ``{"calls a minute": 100}``. ``missing``: rights or plan features it lacks, each one sentence.
    """

    user_external_id: str
    user_name: str | None
    user_email: str | None
    account: str
    workspaces: tuple[Workspace, ...]
    plan: str | None = None
    limits: Mapping[str, str | int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """What an admin chose: workspaces to read (empty: all), and containers or projects to leave out (external ids)."""

    workspaces: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Looked:
    """The answer to a read by id: ``found`` (still there: the item as it is now), ``gone`` (the vendor says so), ``refused`` (no access)."""

    found: Mapping[Ref, Item]
    gone: frozenset[Ref]
    refused: frozenset[Ref]


@dataclass(frozen=True, slots=True)
class ChosenRole:
    """What a project's columns may be taken for: ``suggested`` by the connector ``because``; ``chosen`` by an admin (null: nobody; empty: no column);
    ``columns``: (id, title) of those that could."""

    key: str
    suggested: str | None
    because: str
    chosen: str | None
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RoleTable:
    """One set of columns: a project's own (``name`` null), or another one within it."""

    id: str
    name: str | None
    roles: Sequence[ChosenRole]


@dataclass(frozen=True, slots=True)
class Roles:
    """For a vendor whose columns mean what their users say. ``option`` holds an admin's choices: {table: {role: column, or empty for none}};
    ``tables``: the roles of a project, out of its stored raw body and the options."""

    option: str
    tables: Callable[[Mapping[str, Json], Mapping[str, Json]], Sequence[RoleTable]]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What differs between vendors, said as data: the hub asks this and never for a vendor's name.

    ``concurrency``: slices read at once. ``counts_children``: tasks carry ``child_count`` and ``children(ref)`` reads a parent's subtasks.
    ``lookup_batch``: ids that one call of ``lookup`` costs one request for. ``hooks``: it can be told by webhooks. ``lag``: seconds by which the
    vendor's searches and logs may trail its truth. ``roles``: where an admin may say what columns mean.
    """

    concurrency: int = 4
    counts_children: bool = False
    lookup_batch: int = 1
    hooks: bool = False
    lag: float = 0.0
    roles: Roles | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """An opened secret: held for the length of one run, never shown. kind: personal_token, oauth. ``budget``: what its calls are counted under where
    the token changes."""

    token: str = field(repr=False)
    kind: str = "personal_token"
    budget: str | None = None


class Connector(Protocol):
    """One account at one vendor. Built by ``registry.build``; ``options`` are the admin's mapping choices (JSON)."""

    tool: ClassVar[str]
    default_base_url: ClassVar[str]
    mapping_version: ClassVar[int]
    lanes: ClassVar[Mapping[str, Lane]]
    choices: ClassVar[Mapping[str, str]]
    """The options that an admin may set, and what each one says."""
    capabilities: Capabilities
    http: Http

    def __init__(self, http: Http, *, options: Mapping[str, Json], now: Callable[[], datetime]) -> None: ...

    @classmethod
    def http_headers(cls, credential: Credential) -> Mapping[str, str]:
        """The headers that authenticate every call."""
        ...

    @classmethod
    def oauth(cls, base_url: str) -> Mapping[str, OAuth]:
        """The ways in which a person can grant access without copying a token, by name, the usual one first."""
        ...

    @staticmethod
    def classify(status: int, headers: Mapping[str, str], body: Json) -> ConnectorError | None:
        """The vendor's first word on every answer, also on 200; ``body`` is null where it is not JSON. Null: what the status means in general."""
        ...

    async def check(self) -> Check:
        """Raises AuthFailed where the credential is no good."""
        ...

    async def discover(self) -> Sequence[Item]:
        """The container tree (containers and projects) for an admin to choose a scope from; no tasks."""
        ...

    def know(self, known: Known) -> None:
        """Tells what the hub keeps from earlier runs; called once, before anything is read."""
        ...

    def roots(self, scope: Scope) -> Sequence[Slice]: ...

    def feeds(self, cadence: Cadence, scope: Scope) -> Sequence[Slice]:
        """The slices that bring what changed since the marks that are known. They are read like any other; a page of theirs may open the full slices
        of a project that is new, was archived or came back, or whose feed has a hole (a stale token, an overfull log)."""
        ...

    def read(self, piece: Slice, cursor: Json | None) -> AsyncIterator[Page]: ...

    def children(self, parent: Ref) -> Slice:
        """The slice that reads the direct subtasks of one task; only where ``capabilities.counts_children``."""
        ...

    async def lookup(self, refs: Sequence[Ref]) -> Looked:
        """Reads tasks or projects by id: is it gone, or only no longer listed?"""
        ...

    def context(self, owner: Mapping[str, Json] | None) -> Context | None:
        """The mapping context from the owner's stored raw body, for replays."""
        ...

    def lean(self, item: Item) -> Mapping[str, Json]:
        """What of an item's raw body is worth storing; ``map`` reads it just as well as the whole."""
        ...

    def map(self, item: Item) -> Record:
        """Pure. Raises BadResponse naming the object where the raw body is not what the specification says."""
        ...

    # -- webhooks, where ``capabilities.hooks`` --------------------------------------------------------------------------------

    def hooks_wanted(self, scope: Scope) -> Sequence[Hook]:
        """The webhooks that should exist, from what is known (``Known.projects``): keys and arguments only."""
        ...

    async def hooks_held(self) -> Sequence[Hook]:
        """All that the vendor has of this credential; ``args['target']`` is the address that each one calls."""
        ...

    async def subscribe(self, hook: Hook, target: str) -> Hook:
        """Registers it. The vendor may call ``target`` before this returns; then the secret comes by that call and not here."""
        ...

    async def revive(self, hook: Hook, target: str) -> Hook:
        """Makes a suspended webhook work again, by whatever the vendor has for it (else by a new registration)."""
        ...

    async def unsubscribe(self, hook: Hook) -> None:
        """Removes it; one that is gone already is fine."""
        ...

    @classmethod
    def receive(cls, call: Call, hook: Hook, *, signing_secret: str | None, now: datetime) -> Received:
        """Verifies an inbound call on its raw bytes, in constant time, and says what it touched. Pure. ``signing_secret``: the app's own, where the
        vendor signs with that. Raises Forged."""
        ...
