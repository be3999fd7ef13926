"""/people over HTTP: humans with their users, whoever's id is asked for; joined, parted, undone by admins."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from hub.access.grants import Subject, Target, replace
from hub.access.keys import create, verify
from hub.api.answers import Listed, Single
from hub.api.people import MergeAnswer, MergesAnswer, PersonShape, SuggestionsAnswer
from hub.db import Database
from hub.models import Audit
from tests.api import builders as make
from tests.api.conftest import Caller


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def admin(as_role: Callable[[str], Caller]) -> Caller:
    return as_role("admin")


def ada(database: Database) -> list[str]:
    """Ada in three tools, with a task in each."""
    found = []
    with database.writing() as session:
        for tool in ("asana", "monday", "clickup"):
            account = make.connection(session, tool)
            user = make.identity(session, account, f"Ada in {tool}")
            make.assign(session, make.task(session, make.project(session, account)), user)
            found.append(str(user.id))
    return found


def merge(admin: Caller, ids: list[str]) -> dict[str, str]:
    answer = admin("POST", "/api/v1/people/merges", json={"ids": ids})
    assert answer.status_code == 201, answer.text
    MergeAnswer.model_validate(answer.json())
    return dict(answer.json()["data"])


def test_a_human_is_one_row_with_all_their_users(database: Database, admin: Caller, call: Caller) -> None:
    ids = ada(database)
    suggested = admin.get("people/suggestions")
    SuggestionsAnswer.model_validate(suggested.json())
    assert suggested.json()["data"][0]["shared"] == "ada@example.org"
    person = merge(admin, ids)["person_id"]
    answer = call.get("people")
    Listed[PersonShape].model_validate(answer.json())
    (row,) = answer.json()["data"]
    assert (row["id"], row["open_tasks"], row["linked"]) == (person, 3, True)
    assert {each["tool"] for each in row["identities"]} == {"asana", "monday", "clickup"}
    for each in (person, *ids):
        shown = call.get(f"people/{each}")
        Single[PersonShape].model_validate(shown.json())
        assert shown.json()["data"] == row
    assert len(call.data("tasks", assignee_id=person)) == 3
    assert len(call.data("tasks", assignee_id=ids[0])) == 1
    (line,) = [line for line in call.data("workload")["people"] if line["assignee"]]
    assert line["assignee"] == {"id": person, "name": "Ada in asana", "kind": "person"}
    assert admin.get("people/suggestions").json()["data"] == []


def test_a_former_id_leads_to_the_person_that_it_became(database: Database, admin: Caller, call: Caller) -> None:
    ids = ada(database)
    with database.writing() as session:
        ids.append(str(make.identity(session, make.connection(session, "monday", name="second"), "Ada again").id))
    first, second = merge(admin, ids[:2])["person_id"], merge(admin, ids[2:])["person_id"]
    kept = merge(admin, [first, second])["person_id"]
    gone = ({first, second} - {kept}).pop()
    assert call.data(f"people/{gone}")["id"] == kept
    assert len(call.data("tasks", assignee_id=gone)) == 3


def test_what_was_joined_is_parted_and_undone(database: Database, admin: Caller, call: Caller) -> None:
    ids = ada(database)
    done = merge(admin, ids)
    parted = admin("POST", f"/api/v1/people/{done['person_id']}/split", json={"ids": ids[:1]})
    assert parted.status_code == 200, parted.text
    assert len(call.data("people")) == 2
    assert admin("POST", f"/api/v1/people/merges/{done['id']}/undo").json()["code"] == "not_as_things_stand"
    assert admin("POST", f"/api/v1/people/merges/{parted.json()['data']['id']}/undo").status_code == 200
    assert admin("POST", f"/api/v1/people/merges/{done['id']}/undo").status_code == 200
    assert len(call.data("people")) == 3
    listed = admin.get("people/merges")
    MergesAnswer.model_validate(listed.json())
    assert sorted(each["kind"] for each in listed.json()["data"]) == ["merged", "split"]
    assert all(each["undone_at"] for each in listed.json()["data"])
    with database.reading() as session:
        actions = session.scalars(select(Audit.action).order_by(Audit.id)).all()
    assert actions == ["person.merged", "person.split", "person.split.undone", "person.merged.undone"]


def test_who_is_told_apart_is_not_suggested(database: Database, admin: Caller) -> None:
    ids = ada(database)
    assert admin("POST", "/api/v1/people/distinct", json={"ids": ids}).status_code == 204
    assert admin.get("people/suggestions").json()["data"] == []


def test_a_reader_sees_of_a_human_only_the_users_that_they_may(database: Database, admin: Caller) -> None:
    ids = ada(database)
    person = merge(admin, ids)["person_id"]
    with database.writing() as session:
        text = create(session, "bound", "viewer", make.NOW)
        key = verify(session, text, make.NOW)
        assert key is not None
        replace(session, Subject("key", key.id), [Target.parse("tool:monday")], make.NOW, None)
    bound = Caller(admin.app, text)
    (row,) = bound.data("people")
    assert (row["id"], [each["tool"] for each in row["identities"]], row["open_tasks"]) == (person, ["monday"], 1)
    assert bound.data(f"people/{ids[1]}") == row
    assert bound.get(f"people/{ids[0]}").status_code == 404, "whose a user is that they do not see is not told"


def test_a_rule_takes_hold_when_the_policy_names_a_domain(database: Database, admin: Caller, call: Caller) -> None:
    ada(database)
    assert admin("PUT", "/api/v1/policy", json={"policy": {"own_domains": ["Example.org"]}}).status_code == 200
    assert len(call.data("people")) == 1
    assert admin.get("people/merges").json()["data"][0]["actor"] is None
    assert admin("PUT", "/api/v1/policy", json={"policy": {"own_domains": ["no domain"]}}).status_code == 422


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": ["x"]}, {"ids": [str(UUID(int=1))], "more": 1}])
def test_a_body_that_makes_no_sense_is_refused(admin: Caller, body: dict[str, object]) -> None:
    assert admin("POST", "/api/v1/people/merges", json=body).status_code == 422


def test_what_is_not_there_is_not_found(admin: Caller) -> None:
    nobody = uuid4()
    assert admin.get(f"people/{nobody}").status_code == 404
    assert admin("POST", f"/api/v1/people/{nobody}/split", json={"ids": [str(nobody)]}).status_code == 404
    assert admin("POST", f"/api/v1/people/merges/{nobody}/undo").status_code == 404
    assert admin("POST", "/api/v1/people/merges", json={"ids": [str(nobody), str(uuid4())]}).status_code == 409
