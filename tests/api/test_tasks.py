"""Tasks: their shape, and every filter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from hub import events, models
from hub.api.answers import Listed, Single
from hub.api.tasks import TaskShape
from hub.db import Database
from tests.api import builders as make
from tests.api.conftest import Caller, counted

ORDER = [
    "id",
    "tool",
    "connection_id",
    "external_id",
    "url",
    "kind",
    "title",
    "project_id",
    "project_ids",
    "section",
    "parent_id",
    "status",
    "status_category",
    "assignees",
    "priority",
    "start_on",
    "start_at",
    "due_on",
    "due_at",
    "completed_at",
    "created_at",
    "updated_at",
    "estimate_minutes",
    "logged_minutes",
    "progress",
    "tags",
    "custom_fields",
    "depends_on",
    "archived",
    "deleted_at",
]


def titles(rows: list[dict[str, Any]]) -> set[str]:
    return {row["title"] for row in rows}


def full_task(session: Session) -> Any:
    """A task with everything that a task can have; another that it waits for."""
    account = make.connection(session, "clickup")
    home, other = make.project(session, account), make.project(session, account, "Gemini")
    doing = make.section(session, home)
    one, crew = make.identity(session, account), make.team(session, account)
    text, people = make.field(session, account, "Zone"), make.field(session, account, "Áudit", "person")
    first = make.task(session, home, "First")
    task = make.task(
        session,
        home,
        "Prüfung 🚀",
        section_id=doing.id,
        status="In Arbeit",
        start_on=make.day("2026-11-01"),
        due_on=make.day("2026-11-20"),
        due_at=datetime(2026, 11, 20, 15, 30, tzinfo=UTC),
        updated_at=datetime(2026, 11, 2, 1, 2, 3, 456789, tzinfo=UTC),
        tags=["größer", "b"],
        custom_fields={str(text.id): "EU", str(people.id): [str(one.id)]},
        url="https://example.org/t/1",
        progress=40,
        estimate_minutes=90,
    )
    make.member(session, task, other.id, rank=1)
    make.assign(session, task, crew, rank=0)
    make.assign(session, task, one, rank=1)
    make.waits(session, task, first.id, lag_minutes=60, type="SS", assumed=False)
    return task, account, home, other, doing, one, crew, text, people, first


def test_a_task_has_the_published_shape_in_the_published_order(database: Database, call: Caller) -> None:
    with database.writing() as session:
        task, account, home, other, doing, one, crew, text, people, first = full_task(session)
    answer = call.get(f"tasks/{task.id}")
    shape = answer.json()["data"]
    assert list(shape) == ORDER
    Single[TaskShape].model_validate(answer.json())
    assert shape["tool"] == "clickup"
    assert shape["connection_id"] == str(account.id)
    assert shape["project_id"] == str(home.id)
    assert shape["project_ids"] == [str(home.id), str(other.id)]
    assert shape["section"] == {"id": str(doing.id), "name": "Doing"}
    assert shape["assignees"] == [
        {"id": str(crew.id), "name": "Ground crew", "email": None, "kind": "team"},
        {"id": str(one.id), "name": "Ada Ångström", "email": "ada@example.org", "kind": "identity"},
    ]
    assert shape["custom_fields"] == [
        {"id": str(text.id), "name": "Zone", "type": "text", "value": "EU"},
        {"id": str(people.id), "name": "Áudit", "type": "person", "value": [str(one.id)]},
    ]
    assert shape["depends_on"] == [{"task_id": str(first.id), "type": "SS", "lag_minutes": 60, "assumed": False}]
    assert (shape["start_on"], shape["start_at"]) == ("2026-11-01", None)
    assert (shape["due_on"], shape["due_at"]) == ("2026-11-20", "2026-11-20T15:30:00.000Z")
    assert shape["updated_at"] == "2026-11-02T01:02:03.456Z"
    assert (shape["tags"], shape["title"]) == (["größer", "b"], "Prüfung 🚀")


def test_references_to_what_was_not_read_yet_do_not_break_a_task(database: Database, as_role: Callable[[str], Caller]) -> None:
    call = as_role("admin")  # nobody else sees what lies in a project that was not read yet: it may be private
    with database.writing() as session:
        account = make.connection(session)
        task = make.task(session, account, "Loose", custom_fields={str(uuid4()): 1.5}, section_id=uuid4(), project_id=uuid4(), home_inherited=True)
        session.add(models.Assignment(task_id=task.id, assignee_id=uuid4(), kind="identity", rank=0))
    answer = call.get(f"tasks/{task.id}")
    Single[TaskShape].model_validate(answer.json())
    shape = answer.json()["data"]
    assert (shape["section"], shape["assignees"][0]["name"], shape["custom_fields"][0]["name"]) == (None, None, None)
    assert shape["project_ids"] == []


Case = tuple[Callable[[dict[str, Any]], dict[str, Any]], set[str]]
CASES: dict[str, Case] = {
    "everything": (lambda ids: {}, {"late", "blocked", "milestone", "shared", "child"}),
    "tool": (lambda ids: {"tool": "clickup"}, {"milestone"}),
    "tools are ORed": (lambda ids: {"tool": ["asana", "clickup"]}, {"late", "blocked", "milestone", "shared", "child"}),
    "connection": (lambda ids: {"connection_id": ids["clickup"]}, {"milestone"}),
    "unknown connection": (lambda ids: {"connection_id": str(uuid4())}, set()),
    "home project and its inheriting subtask": (lambda ids: {"project_id": ids["apollo"]}, {"late", "blocked", "shared", "child"}),
    "another project of the task": (lambda ids: {"project_id": ids["gemini"]}, {"shared"}),
    "projects are ORed": (lambda ids: {"project_id": [ids["gemini"], ids["board"]]}, {"shared", "milestone"}),
    "external id": (lambda ids: {"external_id": "X1"}, {"late"}),
    "assignee": (lambda ids: {"assignee_id": ids["ada"]}, {"late"}),
    "team": (lambda ids: {"assignee_id": ids["crew"]}, {"blocked"}),
    "category": (lambda ids: {"status_category": ["blocked", "done"]}, {"blocked", "shared"}),
    "kind": (lambda ids: {"kind": "milestone"}, {"milestone"}),
    "priority": (lambda ids: {"priority": ["urgent", "low"]}, {"late"}),
    "tag": (lambda ids: {"tag": "größer"}, {"late"}),
    "tags are ORed": (lambda ids: {"tag": ["größer", "red"]}, {"late", "blocked"}),
    "part of a tag is no tag": (lambda ids: {"tag": "größ"}, set()),
    "due before excludes the day": (lambda ids: {"due_before": "2026-11-23"}, {"late", "shared"}),
    "due after includes the day": (lambda ids: {"due_after": "2026-11-23"}, {"blocked", "milestone"}),
    "due between": (lambda ids: {"due_after": "2026-11-20", "due_before": "2026-11-24"}, {"late", "blocked", "shared"}),
    "updated after": (lambda ids: {"updated_after": "2026-11-10T00:00:00Z"}, {"blocked"}),
    "overdue": (lambda ids: {"overdue": "true"}, {"late"}),
    "overdue where it is tomorrow already": (lambda ids: {"overdue": "true", "tz": "Pacific/Kiritimati"}, {"late", "blocked"}),
    "not overdue": (lambda ids: {"overdue": "false"}, {"blocked", "milestone", "shared", "child"}),
    "archived": (lambda ids: {"archived": "true"}, {"old"}),
    "archived or not": (lambda ids: {"archived": "any"}, {"late", "blocked", "milestone", "shared", "child", "old"}),
    "deleted too": (lambda ids: {"include_deleted": "true"}, {"late", "blocked", "milestone", "shared", "child", "gone", "refused"}),
    "part of the title": (lambda ids: {"q": "ilest"}, {"milestone"}),
    "no title": (lambda ids: {"q": "nowhere"}, set()),
    "a portfolio": (lambda ids: {"portfolio_id": ids["fleet"]}, {"milestone"}),
    "filters narrow each other": (lambda ids: {"tool": "asana", "status_category": "done"}, {"shared"}),
}


def seeded(session: Session) -> dict[str, str]:
    asana, clickup = make.connection(session), make.connection(session, "clickup")
    apollo, gemini, board = make.project(session, asana), make.project(session, asana, "Gemini"), make.project(session, clickup, "Board")
    ada, crew = make.identity(session, asana), make.team(session, asana)
    yesterday, today = make.TODAY - timedelta(days=1), make.TODAY
    late = make.task(session, apollo, "late", external_id="X1", priority="urgent", due_on=yesterday, tags=["größer", 'a "b"'])
    make.assign(session, late, ada)
    updated = datetime(2026, 11, 11, tzinfo=UTC)
    blocked = make.task(session, apollo, "blocked", status_category="blocked", due_on=today, tags=["red"], updated_at=updated)
    make.assign(session, blocked, crew)
    shared = make.task(session, apollo, "shared", status_category="done", due_on=yesterday)
    make.member(session, shared, gemini.id, rank=1)
    make.task(session, asana, "child", parent_id=late.id, project_id=apollo.id, home_inherited=True)
    make.task(session, board, "milestone", kind="milestone", due_on=make.day("2026-12-24"))
    make.task(session, apollo, "old", archived_effective=True)
    make.task(session, apollo, "gone", deleted_at=make.NOW)
    make.task(session, apollo, "refused", access_lost_at=make.NOW)
    fleet = models.Portfolio(id=uuid4(), kind="initiative", name="Fleet", version=1, created_at=make.NOW, changed_at=make.NOW)
    session.add_all([fleet, models.PortfolioProject(portfolio_id=fleet.id, project_id=board.id)])
    named: dict[str, Any] = {"fleet": fleet, "clickup": clickup, "apollo": apollo, "gemini": gemini, "board": board, "ada": ada, "crew": crew}
    return {name: str(row.id) for name, row in named.items()}


def test_every_filter_finds_what_it_says(database: Database, call: Caller) -> None:
    with database.writing() as session:
        ids = seeded(session)
    found = {name: titles(call.data("tasks", **params(ids))) for name, (params, _) in CASES.items()}
    assert found == {name: expected for name, (_, expected) in CASES.items()}


def test_every_documented_filter_has_a_case() -> None:
    tried = {
        name for params, _ in CASES.values() for name in params(dict.fromkeys(("clickup", "apollo", "gemini", "board", "ada", "crew", "fleet"), ""))
    }
    assert set(make_task_filter_names()) - tried == {"changed_since"}  # it has tests of its own


def make_task_filter_names() -> list[str]:
    from hub.portfolio.tasks import TaskFilter

    return list(TaskFilter.model_fields)


SEARCHES = {
    "überprüfung": "ÜBERPRÜFUNG",
    "äRGER": "Ärger",
    "ОТЧ": "отчёт",
    "% A_": "100% a_b",
    "'S \\": "it's \\ odd",
    "本": "日本語",
}


def test_titles_are_found_whatever_their_case_and_script(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        for title in (*SEARCHES.values(), "plain 100 ab"):
            make.task(session, account, title)
    assert {q: titles(call.data("tasks", q=q)) for q in SEARCHES} == {q: {title} for q, title in SEARCHES.items()}


def test_tasks_of_a_removed_connection_are_not_shown(database: Database, call: Caller) -> None:
    with database.writing() as session:
        task = make.task(session, make.connection(session, state="detached"))
        make.task(session, make.connection(session), "kept")
    assert titles(call.data("tasks")) == {"kept"}
    assert call.get(f"tasks/{task.id}").status_code == 404


def test_a_deleted_task_is_shown_by_id_and_a_refused_one_is_not(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        gone, refused = make.task(session, account, deleted_at=make.NOW), make.task(session, account, access_lost_at=make.NOW)
    assert call.data(f"tasks/{gone.id}")["deleted_at"] == "2026-11-23T12:00:00.000Z"
    assert call.get(f"tasks/{refused.id}").status_code == 404


def test_a_follower_by_position_sees_every_write_once_and_deletions(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        written = [make.task(session, account, f"t{number}", position=events.advance(session, "position")) for number in range(5)]
        make.task(session, account, "gone", position=events.advance(session, "position"), deleted_at=make.NOW)
        make.task(session, account, "old", position=events.advance(session, "position"), archived_effective=True)
    rows = call.walk("tasks", changed_since=0, limit=2)
    assert [row["title"] for row in rows] == ["t0", "t1", "t2", "t3", "t4", "gone", "old"]
    place = call.get("tasks", changed_since=0).json()["meta"]["position"]
    assert place == 7
    assert call.data("tasks", changed_since=place) == []
    with database.writing() as session:
        session.get_one(models.Task, written[1].id).position = events.advance(session, "position")
    assert titles(call.data("tasks", changed_since=place)) == {"t1"}


def test_a_follower_that_stops_half_way_loses_nothing(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        place = events.advance(session, "position")
        for number in range(3):
            make.task(session, account, f"t{number}", position=place)
        make.task(session, account, "later", position=events.advance(session, "position"))
    half = call.get("tasks", changed_since=0, limit=2).json()
    assert half["next_cursor"]
    again = call.walk("tasks", changed_since=half["meta"]["position"], limit=2)
    assert titles(again) >= {"t0", "t1", "t2", "later"}


def test_milestones_come_by_due_date_with_undated_ones_last(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        for title, due in (("undated", None), ("second", make.day("2026-12-02")), ("first", make.day("2026-12-01"))):
            make.task(session, account, title, kind="milestone", due_on=due)
        make.task(session, account, "no milestone")
    assert [row["title"] for row in call.walk("milestones", limit=1)] == ["first", "second", "undated"]
    Listed[TaskShape].model_validate(call.get("milestones").json())


def test_a_page_costs_the_same_statements_whatever_its_size(database: Database, call: Caller) -> None:
    with database.writing() as session:
        for _ in range(6):
            full_task(session)
    spent = {}
    for limit in (1, 12):
        call.get("tasks", limit=limit)  # the key's use is noted before the counting
        with counted() as statements:
            assert len(call.data("tasks", limit=limit)) == limit
        spent[limit] = len([each for each in statements if each.startswith("SELECT")])
    assert 5 < spent[1] == spent[12] <= 14  # three of them: what the key was granted
