"""The views: figures beside each project, board, workload, flow, movement, changes and history; each in a fixed number of statements, each
with a tag."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from hub.access.audit import Actor
from hub.api import views
from hub.api.answers import Listed, Single
from hub.api.portfolio import PortfolioShape, ProjectShape
from hub.api.tasks import DatedMilestoneShape
from hub.api.timeline import DependencyShape
from hub.db import Database
from hub.models import Connection, Project, Task, TaskProject
from hub.portfolio import joining
from hub.portfolio.definitions import FIGURES
from tests.api import builders as make
from tests.api.conftest import Caller, counted
from tests.portfolio.worlds import change

DAYS = {step: make.TODAY + timedelta(days=step) for step in range(-60, 61)}


def ago(days: int) -> Any:
    return make.NOW - timedelta(days=days)


def moved(session: Session, of: Task, days: int, name: str, old: Any, new: Any, **given: Any) -> None:
    change(session, of, name, old, new, occurred_at=ago(days), recorded_at=ago(days), **given)


@pytest.fixture
def apollo(database: Database) -> Project:
    """A project with a bit of everything: 2 of 5 done, one blocked, one late milestone that slipped, one stale task."""
    with database.writing() as session:
        account = make.connection(session, history_from=ago(40))
        project = make.project(session, account, health="on_track", health_text="all is well")
        ada = make.identity(session, account)
        to_do, doing, done = (make.status(session, account, name, counts=name) for name in ("unstarted", "started", "done"))
        stone = make.task(session, project, "launch", kind="milestone", due_on=DAYS[-2], updated_at=ago(1))
        moved(session, stone, 20, "due_on", DAYS[-30].isoformat(), DAYS[-10].isoformat())
        moved(session, stone, 5, "due_on", DAYS[-10].isoformat(), DAYS[-2].isoformat())
        old = make.task(session, project, "forgotten", updated_at=ago(20), due_on=DAYS[5], estimate_minutes=600, status_id=doing.id, start_on=DAYS[1])
        make.assign(session, old, ada)
        moved(session, old, 30, "status_id", str(to_do.id), str(doing.id), actor_id=ada.id)
        held = make.task(session, project, "held up", updated_at=ago(1), due_on=DAYS[10], status_category="unstarted", status_id=to_do.id)
        make.waits(session, held, old.id)
        for days in (1, 8):
            finished = make.task(session, project, status_category="done", status_id=done.id, completed_at=ago(days), updated_at=ago(days))
            moved(session, finished, days + 4, "status_id", str(to_do.id), str(doing.id))
            moved(session, finished, days, "status_id", str(doing.id), str(done.id))
        return project


def test_a_project_says_how_it_stands_and_why(apollo: Project, call: Caller) -> None:
    answer = call.get(f"projects/{apollo.id}")
    Single[ProjectShape].model_validate(answer.json())
    shape = answer.json()["data"]
    assert shape["progress"] == {"percent": 40.0, "by": "count", "done": 2, "of": 5}
    figures = ("open", "overdue", "most_late_days", "due_soon", "blocked", "stale")
    assert [shape[name] for name in figures] == [3, 1, 2, 1, 1, 1]
    assert shape["slipped"] == {"since": "2026-10-24", "not_known_before": None, "tasks": 1, "most_days": 28}
    health = shape["computed_health"]
    assert (health["colour"], health["disagrees"], health["declared"]["colour"]) == ("red", True, "green")
    reasons = {reason["rule"]: (reason["colour"], reason["value"], [task["title"] for task in reason["tasks"]]) for reason in health["reasons"]}
    assert reasons["milestone_slipped"] == ("red", 28.0, ["launch"])
    assert reasons["milestone_overdue"] == ("amber", 2.0, ["launch"])
    assert reasons["blocked_share"] == ("amber", 33.3, ["held up"])
    assert [reason["colour"] for reason in health["reasons"]] == sorted((reason["colour"] for reason in health["reasons"]), reverse=True)
    assert shape["hygiene"] == {"no_owner": 2, "no_estimate": 1, "no_due_date": 0, "unmapped_status": 0, "no_report": 0}


def test_the_portfolio_gives_each_exception_its_worst_reason_with_a_task(apollo: Project, call: Caller) -> None:
    answer = call.get("portfolio", since=DAYS[-60].isoformat())
    Single[PortfolioShape].model_validate(answer.json())
    (line,) = answer.json()["data"]["projects"]
    assert [task["title"] for task in line["computed_health"]["reasons"][0]["tasks"]] == ["launch"]
    assert line["slipped"] == {"since": "2026-09-24", "not_known_before": "2026-10-14", "tasks": 1, "most_days": 28}
    totals = answer.json()["data"]["totals"]
    assert totals["colours"] == {"red": 1, "amber": 0, "grey": 0, "green": 0}
    assert answer.json()["data"]["triage"] == {"decided": False, "in": 0, "out": 0, "unsorted": 1}


def test_without_history_nothing_is_said_of_slips(database: Database, call: Caller) -> None:
    with database.writing() as session:
        make.task(session, make.project(session, make.connection(session, history_from=None)), due_on=DAYS[3])
    slipped = call.data("portfolio")["totals"]["slipped"]
    assert (slipped["tasks"], slipped["most_days"]) == (None, None)
    assert {week["finished"] for week in call.data("flow")["weeks"]} == {None}


def test_milestones_say_how_they_moved(apollo: Project, call: Caller) -> None:
    answer = call.get("milestones")
    Listed[DatedMilestoneShape].model_validate(answer.json())
    (row,) = answer.json()["data"]
    moves = {"first_due_on": "2026-10-24", "due_on": "2026-11-21", "delta_days": 28, "moves": 2, "known_from": "2026-11-23"}
    assert row["movement"] == moves
    (row,) = call.data("milestones", since=DAYS[-7].isoformat(), moved="true")
    assert (row["movement"]["delta_days"], row["movement"]["moves"]) == (8, 1)
    assert call.data("milestones", since=DAYS[-2].isoformat(), moved="true") == []
    assert len(call.data("milestones", since=DAYS[-2].isoformat(), moved="false")) == 1


def test_a_board_has_columns_by_meaning_or_by_section(database: Database, apollo: Project, call: Caller) -> None:
    with database.writing() as session:
        doing = make.section(session, apollo)
        placed = make.task(session, apollo, "placed", status_category="unknown")
        session.get_one(TaskProject, (placed.id, apollo.id)).section_id = doing.id
        make.task(session, apollo, "shelved", archived_effective=True)
    answer = call.get("board", project_id=str(apollo.id))
    Listed[views.ColumnShape].model_validate(answer.json())
    columns = {column["name"]: column for column in answer.json()["data"]}
    assert {name: column["tasks"] for name, column in columns.items() if column["tasks"]} == {"unstarted": 1, "started": 2, "done": 2, "unknown": 1}
    titles = {card["title"]: card for column in columns.values() for card in column["cards"]}
    assert (titles["forgotten"]["days_in_status"], titles["forgotten"]["at_least"]) == (30, False)
    assert (titles["launch"]["overdue"], titles["held up"]["blocked"], titles["forgotten"]["blocked"]) == (True, True, False)
    assert titles["forgotten"]["assignees"][0]["name"] == "Ada Ångström"
    by_section = call.data("board", project_id=str(apollo.id), by="section", limit=2)
    assert [(column["name"], column["tasks"], len(column["cards"])) for column in by_section] == [("Doing", 1, 1), (None, 5, 2)]


def test_a_board_by_person_has_a_column_for_each_human_whichever_user_of_theirs_has_the_task(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        project = make.project(session, account)
        ada, twin, bo = (make.identity(session, account, name) for name in ("Ada", "Ada's other", "Bo"))
        for user in (ada, twin, bo):
            make.assign(session, make.task(session, project), user)
        both = make.task(session, project)
        make.assign(session, both, bo, rank=1)
        make.assign(session, both, ada)
        make.task(session, project, "nobody's")
        person = joining.merge(session, [ada.id, twin.id], make.NOW, Actor("user", None)).person_id
        project_id, bo_id = project.id, bo.id
    found = call.data("board", project_id=str(project_id), by="person")
    assert [(column["id"], column["name"], column["tasks"]) for column in found] == [(str(person), "Ada", 3), (str(bo_id), "Bo", 1), (None, None, 1)]


def test_workload_is_by_person_and_week_with_the_rest_apart(database: Database, apollo: Project, call: Caller) -> None:
    answer = call.get("workload", weeks=2)
    Single[views.WorkloadShape].model_validate(answer.json())
    ada, nobody = answer.json()["data"]["people"]
    assert ada["assignee"]["name"] == "Ada Ångström"
    assert [(cell["week"], cell["minutes"], cell["capacity_minutes"]) for cell in ada["weeks"]] == [
        ("2026-11-23", 600.0, 2400),
        ("2026-11-30", 0.0, 2400),
    ]
    assert (nobody["assignee"], nobody["unestimated"]) == (None, {"tasks": 1, "minutes": None})


def test_flow_is_week_by_week(apollo: Project, call: Caller) -> None:
    answer = call.get("flow", weeks=8, project_id=str(apollo.id))
    Single[views.FlowShape].model_validate(answer.json())
    weeks = {week["week"]: (week["known"], week["finished"], week["cycle_days"]) for week in answer.json()["data"]["weeks"]}
    assert (weeks["2026-11-16"], weeks["2026-11-09"]) == ((True, 1, 4.0), (True, 1, 4.0))
    assert (weeks["2026-11-02"], weeks["2026-10-12"]) == ((True, 0, None), (False, None, None))


def test_aging_shows_what_has_been_in_its_status_longest(apollo: Project, call: Caller) -> None:
    answer = call.get("aging")
    Listed[views.StuckShape].model_validate(answer.json())
    first = answer.json()["data"][0]
    assert (first["title"], first["days_in_status"], first["project"]) == ("forgotten", 30, "Apollo")


def test_history_is_newest_first_with_names_beside_ids(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        ada, field = make.identity(session, account), make.field(session, account, "Budget", "number")
        to_do, doing = (make.status(session, account, name) for name in ("To do", "Doing"))
        task = make.task(session, make.project(session, account))
        moved(session, task, 3, "status_id", str(to_do.id), str(doing.id), actor_id=ada.id, precision="exact")
        change(session, task, "assignee_ids", [], [str(ada.id), str(uuid4())], recorded_at=ago(2), occurred_after=ago(4))
        moved(session, task, 9, f"custom_fields.{field.id}", 1, 2)
        change(session, make.task(session, account, "another"), "title", "a", "b")
    answer = call.get(f"tasks/{task.id}/history")
    Listed[views.ChangeShape].model_validate(answer.json())
    rows = answer.json()["data"]
    assert [row["field_name"] for row in rows] == ["assignee_ids", "status_id", "Budget"]
    assigned, status, budget = rows
    assert (assigned["new_names"], assigned["occurred_at"], assigned["actor"]) == (["Ada Ångström", None], None, None)
    assert (status["old_names"], status["new_names"], status["precision"]) == (["To do"], ["Doing"], "exact")
    assert (status["actor"], status["at"]) == ({"id": str(ada.id), "name": "Ada Ångström"}, "2026-11-20T12:00:00.000Z")
    assert (budget["old"], budget["new"], budget["new_names"]) == (1, 2, [])
    assert [row["id"] for row in call.walk(f"tasks/{task.id}/history", limit=1)] == [row["id"] for row in rows]
    assert call.get(f"tasks/{uuid4()}/history").status_code == 404


def test_changes_are_by_project_since_a_day(database: Database, apollo: Project, call: Caller) -> None:
    answer = call.get("changes", since=DAYS[-6].isoformat())
    Listed[views.ProjectChanges].model_validate(answer.json())
    (group,) = answer.json()["data"]
    assert group["project"] == {"id": str(apollo.id), "name": "Apollo"}
    assert [(item["title"], item["field"]) for item in group["items"]] == [
        ("Write it down", "status_id"),
        ("Write it down", "status_id"),
        ("launch", "due_on"),
    ]
    walked = [item["id"] for group in call.walk("changes", since=DAYS[-60].isoformat(), limit=2) for item in group["items"]]
    assert len(walked) == len(set(walked)) == 7
    assert [item["field"] for group in call.data("changes", since=DAYS[-60].isoformat(), field="due_on") for item in group["items"]] == ["due_on"] * 2
    assert call.data("changes", since=DAYS[0].isoformat()) == []


def test_the_summary_counts_each_task_once(apollo: Project, call: Caller) -> None:
    answer = call.get("changes/summary", since=DAYS[-60].isoformat())
    Listed[views.SummaryShape].model_validate(answer.json())
    (line,) = answer.json()["data"]
    assert {name: line[name] for name in ("finished", "reopened", "later", "earlier", "changed")} == {
        "finished": 2,
        "reopened": 0,
        "later": 1,
        "earlier": 0,
        "changed": 4,
    }


def test_what_blocks_another_tool_is_found(database: Database, call: Caller) -> None:
    with database.writing() as session:
        one, other = make.connection(session), make.connection(session, "clickup")
        before, settled = make.task(session, one, "before", url="https://tool.example.org/1"), make.task(session, one, "x", status_category="done")
        after = make.task(session, other, "after")
        make.waits(session, after, before.id, origin="hub")
        make.waits(session, after, settled.id, origin="hub")
        make.waits(session, make.task(session, one, "inside"), before.id)
    answer = call.get("dependencies", across_tools="true", blocking="true")
    Listed[DependencyShape].model_validate(answer.json())
    (row,) = answer.json()["data"]
    assert (row["predecessor"]["title"], row["predecessor"]["url"], row["successor"]["tool"]) == ("before", "https://tool.example.org/1", "clickup")
    assert len(call.data("dependencies", across_tools="true")) == 2
    assert [row["successor"]["title"] for row in call.data("dependencies", across_tools="false")] == ["inside"]
    assert len(call.data("dependencies", blocking="false")) == 1


def test_every_figure_has_its_formula(call: Caller) -> None:
    answer = call.get("figures")
    Listed[views.FigureShape].model_validate(answer.json())
    assert {row["name"] for row in answer.json()["data"]} >= {"progress", "overdue", "slipped", "health", "workload", "flow", "aging", "stale"}
    assert all(len(figure.formula) > 20 and figure.unit and "``" not in figure.formula for figure in FIGURES)


PATHS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "portfolio": lambda _: {},
    "projects": lambda _: {},
    "board": lambda project: {"project_id": str(project)},
    "workload": lambda _: {},
    "flow": lambda _: {},
    "aging": lambda _: {},
    "milestones": lambda _: {},
    "timeline": lambda _: {},
    "dependencies": lambda _: {},
    "people": lambda _: {},
    "changes": lambda _: {"since": DAYS[-40].isoformat()},
    "changes/summary": lambda _: {"since": DAYS[-40].isoformat()},
}


@pytest.mark.parametrize("path", PATHS)
def test_a_view_costs_the_same_statements_whatever_it_holds(database: Database, apollo: Project, call: Caller, path: str) -> None:
    params = PATHS[path](apollo.id)
    with counted() as before:
        tag = call.get(path, **params).headers["etag"]
    with database.writing() as session:
        again = session.get_one(Project, apollo.id)
        account = session.get_one(Connection, again.connection_id)
        for place in range(5):
            project = make.project(session, account, f"Another {place}")
            for kind in ("task", "milestone"):
                row = make.task(session, project, f"More {place}", kind=kind, due_on=DAYS[-9], updated_at=ago(60), estimate_minutes=60)
                moved(session, row, 3, "due_on", DAYS[-20].isoformat(), DAYS[-9].isoformat())
                make.waits(session, row, make.task(session, again, "one more", status_category="blocked").id)
    with counted() as after:
        answer = call.get(path, **params)
    # a rule that speaks for the first time asks for its rows: bounded by the number of rules, whatever the number of rows
    assert len(after) <= len(before) + 5, after
    assert path in ("workload", "flow", "people") or answer.headers["etag"] != tag
    same = call("GET", f"/api/v1/{path}", params=params, headers={"Authorization": f"Bearer {call.key}", "If-None-Match": answer.headers["etag"]})
    assert same.status_code == 304


def test_what_is_today_depends_on_where_the_reader_is(database: Database, call: Caller) -> None:
    with database.writing() as session:
        make.task(session, make.project(session, make.connection(session)), due_on=make.TODAY)
    assert call.data("portfolio")["totals"]["overdue"] == 0
    assert call.data("portfolio", tz="Pacific/Kiritimati")["totals"]["overdue"] == 1


@pytest.mark.parametrize("query", [{"since": "0001-01-01"}, {"since": "x"}])
def test_a_day_that_is_none_is_refused(call: Caller, query: dict[str, str]) -> None:
    assert {call.get(path, **query).status_code for path in ("portfolio", "milestones", "changes", "changes/summary")} == {400}
