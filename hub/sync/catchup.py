"""Closes a run that read only what changed: what its pages imply, and what is gone as far as it can know.

Absence from a feed proves nothing. What is missing where this run read whole (the container tree, a project that a page opened, the subtasks of
one parent) is read by id, and only what the vendor then says is gone is marked deleted; the rest waits for the next full reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID, uuid4

from anyio.to_thread import run_sync
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from connectors.base import STRUCTURE
from connectors.records import Ref
from hub import events
from hub.models import SyncPass, SyncSlice, Task, TaskProject
from hub.sync import coverage, gone, inbox, late, marks, renamed, runs, settle, sight, store
from hub.sync.finish import HIDDEN
from hub.sync.ids import Ids
from hub.sync.judge import Judge
from hub.sync.runs import Outcome
from hub.sync.tally import Tally
from hub.sync.write import Batch

DEPTH = 64
LIVE = (Task.deleted_at.is_(None), Task.access_lost_at.is_(None))


def short_of_children(session: Session, this: SyncPass) -> dict[UUID, Ref]:
    """Parents that this pass saw and whose subtasks, as held, are not as many as the vendor says."""
    short: dict[UUID, Ref] = {}
    for part in gone.chunks([UUID(bytes=entity) for _, entity in store.seen_ids(session, this.id, "task")]):
        # Those that are hidden do not count: when access comes back, no list of a project brings its subtasks.
        held = select(Task.parent_id, func.count()).where(Task.parent_id.in_(part), *LIVE).group_by(Task.parent_id)
        counts = dict(session.execute(held).all())
        wanted = select(Task.id, Task.external_id, Task.child_count).where(
            Task.id.in_(part), Task.deleted_at.is_(None), Task.child_count.is_not(None)
        )
        short |= {row.id: f"task:{row.external_id}" for row in session.execute(wanted) if counts.get(row.id, 0) != row.child_count}
    return short


@dataclass(slots=True)
class CatchUp:
    """The last part of a run that was not full. ``near``: where tasks may have to follow others (None: anywhere). ``changed``: something was written.
    ``archived``: the projects that were archived when the run began. ``touched``: calls of webhooks with what they named. ``told``: projects and
    tasks that the vendor says were deleted. ``parents``: tasks whose subtasks were read one by one. ``brought``: what pages wrote. ``moves``: the
    marks that go with all of this: written at the end, so that a run that dies before reads the same stretch again, deletions and all."""

    judge: Judge
    near: settle.Near | None
    changed: bool
    archived: Set[UUID] = frozenset()
    touched: Sequence[tuple[int, Sequence[Ref]]] = ()
    told: dict[str, set[UUID]] = field(default_factory=dict)
    parents: Set[UUID] = frozenset()
    brought: Tally = field(default_factory=Tally)
    moves: marks.Moves = field(default_factory=marks.Moves)
    dead: set[UUID] = field(default_factory=set)
    asked: set[UUID] = field(default_factory=set)

    async def go(self, outcome: Outcome, *, accept_deletions: bool) -> int:
        """Returns how many tasks were marked as deleted."""
        touched = self._named() | self.brought.doubtful
        verdict = await self.judge.look(touched, outcome)
        self.dead, self.asked = verdict.dead, verdict.asked
        self.told["task"] = self.told.get("task", set()) - verdict.alive
        if self.changed or touched:
            await run_sync(self._settle)
        projects = dict.fromkeys(self.told.get("project", ()), "vendor_event")
        verdict = await self.judge.look(await run_sync(self._refs, "project", projects.keys()), outcome)
        projects |= dict.fromkeys(verdict.dead, "gone_by_id")
        if shared := await run_sync(self._shared):
            await self.judge.look(shared, outcome)
            await run_sync(self._settle)
        tasks = dict.fromkeys(await run_sync(self._inside, projects.keys()), "parent_deleted")
        tasks |= dict.fromkeys(self.dead, "gone_by_id") | dict.fromkeys(self.told.get("task", ()), "vendor_event")
        candidates = await run_sync(self._refs, "task", tasks.keys())
        while candidates:  # who lay below one that is gone may be gone with it
            verdict = await self.judge.look(candidates, outcome)
            tasks |= dict.fromkeys(verdict.dead, "gone_by_id")
            candidates = await run_sync(self._below, verdict.dead, tasks.keys())
        refusal = None if accept_deletions or not tasks else await run_sync(self.judge.refusal, len(tasks))
        if refusal:
            outcome.worsen("partial", refusal)
        else:
            await run_sync(self.judge.bury, {"project": projects, "task": tasks})
        await run_sync(partial(self._close, outcome, believed=not refusal))
        return 0 if refusal else len(tasks)

    def _named(self) -> dict[Ref, UUID]:
        """The tasks that webhooks named and no page of this run has brought as changed: a page that shows one as it was may trail behind."""
        named = {ref: self.judge.account.ids(ref) for _, refs in self.touched for ref in refs if ref.startswith("task:")}
        return {ref: task for ref, task in named.items() if task not in self.brought.written}

    def _shared(self) -> dict[Ref, UUID]:
        """Tasks that have lost one of their homes, and that no page of this run brought: a poll need not bring those that nobody changed."""
        with self.judge.database.reading() as session:
            lost = gone.shared(session, self.judge.this, self.judge.account.ids)
        return self.judge.refs("task", list(lost - self.brought.written))

    def _looked_into(self) -> list[int]:
        """The calls of webhooks all of whose tasks were brought or asked for; the others wait for the next run."""
        known = self.asked | self.brought.written
        ids = self.judge.account.ids
        return [call for call, refs in self.touched if all(ids(ref) in known for ref in refs if ref.startswith("task:"))]

    def _settle(self) -> None:
        account = self.judge.account
        with self._writing() as session:
            account.archived_projects = settle.settle_projects(session, self._connection)
            near = self.near
            if near is not None:
                near = settle.Near(near.connection_id, near.position, self.archived ^ account.archived_projects)
            orphans = late.orphans(session, account, self.judge.now())
            settle.settle_tasks(session, self._connection, near)
            late.tell(session, account, orphans, self.judge.is_baseline, self.judge.now())
            batch = Batch(session, account, self.judge.now(), self.judge.is_baseline)
            renamed.follow(batch, account.renamed)
            batch.finish()

    def _refs(self, kind: str, known: Set[UUID]) -> dict[Ref, UUID]:
        with self.judge.database.reading() as session:
            absent = sight.absent_projects(session, self.judge.this) if kind == "project" else self._absent_tasks(session)
        return self.judge.refs(kind, list(absent - known))

    def _below(self, dead: Set[UUID], known: Set[UUID]) -> dict[Ref, UUID]:
        if not dead:
            return {}
        with self.judge.database.reading() as session:
            below = _below(session, dead)
        return self.judge.refs("task", list(below - known))

    def _inside(self, dying: Set[UUID]) -> set[UUID]:
        if not dying:
            return set()
        with self.judge.database.reading() as session:
            inside: set[UUID] = set()
            for part in gone.chunks(list(dying)):
                inside |= set(session.scalars(select(Task.id).where(or_(Task.project_id.in_(part), Task.id.in_(_members(part))), *LIVE)))
            return gone.orphans(session, self._connection, list(inside), dying)

    def _absent_tasks(self, session: Session) -> set[UUID]:
        """Tasks that ought to have been on a page of this run and were on none; hidden ones too, for their project may have come back."""
        this = self.judge.this
        absent: set[UUID] = set()
        for part in gone.chunks(list(_read_whole(session, this, self.judge.account.ids))):
            absent |= set(session.scalars(select(Task.id).where(Task.id.in_(_members(part)), Task.deleted_at.is_(None))))
        for part in gone.chunks(list(self.parents)):
            absent |= set(session.scalars(select(Task.id).where(Task.parent_id.in_(part), Task.deleted_at.is_(None))))
        if absent:
            absent -= {UUID(bytes=entity) for _, entity in store.seen_ids(session, this.id, "task")}
        return absent | _below(session, self.told.get("task", set()) | self.dead)

    def _close(self, outcome: Outcome, *, believed: bool) -> None:
        """``believed``: what is said to be gone was marked so; else it must be told again, once an admin gave the word."""
        this, now, ids = self.judge.this, self.judge.now(), self.judge.account.ids
        with self._writing() as session:
            hidden = gone.lose_access(session, this, ids, now)
            told = coverage.record(session, this, ids, now)
            events.append(session, told, connection_id=self._connection, change_set=uuid4(), now=now)
            if not store.unread(session, this.id):
                store.complete(session, this, now)
            if believed:
                marks.write(session, self._connection, self.moves, now)
                inbox.done(session, self._looked_into(), now)
        if hidden:
            outcome.worsen("partial", HIDDEN.format(len(hidden)), fault=False)

    @property
    def _connection(self) -> UUID:
        return self.judge.this.connection_id

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with self.judge.database.writing() as session:
            yield session
            runs.renew_lease(session, self._connection, self.judge.holder, self.judge.now())


def _read_whole(session: Session, this: SyncPass, ids: Ids) -> set[UUID]:
    """The projects all of whose slices were read to their end in this pass."""
    whole: set[UUID] = set()
    unread: set[UUID] = set()
    pieces = select(SyncSlice.state, SyncSlice.covers, SyncSlice.refused).where(SyncSlice.pass_id == this.id, SyncSlice.phase > STRUCTURE)
    for piece in session.execute(pieces):
        covers = {ids(ref) for ref in piece.covers}
        if piece.state == store.DONE:
            whole |= covers
            unread |= {ids(ref) for ref in piece.refused}
        else:
            unread |= covers
    return whole - unread


def _members(projects: Sequence[UUID]) -> Select[UUID]:
    """By membership of their own: a subtask that only inherits its home is on no project's list."""
    return select(TaskProject.task_id).where(TaskProject.project_id.in_(projects))


def _below(session: Session, tasks: Set[UUID]) -> set[UUID]:
    """Live tasks at any depth below others."""
    found: set[UUID] = set()
    level = set(tasks)
    for _ in range(DEPTH):
        parts = gone.chunks(list(level))
        level = {t for p in parts for t in session.scalars(select(Task.id).where(Task.parent_id.in_(p), Task.deleted_at.is_(None)))} - found - tasks
        if not level:
            break
        found |= level
    return found
