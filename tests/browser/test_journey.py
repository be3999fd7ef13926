"""An admin's first hour in a real browser: from an empty hub to the portfolio on screen, by mouse and by keyboard alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Page, expect

from hub import migrate
from hub.app import create_app
from hub.cli.serve import listening
from hub.db import Database
from hub.jobs.embedded import EmbeddedJobs
from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from hub.settings import load
from hub.vault import Vault
from tests.browser.test_pages import complaints

PATIENCE = 60_000
"""Milliseconds until a reading must be through; it is over as soon as the page says so."""


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed.build(seed=7, tasks=30, now=now()), Knobs(limits=False)).start() as running:
        yield running


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[str]:
    """A hub with nothing in it, jobs, clock and all; gives its origin."""
    database = Database(f"sqlite:///{tmp_path}/hub.db")
    migrate.upgrade(database)
    door = listening("127.0.0.1", 0)
    app = create_app(load({}), database, Vault([b"k" * 32]), EmbeddedJobs(now), now, open_home=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, name="hub", daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{door.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    database.dispose()


def test_from_an_empty_hub_to_the_portfolio_on_screen(new_page: Callable[..., Page], empty: str, sandbox: Sandbox) -> None:
    page = new_page()
    said = complaints(page)
    page.goto(empty)
    page.get_by_role("link", name="Connect a tool").click()
    page.get_by_label("monday", exact=True).check()
    page.get_by_label("Name, as it will stand on pages").fill("Harbour")
    page.get_by_label("Personal token").fill(sandbox.world.tokens["monday"])
    page.get_by_text("Another address than the tool's own").click()
    page.get_by_label("Address of its API").fill(sandbox.base_url("monday"))
    page.get_by_role("button", name="See what it reaches").click()
    expect(page.get_by_role("button", name="Read it")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Read it").click()
    expect(page.get_by_role("cell", name="complete", exact=True).first).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="Say what columns mean").click()
    page.locator("tbody th a").first.click()
    expect(page.get_by_text("by its title").first).to_be_visible()
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Portfolio").click()
    expect(page.get_by_text("No tool is connected")).to_have_count(0)
    page.get_by_role("link", name="Projects", exact=True).click()
    assert page.locator("tbody tr").count() > 1
    assert not said


def test_a_key_is_made_with_the_keyboard_alone_and_shown_once(new_page: Callable[..., Page], empty: str) -> None:
    page = new_page()
    page.goto(f"{empty}/admin/keys")
    page.get_by_text("Make a key").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("reports")
    page.keyboard.press("Tab")
    page.keyboard.type("pmo")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").startswith("Make it"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="A key, shown this once")).to_be_visible()
    key = page.locator("pre.secret").inner_text()
    assert key.startswith("hub_")
    page.get_by_role("link", name="I have copied it").press("Enter")
    expect(page.get_by_role("link", name="reports")).to_be_visible()
    assert key not in page.content()
