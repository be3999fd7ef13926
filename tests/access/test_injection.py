"""Values that are more than values: in parameters, bodies, cursors and headers. Whatever is sent, the answer is a refusal or the truth, never a fault
of the hub's, and nothing of it becomes a part of a statement."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import typing
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import orjson
import psycopg
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import func, select

from hub import models
from hub.access import keys
from hub.access.keys import Role
from hub.api.envelope import LARGEST_BODY
from hub.api.paging import Paging
from hub.app import create_app
from hub.db import Database
from hub.settings import Settings
from hub.vault import Vault
from tests.access import hostile
from tests.access.asked import PREFIX, SELF, leaves, objects, operations, spoiled
from tests.access.conftest import Browser, person
from tests.api.builders import NOW
from tests.api.conftest import Caller, Clock, NotedJobs, counted
from tests.conftest import postgres_url

MARK = "zqxj"
HOSTILE = (
    f"{MARK}' OR '1'='1",
    f'{MARK}"; DROP TABLE task; --',
    f"{MARK}\x00",
    f"%_\\{MARK}%",
    f"{MARK}" * 200,
    "9" * 5_000,
    "-1",
    "9223372036854775808",
    "NaN",
    "1e999",
    "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01T00:00:00+23:59",
    "\u202e\U0001f4a3",
)
REFUSED = range(400, 500)
FINE = (200, 201, 202, 204, 304)


class House:
    """A hub with something of everything, and its admin, by key and by browser. One for all tests of a database: what they change does not matter."""

    def __init__(self, url: str) -> None:
        self.database, self.vault = Database(url), Vault([b"k" * 32])
        settings = Settings(webhook_allow=("127.0.0.0/8",), key_rate=1_000_000)
        self.app = create_app(settings, self.database, self.vault, NotedJobs(), Clock())
        person(self.database, Role.ADMIN)
        with self.database.writing() as session:
            self.ids = hostile.written(session)
            self.admin = Caller(self.app, keys.create(session, "an admin", "admin", NOW))
        self.ids |= self.fresh()
        self.ada = Browser(self.app)
        assert self.ada.log_in().status_code == 303

    def fresh(self) -> dict[str, Any]:
        with self.database.writing() as session:
            owner = keys.verify(session, self.admin.key, NOW)
            assert owner is not None
            return hostile.staff(session, self.vault, owner)

    def send(self, method: str, path: str, body: bytes, kind: str = "application/json") -> httpx.Response:
        return self.admin(method, path, content=body, headers={"Authorization": f"Bearer {self.admin.key}", "Content-Type": kind})

    def rows(self) -> dict[str, int]:
        """How many rows there are of what no question may change."""
        kept = (models.Task, models.Project, models.Identity, models.Status, models.Connection, models.Event, models.Change)
        with self.database.reading() as session:
            return {each.__tablename__: session.scalar(select(func.count()).select_from(each)) or 0 for each in kept}


@pytest.fixture(scope="module")
def sqlite_house(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """For what does not depend on the database."""
    path = tmp_path_factory.mktemp("injection") / "hub.db"
    shutil.copy(sqlite_template, path)
    made = House(f"sqlite:///{path}")
    yield made
    made.database.dispose()


@pytest.fixture(scope="module")
def postgres_house(postgres_server: str, postgres_template: str) -> Iterator[House]:
    name = f"t{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE {postgres_template}')
    made = House(postgres_url(postgres_server, name))
    yield made
    made.database.dispose()
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest) -> House:
    found: House = request.getfixturevalue(f"{request.param}_house")
    return found


def fine(answer: httpx.Response, about: Any) -> None:
    assert answer.status_code in FINE or answer.status_code in REFUSED, f"{about}: {answer.status_code} {answer.text[:500]}"


# -- parameters ------------------------------------------------------------------------------------------------------------------------


def test_no_parameter_of_the_api_becomes_a_part_of_a_statement(house: House) -> None:
    """Each parameter once, wherever it is first met, with some of the hostile values."""
    before, met = house.rows(), set()
    for operation in operations(house.app):
        for parameter in operation.parameters:
            known = (parameter["name"], json.dumps(parameter["schema"], sort_keys=True))
            if operation.method != "GET" or parameter["in"] != "query" or known in met or parameter["name"] == "wait":
                continue
            met.add(known)
            for value in (HOSTILE[0], HOSTILE[2], HOSTILE[len(met) % len(HOSTILE)]):
                with counted() as statements:
                    answer = house.admin("GET", operation.address(house.ids), params={parameter["name"]: value})
                fine(answer, (operation.path, parameter["name"], value[:80]))
                assert not [each for each in statements if MARK in each], (operation.path, parameter["name"])
                if MARK in value and answer.status_code == 200 and isinstance(answer.json()["data"], list):
                    assert answer.json()["data"] == [], f"{operation.path}?{parameter['name']}={value[:80]} finds what is not called so"
    assert len(met) > 50
    assert house.rows() == before


def test_no_parameter_of_a_page_becomes_a_part_of_a_statement(house: House) -> None:
    names = "q tool tag since sort order view by colour triage show page after from to zoom tz assignee_id project_id external_id format".split()  # noqa: SIM905
    for path in ("/tasks", "/changes", "/projects", "/timeline", "/workload", "/admin/statuses"):
        for name in names if path == "/tasks" else ("q", "since", "page", "after", "from"):
            for value in (f"{MARK}' OR '1'='1\x00", "0000000019" + "9" * 5_000, "2026-01-01|x|1"):
                with counted() as statements:
                    answer = house.ada("GET", path, params={name: value})
                fine(answer, (path, name, value[:80]))
                assert not [each for each in statements if MARK in each], (path, name)


@pytest.mark.parametrize("sign", ["%", "_", "\\", "*", "?", "["])
def test_no_character_of_a_search_is_a_wildcard(house: House, sign: str) -> None:
    assert house.admin.data("tasks", q=f"x{sign}y") == []
    with house.database.writing() as session:
        session.get_one(models.Task, house.ids["task_id"]).title = f"x{sign}y"
    assert [task["id"] for task in house.admin.data("tasks", q=f"X{sign}Y")] == [str(house.ids["task_id"])]


def test_more_parameters_than_anybody_has_are_refused_before_anything_is_read(sqlite_house: House) -> None:
    many = [("tag", "x")] * 5_000
    with counted() as statements:
        answer = sqlite_house.admin("GET", "/api/v1/tasks", params=many)
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_parameters")
    assert not [each for each in statements if "FROM task" in each]
    assert len(answer.content) < 2_000
    fine(sqlite_house.ada("GET", "/tasks", params=many), "/tasks")


# -- bodies ----------------------------------------------------------------------------------------------------------------------------


def test_every_body_is_fine_as_it_stands(house: House) -> None:
    """Else the tests below would spoil what was refused anyway."""
    for operation in operations(house.app):
        if operation.takes:
            answer = house.admin(operation.method, operation.address(house.ids | house.fresh()), json=operation.body)
            odd = operation.path.endswith(ODD) and answer.status_code in (404, 409, 422)  # needs events that were sent
            assert answer.status_code in FINE or odd, f"{operation.method} {operation.path}: {answer.status_code} {answer.text[:500]}"


def test_no_value_in_a_body_is_a_fault(house: House) -> None:
    before = house.rows()
    values = [f"{MARK}\x00'; DROP TABLE task; --", 10**400, -(10**19), None, {"a": [[]]}, "0001-01-01T00:00:00+23:59"]
    raw = [json.dumps(value) for value in values] + ['"\\ud800"', "NaN", "1e999"]
    for operation in operations(house.app):
        if not operation.takes:
            continue
        address = operation.address(house.ids | house.fresh())
        for way in leaves(operation.body):
            for text in raw:
                body = json.dumps(spoiled(operation.body, way, "@@")).replace('"@@"', text)
                with counted() as statements:
                    answer = house.send(operation.method, address, body.encode())
                fine(answer, (operation.method, operation.path, way, text[:60]))
                assert not [each for each in statements if MARK in each], (operation.path, way)
    assert house.rows() == before | {"event": house.rows()["event"]}


def test_no_field_of_a_form_is_a_fault(house: House) -> None:
    """By every form's address, whatever fields it knows."""
    names = "email password name again old session next tool token base_url workspace exclude full show".split()  # noqa: SIM905
    token = house.ada.token("/account")
    for route in iter_route_contexts(house.app.routes):
        path = str(route.path)
        if "POST" not in (route.methods or ()) or path.startswith((PREFIX, "/receivers")) or path in ("/logout", "/login"):
            continue
        for value in (f"{MARK}\x00", f"{MARK}' OR '1'='1", "\u202e" * 400, f"{uuid4()}"):
            fields = {**dict.fromkeys(names, value), f"category:{value}": "done", f"category:{house.ids['status_id']}": value, "csrf": token}
            ids = {**house.ids, **house.fresh(), "token": value[:9]}
            address = re.sub(r"\{(\w+)\}", lambda found, ids=ids, value=value: quote(str(ids.get(found[1], value))), path)
            with counted() as statements:
                answer = house.ada("POST", address, data=fields, headers={"Origin": house.ada.origin})
            assert answer.status_code < 500, f"{path}: {value[:40]!r}: {answer.text[:500]}"
            assert not [each for each in statements if MARK in each], path
    for value in ("x\x00", "%00", "\u202e@" * 99):
        assert Browser(house.app).log_in(value, value).status_code in (400, 401), value


ODD = ("/skip", "/replay", "/dependencies", "/oauth", "/merges", "/distinct", "/split", "/portfolios/{portfolio_id}", "/policy")
UNNAMED = ("id", "owner_key_id", "password_hash", "created_at", "__proto__", "secret")


def test_nothing_is_set_that_the_shape_of_a_body_does_not_name(sqlite_house: House) -> None:
    """In every object of every body, at any depth."""
    for operation in operations(sqlite_house.app):
        if not operation.takes:
            continue
        address = operation.address(sqlite_house.ids)
        for way in objects(operation.body):
            for name in UNNAMED:
                with counted() as statements:
                    answer = sqlite_house.admin(operation.method, address, json=spoiled(operation.body, (*way, name), "x"))
                assert answer.status_code == 422, f"{operation.method} {operation.path} takes {'/'.join((*way, name))}: {answer.text[:300]}"
                assert not [each for each in statements if each.startswith(("INSERT", "UPDATE", "DELETE"))], operation.path


BOMBS = {
    "deep": b'{"name": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "deep objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "open": b"[" * 50_000,
    "long number": b'{"overlap_hours": ' + b"9" * 50_000 + b"}",
    "wide": b"{" + b",".join(b'"k%d":1' % number for number in range(5_000)) + b"}",
    "escapes": b'{"name": "' + b"\\u0041" * 20_000 + b'"}',
    "too large": b'{"name": "' + b"x" * LARGEST_BODY + b'"}',
    "no text": b"\xff\xfe{\x00",
    "empty": b"",
    "bare": b"7",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_body_that_is_made_to_hurt_is_refused(sqlite_house: House, bomb: str) -> None:
    """By every operation that takes one, before anything is written, and in few words."""
    for operation in operations(sqlite_house.app):
        if operation.takes:
            with counted() as statements:
                answer = sqlite_house.send(operation.method, operation.address(sqlite_house.ids), BOMBS[bomb])
            empty = bomb == "empty" and answer.status_code in FINE and operation.method == "POST"  # a body that may be left out
            assert answer.status_code in (400, 404, 413, 422) or empty, f"{operation.path}: {answer.status_code} {answer.text[:300]}"
            assert empty or not [each for each in statements if each.startswith(("INSERT", "UPDATE", "DELETE"))], operation.path
            assert len(answer.content) < 20_000, operation.path


def test_a_list_in_a_body_has_an_end(sqlite_house: House) -> None:
    """Longer than a database takes parameters in one statement, and shorter than a body may be."""
    many = [""] * 200_000
    spoils = {
        ("PATCH", "/projects"): {"triage": "in", "where": {"external_id": many}},
        ("POST", "/webhook-endpoints"): {"url": SELF, "filter": {"tags": many}},
        ("PATCH", f"/webhook-endpoints/{sqlite_house.ids['endpoint_id']}"): {"types": many},
        ("POST", f"/webhook-endpoints/{sqlite_house.ids['endpoint_id']}/replay"): {"types": many},
        ("PUT", f"/keys/{sqlite_house.ids['key_id']}/grants"): {"grants": many},
    }
    for (method, path), body in spoils.items():
        answer = sqlite_house.admin(method, f"{PREFIX}{path}", json=body)
        assert answer.status_code == 422, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        assert len(answer.content) < 2_000


# -- cursors ---------------------------------------------------------------------------------------------------------------------------


def lists(house: House) -> list[tuple[str, Any]]:
    """(path, the shape of its parameters) of every list that is walked by a sealed cursor."""
    found = []
    for route in iter_route_contexts(house.app.routes):
        if str(route.path).startswith(PREFIX) and hasattr(route, "endpoint"):
            hints = typing.get_type_hints(inspect.unwrap(route.endpoint))
            shapes = [hint for name, hint in hints.items() if name != "return" and isinstance(hint, type) and issubclass(hint, Paging)]
            found += [(str(route.path).replace("{endpoint_id}", str(house.ids["endpoint_id"])), shape) for shape in shapes]
    assert len(found) > 12
    return [(path.replace("{task_id}", str(house.ids["task_id"])), shape) for path, shape in found]


def forged(shape: Any, texts: Any) -> str:
    """A cursor whose seal is right: the seal is no secret."""
    return urlsafe_b64encode(orjson.dumps([texts, shape()._seal(texts)])).decode()


def test_a_forged_cursor_is_a_place_in_a_list_or_refused(house: House) -> None:
    odd = [7, {}, "", "2026-01-01T00:00:00", "9999-12-31T23:59:59-23:59", "a\x00b", "9" * 30, str(uuid4())]
    for path, shape in lists(house):
        whole = len(house.admin.data(path))
        for value in odd:
            for texts in ([value], [value, str(uuid4())], ["0", value, str(uuid4())]):
                answer = house.admin("GET", path, params={"cursor": forged(shape, texts)})
                fine(answer, (path, texts))
                assert answer.status_code == 400 or len(answer.json()["data"]) <= whole


def test_a_cursor_that_was_changed_or_made_up_is_refused(sqlite_house: House) -> None:
    for path, _ in lists(sqlite_house):
        answer = sqlite_house.admin("GET", path, params={"limit": 1})
        cursor = answer.json()["next_cursor"] or urlsafe_b64encode(b'[["x"],"y"]').decode()
        inside = urlsafe_b64decode(cursor)
        spoils = [cursor[:-4], cursor[::-1], cursor + cursor, "=", "é\x00", "A" * 2_001]
        spoils += [urlsafe_b64encode(inside.replace(b'"', b"'")).decode(), urlsafe_b64encode(b"[" * 1_400).decode()]
        for spoil in spoils:
            with counted() as statements:
                answer = sqlite_house.admin("GET", path, params={"limit": 1, "cursor": spoil})
            assert answer.status_code == 400, f"{path}: {spoil[:80]}: {answer.status_code} {answer.text[:300]}"
            assert len(answer.content) < 2_000
            assert len(statements) < 20, "refused before the list is read"
    for spoil in ("x", "1-", "9" * 40 + "-1", "1-" + "9" * 18, "-1-1", "1-1-1", "\u0661-\u0661", "A" * 10_000):
        assert sqlite_house.admin("GET", f"{PREFIX}/events", params={"after": spoil}).status_code in (400, 410), spoil[:80]


# -- headers ---------------------------------------------------------------------------------------------------------------------------

SPLIT = b"x\r\nSet-Cookie: evil=1\r\n\r\n<script>"
HEADERS = ("Authorization", "X-Request-Id", "If-None-Match", "Idempotency-Key", "Origin", "Referer", "Cookie", "Content-Type", "User-Agent", "Accept")
BEHIND = (
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "Forwarded",
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Range",
    "Accept-Encoding",
)


def test_no_header_comes_back_as_one_or_is_a_fault(sqlite_house: House) -> None:
    values = (SPLIT, b"\xff\xfe\x00", b"a" * 60_000, b"-1", b'"x",' * 5_000)
    for name in (*HEADERS, *BEHIND):
        for value in values:
            for method, path in (("POST", f"{PREFIX}/webhook-endpoints"), ("GET", "/projects")):
                headers = {"Authorization": f"Bearer {sqlite_house.admin.key}".encode(), name: value}
                answer = sqlite_house.ada(method, path, headers=headers, content=b"{}" if method == "POST" else None)
                assert answer.status_code < 500, f"{method} {path} with {name}: {value[:60]!r}: {answer.text[:300]}"
                told = [*answer.headers.keys(), *answer.headers.values()]
                assert not [each for each in told if "evil" in each or "\r" in each or "\n" in each], (path, name)


@pytest.mark.parametrize(
    "path", ["/login?next=/%0d%0aSet-Cookie:%20evil=1", "/tasks%0d%0aSet-Cookie:%20evil=1", "/static/%0d%0aevil", "/tasks/%0d%0aevil?x=%0d%0a"]
)
def test_no_path_becomes_a_header(sqlite_house: House, path: str) -> None:
    for asker in (sqlite_house.ada, Browser(sqlite_house.app)):
        answer = asker.get(path)
        assert answer.status_code < 500
        assert not [each for each in answer.headers.values() if "\r" in each or "\n" in each]
        assert "evil" not in answer.headers.get("set-cookie", "")
