"""Ids of other people's things, in every place where a question takes one: whoever may not see a thing is told what they are told of a thing that
does not exist, at the same price, and nothing happens to it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import select

from hub.access import grants, keys, sessions
from hub.access.grants import Subject, Target
from hub.access.keys import Role
from hub.app import create_app
from hub.db import Base, Database
from hub.models import ApiKey, Identity, Status, User
from hub.settings import Settings
from hub.vault import Vault
from tests.access import hostile
from tests.access.asked import Operation, operations
from tests.access.conftest import LIMITS, Browser, person
from tests.api import builders as make
from tests.api.builders import NOW
from tests.api.conftest import Caller, Clock, NotedJobs, counted, let_see

BOOKS = {"audit", "api_key", "session", "login_attempt"}
"""Tables that note that somebody asked."""
ROLES = (Role.PMO, Role.VIEWER, Role.CONSUMER)


class House:
    """A hub with two companies in one: what ``ids`` names is nobody's but the admins', and each asker has a project of its own."""

    def __init__(self, url: str) -> None:
        self.database, vault = Database(url), Vault([b"k" * 32])
        self.app = create_app(Settings(webhook_allow=("127.0.0.0/8",)), self.database, vault, NotedJobs(), Clock())
        with self.database.writing() as session:
            self.ids = hostile.written(session)
            self._shut(session)
            own = make.project(session, make.connection(session, "asana"), "own")
            make.task(session, own)
            admin = keys.verify(session, keys.create(session, "an admin", "admin", NOW), NOW)
            assert admin is not None
            self.ids |= hostile.staff(session, vault, admin)
            self.keys = {role: let_see(session, keys.create(session, f"a {role}", role.value, NOW), f"project:{own.id}") for role in ROLES}
            ada = self.victim = self._person(session)
            self.ids["session"] = sessions.hashed(sessions.start(session, ada, NOW, LIMITS, address=None, agent=None))
        self.browsers = {role: self._browser(role, own.id) for role in ROLES}

    def _shut(self, session: Any) -> None:
        """All of the first company lies in private places, its statuses are its project's own."""
        for table in (hostile.models.Project, hostile.models.Container):
            for row in session.scalars(select(table)):
                row.private = True
        for status in session.scalars(select(Status)):
            status.project_id = self.ids["project_id"]
        session.flush()

    def _person(self, session: Any) -> User:
        made = User(id=uuid4(), email="eve@example.org", folded_email="eve@example.org", name="Eve", role="admin", created_at=NOW)
        session.add(made)
        session.flush()
        return made

    def _browser(self, role: Role, project_id: UUID) -> Browser:
        user = person(self.database, role, f"{role}@example.org")
        with self.database.writing() as session:
            if role is not Role.PMO:
                grants.replace(session, Subject("user", user.id), [Target("project", str(project_id))], NOW, None)
        made = Browser(self.app)
        assert made.log_in(f"{role}@example.org").status_code == 303
        return made

    def state(self) -> dict[str, Any]:
        """Every row of every table that no question may change."""
        with self.database.reading() as session:
            tables = [table for table in Base.metadata.sorted_tables if table.name not in BOOKS]
            held: dict[str, Any] = {table.name: sorted(map(repr, session.execute(select(table)))) for table in tables}
            held["session"] = session.execute(select(hostile.models.UserSession.id, hostile.models.UserSession.revoked_at)).all()
            held["key"] = session.execute(select(ApiKey.id, ApiKey.revoked_at, ApiKey.role)).all()
            return held


@pytest.fixture(scope="module")
def house(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    path = tmp_path_factory.mktemp("ids") / "hub.db"
    shutil.copy(sqlite_template, path)
    made = House(f"sqlite:///{path}")
    yield made
    made.database.dispose()


def same(one: httpx.Response, other: httpx.Response, ids: Mapping[str, UUID], random: Mapping[str, UUID]) -> bool:
    """But for the ids themselves and what belongs to each request."""
    return _plain(one, ids) == _plain(other, random)


def _plain(answer: httpx.Response, ids: Mapping[str, UUID]) -> Any:
    text = answer.text
    for name, value in ids.items():
        text = text.replace(str(value), name)
    text = re.sub(r'"request_id":\s*"[^"]*"|name="csrf" value="[^"]*"', "", text)
    return answer.status_code, text, answer.headers.get("content-type"), answer.headers.get("location", "").replace(str(next(iter(ids.values()))), "")


def spots(operation: Operation) -> list[str]:
    """Parameters of the path and of the question that take ids."""
    queried = [each["name"] for each in operation.parameters if each["in"] == "query" and "uuid" in orjson.dumps(each["schema"]).decode()]
    return [*re.findall(r"\{(\w+)\}", operation.path), *queried]


SEES = {Role.PMO: {"connection_id", "run_id", "assignee_id", "person_id", "portfolio_id"}}
"""Who sees whatever is not private sees that there are connections, when they were read, who works there, and the PMO's own tree."""
HELD_AS = {"assignee_id": "person_id", "parent_id": "container_id"}


@pytest.mark.parametrize("role", ROLES)
def test_another_s_thing_is_to_the_api_as_if_it_were_not_there(house: House, role: Role) -> None:
    caller, before, tried = Caller(house.app, house.keys[role]), house.state(), 0
    assert caller.get("/api/v1/figures").status_code == 200  # notes the key's use, once a minute
    for operation in operations(house.app):
        for spot in [each for each in spots(operation) if each not in SEES.get(role, ()) and HELD_AS.get(each, each) in house.ids]:
            theirs = {spot: house.ids[HELD_AS.get(spot, spot)]}
            nobodys = {spot: uuid4()}
            answers, prices = [], []
            for ids in ({spot: uuid4()}, nobodys, theirs):  # the first puts up the figures that are kept, the same for all who see nothing
                given = {} if f"{{{spot}}}" in operation.path else {spot: str(ids[spot])}
                known = {} if f"{{{spot}}}" in operation.path else house.ids
                with counted() as statements:
                    answers.append(caller(operation.method, operation.address({**known, **ids}), params=given, json=operation.body))
                prices.append([each for each in statements if "audit" not in each and "api_key" not in each])
            answers, prices = answers[1:], prices[1:]
            name = f"{operation.method} {operation.path} with another's {spot}"
            assert same(answers[1], answers[0], theirs, nobodys), f"{name}: {answers[1].status_code} {answers[1].text[:500]}"
            if spot != "event_id":  # a hidden event's line is read before it is judged; its id is as random as a key
                assert len(prices[1]) == len(prices[0]), f"{name} costs {len(prices[1])} statements and not {len(prices[0])}"
            if operation.method != "GET" or f"{{{spot}}}" in operation.path:
                assert answers[1].status_code in (403, 404), name
            tried += 1
    assert tried > 30
    assert house.state() == before


@pytest.mark.parametrize("role", ROLES)
def test_another_s_thing_is_to_a_page_as_if_it_were_not_there(house: House, role: Role) -> None:
    browser, before = house.browsers[role], house.state()
    token = browser.token("/account")
    for route in iter_route_contexts(house.app.routes):
        path, spot = str(route.path), next(iter(re.findall(r"\{(\w+)\}", str(route.path))), None)
        if spot not in house.ids or path.startswith("/api/"):
            continue
        for method in {"GET", "POST"} & set(route.methods or ()):
            theirs, nobodys = {spot: house.ids[spot]}, {spot: uuid4()}
            form = {"csrf": token, "workspace": "1"} if method == "POST" else None
            for query in ("", "?format=csv") if method == "GET" else ("",):
                addresses = [path.replace(f"{{{spot}}}", str(ids[spot])) + query for ids in (theirs, nobodys)]
                answers = [browser(method, address, data=form, headers={"Origin": browser.origin}) for address in addresses]
                assert same(answers[0], answers[1], theirs, nobodys), f"{method} {path}: {answers[0].status_code} {answers[0].text[:1000]}"
                assert answers[0].status_code in (403, 404), path
    for path in ("/tasks", "/timeline", "/changes", "/milestones"):
        for spot, name in (("project_id", "project_id"), ("assignee_id", "person_id"), ("connection_id", "connection_id")):
            if spot in SEES.get(role, ()):
                continue
            theirs, nobodys = {spot: house.ids[name]}, {spot: uuid4()}
            answers = [browser("GET", path, params={spot: str(ids[spot])}) for ids in (theirs, nobodys)]
            assert same(answers[0], answers[1], theirs, nobodys), f"{path}?{spot}"
    assert house.state() == before


@pytest.mark.parametrize("role", ROLES)
def test_no_form_reaches_another_s_thing(house: House, role: Role) -> None:
    """Ids in fields: a status of a private project, another's session."""
    browser, before = house.browsers[role], house.state()
    token = browser.token("/account")
    for spoil in (house.ids["status_id"], uuid4()):
        answer = browser("POST", "/admin/statuses", data={"csrf": token, f"category:{spoil}": "done"}, headers={"Origin": browser.origin})
        assert answer.status_code == (404 if role is Role.PMO else 403)
    browser("POST", "/account/sessions", data={"csrf": token, "session": house.ids["session"]}, headers={"Origin": browser.origin})
    assert house.state() == before


def test_an_admin_would_have_reached_all_of_it(house: House) -> None:
    """Else the tests above would prove nothing: the things are there, and so is each id that a path takes."""
    with house.database.writing() as session:
        admin = Caller(house.app, keys.create(session, "another admin", "admin", NOW))
        assert session.get(Identity, house.ids["person_id"]) is not None
    for operation in operations(house.app):
        there = set(re.findall(r"\{(\w+)\}", operation.path)) <= house.ids.keys()
        own = operation.path.startswith("/api/v1/saved-views")  # an admin's are not another admin's
        if operation.method == "GET" and "{" in operation.path and there and not own and "/containers" not in operation.path:
            assert admin("GET", operation.address(house.ids)).status_code == 200, operation.path


def test_a_key_s_endpoint_is_nobody_else_s_business(house: House) -> None:
    """Of the same role, too: endpoints belong to a key."""
    with house.database.writing() as session:
        texts = [let_see(session, keys.create(session, "k", "consumer", NOW), f"project:{house.ids['project_id']}") for _ in range(2)]
    mine, other = (Caller(house.app, text) for text in texts)
    made = [_repeatable(caller, name) for caller, name in ((mine, "a"), (other, "b"))]
    theirs, nobodys = {"endpoint_id": UUID(made[0])}, {"endpoint_id": uuid4()}
    assert made[0] != made[1], "another's word for a repeated request opens nothing of theirs"
    for operation in operations(house.app):
        if "{endpoint_id}" in operation.path:
            answers = [other(operation.method, operation.address(ids), json=operation.body) for ids in (theirs, nobodys)]
            assert same(answers[0], answers[1], theirs, nobodys), operation.path
            assert answers[0].status_code == 404, operation.path
    assert made[0] not in other.get("webhook-endpoints").text
    assert mine.get(f"webhook-endpoints/{made[0]}").status_code == 200


def _repeatable(caller: Caller, name: str) -> str:
    headers = {"Authorization": f"Bearer {caller.key}", "Idempotency-Key": "the same word"}
    answer = caller("POST", "/api/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/in", "name": name}, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])
