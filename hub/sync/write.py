"""Keeps one page, in the caller's transaction: compare digests, map what changed, upsert it, append change rows and events.

A page costs a fixed number of statements, whatever its size: one select of digests per kind, and a few more only where something changed. A second
reading of unchanged pages writes nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from connectors import records
from connectors.base import Connector, Item
from connectors.errors import BadResponse
from connectors.records import Record, Ref, StatusCategory
from hub import events
from hub.events import Cause, Draft, EventType, plain, status_subject
from hub.models import Change, Connection, Raw, Status, StatusMapping, Task
from hub.sync import bodies, relations, sight
from hub.sync.bulk import by_ids, digests, upsert
from hub.sync.diff import Difference, differences, project_events, summed_up, task_events
from hub.sync.ids import Ids
from hub.sync.rows import TABLES, Related, related, row
from hub.sync.status import unconfirmed
from hub.sync.tally import Tally

KIND_ORDER = ("identity", "team", "container", "project", "section", "status", "field", "task")
RAW_KINDS = ("task", "project", "identity")
"""Kinds whose body is kept: tasks, and what yields their mapping context (a board's columns, the user's time zone)."""
BODY_BYTES, CONTEXT_BYTES = 16, 8
STALE = timedelta(hours=1)
"""So long may an answer trail behind another one."""


@dataclass(slots=True)
class Entry:
    """One raw item on its way to its row."""

    item: Item
    id: UUID
    digest: bytes
    connector: Connector


@dataclass(slots=True)
class Account:
    """What writing needs to know of the connection that is read; lives as long as a run. ``categories``: status id -> what it counts as.
    ``renamed``: status id -> its name before the run and now. ``hidden``: projects that the tool does not show to this credential."""

    connection_id: UUID
    ids: Ids
    mapping_version: int
    keep_raw: bool
    categories: dict[UUID, str] = field(default_factory=dict)
    archived_projects: set[UUID] = field(default_factory=set)
    renamed: dict[UUID, tuple[str, str]] = field(default_factory=dict)
    remap_told: bool = False
    hidden: set[UUID] = field(default_factory=set)
    _first: bool | None = None
    _contexts: dict[str, bytes] = field(default_factory=dict)

    def is_first(self, session: Session) -> bool:
        """Whether the connection was never read whole before: then nothing that is found is news."""
        if self._first is None:
            self._first = session.scalar(select(Connection.history_from).where(Connection.id == self.connection_id)) is None
        return self._first

    def digest(self, body: bytes, version: str) -> bytes:
        """16 bytes of the raw body, then 8 of the mapping version and context: which half moved tells a change from a re-mapping."""
        context = self._contexts.get(version)
        if context is None:
            context = self._contexts[version] = sha256(f"{self.mapping_version}|{version}".encode()).digest()[:CONTEXT_BYTES]
        return sha256(body).digest()[:BODY_BYTES] + context  # in half the time of blake2b wherever the processor has instructions for it


@dataclass(slots=True)
class Batch:
    """One page's work in one transaction: its clock, its change set, and where it stands in the log (taken at the first write). ``told``: when and by
    whom the vendor says that things changed last. ``lags``: the page is of a list that may trail behind the truth, so it brings nobody
    back to life."""

    session: Session
    account: Account
    now: datetime
    is_baseline: Callable[[UUID | None], bool]
    change_set: UUID = field(default_factory=uuid4)
    tally: Tally = field(default_factory=Tally)
    changes: list[dict[str, Any]] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    told: Mapping[UUID, tuple[datetime, UUID | None]] = field(default_factory=dict)
    lags: bool = False
    _position: int | None = None

    def position(self) -> int:
        if self._position is None:
            self._position = events.advance(self.session, "position")
        return self._position

    @property
    def has_written(self) -> bool:
        return self._position is not None

    def tell(self, entity: str, new: Mapping[str, Any], old: Mapping[str, Any], changed: Iterable[Difference]) -> None:
        """Change rows of one entity."""
        moved = new.get("updated_at") if new.get("updated_at") != old.get("updated_at") else None
        moved, actor = self.told.get(new["id"], (moved, None))
        for difference in changed:
            exact = new.get("completed_at") if difference.field == "completed_at" else None
            self.changes.append(
                {
                    "connection_id": self.account.connection_id,
                    "change_set": self.change_set,
                    "entity": entity,
                    "entity_id": new["id"],
                    "field": difference.field,
                    "old": plain(difference.old),
                    "new": plain(difference.new),
                    "occurred_at": exact or moved,
                    "occurred_after": old.get("updated_at"),
                    "recorded_at": self.now,
                    "precision": "exact" if exact else "between",
                    "actor_id": actor,
                }
            )

    def tell_remap(self) -> None:
        """The hub reads the tool's data otherwise than before: told once a run, however many rows follow."""
        account = self.account
        if not account.remap_told:
            data = {"changed": ["mapping_version"], "before": {}, "after": {"mapping_version": account.mapping_version}}
            self.drafts.append(Draft(EventType.MAPPING_CHANGED, "connection", account.connection_id, data, cause=Cause.REMAP))
            account.remap_told = True

    def finish(self) -> None:
        """The log comes last: its counter's lock is held from here to the commit."""
        if self.changes:
            self.session.execute(insert(Change), self.changes)
        if self.told:
            self.drafts = [self._as_told(draft) for draft in self.drafts]
        events.append(self.session, self.drafts, connection_id=self.account.connection_id, change_set=self.change_set, now=self.now)

    def _as_told(self, draft: Draft) -> Draft:
        at, actor = self.told.get(draft.entity_id, (draft.occurred_at, draft.actor_id))
        return replace(draft, occurred_at=at, actor_id=actor)


Describe = Callable[[frozenset[Ref]], Mapping[str, Sequence[Entry]]]
"""The entries that are described only inside tasks, for those tasks that changed."""


def keep(batch: Batch, entries: Mapping[str, Sequence[Entry]], describe: Describe | None = None) -> None:
    """Keeps the entries of one page, by kind; the caller finishes the batch."""
    for kind in KIND_ORDER:
        if found := entries.get(kind):
            _keep_kind(batch, kind, found, describe if kind == "task" else None)


def _keep_kind(batch: Batch, kind: str, entries: Sequence[Entry], describe: Describe | None = None) -> None:
    table = TABLES[kind].__table__
    by_id = {entry.id: entry for entry in entries}
    stored = digests(batch.session, table, by_id)
    changed = [entry for entry in by_id.values() if stored.get(entry.id) != (entry.digest, False)]
    if kind == "task":
        batch.tally.unchanged += len(by_id) - len(changed)
    if not changed:
        return
    batch.position()  # its lock comes before any row's, so that two connections that share rows cannot lock each other out
    if describe is not None:
        keep(batch, describe(frozenset([entry.item.id for entry in changed])))
    mapped = [(entry, record) for entry in changed if (record := _map(batch, entry)) is not None]
    known = [entry.id for entry, _ in mapped if entry.id in stored]
    held = {found["id"]: dict(found) for found in batch.session.execute(select(table).where(table.c.id.in_(known))).mappings()} if known else {}
    if kind == "task":
        fresh = [(entry, record) for entry, record in mapped if not _is_stale(batch, entry, held.get(entry.id), record)]
        batch.tally.unchanged += len(mapped) - len(fresh)
        batch.tally.written.update([entry.id for entry, _ in fresh])
        mapped = fresh
    rows = [_base(batch, entry, record) for entry, record in mapped]
    if kind == "task":
        beside = {entry.id: related(record, batch.account.ids) for entry, record in mapped}
        _keep_tasks(batch, rows, beside, held)
    else:
        _keep_plain(batch, kind, rows, held)
    if batch.account.keep_raw and kind in RAW_KINDS:
        _keep_raw(batch, [entry for entry, _ in mapped])


def _map(batch: Batch, entry: Entry) -> Record | None:
    try:
        return entry.connector.map(entry.item)
    except BadResponse as error:  # this one object; the others of the page are kept, and its slice does not count as read
        batch.tally.problems.append(str(error))
        batch.tally.unread.append(entry.item.id)
        return None


def _is_stale(batch: Batch, entry: Entry, old: Mapping[str, Any] | None, record: Record) -> bool:
    """Whether a task was read before what is held of it: by a search that trails behind, or on a page that took longer than another one. What the
    vendor says for longer than ``STALE`` is believed even where its own clock went back."""
    if old is not None and old["deleted_at"] and batch.lags and batch.now - old["deleted_at"] < STALE:
        batch.tally.doubtful[entry.item.id] = entry.id
        return True
    if old is None or old["deleted_at"] or old["access_lost_at"] or old["updated_at"] is None:
        return False
    if not isinstance(record, records.Task) or record.updated_at is None:
        return False
    return bool(record.updated_at < old["updated_at"] and batch.now - old["updated_at"] < STALE)


def _base(batch: Batch, entry: Entry, record: Record) -> dict[str, Any]:
    made = row(record, batch.account.ids)
    made["connection_id"] = batch.account.connection_id
    made["digest"] = entry.digest
    made["first_seen_at"] = batch.now
    made["deleted_at"] = made["deleted_how"] = None
    return made


def _keep_plain(batch: Batch, kind: str, rows: list[dict[str, Any]], held: Mapping[UUID, dict[str, Any]]) -> None:
    table = TABLES[kind].__table__
    if kind == "status":
        _keep_mappings(batch, rows, held)
    for new in rows:
        old = held.get(new["id"])
        changed = differences(old, new) if old else []
        remapped = old is not None and _only_remapped(old, new)
        if kind == "project" and old and not remapped and not batch.account.is_first(batch.session):  # a new one is told by late.py
            batch.drafts += project_events(old, new, changed)
            batch.tell(kind, new, old, changed)
        if kind == "status" and old and old["name"] and new["name"] and old["name"] != new["name"]:
            before, _ = batch.account.renamed.get(new["id"], (old["name"], ""))
            batch.account.renamed[new["id"]] = (before, new["name"])
    upsert(batch.session, table, rows, keep=("first_seen_at",))


def _only_remapped(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """The vendor's body is the same; only our mapping or its context moved."""
    return bool(old["digest"][:BODY_BYTES] == new["digest"][:BODY_BYTES]) and not old["deleted_at"] and not old.get("access_lost_at")


def _keep_tasks(batch: Batch, rows: list[dict[str, Any]], beside: Mapping[UUID, Related], held: Mapping[UUID, dict[str, Any]]) -> None:
    session, account = batch.session, batch.account
    old_beside = relations.held(session, list(held)) if held else {}
    parents = _parents(session, rows)
    position, back = batch.position(), list[Draft]()
    for new in rows:
        old = held.get(new["id"])
        place(new, beside[new["id"]], old, parents, account)
        new |= {"position": position, "access_lost_at": None}
        parents[new["id"]] = (new["project_id"], new["archived_effective"])
        if old is None:
            batch.tally.created += 1
            orphan = new["home_inherited"] and new["project_id"] is None  # its parent may tell yet where it lies: late.py
            if not orphan and not batch.is_baseline(new["project_id"]):
                batch.drafts += task_events(None, new, [], beside[new["id"]])
            continue
        changed = differences(old, new) + relations.differences(old_beside.get(new["id"]), beside[new["id"]])
        if _only_remapped(old, new):
            batch.tally.remapped += 1
            batch.tell_remap()
            continue
        batch.tally.updated += 1 if changed else 0
        batch.tally.unchanged += 0 if changed else 1
        batch.tell("task", new, old, changed)
        if not account.is_first(session):
            drafts = task_events(old, new, changed, beside[new["id"]])
            if old["access_lost_at"]:
                back += drafts
            else:
                batch.drafts += sight.told(drafts, changed, account.hidden, batch.is_baseline)
    batch.drafts += summed_up(back, account.connection_id)
    upsert(session, Task.__table__, rows, keep=("first_seen_at",))
    relations.keep(session, beside, old_beside)


def place(
    new: dict[str, Any], beside: Related, old: Mapping[str, Any] | None, parents: Mapping[UUID, tuple[UUID | None, bool]], account: Account
) -> None:
    """Home, status category and effective archiving of a task. Home: the former one while still a
    member, else the vendor's first, else the parent's."""
    parent_home, parent_archived = parents.get(new["parent_id"], (None, False))
    if beside.memberships:
        former = old["project_id"] if old else None
        home = former if former in beside.memberships else next(iter(beside.memberships))
        section, status, status_id = beside.memberships[home]
        new |= {"project_id": home, "section_id": section, "home_inherited": False}
        if status_id is not None:
            new |= {"status": status, "status_id": status_id}
    else:
        # A parent that was not read yet says nothing about the home: the former one stays until it is, and settle.py has the last word.
        home = parent_home if new["parent_id"] in parents or not old else old["project_id"]
        new |= {"project_id": home if new["parent_id"] else None, "section_id": None, "home_inherited": new["parent_id"] is not None}
    new["status_category"] = account.categories.get(new["status_id"], StatusCategory.UNKNOWN.value)
    parent_archived = parent_archived and parent_home == new["project_id"]  # one with a place of its own elsewhere is worked on there
    new["archived_effective"] = new["archived"] or parent_archived or new["project_id"] in account.archived_projects


def _parents(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[UUID, tuple[UUID | None, bool]]:
    wanted = {new["parent_id"] for new in rows if new["parent_id"]}
    found = by_ids(session, Task.__table__, ("project_id", "archived_effective"), wanted)
    return {task: (home, archived) for task, home, archived in found}


def _keep_mappings(batch: Batch, rows: Sequence[Mapping[str, Any]], former: Mapping[UUID, Mapping[str, Any]]) -> None:
    """What new or changed statuses count as. An admin's word stays; where the count changes, the tasks that carry the status follow."""
    session, account = batch.session, batch.account
    table = StatusMapping.__table__
    held = {found.status_id: found for found in session.connection().execute(select(table).where(table.c.status_id.in_([new["id"] for new in rows])))}
    fresh: dict[str, list[UUID]] = {}
    written = []
    for new in rows:
        category, source = unconfirmed(new["name"], StatusCategory(new["category"]))
        found = held.get(new["id"])
        if found is not None and (found.source == "admin" or (found.category, found.source) == (category.value, source)):
            continue
        account.categories[new["id"]] = category.value
        made = {"status_id": new["id"], "connection_id": account.connection_id, "category": category.value, "source": source}
        written.append(made | {"version": found.version + 1 if found else 1, "changed_at": batch.now})
        if found is None:
            fresh.setdefault(category.value, []).append(new["id"])
        elif followed := recount(session, [new["id"]], category.value, batch.position()):
            if new["id"] in former and _only_remapped(former[new["id"]], new):
                batch.tell_remap()
            else:
                batch.drafts.append(_recounted(new, found.category, category.value, followed))
    upsert(session, table, written)
    for word, statuses in fresh.items():  # tasks may have come before their status
        recount(session, statuses, word, batch.position())


def _recounted(status: Mapping[str, Any], before: str, after: str, tasks: int) -> Draft:
    data = {"changed": ["status_category"], "before": {"status_category": before}, "after": {"status_category": after}, "tasks": tasks}
    return Draft(EventType.MAPPING_CHANGED, "status", status["id"], data, subject=status_subject(status, after, tasks), cause=Cause.REMAP)


def recount(session: Session, statuses: Sequence[UUID], category: str, position: int) -> int:
    """Lets the tasks that carry one of the statuses follow its mapping; returns how many did."""
    table: Any = Task.__table__  # not the class: the ORM would look for the rows among its objects, in every statement
    stale = table.c.status_id.in_(statuses), table.c.status_category != category
    return session.connection().execute(update(table).where(*stale).values(status_category=category, position=position)).rowcount


def load_categories(session: Session, connection_id: UUID) -> dict[UUID, str]:
    found = session.execute(
        select(StatusMapping.status_id, StatusMapping.category)
        .join(Status, Status.id == StatusMapping.status_id)
        .where(StatusMapping.connection_id == connection_id)
    )
    return {each.status_id: each.category for each in found}


def _keep_raw(batch: Batch, entries: Sequence[Entry]) -> None:
    rows = [
        {
            "entity_id": entry.id,
            "connection_id": batch.account.connection_id,
            "ref": entry.item.id,
            "owner_id": batch.account.ids(entry.item.owner) if entry.item.owner else None,
            "body": bodies.pack(entry.connector.lean(entry.item)),
        }
        for entry in entries
    ]
    upsert(batch.session, Raw.__table__, rows)


def entry_of(account: Account, connector: Connector, item: Item) -> Entry:
    """Nothing is mapped yet: that is done for entries whose digest is new."""
    version = item.context.version if item.context else ""
    return Entry(item, account.ids(item.id), account.digest(orjson.dumps(item.raw), version), connector)


def entries_of(account: Account, connector: Connector, items: Iterable[Item]) -> dict[str, list[Entry]]:
    """The entries of a page, by kind."""
    entries: dict[str, list[Entry]] = {}
    for item in items:
        entries.setdefault(item.id.partition(":")[0], []).append(entry_of(account, connector, item))
    return entries
