"""The PMO's own tree: what belongs to it by hand and by rule, its figures, who sees it, and a policy of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI

from hub.api.answers import Single
from hub.api.portfolios import PortfolioDetail, Tree
from hub.db import Database
from tests.api import builders as make
from tests.api.conftest import Caller
from tests.api.test_grants import bound

PATH = "/api/v1/portfolios"


@pytest.fixture
def pmo(as_role: Callable[[str], Caller]) -> Caller:
    return as_role("pmo")


def add(pmo: Caller, name: str, **said: Any) -> Any:
    answer = pmo("POST", PATH, json={"kind": "initiative", "name": name, **said})
    assert answer.status_code == 201, answer.text
    Single[PortfolioDetail].model_validate(answer.json())
    return answer.json()["data"]


@pytest.fixture
def rows(database: Database) -> dict[str, Any]:
    """Two tools: Apollo and Ares in one, Boreas in the other, below a container in a container."""
    with database.writing() as session:
        first, second = make.connection(session), make.connection(session, "clickup")
        top = make.container(session, second, "Space")
        inner = make.container(session, second, "Folder", parent_id=top.id)
        apollo, ares = make.project(session, first), make.project(session, first, "Ares ÜBER")
        boreas = make.project(session, second, "Boreas", container_id=inner.id)
        hidden = make.project(session, second, "Apart", private=True)
        for project in (apollo, ares, boreas, hidden):
            make.task(session, project, f"of {project.name}", due_on=make.TODAY - timedelta(days=1), updated_at=make.NOW)
        homeless = make.task(session, first, "of nobody")
    return {"apollo": apollo, "ares": ares, "boreas": boreas, "hidden": hidden, "top": top, "homeless": homeless}


def names(caller: Caller, path: str, **params: Any) -> list[str]:
    return sorted(row.get("name") or row.get("title") for row in caller.data(path, **params))


def test_projects_of_any_tool_belong_by_hand_and_by_rule_and_the_tree_adds_them_up(rows: dict[str, Any], pmo: Caller) -> None:
    programme = add(pmo, "Fleet", kind="programme")
    by_hand = add(pmo, "Moon", parent_id=programme["id"], projects=[str(rows["apollo"].id)])
    by_name = add(pmo, "War", parent_id=programme["id"], rules=[{"kind": "name", "value": "ares über*"}])
    by_place = add(pmo, "Wind", parent_id=by_hand["id"], rules=[{"kind": "container", "value": str(rows["top"].id)}])
    by_tool = add(pmo, "All of one", rules=[{"kind": "tool", "value": "asana"}])
    answer = pmo.get("portfolios")
    Tree.model_validate(answer.json())
    shown = {row["name"]: (row["depth"], len(row["projects"])) for row in answer.json()["data"]}
    assert shown == {"All of one": (0, 2), "Fleet": (0, 3), "Moon": (1, 2), "War": (1, 1), "Wind": (2, 1)}
    assert names(pmo, "projects", portfolio_id=programme["id"]) == ["Apollo", "Ares ÜBER", "Boreas"]
    assert names(pmo, "projects", portfolio_id=by_name["id"]) == ["Ares ÜBER"]
    assert names(pmo, "tasks", portfolio_id=by_hand["id"]) == ["of Apollo", "of Boreas"]
    assert names(pmo, "tasks", portfolio_id=by_tool["id"]) == ["of Apollo", "of Ares ÜBER"]
    figures = pmo.data("portfolio", portfolio_id=by_hand["id"])
    assert (figures["totals"]["projects"], figures["totals"]["overdue"], len(figures["tools"])) == (2, 2, 2)
    assert names(pmo, "projects", portfolio_id=[by_place["id"], by_name["id"]]) == ["Ares ÜBER", "Boreas"]
    assert pmo.data("tasks", portfolio_id=str(uuid4())) == []


def test_what_is_said_of_one_is_replaced_whole_and_not_over_another_change(rows: dict[str, Any], pmo: Caller) -> None:
    made = add(pmo, "Moon", code="M-1", phase="plan", projects=[str(rows["apollo"].id)], start_on="2026-01-01", due_on="2026-12-31")
    body = {"kind": "initiative", "name": "Moon again", "projects": []}
    assert pmo("PUT", f"{PATH}/{made['id']}", json=body, params={"version": made["version"]}).json()["data"]["projects"] == []
    stale = pmo("PUT", f"{PATH}/{made['id']}", json=body, params={"version": made["version"]})
    assert (stale.status_code, stale.json()["code"]) == (409, "changed_meanwhile")
    assert pmo.data(f"{PATH}/{made['id']}")["code"] is None


def test_what_cannot_be_is_refused_with_its_place(rows: dict[str, Any], pmo: Caller) -> None:
    top = add(pmo, "Top", code="T")
    below = add(pmo, "Below", parent_id=top["id"])

    def refused(**said: Any) -> str:
        answer = pmo("PUT", f"{PATH}/{top['id']}", json={"kind": "portfolio", "name": "Top", **said})
        assert answer.status_code == 422, answer.text
        return str(answer.json()["errors"][0]["pointer"])

    assert refused(parent_id=below["id"]) == refused(parent_id=top["id"]) == "/parent_id"
    assert refused(projects=[str(uuid4())]) == "/projects"
    assert refused(lead_id=str(uuid4())) == "/lead_id"
    assert refused(rules=[{"kind": "container", "value": str(uuid4())}]) == "/rules"
    assert "/name" in refused(name="  ")
    assert pmo("POST", PATH, json={"kind": "portfolio", "name": "Twin", "code": "T"}).status_code == 422
    assert pmo("DELETE", f"{PATH}/{top['id']}").status_code == 409
    assert pmo("DELETE", f"{PATH}/{below['id']}").status_code == pmo("DELETE", f"{PATH}/{top['id']}").status_code == 204
    assert pmo.data("portfolios") == []
    assert pmo("DELETE", f"{PATH}/{top['id']}").status_code == 404


def test_who_was_granted_a_portfolio_sees_what_belongs_to_it_and_nothing_private(
    app: FastAPI, database: Database, rows: dict[str, Any], pmo: Caller
) -> None:
    top = add(pmo, "Fleet", kind="portfolio")
    moon = add(pmo, "Moon", parent_id=top["id"], projects=[str(rows["apollo"].id), str(rows["hidden"].id)])
    add(pmo, "War", rules=[{"kind": "name", "value": "Ares*"}])
    theirs = bound(app, database, f"portfolio:{top['id']}")
    assert names(theirs, "projects") == ["Apollo"]
    assert names(theirs, "tasks") == ["of Apollo"]
    assert [(row["name"], row["projects"]) for row in theirs.data("portfolios")] == [(n, [str(rows["apollo"].id)]) for n in ("Fleet", "Moon")]
    assert theirs.data(f"{PATH}/{moon['id']}")["by_hand"] == [str(rows["apollo"].id)]
    assert theirs.data("portfolio")["totals"]["tasks"] == 1
    with database.writing() as session:
        make.member(session, make.task(session, rows["ares"], "guest"), rows["apollo"].id, 1)
    assert names(theirs, "tasks") == ["guest", "of Apollo"]
    assert pmo("PUT", f"{PATH}/{moon['id']}", json={"kind": "initiative", "name": "Moon", "parent_id": top["id"]}).status_code == 200
    assert theirs.data("tasks") == theirs.data("portfolios") == []


def test_a_hidden_node_and_an_absent_one_look_the_same(app: FastAPI, database: Database, rows: dict[str, Any], pmo: Caller) -> None:
    hidden = add(pmo, "War", projects=[str(rows["ares"].id)])
    theirs = bound(app, database, f"project:{rows['apollo'].id}")
    for path in ("{}", "{}/policy"):
        answers = [theirs.get(f"{PATH}/" + path.format(each)) for each in (hidden["id"], uuid4())]
        assert [answer.status_code for answer in answers] == [404, 404]
    assert theirs.data("tasks", portfolio_id=hidden["id"]) == []
    assert theirs("POST", PATH, json={"kind": "portfolio", "name": "Mine"}).status_code == 403


def test_a_policy_of_its_own_holds_there_and_below_and_nowhere_else(database: Database, rows: dict[str, Any], pmo: Caller) -> None:
    top = add(pmo, "Fleet")
    below = add(pmo, "Moon", parent_id=top["id"], projects=[str(rows["apollo"].id)])
    with database.writing() as session:
        make.task(session, rows["apollo"], due_on=make.TODAY + timedelta(days=9), updated_at=make.NOW)

    def due_soon(**where: Any) -> int:
        return int(pmo.data("portfolio", **where)["totals"]["due_soon"])

    assert due_soon() == due_soon(portfolio_id=below["id"]) == 0
    assert pmo("PUT", f"{PATH}/{top['id']}/policy", json={"policy": {"due_soon_days": 10}}).status_code == 200
    assert (due_soon(), due_soon(portfolio_id=below["id"])) == (0, 1)
    assert pmo.data(f"{PATH}/{below['id']}/policy")["policy"]["due_soon_days"] == 10
    day = {"day": "2026-12-24", "name": "Eve"}
    assert pmo("PUT", f"{PATH}/{below['id']}/policy", json={"calendar": {"holidays": [day]}}).status_code == 200
    assert pmo.data(f"{PATH}/{below['id']}/policy")["calendar"]["holidays"] == [day]
    assert pmo.data("policy")["calendar"]["holidays"] == []
    assert due_soon(portfolio_id=below["id"]) == 0  # its own stands for the whole
