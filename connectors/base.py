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
harm: every vendor's lag is overlapped. What is stored of a feed's items (``lean``) and their contexts are as a full reading gives them, so that an
unchanged one has an unchanged digest.

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

from connectors.calls import Call, Hook, Received
from connectors.columns import Roles
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


@dataclass(frozen=True, slots=True)
class Past:
    """A change of a task from before the hub watched it, out of the vendor's own books. ``field``: one of the record's; people and a status by their
    references, or a status by its name where the books say no more (``named``). ``exact``: the task really went from ``old`` to ``new`` then; else it
    was ``new`` from then on, and may have been other things between."""

    task: Ref
    field: str
    old: Json
    new: Json
    told: Told
    exact: bool = True
    named: bool = False


@dataclass(frozen=True, slots=True)
class Chapter:
    """One answer out of the vendor's books. ``whole_from``: everything that happened to these tasks since then is told; null where the books are
    never whole."""

    changes: Sequence[Past]
    whole_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What the hub holds and may be told the past of: the boards or projects, and the tasks."""

    projects: Sequence[Ref]
    tasks: Sequence[Ref]


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
class Capabilities:
    """What differs between vendors, said as data: the hub asks this and never for a vendor's name.

    ``concurrency``: slices read at once. ``counts_children``: tasks carry ``child_count`` and ``children(ref)`` reads a parent's subtasks.
    ``lookup_batch``: ids that one call of ``lookup`` costs one request for. ``hooks``: it can be told by webhooks. ``tells_deletions``: the structure
    feeds tell which tasks were deleted; else only reading everything, or a webhook, does. ``past``: what the vendor's books tell of the time before
    the hub watched, in words; null where there are none that the connector reads.
    ``roles``: where an admin may say what columns mean.
    """

    concurrency: int = 4
    counts_children: bool = False
    lookup_batch: int = 1
    hooks: bool = False
    tells_deletions: bool = False
    past: str | None = None
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

    # -- the past, where ``capabilities.past`` -----------------------------------------------------------------------------------

    def chapters(self, held: Held, since: datetime) -> Sequence[Slice]:
        """What to read of the vendor's books: each slice costs one call, more where its part of the books is long. Keys tell slices apart."""
        ...

    def past(self, piece: Slice) -> AsyncIterator[Chapter]:
        """Reads one of them. Raises Refused where the plan or an admin of the vendor's account keeps these books closed."""
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
