"""What stands on every page: who is logged in and how they log out, and whose figures these are."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from hub.access import grants
from hub.access.grants import Subject, Target
from hub.access.keys import Role
from hub.app import create_app
from hub.db import Database
from hub.settings import Settings
from hub.vault import Vault
from tests.access.conftest import Browser, cheap_hashes, person
from tests.api.builders import NOW
from tests.api.conftest import Clock, NotedJobs
from tests.web.conftest import READING, seeded
from tests.web.reading import read

__all__ = ["cheap_hashes"]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Words of a page; what they are made of is tested on both databases elsewhere."""
    return sqlite_url


@pytest.fixture
def closed(database: Database, vault: Vault, jobs: NotedJobs, clock: Clock) -> FastAPI:
    return create_app(Settings(), database, vault, jobs, clock)


def test_a_person_goes_to_their_account_and_logs_out_from_every_page(database: Database, closed: FastAPI) -> None:
    seeded(database)
    person(database, Role.PMO)
    visitor = Browser(closed)
    visitor.log_in()
    for path in (*READING, "/views", "/projects/sort", "/account"):
        tags = read(visitor.get(path).text).tags
        assert any(tag == "a" and each.get("href") == "/account" for tag, each in tags), path
        assert any(tag == "form" and each.get("action") == "/logout" for tag, each in tags), path
        assert any(tag == "a" and each.get("href") == "/changes" for tag, each in tags), f"{path} leads nowhere"
    assert visitor.send("/logout", page="/milestones").status_code == 303
    assert visitor.get("/tasks").headers["location"].startswith("/login")


def test_a_page_says_that_it_shows_what_its_reader_may_see(database: Database, closed: FastAPI) -> None:
    ids = seeded(database)
    made = person(database, Role.VIEWER)
    with database.writing() as session:
        grants.replace(session, Subject("user", made.id), [Target.parse(f"project:{ids['project']}")], NOW, None)
    visitor = Browser(closed)
    visitor.log_in()
    for path in READING:
        assert "of these what you may see" in read(visitor.get(path).text).words, path
    assert "Covers: this project of asana" in read(visitor.get(f"/projects/{ids['project']}").text).words


def test_the_guest_of_the_demo_has_nothing_to_log_out_of(database: Database, visitor: Browser) -> None:
    seeded(database)
    assert 'action="/logout"' not in visitor.get("/").text
