"""The Connector protocol: a credential in, unified records out. Knows nothing of the hub.

Reading. ``roots(scope)`` names the first slices. ``read(slice, cursor)`` yields the slice's pages; a page may open further slices (the container
walk opens one per project). The caller reads several slices at once (``capabilities.concurrency``), lower phases first, and hands back the
``cursor`` of the last page it kept to go on later. Everything that a slice needs to be read again in another process is in ``Slice.args`` (JSON).

The end of a list is said, never inferred: a page whose ``cursor`` is null completes its slice. An iterator
that ends otherwise is a short read, an error.

Mapping. A page holds raw items; ``map(item)`` is pure and turns one item into one record. The caller maps only the items whose digest changed. What
a mapping looks at besides the raw body (column roles, time zone) is in ``Item.context``; its ``version`` is part of the digest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeAlias

from connectors.errors import ConnectorError
from connectors.http import Http, Lane
from connectors.records import Record, Ref

Json: TypeAlias = Any

STRUCTURE, LIVE, ARCHIVED = 0, 1, 2
"""Phases: containers, people and definitions; then live tasks; then archived ones."""


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
    """

    items: Sequence[Item]
    cursor: Json | None
    opens: Sequence[Slice] = ()
    refused: Mapping[Ref, ConnectorError] = field(default_factory=dict)
    expected: int | None = None
    describe: Callable[[frozenset[Ref]], Sequence[Item]] | None = None


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
    ``lookup_batch``: ids that one call of ``lookup`` costs one request for.
    """

    concurrency: int = 4
    counts_children: bool = False
    lookup_batch: int = 1


@dataclass(frozen=True, slots=True)
class Credential:
    """An opened secret: held for the length of one run, never shown."""

    token: str = field(repr=False)
    kind: str = "personal_token"


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

    def roots(self, scope: Scope) -> Sequence[Slice]: ...

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
