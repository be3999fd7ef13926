"""The past, on an admin's word: change rows of the time before the hub watched, out of the vendor's own books. Rows only, never an event.

It costs calls, which are said first (``cost``), and keeps to what may be used of the plan's: a run that has used that up ends as ``partial`` and the
next one goes on behind the parts that are done. Each change is written once, however often it is told: a task's field changes once at an instant.

``history_from`` moves back only as far as the books are whole: where they tell of some fields and not of others, or may have lost something, the
changes are in a task's history, and no figure of movement is made of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4, uuid5

import anyio
from anyio.to_thread import run_sync
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from connectors.base import Chapter, Connector, Held, Past, Slice
from connectors.errors import AuthFailed, ConnectorError, NotFound, RateLimited, Refused
from connectors.http import Client, build_client
from hub.connections import ConnectionProblem, Opened, opened
from hub.models import Change, Connection, Mark, Project, Status, SyncRun, Task
from hub.sync import gone, marks, pace, runs
from hub.sync.bulk import upsert
from hub.sync.contact import Contact
from hub.sync.ids import Ids

PLACE = "history"
"""The mark that says which parts are done."""
USED_UP = "what may be used of the tool's calls is used up for today; the same command goes on from here later"


@dataclass(frozen=True, slots=True)
class Cost:
    """What reading the past would take. ``calls``: at least; ``left``: what may still be used today, null where the plan's limits are not known.
    ``what``: what the books tell, null where there are none; ``until``: from when on the hub watched itself."""

    calls: int
    left: int | None
    what: str | None
    since: datetime
    until: datetime | None


@dataclass(slots=True)
class Told:
    """What came of it, so far. ``whole_from``: null once a part turned out not to be whole."""

    written: int = 0
    state: str = "complete"
    errors: list[str] = field(default_factory=list)
    whole_from: datetime | None = None
    is_whole: bool = True

    def add(self, chapters: Sequence[Chapter]) -> None:
        known = [chapter.whole_from for chapter in chapters if chapter.whole_from is not None]
        self.is_whole = self.is_whole and bool(known)
        self.whole_from = max([each for each in (self.whole_from, *known) if each is not None], default=None)

    def worsen(self, state: str, error: str) -> None:
        self.state, self.is_whole = state, False
        self.errors.append(error)


def cost(contact: Contact, connection_id: UUID, since: datetime) -> Cost:
    """Asks the vendor nothing. Raises ConnectionProblem, VaultError."""
    return anyio.run(partial(_cost, contact, connection_id, since))


async def _cost(contact: Contact, connection_id: UUID, since: datetime) -> Cost:
    client = build_client(proxy=contact.settings.proxy, ca_bundle=contact.settings.ca_bundle)
    try:
        with contact.database.reading() as session:
            connection = session.get_one(Connection, connection_id)
            connector = opened(connection, contact.vault).connect(client, contact.now)
            left = pace.left(session, connection, contact.now(), contact.settings)
            pieces = _left_to_read(session, connection, connector, since) if connector.capabilities.past else []
            return Cost(len(pieces), left, connector.capabilities.past, since, connection.history_from)
    finally:
        await client.aclose()


def fill(contact: Contact, connection_id: UUID, since: datetime, *, client: Client | None = None) -> SyncRun | None:
    """Reads and keeps it, and gives the run; null while another run reads the connection. Raises ConnectionProblem, VaultError."""
    with contact.database.writing() as session:
        connection = session.get_one(Connection, connection_id)
        if connection.history_from is None:
            raise ConnectionProblem(f"{connection.name} was never read: hub sync {connection.name}")
        account, holder, now = opened(connection, contact.vault), runs.owner(), contact.now()
        if not runs.take_lease(session, connection_id, holder, now):
            return None
        run = SyncRun(
            id=uuid4(), connection_id=connection_id, reason="manual", kind=runs.HISTORY, full=False, state="running", queued_at=now, errors=[]
        )
        run.started_at = now
        session.add(run)
        run_id = run.id
    try:
        anyio.run(partial(_read, contact, account, run_id, holder, since, client))
    finally:
        with contact.database.writing() as session:
            runs.give_lease_back(session, connection_id, holder)
    with contact.database.reading() as session:
        return session.get_one(SyncRun, run_id)


async def _read(contact: Contact, account: Opened, run_id: UUID, holder: str, since: datetime, given: Client | None) -> None:
    client = given or build_client(proxy=contact.settings.proxy, ca_bundle=contact.settings.ca_bundle)
    try:
        await _Filling(contact, account, account.connect(client, contact.now), run_id, holder, since).go()
    finally:
        if given is None:
            await client.aclose()


@dataclass(slots=True)
class _Filling:
    contact: Contact
    account: Opened
    connector: Connector
    run_id: UUID
    holder: str
    since: datetime
    told: Told = field(default_factory=Told)

    async def go(self) -> None:
        pieces = await run_sync(self._begin)
        try:
            for piece in pieces:
                if not await run_sync(self._has_room):
                    self.told.worsen("partial", USED_UP)
                    break
                await self._one(piece)
        except RateLimited as error:
            self.told.worsen("partial", f"the tool's limit is used up ({error}); the same command goes on from here later")
        except AuthFailed as error:
            self.told.worsen("failed", f"the credential was refused ({error})")
        except ConnectorError as error:
            self.told.worsen("failed", str(error))
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._end)

    async def _one(self, piece: Slice) -> None:
        chapters = []
        try:
            async for chapter in self.connector.past(piece):
                await run_sync(self._keep, chapter.changes)
                chapters.append(chapter)
        except (Refused, NotFound) as error:  # a person's to change: the others go on
            self.told.worsen("partial", f"{piece.label}: {error}")
        self.told.add(chapters)
        await run_sync(self._done, piece)

    def _begin(self) -> Sequence[Slice]:
        with self.contact.database.reading() as session:
            connection = session.get_one(Connection, self.account.id)
            self.connector.know(marks.known(session, connection.id, marks.recalling(self.contact.database, self._ids(connection))))
            place = _place(session, connection.id, self.since)
            self.told.is_whole = place.get("whole", True)
            self.told.whole_from = datetime.fromisoformat(place["from"]) if place.get("from") else None
            return _left_to_read(session, connection, self.connector, self.since) if self.connector.capabilities.past else []

    @staticmethod
    def _ids(connection: Connection) -> Ids:
        if connection.realm is None:
            raise ConnectionProblem("the connection has no realm yet")
        return Ids(connection.realm)

    def _has_room(self) -> bool:
        with self.contact.database.reading() as session:
            left = pace.left(session, session.get_one(Connection, self.account.id), self.contact.now(), self.contact.settings)
        return left is None or self.connector.http.requests < left

    def _keep(self, changes: Sequence[Past]) -> None:
        with self.contact.database.writing() as session:
            connection = session.get_one(Connection, self.account.id)
            runs.renew_lease(session, connection.id, self.holder, self.contact.now())
            assert connection.history_from is not None  # looked at before the run began
            fitting = [each for each in changes if self.since <= each.told.at < connection.history_from]
            rows = _rows(session, connection.id, self._ids(connection), fitting, self.contact.now())
            if rows:
                session.execute(insert(Change), rows)
        self.told.written += len(rows)

    def _done(self, piece: Slice) -> None:
        now = self.contact.now()
        with self.contact.database.writing() as session:
            done = [*_place(session, self.account.id, self.since).get("done", ()), piece.key]
            at = {"since": self.since.isoformat(), "done": done, "whole": self.told.is_whole}
            at["from"] = self.told.whole_from.isoformat() if self.told.whole_from else None
            upsert(session, Mark.__table__, [{"connection_id": self.account.id, "key": PLACE, "value": {"at": at}, "moved_at": now}])
            runs.renew_lease(session, self.account.id, self.holder, now)

    def _end(self) -> None:
        with self.contact.database.writing() as session:
            run, connection = session.get_one(SyncRun, self.run_id), session.get_one(Connection, self.account.id)
            run.state, run.errors, run.ended_at = self.told.state, self.told.errors, self.contact.now()
            run.requests, run.created = self.connector.http.requests, self.told.written
            if self.told.state != "complete":
                return
            session.execute(delete(Mark).where(Mark.connection_id == connection.id, Mark.key == PLACE))
            begin = self.told.whole_from
            if self.told.is_whole and begin is not None and connection.history_from is not None:
                connection.history_from = min(connection.history_from, max(begin, self.since))


def _place(session: Session, connection_id: UUID, since: datetime) -> dict[str, Any]:
    """How far an earlier run with the same beginning came."""
    mark = session.get(Mark, (connection_id, PLACE))
    at: dict[str, Any] = mark.value["at"] if mark is not None else {}
    return at if at.get("since") == since.isoformat() else {}


def _left_to_read(session: Session, connection: Connection, connector: Connector, since: datetime) -> list[Slice]:
    done = set(_place(session, connection.id, since).get("done", ()))
    mine = (Project.connection_id == connection.id, Project.deleted_at.is_(None))
    projects = session.scalars(select(Project.external_id).where(*mine)).all()
    tasks = session.scalars(select(Task.external_id).where(Task.connection_id == connection.id, Task.deleted_at.is_(None))).all()
    held = Held([f"project:{each}" for each in projects], [f"task:{each}" for each in tasks])
    return [piece for piece in connector.chapters(held, since) if piece.key not in done]


def _rows(session: Session, connection_id: UUID, ids: Ids, changes: Sequence[Past], now: datetime) -> list[dict[str, Any]]:
    """Change rows of tasks that the hub holds, less those that it has."""
    tasks = {ids(change.task) for change in changes}
    homes: dict[UUID, UUID | None] = {}
    known: set[tuple[UUID, str, datetime | None]] = set()
    for part in gone.chunks(list(tasks)):
        homes |= dict(session.execute(select(Task.id, Task.project_id).where(Task.id.in_(part), Task.connection_id == connection_id)).all())
        told = select(Change.entity_id, Change.field, Change.occurred_at).where(Change.entity == "task", Change.entity_id.in_(part))
        known |= {(row.entity_id, row.field, row.occurred_at) for row in session.execute(told)}
    named = _names(session, {home for home in homes.values() if home is not None}) if any(change.named for change in changes) else {}
    rows = []
    for change in changes:
        task = ids(change.task)
        if task not in homes:
            continue
        for name, old, new in _fields(change, ids, named, homes[task]):
            if (task, name, change.told.at) in known:
                continue
            known.add((task, name, change.told.at))
            rows.append(
                {
                    "connection_id": connection_id,
                    "change_set": uuid5(connection_id, f"history/{change.task}/{change.told.at.isoformat()}"),
                    "entity": "task",
                    "entity_id": task,
                    "field": name,
                    "old": old,
                    "new": new,
                    "occurred_at": change.told.at,
                    "occurred_after": None,
                    "recorded_at": now,
                    "precision": "exact" if change.exact else "between",
                    "actor_id": ids(change.told.actor) if change.told.actor else None,
                }
            )
    return rows


def _fields(change: Past, ids: Ids, named: dict[tuple[UUID | None, str], UUID], home: UUID | None) -> Iterable[tuple[str, Any, Any]]:
    """What a change is in the hub's own rows: a status that is told by its name is both its name and its id."""
    if not change.named:
        yield (change.field, _plain(change.old, ids, change.field), _plain(change.new, ids, change.field))
        return
    yield (change.field, change.old, change.new)
    by_id = [named.get((home, str(value).casefold())) for value in (change.old, change.new)]
    if change.field == "status" and by_id[1] is not None:
        before, after = (None if each is None else str(each) for each in by_id)
        yield ("status_id", before, after)


def _plain(value: Any, ids: Ids, name: str) -> Any:
    if name == "assignee_ids":
        return sorted(str(ids(each)) for each in value or ())
    return str(ids(value)) if name == "status_id" and value is not None else value


def _names(session: Session, projects: set[UUID]) -> dict[tuple[UUID | None, str], UUID]:
    """Statuses by project and name, as they are called now: those that a project describes, and those that its tasks carry (they may be shared)."""
    found: dict[tuple[UUID | None, str], UUID] = {}
    for part in gone.chunks(list(projects)):
        for row in session.execute(select(Status.id, Status.project_id, Status.name).where(Status.project_id.in_(part), Status.deleted_at.is_(None))):
            found[row.project_id, (row.name or "").casefold()] = row.id
        carried = select(Task.project_id, Task.status, Task.status_id).where(Task.project_id.in_(part), Task.status_id.is_not(None)).distinct()
        found |= {(row.project_id, (row.status or "").casefold()): row.status_id for row in session.execute(carried)}
    return found
