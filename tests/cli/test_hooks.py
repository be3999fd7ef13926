"""``hub connection hooks``: a person sees the webhooks and mends them; other commands take them down."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from hub.db import Database
from hub.models import Connection
from hub.sandbox.server import Sandbox
from tests.cli.conftest import Hub

PUBLIC = "https://hub.example.org"


@pytest.fixture
def telling(hub: Hub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """With one connection, ``berlin``, read once, of a tool that needs no handshake; the hub has a public address."""
    token = sandbox.world.tokens["clickup"]
    said = hub("connection", "add", "clickup", "--name", "berlin", "--base-url", sandbox.base_url("clickup"), "--token-stdin", stdin=token)
    assert said.code == 0, said.err
    assert hub("sync", "--full").code == 0
    monkeypatch.setenv("HUB_PUBLIC_URL", PUBLIC)
    return hub


def states(hub: Hub) -> list[str]:
    return [json.loads(line)["state"] for line in hub("connection", "hooks", "berlin", "--json").out.splitlines()]


def test_webhooks_are_made_shown_and_kept(telling: Hub) -> None:
    assert "--repair" in telling("connection", "hooks", "berlin").err
    said = telling("connection", "hooks", "berlin", "--repair")
    assert said.code == 0, said.err
    assert "1 made" in said.err
    assert said.out.splitlines()[0].split()[:2] == ["KEY", "STATE"]
    assert PUBLIC not in said.out + said.err
    assert states(telling) == ["active"]
    assert "0 made" in telling("connection", "hooks", "berlin", "--repair").err


def test_without_a_public_address_it_says_what_to_set(telling: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUB_PUBLIC_URL")
    said = telling("connection", "hooks", "berlin")
    assert (said.code, said.out) == (0, "")
    assert "HUB_PUBLIC_URL" in said.err


@pytest.mark.parametrize("command", [("pause", "berlin"), ("remove", "berlin")])
def test_a_connection_that_rests_or_goes_takes_its_webhooks_down(telling: Hub, sandbox: Sandbox, command: tuple[str, ...]) -> None:
    telling("connection", "hooks", "berlin", "--repair")
    sandbox.log.clear()
    assert telling("connection", *command).code == 0
    assert [row["method"] for row in sandbox.log.rows] == ["DELETE"]


def test_what_cannot_be_taken_down_is_left_to_the_person(telling: Hub, sandbox: Sandbox) -> None:
    telling("connection", "hooks", "berlin", "--repair")
    sandbox.knobs.revoked.add("clickup")
    said = telling("connection", "remove", "berlin")
    assert said.code == 0
    assert "delete them in the tool" in said.err
    assert "is removed" in said.err


def test_what_cannot_be_made_is_said_and_is_a_failure(telling: Hub, sandbox: Sandbox) -> None:
    sandbox.knobs.revoked.add("clickup")
    said = telling("connection", "hooks", "berlin", "--repair")
    assert said.code == 1
    assert "hub: berlin: " in said.err


def test_a_connection_that_goes_on_asks_for_its_webhooks_again(telling: Hub, sqlite_url: str) -> None:
    telling("connection", "hooks", "berlin", "--repair")
    telling("connection", "pause", "berlin")
    telling("connection", "resume", "berlin")
    database = Database(sqlite_url)
    with database.reading() as session:
        assert session.scalars(select(Connection.hooks_checked_at)).all() == [None]
    database.dispose()


def test_a_signing_secret_is_stored_sealed(connected: Hub, sqlite_url: str) -> None:
    assert connected("connection", "set", "berlin", "--signing-secret-stdin", stdin="canary\n").code == 0
    database = Database(sqlite_url)
    with database.reading() as session:
        [sealed] = session.scalars(select(Connection.signing_secret)).all()
    database.dispose()
    assert sealed is not None
    assert b"canary" not in sealed


@pytest.mark.parametrize("words", [(), ("timezone=", "--signing-secret-stdin")])
def test_one_thing_is_set_at_a_time(connected: Hub, words: tuple[str, ...]) -> None:
    assert connected("connection", "set", "berlin", *words, stdin="x").code == 2


def test_an_empty_signing_secret_is_refused(connected: Hub) -> None:
    said = connected("connection", "set", "berlin", "--signing-secret-stdin", stdin=" \n")
    assert said.code == 1
    assert "--signing-secret-stdin" in said.err
