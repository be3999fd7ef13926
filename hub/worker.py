"""Jobs and clock without the web: another pair of hands beside ``hub serve``."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event

from hub import log, migrate, sealed
from hub.app import Machinery
from hub.db import Database
from hub.jobs.embedded import EmbeddedJobs
from hub.settings import Settings


def utc_now() -> datetime:
    return datetime.now(UTC)


def run_worker(settings: Settings, *, now: Callable[[], datetime] = utc_now, ended: Event | None = None) -> None:
    """Works until ``ended`` is set, or SIGTERM or SIGINT where none is given. Raises DatabaseProblem and VaultError."""
    database = Database(settings.database_url)
    try:
        migrate.require_current(database)
        with database.reading() as session:
            vault = sealed.vault_of(session, settings)
        machinery = Machinery.build(settings, database, vault, EmbeddedJobs(now), now)
        machinery.start()
        log.get("worker").info("works", database=database.dialect)
        try:
            (ended or _signalled()).wait()
        finally:
            machinery.stop()
    finally:
        database.dispose()


def _signalled() -> Event:
    """Set by the first signal to end; a second one ends the process at once."""
    ended = Event()

    def end(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return ended
