"""What is seen, as a file: the same rows in the same order, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from hub.db import Database
from hub.web.export import RISKY, WRITERS, harmless
from tests.access.conftest import Browser
from tests.api import builders as make
from tests.web.conftest import seeded
from tests.web.reading import table

PAGES = {
    "/": "project",
    "/projects": "project",
    "/tasks": "title",
    "/timeline": "title",
    "/milestones": "milestone",
    "/changes": "task",
    "/workload": "who",
}


@pytest.mark.parametrize("form", sorted(WRITERS))
@pytest.mark.parametrize("path", sorted(PAGES))
def test_every_page_is_a_file_of_every_kind(database: Database, visitor: Browser, path: str, form: str) -> None:
    seeded(database)
    answer = visitor.get(f"{path}?format={form}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == WRITERS[form][1]
    assert answer.headers["content-disposition"].startswith("attachment; filename=")


def test_a_file_holds_what_the_page_shows_in_its_order(database: Database, visitor: Browser) -> None:
    seeded(database)
    asked = "/tasks?kind=task&sort=title&order=desc&tool=asana"
    shown = [row["Task"] for row in table(visitor.get(asked).text, "Task")]
    text = visitor.get(f"{asked}&format=csv").content.decode("utf-8-sig")
    assert [row["title"] for row in csv.DictReader(io.StringIO(text))] == shown
    found = json.loads(visitor.get(f"{asked}&format=json").content)
    assert [row["title"] for row in found["data"]] == shown
    assert found["meta"]["scope"].startswith("only asana")


def test_no_cell_becomes_a_formula(database: Database, visitor: Browser) -> None:
    seeded(database, word='=cmd|" /C calc"!A0')
    text = visitor.get("/tasks?format=csv").content.decode("utf-8-sig")
    cells = [cell for line in csv.reader(io.StringIO(text)) for cell in line]
    assert any("=cmd" in cell for cell in cells)
    assert not [cell for cell in cells if cell.startswith(RISKY)]
    with ZipFile(io.BytesIO(visitor.get("/tasks?format=xlsx").content)) as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


@given(st.text(max_size=20))
def test_a_text_never_begins_like_a_formula(text: str) -> None:
    assert not str(harmless(text)).lstrip(" ").startswith(RISKY)


def test_a_number_stays_a_number() -> None:
    assert harmless(-5) == -5


def test_a_project_s_file_is_the_tab_that_is_seen(database: Database, visitor: Browser) -> None:
    page = f"/projects/{seeded(database)['project']}"
    for tab, first, rows in (("list", "title", 6), ("milestones", "milestone", 3), ("timeline", "title", 6)):
        text = visitor.get(f"{page}?view={tab}&format=csv").content.decode("utf-8-sig")
        lines = list(csv.DictReader(io.StringIO(text)))
        assert len(lines) == rows, tab
        assert all(line[first] for line in lines)
    assert visitor.get(f"{page}?view=milestones&format=csv").content.decode("utf-8-sig").startswith("id,milestone,")


def test_what_only_begins_is_in_the_calendar_on_that_day(database: Database, visitor: Browser) -> None:
    with database.writing() as session:
        make.task(session, make.project(session, make.connection(session)), "Cast off", start_on=make.TODAY)
    (entry,) = Calendar.from_ical(visitor.get("/tasks?format=ics").content).walk("VEVENT")
    assert (entry["DTSTART"].dt, entry["DTEND"].dt) == (make.TODAY, make.TODAY + timedelta(days=1))


def test_dates_go_into_a_calendar(database: Database, visitor: Browser) -> None:
    seeded(database)
    entries = Calendar.from_ical(visitor.get("/milestones?format=ics").content).walk("VEVENT")
    assert len(entries) == 6
    assert {str(entry["SUMMARY"]) for entry in entries} == {f"Apollo stone {place}" for place in range(3)}
