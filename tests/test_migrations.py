"""The migrations build what the models say, on both databases, and refuse what they do not know."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from hub import migrate
from hub.db import Database


def test_the_migrated_database_is_what_the_models_say(database: Database) -> None:
    assert migrate.drift(database) == []
    migrate.require_current(database)


def test_migrating_twice_changes_nothing(database: Database) -> None:
    before, after = migrate.upgrade(database)
    assert before == after == migrate.newest()


def test_an_empty_database_is_named_with_its_remedy(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(migrate.DatabaseProblem, match="hub migrate"):
        migrate.require_current(database)
    database.dispose()


def test_a_newer_database_is_refused_by_both_ways_in(database: Database) -> None:
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))
    with pytest.raises(migrate.DatabaseProblem, match="newer release"):
        migrate.require_current(database)
    with pytest.raises(migrate.DatabaseProblem, match="newer release"):
        migrate.upgrade(database)


def test_a_database_in_a_missing_folder_is_a_clear_problem(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nowhere/hub.db")
    with pytest.raises(migrate.DatabaseProblem, match="HUB_DATABASE_URL"):
        migrate.upgrade(database)
    database.dispose()
