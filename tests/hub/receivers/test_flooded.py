"""Too much of anything at a receiver costs a bounded amount, and nothing of it is seen by those who may not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import anyio
import pytest

from hub import log, receivers
from hub.app import create_app, create_receiver_app
from hub.settings import Settings
from hub.sync import inbox
from tests.hub.receivers.conftest import PUBLIC, SECRET, House, telling
from tests.sync.telling import Telling


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
