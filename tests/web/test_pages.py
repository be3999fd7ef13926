"""Every page: there for an empty hub and a full one, safe whatever the tools' texts are, and as cheap for many rows as for few."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import hub.web
from hub.access.keys import Role
from hub.access.who import Who
from hub.app import create_app
from hub.db import Database
from hub.settings import Settings
from hub.vault import Vault
from tests.access.conftest import Browser
from tests.api.conftest import Clock, NotedJobs, counted
from tests.web.conftest import ADMIN, NASTY, OF_THE_HOUSE, READING, addresses, seeded
from tests.web.reading import read

TEMPLATES = sorted((Path(hub.web.__file__).parent / "templates").glob("*.html"))
Page = Callable[[str], str]
LISTS = ("/admin/people", "/admin/keys", "/admin/audit")


@pytest.mark.parametrize("path", [*READING, *ADMIN])
def test_an_empty_hub_says_on_every_page_what_to_do(look: Page, path: str) -> None:
    text = look(path)
    assert "<h1" in text
    assert "Last checked: <strong>not yet</strong>" in text
    assert "/admin/connections/new" in text or path in OF_THE_HOUSE


def test_every_page_shows_a_full_hub(database: Database, look: Page) -> None:
    for path in addresses(seeded(database)):
        text = look(path)
        found = read(text)
        assert text.count("<h1") == 1, path
        assert "Last checked" in found.words, path
        assert "Covers: " in found.words, path
        assert [attributes for tag, attributes in found.tags if tag == "html"] == [{"lang": "en"}]


def test_no_text_of_a_tool_becomes_markup_or_an_address(database: Database, look: Page) -> None:
    for path in addresses(seeded(database, word=NASTY)):
        text = look(path)
        assert "<script>" not in text, path
        assert "<img" not in text, path
        for tag, attributes in read(text).tags:
            assert not re.match(r"\s*(javascript|data|vbscript):", attributes.get("href", ""), re.IGNORECASE), path
            assert not [name for name in attributes if name.startswith("on")], (path, tag)
    assert "javascript:alert(0)" in read(look("/tasks")).words, "an odd address is shown as text"


def test_pages_bring_nothing_inline_and_nothing_from_other_servers(database: Database, look: Page) -> None:
    for path in addresses(seeded(database)):
        for tag, attributes in read(look(path)).tags:
            assert tag not in ("style", "iframe", "base", "object"), path
            assert "style" not in attributes, (path, tag)
            if tag in ("script", "img"):
                assert attributes["src"].startswith("/static/"), path
            if tag == "link":
                assert attributes["href"].startswith("/static/"), path
            if tag == "a" and "://" in attributes.get("href", "").partition("?")[0]:
                assert attributes["rel"] == "noopener noreferrer", path
            if tag == "form" and attributes.get("method") == "post":
                assert attributes["action"].startswith(("/admin/", "/views", "/projects/")), path


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_a_style_a_script_or_a_way_round_escaping(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe\b|autoescape", text)
    assert not re.search(r"<script(?![^>]* src=)", text)


@pytest.mark.parametrize(
    "path", [*READING, "/projects/{project}", "/projects/{project}?view=board", "/projects/{project}?view=timeline", "/tasks/{task}", *LISTS]
)
def test_a_page_asks_as_often_for_many_rows_as_for_few(database: Database, look: Page, path: str) -> None:
    look(path.format(**seeded(database, rows=6)))
    ids = seeded(database, rows=6)  # written anew: both are counted with nothing kept from an earlier look
    with counted() as few:
        look(path.format(**ids))
    ids = seeded(database, rows=18)
    with counted() as many:
        look(path.format(**ids))
    assert len(many) <= len(few)


def test_what_makes_no_sense_is_said_on_a_page(visitor: Browser) -> None:
    wrong = {
        "/tasks?due_before=soon": "due_before",
        "/tasks?status_category=nope": "status_category",
        "/tasks?tool=nope": "not connected",
        "/tasks?page=0": "page",
        "/tasks?page=" + "9" * 30: "page",
        "/tasks?tz=Nowhere/Else": "Europe/Berlin",
        "/tasks?sort=nope": "sort may be",
        "/tasks?format=exe": "format may be",
        "/tasks?project_id=nope": "project_id",
        "/timeline?after=1": "first page",
        "/timeline?from=99999-01-01": "from",
        "/changes?since=0001-01-01": "1970",
        "/changes?after=a|b|c": "first page",
        "/workload?weeks=400": "weeks",
        "/projects?triage=nope": "triage may be",
    }
    for path, said in wrong.items():
        answer = visitor.get(path)
        assert answer.status_code == 400, path
        assert said in read(answer.text).words, path


@pytest.mark.parametrize("path", ["/tasks/x", "/projects/x", "/tasks/" + "0" * 32, "/projects/" + "0" * 32, "/admin/connections/" + "0" * 32])
def test_what_is_not_there_is_a_page_too(visitor: Browser, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 404
    assert "There is no such" in answer.text


def test_pages_are_for_people_who_are_signed_in(database: Database, vault: Vault, jobs: NotedJobs, clock: Clock) -> None:
    closed = Browser(create_app(Settings(), database, vault, jobs, clock))
    for path in [*READING, *ADMIN]:
        answer = closed.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/login"), path


@pytest.mark.parametrize(("role", "allowed"), [(Role.VIEWER, {"/admin/data"}), (Role.PMO, {"/admin/data", "/admin/statuses"})])
def test_a_page_of_admins_is_for_admins(monkeypatch: pytest.MonkeyPatch, app: object, visitor: Browser, role: Role, allowed: set[str]) -> None:
    monkeypatch.setattr("hub.web.login.GUEST", Who(None, None, "Somebody", role, None))
    text = visitor.get("/").text
    for path in ADMIN:
        plain = path.partition("?")[0]
        assert (visitor.get(path).status_code == 200) == (plain in allowed), path
        if plain in ("/admin/connections", "/admin/data", "/admin/statuses"):
            assert (f'href="{plain}"' in text) == (plain in allowed)


def test_pages_are_small_on_the_wire(database: Database, visitor: Browser) -> None:
    seeded(database, rows=60)
    for path in READING:
        answer = visitor.get(path)
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.num_bytes_downloaded < 150_000
