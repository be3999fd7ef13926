"""Figures: the portfolio, projects, people and containers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hub.api.answers import Listed, Single
from hub.api.people import PersonShape
from hub.api.portfolio import ContainerShape, PortfolioShape, ProjectShape
from hub.db import Database
from hub.sync.coverage import proved
from tests.api import builders as make
from tests.api.conftest import Caller

YESTERDAY, TOMORROW = make.TODAY - timedelta(days=1), make.TODAY + timedelta(days=1)


def categories(**given: int) -> dict[str, int]:
    return dict.fromkeys(("backlog", "unstarted", "started", "blocked", "done", "cancelled", "unknown"), 0) | given


def test_the_portfolio_counts_each_task_once_and_its_parts_agree(database: Database, call: Caller) -> None:
    with database.writing() as session:
        asana, clickup = make.connection(session), make.connection(session, "clickup")
        apollo, gemini, board = make.project(session, asana), make.project(session, asana, "Gemini"), make.project(session, clickup, "Board")
        make.project(session, asana, "Shelved", archived_effective=True)
        shared = make.task(session, apollo, due_on=YESTERDAY)
        make.member(session, shared, gemini.id, rank=1)
        make.task(session, apollo, status_category="done", due_on=YESTERDAY)
        make.task(session, apollo, "past", kind="milestone", due_on=YESTERDAY)
        make.task(session, apollo, "reached", kind="milestone", due_on=make.TODAY, status_category="done")
        ahead = make.task(session, apollo, "ahead", kind="milestone", due_on=TOMORROW)
        make.task(session, board, "later", kind="milestone", due_on=TOMORROW + timedelta(days=5))
        make.task(session, asana, "loose", status_category="unknown")
        for gone in ({"archived_effective": True}, {"deleted_at": make.NOW}, {"access_lost_at": make.NOW}):
            make.task(session, apollo, **gone)
    answer = call.get("portfolio")
    Single[PortfolioShape].model_validate(answer.json())
    shape = answer.json()["data"]
    next_one = {"id": str(ahead.id), "title": "ahead", "due_on": "2026-11-24", "project_id": str(apollo.id)}
    assert {name: shape["totals"][name] for name in ("projects", "tasks", "overdue", "next_milestone")} == {
        "projects": 3,
        "tasks": 7,
        "overdue": 2,
        "next_milestone": next_one,
    }
    assert shape["totals"]["by_category"] == categories(started=4, done=2, unknown=1)
    assert [(line["tool"], line["projects"], line["tasks"], line["overdue"]) for line in shape["tools"]] == [("asana", 2, 6, 2), ("clickup", 1, 1, 0)]
    lines = {line["name"]: (line["tasks"], line["overdue"], (line["next_milestone"] or {}).get("title")) for line in shape["projects"]}
    assert lines == {"Apollo": (5, 2, "ahead"), "Gemini": (0, 0, None), "Board": (1, 0, "later"), None: (1, 0, None)}
    assert call.data("portfolio", tool="clickup")["totals"]["tasks"] == 1


def test_a_project_has_its_figures_its_owner_and_its_proof(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        box = make.container(session, account)
        owner = make.identity(session, account)
        apollo = make.project(session, account, container_id=box.id, owner_id=owner.id, health="on_track", created_at=make.NOW)
        make.coverage(session, apollo, held=2, read=2, vendor_count=2, proof="vendor_count")
        make.task(session, apollo, due_on=YESTERDAY)
        make.task(session, apollo, kind="milestone", due_on=TOMORROW, status_category="blocked")
        assert proved(session, account.id) == {apollo.id}
    answer = call.get(f"projects/{apollo.id}")
    Single[ProjectShape].model_validate(answer.json())
    shape = answer.json()["data"]
    assert (shape["tasks"], shape["overdue"], shape["by_category"]) == (2, 1, categories(started=1, blocked=1))
    assert shape["owner"] == {"id": str(owner.id), "name": "Ada Ångström"}
    assert shape["next_milestone"]["due_on"] == "2026-11-24"
    held = {"held": 2, "vendor_count": 2, "proof": "vendor_count", "refused": None, "proved_at": "2026-11-23T12:00:00.000Z"}
    assert shape["coverage"] == held
    assert call.data("projects") == [shape]


def test_projects_are_filtered(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        box = make.container(session, account)
        make.project(session, account, "Ärmel", container_id=box.id, external_id="E1")
        make.project(session, account, "old", archived_effective=True)
        make.project(session, account, "gone", deleted_at=make.NOW)
        make.project(session, make.connection(session, "clickup"), "other")

    def names(**params: Any) -> set[str]:
        return {row["name"] for row in call.data("projects", **params)}

    assert names() == {"Ärmel", "other"}
    assert names(tool="clickup") == {"other"}
    assert names(q="äRM") == names(container_id=str(box.id)) == names(external_id="E1") == {"Ärmel"}
    assert names(archived="true") == {"old"}
    assert names(archived="any", include_deleted="true") == {"Ärmel", "old", "gone", "other"}


def test_people_come_active_first_with_what_is_open(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        apollo = make.project(session, account)
        make.identity(session, account, "Aaron Left", active=False)
        ada = make.identity(session, account)
        make.identity(session, account, None, email=None)
        for given in ({"due_on": YESTERDAY}, {}, {"status_category": "done"}, {"archived_effective": True}, {"deleted_at": make.NOW}):
            make.assign(session, make.task(session, apollo, **given), ada)
    answer = call.get("people")
    Listed[PersonShape].model_validate(answer.json())
    rows = [(row["name"], row["active"], row["open_tasks"], row["overdue_tasks"]) for row in answer.json()["data"]]
    assert rows == [(None, True, 0, 0), ("Ada Ångström", True, 2, 1), ("Aaron Left", False, 0, 0)]
    assert [row["name"] for row in call.data("people", active="false")] == ["Aaron Left"]
    assert {row["name"] for row in call.data("people", q="ÅNG")} == {"Ada Ångström"}


def test_containers_make_the_tree_and_count_their_projects(database: Database, call: Caller) -> None:
    with database.writing() as session:
        account = make.connection(session)
        top = make.container(session, account, "Top", kind="workspace")
        inner = make.container(session, account, "Inner", parent_id=top.id)
        make.container(session, account, "gone", deleted_at=make.NOW)
        make.project(session, account, container_id=inner.id)
        make.project(session, account, container_id=inner.id, deleted_at=make.NOW)
    answer = call.get("containers")
    Listed[ContainerShape].model_validate(answer.json())
    rows = {row["name"]: (row["kind"], row["parent_id"], row["projects"]) for row in answer.json()["data"]}
    assert rows == {"Top": ("workspace", None, 0), "Inner": ("space", str(top.id), 1)}
    assert [row["name"] for row in call.data("containers", parent_id=str(top.id))] == ["Inner"]
    assert [row["name"] for row in call.data("containers", kind="workspace")] == ["Top"]
