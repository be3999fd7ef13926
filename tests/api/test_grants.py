"""/keys/{id}/grants, /users/{id}/grants, /teams/{id}/grants; and that absent and hidden are the same to whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from hub import events
from hub.access import keys, scope, users
from hub.access.keys import Role
from hub.db import Database
from hub.delivery import replay
from hub.delivery.envelope import read
from hub.delivery.replay import Range
from hub.delivery.veil import Partial, Withheld, veiled
from hub.events import Draft, EventType, Subject
from hub.models import ApiKey, Audit, Endpoint, Event
from hub.sync.diff import summed_up
from tests.api import builders as make
from tests.api.builders import NOW
from tests.api.conftest import Caller, counted, let_see

Roles = Callable[[str], Caller]


def bound(app: FastAPI, database: Database, *targets: str, role: str = "viewer") -> Caller:
    with database.writing() as session:
        return Caller(app, let_see(session, keys.create(session, "bound", role, NOW), *targets))


def id_of(database: Database, caller: Caller) -> UUID:
    with database.reading() as session:
        return session.scalars(select(ApiKey.id).where(ApiKey.prefix == keys.prefix_of(caller.key))).one()


def test_what_a_key_may_see_is_read_replaced_and_recorded(app: FastAPI, database: Database, as_role: Roles) -> None:
    admin = as_role("admin")
    with database.writing() as session:
        project = make.project(session, make.connection(session))
    theirs = bound(app, database, "all")
    path = f"/api/v1/keys/{id_of(database, theirs)}/grants"
    assert admin.data(path) == {"grants": ["all"], "bound": True}
    assert theirs.data("projects")[0]["id"] == str(project.id)
    assert theirs.get("projects").json()["meta"]["scope"] == "granted"
    assert admin("PUT", path, json={"grants": []}).json()["data"]["grants"] == []
    assert theirs.data("projects") == []
    assert admin("PUT", path, json={"grants": [f"project:{project.id}"]}).status_code == 200
    assert len(theirs.data("projects")) == 1
    assert admin.get("projects").json()["meta"]["scope"] == "all"
    with database.reading() as session:
        rows = session.scalars(select(Audit).where(Audit.action == "grants.changed").order_by(Audit.id)).all()
        assert [row.after["grants"] for row in rows if row.after] == [[], [f"project:{project.id}"]]


@pytest.mark.parametrize("role", ["pmo", "viewer", "consumer"])
def test_only_an_admin_grants(as_role: Roles, role: str) -> None:
    for path in ("keys", "users", "teams"):
        assert as_role(role).get(f"{path}/{uuid4()}/grants").status_code == 403
        assert as_role(role)("PUT", f"/api/v1/{path}/{uuid4()}/grants", json={"grants": ["all"]}).status_code == 403


def test_what_cannot_be_granted_is_refused_in_words(app: FastAPI, database: Database, as_role: Roles) -> None:
    admin, theirs = as_role("admin"), bound(app, database)
    path = f"/api/v1/keys/{id_of(database, theirs)}/grants"
    for text in ("everything", f"project:{uuid4()}", "tool:nowhere"):
        answer = admin("PUT", path, json={"grants": [text]})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/grants")
    for kind in ("keys", "users", "teams"):
        assert admin.get(f"{kind}/{uuid4()}/grants").status_code == 404
    answer = admin("POST", "/api/v1/keys", json={"name": "x", "role": "viewer"})
    assert answer.status_code == 422
    assert "tool:NAME" in answer.json()["detail"]
    assert admin("POST", "/api/v1/keys", json={"name": "x", "role": "viewer", "grants": ["all"]}).status_code == 201


def test_a_teams_rule_shows_whom_it_would_let_in(database: Database, as_role: Roles) -> None:
    with database.writing() as session:
        owner = users.add(session, "ada@example.org", "Ada", Role.VIEWER, NOW)
        account = make.connection(session, "monday")
        crew = make.team(session, account)
        crew.member_ids = [str(make.identity(session, account).id)]
    admin = as_role("admin")
    body = {"grants": [f"tool:{account.tool}"]}
    off = admin("PUT", f"/api/v1/teams/{crew.id}/grants", json=body).json()["data"]
    assert (off["enabled"], [each["id"] for each in off["lets_in"]]) == (False, [str(owner.id)])
    assert admin("PUT", f"/api/v1/teams/{crew.id}/grants", json=body | {"enabled": True}).json()["data"]["enabled"] is True
    assert admin.data(f"teams/{crew.id}/grants")["grants"] == body["grants"]


def test_hidden_and_absent_answer_alike_and_at_the_same_cost(app: FastAPI, database: Database) -> None:
    with database.writing() as session:
        account = make.connection(session)
        seen, hidden = make.project(session, account), make.project(session, account)
        task, run = make.task(session, hidden), make.run(session, account)
        own = make.status(session, account, "Own")
        own.project_id = hidden.id
        draft = Draft(
            EventType.TASK_UPDATED, "task", task.id, {"changed": [], "before": {}, "after": {}}, subject=Subject(project_ids=[str(hidden.id)])
        )
        events.append(session, [draft], connection_id=account.id, change_set=uuid4(), now=NOW)
        event = session.scalars(select(Event.id)).one()
    reader = bound(app, database, f"project:{seen.id}", role="consumer")
    reader.get("projects")  # the key's use is noted before the counting
    for path, held in (("projects", hidden.id), ("tasks", task.id), ("sync-runs", run.id), ("events", event)):
        found = {}
        for which in (held, uuid4()):
            with counted() as statements:
                answer = reader("GET", f"/api/v1/{path}/{which}", headers={"Authorization": f"Bearer {reader.key}", "X-Request-Id": "same"})
            found[which == held] = (answer.status_code, answer.content, len(statements) if path != "events" else 0)
        assert found[True] == found[False]
        assert found[True][0] == 404
    assert reader.get(f"tasks/{task.id}/history").status_code == 404
    assert [each["tasks"] for each in reader.data("board", project_id=hidden.id)] == [0] * 7


def test_of_a_task_in_two_projects_only_the_granted_one_is_told(app: FastAPI, database: Database) -> None:
    with database.writing() as session:
        account = make.connection(session)
        seen, hidden = make.project(session, account, "Seen"), make.project(session, account, "Hidden")
        task = make.task(session, hidden)
        make.member(session, task, seen.id, 1)
    reader = bound(app, database, f"project:{seen.id}")
    shape = reader.data(f"tasks/{task.id}")
    assert (shape["project_id"], shape["project_ids"]) == (str(seen.id), [str(seen.id)])
    for path, params in (("tasks", {}), ("tasks", {"project_id": seen.id}), ("timeline", {}), ("portfolio", {})):
        assert str(hidden.id) not in reader.get(path, **params).text
    assert reader.data("tasks", project_id=hidden.id) == []
    assert [each["id"] for each in reader.data("tasks", project_id=seen.id)] == [str(task.id)]


def test_events_are_judged_by_what_is_granted_when_they_are_read(app: FastAPI, database: Database) -> None:
    with database.writing() as session:
        account = make.connection(session)
        seen, hidden = make.project(session, account), make.project(session, account)
        places = [[str(seen.id)], [str(hidden.id)], [str(hidden.id), str(seen.id)]]
        state = {"project_id": str(hidden.id), "section_id": "x", "project_ids": places[2]}
        drafts = [
            Draft(EventType.TASK_MOVED, "task", uuid4(), {"changed": [], "before": {}, "after": {}}, subject=Subject(project_ids=each, state=state))
            for each in places
        ]
        drafts.append(Draft(EventType.SYNC_FAILED, "connection", account.id, {"changed": [], "before": {}, "after": {}}))
        events.append(session, drafts, connection_id=account.id, change_set=uuid4(), now=NOW)
    reader = bound(app, database, f"project:{seen.id}", role="consumer")
    told = reader.get("events", **{"from": "start"}).json()["data"]
    assert [each["entity"]["project_ids"] for each in told] == [[str(seen.id)], [str(seen.id)]]
    assert str(hidden.id) not in reader.get("events", **{"from": "start"}).text
    with database.writing() as session:
        theirs = scope.of_key(session, id_of(database, reader))
        lines = veiled(session, read(session, 0, 10), theirs)
        assert [type(each) for each in lines] == [Partial, Withheld, Partial, Withheld]
        endpoint = Endpoint(
            id=uuid4(), name="e", url="https://example.org", secret=b"", position=4, created_at=NOW, types=[], filter={}, state="active"
        )
        endpoint.owner_key_id = id_of(database, reader)
        assert replay.count(session, endpoint, Range()) == 2
        endpoint.owner_key_id = None
        assert replay.count(session, endpoint, Range()) == 4


def test_what_sums_up_many_is_told_as_far_as_it_lies_in_what_is_seen(app: FastAPI, database: Database) -> None:
    with database.writing() as session:
        account = make.connection(session)
        seen, hidden, other = make.project(session, account), make.project(session, account, private=True), make.project(session, account)
        parts = [(uuid4(), where) for where in ([str(seen.id)], [str(seen.id), str(hidden.id)], *[[str(hidden.id)]] * 5)]
        drafts = [Draft(EventType.TASK_LEFT_SCOPE, "task", entity, {}, subject=Subject(project_ids=where)) for entity, where in parts]
        events.append(session, summed_up(drafts, account.id), connection_id=account.id, change_set=uuid4(), now=NOW)
    reader = bound(app, database, f"project:{seen.id}", role="consumer")
    (told,) = reader.get("events", **{"from": "start"}).json()["data"]
    assert told["entity"]["project_ids"] == [str(seen.id)]
    assert told["data"]["after"] == {"task_ids": [str(entity) for entity, _ in parts[:2]], "count": 2}
    nothing = bound(app, database, f"project:{other.id}", role="consumer")
    assert nothing.get("events", **{"from": "start"}).json()["data"] == []
