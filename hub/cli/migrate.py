"""``hub migrate``: brings the database to this program's version."""

from __future__ import annotations

from hub import migrate as migrations
from hub import settings
from hub.cli import house, show


def migrate() -> None:
    """Make the database, or bring it to this program's version."""
    chosen = settings.load()
    house.configure_logs(chosen, quiet=True)
    with house.database_of(chosen) as database:
        before, after = migrations.upgrade(database)
    show.line(f"database version {after}, as before" if before == after else f"database version {before or 'none'} -> {after}")
