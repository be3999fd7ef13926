"""``hub rotate-keys``, and what every command says where the key is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hub.db import Database
from hub.models import Connection
from hub.vault import new_key
from tests.cli.conftest import Hub


def sealed_token(url: str) -> bytes:
    database = Database(url)
    try:
        with database.reading() as session:
            found = session.query(Connection.secret).scalar()
            assert found is not None
            return bytes(found)
    finally:
        database.dispose()


def test_the_old_key_can_go_once_everything_is_sealed_with_the_new_one(connected: Hub, monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    old, new = os.environ["HUB_SECRET_KEYS"], new_key()
    monkeypatch.setenv("HUB_SECRET_KEYS", f"{new},{old}")
    assert "hub rotate-keys" in connected("doctor").out
    said = connected("rotate-keys", "--json")
    assert said.code == 0
    assert json.loads(said.out) | {"columns": None} == {"resealed": 1, "former": 0, "unreadable": 0, "old_keys_can_go": True, "columns": None}
    assert "take them out of HUB_SECRET_KEYS" in said.err
    again = json.loads(connected("rotate-keys", "--json").out)
    assert (again["resealed"], again["columns"]["connection.secret"]) == (0, {"current": 1, "former": 0, "unreadable": 0})
    monkeypatch.setenv("HUB_SECRET_KEYS", new)
    assert connected("connection", "check", "berlin").code == 0
    assert new not in said.out + said.err
    assert old not in said.out + said.err


def test_with_a_key_file_the_command_makes_the_new_key(connected: Hub, monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///") + ".key")
    path.write_text(os.environ["HUB_SECRET_KEYS"] + "\n")
    monkeypatch.delenv("HUB_SECRET_KEYS")
    before = sealed_token(sqlite_url)
    said = connected("rotate-keys", "--new-key")
    assert said.code == 0
    assert sealed_token(sqlite_url) != before
    first, second = path.read_text().split()
    path.write_text(first + "\n")
    assert connected("connection", "check", "berlin").code == 0
    path.write_text(second + "\n")
    assert connected("connection", "check", "berlin").code == 1


def test_a_key_is_made_only_where_the_hub_keeps_it(connected: Hub) -> None:
    said = connected("rotate-keys", "--new-key")
    assert said.code == 1
    assert "openssl rand -base64 32" in said.err


NEED_THE_KEY = (
    ("sync",),
    ("sync", "--json"),
    ("serve", "--port", "0"),
    ("worker",),
    ("doctor",),
    ("rotate-keys",),
    ("connection", "check", "berlin"),
    ("connection", "add", "asana", "--name", "second", "--token-stdin"),
    ("endpoint", "add", "https://9.9.9.9/in"),
)


@pytest.mark.parametrize("lost", ["another key", "no key"])
def test_a_lost_key_is_said_once_and_nothing_is_sealed_over_it(connected: Hub, monkeypatch: pytest.MonkeyPatch, sqlite_url: str, lost: str) -> None:
    before = sealed_token(sqlite_url)
    if lost == "another key":
        monkeypatch.setenv("HUB_SECRET_KEYS", new_key())
    else:
        monkeypatch.delenv("HUB_SECRET_KEYS")
    for words in NEED_THE_KEY:
        said = connected(*words, stdin="token")
        assert said.code == 1, words
        assert "HUB_SECRET_KEYS" in said.out + said.err, words
        assert len(said.err.splitlines()) <= 2, words
        assert sealed_token(sqlite_url) == before, words
        assert not Path(sqlite_url.removeprefix("sqlite:///") + ".key").exists(), words
