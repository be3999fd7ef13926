"""``hub user``, ``hub admin``, ``hub audit``, and that what is done at the terminal is recorded."""

from __future__ import annotations

import json
import re
import sqlite3
import sys

import pytest

from hub.access import links, passwords, users
from hub.access.keys import Role
from hub.cli import house, serve
from hub.sandbox.server import Sandbox
from tests.cli.conftest import Hub

LINK = r"http://127\.0\.0\.1:8000/setup/hub_setup_[\w-]{43}\n"


def log(hub: Hub) -> list[dict[str, object]]:
    assert hub("audit", "verify").code == 0
    return [json.loads(line) for line in hub("audit", "list", "--json").out.splitlines()]


def test_a_person_is_added_and_gets_a_link(hub: Hub) -> None:
    said = hub("user", "add", "ada@example.org", "--name", "Ada", "--role", "pmo")
    assert re.fullmatch(LINK, said.out)
    listed = hub("user", "list").out
    assert "ada@example.org" in listed
    assert "invited" in listed
    assert said.out.strip() not in listed + json.dumps(log(hub)) + said.err
    again = hub("user", "add", "ADA@example.org", "--name", "Ada", "--role", "pmo")
    assert (again.code, "already" in again.err) == (1, True)


def test_a_person_is_shut_out_and_let_in_again_and_gets_another_role(hub: Hub) -> None:
    hub("user", "add", "ada@example.org", "--name", "Ada", "--role", "viewer")
    hub("key", "create", "--name", "theirs", "--role", "viewer", "--owner", "ada@example.org")
    assert "1 keys are refused" in hub("user", "disable", "ada@example.org").err
    assert "disabled" in hub("user", "list").out
    assert hub("user", "enable", "ada@example.org").code == 0
    assert hub("user", "set-role", "ada@example.org", "pmo").code == 0
    assert json.loads(hub("user", "list", "--json").out)["role"] == "pmo"
    assert re.fullmatch(LINK, hub("user", "reset", "ada@example.org").out)
    assert hub("user", "disable", "nobody@example.org").code == 1
    assert hub("user", "set-role", "ada@example.org", "root").code == 2
    assert [row["action"] for row in log(hub)] == ["user.created", "key.created", *["user.changed"] * 3, "password.link_made"]
    assert {row["actor_kind"] for row in log(hub)} == {"cli"}


def test_the_link_for_the_first_admin_is_printed_and_recorded_without_the_link(hub: Hub) -> None:
    said = hub("admin", "link")
    assert re.fullmatch(LINK, said.out)
    assert [row["action"] for row in log(hub)] == ["admin.link_made"]
    assert json.loads(hub("admin", "link", "--json").out).keys() == {"link"}


def test_serve_prints_the_link_on_a_terminal_while_there_is_no_admin(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with house.opened() as opened:
        serve.first_admin(opened, "http://127.0.0.1:8123")
        assert capsys.readouterr().out == "", "not a terminal: a log keeps what is printed"
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        serve.first_admin(opened, "http://127.0.0.1:8123")
        assert "http://127.0.0.1:8123/setup/hub_setup_" in capsys.readouterr().out
        with opened.database.writing() as session:
            made = passwords.made("four gulls on a bollard")
            users.add(session, "root@example.org", "Root", Role.ADMIN, house.now(), password_hash=made)
        serve.first_admin(opened, "http://127.0.0.1:8123")
        assert capsys.readouterr().out == ""
        with opened.database.reading() as session:
            assert links.find(session, "hub_setup_x", house.now()) is None


def test_a_log_that_somebody_changed_is_told(hub: Hub, sqlite_url: str) -> None:
    for number in range(3):
        assert hub("key", "create", "--name", f"k{number}", "--role", "pmo").code == 0
    head = json.loads(hub("audit", "verify", "--json").out)["head"]
    assert "3 rows" in hub("audit", "verify", "--head", head).out
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE audit SET actor_id = 'eve' WHERE id = 2")
    said = hub("audit", "verify")
    assert (said.code, "from row 2 on" in said.err) == (1, True)
    assert json.loads(hub("audit", "list", "--json", "--after", "2").out)["id"] == 3


def test_a_key_may_be_for_reading_only_for_a_time_and_somebody_s(hub: Hub) -> None:
    hub("user", "add", "ada@example.org", "--name", "Ada", "--role", "viewer")
    made = ("key", "create", "--name", "x", "--role", "viewer")
    assert hub(*made, "--read-only", "--expires", "90d", "--owner", "ADA@example.org").code == 0
    shown = json.loads(hub("key", "list", "--json").out)
    assert (shown["scope"], shown["expires_at"] is not None, shown["owner_user_id"] is not None) == ("read", True, True)
    assert hub(*made, "--expires", "soon").code == 2
    assert hub(*made, "--owner", "bob@example.org").code == 1
    refused = hub("key", "create", "--name", "x", "--role", "admin", "--owner", "ada@example.org")
    assert (refused.code, "more rights" in refused.err) == (1, True)


def test_what_is_done_to_connections_is_recorded_without_their_token(connected: Hub, sandbox: Sandbox) -> None:
    connected("connection", "pause", "berlin")
    connected("connection", "resume", "berlin")
    connected("connection", "remove", "berlin")
    connected("connection", "remove", "berlin")
    rows = log(connected)
    assert [row["action"] for row in rows] == ["connection.added", "connection.paused", "connection.resumed", "connection.removed"]
    assert {row["target"] for row in rows} == {"berlin"}
    assert sandbox.world.tokens["asana"] not in json.dumps(rows)


def test_an_endpoint_s_headers_are_recorded_by_name(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_WEBHOOK_ALLOW", "127.0.0.0/8")
    assert hub("endpoint", "add", "http://127.0.0.1:9/c4nary", "--name", "ci", "--header", "X-Auth=c4nary").code == 0
    (row,) = log(hub)
    assert (row["action"], row["target"]) == ("endpoint.added", "ci")
    assert "X-Auth" in json.dumps(row)
    assert "c4nary" not in json.dumps(row)
