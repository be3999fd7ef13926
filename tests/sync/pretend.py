"""A pretend vendor and the connector that reads it, both scriptable: what it holds, what it lists, what it
refuses, where it fails. It fakes the vendor only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, ClassVar

import orjson
from pydantic import TypeAdapter

from connectors.base import (
    ARCHIVED,
    LIVE,
    STRUCTURE,
    Cadence,
    Capabilities,
    Check,
    Context,
    Credential,
    Item,
    Json,
    Known,
    Looked,
    Page,
    Scope,
    Sight,
    Slice,
)
from connectors.errors import BadResponse, ConnectorError
from connectors.http import Http, Lane
from connectors.records import KINDS, Membership, Project, Record, Ref, Status, StatusCategory, Task

ADAPTERS = {kind: TypeAdapter(record) for kind, record in KINDS.items()}
FIELDS = {kind: {each.name for each in fields(record)} for kind, record in KINDS.items()}
DEFINITIONS = ("section", "status", "field")
ALWAYS = 1_000_000


def project(key: str, **given: Any) -> Project:
    given.setdefault("container_id", None)
    return Project(id=f"project:{key}", external_id=key, url=None, name=f"project {key}", **given)


def task(key: str, *homes: str, **given: Any) -> Task:
    """``homes``: keys of the projects that list it, the vendor's first one first; none for a subtask that is in no project itself."""
    given.setdefault("memberships", tuple(Membership(project_id=f"project:{home}") for home in homes))
    given.setdefault("title", f"task {key}")
    return Task(id=f"task:{key}", external_id=key, url=None, **given)


def status(key: str, name: str | None, category: StatusCategory = StatusCategory.UNKNOWN, **given: Any) -> Status:
    return Status(id=f"status:{key}", external_id=key, name=name, type="word", category=category, **given)


@dataclass(slots=True)
class Vendor:
    """``unlisted``: alive, but on no list. ``closed``: a read by id is refused. ``silent``: a read by id answers nothing. ``garbled``: bodies that
    make no sense. ``defect``: bodies on which the connector's own code breaks. ``together``: one slice lists all live projects, and ``shut`` ones
    are refused inside its page. ``covers``: what a project's slice says it covers, if not the project. ``lists_subtasks``: subtasks in no project
    come with their root's project, else only by their parent. ``counted``: how many subtasks a task says it has, if not the true number. ``noise``:
    what a body holds besides, that the hub does not keep. ``reads``: every page that was asked for, as (slice key, place). ``journal``: what
    changed, as (how, reference), which the feed of changes tells; ``full_log``: it has forgotten some of it, so that the feed has a hole."""

    held: dict[Ref, Record] = field(default_factory=dict)
    page_size: int = 100
    concurrency: int = 2
    together: bool = False
    counts_children: bool = False
    lists_subtasks: bool = True
    lookup_batch: int = 10
    mapping_version: int = 1
    context: str | None = None
    unlisted: set[Ref] = field(default_factory=set)
    closed: set[Ref] = field(default_factory=set)
    silent: set[Ref] = field(default_factory=set)
    garbled: set[Ref] = field(default_factory=set)
    defect: set[Ref] = field(default_factory=set)
    shut: dict[Ref, ConnectorError] = field(default_factory=dict)
    short: set[str] = field(default_factory=set)
    counted: dict[Ref, int] = field(default_factory=dict)
    covers: dict[str, tuple[Ref, ...]] = field(default_factory=dict)
    noise: dict[Ref, Any] = field(default_factory=dict)
    faults: dict[str, list[list[Any]]] = field(default_factory=dict)
    reads: list[tuple[str, int]] = field(default_factory=list)
    looked: list[Ref] = field(default_factory=list)
    mapped: list[Ref] = field(default_factory=list)
    checks: int = 0
    journal: list[tuple[str, Ref]] = field(default_factory=list)
    full_log: bool = False
    before_page: Callable[[str, int], None] = lambda _key, _place: None
    before_lookup: Callable[[Sequence[Ref]], None] = lambda _refs: None

    def put(self, *records: Record) -> None:
        self.held |= {record.id: record for record in records}
        self.journal += [("changed", record.id) for record in records]

    def change(self, ref: Ref, **values: Any) -> None:
        self.held[ref] = replace(self.held[ref], **values)
        self.journal.append(("changed", ref))

    def drop(self, *refs: Ref) -> None:
        for ref in refs:
            del self.held[ref]
            self.journal.append(("gone", ref))

    def untold(self) -> None:
        """The feed never tells what has changed up to now."""
        self.journal = [("untold", ref) for _, ref in self.journal]

    def fail(self, key: str, error: ConnectorError, *, place: int = 0, times: int = 1) -> None:
        """The page of slice ``key`` that begins at ``place`` fails so many times."""
        self.faults.setdefault(key, []).append([place, error, times])

    def mend(self) -> None:
        """Nothing fails, refuses or makes no sense any more."""
        for script in (self.faults, self.shut, self.closed, self.silent, self.garbled, self.defect, self.short):
            script.clear()

    def ask(self, key: str, place: int) -> None:
        self.reads.append((key, place))
        self.before_page(key, place)
        for fault in self.faults.get(key, ()):
            if fault[0] == place and fault[2]:
                fault[2] -= 1
                raise fault[1]

    def all(self, kind: str) -> list[Any]:
        return [record for ref, record in self.held.items() if ref.startswith(f"{kind}:") and ref not in self.unlisted]

    def children(self, parent: Ref) -> list[Task]:
        return [each for each in self.all("task") if each.parent_id == parent]

    def listed_in(self, projects: Sequence[Ref]) -> list[Task]:
        return [each for each in self.all("task") if self._homes(each) & set(projects)]

    def _homes(self, each: Task) -> set[Ref]:
        if each.memberships or not self.lists_subtasks or each.parent_id is None:
            return {membership.project_id for membership in each.memberships}
        parent = self.held.get(each.parent_id)
        return self._homes(parent) if isinstance(parent, Task) else set()

    def item(self, ref: Ref) -> Item:
        raw = orjson.loads(orjson.dumps(self.held[ref]))
        if self.counts_children and ref.startswith("task:"):
            raw["child_count"] = self.counted.get(ref, len(self.children(ref)))
        for word, marked in (("garbled", self.garbled), ("defect", self.defect)):
            if ref in marked:
                raw[word] = True
        if ref in self.noise:
            raw["noise"] = self.noise[ref]
        return Item(ref, raw, Context(self.context, None) if self.context else None)


class Pretend:
    """The connector: a structure slice names people, containers and projects and opens a slice per project (or one for all)."""

    tool: ClassVar[str] = "pretend"
    default_base_url: ClassVar[str] = "https://pretend.example.org"
    lanes: ClassVar[Mapping[str, Lane]] = {"default": Lane(1000, 10)}
    vendor: ClassVar[Vendor]

    def __init__(self, http: Http, *, options: Mapping[str, Json], now: Callable[[], datetime]) -> None:
        self.http = http
        self.known = Known()
        self.mapping_version = self.vendor.mapping_version
        self.capabilities = Capabilities(self.vendor.concurrency, self.vendor.counts_children, self.vendor.lookup_batch)

    @classmethod
    def http_headers(cls, credential: Credential) -> Mapping[str, str]:
        return {"Authorization": credential.token}

    @staticmethod
    def classify(status: int, headers: Mapping[str, str], body: Json) -> ConnectorError | None:
        return None

    async def check(self) -> Check:
        self.vendor.checks += 1
        self.vendor.ask("check", 0)
        return Check(user_external_id="u1", user_name="Ada Example", user_email="ada@example.org", account="", workspaces=())

    async def discover(self) -> Sequence[Item]:
        return [self.vendor.item(each.id) for kind in ("container", "project") for each in self.vendor.all(kind)]

    def know(self, known: Known) -> None:
        self.known = known

    def roots(self, scope: Scope) -> Sequence[Slice]:
        return [Slice("structure", "structure", STRUCTURE)]

    def feeds(self, cadence: Cadence, scope: Scope) -> Sequence[Slice]:
        if cadence is Cadence.STRUCTURE:
            return [Slice("structure", "structure", STRUCTURE, {"tree": True})]
        return [Slice("changes", "changes", LIVE, {"since": self.known.marks["changes"]})]

    async def read(self, piece: Slice, cursor: Json | None) -> AsyncIterator[Page]:
        if piece.key == "changes":
            yield self._changes(piece)
            return
        vendor, place = self.vendor, cursor["place"] if cursor else 0
        mark = len(vendor.journal)
        while True:
            vendor.ask(piece.key, place)
            self.http.requests += 1
            items, refused = self._listed(piece)
            first = self._definitions(piece) if place == 0 else []
            opens = self._opens(vendor.all("project")) if piece.phase == STRUCTURE else []
            if "tree" in piece.args:
                opens = [each for each in opens if any(self._unread(ref) for ref in each.covers)]
            ends = place + vendor.page_size >= len(items)
            after = None if ends and piece.key not in vendor.short else {"place": place + vendor.page_size}
            page = [vendor.item(ref) for ref in [*first, *items[place : place + vendor.page_size]]]
            marks = {"changes": {"place": mark}} if piece.phase == STRUCTURE and place == 0 else {}
            sight = Sight(self.known, piece, place)
            if piece.phase != STRUCTURE and sight.of(orjson.dumps([[item.id, item.raw, vendor.context] for item in page])):
                yield Page((), after, fingerprint=sight.fingerprint, again=True)
            else:
                refusals = refused if place == 0 else {}
                yield Page(page, after, opens, refusals, len(items), marks=marks, fingerprint=sight.fingerprint)
            if ends:
                return
            place += vendor.page_size

    def _unread(self, ref: Ref) -> bool:
        found = self.vendor.held[ref]
        return self.known.projects.get(ref) is not (found.archived if isinstance(found, Project) else None)

    def _changes(self, piece: Slice) -> Page:
        """Everything since the mark; where the log is full, the projects themselves."""
        vendor, since = self.vendor, piece.args["since"]["place"]
        vendor.ask(piece.key, since)
        self.http.requests += 1
        marks = {"changes": {"place": len(vendor.journal)}}
        if vendor.full_log:
            vendor.full_log = False
            return Page([], None, self._opens(vendor.all("project")), marks=marks)
        told = dict.fromkeys(ref for how, ref in vendor.journal[since:] if how != "untold" and not ref.startswith(("container:", "project:")))
        items = [vendor.item(ref) for ref in told if ref in vendor.held and ref not in vendor.unlisted]
        return Page(items, None, marks=marks, gone=frozenset(ref for ref in told if ref not in vendor.held and ref.startswith("task:")))

    def _listed(self, piece: Slice) -> tuple[list[Ref], Mapping[Ref, ConnectorError]]:
        if piece.phase == STRUCTURE:
            return [each.id for kind in ("identity", "team", "container", "project") for each in self.vendor.all(kind)], {}
        if "parent" in piece.args:
            return [each.id for each in self.vendor.children(piece.args["parent"])], {}
        if "project" in piece.args:
            return [each.id for each in self.vendor.listed_in([piece.args["project"]])], {}
        refused = {ref: error for ref, error in self.vendor.shut.items() if ref in piece.covers}
        return [each.id for each in self.vendor.listed_in([ref for ref in piece.covers if ref not in refused])], refused

    def _definitions(self, piece: Slice) -> list[Ref]:
        projects = {piece.args["project"]} if "project" in piece.args else set(piece.covers) - self.vendor.shut.keys()
        here = {None} if piece.phase == STRUCTURE else projects
        return [each.id for kind in DEFINITIONS for each in self.vendor.all(kind) if each.project_id in here]

    def _opens(self, projects: Sequence[Project]) -> list[Slice]:
        if self.vendor.together:
            return [Slice("everything", "everything", LIVE, covers=tuple(each.id for each in projects))]
        return [Slice(p.id, p.name, ARCHIVED if p.archived else LIVE, {"project": p.id}, self.vendor.covers.get(p.id, (p.id,))) for p in projects]

    def children(self, parent: Ref) -> Slice:
        return Slice(f"children/{parent}", f"subtasks of {parent}", LIVE, {"parent": parent})

    async def lookup(self, refs: Sequence[Ref]) -> Looked:
        vendor = self.vendor
        vendor.before_lookup(refs)
        vendor.looked += refs
        self.http.requests += 1
        asked = [ref for ref in refs if ref not in vendor.silent]
        return Looked(
            found={ref: vendor.item(ref) for ref in asked if ref in vendor.held and ref not in vendor.closed},
            gone=frozenset(ref for ref in asked if ref not in vendor.held and ref not in vendor.closed),
            refused=frozenset(ref for ref in asked if ref in vendor.closed),
        )

    def context(self, owner: Mapping[str, Json] | None) -> Context | None:
        return None

    def lean(self, item: Item) -> Mapping[str, Json]:
        return item.raw

    def map(self, item: Item) -> Record:
        self.vendor.mapped.append(item.id)
        if item.raw.get("garbled"):
            raise BadResponse(f"{item.id}: its body makes no sense")
        if item.raw.get("defect"):
            raise ArithmeticError(f"{item.id}: the connector's own code broke")
        kind = item.id.partition(":")[0]
        record: Record = ADAPTERS[kind].validate_python({name: value for name, value in item.raw.items() if name in FIELDS[kind]})
        return record
