"""A stage on each kind of database, or on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hub.db import Database
from tests.delivery.stage import Stage


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.fixture
def on_stage() -> Iterator[Callable[[str], Stage]]:
    opened: list[Database] = []

    def make(url: str) -> Stage:
        opened.append(Database(url))
        return Stage(opened[-1])

    yield make
    for database in opened:
        database.dispose()
