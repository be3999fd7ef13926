"""A vendor's call is verified, stored and answered; whatever else knocks at a receiver does no harm and learns nothing."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import metadata
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from connectors import registry
from hub import connections, log, receivers
from hub.app import create_app, create_receiver_app
from hub.db import Database
from hub.models import Connection, Hook, Inbound
from hub.settings import Settings
from hub.sync import bells, calls, inbox
from hub.sync.contact import Contact
from hub.vault import Vault
from tests.api.conftest import Clock, NotedJobs
from tests.sync.telling import OFFER, SIGNATURE, Exchange, Telling, signed

PUBLIC = "https://hub.example.org"
SECRET = "the vendor's word"


@dataclass
class House:
    """A hub with one connection, and its app."""

    app: FastAPI
    database: Database
    vault: Vault
    jobs: NotedJobs
    clock: Clock
    connection_id: UUID

    def hook(self, **values: Any) -> str:
        """A webhook as it stands in our books; gives its path."""
        address, door = calls.new_address(PUBLIC, self.connection_id)
        made = Hook(id=uuid4(), connection_id=self.connection_id, key=f"project/{uuid4()}", args={}, door=door, state="active", external_id="h1")
        made.secret = self.vault.seal(SECRET, bound_to=calls.secret_of(made.id))
        for name, value in values.items():
            setattr(made, name, value)
        with self.database.writing() as session:
            session.add(made)
        return address.removeprefix(PUBLIC)

    def opening(self, **values: Any) -> str:
        return self.hook(**{"state": "opening", "external_id": None, "secret": None, "opened_until": self.clock() + timedelta(minutes=1)} | values)

    def row(self) -> Hook:
        with self.database.reading() as session:
            return session.scalars(select(Hook)).one()

    def secret(self) -> str:
        row = self.row()
        assert row.secret is not None
        return self.vault.open(row.secret, bound_to=calls.secret_of(row.id))

    def waiting(self) -> list[list[str]]:
        with self.database.reading() as session:
            return [refs for _, refs in inbox.take(session, self.connection_id, 10_000)]

    def rows(self) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(Inbound)) or 0

    def ask(self, path: str, body: Any = b"", headers: Mapping[str, str] | None = None, method: str = "POST") -> httpx.Response:
        return anyio.run(self._ask, method, path, body, headers or {})

    async def _ask(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
        async with self.client() as client:
            return await client.request(method, path, content=body, headers=headers)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app, raise_app_exceptions=False), base_url=PUBLIC)

    def tell(self, path: str, *refs: str, delivery: str | None = None, secret: str = SECRET) -> httpx.Response:
        """A call as the vendor makes it."""
        return self.ask(path, *telling(*refs, delivery=delivery, secret=secret))


def telling(*refs: str, delivery: str | None = None, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    body = orjson.dumps({"touched": refs, "delivery": delivery})
    return body, {SIGNATURE: signed(secret, body)}


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    made = Exchange()
    monkeypatch.setattr(Telling, "exchange", made, raising=False)
    point = metadata.EntryPoint("pretend", "tests.sync.telling:Telling", registry.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda *, group, name=None: metadata.EntryPoints([point] if group == registry.GROUP else []))
    return made


@pytest.fixture
def house(database: Database, exchange: Exchange) -> House:
    vault, jobs, clock = Vault([b"k" * 32]), NotedJobs(), Clock()
    with database.writing() as session:
        made = connections.prepare(session, vault, tool="pretend", name="ours", token="t", base_url=None, workspaces=[], excluded=[], now=clock())
        session.add(made)
        made.history_from = clock()
    return House(create_app(Settings(public_url=PUBLIC), database, vault, jobs, clock), database, vault, jobs, clock, made.id)


# -- genuine calls ---------------------------------------------------------------------------------------------------------------


def test_a_genuine_call_is_stored_and_rings_a_moment_later(house: House) -> None:
    path = house.hook()
    answer = house.tell(path, "task:1", "task:2", delivery="d1")
    assert (answer.status_code, answer.content) == (200, b"thanks")
    assert house.waiting() == [["task:1", "task:2"]]
    assert house.row().last_call_at == house.clock()
    assert house.jobs.submitted == [("touch", str(house.connection_id), {"connection_id": str(house.connection_id)}, None)]
    assert house.jobs.at == [house.clock() + receivers.COALESCE]


def test_the_doorbell_queues_one_run_that_reads_what_was_told(house: House) -> None:
    path = house.hook()
    for number in range(3):
        house.tell(path, f"task:{number}")
    house.jobs.submitted.clear()
    contact = Contact(house.database, house.vault, Settings(public_url=PUBLIC), house.clock)
    for _ in range(2):
        bells.touch(contact, house.jobs, {"connection_id": str(house.connection_id)})
    names = {(name, key, args["run_id"]) for name, key, args, _ in house.jobs.submitted}
    assert len(names) == 1
    with house.database.reading() as session:
        run = session.scalars(select(bells.SyncRun)).one()
        assert (run.kind, run.reason, run.state, str(run.id)) == ("touch", "webhook", "queued", next(iter(names))[2])


def test_a_heartbeat_is_noted_and_rings_nothing(house: House) -> None:
    assert house.tell(house.hook()).status_code == 200
    assert house.row().last_call_at == house.clock()
    assert (house.rows(), house.jobs.submitted) == (0, [])


def test_what_is_told_of_a_paused_connection_waits_until_it_goes_on(house: House) -> None:
    path = house.hook()
    with house.database.writing() as session:
        session.get_one(Connection, house.connection_id).state = "paused"
    assert house.tell(path, "task:1", delivery="d1").status_code == 200
    assert (house.waiting(), house.rows()) == ([["task:1"]], 1)


def test_a_call_that_comes_twice_is_answered_and_ignored(house: House) -> None:
    path = house.hook()
    assert [house.tell(path, "task:1", delivery="d1").status_code for _ in range(3)] == [200] * 3
    assert (house.waiting(), house.rows()) == ([["task:1"]], 1)


def test_a_replay_after_the_run_brings_nothing_back(house: House) -> None:
    path = house.hook()
    house.tell(path, "task:1", delivery="d1")
    with house.database.writing() as session:
        inbox.done(session, [line for line, _ in inbox.take(session, house.connection_id, 10)], house.clock())
    assert house.tell(path, "task:1", delivery="d1").status_code == 200
    assert house.waiting() == []


# -- calls that are not the vendor's ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", ["", "another"])
def test_a_forged_call_gets_its_status_and_no_word(house: House, secret: str) -> None:
    path = house.hook()
    answer = house.tell(path, "task:1", secret=secret)
    assert (answer.status_code, answer.content) == (403, b"")
    assert house.ask(path, b"not even JSON").status_code == 403
    assert (house.row().forged, house.row().last_call_at, house.rows(), house.jobs.submitted) == (2, None, 0, [])


def test_no_other_address_is_one(house: House) -> None:
    path = house.hook()
    token = path.rpartition("/")[2]
    wrong = [
        f"{path}x",
        path[:-1],
        f"/receivers/{uuid4()}/{token}",
        f"/receivers/{house.connection_id}/{uuid4()}",
        f"/receivers/x/{token}",
        f"/receivers/{house.connection_id}/%ff%00",
    ]
    answers = {(answer.status_code, answer.content) for answer in (house.ask(each, *telling("task:1")) for each in wrong)}
    assert answers == {(404, b"")}
    assert house.ask(path, method="GET").status_code == 405
    assert house.rows() == 0


@pytest.mark.parametrize("state", [{"state": "lost"}, {"state": "opening", "external_id": None}])
def test_a_webhook_that_is_none_is_not_to_be_called(house: House, state: dict[str, Any]) -> None:
    assert house.tell(house.hook(**state), "task:1").status_code == 404


def test_a_suspended_one_that_calls_all_the_same_is_heard(house: House) -> None:
    assert house.tell(house.hook(state="suspended"), "task:1").status_code == 200
    assert house.waiting() == [["task:1"]]


# -- handshakes --------------------------------------------------------------------------------------------------------------------


def test_a_handshake_is_taken_while_its_registration_is_open(house: House) -> None:
    path = house.opening()
    answer = house.ask(path, b"{}", {OFFER: "the new word"})
    assert (answer.status_code, answer.headers[OFFER]) == (200, "the new word")
    assert house.secret() == "the new word"
    assert b"the new word" not in (house.row().secret or b"")
    assert house.tell(path, "task:1", secret="the new word").status_code == 200


def test_a_handshake_when_none_is_open_changes_nothing(house: House) -> None:
    path = house.hook()
    assert house.ask(path, b"{}", {OFFER: "mine"}).status_code == 403
    assert (house.secret(), house.row().forged) == (SECRET, 1)


def test_a_handshake_after_the_time_for_it_is_refused(house: House) -> None:
    path = house.opening()
    house.clock.advance(timedelta(minutes=2))
    assert house.ask(path, b"{}", {OFFER: "late"}).status_code == 404
    assert house.row().secret is None


def test_a_secret_is_not_replaced_by_a_second_handshake(house: House) -> None:
    path = house.opening()
    assert house.ask(path, b"{}", {OFFER: "first"}).status_code == 200
    assert house.ask(path, b"{}", {OFFER: "first"}).status_code == 200, "a vendor may repeat itself"
    assert house.ask(path, b"{}", {OFFER: "second"}).status_code == 403
    assert house.secret() == "first"


def test_a_webhook_that_is_being_revived_still_knows_its_old_secret_and_takes_a_new_one(house: House) -> None:
    path = house.hook(state="opening", opened_until=house.clock() + timedelta(minutes=1))
    assert house.tell(path, "task:1").status_code == 200
    assert house.ask(path, b"{}", {OFFER: "new"}).status_code == 200
    assert house.secret() == "new"


# -- too much ----------------------------------------------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused_however_it_says_its_length(house: House) -> None:
    path = house.hook()
    large = b"x" * (receivers.LARGEST_BODY + 1)

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    assert house.ask(path, large).status_code == 413
    assert house.ask(path, in_pieces()).status_code == 413
    assert (house.rows(), house.row().forged) == (0, 0)


def test_nothing_is_read_of_a_body_for_an_unknown_address(house: House) -> None:
    read: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(1)
        yield b"x"

    async def ask() -> int:
        scope = {
            "type": "http",
            "method": "POST",
            "path": f"/receivers/{house.connection_id}/x",
            "headers": [(b"host", PUBLIC.removeprefix("https://").encode())],
            "query_string": b"",
            "scheme": "http",
        }
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            read.append(1)
            return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await house.app({**scope, "server": ("hub.test", 80), "client": ("127.0.0.1", 1), "http_version": "1.1"}, receive, send)  # type: ignore[arg-type]
        return statuses[0]

    assert anyio.run(ask) == 404
    assert read == []


def test_a_client_that_drips_is_hung_up_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "BODY_SECONDS", 0.02)

    async def dripping() -> AsyncIterator[bytes]:
        yield b"{"
        await anyio.sleep_forever()

    class Request:
        headers: Mapping[str, str] = {}

        def stream(self) -> AsyncIterator[bytes]:
            return dripping()

    async def read() -> Any:
        return await receivers._body(Request())  # type: ignore[arg-type]

    assert anyio.run(read).status_code == 408


def test_a_flood_is_answered_and_stays_small(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST", 100)
    path = house.hook()

    async def flood() -> list[int]:
        statuses: list[int] = []

        async with house.client() as client, anyio.create_task_group() as group:

            async def one(number: int) -> None:
                body, headers = telling(*(f"task:{number}-{place}" for place in range(5)))
                statuses.append((await client.post(path, content=body, headers=headers)).status_code)

            for number in range(200):
                group.start_soon(one, number)
        return statuses

    assert anyio.run(flood) == [200] * 200
    assert house.waiting() == [[inbox.OVERFLOW]]
    assert house.rows() == 1
    assert house.tell(path, "task:1").status_code == 200, "another loop may go on where the first one ended"


def test_more_at_once_than_can_be_held_are_asked_to_come_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "CALLS_AT_ONCE", 0)
    answer = house.tell(house.hook(), "task:1")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_a_database_that_does_not_answer_makes_the_vendor_come_again(house: House) -> None:
    path = house.hook()
    with house.database.engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE inbound")
        connection.commit()
    answer = house.tell(path, "task:1")
    assert (answer.status_code, answer.content) == (503, b"")


# -- what nobody may see -----------------------------------------------------------------------------------------------------------


def test_logs_hold_neither_addresses_nor_bodies_nor_secrets(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log.configure("json", "DEBUG")
    path = house.hook()
    token = path.rpartition("/")[2]
    house.tell(path, "task:canary", secret="wrong")
    house.tell(path, "task:canary")

    def breaks(*_args: Any, **_named: Any) -> Any:
        raise ArithmeticError("the connector's own code broke")

    monkeypatch.setattr(Telling, "receive", breaks)
    assert house.tell(path, "task:canary").status_code == 500
    said = capsys.readouterr().err
    assert "a call was refused" in said
    assert "request failed" in said
    assert not re.search(f"{token}|canary|{SECRET}", said)


def test_forged_calls_are_told_once_a_minute(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "DEBUG")
    path = house.hook()
    for _ in range(5):
        house.tell(path, secret="wrong")
    house.clock.advance(timedelta(minutes=1))
    house.tell(path, secret="wrong")
    assert capsys.readouterr().err.count("a call was refused") == 2


# -- where they are served -----------------------------------------------------------------------------------------------------------


def test_a_listener_of_its_own_serves_calls_and_the_sign_of_life_alone(house: House) -> None:
    settings = Settings(public_url=PUBLIC, receiver_bind=("127.0.0.1", 0))
    path = house.hook()
    parts = (house.database, house.vault, house.jobs, house.clock)
    house.app = create_receiver_app(settings, *parts)
    assert house.tell(path, "task:1").status_code == 200
    assert house.ask("/healthz", method="GET").status_code == 200
    assert {house.ask(each, method="GET").status_code for each in ("/", "/api/v1/tasks", "/readyz", "/openapi.json", "/docs")} == {404}
    house.app = create_app(settings, *parts)
    assert house.tell(path, "task:1").status_code == 404


def test_without_a_public_address_there_is_nothing_to_call(house: House) -> None:
    path = house.hook()
    house.app = create_app(Settings(), house.database, house.vault, house.jobs, house.clock)
    assert house.tell(path, "task:1").status_code == 404
