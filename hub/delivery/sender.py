"""The sender: one thread with one event loop for all endpoints of this process.

It looks once a second, and whenever it is rung, which endpoints have work; takes those that no other process drains; feeds them from the log; and
writes what became of their deliveries, all endpoints together, some ten times a second. Database work is done in threads of its own, so the loop
never waits."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from threading import Thread
from typing import TypeVar
from uuid import UUID

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from hub import log
from hub.access import scope
from hub.db import Database
from hub.delivery import JOB, address, envelope, ledger, reader, retention, roster, snapshot
from hub.delivery.address import Rules
from hub.delivery.circuit import Circuit
from hub.delivery.drain import Drain
from hub.delivery.envelope import Stored
from hub.delivery.ledger import Entry, Receipt
from hub.delivery.reader import Pages
from hub.delivery.sources import Source, most_behind
from hub.delivery.target import Target, tls
from hub.delivery.veil import Partial, Withheld, veiled
from hub.jobs.base import Args, Handler
from hub.settings import Settings
from hub.vault import Vault

TICK = 1.0
"""Seconds between two looks without a bell."""
WRITE_EVERY = 0.1
LINGER = 5.0
"""Seconds that an idle endpoint is kept, lest every small change take and give back its lease."""
IN_FLIGHT = 256
"""Deliveries under way in the whole process; each endpoint at work has its share, so none can take another's."""
LANDING, LANDING_AT_STOP = timedelta(seconds=20), timedelta(seconds=5)
HELD_BODIES, BESIDE_BODY = 2_000_000, 500
"""Bytes of messages that are kept to be sent to another endpoint, and what each costs besides: endpoints that keep step share them, and many small
ones kept for long tear holes into the process' memory that nothing else fills."""
HOUSEKEEPING = timedelta(hours=1)
THREADS, NAME_THREADS = 3, 32

Result = TypeVar("Result")


@dataclass(slots=True)
class Bodies:
    """Messages made lately: several endpoints get the same bytes."""

    _held: OrderedDict[tuple[UUID, datetime, bool, str | None], bytes] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def __call__(self, stored: Stored, thin: bool, reason: str | None) -> bytes:
        if isinstance(stored, Partial):
            return envelope.body(stored, thin=thin, reason=reason)
        key = (stored.id, stored.recorded_at, thin, reason)
        made = self._held.get(key)
        if made is None:
            made = self._held[key] = envelope.body(stored, thin=thin, reason=reason)
            self._bytes += len(made) + BESIDE_BODY
            while self._bytes > HELD_BODIES:
                self._bytes -= len(self._held.popitem(last=False)[1]) + BESIDE_BODY
        return made


@dataclass(slots=True)
class Worker:
    """A drain, its bell and its task."""

    drain: Drain
    bell: asyncio.Event
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Sender:
    """Delivers until it is stopped. ``chance`` spreads retries; ``tick``: see ``TICK``."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        settings: Settings,
        now: Callable[[], datetime],
        *,
        chance: Callable[[], float] = random.random,
        resolver: Callable[[str, int], list[str]] = address.resolve,
        tick: float = TICK,
    ) -> None:
        self._database, self._vault, self._settings, self._now = database, vault, settings, now
        self._chance, self._resolver, self._tick = chance, resolver, tick
        self._rules, self._who = Rules.of(settings), ledger.holder()
        self._workers: dict[UUID, Worker] = {}
        self._owed: list[tuple[Worker, Entry]] = []
        self._pages, self._bodies = Pages(), Bodies()
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._troubled = False
        self._clean_at: datetime | None = None

    def start(self) -> None:
        self._thread = Thread(target=self._run, name="delivery", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Starts nothing more, lets what is in flight land for a few seconds, and writes down what became of it."""
        self._stopping = True
        self.ring()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def ring(self) -> None:
        """There may be something new; from any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._bell.set)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException:
            log.get("delivery").exception("the sender ended: nothing is delivered until this process starts again")
            raise

    async def _main(self) -> None:
        self._bell, self._working = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._context: ssl.SSLContext = tls(self._settings.ca_bundle)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="delivery-db")
        self._name_threads = ThreadPoolExecutor(NAME_THREADS, thread_name_prefix="delivery-dns")
        writing = asyncio.create_task(self._keep_writing())
        try:
            while not self._stopping:
                if writing.done():
                    writing.result()
                await self._attempt(self._look)
                try:
                    await asyncio.wait_for(self._bell.wait(), self._tick)
                except TimeoutError:
                    continue
                finally:
                    self._bell.clear()
        finally:
            await self._end(writing)

    async def _end(self, writing: asyncio.Task[None]) -> None:
        tasks = [worker.task for worker in self._workers.values() if worker.task is not None]
        for worker in self._workers.values():
            worker.drain.ending = True
            worker.bell.set()
        if tasks:
            await asyncio.wait(tasks, timeout=2 * LANDING_AT_STOP.total_seconds())
        for task in [*tasks, writing]:
            task.cancel()
        await asyncio.gather(*tasks, writing, return_exceptions=True)
        self._threads.shutdown(wait=True)
        self._name_threads.shutdown(wait=False, cancel_futures=True)

    async def _attempt(self, work: Callable[[], Awaitable[None]]) -> None:
        """A database that is away for a while ends no sender; it is told once when it goes and once when it is back."""
        try:
            await work()
        except DBAPIError as error:
            if not self._troubled:
                log.get("delivery").error("the database does not answer", error=str(error.orig))
            self._troubled = True
        else:
            if self._troubled:
                log.get("delivery").info("the database answers again")
            self._troubled = False

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _resolve(self, host: str, port: int) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(self._name_threads, self._resolver, host, port)

    async def _look(self) -> None:
        """Compares the endpoints with what is at work here: ends what was changed, wakes what is running, begins what is free."""
        head, found = await self._in_thread(self._read_roster)
        standing = {each.id: each for each in found}
        for endpoint_id, worker in self._workers.items():
            now = standing.get(endpoint_id)
            if now is None or not now.active or now.revision != worker.drain.terms.revision:
                worker.drain.ending = True
            worker.drain.log.until = max(worker.drain.log.until, head)
            worker.bell.set()
        wanted = [each.id for each in found if each.work and each.id not in self._workers]
        if wanted and not self._stopping:
            for taken in await self._in_thread(partial(self._take, wanted)):
                self._begin(taken, head)
        for worker in self._workers.values():
            worker.drain.share = max(2, IN_FLIGHT // len(self._workers))
        await self._keep_house()

    def _read_roster(self) -> tuple[int, list[roster.Standing]]:
        with self._database.reading() as session:
            return roster.look(session, self._now())

    def _take(self, wanted: list[UUID]) -> list[roster.Taken]:
        with self._database.writing() as session:
            return roster.take(session, self._vault, wanted, self._who, self._now())

    async def _keep_house(self) -> None:
        if self._clean_at is None or self._now() >= self._clean_at:
            self._clean_at = self._now() + HOUSEKEEPING
            await self._in_thread(partial(retention.sweep, self._database, self._settings, self._now()))

    def _begin(self, taken: roster.Taken, head: int) -> None:
        bell = asyncio.Event()
        drain = Drain(
            terms=taken.terms,
            target=Target(taken.url, self._rules, self._context, self._resolve),
            log=Source(taken.position, max(head, taken.position)),
            holder=self._who,
            circuit=Circuit(trials=taken.trials),
            parked=taken.parked,
            now=self._now,
            body=self._bodies,
            wake=bell.set,
            chance=self._chance,
            catch_up_until=taken.catch_up_until,
            tells=taken.tells,
        )
        drain.sources += taken.replays
        drain.renewed(asyncio.get_running_loop().time())
        worker = self._workers[taken.terms.id] = Worker(drain, bell)
        worker.task = asyncio.create_task(self._work(worker))
        worker.task.add_done_callback(partial(self._has_ended, worker))
        self._working.set()

    def _has_ended(self, worker: Worker, task: asyncio.Task[None]) -> None:
        """An endpoint whose drain ended by an error of ours is tried again when its lease is over."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.get("delivery").error("a drain failed", endpoint=str(worker.drain.terms.id), exc_info=error)
            self._workers.pop(worker.drain.terms.id, None)

    async def _work(self, worker: Worker) -> None:
        """An endpoint from the taking of its lease to its giving back."""
        drain, clock = worker.drain, asyncio.get_running_loop().time
        rest_until = clock() + LINGER
        while not drain.ending and not (drain.opened and not drain.in_flight):
            worker.bell.clear()
            await self._attempt(partial(self._feed, drain))
            if not drain.at_rest:
                rest_until = clock() + LINGER
            elif clock() >= rest_until:
                break
            try:
                await asyncio.wait_for(worker.bell.wait(), self._patience(drain))
            except TimeoutError:
                continue
        await self._close(worker)

    def _patience(self, drain: Drain) -> float:
        """Seconds until something is due without a bell."""
        due = LINGER if drain.due_at is None else (drain.due_at - self._now()).total_seconds()
        return min(LINGER, max(0.05, due))

    async def _close(self, worker: Worker) -> None:
        drain = worker.drain
        await drain.stop(LANDING_AT_STOP if self._stopping else LANDING)
        drain.drop()
        if drain.broken is not None:
            log.get("delivery").error("a delivery failed for a reason of our own", endpoint=str(drain.terms.id), exc_info=drain.broken)
            drain.put_off()
        drain.entry.release = True
        await worker.closed.wait()
        await drain.target.aclose()
        del self._workers[drain.terms.id]
        self._bell.set()

    async def _feed(self, drain: Drain) -> None:
        """Gives a drain what it can take: parked events that are due, then the log, then replays."""
        now = self._now()
        trial = drain.circuit.trials is not None
        if trial and not drain.at_rest:
            return
        if drain.roomy and not drain.ending and not drain.opened and drain.due_at is not None and (drain.due_at <= now or trial):
            drain.due_at = None
            waiting, again, given_up = await self._in_thread(partial(self._read_due, drain, drain.busy, now, trial))
            drain.look_again(again)
            drain.take_parked(waiting, given_up)
            if trial and waiting:
                return
        while (source := most_behind(drain.sources)) is not None and drain.wants(source):
            lines, given_up = await self._in_thread(partial(self._read_lines, drain, source))
            if not lines:
                source.until = source.read_to
            drain.take(source, lines, given_up)

    def _read_due(
        self, drain: Drain, busy: set[UUID], now: datetime, trial: bool
    ) -> tuple[list[reader.Waiting], datetime | None, Mapping[UUID, UUID]]:
        with self._database.reading() as session:
            waiting, again = reader.due(session, drain.terms.id, now, busy, at_once=trial)
            waiting = [snapshot.renewed(session, one, now) if one.sequence < 0 else one for one in waiting]
            waiting = _let_through(session, drain, waiting)
            return waiting, again, self._given_up(session, drain, {one.entity_id for one in waiting})

    def _read_lines(self, drain: Drain, source: Source) -> tuple[list[Stored], Mapping[UUID, UUID]]:
        with self._database.reading() as session:
            lines = veiled(session, source.read(session, self._pages), scope.of_key(session, drain.terms.owner_key_id))
            return lines, self._given_up(session, drain, {line.entity_id for line in lines})

    def _given_up(self, session: Session, drain: Drain, entities: set[UUID]) -> dict[UUID, UUID]:
        return reader.given_up(session, drain.terms.id, entities) if drain.tells and entities else {}

    async def _keep_writing(self) -> None:
        while True:
            await self._working.wait()
            await asyncio.sleep(WRITE_EVERY)
            if not self._workers:
                self._working.clear()
            await self._attempt(self._write)

    async def _write(self) -> None:
        """Everything of all endpoints in one transaction; what could not be written is owed, and written before anything newer."""
        if not self._owed:
            clock = asyncio.get_running_loop().time()
            self._owed = [(worker, worker.drain.hand_over()) for worker in self._workers.values() if worker.drain.dirty(clock)]
        if not self._owed:
            return
        receipts = await self._in_thread(partial(self._settle, [entry for _, entry in self._owed]))
        owed, self._owed = self._owed, []
        for worker, entry in owed:
            worker.drain.written(entry, receipts[entry.endpoint_id], asyncio.get_running_loop().time())
            if entry.release:
                worker.closed.set()

    def _settle(self, entries: list[Entry]) -> dict[UUID, Receipt]:
        """All at once; where the database refuses something of it, each endpoint by itself, so that one cannot hold up the others."""
        try:
            with self._database.writing() as session:
                return ledger.settle(session, entries, self._now())
        except (IntegrityError, DataError) as error:
            if len(entries) == 1:
                log.get("delivery").error("what was delivered could not be written down", endpoint=str(entries[0].endpoint_id), error=str(error.orig))
                return {entries[0].endpoint_id: Receipt(held=False)}
        return {endpoint: receipt for entry in entries for endpoint, receipt in self._settle([entry]).items()}


def handlers(sender: Sender) -> Mapping[str, Handler]:
    """What the job ``deliver`` does in this process: it wakes the sender."""
    return {JOB: partial(_ring, sender)}


def _let_through(session: Session, drain: Drain, waiting: list[reader.Waiting]) -> list[reader.Waiting]:
    """Parked events as their owner may see them now; without content where they may not."""
    held = [one.stored for one in waiting if one.stored is not None]
    seen = {line.id: None if isinstance(line, Withheld) else line for line in veiled(session, held, scope.of_key(session, drain.terms.owner_key_id))}
    return [replace(one, stored=seen[one.stored.id]) if one.stored is not None else one for one in waiting]


def _ring(sender: Sender, _args: Args) -> None:
    sender.ring()
