"""Closes a pass: what the tree implies, what is gone, how complete each project is. Every step may be repeated: a run killed here does it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from anyio.to_thread import run_sync
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.records import Ref
from hub import events
from hub.models import SyncPass, Task
from hub.sync import coverage, gone, inbox, late, runs, settle, store
from hub.sync.judge import Judge
from hub.sync.runs import Outcome

HIDDEN = "{} tasks are hidden: the tool no longer lets this credential read their project"


def short_of_children(session: Session, this: SyncPass) -> dict[UUID, Ref]:
    """Parents whose subtasks, as far as this pass saw them, are not as many as the vendor says."""
    unseen = gone.absent(session, this, "task")
    missing: Counter[UUID] = Counter()
    for chunk in gone.chunks([UUID(bytes=each) for each in unseen]):
        missing.update(session.scalars(select(Task.parent_id).where(Task.id.in_(chunk), Task.parent_id.is_not(None))))
    live = (Task.connection_id == this.connection_id, Task.deleted_at.is_(None))
    held = dict(session.execute(select(Task.parent_id, func.count()).where(*live, Task.parent_id.is_not(None)).group_by(Task.parent_id)).all())
    parents = session.execute(select(Task.id, Task.external_id, Task.child_count).where(*live, Task.access_lost_at.is_(None), Task.child_count > 0))
    short = (p for p in parents if p.id.bytes not in unseen and held.get(p.id, 0) - missing[p.id] != p.child_count)
    return {parent.id: f"task:{parent.external_id}" for parent in short}


@dataclass(slots=True)
class Closing:
    """The last part of a full run."""

    judge: Judge

    async def go(self, outcome: Outcome, *, accept_deletions: bool) -> int:
        """Closes the pass if every slice was read or refused; returns how many tasks were marked as deleted."""
        await run_sync(self._settle)
        found = await run_sync(self._candidates)
        projects = await self._judge("project", found, found.of("project"), outcome)
        found.clear("task", await run_sync(self._hide, outcome))
        orphans = await run_sync(self._orphans, found, projects.keys())
        tasks = dict.fromkeys(orphans, "parent_deleted")
        tasks |= await self._judge("task", found, [each for each in found.of("task") if each not in orphans], outcome)
        refusal = None if accept_deletions else await run_sync(self.judge.refusal, len(tasks))
        if refusal:
            outcome.worsen("partial", refusal)
        else:
            await run_sync(self.judge.bury, {"project": projects, "task": tasks} | found.second_time())
        await run_sync(self._close, found)
        return 0 if refusal else len(tasks)

    def _settle(self) -> None:
        with self._writing() as session:
            self.judge.account.archived_projects = settle.settle_projects(session, self._connection)
            orphans = late.orphans(session, self.judge.account, self.judge.now())
            settle.settle_tasks(session, self._connection)
            late.tell(session, self.judge.account, orphans, self.judge.is_baseline, self.judge.now())

    def _candidates(self) -> gone.Candidates:
        with self.judge.database.reading() as session:
            return gone.find(session, self.judge.this, store.last_complete(session, self._connection))

    def _hide(self, outcome: Outcome) -> set[UUID]:
        with self._writing() as session:
            hidden = gone.lose_access(session, self.judge.this, self.judge.account.ids, self.judge.now())
        if hidden:
            outcome.worsen("partial", HIDDEN.format(len(hidden)), fault=False)
        return hidden

    def _orphans(self, found: gone.Candidates, dying: Set[UUID]) -> set[UUID]:
        unseen = [UUID(bytes=entity) for entity in found.unseen.get("task", ())]
        with self.judge.database.reading() as session:
            return gone.orphans(session, self._connection, unseen, dying)

    async def _judge(self, kind: str, found: gone.Candidates, candidates: Sequence[UUID], outcome: Outcome) -> dict[UUID, str]:
        """The dead ones of a kind with their evidence: the vendor says so, or two complete passes in a row lacked it."""
        again = set(found.again.get(kind, ()))
        refs = await run_sync(self.judge.refs, kind, candidates)
        verdict = await self.judge.look(refs, outcome)
        found.clear(kind, verdict.alive)
        twice = {entity for entity in refs.values() if entity in again} - verdict.answered
        return dict.fromkeys(verdict.dead, "gone_by_id") | dict.fromkeys(twice, "two_passes")

    def _close(self, found: gone.Candidates) -> None:
        this, now = self.judge.this, self.judge.now()
        with self._writing() as session:
            gone.remember(session, this, found)
            told = coverage.record(session, this, self.judge.account.ids, now)
            events.append(session, told, connection_id=self._connection, change_set=uuid4(), now=now)
            if not store.unread(session, this.id):
                gone.carry(session, this, store.last_complete(session, self._connection), found)
                store.complete(session, this, now)
                inbox.done(session, inbox.overfull(session, self._connection, this.started_at), now)

    @property
    def _connection(self) -> UUID:
        return self.judge.this.connection_id

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        """A transaction that also keeps the lease."""
        with self.judge.database.writing() as session:
            yield session
            runs.renew_lease(session, self._connection, self.judge.holder, self.judge.now())
