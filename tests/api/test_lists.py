"""What holds for every list: pages, cursors, parameters, tags, and how far the answer can be trusted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from hub import models
from hub.db import Database
from tests.api import builders as make
from tests.api.conftest import Caller

LISTS = (
    "tasks",
    "milestones",
    "projects",
    "people",
    "containers",
    "dependencies",
    "timeline",
    "connections",
    "sync-runs",
    "coverage",
    "status-mappings",
)


def seeded(database: Database, number: int = 7) -> Any:
    with database.writing() as session:
        account = make.connection(session)
        for place in range(number):
            home = make.project(session, account, f"P{place % 2}")
            box = make.container(session, account, f"C{place}")
            person = make.identity(session, account, f"N{place % 2}" if place else None, active=place % 3 > 0)
            task = make.task(session, home, f"T{place}", kind="milestone", due_on=make.TODAY + timedelta(days=place // 2))
            make.assign(session, task, person)
            make.waits(session, task, make.task(session, home, "before").id)
            make.coverage(session, home)
            make.coverage(session, box)
            make.run(session, account, queued_at=make.NOW + timedelta(minutes=place // 2))
            make.status(session, account, f"S{place}")
    return account


def key(row: dict[str, Any]) -> str:
    for name in ("id", "status_id", "container_id"):
        if name in row:
            return str(row[name])
    if "successor" in row:
        return f"{row['successor']['id']} {row['predecessor']['id']}"
    return " ".join(item["id"] for item in row["items"])


@pytest.mark.parametrize("path", LISTS)
def test_a_walk_shows_every_row_once_in_the_order_of_one_large_page(database: Database, call: Caller, path: str) -> None:
    seeded(database)
    whole = call.data(path)
    if path == "timeline":
        pages = [item["id"] for row in call.walk(path, limit=3) for item in row["items"]]
        assert pages == [item["id"] for row in whole for item in row["items"]]
        assert len(pages) == 7
        return
    walked = [key(row) for row in (call.data(path) if path == "connections" else call.walk(path, limit=3))]
    assert walked == [key(row) for row in whole]
    assert len(set(walked)) == len(walked) >= (1 if path == "connections" else 7)


def test_a_row_that_does_not_change_appears_once_while_others_do(database: Database, call: Caller) -> None:
    account = seeded(database)
    first = call.get("tasks", limit=5).json()
    with database.writing() as session:
        for row in first["data"][:3]:
            session.get_one(models.Task, UUID(row["id"])).deleted_at = make.NOW
        make.task(session, account, "new")
    rest = call.walk("tasks", limit=5, cursor=first["next_cursor"])
    ids = [row["id"] for row in first["data"] + rest]
    assert len(ids) == len(set(ids))
    assert len([row for row in first["data"] + rest if row["title"] != "new"]) == 14


def test_a_cursor_with_other_filters_is_refused(database: Database, call: Caller) -> None:
    seeded(database)
    cursor = call.get("tasks", limit=1, tool="asana").json()["next_cursor"]
    assert call.get("tasks", limit=5, tool="asana", cursor=cursor).status_code == 200
    others: tuple[tuple[str, dict[str, Any]], ...] = (
        ("tasks", {}),
        ("tasks", {"tool": "asana", "q": "T"}),
        ("milestones", {"tool": "asana"}),
        ("projects", {"tool": "asana"}),
    )
    for path, params in others:
        answer = call.get(path, cursor=cursor, **params)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor"), (path, params)


def test_a_garbage_cursor_is_refused(database: Database, call: Caller) -> None:
    seeded(database, 1)
    for cursor in ("", "x", "é", "AAAA", "bnVsbA==", "W10=", "W1siYSJdLCJiIl0=", "e30=", "MQ==", "a" * 1999):
        for path in ("tasks", "sync-runs", "people"):
            answer = call.get(path, cursor=cursor)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor"), (path, cursor)


def test_an_unknown_parameter_is_refused_with_those_that_exist(call: Caller) -> None:
    for path in (*LISTS, "portfolio"):
        answer = call.get(path, statuscategory="done")
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter"), path
        assert answer.json()["errors"] == [{"pointer": "query/statuscategory", "detail": "there is no such parameter"}]
        assert "connection_id" in answer.json()["detail"]


SENSELESS = (
    *("tool=jira", "tool=", "status_category=finished", "kind=bug", "priority=p1", "project_id=7", "due_before=tomorrow", "due_before=2026-02-30"),
    *("overdue=maybe", "archived=yes", "limit=0", "limit=1001", "limit=x", "changed_since=-1", "changed_since=9223372036854775808", "tz=Mars/Base"),
    *("tz=..%2F..%2Fetc", "tz=Europe", "q=%00", "tag=a%00", "updated_after=2026-01-01T00:00:00", "updated_after=0001-01-01T00:00:00%2B14:00"),
    *("updated_after=9999-12-31T23:59:59-12:00", "q=a&q=b", "limit=1&limit=2", "due_before="),
)


def test_a_value_that_makes_no_sense_is_refused(call: Caller) -> None:
    for query in SENSELESS:
        answer = call("GET", f"/api/v1/tasks?{query}")
        assert answer.status_code == 400, query
        assert answer.json()["errors"][0]["pointer"].split("/")[:2] == ["query", query.split("=")[0]]


@pytest.mark.parametrize("path", ["tasks", "projects", "portfolio", "milestones", "timeline"])
def test_an_answer_that_is_known_already_is_not_sent_again(database: Database, call: Caller, path: str) -> None:
    account = seeded(database, 1)
    tag = call.get(path).headers["etag"]
    headers = {"Authorization": f"Bearer {call.key}", "If-None-Match": f'"other", W/{tag}'}
    again = call("GET", f"/api/v1/{path}", headers=headers)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    with database.writing() as session:
        make.task(session, make.project(session, account), "new", kind="milestone", due_on=make.TODAY)
    assert call("GET", f"/api/v1/{path}", headers=headers).status_code == 200


def test_meta_says_the_age_of_the_oldest_connection_concerned(database: Database, call: Caller) -> None:
    with database.writing() as session:
        make.connection(session, "asana", last_synced_at=make.NOW - timedelta(hours=2), history_from=make.NOW - timedelta(days=2))
        make.connection(session, "clickup", last_synced_at=make.NOW, history_from=make.NOW)
        make.connection(session, "monday", last_synced_at=None, history_from=None)
    assert call.get("tasks").json()["meta"]["data_as_of"] is None
    assert call.get("tasks").json()["meta"]["history_from"] is None
    both = call.get("tasks", tool=["asana", "clickup"]).json()["meta"]
    assert both["data_as_of"] == "2026-11-23T10:00:00.000Z"
    assert both["history_from"] == "2026-11-23T12:00:00.000Z"
    assert call.get("tasks", tool="monday").json()["meta"]["coverage"]["complete"] is False


def test_meta_counts_what_is_not_proved_and_what_is_refused(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        good, gap, barred = (make.project(session, account, name) for name in ("good", "gap", "barred"))
        deleted = make.project(session, account, "deleted", deleted_at=make.NOW)
        make.coverage(session, good)
        make.coverage(session, gap, proof="none", proved_at=None)
        make.coverage(session, barred, proof="none", refused="403")
        make.coverage(session, deleted, proof="none")
    assert call.get("tasks").json()["meta"]["coverage"] == {"complete": False, "containers": 3, "unproved": 1, "refused": 1}
    assert call.get("tasks", project_id=str(good.id)).json()["meta"]["coverage"] == {"complete": True, "containers": 1, "unproved": 0, "refused": 0}
    assert call.get(f"projects/{barred.id}").json()["meta"]["coverage"]["refused"] == 1


def test_an_empty_hub_claims_nothing(call: Caller) -> None:
    meta = call.get("tasks").json()["meta"]
    assert meta["data_as_of"] is None
    assert meta["coverage"] == {"complete": False, "containers": 0, "unproved": 0, "refused": 0}
    assert meta["timezone"] == "UTC"
    assert call.get("tasks", tz="Europe/Berlin").json()["meta"]["timezone"] == "Europe/Berlin"
