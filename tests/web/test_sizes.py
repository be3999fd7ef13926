"""An account with three thousand "projects", everything late, no dates at all: every page stays small on the wire and on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest
from sqlalchemy import update

from hub.app import create_app
from hub.db import Database
from hub.models import Project, Task
from hub.settings import Settings
from hub.vault import Vault
from tests.access.conftest import Browser
from tests.api import builders as make
from tests.api.conftest import NotedJobs
from tests.bench.views import Filler
from tests.web.conftest import READING

MOST_SENT, MOST_HTML = 150_000, 2_000_000
NUMBER = 3_000


@pytest.fixture(scope="module")
def crowded(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, Browser]]:
    path = tmp_path_factory.mktemp("crowd") / "hub.db"
    copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    with database.writing() as session:
        Filler(session, NUMBER, NUMBER, 40, 1).fill()
    app = create_app(Settings(), database, Vault([b"k" * 32]), NotedJobs(), lambda: make.NOW, open_home=True)
    yield database, Browser(app)
    database.dispose()


def small(browser: Browser) -> None:
    for path in (*READING, "/projects?sort=name&page=30", "/milestones?show=all", "/admin/data", "/admin/statuses?show=all"):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert answer.num_bytes_downloaded < MOST_SENT, path
        assert len(answer.content) < MOST_HTML, path


def test_pages_of_three_thousand_projects_are_small(crowded: tuple[Database, Browser]) -> None:
    small(crowded[1])


def test_pages_are_small_where_everything_is_late_and_where_nothing_has_a_date(crowded: tuple[Database, Browser]) -> None:
    database, browser = crowded
    with database.writing() as session:
        session.execute(update(Task).values(due_on=make.day("2020-01-01"), status_category="started", archived_effective=False))
    small(browser)
    with database.writing() as session:
        session.execute(update(Task).values(due_on=None, start_on=None))
        session.execute(update(Project).values(due_on=None))
    small(browser)
