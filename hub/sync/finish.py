"""Closes a pass: what the tree implies, what is gone, how complete each project is. Every step may be repeated: a run killed here does it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from anyio.to_thread import run_sync
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.base import Connector, Looked
from connectors.records import Ref
from hub import events, models
from hub.db import Database
from hub.models import SyncPass, Task
from hub.sync import coverage, gone, runs, settle, store, write
from hub.sync.runs import Outcome

LOOKUPS = 200
"""Requests that one run spends on reading candidates by id; the others wait for the second pass."""


def short_of_children(session: Session, this: SyncPass) -> list[Ref]:
    """Parents whose subtasks, as far as this pass saw them, are not as many as the vendor says."""
    unseen = gone.absent(session, this, "task")
    missing: Counter[UUID] = Counter()
    for chunk in gone.chunks([UUID(bytes=each) for each in unseen]):
        missing.update(session.scalars(select(Task.parent_id).where(Task.id.in_(chunk), Task.parent_id.is_not(None))))
    live = (Task.connection_id == this.connection_id, Task.deleted_at.is_(None))
    held = dict(session.execute(select(Task.parent_id, func.count()).where(*live, Task.parent_id.is_not(None)).group_by(Task.parent_id)).all())
    parents = session.execute(select(Task.id, Task.external_id, Task.child_count).where(*live, Task.access_lost_at.is_(None), Task.child_count > 0))
    return [f"task:{p.external_id}" for p in parents if p.id.bytes not in unseen and held.get(p.id, 0) - missing[p.id] != p.child_count]


@dataclass(slots=True)
class Closing:
    """The last part of a run, with what it needs from the engine."""

    database: Database
    connector: Connector
    account: write.Account
    this: SyncPass
    holder: str
    now: Callable[[], datetime]
    share: float

    async def go(self, outcome: Outcome, *, accept_deletions: bool) -> int:
        """Closes the pass if every slice was read or refused; returns how many tasks were marked as deleted."""
        await run_sync(self._settle)
        found = await run_sync(self._candidates)
        projects = await self._judge("project", found, found.of("project"), outcome)
        found.clear("task", await run_sync(self._hide, outcome))
        orphans = await run_sync(self._orphans, found, projects.keys())
        tasks = dict.fromkeys(orphans, "parent_deleted")
        tasks |= await self._judge("task", found, [each for each in found.of("task") if each not in orphans], outcome)
        refusal = None if accept_deletions else await run_sync(self._guard, len(tasks))
        if refusal:
            outcome.worsen("partial", refusal)
        else:
            await run_sync(self._bury, {"project": projects, "task": tasks} | found.second_time())
        await run_sync(self._close, found)
        return 0 if refusal else len(tasks)

    def _settle(self) -> None:
        with self.database.writing() as session:
            self.account.archived_projects = settle.settle_projects(session, self.this.connection_id)
            settle.settle_tasks(session, self.this.connection_id)
            runs.renew_lease(session, self.this.connection_id, self.holder, self.now())

    def _candidates(self) -> gone.Candidates:
        with self.database.reading() as session:
            return gone.find(session, self.this, store.last_complete(session, self.this.connection_id))

    def _hide(self, outcome: Outcome) -> set[UUID]:
        with self.database.writing() as session:
            hidden = gone.lose_access(session, self.this, self.account.ids, self.now())
            runs.renew_lease(session, self.this.connection_id, self.holder, self.now())
        if hidden:
            outcome.worsen("partial", f"{len(hidden)} tasks are hidden: the tool no longer lets this credential read their project", fault=False)
        return hidden

    def _orphans(self, found: gone.Candidates, dying: Set[UUID]) -> set[UUID]:
        unseen = [UUID(bytes=entity) for entity in found.unseen.get("task", ())]
        with self.database.reading() as session:
            return gone.orphans(session, self.this.connection_id, unseen, dying)

    async def _judge(self, kind: str, found: gone.Candidates, candidates: Sequence[UUID], outcome: Outcome) -> dict[UUID, str]:
        """Reads candidates by id: the dead ones with their evidence. Those alive are kept as they are now, those refused are hidden."""
        again = set(found.again.get(kind, ()))
        refs = await run_sync(self._refs, kind, candidates)
        deaths: dict[UUID, str] = {}
        answered: set[UUID] = set()
        size = self.connector.capabilities.lookup_batch
        affordable = list(refs.items())[: LOOKUPS * size]
        for start in range(0, len(affordable), size):
            part = dict(affordable[start : start + size])
            looked = await self.connector.lookup(list(part))
            deaths |= {part[ref]: "gone_by_id" for ref in looked.gone if ref in part}
            for problem in await run_sync(self._keep_found, looked, part):
                outcome.worsen("partial", problem)
            alive = {part[ref] for ref in (*looked.found, *looked.refused) if ref in part}
            found.clear(kind, alive)
            answered |= alive | deaths.keys()
        return deaths | {entity: "two_passes" for entity in refs.values() if entity in again and entity not in answered}

    def _refs(self, kind: str, entities: Sequence[UUID]) -> Mapping[Ref, UUID]:
        table = models.Task if kind == "task" else models.Project
        with self.database.reading() as session:
            return {
                f"{kind}:{row.external_id}": row.id
                for part in gone.chunks(entities)
                for row in session.execute(select(table.id, table.external_id).where(table.id.in_(part)))
            }

    def _keep_found(self, looked: Looked, part: Mapping[Ref, UUID]) -> list[str]:
        """Alive though no list shows it: kept as it is now, and counted as seen, so that absence from lists alone never buries
        it. What could not be understood is returned."""
        with self.database.writing() as session:
            batch = write.Batch(session, self.account, self.now(), lambda _home: False)
            entries = write.entries_of(self.account, self.connector, looked.found.values())
            write.keep(batch, entries)
            batch.finish()
            store.saw(session, self.this.id, {kind: [entry.id for entry in found] for kind, found in entries.items()})
            gone.hide(session, [part[ref] for ref in looked.refused if ref.startswith("task:")], self.now())
            store.refuse_by_id(session, self.this.id, [ref for ref in looked.refused if ref.startswith("project:")])
            runs.renew_lease(session, self.this.connection_id, self.holder, self.now())
        return batch.tally.problems

    def _guard(self, deaths: int) -> str | None:
        with self.database.reading() as session:
            return gone.guarded(session, self.this.connection_id, deaths, self.share)

    def _bury(self, deaths: Mapping[str, Mapping[UUID, str]]) -> None:
        for kind, entities in deaths.items():
            for part in gone.chunks(list(entities)):
                with self.database.writing() as session:
                    batch = write.Batch(session, self.account, self.now(), lambda _home: False)
                    gone.bury(batch, kind, {entity: entities[entity] for entity in part})
                    batch.finish()
                    runs.renew_lease(session, self.this.connection_id, self.holder, self.now())

    def _close(self, found: gone.Candidates) -> None:
        with self.database.writing() as session:
            gone.remember(session, self.this, found)
            told = coverage.record(session, self.this, self.account.ids, self.now())
            events.append(session, told, connection_id=self.this.connection_id, change_set=uuid4(), now=self.now())
            if not store.unread(session, self.this.id):
                gone.carry(session, self.this, store.last_complete(session, self.this.connection_id), found)
                store.complete(session, self.this, self.now())
            runs.renew_lease(session, self.this.connection_id, self.holder, self.now())
