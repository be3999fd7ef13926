"""Killed in the midst of a transaction: inside a page's commit, while marking deletions, while closing a pass, in a migration."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import inspect

from hub import migrate
from hub.db import Base
from hub.sandbox.world import Tool
from tests.conftest import postgres_url
from tests.story.stage import ALL, Stage, same
from tests.story.test_killed import ROOT, environment


def die(stage: Stage, when: str, count: int, *words: str) -> int:
    """Runs a command that kills itself; gives its exit code, which is that of the command where the moment never came."""
    command = [sys.executable, "-m", "tests.story.dies", when, str(count), *words]
    return subprocess.run(command, cwd=ROOT, env=environment(stage), capture_output=True, check=False).returncode


@pytest.mark.parametrize("commit", [5, 8, 13])
@pytest.mark.parametrize("tool", ALL)
def test_killed_inside_a_commit_keeps_the_page_whole_or_not_at_all(stage: Stage, tool: Tool, commit: int) -> None:
    stage.knobs.page_size = 5
    stage.connect(tool)
    assert die(stage, "commit", commit, "sync", tool) == -signal.SIGKILL
    assert not [line for line in stage.verdict(tool).differences if "not expected" in line]
    stage.free_lease()
    assert stage.sync(tool).outcome.state == "complete"
    same(stage.verdict(tool))
    assert stage.sync(tool).changes == 0


@pytest.mark.parametrize("moment", ["UPDATE task SET .*deleted_at", "UPDATE sync_pass SET"])
@pytest.mark.parametrize("tool", ALL)
def test_killed_while_tombstoning_or_closing_nothing_is_wrongly_marked(both: Stage, tool: Tool, moment: str) -> None:
    both.connect(tool)
    both.sync(tool)
    for task in [one for one in both.world.tasks[tool].values() if not one.deleted and not one.archived and one.homes][:8]:
        if not task.deleted:
            both.world.delete_task(tool, task.id)
    assert die(both, moment, 1, "sync", tool, "--full", "--accept-deletions") == -signal.SIGKILL
    both.free_lease()
    ran = both.sync(tool, accept_deletions=True)
    assert (ran.outcome.state, ran.outcome.errors) == ("complete", [])
    same(both.verdict(tool))
    before = both.checksums()
    assert both.sync(tool).changes == 0
    assert both.checksums() == before


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, on_stage: Callable[[str], Stage], tmp_path: Path) -> Iterator[Stage]:
    """A hub whose database holds nothing at all yet."""
    if request.param == "sqlite":
        yield on_stage(f"sqlite:///{tmp_path / 'empty.db'}")
        return
    server, name = str(request.getfixturevalue("postgres_server")), f"e{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    stage = on_stage(postgres_url(server, name))
    yield stage
    stage.database.dispose()
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.parametrize(
    ("moment", "count"), [("CREATE TABLE", 1), ("CREATE TABLE", 9), ("CREATE (UNIQUE )?INDEX", 3), (".*alembic_version", 2), ("commit", 1)]
)
def test_killed_in_a_migration_the_next_one_completes(empty: Stage, moment: str, count: int) -> None:
    assert die(empty, moment, count, "migrate") in (-signal.SIGKILL, 0)
    assert migrate.upgrade(empty.database)[1] == migrate.newest()
    assert migrate.drift(empty.database) == []
    assert set(inspect(empty.database.engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    empty.connect("asana")
    assert empty.sync("asana").outcome.state == "complete"
    same(empty.verdict("asana"))
