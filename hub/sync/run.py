"""One run: open the connection, read what its pass still lacks, keep it page by page, verify, close the pass.

How much it reads is its kind (``pace.py``): everything, or what feeds and webhooks say has changed. Both go the same way, page by page.

Killed at any point, the next run goes on at the last kept page. A run never sleeps on a long wait: it ends as ``deferred`` and says when it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import anyio
from anyio.to_thread import run_sync
from sqlalchemy.orm import Session

from connectors.base import Connector, Page, Slice
from connectors.errors import AuthFailed, BadResponse, ConnectorError, NotFound, RateLimited, Refused
from connectors.http import Client
from connectors.records import Ref
from hub import log
from hub.connections import ConnectionProblem, Opened, accept, adopt, opened, way_out
from hub.connections.tokens import Keeper
from hub.db import Database
from hub.events import position
from hub.models import Connection, SyncPass, SyncRun
from hub.settings import Settings
from hub.sync import agenda, catchup, coverage, finish, gone, inbox, marks, pace, runs, settle, sight, store, write
from hub.sync.bridge import across
from hub.sync.familiar import Familiar
from hub.sync.ids import Ids
from hub.sync.judge import Judge
from hub.sync.progress import Progress
from hub.sync.reader import Arrival, Arrived, Ended, Reader
from hub.sync.runs import Outcome
from hub.sync.tally import Tally
from hub.vault import Vault, VaultError

RETRY_AFTER = timedelta(minutes=5)
"""When a partial or failed run is tried again, if the connection's own interval is longer."""
INBOX = 2_000
"""Calls of webhooks that one run looks into; the others wait for the next."""
INTERRUPTED = "interrupted; the next sync goes on from the last kept page"


@dataclass(frozen=True, slots=True)
class Tools:
    """What every run of an engine shares. ``watch`` is called after every kept page."""

    database: Database
    vault: Vault
    settings: Settings
    now: Callable[[], datetime]
    watch: Callable[[Progress], None]


@dataclass(slots=True)
class Work:
    """The state of one run."""

    tools: Tools
    run_id: UUID
    holder: str
    opened: Opened
    connector: Connector
    outcome: Outcome = field(default_factory=Outcome)
    tally: Tally = field(default_factory=Tally)
    deleted: int = 0
    accept_deletions: bool = False
    account: write.Account | None = None
    this: SyncPass | None = None
    familiar: Familiar = field(default_factory=Familiar)
    first: bool = False
    proved: set[UUID] = field(default_factory=set)
    pages: dict[str, int] = field(default_factory=dict)
    covered: set[UUID] = field(default_factory=set)
    lost: bool = False
    slices_done: int = 0
    troubled: set[str] = field(default_factory=set)
    structured: bool = False
    seen_before: int = 0
    since: int = 0
    resumed: bool = False
    archived: frozenset[UUID] = frozenset()
    gone: dict[str, set[UUID]] = field(default_factory=dict)
    parents: set[UUID] = field(default_factory=set)
    touched: Sequence[tuple[int, Sequence[Ref]]] = ()
    moves: marks.Moves = field(default_factory=marks.Moves)
    wrote: bool = False

    @classmethod
    def begin(cls, tools: Tools, run_id: UUID, connection_id: UUID, holder: str, client: Client) -> Work | Outcome:
        with tools.database.writing() as session:
            connection = session.get_one(Connection, connection_id)
            run = session.get_one(SyncRun, run_id)
            if connection.state in ("paused", "detached"):
                outcome = Outcome(state="cancelled", errors=[f"{connection.name} is {connection.state}: hub connection resume {connection.name}"])
                run.state, run.ended_at, run.errors = "cancelled", tools.now(), outcome.errors
                return outcome
            try:
                account = opened(connection, tools.vault)
                connector = account.connect(client, tools.now, Keeper(tools.database, tools.vault, tools.settings, tools.now))
            except (VaultError, ConnectionProblem, ConnectorError, ValueError) as error:
                outcome = Outcome(state="failed", errors=[f"{connection.name}: {error}"], broken=isinstance(error, AuthFailed))
                runs.end(session, run_id, outcome, {}, tools.now(), tools.now() + RETRY_AFTER)
                return outcome
            return cls(tools, run_id, holder, account, connector)

    async def go(self) -> Outcome:
        try:
            if self.opened.realm is None:
                await self._check()
            positions = await run_sync(self._open_pass)
            fatal = await Reader(self.connector, self._keep).run(positions)
            if fatal is None:
                fatal = await self._verify()
            if fatal is not None:
                self._stop(fatal)
            else:
                await self._finish()
        except (ConnectorError, ConnectionProblem) as error:
            self._stop(error)
        except runs.LeaseLost as error:
            self.lost = True
            self.outcome.worsen("failed", str(error))
        except (anyio.get_cancelled_exc_class(), KeyboardInterrupt):
            self.outcome.state, self.outcome.errors = "cancelled", [INTERRUPTED]
            raise
        except BaseException as error:
            self.outcome.worsen("failed", f"{self.opened.name}: ended by a defect ({type(error).__name__}); the log of the program says more")
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._end)
        return self.outcome

    async def _check(self) -> None:
        """The first contact fixes the realm; later runs learn from their first call whether the credential still works."""
        check = await self.connector.check()

        def keep() -> None:
            with self.tools.database.writing() as session:
                connection = session.get_one(Connection, self.opened.id)
                accept(session, connection, check, self.tools.now(), self.opened.tokens)
                adopt(session, connection)

        await run_sync(keep)

    def _open_pass(self) -> Sequence[store.Position]:
        tools = self.tools
        with tools.database.writing() as session:
            connection = session.get_one(Connection, self.opened.id)
            run = session.get_one(SyncRun, self.run_id)
            if connection.realm is None:
                raise BadResponse("the connection has no realm after its check")
            reading = agenda.reading(self.connector, self.opened)
            asked = agenda.wide_enough(session, self.connector, connection.id, run.kind)
            kind = pace.kind_of(session, connection, asked, reading, tools.now(), tools.settings)
            self.accept_deletions = run.accept_deletions
            self.this, fresh, self.resumed = store.open_pass(session, connection.id, kind, tools.now(), anew=run.anew)
            self.this.reading = self.this.reading or reading
            self.first = connection.history_from is None
            self.since = position(session, "position")
            self.account = write.Account(connection.id, Ids(connection.realm), self.connector.mapping_version, tools.settings.keep_raw)
            self.account.categories = write.load_categories(session, connection.id)
            self.account.archived_projects = settle.archived_projects(session, connection.id)
            self.archived = frozenset(self.account.archived_projects)
            self.proved = coverage.proved(session, connection.id)
            self.familiar = Familiar((self.connector.mapping_version, self.opened.options))
            if kind == runs.FULL:
                self.familiar.load(session, store.last_complete(session, connection.id))
            self.connector.know(marks.known(session, connection.id, marks.recalling(tools.database, self.account.ids), self.familiar.recognise))
            if fresh:
                store.add_slices(session, self.this.id, self._roots(session, kind), root=True)
            runs.start(session, run, self.this, tools.now(), baseline=self.first)
            self.seen_before = store.count_seen(session, self.this.id, "task")
            self._cover(store.covered(session, self.this.id))
            self.account.hidden = sight.hidden(session, self.this, self.account.ids)
            positions = store.to_read(session, self.this.id)
            self.pages = {position.piece.key: position.pages for position in positions}
            return positions

    def _roots(self, session: Session, kind: str) -> Sequence[Slice]:
        if kind != runs.FULL:
            self.touched = inbox.take(session, self.opened.id, INBOX)
        named = [ref for _, refs in self.touched for ref in refs]
        found, walks = agenda.first_slices(self.connector, self.opened.scope, kind, named)
        self.structured = not walks
        return found

    async def _keep(self, arrival: Arrival) -> Sequence[store.Position]:
        if isinstance(arrival, Arrived):
            if arrival.piece.phase > 0 and not self.structured:
                await self._judge().look_out(self.outcome)
            opened_ones = await across(self.tools.database, self._keep_page, arrival)
        else:
            opened_ones = await across(self.tools.database, self._end_slice, arrival)
        self._show("reading")
        return opened_ones

    def _keep_page(self, arrival: Arrived) -> Sequence[store.Position]:
        """One page, one transaction."""
        piece, page, this, account = arrival.piece, arrival.page, self._pass(), self._account()
        if piece.phase > 0 and not self.structured:
            self._settle_structure()
        with self.tools.database.writing() as session:
            now = self.tools.now()
            batch = write.Batch(session, account, now, partial(self._is_baseline, frozenset(account.ids(ref) for ref in piece.covers)))
            batch.lags = not self._full and not piece.covers
            seen = self._keep_items(session, arrival, batch)
            kept = store.Kept(piece.key, self.pages[piece.key], page.cursor, seen, page.refused, understood=self._understood(piece, batch.tally))
            store.move(session, this.id, kept)
            fresh = store.add_slices(session, this.id, page.opens)
            self._keep_marks(session, piece, page)
            if batch.lags and batch.tally.unread:  # the mark goes on; these are read by id until they make sense
                inbox.add_all(session, [inbox.Line(account.connection_id, None, tuple(batch.tally.unread))], now)
            runs.renew_lease(session, account.connection_id, self.holder, now)
        for kind, ids in self.gone.items():
            ids.difference_update(seen.get(kind, ()))  # deleted in one stretch of a feed, and back in the next
        for ref in page.gone:
            self.gone.setdefault(ref.partition(":")[0], set()).add(account.ids(ref))
        self.wrote = self.wrote or batch.has_written
        self.pages[piece.key] += 1
        self.slices_done += page.cursor is None
        self._count(batch.tally, page.refused)
        if batch.tally.problems:
            self.troubled.add(piece.key)
        self.pages |= {each.key: 0 for each in fresh}
        self._cover([ref for each in fresh for ref in each.covers])
        return [store.Position(each, None, 0) for each in fresh]

    def _keep_marks(self, session: Session, piece: Slice, page: Page) -> None:
        """A full reading begins feeds where there are none. What feeds bring is closed at the end of the run, and so are their marks."""
        if self._full:
            marks.add(session, self.opened.id, page.marks, self.tools.now())
        else:
            (self.moves.begun if piece.covers else self.moves.moved).update(page.marks)

    def _keep_items(self, session: Session, arrival: Arrived, batch: write.Batch) -> Mapping[str, Sequence[UUID]]:
        """Returns what the page brought that is not written down yet as seen, by kind."""
        piece, page, account, number = arrival.piece, arrival.page, self._account(), self.pages[arrival.piece.key]
        if page.again:
            batch.tally.unchanged += self.familiar.repeat(session, self._pass(), piece, number, page)
            return {}
        batch.told = {account.ids(ref): (told.at, account.ids(told.actor) if told.actor else None) for ref, told in page.told.items()}
        entries = write.entries_of(account, self.connector, page.items)
        write.keep(batch, entries, self._describe(page))
        gone.leave_all(batch, page.refused)
        batch.finish()
        if self._full and self._understood(piece, batch.tally):
            brought = {kind: {entry.id: entry.digest for entry in found} for kind, found in entries.items()}
            self.familiar.keep(session, self._pass(), piece, number, page, brought)
        return {kind: [entry.id for entry in found] for kind, found in entries.items()}

    def _cover(self, refs: Iterable[Ref]) -> None:
        self.covered |= {self._account().ids(ref) for ref in refs}

    def _describe(self, page: Page) -> write.Describe | None:
        if page.describe is None:
            return None
        describe = page.describe
        return lambda changed: write.entries_of(self._account(), self.connector, describe(changed))

    def _understood(self, piece: Slice, tally: Tally) -> bool:
        """A slice with an object that could not be understood does not count as read: the next run reads it again."""
        return not tally.problems and piece.key not in self.troubled

    def _end_slice(self, arrival: Ended) -> Sequence[store.Position]:
        with self.tools.database.writing() as session:
            state = store.REFUSED if arrival.refused else store.FAILED
            store.close(session, self._pass().id, arrival.piece.key, state, str(arrival.error), restart=arrival.restart)
            if arrival.refused:
                store.refuse(session, self._pass().id, arrival.piece, arrival.error)
            runs.renew_lease(session, self.opened.id, self.holder, self.tools.now())
        self.slices_done += 1
        self.outcome.worsen("partial", f"{arrival.piece.label}: {arrival.error}", fault=not arrival.refused)
        return ()

    def _settle_structure(self) -> None:
        """Before the first task page: what is archived by inheritance must be known."""
        with self.tools.database.writing() as session:
            self._account().archived_projects = settle.settle_projects(session, self.opened.id)
        self.structured = True

    def _is_baseline(self, covers: frozenset[UUID], home: UUID | None) -> bool:
        """Whether things seen for the first time tell no event: the first complete reading of a project only says how things are."""
        if self.first:
            return True
        if home is not None:
            return home not in self.proved
        if covers:
            return not covers & self.proved
        return bool(self.covered - self.proved)  # a subtask whose parent is still to come, while a new project is being read

    async def _verify(self) -> ConnectorError | None:
        """Reads the subtasks of every parent that has more of them than were seen, level by level, until the counts agree or were read directly."""
        if not self.connector.capabilities.counts_children:
            return None
        while True:
            parents = await run_sync(self._short_of_children)
            if not parents:
                return None
            self._show("verifying")
            if fatal := await Reader(self.connector, self._keep).run(parents):
                return fatal

    def _short_of_children(self) -> Sequence[store.Position]:
        with self.tools.database.reading() as session:  # looks at every task: nobody else's writing waits for that
            short = (finish if self._full else catchup).short_of_children(session, self._pass())
        short = {parent: ref for parent, ref in short.items() if parent not in self.parents}
        if not short:
            return []
        self.parents |= short.keys()
        with self.tools.database.writing() as session:
            fresh = store.add_slices(session, self._pass().id, [self.connector.children(ref) for ref in short.values()])
        for piece in fresh:
            self.pages[piece.key] = 0
        return [store.Position(piece, None, 0) for piece in fresh]

    def _judge(self) -> Judge:
        share, baseline = self.tools.settings.tombstone_share, partial(self._is_baseline, frozenset())
        return Judge(self.tools.database, self.connector, self._account(), self._pass(), self.holder, self.tools.now, share, baseline)

    async def _finish(self) -> None:
        self._show("finishing")
        judge = self._judge()
        if self._full:
            self.deleted = await finish.Closing(judge).go(self.outcome, accept_deletions=self.accept_deletions)
            return
        near, changed = None if self.resumed else settle.Near(self.opened.id, self.since, frozenset()), self.wrote or self.resumed
        closing = catchup.CatchUp(judge, near, changed, self.archived, self.touched, self.gone, self.parents, self.tally, self.moves)
        self.deleted = await closing.go(self.outcome, accept_deletions=self.accept_deletions)

    @property
    def _full(self) -> bool:
        return self._pass().kind == runs.FULL

    def _stop(self, error: ConnectorError | ConnectionProblem) -> None:
        """The run ends here as a whole."""
        name = self.opened.name
        if isinstance(error, AuthFailed):
            self.outcome.broken = True
            self.outcome.worsen("failed", f"{name}: the credential was refused ({error}); {way_out(name, self.opened.credential.kind)}")
        elif isinstance(error, RateLimited):
            self.outcome.next_sync_at = self.tools.now() + timedelta(seconds=error.retry_after)
            self.outcome.worsen("deferred", f"{name}: the tool's limit is used up; goes on at {self.outcome.next_sync_at:%Y-%m-%d %H:%M:%S} UTC")
        else:
            self.outcome.worsen("failed", f"{name}: {error}")

    def _end(self) -> None:
        tools = self.tools
        counts = {name: getattr(self.tally, name) for name in ("created", "updated")} | {
            "deleted": self.deleted,
            "unchanged": self._unchanged(),
            "requests": self.connector.http.requests,
        }
        with tools.database.writing() as session:
            if self.lost:
                return runs.give_up(session, self.run_id, self.outcome, tools.now())
            changed = any(counts[name] for name in ("created", "updated", "deleted"))
            pause = pace.pause(session, session.get_one(Connection, self.opened.id), tools.now(), tools.settings, changed=changed)
            if self.outcome.state == "failed" or (self.this is not None and store.is_open(session, self.this.id)):
                pause = min(pause, RETRY_AFTER)  # there is something left that a repetition may mend
            runs.end(session, self.run_id, self.outcome, counts, tools.now(), tools.now() + pause)
        log.get("sync").info("run ended", connection=self.opened.name, state=self.outcome.state, errors=self.outcome.errors, **counts)

    def _unchanged(self) -> int:
        """Different tasks that this run read and found as they were: one that is listed in three projects counts once."""
        if self.this is None or not self._full:
            return self.tally.unchanged
        with self.tools.database.reading() as session:
            seen = store.count_seen(session, self.this.id, "task") - self.seen_before
        return max(0, seen - self.tally.created - self.tally.updated)

    def _count(self, tally: Tally, refused: Any) -> None:
        self.tally.add(tally)
        for problem in tally.problems:
            self.outcome.worsen("partial", problem)
        for ref, error in refused.items():
            self.outcome.worsen("partial", f"{ref}: {error}", fault=not isinstance(error, (Refused, NotFound)))

    def _show(self, stage: str) -> None:
        done = self.tally.created + self.tally.updated + self.tally.unchanged
        self.tools.watch(Progress(self.opened.name, stage, done, self.slices_done, len(self.pages)))

    def _pass(self) -> SyncPass:
        if self.this is None:
            raise RuntimeError("the pass is not open yet")
        return self.this

    def _account(self) -> write.Account:
        if self.account is None:
            raise RuntimeError("the pass is not open yet")
        return self.account
