"""Runs syncs: takes the connection's lease, gives the run a client and an event loop, keeps the lease alive, and can be told to stop.

What one run does is in ``run.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

import anyio
from anyio.to_thread import run_sync

from connectors.http import Client, build_client
from hub.db import Database
from hub.models import SyncRun
from hub.settings import Settings
from hub.sync import runs
from hub.sync.progress import Progress as Progress
from hub.sync.reader import first
from hub.sync.run import INTERRUPTED, Tools, Work
from hub.sync.run import RETRY_AFTER as RETRY_AFTER
from hub.sync.runs import Outcome
from hub.vault import Vault

HEARTBEAT = 30.0
"""Seconds between renewals of the lease while a run waits for a slow answer or a limit."""

Now = Callable[[], datetime]


@dataclass(slots=True)
class Engine:
    """Runs syncs. ``watch`` is called after every kept page. ``client``: given by tests; else one is built for each run."""

    database: Database
    vault: Vault
    settings: Settings
    now: Now
    watch: Callable[[Progress], None] = lambda _progress: None
    client: Client | None = None
    _running: list[tuple[asyncio.AbstractEventLoop, anyio.CancelScope]] = field(default_factory=list)
    _stopped: bool = False

    def _tools(self) -> Tools:
        return Tools(self.database, self.vault, self.settings, self.now, self.watch)

    def stop(self) -> None:
        """Ends this engine's runs soon and takes no more, from any thread: what was kept stays, and the next run goes on from there."""
        self._stopped = True
        for loop, scope in list(self._running):
            loop.call_soon_threadsafe(scope.cancel)

    def sync(self, run_id: UUID) -> Outcome | None:
        """Executes a queued run in this thread. None: another process holds the connection; the run stays queued."""
        if self._stopped:
            return Outcome(state="cancelled", errors=[INTERRUPTED])
        holder = runs.owner()
        with self.database.writing() as session:
            run = session.get(SyncRun, run_id)
            if run is None or run.state in runs.FINAL:
                return Outcome(state="cancelled", errors=["this run has ended already"])
            if not runs.take_lease(session, run.connection_id, holder, self.now()):
                return None
            connection_id = run.connection_id
        try:
            return anyio.run(partial(self._run, run_id, connection_id, holder))
        finally:
            with self.database.writing() as session:
                runs.give_lease_back(session, connection_id, holder)

    async def _run(self, run_id: UUID, connection_id: UUID, holder: str) -> Outcome:
        place = (asyncio.get_running_loop(), anyio.CancelScope())
        self._running.append(place)
        if self._stopped:  # told to stop between the check above and this line
            place[1].cancel()
        try:
            with place[1]:
                return await self._attempt(run_id, connection_id, holder)
        finally:
            self._running.remove(place)
        return Outcome(state="cancelled", errors=[INTERRUPTED])

    async def _attempt(self, run_id: UUID, connection_id: UUID, holder: str) -> Outcome:
        client = self.client or build_client(proxy=self.settings.proxy, ca_bundle=self.settings.ca_bundle)
        try:
            work = await run_sync(partial(Work.begin, self._tools(), run_id, connection_id, holder, client))
            if isinstance(work, Outcome):
                return work
            async with anyio.create_task_group() as group:
                group.start_soon(self._hold, connection_id, holder)
                outcome = await work.go()
                group.cancel_scope.cancel()
            return outcome
        except BaseExceptionGroup as errors:
            raise first(errors) from errors
        finally:
            if self.client is None:
                await client.aclose()

    async def _hold(self, connection_id: UUID, holder: str) -> None:
        """Keeps the lease while no page does; that it was lost is noticed by the next page's transaction."""

        def renew() -> None:
            with self.database.writing() as session:
                runs.renew_lease(session, connection_id, holder, self.now())

        with suppress(runs.LeaseLost):
            while True:
                await anyio.sleep(HEARTBEAT)
                await run_sync(renew)
