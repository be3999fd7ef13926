"""What a command works with: settings, database, vault. Opened here, closed at the end of the command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from hub import log, migrate, sealed, settings
from hub.cli.failures import say
from hub.db import Database
from hub.migrate import DatabaseProblem
from hub.settings import Settings
from hub.vault import Vault


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class House:
    """An opened hub with a current database. ``vault`` is opened by the commands that need secrets; raises VaultError where their key is missing
    or opens nothing that is stored."""

    settings: Settings
    database: Database

    @cached_property
    def vault(self) -> Vault:
        with self.database.reading() as session:
            return sealed.vault_of(session, self.settings)


@contextmanager
def opened(*, quiet: bool = True, may_migrate: bool = False) -> Iterator[House]:
    """The hub that the environment describes. ``quiet``: logs from WARNING on, unless HUB_LOG_LEVEL says otherwise. ``may_migrate``: an SQLite file
    is brought up to date, and made where there is none. Raises SettingsError, DatabaseProblem."""
    chosen = settings.load()
    configure_logs(chosen, quiet=quiet)
    with database_of(chosen) as database:
        if may_migrate and chosen.sqlite_path is not None:
            before, after = migrate.upgrade(database)
            if before != after:
                say(f"hub: {'made' if before is None else 'brought up to date'}: the database {chosen.sqlite_path} (version {after})")
        else:
            require_file(chosen)
            migrate.require_current(database)
        yield House(chosen, database)


def configure_logs(chosen: Settings, *, quiet: bool) -> None:
    log.configure(chosen.log_format, "WARNING" if quiet and "HUB_LOG_LEVEL" not in os.environ else chosen.log_level)


@contextmanager
def database_of(chosen: Settings) -> Iterator[Database]:
    database = Database(chosen.database_url)
    try:
        yield database
    finally:
        database.dispose()


def require_file(chosen: Settings) -> None:
    """SQLite would make an empty file in passing; a mistyped path must not."""
    path = chosen.sqlite_path
    if path is not None and not path.exists():
        raise DatabaseProblem(f"there is no database at {path.absolute()} yet: run hub migrate (or correct HUB_DATABASE_URL)")
