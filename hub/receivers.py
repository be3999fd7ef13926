"""Vendors' webhooks arrive here, at ``POST /receivers/{connection}/{token}``: who knocks is verified, what he says is stored, he is answered at once,
and a job looks at the matter a moment later.

Nothing is read of a body before its address is known to be ours; a body is bounded in bytes and in seconds, and so is the number of them in memory.
Calls of one moment are stored in one transaction: a burst waits for the database's lock once and not a thousand times. A database that does not
answer in time makes a 503, after which the vendor repeats the call.

Answers say nothing beyond their status, and neither address nor body gets into a log. Knows no connector: that is ``sync/calls.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from starlette.requests import ClientDisconnect

from hub import log
from hub.db import Database
from hub.jobs.base import Jobs
from hub.sync import calls
from hub.sync.calls import Door, Verdict
from hub.vault import Vault, VaultError

LARGEST_BODY = 1_000_000
BODY_SECONDS = 5.0
DATABASE_SECONDS = 5.0
"""The most impatient vendor hangs up after 7 s."""
BODIES_AT_ONCE = 64
CALLS_AT_ONCE = 1_000
THREADS = 8
COALESCE = timedelta(seconds=1)
"""One edit makes several calls, a bulk edit hundreds: they are looked at together."""
TOLD_EVERY = timedelta(minutes=1)

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Note:
    """A verdict to be stored, and whether it has been, or why not."""

    verdict: Verdict
    stored: bool = False
    error: Exception | None = None


@dataclass(slots=True)
class Receivers:
    """``counts``: calls by their end, since the start of the process."""

    database: Database
    vault: Vault
    jobs: Jobs
    now: Callable[[], datetime]
    public_url: str
    counts: Counter[str] = field(default_factory=Counter)
    _inside: int = 0
    _notes: list[_Note] = field(default_factory=list)
    _turn: anyio.Lock = field(default_factory=anyio.Lock)
    _bodies: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(BODIES_AT_ONCE))
    _threads: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(THREADS))
    _told: dict[UUID, datetime] = field(default_factory=dict)

    async def receive(self, request: Request, connection: str, token: str) -> Response:
        """Never raises for what a caller or the database may do."""
        if self._inside >= CALLS_AT_ONCE:
            return self._end("busy", _later())
        self._inside += 1
        try:
            return await self._answer(request, connection, token)
        except (DBAPIError, NoFreeConnection, TimeoutError, VaultError) as error:
            log.get("receivers").error("a webhook could not be stored", reason=f"{type(error).__name__} {getattr(error, 'orig', '')}".rstrip())
            return self._end("unstored", _later())
        finally:
            self._inside -= 1

    async def _answer(self, request: Request, connection: str, token: str) -> Response:
        door = await self._thread(partial(self._find, connection, token))
        if door is None:
            return self._end("unknown", Response(status_code=404))
        verdict = await self._judge(request, door, f"{calls.prefix(self.public_url, connection)}{token}")
        if isinstance(verdict, Response):
            return self._end("unread", verdict)
        if verdict.secret is not None and not await self._thread(partial(self._shake, verdict)):
            verdict = Verdict(door, 403, reason="a handshake when none was open, or a second one")
        await self._keep(verdict)
        if verdict.reason is not None:
            self._tell(verdict)
            return self._end("forged", Response(status_code=verdict.status))
        if verdict.touched:
            self.jobs.submit("touch", str(door.connection_id), {"connection_id": str(door.connection_id)}, at=self.now() + COALESCE)
        return self._end("genuine", Response(verdict.body, verdict.status, headers=dict(verdict.headers)))

    async def _judge(self, request: Request, door: Door, url: str) -> Verdict | Response:
        """No body outlives its judgement: what waits to be stored is small."""
        async with self._bodies:
            body = await _body(request)
            if isinstance(body, Response):
                return body
            headers = {name.lower(): value for name, value in request.headers.items()}
            return await self._thread(partial(calls.judge, door, headers, body, url, self.now()))

    def _end(self, how: str, answer: Response) -> Response:
        self.counts[how] += 1
        return answer

    def _tell(self, verdict: Verdict) -> None:
        """A forged call in the log, at most one a minute and webhook."""
        door, now = verdict.door, self.now()
        if self._told.get(door.hook_id, datetime.min.replace(tzinfo=now.tzinfo)) <= now - TOLD_EVERY:
            self._told[door.hook_id] = now
            log.get("receivers").warning("a call was refused", connection_id=str(door.connection_id), hook=door.key, reason=verdict.reason)

    # -- the database, in threads ----------------------------------------------------------------------------------------------

    async def _thread(self, work: Callable[[], T]) -> T:
        """Raises TimeoutError where the database takes too long; then the thread finishes in vain."""
        with anyio.fail_after(DATABASE_SECONDS):
            return await run_sync(work, abandon_on_cancel=True, limiter=self._threads)

    def _find(self, connection: str, token: str) -> Door | None:
        with self.database.reading() as session:
            return calls.find(session, self.vault, connection, token, self.now())

    def _shake(self, verdict: Verdict) -> bool:
        with self.database.writing() as session:
            return calls.shake(session, self.vault, verdict, self.now())

    async def _keep(self, verdict: Verdict) -> None:
        """Stores it, together with all others that came while the one before was being stored."""
        note = _Note(verdict)
        self._notes.append(note)
        async with self._turn:
            if note.stored:
                return
            if note.error is not None:
                raise note.error
            batch, self._notes = self._notes, []
            try:
                await self._thread(partial(self._store, [each.verdict for each in batch]))
            except BaseException as error:  # nobody of the batch may answer that the call was kept
                for each in batch:
                    each.error = error if isinstance(error, Exception) else TimeoutError("ended while it was being stored")
                raise
            for each in batch:
                each.stored = True

    def _store(self, verdicts: list[Verdict]) -> None:
        with self.database.writing() as session:
            calls.keep(session, verdicts, self.now())


def _later() -> Response:
    return Response(status_code=503, headers={"Retry-After": "5"})


async def _body(request: Request) -> bytes | Response:
    """The raw body, or the answer to one that is too large or too slow."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > LARGEST_BODY:
        return Response(status_code=413)
    parts: list[bytes] = []
    size = 0
    try:
        with anyio.fail_after(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > LARGEST_BODY:
                    return Response(status_code=413)
                parts.append(part)
    except TimeoutError:
        return Response(status_code=408, headers={"Connection": "close"})
    except ClientDisconnect:
        return Response(status_code=400)
    return b"".join(parts)


def router(receivers: Receivers) -> APIRouter:
    made = APIRouter(include_in_schema=False)
    made.add_api_route(calls.PATH + "/{connection}/{token}", receivers.receive, methods=["POST"], name="receive_webhook", response_class=Response)
    return made
