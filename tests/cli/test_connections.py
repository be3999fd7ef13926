"""Accounts at the tools: checked before they are stored, never shown, removed with or without what came through them."""

from __future__ import annotations

import json
import re

import pytest

from hub.db import Database
from hub.sandbox.server import Sandbox
from hub.sandbox.world import TOOLS
from tests.cli.conftest import Hub


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_new_connection_says_whose_it_is_and_what_it_reaches(hub: Hub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    monkeypatch.setenv("MY_TOKEN", sandbox.world.tokens[tool])  # type: ignore[index]
    said = hub("connection", "add", tool, "--name", "müller", "--base-url", sandbox.base_url(tool), "--token-env", "MY_TOKEN")  # type: ignore[arg-type]
    assert said.code == 0
    assert "signed in as: " in said.out
    assert re.search(r"workspaces: .+ \(\w+\)", said.out)
    assert "hub sync müller" in said.err
    assert sandbox.world.tokens[tool] not in said.out + said.err  # type: ignore[index]


def test_a_wrong_token_stores_nothing(hub: Hub, sandbox: Sandbox) -> None:
    said = hub("connection", "add", "asana", "--name", "x", "--base-url", sandbox.base_url("asana"), "--token-stdin", stdin="1/2:wrong")
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert "refused the token" in said.err
    assert "wrong" not in said.err
    assert hub("connection", "list", "--json").out == ""


def test_a_tool_that_cannot_be_reached_stores_nothing(hub: Hub, sandbox: Sandbox) -> None:
    said = hub("connection", "add", "asana", "--name", "x", "--base-url", "http://127.0.0.1:9", "--token-stdin", stdin="token")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "base URL" in said.err
    assert hub("connection", "list", "--json").out == ""


def test_the_same_name_and_the_same_account_are_refused_twice(connected: Hub, sandbox: Sandbox) -> None:
    again = ("--base-url", sandbox.base_url("asana"), "--token-stdin")
    token = sandbox.world.tokens["asana"]
    assert "already" in connected("connection", "add", "asana", "--name", "berlin", *again, stdin=token).err
    said = connected("connection", "add", "asana", "--name", "other", *again, stdin=token)
    assert (said.code, "already read by the connection 'berlin'" in said.err) == (1, True)


def test_the_list_shows_state_and_counts(connected: Hub) -> None:
    connected("sync")
    listed = rows(connected("connection", "list", "--json").out)
    assert [(row["name"], row["tool"], row["state"], row["tasks"], row["last_error"]) for row in listed] == [("berlin", "asana", "active", 40, None)]
    assert listed[0]["last_synced_at"]
    table = connected("connection", "list").out.splitlines()
    assert table[0].split() == ["NAME", "TOOL", "STATE", "LAST", "SYNCED", "NEXT", "SYNC", "TASKS", "LAST", "ERROR"]
    assert table[1].startswith("berlin")


def test_a_token_that_no_longer_works_breaks_the_connection_until_it_is_rotated(connected: Hub, sandbox: Sandbox) -> None:
    sandbox.knobs.revoked.add("asana")
    said = connected("connection", "check", "berlin")
    assert (said.code, "hub connection rotate berlin" in said.err) == (1, True)
    assert rows(connected("connection", "list", "--json").out)[0]["state"] == "broken"
    assert connected("connection", "resume", "berlin").code == 1
    assert connected("connection", "rotate", "berlin", "--token-stdin", stdin=sandbox.world.tokens["asana"]).code == 1
    sandbox.knobs.revoked.clear()
    assert connected("connection", "rotate", "berlin", "--token-stdin", stdin=sandbox.world.tokens["asana"]).code == 0
    assert rows(connected("connection", "list", "--json").out)[0]["state"] == "active"
    assert rows(connected("connection", "check", "berlin", "--json").out)[0]["connection"] == "berlin"


def test_pause_and_resume(connected: Hub) -> None:
    assert connected("connection", "pause", "berlin").code == 0
    said = connected("sync", "berlin")
    assert (said.code, "hub connection resume berlin" in said.err) == (1, True)
    assert connected("connection", "resume", "berlin").code == 0
    assert connected("sync", "berlin").code == 0


def test_a_removed_connection_keeps_its_tasks_and_finds_them_again(connected: Hub, sandbox: Sandbox) -> None:
    connected("sync")
    assert "40 tasks are kept" in connected("connection", "remove", "berlin").err
    assert connected("connection", "list", "--json").out == ""
    token = sandbox.world.tokens["asana"]
    connected("connection", "add", "asana", "--name", "berlin", "--base-url", sandbox.base_url("asana"), "--token-stdin", stdin=token)
    ran = rows(connected("sync", "--json").out)[0]
    assert (ran["created"], ran["updated"], ran["unchanged"]) == (0, 0, 40)


def test_purging_needs_a_yes_and_leaves_nothing(connected: Hub, sqlite_url: str) -> None:
    connected("sync")
    assert connected("connection", "remove", "berlin", "--purge").code == 2
    assert connected("connection", "remove", "berlin", "--purge", "--yes").code == 0
    database = Database(sqlite_url)
    with database.reading() as session:
        left = {
            name: session.connection().exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar()
            for name in ("task", "project", "event", "raw", "seen", "coverage")
        }
    database.dispose()
    assert set(left.values()) == {0}


def test_an_unknown_connection_names_those_that_exist(connected: Hub) -> None:
    for words in (("check",), ("pause",), ("resume",), ("remove",)):
        said = connected("connection", *words, "bremen")
        assert (said.code, "berlin" in said.err) == (1, True)
