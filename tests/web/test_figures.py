"""Every figure on a page equals the API's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hub.db import Database
from hub.models import Task
from hub.web import words
from tests.api import builders as make
from tests.api.conftest import Caller
from tests.web.conftest import seeded
from tests.web.reading import read, table

Page = Callable[[str], str]


def test_the_home_page_says_what_the_api_says(database: Database, look: Page, viewer: Caller) -> None:
    seeded(database)
    totals, text = viewer.data("portfolio")["totals"], look("/")
    facts = read(text).facts
    assert facts["Projects"] == str(totals["projects"])
    assert facts["Open tasks"] == f"{totals['open']} of {totals['tasks']}"
    assert facts["Overdue"] == str(totals["overdue"])
    assert facts["Blocked"] == str(totals["blocked"])
    assert facts["Slipped"].startswith(f"{totals['slipped']['tasks']} ")
    for line in viewer.data("portfolio")["tools"]:
        shown = next(row for row in table(text, "Tool") if row["Tool"] == line["tool"])
        assert [shown[name] for name in ("Projects", "Tasks", "Open", "Overdue", "Blocked")] == [
            str(line[name]) for name in ("projects", "tasks", "open", "overdue", "blocked")
        ]
    trouble = [line for line in viewer.data("portfolio")["projects"] if line["computed_health"]["colour"] in ("red", "amber")]
    assert {row["Project"] for row in table(text, "Project")} == {line["name"] for line in trouble}


def test_the_projects_page_says_what_the_api_says(database: Database, look: Page, viewer: Caller) -> None:
    seeded(database)
    shown = {row["Project"]: row for row in table(look("/projects"), "Tick")}
    for line in viewer.data("projects"):
        row = shown.pop(line["name"])
        assert (row["Tasks"], row["Overdue"], row["Blocked"]) == tuple(str(line[name]) for name in ("tasks", "overdue", "blocked"))
        assert words.COLOURS[line["computed_health"]["colour"]] in row["Health"]
        assert row["Most late"] == (words.plural(line["most_late_days"], "day") if line["most_late_days"] else words.DASH)
    assert not shown


@pytest.mark.parametrize("asked", ["overdue=true", "kind=milestone", "tool=clickup", "q=stone", "due_before=2026-12-01", "status_category=started"])
def test_the_tasks_page_finds_what_the_api_finds(database: Database, look: Page, viewer: Caller, asked: str) -> None:
    seeded(database)
    rows = table(look(f"/tasks?{asked}"), "Task")
    found = viewer.data("tasks", **dict([asked.split("=")]))
    assert found
    assert sorted(row["Task"].removeprefix("milestone ") for row in rows) == sorted(each["title"] for each in found)


def test_a_project_s_burn_up_says_what_the_api_says(database: Database, look: Page, viewer: Caller) -> None:
    ids = seeded(database)
    points = viewer.data("burn-up", project_id=str(ids["project"]))["points"]
    assert points[-1] == {"week": None, "known": True, "scope": 6, "done": 0}
    assert [point["known"] for point in points] == [False] * 3 + [True] * 10, "the history begins sixty days back"
    shown = next(
        each["aria-label"] for tag, each in read(look(f"/projects/{ids['project']}")).tags if each.get("aria-label", "").startswith("Done of")
    )
    said = [f"{point['done']} of {point['scope']}" if point["known"] else "not known" for point in points]
    assert shown == f"Done of all there was, oldest first: {', '.join(said)}"


def test_a_project_s_spark_says_what_the_api_says(database: Database, look: Page, viewer: Caller) -> None:
    ids = seeded(database)
    with database.writing() as session:
        made = session.get_one(Task, ids["task"])
        made.status_category, made.completed_at = "done", make.NOW - timedelta(days=8)
    weeks = viewer.data("flow", project_id=str(ids["project"]), weeks=8)["weeks"]
    assert sum(week["finished"] for week in weeks) == 1
    shown = [each["aria-label"] for tag, each in read(look("/projects")).tags if each.get("aria-label", "").startswith("Finished a week")]
    assert shown == ["Finished a week, oldest first: " + ", ".join(str(week["finished"]) for week in weeks)]


def test_milestones_say_how_far_they_moved(database: Database, look: Page, viewer: Caller) -> None:
    seeded(database)
    rows = table(look("/milestones"), "Milestone")
    since = {"since": "2026-10-24"}
    expected = {
        (each["title"], words.delta(each["movement"]["delta_days"]), str(each["movement"]["moves"])) for each in viewer.data("milestones", **since)
    }
    assert {(row["Milestone"], row["Moved"], row["Times"]) for row in rows} == expected
    assert "10 days later" in {row["Moved"] for row in rows}


def test_the_heat_map_says_what_the_api_says(database: Database, look: Page, viewer: Caller) -> None:
    seeded(database, rows=9)
    found = viewer.data("workload")
    shown = table(look("/workload"), "Who")
    assert len(shown) == len(found["people"])
    for line, row in zip(found["people"], shown, strict=True):
        cells: list[Any] = list(row.values())[1 : 1 + len(found["weeks"])]
        for cell, text in zip(line["weeks"], cells, strict=True):
            assert (
                (words.percent(cell["percent"]) in text) if cell["minutes"] and cell["percent"] is not None else (words.DASH in text or "h" in text)
            )
            assert ("too much" in text) == cell["over"]


def test_changes_say_who_changed_what_since_when(database: Database, look: Page, viewer: Caller) -> None:
    seeded(database)
    text = look("/changes?since=2026-11-01")
    for line in viewer.data("changes/summary", since="2026-11-01"):
        shown = next(row for row in table(text, "Project") if row["Project"] == line["project"]["name"])
        assert (shown["New"], shown["Later"], shown["Changed at all"]) == tuple(str(line[name]) for name in ("created", "later", "changed"))
    said = read(text).words
    for group in viewer.data("changes", since="2026-11-01"):
        for item in group["items"]:
            assert item["title"] in said
            assert words.field(item["field"]) in said


def test_a_task_shows_its_fields_its_history_and_what_waits(database: Database, look: Page) -> None:
    ids = seeded(database)
    found = read(look(f"/tasks/{ids['task']}"))
    assert found.facts["Tool says"] == "Apollo doing"
    assert found.facts["We count it as"].startswith("in progress")
    assert found.facts["Estimate"] == "10\u202fh"
    assert "It waits for" in found.words
    assert "old" in found.words


def test_today_is_the_reader_s_today(database: Database, look: Page) -> None:
    seeded(database)
    assert "today is 24 Nov 2026" in look("/tasks?tz=Pacific/Kiritimati")
    assert "today is 23 Nov 2026" in look("/tasks")


def test_the_reader_s_zone_comes_from_the_browser_and_is_said(database: Database, visitor: Any) -> None:
    seeded(database)
    visitor.cookies.set("hub_tz", "Pacific%2FKiritimati")
    assert "Pacific/Kiritimati; today is 24 Nov 2026" in visitor.get("/tasks").text
    visitor.cookies.set("hub_tz", "..%2F..%2Fetc%2Fpasswd")
    assert "Times are in UTC" in visitor.get("/tasks").text


def test_a_filter_and_an_order_live_in_the_address(database: Database, look: Page) -> None:
    seeded(database, rows=40)
    first = table(look("/tasks?kind=task&sort=due"), "Task")
    second = look("/tasks?kind=task&sort=due&page=2")
    assert len(first) == 50
    assert not {row["Task"] + row["Project"] for row in first} & {row["Task"] + row["Project"] for row in table(second, "Task")}
    assert "kind=task&amp;sort=due&amp;page=1" in second
    down = table(look("/tasks?kind=task&sort=due&order=desc"), "Task")
    assert down[0]["Due"] != first[0]["Due"]
