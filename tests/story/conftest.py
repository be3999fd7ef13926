from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from hub.db import Database
from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from tests.story.stage import Patience, Stage

TASKS = 60


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Patience:
    """Waiting for limits and between tries takes no time."""
    made = Patience()
    made.install(monkeypatch)
    return made


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    world = seed.build(seed=7, tasks=TASKS, now=datetime.now(UTC))
    with Sandbox(world, Knobs(limits=False)).start() as running:
        yield running


@pytest.fixture
def on_stage(sandbox: Sandbox, patience: Patience) -> Iterator[Callable[[str], Stage]]:
    """Opens a stage over a database URL."""
    opened: list[Database] = []

    def make(url: str) -> Stage:
        database = Database(url)
        opened.append(database)
        return Stage(sandbox.world, sandbox, database)

    yield make
    for database in opened:
        database.dispose()


@pytest.fixture
def stage(on_stage: Callable[[str], Stage], sqlite_url: str) -> Stage:
    """A hub on SQLite."""
    return on_stage(sqlite_url)


@pytest.fixture
def both(on_stage: Callable[[str], Stage], database_url: str) -> Stage:
    """A hub on SQLite, then on PostgreSQL."""
    return on_stage(database_url)
