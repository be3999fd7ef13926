"""``hub connection backfill``: what the past costs is said before anything is asked, and nothing is read without a yes."""

from __future__ import annotations

import json

from hub.sandbox.server import Sandbox
from tests.cli.conftest import Hub


def test_the_cost_is_said_first_and_a_yes_is_needed(hub: Hub, sandbox: Sandbox) -> None:
    token = sandbox.world.tokens["clickup"]
    assert hub("connection", "add", "clickup", "--name", "berlin", "--base-url", sandbox.base_url("clickup"), "--token-stdin", stdin=token).code == 0
    assert hub("sync", "--full").code == 0
    asked = sandbox.log.count
    said = hub("connection", "backfill", "berlin", "--dry-run", "--json")
    assert said.code == 0, said.err
    assert "at least" in said.err
    cost = json.loads(said.out)
    assert cost["calls"] >= 1
    assert hub("connection", "backfill", "berlin").code == 2
    assert sandbox.log.count == asked
    said = hub("connection", "backfill", "berlin", "--yes", "--days", "30", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["state"], found["requests"], found["errors"]) == ("complete", cost["calls"], [])
    assert "changes" in found


def test_a_tool_without_books_and_a_connection_never_read_are_said(hub: Hub, sandbox: Sandbox) -> None:
    for tool in ("asana", "monday"):
        token = sandbox.world.tokens[tool]  # type: ignore[index]  # both are tools
        hub("connection", "add", tool, "--name", tool, "--base-url", sandbox.base_url(tool), "--token-stdin", stdin=token)  # type: ignore[arg-type]
    assert "keeps no books" in hub("connection", "backfill", "asana", "--dry-run").err
    said = hub("connection", "backfill", "monday", "--yes")
    assert said.code != 0
    assert "never read" in said.err
