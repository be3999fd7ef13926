"""A real browser on a real hub: the pages as they are served, with two tools' worth of rows in a temporary database."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from hub import migrate
from hub.app import create_app
from hub.cli.serve import listening
from hub.db import Database
from hub.settings import Settings
from hub.vault import Vault
from tests.api.builders import NOW
from tests.api.conftest import NotedJobs
from tests.web.conftest import addresses, seeded

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
UGLY = "שלום 🎉 " + "Donaudampfschifffahrtsgesellschaftskapitän" * 7
"""Right to left, an emoji, and a word that no line can hold."""


def installed() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's own; without one the tests are skipped, or fail where a browser is required. Not for the session: while it is open its event loop
    runs in this thread, and no test of another module could start one of its own."""
    found = installed()
    if found is None:
        reason = "no chromium is installed: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("HUB_REQUIRE_BROWSER") == "1" else pytest.skip(reason)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])  # root, as tests may run, has no sandbox there


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """A page of a browser without memory; options are the context's."""
    contexts = []

    def make(**options: Any) -> Page:
        contexts.append(chromium.new_context(**options))
        return contexts[-1].new_page()

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="module", params=["plain", "ugly"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[tuple[str, list[str]]]:
    """(origin, every page's path)."""
    path: Path = tmp_path_factory.mktemp("browser") / "hub.db"
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    ids = seeded(database, rows=8, word=UGLY if request.param == "ugly" else "Apollo")
    door = listening("127.0.0.1", 0)
    app = create_app(Settings(), database, Vault([b"k" * 32]), NotedJobs(), lambda: NOW, open_home=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, name="hub", daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{door.getsockname()[1]}", addresses(ids)
    server.should_exit = True
    thread.join()
    database.dispose()
