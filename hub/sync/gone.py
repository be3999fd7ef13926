"""Gone or not. Absence makes a candidate; it becomes a tombstone only with evidence.

A candidate is a live row that this pass did not show although every slice it was last known in was read completely in this pass. Evidence is either
a read by id that says gone (``gone_by_id``), or two complete passes in a row that lacked it (``two_passes``), or its project is gone
(``parent_deleted``). A refusal (402, 403) is lost access: the rows are kept and hidden, never deleted. A guard refuses to mark more than a share of
the connection in one run without an admin's word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from connectors.errors import ConnectorError, Refused
from connectors.records import Ref
from hub import events, models
from hub.events import Draft
from hub.models import Missing, Seen, SyncPass, SyncSlice, Task, TaskProject
from hub.sync import relations, runs, settle, store
from hub.sync.bulk import live_ids
from hub.sync.diff import REFUSED_BY_ID, Difference, left_scope, project_events, summed_up, task_events
from hub.sync.ids import Ids
from hub.sync.rows import TABLES
from hub.sync.write import Batch

GUARD_FREE = 20
"""Deletions in one run that the guard never minds."""
KINDS = ("task", "project", "section", "container", "identity", "team")
BY_ID = ("task", "project")
ABSENT = "absent:"
"""Before a kind: rows that a pass did not show, kept beside what it saw under the slice they were last known in."""
CHUNK = 500


@dataclass(slots=True)
class Candidates:
    """By kind: rows that this pass did not show. ``again``: those the last complete pass lacked too. ``unseen``: all that it did not show, though
    nothing may be known of some."""

    fresh: dict[str, list[UUID]] = field(default_factory=dict)
    again: dict[str, list[UUID]] = field(default_factory=dict)
    unseen: dict[str, set[bytes]] = field(default_factory=dict)

    def of(self, kind: str) -> list[UUID]:
        return self.fresh.get(kind, []) + self.again.get(kind, [])

    def clear(self, kind: str, entities: Set[UUID]) -> None:
        """These were read by id and are no candidates any more."""
        for side in (self.fresh, self.again):
            if kind in side:
                side[kind] = [each for each in side[kind] if each not in entities]

    def second_time(self) -> dict[str, dict[UUID, str]]:
        """Kinds that no vendor lets be read by id die by two passes alone."""
        return {kind: dict.fromkeys(entities, "two_passes") for kind, entities in self.again.items() if kind not in BY_ID}


@dataclass(frozen=True, slots=True)
class Proof:
    """Which slices of this pass prove an absence. ``complete``: keys read whole; ``covered``: references they list
    whole; ``all_done``: nothing failed or was refused."""

    complete: frozenset[str]
    covered: frozenset[Ref]
    all_done: bool

    def excuses(self, key: str, covers: Iterable[Ref]) -> bool:
        """Whether a row last seen in slice ``key`` may be called absent."""
        covers = list(covers)
        return key in self.complete or self.all_done or (bool(covers) and all(ref in self.covered for ref in covers))


def proof(session: Session, pass_id: UUID) -> Proof:
    complete, covered, unread, all_done = set(), set(), set(), True
    for piece in session.execute(select(SyncSlice.key, SyncSlice.state, SyncSlice.covers, SyncSlice.refused).where(SyncSlice.pass_id == pass_id)):
        if piece.state != store.DONE:
            all_done = False
            unread |= set(piece.covers)
            continue
        covered |= set(piece.covers) - set(piece.refused)
        if piece.refused:
            all_done = False
        else:
            complete.add(piece.key)
    return Proof(frozenset(complete), frozenset(covered - unread), all_done)


def find(session: Session, this: SyncPass, before: SyncPass | None) -> Candidates:
    """The candidates of this pass, and which of them are candidates for the second time."""
    found = Candidates()
    if before is None:
        return found
    evidence = proof(session, this.id)
    earlier = set(session.scalars(select(Missing.entity_id).where(Missing.connection_id == this.connection_id, Missing.since_pass < this.number)))
    pieces = select(SyncSlice.key, SyncSlice.covers).where(SyncSlice.pass_id.in_((before.id, this.id)))
    covers = {piece.key: piece.covers for piece in session.execute(pieces)}
    for kind in KINDS:
        unseen = absent(session, this, kind)
        if kind == "identity":
            unseen &= _active(session, this.connection_id)
        if not unseen:
            continue
        found.unseen[kind] = unseen
        kept = _last_known_elsewhere(session, before.id, kind, unseen, evidence, covers)
        for entity in unseen - kept:
            (found.again if UUID(bytes=entity) in earlier else found.fresh).setdefault(kind, []).append(UUID(bytes=entity))
    return found


def absent(session: Session, this: SyncPass, kind: str) -> set[bytes]:
    """Live rows of the connection that the pass did not see; in partitions by first byte, so memory stays flat."""
    table: Any = getattr(models, kind.capitalize()).__table__
    held = (
        session.scalar(select(func.count()).select_from(table).where(table.c.connection_id == this.connection_id, table.c.deleted_at.is_(None))) or 0
    )
    parts = held // store.PARTITION + 1
    unseen: set[bytes] = set()
    for part in range(parts):
        rows = {entity for entity in live_ids(session, table, this.connection_id) if entity[0] % parts == part}
        for _, entity in store.seen_ids(session, this.id, kind):
            rows.discard(entity)
        unseen |= rows
    return unseen


def _active(session: Session, connection_id: UUID) -> set[bytes]:
    """Identities that a vendor lists as active: those known from tasks alone are on no list that could lack them."""
    return {
        each.bytes
        for each in session.scalars(select(models.Identity.id).where(models.Identity.connection_id == connection_id, models.Identity.active))
    }


def _last_known_elsewhere(
    session: Session, before: UUID, kind: str, absent: set[bytes], evidence: Proof, covers: Mapping[str, Sequence[Ref]]
) -> set[bytes]:
    """Absent rows that were last seen in a slice which this pass did not read whole, or no one knows where: nothing is known of them."""
    kept: set[bytes] = set()
    known: set[bytes] = set()
    for key, entity in _places(session, before, kind):
        if entity in absent:
            known.add(entity)
            if not evidence.excuses(key, covers.get(key, ())):
                kept.add(entity)
    return kept if evidence.all_done else kept | (absent - known)


def _places(session: Session, pass_id: UUID, kind: str) -> Iterator[tuple[str, bytes]]:
    """Where a pass saw each row, or knew it to be last seen. A read by id is no place: it does not say which list would show the thing."""
    yield from ((key, entity) for key, entity in store.seen_ids(session, pass_id, kind) if key != store.BY_ID)
    yield from store.seen_ids(session, pass_id, ABSENT + kind)


def carry(session: Session, this: SyncPass, before: SyncPass | None, found: Candidates) -> None:
    """Lets the pass remember where the rows that it did not show were last known: the next pass must have read that very place."""
    if before is None:
        return
    for kind, unseen in found.unseen.items():
        places: dict[str, list[bytes]] = {}
        for key, entity in _places(session, before.id, kind):
            if entity in unseen:
                places.setdefault(key, []).append(entity)
        rows = [
            {"pass_id": this.id, "slice_key": key, "page": 0, "kind": ABSENT + kind, "ids": b"".join(entities)} for key, entities in places.items()
        ]
        if rows:
            session.execute(insert(Seen), rows)


def remember(session: Session, this: SyncPass, found: Candidates) -> None:
    """Writes down who is missing since when; who is seen again is no longer missing."""
    still = {entity for kind in KINDS for entity in set(found.of(kind)) - _buried(session, kind, found.of(kind))}
    held = set(session.scalars(select(Missing.entity_id).where(Missing.connection_id == this.connection_id)))
    if back := held - still:
        for part in chunks(list(back)):
            session.execute(delete(Missing).where(Missing.entity_id.in_(part)))
    rows = [
        {"entity_id": entity, "connection_id": this.connection_id, "kind": kind, "since_pass": this.number}
        for kind, entities in found.fresh.items()
        for entity in entities
        if entity in still and entity not in held
    ]
    if rows:
        session.execute(insert(Missing), rows)


def _buried(session: Session, kind: str, entities: Sequence[UUID]) -> set[UUID]:
    """Those of the rows that carry a tombstone by now."""
    table = getattr(models, kind.capitalize())
    return {row for part in chunks(entities) for row in session.scalars(select(table.id).where(table.id.in_(part), table.deleted_at.is_not(None)))}


def chunks(values: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    """Few enough at once for any database's limit on parameters."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def guarded(session: Session, connection_id: UUID, deaths: int, share: float) -> str | None:
    """Why so many tombstones are refused, or None."""
    held = session.scalar(select(func.count()).select_from(Task).where(Task.connection_id == connection_id, Task.deleted_at.is_(None))) or 0
    if deaths <= max(GUARD_FREE, share * held):
        return None
    return f"{deaths} of {held} tasks are no longer shown by the tool; nothing was marked deleted. If that is right: hub sync --accept-deletions"


def bury(batch: Batch, kind: str, entities: Mapping[UUID, str]) -> int:
    """Tombstones rows with their evidence, in the caller's transaction, and tells it; the caller finishes the
    batch. Rows that are already buried are left alone."""
    session = batch.session
    table: Any = TABLES[kind]
    rows = session.execute(select(table.__table__).where(table.id.in_(list(entities)), table.deleted_at.is_(None))).mappings().all()
    moved = {"position": batch.position()} if kind == "task" and rows else {}
    beside = relations.held(session, [row["id"] for row in rows]) if kind == "task" and rows else {}
    by_evidence: dict[str, list[UUID]] = {}
    for old in map(dict[str, Any], rows):
        how = entities[old["id"]]
        by_evidence.setdefault(how, []).append(old["id"])
        if kind in BY_ID:
            new, changed = old | moved | {"deleted_at": batch.now, "deleted_how": how}, [Difference("deleted_at", None, batch.now)]
            batch.tell(kind, new, old, changed)
            batch.drafts += task_events(old, new, changed, beside.get(old["id"])) if kind == "task" else project_events(old, new, changed)
    for how, ids in by_evidence.items():
        session.execute(update(table).where(table.id.in_(ids)).values(deleted_at=batch.now, deleted_how=how, **moved))
    session.execute(delete(Missing).where(Missing.entity_id.in_(list(entities))))
    return len(rows)


def orphans(session: Session, connection_id: UUID, candidates: Sequence[UUID], dying: Set[UUID]) -> set[UUID]:
    """The candidates whose every project is gone, or about to be marked so: they went with it."""
    project = models.Project
    dead = dying | set(session.scalars(select(project.id).where(project.connection_id == connection_id, project.deleted_at.is_not(None))))
    if not dead:
        return set()
    found: set[UUID] = set()
    for part in chunks(candidates):
        homes: dict[UUID, set[UUID | None]] = {}
        for row in session.execute(select(Task.id, Task.project_id).where(Task.id.in_(part))):
            homes.setdefault(row.id, set()).add(row.project_id)
        for row in session.execute(select(TaskProject.task_id, TaskProject.project_id).where(TaskProject.task_id.in_(part))):
            homes.setdefault(row.task_id, set()).add(row.project_id)
        found |= {task for task, projects in homes.items() if projects <= dead}
    return found


def leave(batch: Batch, tasks: Sequence[UUID]) -> None:
    """Hides single tasks that the tool has and refuses by id, and tells it, in one event where they are many; the caller finishes the batch. Where a
    container is refused, that is told instead (``lose_access``)."""
    session, drafts = batch.session, list[Draft]()
    for part in chunks(tasks):
        visible = (Task.id.in_(part), Task.access_lost_at.is_(None), Task.deleted_at.is_(None))
        rows = session.execute(select(Task.__table__).where(*visible)).mappings().all()
        if not rows:
            continue
        marks = {"access_lost_at": batch.now, "deleted_how": REFUSED_BY_ID, "position": batch.position()}
        beside = relations.held(session, [row["id"] for row in rows])
        drafts += [left_scope(dict(row), beside.get(row["id"])) for row in rows]
        session.execute(update(Task).where(Task.id.in_([row["id"] for row in rows])).values(marks))
    batch.drafts += summed_up(drafts, batch.account.connection_id)


def leave_all(batch: Batch, refused: Mapping[Ref, ConnectorError]) -> None:
    """The same for single tasks that a page of a feed was refused."""
    ids = [batch.account.ids(ref) for ref, error in refused.items() if ref.startswith("task:") and isinstance(error, Refused)]
    if ids:
        leave(batch, ids)


def hide(session: Session, tasks: Sequence[UUID], now: datetime) -> None:
    """Marks tasks as not readable any more; seeing one again brings it back."""
    place = events.advance(session, "position") if tasks else 0
    for part in chunks(tasks):
        session.execute(update(Task).where(Task.id.in_(part), Task.access_lost_at.is_(None)).values(access_lost_at=now, position=place))


def lose_access(session: Session, this: SyncPass, ids: Ids, now: datetime) -> set[UUID]:
    """Hides tasks whose home, or a container it lies in, was refused in this pass and that nothing else showed; returns them."""
    refused = _lost(session, this, ids)
    hidden: set[bytes] = set()
    for part in chunks(list(refused)):
        wanted = select(Task.id).where(
            Task.connection_id == this.connection_id, Task.project_id.in_(part), Task.deleted_at.is_(None), Task.access_lost_at.is_(None)
        )
        hidden |= {task.bytes for task in session.scalars(wanted)}
    if not hidden:
        return set()
    for _, entity in store.seen_ids(session, this.id, "task"):
        hidden.discard(entity)
    if this.kind != runs.FULL:  # it did not look everywhere: who is also in a project that can be read stays
        hidden -= _readable_elsewhere(session, hidden, refused)
    lost = [UUID(bytes=entity) for entity in hidden]
    hide(session, lost, now)
    return set(lost)


def shared(session: Session, this: SyncPass, ids: Ids) -> set[UUID]:
    """Tasks that lie in a project that was refused in this pass and in one that can be read: only they themselves can tell where they still are."""
    refused = _lost(session, this, ids)
    inside: set[bytes] = set()
    for part in chunks(list(refused)):
        wanted = (
            select(TaskProject.task_id).join(Task, Task.id == TaskProject.task_id).where(TaskProject.project_id.in_(part), Task.deleted_at.is_(None))
        )
        inside |= {task.bytes for task in session.scalars(wanted)}
    return {UUID(bytes=task) for task in _readable_elsewhere(session, inside, refused)} if inside else set()


def _lost(session: Session, this: SyncPass, ids: Ids) -> set[UUID]:
    """What was refused in this pass for want of access, and all that lies below it."""
    refused: set[UUID] = set()
    for piece in session.execute(select(SyncSlice.refused).where(SyncSlice.pass_id == this.id)):
        refused |= {ids(ref) for ref, why in piece.refused.items() if why.get("access")}
    return refused | settle.under(session, this.connection_id, refused)


def _readable_elsewhere(session: Session, tasks: Set[bytes], refused: Set[UUID]) -> set[bytes]:
    project, coverage = models.Project, models.Coverage
    elsewhere = (
        select(TaskProject.task_id, TaskProject.project_id)
        .join(project, project.id == TaskProject.project_id)
        .join(coverage, coverage.container_id == project.id)
        .where(project.deleted_at.is_(None), coverage.refused.is_(None))
    )
    return {
        row.task_id.bytes
        for part in chunks([UUID(bytes=task) for task in tasks])
        for row in session.execute(elsewhere.where(TaskProject.task_id.in_(part)))
        if row.project_id not in refused
    }
