from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import structlog

from hub.cli import run as command
from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from hub.vault import new_key
from tests.story.stage import Patience


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str


Hub = Callable[..., Said]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str) -> Iterator[Hub]:
    """Runs one command in this process, over a migrated SQLite database; nothing of the caller's environment reaches it."""
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("HUB_SECRET_KEYS", new_key())
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level

    def run(*words: str, stdin: str = "") -> Said:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = command(words)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Said(code, said.out, said.err)

    yield run
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    Patience().install(monkeypatch)
    with Sandbox(seed.build(seed=7, tasks=40, now=datetime.now(UTC)), Knobs(limits=False)).start() as running:
        yield running


@pytest.fixture
def connected(hub: Hub, sandbox: Sandbox) -> Hub:
    """With one connection, ``berlin``, that reads Asana."""
    said = hub(
        "connection",
        "add",
        "asana",
        "--name",
        "berlin",
        "--base-url",
        sandbox.base_url("asana"),
        "--token-stdin",
        stdin=sandbox.world.tokens["asana"],
    )
    assert said.code == 0, said.err
    return hub
