"""Brings the database to this code's version, from a checkout or an installed wheel; says when the database is behind or ahead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from hub import models  # noqa: F401  registers the tables
from hub.db import Base, Database, migrations_folder


class DatabaseProblem(Exception):
    """The database cannot be used as it is; the message says what to do."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise DatabaseProblem("this installation has no migrations: install it again")
    return head


def current(database: Database) -> str | None:
    """The database's version; None for one that was never migrated. Raises DatabaseProblem where it cannot be opened."""
    with _opening(), database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _opening() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise DatabaseProblem(f"the database cannot be opened ({_reason(error)}): check HUB_DATABASE_URL and the rights of its folder") from error


def upgrade(database: Database) -> tuple[str | None, str]:
    """Migrates to the newest version; returns the versions before and after."""
    _make_file(database)
    before = current(database)
    _refuse_newer(before)
    try:
        with database.engine.connect() as connection:
            command.upgrade(_config(connection), "head")
    except OperationalError as error:
        raise DatabaseProblem(f"the database cannot be migrated ({_reason(error)})") from error
    return before, newest()


def _make_file(database: Database) -> None:
    """A new SQLite file is its owner's alone: it will hold other people's tasks. Raises DatabaseProblem."""
    path = database.engine.url.database
    if database.dialect != "sqlite" or path is None or Path(path).exists():
        return
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise DatabaseProblem(
            f"the database file {path} cannot be made ({error.strerror}): check HUB_DATABASE_URL and the rights of its folder"
        ) from error


def require_current(database: Database) -> None:
    """Raises DatabaseProblem unless the database has exactly this code's version and, on SQLite, can be written to."""
    _require(current(database))


def require_readable(database: Database) -> None:
    """The same for a reader: waits for no writer, so it may be asked every few seconds."""
    with _opening(), database.reading() as session:
        version = MigrationContext.configure(session.connection()).get_current_revision()
    _require(version)


def _require(version: str | None) -> None:
    _refuse_newer(version)
    if version is None:
        raise DatabaseProblem("the database is empty: run hub migrate")
    if version != newest():
        raise DatabaseProblem("the database is older than this program: run hub migrate")


def drift(database: Database) -> list[str]:
    """What differs between the models and the migrated database; empty where they agree."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(difference) for difference in compare_metadata(context, Base.metadata)]


def _refuse_newer(version: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if version is not None and version not in known:
        raise DatabaseProblem(
            f"the database has version {version}, which this program does not know: it was made by a newer release; install that one"
        )


def _reason(error: OperationalError) -> str:
    return str(error.orig).splitlines()[0]
