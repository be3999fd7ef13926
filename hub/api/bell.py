"""Wakes those who wait for the log to grow. However many wait, one of them looks at the log, a few times a second; the others hold nothing but
memory: no thread, no connection. A look also sees what another process wrote, which no bell inside this one could ring for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
from anyio.to_thread import run_sync

from hub import events
from hub.db import Database

EVERY = 0.25


@dataclass(slots=True)
class Bell:
    database: Database
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    _head: int = 0
    _looking: bool = False
    _looked: anyio.Event = field(default_factory=anyio.Event)

    async def beyond(self, position: int, seconds: float) -> None:
        """Returns once the log is longer than ``position``, or the time is up."""
        with anyio.move_on_after(seconds):
            while self._head <= position:
                await (self._looked.wait() if self._looking else self._look())

    async def _look(self) -> None:
        """Whoever looks goes away in its turn; the next one who wakes takes over."""
        self._looking = True
        try:
            await self.sleep(EVERY)
            self._head = await run_sync(self._read)
        finally:
            self._looking = False
            self._looked.set()
            self._looked = anyio.Event()

    def _read(self) -> int:
        with self.database.reading() as session:
            return events.head(session)
