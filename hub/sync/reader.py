"""The network side of a run: reads many slices at once and hands their pages, one after the other, to the one who keeps them.

Lower phases are read to their end before the next begins. Pages travel through a channel of a few places: when keeping is slower
than fetching, fetching waits, so pages never pile up. What goes wrong is sorted here: one slice's misfortune ends that slice, a
refused credential or a long wait ends the run.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from connectors.base import Connector, Json, Page, Slice
from connectors.errors import AuthFailed, BadResponse, ConnectorError, CursorExpired, NotFound, RateLimited, Refused
from hub.sync.store import Position

PAGES_WAITING = 2
RESTARTS = 3
LONGEST_WAIT = 120.0
"""Seconds; a longer wait ends the run as deferred, so that no worker sleeps on it."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A page of a slice, to be kept."""

    piece: Slice
    page: Page


@dataclass(frozen=True, slots=True)
class Ended:
    """A slice that cannot be read further in this run. ``refused``: a person must act; ``restart``: its cursor is worth nothing."""

    piece: Slice
    error: ConnectorError
    refused: bool = False
    restart: bool = False


Arrival: TypeAlias = Arrived | Ended
Keep: TypeAlias = Callable[[Arrival], Awaitable[Sequence[Position]]]
"""Keeps an arrival and returns the positions that it opened."""


class Reader:
    """Reads positions, and those that they open, until none is left."""

    def __init__(self, connector: Connector, keep: Keep) -> None:
        self._connector = connector
        self._keep = keep
        self._waiting: list[tuple[int, int, Position]] = []
        self._running: dict[int, int] = {}
        self._added = 0
        self._unkept = 0
        self._wake = anyio.Event()
        self._fatal: ConnectorError | None = None

    async def run(self, positions: Sequence[Position]) -> ConnectorError | None:
        """Returns what ended the run as a whole (AuthFailed, or RateLimited with a long wait), or None. Errors of ``keep`` are raised."""
        self._add(positions)
        send, receive = anyio.create_memory_object_stream[Arrival](PAGES_WAITING)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep_all, receive)
                async with send:
                    for _ in range(self._connector.capabilities.concurrency):
                        group.start_soon(self._work, send.clone(), group)
        except BaseExceptionGroup as errors:
            raise first(errors) from errors
        return self._fatal

    async def _keep_all(self, receive: MemoryObjectReceiveStream[Arrival]) -> None:
        async with receive:
            async for arrival in receive:
                self._add(await self._keep(arrival))
                self._unkept -= 1
                self._rouse()

    def _add(self, positions: Sequence[Position]) -> None:
        for position in positions:
            self._added += 1
            heapq.heappush(self._waiting, (position.piece.phase, self._added, position))

    def _rouse(self) -> None:
        self._wake.set()
        self._wake = anyio.Event()

    async def _work(self, send: MemoryObjectSendStream[Arrival], group: TaskGroup) -> None:
        async with send:
            while (position := await self._next()) is not None:
                try:
                    await self._read(position, send)
                except (AuthFailed, RateLimited) as error:
                    self._fatal = self._fatal or error
                    group.cancel_scope.cancel()
                self._running[position.piece.phase] -= 1
                self._rouse()

    async def _next(self) -> Position | None:
        """The next slice whose phase has begun; None once nothing is waiting, running or unkept (an unkept page may still open slices)."""
        while True:
            busy = [phase for phase, count in self._running.items() if count]
            settled = not busy and not self._unkept
            if self._waiting and (settled or (busy and self._waiting[0][0] <= min(busy))):
                phase, _, position = heapq.heappop(self._waiting)
                self._running[phase] = self._running.get(phase, 0) + 1
                return position
            if settled:
                return None
            await self._wake.wait()

    async def _read(self, position: Position, send: MemoryObjectSendStream[Arrival]) -> None:
        """One slice to its end, or to the error that ends it; from its start again where its cursor has expired."""
        piece, cursor = position.piece, position.cursor
        for attempt in range(RESTARTS + 1):
            try:
                return await self._pages(piece, cursor, send)
            except CursorExpired as error:
                cursor = None
                if attempt == RESTARTS:
                    await self._send(send, Ended(piece, error, restart=True))
            except AuthFailed:
                raise
            except (Refused, NotFound) as error:
                return await self._send(send, Ended(piece, error, refused=True, restart=True))
            except RateLimited as error:
                if error.retry_after > LONGEST_WAIT:
                    raise
                return await self._send(send, Ended(piece, error))
            except ConnectorError as error:
                return await self._send(send, Ended(piece, error, restart=isinstance(error, BadResponse)))
        return None

    async def _pages(self, piece: Slice, cursor: Json | None, send: MemoryObjectSendStream[Arrival]) -> None:
        page = None
        async for page in self._connector.read(piece, cursor):
            await self._send(send, Arrived(piece, page))
        if page is None or page.cursor is not None:
            raise BadResponse("the list ended before the tool said that it was complete")

    async def _send(self, send: MemoryObjectSendStream[Arrival], arrival: Arrival) -> None:
        self._unkept += 1
        await send.send(arrival)


def first(errors: BaseExceptionGroup[Any]) -> BaseException:
    """The first single error of a group: the others are its consequences."""
    inner = errors.exceptions[0]
    return first(inner) if isinstance(inner, BaseExceptionGroup) else inner
