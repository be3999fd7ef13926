"""What the texts of tools can do to whoever reads them here: nothing. On every page, in every file, in answers and in logs."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zipfile import ZipFile

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from icalendar import Calendar

from hub import log
from hub.access import audit, keys
from hub.access.audit import Actor
from hub.access.keys import Role
from hub.app import create_app
from hub.db import Database
from hub.settings import Settings
from hub.vault import Vault
from hub.web.export import RISKY, WRITERS
from tests.access import hostile
from tests.access.conftest import Browser, person
from tests.api.builders import NOW
from tests.api.conftest import Caller, Clock, NotedJobs
from tests.web.reading import read

CARRIERS = ("href", "src", "action", "formaction", "xlink:href", "data", "poster", "srcset")
FILES = ("/", "/projects", "/tasks", "/timeline", "/milestones", "/changes", "/workload", "/tasks/{task_id}", "/projects/{project_id}")

REFLECTING = ("/", "/projects", "/timeline", "/milestones", "/workload", "/changes", "/admin/statuses", "/admin/data")


class House:
    """A hub full of hostile texts, and an admin's browser; read only, so that all tests share it."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.app: FastAPI = create_app(Settings(), self.database, Vault([b"k" * 32]), NotedJobs(), Clock())
        person(self.database, Role.ADMIN)
        with self.database.writing() as session:
            self.ids = hostile.written(session)
            self.key = keys.create(session, hostile.word("key"), "admin", NOW)
        self.ada = Browser(self.app, agent=hostile.MARKUP)
        assert self.ada.log_in().status_code == 303

    def named(self, path: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: str(self.ids.get(found[1], "0")), path)

    def pages(self) -> list[str]:
        """Every page that the routes name, with every view of it."""
        found = [str(route.path) for route in iter_route_contexts(self.app.routes) if "GET" in (route.methods or ())]
        shown = [self.named(path) for path in found if not path.startswith(("/api/", "/openapi", "/metrics", "/healthz", "/readyz"))]
        project = self.named("/projects/{project_id}")
        views = [f"{project}?view={each}" for each in ("list", "board", "board&by=section", "timeline", "milestones")]
        private = f"/projects/{self.ids['private_id']}"
        return [*shown, *views, private, "/admin/statuses?show=all", "/changes?since=2026-01-01", f"/tasks?tag={quote(hostile.word('tag'))}"]


@pytest.fixture(scope="module")
def house(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    path = tmp_path_factory.mktemp("texts") / "hub.db"
    path.write_bytes(sqlite_template.read_bytes())
    made = House(f"sqlite:///{path}")
    yield made
    made.database.dispose()


def harm(text: str) -> list[Any]:
    """What a browser would run or follow of a page that is not the page's own."""
    found: list[Any] = []
    for tag, attributes in read(text).tags:
        found += [(tag, name) for name in attributes if name.startswith("on") or name in ("style", "autofocus", "srcdoc")]
        carried = [attributes[name] for name in CARRIERS if name in attributes]
        for value in carried:
            safe = (value.startswith(("/", "#", "?")) and not value.startswith(("//", "/\\"))) or re.match(r"https?://[^/]", value)
            found += [] if (safe and value != "/logout") or (tag == "form" and value == "/logout") else [(tag, value)]
        if tag in ("script", "link", "img") and not any(value.startswith("/static/") for value in carried):
            found.append((tag, attributes))
        found += [(tag, attributes)] if "evil" in tag or any("evil" in name for name in attributes) else []
    return found


def test_no_text_of_a_tool_does_anything_on_any_page(house: House) -> None:
    shown: set[str] = set()
    assert len(house.pages()) > 20
    for path in house.pages():
        answer = house.ada.get(path)
        assert answer.status_code in (200, 303, 404, 409), f"{path}: {answer.text[:2000]}"
        assert not harm(answer.text), path
        assert "7777777" not in answer.text, f"{path}: a text was taken for a template"
        shown |= set(re.findall(r"@([a-z]+(?: [a-z]+)*)(?: \d+)?@", read(answer.text).words))
    expected = "connection error user project section field custom status task tag person milestone health refused incident run new old text team"
    assert set(expected.split()) <= shown, f"these stand on no page, so nothing was proved of them: {set(expected.split()) - shown}"


def test_the_harm_would_be_seen() -> None:
    """The judge is judged: each of these would do something."""
    for text in (
        "<a href='javascript:x'>",
        "<a href=' data:x'>",
        "<p onclick=x>",
        "<script>x</script>",
        "<img src=//evil>",
        "<a href='//evil'>",
        "<a href='/logout'>",
    ):
        assert harm(text), text
    assert not harm("<a href='/tasks'><a href='https://tool.example.org/1'><script src='/static/hub.js'></script>")


def test_what_is_asked_is_shown_again_as_text_only(house: House) -> None:
    """Reflected: every parameter that a page knows, with markup in it."""
    names = "q tool tag since sort view by colour triage show page after from to zoom tz assignee_id project_id format kind".split()  # noqa: SIM905

    asked = [("/tasks", name) for name in names] + [(path, name) for path in REFLECTING for name in ("q", "tool", "tz", "sort", "since")]
    for path, name in [*asked, ("/changes", "after"), ("/projects", "colour"), ("/admin/statuses", "show"), ("/login", "next")]:
        answer = house.ada("GET", path, params={name: hostile.word(name)})
        assert answer.status_code < 500, f"{path}?{name}: {answer.text[:500]}"
        assert not harm(answer.text), (path, name)


@pytest.mark.parametrize("form", sorted(WRITERS))
def test_no_text_of_a_tool_is_a_formula_in_any_file(house: House, form: str) -> None:
    met = 0
    for path in map(house.named, FILES):
        answer = house.ada("GET", path, params={"format": form})
        assert answer.status_code == 200, f"{path}: {answer.text[:500]}"
        assert re.fullmatch(r'attachment; filename="[a-z-]+\.\w+"', answer.headers["content-disposition"]), path
        cells = CELLS[form](answer.content)
        met += sum("HYPERLINK" in cell for cell in cells)
        if form == "csv":
            assert not [cell for cell in cells if cell.lstrip(" ").startswith(RISKY)], path
    assert met > 20


def of_csv(content: bytes) -> list[str]:
    return [cell for line in csv.reader(io.StringIO(content.decode("utf-8-sig"))) for cell in line]


def of_xlsx(content: bytes) -> list[str]:
    """All texts; a formula or a link would be an element of its own."""
    with ZipFile(io.BytesIO(content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert not re.search(r"<(f|hyperlink)[ >]", sheet)
        assert not [name for name in book.namelist() if re.search("rels/sheet|externalLink|vba", name)]
        return re.findall(r"<t[^>]*>([^<]*)", book.read("xl/sharedStrings.xml").decode())


def of_ics(content: bytes) -> list[str]:
    """The entries' titles; a text that ended its line would begin a property of its own."""
    entries = Calendar.from_ical(content).walk("VEVENT")
    assert {name for entry in entries for name in entry} <= {"UID", "SUMMARY", "DTSTART", "DTEND", "DTSTAMP"}
    return [str(entry["SUMMARY"]) for entry in entries]


def of_json(content: bytes) -> list[str]:
    return [str(value) for row in json.loads(content)["data"] for value in row.values()]


CELLS = {"csv": of_csv, "xlsx": of_xlsx, "ics": of_ics, "json": of_json}


def test_the_audit_log_as_a_file_holds_no_formula(house: House) -> None:
    with house.database.writing() as session:
        audit.add(session, Actor("cli", "=cmd|' /C calc'!A0"), "+thing.done", "@SUM(1)", NOW, after={"=1+1": "=1+1"})
    answer = Caller(house.app, house.key).get("/api/v1/audit.csv")
    cells = of_csv(answer.content)
    assert "'=cmd|' /C calc'!A0" in cells
    assert not [cell for cell in cells if cell.lstrip(" ").startswith(RISKY)]


FORGED = 'x\r\n2026-11-23 [info] a key was revoked\x1b[2K\x1b[31m\u2028\u0085\x00{"level": "info"}'


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_text_makes_a_line_of_the_log(house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Neither a line break nor a terminal's control character out of a path, a name, an exception or an audit row's texts gets into a log as such."""
    log.configure(form, "DEBUG")
    caller = Caller(house.app, house.key)
    caller("GET", f"/api/v1/{quote(FORGED)}")
    caller("POST", "/api/v1/users", json={"email": "x@example.org", "name": FORGED, "role": "viewer"})
    house.ada("GET", "/healthz", headers={"Host": b"evil\x1b[2K"})
    with house.database.writing() as session:
        audit.add(session, Actor("nobody", FORGED), FORGED, FORGED, NOW, after={FORGED: FORGED})
    monkeypatch.setattr(keys, "verify", _breaks)
    caller("GET", f"/api/v1/tasks/{quote(FORGED)}")
    log.get("test").warning(FORGED, name=FORGED, nested={FORGED: [FORGED]})
    said = capsys.readouterr().err
    assert "a key was revoked" in said, "nothing was logged: has logging moved?"
    lines = said.split("\n")
    assert not [line for line in lines if line.startswith("2026-11-23 [info]")]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]", said)
    if form == "json":
        assert all(isinstance(json.loads(line), dict) for line in lines if line)


def _breaks(*_words: Any) -> Any:
    raise RuntimeError(FORGED)
