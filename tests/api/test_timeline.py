"""The timeline and the dependencies."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from hub.api.answers import Listed
from hub.api.timeline import DependencyShape, TimelineShape
from hub.db import Database
from tests.api import builders as make
from tests.api.conftest import Caller

WINDOW = {"from": "2026-11-10", "to": "2026-11-20"}


def test_the_timeline_shows_what_lies_in_the_window_or_reaches_into_it(database: Database, call: Caller) -> None:
    bars = {
        "inside": ("2026-11-12", "2026-11-13"),
        "due on the first day": (None, "2026-11-10"),
        "begins on the last day": ("2026-11-20", None),
        "spans it": ("2026-11-01", "2026-12-01"),
        "before": ("2026-11-01", "2026-11-09"),
        "after": ("2026-11-21", None),
        "undated": (None, None),
    }
    with database.writing() as session:
        account = make.connection(session)
        apollo, gemini = make.project(session, account), make.project(session, account, "Gemini")
        for title, (start, due) in bars.items():
            make.task(session, apollo, title, start_on=start and make.day(start), due_on=due and make.day(due))
        make.task(session, apollo, "archived", due_on=make.day("2026-11-12"), archived_effective=True)
        make.task(session, gemini, "stone", kind="milestone", due_on=make.day("2026-11-15"), status_category="done")
        make.task(session, account, "loose", due_on=make.day("2026-11-15"))
    answer = call.get("timeline", **WINDOW)
    Listed[TimelineShape].model_validate(answer.json())
    shown = {row["project"] and row["project"]["name"]: [item["title"] for item in row["items"]] for row in answer.json()["data"]}
    assert shown == {None: ["loose"], "Apollo": ["spans it", "due on the first day", "inside", "begins on the last day"], "Gemini": ["stone"]}
    late = {item["title"]: item["overdue"] for row in answer.json()["data"] for item in row["items"]}
    assert late == {"loose": True, "spans it": False, "due on the first day": True, "inside": True, "begins on the last day": False, "stone": False}
    only = call.data("timeline", project_id=str(gemini.id), kind="milestone", **WINDOW)
    assert [row["project"]["name"] for row in only] == ["Gemini"]


def test_a_window_that_ends_before_it_begins_is_refused(call: Caller) -> None:
    answer = call.get("timeline", **{"from": "2026-11-20", "to": "2026-11-10"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "query/to")


def test_a_window_may_lie_at_the_end_of_time(call: Caller) -> None:
    assert call.data("timeline", **{"from": "9999-12-30"}) == []


def test_a_dependency_shows_both_ends_and_whether_the_plan_contradicts_it(database: Database, call: Caller) -> None:
    with database.writing() as session:
        asana, clickup = make.connection(session), make.connection(session, "clickup")
        apollo = make.project(session, asana)
        first = make.task(session, apollo, "first", due_on=make.day("2026-11-20"))
        second = make.task(session, apollo, "second", start_on=make.day("2026-11-19"))
        make.waits(session, second, first.id)
        unread = uuid4()
        make.waits(session, make.task(session, clickup, "third"), unread, assumed=False)
        make.waits(session, first, make.task(session, apollo, "gone", deleted_at=make.NOW).id)
        make.waits(session, make.task(session, apollo, "refused", access_lost_at=make.NOW), first.id)
    answer = call.get("dependencies")
    Listed[DependencyShape].model_validate(answer.json())
    rows: dict[str, Any] = {row["successor"]["title"]: row for row in answer.json()["data"]}
    assert set(rows) == {"second", "third"}
    assert (rows["second"]["predecessor"]["title"], rows["second"]["violated"], rows["second"]["assumed"]) == ("first", True, True)
    assert rows["second"]["predecessor"]["project_id"] == str(apollo.id)
    third = rows["third"]
    assert (third["predecessor"]["id"], third["predecessor"]["title"], third["successor"]["tool"]) == (str(unread), None, "clickup")
    assert [row["successor"]["title"] for row in call.data("dependencies", task_id=str(first.id))] == ["second"]
    assert [row["successor"]["title"] for row in call.data("dependencies", project_id=str(apollo.id))] == ["second"]
    assert [row["successor"]["title"] for row in call.data("dependencies", tool="clickup")] == ["third"]
