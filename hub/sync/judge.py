"""Reads candidates by id, and marks as deleted what is proved gone. Used at the end of every kind of run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from anyio.to_thread import run_sync
from sqlalchemy import select

from connectors.base import Connector, Looked
from connectors.records import Ref
from hub import models
from hub.db import Database
from hub.models import SyncPass
from hub.sync import gone, runs, sight, store, write
from hub.sync.runs import Outcome

LOOKUPS = 200
"""Requests that one run spends on reading candidates by id; the others wait for the next run, or for the second pass."""


@dataclass(slots=True)
class Verdict:
    """What reading by id said. ``asked``: whom it was asked of; ``alive``: found, or refused (then hidden, never deleted); in neither of the others:
    the vendor did not say."""

    asked: set[UUID] = field(default_factory=set)
    dead: set[UUID] = field(default_factory=set)
    alive: set[UUID] = field(default_factory=set)

    @property
    def answered(self) -> set[UUID]:
        return self.dead | self.alive


@dataclass(slots=True)
class Judge:
    """What judging needs of a run."""

    database: Database
    connector: Connector
    account: write.Account
    this: SyncPass
    holder: str
    now: Callable[[], datetime]
    share: float
    is_baseline: Callable[[UUID | None], bool] = lambda _home: False

    async def look(self, refs: Mapping[Ref, UUID], outcome: Outcome) -> Verdict:
        """Reads by id. Those alive are kept as they are now, those refused are hidden."""
        verdict, refused = Verdict(), list[UUID]()
        size = self.connector.capabilities.lookup_batch
        affordable = list(refs.items())[: LOOKUPS * size]
        for start in range(0, len(affordable), size):
            part = dict(affordable[start : start + size])
            looked = await self.connector.lookup(list(part))
            for problem in await run_sync(self._keep_found, looked):
                outcome.worsen("partial", problem)
            verdict.asked |= set(part.values())
            verdict.dead |= {part[ref] for ref in looked.gone if ref in part}
            verdict.alive |= {part[ref] for ref in (*looked.found, *looked.refused) if ref in part}
            refused += [part[ref] for ref in looked.refused if ref.startswith("task:") and ref in part]
        if refused:
            await run_sync(self._leave, refused)
        return verdict

    def _leave(self, refused: Sequence[UUID]) -> None:
        """All at once, however many requests they were asked for in: what leaves together is told together."""
        with self.database.writing() as session:
            batch = write.Batch(session, self.account, self.now(), self.is_baseline)
            gone.leave(batch, refused)
            batch.finish()
            runs.renew_lease(session, self.this.connection_id, self.holder, self.now())

    async def look_out(self, outcome: Outcome) -> None:
        """Before the first task is written: whether projects that are on no list any more were deleted or are hidden, where that decides what tasks
        tell. It is asked again when the run closes; only a run that misses such a project pays for that."""
        if doubtful := await run_sync(self._doubtful):
            await self.look(await run_sync(self.refs, "project", doubtful), outcome)
            await run_sync(self._note_hidden)

    def _doubtful(self) -> Sequence[UUID]:
        with self.database.reading() as session:
            return sight.doubtful(session, self.this)

    def _note_hidden(self) -> None:
        with self.database.reading() as session:
            self.account.hidden |= sight.hidden(session, self.this, self.account.ids)

    def refs(self, kind: str, entities: Sequence[UUID]) -> dict[Ref, UUID]:
        """How the vendor knows these tasks or projects."""
        table = models.Task if kind == "task" else models.Project
        with self.database.reading() as session:
            return {
                f"{kind}:{row.external_id}": row.id
                for part in gone.chunks(entities)
                for row in session.execute(select(table.id, table.external_id).where(table.id.in_(part)))
            }

    def _keep_found(self, looked: Looked) -> list[str]:
        """Alive though no list shows it: kept as it is now, and counted as seen, so that absence from lists alone never buries
        it. What could not be understood is returned."""
        with self.database.writing() as session:
            batch = write.Batch(session, self.account, self.now(), self.is_baseline)
            entries = write.entries_of(self.account, self.connector, looked.found.values())
            write.keep(batch, entries)
            batch.finish()
            store.saw(session, self.this.id, {kind: [entry.id for entry in found] for kind, found in entries.items()})
            store.refuse_by_id(session, self.this.id, [ref for ref in looked.refused if ref.startswith("project:")])
            runs.renew_lease(session, self.this.connection_id, self.holder, self.now())
        return batch.tally.problems

    def refusal(self, deaths: int) -> str | None:
        """Why so many deletions at once are not believed without an admin's word, or None."""
        with self.database.reading() as session:
            return gone.guarded(session, self.this.connection_id, deaths, self.share)

    def bury(self, deaths: Mapping[str, Mapping[UUID, str]]) -> None:
        """Marks as deleted, by kind and with the evidence."""
        for kind, entities in deaths.items():
            for part in gone.chunks(list(entities)):
                with self.database.writing() as session:
                    batch = write.Batch(session, self.account, self.now(), self.is_baseline)
                    gone.bury(batch, kind, {entity: entities[entity] for entity in part})
                    batch.finish()
                    runs.renew_lease(session, self.this.connection_id, self.holder, self.now())
